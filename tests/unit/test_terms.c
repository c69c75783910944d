#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "otpcore/engine/terms.h"

#define DAY 86400
/* 2026-11-22 00:00 UTC */
#define START 1795305600

static const struct terms accepted = { .row.id = 1, .edition = 2, .accepted_at = START };

static void test_O2_nothing_accepted_is_pending(void **state)
{
	const struct terms none = { .edition = 2, .accepted_at = START };

	(void)state;
	assert_int_equal(terms_judge(&none, 2, START), TERMS_PENDING);
	assert_int_equal(terms_until(&none, 2, START), 0);
}

static void test_O2_a_new_edition_is_asked_for_again(void **state)
{
	(void)state;
	assert_int_equal(terms_judge(&accepted, 2, START), TERMS_ACCEPTED);
	assert_int_equal(terms_judge(&accepted, 3, START), TERMS_PENDING);
	assert_int_equal(terms_judge(&accepted, 1, START), TERMS_PENDING);
}

/* The last second of 2031-11-22, and 30 days after that. */
static void test_O2_five_years_and_thirty_days(void **state)
{
	int64_t end = 1953158399, grace = end + (int64_t)30 * DAY;

	(void)state;
	assert_int_equal(terms_judge(&accepted, 2, end), TERMS_ACCEPTED);
	assert_int_equal(terms_judge(&accepted, 2, end + 1), TERMS_DUE);
	assert_int_equal(terms_judge(&accepted, 2, grace), TERMS_DUE);
	assert_int_equal(terms_judge(&accepted, 2, grace + 1), TERMS_PENDING);
	assert_int_equal(terms_until(&accepted, 2, START), grace);
}

static void test_accepted_in_the_future_is_not_accepted(void **state)
{
	(void)state;
	assert_int_equal(terms_judge(&accepted, 2, START - 1), TERMS_PENDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_O2_nothing_accepted_is_pending),
		cmocka_unit_test(test_O2_a_new_edition_is_asked_for_again),
		cmocka_unit_test(test_O2_five_years_and_thirty_days),
		cmocka_unit_test(test_accepted_in_the_future_is_not_accepted),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
