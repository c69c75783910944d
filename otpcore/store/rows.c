/* SQL texts, values and rows, all from the descriptors of columns.c. */
#include "otpcore/store/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/backend.h"

const char *row_table_name(enum row_table table)
{
	return row_tables[table].name;
}

size_t row_size(enum row_table table)
{
	return row_tables[table].row_size;
}

size_t row_n_columns(enum row_table table)
{
	return row_tables[table].n + 2;
}

static void put_columns(FILE *f, const struct table *t)
{
	fputs("id, version", f);
	for (size_t i = 0; i < t->n; i++)
		fprintf(f, ", %s", t->columns[i].name);
}

static void put_insert(FILE *f, const struct table *t)
{
	fprintf(f, "INSERT INTO %s (", t->name);
	put_columns(f, t);
	fputs(") VALUES ($1, $2", f);
	for (size_t i = 0; i < t->n; i++)
		fprintf(f, ", $%zu", i + 3);
	fputs(") ON CONFLICT DO NOTHING", f);
}

static void put_update(FILE *f, const struct table *t)
{
	size_t n = 4;

	fprintf(f, "UPDATE %s SET version = $3", t->name);
	for (size_t i = 0; i < t->n; i++) {
		if (!t->columns[i].fixed)
			fprintf(f, ", %s = $%zu", t->columns[i].name, n++);
	}
	fputs(" WHERE id = $1 AND version = $2", f);
}

static void put_page(FILE *f, const struct table *t)
{
	fputs("SELECT ", f);
	put_columns(f, t);
	fprintf(f, " FROM %s WHERE id > $1 ORDER BY id LIMIT $2", t->name);
}

char *row_sql(enum row_table table, enum row_verb verb)
{
	const struct table *t = &row_tables[table];
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	if (verb == ROW_INSERT)
		put_insert(f, t);
	else if (verb == ROW_UPDATE)
		put_update(f, t);
	else if (verb == ROW_PAGE)
		put_page(f, t);
	else if (verb == ROW_VERSION)
		fprintf(f, "SELECT version FROM %s WHERE id = $1", t->name);
	else
		fprintf(f, "DELETE FROM %s WHERE id = $1 AND version = $2", t->name);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* The table named by "{name}" at p, with the length of that; NULL if none is. */
static const struct table *named_table(const char *p, size_t *len_r)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		size_t n = strlen(row_tables[i].name);

		if (strncmp(p + 1, row_tables[i].name, n) == 0 && p[n + 1] == '}') {
			*len_r = n + 2;
			return &row_tables[i];
		}
	}
	return NULL;
}

char *row_expand(const char *text)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	if (f == NULL)
		return NULL;
	while (*text != '\0') {
		const struct table *t = NULL;
		size_t n = 1;

		if (*text == '{')
			t = named_table(text, &n);
		if (t != NULL)
			put_columns(f, t);
		else
			fputc(*text, f);
		text += n;
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static struct store_value value_of(const struct column *c, const struct row *row)
{
	const char *field = (const char *)row + c->offset;
	struct store_value v = { .type = c->type };

	if (c->type == 'i') {
		memcpy(&v.i, field, sizeof v.i);
	} else if (c->type == 't') {
		v.p = field;
		v.len = strnlen(field, c->size);
	} else {
		const struct blob *b = (const void *)field;

		v.p = b->data;
		v.len = b->len;
		if (b->len > sizeof b->data)
			v.type = 0; /* a broken row: no backend takes this value */
	}
	return v;
}

size_t row_values(enum row_table table, enum row_verb verb, const struct row *row,
	struct store_value values_r[ROW_COLUMNS_MAX])
{
	const struct table *t = &row_tables[table];
	size_t n = 0;

	values_r[n++] = (struct store_value){ .type = 'i', .i = row->id };
	values_r[n++] = (struct store_value){ .type = 'i', .i = row->version };
	if (verb == ROW_UPDATE)
		values_r[n++] = (struct store_value){ .type = 'i', .i = row->version + 1 };
	for (size_t i = 0; verb != ROW_DELETE && i < t->n; i++) {
		if (verb == ROW_INSERT || !t->columns[i].fixed)
			values_r[n++] = value_of(&t->columns[i], row);
	}
	return n;
}

static int load_column(const struct column *c, const struct store_cells *cells, int i, char *row)
{
	const void *p = NULL;
	size_t len = 0;

	if (c->type == 'i') {
		int64_t v = cells->ops->cell_int(cells->statement, i);

		memcpy(row + c->offset, &v, sizeof v);
		return 0;
	}
	p = cells->ops->cell_bytes(cells->statement, i, &len);
	if (c->type == 't') {
		if (len >= c->size)
			return MAG_ESTORE;
		if (len > 0)
			memcpy(row + c->offset, p, len);
		row[c->offset + len] = '\0';
	} else {
		struct blob *b = (void *)(row + c->offset);

		if (len > sizeof b->data)
			return MAG_ESTORE;
		if (len > 0)
			memcpy(b->data, p, len);
		b->len = len;
	}
	return 0;
}

int row_load(enum row_table table, const struct store_cells *cells, void *row_r)
{
	const struct table *t = &row_tables[table];
	struct row *row = row_r;
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->n; i++)
		r = load_column(&t->columns[i], cells, (int)i + 2, row_r);
	if (r != 0)
		return r;
	row->id = cells->ops->cell_int(cells->statement, 0);
	row->version = cells->ops->cell_int(cells->statement, 1);
	row->fate = ROW_CLEAN;
	return row->id > 0 ? 0 : MAG_ESTORE;
}
