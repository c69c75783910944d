/* What may come through a relay (security.md 40); gate.c asks, for every request that
 * came on a link, beside its own question. */
#ifndef BROKER_REMOTE_GATE_H
#define BROKER_REMOTE_GATE_H

#include "otpcore/broker/broker.h"

struct remote_asks {
	const char *user, *service; /* that the request names; NULL: none */
	const struct aggregate *account;
};

/* The relay's row, and the session of its peer. */
int remote_gate_want(struct request *r);
/* After the rows are loaded. 0; MAG_EPERM: not from there; MAG_EBUSY with r->look: the
 * relay must say first whether the leader of its peer's session lives. */
int remote_gate_check(struct request *r, const struct remote_asks *asks);

/* Does the relay's row let this account be shown to it? Asked before anything else is
 * looked at; a name that is hidden is to be treated as nobody's in all that follows. */
bool remote_gate_hides(struct request *r, const char *name, const struct aggregate *a);

/* Words with * and ?, and @ORGANISATION. Whoever is of another organisation, or nobody, passes
 * @ORGANISATION as unknown: a refusal would tell which of both it is (rule L10). */
enum remote_fit { REMOTE_REFUSED, REMOTE_UNKNOWN, REMOTE_FITS };
enum remote_fit remote_account_fit(
	const char *patterns, const char *name, const struct aggregate *a);
bool remote_service_fits(const char *services, const char *service);

#endif
