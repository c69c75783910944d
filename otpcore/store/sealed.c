/* The store's keys, and page by page what they have sealed. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

/* ---- keys ---- */

struct keys {
	struct data_key *rows;
	size_t n, cap;
};

static int on_key(const struct store_cells *c, void *arg)
{
	struct keys *k = arg;

	return k->n == k->cap ? MAG_ENOSPACE : row_load(TABLE_DATA_KEY, c, &k->rows[k->n++]);
}

int store_keys(struct store *s, struct data_key *rows_r, size_t cap, size_t *n_r)
{
	struct keys k = { rows_r, 0, cap };
	int r = 0;

	memset(rows_r, 0, cap * sizeof *rows_r);
	r = work_read(s, QUERY_LIST_KEYS, NULL, 0, on_key, &k);
	if (r == 0)
		*n_r = k.n;
	return r;
}

static enum row_verb verb_of(enum row_fate fate)
{
	return fate == ROW_NEW ? ROW_INSERT : fate == ROW_DELETED ? ROW_DELETE : ROW_UPDATE;
}

int store_change_keys(struct store *s, const struct data_key *rows, size_t n)
{
	struct store_value values[KEYS_MAX + 1][ROW_COLUMNS_MAX];
	struct store_call calls[KEYS_MAX + 1];
	struct store_batch batch = { .calls = calls, .begin = true, .commit = true };
	bool peppers = false;

	for (size_t i = 0; i < n && n <= KEYS_MAX + 1; i++) {
		enum row_verb verb = verb_of(rows[i].row.fate);

		if (rows[i].row.fate == ROW_CLEAN)
			continue;
		peppers = peppers || rows[i].kind == KEY_PEPPERS;
		calls[batch.n] = (struct store_call){ .statement =
							      STATEMENT_ROW(TABLE_DATA_KEY, verb),
			.point = "store.claim",
			.values = values[batch.n],
			.n_values = row_values(TABLE_DATA_KEY, verb, &rows[i].row, values[batch.n]),
			.must_change = true };
		batch.n++;
	}
	return peppers ? work_run(s, &batch) : MAG_EINVAL;
}

static int on_number(const struct store_cells *c, void *arg)
{
	*(int64_t *)arg = c->ops->cell_int(c->statement, 0);
	return 0;
}

int store_sealed_before(struct store *s, bool *yes_r)
{
	int64_t n = 0;
	int r = work_read(s, QUERY_SEALED_BEFORE, NULL, 0, on_number, &n);

	if (r == 0)
		*yes_r = n > 0;
	return r;
}

/* ---- what is sealed ---- */

static const struct {
	int page, put;
} columns[SEALED_COLUMNS] = {
	[SEALED_EMAIL] = { QUERY_PAGE_EMAILS, QUERY_PUT_EMAIL },
	[SEALED_NUMBER] = { QUERY_PAGE_NUMBERS, QUERY_PUT_NUMBER },
	[SEALED_SEED] = { QUERY_PAGE_SEEDS, QUERY_PUT_SEED },
	[SEALED_AUTHORITY] = { QUERY_PAGE_AUTHORITIES, QUERY_PUT_AUTHORITY },
	[SEALED_ANSWER] = { QUERY_PAGE_ANSWERS, QUERY_PUT_ANSWER },
};

struct page {
	struct store_sealed_row *rows;
	size_t n, cap;
};

static int on_sealed(const struct store_cells *c, void *arg)
{
	struct page *p = arg;
	struct store_sealed_row *row = &p->rows[p->n];
	const void *value = c->ops->cell_bytes(c->statement, 2, &row->value.len);

	if (p->n == p->cap || row->value.len > sizeof row->value.data)
		return MAG_ESTORE;
	row->id = c->ops->cell_int(c->statement, 0);
	row->version = c->ops->cell_int(c->statement, 1);
	if (row->value.len > 0)
		memcpy(row->value.data, value, row->value.len);
	p->n++;
	return 0;
}

int store_page_sealed(struct store *s, enum store_sealed column, int64_t after,
	struct store_sealed_row *rows_r, size_t cap, size_t *n_r)
{
	struct store_value values[] = { work_integer(after), work_limit(cap) };
	struct page p = { rows_r, 0, cap };
	int r = work_read(s, columns[column].page, values, 2, on_sealed, &p);

	if (r == 0)
		*n_r = p.n;
	return r;
}

int store_put_sealed(struct store *s, enum store_sealed column, const struct store_sealed_row *rows,
	size_t n, int64_t *n_r)
{
	struct store_value(*values)[4] = calloc(n + 1, sizeof *values);
	struct store_call *calls = calloc(n + 1, sizeof *calls);
	struct store_batch batch = { .calls = calls, .n = n, .begin = true, .commit = true };
	int64_t stamp = store_new_id() >> 1, done = 0;
	int r = values != NULL && calls != NULL ? 0 : MAG_ENOMEM;

	if (r == 0 && stamp <= 0)
		r = MAG_ESTORE;
	for (size_t i = 0; r == 0 && i < n; i++) {
		values[i][0] = work_integer(rows[i].id);
		values[i][1] = work_integer(rows[i].version);
		values[i][2] = work_integer(stamp);
		values[i][3] = (struct store_value){
			.type = 'b', .p = rows[i].value.data, .len = rows[i].value.len
		};
		calls[i] = (struct store_call){ .statement = columns[column].put,
			.point = "store.claim",
			.values = values[i],
			.n_values = 4 };
	}
	if (r == 0 && n > 0)
		r = work_run(s, &batch);
	for (size_t i = 0; r == 0 && i < n; i++)
		done += calls[i].changed;
	free(calls);
	free(values);
	if (r == 0)
		*n_r = done;
	return r;
}

int store_count_sealed(struct store *s, int64_t *n_r)
{
	return work_read(s, QUERY_COUNT_SEALED, NULL, 0, on_number, n_r);
}
