/* How often may somebody be wrong, and how often may something be sent
 * (L15, P5, security.md 5-9). The caller loads the counters; this says what to
 * charge and whether it still fits. */
#ifndef ENGINE_THROTTLE_H
#define ENGINE_THROTTLE_H

#include "otpcore/engine/model.h"

struct throttle_limits { /* from settings [throttle], [phone] */
	int64_t total_30d, delay_after, delay_first, delay_max, per_source, per_relay, tries;
};

int64_t throttle_day(int64_t now); /* period numbers */
int64_t throttle_hour(int64_t now);

/* Sum of a kind and subject over the last 30 days, today included. */
int64_t throttle_total(
	const struct aggregate *a, enum throttle_kind kind, int64_t subject, int64_t now);

/* Seconds until the next try after `streak` failures in a row, the last at
 * `last_at`: none up to delay_after, then delay_first, doubling to delay_max. 0: now. */
int64_t throttle_wait(
	const struct throttle_limits *l, int64_t streak, int64_t last_at, int64_t now);

/* May a code be judged? Counts before this try. VERDICT_OK, VERDICT_TRY_LATER
 * with *wait_r seconds (else 0), or VERDICT_ACCOUNT_THROTTLED. A source (address, verifier or
 * relay) is stopped for this account at half the account's total, so that it cannot use
 * up what the owner has left (security.md 7). */
struct throttle_counts {
	int64_t account_30d, credential_30d, account_source_30d, streak, streak_last_at,
		source_hour, relay_hour;
};
enum verdict throttle_judge(const struct throttle_limits *l, const struct throttle_counts *c,
	int64_t now, int64_t *wait_r);

/* May a message be sent? Counts of the current hour or day before this one.
 * VERDICT_OK, or VERDICT_SEND_LIMITED with *wait_r seconds, until none is used up. */
struct throttle_budget {
	int64_t count, cap;
	bool daily;
};
enum verdict throttle_send(
	const struct throttle_budget *list, size_t n, int64_t now, int64_t *wait_r);

#endif
