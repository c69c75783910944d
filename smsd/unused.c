/* A tree by block, a list by last use: a block without an unused code is not held. */
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/tally.h"
#include "smsd/unused.h"

struct block {
	char name[UNUSED_BLOCK_MAX]; /* first: searched by */
	uint32_t unused;
	int64_t noted_at, stopped_until; /* ticks; 0: it is not */
	TAILQ_ENTRY(block) next;
};

struct unused {
	void *by_name; /* tsearch */
	size_t n;
	uint32_t refused;
	TAILQ_HEAD(blocks, block) by_use; /* the longest untouched first */
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct block *)a)->name, ((const struct block *)b)->name);
}

static void drop(struct unused *u, struct block *b)
{
	tdelete(b, &u->by_name, compare);
	TAILQ_REMOVE(&u->by_use, b, next);
	u->n--;
	free(b);
}

/* A stop ends with its day, and so does what was counted. */
static void forget(struct unused *u, int64_t ticks)
{
	struct block *b;

	while ((b = TAILQ_FIRST(&u->by_use)) && ticks - b->noted_at >= DAY_MS)
		drop(u, b);
}

static struct block *find(struct unused *u, const char *name)
{
	struct block key, **found;

	if (mag_copy(key.name, sizeof key.name, name) < 0)
		return NULL;
	found = tfind(&key, &u->by_name, compare);
	return found ? *found : NULL;
}

static struct block *add(struct unused *u, const char *name)
{
	struct block *b = u->n < UNUSED_KEYS_MAX ? calloc(1, sizeof *b) : NULL;

	if (!b)
		return NULL;
	if (mag_copy(b->name, sizeof b->name, name) < 0 || !tsearch(b, &u->by_name, compare)) {
		free(b);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&u->by_use, b, next);
	u->n++;
	return b;
}

void unused_note(struct unused *u, const char *block, bool used, int64_t limit, int64_t ticks)
{
	struct block *b;

	forget(u, ticks);
	b = find(u, block);
	if (used || limit == 0) {
		if (b)
			drop(u, b);
		return;
	}
	if (!b && !(b = add(u, block)))
		return; /* unused_refuse sees that there is no room */
	if (b->stopped_until && b->stopped_until <= ticks) {
		b->unused = 0;
		b->stopped_until = 0;
	}
	b->unused++;
	b->noted_at = ticks;
	TAILQ_REMOVE(&u->by_use, b, next);
	TAILQ_INSERT_TAIL(&u->by_use, b, next);
	if (b->unused < limit || b->stopped_until)
		return;
	b->stopped_until = ticks + DAY_MS;
	mag_log(MAG_LOG_ERROR,
		"%s...: the last %u codes were not used; nothing more is sent there for a day "
		"(magotpctl gateway reset %s)",
		b->name, (unsigned)b->unused, b->name);
}

const char *unused_refuse(struct unused *u, const char *block, int64_t limit, int64_t ticks)
{
	const struct block *b;
	const char *why = NULL;

	if (limit == 0)
		return NULL;
	forget(u, ticks);
	b = find(u, block);
	if (b && b->stopped_until > ticks)
		why = "no code sent to this block of numbers was used lately";
	else if (!b && u->n >= UNUSED_KEYS_MAX)
		why = "too many blocks of numbers do not use their codes";
	u->refused += why != NULL;
	return why;
}

int unused_reset(struct unused *u, const char *block)
{
	struct block *b, *next;
	int n = 0;

	for (b = TAILQ_FIRST(&u->by_use); b; b = next) {
		next = TAILQ_NEXT(b, next);
		if (*block && strcmp(b->name, block) != 0)
			continue;
		n += b->stopped_until != 0;
		drop(u, b);
	}
	return n;
}

struct unused_sum unused_sum(const struct unused *u)
{
	struct unused_sum sum = { .refused = u->refused };
	const struct block *b;

	TAILQ_FOREACH(b, &u->by_use, next)
	{
		if (b->unused > sum.most)
			sum.most = b->unused;
	}
	return sum;
}

void unused_each(struct unused *u, int64_t ticks,
	void (*fn)(const char *block, uint32_t unused, int64_t left, void *arg), void *arg)
{
	const struct block *b;

	forget(u, ticks);
	TAILQ_FOREACH(b, &u->by_use, next)
	{
		if (b->stopped_until > ticks)
			fn(b->name, b->unused, b->stopped_until - ticks, arg);
	}
}

int unused_new(struct unused **unused_r)
{
	struct unused *u = calloc(1, sizeof *u);

	if (!u)
		return MAG_ENOMEM;
	TAILQ_INIT(&u->by_use);
	*unused_r = u;
	return 0;
}

void unused_free(struct unused **unused)
{
	struct unused *u = *unused;

	*unused = NULL;
	if (u)
		unused_reset(u, "");
	free(u);
}
