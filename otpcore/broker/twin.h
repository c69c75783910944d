/* H6's one exception: a server that serves one page by asking PAM twice (nginx's
 * internal redirect) must not be told "used". The identical request of the same
 * process, for the same account and service, gets the same answer once more
 * within three seconds; from memory, so that a restart forgets it. */
#ifndef BROKER_TWIN_H
#define BROKER_TWIN_H

#include "otpcore/broker/session.h"

#define TWIN_SECONDS 3

int twins_new(struct twins **t_r);
void twins_free(struct twins **t);

/* Once it is committed: the verify `r` was right and is worth `proof`. */
void twins_remember(struct request *r, const struct proof *proof);
/* Was the same asked and right just now, and nobody but this login has taken the
 * second answer? true fills proof_r and takes it. */
bool twins_take(struct request *r, struct proof *proof_r);

#endif
