/* The gate over rows, without a process: what the socket tests cannot reach. */
#include "broker_room.h"

#include "otpcore/engine/model.h"

#define ANNA 12001
#define BERT 12002
#define BOSS 12003
#define KID  12004
#define WEB  33 /* www-data, on every Debian */

struct scene {
	struct room room;
	struct request *r;
	int answer;
};

/* Two accounts and an administrator of the organisation of one; a second account of
 * anna's (H11), and one whose parent is locked. */
static void fill_decide(struct store_tick *t, void *arg)
{
	static const struct {
		const char *name, *organisation;
		int64_t uid, role;
		const char *parent;
	} people[] = {
		{ "anna", "red", ANNA, ROLE_USER, "" },
		{ "bert", "blue", BERT, ROLE_USER, "" },
		{ "boss", "red", BOSS, ROLE_ORGANISATION_ADMIN, "" },
		{ "none", "", BERT + 100, ROLE_ORGANISATION_ADMIN, "" },
		{ "kid", "red", KID, ROLE_USER, "anna" },
		{ "lost", "", BERT + 101, ROLE_USER, "locked" },
		{ "locked", "", BERT + 102, ROLE_USER, "" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
		struct aggregate *a = store_account(t, people[i].name);

		a->exists = true;
		a->account.row.id = (int64_t)i + 1;
		a->account.uid = people[i].uid;
		a->account.role = people[i].role;
		a->account.state =
			mag_streq(people[i].name, "locked") ? ACCOUNT_LOCKED : ACCOUNT_ACTIVE;
		mag_copy(a->account.parent, sizeof a->account.parent, people[i].parent);
		mag_copy(a->account.name, sizeof a->account.name, people[i].name);
		mag_copy(a->account.organisation, sizeof a->account.organisation,
			people[i].organisation);
		store_mark_account(t, 0, &a->account, ROW_NEW);
	}
}

static void nothing(struct store_tick *t, void *arg)
{
	(void)t;
	(void)arg;
}

static void check_done(struct store_tick *t, int r, void *arg)
{
	(void)t;
	(void)arg;
	assert_int_equal(r, 0);
}

static int setup(void **state)
{
	static const struct store_tick_ops ops = { fill_decide, nothing, check_done };
	struct scene *s = calloc(1, sizeof *s);
	struct store_tick *t = NULL;

	room_open(&s->room, "[broker]\nverifiers = www-data:nginx,www-data:dovecot\n");
	assert_int_equal(store_tick_new(s->room.broker.store, ROOM_NOW, &t), 0);
	assert_int_equal(store_request(t, NULL), 0);
	store_want_account(t, "anna");
	store_want_account(t, "bert");
	store_want_account(t, "boss");
	store_want_account(t, "none");
	store_want_account(t, "kid");
	store_want_account(t, "lost");
	store_want_account(t, "locked");
	store_submit(t, &ops, NULL);
	store_tick_free(&t);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	room_close(&s->room);
	free(s);
	return 0;
}

static void gate_decide(struct store_tick *t, void *arg)
{
	struct scene *s = arg;

	(void)t;
	s->answer = gate_check(s->r);
}

/* Ask the gate about a request; frees it. */
static int ask(struct scene *s, struct request *r)
{
	static const struct store_tick_ops ops = { gate_decide, nothing, check_done };
	struct store_tick *t = NULL;

	s->r = r;
	assert_int_equal(store_tick_new(s->room.broker.store, ROOM_NOW, &t), 0);
	r->tick = t;
	assert_int_equal(gate_want(r), 0);
	assert_int_equal(store_request(t, r), 0);
	s->answer = 1;
	store_submit(t, &ops, s);
	store_tick_free(&t);
	request_free(&r);
	return s->answer;
}

static struct request *begin(struct scene *s, uint32_t uid, const char *user, const char *service)
{
	struct request *r = room_request(&s->room, WIRE_MSG_BEGIN, uid);
	struct wire_begin_req *q = r->body;

	mag_copy(q->user, sizeof q->user, user);
	mag_copy(q->service, sizeof q->service, service);
	return r;
}

static void test_threat_09_services_of_a_verifier_are_whole_words(void **state)
{
	struct scene *s = *state;

	assert_int_equal(ask(s, begin(s, WEB, "anna", "nginx")), 0);
	assert_int_equal(ask(s, begin(s, WEB, "anna", "dovecot")), 0);
	assert_int_equal(ask(s, begin(s, WEB, "nobody", "nginx")), 0);
	assert_int_equal(ask(s, begin(s, WEB, "anna", "ngin")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, WEB, "anna", "ginx")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, WEB, "anna", "nginx dovecot")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, WEB, "anna", " ")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, WEB, "anna", "")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, WEB, "anna", "sshd")), MAG_EPERM);
}

static void test_threat_01_own_account_only(void **state)
{
	struct scene *s = *state;

	assert_int_equal(ask(s, begin(s, ANNA, "anna", "sshd")), 0);
	assert_int_equal(ask(s, begin(s, ANNA, "bert", "sshd")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, ANNA, "nobody", "sshd")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, ANNA, "", "sshd")), MAG_EPERM);
	assert_int_equal(ask(s, begin(s, 0, "nobody", "sshd")), 0);
	/* The uid "unknown" is nobody's, whatever rows say. */
	assert_int_equal(ask(s, begin(s, WIRE_UID_UNKNOWN, "anna", "sshd")), MAG_EPERM);
}

static void test_O1_administrators_keep_to_their_organisation(void **state)
{
	static const struct {
		uint32_t uid;
		const char *user;
		int answer;
	} rows[] = {
		{ BOSS, "anna", 0 },
		{ BOSS, "boss", 0 },
		{ BOSS, "bert", MAG_EPERM },
		{ BOSS, "nobody", MAG_EPERM },
		{ ANNA, "anna", MAG_EPERM },
		{ BERT + 100, "none", MAG_EPERM }, /* no organisation: nobody's administrator */
		{ 0, "bert", 0 },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct request *r = room_request(&s->room, WIRE_MSG_ACCOUNT_SHOW, rows[i].uid);

		mag_copy(((struct wire_account_show_req *)r->body)->user, 257, rows[i].user);
		assert_int_equal(ask(s, r), rows[i].answer);
	}
	/* Administration is not logging in as somebody. */
	assert_int_equal(ask(s, begin(s, BOSS, "anna", "sshd")), MAG_EPERM);
}

static struct request *verify(struct scene *s, uint32_t uid, const struct wire_ticket *t)
{
	struct request *r = room_request(&s->room, WIRE_MSG_VERIFY, uid);
	struct wire_verify_req *q = r->body;

	assert_int_equal(ticket_seal(r, t, &q->txn), 0);
	return r;
}

static void test_ticket_is_bound_to_peer_and_account(void **state)
{
	struct scene *s = *state;
	struct wire_ticket t = { .login = 99,
		.account = 1,
		.user = "anna",
		.service = "nginx",
		.host = "host1",
		.peer_uid = WEB,
		.started_at = ROOM_NOW - 10 };

	assert_int_equal(ask(s, verify(s, WEB, &t)), 0);
	assert_int_equal(ask(s, verify(s, 0, &t)), MAG_ESTALE);
	assert_int_equal(ask(s, verify(s, ANNA, &t)), MAG_ESTALE);
	assert_int_equal(ask(s, verify(s, BERT, &t)), MAG_EPERM);
	t.account = 2; /* the name belongs to another row by now */
	assert_int_equal(ask(s, verify(s, WEB, &t)), MAG_ESTALE);
	t.account = 0; /* begin saw nobody */
	assert_int_equal(ask(s, verify(s, WEB, &t)), 0);
	t.account = 1;
	strcpy(t.service, "sshd"); /* no longer its service */
	assert_int_equal(ask(s, verify(s, WEB, &t)), MAG_EPERM);
	strcpy(t.service, "nginx");
	t.started_at = ROOM_NOW - 600;
	assert_int_equal(ask(s, verify(s, WEB, &t)), MAG_EPERM); /* not even whose it was */
	assert_int_equal(ask(s, verify(s, 0, &t)), MAG_ESTALE);
}

/* H11: whose credentials count is said by begin, and must still be so. */
static void test_H11_ticket_is_bound_to_whose_credentials_count(void **state)
{
	static const struct {
		const char *user;
		int64_t account, holder;
		int answer;
	} rows[] = {
		{ "kid", 5, 1, 0 }, { "kid", 5, 0, MAG_ESTALE }, /* begun before it was connected */
		{ "kid", 5, 2, MAG_ESTALE },                     /* with somebody else */
		{ "kid", 0, 0, 0 }, /* begin saw nobody: that stays so */
		{ "anna", 1, 0, 0 }, { "anna", 1, 5, MAG_ESTALE }, /* it was a child then */
		{ "lost", 6, 0, 0 },
		{ "lost", 6, 7, MAG_ESTALE }, /* the parent has been locked since */
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct wire_ticket t = { .login = 99,
			.account = rows[i].account,
			.holder = rows[i].holder,
			.service = "nginx",
			.host = "host1",
			.peer_uid = WEB,
			.started_at = ROOM_NOW - 10 };

		mag_copy(t.user, sizeof t.user, rows[i].user);
		if (ask(s, verify(s, WEB, &t)) != rows[i].answer)
			fail_msg("%s, %d", rows[i].user, (int)rows[i].holder);
	}
}

/* Every message that is served names somebody the gate looks at, or needs more
 * than any. */
static void test_threat_01_no_message_is_without_authority(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_n_messages; i++) {
		const struct wire_message *w = &wire_messages[i];
		bool names = false;

		for (size_t f = 0; f < w->request.n_fields; f++)
			names |= wire_field_of(&w->request, f)->type == WIRE_ACCOUNT ||
				 mag_streq(wire_field_of(&w->request, f)->name, "txn");
		if (handler_of(w->id) && w->authority == AUTH_ANY && w->id != WIRE_MSG_PING)
			assert_true(names);
		if (w->id >= WIRE_MSG_SUBMIT)
			assert_null(handler_of(w->id)); /* smsd's */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_09_services_of_a_verifier_are_whole_words),
		cmocka_unit_test(test_threat_01_own_account_only),
		cmocka_unit_test(test_O1_administrators_keep_to_their_organisation),
		cmocka_unit_test(test_ticket_is_bound_to_peer_and_account),
		cmocka_unit_test(test_H11_ticket_is_bound_to_whose_credentials_count),
		cmocka_unit_test(test_threat_01_no_message_is_without_authority),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
