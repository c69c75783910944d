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

/* Before anything is sent there must be a connection that is not in the middle of anything. */
enum pg_stage { PG_PREPARES, PG_READS, PG_WRITES, PG_COMMIT };

/* A connection that is being made. */
#define PG_HOSTS_MAX 16
enum pg_dial_stage { DIAL_CONNECT, DIAL_SETTINGS };
struct pg_dial {
	struct pg_host {
		char *name, *address, *port; /* NULL: libpq's default */
	} hosts[PG_HOSTS_MAX];
	size_t n, at;    /* 0 hosts: the URL names none */
	int64_t host_ms; /* for each */
	PGconn *conn;    /* NULL: none is asked just now */
	enum pg_dial_stage stage;
	PostgresPollingStatusType polling;
	int64_t until;      /* pg_clock_ms, as all here: the host's time is over */
	int64_t since;      /* there is no connection; 0: there is one */
	int64_t rest_until; /* all have been asked: again then */
	int64_t blocked;    /* ms that names took to be looked up in this round */
	int64_t told;       /* when the log heard of it last; 0: not yet */
	bool quiet;
	char error[STORE_ERROR_MAX];
};

struct pg {
	PGconn *conn; /* NULL: to be made again before the next transaction */
	struct pg_dial dial;
	char *url;
	bool prepared[STATEMENT_COUNT], guards[TABLE_COUNT];
	bool rolling;         /* a ROLLBACK was sent, its answer is not here yet */
	int64_t rolled_until; /* pg_clock_ms */
	int heard;            /* of what was said outside the pipeline: 0, or the error */

	/* The batch under way, or NULL, and its trip. */
	struct store_batch *batch;
	struct pg_trip trip;
	enum pg_stage stage;
	bool commit_fails; /* a test wants it to */
	bool held;         /* by a snapshot: another connection would see something else */
	int64_t until;     /* pg_clock_ms: the answer is there */
	bool *made;        /* which statements this trip prepares */
	size_t cap_made;
	PGresult **results; /* in the order of what was sent; SYNC ends them */
	size_t n_results, cap_results, taken;
};

/* ---- pg_conn.c ---- */
#define PG_ANSWER_MS   8000 /* above the server's own deadlines */
#define PG_READ_MS     3000 /* of a tick, which waits for no lock */
#define PG_PATIENCE_MS 400  /* without a connection; then whoever asks is told "busy" */

int64_t pg_clock_ms(void);
int pg_create(const char *where, char err[STORE_ERROR_MAX]);
int pg_open(const char *where, void **backend_r, char err[STORE_ERROR_MAX]);
void pg_close(void *backend);
/* The connection is of no use any more. */
void pg_lost(struct pg *q, const char *what);
/* Waits for events (poll's) until then. What happened; 0: a signal; MAG_ETIMEOUT. */
int pg_wait_for(struct pg *q, short events, int64_t until);
/* Say it, outside the pipeline, and wait: "BEGIN". 0, MAG_EBUSY, MAG_ESTORE. */
int pg_say(struct pg *q, const char *sql);
/* The same without waiting, on any connection of ours: 0 if it is on its way. Once it was
 * answered pg_hear() is true, with 0 or an error. */
int pg_start_saying(struct pg *q, PGconn *conn, const char *sql);
bool pg_hear(struct pg *q, PGconn *conn, const char *what, int *r_r);
/* libpq's messages end in a newline and may have several lines. */
void pg_tell(char err[STORE_ERROR_MAX], const char *what, const char *message);
/* What a failed statement means: MAG_EBUSY (somebody else had it; again), MAG_ECONFLICT (a
 * key that another row holds), MAG_ENOMEM, MAG_ESTORE; logged but for a conflict. */
int pg_fault(const PGresult *result, const char *what);
/* Would the same, once more, probably go through (a deadlock)? */
bool pg_again(const PGresult *result);

/* ---- pg_dial.c ---- */
int pg_dial_init(struct pg *q, char err[STORE_ERROR_MAX]);
void pg_dial_free(struct pg_dial *d);
/* Goes on to make q->conn. 0: it is there; BACKEND_PENDING: call again when what
 * pg_dial_waits() names has come; MAG_EBUSY: nobody is there, again after a rest. */
int pg_dial(struct pg *q);
/* Is one being made, or is it time to rest? */
bool pg_dial_waits(const struct pg *q, struct store_wait *w_r);
/* All hosts once, waited for. 0 or MAG_ESTORE. */
int pg_dial_wait(struct pg *q, char err[STORE_ERROR_MAX]);

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
