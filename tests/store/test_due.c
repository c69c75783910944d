/* What the calendar asks of the store, and mails that go once. */
#include "tests/store/common.h"

#define DAY 86400

/* ---- mails ---- */

static void fill_mail(struct mail *m, const char *once)
{
	*m = (struct mail){
		.row.id = store_new_id(), .state = MAIL_WAITING, .created_at = NOW, .next_at = NOW
	};
	strcpy(m->once, once);
	strcpy(m->template, "expiry");
}

struct notice {
	const char *once;
	bool settle, was_new;
	struct mail *row;
};

static void write_notice(struct store_tick *t, struct notice *n)
{
	n->row = store_add_mail(t);
	assert_non_null(n->row);
	fill_mail(n->row, n->once);
	store_mark_mail(t, 0, n->row, ROW_NEW);
}

static void decide_notice(struct store_tick *t, struct script *s)
{
	struct notice *n = s->arg;

	store_charge(t, 0, THROTTLE_SOURCE, 1, 1, 1);
	if (!n->settle)
		write_notice(t, n);
}

static void settle_notice(struct store_tick *t, struct script *s)
{
	struct notice *n = s->arg;

	if (n->settle)
		write_notice(t, n);
	else
		n->was_new = store_mail_was_new(t, n->row);
}

static struct script notify(struct fixture *f, struct notice *n)
{
	struct script s = { .decide = decide_notice, .settle = settle_notice, .arg = n };

	run(begin(f, 1), &s);
	assert_int_equal(s.r, 0);
	assert_false(s.lost[0] || s.failed[0]);
	return s;
}

struct page {
	size_t n, stop_at;
	struct mail mails[16];
	char names[16][257];
};

static int on_mail(const struct mail *row, const char *account, void *arg)
{
	struct page *p = arg;

	snprintf(p->names[p->n], sizeof p->names[0], "%s", account);
	p->mails[p->n++] = *row;
	return p->n == p->stop_at ? 42 : 0;
}

static int on_name(const char *name, void *arg)
{
	struct page *p = arg;

	snprintf(p->names[p->n++], sizeof p->names[0], "%s", name);
	return p->n == p->stop_at ? 42 : 0;
}

static void test_a_mail_is_there_once_and_nobody_loses(void **state)
{
	struct fixture *f = *state;
	struct notice n = { .once = "expiry-30:1:2027-01-01" };
	struct page p = { 0 };

	notify(f, &n);
	assert_true(n.was_new);
	notify(f, &n);
	assert_false(n.was_new);
	n.settle = true;
	notify(f, &n);
	assert_int_equal(counter(f, THROTTLE_SOURCE, 1, 1), 3); /* the rest was committed */
	n.once = "expiry-30:2:2027-01-01";
	notify(f, &n);
	assert_int_equal(store_mails_waiting(f->s, NOW, 10, on_mail, &p), 0);
	assert_int_equal(p.n, 2);
}

/* Of two brokers that want to send a mail, one gets it. */
static void decide_send(struct store_tick *t, struct script *s)
{
	struct mail *row = store_add_mail(t);

	*row = *(struct mail *)s->arg;
	row->attempts++;
	row->next_at = NOW + 60;
	store_mark_mail(t, 0, row, ROW_CHANGED);
}

static void test_a_waiting_mail_is_taken_by_one(void **state)
{
	struct fixture *f = *state;
	struct notice n = { .once = "revoked:5" };
	struct page p = { 0 };
	struct script s = { .decide = decide_send, .arg = &p.mails[0] };
	int64_t waiting = 0;

	notify(f, &n);
	assert_int_equal(store_mails_waiting(f->s, NOW - 1, 10, on_mail, &p), 0);
	assert_int_equal(p.n, 0);
	assert_int_equal(store_mails_waiting(f->s, NOW, 10, on_mail, &p), 0);
	assert_int_equal(p.n, 1);
	waiting = p.mails[0].row.version;
	run(begin(f, 1), &s);
	assert_int_equal(s.r, 0);
	assert_false(s.lost[0]);
	run(begin(f, 1), &s); /* with the same old row */
	assert_true(s.lost[0]);
	p.n = 0;
	assert_int_equal(store_mails_waiting(f->s, NOW + 59, 10, on_mail, &p), 0);
	assert_int_equal(p.n, 0);
	assert_int_equal(store_mails_waiting(f->s, NOW + 60, 10, on_mail, &p), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.mails[0].attempts, 1);
	assert_int_not_equal(p.mails[0].row.version, waiting);
	assert_string_equal(p.mails[0].once, "revoked:5");
	assert_string_equal(p.mails[0].template, "expiry");
}

static void decide_sent(struct store_tick *t, struct script *s)
{
	struct mail *row = store_add_mail(t);

	*row = *(struct mail *)s->arg;
	row->state = MAIL_SENT;
	row->sent_at = NOW;
	store_mark_mail(t, 0, row, ROW_CHANGED);
}

static void test_a_sent_mail_is_remembered_for_two_years(void **state)
{
	struct fixture *f = *state;
	struct notice n = { .once = "revoked:5" };
	struct page p = { 0 };
	struct script s = { .decide = decide_sent, .arg = &p.mails[0] };

	notify(f, &n);
	store_mails_waiting(f->s, NOW, 10, on_mail, &p);
	run(begin(f, 1), &s);
	assert_int_equal(store_purge(f->s, "boot", "host", NOW + 700 * DAY), 0);
	notify(f, &n);
	assert_false(n.was_new);
	assert_int_equal(store_purge(f->s, "boot", "host", NOW + 733 * DAY), 0);
	notify(f, &n);
	assert_true(n.was_new);
	assert_int_equal(store_purge(f->s, "boot", "host", NOW + 733 * DAY), 0);
	p.n = 0; /* one that waits isn't thrown away */
	assert_int_equal(store_mails_waiting(f->s, NOW, 10, on_mail, &p), 0);
	assert_int_equal(p.n, 1);
}

/* ---- who may have something due ---- */

struct paid {
	const char *name;
	int64_t state, expires_at;
};

static void decide_paid(struct store_tick *t, struct script *s)
{
	const struct paid *p = s->arg;
	struct aggregate *a = store_account(t, p->name);
	struct subscription *sub = store_add_subscription(t, a);

	sub->row.id = store_new_id();
	sub->product = PRODUCT_PHONE_US;
	sub->state = p->state;
	sub->expires_at = p->expires_at;
	store_mark_subscription(t, 0, sub, ROW_NEW);
}

static void test_H7_H9_accounts_with_something_due_are_found(void **state)
{
	struct fixture *f = *state;
	static struct paid paid[] = {
		{ "a-far", SUBSCRIPTION_ACTIVE, NOW + 31 * DAY },
		{ "b-soon", SUBSCRIPTION_ACTIVE, NOW + 29 * DAY },
		{ "c-past", SUBSCRIPTION_ACTIVE, NOW - DAY },
		{ "d-expired", SUBSCRIPTION_EXPIRED, NOW - 10 * DAY },
		{ "e-old", SUBSCRIPTION_EXPIRED, NOW - 340 * DAY },
		{ "f-revoked", SUBSCRIPTION_REVOKED, NOW - 340 * DAY },
		{ "g-never", SUBSCRIPTION_ACTIVE, 0 },
		{ "h-token", SUBSCRIPTION_ACTIVE, NOW + 100 * DAY },
		{ "i-phone", SUBSCRIPTION_EXPIRED, NOW - 340 * DAY },
		{ "j-lags", SUBSCRIPTION_EXPIRED, NOW - 10 * DAY },
		{ "k-gone", SUBSCRIPTION_EXPIRED, NOW - 340 * DAY },
	};
	struct store_horizon h = { NOW + 30 * DAY, NOW - 335 * DAY, NOW - 30 * DAY };
	static const char *const due[] = { "b-soon", "c-past", "e-old", "h-token", "j-lags" };
	struct page p = { 0 };

	for (size_t i = 0; i < sizeof paid / sizeof paid[0]; i++) {
		struct script s = { .decide = decide_paid, .arg = &paid[i] };
		struct store_tick *t = begin(f, 1);

		make_account(f, paid[i].name);
		store_want_account(t, paid[i].name);
		run(t, &s);
		assert_int_equal(s.r, 0);
	}
	make_token(f, "H1", "h-token", TOKEN_SUSPENDED); /* since NOW - 40 days */
	make_token(f, "H2", "d-expired", TOKEN_EXPIRED);
	make_token(f, "H3", "e-old", TOKEN_EXPIRED);
	make_token(f, "H4", "j-lags", TOKEN_ACTIVE);
	make_token(f, "H5", "k-gone", TOKEN_REVOKED);
	assert_int_equal(store_due_accounts(f->s, "", &h, 10, on_name, &p), 0);
	assert_int_equal(p.n, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(p.names[i], due[i]);
	p.n = 0;
	assert_int_equal(store_due_accounts(f->s, "b-soon", &h, 2, on_name, &p), 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.names[1], "e-old");
	p = (struct page){ .stop_at = 1 };
	assert_int_equal(store_due_accounts(f->s, "", &h, 10, on_name, &p), 42);
	assert_int_equal(p.n, 1);
	h.suspended_before = NOW - 50 * DAY;
	p = (struct page){ 0 };
	assert_int_equal(store_due_accounts(f->s, "e-old", &h, 10, on_name, &p), 0);
	assert_int_equal(p.n, 1);
}

/* ---- numbers ---- */

static void test_the_last_sweep_is_kept(void **state)
{
	struct fixture *f = *state;
	int64_t value = 5;

	assert_int_equal(store_meta_get(f->s, "last_sweep", &value), MAG_ENOTFOUND);
	assert_int_equal(value, 5);
	assert_int_equal(store_meta_set(f->s, "last_sweep", NOW), 0);
	assert_int_equal(store_meta_set(f->s, "last_sweep", NOW + 1), 0);
	if (f->file)
		reopen(f);
	assert_int_equal(store_meta_get(f->s, "last_sweep", &value), 0);
	assert_int_equal(value, NOW + 1);
	assert_int_equal(store_meta_set(f->s, "schema", 1), MAG_EINVAL);
	assert_int_equal(store_meta_get(f->s, "schema", &value), MAG_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_a_mail_is_there_once_and_nobody_loses),
		BOTH(test_a_waiting_mail_is_taken_by_one),
		BOTH(test_a_sent_mail_is_remembered_for_two_years),
		BOTH(test_H7_H9_accounts_with_something_due_are_found),
		BOTH(test_the_last_sweep_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
