/* Several brokers at one store: processes that present one code at once, sent or
 * shown by a token (security.md 4), guess at once (security.md 5), and tell of one
 * thing at once. */
#include "tests/store/common.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BROKERS  4
#define REQUESTS 16 /* each: 64 clients in all */
#define ROUNDS   50

/* What the brokers do, and what the judge does before each round. */
struct race {
	void (*decide)(struct store_tick *t, struct script *s);
	void (*settle)(struct store_tick *t, struct script *s);
	void (*fresh)(struct store_tick *t, struct script *s);
	bool account; /* of alice is read */
};

struct shared {
	const struct race *race;
	volatile int ready[ROUNDS], won[ROUNDS];
	volatile int64_t counts[ROUNDS][BROKERS * REQUESTS]; /* how often a count was answered */
};

struct broker_script {
	struct script s; /* first */
	int round;
	bool won[REQUESTS];
	struct mail *mails[REQUESTS];
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

/* A token: the code that all present is that of counter 0 of this round. */
static void decide_move(struct store_tick *t, struct script *script)
{
	struct broker_script *b = (struct broker_script *)script;
	struct token *token = &store_account(t, "alice")->tokens[0];

	for (size_t i = 0; i < REQUESTS; i++) {
		b->won[i] = false;
		if (!store_active(t, i))
			continue;
		script->charge[i] = store_charge(t, i, THROTTLE_TOKEN, token->row.id, 0, 1);
		if (token->moving > b->round)
			continue;
		b->won[i] = true;
		token->moving = b->round + 1;
		store_mark_token(t, i, token, ROW_CHANGED);
	}
}

/* A mail that every request of every broker wants to go out. */
static void decide_tell(struct store_tick *t, struct script *script)
{
	struct broker_script *b = (struct broker_script *)script;

	for (size_t i = 0; i < REQUESTS; i++) {
		struct mail *m = store_add_mail(t);

		b->won[i] = false;
		b->mails[i] = m;
		if (!store_active(t, i))
			continue;
		script->charge[i] = store_charge(t, i, THROTTLE_SOURCE, b->round, 0, 1);
		*m = (struct mail){ .row.id = store_new_id(), .state = MAIL_WAITING };
		snprintf(m->once, sizeof m->once, "told:%d", b->round);
		store_mark_mail(t, i, m, ROW_NEW);
	}
}

static void settle_tell(struct store_tick *t, struct script *script)
{
	struct broker_script *b = (struct broker_script *)script;

	for (size_t i = 0; i < REQUESTS; i++)
		b->won[i] = store_active(t, i) && store_mail_was_new(t, b->mails[i]);
}

/* One round of one broker: losers are decided again until they are answered. */
static void present(struct fixture *f, struct shared *sh, int round)
{
	struct broker_script b = {
		.s.decide = sh->race->decide, .s.settle = sh->race->settle, .round = round
	};
	size_t left = REQUESTS;

	while (left > 0) {
		struct store_tick *t = begin(f, left);
		size_t still = 0;

		if (sh->race->account)
			store_want_account(t, "alice");
		run(t, &b.s);
		if (b.s.r == MAG_EBUSY) /* SQLite waits a second, which is not always enough */
			continue;
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

static void decide_reset(struct store_tick *t, struct script *s)
{
	(void)s;
	store_charge(
		t, 0, THROTTLE_TOKEN, store_account(t, "alice")->tokens[0].row.id, 0, STORE_RESET);
}

static void decide_nothing(struct store_tick *t, struct script *s)
{
	(void)t;
	(void)s;
}

/* The judge: a fresh code, all at once, then count. */
static void judge(struct fixture *f, struct shared *sh)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct script s = { .decide = sh->race->fresh };
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

static void race(void **state, const struct race *race)
{
	struct fixture *f = *state;
	pid_t pids[BROKERS];
	struct shared *sh =
		mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(sh, MAP_FAILED);
	sh->race = race; /* at the same place after fork */
	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
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

static void test_threat_04_concurrent_replay(void **state)
{
	static const struct race code = { decide_consume, NULL, decide_fresh, true };

	race(state, &code);
}

static void test_threat_04_concurrent_replay_of_a_tokens_code(void **state)
{
	static const struct race token = { decide_move, NULL, decide_reset, true };

	race(state, &token);
}

static void test_a_mail_that_all_brokers_write_is_there_once(void **state)
{
	static const struct race mail = { decide_tell, settle_tell, decide_nothing, false };

	race(state, &mail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_ONLY(test_threat_04_concurrent_replay),
		FILE_ONLY(test_threat_04_concurrent_replay_of_a_tokens_code),
		FILE_ONLY(test_a_mail_that_all_brokers_write_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
