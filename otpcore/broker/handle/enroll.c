/* Setting up at login: what pays, and the key (O5, K1-K3). */
#include "otpcore/broker/handle/enroll.h"

#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/licence.h"
#include "otpcore/broker/handle/token.h"

/* Who was cut off goes on without typing the key again, for this long: whoever has
 * the password by then could go on, too (security.md 11). */
#define KEY_KEPT 3600

/* ---- what pays ---- */

/* A seed is shown on hosts that we answer for, not on those that only relay to us: they are
 * not to know what makes codes (security.md 40). */
static uint32_t takes_of(const struct request *r, int64_t product)
{
	uint32_t takes = product_is_phone((enum product)product) ? TAKES_PHONE : TAKES_NOTHING;

	if (r->through == THROUGH_SOCKET && product_takes_mobile((enum product)product))
		takes |= TAKES_APP;
	return takes | (product_takes_token((enum product)product) ? TAKES_TOKEN : 0u);
}

static struct subscription *paid_by(struct aggregate *a, const struct licence *l, int64_t now)
{
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (a->subscriptions[i].licence == l->row.id &&
			subscription_active(&a->subscriptions[i], now))
			return &a->subscriptions[i];
	return NULL;
}

/* A free key, or the one that this account's own subscription rests on: whoever has
 * it holds what came another way than the password. */
static enum verdict judge(
	struct request *r, struct aggregate *a, const struct licence *l, struct enroll_means *m)
{
	struct licence_effect e;
	enum verdict v = licence_judge(l, a->account.row.id);

	if (v == VERDICT_KEY_USED && l->state == LICENCE_USED && l->account == a->account.row.id &&
		(m->own = paid_by(a, l, r->now)))
		v = VERDICT_OK;
	else if (v == VERDICT_OK)
		v = licence_worth(r, a, l, &e);
	if (v != VERDICT_OK)
		return v;
	m->product = l->product;
	m->takes = takes_of(r, l->product);
	return m->takes ? VERDICT_OK : VERDICT_PRODUCT_WRONG;
}

static bool token_assigned(struct request *r, struct aggregate *a)
{
	const struct licence_ask ask = { .kind = TOKEN_HARDWARE, .assigned = true };
	const struct token *t = token_held(a, TOKEN_HARDWARE);

	return t && t->state == TOKEN_PENDING_ACTIVATION && token_licensed(r, a, &ask);
}

void enroll_find(struct request *r, struct aggregate *a, struct enroll_means *m_r)
{
	struct enroll_means m = { .verdict = VERDICT_LICENCE_NEEDED };
	struct blob *typed = &a->account.enrol_key;
	struct licence *l = NULL;

	if (typed->len == HASH_LEN && r->now - a->account.enrol_at < KEY_KEPT &&
		(l = store_licence(r->tick, typed->data)))
		m.verdict = judge(r, a, l, &m);
	if (m.verdict == VERDICT_OK) {
		m.key = l;
	} else {
		m.own = NULL;
		m.product = 0;
		m.takes = phone_vouched(r, a) ? TAKES_PHONE : TAKES_NOTHING;
		m.takes |= token_assigned(r, a) ? TAKES_TOKEN : 0u;
		if (m.takes)
			m.verdict = VERDICT_OK;
	}
	*m_r = m;
}

bool enroll_means_for(
	struct request *r, struct aggregate *a, uint32_t sort, struct enroll_means *m_r)
{
	enroll_find(r, a, m_r);
	if (m_r->verdict == VERDICT_OK && m_r->takes & sort)
		return true;
	request_verdict(r, m_r->verdict == VERDICT_OK ? VERDICT_PRODUCT_WRONG : m_r->verdict);
	return false;
}

struct subscription *enroll_pay(struct request *r, struct aggregate *a)
{
	struct subscription *s;
	struct enroll_means m;

	enroll_find(r, a, &m);
	s = m.own;
	if (!m.key || (!s && licence_bind(r, a, m.key, &s) != VERDICT_OK))
		return NULL;
	a->account.enrol_key.len = 0;
	store_mark_account(r->tick, r->index, &a->account, ROW_CHANGED);
	return s;
}

/* ---- begin ---- */

bool enroll_fits(const struct aggregate *a, const struct policy *p)
{
	return a->exists && !*a->account.parent && p->unenrolled == UNENROLLED_ENROLL &&
	       (p->mode == MODE_SEPARATE || p->mode == MODE_SHORT) &&
	       strength_satisfies(STRENGTH_HARDWARE_OTP, p->require);
}

bool enroll_offered(const struct request *r, const struct aggregate *a, const struct policy *p)
{
	return enroll_fits(a, p) && !login_enrolled(a) && (r->standing.root || r->standing.own);
}

void enroll_begin(struct request *r, struct aggregate *a, struct wire_begin_rep *rep)
{
	struct phone *waits = phone_pending(a);
	struct enroll_means m;

	enroll_find(r, a, &m);
	rep->takes = m.verdict == VERDICT_OK ? m.takes : TAKES_NOTHING;
	if (!waits || !(rep->takes & TAKES_PHONE) ||
		(m.product && !product_takes_phone((enum product)m.product, waits->country)))
		return;
	login_factor(r, a, &(struct offer){ .phone = waits }, &rep->factors[rep->n_factors++]);
}

/* ---- every message of it ---- */

bool enroll_enter(struct request *r, uint32_t seq, struct party *p_r)
{
	int res = party_make(r, p_r);
	const struct aggregate *a = request_account(r);

	if (!res && !r->standing.root && !r->standing.own)
		res = MAG_EPERM;
	if (res) {
		request_error(r, res);
		return false;
	}
	switch (party_seq(p_r, seq)) {
	case SEQ_REPEAT:
		return false;
	case SEQ_NEW:
		break;
	case SEQ_STALE:
		request_error(r, MAG_ESTALE);
		return false;
	}
	/* Decided logins stay so; who has a credential by now, of the own or a
	 * parent's (H11), logs in with it. */
	if (r->ticket.decision != DECISION_ENROLL || p_r->decoy || p_r->login->verified_at ||
		login_enrolled(a) || *a->account.parent ||
		!login_account_usable(a, WIRE_UID_UNKNOWN)) {
		request_error(r, MAG_ESTALE);
		return false;
	}
	r->state.i[ENROLL_KEEP] = 1;
	if (p_r->login->verdict != VERDICT_TRIES_EXCEEDED)
		return true;
	request_verdict(r, VERDICT_TRIES_EXCEEDED);
	return false;
}

void enroll_leave(struct request *r, uint32_t seq)
{
	struct party p;

	if (!r->state.i[ENROLL_KEEP] || r->result.error)
		return;
	if (party_make(r, &p))
		request_error(r, MAG_ECRYPTO);
	else
		party_keep(&p, seq, 0);
}

void enroll_proven(struct request *r, const struct proof *proof, const struct enroll_answer *answer)
{
	const struct wire_ticket *t = &r->ticket;
	struct login *l = store_login(r->tick, t->login);

	if (!strength_satisfies(proof->strength, strength_from_id(t->require)) ||
		proof->level < t->level) {
		request_verdict(r, VERDICT_REQUIREMENTS_NOT_MET);
		return;
	}
	l->strength = proof->strength;
	l->level = proof->level;
	l->phone = proof->phone;
	l->token = proof->token;
	l->verified_at = r->now;
	mag_copy(answer->strength, answer->cap, strength_id(proof->strength));
	*answer->level = (uint32_t)proof->level;
	request_verdict(r, VERDICT_OK);
}

void enroll_token_proven(struct request *r, struct token *t, const struct enroll_answer *answer)
{
	const struct proof proof = { token_strength(t), token_level(request_account(r), t), 0,
		t->row.id };

	t->last_used_at = r->now;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	if (t->state == TOKEN_ACTIVE)
		enroll_proven(r, &proof, answer);
	else
		request_verdict(r, VERDICT_PROOFING_PENDING);
}

/* ---- the key ---- */

int enroll_key_want(struct request *r)
{
	int res = party_want(r);

	return res ? res : licence_key_want(r, &((const struct wire_enroll_key_req *)r->body)->key);
}

static void key_fill(struct request *r, struct aggregate *a, const struct enroll_means *m)
{
	struct wire_enroll_key_rep *rep = r->reply;
	struct licence_effect e = { 0 };

	mag_copy(rep->product, sizeof rep->product, product_id((enum product)m->product));
	mag_copy(rep->label, sizeof rep->label, product_label((enum product)m->product));
	rep->takes = m->takes;
	rep->expires = m->own ? m->own->expires_at : 0;
	if (!m->own && licence_effect(a, m->key, r->broker->settings->renewal_period, r->now, &e) ==
			       VERDICT_OK)
		rep->expires = e.expires;
}

void enroll_key_decide(struct request *r)
{
	const struct wire_enroll_key_req *q = r->body;
	struct wire_enroll_key_rep *rep = r->reply;
	struct enroll_means m = { .verdict = VERDICT_NONE };
	struct party p;

	if (!enroll_enter(r, q->seq, &p) || !licence_key_may_try(r, p.a) ||
		!(m.key = licence_key_row(r, &q->key, &rep->group)))
		return;
	licence_key_charge(r, p.a);
	m.verdict = judge(r, p.a, m.key, &m);
	request_verdict(r, m.verdict);
	if (m.verdict != VERDICT_OK)
		return;
	/* It binds when the code matches; until then an interrupted login goes on here. */
	p.a->account.enrol_key.len = HASH_LEN;
	memcpy(p.a->account.enrol_key.data, m.key->hash.data, HASH_LEN);
	p.a->account.enrol_at = r->now;
	store_mark_account(r->tick, r->index, &p.a->account, ROW_CHANGED);
	key_fill(r, p.a, &m);
}

void enroll_key_settle(struct request *r)
{
	const struct wire_enroll_key_req *q = r->body;
	struct aggregate *a = request_account(r);
	bool kept = r->result.verdict == VERDICT_OK && r->n_charges > 0;

	if (r->result.error)
		return;
	licence_key_settle(r);
	if (kept && r->result.verdict != VERDICT_OK) { /* over the limit: as if not typed */
		wire_clear(&r->message->reply, r->reply);
		a->account.enrol_key.len = 0;
		store_mark_account(r->tick, r->index, &a->account, ROW_CHANGED);
	}
	enroll_leave(r, q->seq);
}
