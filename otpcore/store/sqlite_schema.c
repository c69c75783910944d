/* The schema of an SQLite store: which one it has, and the way to a newer one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/sqlite.h"

/* First column of the first row; `none` if there is no row. */
static int ask_number(sqlite3 *db, const char *sql, int64_t none, int64_t *n_r)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		*n_r = sqlite3_column_int64(s, 0);
	else if (code == SQLITE_DONE)
		*n_r = none;
	sqlite3_finalize(s);
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : MAG_ESTORE;
}

/* 0 for an empty database, -1 for one that isn't ours. */
static int schema_found(sqlite3 *db, int64_t *schema_r)
{
	int64_t tables = 0, meta = 0;
	int r = ask_number(db, "SELECT count(*) FROM sqlite_schema", 0, &tables);

	if (r != 0)
		return r;
	r = ask_number(db,
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'", 0,
		&meta);
	if (r != 0)
		return r;
	if (meta == 0) {
		*schema_r = tables == 0 ? 0 : -1;
		return 0;
	}
	return ask_number(db, "SELECT value FROM meta WHERE name = 'schema'", -1, schema_r);
}

/* DDL of both databases as SQLite's: INTEGER and BLOB, and what stands in
 * "sqlite:" comments. */
static char *to_sqlite(const char *text)
{
	static const char *const words[][2] = { { "BIGINT", "INTEGER" }, { "BYTEA", "BLOB" },
		{ "/*sqlite:", "" }, { "*/", "" } };
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	if (f == NULL)
		return NULL;
	while (*text != '\0') {
		size_t i = 0, n = sizeof words / sizeof words[0];

		while (i < n && strncmp(text, words[i][0], strlen(words[i][0])) != 0)
			i++;
		if (i < n) {
			fputs(words[i][1], f);
			text += strlen(words[i][0]);
		} else {
			fputc(*text++, f);
		}
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static int apply(sqlite3 *db, const char *text, int number)
{
	char *sql = to_sqlite(text);
	char set[128];
	int code = SQLITE_NOMEM;

	snprintf(set, sizeof set,
		"INSERT INTO meta (name, value) VALUES ('schema', %d) "
		"ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		number);
	if (sql != NULL)
		code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, set, NULL, NULL, NULL);
	free(sql);
	return code == SQLITE_OK ? 0 : MAG_ESTORE;
}

int sqlite_migrate(void *backend, const char *const *texts, int wanted, char err[STORE_ERROR_MAX])
{
	struct sqlite *q = backend;
	int64_t found = 0;
	int r = MAG_ESTORE;

	/* The write lock first: two programs may start at once. */
	if (sqlite3_exec(q->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		goto out;
	r = schema_found(q->db, &found);
	if (r != 0)
		goto out;
	if (found < 0 || found > wanted) {
		r = MAG_ESCHEMA;
		goto out;
	}
	for (int64_t n = found; r == 0 && n < wanted; n++)
		r = apply(q->db, texts[n], (int)n + 1);
	if (r == 0 && sqlite3_exec(q->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		r = MAG_ESTORE;
	if (r == 0)
		r = sqlite_use_wal(q);
out:
	if (r == MAG_ESCHEMA && found < 0)
		snprintf(err, STORE_ERROR_MAX, "%s: not a store of magotp", q->path);
	else if (r == MAG_ESCHEMA)
		snprintf(err, STORE_ERROR_MAX,
			"%s: schema %lld is newer than this program's (%d); update the program",
			q->path, (long long)found, wanted);
	else if (r != 0)
		snprintf(err, STORE_ERROR_MAX, "%s: %s", q->path, sqlite3_errmsg(q->db));
	if (!sqlite3_get_autocommit(q->db))
		sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int on_word(void *arg, int n, char **values, char **names)
{
	(void)names;
	if (n == 1 && values[0] != NULL && *(char *)arg == '\0')
		snprintf(arg, STORE_ERROR_MAX, "%s", values[0]);
	return 0;
}

int sqlite_sound(void *backend, char err[STORE_ERROR_MAX])
{
	struct sqlite *q = backend;
	char word[STORE_ERROR_MAX] = "";
	int64_t strange = 0;

	if (sqlite3_exec(q->db, "PRAGMA integrity_check(1)", on_word, word, NULL) != SQLITE_OK)
		snprintf(word, sizeof word, "%s", sqlite3_errmsg(q->db));
	if (strcmp(word, "ok") != 0) {
		snprintf(err, STORE_ERROR_MAX, "it is damaged: %.200s", word);
		return MAG_ESTORE;
	}
	if (ask_number(q->db,
		    "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')", 0,
		    &strange) != 0 ||
		strange > 0) {
		snprintf(err, STORE_ERROR_MAX, "it holds what no store of magotp has");
		return MAG_ESTORE;
	}
	return 0;
}

int sqlite_hasty(void *backend)
{
	struct sqlite *q = backend;

	return sqlite3_exec(q->db, "PRAGMA synchronous=OFF", NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : MAG_ESTORE;
}
