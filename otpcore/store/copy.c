/* A whole store into another one: from SQLite to PostgreSQL or back. Row by row, in the
 * order of their ids; then both are read again and compared. Sealed values move as they
 * are: what they are tied to is table, column and id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

#define PAGE 256
/* The schema that a store claims to have until the copy is whole. */
#define UNFINISHED INT64_C(1000000)

/* The longest of a table's rows fit; what is behind the last column stays zero, so that
 * rows can be compared as bytes. */
struct page {
	enum row_table table;
	size_t size, n;
	char *rows;
};

static struct row *row_at(const struct page *p, size_t i)
{
	return (struct row *)(void *)(p->rows + i * p->size);
}

static int on_row(const struct store_cells *c, void *arg)
{
	struct page *p = arg;

	return p->n == PAGE ? MAG_ESTORE : row_load(p->table, c, row_at(p, p->n++));
}

static int read_page(struct store *s, struct page *p, int64_t after)
{
	struct store_value values[] = { work_integer(after), work_limit(PAGE) };

	p->n = 0;
	memset(p->rows, 0, PAGE * p->size);
	return work_read(s, STATEMENT_ROW(p->table, ROW_PAGE), values, 2, on_row, p);
}

/* ---- rows that have an id ---- */

static int write_page(struct store *to, const struct page *p)
{
	struct store_value(*values)[ROW_COLUMNS_MAX] = calloc(PAGE, sizeof *values);
	struct store_call *calls = calloc(PAGE, sizeof *calls);
	struct store_batch batch = { .calls = calls, .n = p->n, .begin = true, .commit = true };
	int r = values != NULL && calls != NULL ? 0 : MAG_ENOMEM;

	for (size_t i = 0; r == 0 && i < p->n; i++)
		calls[i] = (struct store_call){ .statement = STATEMENT_ROW(p->table, ROW_INSERT),
			.point = "store.claim",
			.values = values[i],
			.n_values = row_values(p->table, ROW_INSERT, row_at(p, i), values[i]),
			.must_change = true };
	if (r == 0)
		r = work_run(to, &batch);
	free(calls);
	free(values);
	return r;
}

struct copy {
	struct store *from, *to;
	struct page here, there;
	store_progress_fn *fn;
	void *arg;
	int64_t done;
};

static int copy_table(struct copy *c)
{
	int64_t last = 0;
	int r = 0;

	do {
		r = read_page(c->from, &c->here, last);
		if (r == 0 && c->here.n > 0)
			r = write_page(c->to, &c->here);
		if (r == 0 && c->here.n > 0)
			last = row_at(&c->here, c->here.n - 1)->id;
		c->done += (int64_t)c->here.n;
		c->fn(row_table_name(c->here.table), c->done, c->arg);
	} while (r == 0 && c->here.n == PAGE);
	return r;
}

static int compare_table(struct copy *c)
{
	int64_t last = 0;
	int r = 0;

	do {
		r = read_page(c->from, &c->here, last);
		if (r == 0)
			r = read_page(c->to, &c->there, last);
		if (r == 0 && (c->here.n != c->there.n || memcmp(c->here.rows, c->there.rows,
								  c->here.n * c->here.size) != 0))
			r = MAG_ECONFLICT;
		if (r == 0 && c->here.n > 0)
			last = row_at(&c->here, c->here.n - 1)->id;
	} while (r == 0 && c->here.n == PAGE);
	return r;
}

static int each_table(struct copy *c, int (*fn)(struct copy *c))
{
	int r = 0;

	for (enum row_table table = 0; r == 0 && table < TABLE_COUNT; table++) {
		size_t size = row_size(table);

		c->here = (struct page){ table, size, 0, malloc(PAGE * size) };
		c->there = (struct page){ table, size, 0, malloc(PAGE * size) };
		r = c->here.rows != NULL && c->there.rows != NULL ? fn(c) : MAG_ENOMEM;
		free(c->here.rows);
		free(c->there.rows);
	}
	return r;
}

/* ---- counters, and numbers under a name ---- */

struct counters {
	size_t n;
	struct throttle rows[PAGE];
};

static int on_counter(const struct store_cells *c, void *arg)
{
	struct counters *p = arg;
	struct throttle *row = &p->rows[p->n++];
	int64_t *const fields[] = { &row->kind, &row->subject, &row->period, &row->count,
		&row->last_at };

	for (int i = 0; i < 5; i++)
		*fields[i] = c->ops->cell_int(c->statement, i);
	return 0;
}

static int read_counters(struct store *s, const struct throttle *after, struct counters *p)
{
	struct store_value values[] = { work_integer(after->subject), work_integer(after->kind),
		work_integer(after->period), work_limit(PAGE) };

	memset(p, 0, sizeof *p);
	return work_read(s, QUERY_PAGE_COUNTERS, values, 4, on_counter, p);
}

static int write_counters(struct store *to, const struct counters *p)
{
	struct store_value values[PAGE][5];
	struct store_call calls[PAGE];
	struct store_batch batch = { .calls = calls, .n = p->n, .begin = true, .commit = true };

	for (size_t i = 0; i < p->n; i++) {
		const struct throttle *row = &p->rows[i];
		const int64_t fields[] = { row->kind, row->subject, row->period, row->count,
			row->last_at };

		for (size_t k = 0; k < 5; k++)
			values[i][k] = work_integer(fields[k]);
		calls[i] = (struct store_call){ .statement = QUERY_COPY_COUNTER,
			.point = "store.claim",
			.values = values[i],
			.n_values = 5,
			.must_change = true };
	}
	return work_run(to, &batch);
}

/* Copies, or where `compare` is said only looks whether they are the same. */
static int all_counters(struct copy *c, bool compare)
{
	struct throttle last = { .subject = INT64_MIN };
	struct counters *here = malloc(sizeof *here), *there = malloc(sizeof *there);
	int r = here != NULL && there != NULL ? 0 : MAG_ENOMEM;

	do {
		if (r == 0)
			r = read_counters(c->from, &last, here);
		if (r == 0 && compare)
			r = read_counters(c->to, &last, there);
		if (r == 0 && compare && memcmp(here, there, sizeof *here) != 0)
			r = MAG_ECONFLICT;
		if (r == 0 && !compare && here->n > 0)
			r = write_counters(c->to, here);
		if (r == 0 && here->n > 0)
			last = here->rows[here->n - 1];
	} while (r == 0 && here->n == PAGE);
	free(here);
	free(there);
	return r;
}

static int on_meta(const struct store_cells *c, void *arg)
{
	struct copy *copy = arg;
	char name[128] = "";
	int r = work_cell_text(c, 0, name, sizeof name);

	if (r == 0)
		r = store_meta_set(copy->to, name, c->ops->cell_int(c->statement, 1));
	return r;
}

/* ---- all of it ---- */

static int claim_schema(struct store *s, int64_t schema)
{
	struct store_value values[] = { work_text("schema"), work_integer(schema) };

	return work_write(s, QUERY_META_SET, values, 2, NULL);
}

int store_copy(struct store *from, struct store *to, store_progress_fn *fn, void *arg)
{
	struct copy c = { .from = from, .to = to, .fn = fn, .arg = arg };
	/* Half a copy must not be taken for a store. */
	int r = claim_schema(to, UNFINISHED);

	if (r == 0)
		r = each_table(&c, copy_table);
	if (r == 0)
		r = all_counters(&c, false);
	if (r == 0)
		r = work_read(from, QUERY_PAGE_META, NULL, 0, on_meta, &c);
	if (r == 0)
		r = each_table(&c, compare_table);
	if (r == 0)
		r = all_counters(&c, true);
	return r == 0 ? claim_schema(to, STORE_SCHEMA) : r;
}
