/* Countries by prefix, budgets that slide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "smsd/tally.h"
#include "smsd/unused.h"

#define HOUR   3600000
#define NUMBER "+12025550134"

static void limits_start(struct limits *l, int64_t hour, int64_t day)
{
	assert_int_equal(limits_init(l, hour, day), 0);
	for (int i = 0; i < LIMIT_SCOPES; i++)
		l->each[i].hour = l->each[i].day = 1000;
}

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
	limits_start(&l, 1, 2);
	assert_null(limits_take(&l, NUMBER, 1000));
	assert_non_null(limits_take(&l, NUMBER, 1001));
	limits_return(&l, NUMBER, 1000);
	assert_null(limits_take(&l, NUMBER, 1002));
	/* Too late to give back: the slot is gone, and nothing goes below zero. */
	limits_return(&l, NUMBER, 1002);
	limits_return(&l, NUMBER, 1002);
	assert_null(limits_take(&l, NUMBER, 3 * HOUR));
	limits_return(&l, NUMBER, 30 * (int64_t)HOUR);
	assert_non_null(limits_take(&l, NUMBER, 3 * HOUR + 1));
	limits_clear(&l);
}

static void hour_is_not_charged_when_the_day_is_spent(void **state)
{
	struct limits l = { .allowed_countries = "*" };

	(void)state;
	limits_start(&l, 5, 1);
	assert_null(limits_take(&l, NUMBER, 1000));
	for (int i = 0; i < 10; i++)
		assert_string_equal(
			limits_take(&l, NUMBER, 1000), "the budget for messages is spent");
	l.day.limit = 5;
	assert_null(limits_take(&l, NUMBER, 1000));
	limits_clear(&l);
}

/* Whoever is over its own budget takes nothing from the others'. */
static void threat_18_number_block_and_country_have_budgets_of_their_own(void **state)
{
	struct limits l = { .allowed_countries = "*" };

	(void)state;
	limits_start(&l, 100, 100);
	l.each[LIMIT_NUMBER].hour = 2;
	l.each[LIMIT_PREFIX].hour = 4;
	l.each[LIMIT_COUNTRY].day = 6;
	for (int i = 0; i < 2; i++)
		assert_null(limits_take(&l, NUMBER, 1000));
	for (int i = 0; i < 50; i++)
		assert_string_equal(
			limits_take(&l, NUMBER, 1000), "the budget for this number is spent");
	assert_null(limits_take(&l, "+12025550135", 1000));
	assert_null(limits_take(&l, "+12025550999", 1000));
	assert_string_equal(limits_take(&l, "+12025550500", 1000),
		"the budget for this block of numbers is spent");
	assert_null(limits_take(&l, "+12025551000", 1000));
	assert_null(limits_take(&l, "+13035551000", 1000));
	assert_string_equal(
		limits_take(&l, "+13035552000", 1000), "the budget for this country is spent");
	/* Canada has the same calling code, and a budget of its own; so have addresses. */
	assert_null(limits_take(&l, "+14165550134", 1000));
	for (int i = 0; i < 2; i++)
		assert_null(limits_take(&l, "a@example.org", 1000));
	assert_string_equal(
		limits_take(&l, "a@example.org", 1000), "the budget for this number is spent");
	assert_int_equal(budget_used(&l.hour, 1000), 9);
	/* An hour later number and block have theirs again, the country has not. */
	assert_string_equal(
		limits_take(&l, NUMBER, 2 * HOUR), "the budget for this country is spent");
	l.each[LIMIT_COUNTRY].day = 100;
	assert_null(limits_take(&l, NUMBER, 2 * HOUR));
	limits_clear(&l);
}

static void threat_18_limit_of_zero_sends_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < LIMIT_SCOPES; i++) {
		struct limits l = { .allowed_countries = "*" };

		limits_start(&l, 100, 100);
		l.each[i].day = 0;
		assert_non_null(limits_take(&l, NUMBER, 1000));
		assert_int_equal(l.each[i].refused, 1);
		limits_clear(&l);
	}
}

static void rows_show_what_is_used_without_a_number(void **state)
{
	struct limits l = { .allowed_countries = "*" };
	struct limit_row rows[8];
	int n;

	(void)state;
	limits_start(&l, 100, 200);
	for (int i = 0; i < 3; i++)
		assert_null(limits_take(&l, NUMBER, 1000));
	assert_null(limits_take(&l, "+12025550135", 1000));
	assert_null(limits_take(&l, "+442079460000", 1000));
	n = limits_rows(&l, 1000, rows, 8);
	assert_int_equal(n, 5);
	assert_string_equal(rows[0].name, "all");
	assert_int_equal(rows[0].hour_used, 5);
	assert_int_equal(rows[0].day_limit, 200);
	assert_string_equal(rows[1].name, "prefix");
	assert_int_equal(rows[1].hour_used, 4);
	assert_string_equal(rows[2].name, "number");
	assert_int_equal(rows[2].day_used, 3);
	for (int i = 3; i < 5; i++) {
		bool us = strcmp(rows[i].name, "country US") == 0;

		assert_true(us || strcmp(rows[i].name, "country GB") == 0);
		assert_int_equal(rows[i].hour_used, us ? 4 : 1);
	}
	assert_int_equal(limits_rows(&l, 1000, rows, 4), 4);
	limits_clear(&l);
}

/* A flood over numbers without end is refused when the table is full; what was not
 * used for a day makes room. */
static void threat_18_tally_is_bounded_and_forgets(void **state)
{
	const int64_t most[] = { 5, 5 };
	struct tally *t = NULL;
	char key[32];

	(void)state;
	assert_int_equal(tally_new(&t), 0);
	for (int i = 0; i < TALLY_KEYS_MAX; i++) {
		snprintf(key, sizeof key, "%d", i);
		assert_true(tally_take(t, key, most, 1000));
	}
	assert_false(tally_take(t, "one more", most, 1000));
	assert_true(tally_take(t, "7", most, 1000 + HOUR));
	assert_true(tally_take(t, "one more", most, 1000 + DAY_MS + HOUR + 1));
	/* "7" was used later: it is remembered, with what it has used. */
	for (int i = 0; i < 4; i++)
		assert_true(tally_take(t, "7", most, 1000 + DAY_MS));
	assert_false(tally_take(t, "7", most, 1000 + DAY_MS));
	tally_free(&t);
}

static void threat_18_services_are_refused_everywhere(void **state)
{
	static const char *const services[] = { "+19005550134", "+18005550134", "+448001111111",
		"+448451234567", "+449098790000", "+498001234567", "+491801234567", "+499001234567",
		"+33800123456", "+33899123456", "+34900123456", "+39800123456", "+39899123456",
		"+41800123456", "+41901234567", "+43900123456", "+61190212345", "+81120123456",
		"+31800123456", "+32800123456", "+46771234567" };
	static const char *const phones[] = { "+12025550134", "+447400123456", "+442079460000",
		"+4915112345678", "+493012345678", "+33612345678", "+33123456789", "+34612345678",
		"+393123456789", "+390612345678", "+41781234567", "+436641234567", "+61412345678",
		"+819012345678", "+31612345678", "+32470123456", "+46701234567", "+50683123456",
		"+79161234567", "+8613912345678", "+918123456789", "+525512345678" };
	struct limits l = { .allowed_countries = "*" };
	char buf[128];

	(void)state;
	for (size_t i = 0; i < sizeof services / sizeof *services; i++)
		if (!limits_refuse_country(&l, services[i], buf, sizeof buf))
			fail_msg("taken: %s", services[i]);
	for (size_t i = 0; i < sizeof phones / sizeof *phones; i++)
		if (limits_refuse_country(&l, phones[i], buf, sizeof buf))
			fail_msg("refused: %s", phones[i]);
}

static void table_of_services_is_sorted(void **state)
{
	static const char *const prefixes[] = {
#define SERVICE(prefix) prefix,
#include "smsd/service.def"
#undef SERVICE
	};

	(void)state;
	for (size_t i = 1; i < sizeof prefixes / sizeof *prefixes; i++)
		assert_true(strcmp(prefixes[i - 1], prefixes[i]) < 0);
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		assert_in_range(strlen(prefixes[i]), 3, 9);
}

static void unused_blocks_are_listed_reset_and_bounded(void **state)
{
	struct limits l = { .used_watch = 2 };
	struct limit_row rows[8];
	char block[UNUSED_BLOCK_MAX];
	int n;

	(void)state;
	limits_start(&l, 10, 10);
	limits_note_used(&l, NUMBER, false, 0);
	assert_null(limits_refuse_unused(&l, NUMBER, 1));
	limits_note_used(&l, NUMBER, false, 1000);
	assert_non_null(limits_refuse_unused(&l, "+12025550199", 1001));
	assert_null(limits_refuse_unused(&l, "+12025551134", 1001));
	n = limits_rows(&l, 1001, rows, 8);
	assert_int_equal(n, 5); /* all, prefix, number, unused, the block */
	assert_string_equal(rows[3].name, "unused");
	assert_int_equal(rows[3].day_used, 2);
	assert_int_equal(rows[3].refused, 1);
	assert_string_equal(rows[4].name, "unused +12025550");
	assert_int_equal(rows[4].stopped_ms, 24 * HOUR - 1);
	assert_int_equal(unused_reset(l.unused, "+12025551"), 0);
	assert_int_equal(unused_reset(l.unused, "+12025550"), 1);
	assert_null(limits_refuse_unused(&l, NUMBER, 1002));
	/* Where no room is left, what cannot be watched gets nothing. */
	for (int i = 0; i < UNUSED_KEYS_MAX; i++) {
		snprintf(block, sizeof block, "+44%06d", i);
		unused_note(l.unused, block, false, 2, 2000);
	}
	assert_non_null(limits_refuse_unused(&l, NUMBER, 2001));
	assert_int_equal(limits_rows(&l, 2001, rows, 8), 4);
	assert_null(limits_refuse_unused(&l, NUMBER, 2000 + 24 * HOUR));
	limits_clear(&l);
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
		cmocka_unit_test(threat_18_number_block_and_country_have_budgets_of_their_own),
		cmocka_unit_test(threat_18_limit_of_zero_sends_nothing),
		cmocka_unit_test(rows_show_what_is_used_without_a_number),
		cmocka_unit_test(threat_18_tally_is_bounded_and_forgets),
		cmocka_unit_test(threat_18_services_are_refused_everywhere),
		cmocka_unit_test(table_of_services_is_sorted),
		cmocka_unit_test(unused_blocks_are_listed_reset_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
