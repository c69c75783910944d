/* Courses of identity proofing in the store, and who waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"

/* What a test wants of bob. */
struct wish {
	const char *name;
	int64_t need, state, expires;
	int courses;
};

static void decide_wish(struct store_tick *t, struct script *s)
{
	const struct wish *w = s->arg;
	struct aggregate *a = store_account(t, w->name);
	struct proofings *all = store_proofings(t, w->name);
	struct subscription *sub = store_add_subscription(t, a);

	sub->row.id = store_new_id();
	sub->product = PRODUCT_HARDWARE;
	sub->state = w->state;
	sub->level = 2;
	sub->proofing = w->need;
	sub->expires_at = w->expires;
	store_mark_subscription(t, 0, sub, ROW_NEW);
	for (int i = 0; i < w->courses; i++) {
		struct proofing *p = store_add_proofing(t, all);

		assert_non_null(p);
		*p = (struct proofing){ .row.id = store_new_id(),
			.account = a->account.row.id,
			.subscription = sub->row.id,
			.state = i == w->courses - 1 ? PROOFING_ISSUED : PROOFING_FAILED,
			.method = PROOFING_IN_PERSON,
			.outcome = PROOFED_OTHER,
			.hash.len = HASH_LEN,
			.agent = "carol",
			.created_at = NOW + i,
			.agreed_at = NOW - 1,
			.appointment_at = NOW + 10 + i,
			.decided_at = NOW - 3,
			.expires_at = NOW + 20 + i };
		memset(p->hash.data, i, HASH_LEN);
		store_mark_proofing(t, 0, p, ROW_NEW);
	}
}

static int grant(struct fixture *f, const struct wish *w)
{
	struct script s = { .decide = decide_wish, .arg = (void *)w };
	struct store_tick *t;

	make_account(f, w->name);
	t = begin(f, 1);
	store_want_account(t, w->name);
	store_want_proofings(t, w->name);
	run(t, &s);
	return s.r;
}

static void decide_copy(struct store_tick *t, struct script *s)
{
	memcpy(s->arg, store_proofings(t, "bob"), sizeof(struct proofings));
}

static void courses(struct fixture *f, struct proofings *all_r)
{
	struct script s = { .decide = decide_copy, .arg = all_r };
	struct store_tick *t = begin(f, 1);

	store_want_proofings(t, "bob");
	run(t, &s);
	assert_int_equal(s.r, 0);
}

static void decide_change(struct store_tick *t, struct script *s)
{
	struct proofings *all = store_proofings(t, "bob");

	(void)s;
	all->rows[0].state = PROOFING_DONE;
	all->rows[0].used_at = NOW + 99;
	store_mark_proofing(t, 0, &all->rows[0], ROW_CHANGED);
}

/* The eight latest of eleven, the latest first; a change stays. */
static void test_the_latest_courses(void **state)
{
	struct fixture *f = *state;
	const struct wish bob = { "bob", PROOFING_WANTED, SUBSCRIPTION_ACTIVE, NOW + 5, 11 };
	struct script s = { .decide = decide_change };
	struct proofings all = { 0 };
	struct store_tick *t;
	int64_t before;

	assert_int_equal(grant(f, &bob), 0);
	courses(f, &all);
	assert_int_equal(all.n, 8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(all.rows[i].created_at, NOW + 10 - i);
		assert_int_equal(all.rows[i].hash.data[31], 10 - i);
	}
	assert_int_equal(all.rows[0].state, PROOFING_ISSUED);
	assert_string_equal(all.rows[0].agent, "carol");
	before = all.rows[0].row.version;
	t = begin(f, 1);
	store_want_proofings(t, "bob");
	run(t, &s);
	assert_int_equal(s.r, 0);
	courses(f, &all);
	assert_int_equal(all.rows[0].state, PROOFING_DONE);
	assert_int_equal(all.rows[0].used_at, NOW + 99);
	assert_int_not_equal(all.rows[0].row.version, before);
}

struct page {
	size_t n, stop_at;
	struct store_waiting rows[8];
};

static int on_waiting(const struct store_waiting *row, void *arg)
{
	struct page *p = arg;

	p->rows[p->n++] = *row;
	return p->n == p->stop_at ? 42 : 0;
}

static struct page list(struct fixture *f, const char *after, const char *organisation)
{
	struct page p = { 0 };

	assert_int_equal(store_list_waiting(f->s, after, organisation, NOW, 8, on_waiting, &p), 0);
	return p;
}

/* Only those in force that wait; one line each, with the latest course. */
static void test_who_waits(void **state)
{
	static const struct wish wishes[] = {
		{ "bob", PROOFING_WANTED, SUBSCRIPTION_ACTIVE, NOW, 2 },
		{ "ann", PROOFING_ASKED, SUBSCRIPTION_ACTIVE, NOW, 0 },
		{ "eve", PROOFING_WANTED, SUBSCRIPTION_ACTIVE, NOW - 1, 1 }, /* over */
		{ "joe", PROOFING_WANTED, SUBSCRIPTION_REVOKED, NOW, 1 },
		{ "kim", PROOFING_PASSED, SUBSCRIPTION_ACTIVE, NOW, 1 },
		{ "lee", PROOFING_NONE, SUBSCRIPTION_ACTIVE, NOW, 1 },
	};
	struct fixture *f = *state;
	struct page p = { .stop_at = 1 };

	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
		assert_int_equal(grant(f, &wishes[i]), 0);
	assert_int_equal(store_list_waiting(f->s, "", "", NOW, 8, on_waiting, &p), 42);
	p = list(f, "", "");
	assert_int_equal(p.n, 2);
	assert_string_equal(p.rows[0].account, "ann");
	assert_int_equal(p.rows[0].proofing, PROOFING_ASKED);
	assert_int_equal(p.rows[0].state, 0);
	assert_string_equal(p.rows[1].account, "bob");
	assert_int_equal(p.rows[1].product, PRODUCT_HARDWARE);
	assert_int_equal(p.rows[1].proofing, PROOFING_WANTED);
	assert_int_equal(p.rows[1].state, PROOFING_ISSUED);
	assert_int_equal(p.rows[1].method, PROOFING_IN_PERSON);
	assert_int_equal(p.rows[1].appointment_at, NOW + 11);
	assert_int_equal(p.rows[1].expires_at, NOW + 21);
	p = list(f, "ann", "");
	assert_int_equal(p.n, 1);
	assert_int_equal(list(f, "bob", "").n, 0);
	assert_int_equal(list(f, "", "elsewhere").n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_the_latest_courses),
		BOTH(test_who_waits),
	};

	return cmocka_run_group_tests_name("store: proofing", tests, NULL, NULL);
}
