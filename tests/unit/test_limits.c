/* Countries by prefix, budgets that slide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "smsd/limits.h"

#define HOUR 3600000

static void country_by_the_longest_prefix(void **state)
{
	static const struct {
		const char *number, *country;
	} rows[] = {
		{ "+12025550134", "US" },
		{ "+14165550134", "CA" },
		{ "+17875550134", "PR" },
		{ "+19395550134", "PR" },
		{ "+16715550134", "GU" },
		{ "+13405550134", "VI" },
		{ "+16845550134", "AS" },
		{ "+16705550134", "MP" },
		{ "+18765550134", "JM" },
		{ "+15550002222", "US" },
		{ "+442079460000", "GB" },
		{ "+441481960000", "GG" },
		{ "+447781000000", "GG" },
		{ "+4915112345678", "DE" },
		{ "+79161234567", "RU" },
		{ "+77011234567", "KZ" },
		{ "+390669812345", "VA" },
		{ "+39061234567", "IT" },
		{ "+8613912345678", "CN" },
		{ "+85212345678", "HK" },
		{ "+18005550134", NULL },
		{ "+19005550134", NULL },
		{ "+8835100000001", NULL },
		{ "+2105550134", NULL },
		{ "2025550134", NULL },
		{ "", NULL },
		{ "+", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *country = country_of(rows[i].number);

		if (!rows[i].country)
			assert_null(country);
		else
			assert_string_equal(country ? country : "none", rows[i].country);
	}
	assert_true(country_known("US"));
	assert_false(country_known("UK"));
	assert_false(country_known(""));
}

/* bsearch needs them so; a row out of place would never be found. */
static void table_of_countries_is_sorted(void **state)
{
	static const char *const prefixes[] = {
#define COUNTRY(prefix, iso) prefix,
#include "smsd/country.def"
#undef COUNTRY
	};

	(void)state;
	for (size_t i = 1; i < sizeof prefixes / sizeof *prefixes; i++)
		assert_true(strcmp(prefixes[i - 1], prefixes[i]) < 0);
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		assert_in_range(strlen(prefixes[i]), 1, 7);
}

static void threat_18_what_is_not_allowed_is_refused(void **state)
{
	struct limits l = { .allowed_countries = "US CA" };
	char buf[128];

	(void)state;
	assert_null(limits_refuse_country(&l, "+12025550134", buf, sizeof buf));
	assert_null(limits_refuse_country(&l, "+14165550134", buf, sizeof buf));
	assert_string_equal(limits_refuse_country(&l, "+442079460000", buf, sizeof buf),
		"country GB is not in allowed_countries");
	assert_non_null(limits_refuse_country(&l, "+18765550134", buf, sizeof buf));
	l.allowed_countries = "";
	assert_non_null(limits_refuse_country(&l, "+12025550134", buf, sizeof buf));
	l.allowed_countries = "*";
	assert_null(limits_refuse_country(&l, "+442079460000", buf, sizeof buf));
	assert_non_null(limits_refuse_country(&l, "+19005550134", buf, sizeof buf));
}

static void threat_18_budget_holds_in_every_window(void **state)
{
	struct budget b;
	int64_t taken[4000];
	size_t n = 0;

	(void)state;
	srandom(18);
	budget_init(&b, 10, HOUR);
	/* Chance takes for a week: no window of 23/24 hours ever holds more than 10
	 * (the slots are a 24th wide, so the edges are that much rough). */
	for (int64_t t = 1; t < 7 * 24 * (int64_t)HOUR; t += random() % 400000)
		if (budget_take(&b, t))
			taken[n++] = t;
	assert_true(n > 7 * 24 * 8);
	for (size_t i = 10; i < n; i++)
		assert_true(taken[i] - taken[i - 10] >= HOUR / 24 * 23);
}

static void budget_comes_back_after_its_span_and_not_before(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 2, HOUR);
	assert_true(budget_take(&b, 1000));
	assert_true(budget_take(&b, 1000));
	assert_false(budget_take(&b, 2000));
	assert_false(budget_take(&b, HOUR - 1));
	assert_true(budget_take(&b, HOUR + HOUR / 24));
	assert_true(budget_take(&b, 50 * (int64_t)HOUR));
}

static void budget_of_nothing_gives_nothing(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 0, HOUR);
	assert_false(budget_take(&b, 5));
}

static void what_was_not_sent_is_given_back(void **state)
{
	struct limits l = { .allowed_countries = "*" };

	(void)state;
	budget_init(&l.hour, 1, HOUR);
	budget_init(&l.day, 2, 24 * HOUR);
	assert_true(limits_take(&l, 1000));
	assert_false(limits_take(&l, 1001));
	limits_return(&l, 1000);
	assert_true(limits_take(&l, 1002));
	/* Too late to give back: the slot is gone, and nothing goes below zero. */
	limits_return(&l, 1002);
	limits_return(&l, 1002);
	assert_true(limits_take(&l, 3 * HOUR));
	limits_return(&l, 30 * (int64_t)HOUR);
	assert_false(limits_take(&l, 3 * HOUR + 1));
}

static void hour_is_not_charged_when_the_day_is_spent(void **state)
{
	struct limits l = { .allowed_countries = "*" };

	(void)state;
	budget_init(&l.hour, 5, HOUR);
	budget_init(&l.day, 1, 24 * HOUR);
	assert_true(limits_take(&l, 1000));
	for (int i = 0; i < 10; i++)
		assert_false(limits_take(&l, 1000));
	l.day.limit = 5;
	assert_true(limits_take(&l, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(country_by_the_longest_prefix),
		cmocka_unit_test(table_of_countries_is_sorted),
		cmocka_unit_test(threat_18_what_is_not_allowed_is_refused),
		cmocka_unit_test(threat_18_budget_holds_in_every_window),
		cmocka_unit_test(budget_comes_back_after_its_span_and_not_before),
		cmocka_unit_test(budget_of_nothing_gives_nothing),
		cmocka_unit_test(what_was_not_sent_is_given_back),
		cmocka_unit_test(hour_is_not_charged_when_the_day_is_spent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
