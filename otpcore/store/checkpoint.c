/* When the log is copied into the database, off the path of the logins: a thread copies
 * and syncs what it finds (copier.h); the writer, between two ticks, copies the few pages
 * that came meanwhile. Only that one reaches the log's end: the next commit then starts
 * the log anew, which so stays as small as what is written between two of them.
 *
 * A copy that could not be synced is worth nothing, though the log says that it was made:
 * both connections are given up without a last checkpoint, and who opens the store next
 * copies all of the log again. */
#include "otpcore/base/log.h"
#include "otpcore/store/copier.h"
#include "otpcore/store/fault.h"
#include "otpcore/store/sqlite.h"

#define PAGES_THREAD 128  /* new ones in the log: an order to the thread */
#define PAGES_REST   64   /* so few that the writer takes them itself, */
#define PAGES_LOG    512  /* once the log is worth starting anew */
#define PAGES_FULL   2000 /* 8 MB: now, even if somebody waits */

static void failed(struct sqlite *q, int code)
{
	mag_log(MAG_LOG_ERROR, "store: checkpoint: %s", sqlite3_errstr(code));
	q->broken = true;
}

/* What the thread has copied; 0 while it has not said, or there is none. */
static int copied(struct sqlite *q, bool wait, bool *busy_r)
{
	struct copied state = { 0 };

	if (q->copier != NULL)
		state = copier_state(q->copier, wait);
	*busy_r = state.busy;
	if (!state.busy && state.code != SQLITE_OK)
		failed(q, state.code);
	/* More than there are: of a log that has been started anew since. */
	return state.pages <= q->wal_pages ? state.pages : 0;
}

/* The rest; with no reader about, all of it. */
static void take_rest(struct sqlite *q)
{
	int code = sqlite3_wal_checkpoint_v2(q->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	/* A reader in another process may hold it up: no error, the log grows on. */
	if (code != SQLITE_OK && code != SQLITE_BUSY)
		failed(q, code);
	q->wal_pages = 0;
}

static void order(struct sqlite *q)
{
	sqlite3 *db = NULL;

	if (q->copier == NULL && !q->alone &&
		(sqlite_second(q, &db) != 0 || copier_new(db, &q->copier) != 0)) {
		mag_log(MAG_LOG_WARNING, "store: no thread for checkpoints: logins wait for them");
		q->alone = true;
	}
	if (q->copier != NULL)
		copier_order(q->copier, FAULT("store.sync"));
}

void sqlite_checkpoint(void *backend, bool idle)
{
	struct sqlite *q = backend;
	bool full, few, busy = false;
	int rest;

	if (q->db == NULL || q->broken || q->wal_pages < PAGES_THREAD)
		return;
	if (FAULT("store.checkpoint"))
		return; /* what a measurement without any needs */
	full = q->wal_pages >= PAGES_FULL;
	rest = q->wal_pages - copied(q, full, &busy);
	if (busy || q->broken)
		return;
	few = q->copier != NULL ? rest < PAGES_REST : idle;
	if (full || (few && q->wal_pages >= PAGES_LOG))
		take_rest(q);
	else if (rest >= PAGES_THREAD)
		order(q);
}

/* What was overwritten still stands in the log, until that is emptied. */
void sqlite_forget(void *backend)
{
	struct sqlite *q = backend;
	bool busy = false;
	int code = SQLITE_OK;

	if (q->db == NULL || q->broken)
		return;
	(void)copied(q, true, &busy);
	if (q->broken)
		return;
	code = sqlite3_wal_checkpoint_v2(q->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (code == SQLITE_BUSY)
		mag_log(MAG_LOG_WARNING, "store: a reader keeps its log from being emptied: what "
					 "was removed stands in it for a while");
	else if (code != SQLITE_OK)
		failed(q, code);
	else
		q->wal_pages = 0;
}
