#include "pam_magotp/io_pam.h"

#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

/* pam_conv(3): a response longer than this is none. */
#define ANSWER_MAX PAM_MAX_RESP_SIZE

/* One message; *answer_r (ours, malloced) may stay NULL. */
static int converse(struct visit *v, int style, const char *text, char **answer_r)
{
	const struct pam_message message = { style, text };
	const struct pam_message *messages = &message;
	struct pam_response *response = NULL;
	const void *item = NULL;
	const struct pam_conv *conv;

	if (pam_get_item(v->pamh, PAM_CONV, &item) != PAM_SUCCESS || !item)
		return MAG_ECONV;
	conv = item;
	if (!conv->conv)
		return MAG_ECONV;
	int r = conv->conv(1, &messages, &response, conv->appdata_ptr);
	if (response) {
		*answer_r = response->resp;
		free(response);
	}
	return r == PAM_SUCCESS ? 0 : MAG_ECONV;
}

int io_pam_ask(void *visit, const char *prompt, bool echo, struct mag_secret *answer_r)
{
	char *answer = NULL;
	int r = converse(visit, echo ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF, prompt, &answer);
	size_t len = answer ? strlen(answer) : 0;

	if (!r && (!answer || len > ANSWER_MAX))
		r = MAG_ECONV;
	if (!r && mag_secret_set(answer_r, answer, len))
		r = MAG_ECONV;
	if (answer)
		mag_wipe(answer, len);
	free(answer);
	return r;
}

/* sudo asks for silence always, whoever reads; without our word its user would see
 * "Permission denied" and no way on. */
static bool silent(const struct visit *v, bool error)
{
	bool sudo = mag_streq(v->pam_service, "sudo") || mag_streq(v->pam_service, "sudo-i");
	return v->flags & PAM_SILENT && !(error && sudo);
}

int io_pam_tell(void *visit, const char *message, bool error)
{
	struct visit *v = visit;
	char *answer = NULL;

	if (silent(v, error) || !*message)
		return 0;
	int r = converse(v, error ? PAM_ERROR_MSG : PAM_TEXT_INFO, message, &answer);
	if (answer)
		mag_wipe(answer, strlen(answer));
	free(answer);
	return r;
}

/* Elsewhere an echoed prompt is often answered with the user name, or refused
 * (services.md). */
static const char *const echo_services[] = { "sshd", "login", "su", "su-l", "sudo", "sudo-i" };

bool io_pam_echo(const struct visit *v)
{
	if (v->options.echo != ECHO_AUTO)
		return v->options.echo == ECHO_ON;
	for (size_t i = 0; i < sizeof echo_services / sizeof *echo_services; i++)
		if (mag_streq(v->pam_service, echo_services[i]))
			return true;
	return false;
}
