/* The thread that copies the log of an SQLite store into the database, on a connection of
 * its own, while the writer goes on. Between the threads there is this and nothing else:
 * one order at a time, and what came of it. */
#ifndef STORE_COPIER_H
#define STORE_COPIER_H

#include <sqlite3.h>
#include <stdbool.h>

struct copier;

/* The state of the last order. */
struct copied {
	bool busy; /* still under way; the rest is that of the order before */
	int pages; /* of the log, that the database has by now */
	int code;  /* SQLITE_OK, or what failed: the copy, or its sync */
};

/* `db` is the copier's from now on, also on failure. 0, MAG_ENOMEM, MAG_ESYS. To be made
 * once the process has given up its rights: a thread has those of who made it. */
int copier_new(sqlite3 *db, struct copier **c_r);
/* Waits for the order that is under way; the thread and its connection are gone then. */
void copier_free(struct copier **c);
/* Copy what the log has by now, and sync. `fail`: say that the sync has failed (tests).
 * Not while it is busy. */
void copier_order(struct copier *c, bool fail);
/* `wait`: until it is not busy. */
struct copied copier_state(struct copier *c, bool wait);

#endif
