#include "otpcore/broker/replica.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"

#define LOGIN_LIFE 600 /* seconds; a ticket's */

/* One process, and no memory that others could share. */
static const char setup_sql[] =
	"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	"PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA secure_delete=ON;"
	"CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB,"
	"	seen INTEGER, terms BLOB);"
	"CREATE TABLE IF NOT EXISTS lease (id INTEGER PRIMARY KEY, account TEXT UNIQUE,"
	"	state INTEGER, rep BLOB);"
	"CREATE TABLE IF NOT EXISTS part (lease INTEGER, n INTEGER, moving INTEGER,"
	"	failures INTEGER, failed_at INTEGER, spent INTEGER, failed INTEGER,"
	"	told INTEGER, before_right INTEGER, struck BLOB,"
	"	PRIMARY KEY (lease, n));"
	"CREATE TABLE IF NOT EXISTS login (id INTEGER PRIMARY KEY, at INTEGER, seq INTEGER,"
	"	verdict INTEGER, seconds INTEGER, tries_left INTEGER, failures INTEGER,"
	"	strength INTEGER, level INTEGER);"
	"CREATE TABLE IF NOT EXISTS used (id INTEGER PRIMARY KEY, lease INTEGER, login INTEGER,"
	"	position INTEGER, at INTEGER, ref INTEGER, opened INTEGER, account TEXT,"
	"	service TEXT, rhost TEXT);";

static int failed(struct replica *r, const char *what)
{
	mag_log(MAG_LOG_ERROR, "leases: %s: %s", what, sqlite3_errmsg(r->db));
	return MAG_ESTORE;
}

/* ---- statements ---- */

typedef int row_fn(struct replica *r, sqlite3_stmt *s, void *arg);

static void bind(sqlite3_stmt *s, const char *types, va_list args)
{
	for (int i = 1; types[i - 1]; i++) {
		if (types[i - 1] == 'i') {
			sqlite3_bind_int64(s, i, va_arg(args, int64_t));
		} else if (types[i - 1] == 't') {
			sqlite3_bind_text(s, i, va_arg(args, const char *), -1, SQLITE_STATIC);
		} else {
			const void *data = va_arg(args, const void *);

			sqlite3_bind_blob(s, i, data, (int)va_arg(args, size_t), SQLITE_STATIC);
		}
	}
}

/* Runs to the end, or to the first row that `fn` takes ill. `types`: i int64_t, t text,
 * b address and size_t. What cannot be bound stays NULL, which no column here may be read
 * as anything good. */
static int run(struct replica *r, row_fn *fn, void *arg, const char *sql, const char *types, ...)
{
	sqlite3_stmt *s = NULL;
	va_list args;
	int res = 0, step;

	if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL) != SQLITE_OK)
		return failed(r, sql);
	va_start(args, types);
	bind(s, types, args);
	va_end(args);
	while ((step = sqlite3_step(s)) == SQLITE_ROW && !res)
		res = fn ? fn(r, s, arg) : 0;
	if (!res && step != SQLITE_DONE)
		res = failed(r, sql);
	sqlite3_finalize(s);
	return res;
}

int replica_begin(struct replica *r)
{
	return run(r, NULL, NULL, "BEGIN IMMEDIATE", "");
}

int replica_commit(struct replica *r)
{
	int res = run(r, NULL, NULL, "COMMIT", "");

	if (res)
		replica_rollback(r);
	return res;
}

void replica_rollback(struct replica *r)
{
	if (!sqlite3_get_autocommit(r->db))
		(void)sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- rows out ---- */

int replica_put(struct replica *r, const struct held *h)
{
	static unsigned char body[WIRE_FRAME_MAX];
	size_t len = 0;
	int res = wire_encode_struct(&wire_lease_take_rep, &h->rep, body, sizeof body, &len);

	if (!res)
		res = run(r, NULL, NULL, "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)", "itib",
			h->id, h->account, h->state, (const void *)body, len);
	mag_wipe(body, len);
	return res;
}

int replica_put_part(struct replica *r, const struct held *h, size_t part)
{
	const struct held_part *p = &h->part[part];

	return run(r, NULL, NULL,
		"INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiiiiiiib",
		h->id, (int64_t)part, p->moving, p->failures, p->failed_at, p->spent, p->failed,
		p->told, p->right, (const void *)p->struck, p->n_struck * sizeof *p->struck);
}

int replica_put_login(struct replica *r, const struct away_login *l)
{
	int res = run(r, NULL, NULL, "DELETE FROM login WHERE at < ?", "i", l->at - LOGIN_LIFE);

	return res ? res
		   : run(r, NULL, NULL,
			     "INSERT OR REPLACE INTO login VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			     "iiiiiiiii", l->id, l->at, l->seq, l->verdict, l->seconds,
			     l->tries_left, l->failures, l->strength, l->level);
}

int replica_put_use(struct replica *r, const struct used *u)
{
	return run(r, NULL, NULL,
		"INSERT OR REPLACE INTO used VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiiiiittt",
		u->id, u->lease, u->login, u->position, u->at, (int64_t)u->ref, (int64_t)u->opened,
		u->account, u->service, u->rhost);
}

int replica_put_state(struct replica *r)
{
	static unsigned char body[WIRE_FRAME_MAX];
	size_t len = 0;
	int res = wire_encode_struct(&wire_lease_terms_rep, &r->terms, body, sizeof body, &len);

	return res ? res
		   : run(r, NULL, NULL, "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?)", "bib",
			     (const void *)r->secret, sizeof r->secret, r->seen, (const void *)body,
			     len);
}

/* ---- leases ---- */

struct held *replica_held(const struct replica *r, int64_t id)
{
	for (size_t i = 0; i < r->n_held; i++)
		if (r->held[i]->id == id)
			return r->held[i];
	return NULL;
}

int replica_add(struct replica *r, const char *account, struct held **h_r)
{
	struct held *h = r->n_held < HELD_MAX ? calloc(1, sizeof *h) : NULL;
	int res = h ? mag_random(&h->id, sizeof h->id) : MAG_ENOMEM;

	if (!res)
		res = mag_copy(h->account, sizeof h->account, account);
	if (!res) {
		h->id = (int64_t)((uint64_t)h->id >> 1) | 1;
		h->state = HELD_ASKED;
		res = replica_begin(r);
	}
	if (!res)
		res = replica_put(r, h);
	if (!res)
		res = replica_commit(r);
	if (res) {
		replica_rollback(r);
		free(h);
		return res;
	}
	r->held[r->n_held++] = h;
	*h_r = h;
	return 0;
}

int replica_drop(struct replica *r, struct held *h)
{
	int res = replica_begin(r);

	if (!res)
		res = run(r, NULL, NULL, "DELETE FROM lease WHERE id = ?", "i", h->id);
	if (!res)
		res = run(r, NULL, NULL, "DELETE FROM part WHERE lease = ?", "i", h->id);
	if (!res)
		res = replica_commit(r);
	if (res) {
		replica_rollback(r);
		return res;
	}
	for (size_t i = 0; i < r->n_held; i++) {
		if (r->held[i] == h) {
			r->held[i] = r->held[--r->n_held];
			break;
		}
	}
	mag_wipe(h, sizeof *h);
	free(h);
	return 0;
}

/* ---- what is to be told ---- */

int replica_keep_use(struct replica *r, const struct used *u)
{
	struct used **more = realloc(r->uses, (r->n_uses + 1) * sizeof *more);
	struct used *one = more ? malloc(sizeof *one) : NULL;

	if (more)
		r->uses = more;
	if (!one)
		return MAG_ENOMEM;
	*one = *u;
	r->uses[r->n_uses++] = one;
	return 0;
}

int replica_drop_use(struct replica *r, int64_t id)
{
	int res = run(r, NULL, NULL, "DELETE FROM used WHERE id = ?", "i", id);

	for (size_t i = 0; !res && i < r->n_uses; i++) {
		if (r->uses[i]->id != id)
			continue;
		free(r->uses[i]);
		r->n_uses--;
		memmove(&r->uses[i], &r->uses[i + 1], (r->n_uses - i) * sizeof *r->uses);
		break;
	}
	return res;
}

/* ---- rows in ---- */

static void text_of(sqlite3_stmt *s, int i, char *to, size_t cap)
{
	const unsigned char *text = sqlite3_column_text(s, i);

	(void)mag_copy(to, cap, text ? (const char *)text : "");
}

static int on_login(struct replica *r, sqlite3_stmt *s, void *arg)
{
	struct away_login *l = arg;

	(void)r;
	*l = (struct away_login){ .id = sqlite3_column_int64(s, 0),
		.at = sqlite3_column_int64(s, 1),
		.seq = sqlite3_column_int64(s, 2),
		.verdict = sqlite3_column_int64(s, 3),
		.seconds = sqlite3_column_int64(s, 4),
		.tries_left = sqlite3_column_int64(s, 5),
		.failures = sqlite3_column_int64(s, 6),
		.strength = sqlite3_column_int64(s, 7),
		.level = sqlite3_column_int64(s, 8) };
	return 0;
}

int replica_login(struct replica *r, int64_t id, struct away_login *l_r)
{
	struct away_login l = { .id = 0 };
	int res = run(r, on_login, &l, "SELECT * FROM login WHERE id = ?", "i", id);

	if (!res && !l.id)
		res = MAG_ENOTFOUND;
	if (!res)
		*l_r = l;
	return res;
}

static int on_state(struct replica *r, sqlite3_stmt *s, void *arg)
{
	const void *secret = sqlite3_column_blob(s, 0), *terms = sqlite3_column_blob(s, 2);

	if (!secret || sqlite3_column_bytes(s, 0) != HASH_LEN)
		return MAG_ESTORE;
	memcpy(r->secret, secret, HASH_LEN);
	r->seen = sqlite3_column_int64(s, 1);
	*(bool *)arg = true;
	return wire_decode_struct(
		&wire_lease_terms_rep, terms, (size_t)sqlite3_column_bytes(s, 2), &r->terms);
}

static int on_lease(struct replica *r, sqlite3_stmt *s, void *arg)
{
	struct held *h = r->n_held < HELD_MAX ? calloc(1, sizeof *h) : NULL;

	(void)arg;
	if (!h)
		return MAG_ENOMEM;
	r->held[r->n_held++] = h;
	h->id = sqlite3_column_int64(s, 0);
	text_of(s, 1, h->account, sizeof h->account);
	h->state = sqlite3_column_int64(s, 2);
	return wire_decode_struct(&wire_lease_take_rep, sqlite3_column_blob(s, 3),
		(size_t)sqlite3_column_bytes(s, 3), &h->rep);
}

static int on_part(struct replica *r, sqlite3_stmt *s, void *arg)
{
	struct held *h = replica_held(r, sqlite3_column_int64(s, 0));
	int64_t n = sqlite3_column_int64(s, 1);
	size_t size = (size_t)sqlite3_column_bytes(s, 9);
	struct held_part *p;

	(void)arg;
	if (!h || n < 0 || n >= PARTS_MAX || size > sizeof p->struck)
		return MAG_ESTORE;
	p = &h->part[n];
	p->moving = sqlite3_column_int64(s, 2);
	p->failures = sqlite3_column_int64(s, 3);
	p->failed_at = sqlite3_column_int64(s, 4);
	p->spent = sqlite3_column_int64(s, 5);
	p->failed = sqlite3_column_int64(s, 6);
	p->told = sqlite3_column_int64(s, 7);
	p->right = sqlite3_column_int64(s, 8);
	if (size)
		memcpy(p->struck, sqlite3_column_blob(s, 9), size);
	p->n_struck = size / sizeof *p->struck;
	return 0;
}

static int on_used(struct replica *r, sqlite3_stmt *s, void *arg)
{
	struct used u = { .id = sqlite3_column_int64(s, 0),
		.lease = sqlite3_column_int64(s, 1),
		.login = sqlite3_column_int64(s, 2),
		.position = sqlite3_column_int64(s, 3),
		.at = sqlite3_column_int64(s, 4),
		.ref = (uint32_t)sqlite3_column_int(s, 5),
		.opened = (uint32_t)sqlite3_column_int(s, 6) };

	(void)arg;
	text_of(s, 7, u.account, sizeof u.account);
	text_of(s, 8, u.service, sizeof u.service);
	text_of(s, 9, u.rhost, sizeof u.rhost);
	return replica_keep_use(r, &u);
}

static int load(struct replica *r)
{
	bool known = false;
	int res = run(r, on_state, &known, "SELECT secret, seen, terms FROM state", "");

	if (!res && !known) {
		res = mag_random(r->secret, sizeof r->secret);
		if (!res)
			res = replica_put_state(r);
	}
	if (!res)
		res = run(r, on_lease, NULL, "SELECT * FROM lease", "");
	if (!res)
		res = run(r, on_part, NULL, "SELECT * FROM part", "");
	if (!res)
		res = run(r, on_used, NULL, "SELECT * FROM used ORDER BY at, position", "");
	return res;
}

int replica_open(const char *path, struct replica **r_r)
{
	struct replica *r = calloc(1, sizeof *r);
	sqlite3 *db = NULL;
	struct stat st;
	int res = 0;

	if (!r)
		return MAG_ENOMEM;
	if (stat(path, &st) == 0 && (st.st_mode & 077))
		res = MAG_EPERM;
	if (!res && sqlite3_open_v2(path, &db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		res = MAG_ESTORE;
	r->db = db;
	if (!res && chmod(path, 0600))
		res = MAG_ESYS;
	if (!res && sqlite3_exec(db, setup_sql, NULL, NULL, NULL) != SQLITE_OK)
		res = failed(r, "making the tables");
	if (!res)
		res = load(r);
	if (res) {
		replica_free(&r);
		return res;
	}
	*r_r = r;
	return 0;
}

void replica_free(struct replica **r)
{
	if (!*r)
		return;
	for (size_t i = 0; i < (*r)->n_held; i++) {
		mag_wipe((*r)->held[i], sizeof *(*r)->held[i]);
		free((*r)->held[i]);
	}
	for (size_t i = 0; i < (*r)->n_uses; i++)
		free((*r)->uses[i]);
	free((*r)->uses);
	sqlite3_close((*r)->db);
	mag_wipe((*r)->secret, sizeof(*r)->secret);
	free(*r);
	*r = NULL;
}
