/* Which subscription a credential hangs beneath, and what a key does to them. */
#include "otpcore/engine/calendar.h"
#include "otpcore/engine/licence.h"

bool subscription_active(const struct subscription *s, int64_t now)
{
	if (!s || s->row.fate == ROW_DELETED || s->state != SUBSCRIPTION_ACTIVE)
		return false;
	return now <= s->expires_at; /* the last second of the last day still counts */
}

/* `country` is for phones only. */
typedef bool taker(enum product p, const char *country);

static struct subscription *latest_that_takes(
	struct aggregate *a, taker *takes, const char *country, int64_t now)
{
	struct subscription *found = NULL;
	size_t i;

	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (!subscription_active(s, now) || !takes((enum product)s->product, country))
			continue;
		if (!found || s->expires_at > found->expires_at)
			found = s;
	}
	return found;
}

static bool takes_token(enum product p, const char *country)
{
	(void)country;
	return product_takes_token(p);
}

static bool takes_mobile(enum product p, const char *country)
{
	(void)country;
	return product_takes_mobile(p);
}

struct subscription *subscription_for_phone(struct aggregate *a, const char *country, int64_t now)
{
	return latest_that_takes(a, product_takes_phone, country, now);
}

struct subscription *subscription_for_token(struct aggregate *a, int64_t now)
{
	return latest_that_takes(a, takes_token, NULL, now);
}

struct subscription *subscription_for_mobile(struct aggregate *a, int64_t now)
{
	return latest_that_takes(a, takes_mobile, NULL, now);
}

/* ---- what a key does ---- */

int64_t licence_addon_expiry(const struct aggregate *a, enum product p, int64_t now)
{
	int64_t latest = 0;
	size_t i;

	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++) {
		const struct subscription *s = &a->subscriptions[i];

		if (subscription_active(s, now) && s->expires_at > latest &&
			product_is_phone((enum product)s->product) != product_is_phone(p))
			latest = s->expires_at;
	}
	return latest;
}

/* Of the same product, and still to be renewed: the one that ends last. */
static struct subscription *to_extend(
	struct aggregate *a, int64_t product, const struct calendar_rules *r, int64_t now)
{
	struct subscription *found = NULL;
	size_t i;

	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (s->product != product || calendar_renewed(s, r, now) == 0)
			continue;
		if (!found || s->expires_at > found->expires_at)
			found = s;
	}
	return found;
}

/* Do both products serve the same sort of credential? */
static bool same_sort(enum product x, enum product y)
{
	return (product_is_phone(x) && product_is_phone(y)) ||
	       (product_takes_token(x) && product_takes_token(y)) ||
	       (product_takes_mobile(x) && product_takes_mobile(y));
}

/* Does one of the account's credentials wait for another product's key (K5)? A
 * new subscription beside it would leave that credential expired. */
static bool wants_another(
	const struct aggregate *a, enum product p, const struct calendar_rules *r, int64_t now)
{
	bool waits = false;
	size_t i;

	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++) {
		const struct subscription *s = &a->subscriptions[i];

		if (!same_sort((enum product)s->product, p))
			continue;
		if (subscription_active(s, now))
			return false;
		waits = waits || calendar_renewed(s, r, now) != 0;
	}
	return waits;
}

enum verdict licence_effect(struct aggregate *a, const struct licence *l, int64_t renewal_period,
	int64_t now, struct licence_effect *e_r)
{
	const struct calendar_rules rules = { .renewal_period = renewal_period };
	enum product p = (enum product)l->product;
	struct licence_effect e = { .extends = to_extend(a, l->product, &rules, now) };

	if (e.extends) {
		e.expires = calendar_renewed(e.extends, &rules, now);
	} else if (wants_another(a, p, &rules, now)) {
		return VERDICT_PRODUCT_WRONG;
	} else {
		e.expires = licence_addon_expiry(a, p, now);
		/* A key that was bought long ago gives nothing, added on or not (K7). */
		if (e.expires == 0 || licence_expiry(l->purchased_at, 1) <= now)
			e.expires = licence_expiry(l->purchased_at, 1);
	}
	if (e.expires <= now)
		return VERDICT_NOT_ALLOWED;
	*e_r = e;
	return VERDICT_OK;
}
