/* Why a token can't be used at a login, and which of the reasons is told (L13, L14). */
#include "otpcore/engine/lease.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/proofing.h"
#include "otpcore/engine/token.h"

static int64_t resyncs_of(const struct aggregate *a, const struct token *t)
{
	for (size_t i = 0; i < a->n_throttles && i < THROTTLES_MAX; i++)
		if (a->throttles[i].kind == THROTTLE_RESYNC &&
			a->throttles[i].subject == t->row.id && a->throttles[i].period == 0)
			return a->throttles[i].count;
	return 0;
}

enum verdict policy_token(
	const struct aggregate *a, const struct token *t, const struct settings *s, int64_t now)
{
	return token_usable(a, t, resyncs_of(a, t), s->resync_fail_limit, now);
}

bool policy_token_fits(const struct policy *p, const struct token *t, int64_t level)
{
	enum strength gives =
		t->kind == TOKEN_HARDWARE ? STRENGTH_HARDWARE_OTP : STRENGTH_MOBILE_ID;

	return policy_satisfied(p, gives, level);
}

/* One that was revoked matters until another one is there. */
static bool replaced(const struct aggregate *a, const struct token *t)
{
	for (size_t i = 0; i < a->n_tokens && i < TOKENS_MAX; i++) {
		const struct token *other = &a->tokens[i];

		if (other->kind == t->kind && other->state != TOKEN_REVOKED &&
			other->row.fate != ROW_DELETED)
			return true;
	}
	return false;
}

/* What only somebody else can put right comes first: nothing that the person does
 * about another token would help against it. */
static const enum verdict told[] = { VERDICT_TOKEN_SUSPENDED_BY_ADMIN, VERDICT_TOKEN_OUT_OF_SYNC,
	VERDICT_TOKEN_EXPIRED, VERDICT_PROOFING_PENDING, VERDICT_TOKEN_PENDING,
	VERDICT_TOKEN_REVOKED, VERDICT_TOKEN_LEASED };
#define TOLD (sizeof told / sizeof *told)

static size_t rank_of(enum verdict v)
{
	size_t i = 0;

	while (i < TOLD && told[i] != v)
		i++;
	return i;
}

enum verdict policy_token_fault(
	const struct aggregate *a, const struct token *t, const struct settings *s, int64_t now)
{
	enum verdict v = policy_token(a, t, s, now);

	if (t->row.fate == ROW_DELETED || rank_of(v) == TOLD ||
		(v == VERDICT_TOKEN_REVOKED && replaced(a, t)))
		return VERDICT_NONE;
	return v;
}

bool policy_phone_waits(const struct aggregate *a, const struct phone *p, int64_t now)
{
	const struct subscription *s = phone_subscription((struct aggregate *)a, p);

	return p->row.fate != ROW_DELETED && p->state == PHONE_ACTIVE &&
	       subscription_active(s, now) && proofing_waits(s);
}

static bool any_phone_waits(const struct aggregate *a, int64_t now)
{
	for (size_t i = 0; i < a->n_phones && i < PHONES_MAX; i++)
		if (policy_phone_waits(a, &a->phones[i], now))
			return true;
	return false;
}

/* Nothing is the matter with it, but its codes are another host's for a while. */
static enum verdict fault_here(const struct aggregate *a, const struct token *t,
	const struct policy *p, const struct settings *s, int64_t now)
{
	enum verdict v = policy_token_fault(a, t, s, now);

	return v == VERDICT_NONE && t->row.fate != ROW_DELETED && lease_elsewhere(t, p->host, now)
		       ? VERDICT_TOKEN_LEASED
		       : v;
}

enum verdict policy_why(
	const struct aggregate *a, const struct policy *p, const struct settings *s, int64_t now)
{
	enum verdict why = VERDICT_NONE;

	for (size_t i = 0; i < a->n_tokens && i < TOKENS_MAX; i++) {
		const struct token *t = &a->tokens[i];
		enum verdict v = fault_here(a, t, p, s, now);
		/* What was not activated or is revoked has no level that would count. */
		bool lasting = v == VERDICT_TOKEN_EXPIRED ||
			       v == VERDICT_TOKEN_SUSPENDED_BY_ADMIN ||
			       v == VERDICT_TOKEN_OUT_OF_SYNC || v == VERDICT_TOKEN_LEASED;

		if (policy_token_fits(p, t, lasting ? token_level(a, t) : p->level) &&
			rank_of(v) < rank_of(why))
			why = v;
	}
	if (rank_of(VERDICT_PROOFING_PENDING) < rank_of(why) && p->known &&
		strength_satisfies(STRENGTH_PHONE_OTP, p->require) && any_phone_waits(a, now))
		why = VERDICT_PROOFING_PENDING;
	return why;
}
