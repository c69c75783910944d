/* The life of a token, read off its table. */
#include "otpcore/base/buf.h"
#include "otpcore/engine/lifecycle.h"

enum who { WHO_U = 1, WHO_A, WHO_C, WHO_B };
enum guard {
	GUARD_NONE,
	GUARD_PAIR,
	GUARD_APP_CODE,
	GUARD_PAID,
	GUARD_PAID_PAIR,
	GUARD_OWN_PAIR,
	GUARD_SURE
};

static const struct life {
	enum token_state from, to;
	enum life_event event;
	enum guard guard;
	enum who who;
} table[] = {
#define LIFE(from, event, to, guard, who)                                                          \
	{ TOKEN_##from, TOKEN_##to, LIFE_##event, GUARD_##guard, WHO_##who },
#include "otpcore/engine/lifecycle.def"
#undef LIFE
};

#define N_LIVES (sizeof(table) / sizeof(table[0]))

/* What each guard asks for, and of which tokens it speaks at all. */
static const struct {
	unsigned bits;
	bool app_only, own_only;
} guards_of[] = {
	[GUARD_NONE] = { LIFE_HAS_NOTHING, false, false },
	[GUARD_PAIR] = { LIFE_HAS_PAIR, false, false },
	[GUARD_APP_CODE] = { LIFE_HAS_CODE, true, false },
	[GUARD_PAID] = { LIFE_HAS_PAID, false, false },
	[GUARD_PAID_PAIR] = { LIFE_HAS_PAID | LIFE_HAS_PAIR, false, false },
	[GUARD_OWN_PAIR] = { LIFE_HAS_PAIR, false, true },
	[GUARD_SURE] = { LIFE_HAS_NOTHING, false, false },
};

static bool actor_fits(enum who row, enum actor who)
{
	switch (row) {
	case WHO_U:
		return who == ACTOR_USER || who == ACTOR_ADMIN;
	case WHO_A:
		return who == ACTOR_ADMIN;
	case WHO_C:
		return who == ACTOR_CALENDAR;
	case WHO_B:
		return who == ACTOR_BROKER;
	}
	return false;
}

/* Why this row's guard refuses; VERDICT_OK if it does not. */
static enum verdict guard_judge(enum guard g, const struct token *t, unsigned has)
{
	unsigned missing = guards_of[g].bits & ~has;

	if (guards_of[g].own_only && t->suspended_by != ACTOR_USER)
		return VERDICT_TOKEN_SUSPENDED_BY_ADMIN;
	if (g == GUARD_SURE && t->suspended_by == ACTOR_BROKER && !(has & LIFE_HAS_PAIR))
		return VERDICT_CODES_WRONG;
	if (guards_of[g].app_only && t->kind != TOKEN_MOBILE)
		return VERDICT_NOT_ALLOWED;
	if (missing & LIFE_HAS_PAID)
		return VERDICT_TOKEN_EXPIRED;
	if (missing & LIFE_HAS_PAIR)
		return VERDICT_CODES_WRONG;
	return missing & LIFE_HAS_CODE ? VERDICT_CODE_WRONG : VERDICT_OK;
}

/* Nobody may, in this state. */
static enum verdict state_verdict(const struct token *t)
{
	switch (t->state) {
	case TOKEN_PENDING_APPROVAL:
		return VERDICT_PROOFING_PENDING;
	case TOKEN_PENDING_ACTIVATION:
		return VERDICT_TOKEN_PENDING;
	case TOKEN_LOCKED:
		return VERDICT_TOKEN_LOCKED;
	case TOKEN_SUSPENDED:
		return t->suspended_by == ACTOR_USER ? VERDICT_TOKEN_SUSPENDED
						     : VERDICT_TOKEN_SUSPENDED_BY_ADMIN;
	case TOKEN_EXPIRED:
		return VERDICT_TOKEN_EXPIRED;
	case TOKEN_REVOKED:
		return VERDICT_TOKEN_REVOKED;
	default:
		return VERDICT_NOT_ALLOWED;
	}
}

/* The row that lets it happen, or NULL and why not. The first refusal of a guard
 * is the reason; without one, that of the actor or the state. */
static const struct life *find(const struct token *t, enum life_event e, enum actor who,
	unsigned guards, enum verdict *why_r)
{
	enum verdict why = VERDICT_NONE;
	bool somebody = false;
	size_t i;

	for (i = 0; i < N_LIVES; i++) {
		enum verdict v;

		if ((int64_t)table[i].from != t->state || table[i].event != e)
			continue;
		somebody = true;
		if (!actor_fits(table[i].who, who))
			continue;
		v = guard_judge(table[i].guard, t, guards);
		if (v == VERDICT_OK) {
			*why_r = v;
			return &table[i];
		}
		if (why == VERDICT_NONE)
			why = v;
	}
	if (why == VERDICT_NONE)
		why = somebody ? VERDICT_NOT_ALLOWED : state_verdict(t);
	*why_r = why;
	return NULL;
}

enum verdict lifecycle_allows(
	const struct token *t, enum life_event e, enum actor who, unsigned guards)
{
	enum verdict v;

	find(t, e, who, guards, &v);
	return v;
}

enum verdict lifecycle_move(
	struct token *t, enum life_event e, enum actor who, unsigned guards, int64_t now)
{
	enum verdict v;
	const struct life *row = find(t, e, who, guards, &v);

	if (!row)
		return v;
	if (row->to != row->from)
		t->state_since = now;
	t->state = row->to;
	t->suspended_by = row->to == TOKEN_SUSPENDED ? (int64_t)who : 0;
	return v;
}

/* ---- words ---- */

static const char *const states[TOKEN_STATE_N] = {
	[TOKEN_STAGED] = "staged",
	[TOKEN_STOCK] = "stock",
	[TOKEN_PENDING_APPROVAL] = "pending-approval",
	[TOKEN_PENDING_ACTIVATION] = "pending-activation",
	[TOKEN_ACTIVE] = "active",
	[TOKEN_LOCKED] = "locked",
	[TOKEN_SUSPENDED] = "suspended",
	[TOKEN_EXPIRED] = "expired",
	[TOKEN_REVOKED] = "revoked",
};

static const char *const events[LIFE_EVENT_N] = {
	[LIFE_ASSIGN] = "assign",
	[LIFE_HOLD] = "hold",
	[LIFE_APPROVE] = "approve",
	[LIFE_ACTIVATE] = "activate",
	[LIFE_LOCK] = "lock",
	[LIFE_RESYNC] = "resync",
	[LIFE_UNLOCK] = "unlock",
	[LIFE_SUSPEND] = "suspend",
	[LIFE_RESUME] = "resume",
	[LIFE_EXPIRE] = "expire",
	[LIFE_RENEW] = "renew",
	[LIFE_REVOKE] = "revoke",
	[LIFE_TIME_OUT] = "time-out",
};

const char *lifecycle_state_id(int64_t state)
{
	return state >= TOKEN_STAGED && state < TOKEN_STATE_N ? states[state] : "unknown";
}

const char *lifecycle_event_id(enum life_event e)
{
	return e >= LIFE_ASSIGN && e < LIFE_EVENT_N ? events[e] : "unknown";
}

char *lifecycle_actions(const struct token *t, enum actor who, char *buf, size_t cap)
{
	const unsigned all = LIFE_HAS_CODE | LIFE_HAS_PAIR | LIFE_HAS_PAID;
	struct mag_buf out;
	int e;

	mag_buf_init(&out, buf, cap);
	mag_buf_printf(&out, "%s", "");
	for (e = LIFE_ASSIGN; e < LIFE_EVENT_N; e++)
		if (lifecycle_allows(t, (enum life_event)e, who, all) == VERDICT_OK)
			mag_buf_printf(&out, "%s%s", out.len ? " " : "", events[e]);
	return buf;
}
