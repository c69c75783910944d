/* Making and opening an SQLite store, and opening it again after an I/O error. */
#include "otpcore/store/copier.h"
#include "otpcore/store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/file.h"
#include "otpcore/base/log.h"

#define MEMORY  ":memory:"
#define BUSY_MS 1000 /* another process at the file: a backup, a second broker */

static const char settings_sql[] = "PRAGMA synchronous=FULL;"
				   "PRAGMA wal_autocheckpoint=0;" /* checkpoint.c decides when */
				   "PRAGMA journal_size_limit=4194304;"
				   "PRAGMA cache_size=-16000;"
				   "PRAGMA temp_store=MEMORY;"
				   "PRAGMA cell_size_check=ON;"
				   "PRAGMA secure_delete=ON;" /* as Debian has it */
				   "PRAGMA trusted_schema=OFF;";

static bool in_memory(const struct sqlite *q)
{
	return strcmp(q->path, MEMORY) == 0;
}

int sqlite_failed(struct sqlite *q, const char *what)
{
	int code = sqlite3_extended_errcode(q->db) & 0xff;

	mag_log(MAG_LOG_ERROR, "store: %s: %s (%d)", what, sqlite3_errmsg(q->db),
		sqlite3_extended_errcode(q->db));
	if (code == SQLITE_IOERR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		q->broken = true;
	/* It was opened while the file system was read-only, and would stay so for ever. */
	if (code == SQLITE_READONLY)
		q->broken = true;
	/* Somebody holds it; or a lock of our own that could not be let go. */
	if (code == SQLITE_BUSY || code == SQLITE_PROTOCOL)
		q->broken = true;
	if (code == SQLITE_BUSY)
		return MAG_EBUSY;
	return code == SQLITE_NOMEM ? MAG_ENOMEM : MAG_ESTORE;
}

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

int sqlite_use_wal(struct sqlite *q)
{
	bool wal = false;
	int code = sqlite3_exec(q->db, "PRAGMA journal_mode=WAL", journal_is_wal, &wal, NULL);

	q->wal_pages = 0;
	return code == SQLITE_OK && wal ? 0 : MAG_ESTORE;
}

/* Each connection is one thread's. */
#define FLAGS (SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE)

/* Settled and at home in the file: SQLite looks into it for the first time. */
static int settle(sqlite3 *db)
{
	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return sqlite3_exec(db, settings_sql, NULL, NULL, NULL);
}

int sqlite_second(const struct sqlite *q, sqlite3 **db_r)
{
	sqlite3 *db = NULL;
	int code =
		sqlite3_threadsafe() ? sqlite3_open_v2(q->path, &db, FLAGS, NULL) : SQLITE_MISUSE;

	if (code == SQLITE_OK)
		code = settle(db);
	/* Only who has read knows that there is a log. */
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	if (code != SQLITE_OK) {
		mag_log(MAG_LOG_WARNING, "store: no second connection: %s", sqlite3_errstr(code));
		sqlite3_close_v2(db);
		return MAG_ESTORE;
	}
	*db_r = db;
	return 0;
}

static int connect_file(struct sqlite *q)
{
	int flags = FLAGS;

	if (in_memory(q))
		flags |= SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY;
	if (sqlite3_open_v2(q->path, &q->db, flags, NULL) != SQLITE_OK)
		goto fail;
	if (settle(q->db) != SQLITE_OK)
		goto fail;
	sqlite3_wal_hook(q->db, wal_grew, q);
	q->broken = false;
	return 0;
fail:
	if (q->db != NULL)
		sqlite_failed(q, q->path);
	sqlite3_close_v2(q->db);
	q->db = NULL;
	q->broken = true;
	return MAG_ESTORE;
}

/* Both connections; the writer's last, which empties the log, unless what it says of
 * itself may be wrong. */
static void give_up(struct sqlite *q)
{
	finalize_all(q);
	copier_free(&q->copier);
	if (q->broken && q->db != NULL)
		sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close_v2(q->db);
	q->db = NULL;
}

/* After an I/O error: what SQLite believes about the file may be wrong, what
 * the file says is not. A store in memory has no file to ask. */
static int reopen(struct sqlite *q)
{
	if (in_memory(q)) {
		q->broken = false;
		return 0;
	}
	give_up(q);
	mag_log(MAG_LOG_WARNING, "store: %s is opened again after an error", q->path);
	return connect_file(q) == 0 && sqlite_use_wal(q) == 0 ? 0 : MAG_ESTORE;
}

int sqlite_usable(struct sqlite *q)
{
	return q->broken ? reopen(q) : 0;
}

void sqlite_close(void *backend)
{
	struct sqlite *q = backend;

	if (q == NULL)
		return;
	give_up(q);
	free(q->path);
	free(q);
}

/* Also the files that SQLite keeps beside: whoever looked into the store as root
 * may have left them behind as root's. */
static int check_writable(const char *path, char err[STORE_ERROR_MAX])
{
	static const char *const beside[] = { "", "-wal", "-shm" };
	char name[PATH_MAX];

	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
		if ((size_t)snprintf(name, sizeof name, "%s%s", path, beside[i]) >= sizeof name)
			return MAG_ENOSPACE;
		if (access(name, R_OK | W_OK) == 0 || (i > 0 && errno == ENOENT))
			continue;
		snprintf(err, STORE_ERROR_MAX,
			"%.120s: cannot be written (%.40s); it must belong to the user that "
			"otpcored runs as",
			name, strerror(errno));
		return MAG_ESTORE;
	}
	return 0;
}

static int check_file(const char *path, char err[STORE_ERROR_MAX])
{
	struct stat st;

	if (strcmp(path, MEMORY) == 0)
		return 0;
	if (stat(path, &st) != 0) {
		snprintf(err, STORE_ERROR_MAX, "%s: %s%s", path, strerror(errno),
			errno == ENOENT ? "; \"magotpctl restore FILE\" puts a lost store back, "
					  "\"magotpctl setup\" makes the first one"
					: "");
		return errno == ENOENT ? MAG_ENOTFOUND : MAG_ESTORE;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, STORE_ERROR_MAX, "%s: not a regular file", path);
		return MAG_ESTORE;
	}
	if (st.st_size == 0) { /* SQLite would take it for a new one */
		snprintf(err, STORE_ERROR_MAX,
			"%s: is empty; remove it, then \"magotpctl restore\" a backup or make a "
			"new "
			"store with \"magotpctl setup\"",
			path);
		return MAG_ESTORE;
	}
	return check_writable(path, err);
}

int sqlite_open(const char *where, void **backend_r, char err[STORE_ERROR_MAX])
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
		snprintf(err, STORE_ERROR_MAX, "%s: cannot be opened as an SQLite database", where);
		sqlite_close(q);
		return r;
	}
	*backend_r = q;
	return 0;
}

/* From now on it is no empty file: that is never opened. */
static int begin_file(const char *where)
{
	static const char mark[] = "PRAGMA application_id = 1835100015"; /* "mago" */
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(where, &db, FLAGS, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_exec(db, mark, NULL, NULL, NULL);
	sqlite3_close(db);
	return code == SQLITE_OK && mag_sync_folder(where) == 0 ? 0 : MAG_ESTORE;
}

/* The file is made here, not by SQLite, for its mode and for O_EXCL; it is
 * closed again before SQLite opens it (a later close would drop SQLite's locks). */
int sqlite_create(const char *where, char err[STORE_ERROR_MAX])
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
	if (begin_file(where) != 0) {
		snprintf(err, STORE_ERROR_MAX, "%s: cannot be written", where);
		sqlite_discard(where);
		return MAG_ESTORE;
	}
	return 0;
}

void sqlite_discard(const char *where)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal", "" };
	char path[PATH_MAX];

	for (size_t i = 0; strcmp(where, MEMORY) != 0 && i < sizeof suffixes / sizeof *suffixes;
		i++)
		if (snprintf(path, sizeof path, "%s%s", where, suffixes[i]) < (int)sizeof path)
			(void)unlink(path);
}
