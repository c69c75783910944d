/* A store into another one (store_copy). */
#include <unistd.h>

#include "tests/store/common.h"

#define COUNTERS 600 /* more than two pages */
#define OBSERVED 300 /* more than one */

static int64_t last_rows, all_rows;
static bool compared;
static void progress(const char *table, int64_t rows, int64_t total, void *arg)
{
	(void)arg;
	if (!compared && strcmp(table, "comparing") == 0) {
		assert_int_equal(last_rows, all_rows);
		compared = true;
		last_rows = 0;
	}
	assert_true(rows >= last_rows && rows <= total);
	last_rows = rows;
	all_rows = total;
}

static void begin_copy(void)
{
	last_rows = 0;
	compared = false;
}

static void decide_charges(struct store_tick *t, struct script *s)
{
	(void)s;
	for (int64_t i = 0; i < COUNTERS; i++)
		store_charge(t, 0, THROTTLE_SOURCE, i % 50 - 20, i / 50, i % 7 + 1);
}

static void fill(struct fixture *f)
{
	struct script s = { .decide = decide_charges };

	make_challenge(f, "alice"); /* and the account */
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	for (int i = 0; i < 300; i++) {
		char serial[16];

		snprintf(serial, sizeof serial, "S%05d", i);
		make_token(f, serial, NULL, TOKEN_STOCK);
	}
	run(begin(f, 1), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(store_meta_set(f->s, "last_sweep", 12345), 0);
	for (int i = 0; i < OBSERVED; i++) {
		struct store_observed o = { .reason = "no-factor", .from = "192.0.2.1" };

		snprintf(o.account, sizeof o.account, "%c%d", i % 2 ? 'a' : 'B', i);
		assert_int_equal(store_observe(f->s, i % 3 ? "sshd" : "Su", &o, NOW), 0);
		if (i % 5 == 0)
			assert_int_equal(store_observe(f->s, "sshd", &o, NOW + i), 0);
	}
}

static int on_observed(const struct store_observed *row, void *arg)
{
	if (strcmp(row->account, "a5") == 0 && row->times == 2 && row->last_at == NOW + 5)
		(*(int *)arg)++;
	return 0;
}

static struct store *target(struct fixture *f, char url[160], const char *name)
{
	char err[STORE_ERROR_MAX] = "";
	struct store *to = NULL;

	snprintf(url, 160, "sqlite:%s/%s", f->dir, name);
	assert_int_equal(store_create(url, err), 0);
	assert_int_equal(store_open(url, &to, err), 0);
	return to;
}

static void test_every_row_arrives_and_comes_back(void **state)
{
	struct fixture *f = *state;
	char first[160], second[160];
	struct store *to = target(f, first, "first.db"), *back = target(f, second, "second.db");
	struct fixture there = { .s = to };
	struct aggregate *a = NULL;
	int64_t value = 0, n = 0;
	int seen = 0;

	fill(f);
	begin_copy();
	assert_int_equal(store_copy(f->s, to, progress, NULL), 0);
	assert_true(compared && last_rows == all_rows && all_rows >= 300 + COUNTERS + OBSERVED);
	a = load(&there, "alice");
	assert_int_equal(a->n_phones, 1);
	assert_int_equal(a->n_tokens, 1);
	free(a);
	assert_int_equal(counter(&there, THROTTLE_SOURCE, -20, 0), 1);
	assert_int_equal(store_list_observed(to, "sshd", &(struct store_observed){ 0 }, 1000,
				 on_observed, &seen),
		0);
	assert_int_equal(seen, 1);
	assert_int_equal(store_meta_get(to, "last_sweep", &value), 0);
	assert_int_equal(value, 12345);
	assert_int_equal(store_count_credentials(to, &n), 0);
	/* A second copy is as good as the first. */
	begin_copy();
	assert_int_equal(store_copy(to, back, progress, NULL), 0);
	there.s = back;
	make_account(&there, "bob");
	store_close(&to);
	store_close(&back);
}

static void test_half_a_copy_opens_for_nobody(void **state)
{
	struct fixture *f = *state;
	char url[160], err[STORE_ERROR_MAX] = "";
	struct store *to = target(f, url, "half.db");

	fill(f);
	begin_copy();
	assert_int_equal(fault_arm("store.claim:fail:20"), 0);
	assert_int_not_equal(store_copy(f->s, to, progress, NULL), 0);
	assert_int_equal(fault_arm(""), 0);
	store_close(&to);
	assert_int_equal(store_open(url, &to, err), MAG_ESCHEMA);
}

static void test_into_a_store_with_rows_is_refused(void **state)
{
	struct fixture *f = *state;
	char url[160];
	struct store *to = target(f, url, "used.db");
	struct fixture there = { .s = to };

	fill(f);
	make_account(&there, "alice");
	begin_copy();
	assert_int_not_equal(store_copy(f->s, to, progress, NULL), 0);
	store_close(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_every_row_arrives_and_comes_back),
		BOTH(test_half_a_copy_opens_for_nobody),
		BOTH(test_into_a_store_with_rows_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
