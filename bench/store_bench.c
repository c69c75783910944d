/* How fast the store alone is: the writes of a right code (charge, claim,
 * verdict, refund), in ticks of 1 and 32 requests, beside bare SQLite updates of
 * one row each over a table of the same size, in rounds that alternate.
 *
 *   store_bench [accounts [seconds per figure [rounds [postgresql url]]]]
 *
 * With a url: the store in that (empty) database on its one connection, beside 16 bare
 * connections that update one row each, and 16 that say all that a login says. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/pg_bare.h"
#include "otpcore/base/err.h"
#include "otpcore/store/store.h"

#define NOW         1795000000
#define DAY_NUMBER  (NOW / 86400)
#define HOUR_NUMBER (NOW / 3600)
#define PER_TICK    32
#define TICK_MAX    128
#define ROUNDS_MAX  64

struct bench {
	struct store *store;
	sqlite3 *bare;
	long accounts;
	double seconds;
	long picked[TICK_MAX]; /* the accounts of this tick */
	bool making;           /* not logins, but the accounts themselves */
	int r;
};

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void account_name(long i, char name[32])
{
	snprintf(name, 32, "user%06ld", i);
}

/* ---- the store ---- */

static void make_account(struct store_tick *t, size_t request, const char *name)
{
	struct aggregate *a = store_account(t, name);
	struct phone *p = NULL;
	struct subscription *s = NULL;
	struct challenge *c = NULL;

	a->account = (struct account){ .row.id = store_new_id(),
		.uid = 1000,
		.state = ACCOUNT_ACTIVE,
		.role = ROLE_USER,
		.created_at = NOW };
	snprintf(a->account.name, sizeof a->account.name, "%s", name);
	a->account.email.len = 60;
	p = store_add_phone(t, a);
	p->row.id = store_new_id();
	p->slot = p->channel = 1;
	p->state = PHONE_ACTIVE;
	p->number.len = 60;
	p->number_hash.len = HASH_LEN;
	memcpy(p->number_hash.data, &p->row.id, sizeof p->row.id);
	s = store_add_subscription(t, a);
	s->row.id = store_new_id();
	s->product = PRODUCT_PHONE_US;
	s->state = SUBSCRIPTION_ACTIVE;
	c = store_add_challenge(t, a);
	c->row.id = c->chain_id = store_new_id();
	c->phone = p->row.id;
	c->kind = CHALLENGE_LOGIN;
	c->state = CHALLENGE_LIVE;
	c->chain.len = HASH_LEN;
	c->nonce.len = NONCE_LEN;
	c->created_at = NOW;
	store_mark_account(t, request, &a->account, ROW_NEW);
	store_mark_phone(t, request, p, ROW_NEW);
	store_mark_subscription(t, request, s, ROW_NEW);
	store_mark_challenge(t, request, c, ROW_NEW);
}

static void charge_all(struct store_tick *t, size_t request, const struct aggregate *a,
	int64_t amount, int64_t streak)
{
	int64_t account = a->account.row.id;

	store_charge(t, request, THROTTLE_CHAIN, a->challenges[0].chain_id, 0, amount);
	store_charge(t, request, THROTTLE_ACCOUNT, account, DAY_NUMBER, amount);
	store_charge(t, request, THROTTLE_CREDENTIAL, a->phones[0].row.id, DAY_NUMBER, amount);
	store_charge(t, request, THROTTLE_ACCOUNT_SOURCE, account ^ 7, DAY_NUMBER, amount);
	store_charge(t, request, THROTTLE_STREAK, account ^ 7, 0, streak);
}

static void decide(struct store_tick *t, void *arg)
{
	struct bench *b = arg;
	char name[32];

	for (size_t i = 0; i < store_n_requests(t); i++) {
		struct aggregate *a = NULL;

		account_name(b->picked[i], name);
		if (b->making) {
			make_account(t, i, name);
			continue;
		}
		a = store_account(t, name);
		charge_all(t, i, a, 1, 1);
		a->challenges[0].used_at++;
		store_mark_challenge(t, i, &a->challenges[0], ROW_CHANGED);
	}
}

static void settle(struct store_tick *t, void *arg)
{
	struct bench *b = arg;
	char name[32];

	for (size_t i = 0; !b->making && i < store_n_requests(t); i++) {
		struct login *l = store_login(t, (int64_t)(uintptr_t)store_request_arg(t, i));
		struct aggregate *a = NULL;

		account_name(b->picked[i], name);
		a = store_account(t, name);
		charge_all(t, i, a, -1, STORE_RESET);
		l->row.id = (int64_t)(uintptr_t)store_request_arg(t, i);
		l->account = a->account.row.id;
		l->state = LOGIN_AUTH;
		l->started_at = l->verified_at = NOW;
		l->answer.len = 40;
		strcpy(l->service, "sshd");
		strcpy(l->rhost, "192.0.2.1");
		store_mark_login(t, i, l, ROW_NEW);
	}
}

static void done(struct store_tick *t, int r, void *arg)
{
	struct bench *b = arg;

	for (size_t i = 0; i < store_n_requests(t); i++) {
		if (store_lost(t, i) || store_failed(t, i))
			r = MAG_ESTORE;
	}
	b->r = r;
	store_tick_free(&t);
}

static const struct store_tick_ops ops = { decide, settle, done };

static int tick(struct bench *b, size_t n)
{
	struct store_tick *t = NULL;
	char name[32];
	int r = store_tick_new(b->store, NOW, &t);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		int64_t login = store_new_id();

		r = store_request(t, (void *)(uintptr_t)login);
		account_name(b->picked[i], name);
		if (r >= 0)
			r = store_want_account(t, name);
		if (r >= 0 && !b->making)
			r = store_want_login(t, login);
	}
	if (r < 0) {
		store_tick_free(&t);
		return r;
	}
	store_submit(t, &ops, b);
	store_wait(b->store);
	store_checkpoint(b->store);
	return b->r;
}

static int fill_store(struct bench *b)
{
	int r = 0;

	b->making = true;
	for (long i = 0; r == 0 && i < b->accounts; i += PER_TICK) {
		for (long k = 0; k < PER_TICK; k++)
			b->picked[k] = i + k;
		r = tick(b, PER_TICK);
	}
	b->making = false;
	return r;
}

/* Different accounts at random. */
static void pick(struct bench *b, size_t n)
{
	long start = random() % b->accounts;

	for (size_t i = 0; i < n; i++)
		b->picked[i] = (start + (long)i * 37) % b->accounts;
}

static double store_rate(struct bench *b, size_t n)
{
	double start = seconds_now(), end = start;
	long done_n = 0;

	while (end - start < b->seconds) {
		pick(b, n);
		if (tick(b, n) != 0)
			return 0;
		done_n += (long)n;
		end = seconds_now();
	}
	return (double)done_n / (end - start);
}

/* ---- bare SQLite ---- */

static int fill_bare(struct bench *b, const char *path)
{
	char sql[512];

	if (sqlite3_open(path, &b->bare) != SQLITE_OK)
		return MAG_ESTORE;
	snprintf(sql, sizeof sql,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;"
		"CREATE TABLE token (id INTEGER PRIMARY KEY, version INTEGER, counter INTEGER,"
		" secret BLOB, state INTEGER);"
		"WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < %ld)"
		" INSERT INTO token SELECT i, 0, 0, randomblob(60), 1 FROM n",
		b->accounts);
	return sqlite3_exec(b->bare, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : MAG_ESTORE;
}

static double bare_rate(struct bench *b, size_t n)
{
	sqlite3_stmt *s[3] = { 0 };
	static const char *const texts[] = { "BEGIN IMMEDIATE",
		"UPDATE token SET counter = counter + 1, version = version + 1 WHERE id = ?1",
		"COMMIT" };
	double start = 0, end = 0;
	long done_n = 0;

	for (size_t i = 0; i < 3; i++)
		sqlite3_prepare_v2(b->bare, texts[i], -1, &s[i], NULL);
	for (start = end = seconds_now(); end - start < b->seconds; end = seconds_now()) {
		pick(b, n);
		sqlite3_step(s[0]);
		sqlite3_reset(s[0]);
		for (size_t i = 0; i < n; i++) {
			sqlite3_bind_int64(s[1], 1, b->picked[i]);
			sqlite3_step(s[1]);
			sqlite3_reset(s[1]);
		}
		done_n += sqlite3_step(s[2]) == SQLITE_DONE ? (long)n : 0;
		sqlite3_reset(s[2]);
	}
	for (size_t i = 0; i < 3; i++)
		sqlite3_finalize(s[i]);
	return (double)done_n / (end - start);
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(struct bench *b, size_t n, int rounds)
{
	double store[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];

	for (int i = 0; i < rounds; i++) {
		bare[i] = bare_rate(b, n);
		store[i] = store_rate(b, n);
		ratio[i] = bare[i] > 0 ? store[i] / bare[i] : 0;
	}
	qsort(store, (size_t)rounds, sizeof *store, by_value);
	qsort(bare, (size_t)rounds, sizeof *bare, by_value);
	qsort(ratio, (size_t)rounds, sizeof *ratio, by_value);
	printf("%2zu per commit: store %8.0f verify/s (%7.0f ticks/s), bare updates %8.0f/s, "
	       "ratio %.2f (%.2f-%.2f)\n",
		n, store[rounds / 2], store[rounds / 2] / (double)n, bare[rounds / 2],
		ratio[rounds / 2], ratio[0], ratio[rounds - 1]);
}

static int prepare(struct bench *b, const char *dir)
{
	char url[4200], path[128], here[4096], err[STORE_ERROR_MAX] = "";
	int r = 0;

	if (getcwd(here, sizeof here) == NULL)
		return MAG_ESYS;
	snprintf(url, sizeof url, "sqlite:%s/%s/store.db", here, dir);
	snprintf(path, sizeof path, "%s/bare.db", dir);
	r = store_create(url, err);
	if (r == 0)
		r = store_open(url, &b->store, err);
	if (r != 0) {
		fprintf(stderr, "%s\n", err);
		return r;
	}
	r = fill_store(b);
	return r == 0 ? fill_bare(b, path) : r;
}

/* ---- PostgreSQL ---- */

static int report_pg(struct bench *b, const char *url, int rounds)
{
	static const enum pg_bare kinds[] = { PG_BARE_UPDATE, PG_BARE_LOGIN };
	static const char *const names[] = { "update", "login" };
	char err[STORE_ERROR_MAX] = "";
	int r = store_create(url, err);

	if (r == 0)
		r = store_open(url, &b->store, err);
	if (r == 0)
		r = fill_store(b);
	for (int i = 0; r == 0 && i < rounds; i++) {
		for (size_t n = 1; n <= 128; n = n == 1 ? PER_TICK : n * 4)
			printf("pg store %zu %.0f\n", n, store_rate(b, n));
		for (size_t k = 0; k < 2; k++)
			printf("pg %s 16 %.0f\n", names[k],
				pg_bare_rate(url, kinds[k], 16, b->seconds));
		fflush(stdout);
	}
	if (r != 0)
		fprintf(stderr, "store_bench: %s\n", *err ? err : mag_strerror(r));
	return r;
}

static void clean(const char *dir)
{
	static const char *const names[] = { "store.db", "store.db-wal", "store.db-shm", "bare.db",
		"bare.db-wal", "bare.db-shm" };
	char path[128];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

int main(int argc, char **argv)
{
	struct bench b = { .accounts = argc > 1 ? atol(argv[1]) : 10000,
		.seconds = argc > 2 ? atof(argv[2]) : 0.5 };
	int rounds = argc > 3 ? atoi(argv[3]) : 5;
	char dir[] = "store-bench-XXXXXX";
	int r = 0;

	if (b.accounts < 2000 || b.seconds <= 0 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: store_bench [accounts >= 2000 [seconds [rounds <= 64]]]\n");
		return 2;
	}
	b.accounts -= b.accounts % PER_TICK;
	if (argc > 4) {
		r = report_pg(&b, argv[4], rounds);
		store_close(&b.store);
		return r == 0 ? 0 : 1;
	}
	if (mkdtemp(dir) == NULL) {
		fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		return 1;
	}
	r = prepare(&b, dir);
	if (r == 0) {
		report(&b, 1, rounds);
		report(&b, PER_TICK, rounds);
	}
	store_close(&b.store);
	sqlite3_close(b.bare);
	clean(dir);
	return r == 0 ? 0 : 1;
}
