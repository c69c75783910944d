/* Guessing and flooding, as arithmetic over counters (L15, P5). */
#include "otpcore/engine/throttle.h"

#define DAY         86400
#define HOUR        3600
#define WINDOW_DAYS 30

static int64_t floor_div(int64_t n, int64_t by)
{
	return n / by - (n % by < 0);
}

int64_t throttle_day(int64_t now)
{
	return floor_div(now, DAY);
}

int64_t throttle_hour(int64_t now)
{
	return floor_div(now, HOUR);
}

static int64_t until_next_hour(int64_t now)
{
	return (throttle_hour(now) + 1) * HOUR - now;
}

int64_t throttle_total(
	const struct aggregate *a, enum throttle_kind kind, int64_t subject, int64_t now)
{
	int64_t today = throttle_day(now), sum = 0;
	size_t i;

	for (i = 0; i < a->n_throttles && i < THROTTLES_MAX; i++) {
		const struct throttle *t = &a->throttles[i];

		if (t->kind != (int64_t)kind || t->subject != subject || t->count <= 0)
			continue;
		/* Tomorrow counts too: another host's clock may be past midnight. Days
		 * beyond that come from a clock that was wrong and would lock the
		 * owner out for as long as it was wrong. */
		if (t->period <= today - WINDOW_DAYS || t->period > today + 1)
			continue;
		if (t->count > INT64_MAX - sum)
			return INT64_MAX;
		sum += t->count;
	}
	return sum;
}

int64_t throttle_wait(const struct throttle_limits *l, int64_t streak, int64_t last_at, int64_t now)
{
	int64_t delay = l->delay_first, n;

	if (streak <= l->delay_after || delay <= 0)
		return 0;
	for (n = streak - l->delay_after; n > 1 && delay < l->delay_max; n--)
		delay = delay > l->delay_max / 2 ? l->delay_max : delay * 2;
	if (delay > l->delay_max)
		delay = l->delay_max;
	/* A last failure in the future (the clock was set back) costs one delay
	 * from now, not the whole way back. */
	if (last_at > now)
		return delay;
	return now - last_at >= delay ? 0 : delay - (now - last_at);
}

enum verdict throttle_judge(const struct throttle_limits *l, const struct throttle_counts *c,
	int64_t now, int64_t *wait_r)
{
	int64_t share = l->total_30d > 1 ? l->total_30d / 2 : l->total_30d;
	int64_t wait;

	*wait_r = 0;
	if (c->account_30d >= l->total_30d || c->credential_30d >= l->total_30d)
		return VERDICT_ACCOUNT_THROTTLED;
	if (c->account_source_30d >= share)
		return VERDICT_ACCOUNT_THROTTLED;
	wait = throttle_wait(l, c->streak, c->streak_last_at, now);
	if ((c->source_hour >= l->per_source || c->relay_hour >= l->per_relay) &&
		until_next_hour(now) > wait)
		wait = until_next_hour(now);
	if (wait > 0) {
		*wait_r = wait;
		return VERDICT_TRY_LATER;
	}
	return VERDICT_OK;
}

enum verdict throttle_send(
	const struct throttle_budget *list, size_t n, int64_t now, int64_t *wait_r)
{
	int64_t until_tomorrow = (throttle_day(now) + 1) * DAY - now;

	*wait_r = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t wait = list[i].daily ? until_tomorrow : until_next_hour(now);

		if (list[i].count >= list[i].cap && wait > *wait_r)
			*wait_r = wait;
	}
	return *wait_r > 0 ? VERDICT_SEND_LIMITED : VERDICT_OK;
}
