/* Licence keys: K1-K3, K5, K7. A key is shown once, when it is issued; the
 * store knows its hash only. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/licence.h"
#include "otpcore/broker/handle/proofing.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/throttle.h"

/* K3: keys that were no key, per account and hour. 120 random bits need no
 * lock; this keeps the broker from being asked in bulk. */
#define KEY_GUESSES_PER_HOUR 10
#define HOUR                 3600
#define ISSUE_MAX            100

int licence_issue(struct request *r, const struct licence_order *o, struct mag_secret *key_r)
{
	unsigned char random[KEY_RANDOM_LEN];
	char text[KEY_TEXT_LEN + 1];
	struct licence *l = NULL;
	int res = mag_random(random, sizeof random);

	if (res)
		return res;
	l = store_add_licence(r->tick);
	if (!l)
		return MAG_ENOMEM;
	key_format(random, text);
	res = key_hash(text, l->hash.data);
	if (!res)
		res = mag_secret_set_text(key_r, text);
	if (!res) {
		l->row.id = store_new_id();
		l->hash.len = HASH_LEN;
		memcpy(l->group, text, 5);
		l->group[5] = 0;
		l->product = o->product;
		l->proofing = o->proofing;
		l->state = o->hold ? LICENCE_HELD : LICENCE_FREE;
		l->account = o->account;
		mag_copy(l->order_ref, sizeof l->order_ref, o->ref);
		l->issued_at = r->now;
		l->purchased_at = o->purchased > 0 ? o->purchased : r->now;
		store_mark_licence(r->tick, r->index, l, ROW_NEW);
	}
	mag_wipe(random, sizeof random);
	mag_wipe(text, sizeof text);
	return res;
}

/* K6: each key takes a seat; false: answered. All that is wanted must fit, so that a
 * large order is not refused half-way. */
static bool take_seats(struct request *r, const struct wire_licence_issue_req *q)
{
	struct seats *s = *q->order ? store_seats(r->tick, q->order) : NULL;
	int64_t need = q->need > q->count ? q->need : q->count;
	char detail[128];
	struct mag_buf b = MAG_BUF(detail);
	bool new = s && !s->row.id;
	int64_t seats;

	if (q->seats && !s) {
		handle_invalid(r, "order: which order are the seats of?");
		return false;
	}
	if (!s || (new && !q->seats))
		return true;
	seats = q->seats ? q->seats : s->seats;
	if (s->taken + need > seats) {
		mag_buf_printf(&b, "the order has %lld seats, %lld of them taken", (long long)seats,
			(long long)s->taken);
		handle_refuse(r, VERDICT_NOT_ALLOWED, detail);
		return false;
	}
	if (new) {
		s->row.id = store_new_id();
		mag_copy(s->order_ref, sizeof s->order_ref, q->order);
	}
	s->seats = seats;
	s->taken += q->count;
	store_mark_seats(r->tick, r->index, s, new ? ROW_NEW : ROW_CHANGED);
	return true;
}

static int issue_want(struct request *r)
{
	const struct wire_licence_issue_req *q = r->body;

	return *q->order ? store_want_seats(r->tick, q->order) : 0;
}

static void issue_decide(struct request *r)
{
	const struct wire_licence_issue_req *q = r->body;
	struct wire_licence_issue_rep *p = r->reply;
	enum product product = product_from_id(q->product);
	const struct licence_order order = { .product = product,
		.proofing = q->proofing != 0,
		.hold = q->hold != 0,
		.purchased = q->purchased,
		.ref = q->order };
	int res = 0;

	if (!product) {
		handle_invalid(r, PRODUCT_WORDS);
		return;
	}
	if (q->count < 1 || q->count > ISSUE_MAX) {
		handle_invalid(r, "count: 1 to 100 keys a message");
		return;
	}
	if (q->purchased > r->now + 86400 || q->purchased < 0) {
		handle_invalid(r, "purchased: a date in the future");
		return;
	}
	/* Keys that nobody could use, or release. */
	if (q->purchased && licence_expiry(q->purchased, 1) <= r->now) {
		handle_invalid(r, "purchased: the year since then is over");
		return;
	}
	if (q->hold && !*q->order) {
		handle_invalid(r, "order: which order has to be paid before they are released?");
		return;
	}
	if (!take_seats(r, q))
		return;
	for (p->n_keys = 0; !res && p->n_keys < q->count; p->n_keys++)
		res = licence_issue(r, &order, &p->keys[p->n_keys].key);
	if (res)
		request_error(r, res);
	else
		request_verdict(r, VERDICT_OK);
}

/* ---- one key: void, activate ---- */

/* The hash of a key as typed; state.i[0] keeps the verdict and i[1] the group
 * that was mistyped, for decide. */
static enum verdict key_hash_of(
	const struct mag_secret *typed, unsigned char hash_r[HASH_LEN], unsigned *group_r)
{
	char text[KEY_TEXT_LEN + 1];
	enum verdict v = key_parse(mag_secret_text(typed), text, group_r);

	if (v == VERDICT_OK && key_hash(text, hash_r))
		v = VERDICT_NONE;
	mag_wipe(text, sizeof text);
	return v;
}

int licence_key_want(struct request *r, const struct mag_secret *typed)
{
	unsigned char hash[HASH_LEN];
	unsigned group = 0;

	if (key_hash_of(typed, hash, &group) != VERDICT_OK)
		return 0;
	return store_want_licence(r->tick, hash);
}

struct licence *licence_key_row(
	struct request *r, const struct mag_secret *typed, unsigned *group_r)
{
	unsigned char hash[HASH_LEN];
	unsigned group = 0;
	char detail[16] = "";
	struct mag_buf b = MAG_BUF(detail);
	enum verdict v = key_hash_of(typed, hash, &group);

	if (v == VERDICT_OK)
		return store_licence(r->tick, hash);
	if (v == VERDICT_NONE) {
		request_error(r, MAG_ECRYPTO);
		return NULL;
	}
	/* "3": the third group; "": not the length of a key. */
	if (group)
		mag_buf_printf(&b, "%u", group);
	handle_refuse(r, v, detail);
	*group_r = group;
	return NULL;
}

static int void_want(struct request *r)
{
	return licence_key_want(r, &((const struct wire_licence_void_req *)r->body)->key);
}

static void void_decide(struct request *r)
{
	const struct wire_licence_void_req *q = r->body;
	unsigned group;
	struct licence *l = licence_key_row(r, &q->key, &group);

	if (!l)
		return;
	if (!l->row.id) {
		request_verdict(r, VERDICT_KEY_UNKNOWN);
	} else if (l->state == LICENCE_USED) {
		request_verdict(r, VERDICT_KEY_USED);
	} else {
		if (l->state != LICENCE_VOID) {
			l->state = LICENCE_VOID;
			store_mark_licence(r->tick, r->index, l, ROW_CHANGED);
		}
		request_verdict(r, VERDICT_OK);
	}
}

static int activate_want(struct request *r)
{
	const struct wire_activate_req *q = r->body;

	return proofing_code_form(mag_secret_text(&q->key)) ? store_want_proofings(r->tick, q->user)
							    : licence_key_want(r, &q->key);
}

static int64_t guesses(const struct aggregate *a, int64_t hour)
{
	for (size_t i = 0; i < a->n_throttles; i++)
		if (a->throttles[i].kind == THROTTLE_KEY && a->throttles[i].period == hour &&
			a->throttles[i].subject == a->account.row.id)
			return a->throttles[i].count;
	return 0;
}

static struct subscription *used_for(struct aggregate *a, const struct licence *l)
{
	struct subscription *same = NULL;

	for (size_t i = 0; i < a->n_subscriptions; i++) {
		if (a->subscriptions[i].licence == l->row.id)
			return &a->subscriptions[i];
		if (a->subscriptions[i].product == l->product)
			same = &a->subscriptions[i];
	}
	return same;
}

enum verdict licence_worth(
	struct request *r, struct aggregate *a, const struct licence *l, struct licence_effect *e_r)
{
	struct subscription *s;

	if (!l->account)
		return licence_effect(a, l, r->broker->settings->renewal_period, r->now, e_r);
	s = sponsor_of(a, l, r->now);
	if (!s)
		return VERDICT_NOT_ALLOWED;
	e_r->extends = s;
	e_r->expires = sponsor_waits(s) ? licence_expiry(s->purchased_at, 1) : s->expires_at;
	return VERDICT_OK;
}

/* The row of the licence is claimed by its version, so of many at once one wins
 * (security.md 38). */
enum verdict licence_bind(
	struct request *r, struct aggregate *a, struct licence *l, struct subscription **s_r)
{
	struct licence_effect e;
	enum verdict v = licence_worth(r, a, l, &e);
	struct subscription *s;

	if (v != VERDICT_OK)
		return v;
	s = e.extends;
	if (!s) {
		s = store_add_subscription(r->tick, a);
		if (!s)
			return VERDICT_NOT_ALLOWED;
		s->row.id = store_new_id();
		s->account = a->account.row.id;
		s->product = l->product;
		s->level = 2; /* proofing raises it (I1) */
		s->proofing = proofing_after_key(PROOFING_NONE, l->proofing, true);
		s->started_at = r->now;
		s->purchased_at = l->purchased_at;
		store_mark_subscription(r->tick, r->index, s, ROW_NEW);
		s->state = SUBSCRIPTION_ACTIVE;
		s->expires_at = e.expires;
	} else if (l->account) {
		sponsor_taken(r, s);
		store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
	} else {
		s->proofing =
			proofing_after_key((enum proofing_need)s->proofing, l->proofing, false);
		subscription_renew(r, a, s, e.expires);
	}
	s->licence = l->row.id;
	l->state = LICENCE_USED;
	l->account = a->account.row.id;
	l->used_at = r->now;
	store_mark_licence(r->tick, r->index, l, ROW_CHANGED);
	*s_r = s;
	return VERDICT_OK;
}

static void activate_answer(struct request *r, const struct subscription *s)
{
	struct wire_activate_rep *p = r->reply;

	mag_copy(p->product, sizeof p->product, product_id((enum product)s->product));
	p->level = (uint32_t)s->level;
	p->expires = s->expires_at;
	mag_copy(p->proofing, sizeof p->proofing, proofing_need_id(s->proofing));
	request_verdict(r, VERDICT_OK);
}

/* A key that is right, and what comes of it. */
static void activate_bind(struct request *r, struct aggregate *a, struct licence *l)
{
	struct subscription *s = NULL;
	enum verdict v = licence_bind(r, a, l, &s);

	if (v == VERDICT_OK)
		activate_answer(r, s);
	else if (v == VERDICT_PRODUCT_WRONG)
		handle_refuse(r, v, "what expired needs a key of its own product");
	else
		handle_refuse(r, v, "its year, counted from purchase, is over");
}

bool licence_key_may_try(struct request *r, struct aggregate *a)
{
	int64_t hour = throttle_hour(r->now);

	if (!a->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
	} else if (!r->standing.root && !r->standing.own && !r->standing.admin) {
		request_error(r, MAG_EPERM);
	} else if (a->account.state != ACCOUNT_ACTIVE) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account is not active");
	} else if (guesses(a, hour) >= KEY_GUESSES_PER_HOUR) {
		request_verdict(r, VERDICT_TRY_LATER);
		r->result.seconds = (uint32_t)((hour + 1) * HOUR - r->now);
	} else {
		return true;
	}
	return false;
}

void licence_key_charge(struct request *r, struct aggregate *a)
{
	r->charge[r->n_charges++] = store_charge(
		r->tick, r->index, THROTTLE_KEY, a->account.row.id, throttle_hour(r->now), 1);
}

static void activate_decide(struct request *r)
{
	const struct wire_activate_req *q = r->body;
	struct aggregate *a = request_account(r);
	struct licence *l = NULL;
	unsigned group;
	enum verdict v;

	r->n_charges = 0;
	if (!licence_key_may_try(r, a))
		return;
	if (proofing_code_form(mag_secret_text(&q->key))) {
		proofing_enter(r, a, &q->key);
		return;
	}
	if (!(l = licence_key_row(r, &q->key, &group)))
		return;
	licence_key_charge(r, a);
	v = licence_judge(l, a->account.row.id);
	if (l->row.id && l->state == LICENCE_HELD)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "waiting for payment");
	else if (l->row.id && l->state == LICENCE_USED && l->account == a->account.row.id)
		activate_answer(r, used_for(a, l)); /* a repeat of what was done */
	else if (v == VERDICT_OK)
		activate_bind(r, a, l);
	else
		request_verdict(r, v);
}

void licence_key_settle(struct request *r)
{
	struct aggregate *a = request_account(r);
	bool ok = r->result.error == 0 && r->result.verdict == VERDICT_OK;

	if (!r->n_charges)
		return;
	if (ok || r->result.verdict == VERDICT_NOT_ALLOWED ||
		r->result.verdict == VERDICT_PRODUCT_WRONG) /* the key itself was right */
		store_charge(r->tick, r->index, THROTTLE_KEY, a->account.row.id,
			throttle_hour(r->now), -1);
	else if (store_charged(r->tick, r->charge[0]) > KEY_GUESSES_PER_HOUR)
		request_verdict(r, VERDICT_TRY_LATER);
}

const struct handler handle_licence[] = {
	{ WIRE_MSG_LICENCE_ISSUE, issue_want, issue_decide, NULL, NULL, NULL },
	{ WIRE_MSG_LICENCE_LIST, NULL, licence_list_decide, NULL, NULL, licence_list_after },
	{ WIRE_MSG_LICENCE_RELEASE, NULL, licence_release_decide, NULL, NULL,
		licence_release_after },
	{ WIRE_MSG_LICENCE_VOID, void_want, void_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACTIVATE, activate_want, activate_decide, licence_key_settle, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
