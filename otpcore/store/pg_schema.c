/* The schema of a store in PostgreSQL: which one it has, and the way to a newer one. The
 * texts are those of SQLite's; what is for SQLite alone stands in comments there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/pg.h"

/* Of programs that start at once one migrates, the others wait. Any number will do. */
#define LOCK "SELECT pg_advisory_xact_lock(7301495)"

static int ask(struct pg *q, const char *sql, int64_t *n_r)
{
	PGresult *result = PQexec(q->conn, sql);
	int r = PQresultStatus(result) == PGRES_TUPLES_OK ? 0 : MAG_ESTORE;

	if (r == 0 && PQntuples(result) == 1)
		*n_r = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return r;
}

/* 0 for an empty database, -1 for one that isn't ours. */
static int schema_found(struct pg *q, int64_t *schema_r)
{
	int64_t tables = 0, meta = 0;
	int r = ask(q,
		"SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') "
		"AND relnamespace = (SELECT oid FROM pg_namespace "
		"WHERE nspname = current_schema())",
		&tables);

	if (r == 0)
		r = ask(q, "SELECT (to_regclass('meta') IS NOT NULL)::int", &meta);
	if (r != 0)
		return r;
	if (meta == 0) {
		*schema_r = tables == 0 ? 0 : -1;
		return 0;
	}
	*schema_r = -1;
	return ask(q, "SELECT value FROM meta WHERE name = 'schema'", schema_r);
}

static int apply(struct pg *q, const char *text, int number)
{
	char set[160];
	int r = pg_say(q, text);

	snprintf(set, sizeof set,
		"INSERT INTO meta (name, value) VALUES ('schema', %d) "
		"ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		number);
	return r == 0 ? pg_say(q, set) : r;
}

int pg_migrate(void *backend, const char *const *texts, int wanted, char err[STORE_ERROR_MAX])
{
	struct pg *q = backend;
	int64_t found = 0;
	int r = pg_say(q, "BEGIN");

	if (r == 0)
		r = pg_say(q, "SET LOCAL client_min_messages = warning");
	if (r == 0)
		r = pg_say(q, LOCK);
	if (r == 0)
		r = schema_found(q, &found);
	if (r == 0 && (found < 0 || found > wanted))
		r = MAG_ESCHEMA;
	for (int64_t n = found; r == 0 && n < wanted; n++)
		r = apply(q, texts[n], (int)n + 1);
	if (r == 0)
		r = pg_say(q, "COMMIT");
	if (r == MAG_ESCHEMA && found < 0)
		snprintf(err, STORE_ERROR_MAX, "PostgreSQL: this database holds something else");
	else if (r == MAG_ESCHEMA)
		snprintf(err, STORE_ERROR_MAX,
			"PostgreSQL: schema %lld is newer than this program's (%d); update the "
			"program",
			(long long)found, wanted);
	else if (r != 0)
		snprintf(err, STORE_ERROR_MAX, "PostgreSQL: the schema cannot be made: %.180s",
			q->conn != NULL ? PQerrorMessage(q->conn) : "the server is gone");
	if (r != 0 && q->conn != NULL && PQtransactionStatus(q->conn) != PQTRANS_IDLE)
		(void)pg_say(q, "ROLLBACK");
	return r;
}
