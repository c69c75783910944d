/* What may be sent at all: countries, and budgets that end a flood. Everything
 * that is not known is refused. */
#ifndef SMSD_LIMITS_H
#define SMSD_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_SLOTS 24

/* ISO code of the country a number belongs to, by the longest prefix that is
 * known ("+1787..." is PR, "+1202..." is US); NULL: unknown. */
const char *country_of(const char *e164);
bool country_known(const char *iso);

/* A sliding window: `limit` attempts within `span` ms, kept in 24 slots. */
struct budget {
	int64_t limit, span;
	int64_t slot; /* number of the newest slot */
	uint32_t used[BUDGET_SLOTS];
};

void budget_init(struct budget *b, int64_t limit, int64_t span);
/* Take one; false: the budget is spent. `ticks` in ms, never falling. */
bool budget_take(struct budget *b, int64_t ticks);
/* Give back one that was taken at `ticks`: nothing was sent after all. */
void budget_return(struct budget *b, int64_t ticks);

struct limits {
	const char *allowed_countries; /* words; "*": every known country */
	struct budget hour, day;
};

/* NULL, or why nothing may be sent to this number: a sentence for people and
 * programs, without the number. */
const char *limits_refuse_country(const struct limits *l, const char *e164, char *buf, int cap);
/* Both budgets or neither. */
bool limits_take(struct limits *l, int64_t ticks);
void limits_return(struct limits *l, int64_t ticks);

#endif
