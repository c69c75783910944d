/* Budgets and the allow list of countries. */
#include <stdio.h>
#include <string.h>

#include "smsd/limits.h"
#include "smsd/message.h"

void budget_init(struct budget *b, int64_t limit, int64_t span)
{
	memset(b, 0, sizeof *b);
	b->limit = limit;
	b->span = span;
}

/* Forget the slots that have left the window since the last call. */
static void roll(struct budget *b, int64_t ticks)
{
	int64_t slot = ticks / (b->span / BUDGET_SLOTS);

	if (slot - b->slot >= BUDGET_SLOTS) {
		memset(b->used, 0, sizeof b->used);
		b->slot = slot;
	}
	while (b->slot < slot)
		b->used[++b->slot % BUDGET_SLOTS] = 0;
}

bool budget_take(struct budget *b, int64_t ticks)
{
	int64_t used = 0;

	roll(b, ticks);
	for (int i = 0; i < BUDGET_SLOTS; i++)
		used += b->used[i];
	if (used >= b->limit)
		return false;
	b->used[b->slot % BUDGET_SLOTS]++;
	return true;
}

void budget_return(struct budget *b, int64_t ticks)
{
	int64_t slot = ticks / (b->span / BUDGET_SLOTS);

	/* A slot that has been forgotten gives nothing back. */
	if (slot <= b->slot && b->slot - slot < BUDGET_SLOTS && b->used[slot % BUDGET_SLOTS])
		b->used[slot % BUDGET_SLOTS]--;
}

const char *limits_refuse_country(const struct limits *l, const char *e164, char *buf, int cap)
{
	const char *country = country_of(e164);

	if (!country)
		return "the number belongs to no known country";
	if (strcmp(l->allowed_countries, "*") == 0 || sms_has_word(l->allowed_countries, country))
		return NULL;
	snprintf(buf, (size_t)cap, "country %s is not in allowed_countries", country);
	return buf;
}

bool limits_take(struct limits *l, int64_t ticks)
{
	if (!budget_take(&l->hour, ticks))
		return false;
	if (budget_take(&l->day, ticks))
		return true;
	budget_return(&l->hour, ticks);
	return false;
}

void limits_return(struct limits *l, int64_t ticks)
{
	budget_return(&l->hour, ticks);
	budget_return(&l->day, ticks);
}
