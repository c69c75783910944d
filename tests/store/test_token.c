/* Tokens and recovery codes in ticks: one row however it is found, one token of a
 * kind per account, counters that never grow old. */
#include "tests/store/common.h"

#define DAY 86400

static void run_well(struct store_tick *t, struct script *s)
{
	run(t, s);
	assert_int_equal(s->r, 0);
	assert_false(s->failed[0] || s->lost[0]);
}

/* ---- one row ---- */

static void decide_both_ways(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct token *token = store_token(t, "H1");

	assert_int_equal(a->n_tokens, 1);
	assert_ptr_equal(token, &a->tokens[0]);
	assert_ptr_not_equal(store_token(t, "H2"), token);
	assert_int_equal(store_token(t, "H2")->account, 0);
	assert_int_equal(store_token(t, "none")->row.id, 0);
	if (s->decided > 1)
		return;
	token->moving = 5;
	store_mark_token(t, 0, token, ROW_CHANGED);
	assert_int_equal(store_token(t, "H1")->moving, 5);
	assert_null(store_token(t, "not wanted"));
}

static void test_a_token_found_two_ways_is_one_row(void **state)
{
	struct fixture *f = *state;
	struct aggregate *a = NULL;

	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	make_token(f, "H2", NULL, TOKEN_STOCK);
	for (int by_uid = 0; by_uid < 2; by_uid++) {
		struct script s = { .decide = decide_both_ways };
		struct store_tick *t = begin(f, 1);

		store_want_token(t, "H1"); /* in whatever order they are wanted */
		if (by_uid)
			store_want_account_uid(t, 1000);
		store_want_account(t, "alice");
		store_want_token(t, "H2");
		store_want_token(t, "none");
		run_well(t, &s);
	}
	a = load(f, "alice");
	assert_int_equal(a->tokens[0].moving, 5);
	free(a);
}

/* What one request does through the account, the next sees under the serial, also
 * when each runs alone. */
static void decide_in_turn(struct store_tick *t, struct script *s)
{
	(void)s;
	if (store_active(t, 0)) {
		struct aggregate *a = store_account(t, "alice");

		a->tokens[0].moving++;
		store_mark_token(t, 0, &a->tokens[0], ROW_CHANGED);
	}
	if (store_active(t, 1)) {
		struct token *token = store_token(t, "H1");

		assert_int_equal(token->moving, 1);
		token->moving = 10;
		store_mark_token(t, 1, token, ROW_CHANGED);
	}
}

static void test_requests_in_turn_see_one_token(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_in_turn };
	struct store_tick *t = begin(f, 2);
	struct aggregate *a = NULL;

	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	store_want_account(t, "alice");
	store_want_token(t, "H1");
	assert_int_equal(fault_arm("store.claim:fail:1"), 0); /* so that each runs alone */
	run_well(t, &s);
	assert_int_equal(s.decided, 3);
	assert_false(s.failed[1] || s.lost[1]);
	a = load(f, "alice");
	assert_int_equal(a->tokens[0].moving, 10);
	free(a);
}

/* ---- from the inventory to an account ---- */

static void take(struct store_tick *t, struct script *s, size_t request, const char *serial)
{
	struct aggregate *a = store_account(t, "alice");
	struct token *token = store_token(t, serial);

	for (size_t i = 0; i < a->n_tokens; i++) {
		if (a->tokens[i].kind == TOKEN_HARDWARE && a->tokens[i].state != TOKEN_REVOKED)
			return; /* it has one */
	}
	token = store_take_token(t, a, token);
	assert_non_null(token);
	assert_ptr_equal(token, store_token(t, serial));
	assert_ptr_equal(token, store_take_token(t, a, token));
	assert_int_equal(token->account, a->account.row.id);
	token->state = TOKEN_ACTIVE;
	store_mark_token(t, request, token, ROW_CHANGED);
	++*(int *)s->arg;
}

static void decide_take(struct store_tick *t, struct script *s)
{
	*(int *)s->arg = 0;
	for (size_t i = 0; i < 2; i++) {
		if (store_active(t, i))
			take(t, s, i, i == 0 ? "H1" : "H2");
	}
}

static void test_H1_the_second_request_sees_what_the_first_took(void **state)
{
	struct fixture *f = *state;
	int taken = 0;
	struct script s = { .decide = decide_take, .arg = &taken };
	struct store_tick *t = begin(f, 2);
	struct aggregate *a = NULL;

	make_account(f, "alice");
	make_token(f, "H1", NULL, TOKEN_STOCK);
	make_token(f, "H2", NULL, TOKEN_STOCK);
	store_want_account(t, "alice");
	store_want_token(t, "H1");
	store_want_token(t, "H2");
	run_well(t, &s);
	assert_int_equal(taken, 1);
	a = load(f, "alice");
	assert_int_equal(a->n_tokens, 1);
	assert_string_equal(a->tokens[0].serial, "H1");
	free(a);
}

/* A token that another account of the tick has isn't taken from it. */
static void decide_steal(struct store_tick *t, struct script *s)
{
	struct aggregate *bob = store_account(t, "bob");

	(void)s;
	assert_null(store_take_token(t, bob, store_token(t, "H1")));
	assert_null(store_take_token(t, bob, store_token(t, "none")));
	assert_int_equal(bob->n_tokens, 0);
}

static void test_a_token_is_not_taken_from_another_account(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_steal };
	struct store_tick *t = begin(f, 1);

	make_account(f, "alice");
	make_account(f, "bob");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	store_want_account(t, "alice");
	store_want_account(t, "bob");
	store_want_token(t, "H1");
	store_want_token(t, "none");
	run_well(t, &s);
}

/* A handler that doesn't look (or a broker that can't see the other one's tick). */
static void decide_blind(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct token *token = store_token(t, "H2");

	(void)s;
	if (!store_active(t, 0))
		return;
	token->account = a->account.row.id;
	token->state = TOKEN_ACTIVE;
	store_mark_token(t, 0, token, ROW_CHANGED);
}

static void test_H1_a_second_token_loses(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_blind };
	struct store_tick *t = begin(f, 2);
	struct aggregate *a = NULL;

	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_LOCKED);
	make_token(f, "H2", NULL, TOKEN_STOCK);
	store_want_account(t, "alice");
	store_want_token(t, "H2");
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_true(s.lost[0]);
	assert_false(s.lost[1] || s.failed[1]);
	a = load(f, "alice");
	assert_int_equal(a->n_tokens, 1);
	free(a);
}

/* Revoke one, give another, in one tick: whichever id is the lower one. */
static void decide_exchange(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct token *old = store_token(t, s->arg);
	struct token *token = store_token(t, strcmp(s->arg, "H1") == 0 ? "H2" : "H1");

	old->state = TOKEN_REVOKED;
	store_mark_token(t, 0, old, ROW_CHANGED);
	if (token->account == 0)
		token = store_take_token(t, a, token);
	token->state = TOKEN_ACTIVE;
	store_mark_token(t, 0, token, ROW_CHANGED);
}

static void test_H8_one_tick_revokes_and_gives(void **state)
{
	struct fixture *f = *state;
	static char serials[2][3] = { "H1", "H2" };

	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	make_token(f, "H2", NULL, TOKEN_STOCK);
	for (int i = 0; i < 4; i++) { /* to and fro: the order of ids is met both ways */
		struct script s = { .decide = decide_exchange, .arg = serials[i % 2] };
		struct store_tick *t = begin(f, 1);
		struct aggregate *a = NULL;

		store_want_account(t, "alice");
		store_want_token(t, "H1");
		store_want_token(t, "H2");
		run_well(t, &s);
		a = load(f, "alice");
		assert_int_equal(a->n_tokens, 2);
		assert_string_equal(
			a->tokens[0].serial, serials[1 - i % 2]); /* not revoked first */
		assert_int_equal(a->tokens[1].state, TOKEN_REVOKED);
		free(a);
	}
}

/* ---- what an aggregate loads ---- */

static void decide_recoveries(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	(void)s;
	for (int i = 0; i < 12; i++) {
		struct recovery *r = store_add_recovery(t, a);

		assert_non_null(r);
		fill_recovery(r, &a->account);
		r->used_at = i == 0 ? NOW : 0;
		r->expires_at = i == 1 ? NOW : (i == 2 ? NOW + 1 : 0);
		store_mark_recovery(t, 0, r, ROW_NEW);
	}
}

static void decide_renew_recoveries(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	size_t n = a->n_recoveries;

	for (size_t i = 0; i < n; i++)
		store_mark_recovery(t, 0, &a->recoveries[i], ROW_DELETED);
	decide_recoveries(t, s);
}

static void test_recovery_codes_that_can_still_be_used_are_loaded(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_recoveries };

	make_account(f, "alice");
	for (int i = 0; i < 2; i++) { /* ten old ones make room for as many new ones */
		struct store_tick *t = begin(f, 1);
		struct aggregate *a = NULL;

		store_want_account(t, "alice");
		run_well(t, &s);
		a = load(f, "alice");
		assert_int_equal(a->n_recoveries, 10);
		for (size_t j = 0; j < a->n_recoveries; j++) {
			assert_int_equal(a->recoveries[j].used_at, 0);
			assert_int_not_equal(a->recoveries[j].expires_at, NOW);
		}
		free(a);
		s.decide = decide_renew_recoveries;
	}
}

static void test_many_revoked_tokens_leave_room(void **state)
{
	struct fixture *f = *state;
	struct aggregate *a = NULL;
	char serial[8];

	make_account(f, "alice");
	for (int i = 0; i < 30; i++) {
		snprintf(serial, sizeof serial, "R%02d", i);
		make_token(f, serial, "alice", TOKEN_REVOKED);
	}
	make_token(f, "H1", "alice", TOKEN_SUSPENDED);
	a = load(f, "alice");
	assert_int_equal(a->n_tokens, 4);
	assert_string_equal(a->tokens[0].serial, "H1");
	assert_int_equal(a->tokens[1].state, TOKEN_REVOKED);
	free(a);
}

/* ---- counters ---- */

static void decide_charge_token(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	int64_t id = a->tokens[0].row.id;

	s->charge[0] = store_charge(t, 0, THROTTLE_TOKEN, id, 0, 1);
	store_charge(t, 0, THROTTLE_RESYNC, id, 0, 1);
	store_charge(t, 0, THROTTLE_CREDENTIAL, id, NOW / DAY, 1);
	store_charge(t, 0, THROTTLE_ACTIVATION, a->account.row.id, 0, 1);
	store_charge(t, 0, THROTTLE_STREAK, a->account.row.id, 0, 1);
}

static int64_t count_of(const struct aggregate *a, int64_t kind)
{
	int64_t n = 0;

	for (size_t i = 0; i < a->n_throttles; i++)
		n += a->throttles[i].kind == kind ? a->throttles[i].count : 0;
	return n;
}

static void decide_copy(struct store_tick *t, struct script *s)
{
	*(struct aggregate *)s->arg = *store_account(t, "alice");
}

/* Five wrong codes lock, five failed resyncs and five wrong pairs need an
 * administrator (H4, H13), however many months lie between them. */
static void test_H4_H13_counters_of_tokens_never_grow_old(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_charge_token };
	struct aggregate *a = NULL;
	struct store_tick *t = NULL;
	int64_t later = NOW + 400 * DAY;

	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	for (int i = 1; i <= 2; i++) {
		t = begin(f, 1);
		store_want_account(t, "alice");
		run_well(t, &s);
		assert_int_equal(s.charged[0], i);
	}
	a = load(f, "alice");
	assert_int_equal(count_of(a, THROTTLE_CREDENTIAL), 2);
	assert_int_equal(count_of(a, THROTTLE_STREAK), 2);
	assert_int_equal(store_purge(f->s, "boot", "host", later), 0);
	s = (struct script){ .decide = decide_copy, .arg = a, .f = f };
	assert_int_equal(store_tick_new(f->s, later, &t), 0);
	assert_int_equal(store_request(t, NULL), 0);
	store_want_account(t, "alice");
	run_well(t, &s);
	assert_int_equal(count_of(a, THROTTLE_TOKEN), 2);
	assert_int_equal(count_of(a, THROTTLE_RESYNC), 2);
	assert_int_equal(count_of(a, THROTTLE_ACTIVATION), 2);
	assert_int_equal(count_of(a, THROTTLE_CREDENTIAL), 0);
	assert_int_equal(count_of(a, THROTTLE_STREAK), 0);
	free(a);
}

/* The fifth wrong code locks: known only after the claim. */
static void decide_wrong(struct store_tick *t, struct script *s)
{
	s->charge[0] = store_charge(
		t, 0, THROTTLE_TOKEN, store_account(t, "alice")->tokens[0].row.id, 0, 1);
}

static void settle_lock(struct store_tick *t, struct script *s)
{
	struct token *token = &store_account(t, "alice")->tokens[0];

	if (s->charged[0] < 5)
		return;
	token->state = TOKEN_LOCKED;
	store_mark_token(t, 0, token, ROW_CHANGED);
}

static void test_H4_a_token_is_locked_in_settle(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_wrong, .settle = settle_lock };

	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	for (int i = 1; i <= 5; i++) {
		struct store_tick *t = begin(f, 1);
		struct aggregate *a = NULL;

		store_want_account(t, "alice");
		run_well(t, &s);
		a = load(f, "alice");
		assert_int_equal(a->tokens[0].state, i < 5 ? TOKEN_ACTIVE : TOKEN_LOCKED);
		free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_a_token_found_two_ways_is_one_row),
		BOTH(test_requests_in_turn_see_one_token),
		BOTH(test_H1_the_second_request_sees_what_the_first_took),
		BOTH(test_a_token_is_not_taken_from_another_account),
		BOTH(test_H1_a_second_token_loses),
		BOTH(test_H8_one_tick_revokes_and_gives),
		BOTH(test_recovery_codes_that_can_still_be_used_are_loaded),
		BOTH(test_many_revoked_tokens_leave_room),
		BOTH(test_H4_H13_counters_of_tokens_never_grow_old),
		BOTH(test_H4_a_token_is_locked_in_settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
