/* When the log is copied into the database. PASSIVE waits for nobody; run
 * between ticks by the only writer, with no reader about, it copies everything,
 * and the next commit starts the log anew: so the log stays as small as the
 * pages written between two checkpoints. */
#include "otpcore/base/log.h"
#include "otpcore/store/fault.h"
#include "otpcore/store/sqlite.h"

#define PAGES_IDLE 512  /* nobody waits */
#define PAGES_FULL 2000 /* 8 MB: now, even if somebody waits */

void sqlite_checkpoint(void *backend, bool idle)
{
	struct sqlite *q = backend;
	int code = SQLITE_OK;

	if (q->db == NULL || q->broken || q->wal_pages < (idle ? PAGES_IDLE : PAGES_FULL))
		return;
	if (FAULT("store.checkpoint"))
		return; /* what a measurement without any needs */
	/* A reader in another process may hold it up: no error, the log grows on. */
	code = sqlite3_wal_checkpoint_v2(q->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if (code != SQLITE_OK && code != SQLITE_BUSY) {
		mag_log(MAG_LOG_ERROR, "store: checkpoint: %s", sqlite3_errmsg(q->db));
		q->broken = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CORRUPT;
	}
	q->wal_pages = 0;
}
