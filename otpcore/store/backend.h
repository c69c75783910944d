/* What the tick asks of a database. Statements come in batches, one batch per
 * round trip, so that a backend may pipeline them and answer later. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "otpcore/store/arena.h"
#include "otpcore/store/rows.h"
#include "otpcore/store/store.h"

enum query {
#define QUERY(name, types, text) QUERY_##name,
#include "otpcore/store/query.inc"
#undef QUERY
	QUERY_COUNT
};
/* Statements that rows.c makes follow the written ones. */
#define STATEMENT_ROW(table, verb) (QUERY_COUNT + (int)(table)*ROW_VERBS + (int)(verb))
#define STATEMENT_COUNT            (QUERY_COUNT + TABLE_COUNT * ROW_VERBS)

struct store_call {
	int statement;
	const char *point; /* its fault point */
	const struct store_value *values;
	size_t n_values;
	/* Once per row of the result; not 0 ends the call with that. */
	int (*row)(const struct store_cells *cells, void *arg);
	void *arg;
	/* 0 rows changed, or another row holds the key: the batch is a lost race. */
	bool must_change;
	/* Its text fails by itself (a division by nothing) where it must not be true: lost, too. */
	bool must_hold;
	int64_t changed; /* out */
	int r;           /* out */
};

#define BACKEND_PENDING 1 /* not ready: resume() will be called */

struct store_batch {
	struct store_call *calls;
	size_t n, cap;
	/* begin: start to write. commit: end it; if a must_change call changed
	 * nothing, roll back instead. Neither, outside a transaction: reads. */
	bool begin, commit;
	bool unknown; /* out: COMMIT failed, nobody knows whether it is durable */
	bool again;   /* out: two writers were in each other's way (a deadlock) */
	/* NULL: run() waits. */
	void (*resume)(void *arg, int r);
	void *arg;
};

struct backend_ops {
	const char *kind;
	/* From begin to commit nobody else can write: a counter that is read in the
	 * claim can be written once, with the outcome, in the commit. */
	bool exclusive;
	int (*create)(const char *where, char err[STORE_ERROR_MAX]);
	void (*discard)(const char *where); /* what create has made just now; NULL: nothing */
	int (*open)(const char *where, void **backend_r, char err[STORE_ERROR_MAX]);
	void (*close)(void *backend);
	/* Bring the schema to that of the program in one transaction; texts[n] leads
	 * from schema n to n + 1. 0, MAG_ESCHEMA, MAG_ESTORE. */
	int (*migrate)(
		void *backend, const char *const *texts, int wanted, char err[STORE_ERROR_MAX]);
	/* 0, BACKEND_PENDING, or an error: then there is no transaction any more.
	 *   MAG_EBUSY: somebody else holds the database, trying on would take long
	 *   reads: errors are in the calls; an error here means none was made
	 *   writes: the first error, or MAG_ECONFLICT (all calls were made, so that
	 *   every loser is known) */
	int (*run)(void *backend, struct store_batch *batch);
	/* NULL: run() never is pending. Is a batch? Then what the caller's loop waits for;
	 * ready() when that has come. */
	bool (*waits)(void *backend, struct store_wait *w_r);
	void (*ready)(void *backend);
	void (*rollback)(void *backend);
	void (*checkpoint)(void *backend, bool idle);
	void (*forget)(void *backend);                 /* NULL: a server keeps its own log */
	int (*script)(void *backend, const char *sql); /* tests only; may be NULL */
	/* Until it ends all batches without `begin` see the store as it is now; none of them
	 * writes. */
	int (*snapshot)(void *backend, bool begin);
	/* NULL: it needs none. Is the file whole, and nothing in it that runs by itself? */
	int (*sound)(void *backend, char err[STORE_ERROR_MAX]);
	int (*hasty)(void *backend); /* NULL: it has no such thing */
	int64_t (*cell_int)(void *statement, int column);
	/* Borrowed until the next row; *len_r without NUL. */
	const void *(*cell_bytes)(void *statement, int column, size_t *len_r);
};

extern const struct backend_ops backend_sqlite;
extern const struct backend_ops backend_postgresql; /* HAVE_POSTGRESQL */

struct store {
	const struct backend_ops *ops;
	void *backend;
	struct arena_pool pool;
	store_spent_fn *on_spent; /* NULL: nobody listens */
	void *on_spent_arg;
};

/* The text of a statement, expanded, with $N parameters: malloc'd. */
char *statement_text(int statement);

#endif
