/* The connection to PostgreSQL: opened, spoken over, lost; pg_dial.c makes it. What waits
 * too long for the server is given up. */
#include "otpcore/store/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"

#define SCHEME "postgresql:"
int64_t pg_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pg_tell(char err[STORE_ERROR_MAX], const char *what, const char *message)
{
	snprintf(err, STORE_ERROR_MAX, "%s: %s", what, message);
	err[strcspn(err, "\n")] = '\0';
}

void pg_lost(struct pg *q, const char *what)
{
	char err[STORE_ERROR_MAX];

	if (q->conn == NULL)
		return;
	pg_tell(err, what, PQerrorMessage(q->conn));
	mag_log(MAG_LOG_ERROR, "store: %s", err);
	PQfinish(q->conn);
	q->conn = NULL;
	q->rolling = false;
}

/* ---- waiting ---- */

int pg_wait_for(struct pg *q, short events, int64_t until)
{
	struct pollfd p = { PQsocket(q->conn), events, 0 };
	int64_t left = until - pg_clock_ms();
	int n = left > 0 ? poll(&p, 1, (int)left) : 0;

	if (n < 0 && errno == EINTR)
		return 0;
	return n > 0 ? p.revents : MAG_ETIMEOUT;
}

/* All that was asked is on its way, and an answer is there. */
static int ready(struct pg *q, int64_t until)
{
	int pending = PQflush(q->conn);

	while (pending == 1 || (pending == 0 && PQisBusy(q->conn))) {
		int got = pg_wait_for(q, pending == 1 ? POLLIN | POLLOUT : POLLIN, until);

		if (got < 0)
			return got;
		if (got & (POLLIN | POLLERR | POLLHUP) && !PQconsumeInput(q->conn))
			return MAG_ESTORE;
		pending = PQflush(q->conn);
	}
	return pending < 0 ? MAG_ESTORE : 0;
}

static int next_result(struct pg *q, PGresult **result_r)
{
	int r = q->conn != NULL ? ready(q, pg_clock_ms() + PG_ANSWER_MS) : MAG_ESTORE;

	if (r != 0) {
		pg_lost(q, r == MAG_ETIMEOUT ? "PostgreSQL does not answer" : "PostgreSQL is gone");
		return MAG_ESTORE;
	}
	*result_r = PQgetResult(q->conn);
	return 0;
}

/* ---- faults ---- */

int pg_fault(const PGresult *result, const char *what)
{
	/* SQLSTATE: "Appendix A. PostgreSQL Error Codes". */
	static const struct {
		const char *state;
		int r;
	} known[] = {
		{ "40001", MAG_EBUSY },     /* serialization_failure */
		{ "40P01", MAG_EBUSY },     /* deadlock_detected */
		{ "55P03", MAG_EBUSY },     /* lock_not_available */
		{ "57014", MAG_EBUSY },     /* query_canceled: a deadline */
		{ "23505", MAG_ECONFLICT }, /* unique_violation */
		{ "22012", MAG_ECONFLICT }, /* division_by_zero: a guard's */
		{ "53200", MAG_ENOMEM },    /* out_of_memory */
	};
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char err[STORE_ERROR_MAX];
	int r = MAG_ESTORE;

	for (size_t i = 0; state != NULL && i < sizeof known / sizeof known[0]; i++)
		if (strcmp(state, known[i].state) == 0)
			r = known[i].r;
	if (r != MAG_ECONFLICT) {
		pg_tell(err, what, PQresultErrorMessage(result));
		mag_log(MAG_LOG_ERROR, "store: %s (%s)", err, state != NULL ? state : "no state");
	}
	return r;
}

bool pg_again(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state != NULL && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0);
}

int pg_say(struct pg *q, const char *sql)
{
	PGresult *result = NULL;
	int r = 0, last = MAG_ESTORE;

	/* The answer to what was said before, and not waited for. */
	while (q->conn != NULL && q->rolling && next_result(q, &result) == 0) {
		q->rolling = result != NULL;
		PQclear(result);
	}
	if (q->conn == NULL || !PQsendQuery(q->conn, sql)) {
		pg_lost(q, sql);
		return MAG_ESTORE;
	}
	while (r == 0 && (r = next_result(q, &result)) == 0 && result != NULL) {
		ExecStatusType status = PQresultStatus(result);

		last = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK
			       ? 0
			       : pg_fault(result, sql);
		PQclear(result);
		if (last != 0)
			r = last;
	}
	/* What is left of a failed one. */
	while (q->conn != NULL && next_result(q, &result) == 0 && result != NULL)
		PQclear(result);
	return r != 0 ? r : last;
}

bool pg_hear(struct pg *q, PGconn *conn, const char *what, int *r_r)
{
	PGresult *result = NULL;

	if (PQflush(conn) < 0 || !PQconsumeInput(conn)) {
		*r_r = MAG_ESTORE;
		return true;
	}
	while (!PQisBusy(conn)) {
		ExecStatusType status;

		result = PQgetResult(conn);
		if (result == NULL) {
			*r_r = q->heard;
			return true;
		}
		status = PQresultStatus(result);
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
			q->heard = pg_fault(result, what);
		PQclear(result);
	}
	return false;
}

int pg_start_saying(struct pg *q, PGconn *conn, const char *sql)
{
	q->heard = 0;
	return PQsendQuery(conn, sql) && PQflush(conn) >= 0 ? 0 : MAG_ESTORE;
}

/* ---- opening ---- */

/* libpq takes from its environment what nobody says; what it does is ours to say. */
static void forget_environment(void)
{
	static const char *const names[] = { "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE",
		"PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS",
		"PGAPPNAME", "PGSSLMODE", "PGREQUIRESSL", "PGSSLCOMPRESSION", "PGSSLCERT",
		"PGSSLKEY", "PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIREPEER",
		"PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE",
		"PGKRBSRVNAME", "PGGSSLIB", "PGCONNECT_TIMEOUT", "PGCLIENTENCODING",
		"PGTARGETSESSIONATTRS", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGSYSCONFDIR",
		"PGLOCALEDIR", "PGCHANNELBINDING" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unsetenv(names[i]);
}

void pg_close(void *backend)
{
	struct pg *q = backend;

	if (q == NULL)
		return;
	for (size_t i = 0; i < q->n_results; i++)
		PQclear(q->results[i]);
	free(q->results);
	free(q->made);
	PQfinish(q->conn);
	pg_dial_free(&q->dial);
	free(q->url);
	free(q);
}

int pg_open(const char *where, void **backend_r, char err[STORE_ERROR_MAX])
{
	struct pg *q = calloc(1, sizeof *q);
	int r = MAG_ENOMEM;

	forget_environment();
	if (q == NULL || asprintf(&q->url, SCHEME "%s", where) < 0) {
		snprintf(err, STORE_ERROR_MAX, "%s", mag_strerror(r));
		free(q);
		return r;
	}
	r = pg_dial_init(q, err);
	if (r == 0)
		r = pg_dial_wait(q, err);
	if (r != 0)
		pg_close(q);
	else
		*backend_r = q;
	return r;
}

/* The database is its administrator's to make; here it is looked at whether there is a
 * store in it already. */
int pg_create(const char *where, char err[STORE_ERROR_MAX])
{
	void *backend = NULL;
	struct pg *q = NULL;
	PGresult *result = NULL;
	int r = pg_open(where, &backend, err);

	if (r != 0)
		return r;
	q = backend;
	result = PQexec(q->conn, "SELECT to_regclass('meta') IS NOT NULL");
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		pg_tell(err, "PostgreSQL", PQerrorMessage(q->conn));
		r = MAG_ESTORE;
	} else if (*PQgetvalue(result, 0, 0) == 't') {
		pg_tell(err, where, "there is a store already");
		r = MAG_EEXISTS;
	}
	PQclear(result);
	pg_close(q);
	return r;
}
