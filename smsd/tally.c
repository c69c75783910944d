/* A tree by key; a list by last use, so that forgetting is short. */
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "otpcore/base/err.h"
#include "smsd/tally.h"

struct counter {
	const char *key; /* first: searched by; points to `name` */
	struct budget hour, day;
	int64_t used_at;
	TAILQ_ENTRY(counter) next;
	char name[];
};

struct tally {
	void *by_key; /* tsearch */
	size_t n;
	TAILQ_HEAD(counters, counter) by_use; /* the longest unused first */
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void drop(struct tally *t, struct counter *e)
{
	tdelete(e, &t->by_key, compare);
	TAILQ_REMOVE(&t->by_use, e, next);
	t->n--;
	free(e);
}

/* A slot more than a day: then its windows are empty. */
static void forget(struct tally *t, int64_t ticks)
{
	struct counter *e;

	while ((e = TAILQ_FIRST(&t->by_use)) && ticks - e->used_at > DAY_MS + HOUR_MS)
		drop(t, e);
}

static struct counter *find(struct tally *t, const char *key)
{
	struct counter **found = tfind(&key, &t->by_key, compare);

	return found ? *found : NULL;
}

static struct counter *add(struct tally *t, const char *key)
{
	size_t len = strlen(key);
	struct counter *e = t->n < TALLY_KEYS_MAX ? calloc(1, sizeof *e + len + 1) : NULL;

	if (!e)
		return NULL;
	memcpy(e->name, key, len);
	e->key = e->name;
	budget_init(&e->hour, 0, HOUR_MS);
	budget_init(&e->day, 0, DAY_MS);
	if (!tsearch(e, &t->by_key, compare)) {
		free(e);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&t->by_use, e, next);
	t->n++;
	return e;
}

bool tally_take(struct tally *t, const char *key, const int64_t limits[2], int64_t ticks)
{
	struct counter *e;

	forget(t, ticks);
	e = find(t, key);
	if (!e && !(e = add(t, key)))
		return false;
	e->hour.limit = limits[0];
	e->day.limit = limits[1];
	e->used_at = ticks;
	TAILQ_REMOVE(&t->by_use, e, next);
	TAILQ_INSERT_TAIL(&t->by_use, e, next);
	if (!budget_take(&e->hour, ticks))
		return false;
	if (budget_take(&e->day, ticks))
		return true;
	budget_return(&e->hour, ticks);
	return false;
}

void tally_return(struct tally *t, const char *key, int64_t ticks)
{
	struct counter *e = find(t, key);

	if (!e)
		return;
	budget_return(&e->hour, ticks);
	budget_return(&e->day, ticks);
}

void tally_each(struct tally *t, int64_t ticks,
	void (*fn)(const char *key, int64_t hour, int64_t day, void *arg), void *arg)
{
	struct counter *e;

	forget(t, ticks);
	TAILQ_FOREACH(e, &t->by_use, next)
	fn(e->key, budget_used(&e->hour, ticks), budget_used(&e->day, ticks), arg);
}

int tally_new(struct tally **tally_r)
{
	struct tally *t = calloc(1, sizeof *t);

	if (!t)
		return MAG_ENOMEM;
	TAILQ_INIT(&t->by_use);
	*tally_r = t;
	return 0;
}

void tally_free(struct tally **tally)
{
	struct tally *t = *tally;
	struct counter *e;

	*tally = NULL;
	if (!t)
		return;
	while ((e = TAILQ_FIRST(&t->by_use)))
		drop(t, e);
	free(t);
}
