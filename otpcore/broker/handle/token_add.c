/* A hardware token is activated: its serial and two consecutive codes (H2, H13).
 * The failure is charged before the codes are looked at; right ones are burnt and
 * the token is claimed; active it is only once the charge was within the limit. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/throttle.h"

#define HOUR                    3600
#define SERIAL_GUESSES_PER_HOUR 10

/* request.state, from decide to settle. */
enum { TOKEN_ID, RIGHT, MADE, TAKEN, GUESS, END };
_Static_assert(END <= TOKEN_ADD_STATE, "token.h: the caller's places");

int token_add_want(struct request *r)
{
	const struct wire_token_add_req *q = r->body;
	int res = grant_want(r, &q->grant);

	return res ? res : store_want_token(r->tick, q->serial);
}

/* Another's token, another organisation's and none at all are answered alike. */
static bool known_to(const struct aggregate *a, const struct token *t)
{
	if (!t->row.id || t->kind != TOKEN_HARDWARE)
		return false;
	if (*t->organisation && !mag_streq(t->organisation, a->account.organisation))
		return false;
	return t->account == a->account.row.id || !t->account;
}

/* Serials that are nobody's or another's would tell what lies in the inventory: so
 * many an hour, as of licence keys and together with these. The owner waits, and is
 * not blocked by them (H13 counts pairs). */
static bool may_guess(struct request *r, const struct aggregate *a)
{
	int64_t hour = throttle_hour(r->now);

	if (phone_count(a, THROTTLE_KEY, a->account.row.id, hour) < SERIAL_GUESSES_PER_HOUR)
		return true;
	request_verdict(r, VERDICT_TRY_LATER);
	r->result.seconds = (uint32_t)((hour + 1) * HOUR - r->now);
	return false;
}

void token_add_unknown(struct request *r, const struct token_adding *x)
{
	if (!may_guess(r, x->a))
		return;
	r->state.i[GUESS] = 1;
	r->charge[r->n_charges++] = store_charge(
		r->tick, r->index, THROTTLE_KEY, x->a->account.row.id, throttle_hour(r->now), 1);
	handle_refuse(r, VERDICT_SERIAL_UNKNOWN, x->serial);
}

/* Everything that can be said before a code is looked at. Answers if it is no. */
static struct token *candidate(struct request *r, const struct token_adding *x)
{
	struct aggregate *a = x->a;
	struct token *t = store_token(r->tick, x->serial), *held;
	const struct licence_ask ask = { .kind = TOKEN_HARDWARE,
		.assigned = t->row.id && t->account == a->account.row.id };
	enum verdict v;

	if (phone_count(a, THROTTLE_ACTIVATION, a->account.row.id, 0) >= ACTIVATION_TRIES) {
		request_verdict(r, VERDICT_ACTIVATION_BLOCKED);
		return NULL;
	}
	if (!may_guess(r, a))
		return NULL;
	if (!known_to(a, t)) {
		token_add_unknown(r, x);
		return NULL;
	}
	v = lifecycle_allows(t, LIFE_ACTIVATE, ACTOR_USER, LIFE_HAS_PAIR);
	if (v != VERDICT_OK) {
		token_refuse(r, v, lifecycle_state_id(t->state));
		return NULL;
	}
	held = token_held(a, TOKEN_HARDWARE);
	if (held && held->row.id != t->row.id) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account's token must be revoked first");
		return NULL;
	}
	if (!x->pays && !token_licensed(r, a, &ask)) {
		request_verdict(r, VERDICT_LICENCE_NEEDED);
		return NULL;
	}
	return t;
}

/* The pair was right: the token is this account's; of many at once one wins. */
static void claim(struct request *r, const struct token_adding *x, struct token *t)
{
	struct aggregate *a = x->a;
	const struct licence_ask ask = { TOKEN_HARDWARE, t->account != 0, true };
	struct token *mine = t->account ? t : store_take_token(r->tick, a, t);
	struct subscription *s = NULL;

	if (mine)
		s = x->pays ? x->pays(r, a) : token_licence(r, a, &ask);
	if (!s) {
		request_error(r, mine ? MAG_ENOSPACE : MAG_ECONFLICT);
		return;
	}
	r->state.i[RIGHT] = 1;
	r->state.i[TAKEN] = mine != t;
	/* A key that paid stays this account's, whatever comes of the token. */
	r->state.i[MADE] = s->row.fate == ROW_NEW && !x->pays ? s->row.id : 0;
	mine->subscription = s->row.id;
	if (*x->label)
		mag_clean(mine->label, sizeof mine->label, x->label);
	store_mark_token(r->tick, r->index, mine, ROW_CHANGED);
	request_verdict(r, VERDICT_OK);
}

void token_add_try(struct request *r, const struct token_adding *x)
{
	struct token *t = candidate(r, x);
	enum verdict v;

	if (!t)
		return;
	if (!x->code1) {
		request_verdict(r, VERDICT_OK);
		return;
	}
	r->state.i[TOKEN_ID] = t->row.id;
	r->charge[r->n_charges++] =
		store_charge(r->tick, r->index, THROTTLE_ACTIVATION, x->a->account.row.id, 0, 1);
	v = token_pair(r, t, x->code1, x->code2);
	if (v == VERDICT_OK)
		claim(r, x, t);
	else if (v == VERDICT_NONE)
		request_error(r, MAG_ECRYPTO);
	else
		request_verdict(r, v);
}

void token_add_decide(struct request *r)
{
	const struct wire_token_add_req *q = r->body;
	const struct token_adding x = { .a = request_account(r),
		.serial = q->serial,
		.label = q->label,
		.code1 = &q->code1,
		.code2 = &q->code2 };

	if (phone_may_change(r, x.a, &q->grant))
		token_add_try(r, &x);
}

/* More than the limit were judged at once: what this one claimed is given back
 * before it is committed; its codes stay burnt. */
static void give_back(struct request *r, struct aggregate *a)
{
	struct token *t = token_by_row(a, r->state.i[TOKEN_ID]);

	if (t && t->state != TOKEN_ACTIVE) {
		t->subscription = 0;
		if (r->state.i[TAKEN])
			t->account = 0;
		store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	}
	token_licence_undo(r, a, r->state.i[MADE]);
}

static void activate(struct request *r, struct aggregate *a, struct wire_token_add_rep *p)
{
	struct token *t = token_by_row(a, r->state.i[TOKEN_ID]);
	struct subscription *s = t ? token_subscription(a, t) : NULL;

	if (!s || t->account != a->account.row.id) {
		request_error(r, MAG_ESTORE);
		return;
	}
	request_verdict(r, token_activate(r, a, t, LIFE_HAS_PAIR));
	if (r->result.verdict != VERDICT_OK)
		return;
	mag_copy(p->id, sizeof p->id, "t1");
	mag_copy(p->serial, sizeof p->serial, t->serial);
	p->expires = s->expires_at;
	mag_copy(p->state, sizeof p->state, token_state_id(a, t, r->now));
}

struct token *token_add_close(struct request *r, struct wire_token_add_rep *p)
{
	struct aggregate *a = request_account(r);
	int64_t tried;

	if (!r->n_charges || r->result.error)
		return NULL;
	tried = store_charged(r->tick, r->charge[0]);
	if (r->state.i[GUESS]) {
		if (tried > SERIAL_GUESSES_PER_HOUR)
			request_verdict(r, VERDICT_TRY_LATER);
		return NULL;
	}
	if (tried > ACTIVATION_TRIES) {
		if (r->state.i[RIGHT])
			give_back(r, a);
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

void token_add_settle(struct request *r)
{
	token_add_close(r, r->reply);
}
