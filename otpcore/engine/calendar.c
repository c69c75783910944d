/* What is due, by the calendar. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "otpcore/engine/calendar.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/token.h"

#define DAY          INT64_C(86400)
#define YEAR         (365 * DAY)
#define INVOICE_DAYS 5 /* from day 55 of 60 on an invoice comes too late (H7) */
#define SWEEP_GAP    (7 * DAY)
#define FEW          10 /* revocations that are never too many */
#define PER_CENT     100
#define YEARS_MAX    100
#define DAYS_MAX     36600

/* `years` in seconds are years of the calendar (29 February and all), else just
 * seconds. */
static int64_t later(int64_t from, int64_t seconds)
{
	if (seconds > 0 && seconds % YEAR == 0 && seconds / YEAR <= YEARS_MAX)
		return licence_expiry(from, (int)(seconds / YEAR));
	return seconds > INT64_MAX - from ? INT64_MAX : from + seconds;
}

/* The last second of the day that lies `days` after that of `from`, by the local
 * calendar: a day on which the clocks change is a day. */
static int64_t day_end(int64_t from, int64_t days)
{
	time_t when = (time_t)from;
	struct tm tm;

	if (days < -DAYS_MAX || days > DAYS_MAX || !localtime_r(&when, &tm))
		return from;
	tm.tm_mday += (int)days;
	tm.tm_hour = 23;
	tm.tm_min = 59;
	tm.tm_sec = 59;
	tm.tm_isdst = -1;
	when = mktime(&tm);
	return when == (time_t)-1 ? from : (int64_t)when;
}

/* Is `now` at most `before` seconds before `at`? Whole days are those of the
 * calendar: 30 days before the 2nd of March is all of the 31st of January. */
static bool within(int64_t before, int64_t at, int64_t now)
{
	if (before % DAY == 0)
		return now > day_end(at, -(before / DAY) - 1);
	return at - now <= before;
}

int64_t calendar_suspension_end(const struct token *t, const struct calendar_rules *r)
{
	if (t->state != TOKEN_SUSPENDED)
		return 0;
	/* Day 0 is the day of suspension, the last one is the day before the limit. */
	if (r->suspended_limit % DAY == 0)
		return day_end(t->state_since, r->suspended_limit / DAY - 1);
	return later(t->state_since, r->suspended_limit);
}

int64_t calendar_renewed(const struct subscription *s, const struct calendar_rules *r, int64_t now)
{
	int64_t renewed;

	if (!s || s->row.fate == ROW_DELETED || s->expires_at <= 0 ||
		(s->state != SUBSCRIPTION_ACTIVE && s->state != SUBSCRIPTION_EXPIRED))
		return 0;
	if (now >= later(s->expires_at, r->renewal_period))
		return 0;
	renewed = licence_expiry(s->expires_at, 1);
	return renewed > now ? renewed : 0;
}

bool calendar_holds(int64_t last_sweep, int64_t now, int64_t revocations, int64_t credentials)
{
	if (last_sweep <= 0 || now < last_sweep || now - last_sweep > SWEEP_GAP)
		return true;
	return revocations > FEW && revocations > credentials / PER_CENT;
}

/* ---- one account ---- */

struct listing {
	const struct calendar_rules *rules;
	int64_t now;
	struct due *dues;
	size_t n, max;
};

/* What happened first comes first; of the same second in the order found. */
static void list(struct listing *l, const struct due *d)
{
	size_t at = l->n;

	if (l->n == l->max)
		return;
	for (; at > 0 && l->dues[at - 1].at > d->at; at--)
		l->dues[at] = l->dues[at - 1];
	l->dues[at] = *d;
	l->n++;
}

/* `since` ties the key to this year or this suspension: it doesn't change with the
 * settings, nor with the time zone of the host that sweeps. */
static void name_once(struct due *d, int64_t since)
{
	static const char *const kinds[] = {
		[DUE_REMIND_EXPIRY] = "expiry",
		[DUE_EXPIRE] = "expired",
		[DUE_REMIND_REVOCATION] = "revocation",
		[DUE_REVOKE] = "revoked",
	};
	static const char *const reasons[] = {
		[DUE_FOR_NOTHING] = "",
		[DUE_FOR_EXPIRED] = "-expired",
		[DUE_FOR_SUSPENDED] = "-suspended",
	};
	char stage[24] = "";

	if (d->stage > 0 && d->stage % DAY == 0)
		snprintf(stage, sizeof(stage), "-%lld", (long long)(d->stage / DAY));
	else if (d->stage > 0)
		snprintf(stage, sizeof(stage), "-%llds", (long long)d->stage);
	snprintf(d->once, sizeof(d->once), "%s%s%s:%c%lld:%lld", kinds[d->kind], reasons[d->reason],
		stage, d->token ? 't' : 's', (long long)(d->token ? d->token : d->subscription),
		(long long)since);
}

static void subscription_due(struct listing *l, const struct subscription *s)
{
	struct due d = { .subscription = s->row.id, .at = s->expires_at };

	if (s->row.fate == ROW_DELETED || s->state != SUBSCRIPTION_ACTIVE)
		return;
	if (l->now > s->expires_at) {
		d.kind = DUE_EXPIRE;
	} else if (l->rules->remind_before > 0 &&
		   within(l->rules->remind_before, s->expires_at, l->now)) {
		d.kind = DUE_REMIND_EXPIRY;
		d.stage = l->rules->remind_before;
	} else {
		return;
	}
	name_once(&d, s->expires_at);
	list(l, &d);
}

/* The last stage that has begun; 0: none yet. */
static int64_t stage_of(const struct calendar_rules *r, int64_t at, int64_t now)
{
	int64_t stage = 0;
	size_t i;

	for (i = 0; i < sizeof(r->reminders) / sizeof(r->reminders[0]) && r->reminders[i]; i++)
		if (within(r->reminders[i], at, now) && (stage == 0 || r->reminders[i] < stage))
			stage = r->reminders[i];
	return stage;
}

/* Which of its dates revokes it, and since when that one runs. */
static struct due revocation(const struct token *t, const struct subscription *s,
	const struct calendar_rules *r, int64_t now, int64_t *since_r)
{
	struct due d = { .token = t->row.id };
	bool expired = s && !subscription_active(s, now) && s->state != SUBSCRIPTION_REVOKED;

	if (t->state == TOKEN_SUSPENDED) {
		d.reason = DUE_FOR_SUSPENDED;
		d.at = calendar_suspension_end(t, r);
		*since_r = t->state_since;
	}
	if (expired && now > s->expires_at) {
		int64_t end = later(s->expires_at, r->expired_limit);

		if (d.reason == DUE_FOR_NOTHING || end < d.at) {
			d.reason = DUE_FOR_EXPIRED;
			d.at = end;
			*since_r = s->expires_at;
		}
	}
	return d;
}

static void token_due(struct listing *l, const struct token *t, const struct subscription *s)
{
	int64_t since = 0;
	struct due d;

	if (t->row.fate == ROW_DELETED || t->state < TOKEN_ACTIVE || t->state >= TOKEN_REVOKED)
		return;
	if (t->state == TOKEN_ACTIVE && s && l->now > s->expires_at) {
		d = (struct due){ .kind = DUE_EXPIRE, .token = t->row.id, .at = s->expires_at };
		name_once(&d, s->expires_at);
		list(l, &d);
	}
	d = revocation(t, s, l->rules, l->now, &since);
	if (d.reason == DUE_FOR_NOTHING)
		return;
	d.invoice_late = d.reason == DUE_FOR_SUSPENDED && l->now > day_end(d.at, -INVOICE_DAYS);
	if (l->now > d.at) {
		d.kind = DUE_REVOKE;
	} else {
		d.kind = DUE_REMIND_REVOCATION;
		d.stage = stage_of(l->rules, d.at, l->now);
		if (d.stage == 0)
			return;
	}
	name_once(&d, since);
	list(l, &d);
}

size_t calendar_due(const struct aggregate *a, const struct calendar_rules *r, int64_t now,
	struct due *due_r, size_t max)
{
	struct listing l = { .rules = r, .now = now, .dues = due_r, .max = max };
	size_t i;

	if (!a->exists)
		return 0;
	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++)
		subscription_due(&l, &a->subscriptions[i]);
	for (i = 0; i < a->n_tokens && i < TOKENS_MAX; i++)
		token_due(&l, &a->tokens[i],
			token_subscription((struct aggregate *)a, &a->tokens[i]));
	return l.n;
}
