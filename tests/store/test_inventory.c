/* The inventory: an import becomes stock as a whole or not at all; lists. */
#include "tests/store/common.h"

#include <time.h>

#define DAY 86400

/* Rows of one part of an import: serials "prefix-00000" on. */
static struct token *part(int64_t batch, const char *prefix, size_t from, size_t n)
{
	struct token *rows = calloc(n, sizeof *rows);
	int64_t first = store_new_ids();

	assert_non_null(rows);
	for (size_t i = 0; i < n; i++) {
		fill_token(&rows[i], "");
		rows[i].row.id = first + (int64_t)i;
		snprintf(rows[i].serial, sizeof rows[i].serial, "%s-%05zu", prefix, from + i);
		rows[i].batch = batch;
		rows[i].state = TOKEN_STAGED;
	}
	return rows;
}

static int stage(struct fixture *f, int64_t batch, const char *prefix, size_t from, size_t n)
{
	struct token *rows = part(batch, prefix, from, n);
	size_t taken = SIZE_MAX;
	int r = store_stage_tokens(f->s, rows, n, &taken);

	assert_int_equal(taken, SIZE_MAX);
	free(rows);
	return r;
}

struct page {
	size_t n;
	struct store_token_row rows[64];
};

static int on_token(const struct store_token_row *row, void *arg)
{
	struct page *p = arg;

	p->rows[p->n++] = *row;
	return p->n == 64 ? 1 : 0;
}

static size_t listed(struct fixture *f, int64_t state, struct page *p)
{
	p->n = 0;
	assert_int_equal(store_list_tokens(f->s, "", state, 60, on_token, p), 0);
	return p->n;
}

static void decide_look(struct store_tick *t, struct script *s)
{
	*(struct token *)s->arg = *store_token(t, "A-00001");
}

static struct token look(struct fixture *f)
{
	struct token found = { 0 };
	struct script s = { .decide = decide_look, .arg = &found };
	struct store_tick *t = begin(f, 1);

	store_want_token(t, "A-00001");
	run(t, &s);
	assert_int_equal(s.r, 0);
	return found;
}

static void test_staged_tokens_are_not_there(void **state)
{
	struct fixture *f = *state;
	struct store_token_row row = { 0 };
	struct page p = { 0 };
	int64_t n = 0;

	assert_int_equal(stage(f, 7, "A", 0, 3), 0);
	assert_int_equal(look(f).row.id, 0);
	assert_int_equal(listed(f, 0, &p), 0);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 3);
	assert_int_equal(store_find_token(f->s, "A-00001", &row), MAG_ENOTFOUND);
	assert_int_equal(store_commit_tokens(f->s, 7, 3, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(look(f).state, TOKEN_STOCK);
	assert_int_equal(look(f).row.version, 2);
	assert_int_equal(listed(f, 0, &p), 3);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 0);
	assert_int_equal(store_find_token(f->s, "A-00001", &row), 0);
	assert_string_equal(row.token.serial, "A-00001");
	assert_string_equal(row.account, "");
}

static void test_a_commit_takes_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct page p = { 0 };
	int64_t n = -1;

	assert_int_equal(stage(f, 7, "A", 0, 3), 0);
	assert_int_equal(stage(f, 7, "A", 3, 2), 0);
	assert_int_equal(stage(f, 8, "B", 0, 4), 0);
	assert_int_equal(store_commit_tokens(f->s, 7, 4, &n), MAG_ECONFLICT);
	assert_int_equal(store_commit_tokens(f->s, 7, 6, &n), MAG_ECONFLICT);
	assert_int_equal(store_commit_tokens(f->s, 9, 3, &n), MAG_ECONFLICT);
	assert_int_equal(n, -1);
	assert_int_equal(listed(f, 0, &p), 0);
	assert_int_equal(fault_arm("store.commit:fail:1"), 0);
	assert_int_not_equal(store_commit_tokens(f->s, 7, 5, &n), 0);
	assert_int_equal(fault_arm(""), 0);
	assert_int_equal(listed(f, 0, &p), 0);
	assert_int_equal(store_commit_tokens(f->s, 7, 5, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(listed(f, 0, &p), 5);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 4);                     /* the other import */
	assert_int_equal(store_commit_tokens(f->s, 7, 5, &n), MAG_ECONFLICT); /* once */
}

static void test_a_taken_serial_is_named_and_its_part_refused(void **state)
{
	struct fixture *f = *state;
	struct token *rows = part(7, "A", 0, 10);
	struct page p = { 0 };
	size_t taken = SIZE_MAX;

	assert_int_equal(stage(f, 6, "A", 6, 2), 0); /* another import has 6 and 7 */
	assert_int_equal(store_stage_tokens(f->s, rows, 10, &taken), MAG_EEXISTS);
	assert_int_equal(taken, 6);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 2);
	assert_int_equal(store_cancel_tokens(f->s, 6), 0);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 0);
	strcpy(rows[9].serial, rows[3].serial); /* in the part itself */
	assert_int_equal(store_stage_tokens(f->s, rows, 10, &taken), MAG_EEXISTS);
	assert_int_equal(taken, 9);
	rows[9].state = TOKEN_ACTIVE; /* nothing but staged rows */
	assert_int_equal(store_stage_tokens(f->s, rows, 10, &taken), MAG_EINVAL);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 0);
	assert_int_equal(stage(f, 7, "A", 0, 0), 0);
	free(rows);
}

static void test_an_import_nobody_committed_is_purged(void **state)
{
	struct fixture *f = *state;
	struct page p = { 0 };
	int64_t n = 0;

	assert_int_equal(stage(f, 7, "A", 0, 3), 0);
	assert_int_equal(stage(f, 8, "B", 0, 3), 0);
	assert_int_equal(store_commit_tokens(f->s, 8, 3, &n), 0);
	assert_int_equal(store_purge(f->s, "boot", "host", NOW + DAY), 0);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 3);
	assert_int_equal(store_purge(f->s, "boot", "host", NOW + DAY + 1), 0);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 0);
	assert_int_equal(listed(f, 0, &p), 3);
	assert_int_equal(stage(f, 9, "A", 0, 3), 0); /* the serials are free again */
}

static void test_an_import_that_was_killed_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct page p = { 0 };
	int64_t n = -1;

	assert_int_equal(stage(f, 7, "A", 0, 3), 0);
	assert_int_equal(stage(f, 8, "B", 0, 2), 0);
	assert_int_equal(store_commit_tokens(f->s, 8, 2, &n), 0);
	/* no such serial, one that is stock, one whose import still goes on */
	assert_int_equal(store_drop_import(f->s, "Z", NOW + DAY, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(store_drop_import(f->s, "B-00000", NOW + DAY, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(store_drop_import(f->s, "A-00001", NOW, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 3);
	assert_int_equal(store_drop_import(f->s, "A-00001", NOW + 1, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(listed(f, TOKEN_STAGED, &p), 0);
	assert_int_equal(listed(f, 0, &p), 2);
	/* its own end finds nothing to commit */
	assert_int_equal(store_commit_tokens(f->s, 7, 3, &n), MAG_ECONFLICT);
}

/* ---- lists ---- */

static void decide_pay(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct subscription *sub = store_add_subscription(t, a);

	(void)s;
	sub->row.id = store_new_id();
	sub->product = PRODUCT_HARDWARE;
	sub->state = SUBSCRIPTION_ACTIVE;
	sub->expires_at = NOW + 100;
	a->tokens[0].subscription = sub->row.id;
	store_mark_subscription(t, 0, sub, ROW_NEW);
	store_mark_token(t, 0, &a->tokens[0], ROW_CHANGED);
}

static void test_tokens_are_listed_by_pages(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_pay };
	struct store_tick *t = begin(f, 1);
	struct page p = { 0 };
	int64_t n = 0;

	make_account(f, "alice");
	make_token(f, "A-00005", "alice", TOKEN_LOCKED);
	store_want_account(t, "alice");
	run(t, &s);
	assert_int_equal(stage(f, 7, "A", 0, 5), 0);
	assert_int_equal(stage(f, 7, "A", 6, 5), 0);
	assert_int_equal(store_commit_tokens(f->s, 7, 10, &n), 0);
	assert_int_equal(store_list_tokens(f->s, "A-00003", 0, 3, on_token, &p), 0);
	assert_int_equal(p.n, 3);
	assert_string_equal(p.rows[0].token.serial, "A-00004");
	assert_string_equal(p.rows[1].token.serial, "A-00005");
	assert_string_equal(p.rows[1].account, "alice");
	assert_int_equal(p.rows[1].expires_at, NOW + 100);
	assert_string_equal(p.rows[2].account, "");
	assert_int_equal(p.rows[2].expires_at, 0);
	assert_int_equal(listed(f, TOKEN_LOCKED, &p), 1);
	assert_int_equal(listed(f, TOKEN_STOCK, &p), 10);
	assert_int_equal(listed(f, 0, &p), 11);
	assert_int_equal(store_list_tokens(f->s, "A-00010", 0, 3, on_token, &p), 0);
	assert_int_equal(p.n, 11); /* none was added */
}

/* ---- removal ---- */

static void decide_gone(struct store_tick *t, struct script *s)
{
	struct token *token = store_token(t, "H1");

	(void)s;
	assert_int_equal(token->state, TOKEN_REVOKED);
	assert_int_equal(token->state_since, NOW + 5);
	assert_int_equal(token->account, 0);
	assert_string_equal(token->label, "");
	assert_int_equal(store_token(t, "M1")->row.id, 0);
	assert_int_equal(store_token(t, "H2")->state, TOKEN_ACTIVE);
}

static void test_a_deleted_accounts_token_stays_revoked(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_gone };
	struct store_tick *t = begin(f, 1);
	struct aggregate *a = NULL;
	int64_t n = 0;

	make_account(f, "alice");
	make_account(f, "bob");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	make_token(f, "M1", "alice", TOKEN_ACTIVE);
	make_token(f, "H2", "bob", TOKEN_ACTIVE);
	assert_int_equal(store_count_credentials(f->s, &n), 0);
	assert_int_equal(n, 5); /* with two phones */
	assert_int_equal(store_delete_account(f->s, "alice", NOW + 5), 0);
	assert_int_equal(store_count_credentials(f->s, &n), 0);
	assert_int_equal(n, 2);
	store_want_token(t, "H1");
	store_want_token(t, "M1");
	store_want_token(t, "H2");
	run(t, &s);
	assert_int_equal(s.r, 0);
	make_account(f, "alice"); /* a namesake has nothing of it */
	a = load(f, "alice");
	assert_int_equal(a->n_tokens, 0);
	free(a);
}

/* ---- many ---- */

#define MANY     100000
#define PER_PART 200

static void test_a_large_import_is_quick(void **state)
{
	struct fixture *f = *state;
	struct timespec from, to;
	int64_t n = 0;
	double seconds = 0;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (size_t i = 0; i < MANY; i += PER_PART)
		assert_int_equal(stage(f, 7, "A", i, PER_PART), 0);
	assert_int_equal(store_commit_tokens(f->s, 7, MANY, &n), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	print_message("%d tokens in %.1f s\n", MANY, seconds);
	assert_int_equal(n, MANY);
	assert_true(seconds < 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_staged_tokens_are_not_there),
		BOTH(test_a_commit_takes_all_or_nothing),
		BOTH(test_a_taken_serial_is_named_and_its_part_refused),
		BOTH(test_an_import_nobody_committed_is_purged),
		BOTH(test_an_import_that_was_killed_is_dropped),
		BOTH(test_tokens_are_listed_by_pages),
		BOTH(test_a_deleted_accounts_token_stays_revoked),
		FILE_ONLY(test_a_large_import_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
