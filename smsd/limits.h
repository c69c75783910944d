/* What may be sent at all: countries, and budgets that end a flood. Everything
 * that is not known is refused. */
#ifndef SMSD_LIMITS_H
#define SMSD_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_SLOTS 24

/* ISO code of the country a number belongs to, by the longest prefix that is
 * known ("+1787..." is PR, "+1202..." is US); NULL: unknown, or no country's. */
const char *country_of(const char *e164);
bool country_known(const char *iso);

/* Is it a premium, shared-cost or toll-free number? Outside of +1, where country_of
 * says so. */
bool country_is_service(const char *e164);

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
/* How many are taken within the window that ends at `ticks`. */
int64_t budget_used(struct budget *b, int64_t ticks);

/* Whose budgets there are beside the one for all: a country's, that of a block of
 * numbers (all but the last three digits), a single number's or address's. */
enum limit_scope { LIMIT_COUNTRY, LIMIT_PREFIX, LIMIT_NUMBER, LIMIT_SCOPES };

struct tally;
struct unused;

struct limits {
	const char *allowed_countries; /* words; "*": every known country */
	struct budget hour, day;
	struct {
		int64_t hour, day; /* how many for each */
		uint32_t refused;  /* since the start */
	} each[LIMIT_SCOPES];
	uint32_t refused; /* by the budgets for all */
	struct tally *tally;
	struct unused *unused;
	int64_t used_watch; /* so many unused codes in a row stop a block; 0: none */
};

/* `each` is the caller's to set. 0 or MAG_ENOMEM. */
int limits_init(struct limits *l, int64_t hour, int64_t day);
void limits_clear(struct limits *l);

/* NULL, or why nothing may be sent to this number: a sentence for people and
 * programs, without the number. */
const char *limits_refuse_country(const struct limits *l, const char *e164, char *buf, int cap);

/* NULL: one was taken from every budget that `to` has a part in; else from none, and
 * the answer says which is spent. */
const char *limits_take(struct limits *l, const char *to, int64_t ticks);
void limits_return(struct limits *l, const char *to, int64_t ticks);

/* The same for a code to this number, by what became of those before; and what became
 * of one. */
const char *limits_refuse_unused(struct limits *l, const char *to, int64_t ticks);
void limits_note_used(struct limits *l, const char *to, bool used, int64_t ticks);

/* For the administrator: name "all", "country US", "prefix", "number"; of the latter two
 * the fullest one of each; "unused" (the most unused codes in a row) and "unused +1202555"
 * for each block that is stopped. */
struct limit_row {
	char name[24];
	int64_t hour_used, hour_limit, day_used, day_limit;
	uint32_t refused;
	int64_t stopped_ms; /* for so long still; 0: it is not */
};
/* Returns how many rows of at most `cap` were filled. */
int limits_rows(struct limits *l, int64_t ticks, struct limit_row *rows, int cap);

#endif
