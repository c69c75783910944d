/* What the calendar does to subscriptions and tokens (H7, H9, P9): pure. */
#ifndef ENGINE_CALENDAR_H
#define ENGINE_CALENDAR_H

#include "otpcore/engine/model.h"

struct calendar_rules { /* settings [lifecycle], seconds */
	int64_t remind_before, suspended_limit, expired_limit, renewal_period;
	int64_t reminders[8]; /* before a revocation, longest first; 0 ends */
};

enum due_kind { DUE_NOTHING, DUE_REMIND_EXPIRY, DUE_EXPIRE, DUE_REMIND_REVOCATION, DUE_REVOKE };
enum due_reason { DUE_FOR_NOTHING, DUE_FOR_EXPIRED, DUE_FOR_SUSPENDED };

struct due {
	enum due_kind kind;
	enum due_reason reason;
	int64_t subscription, token; /* one of them; the other 0 */
	int64_t at;         /* the date it speaks of: expiry or revocation */
	int64_t stage;      /* reminders: seconds before */
	char once[97];      /* key of the mail: each notice once */
};

/* All that is due for this account at `now`, oldest first; at most max. */
size_t calendar_due(const struct aggregate *a, const struct calendar_rules *r, int64_t now,
	struct due *due_r, size_t max);

/* security.md 28: hold irrevocable events for confirmation if more than 7 days
 * passed since the last sweep, or more than 1 % (and 10) of credentials would be
 * revoked, or the clock went back. */
bool calendar_holds(int64_t last_sweep, int64_t now, int64_t revocations, int64_t credentials);

/* Renewal (H9, K5): one year from the original expiry; 0 if that is past already
 * or the renewal period is over. */
int64_t calendar_renewed(const struct subscription *s, const struct calendar_rules *r, int64_t now);

#endif
