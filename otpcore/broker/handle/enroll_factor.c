/* Setting up at login: the number and its code, the token and its two codes. The
 * registrations are those of phone.wire and token.wire, with a key that pays. */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/enroll.h"
#include "otpcore/broker/handle/token.h"

/* ---- the number ---- */

static void number_fill(
	struct request *r, const struct phone_adding *x, struct wire_enroll_phone_rep *rep)
{
	const struct wire_phone_add_rep *from = x->rep;
	bool voice_only = x->phone ? x->phone->voice_only != 0 : x->voice_only;

	mag_copy(rep->number, sizeof rep->number, from->number);
	mag_copy(rep->country, sizeof rep->country, x->phone ? x->phone->country : from->country);
	mag_copy(rep->masked, sizeof rep->masked, x->phone ? x->phone->masked : from->masked);
	mag_copy(rep->channel, sizeof rep->channel,
		x->phone ? channel_id(x->phone->channel) : from->channel);
	mag_copy(rep->channels, sizeof rep->channels, voice_only ? "voice" : "sms voice");
	mag_clean(rep->name, sizeof rep->name, from->name);
	rep->delivery = from->delivery;
	rep->seconds_left = from->seconds_left;
	rep->tries_left = from->tries_left;
	rep->resend_after = r->result.seconds;
}

/* The phone that waits: another code, this time by another channel maybe. */
static void to_waiting(struct request *r, struct phone_adding *x)
{
	int64_t channel = channel_from_id(x->channel_id);
	struct phone *p = x->phone = phone_pending(x->a);

	if (!p) {
		request_verdict(r, VERDICT_PHONE_UNKNOWN);
		return;
	}
	if (x->product && !product_takes_phone((enum product)x->product, p->country)) {
		request_verdict(r, VERDICT_PHONE_REGION);
		return;
	}
	if ((channel == CHANNEL_SMS || channel == CHANNEL_VOICE) && !p->voice_only &&
		p->channel != channel) {
		p->channel = channel;
		store_mark_phone(r->tick, r->index, p, ROW_CHANGED);
	}
	request_verdict(r, VERDICT_OK);
	if (!x->check_only)
		phone_add_challenge(r, x);
}

void enroll_phone_decide(struct request *r)
{
	const struct wire_enroll_phone_req *q = r->body;
	struct wire_phone_add_rep shadow = { 0 };
	struct phone_adding x = { .asked = q->number,
		.country = "",
		.channel_id = q->channel,
		.label = "",
		.rep = &shadow,
		.check_only = q->check_only != 0,
		.replace = true };
	struct enroll_means m;
	struct party p;

	if (!enroll_enter(r, q->seq, &p)) {
		/* The message may have been lost with an earlier life of the broker. */
		if (!r->state.i[ENROLL_KEEP] && r->result.error == 0 && !q->check_only)
			phone_add_repeat(r, p.a);
		return;
	}
	if (!enroll_means_for(r, p.a, TAKES_PHONE, &m))
		return;
	x.a = p.a;
	x.product = m.product;
	if (!*q->number)
		to_waiting(r, &x);
	else if (m.key)
		phone_add_try(r, &x);
	else /* to another number than the one that was vouched for */
		request_verdict(r, VERDICT_LICENCE_NEEDED);
	if (r->result.error == 0 && r->result.verdict == VERDICT_OK)
		number_fill(r, &x, r->reply);
}

void enroll_phone_settle(struct request *r)
{
	if (r->state.i[ENROLL_KEEP])
		phone_add_settle(r);
	enroll_leave(r, ((const struct wire_enroll_phone_req *)r->body)->seq);
}

void enroll_phone_delivered(struct request *r, unsigned delivery)
{
	((struct wire_enroll_phone_rep *)r->reply)->delivery = delivery;
}

/* ---- its code ---- */

static struct subscription *key_pays(struct request *r, struct aggregate *a, const struct phone *p)
{
	(void)p;
	return enroll_pay(r, a);
}

void enroll_verify_decide(struct request *r)
{
	const struct wire_enroll_verify_req *q = r->body;
	struct wire_enroll_verify_rep *rep = r->reply;
	struct wire_phone_verify_rep shadow = { 0 };
	struct phone_trying x = { .code = mag_secret_text(&q->code), .rep = &shadow };
	struct enroll_means m;
	struct party p;

	if (!enroll_enter(r, q->seq, &p) || !enroll_means_for(r, p.a, TAKES_PHONE, &m))
		return;
	x.a = p.a;
	x.phone = phone_pending(p.a);
	x.pays = m.key ? key_pays : phone_verify_pays;
	if (!x.phone)
		request_verdict(r, VERDICT_NO_CODE_PENDING);
	else if (m.product && !product_takes_phone((enum product)m.product, x.phone->country))
		request_verdict(r, VERDICT_PHONE_REGION);
	else
		phone_verify_try(r, &x);
	rep->seconds_left = shadow.seconds_left;
}

void enroll_verify_settle(struct request *r)
{
	const struct wire_enroll_verify_req *q = r->body;
	struct wire_enroll_verify_rep *rep = r->reply;
	struct wire_phone_verify_rep shadow = { 0 };
	struct aggregate *a = request_account(r);
	struct phone *p;

	if (!r->state.i[ENROLL_KEEP] || r->result.error)
		return;
	if (phone_verify_close(r, &shadow) && (p = phone_by_slot(a, shadow.ref))) {
		const struct proof proof = { phone_strength(p), phone_level(a, p), p->row.id, 0 };

		p->last_used_at = r->now;
		store_mark_phone(r->tick, r->index, p, ROW_CHANGED);
		rep->expires = shadow.expires;
		if (!mag_streq(phone_state_id(a, p, r->now), "active")) /* I1 */
			request_verdict(r, VERDICT_PROOFING_PENDING);
		else
			enroll_proven(r, &proof,
				&(struct enroll_answer){
					rep->strength, sizeof rep->strength, &rep->level });
	}
	rep->tries_left = shadow.tries_left;
	enroll_leave(r, q->seq);
}

/* ---- the token ---- */

int enroll_token_want(struct request *r)
{
	int res = party_want(r);

	return res ? res
		   : store_want_token(
			     r->tick, ((const struct wire_enroll_token_req *)r->body)->serial);
}

void enroll_token_decide(struct request *r)
{
	const struct wire_enroll_token_req *q = r->body;
	struct token_adding x = { .serial = q->serial,
		.label = "",
		.code1 = q->code1.len ? &q->code1 : NULL,
		.code2 = &q->code2 };
	struct enroll_means m;
	struct party p;

	if (!enroll_enter(r, q->seq, &p) || !enroll_means_for(r, p.a, TAKES_TOKEN, &m))
		return;
	x.a = p.a;
	x.pays = m.key ? enroll_pay : NULL;
	/* Without a key it must be the one that was assigned. */
	if (!m.key && store_token(r->tick, q->serial)->account != p.a->account.row.id)
		token_add_unknown(r, &x);
	else
		token_add_try(r, &x);
}

void enroll_token_settle(struct request *r)
{
	const struct wire_enroll_token_req *q = r->body;
	struct wire_enroll_token_rep *rep = r->reply;
	struct wire_token_add_rep shadow = { 0 };
	struct token *t;

	if (!r->state.i[ENROLL_KEEP] || r->result.error)
		return;
	t = token_add_close(r, &shadow);
	if (t) {
		rep->expires = shadow.expires;
		enroll_token_proven(r, t,
			&(struct enroll_answer){
				rep->strength, sizeof rep->strength, &rep->level });
	}
	rep->tries_left = shadow.tries_left;
	enroll_leave(r, q->seq);
}
