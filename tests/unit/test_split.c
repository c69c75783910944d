/* mode=combined: one field for two things. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/login/flow.h"

static const struct row {
	const char *typed, *password, *factor;
} comma[] = {
	{ "secret,123456", "secret", "123456" },
	{ "secret,12345678", "secret", "12345678" },
	{ "secret,12345", "secret,12345", "" },
	{ "secret,123456789", "secret,123456789", "" },
	{ "secret,sms", "secret", "sms" },
	{ "secret,call", "secret", "call" },
	{ "secret,sms2", "secret", "sms2" },
	{ "secret,sms9", "secret,sms9", "" },
	{ "secret,smsx", "secret,smsx", "" },
	{ "secret,SMS", "secret,SMS", "" },
	{ "a,b,123456", "a,b", "123456" },  /* the last comma counts */
	{ "a,123456,b", "a,123456,b", "" }, /* never a second guess */
	{ "a,123456,", "a,123456,", "" },
	{ "secret", "secret", "" },
	{ "", "", "" },
	{ ",123456", "", "123456" },
	{ "123456", "123456", "" },
	{ "SCRV1:c2VjcmV0:MTIzNDU2", "secret", "123456" },
	{ "SCRV1:cyxlY3JldA==:", "s,ecret", "" },
	{ "SCRV1:c2VjcmV0:Zm9v", "SCRV1:c2VjcmV0:Zm9v", "" }, /* "foo" is no code */
	{ "SCRV1:!!:MTIzNDU2", "SCRV1:!!:MTIzNDU2", "" },
	{ "SCRV1:c2VjcmV0", "SCRV1:c2VjcmV0", "" },
	{ "SCRV1:c2Vj+/8=:MTIzNDU2", "sec\373\377", "123456" },
};

static const struct row none[] = {
	{ "secret123456", "secret", "123456" },
	{ "secret1234567", "secret1", "234567" },
	{ "secret12345", "secret12345", "" },
	{ "123456", "123456", "" }, /* a password is there in any case */
	{ "secret,123456", "secret,", "123456" },
};

static void check(const struct row *rows, size_t n, const char *separator)
{
	struct flow_options options = { .code_digits = 6 };
	strcpy(options.separator, separator);
	for (size_t i = 0; i < n; i++) {
		struct mag_secret typed = { 0 }, password = { 0 }, factor = { 0 };
		assert_int_equal(mag_secret_set_text(&typed, rows[i].typed), 0);
		assert_int_equal(flow_split(&typed, &options, &password, &factor), 0);
		assert_string_equal(mag_secret_text(&password), rows[i].password);
		assert_string_equal(mag_secret_text(&factor), rows[i].factor);
		mag_secret_free(&typed);
		mag_secret_free(&password);
		mag_secret_free(&factor);
	}
}

static void test_comma(void **state)
{
	(void)state;
	check(comma, sizeof comma / sizeof *comma, "comma");
	check(comma, sizeof comma / sizeof *comma, "");
}

static void test_none(void **state)
{
	(void)state;
	check(none, sizeof none / sizeof *none, "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_comma),
		cmocka_unit_test(test_none) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
