/* What the calendar does (H7, H9, P9, security.md 28). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "otpcore/engine/calendar.h"
#include "otpcore/engine/lifecycle.h"

#define HOUR        INT64_C(3600)
#define DAY         (24 * HOUR)
#define YEAR        (365 * DAY)
#define CREDENTIALS 1000

static const struct calendar_rules rules = { .remind_before = 30 * DAY,
	.suspended_limit = 60 * DAY,
	.expired_limit = YEAR,
	.renewal_period = YEAR,
	.reminders = { 30 * DAY, 15 * DAY, 3 * DAY } };

/* "2027-03-02 23:59:59" in local time. */
static int64_t at(const char *text)
{
	struct tm tm = { .tm_isdst = -1 };

	assert_int_equal(sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
				 &tm.tm_hour, &tm.tm_min, &tm.tm_sec),
		6);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (int64_t)mktime(&tm);
}

static void assert_day(int64_t when, const char *text)
{
	assert_int_equal(when, at(text));
}

static struct aggregate *person(void)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->exists = true;
	a->account.row.id = 1;
	return a;
}

static struct subscription *subscribe(struct aggregate *a, const char *until)
{
	struct subscription *s = &a->subscriptions[a->n_subscriptions++];

	*s = (struct subscription){ .row = { .id = (int64_t)(49 + a->n_subscriptions) },
		.account = 1,
		.product = PRODUCT_HARDWARE,
		.state = SUBSCRIPTION_ACTIVE,
		.level = 2,
		.expires_at = at(until) };
	return s;
}

static struct token *give(struct aggregate *a, enum token_state state, const char *since)
{
	struct token *t = &a->tokens[a->n_tokens++];

	*t = (struct token){ .row = { .id = (int64_t)(69 + a->n_tokens) },
		.kind = TOKEN_HARDWARE,
		.account = 1,
		.subscription = 50,
		.state = state,
		.state_since = at(since),
		.suspended_by = state == TOKEN_SUSPENDED ? ACTOR_USER : 0 };
	return t;
}

/* The only thing that is due, or nothing (kind DUE_NOTHING). */
static struct due only(const struct aggregate *a, const char *now)
{
	struct due d[DUES_MAX] = { { .kind = DUE_NOTHING } };
	size_t n = calendar_due(a, &rules, at(now), d, DUES_MAX);

	if (n > 1)
		fail_msg("%s: %zu are due: %s, %s", now, n, d[0].once, d[1].once);
	return d[0];
}

/* ---- subscriptions ---- */

static void test_H9_notice_30_days_before_and_expiry(void **state)
{
	struct aggregate *a = person();
	struct due d;

	(void)state;
	subscribe(a, "2027-03-02 23:59:59");
	assert_int_equal(only(a, "2027-01-30 23:59:59").kind, DUE_NOTHING);
	d = only(a, "2027-01-31 00:00:00");
	assert_int_equal(d.kind, DUE_REMIND_EXPIRY);
	assert_int_equal(d.subscription, 50);
	assert_int_equal(d.token, 0);
	assert_int_equal(d.stage, 30 * DAY);
	assert_day(d.at, "2027-03-02 23:59:59");
	assert_int_equal(only(a, "2027-03-02 23:59:59").kind, DUE_REMIND_EXPIRY);
	d = only(a, "2027-03-03 00:00:00");
	assert_int_equal(d.kind, DUE_EXPIRE);
	assert_int_equal(d.subscription, 50);
	assert_day(d.at, "2027-03-02 23:59:59");
	a->subscriptions[0].state = SUBSCRIPTION_EXPIRED; /* done */
	assert_int_equal(only(a, "2027-03-03 00:00:01").kind, DUE_NOTHING);
	/* P9: a phone subscription is left alone for good */
	assert_int_equal(only(a, "2037-03-03 00:00:01").kind, DUE_NOTHING);
	free(a);
}

static void test_H9_tokens_expire_with_their_subscription(void **state)
{
	struct aggregate *a = person();
	struct due d[DUES_MAX];
	struct token *t;

	(void)state;
	subscribe(a, "2027-03-02 23:59:59");
	t = give(a, TOKEN_ACTIVE, "2026-03-02 12:00:00");
	assert_int_equal(calendar_due(a, &rules, at("2027-03-03 00:00:00"), d, DUES_MAX), 2);
	assert_int_equal(d[0].kind, DUE_EXPIRE);
	assert_int_equal(d[0].subscription, 50);
	assert_int_equal(d[1].kind, DUE_EXPIRE);
	assert_int_equal(d[1].token, 70);
	assert_int_equal(d[1].subscription, 0);
	assert_string_not_equal(d[0].once, d[1].once);
	/* only the token's row is left behind */
	a->subscriptions[0].state = SUBSCRIPTION_EXPIRED;
	assert_int_equal(only(a, "2027-03-03 00:00:00").token, 70);
	/* H4, H7: these stay what they are */
	t->state = TOKEN_LOCKED;
	assert_int_equal(only(a, "2027-03-03 00:00:00").kind, DUE_NOTHING);
	t->state = TOKEN_PENDING_ACTIVATION;
	assert_int_equal(only(a, "2029-03-03 00:00:00").kind, DUE_NOTHING);
	free(a);
}

/* One year expired, counted in years; notices 30, 15 and 3 days before. */
static void revoked_a_year_after_expiry(int64_t token_state)
{
	static const struct {
		const char *now;
		enum due_kind kind;
		int64_t stage;
	} rows[] = {
		{ "2027-03-03 00:00:00", DUE_NOTHING, 0 },
		{ "2028-01-31 23:59:59", DUE_NOTHING, 0 },
		{ "2028-02-01 00:00:00", DUE_REMIND_REVOCATION, 30 * DAY }, /* 2028 has 29 Feb */
		{ "2028-02-15 23:59:59", DUE_REMIND_REVOCATION, 30 * DAY },
		{ "2028-02-16 00:00:00", DUE_REMIND_REVOCATION, 15 * DAY },
		{ "2028-02-27 23:59:59", DUE_REMIND_REVOCATION, 15 * DAY },
		{ "2028-02-28 00:00:00", DUE_REMIND_REVOCATION, 3 * DAY },
		{ "2028-03-02 23:59:59", DUE_REMIND_REVOCATION, 3 * DAY },
		{ "2028-03-03 00:00:00", DUE_REVOKE, 0 },
		{ "2033-01-01 00:00:00", DUE_REVOKE, 0 },
	};
	struct aggregate *a = person();
	size_t i;

	subscribe(a, "2027-03-02 23:59:59")->state = SUBSCRIPTION_EXPIRED;
	give(a, (enum token_state)token_state, "2027-03-03 01:00:00");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct due d = only(a, rows[i].now);

		assert_int_equal(d.kind, rows[i].kind);
		assert_int_equal(d.stage, rows[i].stage);
		assert_false(d.invoice_late);
		if (d.kind == DUE_NOTHING)
			continue;
		assert_int_equal(d.reason, DUE_FOR_EXPIRED);
		assert_int_equal(d.token, 70);
		assert_day(d.at, "2028-03-02 23:59:59");
	}
	free(a);
}

static void test_H9_revoked_one_year_after_expiry(void **state)
{
	(void)state;
	revoked_a_year_after_expiry(TOKEN_EXPIRED);
	revoked_a_year_after_expiry(TOKEN_LOCKED);
}

/* ---- suspension ---- */

/* Suspended on 1 June: day 59 is 30 July, revoked on 31 July. */
static void test_H7_revoked_after_60_days_with_notices(void **state)
{
	static const struct {
		const char *now;
		enum due_kind kind;
		int64_t stage;
		bool late;
	} rows[] = {
		{ "2027-06-01 10:00:00", DUE_NOTHING, 0, false },
		{ "2027-06-29 23:59:59", DUE_NOTHING, 0, false },
		{ "2027-06-30 00:00:00", DUE_REMIND_REVOCATION, 30 * DAY, false },
		{ "2027-07-14 23:59:59", DUE_REMIND_REVOCATION, 30 * DAY, false },
		{ "2027-07-15 00:00:00", DUE_REMIND_REVOCATION, 15 * DAY, false },
		{ "2027-07-25 23:59:59", DUE_REMIND_REVOCATION, 15 * DAY, false }, /* day 54 */
		{ "2027-07-26 00:00:00", DUE_REMIND_REVOCATION, 15 * DAY, true },  /* day 55 */
		{ "2027-07-26 23:59:59", DUE_REMIND_REVOCATION, 15 * DAY, true },
		{ "2027-07-27 00:00:00", DUE_REMIND_REVOCATION, 3 * DAY, true },
		{ "2027-07-30 23:59:59", DUE_REMIND_REVOCATION, 3 * DAY, true },
		{ "2027-07-31 00:00:00", DUE_REVOKE, 0, true },
	};
	struct aggregate *a = person();
	struct token *t;
	size_t i;

	(void)state;
	subscribe(a, "2028-01-01 23:59:59");
	t = give(a, TOKEN_SUSPENDED, "2027-06-01 09:30:00");
	assert_day(calendar_suspension_end(t, &rules), "2027-07-30 23:59:59");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct due d = only(a, rows[i].now);

		assert_int_equal(d.kind, rows[i].kind);
		assert_int_equal(d.stage, rows[i].stage);
		assert_int_equal(d.invoice_late, rows[i].late);
		if (d.kind == DUE_NOTHING)
			continue;
		assert_int_equal(d.reason, DUE_FOR_SUSPENDED);
		assert_int_equal(d.token, 70);
		assert_day(d.at, "2027-07-30 23:59:59");
	}
	t->state = TOKEN_ACTIVE; /* taken up again */
	assert_int_equal(calendar_suspension_end(t, &rules), 0);
	assert_int_equal(only(a, "2027-07-31 00:00:00").kind, DUE_NOTHING);
	free(a);
}

/* The earlier of the two dates counts, and there is one. */
static void test_H7_H9_suspended_and_expired(void **state)
{
	struct aggregate *a = person();
	struct due d;

	(void)state;
	subscribe(a, "2027-06-10 23:59:59")->state = SUBSCRIPTION_EXPIRED;
	give(a, TOKEN_SUSPENDED, "2027-06-01 09:30:00");
	d = only(a, "2027-07-31 00:00:00");
	assert_int_equal(d.kind, DUE_REVOKE);
	assert_int_equal(d.reason, DUE_FOR_SUSPENDED);
	/* suspended by an administrator long after the end */
	a->tokens[0].state_since = at("2028-06-01 00:00:00");
	d = only(a, "2028-06-11 00:00:00");
	assert_int_equal(d.kind, DUE_REVOKE);
	assert_int_equal(d.reason, DUE_FOR_EXPIRED);
	assert_day(d.at, "2028-06-10 23:59:59");
	free(a);
}

/* ---- each once ---- */

/* Hour by hour through three years, doing what is due: every key comes up in one
 * stretch of hours, and what comes up is these, on these days. */
static void test_each_notice_once_over_three_years(void **state)
{
	static const struct {
		const char *once, *day;
	} expected[] = {
		{ "expiry-30:s50:%lld", "2027-01-31" },
		{ "expired:s50:%lld", "2027-03-03" },
		{ "expired:t70:%lld", "2027-03-03" },
		{ "revocation-expired-30:t70:%lld", "2028-02-01" },
		{ "revocation-expired-15:t70:%lld", "2028-02-16" },
		{ "revocation-expired-3:t70:%lld", "2028-02-28" },
		{ "revoked-expired:t70:%lld", "2028-03-03" },
	};
	struct aggregate *a = person();
	struct subscription *s = subscribe(a, "2027-03-02 23:59:59");
	struct token *t = give(a, TOKEN_ACTIVE, "2026-03-02 12:00:00");
	char seen[16][97], day[16], key[97];
	struct due d[DUES_MAX];
	size_t n_seen = 0, n, i, j;
	int64_t now;

	(void)state;
	for (now = at("2026-06-01 00:30:00"); now < at("2029-06-01 00:30:00"); now += HOUR) {
		n = calendar_due(a, &rules, now, d, DUES_MAX);
		for (i = 0; i < n; i++) {
			time_t when = (time_t)now;
			struct tm tm;

			for (j = 0; j < n_seen && strcmp(seen[j], d[i].once) != 0; j++)
				;
			if (j < n_seen)
				continue; /* the store's unique key: it went already */
			assert_true(n_seen < sizeof(expected) / sizeof(expected[0]));
			memcpy(seen[n_seen], d[i].once, sizeof(seen[0]));
			snprintf(key, sizeof(key), "%s", expected[n_seen].once);
			*strrchr(key, ':') = '\0'; /* the date is that of the expiry */
			assert_memory_equal(d[i].once, key, strlen(key));
			assert_int_equal(
				strtoll(strrchr(d[i].once, ':') + 1, NULL, 10), s->expires_at);
			strftime(day, sizeof(day), "%Y-%m-%d", localtime_r(&when, &tm));
			assert_string_equal(day, expected[n_seen].day);
			n_seen++;
			if (d[i].kind == DUE_EXPIRE && d[i].subscription)
				s->state = SUBSCRIPTION_EXPIRED;
			else if (d[i].kind == DUE_EXPIRE)
				assert_int_equal(
					lifecycle_move(t, LIFE_EXPIRE, ACTOR_CALENDAR, 0, now),
					VERDICT_OK);
			else if (d[i].kind == DUE_REVOKE)
				assert_int_equal(
					lifecycle_move(t, LIFE_TIME_OUT, ACTOR_CALENDAR, 0, now),
					VERDICT_OK);
		}
	}
	assert_int_equal(n_seen, sizeof(expected) / sizeof(expected[0]));
	assert_int_equal(t->state, TOKEN_REVOKED);
	free(a);
}

/* Another year, another suspension, another credential: another key. The same of
 * them: the same key, whatever the time zone and the limits. */
static void test_keys_are_unique_and_stable(void **state)
{
	struct aggregate *a = person();
	struct calendar_rules longer = rules;
	struct due d[DUES_MAX], e[DUES_MAX];
	size_t n, i, j;
	int64_t now;

	(void)state;
	subscribe(a, "2027-08-10 23:59:59");
	subscribe(a, "2027-08-10 23:59:59");
	give(a, TOKEN_SUSPENDED, "2027-06-01 09:30:00");
	give(a, TOKEN_SUSPENDED, "2027-06-01 09:30:00");
	now = at("2027-07-28 00:00:00");
	n = calendar_due(a, &rules, now, d, DUES_MAX);
	assert_int_equal(n, 4);
	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(d[i].once, d[j].once);
	assert_string_equal(d[2].once, "expiry-30:s50:1817942399");
	assert_memory_equal(d[0].once, "revocation-suspended-3:t70:", 27);
	setenv("TZ", "Pacific/Auckland", 1);
	tzset();
	longer.suspended_limit += DAY;
	assert_int_equal(calendar_due(a, &longer, now, e, DUES_MAX), n);
	assert_string_equal(e[0].once, d[0].once);
	assert_string_equal(e[2].once, d[2].once);
	setenv("TZ", "UTC", 1);
	tzset();
	/* taken up and suspended again; renewed */
	a->tokens[0].state_since += 60;
	a->subscriptions[0].expires_at += 60;
	assert_int_equal(calendar_due(a, &rules, now, e, DUES_MAX), n);
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			if ((e[i].token == 70 || e[i].subscription == 50) &&
				strcmp(e[i].once, d[j].once) == 0)
				fail_msg("%s twice", d[j].once);
	free(a);
}

static void test_oldest_first_and_no_more_than_fit(void **state)
{
	struct aggregate *a = person();
	struct due d[DUES_MAX];
	size_t n, i;

	(void)state;
	subscribe(a, "2027-03-02 23:59:59");
	subscribe(a, "2026-03-02 23:59:59");
	subscribe(a, "2027-01-02 23:59:59");
	give(a, TOKEN_ACTIVE, "2026-03-02 12:00:00")->subscription = 51;
	n = calendar_due(a, &rules, at("2028-01-01 00:00:00"), d, DUES_MAX);
	assert_int_equal(n, 5); /* three and the token end, and it is revoked */
	for (i = 1; i < n; i++)
		assert_true(d[i - 1].at <= d[i].at);
	/* a token that nobody saw expire expires first, then is revoked */
	assert_int_equal(d[1].kind, DUE_EXPIRE);
	assert_int_equal(d[1].token, 70);
	assert_int_equal(d[3].kind, DUE_EXPIRE);
	assert_int_equal(d[4].kind, DUE_REVOKE);
	assert_int_equal(calendar_due(a, &rules, at("2028-01-01 00:00:00"), d, 2), 2);
	assert_int_equal(calendar_due(a, &rules, at("2028-01-01 00:00:00"), d, 0), 0);
	a->n_tokens = a->n_subscriptions = 900;
	assert_int_equal(calendar_due(a, &rules, at("2028-01-01 00:00:00"), d, DUES_MAX), 5);
	a->exists = false;
	assert_int_equal(calendar_due(a, &rules, at("2028-01-01 00:00:00"), d, DUES_MAX), 0);
	free(a);
}

static void test_deleted_and_revoked_rows_are_never_due(void **state)
{
	struct aggregate *a = person();

	(void)state;
	subscribe(a, "2027-03-02 23:59:59")->row.fate = ROW_DELETED;
	give(a, TOKEN_ACTIVE, "2026-03-02 12:00:00");
	give(a, TOKEN_SUSPENDED, "2026-03-02 12:00:00")->row.fate = ROW_DELETED;
	give(a, TOKEN_REVOKED, "2026-03-02 12:00:00");
	assert_int_equal(only(a, "2030-01-01 00:00:00").kind, DUE_NOTHING);
	a->subscriptions[0].row.fate = ROW_CLEAN;
	a->subscriptions[0].state = SUBSCRIPTION_REVOKED;
	a->tokens[0].state = TOKEN_EXPIRED;
	assert_int_equal(only(a, "2030-01-01 00:00:00").kind, DUE_NOTHING);
	free(a);
}

static void test_limits_that_are_no_years_are_seconds(void **state)
{
	struct calendar_rules r = rules;
	struct aggregate *a = person();
	struct due d[DUES_MAX];
	int64_t end;

	(void)state;
	end = subscribe(a, "2027-03-02 23:59:59")->expires_at;
	a->subscriptions[0].state = SUBSCRIPTION_EXPIRED;
	give(a, TOKEN_EXPIRED, "2027-03-03 00:00:00");
	r.expired_limit = 90 * DAY;
	r.reminders[0] = 36 * HOUR;
	r.reminders[1] = 0;
	assert_int_equal(calendar_due(a, &r, end + 88 * DAY + 12 * HOUR - 1, d, DUES_MAX), 0);
	assert_int_equal(calendar_due(a, &r, end + 88 * DAY + 12 * HOUR, d, DUES_MAX), 1);
	assert_memory_equal(d[0].once, "revocation-expired-129600s:t70:", 31);
	assert_int_equal(calendar_due(a, &r, end + 90 * DAY + 1, d, DUES_MAX), 1);
	assert_int_equal(d[0].kind, DUE_REVOKE);
	r.expired_limit = 0; /* at once */
	assert_int_equal(calendar_due(a, &r, end + 1, d, DUES_MAX), 1);
	assert_int_equal(d[0].kind, DUE_REVOKE);
	free(a);
}

/* ---- guards ---- */

static void test_threat_28_what_is_held(void **state)
{
	const int64_t now = at("2027-01-01 00:00:00");

	(void)state;
	assert_false(calendar_holds(now - HOUR, now, 0, CREDENTIALS));
	assert_false(calendar_holds(now, now, 10, CREDENTIALS));
	assert_false(calendar_holds(now - 7 * DAY, now, 10, CREDENTIALS));
	assert_true(calendar_holds(now - 7 * DAY - 1, now, 0, CREDENTIALS));
	assert_true(calendar_holds(now + 1, now, 0, CREDENTIALS)); /* the clock went back */
	assert_true(calendar_holds(0, now, 0, CREDENTIALS));
	/* more than 1 %, and more than ten */
	assert_true(calendar_holds(now - HOUR, now, 11, CREDENTIALS));
	assert_false(calendar_holds(now - HOUR, now, 10, 20));
	assert_true(calendar_holds(now - HOUR, now, 11, 20));
	assert_false(calendar_holds(now - HOUR, now, 100, 10000));
	assert_true(calendar_holds(now - HOUR, now, 101, 10000));
	assert_true(calendar_holds(now - HOUR, now, 11, 0));
}

/* ---- renewal ---- */

static void test_H9_K5_renewal_from_the_original_expiry(void **state)
{
	static const struct {
		const char *expires, *now, *renewed;
	} rows[] = {
		/* early, late, and too late */
		{ "2027-03-02 23:59:59", "2026-04-01 00:00:00", "2028-03-02 23:59:59" },
		{ "2027-03-02 23:59:59", "2027-03-02 23:59:59", "2028-03-02 23:59:59" },
		{ "2027-03-02 23:59:59", "2027-12-01 12:00:00", "2028-03-02 23:59:59" },
		{ "2027-03-02 23:59:59", "2028-03-02 23:59:58", "2028-03-02 23:59:59" },
		{ "2027-03-02 23:59:59", "2028-03-02 23:59:59", NULL },
		{ "2027-03-02 23:59:59", "2030-01-01 00:00:00", NULL },
		/* 29 February */
		{ "2028-02-29 23:59:59", "2028-02-01 00:00:00", "2029-02-28 23:59:59" },
		{ "2027-02-28 23:59:59", "2027-02-01 00:00:00", "2028-02-28 23:59:59" },
		{ "2028-02-29 23:59:59", "2029-02-28 23:59:58", "2029-02-28 23:59:59" },
		{ "2028-02-29 23:59:59", "2029-02-28 23:59:59", NULL },
		/* a leap day in between is no day too many */
		{ "2027-08-01 23:59:59", "2028-07-31 12:00:00", "2028-08-01 23:59:59" },
		{ "2027-08-01 23:59:59", "2028-08-01 12:00:00", "2028-08-01 23:59:59" },
	};
	struct subscription s = { .row = { .id = 50 }, .state = SUBSCRIPTION_EXPIRED };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s.expires_at = at(rows[i].expires);
		assert_int_equal(calendar_renewed(&s, &rules, at(rows[i].now)),
			rows[i].renewed ? at(rows[i].renewed) : 0);
	}
}

static void test_P9_what_is_not_renewed(void **state)
{
	struct calendar_rules r = rules;
	struct subscription s = { .row = { .id = 50 },
		.state = SUBSCRIPTION_ACTIVE,
		.expires_at = at("2027-03-02 23:59:59") };
	int64_t now = at("2027-04-01 00:00:00");

	(void)state;
	assert_true(calendar_renewed(&s, &r, now) > 0);
	r.renewal_period = 10 * DAY;
	assert_int_equal(calendar_renewed(&s, &r, now), 0);
	assert_true(calendar_renewed(&s, &r, s.expires_at + 9 * DAY) > 0);
	r.renewal_period = 0;
	assert_int_equal(calendar_renewed(&s, &r, s.expires_at + 1), 0);
	assert_true(calendar_renewed(&s, &r, s.expires_at - 1) > 0);
	r = rules;
	s.state = SUBSCRIPTION_REVOKED;
	assert_int_equal(calendar_renewed(&s, &r, now), 0);
	s.state = SUBSCRIPTION_ACTIVE;
	s.row.fate = ROW_DELETED;
	assert_int_equal(calendar_renewed(&s, &r, now), 0);
	s.row.fate = ROW_CLEAN;
	s.expires_at = 0;
	assert_int_equal(calendar_renewed(&s, &r, 1), 0);
	assert_int_equal(calendar_renewed(NULL, &r, 1), 0);
}

/* The last usable day is a whole day of the place, also over a change of clocks. */
static void test_days_are_local(void **state)
{
	struct token t = { .state = TOKEN_SUSPENDED };

	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	t.state_since = at("2027-02-15 23:30:00");
	assert_day(calendar_suspension_end(&t, &rules), "2027-04-15 23:59:59");
	t.state_since = at("2027-02-15 00:10:00");
	assert_day(calendar_suspension_end(&t, &rules), "2027-04-15 23:59:59");
	setenv("TZ", "UTC", 1);
	tzset();
}

/* Settings that nobody will have keep from reminding and revoking, and crash nothing. */
static void test_limits_beyond_the_calendar(void **state)
{
	struct calendar_rules r = rules;
	struct aggregate *a = person();
	struct subscription *s = subscribe(a, "2027-03-02 23:59:59");
	struct due d[DUES_MAX];
	struct token t = { .state = TOKEN_SUSPENDED, .state_since = at("2027-02-15 12:00:00") };

	(void)state;
	r.remind_before = 0; /* no notices */
	assert_int_equal(calendar_due(a, &r, s->expires_at, d, DUES_MAX), 0);
	r.remind_before = 40000 * DAY;
	assert_int_equal(calendar_due(a, &r, s->expires_at - DAY, d, DUES_MAX), 0);
	/* a limit in hours runs from the second of the suspension */
	r.suspended_limit = 36 * HOUR;
	assert_day(calendar_suspension_end(&t, &r), "2027-02-17 00:00:00");
	s->state = SUBSCRIPTION_EXPIRED;
	give(a, TOKEN_EXPIRED, "2027-03-03 00:00:00");
	r.expired_limit = INT64_MAX;
	assert_int_equal(calendar_due(a, &r, at("2100-01-01 00:00:00"), d, DUES_MAX), 0);
	/* more than a hundred years are as many seconds */
	r.expired_limit = 200 * YEAR;
	assert_int_equal(calendar_due(a, &r, s->expires_at + 200 * YEAR, d, DUES_MAX), 1);
	assert_int_equal(d[0].kind, DUE_REMIND_REVOCATION);
	assert_int_equal(d[0].at, s->expires_at + 200 * YEAR);
	assert_int_equal(calendar_due(a, &r, s->expires_at + 200 * YEAR + 1, d, DUES_MAX), 1);
	assert_int_equal(d[0].kind, DUE_REVOKE);
	free(a);
}

/* As many stages as there is room for, in any order: the last one that has begun. */
static void test_H7_stages_in_any_order(void **state)
{
	struct calendar_rules r = rules;
	struct aggregate *a = person();
	struct due d[DUES_MAX];
	size_t n = sizeof r.reminders / sizeof r.reminders[0];

	(void)state;
	subscribe(a, "2028-03-02 23:59:59");
	give(a, TOKEN_SUSPENDED, "2027-01-01 12:00:00");
	for (size_t i = 0; i < n; i++)
		r.reminders[i] = (int64_t)(i + 1) * 3 * DAY;
	assert_int_equal(calendar_due(a, &r, at("2027-02-25 12:00:00"), d, DUES_MAX), 1);
	assert_int_equal(d[0].kind, DUE_REMIND_REVOCATION);
	assert_day(d[0].at, "2027-03-01 23:59:59");
	assert_int_equal(d[0].stage, 6 * DAY);
	assert_int_equal(calendar_due(a, &r, at("2027-02-28 12:00:00"), d, DUES_MAX), 1);
	assert_int_equal(d[0].stage, 3 * DAY);
	free(a);
}

/* A subscription that was ended early is past its date only when the date is. */
static void test_H9_ended_before_its_date_revokes_nothing_yet(void **state)
{
	struct aggregate *a = person();

	(void)state;
	subscribe(a, "2027-03-02 23:59:59")->state = SUBSCRIPTION_EXPIRED;
	give(a, TOKEN_EXPIRED, "2026-03-02 12:00:00");
	assert_int_equal(only(a, "2027-03-02 23:59:59").kind, DUE_NOTHING);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_H9_notice_30_days_before_and_expiry),
		cmocka_unit_test(test_H9_tokens_expire_with_their_subscription),
		cmocka_unit_test(test_H9_revoked_one_year_after_expiry),
		cmocka_unit_test(test_H7_revoked_after_60_days_with_notices),
		cmocka_unit_test(test_H7_H9_suspended_and_expired),
		cmocka_unit_test(test_each_notice_once_over_three_years),
		cmocka_unit_test(test_keys_are_unique_and_stable),
		cmocka_unit_test(test_oldest_first_and_no_more_than_fit),
		cmocka_unit_test(test_deleted_and_revoked_rows_are_never_due),
		cmocka_unit_test(test_limits_that_are_no_years_are_seconds),
		cmocka_unit_test(test_threat_28_what_is_held),
		cmocka_unit_test(test_H9_K5_renewal_from_the_original_expiry),
		cmocka_unit_test(test_P9_what_is_not_renewed),
		cmocka_unit_test(test_days_are_local),
		cmocka_unit_test(test_limits_beyond_the_calendar),
		cmocka_unit_test(test_H7_stages_in_any_order),
		cmocka_unit_test(test_H9_ended_before_its_date_revokes_nothing_yet),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("calendar", tests, NULL, NULL);
}
