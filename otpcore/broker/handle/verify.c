/* verify: the failure is reserved before the code is looked at, and the result
 * is told only if the reservation stayed within the limits (security.md 5). */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/trial.h"
#include "otpcore/broker/send.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/challenge.h"

struct phone_trial {
	struct trial t;
	struct challenge *live, *latest;
	struct phone *phone;
	int64_t tried;
};

int verify_want(struct request *r)
{
	int res = party_want(r);

	if (!res && r->has_ticket && mag_streq(r->ticket.service, SERVICE_ELEVATE))
		res = session_want(r);
	return res;
}

/* ---- a phone's code ---- */

static void identify(struct phone_trial *t, int64_t chain_id)
{
	t->t.run = THROTTLE_CHAIN;
	t->t.run_subject = chain_id;
	t->t.run_cap = t->t.p.r->broker->settings->tries;
	t->t.run_over = VERDICT_TRIES_EXCEEDED;
	t->t.credential = t->live ? t->live->phone : 0;
}

static void find(struct request *r, struct phone_trial *t)
{
	struct party *p = &t->t.p;

	t->live = challenge_live(p->a, &p->chain, 0, 0, r->now);
	t->latest = challenge_latest(p->a, &p->chain);
	t->phone = t->live ? party_phone_by_id(p, t->live->phone) : NULL;
	if (!t->phone) /* taken off the account, or expired, since */
		t->live = NULL;
	identify(t, t->live ? t->live->chain_id : t->latest ? t->latest->chain_id : 0);
	t->tried = trial_run(&t->t);
}

static enum verdict judge(const struct phone_trial *t)
{
	const struct party *p = &t->t.p;
	const struct wire_verify_req *q = p->r->body;
	const struct settings *s = p->r->broker->settings;
	unsigned char mac[HASH_LEN];
	struct challenge_input in = { .live = t->live,
		.latest = t->latest,
		.digits = (unsigned)s->code_digits,
		.code = mag_secret_text(&q->code),
		.tried = t->tried,
		.tries = s->tries,
		.now = p->r->now };
	enum verdict v;

	if (t->live && !seal_hash(p->r->broker->keyring, PEPPER_CODE, t->live->nonce.data,
			       t->live->nonce.len, mac))
		in.mac = mac;
	v = challenge_judge(&in);
	mag_wipe(mac, sizeof mac);
	/* Nobody is behind a made-up account: luck does not help. */
	if (p->decoy && v == VERDICT_OK)
		v = t->tried + 1 >= s->tries ? VERDICT_TRIES_EXCEEDED : VERDICT_CODE_WRONG;
	return v;
}

static void mark(const struct phone_trial *t, int64_t state)
{
	struct request *r = t->t.p.r;

	t->live->state = state;
	if (state == CHALLENGE_USED)
		t->live->used_at = r->now;
	if (t->t.p.decoy)
		return;
	store_mark_challenge(r->tick, r->index, t->live, ROW_CHANGED);
	request_spent(r, t->live->row.id, state == CHALLENGE_USED);
}

/* The challenge and the session that elevates are claimed: whoever else had the
 * same code lost the race. */
static void accept(const struct phone_trial *t)
{
	struct request *r = t->t.p.r;

	mark(t, CHALLENGE_USED);
	t->phone->last_used_at = r->now;
	store_mark_phone(r->tick, r->index, t->phone, ROW_CHANGED);
	verify_claim_session(r);
}

static void evaluate(const struct phone_trial *t)
{
	struct request *r = t->t.p.r;
	enum verdict v;

	r->state.i[TRIAL_EVALUATED] = EVALUATED_PHONE;
	r->state.i[TRIAL_CREDENTIAL] = t->live->row.id;
	trial_reserve(&t->t);
	v = judge(t);
	request_verdict(r, v);
	if (v == VERDICT_NONE)
		request_error(r, MAG_ECRYPTO);
	else if (v == VERDICT_OK)
		accept(t);
	else if (v == VERDICT_TRIES_EXCEEDED)
		mark(t, CHALLENGE_DEAD);
}

/* Expired, used, none: not looked at, not charged. A chain that others (or an
 * earlier login) have spent does not end this login: it may ask for a code of
 * its own. */
static enum verdict unjudged(const struct phone_trial *t)
{
	enum verdict v = judge(t);

	return v == VERDICT_TRIES_EXCEEDED && !party_failures(&t->t.p) ? VERDICT_NO_CODE_PENDING
								       : v;
}

static void decide_phone(struct request *r, const struct party *p)
{
	struct phone_trial t = { .t.p = *p };

	find(r, &t);
	if (p->login->verdict == VERDICT_TRIES_EXCEEDED)
		request_verdict(r, VERDICT_TRIES_EXCEEDED);
	else if (!t.live || t.tried >= r->broker->settings->tries)
		request_verdict(r, unjudged(&t));
	else if (trial_may_judge(&t.t))
		evaluate(&t);
}

/* decide may have been the last to see the challenge as live. */
static bool find_again(struct request *r, struct phone_trial *t)
{
	struct party *p = &t->t.p;

	for (size_t i = 0; i < p->a->n_challenges; i++)
		if (p->a->challenges[i].row.id == r->state.i[TRIAL_CREDENTIAL])
			t->live = &p->a->challenges[i];
	if (!t->live)
		return false;
	identify(t, t->live->chain_id);
	t->phone = party_phone_by_id(p, t->live->phone);
	return t->phone != NULL;
}

static void settle_phone(struct request *r, const struct party *p)
{
	struct phone_trial t = { .t.p = *p };
	struct wire_verify_rep *rep = r->reply;
	enum verdict limit;

	if (!find_again(r, &t)) {
		request_error(r, MAG_ESTORE);
		return;
	}
	limit = trial_within(&t.t);
	if (limit != VERDICT_OK)
		request_verdict(r, limit);
	if (r->result.verdict == VERDICT_OK) {
		const struct proof proof = { phone_strength(t.phone), phone_level(p->a, t.phone),
			t.phone->row.id, 0 };

		trial_refund(&t.t, r->state.i[TRIAL_FAILURES], true);
		verify_succeed(r, p, &proof);
		return;
	}
	r->state.i[TRIAL_FAILURES]++;
	rep->tries_left = trial_left(&t.t);
	rep->seconds_left =
		t.live->expires_at > r->now ? (uint32_t)(t.live->expires_at - r->now) : 0;
	rep->delivery = party_delivery(r, t.live);
}

/* ---- either ---- */

void verify_claim_session(struct request *r)
{
	struct wire_verify_rep *rep = r->reply;
	const char *reason = "";

	/* Raised only when the reservation has stayed within the limits. */
	if (!mag_streq(r->ticket.service, SERVICE_ELEVATE))
		return;
	r->state.i[TRIAL_CLAIMED] = session_claim(r, request_account(r), &reason);
	mag_copy(rep->reason, sizeof rep->reason, reason);
}

void verify_succeed(struct request *r, const struct party *p, const struct proof *proof)
{
	struct wire_verify_rep *rep = r->reply;

	trial_proven(r, p, proof);
	mag_copy(rep->strength, sizeof rep->strength, strength_id(proof->strength));
	rep->level = (uint32_t)proof->level;
	rep->raised = r->state.i[TRIAL_CLAIMED] != 0;
}

void verify_decide(struct request *r)
{
	const struct wire_verify_req *q = r->body;
	struct party p;
	int res = party_make(r, &p);
	enum party_seq seq;

	if (res) {
		request_error(r, res);
		return;
	}
	seq = party_seq(&p, q->seq);
	if (seq == SEQ_REPEAT)
		return;
	if (seq == SEQ_STALE || p.login->verified_at || r->ticket.decision != DECISION_ASK) {
		request_error(r, MAG_ESTALE);
		return;
	}
	r->state.i[TRIAL_KEEP] = 1;
	r->state.i[TRIAL_FAILURES] = party_failures(&p);
	if (!verify_twin_decide(r, &p) && !verify_recovery_decide(r, &p) &&
		!verify_token_decide(r, &p))
		decide_phone(r, &p);
}

static enum pace_whose whose(struct request *r, const struct party *p)
{
	if (r->result.verdict != VERDICT_CODE_WRONG)
		return PACE_NONE;
	if (!p->decoy)
		return PACE_REAL;
	if (r->hidden)
		return PACE_HIDDEN;
	return request_account(r)->exists ? PACE_BARE : PACE_UNKNOWN;
}

void verify_settle(struct request *r)
{
	const struct wire_verify_req *q = r->body;
	struct party p;

	if (!r->state.i[TRIAL_KEEP] || r->result.error)
		return;
	if (party_make(r, &p)) {
		request_error(r, MAG_ECRYPTO);
		return;
	}
	if (r->state.i[TRIAL_EVALUATED] == EVALUATED_PHONE)
		settle_phone(r, &p);
	else if (r->state.i[TRIAL_EVALUATED] == EVALUATED_TOKEN)
		verify_token_settle(r, &p);
	else if (r->state.i[TRIAL_EVALUATED] == EVALUATED_RECOVERY)
		verify_recovery_settle(r, &p);
	else if (r->state.i[TRIAL_EVALUATED] == EVALUATED_TWIN)
		verify_twin_settle(r, &p);
	if (r->result.error)
		return;
	party_keep(&p, q->seq, (uint32_t)r->state.i[TRIAL_FAILURES]);
	r->pace_what = PACE_WRONG_CODE;
	r->pace_whose = whose(r, &p);
}
