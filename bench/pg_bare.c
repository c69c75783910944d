#include "bench/pg_bare.h"

#ifdef HAVE_POSTGRESQL

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SUBJECTS 10000

struct shared {
	int ready;
	volatile int go;
	long done;
};

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char update_sql[] =
	"UPDATE account SET role = role, version = version + 1 WHERE name = $1 RETURNING version";
static const char count_sql[] =
	"INSERT INTO throttle (kind, subject, period, count, last_at) SELECT 1, id, $2::bigint, 1, "
	"1"
	" FROM account WHERE name = $1 ON CONFLICT (subject, kind, period)"
	" DO UPDATE SET count = throttle.count + excluded.count RETURNING count";
static const char read_sql[] =
	"SELECT * FROM phone WHERE account = (SELECT id FROM account WHERE name = $1)";

static bool say(PGconn *c, const char *statement, const char *name, const char *period)
{
	const char *values[] = { name, period };
	int n = name == NULL ? 0 : period == NULL ? 1 : 2;
	PGresult *r = name != NULL ? PQexecPrepared(c, statement, n, values, NULL, NULL, 1)
				   : PQexec(c, statement);
	bool good = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;

	PQclear(r);
	return good;
}

static bool prepare(PGconn *c)
{
	PGresult *r[] = { PQexec(c, "SET synchronous_commit = on"),
		PQprepare(c, "update", update_sql, 1, NULL),
		PQprepare(c, "count", count_sql, 2, NULL),
		PQprepare(c, "read", read_sql, 1, NULL) };
	bool good = true;

	for (size_t i = 0; i < 4; i++) {
		good = good && PQresultStatus(r[i]) == PGRES_COMMAND_OK;
		PQclear(r[i]);
	}
	return good;
}

/* Ten reads, five charges, a changed row, five refunds: as many trips as statements. */
static bool login(PGconn *c, const char *name)
{
	static const char *const periods[] = { "1", "2", "3", "4", "5" };
	bool good = true;

	for (int i = 0; i < 10; i++)
		good = good && say(c, "read", name, NULL);
	good = good && say(c, "BEGIN", NULL, NULL);
	for (int i = 0; i < 10; i++)
		good = good && say(c, "count", name, periods[i % 5]);
	good = good && say(c, "update", name, NULL);
	return good && say(c, "COMMIT", NULL, NULL);
}

static void work(const char *url, enum pg_bare kind, struct shared *s, double seconds)
{
	PGconn *c = PQconnectdb(url);
	double end;
	long n = 0;
	bool good = PQstatus(c) == CONNECTION_OK && prepare(c);

	srandom((unsigned)getpid());
	__atomic_add_fetch(&s->ready, 1, __ATOMIC_SEQ_CST);
	while (!s->go)
		usleep(200);
	for (end = seconds_now() + seconds; good && seconds_now() < end; n += good) {
		char name[32];

		snprintf(name, sizeof name, "user%06ld", random() % SUBJECTS);
		good = kind == PG_BARE_UPDATE ? say(c, "update", name, NULL) : login(c, name);
	}
	__atomic_add_fetch(&s->done, n, __ATOMIC_SEQ_CST);
	PQfinish(c);
}

double pg_bare_rate(const char *url, enum pg_bare kind, int connections, double seconds)
{
	struct shared *s =
		mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double rate = 0, begun;

	if (s == MAP_FAILED)
		return 0;
	for (int i = 0; i < connections; i++) {
		if (fork() == 0) {
			work(url, kind, s, seconds);
			_exit(0);
		}
	}
	while (__atomic_load_n(&s->ready, __ATOMIC_SEQ_CST) < connections)
		usleep(1000);
	begun = seconds_now();
	s->go = 1;
	while (wait(NULL) > 0)
		;
	rate = (double)s->done / (seconds_now() - begun);
	munmap(s, sizeof *s);
	return rate;
}

#else

double pg_bare_rate(const char *url, enum pg_bare kind, int connections, double seconds)
{
	(void)url;
	(void)kind;
	(void)connections;
	(void)seconds;
	return 0;
}

#endif
