/* What the files of the PostgreSQL backend share. */
#ifndef STORE_PG_H
#define STORE_PG_H

#include <libpq-fe.h>

#include "otpcore/store/backend.h"

/* What goes to the server at once, up to a synchronisation point. */
struct pg_trip {
	const char *first, *last; /* BEGIN, COMMIT, or NULL */
	bool calls;               /* those of the batch between them */
	bool guarded;             /* and what fails the transaction if one of them lost */
	bool reads;               /* errors stay in the calls */
};

enum pg_stage { PG_READS, PG_WRITES, PG_COMMIT };

struct pg {
	PGconn *conn; /* NULL: to be made again before the next transaction */
	char *url;
	bool prepared[STATEMENT_COUNT], guards[TABLE_COUNT];

	/* The batch under way, or NULL, and its trip. */
	struct store_batch *batch;
	struct pg_trip trip;
	enum pg_stage stage;
	bool commit_fails; /* a test wants it to */
	int64_t until;     /* pg_clock_ms: the answer is there */
	bool *made;        /* which statements this trip prepares */
	size_t cap_made;
	PGresult **results; /* in the order of what was sent; SYNC ends them */
	size_t n_results, cap_results, taken;
};

/* ---- pg_conn.c ---- */
#define PG_ANSWER_MS 8000 /* above the server's own deadlines */

int64_t pg_clock_ms(void);
int pg_create(const char *where, char err[STORE_ERROR_MAX]);
int pg_open(const char *where, void **backend_r, char err[STORE_ERROR_MAX]);
void pg_close(void *backend);
/* Connects if it has to. 0 or MAG_ESTORE. */
int pg_usable(struct pg *q);
/* The connection is of no use any more. */
void pg_lost(struct pg *q, const char *what);
/* Waits for events (poll's) until then. What happened; 0: a signal; MAG_ETIMEOUT. */
int pg_wait_for(struct pg *q, short events, int64_t until);
/* Say it, outside the pipeline, and wait: "BEGIN". 0, MAG_EBUSY, MAG_ESTORE. */
int pg_say(struct pg *q, const char *sql);
/* What a failed statement means: MAG_EBUSY (somebody else had it; again), MAG_ECONFLICT (a
 * key that another row holds), MAG_ENOMEM, MAG_ESTORE; logged but for a conflict. */
int pg_fault(const PGresult *result, const char *what);
/* Would the same, once more, probably go through (a deadlock)? */
bool pg_again(const PGresult *result);

/* ---- pg_reach.c ---- */
/* As store_reach(). */
int pg_reach(const char *url, struct store_reach *reach_r);

/* ---- pg_trip.c ---- */
/* Sends q->trip. 0 or MAG_ESTORE: the connection is gone. */
int pg_send(struct pg *q);
/* Reads what has come. 1: all of it; 0: not yet; MAG_ESTORE: the connection is gone. */
int pg_pump(struct pg *q);
/* What all of it says; the first error, MAG_ECONFLICT before others. */
int pg_take(struct pg *q);
/* Can the batch's COMMIT go with it, because a lost race fails the transaction? */
bool pg_guardable(const struct store_batch *b);

/* Of the row that a struct store_cells stands on. */
int64_t pg_cell_int(void *statement, int column);
const void *pg_cell_bytes(void *statement, int column, size_t *len_r);

/* ---- pg_schema.c ---- */
int pg_migrate(void *backend, const char *const *texts, int wanted, char err[STORE_ERROR_MAX]);

#endif
