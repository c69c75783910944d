/* Leases: of all brokers one (store_lease). */
#include "tests/store/common.h"

static int take(struct fixture *f, const char *holder, int64_t seconds, int64_t now)
{
	struct store_lease lease = { "sweep", holder, seconds };

	return store_lease(f->s, &lease, now);
}

static void test_one_has_it_until_its_time_is_over(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(take(f, "a", 60, NOW), 0);
	assert_int_equal(take(f, "b", 60, NOW + 59), MAG_EBUSY);
	assert_int_equal(take(f, "b", 60, NOW + 60), 0);
	assert_int_equal(take(f, "a", 60, NOW + 61), MAG_EBUSY);
}

static void test_the_holder_renews_and_gives_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(take(f, "a", 60, NOW), 0);
	assert_int_equal(take(f, "a", 60, NOW + 50), 0);
	assert_int_equal(take(f, "b", 60, NOW + 100), MAG_EBUSY);
	assert_int_equal(take(f, "a", 0, NOW + 100), 0);
	assert_int_equal(take(f, "b", 60, NOW + 100), 0);
}

static void test_a_clock_years_ahead_keeps_nobody_away(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(take(f, "a", 3600, NOW + 365 * 86400), 0);
	assert_int_equal(take(f, "b", 60, NOW), 0);
}

static void test_each_name_is_a_lease_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct store_lease other = { "purge", "b", 60 };

	assert_int_equal(take(f, "a", 60, NOW), 0);
	assert_int_equal(store_lease(f->s, &other, NOW), 0);
}

static void test_without_a_store_nobody_has_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fault_arm("store.claim:fail:1"), 0);
	assert_int_not_equal(take(f, "a", 60, NOW), 0);
	assert_int_equal(take(f, "b", 60, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_one_has_it_until_its_time_is_over),
		BOTH(test_the_holder_renews_and_gives_back),
		BOTH(test_a_clock_years_ahead_keeps_nobody_away),
		BOTH(test_each_name_is_a_lease_of_its_own),
		BOTH(test_without_a_store_nobody_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
