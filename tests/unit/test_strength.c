#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "otpcore/base/strength.h"

/* Rule L7, written down a second time: weakest first. */
static const struct {
	const char *id, *label;
} order[] = {
	{ "password", "Username and Password" },
	{ "bloa", "BLOA" },
	{ "phone-otp", "Phone OTP" },
	{ "mobile-id", "Mobile ID" },
	{ "hardware-otp", "OTP Hardware Token" },
	{ "mloa-software", "MLOA Software" },
	{ "mloa-hardware", "MLOA Hardware" },
};

#define N (sizeof(order) / sizeof(order[0]))

static void test_L7_order_of_strengths(void **state)
{
	(void)state;
	assert_int_equal(STRENGTH_N - 1, N);
	for (size_t have = 0; have < N; have++)
		for (size_t need = 0; need < N; need++)
			assert_int_equal(strength_satisfies(strength_from_id(order[have].id),
						 strength_from_id(order[need].id)),
				have >= need);
}

static void test_L11_people_read_labels_programs_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		enum strength s = strength_from_id(order[i].id);

		assert_string_equal(strength_id(s), order[i].id);
		assert_string_equal(strength_label(s), order[i].label);
	}
}

static void test_nothing_satisfies_nothing(void **state)
{
	static const int wrong[] = { STRENGTH_NONE, STRENGTH_N, -1, 1000, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		enum strength w = (enum strength)wrong[i];

		assert_false(strength_satisfies(w, STRENGTH_PASSWORD));
		assert_false(strength_satisfies(STRENGTH_MLOA_HARDWARE, w));
		assert_false(strength_satisfies(w, w));
		assert_string_equal(strength_id(w), "none");
		assert_string_equal(strength_label(w), "Nothing");
	}
}

static void test_other_ids_are_none(void **state)
{
	(void)state;
	assert_int_equal(strength_from_id("none"), STRENGTH_NONE);
	assert_int_equal(strength_from_id("Phone OTP"), STRENGTH_NONE);
	assert_int_equal(strength_from_id("PASSWORD"), STRENGTH_NONE);
	assert_int_equal(strength_from_id(""), STRENGTH_NONE);
	assert_int_equal(strength_from_id(NULL), STRENGTH_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_L7_order_of_strengths),
		cmocka_unit_test(test_L11_people_read_labels_programs_ids),
		cmocka_unit_test(test_nothing_satisfies_nothing),
		cmocka_unit_test(test_other_ids_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
