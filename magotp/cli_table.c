/* Tables: aligned for people, tabs for pipes, JSON for programs. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cli.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"

struct cell {
	char *text; /* cleaned; "" is empty */
	int64_t number;
};

struct table {
	const struct column *columns;
	size_t n_columns;
	struct cell *cells; /* n_cells of them, row by row */
	size_t n_cells, cap;
	bool failed; /* no memory for a cell */
};

struct table *table_new(const struct column *columns)
{
	struct table *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->columns = columns;
	while (columns[t->n_columns].key)
		t->n_columns++;
	return t;
}

void table_free(struct table **t)
{
	if (!*t)
		return;
	for (size_t i = 0; i < (*t)->n_cells; i++)
		free((*t)->cells[i].text);
	free((*t)->cells);
	free(*t);
	*t = NULL;
}

static void add(struct table *t, const char *text, int64_t number)
{
	size_t size = strlen(text) + 1;
	struct cell *cells;
	char *copy;

	if (t->n_cells == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;

		cells = realloc(t->cells, cap * sizeof *cells);
		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->cap = cap;
	}
	copy = malloc(size);
	if (!copy) {
		t->failed = true;
		return;
	}
	t->cells[t->n_cells++] = (struct cell){ mag_clean(copy, size, text), number };
}

void table_text(struct table *t, const char *value)
{
	add(t, value ? value : "", 0);
}

void table_int(struct table *t, int64_t value)
{
	char text[32];

	switch (t->columns[t->n_cells % t->n_columns].type) {
	case CELL_BOOL:
		add(t, value ? "yes" : "", value);
		break;
	case CELL_MINUTE:
		add(t, value > 0 ? mag_time_minute(value, text, sizeof text) : "", value);
		break;
	case CELL_DAY:
		add(t, value > 0 ? mag_time_day(value, text, sizeof text) : "", value);
		break;
	default:
		snprintf(text, sizeof text, "%lld", (long long)value);
		add(t, text, value);
	}
}

/* Columns of a UTF-8 text on a terminal: characters, near enough. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Which columns, in which order: those with a title, or those of --columns by
 * key. 0; MAG_EINVAL (one is unknown). */
static int choose(const struct table *t, const char *names, size_t chosen[], size_t *n_r)
{
	size_t n = 0;

	for (size_t i = 0; !names && i < t->n_columns; i++)
		if (t->columns[i].title)
			chosen[n++] = i;
	for (const char *p = names; p && *p;) {
		size_t len = strcspn(p, ","), i = 0;

		while (i < t->n_columns && (strlen(t->columns[i].key) != len ||
						   strncmp(t->columns[i].key, p, len) != 0))
			i++;
		if (i == t->n_columns || n == CLI_OPTS_MAX * 2)
			return -1;
		chosen[n++] = i;
		p += len + (p[len] == ',');
	}
	*n_r = n;
	return 0;
}

static const char *shown(const struct table *t, size_t row, size_t column)
{
	const char *text = t->cells[row * t->n_columns + column].text;

	return *text ? text : "-";
}

static void render_line(FILE *f, const struct table *t, const size_t chosen[], size_t n,
	const size_t widths[], int64_t row)
{
	for (size_t k = 0; k < n; k++) {
		const struct column *col = &t->columns[chosen[k]];
		const char *text = row >= 0     ? shown(t, (size_t)row, chosen[k])
				   : col->title ? col->title
						: col->key;

		fputs(text, f);
		if (k + 1 == n)
			break;
		if (!widths)
			fputc('\t', f);
		for (size_t w = widths ? width(text) : 0; widths && w < widths[k] + 2; w++)
			fputc(' ', f);
	}
	fputc('\n', f);
}

char *table_render(const struct table *t, const char *columns, bool terminal)
{
	size_t chosen[CLI_OPTS_MAX * 2], widths[CLI_OPTS_MAX * 2], n, size;
	size_t rows = t->n_cells / t->n_columns;
	char *out = NULL;
	FILE *f;

	if (choose(t, columns, chosen, &n))
		return NULL;
	for (size_t k = 0; k < n; k++) {
		const struct column *col = &t->columns[chosen[k]];

		widths[k] = width(col->title ? col->title : col->key);
		for (size_t i = 0; i < rows; i++)
			if (width(shown(t, i, chosen[k])) > widths[k])
				widths[k] = width(shown(t, i, chosen[k]));
	}
	f = open_memstream(&out, &size);
	if (!f)
		return NULL;
	if (terminal)
		render_line(f, t, chosen, n, widths, -1);
	for (size_t i = 0; i < rows; i++)
		render_line(f, t, chosen, n, terminal ? widths : NULL, (int64_t)i);
	if (fclose(f)) {
		free(out);
		out = NULL;
	}
	return out;
}

static struct json_object *words(const char *text)
{
	struct json_object *list = json_object_new_array();

	while (*text) {
		size_t len = strcspn(text, ",");

		json_object_array_add(list, json_object_new_string_len(text, (int)len));
		text += len;
		text += strspn(text, ", ");
	}
	return list;
}

struct json_object *cli_json_time(int64_t at)
{
	char text[32];

	return at > 0 ? json_object_new_string(mag_time_rfc3339(at, text, sizeof text)) : NULL;
}

static struct json_object *value(const struct column *col, const struct cell *c)
{
	switch (col->type) {
	case CELL_INT:
		return json_object_new_int64(c->number);
	case CELL_BOOL:
		return json_object_new_boolean(c->number != 0);
	case CELL_MINUTE:
	case CELL_DAY:
		return cli_json_time(c->number);
	case CELL_WORDS:
		return words(c->text);
	default:
		return json_object_new_string(c->text);
	}
}

void cli_json_print(struct json_object **object)
{
	puts(json_object_to_json_string_ext(
		*object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(*object);
	*object = NULL;
}

int cli_changed(const struct cli *c, int r, const char *id, const char *what)
{
	struct json_object *o;

	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		cli_say(c, "%s %s", id, what);
		return r;
	}
	o = json_object_new_object();
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "result", json_object_new_string(what));
	cli_json_print(&o);
	return r;
}

static void print_json(const struct table *t)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i + t->n_columns <= t->n_cells; i += t->n_columns) {
		struct json_object *row = json_object_new_object();

		for (size_t k = 0; k < t->n_columns; k++)
			json_object_object_add(
				row, t->columns[k].key, value(&t->columns[k], &t->cells[i + k]));
		json_object_array_add(list, row);
	}
	cli_json_print(&list);
}

static int wrong_columns(const struct cli *c, const struct table *t)
{
	char text[400] = "";
	struct mag_buf keys = MAG_BUF(text);

	for (size_t i = 0; i < t->n_columns; i++)
		mag_buf_printf(&keys, "%s%s", i ? "," : "", t->columns[i].key);
	return cli_usage(c, "--columns %s: the columns of this list are %s", c->columns, text);
}

int table_print(const struct cli *c, const struct table *t)
{
	char *text;

	if (t->failed)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	if (c->json) {
		print_json(t);
		return CLI_DONE;
	}
	text = table_render(t, c->columns, isatty(STDOUT_FILENO));
	if (!text)
		return c->columns ? wrong_columns(c, t)
				  : cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	fputs(text, stdout);
	free(text);
	return CLI_DONE;
}
