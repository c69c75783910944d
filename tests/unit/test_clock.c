#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "otpcore/base/clock.h"

/* The clock is replaced by the linker: what is read, and from which one. */
static struct timespec real, boot;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	assert_true(id == CLOCK_REALTIME || id == CLOCK_BOOTTIME);
	*ts = id == CLOCK_REALTIME ? real : boot;
	return 0;
}

static void test_seconds_and_milliseconds(void **state)
{
	(void)state;
	real = (struct timespec){ 1795269720, 999999999 };
	boot = (struct timespec){ 12, 345678901 };
	assert_int_equal(mag_now(), 1795269720);
	assert_int_equal(mag_now_ms(), INT64_C(1795269720999));
	assert_int_equal(mag_ticks_ms(), 12345);
	assert_int_equal(mag_ticks_ns(), 12345678901);
}

static void test_after_2038(void **state)
{
	(void)state;
	real = (struct timespec){ INT64_C(4102444800), 1000000 };
	assert_true(mag_now() == INT64_C(4102444800));
	assert_true(mag_now_ms() == INT64_C(4102444800001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seconds_and_milliseconds),
		cmocka_unit_test(test_after_2038),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
