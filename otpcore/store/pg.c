/* PostgreSQL as a backend: statements and batches. A batch is one trip in pipeline mode
 * ("Pipeline Mode" in libpq's manual); a commit that depends on who won is another. */
#include "otpcore/store/pg.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/fault.h"

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };

/* Reads see one snapshot, and nothing of theirs is ever written. */
#define BEGIN_READ  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#define BEGIN_WRITE "BEGIN ISOLATION LEVEL READ COMMITTED"

/* ---- sending ---- */

static const char *name_of(int statement, char name[16])
{
	snprintf(name, 16, "s%d", statement);
	return name;
}

static Oid type_of(const struct store_value *v)
{
	return v->type == 'i' ? OID_INT8 : v->type == 't' ? OID_TEXT : OID_BYTEA;
}

/* Within the pipeline: its answer comes before the statement's own. */
static int prepare(struct pg *q, const struct store_call *c)
{
	char name[16], *text = statement_text(c->statement);
	Oid types[ROW_COLUMNS_MAX];
	int ok = 0;

	for (size_t i = 0; i < c->n_values; i++)
		types[i] = type_of(&c->values[i]);
	if (text != NULL)
		ok = PQsendPrepare(
			q->conn, name_of(c->statement, name), text, (int)c->n_values, types);
	free(text);
	return ok ? 0 : MAG_ESTORE;
}

static int send_call(struct pg *q, const struct store_call *c)
{
	const char *values[ROW_COLUMNS_MAX];
	int lengths[ROW_COLUMNS_MAX], formats[ROW_COLUMNS_MAX];
	uint64_t numbers[ROW_COLUMNS_MAX];
	char name[16];

	for (size_t i = 0; i < c->n_values; i++) {
		const struct store_value *v = &c->values[i];

		if (v->type != 'i' && v->type != 't' && v->type != 'b')
			return MAG_ESTORE;
		numbers[i] = htobe64((uint64_t)v->i);
		values[i] = v->type == 'i' ? (const char *)&numbers[i] : v->p != NULL ? v->p : "";
		lengths[i] = v->type == 'i' ? (int)sizeof numbers[i] : (int)v->len;
		formats[i] = 1;
	}
	return PQsendQueryPrepared(q->conn, name_of(c->statement, name), (int)c->n_values, values,
		       lengths, formats, 1)
		       ? 0
		       : MAG_ESTORE;
}

static int send_word(struct pg *q, const char *word)
{
	return PQsendQueryParams(q->conn, word, 0, NULL, NULL, NULL, NULL, 1) ? 0 : MAG_ESTORE;
}

/* ---- what comes back ---- */

struct pg_cells {
	const PGresult *result;
	int row;
};

static int64_t cell_int(void *statement, int column)
{
	const struct pg_cells *s = statement;
	const char *p = PQgetvalue(s->result, s->row, column);
	uint64_t v8;
	uint32_t v4;

	if (PQgetlength(s->result, s->row, column) == (int)sizeof v8) {
		memcpy(&v8, p, sizeof v8);
		return (int64_t)be64toh(v8);
	}
	if (PQgetlength(s->result, s->row, column) != (int)sizeof v4)
		return 0;
	memcpy(&v4, p, sizeof v4); /* a number that a statement itself names */
	return (int32_t)be32toh(v4);
}

static const void *cell_bytes(void *statement, int column, size_t *len_r)
{
	const struct pg_cells *s = statement;

	*len_r = (size_t)PQgetlength(s->result, s->row, column);
	return PQgetvalue(s->result, s->row, column);
}

/* One statement's result; its end is the NULL behind it. */
static int take(struct pg *q, PGresult **result_r)
{
	PGresult *result = NULL, *end = NULL;
	int r = pg_result(q, &result);

	if (r == 0 && result != NULL && PQresultStatus(result) != PGRES_PIPELINE_SYNC)
		r = pg_result(q, &end);
	if (r == 0 && (result == NULL || end != NULL))
		r = MAG_ESTORE;
	PQclear(end);
	if (r != 0) {
		PQclear(result);
		return r;
	}
	*result_r = result;
	return 0;
}

static int each_row(const struct store_call *c, const PGresult *result)
{
	struct pg_cells s = { result, 0 };
	struct store_cells cells = { &backend_postgresql, &s };
	int r = 0;

	for (int n = PQntuples(result); r == 0 && c->row != NULL && s.row < n; s.row++)
		r = c->row(&cells, c->arg);
	return r;
}

/* What a call came to. MAG_ECONFLICT: another row holds the key, and PostgreSQL has given
 * up the rest of the batch. */
static int finish_call(struct store_call *c, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	c->changed = 0;
	if (status == PGRES_PIPELINE_ABORTED) {
		c->changed = 1; /* it was not looked at: no loser */
		return MAG_ESTORE;
	}
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		int r = pg_fault(result, c->point);

		return r == MAG_ECONFLICT && !c->must_change ? MAG_ESTORE : r;
	}
	c->changed = strtoll(PQcmdTuples((PGresult *)result), NULL, 10);
	return each_row(c, result);
}

/* ---- a trip ---- */

struct trip {
	struct store_batch *batch;
	const char *first, *last; /* BEGIN, COMMIT, or NULL */
	bool reads;               /* errors stay in the calls */
};

static int send_all(struct pg *q, const struct trip *t, bool prepares[])
{
	int r = t->first != NULL ? send_word(q, t->first) : 0;

	for (size_t i = 0; r == 0 && i < t->batch->n; i++) {
		const struct store_call *c = &t->batch->calls[i];

		prepares[i] = !q->prepared[c->statement];
		if (prepares[i])
			r = prepare(q, c);
		q->prepared[c->statement] = true;
		if (r == 0)
			r = send_call(q, c);
	}
	if (r == 0 && t->last != NULL)
		r = send_word(q, t->last);
	return r == 0 && PQpipelineSync(q->conn) ? 0 : MAG_ESTORE;
}

static int take_word(struct pg *q, const char *word)
{
	PGresult *result = NULL;
	int r = word != NULL ? take(q, &result) : 0;

	if (r == 0 && word != NULL && PQresultStatus(result) != PGRES_COMMAND_OK)
		r = PQresultStatus(result) == PGRES_PIPELINE_ABORTED ? MAG_ESTORE
								     : pg_fault(result, word);
	PQclear(result);
	return r;
}

/* A statement that could not be prepared will have to be prepared again. */
static int take_call(struct pg *q, struct store_call *c, bool prepared)
{
	PGresult *result = NULL;
	int r = prepared ? take(q, &result) : 0;
	bool made = r == 0 && (!prepared || PQresultStatus(result) == PGRES_COMMAND_OK);

	if (r == 0 && !made) {
		q->prepared[c->statement] = false;
		if (PQresultStatus(result) != PGRES_PIPELINE_ABORTED)
			(void)pg_fault(result, c->point);
	}
	PQclear(result);
	result = NULL;
	if (r == 0)
		r = take(q, &result);
	if (r == 0)
		r = finish_call(c, result);
	PQclear(result);
	return made || r != 0 ? r : MAG_ESTORE;
}

/* The first error, a lost race before others: it says whom to leave out. */
static int worse(int r, int other)
{
	return r == 0 || (other == MAG_ECONFLICT && r != MAG_EBUSY) ? other : r;
}

static int take_all(struct pg *q, const struct trip *t, const bool prepares[])
{
	PGresult *sync = NULL;
	int r = take_word(q, t->first);

	for (size_t i = 0; q->conn != NULL && i < t->batch->n; i++) {
		struct store_call *c = &t->batch->calls[i];

		c->r = take_call(q, c, prepares[i]);
		if (t->reads && FAULT(c->point))
			c->r = MAG_ESTORE;
		if (c->r != 0 && !t->reads)
			r = worse(r, c->r);
	}
	if (q->conn != NULL) {
		int end = take_word(q, t->last);

		if (!t->reads || q->conn == NULL)
			r = worse(end, r) == end && r != 0 ? r : worse(r, end);
	}
	if (q->conn != NULL && take(q, &sync) != 0)
		r = MAG_ESTORE;
	PQclear(sync);
	return q->conn != NULL ? r : MAG_ESTORE;
}

static int make_trip(struct pg *q, const struct trip *t)
{
	bool few[64], *prepares = t->batch->n <= 64 ? few : calloc(t->batch->n, sizeof *prepares);
	int r = prepares != NULL ? 0 : MAG_ENOMEM;

	if (r == 0 && !PQenterPipelineMode(q->conn))
		r = MAG_ESTORE;
	if (r == 0)
		r = send_all(q, t, prepares);
	if (r == 0)
		r = take_all(q, t, prepares);
	else
		pg_lost(q, "PostgreSQL"); /* half a batch is on its way */
	if (q->conn != NULL && !PQexitPipelineMode(q->conn))
		pg_lost(q, "PostgreSQL");
	if (prepares != few)
		free(prepares);
	return q->conn != NULL || r != 0 ? r : MAG_ESTORE;
}

/* ---- batches ---- */

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

static int run_reads(struct pg *q, struct store_batch *b)
{
	const struct trip t = { b, BEGIN_READ, "COMMIT", true };
	int r;

	r = make_trip(q, &t);
	pg_rollback(q); /* where one failed */
	return r;
}

static bool any_lost(const struct store_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->calls[i].must_change && b->calls[i].changed == 0)
			return true;
	return false;
}

static bool conditional(const struct store_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->calls[i].must_change)
			return true;
	return false;
}

/* Gone between COMMIT and its answer: durable or not, nobody knows. */
static int commit(struct pg *q, struct store_batch *b, bool faulty)
{
	int r = MAG_ESTORE;

	if (faulty)
		pg_lost(q, "store.commit");
	else
		r = pg_say(q, "COMMIT");
	b->unknown = r != 0 && q->conn == NULL;
	return r;
}

static int run_writes(struct pg *q, struct store_batch *b)
{
	bool fault = b->commit && FAULT("store.commit");
	bool together = b->commit && !conditional(b) && !fault;
	const struct trip t = { b, b->begin ? BEGIN_WRITE : NULL, together ? "COMMIT" : NULL,
		false };
	int r = faulty(b) ? MAG_ESTORE : 0;

	if (r == 0 && (b->n > 0 || b->begin || together))
		r = make_trip(q, &t);
	if (r != 0) {
		b->unknown = together && q->conn == NULL;
		return r;
	}
	if (any_lost(b))
		return MAG_ECONFLICT;
	return b->commit && !together ? commit(q, b, fault) : 0;
}

static int pg_run(void *backend, struct store_batch *b)
{
	struct pg *q = backend;
	bool writing = q->conn != NULL && PQtransactionStatus(q->conn) == PQTRANS_INTRANS;
	int r = writing ? 0 : pg_usable(q);

	b->unknown = false;
	if (r == 0 && !writing && !b->begin)
		return b->commit ? MAG_ESTORE : run_reads(q, b);
	if (r == 0 && b->begin && FAULT("store.begin"))
		r = MAG_ESTORE;
	if (r == 0)
		r = run_writes(q, b);
	if (r != 0)
		pg_rollback(q);
	return r;
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
	.rollback = pg_rollback,
	.checkpoint = pg_checkpoint,
#ifdef MAG_FAULT
	.script = pg_script,
#endif
	.cell_int = cell_int,
	.cell_bytes = cell_bytes,
};
