/* Setting up at login: the app. A seed, as an address and a picture; then one code (M1). */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/enroll.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/qr.h"

static void show(struct request *r, const struct aggregate *a, const struct token *t)
{
	const struct wire_enroll_mobile_req *q = r->body;
	struct wire_enroll_mobile_rep *rep = r->reply;
	int res = 0;

	if (!rep->uri.len)
		res = mobile_seed_again(r, &a->account, t, &rep->uri);
	if (!res && q->wants_qr)
		res = qr_draw(mag_secret_text(&rep->uri), &rep->qr, &rep->qr_width);
	if (res)
		request_error(r, res);
	else
		request_verdict(r, VERDICT_OK);
}

/* One that this setting up made keeps its seed: who was cut off may have scanned it. An
 * older one was shown to nobody knows whom. */
static void seed(struct request *r, struct aggregate *a)
{
	struct wire_enroll_mobile_rep *rep = r->reply;
	struct token *t = mobile_place(r, a, true);

	if (!t)
		return;
	if (!t->row.version || t->created_at < a->account.enrol_at) {
		int res = mobile_seed_new(r, &a->account, t, &rep->uri);

		if (res) {
			request_error(r, res);
			return;
		}
		t->created_at = r->now;
		store_mark_token(r->tick, r->index, t, t->row.version ? ROW_CHANGED : ROW_NEW);
	}
	show(r, a, t);
}

/* The answer was lost: what it showed is in the store. */
static void show_again(struct request *r, struct aggregate *a)
{
	struct token *t = token_held(a, TOKEN_MOBILE);

	if (r->result.verdict == VERDICT_OK && t && t->state == TOKEN_PENDING_ACTIVATION)
		show(r, a, t);
}

void enroll_mobile_decide(struct request *r)
{
	const struct wire_enroll_mobile_req *q = r->body;
	struct mobile_adding x = { .code = &q->code, .pays = enroll_pay };
	struct enroll_means m;
	struct party p;

	if (!enroll_enter(r, q->seq, &p)) {
		if (!r->state.i[ENROLL_KEEP] && r->result.error == 0 && !q->code.len)
			show_again(r, request_account(r));
		return;
	}
	if (!enroll_means_for(r, p.a, TAKES_APP, &m))
		return;
	x.a = p.a;
	if (q->code.len)
		mobile_confirm_try(r, &x);
	else
		seed(r, p.a);
}

/* Kept is the answer without what shows the seed: that has a place of its own. */
static void leave(struct request *r, uint32_t seq)
{
	struct wire_enroll_mobile_rep *rep = r->reply;
	struct mag_secret uri = rep->uri, qr = rep->qr;
	uint32_t width = rep->qr_width;

	rep->uri = rep->qr = (struct mag_secret){ 0 };
	rep->qr_width = 0;
	enroll_leave(r, seq);
	rep->uri = uri;
	rep->qr = qr;
	rep->qr_width = width;
}

void enroll_mobile_settle(struct request *r)
{
	const struct wire_enroll_mobile_req *q = r->body;
	struct wire_enroll_mobile_rep *rep = r->reply;
	struct wire_mobile_confirm_rep shadow = { 0 };
	struct token *t;

	if (!r->state.i[ENROLL_KEEP] || r->result.error)
		return;
	t = mobile_confirm_close(r, &shadow);
	if (t) {
		rep->expires = shadow.expires;
		enroll_token_proven(r, t,
			&(struct enroll_answer){
				rep->strength, sizeof rep->strength, &rep->level });
	}
	rep->tries_left = shadow.tries_left;
	leave(r, q->seq);
}
