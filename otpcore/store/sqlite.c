/* SQLite as a backend: one connection, WAL, every commit synced. */
#include "otpcore/store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/store/fault.h"

#define MEMORY ":memory:"
#define BUSY_MS 1000 /* another process at the file: a backup, a second broker */

static const char settings_sql[] =
	"PRAGMA synchronous=FULL;"
	"PRAGMA wal_autocheckpoint=0;" /* checkpoint.c decides when */
	"PRAGMA journal_size_limit=4194304;"
	"PRAGMA cache_size=-16000;"
	"PRAGMA temp_store=MEMORY;"
	"PRAGMA cell_size_check=ON;"
	"PRAGMA trusted_schema=OFF;";

static bool in_memory(const struct sqlite *q)
{
	return strcmp(q->path, MEMORY) == 0;
}

/* Remember and tell what failed; an I/O error or a damaged file makes the
 * connection unfit for the next transaction. */
static int failed(struct sqlite *q, const char *what)
{
	int code = sqlite3_extended_errcode(q->db) & 0xff;

	mag_log(MAG_LOG_ERROR, "store: %s: %s (%d)", what, sqlite3_errmsg(q->db),
		sqlite3_extended_errcode(q->db));
	if (code == SQLITE_IOERR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		q->broken = true;
	return code == SQLITE_NOMEM ? MAG_ENOMEM : MAG_ESTORE;
}

/* ---- opening ---- */

static void finalize_all(struct sqlite *q)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(q->statements[i]);
		q->statements[i] = NULL;
	}
	for (size_t i = 0; i < WORD_COUNT; i++) {
		sqlite3_finalize(q->words[i]);
		q->words[i] = NULL;
	}
}

static int wal_grew(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct sqlite *q = arg;

	(void)db;
	(void)name;
	q->wal_pages = pages;
	return SQLITE_OK;
}

static int journal_is_wal(void *arg, int n, char **values, char **names)
{
	bool *ok_r = arg;

	(void)names;
	*ok_r = n == 1 && values[0] != NULL &&
		(strcmp(values[0], "wal") == 0 || strcmp(values[0], "memory") == 0);
	return 0;
}

static int connect_file(struct sqlite *q)
{
	bool wal = false;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (in_memory(q))
		flags |= SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY;
	if (sqlite3_open_v2(q->path, &q->db, flags, NULL) != SQLITE_OK)
		goto fail;
	sqlite3_busy_timeout(q->db, BUSY_MS);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (sqlite3_exec(q->db, "PRAGMA journal_mode=WAL", journal_is_wal, &wal, NULL) != SQLITE_OK ||
		!wal || sqlite3_exec(q->db, settings_sql, NULL, NULL, NULL) != SQLITE_OK)
		goto fail;
	sqlite3_wal_hook(q->db, wal_grew, q);
	q->wal_pages = 0;
	q->broken = false;
	return 0;
fail:
	if (q->db != NULL)
		failed(q, q->path);
	sqlite3_close_v2(q->db);
	q->db = NULL;
	q->broken = true;
	return MAG_ESTORE;
}

/* After an I/O error: what SQLite believes about the file may be wrong, what
 * the file says is not. A store in memory has no file to ask. */
static int reopen(struct sqlite *q)
{
	if (in_memory(q)) {
		q->broken = false;
		return 0;
	}
	finalize_all(q);
	sqlite3_close_v2(q->db);
	q->db = NULL;
	mag_log(MAG_LOG_WARNING, "store: %s is opened again after an error", q->path);
	return connect_file(q);
}

static int usable(struct sqlite *q)
{
	return q->broken ? reopen(q) : 0;
}

static void sqlite_close(void *backend)
{
	struct sqlite *q = backend;

	if (q == NULL)
		return;
	finalize_all(q);
	sqlite3_close_v2(q->db);
	free(q->path);
	free(q);
}

static int check_file(const char *path, char err[STORE_ERROR_MAX])
{
	struct stat st;

	if (strcmp(path, MEMORY) == 0)
		return 0;
	if (stat(path, &st) != 0) {
		snprintf(err, STORE_ERROR_MAX, "%s: %s%s", path, strerror(errno),
			errno == ENOENT ? "; \"magotpctl setup\" makes the store" : "");
		return errno == ENOENT ? MAG_ENOTFOUND : MAG_ESTORE;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, STORE_ERROR_MAX, "%s: not a regular file", path);
		return MAG_ESTORE;
	}
	return 0;
}

static int sqlite_open(const char *where, void **backend_r, char err[STORE_ERROR_MAX])
{
	struct sqlite *q = NULL;
	int r = check_file(where, err);

	if (r != 0)
		return r;
	q = calloc(1, sizeof *q);
	if (q == NULL || (q->path = strdup(where)) == NULL) {
		snprintf(err, STORE_ERROR_MAX, "%s", mag_strerror(MAG_ENOMEM));
		free(q);
		return MAG_ENOMEM;
	}
	r = connect_file(q);
	if (r != 0) {
		snprintf(err, STORE_ERROR_MAX, "%s: cannot be opened as an SQLite database in WAL mode",
			where);
		sqlite_close(q);
		return r;
	}
	*backend_r = q;
	return 0;
}

static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int r = fd >= 0 && fsync(fd) == 0 ? 0 : MAG_ESYS;

	if (fd >= 0)
		close(fd);
	free(copy);
	return r;
}

/* The file is made here, not by SQLite, for its mode and for O_EXCL; it is
 * closed again before SQLite opens it (a later close would drop SQLite's locks). */
static int sqlite_create(const char *where, char err[STORE_ERROR_MAX])
{
	int fd = -1;

	if (strcmp(where, MEMORY) == 0)
		return 0;
	fd = open(where, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int r = errno == EEXIST ? MAG_EEXISTS : MAG_ESTORE;

		snprintf(err, STORE_ERROR_MAX, "%s: %s", where,
			errno == EEXIST ? "there is a store already" : strerror(errno));
		return r;
	}
	close(fd);
	if (sync_folder(where) != 0) {
		snprintf(err, STORE_ERROR_MAX, "%s: folder cannot be synced", where);
		unlink(where);
		return MAG_ESTORE;
	}
	return 0;
}

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
		failed(q, text);
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
	int code = SQLITE_ERROR;

	if (s == NULL)
		s = q->words[word] = prepare(q, strdup(word_texts[word]));
	if (s == NULL)
		return MAG_ESTORE;
	code = sqlite3_step(s);
	if (code != SQLITE_DONE)
		failed(q, word_texts[word]);
	sqlite3_reset(s);
	return code == SQLITE_DONE ? 0 : MAG_ESTORE;
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
	if (r == 0 && code != SQLITE_DONE)
		r = failed(q, c->point);
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
	for (size_t i = 0; i < b->n; i++)
		b->calls[i].r = call(q, &b->calls[i]);
	if (say(q, WORD_COMMIT) != 0)
		sqlite_rollback(q);
	return 0;
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
	int r = writing ? 0 : usable(q);

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

	return sqlite3_exec(q->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(q, "script");
}
#endif

const struct backend_ops backend_sqlite = {
	.kind = "sqlite",
	.exclusive = true,
	.create = sqlite_create,
	.open = sqlite_open,
	.close = sqlite_close,
	.migrate = sqlite_migrate,
	.run = sqlite_run,
	.rollback = sqlite_rollback,
	.checkpoint = sqlite_checkpoint,
#ifdef MAG_FAULT
	.script = sqlite_script,
#endif
	.cell_int = cell_int,
	.cell_bytes = cell_bytes,
};
