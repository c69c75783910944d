/* Mobile ID (M1): the broker makes a seed, the app takes it from the QR code, one
 * code of it binds it. The seed leaves once, in the answer to mobile_add. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/otp.h"

/* request.state, from decide to settle. */
enum { TOKEN_ID, RIGHT, MADE, END };
_Static_assert(END <= TOKEN_ADD_STATE, "token.h: the caller's places");

/* ---- add ---- */

int mobile_add_want(struct request *r)
{
	return grant_want(r, &((const struct wire_mobile_add_req *)r->body)->grant);
}

/* A new row, in the state in which an assigned token waits. */
static struct token *new_row(struct request *r, struct aggregate *a)
{
	struct token *t = store_add_token(r->tick, a);
	struct mag_buf serial;

	if (!t)
		return NULL;
	t->row.id = store_new_id();
	t->account = a->account.row.id;
	t->kind = TOKEN_MOBILE;
	t->type = TOKEN_TOTP;
	t->algorithm = OTP_SHA1;
	t->digits = MOBILE_DIGITS;
	t->period = MOBILE_PERIOD;
	t->state = TOKEN_STOCK;
	t->created_at = r->now;
	mag_copy(t->organisation, sizeof t->organisation, a->account.organisation);
	mag_buf_init(&serial, t->serial, sizeof t->serial);
	mag_buf_printf(&serial, "M%lld", (long long)t->row.id);
	if (lifecycle_move(t, LIFE_ASSIGN, ACTOR_ADMIN, LIFE_HAS_NOTHING, r->now) != VERDICT_OK)
		return NULL;
	return t;
}

/* One that was never confirmed gets a new seed; one that was must go first. */
struct token *mobile_place(struct request *r, struct aggregate *a, bool paid)
{
	const struct licence_ask ask = { .kind = TOKEN_MOBILE };
	struct token *t = token_held(a, TOKEN_MOBILE);

	if (t && t->state != TOKEN_PENDING_ACTIVATION)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account's app must be revoked first");
	else if (!paid && !token_licensed(r, a, &ask))
		request_verdict(r, VERDICT_LICENCE_NEEDED);
	else if (t || (t = new_row(r, a)))
		return t;
	else
		request_error(r, MAG_ENOSPACE);
	return NULL;
}

void mobile_add_decide(struct request *r)
{
	const struct wire_mobile_add_req *q = r->body;
	struct wire_mobile_add_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct token *t;
	int res;

	if (!phone_may_change(r, a, &q->grant) || !(t = mobile_place(r, a, false)))
		return;
	res = mobile_seed_new(r, &a->account, t, &p->uri);
	if (res) {
		request_error(r, res);
		return;
	}
	if (*q->label)
		mag_clean(t->label, sizeof t->label, q->label);
	store_mark_token(r->tick, r->index, t, t->row.version ? ROW_CHANGED : ROW_NEW);
	mag_copy(p->id, sizeof p->id, "m1");
	request_verdict(r, VERDICT_OK);
}

/* ---- confirm ---- */

/* The code of the app, and of no step before: burnt if it was right. */
static enum verdict judge(struct request *r, struct token *t, const struct mag_secret *code)
{
	struct token_position next = { t->moving, t->drift };
	struct mag_secret seed = { 0 };
	struct token_windows w;
	enum verdict v = VERDICT_NONE;

	token_windows_of(r->broker->settings, &w);
	if (!token_seed(r, t, &seed))
		v = token_judge(t, &seed, mag_secret_text(code), r->now, &w, &next);
	mag_secret_free(&seed);
	if (v == VERDICT_OK) {
		t->moving = next.moving;
		t->drift = next.drift;
	}
	return v;
}

static void claim(struct request *r, const struct mobile_adding *x, struct token *t)
{
	const struct licence_ask ask = { TOKEN_MOBILE, false, true };
	struct subscription *s = x->pays ? x->pays(r, x->a) : token_licence(r, x->a, &ask);

	if (!s) {
		request_verdict(r, VERDICT_LICENCE_NEEDED);
		return;
	}
	t->subscription = s->row.id;
	r->state.i[RIGHT] = 1;
	/* A key that paid stays this account's, whatever comes of the app. */
	r->state.i[MADE] = s->row.fate == ROW_NEW && !x->pays ? s->row.id : 0;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
}

void mobile_confirm_try(struct request *r, const struct mobile_adding *x)
{
	struct aggregate *a = x->a;
	struct token *t = token_held(a, TOKEN_MOBILE);
	enum verdict v;

	if (!t || t->state != TOKEN_PENDING_ACTIVATION) {
		request_verdict(r, VERDICT_NO_CODE_PENDING);
		return;
	}
	if (phone_count(a, THROTTLE_ACTIVATION, a->account.row.id, 0) >= ACTIVATION_TRIES) {
		request_verdict(r, VERDICT_ACTIVATION_BLOCKED);
		return;
	}
	r->state.i[TOKEN_ID] = t->row.id;
	r->charge[r->n_charges++] =
		store_charge(r->tick, r->index, THROTTLE_ACTIVATION, a->account.row.id, 0, 1);
	v = judge(r, t, x->code);
	request_verdict(r, v);
	if (v == VERDICT_OK)
		claim(r, x, t);
	else if (v == VERDICT_NONE)
		request_error(r, MAG_ECRYPTO);
}

void mobile_confirm_decide(struct request *r)
{
	const struct wire_mobile_confirm_req *q = r->body;
	const struct mobile_adding x = { request_account(r), &q->code, NULL };

	if (phone_may_touch(r, x.a))
		mobile_confirm_try(r, &x);
}

static void activate(struct request *r, struct aggregate *a, struct wire_mobile_confirm_rep *p)
{
	struct token *t = token_by_row(a, r->state.i[TOKEN_ID]);
	struct subscription *s = t ? token_subscription(a, t) : NULL;

	request_verdict(r, s ? token_activate(r, a, t, LIFE_HAS_CODE) : VERDICT_NONE);
	if (r->result.verdict != VERDICT_OK)
		return;
	mag_copy(p->id, sizeof p->id, "m1");
	p->expires = s->expires_at;
	mag_copy(p->state, sizeof p->state, token_state_id(a, t, r->now));
}

struct token *mobile_confirm_close(struct request *r, struct wire_mobile_confirm_rep *p)
{
	struct aggregate *a = request_account(r);
	int64_t tried;

	if (!r->n_charges || r->result.error)
		return NULL;
	tried = store_charged(r->tick, r->charge[0]);
	if (tried > ACTIVATION_TRIES) {
		struct token *t = token_by_row(a, r->state.i[TOKEN_ID]);

		if (t && r->state.i[RIGHT] && t->state == TOKEN_PENDING_ACTIVATION) {
			t->subscription = 0;
			store_mark_token(r->tick, r->index, t, ROW_CHANGED);
		}
		token_licence_undo(r, a, r->state.i[MADE]);
		request_verdict(r, VERDICT_ACTIVATION_BLOCKED);
	} else if (r->state.i[RIGHT]) {
		activate(r, a, p);
	} else {
		p->tries_left = phone_left(ACTIVATION_TRIES, tried);
		if (tried == ACTIVATION_TRIES)
			request_verdict(r, VERDICT_ACTIVATION_BLOCKED);
	}
	return r->result.error == 0 && r->result.verdict == VERDICT_OK
		       ? token_by_row(a, r->state.i[TOKEN_ID])
		       : NULL;
}

void mobile_confirm_settle(struct request *r)
{
	mobile_confirm_close(r, r->reply);
}
