/* Guessing and flooding (L15, P5, security.md 5-9): hours and days are walked
 * by `now`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "otpcore/engine/throttle.h"

#define HOUR 3600
#define DAY  86400
#define NOW  (20000ll * DAY + 10 * HOUR) /* ten in the morning of day 20000 */

static const struct throttle_limits limits = {
	.total_30d = 20,
	.delay_after = 3,
	.delay_first = 1,
	.delay_max = 30,
	.per_source = 30,
	.per_relay = 300,
	.tries = 3,
};

static struct aggregate *fresh(void)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	return a;
}

static void charge(struct aggregate *a, enum throttle_kind kind, int64_t subject, int64_t at)
{
	int64_t period = throttle_day(at);
	size_t i;

	for (i = 0; i < a->n_throttles; i++) {
		struct throttle *t = &a->throttles[i];

		if (t->kind == kind && t->subject == subject && t->period == period) {
			t->count++;
			return;
		}
	}
	a->throttles[a->n_throttles++] = (struct throttle){
		.kind = kind, .subject = subject, .period = period, .count = 1, .last_at = at
	};
}

static void test_periods_change_at_midnight_and_on_the_hour(void **state)
{
	(void)state;
	assert_int_equal(throttle_day(20000ll * DAY - 1), 19999);
	assert_int_equal(throttle_day(20000ll * DAY), 20000);
	assert_int_equal(throttle_hour(5 * HOUR - 1), 4);
	assert_int_equal(throttle_hour(5 * HOUR), 5);
	assert_int_equal(throttle_day(-1), -1);
	assert_int_equal(throttle_day(-DAY), -1);
	assert_int_equal(throttle_hour(-1), -1);
}

static void test_L15_total_covers_thirty_days(void **state)
{
	struct aggregate *a = fresh();
	int day;

	(void)state;
	/* one failure a day, walked through 40 days: 30 at most are seen */
	for (day = 0; day < 40; day++) {
		charge(a, THROTTLE_ACCOUNT, 5, NOW + day * (int64_t)DAY);
		assert_int_equal(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW + day * (int64_t)DAY),
			day < 30 ? day + 1 : 30);
	}
	assert_int_equal(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW + 68ll * DAY), 1);
	assert_int_equal(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW + 69ll * DAY), 0);
	free(a);
}

static void test_L15_one_failure_leaves_after_thirty_days(void **state)
{
	struct aggregate *a = fresh();
	int64_t midnight = throttle_day(NOW) * DAY;

	(void)state;
	charge(a, THROTTLE_CREDENTIAL, 5, NOW);
	assert_int_equal(throttle_total(a, THROTTLE_CREDENTIAL, 5, midnight + 30ll * DAY - 1), 1);
	assert_int_equal(throttle_total(a, THROTTLE_CREDENTIAL, 5, midnight + 30ll * DAY), 0);
	free(a);
}

static void test_total_counts_its_own_kind_and_subject_only(void **state)
{
	struct aggregate *a = fresh();

	(void)state;
	charge(a, THROTTLE_ACCOUNT, 5, NOW);
	charge(a, THROTTLE_ACCOUNT, 6, NOW);
	charge(a, THROTTLE_CREDENTIAL, 5, NOW);
	assert_int_equal(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW), 1);
	assert_int_equal(throttle_total(a, THROTTLE_CREDENTIAL, 6, NOW), 0);
	free(a);
}

static void test_threat_28_a_clock_that_was_ahead_does_not_lock_out(void **state)
{
	struct aggregate *a = fresh();

	(void)state;
	charge(a, THROTTLE_ACCOUNT, 5, NOW + DAY);          /* another host, past midnight */
	charge(a, THROTTLE_ACCOUNT, 5, NOW + 3650ll * DAY); /* a clock that was wrong */
	assert_int_equal(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW), 1);
	free(a);
}

static void test_total_neither_wraps_nor_sinks(void **state)
{
	struct aggregate *a = fresh();

	(void)state;
	charge(a, THROTTLE_ACCOUNT, 5, NOW);
	charge(a, THROTTLE_ACCOUNT, 5, NOW - DAY);
	a->throttles[0].count = -3; /* a row that cannot be */
	assert_int_equal(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW), 1);
	a->throttles[0].count = INT64_MAX;
	assert_true(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW) == INT64_MAX);
	a->n_throttles = THROTTLES_MAX + 7;
	assert_true(throttle_total(a, THROTTLE_ACCOUNT, 5, NOW) == INT64_MAX);
	free(a);
}

static void test_L15_delay_doubles_after_the_third_failure(void **state)
{
	static const int64_t delays[] = { 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30 };
	int64_t streak;

	(void)state;
	for (streak = 0; streak < 12; streak++)
		assert_int_equal(throttle_wait(&limits, streak, NOW, NOW), delays[streak]);
	assert_int_equal(throttle_wait(&limits, INT64_MAX, NOW, NOW), 30);
}

static void test_L15_delay_runs_out(void **state)
{
	(void)state;
	assert_int_equal(throttle_wait(&limits, 7, NOW, NOW + 3), 5);
	assert_int_equal(throttle_wait(&limits, 7, NOW, NOW + 7), 1);
	assert_int_equal(throttle_wait(&limits, 7, NOW, NOW + 8), 0);
	assert_int_equal(throttle_wait(&limits, 7, NOW, NOW + 1000), 0);
}

static void test_threat_28_last_failure_in_the_future_costs_one_delay(void **state)
{
	(void)state;
	assert_int_equal(throttle_wait(&limits, 7, NOW + 3650ll * DAY, NOW), 8);
}

static void test_delays_of_odd_settings_end(void **state)
{
	struct throttle_limits l = limits;

	(void)state;
	l.delay_first = 0;
	assert_int_equal(throttle_wait(&l, 100, NOW, NOW), 0);
	l.delay_first = 60;
	assert_int_equal(throttle_wait(&l, 4, NOW, NOW), 30);
	l.delay_first = 1;
	l.delay_max = INT64_MAX;
	assert_true(throttle_wait(&l, 1000, NOW, NOW) == INT64_MAX);
}

static enum verdict judge(struct throttle_counts c, int64_t now, int64_t *wait)
{
	*wait = -1;
	return throttle_judge(&limits, &c, now, wait);
}

static void test_L15_totals_stop_account_and_credential(void **state)
{
	int64_t wait;

	(void)state;
	assert_int_equal(judge((struct throttle_counts){ .account_30d = 19, .credential_30d = 19 },
				 NOW, &wait),
		VERDICT_OK);
	assert_int_equal(wait, 0);
	assert_int_equal(judge((struct throttle_counts){ .account_30d = 20 }, NOW, &wait),
		VERDICT_ACCOUNT_THROTTLED);
	assert_int_equal(wait, 0);
	assert_int_equal(judge((struct throttle_counts){ .credential_30d = 20 }, NOW, &wait),
		VERDICT_ACCOUNT_THROTTLED);
}

static void test_threat_07_one_source_takes_half_at_most(void **state)
{
	struct throttle_limits l = limits;
	struct throttle_counts c = { .account_30d = 10, .account_source_30d = 10 };
	int64_t wait;

	(void)state;
	/* after the failures of A, A is stopped and B goes on */
	assert_int_equal(judge(c, NOW, &wait), VERDICT_ACCOUNT_THROTTLED);
	c.account_source_30d = 0;
	assert_int_equal(judge(c, NOW, &wait), VERDICT_OK);
	c.account_source_30d = 9;
	assert_int_equal(judge(c, NOW, &wait), VERDICT_OK);
	/* a total of one still lets a source try once; of none, nobody */
	l.total_30d = 1;
	c = (struct throttle_counts){ 0 };
	assert_int_equal(throttle_judge(&l, &c, NOW, &wait), VERDICT_OK);
	l.total_30d = 0;
	assert_int_equal(throttle_judge(&l, &c, NOW, &wait), VERDICT_ACCOUNT_THROTTLED);
}

static void test_L15_source_waits_for_the_next_hour(void **state)
{
	struct throttle_counts c = { .source_hour = 30 };
	int64_t wait;

	(void)state;
	assert_int_equal(judge(c, NOW, &wait), VERDICT_TRY_LATER);
	assert_int_equal(wait, HOUR);
	assert_int_equal(judge(c, NOW + HOUR - 1, &wait), VERDICT_TRY_LATER);
	assert_int_equal(wait, 1);
	c.source_hour = 29;
	assert_int_equal(judge(c, NOW, &wait), VERDICT_OK);
	c.relay_hour = 299;
	assert_int_equal(judge(c, NOW, &wait), VERDICT_OK);
	c.relay_hour = 300;
	assert_int_equal(judge(c, NOW + 1, &wait), VERDICT_TRY_LATER);
	assert_int_equal(wait, HOUR - 1);
}

static void test_the_longer_wait_is_told(void **state)
{
	struct throttle_counts c = { .source_hour = 30, .streak = 20, .streak_last_at = NOW };
	int64_t wait;

	(void)state;
	assert_int_equal(judge(c, NOW, &wait), VERDICT_TRY_LATER);
	assert_int_equal(wait, HOUR);
	c.streak_last_at = NOW + HOUR - 5;
	assert_int_equal(judge(c, NOW + HOUR - 5, &wait), VERDICT_TRY_LATER);
	assert_int_equal(wait, 30);
	c.source_hour = 0;
	assert_int_equal(judge(c, NOW + HOUR + 24, &wait), VERDICT_TRY_LATER);
	assert_int_equal(wait, 1);
	assert_int_equal(judge(c, NOW + HOUR + 25, &wait), VERDICT_OK);
}

static void test_threat_06_slow_guessing_ends_at_the_total(void **state)
{
	struct aggregate *a = fresh();
	int64_t wait, now = NOW;
	int tried = 0, hour;

	(void)state;
	/* one wrong code every six hours for 29 days */
	for (hour = 0; hour < 29 * 24; hour += 6, now += 6 * HOUR) {
		struct throttle_counts c = { .account_30d =
						     throttle_total(a, THROTTLE_ACCOUNT, 5, now) };

		if (throttle_judge(&limits, &c, now, &wait) != VERDICT_OK)
			continue;
		charge(a, THROTTLE_ACCOUNT, 5, now);
		tried++;
	}
	assert_int_equal(tried, 20);
	free(a);
}

static void test_P5_sends_are_limited_by_the_hour_and_the_day(void **state)
{
	static const struct {
		int64_t account_hour, account_day, number_hour;
		int64_t now, wait; /* 0: it may be sent */
	} rows[] = {
		{ 9, 39, 4, NOW, 0 },
		{ 10, 12, 0, NOW + 600, HOUR - 600 },
		{ 0, 12, 5, NOW, HOUR },
		{ 0, 40, 0, NOW, 14 * HOUR },
		{ 10, 40, 5, NOW + 60, 14 * HOUR - 60 },
		{ INT64_MAX, INT64_MAX, INT64_MAX, NOW, 14 * HOUR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct throttle_budget budgets[] = {
			{ rows[i].account_hour, 10, false },
			{ rows[i].account_day, 40, true },
			{ rows[i].number_hour, 5, false },
		};
		int64_t wait = -1;
		enum verdict v = throttle_send(budgets, 3, rows[i].now, &wait);

		assert_int_equal(v, rows[i].wait ? VERDICT_SEND_LIMITED : VERDICT_OK);
		assert_int_equal(wait, rows[i].wait);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_periods_change_at_midnight_and_on_the_hour),
		cmocka_unit_test(test_L15_total_covers_thirty_days),
		cmocka_unit_test(test_L15_one_failure_leaves_after_thirty_days),
		cmocka_unit_test(test_total_counts_its_own_kind_and_subject_only),
		cmocka_unit_test(test_threat_28_a_clock_that_was_ahead_does_not_lock_out),
		cmocka_unit_test(test_total_neither_wraps_nor_sinks),
		cmocka_unit_test(test_L15_delay_doubles_after_the_third_failure),
		cmocka_unit_test(test_L15_delay_runs_out),
		cmocka_unit_test(test_threat_28_last_failure_in_the_future_costs_one_delay),
		cmocka_unit_test(test_delays_of_odd_settings_end),
		cmocka_unit_test(test_L15_totals_stop_account_and_credential),
		cmocka_unit_test(test_threat_07_one_source_takes_half_at_most),
		cmocka_unit_test(test_L15_source_waits_for_the_next_hour),
		cmocka_unit_test(test_the_longer_wait_is_told),
		cmocka_unit_test(test_threat_06_slow_guessing_ends_at_the_total),
		cmocka_unit_test(test_P5_sends_are_limited_by_the_hour_and_the_day),
	};

	return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
