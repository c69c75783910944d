/* Subscriptions without a key: sponsored (K4) and renewed by an administrator (H9). */
#include <inttypes.h>
#include <stdio.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/licence.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/mail.h"
#include "otpcore/engine/calendar.h"
#include "otpcore/engine/proofing.h"

/* A sponsorship that must still be registered: in place of a licence's id. Its
 * expiry is the day by which; then it lapses like any other. */
#define SPONSORED (-1)

/* smsd tries as long; whoever sponsors is told whether it went out. */
#define MAIL_SECONDS  86400
#define MAIL_PRIORITY 3

struct mail_of_key {
	int64_t id, expires;
	enum product product;
	const struct mag_secret *key;
};

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

/* Granted at the same moment; with a key it has one of its own, or none yet. */
struct subscription *sponsor_of(struct aggregate *a, const struct licence *l, int64_t now)
{
	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (s->product == l->product && s->purchased_at == l->purchased_at &&
			(sponsor_waits(s) || !s->licence) && subscription_active(s, now))
			return s;
	}
	return NULL;
}

/* The key, which is what tells the person from somebody with the password
 * (security.md 11), goes to the account's address; it is in no row of a mail. */
static int mail_key(struct request *r, const struct aggregate *a, const struct mail_of_key *m)
{
	struct sms_order *o = &r->sms;
	struct mag_buf args = MAG_BUF(o->args);
	struct mag_secret address = { 0 };
	char day[32];
	int res;

	if (!a->account.email.len || !mail_enabled(r->broker->settings, "sponsorship"))
		return MAG_ENOTFOUND;
	res = seal_open(r->broker->keyring, "account.email", a->account.row.id, &a->account.email,
		&address);
	if (!res)
		res = mag_copy(o->to, sizeof o->to, mag_secret_text(&address));
	if (!res)
		res = mag_secret_set(&o->code, m->key->data, m->key->len);
	mag_secret_free(&address);
	mag_buf_printf(&args, "account=%s\nproduct=%s\ndate=%s\n", a->account.name,
		product_id(m->product), mag_time_day(m->expires, day, sizeof day));
	if (!res)
		res = mag_buf_error(&args);
	if (res)
		return res;
	snprintf(o->id, sizeof o->id, "k%016" PRIx64, m->id);
	mag_copy(o->template, sizeof o->template, "sponsorship");
	mag_copy(o->channel, sizeof o->channel, "email");
	mag_copy(o->language, sizeof o->language, a->account.language);
	o->expires_at = r->now + MAIL_SECONDS;
	o->priority = MAIL_PRIORITY;
	o->wanted = true;
	return 0;
}

void sponsor_delivered(struct request *r, unsigned delivery)
{
	((struct wire_sponsor_rep *)r->reply)->delivery = delivery;
}

static struct subscription *running(struct aggregate *a, int64_t product, int64_t now)
{
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (a->subscriptions[i].product == product &&
			subscription_active(&a->subscriptions[i], now))
			return &a->subscriptions[i];
	return NULL;
}

static struct subscription *grant(
	struct request *r, struct aggregate *a, const struct wire_sponsor_req *q)
{
	struct subscription *s = store_add_subscription(r->tick, a);

	if (!s)
		return NULL;
	s->row.id = store_new_id();
	s->account = a->account.row.id;
	s->product = product_from_id(q->product);
	s->state = SUBSCRIPTION_ACTIVE;
	s->level = 2; /* proofing raises it (I1) */
	s->proofing = proofing_after_key(PROOFING_NONE, q->proofing != 0, true);
	s->licence = SPONSORED;
	s->started_at = s->purchased_at = r->now;
	s->expires_at = q->until ? q->until : licence_expiry(r->now, 1);
	store_mark_subscription(r->tick, r->index, s, ROW_NEW);
	return s;
}

void sponsor_decide(struct request *r)
{
	const struct wire_sponsor_req *q = r->body;
	struct wire_sponsor_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	enum product product = product_from_id(q->product);
	int64_t year = licence_expiry(r->now, 1);
	struct licence_order order = { .product = product,
		.proofing = q->proofing != 0,
		.purchased = r->now,
		.ref = "sponsor" };
	struct subscription *s;
	int res;

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
	s = grant(r, a, q);
	if (!s) {
		request_error(r, MAG_ENOSPACE);
		return;
	}
	p->expires = s->expires_at;
	order.account = a->account.row.id;
	res = licence_issue(r, &order, &p->key);
	if (res) {
		request_error(r, res);
		return;
	}
	if (mail_key(r, a, &(struct mail_of_key){ s->row.id, s->expires_at, product, &p->key }))
		r->sms.wanted = false;
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
	bool waits = false;

	if (!phone_may_touch(r, a))
		return;
	for (size_t i = 0; i < a->n_subscriptions; i++)
		waits = waits || sponsor_waits(&a->subscriptions[i]);
	s = renewable(r, a, &until);
	if (!s) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			!a->n_subscriptions ? "the account has no subscription"
			: waits             ? "what it is sponsored with was not registered yet"
				: "it can't be renewed any more: a new credential is needed");
		return;
	}
	subscription_renew(r, a, s, until);
	mag_copy(p->product, sizeof p->product, product_id((enum product)s->product));
	p->expires = s->expires_at;
	request_verdict(r, VERDICT_OK);
}
