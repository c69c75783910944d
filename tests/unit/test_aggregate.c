/* What the engine does with an account's rows when something about them is odd: a count that
 * is too high, rows that are deleted in this tick, words that do not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/engine/licence.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/proofing.h"
#include "otpcore/engine/terms.h"
#include "otpcore/engine/throttle.h"
#include "otpcore/engine/token.h"

#define NOW INT64_C(1800000000)
#define DAY 86400

static struct aggregate *a;

static int set_up(void **state)
{
	(void)state;
	a = calloc(1, sizeof *a);
	assert_non_null(a);
	a->exists = true;
	a->account.row.id = 7;
	a->n_phones = PHONES_MAX + 1;
	a->n_tokens = TOKENS_MAX + 1;
	a->n_subscriptions = SUBSCRIPTIONS_MAX + 1;
	a->n_recoveries = RECOVERIES_MAX + 1;
	a->n_throttles = THROTTLES_MAX + 1;
	for (size_t i = 0; i < TOKENS_MAX; i++)
		a->tokens[i].row.fate = ROW_DELETED;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(a);
	return 0;
}

/* The last row counts, and no more. */
static void test_threat_a_count_beyond_the_rows_reads_nothing_behind_them(void **state)
{
	struct settings s = { .resync_fail_limit = 3 };
	struct policy p = { .require = STRENGTH_PHONE_OTP, .level = 1, .known = true };
	struct token *t = &a->tokens[TOKENS_MAX - 1];
	struct throttle *x = &a->throttles[THROTTLES_MAX - 1];
	struct recovery *r = &a->recoveries[RECOVERIES_MAX - 1];
	struct subscription *sub = &a->subscriptions[SUBSCRIPTIONS_MAX - 1];

	(void)state;
	assert_null(token_named(a, "A100"));
	assert_null(recovery_find(a, (const unsigned char[HASH_LEN]){ 1 }, NOW));
	assert_int_equal(throttle_total(a, THROTTLE_RESYNC, 9, NOW), 0);
	assert_false(proofing_has_credential(a, &(struct subscription){ .row.id = 5 }));
	assert_int_equal(policy_why(a, &p, &s, NOW), VERDICT_NONE);
	assert_null(token_subscription(a, &(struct token){ .subscription = 5 }));
	assert_int_equal(licence_addon_expiry(a, PRODUCT_HARDWARE, NOW), 0);

	*t = (struct token){ .row.id = 9,
		.kind = TOKEN_HARDWARE,
		.state = TOKEN_LOCKED,
		.subscription = 5,
		.account = 7,
		.serial = "A100" };
	*sub = (struct subscription){ .row.id = 5,
		.account = 7,
		.product = PRODUCT_HARDWARE,
		.state = SUBSCRIPTION_ACTIVE,
		.expires_at = NOW + DAY };
	*x = (struct throttle){ .kind = THROTTLE_RESYNC, .subject = 9, .count = 3 };
	r->account = 7;
	r->hash.len = HASH_LEN;
	assert_ptr_equal(token_named(a, "A100"), t);
	assert_ptr_equal(token_subscription(a, t), sub);
	assert_ptr_equal(recovery_find(a, (const unsigned char[HASH_LEN]){ 0 }, NOW), r);
	assert_true(proofing_has_credential(a, sub));
	assert_int_equal(policy_token(a, t, &s, NOW), VERDICT_TOKEN_OUT_OF_SYNC);
	/* Of another token, another kind, or another period: not its tries. */
	x->period = 1;
	assert_int_equal(policy_token(a, t, &s, NOW), VERDICT_TOKEN_LOCKED);
	x->period = 0;
	x->subject = 8;
	assert_int_equal(policy_token(a, t, &s, NOW), VERDICT_TOKEN_LOCKED);
}

static void test_threat_courses_beyond_the_rows(void **state)
{
	struct proofings *p = calloc(1, sizeof *p + sizeof(struct proofing));
	struct proofing *last, *row = NULL;
	unsigned char hash[HASH_LEN] = { 3 };

	(void)state;
	p->n = PROOFINGS_MAX + 1;
	last = &p->rows[PROOFINGS_MAX - 1];
	assert_int_equal(proofing_code_judge(p, hash, NOW, &row), VERDICT_PROOFING_CODE_WRONG);
	assert_null(proofing_issued(p, NOW));
	assert_null(proofing_under_way(p));
	*last = (struct proofing){ .state = PROOFING_ISSUED, .expires_at = NOW, .created_at = 5 };
	last->hash.len = HASH_LEN;
	memcpy(last->hash.data, hash, HASH_LEN);
	assert_int_equal(proofing_code_judge(p, hash, NOW, &row), VERDICT_OK);
	assert_ptr_equal(row, last);
	assert_ptr_equal(proofing_issued(p, NOW), last);
	/* The latest of two; one that is deleted is none. */
	p->rows[0] =
		(struct proofing){ .state = PROOFING_ISSUED, .expires_at = NOW, .created_at = 9 };
	assert_ptr_equal(proofing_issued(p, NOW), &p->rows[0]);
	p->rows[0].row.fate = ROW_DELETED;
	assert_ptr_equal(proofing_issued(p, NOW), last);
	last->row.fate = ROW_DELETED;
	assert_int_equal(proofing_code_judge(p, hash, NOW, &row), VERDICT_PROOFING_CODE_WRONG);
	p->rows[1] = (struct proofing){ .state = PROOFING_REQUESTED, .created_at = 1 };
	p->rows[2] = (struct proofing){ .state = PROOFING_MISSED, .created_at = 2 };
	assert_ptr_equal(proofing_under_way(p), &p->rows[2]);
	p->rows[2].created_at = 0;
	assert_ptr_equal(proofing_under_way(p), &p->rows[1]);
	free(p);
}

/* I1: only a phone that is in order otherwise waits for its proofing. */
static void test_I1_which_phones_wait(void **state)
{
	struct phone *p = &a->phones[PHONES_MAX - 1];
	struct subscription *s = &a->subscriptions[0];
	const struct settings settings = { .resync_fail_limit = 3 };
	const struct policy policy = { .require = STRENGTH_PHONE_OTP, .level = 1, .known = true };

	(void)state;
	*s = (struct subscription){ .row.id = 5,
		.account = 7,
		.product = PRODUCT_PHONE_US,
		.state = SUBSCRIPTION_ACTIVE,
		.proofing = PROOFING_WANTED,
		.expires_at = NOW };
	*p = (struct phone){ .row.id = 3, .account = 7, .subscription = 5, .state = PHONE_ACTIVE };
	assert_true(policy_phone_waits(a, p, NOW));
	assert_int_equal(policy_why(a, &policy, &settings, NOW), VERDICT_PROOFING_PENDING);
	assert_false(policy_phone_waits(a, p, NOW + 1)); /* expired */
	p->state = PHONE_PENDING;
	assert_false(policy_phone_waits(a, p, NOW));
	p->state = PHONE_ACTIVE;
	p->row.fate = ROW_DELETED;
	assert_false(policy_phone_waits(a, p, NOW));
	p->row.fate = ROW_CLEAN;
	s->proofing = PROOFING_PASSED;
	assert_false(policy_phone_waits(a, p, NOW));
	assert_int_equal(policy_why(a, &policy, &settings, NOW), VERDICT_NONE);
	/* I7: what was proven is lost with the last credential. */
	assert_false(proofing_lost(a, s));
	p->row.fate = ROW_DELETED;
	assert_true(proofing_lost(a, s));
	s->row.fate = ROW_DELETED;
	assert_false(proofing_lost(a, s));
}

/* L14: a revoked token is spoken of until there is another of its kind. */
static void test_L14_a_revoked_token_is_told_of_until_it_is_replaced(void **state)
{
	const struct settings s = { .resync_fail_limit = 3 };
	struct token *old = &a->tokens[0], *new = &a->tokens[1];

	(void)state;
	*old = (struct token){ .row.id = 1, .kind = TOKEN_HARDWARE, .state = TOKEN_REVOKED };
	assert_int_equal(policy_token_fault(a, old, &s, NOW), VERDICT_TOKEN_REVOKED);
	*new = (struct token){ .row.id = 2, .kind = TOKEN_HARDWARE, .state = TOKEN_ACTIVE };
	assert_int_equal(policy_token_fault(a, old, &s, NOW), VERDICT_NONE);
	new->row.fate = ROW_DELETED;
	assert_int_equal(policy_token_fault(a, old, &s, NOW), VERDICT_TOKEN_REVOKED);
	new->row.fate = ROW_CLEAN;
	new->kind = TOKEN_MOBILE;
	assert_int_equal(policy_token_fault(a, old, &s, NOW), VERDICT_TOKEN_REVOKED);
	old->row.fate = ROW_DELETED;
	assert_int_equal(policy_token_fault(a, old, &s, NOW), VERDICT_NONE);
}

static void test_words_of_states_that_do_not_exist(void **state)
{
	(void)state;
	assert_string_equal(terms_state_id(TERMS_ACCEPTED), "accepted");
	assert_string_equal(terms_state_id(TERMS_DUE), "due");
	assert_string_equal(terms_state_id((enum terms_state) - 1), "pending");
	assert_string_equal(terms_state_id((enum terms_state)99), "pending");
	assert_int_equal(
		proofing_next((enum proofing_outcome)99, PROOFING_CREDIT), PROOFING_CREDIT);
	assert_false(proofing_outcome_fits((enum proofing_outcome)99, PROOFING_CREDIT));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_threat_a_count_beyond_the_rows_reads_nothing_behind_them),
		T(test_threat_courses_beyond_the_rows),
		T(test_I1_which_phones_wait),
		T(test_L14_a_revoked_token_is_told_of_until_it_is_replaced),
		T(test_words_of_states_that_do_not_exist),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
