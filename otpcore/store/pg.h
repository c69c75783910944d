/* What the files of the PostgreSQL backend share. */
#ifndef STORE_PG_H
#define STORE_PG_H

#include <libpq-fe.h>

#include "otpcore/store/backend.h"

struct pg {
	PGconn *conn; /* NULL: to be made again before the next transaction */
	char *url;
	bool prepared[STATEMENT_COUNT];
};

/* ---- pg_conn.c ---- */
int pg_create(const char *where, char err[STORE_ERROR_MAX]);
int pg_open(const char *where, void **backend_r, char err[STORE_ERROR_MAX]);
void pg_close(void *backend);
/* Connects if it has to. 0 or MAG_ESTORE. */
int pg_usable(struct pg *q);
/* The connection is of no use any more. */
void pg_lost(struct pg *q, const char *what);
/* The next result, within the deadline; NULL: the end of a statement's results.
 * MAG_ESTORE: the server is gone or silent; then the connection is, too. */
int pg_result(struct pg *q, PGresult **result_r);
/* Say it, outside the pipeline, and wait: "BEGIN". 0, MAG_EBUSY, MAG_ESTORE. */
int pg_say(struct pg *q, const char *sql);
/* What a failed statement means: MAG_EBUSY (somebody else had it; again), MAG_ECONFLICT (a
 * key that another row holds), MAG_ENOMEM, MAG_ESTORE; logged but for a conflict. */
int pg_fault(const PGresult *result, const char *what);

/* ---- pg_schema.c ---- */
int pg_migrate(void *backend, const char *const *texts, int wanted, char err[STORE_ERROR_MAX]);

#endif
