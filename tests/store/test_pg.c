/* What a PostgreSQL server does to a tick: its answers come later, its deadlocks are
 * tried again, a lost answer to COMMIT is looked up. Run by postgresql.sh. */
#include "tests/store/common.h"

static bool have_server(void)
{
	if (getenv("MAGOTP_TEST_POSTGRESQL") == NULL)
		skip();
	return true;
}

static void decide_use(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct challenge *c = &a->challenges[0];

	for (size_t i = 0; i < store_n_requests(t); i++) {
		if (!store_active(t, i))
			continue;
		s->charge[i] = store_charge(t, i, THROTTLE_CHAIN, c->chain_id, 0, 1);
		c->used_at++;
		store_mark_challenge(t, i, c, ROW_CHANGED);
	}
}

static struct store_tick *use(struct fixture *f, size_t n)
{
	struct store_tick *t = begin(f, n);

	assert_int_equal(store_want_account(t, "alice"), 0);
	return t;
}

static int64_t used(struct fixture *f)
{
	struct aggregate *a = load(f, "alice");
	int64_t n = a->challenges[0].used_at;

	free(a);
	return n;
}

static void on_done(struct store_tick *t, int r, void *arg)
{
	struct script *s = arg;

	s->done++;
	s->r = r;
	store_tick_free(&t);
}

static void on_decide(struct store_tick *t, void *arg)
{
	decide_use(t, arg);
}

static void on_settle(struct store_tick *t, void *arg)
{
	(void)t;
	(void)arg;
}

/* The caller has his loop while the server works; nothing else gets between. */
static void test_a_tick_is_under_way_until_its_answer_comes(void **state)
{
	static const struct store_tick_ops ops = { on_decide, on_settle, on_done };
	struct fixture *f = *state;
	struct script s = { 0 };
	struct store_wait w = { 0 };
	int64_t n = 0;

	have_server();
	make_challenge(f, "alice");
	assert_false(store_waits(f->s, &w));
	store_submit(use(f, 1), &ops, &s);
	assert_int_equal(s.done, 0);
	assert_true(store_waits(f->s, &w));
	assert_true(w.fd >= 0 && w.ms > 0);
	assert_int_equal(store_count_credentials(f->s, &n), MAG_EBUSY);
	store_wait(f->s);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.r, 0);
	assert_int_equal(used(f), 1);
	assert_int_equal(store_count_credentials(f->s, &n), 0);
}

/* The first two writers of a counter are told of a deadlock, as the server itself would. */
static const char deadlocks_sql[] =
	"CREATE SEQUENCE tries;"
	"CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	" IF nextval('tries') <= 2 THEN"
	"  RAISE EXCEPTION 'on purpose' USING ERRCODE = '40P01'; END IF;"
	" RETURN NEW; END $$;"
	"CREATE TRIGGER in_the_way BEFORE INSERT ON throttle"
	" FOR EACH ROW EXECUTE FUNCTION in_the_way()";

static void test_a_deadlock_halves_the_tick_and_tries_again(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_use };
	size_t lost = 0;

	have_server();
	make_challenge(f, "alice");
	assert_int_equal(fault_sql(f->s, deadlocks_sql), 0);
	run(use(f, 8), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(s.decided, 3); /* of eight, of four, of two */
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(s.lost[i], i >= 2);
		assert_false(s.failed[i]);
		lost += s.lost[i];
	}
	assert_int_equal(lost, 6); /* a later tick has them */
	assert_int_equal(used(f), 2);
}

static void test_deadlocks_without_end_are_given_up(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_use };

	have_server();
	make_challenge(f, "alice");
	assert_int_equal(fault_sql(f->s, deadlocks_sql), 0);
	assert_int_equal(fault_sql(f->s, "ALTER SEQUENCE tries MINVALUE -1000 RESTART -1000"), 0);
	run(use(f, 1), &s);
	assert_int_equal(s.r, MAG_EBUSY);
	assert_true(s.failed[0]);
	assert_int_equal(used(f), 0);
}

/* COMMIT was done, its answer is lost: the rows tell. */
static void test_a_lost_answer_to_commit_is_looked_up(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_use };

	have_server();
	make_challenge(f, "alice");
	assert_int_equal(fault_arm("store.committed:fail:1"), 0);
	run(use(f, 1), &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0] || s.lost[0]);
	assert_int_equal(s.decided, 1);
	assert_int_equal(used(f), 1);
}

static void test_a_commit_that_never_came_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_use };

	have_server();
	make_challenge(f, "alice");
	assert_int_equal(fault_arm("store.commit:fail:1"), 0);
	run(use(f, 1), &s);
	assert_int_not_equal(s.r, 0);
	assert_true(s.failed[0]);
	assert_int_equal(used(f), 0);
	run(use(f, 1), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(used(f), 1);
}

/* Found, but what would make it durable everywhere fails: no "yes". */
static void test_what_is_seen_must_be_durable(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_use };

	have_server();
	make_challenge(f, "alice");
	assert_int_equal(fault_arm("store.committed:fail:1,store.commit:fail:2"), 0);
	run(use(f, 1), &s);
	assert_int_not_equal(s.r, 0);
	assert_true(s.failed[0]);
}

/* Sealed by a key that is not the current one any more: all of it is for a later tick. */
static void test_what_an_old_key_has_sealed_is_not_written(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_use };
	struct store_tick *t = NULL;

	have_server();
	make_challenge(f, "alice");
	assert_int_equal(
		fault_sql(f->s, "INSERT INTO data_key VALUES (77, 1, 1, 2, '', '', 0, 0)"), 0);
	for (uint32_t key = 76; key <= 77; key++) {
		t = use(f, 2);
		store_sealed_by(t, key);
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_int_equal(s.lost[0], key != 77);
		assert_int_equal(s.lost[1], key != 77);
		assert_false(s.failed[0]);
		assert_int_equal(used(f), key == 77 ? 2 : 0);
	}
	assert_int_equal(fault_sql(f->s, "UPDATE data_key SET state = 3"), 0);
	t = use(f, 1);
	store_sealed_by(t, 77);
	run(t, &s);
	assert_true(s.lost[0]);
	assert_int_equal(used(f), 2);
}

/* Whatever the server's or the role's defaults are. */
static void test_settings_of_the_connection_are_ours(void **state)
{
	struct fixture *f = *state;

	have_server();
	assert_int_equal(
		fault_sql(f->s, "ALTER ROLE magotp SET synchronous_commit = off;"
				"ALTER ROLE magotp SET statement_timeout = 0;"
				"ALTER ROLE magotp SET lock_timeout = 0;"
				"ALTER ROLE magotp SET idle_in_transaction_session_timeout = 0"),
		0);
	reopen(f);
	assert_int_equal(
		fault_sql(f->s,
			"DO $$ BEGIN"
			" ASSERT current_setting('synchronous_commit') = 'on';"
			" ASSERT current_setting('statement_timeout') = '5s';"
			" ASSERT current_setting('lock_timeout') = '3s';"
			" ASSERT current_setting('idle_in_transaction_session_timeout') = '10s';"
			" END $$"),
		0);
	assert_int_equal(fault_sql(f->s, "ALTER ROLE magotp RESET ALL"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY_ONLY(test_a_tick_is_under_way_until_its_answer_comes),
		MEMORY_ONLY(test_a_deadlock_halves_the_tick_and_tries_again),
		MEMORY_ONLY(test_deadlocks_without_end_are_given_up),
		MEMORY_ONLY(test_a_lost_answer_to_commit_is_looked_up),
		MEMORY_ONLY(test_a_commit_that_never_came_is_an_error),
		MEMORY_ONLY(test_what_is_seen_must_be_durable),
		MEMORY_ONLY(test_what_an_old_key_has_sealed_is_not_written),
		MEMORY_ONLY(test_settings_of_the_connection_are_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
