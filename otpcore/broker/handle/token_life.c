/* What becomes of a token that an account has: resynced (H4), suspended and taken
 * up again (H7), revoked (H8), unlocked. States are lifecycle_move's to write. */
#include <string.h>

#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/proofing.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/password.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/calendar.h"
#include "otpcore/engine/lease.h"

/* request.state, from decide to settle. */
enum { TOKEN_ID, EVENT, RIGHT };

void token_mine_decide(struct request *r)
{
	struct wire_token_mine_rep *p = r->reply;
	struct aggregate *a = request_account(r);

	if (!phone_may_touch(r, a))
		return;
	for (size_t i = 0; i < a->n_tokens; i++) {
		const struct token *t = &a->tokens[i];
		const struct subscription *s = token_subscription(a, t);
		const struct token_line line = { .token = t,
			.state = token_state_id(a, t, r->now),
			.account = a->account.name,
			.expires = s ? s->expires_at : 0,
			.who = token_actor(r) };

		if (t->row.fate != ROW_DELETED &&
			p->n_tokens < sizeof p->tokens / sizeof *p->tokens)
			token_fill(&line, &p->tokens[p->n_tokens++]);
	}
	request_verdict(r, VERDICT_OK);
}

/* ---- two codes: resync, and resume by the user ---- */

/* Both codes for one verdict and one charge (security.md 37); success is settled
 * once the charge was within the limit. */
static void pair_decide(
	struct request *r, struct token *t, enum life_event event, const struct mag_secret codes[2])
{
	struct aggregate *a = request_account(r);
	const struct settings *s = r->broker->settings;
	enum verdict v = lifecycle_allows(
		t, event, token_actor(r), LIFE_HAS_PAIR | token_paid(a, t, r->now));

	if (v == VERDICT_OK && !subscription_active(token_subscription(a, t), r->now))
		v = VERDICT_TOKEN_EXPIRED;
	if (v == VERDICT_OK &&
		phone_count(a, THROTTLE_RESYNC, t->row.id, 0) >= s->resync_fail_limit)
		v = VERDICT_TOKEN_OUT_OF_SYNC;
	if (v != VERDICT_OK) {
		token_refuse(r, v, token_state_id(a, t, r->now));
		return;
	}
	r->state.i[TOKEN_ID] = t->row.id;
	r->state.i[EVENT] = event;
	r->charge[r->n_charges++] =
		store_charge(r->tick, r->index, THROTTLE_RESYNC, t->row.id, 0, 1);
	v = token_pair(r, t, &codes[0], &codes[1]);
	if (v == VERDICT_NONE) {
		request_error(r, MAG_ECRYPTO);
		return;
	}
	request_verdict(r, v);
	if (v != VERDICT_OK)
		return;
	r->state.i[RIGHT] = 1;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
}

void token_resync_decide(struct request *r)
{
	const struct wire_token_resync_req *q = r->body;
	const struct mag_secret codes[2] = { q->code1, q->code2 };
	struct token *t = token_asked(r, request_account(r), q->id);

	if (t)
		pair_decide(r, t, LIFE_RESYNC, codes);
}

/* By an administrator without codes: who suspended it is not asked either. */
void token_resume_decide(struct request *r)
{
	const struct wire_token_resume_req *q = r->body;
	struct wire_token_resume_rep *p = r->reply;
	const struct mag_secret codes[2] = { q->code1, q->code2 };
	struct token *t = token_asked(r, request_account(r), q->id);
	enum verdict v;

	if (!t)
		return;
	mag_copy(p->id, sizeof p->id, t->serial);
	if (token_actor(r) == ACTOR_USER || q->code1.len || q->code2.len) {
		pair_decide(r, t, LIFE_RESUME, codes);
		return;
	}
	v = lifecycle_move(t, LIFE_RESUME, ACTOR_ADMIN, LIFE_HAS_NOTHING, r->now);
	if (v == VERDICT_CODES_WRONG) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			"its counter is not known since a restore: two codes that it shows now "
			"take it up again");
		return;
	}
	if (v != VERDICT_OK) {
		token_refuse(r, v, lifecycle_state_id(t->state));
		return;
	}
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	mag_copy(p->state, sizeof p->state, token_state_id(request_account(r), t, r->now));
	request_verdict(r, VERDICT_OK);
}

/* The two messages answer alike. */
static void pair_answer(struct request *r, const char *state, uint32_t tries_left)
{
	struct wire_token_resync_rep *resync = r->reply;
	struct wire_token_resume_rep *resume = r->reply;

	if (r->message->id == WIRE_MSG_TOKEN_RESYNC) {
		mag_copy(resync->state, sizeof resync->state, state);
		resync->tries_left = tries_left;
	} else {
		mag_copy(resume->state, sizeof resume->state, state);
		resume->tries_left = tries_left;
	}
}

void token_resync_settle(struct request *r)
{
	struct aggregate *a = request_account(r);
	struct token *t = token_by_row(a, r->state.i[TOKEN_ID]);
	int64_t limit = r->broker->settings->resync_fail_limit, tried;
	enum verdict v;

	if (!r->n_charges || r->result.error)
		return;
	tried = store_charged(r->tick, r->charge[0]);
	if (!t || tried > limit || (tried == limit && !r->state.i[RIGHT])) {
		request_verdict(r, t ? VERDICT_TOKEN_OUT_OF_SYNC : VERDICT_NONE);
		return;
	}
	if (!r->state.i[RIGHT]) {
		pair_answer(r, token_state_id(a, t, r->now), phone_left(limit, tried));
		return;
	}
	v = lifecycle_move(t, (enum life_event)r->state.i[EVENT], token_actor(r),
		LIFE_HAS_PAIR | token_paid(a, t, r->now), r->now);
	request_verdict(r, v);
	if (v != VERDICT_OK) /* a message before this one has moved it on */
		return;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	store_charge(r->tick, r->index, THROTTLE_RESYNC, t->row.id, 0, STORE_RESET);
	store_charge(r->tick, r->index, THROTTLE_TOKEN, t->row.id, 0, STORE_RESET);
	pair_answer(r, token_state_id(a, t, r->now), 0);
}

/* ---- suspend, revoke ---- */

/* The last day on which it can be taken up again; 0 if it isn't suspended. */
static int64_t last_day(const struct request *r, const struct token *t)
{
	const struct calendar_rules rules = { .suspended_limit =
						      r->broker->settings->suspended_limit };

	return calendar_suspension_end(t, &rules);
}

/* What a notice says: which credential, until when, why; what becomes of the password. */
static void tell(struct request *r, const struct token *t, const char *kind, const char *reason,
	const char *password)
{
	struct aggregate *a = request_account(r);
	char name[32], day[32], why[129], more[400];
	struct mag_buf b = MAG_BUF(more);
	int64_t last = last_day(r, t);

	mag_buf_printf(&b, "credential=%s\nreason=%s\n", token_name(t, name, sizeof name),
		mag_clean(why, sizeof why, reason));
	if (t->state == TOKEN_SUSPENDED)
		mag_buf_printf(&b, "date=%s\n", mag_time_day(last, day, sizeof day));
	if (*password)
		mag_buf_printf(&b, "password=%s\n", password);
	token_mail(r, a, kind, more);
}

void token_suspend_decide(struct request *r)
{
	const struct wire_token_suspend_req *q = r->body;
	struct wire_token_suspend_rep *p = r->reply;
	struct token *t = token_asked(r, request_account(r), q->id);
	enum verdict v;

	if (!t)
		return;
	v = lifecycle_move(t, LIFE_SUSPEND, token_actor(r), LIFE_HAS_NOTHING, r->now);
	if (v != VERDICT_OK) {
		token_refuse(r, v, lifecycle_state_id(t->state));
		return;
	}
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	mag_copy(p->id, sizeof p->id, t->serial);
	mag_copy(p->state, sizeof p->state, lifecycle_state_id(t->state));
	p->last_day = last_day(r, t);
	tell(r, t, "suspension", q->reason, "");
	request_verdict(r, VERDICT_OK);
}

int token_revoke_want(struct request *r)
{
	const struct wire_token_revoke_req *q = r->body;
	int res = grant_want(r, &q->grant);

	return res ? res : store_want_sessions_of(r->tick, q->user);
}

void token_revoke_decide(struct request *r)
{
	const struct wire_token_revoke_req *q = r->body;
	struct wire_token_revoke_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct token *t;
	enum verdict v;
	bool own = false;

	if (!phone_may_change(r, a, &q->grant) || !(t = token_asked(r, a, q->id)))
		return;
	v = lifecycle_move(t, LIFE_REVOKE, token_actor(r), LIFE_HAS_NOTHING, r->now);
	if (v != VERDICT_OK) {
		token_refuse(r, v, lifecycle_state_id(t->state));
		return;
	}
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	mag_copy(p->id, sizeof p->id, t->serial);
	p->sessions = (uint32_t)session_end_resting(r, a, t->row.id, &own);
	p->own = own;
	proofing_drop_lost(r, a);
	tell(r, t, "revocation", q->reason, password_revoked(r, a));
	request_verdict(r, VERDICT_OK);
}

/* ---- an administrator's reset ---- */

/* All that was counted against the account and what it holds (H4, H13, L15). */
static void forgive(struct request *r, const struct aggregate *a)
{
	for (size_t i = 0; i < a->n_throttles; i++) {
		const struct throttle *c = &a->throttles[i];

		if (c->count <= 0 || c->kind == THROTTLE_SEND_ACCOUNT ||
			c->kind == THROTTLE_SEND_NUMBER || c->kind == THROTTLE_SEND_DAY ||
			c->kind == THROTTLE_CHAIN)
			continue;
		store_charge(r->tick, r->index, (enum throttle_kind)c->kind, c->subject, c->period,
			STORE_RESET);
	}
}

int token_unlock_want(struct request *r)
{
	return grant_want(r, NULL);
}

/* Whoever stole an administrator's password must not take back, guess by guess,
 * what was counted: not on the own account, and not without the administrator's
 * second factor where there is one. Answers if not. */
static bool may_forgive(struct request *r, struct aggregate *a)
{
	if (!phone_may_touch(r, a))
		return false;
	if (r->standing.own && !r->standing.root)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "another administrator has to do it");
	else if (!grant_peer_proven(r, NULL))
		request_verdict(r, VERDICT_ELEVATE_FIRST);
	else
		return true;
	return false;
}

/* security.md 28: a clock that was wrong. */
static void recall(struct request *r, struct token *t)
{
	struct token_position next;
	struct token_windows w;
	char name[32];

	token_windows_of(r->broker->settings, &w);
	if (lease_standing(t, r->now) == LEASE_LIVE || !token_recall(t, r->now, &w, &next))
		return;
	mag_log(MAG_LOG_WARNING,
		"token_unlock account=%s: the last step of %s lay %lld steps ahead: brought back",
		request_account(r)->account.name, token_name(t, name, sizeof name),
		(long long)(t->moving - next.moving));
	t->moving = next.moving;
	t->drift = next.drift;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
}

void token_unlock_decide(struct request *r)
{
	const struct wire_token_unlock_req *q = r->body;
	struct wire_token_unlock_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct token *t;

	if (!may_forgive(r, a))
		return;
	t = token_named(a, q->id);
	if (!t && *q->id) {
		handle_refuse(r, VERDICT_SERIAL_UNKNOWN, q->id);
		return;
	}
	forgive(r, a);
	if (t)
		recall(r, t);
	if (t && t->state == TOKEN_LOCKED) {
		lifecycle_move(t, LIFE_UNLOCK, ACTOR_ADMIN, LIFE_HAS_NOTHING, r->now);
		store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	}
	if (t) {
		mag_copy(p->id, sizeof p->id, t->serial);
		mag_copy(p->state, sizeof p->state, token_state_id(a, t, r->now));
	}
	request_verdict(r, VERDICT_OK);
}
