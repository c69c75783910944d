/* What a relay may: its lists, which host_add and host_set take (host_may.c). */
#ifndef BROKER_HANDLE_HOST_H
#define BROKER_HANDLE_HOST_H

#include "otpcore/broker/handle/handle.h"

struct host_may {
	const char *services, *accounts, *offline; /* words; NULL: stays as it is */
	int self_service;                          /* -1: stays */
};

/* The row, and the accounts that `offline` names. */
int host_may_want(struct request *r, const char *name, const struct host_may *m);
/* NULL, or what is wrong with the lists. */
const char *host_may_wrong(const struct host_may *m);
void host_may_put(struct host *h, const struct host_may *m);
/* Names of its offline list that will never be leased: those that are no account here (as far
 * as they were wanted), and those that its accounts do not let in. */
struct host_idle {
	char *unknown, *outside;
	size_t cap;
};
void host_may_idle(struct request *r, const struct host *h, const struct host_idle *idle);

#endif
