/* What the files of the SQLite backend share. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <sqlite3.h>

#include "otpcore/store/backend.h"

enum sqlite_word { WORD_READ, WORD_WRITE, WORD_COMMIT, WORD_ROLLBACK, WORD_COUNT };

struct sqlite {
	sqlite3 *db; /* NULL: could not be opened again */
	char *path;
	bool broken; /* to be opened again before the next transaction */
	int wal_pages; /* in the log since the last checkpoint that emptied it */
	sqlite3_stmt *statements[STATEMENT_COUNT], *words[WORD_COUNT];
};

/* sqlite_schema.c, checkpoint.c */
int sqlite_migrate(void *backend, const char *const *texts, int wanted,
	char err[STORE_ERROR_MAX]);
void sqlite_checkpoint(void *backend, bool idle);

#endif
