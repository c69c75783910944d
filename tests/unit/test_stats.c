#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/verdict.h"
#include "otpcore/broker/stats.h"

static const struct stats_now now = { .version = "1",
	.store = "sqlite",
	.schema = 3,
	.started_at = 1795269720,
	.connections = 4,
	.busy = 2,
	.orders = 1 };

static struct wire_stats_rep rep;

/* The value of "name suffix labels"; -1: not there. */
static int64_t value_of(const struct stats *s, const char *sample)
{
	int64_t found = -1;
	uint32_t after = 0;

	do {
		memset(&rep, 0, sizeof rep);
		stats_page(s, &now, after, &rep);
		for (size_t i = 0; i < rep.n_stats; i++) {
			const struct wire_stat *row = &rep.stats[i];
			char name[256];

			snprintf(name, sizeof name, "%s%s %s", row->name, row->suffix, row->labels);
			if (strcmp(name, sample) == 0) {
				assert_int_equal(found, -1); /* each only once */
				found = row->value;
			}
		}
		after += (uint32_t)rep.n_stats;
	} while (rep.more);
	return found;
}

static void test_requests_by_what_came_of_them(void **state)
{
	struct stats s = { 0 };
	struct wire_begin_rep begin = { .decision = DECISION_ASK };
	struct wire_account_rep account = { .decision = DECISION_DENY };
	const struct wire_result ok = { .verdict = VERDICT_OK }, busy = { .error = MAG_EBUSY },
				 wrong = { .verdict = VERDICT_CODE_WRONG };

	(void)state;
	stats_answer(&s, WIRE_MSG_BEGIN, &ok, &begin);
	stats_answer(&s, WIRE_MSG_BEGIN, &ok, &begin);
	stats_answer(&s, WIRE_MSG_ACCOUNT, &wrong, &account);
	stats_answer(&s, WIRE_MSG_VERIFY, &wrong, NULL);
	stats_answer(&s, WIRE_MSG_VERIFY, &ok, NULL);
	stats_answer(&s, WIRE_MSG_BEGIN, &busy, NULL);
	begin.decision = 4000000000u; /* not counted, and nothing breaks */
	stats_answer(&s, WIRE_MSG_BEGIN, &ok, &begin);
	assert_int_equal(value_of(&s, "magotp_requests_total "), 7);
	assert_int_equal(value_of(&s, "magotp_logins_total phase=begin,decision=ask"), 2);
	assert_int_equal(value_of(&s, "magotp_logins_total phase=account,decision=deny"), 1);
	assert_int_equal(value_of(&s, "magotp_logins_total phase=begin,decision=pass"), -1);
	assert_int_equal(
		value_of(&s, "magotp_login_steps_total step=verify,verdict=code-wrong"), 1);
	assert_int_equal(value_of(&s, "magotp_login_steps_total step=verify,verdict=ok"), 1);
	assert_int_equal(value_of(&s, "magotp_request_errors_total error=busy"), 1);
}

static void test_messages_by_channel(void **state)
{
	struct stats s = { 0 };

	(void)state;
	stats_sent(&s, "voice", DELIVERY_FAILED);
	stats_sent(&s, "sms", DELIVERY_ACCEPTED);
	stats_sent(&s, "pigeon", DELIVERY_ACCEPTED);
	assert_int_equal(value_of(&s, "magotp_messages_total channel=voice,outcome=failed"), 1);
	assert_int_equal(value_of(&s, "magotp_messages_total channel=sms,outcome=accepted"), 1);
	assert_int_equal(value_of(&s, "magotp_messages_total channel=email,outcome=accepted"), 0);
}

static void test_buckets_hold_what_is_below_them_too(void **state)
{
	struct stats s = { 0 };

	(void)state;
	stats_tick(&s, 1, 400, false);
	stats_tick(&s, 3, 1000, false);
	stats_tick(&s, 1000, 60000000, true);
	stats_race(&s);
	assert_int_equal(value_of(&s, "magotp_tick_seconds_bucket le=0.0005"), 1);
	assert_int_equal(value_of(&s, "magotp_tick_seconds_bucket le=0.001"), 2);
	assert_int_equal(value_of(&s, "magotp_tick_seconds_bucket le=5"), 2);
	assert_int_equal(value_of(&s, "magotp_tick_seconds_bucket le=+Inf"), 3);
	assert_int_equal(value_of(&s, "magotp_tick_seconds_count "), 3);
	assert_int_equal(value_of(&s, "magotp_tick_seconds_sum "), 60001400);
	assert_int_equal(value_of(&s, "magotp_tick_requests_bucket le=4"), 2);
	assert_int_equal(value_of(&s, "magotp_tick_requests_sum "), 1004);
	assert_int_equal(value_of(&s, "magotp_ticks_refused_total "), 1);
	assert_int_equal(value_of(&s, "magotp_lost_races_total "), 1);
}

static void test_state_is_looked_at(void **state)
{
	struct stats s = { 0 };

	(void)state;
	assert_int_equal(value_of(&s, "magotp_otpcored_info version=1,store=sqlite,schema=3"), 1);
	assert_int_equal(value_of(&s, "magotp_otpcored_start_time_seconds "), 1795269720);
	assert_int_equal(value_of(&s, "magotp_connections state=busy"), 2);
	assert_int_equal(value_of(&s, "magotp_messages_under_way "), 1);
}

static void test_everything_at_once_fits_into_pages_and_frames(void **state)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	const struct wire_result ok = { .verdict = VERDICT_OK };
	struct stats s;
	uint32_t after = 0;
	int pages = 0;
	size_t len;

	(void)state;
	memset(&s, 1, sizeof s);
	do {
		memset(&rep, 0, sizeof rep);
		stats_page(&s, &now, after, &rep);
		assert_true(rep.n_stats > 0);
		assert_int_equal(wire_encode_reply(WIRE_MSG_STATS, &ok, &rep, frame, &len), 0);
		after += (uint32_t)rep.n_stats;
	} while (rep.more && ++pages < 64);
	assert_int_equal(rep.more, 0);
	assert_true(pages > 1);
	assert_true(value_of(&s, "magotp_ticks_refused_total ") > 0); /* the last one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_by_what_came_of_them),
		cmocka_unit_test(test_messages_by_channel),
		cmocka_unit_test(test_buckets_hold_what_is_below_them_too),
		cmocka_unit_test(test_state_is_looked_at),
		cmocka_unit_test(test_everything_at_once_fits_into_pages_and_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
