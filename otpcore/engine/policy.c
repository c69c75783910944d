/* What a service demands, who is exempt, and which factors are offered. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/proofing.h"
#include "otpcore/engine/token.h"

#define LEVEL_MAX 3

static const char *const modes[] = { "separate", "short", "combined", "none", NULL };
static const char *const unenrolled_ids[] = { "deny", "allow", "enroll", NULL };

static int index_of(const char *const *ids, const char *id)
{
	int i;

	for (i = 0; ids[i]; i++)
		if (mag_streq(ids[i], id))
			return i;
	return -1;
}

static bool given(const char *s)
{
	return s && *s;
}

/* The first thing that was not understood is kept; any one of them refuses. */
static void not_understood(struct policy *p, const char *what, const char *text)
{
	char clean[40];

	if (!p->known)
		return;
	p->known = false;
	p->require = STRENGTH_NONE; /* satisfied by nothing */
	snprintf(p->bad, sizeof(p->bad), "%s=%s", what, mag_clean(clean, sizeof(clean), text));
}

static void take_word(
	struct policy *p, const char *what, const char *const *ids, const char *text, int *value)
{
	int i;

	if (!given(text))
		return;
	i = index_of(ids, text);
	if (i < 0)
		not_understood(p, what, text);
	else
		*value = i;
}

void policy_make(const struct settings *s, const struct service_settings *service,
	const struct policy_line *line, struct policy *p_r)
{
	struct policy p = { .known = true };
	const char *require = given(line->require) ? line->require : service->require;
	char number[24];

	p.mode = service->mode;
	p.unenrolled = service->unenrolled;
	p.separator = service->separator;
	p.publickey_alone = service->publickey_alone;
	p.level = line->level != 0 ? line->level : service->level;
	p.autosend = s->autosend;
	p.observe = service->observe;
	p.require = settings_strength(s, require);
	if (p.require == STRENGTH_NONE)
		not_understood(&p, "require", require);
	take_word(&p, "mode", modes, line->mode, &p.mode);
	take_word(&p, "unenrolled", unenrolled_ids, line->unenrolled, &p.unenrolled);
	if (p.level < 0 || p.level > LEVEL_MAX) {
		snprintf(number, sizeof(number), "%lld", (long long)p.level);
		not_understood(&p, "level", number);
	}
	/* "s" is offered only where the password alone would be enough (L3). */
	p.skip = service->skip && policy_satisfied(&p, STRENGTH_PASSWORD, 1);
	*p_r = p;
}

bool policy_satisfied(const struct policy *p, enum strength strength, int64_t level)
{
	return p->known && strength_satisfies(strength, p->require) && level >= p->level;
}

/* ---- exemptions ---- */

/* The next word of a list; false at its end. */
static bool next_word(const char **list, char *word, size_t cap)
{
	const char *p = *list + strspn(*list, " \t,");
	size_t len = strcspn(p, " \t,");

	*list = p + len;
	/* A word that does not fit is nothing that could match. */
	if (len >= cap)
		len = 0;
	else
		memcpy(word, p, len);
	word[len] = '\0';
	return **list || len > 0;
}

static bool list_has(const char *list, const char *name)
{
	char word[257];

	if (!given(name))
		return false;
	while (next_word(&list, word, sizeof(word)))
		if (mag_streq(word, name))
			return true;
	return false;
}

bool policy_exempt_user(const struct service_settings *service, const char *user)
{
	return list_has(service->exempt_users, user);
}

bool policy_exempt_groups(const struct service_settings *service, const char *groups)
{
	char word[257];

	while (next_word(&groups, word, sizeof(word)))
		if (list_has(service->exempt_groups, word))
			return true;
	return false;
}

struct address {
	size_t len; /* 4 or 16 bytes */
	unsigned char bytes[16];
};

/* An address literal; v4-mapped ones become version 4. */
static bool address_parse(const char *text, struct address *a_r)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct address a = { 0 };

	if (inet_pton(AF_INET, text, a.bytes) == 1) {
		a.len = 4;
	} else if (inet_pton(AF_INET6, text, a.bytes) == 1) {
		a.len = 16;
	} else {
		return false;
	}
	if (a.len == 16 && memcmp(a.bytes, mapped, sizeof(mapped)) == 0) {
		memmove(a.bytes, a.bytes + 12, 4);
		a.len = 4;
	}
	*a_r = a;
	return true;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* Is `a` in "ADDRESS/BITS" (or equal to "ADDRESS")? Not for what does not parse. */
static bool network_has(char *network, const struct address *a)
{
	struct address net;
	char *slash = strchr(network, '/');
	int64_t bits;
	bool v6;

	if (slash)
		*slash = '\0';
	if (!address_parse(network, &net) || net.len != a->len)
		return false;
	v6 = strchr(network, ':') != NULL;
	bits = v6 ? 128 : 32;
	if (slash && mag_int_parse(slash + 1, 0, bits, &bits) < 0)
		return false;
	if (v6 && net.len == 4)
		bits -= 96; /* ::ffff:10.0.0.0/104 is 10.0.0.0/8 */
	return bits >= 0 && same_bits(net.bytes, a->bytes, (unsigned)bits);
}

bool policy_exempt_address(const struct service_settings *service, const char *rhost)
{
	const char *list = service->exempt_networks;
	struct address a;
	char word[64];

	if (!given(rhost) || !address_parse(rhost, &a))
		return false;
	while (next_word(&list, word, sizeof(word)))
		if (network_has(word, &a))
			return true;
	return false;
}

/* ---- phones as factors ---- */

struct subscription *phone_subscription(struct aggregate *a, const struct phone *p)
{
	size_t i;

	if (p->subscription == 0)
		return NULL;
	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (s->row.id == p->subscription && s->account == p->account &&
			s->row.fate != ROW_DELETED)
			return s;
	}
	return NULL;
}

static const struct subscription *subscription_of(const struct aggregate *a, const struct phone *p)
{
	return phone_subscription((struct aggregate *)a, p);
}

enum strength phone_strength(const struct phone *p)
{
	return p->state == PHONE_ACTIVE ? STRENGTH_PHONE_OTP : STRENGTH_NONE;
}

int64_t phone_level(const struct aggregate *a, const struct phone *p)
{
	const struct subscription *s = subscription_of(a, p);

	if (!s)
		return 1;
	return s->level == 3 ? 3 : 2;
}

const char *phone_state_id(const struct aggregate *a, const struct phone *p, int64_t now)
{
	if (p->state != PHONE_ACTIVE)
		return "pending";
	if (!subscription_active(subscription_of(a, p), now))
		return "expired";
	return proofing_waits(subscription_of(a, p)) ? "pending-approval" : "active";
}

static const char *why_excluded(
	const struct aggregate *a, const struct policy *p, const struct phone *phone, int64_t now)
{
	const struct subscription *s = subscription_of(a, phone);

	if (phone->state != PHONE_ACTIVE)
		return "pending";
	if (!s)
		return "no-licence";
	if (!subscription_active(s, now))
		return "phone-expired";
	if (proofing_waits(s))
		return verdict_id(VERDICT_PROOFING_PENDING);
	if (!policy_satisfied(p, phone_strength(phone), phone_level(a, phone)))
		return "requirements-not-met";
	return NULL;
}

/* ---- what is offered ---- */

/* A token in order but for what two codes put right. */
static bool can_be_repaired(enum verdict v)
{
	return v == VERDICT_TOKEN_LOCKED || v == VERDICT_TOKEN_SUSPENDED;
}

static void judge_token(const struct aggregate *a, const struct policy *p, const struct settings *s,
	int64_t now, struct offer *o)
{
	const struct token *t = o->token;
	enum verdict v = policy_token(a, t, s, now);

	if (lease_elsewhere(t, p->host, now) && (v == VERDICT_OK || can_be_repaired(v))) {
		o->excluded = verdict_id(VERDICT_TOKEN_LEASED);
	} else if (v == VERDICT_OK || can_be_repaired(v)) {
		o->repair = v != VERDICT_OK;
		o->excluded = o->repair ? verdict_id(v) : NULL;
		if (policy_token_fits(p, t, token_level(a, t)))
			return;
		o->repair = false;
		o->excluded = "requirements-not-met";
	} else if (v == VERDICT_TOKEN_EXPIRED && !token_subscription((struct aggregate *)a, t)) {
		o->excluded = "no-licence";
	} else {
		o->excluded = verdict_id(v);
	}
}

/* Where the kind of a factor stands in [policy] factors; -1: not there. */
static int place_of(const struct offer *o, const char *factors)
{
	const char *kind = o->phone                           ? "phone"
			   : o->token->kind == TOKEN_HARDWARE ? "hardware"
							      : "mobile";
	char word[32];
	int place;

	for (place = 0; next_word(&factors, word, sizeof(word)); place++)
		if (mag_streq(word, kind))
			return place;
	return -1;
}

static int rank(const struct offer *o)
{
	return !o->excluded ? 0 : o->repair ? 1 : 2;
}

static bool stands_before(const struct offer *x, const struct offer *y, const char *factors)
{
	if (rank(x) != rank(y))
		return rank(x) < rank(y);
	if (place_of(x, factors) != place_of(y, factors)) /* -1 wraps around: last */
		return (unsigned)place_of(x, factors) < (unsigned)place_of(y, factors);
	return x->phone && y->phone && x->phone->slot < y->phone->slot;
}

/* Puts an offer where it belongs among the n that are in order. */
static void insert(struct offer *offers, size_t n, const struct offer *o, const char *factors)
{
	for (; n > 0 && stands_before(o, &offers[n - 1], factors); n--)
		offers[n] = offers[n - 1];
	offers[n] = *o;
}

/* The first that is offered; of phones, if these come first, the default one. */
static void mark_default(struct offer *offers, size_t n)
{
	struct offer *first = offers;
	size_t i;

	if (n == 0 || rank(first) > 1)
		return;
	for (i = 0; i < n && first->phone && offers[i].phone && !offers[i].excluded; i++)
		if (offers[i].phone->is_default && !first->phone->is_default)
			first = &offers[i];
	first->is_default = true;
}

size_t policy_offers(struct aggregate *a, const struct policy *p, const struct settings *s,
	int64_t now, struct offer *offers_r, size_t max)
{
	struct offer offers[OFFERS_MAX] = { 0 };
	size_t n = 0, i;

	for (i = 0; i < a->n_phones && i < PHONES_MAX; i++) {
		struct offer o = { .phone = &a->phones[i] };

		if (o.phone->row.fate == ROW_DELETED)
			continue;
		o.excluded = why_excluded(a, p, o.phone, now);
		if (place_of(&o, s->factors) < 0)
			o.excluded = "not-offered";
		insert(offers, n++, &o, s->factors);
	}
	for (i = 0; i < a->n_tokens && i < TOKENS_MAX; i++) {
		struct offer o = { .token = &a->tokens[i] };

		if (o.token->row.fate == ROW_DELETED || o.token->state == TOKEN_REVOKED)
			continue;
		judge_token(a, p, s, now, &o);
		if (place_of(&o, s->factors) < 0) {
			o.excluded = "not-offered";
			o.repair = false;
		}
		insert(offers, n++, &o, s->factors);
	}
	mark_default(offers, n);
	if (n > max)
		n = max;
	memcpy(offers_r, offers, n * sizeof(*offers));
	return n;
}

/* ---- channels ---- */

static const char *const channels[] = {
	[CHANNEL_SMS] = "sms",
	[CHANNEL_VOICE] = "voice",
	[CHANNEL_EMAIL] = "email",
};

const char *channel_id(int64_t channel)
{
	return channel >= CHANNEL_SMS && channel <= CHANNEL_EMAIL ? channels[channel] : "";
}

int64_t channel_from_id(const char *id)
{
	int64_t i;

	for (i = CHANNEL_SMS; id && i <= CHANNEL_EMAIL; i++)
		if (mag_streq(channels[i], id))
			return i;
	return 0;
}
