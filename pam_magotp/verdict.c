#include "pam_magotp/verdict.h"

#include <security/pam_modules.h>

/* PAM_MAXTRIES, not PAM_AUTH_ERR: after the latter ssh asks everything again,
 * three times. PAM_IGNORE only where modules before it have succeeded: a stack
 * in which everything ignores is denied by Linux-PAM. */
static const struct {
	enum flow_end end;
	int code, nested, quiet;
} rows[] = {
	{ FLOW_REFUSED, PAM_MAXTRIES, PAM_MAXTRIES, PAM_AUTH_ERR },
	{ FLOW_OK, PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS },
	{ FLOW_EXEMPT, PAM_IGNORE, PAM_SUCCESS, PAM_SUCCESS },
	{ FLOW_SKIPPED, PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS },
	{ FLOW_UNAVAILABLE, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL },
	{ FLOW_BROKEN, PAM_CONV_ERR, PAM_CONV_ERR, PAM_CONV_ERR },
	{ FLOW_CALLER, PAM_AUTH_ERR, PAM_AUTH_ERR, PAM_AUTH_ERR },
	{ FLOW_PASSWORD_FIRST, PAM_AUTH_ERR, PAM_AUTH_ERR, PAM_AUTH_ERR },
};

int verdict_pam(enum flow_end end, bool nested, bool quiet)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].end == end)
			return quiet ? rows[i].quiet : nested ? rows[i].nested : rows[i].code;
	return PAM_SYSTEM_ERR;
}
