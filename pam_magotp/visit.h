/* What one call of the module knows: the line's options, who logs in where, and
 * which broker answers. Made anew for every call; nothing is kept in static
 * memory of a process that is not ours. */
#ifndef PAM_VISIT_H
#define PAM_VISIT_H

#include <security/pam_modules.h>
#include <stdint.h>

#include "otpcore/login/flow.h"
#include "otpcore/login/pam_options.h"

struct visit {
	pam_handle_t *pamh;
	int flags;
	struct options options;
	const char *pam_service; /* PAM's own name of the service; "" if unknown */
	/* Cleaned (security.md 21), fit for the wire. */
	char user[257], service[65], rhost[257], tty[65], ruser[257];
	uint32_t uid; /* of user; WIRE_UID_UNKNOWN */
	struct client client;
};

/* Waited after a wrong password and, in combined mode, after a wrong code. */
#define VISIT_FAIL_DELAY_US 2000000u

/* The PAM line. PAM_SUCCESS; PAM_IGNORE: listed_only, and this service is not
 * listed; otherwise what the call has to return. */
int visit_line(pam_handle_t *pamh, int flags, int argc, const char **argv, struct visit *v_r);
/* User, places and broker. PAM_SUCCESS, or what the call has to return. */
int visit_who(struct visit *v);

/* su_target = caller: from now on this visit is PAM_RUSER's. PAM_SUCCESS, or what
 * the call has to return. */
int visit_take_caller(struct visit *v);
/* Has an earlier call of this login taken the caller? */
bool visit_is_callers(const struct visit *v);

/* Is `service` in the root-owned file `path`, one name a line? true also when
 * there is no such file or it cannot be trusted: then every service is. */
bool visit_listed(const char *path, const char *service);

/* require=password on the line and nothing was proven to a broker: cron, at and
 * systemd-user are decided without one. */
bool visit_needs_no_broker(const struct visit *v, const struct mag_secret *txn);

/* broker_down=allow: may this error let in? Nobody listened, or there was
 * silence, before any answer, and we are root (login.md). Logged. */
bool visit_broker_down_allows(const struct visit *v, int error, bool answered);

void visit_log(const struct visit *v, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
