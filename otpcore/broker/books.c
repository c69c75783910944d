#include "otpcore/broker/books.h"

#include <stddef.h>

/* Counters that hang on no account's row are wanted by themselves. */
static bool apart(enum throttle_kind kind)
{
	return kind == THROTTLE_SOURCE || kind == THROTTLE_STREAK ||
	       kind == THROTTLE_ACCOUNT_SOURCE || kind == THROTTLE_SEND_SHARE ||
	       kind == THROTTLE_SEND_SHARE_DAY;
}

bool books_shared(enum throttle_kind kind)
{
	return kind == THROTTLE_RELAY || kind == THROTTLE_SEND_RELAY ||
	       kind == THROTTLE_SEND_VERIFIER;
}

static struct throttle *find(
	struct aggregate *a, enum throttle_kind kind, int64_t subject, int64_t period)
{
	for (size_t i = 0; i < a->n_throttles; i++) {
		struct throttle *t = &a->throttles[i];

		if (t->kind == (int64_t)kind && t->subject == subject && t->period == period)
			return t;
	}
	return NULL;
}

const struct throttle *books_row(
	const struct books *b, enum throttle_kind kind, int64_t subject, int64_t period)
{
	if (books_shared(kind) || (apart(kind) && !b->decoy))
		return store_throttle(b->r->tick, kind, subject, period);
	return find(b->a, kind, subject, period);
}

int64_t books_count(const struct books *b, enum throttle_kind kind, int64_t subject, int64_t period)
{
	const struct throttle *t = books_row(b, kind, subject, period);

	return t ? t->count : 0;
}

/* Made-up counters: a place in the aggregate; the last one is shared when full. */
static void charge_decoy(const struct books *b, enum throttle_kind kind, int64_t subject,
	int64_t period, int64_t amount)
{
	struct aggregate *a = b->a;
	struct throttle *t = find(a, kind, subject, period);

	if (!t) {
		if (a->n_throttles < THROTTLES_MAX)
			a->n_throttles++;
		t = &a->throttles[a->n_throttles - 1];
		*t = (struct throttle){ kind, subject, period, 0, 0 };
	}
	if (amount == STORE_RESET || t->count + amount < 0)
		t->count = 0;
	else
		t->count += amount;
	t->last_at = b->r->now;
}

int books_charge(const struct books *b, enum throttle_kind kind, int64_t subject, int64_t period,
	int64_t amount)
{
	if (!b->decoy || books_shared(kind))
		return store_charge(b->r->tick, b->r->index, kind, subject, period, amount);
	charge_decoy(b, kind, subject, period, amount);
	return store_charge(b->r->tick, b->r->index, THROTTLE_DECOY, 0, kind, 1);
}

int64_t books_charged(const struct books *b, int handle)
{
	return handle < 0 ? INT64_MAX : store_charged(b->r->tick, handle);
}

void books_limits(const struct settings *s, struct throttle_limits *l_r)
{
	*l_r = (struct throttle_limits){ .total_30d = s->total_30d,
		.delay_after = s->delay_after,
		.delay_first = s->delay_first,
		.delay_max = s->delay_max,
		.per_source = s->per_source,
		.per_relay = s->per_relay,
		.tries = s->tries };
}
