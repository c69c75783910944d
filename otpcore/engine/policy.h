/* What a service demands and what an account can offer: L2, L3, L6, L7, L13. */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include "otpcore/engine/model.h"
#include "otpcore/settings/settings.h"

struct policy {
	enum strength require;
	int64_t level;
	int mode, unenrolled, separator, publickey_alone;
	bool skip; /* only where the password alone is enough */
	bool autosend, observe;
	bool known;       /* false: an option or profile names no strength: refuse */
	char bad[64];     /* what was not understood */
	const char *host; /* where the login is: a token may be leased to another; NULL: nowhere */
};

/* Options of the PAM line beat the service's section. Empty texts and level 0
 * mean: not on the line. */
struct policy_line {
	const char *require, *mode, *unenrolled;
	int64_t level;
};
void policy_make(const struct settings *s, const struct service_settings *service,
	const struct policy_line *line, struct policy *p_r);

/* Is a login (or a session) of this strength and level enough? requirement.def is the
 * whole table. */
bool policy_satisfied(const struct policy *p, enum strength strength, int64_t level);

/* Is this user or this address exempt? Addresses are literals only; v4-mapped
 * ones are folded; NULL, "" and names never match. */
bool policy_exempt_user(const struct service_settings *service, const char *user);
/* Is one of these groups, as words, exempt? */
bool policy_exempt_groups(const struct service_settings *service, const char *groups);
bool policy_exempt_address(const struct service_settings *service, const char *rhost);

/* Which factors are offered, in order, and why others are not. */
struct offer {
	struct phone *phone; /* exactly one of the two */
	struct token *token;
	bool is_default;
	/* Takes no code now, but two consecutive ones at this prompt put it right and log
	 * in (H4, H7): excluded then is "token-locked" or "token-suspended". */
	bool repair;
	const char *excluded; /* NULL: offered; else "phone-expired", "pending",
				 "requirements-not-met", "no-licence",
				 "proofing-pending" (I1), "not-offered" (not in [policy] factors),
				 or what token_usable() says: "token-expired" ... */
};
#define OFFERS_MAX (PHONES_MAX + TOKENS_MAX)
/* Offered ones first, then those to repair, then the rest; among these in the
 * order of [policy] factors, then p1 p2 p3. is_default: on the first factor that is
 * offered (of phones: the default one); where none is, on the first to repair. A
 * revoked token is no factor any more. */
size_t policy_offers(struct aggregate *a, const struct policy *p, const struct settings *s,
	int64_t now, struct offer *offers_r, size_t max);

/* ---- unusable.c ---- */

/* Can this token be used at a login? As token_usable(). */
enum verdict policy_token(
	const struct aggregate *a, const struct token *t, const struct settings *s, int64_t now);
/* Would its kind, in order and at this level, be enough? */
bool policy_token_fits(const struct policy *p, const struct token *t, int64_t level);
/* What is said of it at a login (L13, L14): VERDICT_TOKEN_SUSPENDED_BY_ADMIN,
 * _OUT_OF_SYNC, _EXPIRED, _PENDING, _REVOKED (until there is another of its kind) or
 * VERDICT_PROOFING_PENDING; VERDICT_NONE: nothing, it is in order or to repair. */
enum verdict policy_token_fault(
	const struct aggregate *a, const struct token *t, const struct settings *s, int64_t now);
/* Is it in order, but for a proofing that is not finished (I1)? */
bool policy_phone_waits(const struct aggregate *a, const struct phone *p, int64_t now);
/* Where nothing is offered: the fault of a token that would have been enough, or
 * VERDICT_PROOFING_PENDING of a phone; VERDICT_NONE: there is none. */
enum verdict policy_why(
	const struct aggregate *a, const struct policy *p, const struct settings *s, int64_t now);

/* Strength and level that this phone gives now. */
enum strength phone_strength(const struct phone *p);
int64_t phone_level(const struct aggregate *a, const struct phone *p);
/* Subscription beneath a phone, or NULL. */
struct subscription *phone_subscription(struct aggregate *a, const struct phone *p);

const char *phone_state_id(const struct aggregate *a, const struct phone *p, int64_t now);
const char *channel_id(int64_t channel);
int64_t channel_from_id(const char *id); /* 0 if none */

#endif
