/* One trip to PostgreSQL, in pipeline mode ("Pipeline Mode" in libpq's manual): all of it
 * is sent, what comes back is collected, and looked at when it is complete. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/fault.h"
#include "otpcore/store/pg.h"

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_INT8_ARRAY = 1016 };

/* ---- sending ---- */

static const char *name_of(char kind, int number, char name[16])
{
	snprintf(name, 16, "%c%d", kind, number);
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
			q->conn, name_of('s', c->statement, name), text, (int)c->n_values, types);
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
	return PQsendQueryPrepared(q->conn, name_of('s', c->statement, name), (int)c->n_values,
		       values, lengths, formats, 1)
		       ? 0
		       : MAG_ESTORE;
}

static int send_word(struct pg *q, const char *word)
{
	return PQsendQueryParams(q->conn, word, 0, NULL, NULL, NULL, NULL, 1) ? 0 : MAG_ESTORE;
}

static int send_calls(struct pg *q)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < q->batch->n; i++) {
		const struct store_call *c = &q->batch->calls[i];

		if (array_grow(&q->made, sizeof *q->made, i, &q->cap_made) != 0)
			return MAG_ENOMEM;
		q->made[i] = !q->prepared[c->statement];
		if (q->made[i])
			r = prepare(q, c);
		q->prepared[c->statement] = true;
		if (r == 0)
			r = send_call(q, c);
	}
	return r;
}

/* ---- guards: a lost race fails the transaction by itself ---- */

/* The version that a row has after this call; 0: not a call that can be looked after. */
static int64_t version_after(const struct store_call *c)
{
	int row = c->statement - QUERY_COUNT;

	if (row < 0 || row % ROW_VERBS == ROW_DELETE || row % ROW_VERBS == ROW_PAGE)
		return 0;
	return c->values[row % ROW_VERBS == ROW_INSERT ? 1 : 2].i;
}

/* A row that was written has the stamp of this tick, and nobody else's has. */
bool pg_guardable(const struct store_batch *b)
{
	int64_t stamp = 0;

	for (size_t i = 0; i < b->n; i++) {
		int64_t after = b->calls[i].must_change ? version_after(&b->calls[i]) : stamp;

		if (b->calls[i].must_change && (after == 0 || (stamp != 0 && after != stamp)))
			return false;
		stamp = after;
	}
	return true;
}

static bool guards(const struct store_call *c, enum row_table table)
{
	return c->must_change && (c->statement - QUERY_COUNT) / ROW_VERBS == (int)table;
}

static int prepare_guard(struct pg *q, enum row_table table)
{
	static const Oid types[] = { OID_INT8_ARRAY, OID_INT8, OID_INT8 };
	char name[16], text[160];

	snprintf(text, sizeof text,
		"SELECT 1 / (CASE WHEN count(*) = $3 THEN 1 ELSE 0 END) FROM %s "
		"WHERE version = $2 AND id = ANY ($1)",
		row_table_name(table));
	return PQsendPrepare(q->conn, name_of('g', (int)table, name), text, 3, types) ? 0
										      : MAG_ESTORE;
}

/* "{1,2}" */
static char *ids_of(const struct store_batch *b, enum row_table table, struct store_value *n_r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	n_r->i = 0;
	for (size_t i = 0; f != NULL && i < b->n; i++)
		if (guards(&b->calls[i], table))
			fprintf(f, "%c%lld", n_r->i++ == 0 ? '{' : ',',
				(long long)b->calls[i].values[0].i);
	if (f != NULL)
		fputc('}', f);
	if (f == NULL || fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int send_guard(struct pg *q, enum row_table table, int64_t stamp)
{
	struct store_value n = { .type = 'i' };
	char name[16], version[24], number[24], *ids = ids_of(q->batch, table, &n);
	const char *values[] = { ids, version, number };
	int r = ids != NULL ? 0 : MAG_ENOMEM;

	if (r == 0 && !q->guards[table])
		r = prepare_guard(q, table);
	snprintf(version, sizeof version, "%lld", (long long)stamp);
	snprintf(number, sizeof number, "%lld", (long long)n.i);
	if (r == 0 && !PQsendQueryPrepared(
			      q->conn, name_of('g', (int)table, name), 3, values, NULL, NULL, 1))
		r = MAG_ESTORE;
	free(ids);
	return r;
}

/* The stamp of what this table's guard looks after; 0: nothing. */
static int64_t guarded_stamp(const struct store_batch *b, enum row_table table)
{
	for (size_t i = 0; i < b->n; i++)
		if (guards(&b->calls[i], table))
			return version_after(&b->calls[i]);
	return 0;
}

static int send_guards(struct pg *q)
{
	int r = 0;

	for (enum row_table table = 0; r == 0 && table < TABLE_COUNT; table++) {
		int64_t stamp = guarded_stamp(q->batch, table);

		if (stamp != 0)
			r = send_guard(q, table, stamp);
	}
	return r;
}

static void forget_results(struct pg *q)
{
	for (size_t i = 0; i < q->n_results; i++)
		PQclear(q->results[i]);
	q->n_results = q->taken = 0;
}

int pg_send(struct pg *q)
{
	const struct pg_trip *t = &q->trip;
	int r = PQenterPipelineMode(q->conn) ? 0 : MAG_ESTORE;

	forget_results(q);
	if (r == 0 && t->first != NULL)
		r = send_word(q, t->first);
	if (r == 0 && t->calls)
		r = send_calls(q);
	if (r == 0 && t->guarded)
		r = send_guards(q);
	if (r == 0 && t->last != NULL)
		r = send_word(q, t->last);
	if (r == 0 && !PQpipelineSync(q->conn))
		r = MAG_ESTORE;
	q->until =
		pg_clock_ms() + (t->reads && q->batch->resume != NULL ? PG_READ_MS : PG_ANSWER_MS);
	if (r != 0)
		pg_lost(q, "PostgreSQL"); /* half a batch is on its way */
	return r;
}

/* ---- collecting ---- */

static int keep(struct pg *q, PGresult *result)
{
	int r = array_grow(&q->results, sizeof *q->results, q->n_results, &q->cap_results);

	if (r != 0)
		PQclear(result);
	else
		q->results[q->n_results++] = result;
	return r;
}

/* 1: the end of the trip has come. */
static int collect(struct pg *q)
{
	/* Two ends of results in a row: libpq has nothing more to wait for. */
	for (int ends = 0; ends < 2 && !PQisBusy(q->conn);) {
		PGresult *result = PQgetResult(q->conn);
		bool sync = result != NULL && PQresultStatus(result) == PGRES_PIPELINE_SYNC;

		ends = result == NULL ? ends + 1 : 0;
		if (result != NULL && keep(q, result) != 0)
			return MAG_ESTORE;
		if (sync)
			return PQexitPipelineMode(q->conn) ? 1 : MAG_ESTORE;
	}
	return PQstatus(q->conn) == CONNECTION_OK ? 0 : MAG_ESTORE;
}

int pg_pump(struct pg *q)
{
	int r = PQflush(q->conn) < 0 || !PQconsumeInput(q->conn) ? MAG_ESTORE : collect(q);

	if (r < 0)
		pg_lost(q, "PostgreSQL is gone");
	return r;
}

/* ---- what it says ---- */

struct pg_cells {
	const PGresult *result;
	int row;
};

int64_t pg_cell_int(void *statement, int column)
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

const void *pg_cell_bytes(void *statement, int column, size_t *len_r)
{
	const struct pg_cells *s = statement;

	*len_r = (size_t)PQgetlength(s->result, s->row, column);
	return PQgetvalue(s->result, s->row, column);
}

/* NULL: the trip was shorter than what was sent. */
static const PGresult *next(struct pg *q)
{
	return q->taken < q->n_results ? q->results[q->taken++] : NULL;
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

static int fault_of(struct pg *q, const PGresult *result, const char *what)
{
	q->batch->again = q->batch->again || pg_again(result);
	return pg_fault(result, what);
}

/* What a call came to. MAG_ECONFLICT: another row holds the key, and PostgreSQL has given
 * up the rest of the batch. */
static int finish_call(struct pg *q, struct store_call *c, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	c->changed = 0;
	if (status == PGRES_PIPELINE_ABORTED) {
		c->changed = 1; /* it was not looked at: no loser */
		return MAG_ESTORE;
	}
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		int r = fault_of(q, result, c->point);

		return r == MAG_ECONFLICT && !c->must_change && !c->must_hold ? MAG_ESTORE : r;
	}
	c->changed = strtoll(PQcmdTuples((PGresult *)result), NULL, 10);
	return each_row(c, result);
}

static int take_word(struct pg *q, const char *word)
{
	const PGresult *result = word != NULL ? next(q) : NULL;

	if (word == NULL)
		return 0;
	if (result == NULL || PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
		return MAG_ESTORE;
	return PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : fault_of(q, result, word);
}

/* A statement that could not be prepared will have to be prepared again. */
static int take_call(struct pg *q, struct store_call *c, bool prepared)
{
	const PGresult *result = prepared ? next(q) : NULL;
	bool made = !prepared || (result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK);
	int r = 0;

	if (!made)
		q->prepared[c->statement] = false;
	if (!made && result != NULL && PQresultStatus(result) != PGRES_PIPELINE_ABORTED)
		(void)pg_fault(result, c->point);
	result = next(q);
	r = result != NULL ? finish_call(q, c, result) : MAG_ESTORE;
	return made || r != 0 ? r : MAG_ESTORE;
}

/* The guards' division by nothing is a lost race; whose, the calls say. */
static int take_guards(struct pg *q)
{
	const PGresult *result = NULL;
	int r = 0;

	for (enum row_table table = 0; table < TABLE_COUNT; table++) {
		if (guarded_stamp(q->batch, table) == 0)
			continue;
		if (!q->guards[table]) {
			result = next(q);
			q->guards[table] =
				result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK;
		}
		result = next(q);
		if (result == NULL || PQresultStatus(result) != PGRES_TUPLES_OK)
			r = MAG_ESTORE;
	}
	return r;
}

/* The first error, a lost race before others: it says whom to leave out. */
static int worse(int r, int other)
{
	return r == 0 || (other == MAG_ECONFLICT && r != MAG_EBUSY) ? other : r;
}

int pg_take(struct pg *q)
{
	const struct pg_trip *t = &q->trip;
	int r = take_word(q, t->first), end = 0;
	bool lost = false;

	for (size_t i = 0; t->calls && i < q->batch->n; i++) {
		struct store_call *c = &q->batch->calls[i];

		c->r = take_call(q, c, q->made[i]);
		lost = lost || (c->must_change && c->changed == 0);
		if (t->reads && FAULT(c->point))
			c->r = MAG_ESTORE;
		if (c->r != 0 && !t->reads)
			r = worse(r, c->r);
	}
	if (t->guarded)
		end = take_guards(q);
	/* Whom a guard was for is known from the calls. */
	if (r == 0 && end != 0)
		r = lost ? MAG_ECONFLICT : end;
	end = take_word(q, t->last);
	if (!t->reads)
		r = worse(r, end);
	forget_results(q);
	return r;
}
