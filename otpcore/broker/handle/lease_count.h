/* What wrong codes cost where nobody can be asked (security.md 41): tries that are given with
 * a lease, and charged when they are told. */
#ifndef BROKER_HANDLE_LEASE_COUNT_H
#define BROKER_HANDLE_LEASE_COUNT_H

#include "otpcore/broker/broker.h"

/* Reads of both messages: the relay's own counters. */
int lease_want(struct request *r, const char *account);
/* Wrong codes, of one token, of `n` that are leased together: >= 0. */
struct lease_tries {
	int64_t run, rest; /* in a row; in all */
};
struct lease_tries lease_tries(
	struct request *r, struct aggregate *a, const struct token *t, size_t n);
/* A HOTP token stood at `from` before this, under a lease. */
void lease_moved(struct request *r, const struct token *t, int64_t from);
/* Was it moved so far that none is given today? */
bool lease_worn(struct request *r, struct aggregate *a, const struct token *t);
/* So many in all were wrong under its lease, says its holder: what is new is charged, as much
 * as one host can cost this account. The last `run` of them followed each other, to now:
 * these lock the token (H4). 0 or < 0. */
struct lease_wrong {
	int64_t failed, run;
};
int lease_charge(
	struct request *r, struct aggregate *a, struct token *t, const struct lease_wrong *w);

#endif
