/* Refusals by the thousand: a few of each peer are written, the others counted, and no
 * change of names makes room for more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "otpcore/broker/audit_thin.h"

static int64_t asks(struct thin *t, const struct thin_who *who, int64_t n, int64_t now)
{
	int64_t written = 0;

	for (int64_t i = 0; i < n; i++)
		written += thin_take(t, who, now);
	return written;
}

static struct thin_who user(uint32_t uid)
{
	return (struct thin_who){ .kind = THIN_UID, .uid = uid };
}

static void threat_31_a_few_refusals_a_minute_are_written(void **state)
{
	struct thin t = { 0 };
	struct thin_who anna = user(12001), web = { .kind = THIN_HOST, .host = "web1" };
	struct thin_row *row;

	(void)state;
	assert_int_equal(asks(&t, &anna, 5000, 1000), THIN_EACH);
	assert_int_equal(asks(&t, &anna, 5000, 1000 + THIN_MS - 1), 0);
	/* Nobody else's are lost by it. */
	assert_int_equal(asks(&t, &web, 1, 1000), 1);
	assert_null(thin_due(&t, 1000 + THIN_MS - 1));
	row = thin_due(&t, 1000 + THIN_MS);
	assert_non_null(row);
	assert_int_equal(row->who.uid, 12001);
	assert_int_equal(row->more, 10000 - THIN_EACH);
	/* What was not told yet is not forgotten, and nothing comes before it. */
	assert_int_equal(asks(&t, &anna, 3, 1000 + THIN_MS), 0);
	assert_int_equal(thin_due(&t, 1000 + THIN_MS)->more, 10003 - THIN_EACH);
	thin_told(row);
	assert_null(thin_due(&t, INT64_MAX));
	assert_int_equal(asks(&t, &anna, 5000, 1000 + THIN_MS), THIN_EACH);
	assert_non_null(thin_due(&t, INT64_MAX));
}

static void threat_31_many_names_are_one_peer(void **state)
{
	struct thin t = { 0 };
	int64_t written = 0, told = 0;
	struct thin_row *row;

	(void)state;
	for (uint32_t uid = 1; uid <= 65536; uid++) {
		struct thin_who who = user(uid);

		written += asks(&t, &who, 2, 5);
	}
	/* 64 have a place of their own, the others share one. */
	assert_int_equal(written, 2 * THIN_PEERS + THIN_EACH);
	while ((row = thin_due(&t, 5 + THIN_MS))) {
		told += row->more;
		thin_told(row);
	}
	assert_int_equal(written + told, 2 * 65536);
}

static void threat_31_all_together_have_an_end(void **state)
{
	struct thin t = { 0 };
	int64_t written = 0;

	(void)state;
	for (uint32_t uid = 1; uid <= THIN_PEERS; uid++) {
		struct thin_who who = user(uid);

		written += asks(&t, &who, 100, 5);
	}
	assert_int_equal(written, THIN_ALL);
}

static void test_a_place_is_given_on_when_its_minute_is_told(void **state)
{
	struct thin t = { 0 };
	struct thin_who who;

	(void)state;
	for (uint32_t uid = 1; uid <= THIN_PEERS; uid++) {
		who = user(uid);
		(void)asks(&t, &who, uid == 1 ? 100 : 1, 10 + uid);
	}
	/* The first has something left to tell: the second's place is the oldest. */
	who = user(9999);
	assert_true(thin_take(&t, &who, 100 + THIN_MS));
	assert_int_equal(t.rows[0].who.uid, 1);
	assert_int_equal(t.rows[1].who.uid, 9999);
	assert_int_equal(t.rows[0].more, 100 - THIN_EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_31_a_few_refusals_a_minute_are_written),
		cmocka_unit_test(threat_31_many_names_are_one_peer),
		cmocka_unit_test(threat_31_all_together_have_an_end),
		cmocka_unit_test(test_a_place_is_given_on_when_its_minute_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
