/* What backup and restore share: where they work, and how they say how far they are. */
#ifndef BROKER_PLACE_H
#define BROKER_PLACE_H

#include "otpcore/broker/broker.h"

/* A store of one's own in the folder where the broker's files are, made anew. Only one
 * process at a time has it; what one that was killed left behind is removed. */
struct place {
	int lock;
	char path[512], url[530];
};
/* `url`: of the store that it is for. As the user that otpcored is. 0; MAG_EBUSY: another
 * backup or restore is under way; MAG_ESYS; MAG_EUNSUPPORTED: no folder is known. Says what
 * is wrong. */
int place_open(const struct settings *s, const char *url, struct place *p_r);
/* Removes what is still there. */
void place_close(struct place *p);

/* All rows of `from` as they are at one moment, in a new store there, which is left open. */
int place_copy_store(
	const struct place *p, struct store *from, struct store **to_r, char err[STORE_ERROR_MAX]);

/* "[######......]  50 %  throttle      2048 of 4096 rows", where stderr is a terminal. */
void place_progress(const char *what, int64_t done, int64_t total, void *arg);
void place_progress_end(void);

/* All of `from`, from its beginning, to the end of `to`, synced. 0 or MAG_ESYS. */
int place_copy_bytes(int from, int to, const char *what);
/* Says "otpcored: WHAT: ERR" and returns r; err may be "". */
int place_fail(int r, const char *what, const char *err);
/* Is a broker answering there? */
bool place_served(const char *socket_path);
/* Gives `from` the name `to`, which must not exist, for good. 0, MAG_EEXISTS, MAG_ESYS. */
int place_publish(const char *from, const char *to);

#endif
