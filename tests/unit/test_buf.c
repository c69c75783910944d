#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"

static void test_puts_and_printf(void **state)
{
	char out[32];
	struct mag_buf b;

	(void)state;
	memset(out, 'x', sizeof(out));
	mag_buf_init(&b, out, sizeof(out));
	assert_string_equal(out, "");
	mag_buf_puts(&b, "p");
	mag_buf_printf(&b, "%d: %s", 1, "mobile");
	mag_buf_putn(&b, "!!!", 1);
	mag_buf_puts(&b, NULL);
	assert_string_equal(out, "p1: mobile!");
	assert_int_equal(b.len, strlen(out));
	assert_int_equal(mag_buf_error(&b), 0);
}

static void test_exactly_full_is_no_overflow(void **state)
{
	char out[5];
	struct mag_buf b = MAG_BUF(out);

	(void)state;
	mag_buf_puts(&b, "ab");
	mag_buf_printf(&b, "%s", "cd");
	assert_string_equal(out, "abcd");
	assert_int_equal(mag_buf_error(&b), 0);
	mag_buf_puts(&b, "");
	assert_int_equal(mag_buf_error(&b), 0);
	mag_buf_puts(&b, "e");
	assert_int_equal(mag_buf_error(&b), MAG_ENOSPACE);
	assert_string_equal(out, "abcd");
}

static void test_overflow_stays_and_nothing_follows_the_cut(void **state)
{
	char out[8];
	struct mag_buf b = MAG_BUF(out);

	(void)state;
	mag_buf_printf(&b, "%s", "0123456789");
	assert_string_equal(out, "0123456");
	assert_int_equal(b.len, 7);
	assert_int_equal(mag_buf_error(&b), MAG_ENOSPACE);
	mag_buf_reset(&b);
	assert_int_equal(mag_buf_error(&b), 0);
	mag_buf_puts(&b, "123456789");
	mag_buf_puts(&b, "x");
	mag_buf_printf(&b, "x");
	assert_string_equal(out, "1234567");
	assert_int_equal(mag_buf_error(&b), MAG_ENOSPACE);
}

static void test_nothing_is_written_beyond_the_end(void **state)
{
	char out[12];
	struct mag_buf b;

	(void)state;
	for (size_t cap = 1; cap <= 8; cap++) {
		memset(out, '#', sizeof(out));
		mag_buf_init(&b, out, cap);
		mag_buf_puts(&b, "a");
		mag_buf_printf(&b, "%s%d", "bcdef", 123456);
		mag_buf_putn(&b, "zzzzzz", 6);
		assert_true(strlen(out) < cap);
		for (size_t i = cap; i < sizeof(out); i++)
			assert_int_equal(out[i], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_puts_and_printf),
		cmocka_unit_test(test_exactly_full_is_no_overflow),
		cmocka_unit_test(test_overflow_stays_and_nothing_follows_the_cut),
		cmocka_unit_test(test_nothing_is_written_beyond_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
