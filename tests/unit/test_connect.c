/* Connected accounts (H11): who may be whose child, and who lends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/engine/connect.h"

struct pair {
	struct aggregate child, parent;
};

static void person(struct aggregate *a, int64_t id, const char *name)
{
	a->exists = true;
	a->account.row.id = id;
	a->account.state = ACCOUNT_ACTIVE;
	a->account.email_hash.len = HASH_LEN;
	memset(a->account.email_hash.data, 'e', HASH_LEN);
	strcpy(a->account.name, name);
	strcpy(a->account.first, "Anna");
	strcpy(a->account.middle, "B");
	strcpy(a->account.last, "Carl");
}

static struct pair *fresh(void)
{
	struct pair *p = calloc(1, sizeof *p);

	assert_non_null(p);
	person(&p->child, 1, "anna-admin");
	person(&p->parent, 2, "anna");
	p->parent.n_phones = p->parent.n_tokens = 1;
	return p;
}

static void same(struct pair *p)
{
	(void)p;
}
static void first(struct pair *p)
{
	strcpy(p->child.account.first, "Anne");
}
static void middle(struct pair *p)
{
	p->child.account.middle[0] = '\0';
}
static void last(struct pair *p)
{
	strcpy(p->parent.account.last, "Carls");
}
static void nameless(struct pair *p)
{
	p->child.account.first[0] = p->child.account.last[0] = '\0';
	p->parent.account.first[0] = p->parent.account.last[0] = '\0';
}
static void one_name(struct pair *p)
{
	p->child.account.first[0] = p->parent.account.first[0] = '\0';
}
static void address(struct pair *p)
{
	p->parent.account.email_hash.data[HASH_LEN - 1]++;
}
static void no_address(struct pair *p)
{
	p->child.account.email_hash.len = p->parent.account.email_hash.len = 0;
}
static void child_without_address(struct pair *p)
{
	p->child.account.email_hash.len = 0;
}
static void itself(struct pair *p)
{
	p->parent.account.row.id = 1;
}
static void no_parent(struct pair *p)
{
	p->parent.exists = false;
}
static void parent_locked(struct pair *p)
{
	p->parent.account.state = ACCOUNT_LOCKED;
}
static void parent_pending(struct pair *p)
{
	p->parent.account.state = ACCOUNT_PENDING_REGISTRATION;
}
static void parent_connected(struct pair *p)
{
	strcpy(p->parent.account.parent, "annika");
}
static void parents_child(struct pair *p)
{
	strcpy(p->parent.account.parent, "anna-admin");
}
static void no_child(struct pair *p)
{
	p->child.exists = false;
}
static void child_locked(struct pair *p)
{
	p->child.account.state = ACCOUNT_LOCKED;
}
static void connected(struct pair *p)
{
	strcpy(p->child.account.parent, "anna");
}
static void has_phone(struct pair *p)
{
	p->child.n_phones = 1;
	p->child.phones[0].state = PHONE_ACTIVE;
}
static void has_pending_phone(struct pair *p)
{
	p->child.n_phones = 1;
	p->child.phones[0].state = PHONE_PENDING;
}
static void deleted_phone(struct pair *p)
{
	has_phone(p);
	p->child.phones[0].row.fate = ROW_DELETED;
}
static void expired_token(struct pair *p)
{
	p->child.n_tokens = 2;
	p->child.tokens[0].state = TOKEN_REVOKED;
	p->child.tokens[1].state = TOKEN_EXPIRED;
}
static void reserved_token(struct pair *p)
{
	p->child.n_tokens = 1;
	p->child.tokens[0].state = TOKEN_PENDING_ACTIVATION;
}
static void revoked_token(struct pair *p)
{
	p->child.n_tokens = 1;
	p->child.tokens[0].state = TOKEN_REVOKED;
}
static void stranger_with_parent(struct pair *p)
{
	last(p);
	parent_connected(p);
}
static void holds_and_strange(struct pair *p)
{
	has_phone(p);
	no_parent(p);
}

static const struct {
	const char *name;
	void (*change)(struct pair *p);
	bool lends;
	enum connect_bar bar;
} cases[] = {
	{ "same", same, false, CONNECT_FINE },
	{ "one name", one_name, false, CONNECT_FINE },
	{ "deleted phone", deleted_phone, false, CONNECT_FINE },
	{ "revoked token", revoked_token, false, CONNECT_FINE },
	{ "first name", first, false, CONNECT_STRANGERS },
	{ "middle name", middle, false, CONNECT_STRANGERS },
	{ "last name", last, false, CONNECT_STRANGERS },
	{ "no names", nameless, false, CONNECT_STRANGERS },
	{ "e-mail", address, false, CONNECT_STRANGERS },
	{ "no e-mail", no_address, false, CONNECT_STRANGERS },
	{ "one without e-mail", child_without_address, false, CONNECT_STRANGERS },
	{ "itself", itself, false, CONNECT_STRANGERS },
	{ "no parent", no_parent, false, CONNECT_STRANGERS },
	{ "locked parent", parent_locked, false, CONNECT_STRANGERS },
	{ "pending parent", parent_pending, false, CONNECT_STRANGERS },
	{ "nothing of a stranger", stranger_with_parent, false, CONNECT_STRANGERS },
	{ "chain", parent_connected, false, CONNECT_PARENT_CONNECTED },
	{ "circle", parents_child, false, CONNECT_PARENT_CONNECTED },
	{ "circle from the other side", same, true, CONNECT_CHILD_LENDS },
	{ "no child", no_child, false, CONNECT_CHILD_INACTIVE },
	{ "locked child", child_locked, false, CONNECT_CHILD_INACTIVE },
	{ "twice", connected, false, CONNECT_CHILD_CONNECTED },
	{ "phone", has_phone, false, CONNECT_CHILD_HOLDS },
	{ "pending phone", has_pending_phone, false, CONNECT_CHILD_HOLDS },
	{ "expired token", expired_token, false, CONNECT_CHILD_HOLDS },
	{ "reserved token", reserved_token, false, CONNECT_CHILD_HOLDS },
	{ "the own side first", holds_and_strange, false, CONNECT_CHILD_HOLDS },
};

static void test_H11_who_may_be_connected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pair *p = fresh();

		cases[i].change(p);
		if (connect_judge(&p->child, &p->parent, cases[i].lends) != cases[i].bar)
			fail_msg("%s", cases[i].name);
		free(p);
	}
}

static void test_H11_who_lends(void **state)
{
	struct pair *p = fresh();

	(void)state;
	assert_true(connect_lends(&p->parent));
	parent_connected(p);
	assert_false(connect_lends(&p->parent));
	p->parent.account.parent[0] = '\0';
	parent_locked(p);
	assert_false(connect_lends(&p->parent));
	p->parent.account.state = 0;
	assert_false(connect_lends(&p->parent));
	p->parent.account.state = ACCOUNT_ACTIVE;
	p->parent.exists = false;
	assert_false(connect_lends(&p->parent));
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_H11_who_may_be_connected),
		cmocka_unit_test(test_H11_who_lends),
	};

	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
