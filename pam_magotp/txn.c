#include "pam_magotp/txn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define VARIABLE    "MAGOTP_TXN"
#define DATA_NAME   "magotp-txn"
#define USER_NAME   "magotp-user"
#define TXN_MAX     1536
#define ENCODED_MAX (TXN_MAX * 4 / 3 + 4)

static void forget(pam_handle_t *pamh, void *data, int error_status)
{
	(void)pamh;
	(void)error_status;
	if (data)
		mag_wipe(data, strlen(data));
	free(data);
}

static int keep(struct visit *v, const char *name, const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		return PAM_BUF_ERR;
	int r = pam_set_data(v->pamh, name, copy, forget);
	if (r != PAM_SUCCESS)
		forget(v->pamh, copy, 0);
	return r;
}

static const char *kept(const struct visit *v, const char *name)
{
	const void *text = NULL;
	return pam_get_data(v->pamh, name, &text) == PAM_SUCCESS ? text : NULL;
}

static bool one_process(const struct visit *v)
{
	static const char *const services[] = { "login", "su", "su-l", "sudo", "sudo-i" };
	for (size_t i = 0; i < sizeof services / sizeof *services; i++)
		if (mag_streq(v->pam_service, services[i]))
			return true;
	return false;
}

int txn_leave(struct visit *v, const struct mag_secret *txn)
{
	char line[sizeof VARIABLE + 1 + ENCODED_MAX] = VARIABLE "=";
	size_t at = strlen(line);
	int r = PAM_BUF_ERR;

	if (!txn->len)
		return PAM_SUCCESS;
	if (!mag_base64_encode(txn->data, txn->len, line + at, sizeof line - at))
		r = one_process(v) ? PAM_SUCCESS : pam_putenv(v->pamh, line);
	if (r == PAM_SUCCESS)
		r = keep(v, DATA_NAME, line + at);
	if (r == PAM_SUCCESS)
		r = keep(v, USER_NAME, v->user);
	mag_wipe(line, sizeof line);
	return r;
}

/* What somebody wrote there is no ticket: then there is none, and the broker
 * judges a login without one. */
static const char *find(const struct visit *v)
{
	const char *encoded = kept(v, DATA_NAME);
	return encoded ? encoded : pam_getenv(v->pamh, VARIABLE);
}

bool txn_same_user(struct visit *v)
{
	const char *user = kept(v, USER_NAME);
	return !user || mag_streq(user, v->user);
}

int txn_take(struct visit *v, struct mag_secret *txn_r)
{
	unsigned char bytes[TXN_MAX];
	const char *encoded = find(v);
	size_t len = 0;
	int r = PAM_SUCCESS;

	if (!encoded || !*encoded || mag_base64_decode(encoded, bytes, sizeof bytes, &len))
		return PAM_SUCCESS;
	if (mag_secret_set(txn_r, bytes, len))
		r = PAM_BUF_ERR;
	mag_wipe(bytes, sizeof bytes);
	return r;
}

int txn_keep(struct visit *v)
{
	const char *encoded = pam_getenv(v->pamh, VARIABLE);

	if (kept(v, DATA_NAME) || !encoded || !*encoded || strlen(encoded) > ENCODED_MAX)
		return PAM_SUCCESS;
	return keep(v, DATA_NAME, encoded);
}

int txn_remove(struct visit *v)
{
	if (!pam_getenv(v->pamh, VARIABLE))
		return PAM_SUCCESS;
	return pam_putenv(v->pamh, VARIABLE);
}

int txn_export(struct visit *v, const char *strength, uint32_t level)
{
	char line[80];
	snprintf(line, sizeof line, "MAGOTP_STRENGTH=%s", strength);
	int r = pam_putenv(v->pamh, line);
	if (r != PAM_SUCCESS)
		return r;
	snprintf(line, sizeof line, "MAGOTP_LEVEL=%u", (unsigned)level);
	return pam_putenv(v->pamh, line);
}
