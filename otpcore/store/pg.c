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

	if (q->conn == NULL || PQtransactionStatus(q->conn) == PQTRANS_IDLE)
		return;
	if (pg_say(q, "ROLLBACK") != 0)
		pg_lost(q, "ROLLBACK");
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
	else
		q->batch->unknown = committing;
	if (q->stage == PG_WRITES)
		r = end_writes(q, r);
	/* A failed read is in its call; an error of the batch means that none was made. */
	if (r < 0 || q->stage == PG_READS)
		pg_rollback(q);
	return r;
}

static int wait_for_it(struct pg *q)
{
	int arrived = 0, got = 0;

	while (arrived == 0 && got >= 0) {
		short events = PQflush(q->conn) == 1 ? POLLIN | POLLOUT : POLLIN;

		arrived = pg_pump(q);
		if (arrived == 0)
			got = pg_wait_for(q, events, q->until);
	}
	if (got < 0)
		pg_lost(q, "PostgreSQL does not answer");
	return q->conn != NULL && arrived > 0 ? 0 : MAG_ESTORE;
}

static int begin(struct pg *q, struct store_batch *b)
{
	bool writing = q->conn != NULL && PQtransactionStatus(q->conn) == PQTRANS_INTRANS;
	int r = writing ? 0 : pg_usable(q);

	b->unknown = b->again = false;
	q->batch = b;
	if (r == 0 && !writing && !b->begin)
		return b->commit ? MAG_ESTORE : send_reads(q);
	if (r == 0 && b->begin && FAULT("store.begin"))
		r = MAG_ESTORE;
	q->commit_fails = b->commit && FAULT("store.commit");
	if (r == 0 && faulty(b))
		r = MAG_ESTORE;
	return r == 0 ? send_writes(q) : r;
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
	if (r == 0)
		r = BACKEND_PENDING;
	else
		pg_rollback(q);
	if (r == BACKEND_PENDING && b->resume != NULL)
		return r;
	while (r == BACKEND_PENDING)
		r = go_on(q, wait_for_it(q));
	q->batch = NULL;
	return r;
}

/* ---- from the caller's loop ---- */

static bool pg_waits(void *backend, struct store_wait *w_r)
{
	struct pg *q = backend;

	if (q->batch == NULL)
		return false;
	*w_r = (struct store_wait){ .fd = PQsocket(q->conn),
		.write = PQflush(q->conn) == 1,
		.ms = q->until - pg_clock_ms() };
	if (w_r->ms < 0)
		w_r->ms = 0;
	return true;
}

static void pg_ready(void *backend)
{
	struct pg *q = backend;
	struct store_batch *b = q->batch;
	int r = BACKEND_PENDING, arrived = 0;

	while (b != NULL && r == BACKEND_PENDING) {
		arrived = pg_pump(q);
		if (arrived == 0 && pg_clock_ms() < q->until)
			return;
		if (arrived == 0)
			pg_lost(q, "PostgreSQL does not answer");
		r = go_on(q, arrived > 0 ? 0 : MAG_ESTORE);
	}
	if (b == NULL)
		return;
	q->batch = NULL;
	b->resume(b->arg, r);
}

static void pg_checkpoint(void *backend, bool idle)
{
	(void)backend; /* the server's own affair */
	(void)idle;
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
#ifdef MAG_FAULT
	.script = pg_script,
#endif
	.cell_int = pg_cell_int,
	.cell_bytes = pg_cell_bytes,
};
