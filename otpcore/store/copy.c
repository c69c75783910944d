/* A whole store into another one: from SQLite to PostgreSQL or back. Row by row, in the
 * order of their ids; then both are read again and compared. Sealed values move as they
 * are: what they are tied to is table, column and id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/copy.h"

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

struct tables {
	struct copy *copy;
	struct page here, there;
};

void copy_progress(struct copy *c, const char *table, size_t rows)
{
	c->done += (int64_t)rows;
	c->fn(table, c->done, c->total, c->arg);
}

static int copy_table(struct tables *c)
{
	const char *name = row_table_name(c->here.table);
	int64_t last = 0;
	int r = 0;

	do {
		r = read_page(c->copy->from, &c->here, last);
		if (r == 0 && c->here.n > 0)
			r = write_page(c->copy->to, &c->here);
		if (r == 0 && c->here.n > 0)
			last = row_at(&c->here, c->here.n - 1)->id;
		copy_progress(c->copy, name, c->here.n);
	} while (r == 0 && c->here.n == PAGE);
	return r;
}

static int compare_table(struct tables *c)
{
	int64_t last = 0;
	int r = 0;

	do {
		r = read_page(c->copy->from, &c->here, last);
		if (r == 0)
			r = read_page(c->copy->to, &c->there, last);
		if (r == 0 && (c->here.n != c->there.n || memcmp(c->here.rows, c->there.rows,
								  c->here.n * c->here.size) != 0))
			r = MAG_ECONFLICT;
		if (r == 0 && c->here.n > 0)
			last = row_at(&c->here, c->here.n - 1)->id;
		copy_progress(c->copy, "comparing", c->here.n);
	} while (r == 0 && c->here.n == PAGE);
	return r;
}

static int each_table(struct copy *copy, int (*fn)(struct tables *c))
{
	struct tables c = { .copy = copy };
	int r = 0;

	for (enum row_table table = 0; r == 0 && table < TABLE_COUNT; table++) {
		size_t size = row_size(table);

		c.here = (struct page){ table, size, 0, malloc(PAGE * size) };
		c.there = (struct page){ table, size, 0, malloc(PAGE * size) };
		r = c.here.rows != NULL && c.there.rows != NULL ? fn(&c) : MAG_ENOMEM;
		free(c.here.rows);
		free(c.there.rows);
	}
	return r;
}

/* ---- all of it ---- */

static int claim_schema(struct store *s, int64_t schema)
{
	struct store_value values[] = { work_text("schema"), work_integer(schema) };

	return work_write(s, QUERY_META_SET, values, 2, NULL);
}

static int on_total(const struct store_cells *c, void *arg)
{
	*(int64_t *)arg = c->ops->cell_int(c->statement, 0);
	return 0;
}

/* Of all tables that are copied; the sum is checked against what was. */
static int count_rows(struct store *s, int64_t *n_r)
{
	return work_read(s, QUERY_COUNT_ROWS, NULL, 0, on_total, n_r);
}

static int copy_all(struct copy *c)
{
	int64_t arrived = 0;
	int r = each_table(c, copy_table);

	if (r == 0)
		r = copy_counters(c, false);
	if (r == 0)
		r = copy_observed(c, false);
	if (r == 0)
		r = copy_heads(c, false);
	if (r == 0)
		r = copy_meta(c, false);
	if (r == 0)
		r = count_rows(c->to, &arrived);
	if (r == 0 && (c->done != c->total || arrived != c->total))
		r = MAG_ECONFLICT;
	return r;
}

static int compare_all(struct copy *c)
{
	int r = 0;

	c->done = 0;
	r = each_table(c, compare_table);
	if (r == 0)
		r = copy_counters(c, true);
	if (r == 0)
		r = copy_observed(c, true);
	if (r == 0)
		r = copy_heads(c, true);
	return r == 0 ? copy_meta(c, true) : r;
}

int store_snapshot(struct store *s)
{
	return s->ops->snapshot(s->backend, true);
}

int store_snapshot_end(struct store *s)
{
	return s->ops->snapshot(s->backend, false);
}

int store_copy(struct store *from, struct store *to, store_progress_fn *fn, void *arg)
{
	struct copy c = { .from = from, .to = to, .fn = fn, .arg = arg };
	/* Half a copy must not be taken for a store. */
	int r = claim_schema(to, UNFINISHED);

	if (r == 0)
		r = count_rows(from, &c.total);
	if (r == 0)
		r = copy_all(&c);
	if (r == 0)
		r = compare_all(&c);
	return r == 0 ? claim_schema(to, STORE_SCHEMA) : r;
}
