/* Counters as a login sees them: in the store, or, for a made-up account, in
 * its aggregate with a charge to the decoys' rows, so that the tick commits as
 * much for it as for a real one (rule L10). */
#ifndef BROKER_BOOKS_H
#define BROKER_BOOKS_H

#include "otpcore/broker/broker.h"
#include "otpcore/engine/throttle.h"

struct books {
	struct request *r;
	struct aggregate *a;
	bool decoy;
};

/* Counters of a peer over all accounts: the made-up ones count in the same row, or the
 * others would be told from them. */
bool books_shared(enum throttle_kind kind);
/* The counter as it stands now, this tick's charges included; NULL: 0. */
const struct throttle *books_row(
	const struct books *b, enum throttle_kind kind, int64_t subject, int64_t period);
int64_t books_count(
	const struct books *b, enum throttle_kind kind, int64_t subject, int64_t period);
/* As store_charge. A handle, or a negative error. */
int books_charge(const struct books *b, enum throttle_kind kind, int64_t subject, int64_t period,
	int64_t amount);
/* What a handle's charge came to; INT64_MAX (over every limit) if it failed. */
int64_t books_charged(const struct books *b, int handle);

void books_limits(const struct settings *s, struct throttle_limits *l_r);

#endif
