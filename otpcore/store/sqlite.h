/* What the files of the SQLite backend share. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <sqlite3.h>

#include "otpcore/store/backend.h"

enum sqlite_word { WORD_READ, WORD_WRITE, WORD_COMMIT, WORD_ROLLBACK, WORD_COUNT };

struct copier;

struct sqlite {
	sqlite3 *db; /* NULL: could not be opened again */
	char *path;
	bool broken;           /* to be opened again before the next transaction */
	int wal_pages;         /* in the log since the last checkpoint that emptied it */
	struct copier *copier; /* NULL until there is something to copy */
	bool alone;            /* none could be made: it is not tried again */
	sqlite3_stmt *statements[STATEMENT_COUNT], *words[WORD_COUNT];
};

/* ---- sqlite_open.c ---- */
int sqlite_create(const char *where, char err[STORE_ERROR_MAX]);
void sqlite_discard(const char *where);
int sqlite_open(const char *where, void **backend_r, char err[STORE_ERROR_MAX]);
void sqlite_close(void *backend);
/* Remember and tell what failed; an I/O error or a damaged file makes the
 * connection unfit for the next transaction. Returns the error. */
int sqlite_failed(struct sqlite *q, const char *what);
/* Only once it is known that the database is ours: the mode stays in the file. */
int sqlite_use_wal(struct sqlite *q);
/* Another connection to the same file, for a thread of its own. 0 or MAG_ESTORE. */
int sqlite_second(const struct sqlite *q, sqlite3 **db_r);
/* Opens the file again if it has to be. 0 or MAG_ESTORE. */
int sqlite_usable(struct sqlite *q);

/* ---- sqlite_schema.c, checkpoint.c ---- */
/* sqlite_schema.c: see backend.h. */
int sqlite_sound(void *backend, char err[STORE_ERROR_MAX]);
int sqlite_hasty(void *backend);
int sqlite_migrate(void *backend, const char *const *texts, int wanted, char err[STORE_ERROR_MAX]);
void sqlite_checkpoint(void *backend, bool idle);
void sqlite_forget(void *backend);

#endif
