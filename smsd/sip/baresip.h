/* baresip, run for one call: with a configuration that nobody else reads, and its sound
 * in files that exist in memory only. */
#ifndef SMSD_SIP_BARESIP_H
#define SMSD_SIP_BARESIP_H

#include <netinet/in.h>
#include <sys/types.h>

#include "otpcore/base/secret.h"
#include "smsd/sip/order.h"

/* What it plays when the call is taken, and what it is told to play later. */
#define BARESIP_FIRST "aufile,/proc/self/fd/3"
#define BARESIP_CODE  "aufile,/proc/self/fd/4"

struct baresip {
	pid_t pid;
	char directory[32];         /* its configuration; "": taken away */
	int first, code, account;   /* memory files; code is empty at first */
	struct sockaddr_in control; /* where it listens for commands */
};

/* Which baresip. Both decide what code runs, so they come from the command that smsd's
 * helper knows, never from an order. */
struct baresip_place {
	const char *program, *modules;
};

/* Start it. 0 or a negative error; baresip_end is due in any case. */
int baresip_start(const struct baresip_place *place, const struct sip_order *o,
	const struct mag_secret *first, struct baresip *b);

/* It has read its configuration: nothing of it stays, even if we are killed. */
void baresip_forget(struct baresip *b);

/* The code, for BARESIP_CODE. 0 or MAG_ESYS. */
int baresip_write_code(struct baresip *b, const struct mag_secret *wav);

/* Ask it to end, then kill it. */
void baresip_end(struct baresip *b);

#endif
