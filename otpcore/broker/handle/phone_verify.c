/* The code that binds a phone (P3, P4). As at a login, the failure is charged
 * before the code is looked at. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/challenge.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/throttle.h"

struct phone *phone_pending(struct aggregate *a)
{
	struct phone *newest = NULL;

	for (size_t i = 0; i < a->n_phones; i++) {
		struct phone *p = &a->phones[i];

		if (p->state == PHONE_PENDING && p->row.fate != ROW_DELETED &&
			(!newest || p->created_at > newest->created_at))
			newest = p;
	}
	return newest;
}

/* What verify found, from decide to settle: rows and what to refund. */
enum { V_CHAIN, V_PHONE, V_CHALLENGE, V_MADE, V_BOUND, V_RIGHT, V_END };
_Static_assert(V_END == PHONE_TRY_STATE, "phone.h: the caller's places");

/* Without an id: the phone that waits; else the one whose code was entered last,
 * so that a repeat finds it again. */
static struct phone *phone_meant(struct aggregate *a)
{
	const struct challenge *newest = NULL;
	struct phone *p = phone_pending(a);

	for (size_t i = 0; !p && i < a->n_challenges; i++) {
		const struct challenge *ch = &a->challenges[i];

		if (ch->kind == CHALLENGE_REGISTER && ch->state == CHALLENGE_USED &&
			(!newest || ch->used_at > newest->used_at))
			newest = ch;
	}
	for (size_t i = 0; newest && i < a->n_phones; i++)
		if (a->phones[i].row.id == newest->phone && a->phones[i].row.fate != ROW_DELETED)
			p = &a->phones[i];
	return p;
}

static struct challenge *challenge_by_id(struct aggregate *a, int64_t id)
{
	for (size_t i = 0; i < a->n_challenges; i++)
		if (id && a->challenges[i].row.id == id)
			return &a->challenges[i];
	return NULL;
}

static int code_mac(struct request *r, const struct challenge *ch, unsigned char mac_r[HASH_LEN])
{
	return seal_hash(r->broker->keyring, PEPPER_CODE, ch->nonce.data, ch->nonce.len, mac_r);
}

/* Does the code belong to this challenge, which was used? */
static bool code_matches(struct request *r, const struct challenge *ch, const char *code)
{
	unsigned char mac[HASH_LEN];
	bool same = !code_mac(r, ch, mac) &&
		    challenge_matches(mac, (unsigned)r->broker->settings->code_digits, code);

	mag_wipe(mac, sizeof mac);
	return same;
}

/* What the code is worth. Without a MAC nothing is decided, and that is no
 * success. The same right code again gets the first answer again. */
static enum verdict verify_verdict(
	struct request *r, const struct phone *p, struct challenge_input *in)
{
	unsigned char mac[HASH_LEN];
	enum verdict v;

	if (in->live && !code_mac(r, in->live, mac))
		in->mac = mac;
	v = challenge_judge(in);
	in->mac = NULL;
	mag_wipe(mac, sizeof mac);
	if (in->live || v != VERDICT_CODE_USED)
		return v;
	if (!code_matches(r, in->latest, in->code))
		return VERDICT_CODE_WRONG;
	return p->state == PHONE_ACTIVE ? VERDICT_OK : VERDICT_CODE_USED;
}

struct subscription *phone_verify_pays(
	struct request *r, struct aggregate *a, const struct phone *p)
{
	struct subscription *s = subscription_for_phone(a, p->country, r->now);

	if (s)
		sponsor_taken(r, s);
	else if (!phone_has_subscription(a, r->now))
		s = phone_addon(a, r->now);
	/* What began with a key at a login (O5) ends with one. */
	if (s || r->broker->settings->mode != LICENCES_AUTOMATIC ||
		phone_has_subscription(a, r->now) ||
		(a->account.enrol_key.len && !r->standing.root))
		return s;
	s = store_add_subscription(r->tick, a);
	if (!s)
		return NULL;
	s->row.id = store_new_id();
	s->account = a->account.row.id;
	s->product = product_takes_phone(PRODUCT_PHONE_US, p->country) ? PRODUCT_PHONE_US
								       : PRODUCT_PHONE_INTL;
	s->state = SUBSCRIPTION_ACTIVE;
	s->level = 2;
	s->started_at = s->purchased_at = r->now;
	s->expires_at = licence_expiry(r->now, 1);
	store_mark_subscription(r->tick, r->index, s, ROW_NEW);
	r->state.i[V_MADE] = s->row.id;
	return s;
}

/* The right code: the phone is bound (P3). */
static void verify_bind(struct request *r, const struct phone_trying *x, struct challenge *ch)
{
	struct aggregate *a = x->a;
	struct phone *p = x->phone;
	struct subscription *s = x->pays(r, a, p);
	bool first = true;

	if (!s) {
		request_verdict(r, VERDICT_LICENCE_NEEDED);
		return;
	}
	for (size_t i = 0; i < a->n_phones; i++)
		if (a->phones[i].is_default && a->phones[i].state == PHONE_ACTIVE)
			first = false;
	p->state = PHONE_ACTIVE;
	p->state_since = r->now;
	p->subscription = s->row.id;
	p->is_default = first;
	ch->state = CHALLENGE_USED;
	ch->used_at = r->now;
	store_mark_phone(r->tick, r->index, p, ROW_CHANGED);
	store_mark_challenge(r->tick, r->index, ch, ROW_CHANGED);
	request_spent(r, ch->row.id, true);
	r->state.i[V_BOUND] = 1;
	request_verdict(r, VERDICT_OK);
}

/* More than the cap were evaluated at once (other hosts): what this one bound
 * is taken back before it is committed. */
static void verify_undo(struct request *r, struct aggregate *a)
{
	struct challenge *ch = challenge_by_id(a, r->state.i[V_CHALLENGE]);
	struct phone *p = phone_by_slot(a, r->state.i[V_PHONE]);

	if (!r->state.i[V_BOUND] || !ch || !p)
		return;
	p->state = PHONE_PENDING;
	p->subscription = p->is_default = 0;
	ch->state = CHALLENGE_DEAD;
	store_mark_phone(r->tick, r->index, p, ROW_CHANGED);
	store_mark_challenge(r->tick, r->index, ch, ROW_CHANGED);
	for (size_t i = 0; i < a->n_subscriptions && r->state.i[V_MADE]; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (s->row.id != r->state.i[V_MADE])
			continue;
		s->state = SUBSCRIPTION_REVOKED;
		store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
	}
}

/* 30 days of wrong codes count for registrations as for logins (L15). */
static bool verify_allowed(struct request *r, struct aggregate *a)
{
	const struct settings *s = r->broker->settings;

	if (throttle_total(a, THROTTLE_ACCOUNT, a->account.row.id, r->now) < s->total_30d)
		return true;
	request_verdict(r, VERDICT_ACCOUNT_THROTTLED);
	return false;
}

static void verify_charge(struct request *r, struct aggregate *a, int64_t chain_id)
{
	r->n_charges = 0;
	r->charge[r->n_charges++] = store_charge(r->tick, r->index, THROTTLE_CHAIN, chain_id, 0, 1);
	r->charge[r->n_charges++] = store_charge(
		r->tick, r->index, THROTTLE_ACCOUNT, a->account.row.id, throttle_day(r->now), 1);
}

static void verify_judge(struct request *r, const struct phone_trying *x, const struct blob *chain)
{
	struct aggregate *a = x->a;
	struct phone *p = x->phone;
	const struct settings *s = r->broker->settings;
	struct challenge *latest = challenge_latest(a, chain);
	struct challenge *live = challenge_live(a, chain, p->row.id, 0, r->now);
	struct challenge_input in = { live, latest, NULL, (unsigned)s->code_digits, x->code, 0,
		s->tries, r->now };
	enum verdict v;

	if (!latest) {
		request_verdict(r, VERDICT_NO_CODE_PENDING);
		return;
	}
	r->state.i[V_CHAIN] = latest->chain_id;
	r->state.i[V_CHALLENGE] = live ? live->row.id : latest->row.id;
	in.tried = phone_count(a, THROTTLE_CHAIN, latest->chain_id, 0);
	if (!live && latest->state != CHALLENGE_USED) { /* P4: neither judged nor charged */
		request_verdict(r, challenge_judge(&in));
		return;
	}
	if (in.tried >= s->tries) {
		request_verdict(r, VERDICT_TRIES_EXCEEDED);
		return;
	}
	verify_charge(r, a, latest->chain_id);
	v = verify_verdict(r, p, &in);
	r->state.i[V_RIGHT] = v == VERDICT_OK || v == VERDICT_CODE_USED;
	request_verdict(r, v);
	if (v == VERDICT_NONE)
		request_error(r, MAG_ECRYPTO);
	else if (v == VERDICT_OK && live)
		verify_bind(r, x, live);
	else if (live && in.tried + 1 >= s->tries) {
		live->state = CHALLENGE_DEAD;
		store_mark_challenge(r->tick, r->index, live, ROW_CHANGED);
		request_spent(r, live->row.id, false);
	}
	x->rep->seconds_left = live ? phone_left(live->expires_at, r->now) : 0;
}

void phone_verify_try(struct request *r, const struct phone_trying *x)
{
	struct blob chain = { 0 };
	int res;

	r->n_charges = 0;
	if (!verify_allowed(r, x->a))
		return;
	res = phone_register_chain(r, x->phone, &chain);
	if (res) {
		request_error(r, res);
		return;
	}
	x->rep->ref = (uint32_t)x->phone->slot;
	r->state.i[V_PHONE] = x->phone->slot;
	mag_copy(x->rep->masked, sizeof x->rep->masked, x->phone->masked);
	verify_judge(r, x, &chain);
}

void phone_verify_decide(struct request *r)
{
	const struct wire_phone_verify_req *q = r->body;
	struct phone_trying x = { .a = request_account(r),
		.code = mag_secret_text(&q->code),
		.rep = r->reply,
		.pays = phone_verify_pays };

	r->n_charges = 0;
	if (!phone_may_touch(r, x.a))
		return;
	x.phone = q->ref ? phone_by_slot(x.a, q->ref) : phone_meant(x.a);
	if (!x.phone)
		request_verdict(r, q->ref ? VERDICT_PHONE_UNKNOWN : VERDICT_NO_CODE_PENDING);
	else
		phone_verify_try(r, &x);
}

bool phone_verify_close(struct request *r, struct wire_phone_verify_rep *rep)
{
	struct aggregate *a = request_account(r);
	const struct settings *s = r->broker->settings;
	struct phone *p = phone_by_slot(a, r->state.i[V_PHONE]);
	struct subscription *sub = p ? phone_subscription(a, p) : NULL;
	int64_t tried;

	rep->ref = p ? (uint32_t)p->slot : 0;
	rep->phones = (uint32_t)phones_in_state(a, PHONE_ACTIVE);
	rep->expires = sub ? sub->expires_at : 0;
	if (p)
		mag_copy(rep->state, sizeof rep->state, phone_state_id(a, p, r->now));
	if (!r->n_charges)
		return false;
	tried = store_charged(r->tick, r->charge[0]);
	if (tried > s->tries) {
		verify_undo(r, a);
		request_verdict(r, VERDICT_TRIES_EXCEEDED);
	} else if (!r->state.i[V_RIGHT]) {
		rep->tries_left = phone_left(s->tries, tried);
		if (tried >= s->tries)
			request_verdict(r, VERDICT_TRIES_EXCEEDED);
	} else { /* the code was right: give back what this request charged */
		store_charge(r->tick, r->index, THROTTLE_CHAIN, r->state.i[V_CHAIN], 0, -1);
		store_charge(r->tick, r->index, THROTTLE_ACCOUNT, a->account.row.id,
			throttle_day(r->now), -1);
	}
	return r->result.verdict == VERDICT_OK;
}

void phone_verify_settle(struct request *r)
{
	phone_verify_close(r, r->reply);
}
