/* send: a code to a phone, once it is certain that the password came first. */
#include "otpcore/broker/send.h"

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/parts.h"
#include "otpcore/engine/challenge.h"

enum { KEEP, SENT, REUSED_ID }; /* state.i: keep the answer; a code was made */

struct wish { /* what the person asked for */
	struct party p;
	struct phone *phone;
	int64_t channel;
	bool again;
};

static void fill(struct wish *w, const struct challenge *c, int64_t tried)
{
	struct request *r = w->p.r;
	const struct settings *s = r->broker->settings;
	struct wire_send_rep *rep = r->reply;
	int64_t resend = c->created_at + s->resend_wait - r->now;

	rep->delivery = (uint32_t)c->delivery;
	mag_copy(rep->channel, sizeof rep->channel, channel_id(c->channel));
	if (party_shows_digits(r))
		mag_copy(rep->masked, sizeof rep->masked, w->phone->masked);
	rep->seconds_left = c->expires_at > r->now ? (uint32_t)(c->expires_at - r->now) : 0;
	rep->tries_left = tried < s->tries ? (uint32_t)(s->tries - tried) : 0;
	rep->resend_after = resend > 0 ? (uint32_t)resend : 0;
}

static struct send_input order_of(struct wish *w, int64_t chain_id)
{
	return (struct send_input){ .account = w->p.a,
		.phone = w->phone,
		.kind = CHALLENGE_LOGIN,
		.channel = w->channel,
		.chain = w->p.chain,
		.chain_id = chain_id,
		.template = "code",
		.language = w->p.own->account.language,
		.priority = LOGIN_PRIORITY,
		.decoy = w->p.decoy };
}

/* The chain goes on until a code of it was used, its tries are spent, or the
 * login is long over: tries belong to the chain, a resend resets nothing. */
static int64_t chain_going_on(const struct wish *w)
{
	const struct challenge *latest = challenge_latest(w->p.a, &w->p.chain);

	if (!latest || latest->state == CHALLENGE_USED ||
		w->p.r->now - latest->created_at >= TICKET_LIFE ||
		party_tried(&w->p, latest->chain_id) >= w->p.r->broker->settings->tries)
		return 0;
	return latest->chain_id;
}

/* A made-up account's message: nothing is sent, and the answer takes as long
 * and says the same as real ones did lately (security.md 19). */
static void pretend(struct wish *w, struct challenge *c)
{
	struct dispatch *d = w->p.r->broker->dispatch;

	c->delivery = dispatch_last(d);
	w->p.r->hold_ms = dispatch_average_ms(d);
	if (w->p.r->hold_ms < 1)
		w->p.r->hold_ms = 1;
}

static void make(struct wish *w)
{
	struct request *r = w->p.r;
	int64_t chain_id = chain_going_on(w), tried = party_tried(&w->p, chain_id);
	struct send_input in = order_of(w, chain_id);
	struct challenge *c = NULL;
	enum verdict v = send_challenge(r, &in, &c);

	request_verdict(r, v);
	if (v != VERDICT_OK)
		return;
	r->state.i[SENT] = 1;
	fill(w, c, tried);
	((struct wire_send_rep *)r->reply)->delivery = DELIVERY_PENDING;
	if (w->p.decoy)
		pretend(w, c);
}

/* The code that still lives for this phone and channel, unless it was certainly not
 * sent. */
static struct challenge *living(const struct wish *w)
{
	struct challenge *c =
		challenge_live(w->p.a, &w->p.chain, w->phone->row.id, w->channel, w->p.r->now);

	if (!c || c->delivery == DELIVERY_FAILED ||
		party_tried(&w->p, c->chain_id) >= w->p.r->broker->settings->tries)
		return NULL;
	return c;
}

static void send_or_reuse(struct wish *w)
{
	struct request *r = w->p.r;
	struct challenge *c = living(w);
	int64_t wait = c ? c->created_at + r->broker->settings->resend_wait - r->now : 0;
	/* What a receipt calls lost is not offered again; the wait stays as it is. */
	bool again = w->again || (c && c->delivery == DELIVERY_UNDELIVERED);

	if (!c || (again && wait <= 0)) {
		make(w);
		return;
	}
	fill(w, c, party_tried(&w->p, c->chain_id));
	if (again) {
		request_verdict(r, VERDICT_TRY_LATER);
		r->result.seconds = (uint32_t)wait;
	} else {
		((struct wire_send_rep *)r->reply)->reused = 1;
		request_verdict(r, VERDICT_OK);
	}
}

/* Failures that stop an account stop its messages too. */
static enum verdict may_send(const struct wish *w)
{
	const struct party *p = &w->p;
	struct throttle_limits limits;
	const struct throttle_counts counts = {
		.account_30d =
			throttle_total(p->a, THROTTLE_ACCOUNT, p->a->account.row.id, p->r->now),
		.account_source_30d = party_source_total(p),
		.credential_30d =
			throttle_total(p->a, THROTTLE_CREDENTIAL, w->phone->row.id, p->r->now),
	};
	int64_t wait = 0;

	books_limits(p->r->broker->settings, &limits);
	return throttle_judge(&limits, &counts, p->r->now, &wait);
}

/* A repeat of a send: its first answer, with what is known by now. An order
 * that may have been lost with an earlier life of the broker goes out again
 * under its id: smsd takes it for the same message. */
static void repeat(struct party *p)
{
	struct request *r = p->r;
	struct wire_send_rep *rep = r->reply;
	struct challenge *c = challenge_live(p->a, &p->chain, 0, 0, r->now);
	struct wish w = { .p = *p, .phone = c ? party_phone_by_id(p, c->phone) : NULL };
	struct send_input in;

	if (!c || !w.phone || rep->reused || r->result.verdict != VERDICT_OK)
		return;
	w.channel = c->channel;
	rep->delivery = (uint32_t)c->delivery;
	if (c->delivery == DELIVERY_FAILED)
		request_verdict(r, VERDICT_SEND_FAILED);
	if (c->delivery != DELIVERY_PENDING || p->decoy)
		return;
	in = order_of(&w, c->chain_id);
	if (send_order(r, &in, c))
		r->sms.wanted = false;
}

void login_fate_decide(struct request *r)
{
	struct wire_fate_rep *rep = r->reply;
	struct party p;
	int res = party_make(r, &p);
	const struct challenge *c = res ? NULL : challenge_live(p.a, &p.chain, 0, 0, r->now);

	if (res) {
		request_error(r, res);
		return;
	}
	rep->delivery = c ? party_delivery(r, c) : DELIVERY_NONE;
	request_verdict(r, c ? VERDICT_OK : VERDICT_NO_CODE_PENDING);
}

static bool wish_of(struct request *r, struct wish *w)
{
	const struct wire_send_req *q = r->body;

	w->again = q->again != 0;
	w->phone = party_phone(&w->p, q->ref);
	if (!w->phone) {
		request_verdict(r, VERDICT_PHONE_UNKNOWN);
		return false;
	}
	w->channel = *q->channel ? channel_from_id(q->channel) : w->phone->channel;
	if (w->phone->voice_only)
		w->channel = CHANNEL_VOICE;
	if (w->channel != CHANNEL_SMS && w->channel != CHANNEL_VOICE) {
		request_error(r, MAG_EINVAL);
		return false;
	}
	return true;
}

void login_send_decide(struct request *r)
{
	const struct wire_send_req *q = r->body;
	struct wish w = { .again = false };
	int res = party_make(r, &w.p);
	enum verdict v;

	if (res) {
		request_error(r, res);
		return;
	}
	switch (party_seq(&w.p, q->seq)) {
	case SEQ_STALE:
		request_error(r, MAG_ESTALE);
		return;
	case SEQ_REPEAT:
		repeat(&w.p);
		return;
	case SEQ_NEW:
		break;
	}
	/* What is decided cannot be reopened. */
	if (w.p.login->verified_at || r->ticket.decision != DECISION_ASK) {
		request_error(r, MAG_ESTALE);
		return;
	}
	r->state.i[KEEP] = 1;
	if (w.p.login->verdict == VERDICT_TRIES_EXCEEDED)
		request_verdict(r, VERDICT_TRIES_EXCEEDED);
	else if (!wish_of(r, &w))
		r->state.i[KEEP] = r->result.error == 0;
	else if ((v = may_send(&w)) != VERDICT_OK)
		request_verdict(r, v);
	else
		send_or_reuse(&w);
}

void login_send_settle(struct request *r)
{
	const struct wire_send_req *q = r->body;
	struct party p;

	if (!r->state.i[KEEP] || party_make(r, &p))
		return;
	if (r->state.i[SENT] && !send_within_budget(r, p.decoy))
		request_verdict(r, VERDICT_SEND_LIMITED);
	party_keep(&p, q->seq, party_failures(&p));
}

void login_send_delivered(struct request *r, unsigned delivery)
{
	struct wire_send_rep *rep = r->reply;

	rep->delivery = delivery;
	if (delivery == DELIVERY_FAILED)
		request_verdict(r, VERDICT_SEND_FAILED);
}
