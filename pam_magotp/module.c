/* The entry points that libpam calls; nothing else is exported. There is no
 * pam_sm_chauthtok: changing a password is not our affair, and libpam refuses a
 * `password` line that names this module rather than passing over it. */
#include <security/pam_modules.h>

#include "pam_magotp/phases.h"

#define ENTRY __attribute__((visibility("default")))

static int run(pam_handle_t *pamh, int flags, int argc, const char **argv,
	int (*phase)(struct visit *v))
{
	struct visit v;
	int r = visit_line(pamh, flags, argc, argv, &v);
	if (r == PAM_SUCCESS)
		r = visit_who(&v);
	return r == PAM_SUCCESS ? phase(&v) : r;
}

ENTRY int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(pamh, flags, argc, argv, phase_auth);
}

ENTRY int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct visit v;
	int r = visit_line(pamh, flags, argc, argv, &v);
	return r == PAM_SUCCESS ? phase_setcred(&v) : r;
}

ENTRY int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(pamh, flags, argc, argv, phase_account);
}

ENTRY int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(pamh, flags, argc, argv, phase_open);
}

ENTRY int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return run(pamh, flags, argc, argv, phase_close);
}
