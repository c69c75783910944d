/* Ticks as handlers see them, over a file and in memory. */
#include "tests/store/common.h"

#include <sys/stat.h>

/* ---- rows go in and come back ---- */

static void test_account_comes_back_whole(void **state)
{
	struct fixture *f = *state;
	struct aggregate *a = NULL;

	make_account(f, "alice");
	a = load(f, "alice");
	assert_true(a->exists);
	assert_string_equal(a->account.name, "alice");
	assert_int_equal(a->account.row.version, 1);
	assert_int_equal(a->n_phones, 1);
	assert_string_equal(a->phones[0].masked, "0142");
	assert_int_equal(a->phones[0].number_hash.len, HASH_LEN);
	free(a);
	a = load(f, "bob");
	assert_false(a->exists);
	assert_int_equal(a->account.row.id, 0);
	free(a);
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

static void decide_challenge(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = store_add_challenge(t, a);

	(void)s;
	fill_challenge(c, &a->account, &a->phones[0]);
	store_mark_challenge(t, 0, c, ROW_NEW);
}

static int64_t make_challenge(struct fixture *f)
{
	struct script s = { .decide = decide_challenge };
	struct store_tick *t = begin(f, 1);
	struct aggregate *a = NULL;
	int64_t id = 0;

	make_account(f, "alice");
	assert_int_equal(store_want_account(t, "alice"), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	a = load(f, "alice");
	id = a->challenges[0].chain_id;
	free(a);
	return id;
}

static void test_two_requests_on_one_row_are_decided_in_order(void **state)
{
	struct fixture *f = *state;
	int won = 0;
	int64_t chain = make_challenge(f);
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
	assert_int_equal(a->challenges[0].row.version, 2);
	free(a);
}

#define BOTH(test) \
	cmocka_unit_test_setup_teardown(test, setup_memory, teardown), \
	cmocka_unit_test_setup_teardown(test, setup_file, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_account_comes_back_whole),
		BOTH(test_two_requests_on_one_row_are_decided_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
