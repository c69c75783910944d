#include "pam_magotp/nested.h"

#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "otpcore/base/text.h"
#include "pam_magotp/io_pam.h"

#define MARK         "MAGOTP_NESTED"
#define EXPIRED_DATA "magotp-password-expired"

/* Where Linux-PAM reads services; without a file it would take "other". */
static const char *const service_dirs[] = { "/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d" };

struct nested {
	struct visit *v;
	const struct mag_secret *password;
	unsigned asked;
	bool quiet;
};

bool nested_is(pam_handle_t *pamh)
{
	return pam_getenv(pamh, MARK) != NULL;
}

static bool has_file(const char *service)
{
	char path[300];
	if (strchr(service, '/') || *service == '.')
		return false;
	for (size_t i = 0; i < sizeof service_dirs / sizeof *service_dirs; i++) {
		int n = snprintf(path, sizeof path, "%s/%s", service_dirs[i], service);
		if (n > 0 && (size_t)n < sizeof path && !access(path, F_OK))
			return true;
	}
	return false;
}

static int answer_one(struct nested *n, const struct pam_message *m, struct pam_response *r)
{
	switch (m->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		if (n->asked++)
			return PAM_CONV_ERR;
		r->resp = strdup(mag_secret_text(n->password));
		return r->resp ? PAM_SUCCESS : PAM_BUF_ERR;
	case PAM_ERROR_MSG:
	case PAM_TEXT_INFO:
		if (!n->quiet && m->msg)
			io_pam_tell(n->v, m->msg, m->msg_style == PAM_ERROR_MSG);
		return PAM_SUCCESS;
	default:
		return PAM_CONV_ERR;
	}
}

static void free_responses(struct pam_response *responses, int n)
{
	for (int i = 0; i < n; i++) {
		if (responses[i].resp)
			mag_wipe(responses[i].resp, strlen(responses[i].resp));
		free(responses[i].resp);
	}
	free(responses);
}

/* A conversation that nobody sits at: one echo-off prompt gets the password. */
static int converse(int n_messages, const struct pam_message **messages,
	struct pam_response **responses_r, void *nested)
{
	struct pam_response *responses;
	int r = PAM_SUCCESS;

	if (n_messages <= 0 || n_messages > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	responses = calloc((size_t)n_messages, sizeof *responses);
	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < n_messages && r == PAM_SUCCESS; i++)
		r = answer_one(nested, messages[i], &responses[i]);
	/* Modules that only have something to say may want no responses at all. */
	if (r != PAM_SUCCESS || !responses_r) {
		free_responses(responses, n_messages);
		return r;
	}
	*responses_r = responses;
	return PAM_SUCCESS;
}

/* The delay after a failure is the outer transaction's: see nested_check. */
static void no_delay(int code, unsigned microseconds, void *arg)
{
	(void)code;
	(void)microseconds;
	(void)arg;
}

static int copy_items(struct visit *v, pam_handle_t *inner)
{
	static const int items[] = { PAM_RHOST, PAM_TTY, PAM_RUSER };
	for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
		const void *value = NULL;
		int r = pam_get_item(v->pamh, items[i], &value);
		if (r == PAM_SUCCESS && value)
			r = pam_set_item(inner, items[i], value);
		if (r != PAM_SUCCESS)
			return r;
	}
	int r = pam_set_item(inner, PAM_FAIL_DELAY, (const void *)no_delay);
	return r == PAM_SUCCESS ? pam_putenv(inner, MARK "=1") : r;
}

static bool same_user(pam_handle_t *inner, const char *user)
{
	const void *now = NULL;
	return pam_get_item(inner, PAM_USER, &now) == PAM_SUCCESS && now && !strcmp(now, user);
}

static int keep_expired(struct visit *v)
{
	static char yes[] = "yes";
	return pam_set_data(v->pamh, EXPIRED_DATA, yes, NULL);
}

bool nested_expired(const struct visit *v)
{
	const void *data = NULL;
	return pam_get_data(v->pamh, EXPIRED_DATA, &data) == PAM_SUCCESS && data;
}

/* In the service: authenticate, account, the same user before and after. */
static int check_inside(struct nested *n, pam_handle_t *inner, const char *user)
{
	int flags = PAM_DISALLOW_NULL_AUTHTOK | PAM_SILENT;
	int r = copy_items(n->v, inner);

	if (r == PAM_SUCCESS)
		r = pam_authenticate(inner, flags);
	if (r != PAM_SUCCESS)
		return r;
	if (n->asked != 1) {
		visit_log(n->v, LOG_ERR, "service %s did not ask for a password: refused",
			n->v->options.password_service);
		return PAM_AUTH_ERR;
	}
	r = pam_acct_mgmt(inner, n->quiet ? flags : 0);
	if (r == PAM_NEW_AUTHTOK_REQD)
		r = keep_expired(n->v);
	if (r == PAM_SUCCESS && !same_user(inner, user)) {
		visit_log(n->v, LOG_ERR, "service %s changed the user: refused",
			n->v->options.password_service);
		return PAM_AUTH_ERR;
	}
	return r;
}

int nested_check(struct visit *v, const struct mag_secret *password, bool quiet)
{
	struct nested n = { .v = v, .password = password, .quiet = quiet };
	const struct pam_conv conv = { converse, &n };
	const char *service = v->options.password_service;
	pam_handle_t *inner = NULL;
	const char *user = NULL;

	if (mag_streq(service, v->pam_service) || !has_file(service)) {
		visit_log(v, LOG_ERR, "password_service=%s: %s", service,
			has_file(service) ? "it is this service itself"
					  : "no such file in /etc/pam.d");
		return PAM_SERVICE_ERR;
	}
	int r = pam_get_user(v->pamh, &user, NULL);
	if (r == PAM_SUCCESS)
		r = pam_start(service, user, &conv, &inner);
	if (r != PAM_SUCCESS)
		return r == PAM_IGNORE ? PAM_SYSTEM_ERR : r;
	r = check_inside(&n, inner, user);
	pam_end(inner, r);
	/* The outer transaction waits, so that a wrong password and a wrong code
	 * take the same time. */
	if (r != PAM_SUCCESS)
		pam_fail_delay(v->pamh, VISIT_FAIL_DELAY_US);
	return r == PAM_IGNORE ? PAM_SYSTEM_ERR : r;
}
