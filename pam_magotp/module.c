/* The entry points that libpam calls; nothing else is exported. There is no
 * pam_sm_chauthtok: changing a password is not our affair, and libpam refuses a
 * `password` line that names this module rather than passing over it. */
#include <security/pam_modules.h>
#include <syslog.h>

#include "pam_magotp/phases.h"

#define ENTRY __attribute__((visibility("default")))

/* What libpam hands to every entry point. */
struct call {
	pam_handle_t *pamh;
	int flags, argc;
	const char **argv;
};

static int run(const struct call *c, const char *what, int (*phase)(struct visit *v))
{
	struct visit v;
	int r = visit_line(c->pamh, c->flags, c->argc, c->argv, &v);
	if (r == PAM_SUCCESS)
		r = visit_who(&v);
	if (r == PAM_SUCCESS)
		r = phase(&v);
	if (v.options.debug)
		visit_log(&v, LOG_DEBUG, "%s user=%s service=%s rhost=%s: %s", what, v.user,
			v.service, v.rhost, pam_strerror(c->pamh, r));
	return r;
}

ENTRY int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(&(struct call){ pamh, flags, argc, argv }, "auth", phase_auth);
}

ENTRY int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct visit v;
	int r = visit_line(pamh, flags, argc, argv, &v);
	return r == PAM_SUCCESS ? phase_setcred(&v) : r;
}

ENTRY int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(&(struct call){ pamh, flags, argc, argv }, "account", phase_account);
}

ENTRY int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(&(struct call){ pamh, flags, argc, argv }, "open", phase_open);
}

ENTRY int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(&(struct call){ pamh, flags, argc, argv }, "close", phase_close);
}
