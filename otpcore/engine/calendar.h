/* What the calendar does to subscriptions and tokens (H7, H9, P9): pure. */
#ifndef ENGINE_CALENDAR_H
#define ENGINE_CALENDAR_H

#include "otpcore/engine/model.h"

/* Settings [lifecycle], seconds. Whole days are days of the local calendar, whole
 * years of 365 days are its years; both end at 23:59:59. A notice 30 days before is
 * due from the first second of that day. */
struct calendar_rules {
	int64_t remind_before, suspended_limit, expired_limit, renewal_period;
	int64_t reminders[8]; /* before a revocation, longest first; 0 ends */
};

enum due_kind { DUE_NOTHING, DUE_REMIND_EXPIRY, DUE_EXPIRE, DUE_REMIND_REVOCATION, DUE_REVOKE };
enum due_reason { DUE_FOR_NOTHING, DUE_FOR_EXPIRED, DUE_FOR_SUSPENDED };

struct due {
	enum due_kind kind;
	enum due_reason reason;
	int64_t subscription, token; /* one of them; the other 0 */
	int64_t at;                  /* the last second before expiry or revocation: the day of
				      * it is the last usable one (of 60 days the 59th) */
	int64_t stage;               /* reminders: seconds before */
	bool invoice_late; /* suspended, day 55 or later: an invoice would come too late */
	char once[97];     /* key of the mail: each notice once */
};

/* All that is due for this account at `now`, oldest first; at most max (DUES_MAX
 * holds all). Subscriptions are reminded of and expire; tokens expire with them, are
 * reminded of and revoked. What was done already is not due again, but a reminder
 * is due until its date: its key makes it go once. Of several stages that have
 * passed only the last is due. An expired phone subscription is not revoked: it can't
 * be renewed any more, that is all (P9). */
#define DUES_MAX (SUBSCRIPTIONS_MAX + 2 * TOKENS_MAX)
size_t calendar_due(const struct aggregate *a, const struct calendar_rules *r, int64_t now,
	struct due *due_r, size_t max);

/* When a suspended token is revoked: the last second of its last usable day; 0
 * if it isn't suspended (H7). */
int64_t calendar_suspension_end(const struct token *t, const struct calendar_rules *r);

/* security.md 28: hold irrevocable events for confirmation if more than 7 days
 * passed since the last sweep (0: there was none), or more than 1 % (and 10) of credentials would
 * be revoked, or the clock went back. Where it is the clock (whatever the counts), mails and expiry
 * should wait too. */
bool calendar_holds(int64_t last_sweep, int64_t now, int64_t revocations, int64_t credentials);

/* Renewal (H9, K5): one year from the original expiry; 0 if that is past already
 * or the renewal period is over. */
int64_t calendar_renewed(const struct subscription *s, const struct calendar_rules *r, int64_t now);

#endif
