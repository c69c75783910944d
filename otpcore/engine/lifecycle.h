/* The life of a token as a table (lifecycle.def). One function writes a state. */
#ifndef ENGINE_LIFECYCLE_H
#define ENGINE_LIFECYCLE_H

#include "otpcore/engine/model.h"

enum life_event {
	LIFE_ASSIGN = 1,
	LIFE_HOLD,
	LIFE_APPROVE,
	LIFE_ACTIVATE,
	LIFE_LOCK,
	LIFE_RESYNC,
	LIFE_UNLOCK,
	LIFE_SUSPEND,
	LIFE_RESUME,
	LIFE_EXPIRE,
	LIFE_RENEW,
	LIFE_REVOKE,
	LIFE_TIME_OUT,
	LIFE_EVENT_N
};

/* What the caller has seen to: bits. A guard without its bit refuses. CODE: one
 * right code; PAIR: two consecutive ones; PAID: its subscription is active. */
enum life_guard { LIFE_HAS_NOTHING = 0, LIFE_HAS_CODE = 1, LIFE_HAS_PAIR = 2, LIFE_HAS_PAID = 4 };

/* May this happen now? VERDICT_OK; else why not:
 *   NOT_ALLOWED            to this actor, or in this state at all
 *   TOKEN_SUSPENDED_BY_ADMIN  only an administrator takes it up again
 *   CODES_WRONG, CODE_WRONG, TOKEN_EXPIRED  a guard's bit is missing
 *   PROOFING_PENDING, TOKEN_PENDING, _LOCKED, _SUSPENDED, _SUSPENDED_BY_ADMIN, _EXPIRED, _REVOKED
 *                          nobody may in this state
 * Changes nothing. */
enum verdict lifecycle_allows(
	const struct token *t, enum life_event e, enum actor who, unsigned guards);
/* The same, and if allowed writes state, suspended_by and, where the state is
 * another one, state_since. The only writer of token.state. */
enum verdict lifecycle_move(
	struct token *t, enum life_event e, enum actor who, unsigned guards, int64_t now);

const char *lifecycle_state_id(int64_t state); /* "pending-activation" */
const char *lifecycle_event_id(enum life_event e);
/* What this actor may do now, as words for people ("suspend revoke"), given that
 * codes and payment are in order; L12. Returns buf (64 bytes hold all). */
char *lifecycle_actions(const struct token *t, enum actor who, char *buf, size_t cap);

#endif
