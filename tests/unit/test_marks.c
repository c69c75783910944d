#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "otpcore/broker/marks.h"

#define N 5000

/* Ids as random ones are, and some that share all their low bits. */
static int64_t id_of(int64_t i)
{
	return i % 3 ? (int64_t)(((uint64_t)i * UINT64_C(2862933555777941757)) >> 1) + 1
		     : i << 40 | 1;
}

static void test_the_highest_stays(void **state)
{
	struct marks m = { 0 };

	(void)state;
	assert_int_equal(marks_get(&m, 5), 0);
	for (int64_t i = 1; i <= N; i++)
		assert_int_equal(marks_raise(&m, id_of(i), i), 0);
	for (int64_t i = 1; i <= N; i += 2)
		assert_int_equal(marks_raise(&m, id_of(i), 1), 0);
	for (int64_t i = 1; i <= N; i += 4)
		assert_int_equal(marks_raise(&m, id_of(i), i + N), 0);
	assert_int_equal(m.n, N);
	for (int64_t i = 1; i <= N; i++)
		assert_int_equal(marks_get(&m, id_of(i)), i % 4 == 1 ? i + N : i);
	assert_int_equal(marks_get(&m, INT64_MAX), 0);
	marks_free(&m);
	assert_int_equal(marks_get(&m, id_of(1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_highest_stays) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
