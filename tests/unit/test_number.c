/* Numbers as people type them (P2, P8, P10). Built twice: as test_number with
 * what configure found, and as test_number_own without libphonenumber; what a
 * rule demands is the same in both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/engine/licence.h"
#include "otpcore/engine/number.h"

static struct number parsed(const char *typed, const char *country, const char *overrides)
{
	struct number n = { .kind = NUMBER_PREMIUM };

	if (number_parse(typed, country, overrides, &n) != VERDICT_OK)
		fail_msg("refused: %s", typed);
	return n;
}

static void assert_number(const char *typed, const char *country, const char *e164, const char *is)
{
	struct number n = parsed(typed, country, "");

	assert_string_equal(n.e164, e164);
	assert_string_equal(n.country, is);
	assert_string_equal(n.masked, e164 + strlen(e164) - 4);
}

static void assert_refused(const char *typed, const char *country)
{
	struct number n = { .masked = "keep" };

	if (number_parse(typed, country, "", &n) != VERDICT_PHONE_INVALID)
		fail_msg("taken: %s", typed ? typed : "(null)");
	assert_string_equal(n.masked, "keep");
}

static void test_P2_the_same_number_typed_in_many_ways(void **state)
{
	static const char *const typed[] = { "+12025550134", "+1 202-555-0134", "(202) 555-0134",
		"202.555.0134", "12025550134", "1-202-555-0134", "2025550134", "+1 (202) 555 0134",
		" 202 555 0134 ", "202/555-0134", "01112025550134" };
	static const char *const countries[] = { "", "US", "us", "CA", "PR", "Jm", NULL };
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(typed) / sizeof(typed[0]); i++)
		for (j = 0; j < sizeof(countries) / sizeof(countries[0]); j++)
			assert_number(typed[i], countries[j], "+12025550134", "US");
}

static void test_P2_what_is_no_number_is_refused(void **state)
{
	static const char *const wrong[] = { NULL, "", " ", "+", "-", "alice", "+1202555013x",
		"+1 202 FLOWERS", "1202555013", "+1202555013", "+120255501345", "202555013",
		"++12025550134", "+1+2025550134", "2025550134+", "+12025550134;ext=5",
		"+12025550134,5", "+1202555\0130134",
		"+1202555\xc2\xa0"
		"0134",
		"555-0134", "911", "112", "0", "00", "011", "+0", "+01234567890", "+12025550134\n",
		"+1 202 555 0134                  ", /* 33 characters */
		"+9991234567890", "+2101234567890" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(wrong[i], "US");
	assert_number("+1 202 555 0134                 ", "US", "+12025550134", "US"); /* 32 */
}

static void test_P2_country_must_be_one(void **state)
{
	static const char *const wrong[] = { "U", "USA", "XX", "1", "+1", "ZZ", "U1" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused("+12025550134", wrong[i]);
}

static void test_P2_possible_not_valid(void **state)
{
	(void)state;
	/* area codes the library of Debian 12 does not know yet */
	assert_number("+14362345678", "", "+14362345678", "US");
	assert_number("+16242345678", "", "+16242345678", "US");
	assert_number("+18372345678", "", "+18372345678", "US");
	/* shapes that cannot be: area or exchange beginning with 0 or 1, N11, N9X */
	assert_refused("+11025550134", "");
	assert_refused("+10025550134", "");
	assert_refused("+12021550134", "");
	assert_refused("+12020550134", "");
	assert_refused("+12029110134", "");
	assert_refused("+12112345678", "");
	assert_refused("+12912345678", "");
}

static void test_P8_toll_free_and_premium_are_refused(void **state)
{
	static const char *const wrong[] = { "+18002345678", "8002345678", "+18332345678",
		"+18442345678", "+18552345678", "+18662345678", "+18772345678", "+18882345678",
		"+18222345678", "+19002345678", "+12029762345", "+80012345678", "+80812345678",
		"+979123456789", "+881612345678", "+882161234567" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(wrong[i], "US");
}

static void test_P8_regions_are_told_apart(void **state)
{
	static const struct {
		const char *typed, *region;
	} rows[] = {
		{ "+12025550134", "US" },
		{ "+19072345678", "US" },
		{ "+18082345678", "US" },
		{ "+17872345678", "PR" },
		{ "+19392345678", "PR" },
		{ "+16712345678", "GU" },
		{ "+13402345678", "VI" },
		{ "+16842345678", "AS" },
		{ "+16702345678", "MP" },
		{ "+14162345678", "CA" },
		{ "+18762345678", "JM" },
		{ "+14412345678", "BM" },
		{ "+442079460018", "GB" },
		{ "+4930123456", "DE" },
		{ "+33123456789", "FR" },
		{ "+525512345678", "MX" },
		{ "+81312345678", "JP" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct number n = parsed(rows[i].typed, "US", "");

		assert_string_equal(n.country, rows[i].region);
		assert_string_equal(n.e164, rows[i].typed);
		assert_int_equal(number_is_us_state(n.country), strcmp(n.country, "US") == 0);
		assert_int_equal(product_takes_phone(PRODUCT_PHONE_US, n.country),
			strcmp(n.country, "US") == 0);
		assert_int_equal(product_takes_phone(PRODUCT_PHONE_INTL, n.country),
			strcmp(n.country, "US") != 0);
	}
}

static void test_P8_guam_needs_phone_intl(void **state)
{
	struct number n = parsed("671 234 5678", "US", "");

	(void)state;
	assert_string_equal(n.e164, "+16712345678");
	assert_false(product_takes_phone(PRODUCT_PHONE_US, n.country));
	assert_true(product_takes_phone(PRODUCT_PHONE_INTL, n.country));
}

/* An area code that is nobody's yet is possible, but no product takes it until
 * the administrator says whose it is. */
static void test_P8_unknown_area_code_waits_for_an_override(void **state)
{
	struct number n = parsed("+15552345678", "US", "");

	(void)state;
	assert_string_equal(n.country, "");
	assert_false(product_takes_phone(PRODUCT_PHONE_US, n.country));
	assert_false(product_takes_phone(PRODUCT_PHONE_INTL, n.country));
	n = parsed("+15552345678", "US", "+1684=AS +1555=US");
	assert_string_equal(n.country, "US");
	assert_true(product_takes_phone(PRODUCT_PHONE_US, n.country));
}

static void test_P8_overrides_beat_both_tables(void **state)
{
	struct number n = parsed("+16842345678", "US", "+1684=US");

	(void)state;
	assert_string_equal(n.country, "US");
	n = parsed("+442079460018", "US", "+4420=JE");
	assert_string_equal(n.country, "JE");
	/* they say where a number is, not whether it may be used */
	assert_int_equal(number_parse("+18002345678", "US", "+1800=US", &n), VERDICT_PHONE_INVALID);
}

static void test_P8_us_states_only(void **state)
{
	(void)state;
	assert_true(number_is_us_state("US"));
	assert_false(number_is_us_state("us"));
	assert_false(number_is_us_state("PR"));
	assert_false(number_is_us_state(""));
	assert_false(number_is_us_state(NULL));
}

static void test_P10_landlines_of_the_plan_cannot_be_told(void **state)
{
	(void)state;
	assert_int_equal(parsed("+12025550134", "", "").kind, NUMBER_FIXED_OR_MOBILE);
	assert_int_equal(parsed("+15002345678", "", "").kind, NUMBER_UNKNOWN);
	assert_string_equal(parsed("+15002345678", "", "").country, "");
}

static void test_L12_masked_is_the_last_four(void **state)
{
	(void)state;
	assert_string_equal(parsed("+12025550134", "", "").masked, "0134");
}

#ifndef MAG_TEST_OWN
#ifdef HAVE_PHONENUMBER
static void test_P10_library_tells_landlines(void **state)
{
	(void)state;
	assert_int_equal(parsed("+442079460018", "", "").kind, NUMBER_FIXED);
	assert_int_equal(parsed("+447400123456", "", "").kind, NUMBER_MOBILE);
}

static void test_P2_library_reads_numbers_at_home(void **state)
{
	(void)state;
	assert_number("020 7946 0018", "GB", "+442079460018", "GB");
	assert_number("0044 20 7946 0018", "DE", "+442079460018", "GB");
	assert_number("030 123456", "DE", "+4930123456", "DE");
	assert_number("06 12345678", "NL", "+31612345678", "NL");
	assert_number("02 1234 5678", "IT", "+390212345678", "IT"); /* the zero stays */
	assert_number("011 44 20 7946 0018", "US", "+442079460018", "GB");
	assert_refused("12", "GB");
	assert_refused("020 7946 0018 0018", "GB");
}

static void test_P8_library_finds_expensive_numbers(void **state)
{
	(void)state;
	assert_refused("+449098790879", ""); /* premium */
	assert_refused("+448001234567", ""); /* toll-free */
	assert_refused("+447012345678", ""); /* personal: a known way to make others pay */
	assert_refused("+499001234567", ""); /* premium */
}
#endif
#else
static void test_P2_own_tables_need_the_plus(void **state)
{
	(void)state;
	assert_refused("020 7946 0018", "GB");
	assert_number("0044 20 7946 0018", "GB", "+442079460018", "GB");
	assert_number("00 1 202 555 0134", "GB", "+12025550134", "US");
	assert_number("011 44 20 7946 0018", "US", "+442079460018", "GB");
	assert_refused("+441", "");
	assert_refused("+442079", "");
	assert_number("+2901234", "", "+2901234", "SH");
	assert_refused("+4412345678901234", "");
	assert_int_equal(parsed("+442079460018", "", "").kind, NUMBER_UNKNOWN);
}
#endif

static void test_warm_up_may_be_repeated(void **state)
{
	(void)state;
	number_warm_up();
	number_warm_up();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_P2_the_same_number_typed_in_many_ways),
		cmocka_unit_test(test_P2_what_is_no_number_is_refused),
		cmocka_unit_test(test_P2_country_must_be_one),
		cmocka_unit_test(test_P2_possible_not_valid),
		cmocka_unit_test(test_P8_toll_free_and_premium_are_refused),
		cmocka_unit_test(test_P8_regions_are_told_apart),
		cmocka_unit_test(test_P8_guam_needs_phone_intl),
		cmocka_unit_test(test_P8_unknown_area_code_waits_for_an_override),
		cmocka_unit_test(test_P8_overrides_beat_both_tables),
		cmocka_unit_test(test_P8_us_states_only),
		cmocka_unit_test(test_P10_landlines_of_the_plan_cannot_be_told),
		cmocka_unit_test(test_L12_masked_is_the_last_four),
#ifndef MAG_TEST_OWN
#ifdef HAVE_PHONENUMBER
		cmocka_unit_test(test_P10_library_tells_landlines),
		cmocka_unit_test(test_P2_library_reads_numbers_at_home),
		cmocka_unit_test(test_P8_library_finds_expensive_numbers),
#endif
#else
		cmocka_unit_test(test_P2_own_tables_need_the_plus),
#endif
		cmocka_unit_test(test_warm_up_may_be_repeated),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
