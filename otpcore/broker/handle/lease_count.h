/* What wrong codes cost where nobody can be asked (security.md 41): tries that are given with
 * a lease, and charged when they are told. */
#ifndef BROKER_HANDLE_LEASE_COUNT_H
#define BROKER_HANDLE_LEASE_COUNT_H

#include "otpcore/broker/broker.h"

/* Of one token, of `n` that are leased together: >= 0. */
int64_t lease_tries(
	const struct request *r, const struct aggregate *a, const struct token *t, size_t n);

#endif
