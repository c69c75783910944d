#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/verdict.h"

static const struct {
	unsigned number;
	const char *id;
} listed[] = {
#define VERDICT(name, number, id) { number, id },
#include "otpcore/base/verdict.def"
#undef VERDICT
};

#define N (sizeof(listed) / sizeof(listed[0]))

static void test_ids_and_numbers_go_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		assert_string_equal(verdict_id(listed[i].number), listed[i].id);
		assert_int_equal(verdict_from_id(listed[i].id), listed[i].number);
	}
}

static void test_numbers_and_ids_are_used_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(listed[i].number, listed[j].number);
			assert_string_not_equal(listed[i].id, listed[j].id);
		}
}

static void test_E_ids_of_the_rules_are_there(void **state)
{
	static const char *const ids[] = { "serial-unknown", "codes-wrong", "token-out-of-sync",
		"activation-blocked", "key-mistyped", "key-unknown", "key-used", "product-wrong",
		"phone-invalid", "phone-region", "phone-limit", "proofing-code-wrong",
		"proofing-pending", "try-later", "token-locked", "token-suspended",
		"token-suspended-by-admin", "token-expired", "token-pending", "token-revoked",
		"code-wrong", "code-expired", "code-used", "tries-exceeded", "account-throttled",
		"send-failed", "send-limited", "requirements-not-met", "terms-pending",
		"wrong-certificate", "broker-unavailable" };

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_true(verdict_from_id(ids[i]) > VERDICT_OK);
}

static void test_what_is_unknown_is_undecided(void **state)
{
	(void)state;
	assert_int_equal(VERDICT_NONE, 0);
	assert_string_equal(verdict_id(0), "undecided");
	assert_string_equal(verdict_id(9999), "undecided");
	assert_string_equal(verdict_id(UINT32_MAX), "undecided");
	assert_int_equal(verdict_from_id("OK"), VERDICT_NONE);
	assert_int_equal(verdict_from_id("ok "), VERDICT_NONE);
	assert_int_equal(verdict_from_id(""), VERDICT_NONE);
	assert_int_equal(verdict_from_id(NULL), VERDICT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_and_numbers_go_both_ways),
		cmocka_unit_test(test_numbers_and_ids_are_used_once),
		cmocka_unit_test(test_E_ids_of_the_rules_are_there),
		cmocka_unit_test(test_what_is_unknown_is_undecided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
