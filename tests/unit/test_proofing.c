/* Identity proofing (I1-I6, H12): what waits, codes, outcomes, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/proofing.h"

#define NOW 1800000000

/* ---- subscriptions ---- */

static void test_I1_what_is_open_and_what_waits(void **state)
{
	static const struct {
		int64_t proofing, state, expires;
		bool waits, open;
	} rows[] = {
		{ PROOFING_NONE, SUBSCRIPTION_ACTIVE, NOW, false, false },
		{ PROOFING_WANTED, SUBSCRIPTION_ACTIVE, NOW, true, true },
		{ PROOFING_WANTED, SUBSCRIPTION_ACTIVE, NOW - 1, true, false },
		{ PROOFING_WANTED, SUBSCRIPTION_EXPIRED, NOW, true, false },
		{ PROOFING_ASKED, SUBSCRIPTION_ACTIVE, NOW, false, true },
		{ PROOFING_PASSED, SUBSCRIPTION_ACTIVE, NOW, false, false },
	};
	size_t i;

	(void)state;
	assert_false(proofing_waits(NULL));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct subscription s = { .proofing = rows[i].proofing,
			.state = rows[i].state,
			.expires_at = rows[i].expires };

		assert_int_equal(proofing_waits(&s), rows[i].waits);
		assert_int_equal(proofing_open(&s, NOW), rows[i].open);
	}
}

static void test_I1_I3_what_a_key_makes_of_it(void **state)
{
	static const struct {
		enum proofing_need before;
		bool with, fresh;
		enum proofing_need after;
	} rows[] = {
		{ PROOFING_NONE, false, true, PROOFING_NONE },
		{ PROOFING_NONE, true, true, PROOFING_WANTED },
		{ PROOFING_NONE, true, false, PROOFING_ASKED }, /* takes nothing away */
		{ PROOFING_WANTED, true, false, PROOFING_WANTED },
		{ PROOFING_WANTED, false, false, PROOFING_WANTED }, /* no way around it */
		{ PROOFING_ASKED, true, false, PROOFING_ASKED },
		{ PROOFING_PASSED, true, false, PROOFING_PASSED },
		{ PROOFING_PASSED, false, false, PROOFING_PASSED },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(proofing_after_key(rows[i].before, rows[i].with, rows[i].fresh),
			rows[i].after);
}

/* One credential at a time beneath a proofed subscription: does it keep the proofing? */
static void test_I3_H12_what_preserves_the_proofing(void **state)
{
	static const struct {
		int64_t phone, token;
		bool lost;
	} rows[] = {
		{ 0, 0, true }, { PHONE_PENDING, 0, true }, { PHONE_ACTIVE, 0, false },
		{ 0, TOKEN_PENDING_ACTIVATION, true }, { 0, TOKEN_PENDING_APPROVAL, false },
		{ 0, TOKEN_ACTIVE, false }, { 0, TOKEN_LOCKED, false },
		{ 0, TOKEN_SUSPENDED, false },
		{ 0, TOKEN_EXPIRED, false }, /* revoked or deleted, not expired */
		{ 0, TOKEN_REVOKED, true },
		{ PHONE_ACTIVE, TOKEN_REVOKED, false }, /* H12: the phone keeps it */
	};
	static struct aggregate a;
	struct subscription *s = &a.subscriptions[0];
	size_t i;

	(void)state;
	a.n_subscriptions = 1;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*s = (struct subscription){ .row.id = 7, .proofing = PROOFING_PASSED };
		a.n_phones = rows[i].phone != 0;
		a.n_tokens = rows[i].token != 0;
		a.phones[0] = (struct phone){ .subscription = 7, .state = rows[i].phone };
		a.tokens[0] = (struct token){ .subscription = 7, .state = rows[i].token };
		assert_int_equal(proofing_lost(&a, s), rows[i].lost);
		assert_int_equal(proofing_has_credential(&a, s), !rows[i].lost);
		a.phones[0].subscription = a.tokens[0].subscription = 8; /* of another one */
		assert_true(proofing_lost(&a, s));
		a.phones[0].subscription = a.tokens[0].subscription = 7;
		a.phones[0].row.fate = a.tokens[0].row.fate = ROW_DELETED;
		assert_true(proofing_lost(&a, s));
		s->proofing = PROOFING_ASKED;
		assert_false(proofing_lost(&a, s));
	}
}

/* Phones have no state of their own for it. */
static void test_I1_a_phone_waits(void **state)
{
	static struct aggregate a;
	struct phone *p = &a.phones[0];

	(void)state;
	a.n_subscriptions = a.n_phones = 1;
	*p = (struct phone){ .subscription = 7, .state = PHONE_ACTIVE };
	a.subscriptions[0] = (struct subscription){ .row.id = 7,
		.state = SUBSCRIPTION_ACTIVE,
		.level = 2,
		.expires_at = NOW,
		.proofing = PROOFING_WANTED };
	assert_string_equal(phone_state_id(&a, p, NOW), "pending-approval");
	assert_string_equal(phone_state_id(&a, p, NOW + 1), "expired");
	a.subscriptions[0].proofing = PROOFING_ASKED;
	assert_string_equal(phone_state_id(&a, p, NOW), "active");
}

/* ---- codes ---- */

static void test_I1_codes_are_told_from_keys(void **state)
{
	const unsigned char zeros[KEY_RANDOM_LEN] = { 0 };
	char code[PROOFING_TEXT_LEN + 1], key[KEY_TEXT_LEN + 1], again[PROOFING_TEXT_LEN + 1];
	char wrong[PROOFING_TEXT_LEN + 1];
	unsigned group = 9;
	size_t i;

	(void)state;
	proofing_code_format(zeros, code);
	key_format(zeros, key);
	assert_string_equal(code, "00001-00002-00003-00004");
	assert_true(proofing_code_form(code));
	assert_true(proofing_code_form(" ooOOI 00002 o0003-00004\n"));
	assert_false(proofing_code_form(key));
	assert_false(proofing_code_form("00001-00002-00003-0000"));
	assert_false(proofing_code_form(""));
	assert_false(proofing_code_form(NULL));
	assert_int_equal(proofing_code_parse("oooo1 00002 00003 00004", again, &group), VERDICT_OK);
	assert_string_equal(again, code);
	assert_int_equal(group, 0);
	for (i = 0; i < PROOFING_TEXT_LEN; i++) {
		if (code[i] == '-')
			continue;
		strcpy(wrong, code);
		wrong[i] = 'Z';
		assert_int_equal(proofing_code_parse(wrong, again, &group), VERDICT_KEY_MISTYPED);
		assert_int_equal(group, i / 6 + 1);
	}
}

static void test_I1_all_80_bits_are_in_the_code(void **state)
{
	unsigned char bytes[PROOFING_RANDOM_LEN] = { 0 };
	char base[PROOFING_TEXT_LEN + 1], text[PROOFING_TEXT_LEN + 1];
	unsigned bit, i, changed;

	(void)state;
	proofing_code_format(bytes, base);
	for (bit = 0; bit < 80; bit++) {
		bytes[bit / 8] = (unsigned char)(0x80 >> bit % 8);
		proofing_code_format(bytes, text);
		bytes[bit / 8] = 0;
		for (changed = 0, i = 0; i < PROOFING_TEXT_LEN; i++)
			changed += text[i] != base[i];
		assert_int_equal(changed, 2);
	}
}

static void test_I2_one_code_is_good(void **state)
{
	static const struct {
		int64_t state, expires;
		bool hash, good;
	} rows[] = {
		{ PROOFING_ISSUED, NOW, true, true },
		{ PROOFING_ISSUED, NOW, false, false },
		{ PROOFING_ISSUED, NOW - 1, true, false },
		{ PROOFING_DEAD, NOW, true, false },
		{ PROOFING_DONE, NOW, true, false },
		{ PROOFING_FAILED, NOW, true, false },
	};
	const unsigned char hash[HASH_LEN] = { 1, 2, 3 };
	struct proofings p = { .n = 1 };
	struct proofing *row = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p.rows[0] = (struct proofing){
			.state = rows[i].state, .expires_at = rows[i].expires, .hash.len = HASH_LEN
		};
		memcpy(p.rows[0].hash.data, hash, HASH_LEN);
		if (!rows[i].hash)
			p.rows[0].hash.data[31] = 1;
		assert_int_equal(proofing_code_judge(&p, hash, NOW, &row),
			rows[i].good ? VERDICT_OK : VERDICT_PROOFING_CODE_WRONG);
		assert_int_equal(row != NULL, rows[i].hash);
		if (rows[i].hash)
			assert_int_equal(proofing_issued(&p, NOW) != NULL, rows[i].good);
	}
	p.rows[0].hash.len = 0; /* courses without a code match nothing */
	assert_int_equal(proofing_code_judge(&p, hash, NOW, &row), VERDICT_PROOFING_CODE_WRONG);
	assert_null(row);
}

static void test_I6_the_course_under_way(void **state)
{
	struct proofings p = { .n = 3,
		.rows = { { .state = PROOFING_FAILED, .created_at = NOW },
			{ .state = PROOFING_MISSED, .created_at = NOW - 2 },
			{ .state = PROOFING_REQUESTED, .created_at = NOW - 3 } } };

	(void)state;
	assert_ptr_equal(proofing_under_way(&p), &p.rows[1]);
	p.rows[1].state = PROOFING_ISSUED;
	assert_ptr_equal(proofing_under_way(&p), &p.rows[2]);
	p.rows[2].state = PROOFING_DONE;
	assert_null(proofing_under_way(&p));
}

/* ---- methods and outcomes ---- */

static void test_I4_the_credit_method_is_for_us_persons(void **state)
{
	static const struct {
		const char *country;
		enum proofing_method method;
		bool fine;
	} rows[] = {
		{ "US", PROOFING_CREDIT, true },
		{ "CA", PROOFING_CREDIT, false },
		{ "PR", PROOFING_CREDIT, false },
		{ "", PROOFING_CREDIT, false },
		{ "", PROOFING_WEBCAM, true },
		{ "DE", PROOFING_WEBCAM, true },
		{ "DE", PROOFING_IN_PERSON, true },
		{ "US", PROOFING_IN_PERSON, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct account a = { 0 };

		strcpy(a.country, rows[i].country);
		assert_int_equal(proofing_method_fault(&a, rows[i].method) == NULL, rows[i].fine);
	}
}

static void test_I5_I6_outcomes(void **state)
{
	static const struct {
		enum proofing_outcome outcome;
		const char *id, *by; /* w webcam, c credit, p in person */
		bool webcam_next;
	} rows[] = {
		{ PROOFED_OK, "passed", "wcp", false },
		{ PROOFED_BY_POST, "by-post", "c", false },
		{ PROOFED_NOT_LOCATED, "not-located", "c", true },
		{ PROOFED_UNWILLING, "unwilling", "c", true },
		{ PROOFED_DISAGREED, "disagreed", "c", true },
		{ PROOFED_DOCUMENTS, "documents", "wp", false },
		{ PROOFED_OTHER, "other", "wcp", false },
	};
	static const char letters[] = " wcp";
	size_t i;
	int m;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(proofing_outcome_id(rows[i].outcome), rows[i].id);
		assert_int_equal(proofing_outcome_from_id(rows[i].id), rows[i].outcome);
		for (m = PROOFING_WEBCAM; m <= PROOFING_IN_PERSON; m++) {
			assert_int_equal(
				proofing_outcome_fits(rows[i].outcome, (enum proofing_method)m),
				strchr(rows[i].by, letters[m]) != NULL);
			assert_int_equal(proofing_next(rows[i].outcome, (enum proofing_method)m),
				rows[i].webcam_next ? PROOFING_WEBCAM : m);
		}
		assert_false(proofing_outcome_fits(rows[i].outcome, (enum proofing_method)0));
		assert_false(proofing_outcome_fits(rows[i].outcome, (enum proofing_method)4));
	}
	assert_false(proofing_outcome_fits((enum proofing_outcome)0, PROOFING_WEBCAM));
	assert_false(proofing_outcome_fits((enum proofing_outcome)8, PROOFING_WEBCAM));
}

static void test_words(void **state)
{
	int64_t i;

	(void)state;
	assert_string_equal(proofing_need_id(PROOFING_NONE), "");
	assert_string_equal(proofing_need_id(PROOFING_PASSED), "passed");
	assert_string_equal(proofing_state_id(PROOFING_REQUESTED), "requested");
	assert_string_equal(proofing_state_id(PROOFING_DEAD), "replaced");
	for (i = -1; i < 12; i += 12) {
		assert_string_equal(proofing_need_id(i), "");
		assert_string_equal(proofing_state_id(i), "");
		assert_string_equal(proofing_method_id(i), "");
		assert_string_equal(proofing_outcome_id(i), "");
	}
	assert_int_equal(proofing_method_from_id("in-person"), PROOFING_IN_PERSON);
	assert_int_equal(proofing_method_from_id(""), 0);
	assert_int_equal(proofing_outcome_from_id(""), 0);
}

/* ---- names ---- */

static void test_I2_names(void **state)
{
	static const struct {
		const char *first, *middle, *last, *given;
		bool same;
	} rows[] = {
		{ "Anna", "", "Example", "Anna Example", true },
		{ "Anna", "", "Example", "  ANNA \t  example ", true },
		{ "Anna", "", "Example", "Anna Bridget Example", false },
		{ "Anna", "Bridget", "Example", "Anna Bridget Example", true },
		{ "Anna", "Bridget", "Example", "Anna Example", true },
		{ "Anna", "Bridget", "Example", "Anna B Example", true },
		{ "Anna", "Bridget", "Example", "Anna B. Example", true },
		{ "Anna", "Bridget", "Example", "Anna Br Example", false },
		{ "Anna", "Bridget", "Example", "Anna C Example", false },
		{ "Anna", "Bridget", "Example", "Anna . Example", false },
		{ "Anna", "B", "Example", "Anna Bridget Example", true },
		{ "Anna", "B.", "Example", "Anna Bridget Example", true },
		{ "Anna", "B", "Example", "Anna Cecily Example", false },
		{ "Anna", "", "Example", "Example Anna", false },
		{ "Anna", "", "Example", "Anna", false },
		{ "Anna", "", "Example", "AnnaExample", false },
		{ "Anna", "", "Example", "Anna Examples", false },
		{ "Anna", "", "Example", "Annabel Example", false },
		{ "Anna", "", "Example", "Hanna Example", false },
		{ "Anna", "", "Example", "", false }, { "", "", "Example", "Example", false },
		{ "", "", "", "", false }, { "", "", "", " ", false },
		{ "Anna", "", "", "Anna ", false },
		{ "Ana María", "", "de la Cruz", "ANA  MARÍA DE LA CRUZ", true },
		{ "Øyvind", "", "Šćepanović", "øyvind šĆepanoviĆ", true },
		{ "Ÿ", "", "Žižka", "ÿ žiŽka", true },
		{ "Анна", "", "Ёлкина", "АННА ёлкина", true },
		{ "Άννα", "", "Παπαδάκης", "άννα ΠΑΠΑΔάΚΗΣ", true },
		{ "Đặng", "", "Ưu", "đặng ưu", false }, /* Ư is not in the tables: not the same */
		{ "Nguyễn", "", "Đỗ", "NGUYỄN đỖ", true },
		{ "Anna", "Édith", "Example", "Anna é. Example", true },
		{ "Anna", "", "Example", "Anna\u00a0Example", true },
		{ "李", "", "小龙", "李 小龙", true },
		{ "\xff\xfe", "", "\xc3", "\xff\xfe \xc3", true }, /* no text at all: no harm */
	};
	char longest[600];
	struct account a = { .first = "Anna", .last = "Example" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct account row = { 0 };

		strcpy(row.first, rows[i].first);
		strcpy(row.middle, rows[i].middle);
		strcpy(row.last, rows[i].last);
		if (proofing_name_matches(&row, rows[i].given) != rows[i].same)
			fail_msg("%s / %s / %s: %s", rows[i].first, rows[i].middle, rows[i].last,
				rows[i].given);
	}
	/* What does not fit is never the same. */
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "Anna ", 5);
	memcpy(longest + sizeof(longest) - 9, " Example", 8);
	assert_false(proofing_name_matches(&a, longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_I1_what_is_open_and_what_waits),
		cmocka_unit_test(test_I1_I3_what_a_key_makes_of_it),
		cmocka_unit_test(test_I3_H12_what_preserves_the_proofing),
		cmocka_unit_test(test_I1_a_phone_waits),
		cmocka_unit_test(test_I1_codes_are_told_from_keys),
		cmocka_unit_test(test_I1_all_80_bits_are_in_the_code),
		cmocka_unit_test(test_I2_one_code_is_good),
		cmocka_unit_test(test_I6_the_course_under_way),
		cmocka_unit_test(test_I4_the_credit_method_is_for_us_persons),
		cmocka_unit_test(test_I5_I6_outcomes),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_I2_names),
	};

	return cmocka_run_group_tests_name("proofing", tests, NULL, NULL);
}
