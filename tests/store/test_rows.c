/* Every column of every table goes in and comes back; lists and work on the
 * whole store. */
#include "tests/store/common.h"

#include "otpcore/store/rows.h"

/* ---- every column ---- */

/* Fill the fields of a row with values of their own, so that a swapped or
 * forgotten column shows. */
static void fill_text(char *field, size_t size, unsigned seed)
{
	for (size_t i = 0; i + 1 < size; i++)
		field[i] = (char)('a' + (seed + i) % 26);
	field[size - 1] = '\0';
}

static void fill_blob(struct blob *b, size_t len, unsigned seed)
{
	b->len = len;
	for (size_t i = 0; i < len; i++)
		b->data[i] = (unsigned char)(seed * 31 + i);
}

static struct account full_account(void)
{
	struct account a = { .row.id = 11,
		.uid = 12,
		.state = ACCOUNT_LOCKED,
		.role = ROLE_PROOFING_AGENT,
		.created_at = 13 };

	fill_text(a.name, sizeof a.name, 1);
	fill_blob(&a.email, SEALED_MAX, 2);
	fill_blob(&a.email_hash, HASH_LEN, 3);
	fill_text(a.first, sizeof a.first, 4);
	fill_text(a.middle, sizeof a.middle, 5);
	fill_text(a.last, sizeof a.last, 6);
	fill_text(a.postal, sizeof a.postal, 7);
	fill_text(a.language, sizeof a.language, 8);
	fill_text(a.organisation, sizeof a.organisation, 9);
	return a;
}

static struct phone full_phone(void)
{
	struct phone p = { .row.id = 31,
		.account = 11,
		.subscription = 21,
		.slot = 2,
		.channel = CHANNEL_VOICE,
		.voice_only = 1,
		.is_default = 2,
		.state = PHONE_ACTIVE,
		.state_since = 34,
		.last_used_at = 35,
		.created_at = 36 };

	fill_blob(&p.number, SEALED_MAX - 1, 1);
	fill_blob(&p.number_hash, HASH_LEN, 2);
	fill_text(p.masked, sizeof p.masked, 3);
	fill_text(p.country, sizeof p.country, 4);
	fill_text(p.label, sizeof p.label, 5);
	return p;
}

static struct token full_token(void)
{
	struct token t = { .row.id = 35,
		.kind = TOKEN_MOBILE,
		.type = TOKEN_TOTP,
		.algorithm = 302,
		.digits = 303,
		.period = 304,
		.moving = -305,
		.drift = -306,
		.account = 11,
		.subscription = 21,
		.state = TOKEN_SUSPENDED,
		.state_since = 307,
		.suspended_by = 308,
		.batch = 309,
		.created_at = 310,
		.last_used_at = 311 };

	fill_text(t.serial, sizeof t.serial, 1);
	fill_blob(&t.secret, SEALED_MAX, 2);
	fill_text(t.organisation, sizeof t.organisation, 3);
	fill_text(t.label, sizeof t.label, 4);
	return t;
}

static struct recovery full_recovery(void)
{
	struct recovery r = { .row.id = 38,
		.account = 11,
		.kind = RECOVERY_BREAK_GLASS,
		.created_at = 381,
		.expires_at = NOW + 382 };

	fill_blob(&r.hash, HASH_LEN, 1);
	fill_text(r.reason, sizeof r.reason, 2);
	fill_text(r.made_by, sizeof r.made_by, 3);
	return r;
}

static struct mail full_mail(void)
{
	struct mail m = { .row.id = 91,
		.account = 11,
		.state = MAIL_WAITING,
		.created_at = 92,
		.next_at = 93,
		.attempts = 94,
		.sent_at = 95 };

	fill_text(m.once, sizeof m.once, 1);
	fill_text(m.template, sizeof m.template, 2);
	fill_text(m.args, sizeof m.args, 3);
	return m;
}

static struct challenge full_challenge(void)
{
	struct challenge c = { .row.id = 41,
		.account = 11,
		.phone = 31,
		.kind = CHALLENGE_REGISTER,
		.state = CHALLENGE_DEAD,
		.chain_id = 42,
		.pepper_id = 43,
		.channel = 44,
		.created_at = NOW - 45,
		.expires_at = 46,
		.delivery = 47,
		.used_at = 48 };

	fill_blob(&c.chain, HASH_LEN, 1);
	fill_blob(&c.nonce, NONCE_LEN, 2);
	return c;
}

static struct login full_login(void)
{
	struct login l = { .row.id = 51,
		.account = 11,
		.peer_uid = 52,
		.state = LOGIN_OPEN,
		.strength = 53,
		.level = 54,
		.phone = 55,
		.token = 551,
		.last_seq = 56,
		.verdict = 57,
		.started_at = 58,
		.verified_at = 59,
		.opened_at = 60 };

	fill_text(l.service, sizeof l.service, 1);
	fill_text(l.host, sizeof l.host, 2);
	fill_text(l.rhost, sizeof l.rhost, 3);
	fill_blob(&l.answer, 256, 4);
	return l;
}

static struct session full_session(void)
{
	struct session s = { .row.id = 61,
		.sid = 62,
		.loginuid = 63,
		.account = 11,
		.login = 64,
		.leader_pid = 65,
		.leader_start = 66,
		.strength = 67,
		.level = 68,
		.phone = 69,
		.token = 691,
		.since = 70,
		.ended_at = 71,
		.expires_at = 72 };

	fill_text(s.boot, sizeof s.boot, 1);
	fill_text(s.host, sizeof s.host, 2);
	fill_text(s.service, sizeof s.service, 3);
	fill_text(s.rhost, sizeof s.rhost, 4);
	fill_text(s.tty, sizeof s.tty, 5);
	return s;
}

static struct licence full_licence(void)
{
	struct licence l = { .row.id = 81,
		.product = PRODUCT_MOBILE_HARDWARE,
		.proofing = 82,
		.state = LICENCE_VOID,
		.issued_at = 83,
		.purchased_at = 84,
		.account = 11,
		.used_at = 85 };

	fill_blob(&l.hash, HASH_LEN, 1);
	fill_text(l.group, sizeof l.group, 2);
	fill_text(l.order_ref, sizeof l.order_ref, 3);
	return l;
}

static const struct subscription full_subscription = { .row.id = 21,
	.account = 11,
	.product = PRODUCT_MOBILE,
	.state = SUBSCRIPTION_REVOKED,
	.level = 22,
	.licence = 23,
	.started_at = 24,
	.purchased_at = 25,
	.expires_at = 26 };

static void want_all(struct store_tick *t)
{
	struct account a = full_account();
	struct session s = full_session();
	struct licence l = full_licence();

	store_want_account(t, a.name);
	store_want_history(t, a.name);
	store_want_token(t, full_token().serial);
	store_want_login(t, 51);
	store_want_session(t, s.boot, s.host, s.sid);
	store_want_licence(t, l.hash.data);
}

/* Put fresh copies in the rows; id 0 in the database or not. */
static void decide_put(struct store_tick *t, struct script *s)
{
	struct account account = full_account();
	struct session session = full_session();
	struct licence licence = full_licence();
	struct aggregate *a = store_account(t, account.name);
	struct login *l = store_login(t, 51);
	struct session *e = store_session(t, session.boot, session.host, session.sid);
	struct licence *k = store_licence(t, licence.hash.data);
	struct mail *m = store_add_mail(t);

	(void)s;
	a->account = account;
	a->exists = true;
	*store_add_subscription(t, a) = full_subscription;
	*store_add_phone(t, a) = full_phone();
	*store_add_token(t, a) = full_token();
	*store_add_recovery(t, a) = full_recovery();
	*store_add_challenge(t, a) = full_challenge();
	*m = full_mail();
	*l = full_login();
	*e = session;
	*k = licence;
	store_mark_account(t, 0, &a->account, ROW_NEW);
	store_mark_subscription(t, 0, &a->subscriptions[0], ROW_NEW);
	store_mark_phone(t, 0, &a->phones[0], ROW_NEW);
	store_mark_token(t, 0, &a->tokens[0], ROW_NEW);
	store_mark_recovery(t, 0, &a->recoveries[0], ROW_NEW);
	store_mark_mail(t, 0, m, ROW_NEW);
	store_mark_challenge(t, 0, &a->challenges[0], ROW_NEW);
	store_mark_login(t, 0, l, ROW_NEW);
	store_mark_session(t, 0, e, ROW_NEW);
	store_mark_licence(t, 0, k, ROW_NEW);
}

#define SAME(type, row_read, row_meant)                                                            \
	do {                                                                                       \
		type x = (row_meant);                                                              \
		x.row.version = (row_read)->row.version;                                           \
		assert_true(x.row.version > 0);                                                    \
		assert_same_row(&x, (row_read), sizeof x);                                         \
	} while (0)

static void assert_same_row(const void *meant, const void *found, size_t size)
{
	assert_memory_equal(meant, found, size);
}

static void decide_compare(struct store_tick *t, struct script *s)
{
	struct account account = full_account();
	struct session session = full_session();
	struct licence licence = full_licence();
	struct aggregate *a = store_account(t, account.name);

	(void)s;
	assert_true(a->exists);
	SAME(struct account, &a->account, account);
	assert_int_equal(a->n_subscriptions, 1);
	SAME(struct subscription, &a->subscriptions[0], full_subscription);
	assert_int_equal(a->n_phones, 1);
	SAME(struct phone, &a->phones[0], full_phone());
	assert_int_equal(a->n_tokens, 1);
	SAME(struct token, &a->tokens[0], full_token());
	SAME(struct token, store_token(t, full_token().serial), full_token());
	assert_int_equal(a->n_recoveries, 1);
	SAME(struct recovery, &a->recoveries[0], full_recovery());
	assert_int_equal(a->n_challenges, 1);
	SAME(struct challenge, &a->challenges[0], full_challenge());
	SAME(struct login, &store_history(t, account.name)->latest, full_login());
	SAME(struct login, store_login(t, 51), full_login());
	SAME(struct session, store_session(t, session.boot, session.host, session.sid), session);
	SAME(struct licence, store_licence(t, licence.hash.data), licence);
}

/* Write every row again, once with other values and once with the full ones: an
 * UPDATE must carry every column, too. */
static int64_t mail_version; /* nobody wants a mail: it is handed in again */

static void decide_scramble(struct store_tick *t, struct script *s)
{
	struct account account = full_account();
	struct session session = full_session();
	struct licence licence = full_licence();
	struct aggregate *a = store_account(t, account.name);
	struct login *l = store_login(t, 51);
	struct session *e = store_session(t, session.boot, session.host, session.sid);
	struct licence *k = store_licence(t, licence.hash.data);
	struct mail mail = full_mail(), *m = store_add_mail(t);
	bool full = *(int64_t *)s->arg == 2;

#define PUT(target, kept, meant, ...)                                                              \
	do {                                                                                       \
		struct row head = (target)->row;                                                   \
		if (full)                                                                          \
			*(target) = (meant);                                                       \
		else                                                                               \
			*(target) = (kept){ __VA_ARGS__ };                                         \
		(target)->row = head;                                                              \
	} while (0)
	PUT(&a->account, struct account, account, .state = 1, .role = 1);
	PUT(&a->subscriptions[0], struct subscription, full_subscription, .product = 1, .state = 1);
	PUT(&a->phones[0], struct phone, full_phone(), .slot = 1, .channel = 1, .state = 1);
	PUT(&a->tokens[0], struct token, full_token(), .account = 11, .state = 1);
	PUT(&a->recoveries[0], struct recovery, full_recovery(), .account = 11);
	m->row = (struct row){ mail.row.id, mail_version, ROW_CLEAN };
	PUT(m, struct mail, mail, .state = 1);
	PUT(&a->challenges[0], struct challenge, full_challenge(), .kind = 1, .state = 1);
	PUT(l, struct login, full_login(), .state = 1);
	PUT(e, struct session, session, .sid = 1);
	PUT(k, struct licence, licence, .product = 1, .state = 1);
	store_mark_account(t, 0, &a->account, ROW_CHANGED);
	store_mark_subscription(t, 0, &a->subscriptions[0], ROW_CHANGED);
	store_mark_phone(t, 0, &a->phones[0], ROW_CHANGED);
	store_mark_token(t, 0, &a->tokens[0], ROW_CHANGED);
	store_mark_recovery(t, 0, &a->recoveries[0], ROW_CHANGED);
	store_mark_mail(t, 0, m, ROW_CHANGED);
	store_mark_challenge(t, 0, &a->challenges[0], ROW_CHANGED);
	store_mark_login(t, 0, l, ROW_CHANGED);
	store_mark_session(t, 0, e, ROW_CHANGED);
	store_mark_licence(t, 0, k, ROW_CHANGED);
}

static int on_mail(const struct mail *row, const char *account, void *arg)
{
	struct mail x = full_mail();

	mail_version = x.row.version = row->row.version;
	if (arg == NULL)
		return 1;
	assert_same_row(&x, row, sizeof x);
	assert_string_equal(account, full_account().name);
	return 1;
}

static void test_every_column_comes_back(void **state)
{
	struct fixture *f = *state;
	int64_t version = 1;
	void (*const steps[])(struct store_tick *, struct script *) = { decide_put, decide_compare,
		decide_scramble, decide_scramble, decide_compare };

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct script s = { .decide = steps[i], .arg = &version };
		struct store_tick *t = begin(f, 1);

		want_all(t);
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.lost[0] || s.failed[0]);
		version += steps[i] == decide_scramble;
		assert_int_equal(store_mails_waiting(f->s, NOW, 9, on_mail,
					 steps[i] == decide_compare ? &version : NULL),
			1);
	}
}

/* ---- lists ---- */

struct page {
	size_t n;
	char names[16][257];
	struct store_account_row rows[16];
	struct licence licences[16];
	size_t stop_at;
};

static int on_account(const struct store_account_row *row, void *arg)
{
	struct page *p = arg;

	snprintf(p->names[p->n], sizeof p->names[0], "%s", row->account.name);
	p->rows[p->n++] = *row;
	return p->n == p->stop_at ? 42 : 0;
}

static void decide_subscribe(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "bob");
	struct subscription *sub = store_add_subscription(t, a);
	struct login *l = store_login(t, 5);

	(void)s;
	sub->row.id = store_new_id();
	sub->product = PRODUCT_PHONE_US;
	sub->state = SUBSCRIPTION_ACTIVE;
	sub->level = 3;
	sub->expires_at = NOW + 1000;
	store_mark_subscription(t, 0, sub, ROW_NEW);
	fill_login(l, a->account.row.id, 5);
	l->verified_at = NOW - 7;
	store_mark_login(t, 0, l, ROW_NEW);
}

static void test_accounts_are_listed_by_pages(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_subscribe };
	struct store_tick *t = NULL;
	struct page p = { 0 };

	make_account(f, "carol");
	make_account(f, "alice");
	make_account(f, "bob");
	t = begin(f, 1);
	store_want_account(t, "bob");
	store_want_login(t, 5);
	run(t, &s);
	assert_int_equal(s.r, 0);

	assert_int_equal(store_list_accounts(f->s, NULL, 0, 0, 2, on_account, &p), 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.names[0], "alice");
	assert_string_equal(p.names[1], "bob");
	assert_int_equal(p.rows[0].level, 1);
	assert_int_equal(p.rows[0].expires_at, 0);
	assert_int_equal(p.rows[1].phones, 1);
	assert_int_equal(p.rows[1].level, 3);
	assert_int_equal(p.rows[1].last_login_at, NOW - 7);
	assert_int_equal(p.rows[1].expires_at, NOW + 1000);
	p.n = 0;
	assert_int_equal(store_list_accounts(f->s, "bob", 0, 0, 10, on_account, &p), 0);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.names[0], "carol");
	p.n = 0;
	assert_int_equal(store_list_accounts(f->s, "", ACCOUNT_LOCKED, 0, 10, on_account, &p), 0);
	assert_int_equal(p.n, 0);
	assert_int_equal(store_list_accounts(f->s, "", 0, NOW + 2000, 10, on_account, &p), 0);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.names[0], "bob");
	p = (struct page){ .stop_at = 1 };
	assert_int_equal(store_list_accounts(f->s, "", 0, 0, 10, on_account, &p), 42);
	assert_int_equal(p.n, 1);
}

static void decide_issue(struct store_tick *t, struct script *s)
{
	(void)s;
	for (int i = 0; i < 4; i++) {
		struct licence *l = store_add_licence(t);

		l->row.id = 100 + i;
		l->hash.len = HASH_LEN;
		memset(l->hash.data, 'a' + i, HASH_LEN);
		l->product = PRODUCT_PHONE_US;
		l->state = i < 2 ? LICENCE_HELD : LICENCE_FREE;
		strcpy(l->order_ref, i == 3 ? "B" : "A");
		store_mark_licence(t, 0, l, ROW_NEW);
	}
}

static int on_licence(const struct licence *row, const char *account, void *arg)
{
	struct page *p = arg;

	snprintf(p->names[p->n], sizeof p->names[0], "%s", account);
	p->licences[p->n++] = *row;
	return 0;
}

static void test_K6_held_keys_are_released_by_order(void **state)
{
	struct fixture *f = *state;
	struct script s = { .decide = decide_issue };
	struct page p = { 0 };
	int64_t n = -1, held = 0;

	run(begin(f, 1), &s);
	assert_int_equal(s.r, 0);
	assert_int_equal(store_list_licences(f->s, 0, "A", LICENCE_HELD, 10, on_licence, &p), 0);
	assert_int_equal(p.n, 2);
	held = p.licences[0].row.version;
	assert_int_equal(store_release_licences(f->s, "A", NOW, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_release_licences(f->s, "A", NOW, &n), 0);
	assert_int_equal(n, 0);
	p.n = 0;
	assert_int_equal(store_list_licences(f->s, 100, NULL, LICENCE_FREE, 10, on_licence, &p), 0);
	assert_int_equal(p.n, 3);                          /* 101, 102, 103 */
	assert_int_equal(p.licences[0].purchased_at, NOW); /* K7: the year counts from now */
	assert_int_not_equal(p.licences[0].row.version, held);
	assert_string_equal(p.names[0], "");
}

/* ---- removal ---- */

static void decide_trace(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");
	struct login *l = store_login(t, 9);
	struct session *e = store_session(t, "boot", "host", 3);

	(void)s;
	store_charge(t, 0, THROTTLE_ACCOUNT, a->account.row.id, 1, 1);
	store_charge(t, 0, THROTTLE_CHAIN, a->challenges[0].chain_id, 0, 1);
	fill_login(l, a->account.row.id, 9);
	store_mark_login(t, 0, l, ROW_NEW);
	*e = (struct session){
		.row.id = 10, .sid = 3, .account = a->account.row.id, .strength = 3
	};
	strcpy(e->boot, "boot");
	strcpy(e->host, "host");
	store_mark_session(t, 0, e, ROW_NEW);
}

static void decide_gone(struct store_tick *t, struct script *s)
{
	struct session *e = store_session(t, "boot", "host", 3);

	(void)s;
	assert_false(store_account(t, "alice")->exists);
	assert_int_equal(store_login(t, 9)->row.id, 0);
	/* The session id stays seen (security.md 13), nothing rests on it. */
	assert_int_equal(e->row.id, 10);
	assert_int_equal(e->account, 0);
	assert_int_equal(e->strength, 0);
}

static void test_a_deleted_account_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t chain = make_challenge(f, "alice");
	struct script s = { .decide = decide_trace };
	void (*const steps[])(struct store_tick *, struct script *) = { decide_trace, decide_gone };

	make_account(f, "bob");
	for (int i = 0; i < 2; i++) {
		struct store_tick *t = begin(f, 1);

		s.decide = steps[i];
		store_want_account(t, "alice");
		store_want_login(t, 9);
		store_want_session(t, "boot", "host", 3);
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.failed[0]);
		if (i == 0)
			assert_int_equal(store_delete_account(f->s, "alice", NOW), 0);
	}
	assert_int_equal(counter(f, THROTTLE_CHAIN, chain, 0), 0);
	assert_int_equal(store_delete_account(f->s, "alice", NOW), MAG_ENOTFOUND);
	assert_int_equal(store_delete_account(f->s, "bob", NOW), 0);
}

#define MONTH (31 * 86400)

/* Logins 1 (old success), 2 (old failure), 3 (new failure); 4 of nobody, old. */
static void decide_history(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	(void)s;
	for (int64_t id = 1; id <= 4; id++) {
		struct login *l = store_login(t, id);

		fill_login(l, id == 4 ? 0 : a->account.row.id, id);
		l->started_at = id == 3 ? NOW : NOW - MONTH - 10 + id;
		l->verified_at = id == 1 ? l->started_at : 0;
		store_mark_login(t, 0, l, ROW_NEW);
	}
	for (int64_t sid = 1; sid <= 3; sid++) {
		struct session *e = store_session(
			t, sid == 1 ? "old" : "new", sid == 3 ? "elsewhere" : "host", sid);

		*e = (struct session){ .row.id = 100 + sid, .sid = sid };
		strcpy(e->boot, sid == 1 ? "old" : "new");
		strcpy(e->host, sid == 3 ? "elsewhere" : "host");
		store_mark_session(t, 0, e, ROW_NEW);
	}
	store_charge(t, 0, THROTTLE_SOURCE, 1, 1, 1);
}

static void decide_purged(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	(void)s;
	assert_int_equal(store_login(t, 1)->row.id, 1); /* L9: the last success */
	assert_int_equal(store_login(t, 2)->row.id, 0);
	assert_int_equal(store_login(t, 3)->row.id, 3);
	assert_int_equal(store_login(t, 4)->row.id, 0);
	assert_int_equal(store_session(t, "old", "host", 1)->row.id, 0);
	assert_int_equal(store_session(t, "new", "host", 2)->row.id, 102);
	assert_int_equal(store_session(t, "new", "elsewhere", 3)->row.id, 103);
	assert_int_equal(a->n_challenges, 1);
}

static void test_purge_takes_what_no_longer_matters(void **state)
{
	struct fixture *f = *state;
	struct script s = { 0 };
	void (*const steps[])(
		struct store_tick *, struct script *) = { decide_history, decide_purged };

	make_challenge(f, "alice");
	for (int i = 0; i < 2; i++) {
		struct store_tick *t = begin(f, 1);

		s.decide = steps[i];
		store_want_account(t, "alice");
		for (int64_t id = 1; id <= 4; id++)
			store_want_login(t, id);
		store_want_session(t, "old", "host", 1);
		store_want_session(t, "new", "host", 2);
		store_want_session(t, "new", "elsewhere", 3);
		run(t, &s);
		assert_int_equal(s.r, 0);
		assert_false(s.failed[0] || s.lost[0]);
		assert_int_equal(store_purge(f->s, "new", "host", NOW), 0);
	}
	assert_int_equal(counter(f, THROTTLE_SOURCE, 1, 1), 1);
	assert_int_equal(store_purge(f->s, "new", "host", NOW + MONTH + 1), 0);
	assert_int_equal(counter(f, THROTTLE_SOURCE, 1, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_every_column_comes_back),
		BOTH(test_accounts_are_listed_by_pages),
		BOTH(test_K6_held_keys_are_released_by_order),
		BOTH(test_a_deleted_account_leaves_nothing),
		BOTH(test_purge_takes_what_no_longer_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
