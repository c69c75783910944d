#include "tests/store/common.h"

#include <dirent.h>
#ifdef HAVE_POSTGRESQL
#include <libpq-fe.h>
#endif
#include <unistd.h>

/* ---- a store ---- */

/* Where postgresql.sh has made a server: the tests "in memory" run in a schema of it, a
 * new one each. NULL: in memory. */
static const char *server(void)
{
	return getenv("MAGOTP_TEST_POSTGRESQL");
}

static int empty_schema(const char *url)
{
#ifdef HAVE_POSTGRESQL
	PGconn *conn = PQconnectdb(url);
	PGresult *result = PQexec(conn, "SET client_min_messages = warning;"
					"DROP SCHEMA public CASCADE; CREATE SCHEMA public");
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;

	if (!ok)
		print_error("%s", PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
	return ok ? 0 : -1;
#else
	print_error("%s: built without PostgreSQL\n", url);
	return -1;
#endif
}

static int setup(void **state, bool file)
{
	struct fixture *f = calloc(1, sizeof *f);
	char err[STORE_ERROR_MAX] = "";

	assert_non_null(f);
	f->file = file;
	strcpy(f->dir, "/tmp/magotp-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/store.db", f->dir);
	if (file)
		snprintf(f->url, sizeof f->url, "sqlite:%s", f->path);
	else
		snprintf(f->url, sizeof f->url, "%s", server() ? server() : "sqlite::memory:");
	if (!file && server() && empty_schema(server()) != 0)
		return -1;
	if (store_create(f->url, err) != 0 || store_open(f->url, &f->s, err) != 0) {
		print_error("%s\n", err);
		return -1;
	}
	*state = f;
	return fault_arm("");
}

int setup_memory(void **state)
{
	return setup(state, false);
}

int setup_file(void **state)
{
	return setup(state, true);
}

static void remove_dir(const char *path)
{
	DIR *d = opendir(path);

	for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d))
		unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

int teardown(void **state)
{
	struct fixture *f = *state;

	fault_arm("");
	store_close(&f->s);
	remove_dir(f->dir);
	free(f);
	return 0;
}

void reopen(struct fixture *f)
{
	char err[STORE_ERROR_MAX] = "";

	store_close(&f->s);
	assert_int_equal(store_open(f->url, &f->s, err), 0);
}

/* ---- ticks ---- */

static void on_decide(struct store_tick *t, void *arg)
{
	struct script *s = arg;

	s->decided++;
	if (s->decide != NULL)
		s->decide(t, s);
}

static void on_settle(struct store_tick *t, void *arg)
{
	struct script *s = arg;

	for (size_t i = 0; i < store_n_requests(t) && i < 256; i++) {
		if (store_active(t, i))
			s->charged[i] = store_charged(t, s->charge[i]);
	}
	if (s->settle != NULL)
		s->settle(t, s);
}

static void on_done(struct store_tick *t, int r, void *arg)
{
	struct script *s = arg;

	s->done++;
	s->r = r;
	for (size_t i = 0; i < store_n_requests(t) && i < 256; i++) {
		s->lost[i] = store_lost(t, i);
		s->failed[i] = store_failed(t, i);
	}
	store_tick_free(&t);
}

static const struct store_tick_ops ops = { on_decide, on_settle, on_done };

static struct store *running; /* of the last begin() */

struct store_tick *begin(struct fixture *f, size_t requests)
{
	struct store_tick *t = NULL;

	running = f->s;
	assert_int_equal(store_tick_new(f->s, NOW, &t), 0);
	for (size_t i = 0; i < requests; i++)
		assert_int_equal(store_request(t, NULL), i);
	return t;
}

void run(struct store_tick *t, struct script *s)
{
	s->done = s->decided = 0;
	store_submit(t, &ops, s);
	store_wait(running);
	assert_int_equal(s->done, 1);
}

/* ---- rows ---- */

void fill_account(struct account *a, const char *name)
{
	*a = (struct account){ .row.id = store_new_id(),
		.uid = 1000,
		.state = ACCOUNT_ACTIVE,
		.role = ROLE_USER,
		.created_at = NOW };
	snprintf(a->name, sizeof a->name, "%s", name);
}

void fill_phone(struct phone *p, const struct account *a, int64_t slot)
{
	*p = (struct phone){ .row.id = store_new_id(),
		.account = a->row.id,
		.slot = slot,
		.channel = CHANNEL_SMS,
		.state = PHONE_ACTIVE,
		.created_at = NOW };
	p->number_hash.len = HASH_LEN;
	memset(p->number_hash.data, 'h', HASH_LEN);
	strcpy(p->masked, "0142");
	strcpy(p->country, "US");
}

void fill_challenge(struct challenge *c, const struct account *a, const struct phone *p)
{
	*c = (struct challenge){ .row.id = store_new_id(),
		.account = a->row.id,
		.phone = p->row.id,
		.kind = CHALLENGE_LOGIN,
		.state = CHALLENGE_LIVE,
		.created_at = NOW,
		.expires_at = NOW + 120,
		.channel = CHANNEL_SMS };
	c->chain_id = c->row.id;
	c->nonce.len = NONCE_LEN;
}

void fill_token(struct token *token, const char *serial)
{
	*token = (struct token){ .row.id = store_new_id(),
		.kind = serial[0] == 'M' ? TOKEN_MOBILE : TOKEN_HARDWARE,
		.type = TOKEN_HOTP,
		.digits = 6,
		.state = TOKEN_STOCK,
		.state_since = NOW - 40 * 86400,
		.created_at = NOW,
		.secret.len = 60 };
	snprintf(token->serial, sizeof token->serial, "%s", serial);
	memset(token->secret.data, 's', token->secret.len);
	strcpy(token->label, "on the key ring");
}

void fill_recovery(struct recovery *r, const struct account *a)
{
	*r = (struct recovery){ .row.id = store_new_id(),
		.account = a->row.id,
		.kind = RECOVERY_CODE,
		.created_at = NOW,
		.hash.len = HASH_LEN };
	memset(r->hash.data, 'r', HASH_LEN);
	memcpy(r->hash.data, &r->row.id, sizeof r->row.id); /* unique */
}

void fill_login(struct login *l, int64_t account, int64_t id)
{
	*l = (struct login){
		.row.id = id, .account = account, .state = LOGIN_AUTH, .started_at = NOW
	};
	strcpy(l->service, "sshd");
	strcpy(l->rhost, "192.0.2.7");
}

static void decide_account(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, s->arg);
	struct phone *p = NULL;

	assert_false(a->exists);
	fill_account(&a->account, s->arg);
	a->exists = true;
	p = store_add_phone(t, a);
	fill_phone(p, &a->account, 1);
	store_mark_account(t, 0, &a->account, ROW_NEW);
	store_mark_phone(t, 0, p, ROW_NEW);
}

void make_account(struct fixture *f, const char *name)
{
	struct script s = { .decide = decide_account, .arg = (char *)(uintptr_t)name };
	struct store_tick *t = begin(f, 1);

	assert_int_equal(store_want_account(t, name), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0] || s.lost[0]);
}

static void decide_challenge(struct store_tick *t, struct script *s)
{
	struct aggregate *a = store_account(t, s->arg);
	struct challenge *c = store_add_challenge(t, a);

	fill_challenge(c, &a->account, &a->phones[0]);
	store_mark_challenge(t, 0, c, ROW_NEW);
}

int64_t make_challenge(struct fixture *f, const char *name)
{
	struct script s = { .decide = decide_challenge, .arg = (char *)(uintptr_t)name };
	struct store_tick *t = begin(f, 1);
	struct aggregate *a = NULL;
	int64_t id = 0;

	make_account(f, name);
	assert_int_equal(store_want_account(t, name), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	a = load(f, name);
	assert_int_equal(a->n_challenges, 1);
	id = a->challenges[0].chain_id;
	free(a);
	return id;
}

struct new_token {
	const char *serial, *account;
	int64_t state;
};

static void decide_token(struct store_tick *t, struct script *s)
{
	const struct new_token *n = s->arg;
	struct token *row = store_token(t, n->serial);

	if (n->account != NULL)
		row = store_add_token(t, store_account(t, n->account));
	assert_non_null(row);
	fill_token(row, n->serial);
	if (n->account != NULL)
		row->account = store_account(t, n->account)->account.row.id;
	row->state = n->state;
	store_mark_token(t, 0, row, ROW_NEW);
}

void make_token(struct fixture *f, const char *serial, const char *account, int64_t state)
{
	struct new_token n = { serial, account, state };
	struct script s = { .decide = decide_token, .arg = &n };
	struct store_tick *t = begin(f, 1);

	assert_int_equal(store_want_token(t, serial), 0);
	if (account != NULL)
		assert_int_equal(store_want_account(t, account), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	assert_false(s.failed[0] || s.lost[0]);
}

/* ---- looking ---- */

struct look {
	enum throttle_kind kind;
	int64_t subject, period, count;
	const char *name;
	struct aggregate *copy;
};

static void decide_look(struct store_tick *t, struct script *s)
{
	struct look *l = s->arg;

	if (l->name != NULL)
		*l->copy = *store_account(t, l->name);
	else
		l->count = store_throttle(t, l->kind, l->subject, l->period)->count;
}

int64_t counter(struct fixture *f, enum throttle_kind kind, int64_t subject, int64_t period)
{
	struct look l = { .kind = kind, .subject = subject, .period = period };
	struct script s = { .decide = decide_look, .arg = &l };
	struct store_tick *t = begin(f, 1);

	assert_int_equal(store_want_throttle(t, kind, subject, period), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	return l.count;
}

struct aggregate *load(struct fixture *f, const char *name)
{
	struct look l = { .name = name, .copy = malloc(sizeof *l.copy) };
	struct script s = { .decide = decide_look, .arg = &l };
	struct store_tick *t = begin(f, 1);

	assert_non_null(l.copy);
	assert_int_equal(store_want_account(t, name), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	return l.copy;
}

static void decide_history(struct store_tick *t, struct script *s)
{
	*(struct history *)s->arg = *store_history(t, "alice");
}

/* Alice's. */
struct history load_history(struct fixture *f)
{
	struct history h = { 0 };
	struct script s = { .decide = decide_history, .arg = &h };
	struct store_tick *t = begin(f, 1);

	assert_int_equal(store_want_history(t, "alice"), 0);
	run(t, &s);
	assert_int_equal(s.r, 0);
	return h;
}
