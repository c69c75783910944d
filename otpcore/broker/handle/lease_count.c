#include "otpcore/broker/handle/lease_count.h"

#include "otpcore/engine/throttle.h"

static int64_t counted(const struct aggregate *a, enum throttle_kind kind, int64_t subject)
{
	for (size_t i = 0; i < a->n_throttles; i++)
		if (a->throttles[i].kind == (int64_t)kind && a->throttles[i].subject == subject &&
			a->throttles[i].period == 0)
			return a->throttles[i].count;
	return 0;
}

/* Each token of the account gets its part of what the account has left: its holder counts
 * them apart. More may have been told than there were. */
int64_t lease_tries(
	const struct request *r, const struct aggregate *a, const struct token *t, size_t n)
{
	const struct settings *s = r->broker->settings;
	int64_t run = s->lock_after - counted(a, THROTTLE_TOKEN, t->row.id);
	int64_t rest =
		s->total_30d - throttle_total(a, THROTTLE_ACCOUNT, a->account.row.id, r->now);

	if (n > 1)
		rest /= (int64_t)n;
	if (rest < run)
		run = rest;
	return run > 0 ? run : 0;
}
