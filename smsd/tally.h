/* Budgets by key: one for an hour and one for a day each. Bounded: where there is no
 * room for another key, it is refused. */
#ifndef SMSD_TALLY_H
#define SMSD_TALLY_H

#include "smsd/limits.h"

#define TALLY_KEYS_MAX 200000
#define HOUR_MS        3600000
#define DAY_MS         (24 * (int64_t)HOUR_MS)

struct tally;

int tally_new(struct tally **tally_r);
void tally_free(struct tally **tally);

/* Take one of `key`, of at most `hour` and `day`; false: it is spent, or cannot be
 * counted. A key that was not used for a day is forgotten. */
bool tally_take(struct tally *t, const char *key, const int64_t limits[2], int64_t ticks);
void tally_return(struct tally *t, const char *key, int64_t ticks);

/* Calls fn for each key that is remembered. */
void tally_each(struct tally *t, int64_t ticks,
	void (*fn)(const char *key, int64_t hour, int64_t day, void *arg), void *arg);

#endif
