/* SQLite as a backend: statements and batches. One connection, WAL, every commit
 * synced. */
#include "otpcore/store/sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/store/fault.h"

/* ---- statements ---- */

/* Our texts have parameters as $N; SQLite would take that for a name. */
static sqlite3_stmt *prepare(struct sqlite *q, char *text)
{
	sqlite3_stmt *s = NULL;

	if (text == NULL)
		return NULL;
	for (char *p = strchr(text, '$'); p != NULL; p = strchr(p, '$'))
		*p = '?';
	if (sqlite3_prepare_v3(q->db, text, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
		sqlite_failed(q, text);
	free(text);
	return s;
}

static sqlite3_stmt *statement(struct sqlite *q, int id)
{
	if (q->statements[id] == NULL)
		q->statements[id] = prepare(q, statement_text(id));
	return q->statements[id];
}

static const char *const word_texts[WORD_COUNT] = {
	[WORD_READ] = "BEGIN",
	[WORD_WRITE] = "BEGIN IMMEDIATE",
	[WORD_COMMIT] = "COMMIT",
	[WORD_ROLLBACK] = "ROLLBACK",
};

static int say(struct sqlite *q, enum sqlite_word word)
{
	sqlite3_stmt *s = q->words[word];
	int code = SQLITE_ERROR, r = 0;

	if (s == NULL)
		s = q->words[word] = prepare(q, strdup(word_texts[word]));
	if (s == NULL)
		return MAG_ESTORE;
	code = sqlite3_step(s);
	if (code != SQLITE_DONE)
		r = sqlite_failed(q, word_texts[word]);
	sqlite3_reset(s);
	return r;
}

static int bind_value(sqlite3_stmt *s, int i, const struct store_value *v)
{
	static const char nothing[1];
	const void *p = v->p != NULL ? v->p : nothing;

	if (v->type == 'i')
		return sqlite3_bind_int64(s, i, v->i);
	if (v->type == 't')
		return sqlite3_bind_text(s, i, p, (int)v->len, SQLITE_STATIC);
	if (v->type == 'b')
		return sqlite3_bind_blob(s, i, p, (int)v->len, SQLITE_STATIC);
	return SQLITE_MISUSE;
}

static int call(struct sqlite *q, struct store_call *c)
{
	struct store_cells cells = { &backend_sqlite, NULL };
	sqlite3_stmt *s = NULL;
	int code = SQLITE_OK, r = 0;

	c->changed = 0;
	if (FAULT(c->point))
		return MAG_ESTORE;
	s = statement(q, c->statement);
	if (s == NULL)
		return MAG_ESTORE;
	for (size_t i = 0; code == SQLITE_OK && i < c->n_values; i++)
		code = bind_value(s, (int)i + 1, &c->values[i]);
	if (code != SQLITE_OK) {
		mag_log(MAG_LOG_ERROR, "store: %s: a value cannot be bound", c->point);
		r = MAG_ESTORE;
		goto out;
	}
	cells.statement = s;
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		if (c->row != NULL)
			r = c->row(&cells, c->arg);
	}
	/* Another row holds the key (an UPDATE has no ON CONFLICT): a lost race. */
	if (r == 0 && c->must_change && code == SQLITE_CONSTRAINT_UNIQUE)
		goto out;
	if (r == 0 && code != SQLITE_DONE)
		r = sqlite_failed(q, c->point);
	else if (r == 0 && !sqlite3_stmt_readonly(s))
		c->changed = sqlite3_changes64(q->db);
out:
	sqlite3_reset(s);
	return r;
}

/* ---- batches ---- */

static void sqlite_rollback(void *backend)
{
	struct sqlite *q = backend;

	/* Some errors roll back by themselves; then later statements would commit
	 * one by one. */
	if (q->db == NULL || sqlite3_get_autocommit(q->db))
		return;
	if (say(q, WORD_ROLLBACK) != 0)
		q->broken = true;
}

/* In one read transaction: one snapshot, and locks are taken once. */
static int run_reads(struct sqlite *q, struct store_batch *b)
{
	int r = say(q, WORD_READ);

	if (r != 0)
		return r;
	for (size_t i = 0; i < b->n; i++) {
		b->calls[i].r = call(q, &b->calls[i]);
		/* SQLite has tried for ten seconds; so it would for each of the others. */
		if (b->calls[i].r != 0 && (sqlite3_errcode(q->db) & 0xff) == SQLITE_PROTOCOL)
			r = MAG_ESTORE;
		if (r != 0)
			break;
	}
	if (say(q, WORD_COMMIT) != 0)
		sqlite_rollback(q);
	return r;
}

static int run_writes(struct sqlite *q, struct store_batch *b)
{
	int r = 0;
	bool lost = false;

	for (size_t i = 0; i < b->n; i++) {
		struct store_call *c = &b->calls[i];

		c->r = r = call(q, c);
		if (r != 0)
			return r;
		lost = lost || (c->must_change && c->changed == 0);
	}
	return lost ? MAG_ECONFLICT : 0;
}

static int commit(struct sqlite *q, struct store_batch *b)
{
	int r = FAULT("store.commit") ? MAG_ESTORE : 0;

	if (r != 0)
		q->broken = true;
	else
		r = say(q, WORD_COMMIT);
	/* An I/O error at COMMIT (a failed sync): durable or not, nobody knows. */
	b->unknown = r != 0 && q->broken;
	return r;
}

static int sqlite_run(void *backend, struct store_batch *b)
{
	struct sqlite *q = backend;
	bool writing = q->db != NULL && !sqlite3_get_autocommit(q->db);
	int r = writing ? 0 : sqlite_usable(q);

	b->unknown = false;
	if (r == 0 && b->begin)
		r = FAULT("store.begin") ? MAG_ESTORE : say(q, WORD_WRITE);
	if (r != 0)
		goto out;
	if (!writing && !b->begin)
		return run_reads(q, b);
	if (writing && sqlite3_get_autocommit(q->db)) {
		r = MAG_ESTORE;
		goto out;
	}
	r = run_writes(q, b);
	if (r == 0 && b->commit)
		r = commit(q, b);
out:
	if (r != 0)
		sqlite_rollback(q);
	return r;
}

/* It is taken by the first read that follows. */
static int sqlite_snapshot(void *backend, bool begin)
{
	struct sqlite *q = backend;

	return say(q, begin ? WORD_READ : WORD_COMMIT);
}

static int64_t cell_int(void *s, int column)
{
	return sqlite3_column_int64(s, column);
}

static const void *cell_bytes(void *s, int column, size_t *len_r)
{
	const void *p = sqlite3_column_blob(s, column);

	*len_r = (size_t)sqlite3_column_bytes(s, column);
	return p;
}

#ifdef MAG_FAULT
static int sqlite_script(void *backend, const char *sql)
{
	struct sqlite *q = backend;

	return sqlite3_exec(q->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : sqlite_failed(q, "script");
}
#endif

const struct backend_ops backend_sqlite = {
	.kind = "sqlite",
	.exclusive = true,
	.create = sqlite_create,
	.discard = sqlite_discard,
	.open = sqlite_open,
	.close = sqlite_close,
	.migrate = sqlite_migrate,
	.run = sqlite_run,
	.rollback = sqlite_rollback,
	.checkpoint = sqlite_checkpoint,
	.forget = sqlite_forget,
	.snapshot = sqlite_snapshot,
	.sound = sqlite_sound,
	.hasty = sqlite_hasty,
#ifdef MAG_FAULT
	.script = sqlite_script,
#endif
	.cell_int = cell_int,
	.cell_bytes = cell_bytes,
};
