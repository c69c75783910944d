/* `magotp elevate -- COMMAND` where no session row can exist (security.md 13): what was
 * proven is good for that one process. magotp becomes the command, so that it keeps its
 * pid and start time; what the command starts is another process, and has nothing. Kept
 * in memory: a restart forgets it. */
#ifndef BROKER_ELEVATION_H
#define BROKER_ELEVATION_H

#include "otpcore/broker/session.h"

int elevations_new(struct elevations **e_r);
void elevations_free(struct elevations **e);

/* Once it is committed: the peer has proven this for its own account, and no session
 * was raised. */
void elevations_remember(struct request *r, const struct proof *proof);
/* What the peer itself, by its process, has proven for this account; NULL: nothing.
 * As a session of that strength, with all that it rests on. */
struct session *elevation_of(struct request *r, const struct aggregate *a);

#endif
