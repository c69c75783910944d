/* Every requirement and level against everything that can be proven (L3, L5-L8): the
 * verdicts are those of requirement.def, from which docs/strengths.md is made too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpcore/engine/certificate.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/token.h"

#define NOW 1800000000

static const struct need {
	const char *id;
	enum strength strength;
} needs[] = {
#define NEED(id, strength) { id, STRENGTH_##strength },
#define PROVEN(id, words, strength, level, cells)
#include "otpcore/engine/requirement.def"
#undef NEED
#undef PROVEN
};
#define NEEDS (sizeof needs / sizeof *needs)

static const struct proven {
	const char *id;
	enum strength strength;
	int64_t level;
	const char *cells;
} proven[] = {
#define NEED(id, strength)
#define PROVEN(id, words, strength, level, cells) { id, STRENGTH_##strength, level, cells },
#include "otpcore/engine/requirement.def"
#undef NEED
#undef PROVEN
};
#define PROVEN_N (sizeof proven / sizeof *proven)

/* The shipped file: its profiles are columns of the table. */
static int load(void **state)
{
	const char *srcdir = getenv("srcdir");
	char path[512], err[OPT_ERROR_MAX] = "";
	struct settings *s = NULL;

	snprintf(path, sizeof path, "%s/conf/magotp.conf", srcdir ? srcdir : ".");
	if (settings_load(path, &s, err)) {
		fprintf(stderr, "%s\n", err);
		return -1;
	}
	*state = s;
	return 0;
}

static int unload(void **state)
{
	settings_free((struct settings **)state);
	return 0;
}

/* The digit of a column, over the gap between strengths and profiles. */
static int cell(const struct proven *row, size_t column)
{
	const char *c = row->cells;

	assert_int_equal(strlen(row->cells), NEEDS + 1);
	for (; column > 0 || *c == ' '; c++)
		column -= *c != ' ';
	return *c - '0';
}

static struct policy policy_of(const struct settings *s, const char *require, int64_t level)
{
	const struct policy_line line = { .require = require, .level = level };
	struct service_settings service;
	struct policy p;

	settings_service(s, "sshd", &service);
	policy_make(s, &service, &line, &p);
	return p;
}

static const struct proven *row_of(const char *id)
{
	for (size_t i = 0; i < PROVEN_N; i++)
		if (strcmp(proven[i].id, id) == 0)
			return &proven[i];
	fail_msg("no row %s", id);
	return NULL;
}

static void test_L7_L8_columns_are_the_strengths_and_the_shipped_profiles(void **state)
{
	for (size_t i = 0; i < NEEDS; i++) {
		assert_int_equal(settings_strength(*state, needs[i].id), needs[i].strength);
		if (i < STRENGTH_N - 1)
			assert_string_equal(strength_id((enum strength)(i + 1)), needs[i].id);
	}
}

static void test_L7_L8_every_requirement_and_level_against_everything_proven(void **state)
{
	size_t in = 0;

	for (size_t i = 0; i < PROVEN_N; i++)
		for (size_t column = 0; column < NEEDS; column++)
			for (int64_t level = 1; level <= 3; level++) {
				struct policy p = policy_of(*state, needs[column].id, level);
				bool expected = cell(&proven[i], column) >= level;

				if (policy_satisfied(&p, proven[i].strength, proven[i].level) !=
					expected)
					fail_msg("%s at %s level %d: expected %d", proven[i].id,
						needs[column].id, (int)level, expected);
				in += expected;
			}
	assert_true(in > 0 && in < PROVEN_N * NEEDS * 3);
}

/* A requirement that was not understood is satisfied by nothing. */
static void test_an_unknown_requirement_lets_nobody_in(void **state)
{
	for (size_t i = 0; i < PROVEN_N; i++) {
		struct policy p = policy_of(*state, "no-such-profile", 1);

		assert_false(policy_satisfied(&p, proven[i].strength, proven[i].level));
	}
}

static void is_row(const char *id, enum strength strength, int64_t level)
{
	const struct proven *row = row_of(id);

	assert_int_equal(row->strength, strength);
	assert_int_equal(row->level, level);
}

/* What a row says of a factor is what the engine gives for it. */
static void test_rows_are_what_factors_give(void **state)
{
	static const char *const phones[] = { "phone", "phone-proofed" };
	static const char *const tokens[2][2] = { { "hardware", "hardware-proofed" },
		{ "mobile", "mobile-proofed" } };
	static const enum strength gives[] = { STRENGTH_HARDWARE_OTP, STRENGTH_MOBILE_ID };

	(void)state;
	for (int proofed = 0; proofed < 2; proofed++) {
		struct aggregate *a = calloc(1, sizeof *a);

		assert_non_null(a);
		a->account.row.id = 1;
		a->n_subscriptions = a->n_phones = 1;
		a->subscriptions[0] = (struct subscription){
			.row.id = 2, .account = 1, .level = 2 + proofed, .expires_at = NOW + 1
		};
		a->phones[0] = (struct phone){
			.row.id = 3, .account = 1, .subscription = 2, .state = PHONE_ACTIVE
		};
		is_row(phones[proofed], phone_strength(&a->phones[0]),
			phone_level(a, &a->phones[0]));
		for (int kind = 0; kind < 2; kind++) {
			struct token t = { .row.id = 4,
				.account = 1,
				.subscription = 2,
				.kind = kind ? TOKEN_MOBILE : TOKEN_HARDWARE };
			struct policy p = { .known = true, .level = 1, .require = gives[kind] };

			is_row(tokens[kind][proofed], gives[kind], token_level(a, &t));
			assert_true(policy_token_fits(&p, &t, token_level(a, &t)));
			p.require++;
			assert_false(policy_token_fits(&p, &t, token_level(a, &t)));
		}
		free(a);
	}
	for (int s = STRENGTH_PASSWORD; s < STRENGTH_N; s++)
		if (certificate_level((enum strength)s))
			is_row(strength_id((enum strength)s), (enum strength)s,
				certificate_level((enum strength)s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_L7_L8_columns_are_the_strengths_and_the_shipped_profiles),
		cmocka_unit_test(test_L7_L8_every_requirement_and_level_against_everything_proven),
		cmocka_unit_test(test_an_unknown_requirement_lets_nobody_in),
		cmocka_unit_test(test_rows_are_what_factors_give),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
