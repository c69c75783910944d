/* Session rows: what an audit session is worth (security.md 13). */
#ifndef BROKER_SESSION_H
#define BROKER_SESSION_H

#include "otpcore/broker/broker.h"
#include "otpcore/engine/policy.h"

#define SERVICE_ELEVATE "elevate" /* `magotp elevate` speaks as this service */

/* Reads the row of the peer's audit session. */
int session_want(struct request *r);
/* That row, if it is this account's and all it rests on still holds: not ended,
 * not a day old, its leader alive, the peer sure to be in it, the phone or token that
 * proved it still there and still lent (H8, H11). NULL otherwise,
 * with the reason: no-audit-id, no-login, shared-id, other-uid, ended. */
struct session *session_sound(struct request *r, const struct aggregate *a, const char **reason_r);
/* Is it enough for this service? Where nothing is asked (mode none) always, else
 * within `reuse` seconds. NULL: no. */
const struct session *session_satisfies(
	struct request *r, const struct aggregate *a, const struct policy *p, int64_t reuse);
/* Elevate, in decide: is there a row to raise? Claims it; false: why not. */
bool session_claim(struct request *r, const struct aggregate *a, const char **reason_r);
/* What a factor that was proven gives. */
struct proof {
	enum strength strength;
	int64_t level, phone, token; /* row ids; one is 0 */
};
/* H8, H11: is what proved it still there, and still lent by `holder` (0: the
 * account's own)? */
bool session_proof_holds(
	struct request *r, const struct aggregate *a, int64_t holder, const struct proof *proof);
/* Elevate, in settle: the claimed row gets what was proven. */
void session_raise(struct request *r, const struct proof *proof);
/* open: a row for this login. Returns whether the session is recorded; if not,
 * the id is marked as seen and nothing rests on it. */
bool session_record(struct request *r, const struct aggregate *a, const struct login *login,
	const char **reason_r);
/* close: end the row that this process leads. */
void session_end(struct request *r, const struct aggregate *a);
/* H8: what rests on a phone or token (its row's id) that is gone ends with it, on
 * all services and hosts. The account's sessions are wanted
 * (store_want_sessions_of). Returns how many; *own_r (may be NULL): the peer's own
 * is among them. */
size_t session_end_resting(
	struct request *r, const struct aggregate *a, int64_t credential, bool *own_r);

#endif
