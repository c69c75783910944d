/* A phone is added: the number is judged and a code sent to it (P1-P3, P6, P8,
 * P10). Registered again while pending, it gets a new code. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/send.h"
#include "otpcore/engine/challenge.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/throttle.h"

/* A registration nobody finished frees its place when a new one needs it. */
#define PENDING_KEEP 3600

int phone_add_want(struct request *r)
{
	const struct wire_phone_add_req *q = r->body;
	int res = grant_want(r, &q->grant);

	return res ? res : send_want(r, q->user);
}

static struct phone *phone_by_hash(struct aggregate *a, const unsigned char hash[HASH_LEN])
{
	for (size_t i = 0; i < a->n_phones; i++)
		if (a->phones[i].row.fate != ROW_DELETED &&
			a->phones[i].number_hash.len == HASH_LEN &&
			mag_equal(a->phones[i].number_hash.data, hash, HASH_LEN))
			return &a->phones[i];
	return NULL;
}

bool phone_has_subscription(const struct aggregate *a, int64_t now)
{
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (subscription_active(&a->subscriptions[i], now) &&
			(a->subscriptions[i].product == PRODUCT_PHONE_US ||
				a->subscriptions[i].product == PRODUCT_PHONE_INTL))
			return true;
	return false;
}

struct subscription *phone_addon(struct aggregate *a, int64_t now)
{
	for (size_t i = 0; i < a->n_tokens; i++) {
		struct subscription *s = token_subscription(a, &a->tokens[i]);

		if (a->tokens[i].state == TOKEN_ACTIVE && subscription_active(s, now))
			return s;
	}
	/* H12: registered instead of the token, it keeps the proofing. */
	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (s->proofing != PROOFING_NONE && !sponsor_waits(s) &&
			subscription_active(s, now))
			return s;
	}
	return NULL;
}

/* The licence beneath a new phone. Without keys (`licences = automatic`) only
 * root opens the first one; what root began, the owner may finish: without root
 * no pending row could be there (security.md 11). */
static enum verdict judge_licence(struct request *r, const struct phone_adding *x)
{
	struct aggregate *a = x->a;
	const struct subscription *s = subscription_for_phone(a, x->number.country, r->now);
	/* One that was begun with a key at a login says nothing of who vouched. */
	bool known = x->phone && !a->account.enrol_key.len;
	bool vouched = r->standing.root || r->standing.admin || known;

	if (x->product)
		return product_takes_phone((enum product)x->product, x->number.country)
			       ? VERDICT_OK
			       : VERDICT_PHONE_REGION;

	/* What somebody else paid for is nobody's who came first (security.md 11). */
	if (s && sponsor_waits(s) && !vouched)
		return VERDICT_LICENCE_NEEDED;
	if (s)
		return VERDICT_OK;
	if (phone_has_subscription(a, r->now))
		return VERDICT_PHONE_REGION;
	if (phone_addon(a, r->now))
		return VERDICT_OK;
	if (r->broker->settings->mode == LICENCES_AUTOMATIC && (r->standing.root || known))
		return VERDICT_OK;
	return VERDICT_LICENCE_NEEDED;
}

bool phone_vouched(struct request *r, struct aggregate *a)
{
	struct phone_adding x = { .a = a, .phone = phone_pending(a) };

	if (!x.phone || a->account.enrol_key.len)
		return false;
	mag_copy(x.number.country, sizeof x.number.country, x.phone->country);
	return judge_licence(r, &x) == VERDICT_OK;
}

/* A place of 1..max_phones: a free one, or that of a registration that was left. */
static int64_t free_slot(struct request *r, const struct phone_adding *x, struct phone **stale_r)
{
	int64_t max = r->broker->settings->max_phones;
	struct aggregate *a = x->a;

	*stale_r = x->replace ? phone_pending(a) : NULL;
	if (*stale_r)
		return (*stale_r)->slot;
	if (max > PHONES_MAX)
		max = PHONES_MAX;
	for (int64_t slot = 1; slot <= max; slot++)
		if (!phone_by_slot(a, slot))
			return slot;
	for (int64_t slot = 1; slot <= max; slot++) {
		struct phone *p = phone_by_slot(a, slot);

		if (p->state == PHONE_PENDING && p->created_at + PENDING_KEEP < r->now) {
			*stale_r = p;
			return slot;
		}
	}
	return 0;
}

/* Everything that can be said before anything is written. */
static enum verdict judge_add(struct request *r, struct phone_adding *x)
{
	struct phone *stale;
	enum verdict v = number_parse(
		x->asked, x->country, r->broker->settings->region_overrides, &x->number);
	struct phone *same;

	if (v != VERDICT_OK)
		return v;
	if (seal_hash(r->broker->keyring, PEPPER_NUMBER, x->number.e164, strlen(x->number.e164),
		    x->hash))
		return VERDICT_NONE;
	same = phone_by_hash(x->a, x->hash);
	if (same && same->state == PHONE_ACTIVE)
		return VERDICT_PHONE_EXISTS;
	x->phone = same;
	v = judge_licence(r, x);
	if (v != VERDICT_OK)
		return v;
	if (!same && !free_slot(r, x, &stale))
		return VERDICT_PHONE_LIMIT;
	return VERDICT_OK;
}

static int fill_phone(struct request *r, const struct phone_adding *x, struct phone *p)
{
	p->account = x->a->account.row.id;
	p->number_hash.len = HASH_LEN;
	memcpy(p->number_hash.data, x->hash, HASH_LEN);
	mag_copy(p->masked, sizeof p->masked, x->number.masked);
	mag_copy(p->country, sizeof p->country, x->number.country);
	mag_clean(p->label, sizeof p->label, x->label);
	p->voice_only = x->voice_only;
	p->channel = x->channel ? x->channel : CHANNEL_SMS;
	p->state = PHONE_PENDING;
	p->state_since = p->created_at = r->now;
	return seal(r->broker->keyring, "phone.number", p->row.id, x->number.e164,
		strlen(x->number.e164), &p->number);
}

/* What root begins is vouched for: a key that was typed at a login before says
 * nothing any more. */
static void forget_key(struct request *r, const struct phone_adding *x)
{
	if (!r->standing.root || x->product || !x->a->account.enrol_key.len)
		return;
	x->a->account.enrol_key.len = 0;
	store_mark_account(r->tick, r->index, &x->a->account, ROW_CHANGED);
}

static struct phone *add_row(struct request *r, const struct phone_adding *x)
{
	struct phone *stale, *p;
	int64_t slot = free_slot(r, x, &stale);

	forget_key(r, x);
	if (stale) { /* its row serves the new number; nothing rests on it */
		p = stale;
		p->is_default = p->last_used_at = p->subscription = 0;
	} else {
		p = store_add_phone(r->tick, x->a);
		if (!p)
			return NULL;
		p->row.id = store_new_id();
		p->slot = slot;
	}
	if (fill_phone(r, x, p))
		return NULL;
	store_mark_phone(r->tick, r->index, p, stale ? ROW_CHANGED : ROW_NEW);
	return p;
}

/* The chain of a registration: tries belong to the phone's row, not to a code. */
int phone_register_chain(struct request *r, const struct phone *p, struct blob *chain_r)
{
	unsigned char text[8 + 8 + HASH_LEN] = "register";
	uint64_t id = (uint64_t)p->row.id;

	for (int i = 0; i < 8; i++)
		text[8 + i] = (unsigned char)(id >> (8 * i));
	memcpy(text + 16, p->number_hash.data, HASH_LEN);
	chain_r->len = HASH_LEN;
	return seal_hash(r->broker->keyring, PEPPER_CHAIN, text, sizeof text, chain_r->data);
}

int64_t phone_count(
	const struct aggregate *a, enum throttle_kind kind, int64_t subject, int64_t period)
{
	for (size_t i = 0; i < a->n_throttles; i++)
		if (a->throttles[i].kind == (int64_t)kind && a->throttles[i].subject == subject &&
			a->throttles[i].period == period)
			return a->throttles[i].count;
	return 0;
}

uint32_t phone_left(int64_t until, int64_t now)
{
	return until > now ? (uint32_t)(until - now) : 0;
}

void phone_add_challenge(struct request *r, struct phone_adding *x)
{
	const struct settings *s = r->broker->settings;
	struct phone *p = x->phone;
	struct send_input in = { .account = x->a,
		.phone = p,
		.kind = CHALLENGE_REGISTER,
		.channel = p->channel,
		.template = "register",
		.priority = 1 };
	struct challenge *latest, *ch = NULL;
	int64_t tried = 0;
	int res = phone_register_chain(r, p, &in.chain);

	if (res) {
		request_error(r, res);
		return;
	}
	latest = challenge_latest(x->a, &in.chain);
	if (latest) {
		tried = phone_count(x->a, THROTTLE_CHAIN, latest->chain_id, 0);
		if (tried < s->tries) /* P5: a new code does not reset the tries */
			in.chain_id = latest->chain_id;
		else
			tried = 0;
	}
	ch = challenge_live(x->a, &in.chain, p->row.id, p->channel, r->now);
	if (ch && in.chain_id && ch->created_at + s->resend_wait > r->now) {
		x->rep->delivery = (uint32_t)ch->delivery; /* just sent: that code is good */
		request_verdict(r, VERDICT_OK);
		r->result.seconds = phone_left(ch->created_at + s->resend_wait, r->now);
	} else {
		request_verdict(r, send_challenge(r, &in, &ch));
		if (r->result.verdict != VERDICT_OK)
			return;
	}
	x->rep->seconds_left = phone_left(ch->expires_at, r->now);
	x->rep->tries_left = phone_left(s->tries, tried);
}

void phone_add_repeat(struct request *r, struct aggregate *a)
{
	struct phone *p = phone_pending(a);
	struct send_input in = { .account = a,
		.phone = p,
		.kind = CHALLENGE_REGISTER,
		.template = "register",
		.priority = 1 };
	struct challenge *ch = NULL;

	if (p && !phone_register_chain(r, p, &in.chain))
		ch = challenge_live(a, &in.chain, p->row.id, 0, r->now);
	if (ch && ch->delivery == DELIVERY_PENDING && send_order(r, &in, ch))
		r->sms.wanted = false;
}

static void add_answer(const struct phone_adding *x)
{
	struct wire_phone_add_rep *rep = x->rep;
	const struct account *acc = &x->a->account;
	const char *parts[] = { acc->first, acc->middle, acc->last };
	struct mag_buf name;

	mag_copy(rep->number, sizeof rep->number, x->number.e164);
	mag_copy(rep->masked, sizeof rep->masked, x->number.masked);
	mag_copy(rep->country, sizeof rep->country, x->number.country);
	mag_copy(rep->channel, sizeof rep->channel,
		channel_id(x->channel ? x->channel : CHANNEL_SMS));
	mag_buf_init(&name, rep->name, sizeof rep->name);
	for (size_t i = 0; i < 3; i++)
		if (*parts[i])
			mag_buf_printf(&name, "%s%s", name.len ? " " : "", parts[i]);
	rep->phones = (uint32_t)(phones_in_state(x->a, PHONE_ACTIVE) + 1);
}

/* Which way codes go: a landline is called (P10), else what was asked for. */
static bool choose_channel(struct request *r, struct phone_adding *x)
{
	x->voice_only = x->number.kind == NUMBER_FIXED;
	x->channel = channel_from_id(x->channel_id);
	if ((*x->channel_id && !x->channel) || x->channel == CHANNEL_EMAIL) {
		handle_invalid(r, "channel: sms or voice");
		return false;
	}
	if (x->voice_only)
		x->channel = CHANNEL_VOICE;
	return true;
}

void phone_add_try(struct request *r, struct phone_adding *x)
{
	enum verdict v = judge_add(r, x);

	if (v == VERDICT_NONE) {
		request_error(r, MAG_ECRYPTO);
		return;
	}
	if (v != VERDICT_OK) {
		handle_refuse(r, v, x->number.e164);
		return;
	}
	if (!choose_channel(r, x))
		return;
	add_answer(x);
	request_verdict(r, VERDICT_OK);
	if (x->check_only)
		return;
	if (!x->phone) {
		x->phone = add_row(r, x);
	} else if (x->channel && x->phone->channel != x->channel) {
		x->phone->channel = x->channel;
		store_mark_phone(r->tick, r->index, x->phone, ROW_CHANGED);
	}
	if (!x->phone) {
		request_error(r, MAG_ENOSPACE);
		return;
	}
	x->rep->ref = (uint32_t)x->phone->slot;
	mag_copy(x->rep->channel, sizeof x->rep->channel, channel_id(x->phone->channel));
	phone_add_challenge(r, x);
}

void phone_add_decide(struct request *r)
{
	const struct wire_phone_add_req *q = r->body;
	struct phone_adding x = { .asked = q->number,
		.country = q->country,
		.channel_id = q->channel,
		.label = q->label,
		.a = request_account(r),
		.rep = r->reply,
		.check_only = q->check_only != 0 };

	if (phone_may_change(r, x.a, &q->grant))
		phone_add_try(r, &x);
}

/* Other brokers may have sent meanwhile. */
void phone_add_settle(struct request *r)
{
	if (r->sms.wanted && !send_within_budget(r, false))
		request_verdict(r, VERDICT_SEND_LIMITED);
}

void phone_add_delivered(struct request *r, unsigned delivery)
{
	((struct wire_phone_add_rep *)r->reply)->delivery = delivery;
}
