/* The life of a token (H3, H4, H7-H9, M1, I1): every cell of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/lifecycle.h"

#define NOW  1800000000
#define THEN 1700000000

/* All that is allowed, written down once more by hand: state, event, actor -> state.
 *   needs  0 nothing, C code, 2 pair, P paid
 *   which  a: apps only; o: only what the user suspended; s: not what the broker did, but
 *          with a pair */
static const struct allowed {
	const char *state, *event, *actor, *to, *needs, *which;
} listing[] = {
	{ "stock", "assign", "admin", "pending-activation", "", "" },
	{ "stock", "activate", "user", "active", "2", "" },
	{ "stock", "activate", "admin", "active", "2", "" },
	{ "stock", "hold", "broker", "pending-approval", "2", "" },
	{ "pending-approval", "approve", "broker", "active", "", "" },
	{ "pending-approval", "revoke", "admin", "revoked", "", "" },
	{ "pending-approval", "revoke", "broker", "revoked", "", "" },
	{ "pending-activation", "hold", "broker", "pending-approval", "2", "" },
	{ "pending-activation", "hold", "broker", "pending-approval", "C", "a" },
	{ "pending-activation", "activate", "user", "active", "2", "" },
	{ "pending-activation", "activate", "admin", "active", "2", "" },
	{ "pending-activation", "activate", "user", "active", "C", "a" },
	{ "pending-activation", "activate", "admin", "active", "C", "a" },
	{ "pending-activation", "revoke", "user", "revoked", "", "" },
	{ "pending-activation", "revoke", "admin", "revoked", "", "" },
	{ "active", "lock", "broker", "locked", "", "" },
	{ "active", "suspend", "user", "suspended", "", "" },
	{ "active", "suspend", "admin", "suspended", "", "" },
	{ "active", "suspend", "broker", "suspended", "", "" },
	{ "active", "resync", "user", "active", "2", "" },
	{ "active", "resync", "admin", "active", "2", "" },
	{ "active", "expire", "calendar", "expired", "", "" },
	{ "active", "revoke", "user", "revoked", "", "" },
	{ "active", "revoke", "admin", "revoked", "", "" },
	{ "locked", "resync", "user", "active", "2P", "" },
	{ "locked", "resync", "admin", "active", "2P", "" },
	{ "locked", "unlock", "admin", "active", "", "" },
	{ "locked", "suspend", "admin", "suspended", "", "" },
	{ "locked", "suspend", "broker", "suspended", "", "" },
	{ "locked", "revoke", "user", "revoked", "", "" },
	{ "locked", "revoke", "admin", "revoked", "", "" },
	{ "locked", "time-out", "calendar", "revoked", "", "" },
	{ "suspended", "resume", "user", "active", "2", "o" },
	{ "suspended", "resume", "admin", "active", "", "s" },
	{ "suspended", "suspend", "admin", "suspended", "", "s" },
	{ "suspended", "suspend", "broker", "suspended", "", "" },
	{ "suspended", "revoke", "user", "revoked", "", "" },
	{ "suspended", "revoke", "admin", "revoked", "", "" },
	{ "suspended", "time-out", "calendar", "revoked", "", "" },
	{ "expired", "renew", "user", "active", "P", "" },
	{ "expired", "renew", "admin", "active", "P", "" },
	{ "expired", "suspend", "broker", "suspended", "", "" },
	{ "expired", "revoke", "user", "revoked", "", "" },
	{ "expired", "revoke", "admin", "revoked", "", "" },
	{ "expired", "time-out", "calendar", "revoked", "", "" },
};

#define N_LISTING (sizeof(listing) / sizeof(listing[0]))

static const char *const actors[] = { "", "user", "admin", "calendar", "broker", "" };

struct cell {
	int64_t state, kind, by;
	enum life_event event;
	enum actor who;
	unsigned has;
};

static bool fits(const struct allowed *l, const struct cell *c)
{
	if (!mag_streq(l->state, lifecycle_state_id(c->state)) ||
		!mag_streq(l->event, lifecycle_event_id(c->event)) ||
		!mag_streq(l->actor, actors[c->who]))
		return false;
	if ((strchr(l->needs, 'C') && !(c->has & LIFE_HAS_CODE)) ||
		(strchr(l->needs, '2') && !(c->has & LIFE_HAS_PAIR)) ||
		(strchr(l->needs, 'P') && !(c->has & LIFE_HAS_PAID)))
		return false;
	if (strchr(l->which, 's') && c->by == ACTOR_BROKER && !(c->has & LIFE_HAS_PAIR))
		return false;
	return !(strchr(l->which, 'a') && c->kind != TOKEN_MOBILE) &&
	       !(strchr(l->which, 'o') && c->by != ACTOR_USER);
}

static const struct allowed *expected(const struct cell *c)
{
	size_t i;

	for (i = 0; i < N_LISTING; i++)
		if (fits(&listing[i], c))
			return &listing[i];
	return NULL;
}

/* Which rows of the listing were met; each must be. */
static unsigned met[N_LISTING];

static void visit(const struct cell *c)
{
	const struct allowed *l = expected(c);
	struct token t = { .kind = c->kind,
		.state = c->state,
		.state_since = THEN,
		.suspended_by = c->by,
		.moving = 77 };
	const struct token before = t;
	enum verdict v = lifecycle_allows(&t, c->event, c->who, c->has);

	assert_memory_equal(&t, &before, sizeof(t));
	if ((v == VERDICT_OK) != (l != NULL))
		fail_msg("%s %s by %s (has %u, kind %d, suspended by %d): %s",
			lifecycle_state_id(c->state), lifecycle_event_id(c->event), actors[c->who],
			c->has, (int)c->kind, (int)c->by, verdict_id(v));
	assert_int_equal(lifecycle_move(&t, c->event, c->who, c->has, NOW), v);
	if (!l) {
		assert_int_not_equal(v, VERDICT_NONE);
		assert_memory_equal(&t, &before, sizeof(t));
		return;
	}
	met[l - listing]++;
	assert_string_equal(lifecycle_state_id(t.state), l->to);
	assert_int_equal(t.state_since, t.state == c->state ? THEN : NOW);
	assert_int_equal(t.suspended_by, t.state == TOKEN_SUSPENDED ? (int64_t)c->who : 0);
	assert_int_equal(t.moving, 77);
}

/* Also what lies outside the enums: a row that was never written right. */
static void test_H3_every_cell(void **state)
{
	static const int64_t suspended_by[] = { 0, ACTOR_USER, ACTOR_ADMIN, ACTOR_CALENDAR,
		ACTOR_BROKER };
	size_t visited = 0, i;
	struct cell c;
	int e, who;

	(void)state;
	for (c.state = -1; c.state <= TOKEN_STATE_N; c.state++)
		for (e = 0; e <= LIFE_EVENT_N; e++)
			for (who = 0; who <= ACTOR_BROKER + 1; who++)
				for (i = 0; i < 5 * 8 * 2; i++) {
					c.event = (enum life_event)e;
					c.who = (enum actor)who;
					c.by = suspended_by[i % 5];
					c.has = (unsigned)(i / 5 % 8);
					c.kind = i / 40 ? TOKEN_MOBILE : TOKEN_HARDWARE;
					visit(&c);
					visited++;
				}
	assert_int_equal(visited, (size_t)(TOKEN_STATE_N + 2) * (LIFE_EVENT_N + 1) * 6 * 80);
	for (i = 0; i < N_LISTING; i++)
		if (met[i] == 0)
			fail_msg("never met: %s %s %s", listing[i].state, listing[i].event,
				listing[i].actor);
}

/* H8: from these; one that waits for proofing only by an administrator, so that a
 * lost one does not block its place; and never back. */
static void test_H8_revocation_is_permanent(void **state)
{
	static const bool revocable[TOKEN_STATE_N] = { [TOKEN_PENDING_ACTIVATION] = true,
		[TOKEN_LOCKED] = true,
		[TOKEN_ACTIVE] = true,
		[TOKEN_EXPIRED] = true,
		[TOKEN_SUSPENDED] = true };
	int64_t s;
	int e, who;

	(void)state;
	for (s = 0; s < TOKEN_STATE_N; s++) {
		struct token t = {
			.kind = TOKEN_HARDWARE, .state = s, .suspended_by = ACTOR_ADMIN
		};

		assert_int_equal(lifecycle_allows(&t, LIFE_REVOKE, ACTOR_USER, 0) == VERDICT_OK,
			revocable[s]);
		assert_int_equal(lifecycle_allows(&t, LIFE_REVOKE, ACTOR_ADMIN, 0) == VERDICT_OK,
			revocable[s] || s == TOKEN_PENDING_APPROVAL);
	}
	for (e = 1; e < LIFE_EVENT_N; e++)
		for (who = ACTOR_USER; who <= ACTOR_BROKER; who++) {
			const struct token t = { .kind = TOKEN_MOBILE, .state = TOKEN_REVOKED };

			assert_int_equal(
				lifecycle_allows(&t, (enum life_event)e, (enum actor)who, 7),
				VERDICT_TOKEN_REVOKED);
		}
}

static void assert_refused(
	struct token t, enum life_event e, enum actor who, unsigned has, enum verdict why)
{
	assert_int_equal(lifecycle_allows(&t, e, who, has), why);
}

static void test_H14_refusals_say_why(void **state)
{
	const struct token active = { .kind = TOKEN_HARDWARE, .state = TOKEN_ACTIVE },
			   locked = { .kind = TOKEN_HARDWARE, .state = TOKEN_LOCKED },
			   expired = { .kind = TOKEN_HARDWARE, .state = TOKEN_EXPIRED },
			   held = { .kind = TOKEN_HARDWARE, .state = TOKEN_PENDING_APPROVAL },
			   pending = { .kind = TOKEN_HARDWARE, .state = TOKEN_PENDING_ACTIVATION },
			   app = { .kind = TOKEN_MOBILE, .state = TOKEN_PENDING_ACTIVATION },
			   own = { .kind = TOKEN_HARDWARE,
				   .state = TOKEN_SUSPENDED,
				   .suspended_by = ACTOR_USER },
			   theirs = { .kind = TOKEN_HARDWARE,
				   .state = TOKEN_SUSPENDED,
				   .suspended_by = ACTOR_ADMIN },
			   doubtful = { .kind = TOKEN_HARDWARE,
				   .state = TOKEN_SUSPENDED,
				   .suspended_by = ACTOR_BROKER };

	(void)state;
	assert_refused(theirs, LIFE_RESUME, ACTOR_USER, 7, VERDICT_TOKEN_SUSPENDED_BY_ADMIN);
	assert_refused(theirs, LIFE_RESYNC, ACTOR_USER, 7, VERDICT_TOKEN_SUSPENDED_BY_ADMIN);
	assert_refused(doubtful, LIFE_RESUME, ACTOR_USER, 7, VERDICT_TOKEN_SUSPENDED_BY_ADMIN);
	assert_refused(doubtful, LIFE_RESUME, ACTOR_ADMIN, 0, VERDICT_CODES_WRONG);
	assert_refused(doubtful, LIFE_SUSPEND, ACTOR_ADMIN, 0, VERDICT_CODES_WRONG);
	assert_refused(own, LIFE_RESUME, ACTOR_USER, 0, VERDICT_CODES_WRONG);
	assert_refused(own, LIFE_RESYNC, ACTOR_USER, 7, VERDICT_TOKEN_SUSPENDED);
	assert_refused(locked, LIFE_RESYNC, ACTOR_USER, LIFE_HAS_PAIR, VERDICT_TOKEN_EXPIRED);
	assert_refused(locked, LIFE_RESYNC, ACTOR_USER, LIFE_HAS_PAID, VERDICT_CODES_WRONG);
	assert_refused(locked, LIFE_UNLOCK, ACTOR_USER, 7, VERDICT_NOT_ALLOWED);
	assert_refused(locked, LIFE_RESUME, ACTOR_USER, 7, VERDICT_TOKEN_LOCKED);
	assert_refused(expired, LIFE_RENEW, ACTOR_USER, LIFE_HAS_PAIR, VERDICT_TOKEN_EXPIRED);
	assert_refused(expired, LIFE_RESYNC, ACTOR_USER, 7, VERDICT_TOKEN_EXPIRED);
	assert_refused(held, LIFE_ACTIVATE, ACTOR_USER, 7, VERDICT_PROOFING_PENDING);
	assert_refused(held, LIFE_APPROVE, ACTOR_USER, 7, VERDICT_NOT_ALLOWED);
	assert_refused(held, LIFE_APPROVE, ACTOR_ADMIN, 7, VERDICT_NOT_ALLOWED);
	assert_refused(pending, LIFE_HOLD, ACTOR_BROKER, LIFE_HAS_CODE, VERDICT_CODES_WRONG);
	assert_refused(pending, LIFE_RESYNC, ACTOR_USER, 7, VERDICT_TOKEN_PENDING);
	assert_refused(pending, LIFE_ACTIVATE, ACTOR_USER, LIFE_HAS_CODE, VERDICT_CODES_WRONG);
	assert_refused(app, LIFE_ACTIVATE, ACTOR_USER, 0, VERDICT_CODES_WRONG);
	assert_refused(active, LIFE_LOCK, ACTOR_ADMIN, 7, VERDICT_NOT_ALLOWED);
	assert_refused(active, LIFE_RESUME, ACTOR_USER, 7, VERDICT_NOT_ALLOWED);
	assert_refused(active, LIFE_EXPIRE, ACTOR_BROKER, 7, VERDICT_NOT_ALLOWED);
}

/* H4, H7: a year's end and a renewal give back nothing that two codes or an
 * administrator have to give back. */
static void test_H4_H7_renewal_unlocks_nothing(void **state)
{
	struct token locked = { .kind = TOKEN_HARDWARE, .state = TOKEN_LOCKED }, theirs = {
		.kind = TOKEN_HARDWARE, .state = TOKEN_SUSPENDED, .suspended_by = ACTOR_ADMIN
	};

	(void)state;
	lifecycle_move(&locked, LIFE_EXPIRE, ACTOR_CALENDAR, 0, NOW);
	lifecycle_move(&locked, LIFE_RENEW, ACTOR_USER, LIFE_HAS_PAID, NOW);
	assert_int_equal(locked.state, TOKEN_LOCKED);
	lifecycle_move(&theirs, LIFE_EXPIRE, ACTOR_CALENDAR, 0, NOW);
	lifecycle_move(&theirs, LIFE_RENEW, ACTOR_USER, LIFE_HAS_PAID, NOW);
	assert_int_equal(theirs.state, TOKEN_SUSPENDED);
	assert_int_equal(theirs.suspended_by, ACTOR_ADMIN);
}

/* The 60 days run on when an administrator takes a suspension over. */
static void test_H7_taking_over_keeps_the_date(void **state)
{
	struct token t = { .kind = TOKEN_HARDWARE, .state = TOKEN_ACTIVE };

	(void)state;
	assert_int_equal(lifecycle_move(&t, LIFE_SUSPEND, ACTOR_USER, 0, THEN), VERDICT_OK);
	assert_int_equal(lifecycle_move(&t, LIFE_SUSPEND, ACTOR_ADMIN, 0, NOW), VERDICT_OK);
	assert_int_equal(t.state_since, THEN);
	assert_int_equal(t.suspended_by, ACTOR_ADMIN);
	assert_int_equal(lifecycle_move(&t, LIFE_RESUME, ACTOR_USER, LIFE_HAS_PAIR, NOW),
		VERDICT_TOKEN_SUSPENDED_BY_ADMIN);
	assert_int_equal(lifecycle_move(&t, LIFE_RESUME, ACTOR_ADMIN, 0, NOW), VERDICT_OK);
	assert_int_equal(t.suspended_by, 0);
}

static void test_L12_actions(void **state)
{
	static const struct {
		int64_t state, by;
		const char *user, *admin;
	} rows[] = {
		{ TOKEN_STAGED, 0, "", "" },
		{ TOKEN_STOCK, 0, "activate", "assign activate" },
		{ TOKEN_PENDING_APPROVAL, 0, "", "revoke" },
		{ TOKEN_PENDING_ACTIVATION, 0, "activate revoke", "activate revoke" },
		{ TOKEN_ACTIVE, 0, "resync suspend revoke", "resync suspend revoke" },
		{ TOKEN_LOCKED, 0, "resync revoke", "resync unlock suspend revoke" },
		{ TOKEN_SUSPENDED, ACTOR_USER, "resume revoke", "suspend resume revoke" },
		{ TOKEN_SUSPENDED, ACTOR_ADMIN, "revoke", "suspend resume revoke" },
		{ TOKEN_EXPIRED, 0, "renew revoke", "renew revoke" },
		{ TOKEN_REVOKED, 0, "", "" },
	};
	char buf[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct token t = {
			.kind = TOKEN_HARDWARE, .state = rows[i].state, .suspended_by = rows[i].by
		};

		assert_string_equal(
			lifecycle_actions(&t, ACTOR_USER, buf, sizeof(buf)), rows[i].user);
		assert_string_equal(
			lifecycle_actions(&t, ACTOR_ADMIN, buf, sizeof(buf)), rows[i].admin);
	}
}

static void test_ids(void **state)
{
	static const char *const states[] = { "unknown", "staged", "stock", "pending-approval",
		"pending-activation", "active", "locked", "suspended", "expired", "revoked",
		"unknown" };
	static const char *const events[] = { "unknown", "assign", "hold", "approve", "activate",
		"lock", "resync", "unlock", "suspend", "resume", "expire", "renew", "revoke",
		"time-out", "unknown" };
	int i;

	(void)state;
	for (i = 0; i < 11; i++)
		assert_string_equal(lifecycle_state_id(i), states[i]);
	for (i = 0; i < 15; i++)
		assert_string_equal(lifecycle_event_id((enum life_event)i), events[i]);
	assert_string_equal(lifecycle_state_id(-1), "unknown");
	assert_string_equal(lifecycle_state_id(INT64_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_H3_every_cell),
		cmocka_unit_test(test_H8_revocation_is_permanent),
		cmocka_unit_test(test_H14_refusals_say_why),
		cmocka_unit_test(test_H4_H7_renewal_unlocks_nothing),
		cmocka_unit_test(test_H7_taking_over_keeps_the_date),
		cmocka_unit_test(test_L12_actions),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
