/* Several brokers at one store: processes that present one code at once
 * (security.md 4) and guess at once (security.md 5). */
#include "tests/store/common.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BROKERS  4
#define REQUESTS 16 /* each: 64 clients in all */
#define ROUNDS   50

struct shared {
	volatile int ready[ROUNDS], won[ROUNDS];
	volatile int64_t counts[ROUNDS][BROKERS * REQUESTS]; /* how often a count was answered */
};

struct broker_script {
	struct script s; /* first */
	bool won[REQUESTS];
};

static void decide_consume(struct store_tick *t, struct script *script)
{
	struct broker_script *b = (struct broker_script *)script;
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = &a->challenges[0];

	for (size_t i = 0; i < REQUESTS; i++) {
		b->won[i] = false;
		if (!store_active(t, i))
			continue;
		script->charge[i] = store_charge(t, i, THROTTLE_CHAIN, c->chain_id, 0, 1);
		if (c->state != CHALLENGE_LIVE)
			continue;
		b->won[i] = true;
		c->state = CHALLENGE_USED;
		store_mark_challenge(t, i, c, ROW_CHANGED);
	}
}

/* One round of one broker: losers are decided again until they are answered. */
static void present(struct fixture *f, struct shared *sh, int round)
{
	struct broker_script b = { .s.decide = decide_consume };
	size_t left = REQUESTS;

	while (left > 0) {
		struct store_tick *t = begin(f, left);
		size_t still = 0;

		store_want_account(t, "alice");
		run(t, &b.s);
		for (size_t i = 0; i < left; i++) {
			still += b.s.lost[i];
			if (b.s.lost[i] || b.s.failed[i])
				continue;
			__atomic_add_fetch(&sh->won[round], b.won[i], __ATOMIC_SEQ_CST);
			if (b.s.charged[i] >= 1 && b.s.charged[i] <= BROKERS * REQUESTS)
				__atomic_add_fetch(&sh->counts[round][b.s.charged[i] - 1], 1,
					__ATOMIC_SEQ_CST);
		}
		left = still;
	}
}

static int broker(struct fixture *f, struct shared *sh)
{
	char err[STORE_ERROR_MAX] = "";

	if (store_open(f->url, &f->s, err) != 0)
		return 1;
	for (int round = 0; round < ROUNDS; round++) {
		__atomic_add_fetch(&sh->ready[round], 1, __ATOMIC_SEQ_CST);
		while (sh->ready[round] < BROKERS + 1) /* the judge made the challenge */
			usleep(50);
		present(f, sh, round);
		__atomic_add_fetch(&sh->ready[round], 1, __ATOMIC_SEQ_CST);
	}
	store_close(&f->s);
	return 0;
}

static void decide_fresh(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = a->n_challenges > 0 ? &a->challenges[0] : store_add_challenge(t, a);
	enum row_fate fate = c->row.id != 0 ? ROW_CHANGED : ROW_NEW;

	(void)s;
	if (fate == ROW_NEW)
		fill_challenge(c, &a->account, &a->phones[0]);
	c->state = CHALLENGE_LIVE;
	store_mark_challenge(t, 0, c, fate);
	store_charge(t, 0, THROTTLE_CHAIN, c->chain_id, 0, STORE_RESET);
}

/* The judge: a fresh code, all at once, then count. */
static void judge(struct fixture *f, struct shared *sh)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct script s = { .decide = decide_fresh };
		struct store_tick *t = begin(f, 1);

		store_want_account(t, "alice");
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.lost[0] || s.failed[0]);
		__atomic_add_fetch(&sh->ready[round], 1, __ATOMIC_SEQ_CST);
		while (sh->ready[round] < 2 * BROKERS + 1)
			usleep(50);
		assert_int_equal(sh->won[round], 1);
		/* Every guess was charged once and saw a count of its own. */
		for (int i = 0; i < BROKERS * REQUESTS; i++)
			assert_int_equal(sh->counts[round][i], 1);
	}
}

static void test_threat_04_concurrent_replay(void **state)
{
	struct fixture *f = *state;
	pid_t pids[BROKERS];
	struct shared *sh =
		mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(sh, MAP_FAILED);
	make_account(f, "alice");
	store_close(&f->s); /* no connection is carried across fork */
	for (int i = 0; i < BROKERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			alarm(120);
			_exit(broker(f, sh));
		}
	}
	assert_int_equal(store_open(f->url, &f->s, (char[STORE_ERROR_MAX]){ "" }), 0);
	judge(f, sh);
	for (int i = 0; i < BROKERS; i++) {
		int status = -1;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	munmap(sh, sizeof *sh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_ONLY(test_threat_04_concurrent_replay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
