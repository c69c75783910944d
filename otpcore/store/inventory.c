/* The inventory of tokens: what an import stages and commits, and lists. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

/* ---- import ---- */

static struct store_call insert_of(const struct token *row, struct store_value *values)
{
	size_t n = row_values(TABLE_TOKEN, ROW_INSERT, &row->row, values);

	values[1] = work_integer(1); /* the version */
	return (struct store_call){ .statement = STATEMENT_ROW(TABLE_TOKEN, ROW_INSERT),
		.point = "store.claim",
		.values = values,
		.n_values = n,
		.must_change = true };
}

static size_t first_unchanged(const struct store_batch *b)
{
	size_t i = 0;

	while (i < b->n && b->calls[i].changed != 0)
		i++;
	return i;
}

int store_stage_tokens(struct store *s, const struct token *rows, size_t n, size_t *taken_r)
{
	struct store_call *calls = calloc(n + 1, sizeof *calls);
	struct store_value(*values)[ROW_COLUMNS_MAX] = calloc(n + 1, sizeof *values);
	struct store_batch batch = { .calls = calls, .n = n, .begin = true, .commit = true };
	int r = MAG_ENOMEM;

	if (calls == NULL || values == NULL)
		goto out;
	for (size_t i = 0; i < n; i++) {
		r = MAG_EINVAL;
		if (rows[i].state != TOKEN_STAGED || rows[i].account != 0)
			goto out;
		calls[i] = insert_of(&rows[i], values[i]);
	}
	r = work_run(s, &batch);
	if (r == MAG_ECONFLICT) {
		*taken_r = first_unchanged(&batch);
		r = MAG_EEXISTS;
	}
out:
	free(values);
	free(calls);
	return r;
}

int store_commit_tokens(struct store *s, int64_t batch, int64_t count, int64_t *n_r)
{
	struct store_value values[] = { work_integer(batch), work_integer(count) };
	int64_t n = 0;
	int r = work_write(s, QUERY_COMMIT_TOKENS, values, 2, &n);

	if (r == 0 && n != count)
		r = MAG_ECONFLICT;
	if (r == 0)
		*n_r = n;
	return r;
}

int store_cancel_tokens(struct store *s, int64_t batch)
{
	struct store_value value = work_integer(batch);

	return work_write(s, QUERY_CANCEL_TOKENS, &value, 1, NULL);
}

int store_drop_import(struct store *s, const char *serial, int64_t since, int64_t *n_r)
{
	struct store_value values[] = { work_text(serial), work_integer(since) };

	return work_write(s, QUERY_DROP_IMPORT, values, 2, n_r);
}

/* ---- lists ---- */

struct list {
	store_token_fn *fn;
	void *arg;
};

static int load(const struct store_cells *c, struct store_token_row *row_r)
{
	int n = (int)row_n_columns(TABLE_TOKEN);
	int r = row_load(TABLE_TOKEN, c, &row_r->token);

	if (r == 0)
		r = work_cell_text(c, n, row_r->account, sizeof row_r->account);
	if (r == 0)
		row_r->expires_at = c->ops->cell_int(c->statement, n + 1);
	return r;
}

static int on_listed(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct store_token_row row = { 0 };
	int r = load(c, &row);

	return r == 0 ? list->fn(&row, list->arg) : r;
}

int store_list_tokens(struct store *s, const char *after_serial, int64_t state, size_t limit,
	store_token_fn *fn, void *arg)
{
	struct list list = { fn, arg };
	struct store_value values[] = { work_text(after_serial != NULL ? after_serial : ""),
		work_integer(state), work_limit(limit) };

	return work_read(s, QUERY_LIST_TOKENS, values, 3, on_listed, &list);
}

int store_list_leases(
	struct store *s, const char *after_serial, size_t limit, store_token_fn *fn, void *arg)
{
	struct list list = { fn, arg };
	struct store_value values[] = { work_text(after_serial), work_limit(limit) };

	return work_read(s, QUERY_LIST_LEASES, values, 2, on_listed, &list);
}

static int keep(const struct store_token_row *row, void *arg)
{
	*(struct store_token_row *)arg = *row;
	return 0;
}

int store_find_token(struct store *s, const char *serial, struct store_token_row *row_r)
{
	struct store_token_row found = { 0 };
	struct list list = { keep, &found };
	struct store_value value = work_text(serial);
	int r = work_read(s, QUERY_FIND_TOKEN, &value, 1, on_listed, &list);

	if (r == 0 && found.token.row.id == 0)
		r = MAG_ENOTFOUND;
	if (r == 0)
		*row_r = found;
	return r;
}
