#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"

static const struct {
	int number;
	const char *text;
} listed[] = {
#define MAG_ERR(name, number, text) { -(number), text },
#include "otpcore/base/err.def"
#undef MAG_ERR
};

#define N (sizeof(listed) / sizeof(listed[0]))

static void test_every_error_has_its_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		assert_string_equal(mag_strerror(listed[i].number), listed[i].text);
	assert_string_equal(mag_strerror(0), "no error");
}

static void test_texts_fit_into_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		size_t len = strlen(listed[i].text);

		assert_true(len > 0);
		assert_true(listed[i].text[0] >= 'a' && listed[i].text[0] <= 'z');
		assert_true(listed[i].text[len - 1] != '.');
	}
}

static void test_numbers_are_negative_and_used_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		assert_true(listed[i].number < 0);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(listed[i].number, listed[j].number);
	}
}

static void test_other_numbers_are_unknown(void **state)
{
	static const int others[] = { 1, 22, -999, -1000, INT32_MIN, INT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_string_equal(mag_strerror(others[i]), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_error_has_its_text),
		cmocka_unit_test(test_texts_fit_into_a_sentence),
		cmocka_unit_test(test_numbers_are_negative_and_used_once),
		cmocka_unit_test(test_other_numbers_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
