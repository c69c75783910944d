/* PostgreSQL as a backend: batches. A batch is one trip; where the COMMIT must wait for
 * what the calls have come to, it is another. Whoever gave a batch that can be resumed
 * gets his loop back while the server works. */
#include "otpcore/store/pg.h"

#include <poll.h>
#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/store/fault.h"

/* Reads see one snapshot, and nothing of theirs is ever written. */
#define BEGIN_READ  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#define BEGIN_WRITE "BEGIN ISOLATION LEVEL READ COMMITTED"

static bool faulty(const struct store_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (FAULT(b->calls[i].point))
			return true;
	return false;
}

static void pg_rollback(void *backend)
{
	struct pg *q = backend;

	if (q->conn == NULL || q->rolling || PQtransactionStatus(q->conn) == PQTRANS_IDLE)
		return;
	if (pg_start_saying(q, q->conn, "ROLLBACK") != 0) {
		pg_lost(q, "ROLLBACK");
		return;
	}
	/* Whoever begins next hears whether it was done. */
	q->rolling = true;
	q->rolled_until = pg_clock_ms() + PG_ANSWER_MS;
}

static bool any_lost(const struct store_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->calls[i].must_change && b->calls[i].changed == 0)
			return true;
	return false;
}

/* ---- trips of a batch ---- */

static int send_reads(struct pg *q)
{
	q->stage = PG_READS;
	q->trip = (struct pg_trip){ BEGIN_READ, "COMMIT", true, false, true };
	return pg_send(q);
}

/* The COMMIT goes with it if a lost race would fail it. */
static int send_writes(struct pg *q)
{
	struct store_batch *b = q->batch;
	bool together = b->commit && !q->commit_fails && pg_guardable(b);
	int r = 0;

	q->stage = PG_WRITES;
	q->trip = (struct pg_trip){ b->begin ? BEGIN_WRITE : NULL, together ? "COMMIT" : NULL, true,
		together, false };
	r = pg_send(q);
	b->unknown = r != 0 && together;
	return r;
}

static int send_commit(struct pg *q)
{
	q->stage = PG_COMMIT;
	q->trip = (struct pg_trip){ "COMMIT", NULL, false, false, false };
	return pg_send(q);
}

/* Gone between COMMIT and its answer: durable or not, nobody knows. */
static int lose_commit(struct pg *q)
{
	pg_lost(q, "store.commit");
	q->batch->unknown = true;
	return MAG_ESTORE;
}

static int end_writes(struct pg *q, int r)
{
	struct store_batch *b = q->batch;

	if (r == 0 && any_lost(b))
		r = MAG_ECONFLICT;
	if (r != 0 || !b->commit || q->trip.last != NULL)
		return r;
	if (q->commit_fails)
		return lose_commit(q);
	r = send_commit(q);
	b->unknown = r != 0;
	return r == 0 ? BACKEND_PENDING : r;
}

/* A trip has ended (r 0) or its connection has: 0 or an error; BACKEND_PENDING: another
 * one is under way. */
static int go_on(struct pg *q, int r)
{
	bool committing = q->stage == PG_COMMIT || (q->stage == PG_WRITES && q->trip.last != NULL);

	if (r == 0)
		r = pg_take(q);
	else if (q->stage == PG_READS)
		r = MAG_EBUSY; /* nothing was decided: whoever asks may ask again */
	else
		q->batch->unknown = committing;
	if (q->stage == PG_WRITES)
		r = end_writes(q, r);
	/* A failed read is in its call; an error of the batch means that none was made. */
	if (r < 0 || q->stage == PG_READS)
		pg_rollback(q);
	return r;
}

/* ---- a batch, from its beginning to its end ---- */

/* A connection, with no transaction on it. 0, BACKEND_PENDING, MAG_EBUSY. */
static int prepare(struct pg *q)
{
	int r = 0;

	/* A server that restarted tells so only when one reads. */
	if (q->conn != NULL && (!PQconsumeInput(q->conn) || PQstatus(q->conn) != CONNECTION_OK))
		pg_lost(q, "PostgreSQL");
	if (q->conn != NULL && q->rolling) {
		q->rolling = !pg_hear(q, q->conn, "ROLLBACK", &r);
		if (r != 0 || (q->rolling && pg_clock_ms() >= q->rolled_until))
			pg_lost(q, "ROLLBACK");
		else if (q->rolling)
			return BACKEND_PENDING;
	}
	r = pg_dial(q);
	/* It goes on to be made, for whoever asks later. */
	if (r == BACKEND_PENDING && pg_clock_ms() - q->dial.since >= PG_PATIENCE_MS)
		r = MAG_EBUSY;
	return r;
}

static int launch(struct pg *q, bool writing)
{
	struct store_batch *b = q->batch;
	int r = 0;

	if (!writing && !b->begin)
		return send_reads(q);
	if (b->begin && FAULT("store.begin"))
		r = MAG_ESTORE;
	q->commit_fails = b->commit && FAULT("store.commit");
	if (r == 0 && faulty(b))
		r = MAG_ESTORE;
	return r == 0 ? send_writes(q) : r;
}

/* As far as it goes without waiting. 0, an error, or BACKEND_PENDING. */
static int step(struct pg *q)
{
	int r = BACKEND_PENDING, arrived = 0;

	if (q->stage == PG_PREPARES) {
		r = prepare(q);
		if (r == 0)
			r = launch(q, false);
		if (r != 0)
			return r;
		r = BACKEND_PENDING; /* it is on its way */
	}
	while (r == BACKEND_PENDING) {
		arrived = pg_pump(q);
		if (arrived == 0 && pg_clock_ms() < q->until)
			return r;
		if (arrived == 0)
			pg_lost(q, "PostgreSQL does not answer");
		r = go_on(q, arrived > 0 ? 0 : MAG_ESTORE);
	}
	return r;
}

static int begin(struct pg *q, struct store_batch *b)
{
	bool writing = q->conn != NULL && PQtransactionStatus(q->conn) == PQTRANS_INTRANS;
	int r = 0;

	b->unknown = b->again = false;
	q->batch = b;
	if (writing) {
		r = launch(q, true);
		return r == 0 ? BACKEND_PENDING : r;
	}
	if ((b->commit && !b->begin) || q->held)
		return MAG_ESTORE; /* its transaction is gone */
	q->stage = PG_PREPARES;
	return step(q);
}

static bool pg_waits(void *backend, struct store_wait *w_r)
{
	struct pg *q = backend;
	int64_t until = q->stage == PG_PREPARES ? q->rolled_until : q->until;

	if (q->conn == NULL || q->batch == NULL) {
		if (!pg_dial_waits(q, w_r))
			return false;
		until = q->dial.since + PG_PATIENCE_MS;
		if (q->batch != NULL && w_r->ms > until - pg_clock_ms())
			w_r->ms = until > pg_clock_ms() ? until - pg_clock_ms() : 0;
		w_r->tick = q->batch != NULL;
		return true;
	}
	*w_r = (struct store_wait){ .fd = PQsocket(q->conn),
		.write = PQflush(q->conn) == 1,
		.tick = true,
		.ms = until - pg_clock_ms() };
	if (w_r->ms < 0)
		w_r->ms = 0;
	return true;
}

static void wait_a_while(struct pg *q)
{
	struct store_wait w = { .fd = -1, .ms = 0 };
	struct pollfd p = { .fd = -1 };

	(void)pg_waits(q, &w);
	p.fd = w.fd;
	p.events = w.write ? POLLIN | POLLOUT : POLLIN;
	(void)poll(&p, 1, (int)w.ms);
}

static int pg_run(void *backend, struct store_batch *b)
{
	struct pg *q = backend;
	int r = 0;

	if (q->batch != NULL) {
		mag_log(MAG_LOG_ERROR, "store: asked while a tick is under way");
		return MAG_EBUSY;
	}
	r = begin(q, b);
	if (r == BACKEND_PENDING && b->resume != NULL)
		return r;
	while (r == BACKEND_PENDING) {
		wait_a_while(q);
		r = step(q);
	}
	if (r != 0)
		pg_rollback(q);
	q->batch = NULL;
	return r;
}

/* ---- from the caller's loop ---- */

static void pg_ready(void *backend)
{
	struct pg *q = backend;
	struct store_batch *b = q->batch;
	int r = BACKEND_PENDING;

	if (b == NULL) {
		if (q->conn == NULL && q->dial.since != 0)
			(void)pg_dial(q); /* for whoever asks next */
		return;
	}
	r = step(q);
	if (r == BACKEND_PENDING)
		return;
	if (r != 0)
		pg_rollback(q);
	q->batch = NULL;
	b->resume(b->arg, r);
}

static void pg_checkpoint(void *backend, bool idle)
{
	(void)backend; /* the server's own affair */
	(void)idle;
}

/* What is between two reads may take longer than a login. */
static int pg_snapshot(void *backend, bool begin)
{
	struct pg *q = backend;
	int r = pg_say(q, begin ? BEGIN_READ : "COMMIT");

	q->held = r == 0 && begin;
	return r == 0 && begin ? pg_say(backend, "SET LOCAL statement_timeout = '60s'; "
						 "SET LOCAL idle_in_transaction_session_timeout "
						 "= '10min'")
			       : r;
}

#ifdef MAG_FAULT
static int pg_script(void *backend, const char *sql)
{
	return pg_say(backend, sql);
}
#endif

const struct backend_ops backend_postgresql = {
	.kind = "postgresql",
	.exclusive = false,
	.create = pg_create,
	.open = pg_open,
	.close = pg_close,
	.migrate = pg_migrate,
	.run = pg_run,
	.waits = pg_waits,
	.ready = pg_ready,
	.rollback = pg_rollback,
	.checkpoint = pg_checkpoint,
	.snapshot = pg_snapshot,
#ifdef MAG_FAULT
	.script = pg_script,
#endif
	.cell_int = pg_cell_int,
	.cell_bytes = pg_cell_bytes,
};
