/* What administrators look at: live sessions, what a watched service would have
 * refused, the store in numbers. */
#include "tests/store/common.h"

#define DAY 86400

/* ---- sessions ---- */
static void decide_session(struct store_tick *t, struct script *s)
{
	const int64_t *sid = s->arg;
	struct aggregate *a = store_account(t, "alice");
	struct session *e = store_session(t, "boot", "host", *sid);
	struct login *l = store_login(t, *sid + 100);

	fill_login(l, a->account.row.id, *sid + 100);
	l->strength = STRENGTH_PHONE_OTP;
	l->started_at = NOW - *sid;
	store_mark_login(t, 0, l, ROW_NEW);
	*e = (struct session){ .row.id = *sid,
		.sid = *sid,
		.account = a->account.row.id,
		.login = *sid + 100,
		.strength = STRENGTH_HARDWARE_OTP,
		.since = NOW,
		.ended_at = *sid == 4 ? NOW : 0,
		.expires_at = *sid == 5 ? NOW - 1 : NOW + DAY };
	strcpy(e->boot, "boot");
	strcpy(e->host, "host");
	store_mark_session(t, 0, e, ROW_NEW);
}

static void open_session(struct fixture *f, int64_t sid)
{
	struct script s = { .decide = decide_session, .arg = &sid };
	struct store_tick *t = begin(f, 1);

	store_want_account(t, "alice");
	store_want_session(t, "boot", "host", sid);
	store_want_login(t, sid + 100);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0] || s.lost[0]);
}

struct seen {
	size_t n;
	int64_t ids[8], begun, proven;
	char account[257];
};

static int on_session(const struct store_session_row *row, void *arg)
{
	struct seen *seen = arg;

	assert_true(seen->n < 8);
	seen->ids[seen->n++] = row->session.row.id;
	seen->begun = row->begun_at;
	seen->proven = row->proven;
	strcpy(seen->account, row->account);
	return 0;
}

static void test_live_sessions_in_pages(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { 0 };

	make_account(f, "alice");
	make_account(f, "bob");
	for (int64_t sid = 1; sid <= 5; sid++)
		open_session(f, sid);
	assert_int_equal(store_list_sessions(f->s, 0, "", NOW, 10, on_session, &seen), 0);
	assert_int_equal(seen.n, 3); /* 4 has ended, 5 is too old */
	assert_int_equal(seen.ids[2], 3);
	assert_int_equal(seen.begun, NOW - 3);
	assert_int_equal(seen.proven, STRENGTH_PHONE_OTP); /* before it was raised */
	assert_string_equal(seen.account, "alice");
	seen.n = 0;
	assert_int_equal(store_list_sessions(f->s, 1, "alice", NOW, 1, on_session, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.ids[0], 2);
	seen.n = 0;
	assert_int_equal(store_list_sessions(f->s, 0, "bob", NOW, 10, on_session, &seen), 0);
	assert_int_equal(store_list_sessions(f->s, 0, "nobody", NOW, 10, on_session, &seen), 0);
	assert_int_equal(seen.n, 0);
}

/* ---- what was observed ---- */
struct notes {
	size_t n;
	struct store_observed rows[8];
};

static int on_note(const struct store_observed *row, void *arg)
{
	struct notes *p = arg;

	assert_true(p->n < 8);
	p->rows[p->n++] = *row;
	return 0;
}

static void note(struct fixture *f, const char *account, const char *reason, int64_t at)
{
	struct store_observed o = { .from = "192.0.2.1" };

	strcpy(o.account, account);
	strcpy(o.reason, reason);
	assert_int_equal(store_observe(f->s, "sshd", &o, at), 0);
}

static void test_what_was_observed_is_counted(void **state)
{
	struct fixture *f = *state;
	struct store_observed after = { .account = "" };
	struct notes p = { 0 };

	note(f, "bob", "no-factor", NOW);
	note(f, "alice", "no-factor", NOW);
	note(f, "bob", "key-alone", NOW);
	note(f, "bob", "no-factor", NOW + 5);
	assert_int_equal(store_list_observed(f->s, "sshd", &after, 2, on_note, &p), 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.rows[0].account, "alice");
	assert_string_equal(p.rows[1].reason, "key-alone");
	after = p.rows[1];
	p.n = 0;
	assert_int_equal(store_list_observed(f->s, "sshd", &after, 9, on_note, &p), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.rows[0].times, 2);
	assert_int_equal(p.rows[0].first_at, NOW);
	assert_int_equal(p.rows[0].last_at, NOW + 5);
	assert_string_equal(p.rows[0].from, "192.0.2.1");
	assert_int_equal(store_purge(f->s, "boot", "host", NOW + 31 * DAY + 1), 0);
	after = (struct store_observed){ .account = "" };
	p.n = 0;
	assert_int_equal(store_list_observed(f->s, "sshd", &after, 9, on_note, &p), 0);
	assert_int_equal(p.n, 1); /* the one that was seen again */
	assert_int_equal(store_list_observed(f->s, "su", &after, 9, on_note, &p), 0);
	assert_int_equal(p.n, 1);
}

/* ---- numbers ---- */
static void decide_glass(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "alice");

	(void)s;
	for (int i = 0; i < 3; i++) {
		struct recovery *r = store_add_recovery(t, a);

		fill_recovery(r, &a->account);
		r->kind = RECOVERY_BREAK_GLASS;
		r->used_at = i == 1 ? NOW : 0;
		r->expires_at = i == 2 ? NOW : NOW + DAY;
		store_mark_recovery(t, 0, r, ROW_NEW);
	}
}

static void decide_without_phone(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, "bob");

	(void)s;
	store_mark_phone(t, 0, &a->phones[0], ROW_DELETED);
}

static void test_the_store_in_numbers(void **state)
{
	struct fixture *f = *state;
	struct script glass = { .decide = decide_glass }, bare = { .decide = decide_without_phone };
	struct store_overview o;
	struct store_tick *t;

	assert_int_equal(store_overview(f->s, NOW, &o), 0);
	assert_int_equal(o.accounts + o.bare + o.break_glass, 0);
	make_account(f, "alice");
	make_account(f, "bob");
	t = begin(f, 1);
	store_want_account(t, "alice");
	run(t, &glass);
	t = begin(f, 1);
	store_want_account(t, "bob");
	run(t, &bare);
	assert_int_equal(glass.r + bare.r, 0);
	assert_int_equal(store_overview(f->s, NOW, &o), 0);
	assert_int_equal(o.accounts, 2);
	assert_int_equal(o.bare, 1);
	assert_int_equal(o.break_glass, 1);
	make_token(f, "H1", "bob", TOKEN_ACTIVE);
	assert_int_equal(store_overview(f->s, NOW, &o), 0);
	assert_int_equal(o.bare, 0);
}

/* ---- the heads of audit logs ---- */

static void threat_34_a_head_never_goes_back(void **state)
{
	struct fixture *f = *state;
	struct store_audit_head head = { .n = 7, .at = NOW, .hash = { 1, 2, 3 } }, got;

	assert_int_equal(store_audit_head(f->s, "web1", &got), 0);
	assert_int_equal(got.n, 0);
	assert_int_equal(store_set_audit_head(f->s, "web1", &head), 0);
	head.n = 6;
	assert_int_equal(store_set_audit_head(f->s, "web1", &head), 0);
	assert_int_equal(store_audit_head(f->s, "web1", &got), 0);
	assert_int_equal(got.n, 7);
	assert_memory_equal(got.hash, head.hash, sizeof got.hash);
	assert_int_equal(store_audit_head(f->s, "web2", &got), 0);
	assert_int_equal(got.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_live_sessions_in_pages),
		BOTH(test_what_was_observed_is_counted),
		BOTH(threat_34_a_head_never_goes_back),
		BOTH(test_the_store_in_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
