/* Budgets, and the allow list of countries. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/message.h"
#include "smsd/tally.h"
#include "smsd/unused.h"

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

int64_t budget_used(struct budget *b, int64_t ticks)
{
	int64_t used = 0;

	roll(b, ticks);
	for (int i = 0; i < BUDGET_SLOTS; i++)
		used += b->used[i];
	return used;
}

bool budget_take(struct budget *b, int64_t ticks)
{
	if (budget_used(b, ticks) >= b->limit)
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
	if (country_is_service(e164))
		return "it is a premium, shared-cost or toll-free number";
	if (strcmp(l->allowed_countries, "*") == 0 || sms_has_word(l->allowed_countries, country))
		return NULL;
	snprintf(buf, (size_t)cap, "country %s is not in allowed_countries", country);
	return buf;
}

/* ---- budgets of each ---- */

#define KEY_MAX      264
#define BLOCK_DIGITS 3 /* a block has a thousand numbers */

/* The key of `to` in a scope, which begins with the scope; false: it has no part in it (an e-mail
 * address has neither country nor block). */
static bool key_of(enum limit_scope scope, const char *to, char key[KEY_MAX])
{
	const char *country = strchr(to, '@') ? NULL : country_of(to);
	size_t len = strlen(to);

	if (scope == LIMIT_COUNTRY)
		to = country;
	else if (scope == LIMIT_PREFIX)
		len = country && len > BLOCK_DIGITS ? len - BLOCK_DIGITS : 0;
	if (!to || !len)
		return false;
	key[0] = (char)('0' + scope);
	snprintf(key + 1, KEY_MAX - 1, "%.*s", (int)len, to);
	return true;
}

static void return_each(struct limits *l, const char *to, int n, int64_t ticks)
{
	char key[KEY_MAX];

	for (int i = 0; i < n; i++)
		if (key_of((enum limit_scope)i, to, key))
			tally_return(l->tally, key, ticks);
}

/* The first scope that has none left; LIMIT_SCOPES: all had one, and it is taken. */
static int take_each(struct limits *l, const char *to, int64_t ticks)
{
	char key[KEY_MAX];
	int i;

	for (i = 0; i < LIMIT_SCOPES; i++) {
		const int64_t most[] = { l->each[i].hour, l->each[i].day };

		if (key_of((enum limit_scope)i, to, key) && !tally_take(l->tally, key, most, ticks))
			break;
	}
	if (i < LIMIT_SCOPES) {
		l->each[i].refused++;
		return_each(l, to, i, ticks);
	}
	return i;
}

const char *limits_take(struct limits *l, const char *to, int64_t ticks)
{
	static const char *const spent[] = {
		"the budget for this country is spent",
		"the budget for this block of numbers is spent",
		"the budget for this number is spent",
	};
	int scope;

	if (budget_used(&l->hour, ticks) >= l->hour.limit ||
		budget_used(&l->day, ticks) >= l->day.limit) {
		l->refused++;
		return "the budget for messages is spent";
	}
	scope = take_each(l, to, ticks);
	if (scope < LIMIT_SCOPES)
		return spent[scope];
	budget_take(&l->hour, ticks);
	budget_take(&l->day, ticks);
	return NULL;
}

void limits_return(struct limits *l, const char *to, int64_t ticks)
{
	budget_return(&l->hour, ticks);
	budget_return(&l->day, ticks);
	return_each(l, to, LIMIT_SCOPES, ticks);
}

/* ---- codes that nobody types ---- */

const char *limits_refuse_unused(struct limits *l, const char *to, int64_t ticks)
{
	char key[KEY_MAX];

	return key_of(LIMIT_PREFIX, to, key)
		       ? unused_refuse(l->unused, key + 1, l->used_watch, ticks)
		       : NULL;
}

void limits_note_used(struct limits *l, const char *to, bool used, int64_t ticks)
{
	char key[KEY_MAX];

	if (key_of(LIMIT_PREFIX, to, key))
		unused_note(l->unused, key + 1, used, l->used_watch, ticks);
}

int limits_init(struct limits *l, int64_t hour, int64_t day)
{
	budget_init(&l->hour, hour, HOUR_MS);
	budget_init(&l->day, day, DAY_MS);
	return unused_new(&l->unused) < 0 ? MAG_ENOMEM : tally_new(&l->tally);
}

void limits_clear(struct limits *l)
{
	tally_free(&l->tally);
	unused_free(&l->unused);
}

/* ---- for the administrator ---- */

struct listing {
	struct limits *limits;
	struct limit_row *rows, *fullest[LIMIT_SCOPES];
	int n, cap;
};

static struct limit_row *add_row(struct listing *g, const char *name, enum limit_scope scope)
{
	struct limit_row *row = g->n < g->cap ? &g->rows[g->n++] : NULL;

	if (!row)
		return NULL;
	memset(row, 0, sizeof *row);
	snprintf(row->name, sizeof row->name, "%s", name);
	row->hour_limit = g->limits->each[scope].hour;
	row->day_limit = g->limits->each[scope].day;
	row->refused = g->limits->each[scope].refused;
	return row;
}

static void list_key(const char *key, int64_t hour, int64_t day, void *arg)
{
	struct listing *g = arg;
	enum limit_scope scope = (enum limit_scope)(key[0] - '0');
	struct limit_row *row = g->fullest[scope];
	char name[sizeof row->name];

	if (scope == LIMIT_COUNTRY) {
		snprintf(name, sizeof name, "country %.2s", key + 1);
		row = add_row(g, name, scope);
	}
	if (!row)
		return;
	row->hour_used = hour > row->hour_used ? hour : row->hour_used;
	row->day_used = day > row->day_used ? day : row->day_used;
}

static void list_stopped(const char *block, uint32_t unused, int64_t left, void *arg)
{
	struct listing *g = arg;
	struct limit_row *row = g->n < g->cap ? &g->rows[g->n++] : NULL;

	if (!row)
		return;
	memset(row, 0, sizeof *row);
	snprintf(row->name, sizeof row->name, "unused %s", block);
	row->day_used = unused;
	row->day_limit = g->limits->used_watch;
	row->stopped_ms = left;
}

static void list_unused(struct listing *g, int64_t ticks)
{
	const struct unused_sum sum = unused_sum(g->limits->unused);
	struct limit_row *row = &g->rows[g->n];

	if (!g->limits->used_watch || g->n == g->cap)
		return;
	g->n++;
	memset(row, 0, sizeof *row);
	snprintf(row->name, sizeof row->name, "unused");
	row->day_used = sum.most;
	row->day_limit = g->limits->used_watch;
	row->refused = sum.refused;
	unused_each(g->limits->unused, ticks, list_stopped, g);
}

int limits_rows(struct limits *l, int64_t ticks, struct limit_row *rows, int cap)
{
	struct listing g = { .limits = l, .rows = rows, .cap = cap };
	struct limit_row *all;

	if (cap < 3)
		return 0;
	all = add_row(&g, "all", LIMIT_COUNTRY);
	all->hour_used = budget_used(&l->hour, ticks);
	all->day_used = budget_used(&l->day, ticks);
	all->hour_limit = l->hour.limit;
	all->day_limit = l->day.limit;
	all->refused = l->refused;
	g.fullest[LIMIT_PREFIX] = add_row(&g, "prefix", LIMIT_PREFIX);
	g.fullest[LIMIT_NUMBER] = add_row(&g, "number", LIMIT_NUMBER);
	tally_each(l->tally, ticks, list_key, &g);
	list_unused(&g, ticks);
	return g.n;
}
