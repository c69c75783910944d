/* Phone codes: which is meant, and what it is worth (P4, P5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/engine/challenge.h"

#define NOW 1800000000

/* Truncates to 42 with eight zeros before; see test_otp.c. */
static const unsigned char mac[HASH_LEN] = { [3] = 42 };

static struct blob chain_of(char c)
{
	struct blob b = { .len = HASH_LEN };

	memset(b.data, c, HASH_LEN);
	return b;
}

static struct aggregate *fresh(void)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->exists = true;
	return a;
}

static struct challenge *add(struct aggregate *a, char chain, int64_t created_at)
{
	struct challenge *c = &a->challenges[a->n_challenges++];

	*c = (struct challenge){ .row = { .id = (int64_t)a->n_challenges },
		.phone = 7,
		.channel = CHANNEL_SMS,
		.state = CHALLENGE_LIVE,
		.chain = chain_of(chain),
		.created_at = created_at,
		.expires_at = created_at + 120 };
	return c;
}

static struct challenge_input input(struct aggregate *a, const char *code, int64_t now)
{
	const struct blob chain = chain_of('a');
	struct challenge_input in = { .live = challenge_live(a, &chain, 0, 0, now),
		.latest = challenge_latest(a, &chain),
		.digits = 6,
		.code = code,
		.tries = 3,
		.now = now };

	in.mac = in.live ? mac : NULL;
	return in;
}

static void test_P4_code_expires_after_two_minutes(void **state)
{
	struct aggregate *a = fresh();
	struct challenge_input in;

	(void)state;
	add(a, 'a', NOW);
	in = input(a, "000042", NOW + 119);
	assert_int_equal(challenge_judge(&in), VERDICT_OK);
	in = input(a, "000042", NOW + 120);
	assert_null(in.live);
	assert_int_equal(challenge_judge(&in), VERDICT_CODE_EXPIRED);
	/* also where the caller looked it up earlier */
	in = input(a, "000042", NOW + 119);
	in.now = NOW + 121;
	assert_int_equal(challenge_judge(&in), VERDICT_CODE_EXPIRED);
	free(a);
}

static void test_P4_code_dies_after_three_wrong_tries(void **state)
{
	struct aggregate *a = fresh();
	struct challenge_input in;

	(void)state;
	add(a, 'a', NOW);
	in = input(a, "000041", NOW + 1);
	assert_int_equal(challenge_judge(&in), VERDICT_CODE_WRONG);
	in.tried = 1;
	assert_int_equal(challenge_judge(&in), VERDICT_CODE_WRONG);
	in.tried = 2;
	assert_int_equal(challenge_judge(&in), VERDICT_TRIES_EXCEEDED);
	in.code = "000042";
	assert_int_equal(challenge_judge(&in), VERDICT_OK);
	in.tried = 3;
	assert_int_equal(challenge_judge(&in), VERDICT_TRIES_EXCEEDED);
	free(a);
}

static void test_P4_used_dead_and_missing_codes_are_told_apart(void **state)
{
	struct aggregate *a = fresh();
	struct challenge *c = NULL;
	struct challenge_input in;

	(void)state;
	in = input(a, "000042", NOW);
	assert_int_equal(challenge_judge(&in), VERDICT_NO_CODE_PENDING);
	c = add(a, 'a', NOW);
	c->state = CHALLENGE_USED;
	in = input(a, "000042", NOW + 5);
	assert_int_equal(challenge_judge(&in), VERDICT_CODE_USED);
	c->state = CHALLENGE_DEAD;
	in = input(a, "000042", NOW + 5);
	assert_int_equal(challenge_judge(&in), VERDICT_NO_CODE_PENDING);
	in.tried = 3;
	assert_int_equal(challenge_judge(&in), VERDICT_TRIES_EXCEEDED);
	free(a);
}

static void test_P4_a_code_that_cannot_be_computed_is_undecided(void **state)
{
	struct aggregate *a = fresh();
	struct challenge_input in;

	(void)state;
	add(a, 'a', NOW);
	in = input(a, "000042", NOW + 1);
	in.mac = NULL;
	assert_int_equal(challenge_judge(&in), VERDICT_NONE);
	in = input(a, "000042", NOW + 1);
	in.digits = 4; /* a setting out of range lets nobody in */
	assert_int_equal(challenge_judge(&in), VERDICT_CODE_WRONG);
	free(a);
}

static void test_P4_code_is_bound_to_its_login(void **state)
{
	const struct blob a_chain = chain_of('a'), b_chain = chain_of('b');
	struct blob none = { 0 }, huge = chain_of('a');
	struct aggregate *a = fresh();
	struct challenge *c = add(a, 'b', NOW);

	(void)state;
	assert_null(challenge_live(a, &a_chain, 0, 0, NOW));
	assert_null(challenge_latest(a, &a_chain));
	assert_ptr_equal(challenge_live(a, &b_chain, 0, 0, NOW), c);
	/* a chain that is not there matches nothing, not everything */
	assert_null(challenge_live(a, &none, 0, 0, NOW));
	c->chain.len = 0;
	assert_null(challenge_latest(a, &none));
	huge.len = SEALED_MAX + 1;
	c->chain.len = SEALED_MAX + 1;
	assert_null(challenge_latest(a, &huge));
	free(a);
}

static void test_P5_live_code_is_found_by_phone_and_channel(void **state)
{
	const struct blob chain = chain_of('a');
	struct aggregate *a = fresh();
	struct challenge *c = add(a, 'a', NOW);

	(void)state;
	assert_ptr_equal(challenge_live(a, &chain, 7, CHANNEL_SMS, NOW), c);
	assert_ptr_equal(challenge_live(a, &chain, 7, 0, NOW), c);
	assert_ptr_equal(challenge_live(a, &chain, 0, CHANNEL_SMS, NOW), c);
	assert_null(challenge_live(a, &chain, 8, CHANNEL_SMS, NOW));
	assert_null(challenge_live(a, &chain, 7, CHANNEL_VOICE, NOW));
	free(a);
}

static void test_P5_resend_kills_the_older_code(void **state)
{
	const struct blob chain = chain_of('a');
	struct aggregate *a = fresh();
	struct challenge *old, *now;

	(void)state;
	old = add(a, 'a', NOW);
	old->state = CHALLENGE_DEAD;
	now = add(a, 'a', NOW + 20);
	assert_ptr_equal(challenge_live(a, &chain, 0, 0, NOW + 21), now);
	assert_ptr_equal(challenge_latest(a, &chain), now);
	/* in any order of the rows, and within one second */
	a->challenges[2] = a->challenges[0];
	a->n_challenges = 3;
	assert_ptr_equal(challenge_latest(a, &chain), now);
	a->challenges[2].created_at = NOW + 20;
	assert_ptr_equal(challenge_latest(a, &chain), now);
	a->challenges[0] = a->challenges[1];
	a->challenges[1].state = CHALLENGE_DEAD;
	assert_ptr_equal(challenge_latest(a, &chain), &a->challenges[0]);
	free(a);
}

static void test_of_two_live_codes_the_newest_counts(void **state)
{
	const struct blob chain = chain_of('a');
	struct aggregate *a = fresh();

	(void)state;
	add(a, 'a', NOW + 2);
	add(a, 'a', NOW);
	add(a, 'a', NOW + 2);
	assert_ptr_equal(challenge_live(a, &chain, 0, 0, NOW + 3), &a->challenges[2]);
	assert_ptr_equal(challenge_latest(a, &chain), &a->challenges[2]);
	free(a);
}

static void test_deleted_rows_and_wild_counts_are_left_alone(void **state)
{
	const struct blob chain = chain_of('a');
	struct aggregate *a = fresh();

	(void)state;
	add(a, 'a', NOW)->row.fate = ROW_DELETED;
	assert_null(challenge_live(a, &chain, 0, 0, NOW));
	assert_null(challenge_latest(a, &chain));
	a->n_challenges = 5000;
	assert_null(challenge_live(a, &chain, 0, 0, NOW));
	assert_null(challenge_latest(a, &chain));
	free(a);
}

static void test_P4_only_the_whole_code_matches(void **state)
{
	static const char *const wrong[] = { "", "0", "00004", "0000042", "000043", "100042",
		"00004 ", " 000042", "000042\n", "00004\xff", "00000042" };
	char code[9];
	size_t i;

	(void)state;
	assert_int_equal(challenge_code(mac, 6, code), 0);
	assert_string_equal(code, "000042");
	assert_int_equal(challenge_matches(mac, 6, "000042"), 1);
	assert_int_equal(challenge_matches(mac, 8, "00000042"), 1);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(challenge_matches(mac, 6, wrong[i]), 0);
	assert_int_equal(challenge_matches(mac, 6, NULL), 0);
	assert_int_equal(challenge_matches(mac, 5, "00042"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_P4_code_expires_after_two_minutes),
		cmocka_unit_test(test_P4_code_dies_after_three_wrong_tries),
		cmocka_unit_test(test_P4_used_dead_and_missing_codes_are_told_apart),
		cmocka_unit_test(test_P4_a_code_that_cannot_be_computed_is_undecided),
		cmocka_unit_test(test_P4_code_is_bound_to_its_login),
		cmocka_unit_test(test_P5_live_code_is_found_by_phone_and_channel),
		cmocka_unit_test(test_P5_resend_kills_the_older_code),
		cmocka_unit_test(test_of_two_live_codes_the_newest_counts),
		cmocka_unit_test(test_deleted_rows_and_wild_counts_are_left_alone),
		cmocka_unit_test(test_P4_only_the_whole_code_matches),
	};

	return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
