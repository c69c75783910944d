/* What the broker counts, for magotpctl metrics: plain numbers since the start of the
 * process. Nothing in them names a person, a phone or a service. */
#ifndef BROKER_STATS_H
#define BROKER_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpcore/wire/wire.h"

#define STATS_BOUNDS   12 /* upper bounds of a histogram, the last of them infinite */
#define STATS_CHANNELS 3
#define STATS_STEPS    11

struct stats_histogram {
	uint64_t in[STATS_BOUNDS]; /* in this bucket alone */
	uint64_t sum, count;
};

struct stats {
	uint64_t decisions[2][8];          /* begin, account; by enum login_decision */
	uint64_t steps[STATS_STEPS][64];   /* by enum verdict */
	uint64_t errors[32];               /* by -enum mag_err */
	uint64_t sent[STATS_CHANNELS][8];  /* by enum login_delivery */
	uint64_t fates[8];                 /* by enum sms_delivery */
	struct stats_histogram tick_us;    /* from submit to the store's word */
	struct stats_histogram tick_holds; /* requests of a tick */
	uint64_t requests, races, refused; /* refused: ticks */
	uint64_t journal_failures;
};

/* What is looked at when somebody asks. */
struct stats_now {
	const char *version, *store;
	int schema;
	int64_t started_at;
	size_t connections, busy, orders;
};

/* A request was answered. `reply` is only looked at where result->error is 0. */
void stats_answer(
	struct stats *s, uint16_t message, const struct wire_result *result, const void *reply);
/* What became of a message: channel as on the wire, enum login_delivery. */
void stats_sent(struct stats *s, const char *channel, unsigned delivery);
/* What smsd heard of an accepted code afterwards: enum sms_delivery. */
void stats_fate(struct stats *s, unsigned state);
void stats_tick(struct stats *s, size_t requests, int64_t us, bool refused);
void stats_race(struct stats *s);

/* The page of numbers behind the first `after`. Kinds of decisions, verdicts and errors
 * that have not come up yet are left out. `rep` is zeroed before. */
void stats_page(const struct stats *s, const struct stats_now *now, uint32_t after,
	struct wire_stats_rep *rep);

#endif
