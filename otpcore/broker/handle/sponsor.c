/* Subscriptions without a key: sponsored (K4) and renewed by an administrator (H9). */
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/calendar.h"
#include "otpcore/engine/proofing.h"

/* A sponsorship that must still be registered: in place of a licence's id. Its
 * expiry is the day by which; then it lapses like any other. */
#define SPONSORED (-1)

bool sponsor_waits(const struct subscription *s)
{
	return s->licence == SPONSORED;
}

void sponsor_taken(struct request *r, struct subscription *s)
{
	if (!sponsor_waits(s))
		return;
	s->licence = 0;
	s->expires_at = licence_expiry(s->purchased_at, 1);
	store_mark_subscription(r->tick, r->index, s, s->row.version ? ROW_CHANGED : ROW_NEW);
}

static struct subscription *running(struct aggregate *a, int64_t product, int64_t now)
{
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (a->subscriptions[i].product == product &&
			subscription_active(&a->subscriptions[i], now))
			return &a->subscriptions[i];
	return NULL;
}

void sponsor_decide(struct request *r)
{
	const struct wire_sponsor_req *q = r->body;
	struct wire_sponsor_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	enum product product = product_from_id(q->product);
	int64_t year = licence_expiry(r->now, 1);
	char day[32], more[128];
	struct mag_buf b = MAG_BUF(more);
	struct subscription *s;

	if (!phone_may_touch(r, a))
		return;
	if (!product) {
		handle_invalid(r, PRODUCT_WORDS);
		return;
	}
	if (q->until && (q->until <= r->now || q->until > year)) {
		handle_invalid(r, "until: a date within a year");
		return;
	}
	if (running(a, product, r->now)) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account has that product");
		return;
	}
	s = store_add_subscription(r->tick, a);
	if (!s) {
		request_error(r, MAG_ENOSPACE);
		return;
	}
	s->row.id = store_new_id();
	s->account = a->account.row.id;
	s->product = product;
	s->state = SUBSCRIPTION_ACTIVE;
	s->level = 2; /* proofing raises it (I1) */
	s->proofing = proofing_after_key(PROOFING_NONE, q->proofing != 0, true);
	s->licence = SPONSORED;
	s->started_at = s->purchased_at = r->now;
	s->expires_at = q->until ? q->until : year;
	store_mark_subscription(r->tick, r->index, s, ROW_NEW);
	p->expires = s->expires_at;
	mag_buf_printf(&b, "product=%s\ndate=%s\n", product_id(product),
		mag_time_day(s->expires_at, day, sizeof day));
	token_mail(r, a, "sponsorship", more);
	request_verdict(r, VERDICT_OK);
}

/* ---- renewal ---- */

void subscription_renew(
	struct request *r, struct aggregate *a, struct subscription *s, int64_t expires)
{
	char day[32], more[128];
	struct mag_buf b = MAG_BUF(more);

	s->state = SUBSCRIPTION_ACTIVE;
	s->expires_at = expires;
	store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
	for (size_t i = 0; i < a->n_tokens; i++) {
		struct token *t = &a->tokens[i];

		if (t->subscription == s->row.id && lifecycle_move(t, LIFE_RENEW, ACTOR_USER,
							    LIFE_HAS_PAID, r->now) == VERDICT_OK)
			store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	}
	mag_buf_printf(&b, "product=%s\ndate=%s\n", product_id((enum product)s->product),
		mag_time_day(expires, day, sizeof day));
	token_mail(r, a, "renewal", more);
}

/* The one that ends first among those that can still be renewed. */
static struct subscription *renewable(struct request *r, struct aggregate *a, int64_t *until_r)
{
	const struct calendar_rules rules = { .renewal_period =
						      r->broker->settings->renewal_period };
	struct subscription *best = NULL;

	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];
		int64_t until;

		if (s->state == SUBSCRIPTION_REVOKED || sponsor_waits(s))
			continue;
		until = calendar_renewed(s, &rules, r->now);
		if (!until || (best && best->expires_at <= s->expires_at))
			continue;
		best = s;
		*until_r = until;
	}
	return best;
}

void renew_decide(struct request *r)
{
	struct wire_renew_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct subscription *s;
	int64_t until = 0;

	if (!phone_may_touch(r, a))
		return;
	s = renewable(r, a, &until);
	if (!s) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			a->n_subscriptions
				? "it can't be renewed any more: a new credential is needed"
				: "the account has no subscription");
		return;
	}
	subscription_renew(r, a, s, until);
	mag_copy(p->product, sizeof p->product, product_id((enum product)s->product));
	p->expires = s->expires_at;
	request_verdict(r, VERDICT_OK);
}
