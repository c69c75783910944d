/* Connected accounts (H11) in ticks: the parent comes along with the child, one row
 * however it is found; children are listed; nobody stays connected with what is gone. */
#include "tests/store/common.h"

struct link {
	const char *child, *parent, *asked;
};

static void decide_link(struct store_tick *t, struct script *s)
{
	const struct link *l = s->arg;
	struct aggregate *a = store_account(t, l->child);

	strcpy(a->account.parent, l->parent);
	strcpy(a->account.parent_asked, l->asked);
	store_mark_account(t, 0, &a->account, ROW_CHANGED);
}

static void connect_to(struct fixture *f, const char *child, const char *parent, const char *asked)
{
	struct link l = { child, parent, asked };
	struct script s = { .decide = decide_link, .arg = &l };
	struct store_tick *t = begin(f, 1);

	assert_int_equal(store_want_account(t, child), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0] || s.lost[0]);
}

static void decide_uid(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, s->arg);

	a->account.uid = 2000;
	store_mark_account(t, 0, &a->account, ROW_CHANGED);
}

/* "kid", uid 2000, whose parent is "alice". */
static void make_family(struct fixture *f)
{
	struct script s = { .decide = decide_uid, .arg = (char *)(uintptr_t) "kid" };
	struct store_tick *t = begin(f, 1);

	make_account(f, "alice");
	make_token(f, "H1", "alice", TOKEN_ACTIVE);
	make_account(f, "kid");
	store_want_account(t, "kid");
	run(t, &s);
	assert_int_equal(s.r, 0);
	connect_to(f, "kid", "alice", "");
}

/* ---- the parent comes along ---- */

static void decide_alone(struct store_tick *t, struct script *s)
{
	const bool *by_uid = s->arg;
	struct aggregate *kid = *by_uid ? store_account_uid(t, 2000) : store_account(t, "kid");
	struct aggregate *alice = store_parent(t, kid);

	assert_non_null(alice);
	assert_string_equal(alice->account.name, "alice");
	assert_int_equal(alice->n_tokens, 1);
	assert_int_equal(alice->n_phones, 1);
	assert_null(store_parent(t, alice));
	alice->tokens[0].moving++;
	store_mark_token(t, 0, &alice->tokens[0], ROW_CHANGED);
	s->charge[0] = store_charge(t, 0, THROTTLE_TOKEN, alice->tokens[0].row.id, 0, 1);
}

static void settle_alone(struct store_tick *t, struct script *s)
{
	s->charged[0] = store_charged(t, s->charge[0]);
}

static void test_H11_the_parent_comes_along_and_can_be_written(void **state)
{
	struct fixture *f = *state;
	struct aggregate *a = NULL;

	make_family(f);
	for (int n = 1; n <= 2; n++) {
		bool by_uid = n == 2;
		struct script s = {
			.decide = decide_alone, .settle = settle_alone, .arg = &by_uid
		};
		struct store_tick *t = begin(f, 1);

		if (by_uid)
			store_want_account_uid(t, 2000);
		else
			store_want_account(t, "kid");
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.failed[0] || s.lost[0]);
		assert_int_equal(s.charged[0], n);
		a = load(f, "alice");
		assert_int_equal(a->tokens[0].moving, n);
		free(a);
	}
}

static void decide_both(struct store_tick *t, struct script *s)
{
	struct aggregate *alice = store_account(t, "alice");

	assert_ptr_equal(store_parent(t, store_account(t, "kid")), alice);
	assert_ptr_equal(store_token(t, "H1"), &alice->tokens[0]);
	if (s->arg) /* alice by her uid, too: one aggregate */
		assert_ptr_equal(store_account_uid(t, 1000), alice);
	if (!store_active(t, 0) || !store_active(t, 1))
		return;
	alice->tokens[0].moving++;
	store_mark_token(t, 0, &alice->tokens[0], ROW_CHANGED);
	/* The second request sees what the first has done. */
	assert_int_equal(store_parent(t, store_account(t, "kid"))->tokens[0].moving,
		alice->tokens[0].moving);
	alice->tokens[0].moving++;
	store_mark_token(t, 1, &alice->tokens[0], ROW_CHANGED);
}

static void test_H11_parent_and_child_in_one_tick_share_the_rows(void **state)
{
	struct fixture *f = *state;
	struct aggregate *a = NULL;
	int by_uid = 1;

	make_family(f);
	for (int order = 0; order < 3; order++) {
		struct script s = { .decide = decide_both, .arg = order == 2 ? &by_uid : NULL };
		struct store_tick *t = begin(f, 2);

		if (order == 2)
			store_want_account_uid(t, 1000);
		store_want_account(t, order == 1 ? "alice" : "kid");
		store_want_account(t, order == 1 ? "kid" : "alice");
		store_want_token(t, "H1");
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.lost[0] || s.lost[1]);
	}
	a = load(f, "alice");
	assert_int_equal(a->tokens[0].moving, 6);
	free(a);
}

/* ---- rows that nobody should have written ---- */

static void decide_chain(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "a"), *b = store_parent(t, a), *c = NULL;

	(void)s;
	assert_string_equal(b->account.name, "b");
	c = store_parent(t, b);
	assert_string_equal(c->account.name, "c");
	assert_ptr_equal(store_parent(t, c), s->arg ? a : NULL);
}

static void decide_own_parent(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "a");

	(void)s;
	assert_ptr_equal(store_parent(t, a), a);
}

static void decide_orphan(struct store_tick *t, struct script *s)
{
	(void)s;
	assert_true(store_account(t, "a")->exists);
	assert_null(store_parent(t, store_account(t, "a")));
	assert_null(store_parent(t, store_account(t, "nobody")));
}

static void look(struct fixture *f, void (*decide)(struct store_tick *, struct script *), void *arg)
{
	struct script s = { .decide = decide, .arg = arg };
	struct store_tick *t = begin(f, 1);

	store_want_account(t, "a");
	store_want_account(t, "nobody");
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(s.decided, 1);
}

static void test_H11_chains_and_circles_are_read_and_end(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	struct fixture *f = *state;
	int circle = 1;

	for (size_t i = 0; i < 3; i++)
		make_account(f, names[i]);
	connect_to(f, "a", "b", "");
	connect_to(f, "b", "c", "");
	look(f, decide_chain, NULL);
	connect_to(f, "c", "a", "");
	look(f, decide_chain, &circle);
	connect_to(f, "a", "a", "");
	look(f, decide_own_parent, NULL);
	connect_to(f, "a", "gone", "");
	look(f, decide_orphan, NULL);
}

/* ---- children ---- */

static void decide_children(struct store_tick *t, struct script *s)
{
	const struct children *c = store_children(t, "alice");

	*(struct children *)s->arg = *c;
	assert_int_equal(store_children(t, "")->n, 0);
	assert_null(store_children(t, "not wanted"));
}

static void children(struct fixture *f, struct children *c_r)
{
	struct script s = { .decide = decide_children, .arg = c_r };
	struct store_tick *t = begin(f, 1);

	assert_int_equal(store_want_children(t, "alice"), 0);
	assert_int_equal(store_want_children(t, ""), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
}

static void test_H11_children_and_who_asks_to_be_one(void **state)
{
	struct fixture *f = *state;
	struct children c;
	char name[16];

	make_account(f, "alice");
	make_account(f, "other"); /* asks nobody, has nobody */
	children(f, &c);
	assert_int_equal(c.n, 0);
	for (int i = 0; i < CHILDREN_MAX + 4; i++) {
		snprintf(name, sizeof name, "a%02d", i);
		make_account(f, name);
		connect_to(f, name, "", "alice");
	}
	make_account(f, "z");
	connect_to(f, "z", "alice", "");
	children(f, &c);
	assert_int_equal(c.n, CHILDREN_MAX);
	assert_string_equal(c.rows[0].name, "z");
	for (size_t i = 0; i < c.n; i++)
		assert_int_equal(c.rows[i].connected, i == 0);
}

static void test_H11_deleting_the_parent_ends_it(void **state)
{
	struct fixture *f = *state;
	struct aggregate *a = NULL;
	int64_t kid = 0;
	struct children c;

	make_family(f);
	make_account(f, "asks");
	connect_to(f, "asks", "", "alice");
	make_account(f, "bob");
	make_account(f, "bobs");
	connect_to(f, "bobs", "bob", "");
	a = load(f, "kid");
	kid = a->account.row.version;
	free(a);
	assert_int_equal(store_delete_account(f->s, "alice", NOW), 0);
	a = load(f, "kid");
	assert_string_equal(a->account.parent, "");
	assert_int_not_equal(a->account.row.version, kid); /* whoever holds the row has lost */
	free(a);
	a = load(f, "asks");
	assert_string_equal(a->account.parent_asked, "");
	free(a);
	a = load(f, "bobs");
	assert_string_equal(a->account.parent, "bob");
	free(a);
	make_account(f, "alice"); /* the name is somebody else's now */
	children(f, &c);
	assert_int_equal(c.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_H11_the_parent_comes_along_and_can_be_written),
		BOTH(test_H11_parent_and_child_in_one_tick_share_the_rows),
		BOTH(test_H11_chains_and_circles_are_read_and_end),
		BOTH(test_H11_children_and_who_asks_to_be_one),
		BOTH(test_H11_deleting_the_parent_ends_it),
	};

	return cmocka_run_group_tests_name("parent", tests, NULL, NULL);
}
