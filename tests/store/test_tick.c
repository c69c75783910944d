/* Ticks as handlers see them, over a file and in memory. */
#include "tests/store/common.h"

/* ---- rows go in and come back ---- */

static void test_account_comes_back(void **state)
{
	struct fixture *f = *state;
	struct aggregate *a = NULL;

	make_account(f, "alice");
	a = load(f, "alice");
	assert_true(a->exists);
	assert_string_equal(a->account.name, "alice");
	assert_true(a->account.row.version > 0);
	assert_int_equal(a->n_phones, 1);
	assert_string_equal(a->phones[0].masked, "0142");
	assert_int_equal(a->phones[0].number_hash.len, HASH_LEN);
	free(a);
	a = load(f, "bob");
	assert_false(a->exists);
	assert_int_equal(a->account.row.id, 0);
	free(a);
}

/* Much happens to one account: it stays readable, and there is room for more. */
static void decide_busy_account(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = store_add_challenge(t, a);
	struct subscription *sub = store_add_subscription(t, a);
	int64_t i = *(int64_t *)s->arg;

	assert_non_null(c);
	assert_non_null(sub);
	fill_challenge(c, &a->account, &a->phones[0]);
	c->created_at = NOW - 1000 + i;
	sub->row.id = store_new_id();
	sub->product = PRODUCT_PHONE_US;
	sub->state = i == 3 ? SUBSCRIPTION_ACTIVE : SUBSCRIPTION_EXPIRED;
	sub->expires_at = NOW + i;
	store_mark_challenge(t, 0, c, ROW_NEW);
	store_mark_subscription(t, 0, sub, ROW_NEW);
	store_charge(t, 0, THROTTLE_CHAIN, c->chain_id, 0, 1);
	store_charge(t, 0, THROTTLE_SEND_ACCOUNT, a->account.row.id, NOW / 3600 - i, 1);
}

static void test_a_busy_account_stays_readable(void **state)
{
	struct fixture *f = *state;
	int64_t i = 0;
	struct script s = { .decide = decide_busy_account, .arg = &i };
	struct aggregate *a = NULL;

	make_account(f, "alice");
	for (i = 0; i < 300; i++) {
		struct store_tick *t = begin(f, 1);

		store_want_account(t, "alice");
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.failed[0] || s.lost[0]);
		/* An hour goes by, for the counters. */
		fault_sql(f->s, "UPDATE throttle SET last_at = last_at - 3600 WHERE kind = 7");
	}
	a = load(f, "alice");
	assert_true(a->exists);
	assert_int_equal(a->challenges[0].created_at, NOW - 1000 + 299); /* the newest first */
	assert_int_equal(a->subscriptions[0].state, SUBSCRIPTION_ACTIVE);
	assert_true(a->n_throttles >= 12 && a->n_challenges >= 12);
	free(a);
}

/* ---- one row, one pointer ---- */

static void decide_same(struct store_tick *t, struct script *s)
{
	struct aggregate *by_name = store_account(t, "alice");
	struct aggregate *by_uid = store_account_uid(t, 1000);

	(void)s;
	assert_ptr_equal(by_name, by_uid);
	assert_ptr_equal(by_name, store_account(t, "alice"));
	assert_ptr_not_equal(by_name, store_account(t, "bob"));
	assert_null(store_account(t, "nobody wanted me"));
	assert_false(store_account_uid(t, 4711)->exists);
	assert_false(store_account_uid(t, 4294967295)->exists);
}

static void test_account_by_name_and_by_uid_is_one(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_same };
	struct store_tick *t = NULL;

	make_account(f, "alice");
	t = begin(f, 1);
	store_want_account_uid(t, 1000);
	store_want_account(t, "alice");
	store_want_account(t, "bob");
	store_want_account_uid(t, 4711);
	store_want_account_uid(t, 4294967295);
	run(t, &s);
	assert_int_equal(s.r, 0);
}

static void decide_uid(struct store_tick *t, struct script *s)
{
	*(bool *)s->arg = store_account_uid(t, 1000)->exists;
}

static void test_a_uid_two_accounts_have_finds_none(void **state)
{
	struct fixture *f = *state;
	bool found = false;
	struct script s = { .decide = decide_uid, .arg = &found };

	for (int i = 0; i < 2; i++) {
		struct store_tick *t = NULL;

		make_account(f, i == 0 ? "alice" : "alice2");
		t = begin(f, 1);
		store_want_account_uid(t, 1000);
		run(t, &s);
		assert_int_equal(found, i == 0);
	}
}

static void fill_session(struct session *row, int64_t sid, int64_t account)
{
	*row = (struct session){ .row.id = store_new_id(),
		.sid = sid,
		.account = account,
		.loginuid = 1000,
		.since = NOW,
		.expires_at = NOW + 86400,
		.strength = 3 };
	strcpy(row->boot, "boot");
	strcpy(row->host, "host");
}

static void decide_sessions(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	(void)s;
	for (int64_t sid = 1; sid <= 6; sid++) {
		struct session *row = store_session(t, "boot", "host", sid);

		fill_session(row, sid, a->account.row.id);
		if (sid == 6)
			row->ended_at = NOW;
		store_mark_session(t, 0, row, ROW_NEW);
	}
}

static void decide_sessions_again(struct store_tick *t, struct script *s)
{
	size_t n = 0;
	struct session *list = store_sessions_of(t, "alice", &n);
	struct session *third = store_session(t, "boot", "host", 3);
	bool found = false;

	(void)s;
	assert_int_equal(n, 5); /* the ended one is not live */
	for (size_t i = 0; i < n; i++)
		found = found || &list[i] == third;
	assert_true(found);
	assert_int_equal(store_session(t, "boot", "host", 6)->ended_at, NOW);
	assert_int_equal(store_session(t, "boot", "other", 3)->row.id, 0);
	store_sessions_of(t, "bob", &n);
	assert_int_equal(n, 0);
}

static void test_a_session_found_two_ways_is_one_row(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_sessions };
	struct store_tick *t = begin(f, 1);

	store_want_account(t, "alice");
	for (int64_t sid = 1; sid <= 6; sid++)
		store_want_session(t, "boot", "host", sid);
	make_account(f, "alice");
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0]);

	s.decide = decide_sessions_again;
	t = begin(f, 1);
	store_want_session(t, "boot", "host", 3);
	store_want_session(t, "boot", "host", 6);
	store_want_session(t, "boot", "other", 3);
	store_want_sessions_of(t, "alice");
	store_want_sessions_of(t, "bob");
	run(t, &s);
	assert_int_equal(s.r, 0);
}

/* ---- two requests, one row ---- */

static void decide_two(struct store_tick *t, struct script *s)
{
	for (size_t i = 0; i < 2; i++) {
		struct aggregate *a = store_account(t, "alice");
		struct challenge *c = &a->challenges[0];

		assert_int_equal(a->n_challenges, 1);
		s->charge[i] = store_charge(t, i, THROTTLE_CHAIN, c->chain_id, 0, 1);
		if (c->state != CHALLENGE_LIVE)
			continue; /* the second finds it used */
		c->state = CHALLENGE_USED;
		store_mark_challenge(t, i, c, ROW_CHANGED);
		++*(int *)s->arg;
	}
}

static void test_two_requests_on_one_row_are_decided_in_order(void **state)
{
	struct fixture *f = *state;
	int won = 0;
	int64_t chain = make_challenge(f, "alice");
	struct script s = { .decide = decide_two, .arg = &won };
	struct store_tick *t = begin(f, 2);
	struct aggregate *a = NULL;

	assert_int_equal(store_want_account(t, "alice"), 0);
	assert_int_equal(store_want_account(t, "alice"), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(won, 1);
	assert_int_equal(s.charged[0], 1);
	assert_int_equal(s.charged[1], 2);
	assert_int_equal(counter(f, THROTTLE_CHAIN, chain, 0), 2);
	a = load(f, "alice");
	assert_int_equal(a->challenges[0].state, CHALLENGE_USED);
	assert_true(a->challenges[0].row.version > 0);
	free(a);
}

/* A code that is sent again: two challenges name one chain, and its counter counts once. */
static void decide_resend(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = store_add_challenge(t, a);

	fill_challenge(c, &a->account, &a->phones[0]);
	c->chain_id = *(int64_t *)s->arg;
	store_mark_challenge(t, 0, c, ROW_NEW);
	store_charge(t, 0, THROTTLE_CHAIN, c->chain_id, 0, 1);
}

static void test_a_chain_of_two_codes_has_one_counter(void **state)
{
	struct fixture *f = *state;
	int64_t chain = make_challenge(f, "alice");
	struct script s = { .decide = decide_resend, .arg = &chain };
	struct store_tick *t = begin(f, 1);
	struct aggregate *a = NULL;

	assert_int_equal(store_want_account(t, "alice"), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	a = load(f, "alice");
	assert_int_equal(a->n_challenges, 2);
	assert_int_equal(a->n_throttles, 1);
	assert_int_equal(a->throttles[0].subject, chain);
	assert_int_equal(a->throttles[0].count, 1);
	free(a);
}

/* ---- settle ---- */

static int64_t claimed; /* the version of that row */

static void decide_login(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = &a->challenges[0];

	*(int64_t *)s->arg = c->row.version;
	c->state = CHALLENGE_USED;
	store_mark_challenge(t, 0, c, ROW_CHANGED);
}

static void settle_login(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = &a->challenges[0];
	struct login *l = store_login(t, 77);

	claimed = c->row.version;
	assert_int_not_equal(claimed, *(int64_t *)s->arg);
	c->used_at = NOW;
	store_mark_challenge(t, 0, c, ROW_CHANGED);
	fill_login(l, a->account.row.id, 77);
	l->verified_at = NOW;
	l->verdict = 9;
	l->answer.len = 3;
	memcpy(l->answer.data, "yes", 3);
	store_mark_login(t, 0, l, ROW_NEW);
}

static void decide_look_login(struct store_tick *t, struct script *s)
{
	struct login *l = store_login(t, 77);
	struct aggregate *a = store_account(t, "alice");

	(void)s;
	assert_true(l->row.version > 0);
	assert_int_equal(l->verdict, 9);
	assert_memory_equal(l->answer.data, "yes", 3);
	assert_int_equal(store_history(t, "alice")->latest.row.id, 77);
	assert_int_equal(store_history(t, "alice")->previous.row.id,
		0); /* the own login is not the previous one */
	assert_int_equal(a->challenges[0].used_at, NOW);
	assert_int_not_equal(a->challenges[0].row.version, claimed);
}

static void test_rows_marked_in_settle_are_committed(void **state)
{
	struct fixture *f = *state;
	int64_t before = 0;
	struct script s = { .decide = decide_login, .settle = settle_login, .arg = &before };
	struct store_tick *t = NULL;

	make_challenge(f, "alice");
	t = begin(f, 1);
	store_want_account(t, "alice");
	store_want_login(t, 77);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0] || s.lost[0]);

	s = (struct script){ .decide = decide_look_login };
	t = begin(f, 1);
	store_want_account(t, "alice");
	store_want_history(t, "alice");
	store_want_login(t, 77);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(load_history(f).previous.row.id, 77); /* to others it is */
}

/* ---- deleted and new in one place ---- */

static void decide_replace(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct phone *p = store_add_phone(t, a);

	(void)s;
	fill_phone(p, &a->account, a->phones[0].slot);
	strcpy(p->masked, "9999");
	store_mark_phone(t, 0, p, ROW_NEW);
	store_mark_phone(t, 0, &a->phones[0], ROW_DELETED);
	assert_int_equal(a->phones[0].row.fate, ROW_DELETED);
}

static void test_a_new_phone_takes_a_deleted_ones_place(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_replace };
	struct store_tick *t = NULL;
	struct aggregate *a = NULL;

	make_account(f, "alice");
	t = begin(f, 1);
	store_want_account(t, "alice");
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.lost[0] || s.failed[0]);
	a = load(f, "alice");
	assert_int_equal(a->n_phones, 1);
	assert_string_equal(a->phones[0].masked, "9999");
	free(a);
}

/* A row whose place is taken is a lost race, not a fault of the whole tick. */
static void decide_taken(struct store_tick *t, struct script *s)
{
	for (size_t i = 0; i < 2; i++) {
		struct licence *l = NULL;

		if (!store_active(t, i))
			continue;
		l = store_add_licence(t);
		l->row.id = store_new_id();
		l->hash.len = HASH_LEN;
		memset(l->hash.data, i == 0 ? 'a' : 'b', HASH_LEN);
		l->product = PRODUCT_PHONE_US;
		l->state = LICENCE_FREE;
		store_mark_licence(t, i, l, ROW_NEW);
	}
	(void)s;
}

static void test_a_taken_key_is_a_lost_race(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_taken };
	unsigned char hash[HASH_LEN];

	for (size_t n = 1; n <= 2; n++) {
		run(begin(f, n), &s);
		assert_int_equal(s.r, 0);
		assert_int_equal(s.lost[0], n == 2); /* 'a' is there already */
		assert_false(s.lost[1] || s.failed[0] || s.failed[1]);
		assert_int_equal(s.decided, n); /* again without the loser */
	}
	memset(hash, 'b', HASH_LEN);
	s.decide = NULL;
	run(begin(f, 1), &s);
	assert_int_equal(s.r, 0);
}

/* ---- counters ---- */

static void decide_counts(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	int64_t id = a->account.row.id;
	struct throttle *own = store_throttle(t, THROTTLE_ACCOUNT, id, 5);
	struct throttle *foreign = store_throttle(t, THROTTLE_SOURCE, 99, 5);

	s->charge[0] = store_charge(t, 0, THROTTLE_ACCOUNT, id, 5, 1);
	s->charge[1] = store_charge(t, 1, THROTTLE_ACCOUNT, id, 5, 1);
	s->charge[2] = store_charge(t, 2, THROTTLE_SOURCE, 99, 5, 4);
	assert_int_equal(own->count, *(int64_t *)s->arg + 2);
	assert_int_equal(foreign->count, 4);
	/* A wanted counter of the account is the one in its aggregate. */
	assert_true(own >= a->throttles && own < a->throttles + a->n_throttles);
}

static void settle_counts(struct store_tick *t, struct script *s)
{
	(void)s;
	assert_int_equal(store_charge(t, 2, THROTTLE_SOURCE, 99, 5, -9), 0);
	assert_int_equal(store_throttle(t, THROTTLE_SOURCE, 99, 5)->count, 0);
	store_charge(t, 2, THROTTLE_SEND_NUMBER, 1234, 1, -1);
	store_charge(t, 2, THROTTLE_SEND_NUMBER, 1234, 2, STORE_RESET);
}

static void test_counters_add_up_and_never_fall_below_zero(void **state)
{
	struct fixture *f = *state;
	int64_t before = 0, id = 0;
	struct script s = { .decide = decide_counts, .settle = settle_counts, .arg = &before };
	struct aggregate *a = NULL;

	make_account(f, "alice");
	a = load(f, "alice");
	id = a->account.row.id;
	free(a);
	for (int i = 0; i < 2; i++, before += 2) {
		struct store_tick *t = begin(f, 3);

		store_want_throttle(t, THROTTLE_ACCOUNT, id, 5);
		store_want_throttle(t, THROTTLE_SOURCE, 99, 5);
		store_want_account(t, "alice");
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_int_equal(s.charged[0], before + 1);
		assert_int_equal(s.charged[1], before + 2);
		assert_int_equal(s.charged[2], 4);
	}
	assert_int_equal(counter(f, THROTTLE_ACCOUNT, id, 5), 4);
	assert_int_equal(counter(f, THROTTLE_SOURCE, 99, 5), 0);
	assert_int_equal(counter(f, THROTTLE_SEND_NUMBER, 1234, 1), 0);
}

static void decide_streak(struct store_tick *t, struct script *s)
{
	s->charge[0] = store_charge(t, 0, THROTTLE_STREAK, 5, 0, 1);
	s->charge[1] = store_charge(t, 0, THROTTLE_STREAK, 5, 0, STORE_RESET);
	s->charge[2] = store_charge(t, 0, THROTTLE_STREAK, 5, 0, 2);
}

static void test_reset_sets_zero_in_its_place(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_streak };

	for (int i = 0; i < 2; i++) {
		run(begin(f, 3), &s);
		assert_int_equal(s.charged[0], i == 0 ? 1 : 3);
		assert_int_equal(s.charged[2], 2);
	}
	assert_int_equal(counter(f, THROTTLE_STREAK, 5, 0), 2);
}

static void decide_unknown_charge(struct store_tick *t, struct script *s)
{
	(void)s;
	assert_int_equal(store_charged(t, 0), INT64_MAX);
	assert_int_equal(store_charged(t, -1), INT64_MAX);
	store_charge(t, 0, THROTTLE_CHAIN, 1, 0, 1);
	assert_int_equal(store_charged(t, 0), INT64_MAX); /* not claimed yet */
}

static void test_what_is_not_charged_is_over_every_cap(void **state)
{
	struct script s = { .decide = decide_unknown_charge };

	run(begin(*state, 1), &s);
	assert_int_equal(s.r, 0);
}

/* ---- L10: every login commits ---- */

static void decide_touch(struct store_tick *t, struct script *s)
{
	(void)s;
	store_touch(t);
}

static void test_L10_a_touched_tick_writes(void **state)
{
	struct fixture *f = *state;
	struct script s = { 0 };

	assert_int_equal(fault_arm("store.commit:fail:1"), 0);
	run(begin(f, 1), &s); /* nothing to write: no commit */
	assert_int_equal(s.r, 0);
	s.decide = decide_touch;
	run(begin(f, 1), &s);
	assert_int_equal(s.r, MAG_ESTORE);
	run(begin(f, 1), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(counter(f, THROTTLE_DECOY, 0, 0), 1);
}

/* ---- mistakes of handlers ---- */

static void decide_nonsense(struct store_tick *t, struct script *s)
{
	struct login *l = store_login(t, 5);

	(void)s;
	if (store_active(t, 0))
		store_mark_login(t, 0, l, ROW_CHANGED); /* it isn't there */
	if (store_active(t, 1))
		store_charge(t, 1, THROTTLE_CHAIN, 7, 0, 1);
}

static void test_changing_a_row_that_is_not_there_fails_alone(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_nonsense };
	struct store_tick *t = begin(f, 2);

	store_want_login(t, 5);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_true(s.failed[0]);
	assert_false(s.failed[1]);
	assert_int_equal(counter(f, THROTTLE_CHAIN, 7, 0), 1);
}

static void test_an_empty_tick_is_done(void **state)
{
	struct script s = { 0 };

	run(begin(*state, 0), &s);
	assert_int_equal(s.r, 0);
}

static void test_ids_are_positive_and_differ(void **state)
{
	int64_t last = 0;

	(void)state;
	assert_true(store_new_ids() > 0 && store_new_ids() % STORE_IDS == 0);
	assert_int_not_equal(store_new_ids(), store_new_ids());
	for (int i = 0; i < 1000; i++) {
		int64_t id = store_new_id();

		assert_true(id > 0 && id != last);
		last = id;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_account_comes_back),
		BOTH(test_a_busy_account_stays_readable),
		BOTH(test_account_by_name_and_by_uid_is_one),
		BOTH(test_a_uid_two_accounts_have_finds_none),
		BOTH(test_a_session_found_two_ways_is_one_row),
		BOTH(test_two_requests_on_one_row_are_decided_in_order),
		BOTH(test_a_chain_of_two_codes_has_one_counter),
		BOTH(test_rows_marked_in_settle_are_committed),
		BOTH(test_a_new_phone_takes_a_deleted_ones_place),
		BOTH(test_a_taken_key_is_a_lost_race),
		BOTH(test_counters_add_up_and_never_fall_below_zero),
		BOTH(test_reset_sets_zero_in_its_place),
		BOTH(test_what_is_not_charged_is_over_every_cap),
		BOTH(test_L10_a_touched_tick_writes),
		BOTH(test_changing_a_row_that_is_not_there_fails_alone),
		BOTH(test_an_empty_tick_is_done),
		cmocka_unit_test(test_ids_are_positive_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
