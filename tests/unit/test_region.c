/* Our own tables: area codes of the North American plan, calling codes,
 * overrides. What the library knows must not contradict them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/engine/number_lib.h"
#include "otpcore/engine/region.h"

static void test_P8_states_territories_and_neighbours(void **state)
{
	static const struct {
		const char *code, *region;
	} rows[] = {
		{ "202", "US" },
		{ "907", "US" },
		{ "808", "US" },
		{ "212", "US" },
		/* younger than the metadata of Debian 12's library */
		{ "436", "US" },
		{ "624", "US" },
		{ "686", "US" },
		{ "837", "US" },
		{ "679", "US" },
		{ "621", "US" },
		{ "748", "US" },
		{ "457", "US" },
		{ "787", "PR" },
		{ "939", "PR" },
		{ "671", "GU" },
		{ "340", "VI" },
		{ "684", "AS" },
		{ "670", "MP" },
		{ "416", "CA" },
		{ "867", "CA" },
		{ "942", "CA" },
		{ "257", "CA" },
		{ "441", "BM" },
		{ "876", "JM" },
		{ "658", "JM" },
		{ "809", "DO" },
		{ "721", "SX" },
		{ "242", "BS" },
		{ "555", "" },
		{ "211", "" },
		{ "600", "" },
		{ "710", "" },
		{ "800", "" },
		{ "999", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(region_of_area_code(rows[i].code), rows[i].region);
}

/* A typing mistake in the table would put a code into two places. */
static void test_every_area_code_is_one_thing(void **state)
{
	unsigned code, states = 0, canada = 0;
	char text[8];

	(void)state;
	for (code = 0; code < 1000; code++) {
		snprintf(text, sizeof(text), "%03u", code);
		const char *region = region_of_area_code(text);

		states += strcmp(region, "US") == 0;
		canada += strcmp(region, "CA") == 0;
		if (!*region)
			continue;
		assert_int_equal(region_service_of(text), REGION_GEOGRAPHIC);
		assert_true(text[0] >= '2' && text[1] != '9'); /* N9X is held back */
		assert_memory_not_equal(text + 1, "11", 2);
	}
	assert_in_range(states, 340, 400);
	assert_in_range(canada, 40, 70);
}

static void test_P8_services_are_told_from_places(void **state)
{
	static const char *const toll_free[] = { "800", "833", "844", "855", "866", "877", "888",
		"822", "889" };
	static const char *const other[] = { "500", "533", "600", "700", "710" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(toll_free) / sizeof(toll_free[0]); i++)
		assert_int_equal(region_service_of(toll_free[i]), REGION_TOLL_FREE);
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_int_equal(region_service_of(other[i]), REGION_OTHER);
	assert_int_equal(region_service_of("900"), REGION_PREMIUM);
	assert_int_equal(region_service_of("202"), REGION_GEOGRAPHIC);
}

static void test_calling_codes(void **state)
{
	const char *region = "keep";

	(void)state;
	assert_int_equal(region_calling_code("442079460018", &region), 2);
	assert_string_equal(region, "GB");
	assert_int_equal(region_calling_code("35315550123", &region), 3);
	assert_string_equal(region, "IE");
	assert_int_equal(region_calling_code("74951234567", &region), 1);
	assert_string_equal(region, "RU");
	assert_int_equal(region_calling_code("80012345678", &region), 3);
	assert_string_equal(region, "");
	region = "keep";
	assert_int_equal(region_calling_code("21012345678", &region), 0);
	assert_int_equal(region_calling_code("99912345678", &region), 0);
	assert_int_equal(region_calling_code("", &region), 0);
	assert_string_equal(region, "keep");
}

/* No calling code may be the beginning of another: first match would be chance. */
static void test_calling_codes_are_prefix_free(void **state)
{
	const char *region;
	unsigned code, owner[1000], n = 0;
	char text[8];

	(void)state;
	for (code = 0; code < 1000; code++) {
		snprintf(text, sizeof(text), "%03u", code);
		owner[code] = region_calling_code(text, &region);
		n += owner[code] > 0;
	}
	for (code = 0; code < 1000; code++) {
		if (owner[code] == 1)
			assert_int_equal(owner[code / 100 * 100], 1);
		if (owner[code] == 2)
			assert_int_equal(owner[code / 10 * 10], 2);
	}
	assert_in_range(n, 800, 920);
}

static void test_regions_by_name(void **state)
{
	(void)state;
	assert_string_equal(region_code_for("US"), "1");
	assert_string_equal(region_code_for("GU"), "1");
	assert_string_equal(region_code_for("JM"), "1");
	assert_string_equal(region_code_for("GB"), "44");
	assert_string_equal(region_code_for("KZ"), "7");
	assert_string_equal(region_code_for("AX"), "358");
	assert_null(region_code_for("XX"));
	assert_null(region_code_for(""));
	assert_null(region_code_for("us"));
}

static void test_P8_overrides_longest_prefix_wins(void **state)
{
	char region[3] = "--";

	(void)state;
	assert_false(region_override("", "+12025550134", region));
	assert_false(region_override(NULL, "+12025550134", region));
	assert_false(region_override("+1203=US", "+12025550134", region));
	assert_string_equal(region, "--");
	assert_true(region_override("+1=CA +1202=US +120=GU", "+12025550134", region));
	assert_string_equal(region, "US");
	assert_true(region_override("+1202555=PR, +1202=US", "+12025550134", region));
	assert_string_equal(region, "PR");
	assert_true(region_override(" +44=GB", "+442079460018", region));
	assert_string_equal(region, "GB");
}

static void test_overrides_that_do_not_parse_do_nothing(void **state)
{
	static const char *const wrong[] = { "+1202", "=US", "+1202=", "+1202=USA", "+1202=U",
		"1202=US", " ", "+1202 =US" };
	char region[3] = "--";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(region_override(wrong[i], "+12025550134", region));
	assert_string_equal(region, "--");
}

#ifdef HAVE_PHONENUMBER
/* Ours may know more than the library, never otherwise. */
static void test_area_codes_agree_with_libphonenumber(void **state)
{
	struct number_lib lib;
	unsigned code, seen = 0;
	char typed[16], text[8];

	(void)state;
	for (code = 200; code < 1000; code++) {
		snprintf(typed, sizeof(typed), "+1%03u2345678", code);
		snprintf(text, sizeof(text), "%03u", code);
		if (number_lib_parse(typed, "US", &lib) < 0 || strlen(lib.region) != 2 ||
			strcmp(lib.region, "ZZ") == 0)
			continue;
		if (lib.kind == NUMBER_PREMIUM || region_service_of(text) != REGION_GEOGRAPHIC)
			continue;
		if (strcmp(region_of_area_code(text), lib.region) != 0)
			fail_msg("%s: ours %s, library %s", text, region_of_area_code(text),
				lib.region);
		seen++;
	}
	assert_in_range(seen, 380, 500);
}

/* Every region and calling code the library knows is in our table. */
static void test_calling_codes_agree_with_libphonenumber(void **state)
{
	struct number_lib lib;
	const char *region;
	unsigned code;
	char typed[24];

	(void)state;
	for (code = 2; code < 1000; code++) {
		snprintf(typed, sizeof(typed), "+%u234567890", code);
		if (typed[1] == '1' || number_lib_parse(typed, "US", &lib) < 0)
			continue;
		if (region_calling_code(typed + 1, &region) == 0)
			fail_msg("+%u is not in our table, library says %s", code, lib.region);
		if (strlen(lib.region) == 2 && strcmp(lib.region, "ZZ") != 0)
			assert_non_null(region_code_for(lib.region));
	}
}
#else
static void test_area_codes_agree_with_libphonenumber(void **state)
{
	(void)state;
	print_message("not compared: built without libphonenumber\n");
	skip();
}

static void test_calling_codes_agree_with_libphonenumber(void **state)
{
	(void)state;
	print_message("not compared: built without libphonenumber\n");
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_P8_states_territories_and_neighbours),
		cmocka_unit_test(test_every_area_code_is_one_thing),
		cmocka_unit_test(test_P8_services_are_told_from_places),
		cmocka_unit_test(test_calling_codes),
		cmocka_unit_test(test_calling_codes_are_prefix_free),
		cmocka_unit_test(test_regions_by_name),
		cmocka_unit_test(test_P8_overrides_longest_prefix_wins),
		cmocka_unit_test(test_overrides_that_do_not_parse_do_nothing),
		cmocka_unit_test(test_area_codes_agree_with_libphonenumber),
		cmocka_unit_test(test_calling_codes_agree_with_libphonenumber),
	};

	return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
