/* The code of a hardware token or an app (H4-H6, L6), and the two codes that put
 * a locked or suspended token right at the login prompt (H4, H7). */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/lease_count.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/handle/trial.h"
#include "otpcore/engine/challenge.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/lifecycle.h"
#include "otpcore/engine/token.h"

/* The tokens that this login offers, those to repair among them; `ref` 0: all.
 * To repair is the owner's: what another verifier says resets nothing. */
static size_t offered(const struct party *p, uint32_t ref, struct token *list_r[TOKENS_MAX])
{
	struct offer offers[OFFERS_MAX];
	struct policy policy;
	size_t n, found = 0;

	if (p->decoy)
		return 0;
	party_policy(p, &policy);
	n = policy_offers(p->a, &policy, p->r->broker->settings, p->r->now, offers, OFFERS_MAX);
	for (size_t i = 0; i < n && found < TOKENS_MAX; i++) {
		struct token *t = offers[i].token;

		if (t && (!offers[i].excluded || (offers[i].repair && trial_by_owner(p))) &&
			(ref == 0 || ref == login_token_ref(t)))
			list_r[found++] = t;
	}
	return found;
}

static struct token *by_id(const struct party *p, int64_t id)
{
	for (size_t i = 0; i < p->a->n_tokens; i++)
		if (p->a->tokens[i].row.id == id)
			return &p->a->tokens[i];
	return NULL;
}

/* Only the owner's wrong codes lock a token; another verifier's bind the verifier
 * (security.md 9). */
static void identify(struct trial *t, const struct token *token)
{
	t->credential = token->row.id;
	t->run_subject = trial_by_owner(&t->p) ? token->row.id : 0;
	t->run = THROTTLE_TOKEN;
	t->run_cap = t->p.r->broker->settings->lock_after;
	t->run_over = VERDICT_TOKEN_LOCKED;
}

/* Its code was right, or both were, and it stands behind them. */
static void accept(const struct party *p, struct token *t)
{
	struct request *r = p->r;

	t->last_used_at = r->now;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	/* What it is worth now: a wrong code of the same tick may lock it yet. */
	r->state.i[TRIAL_ACCEPTED] = t->row.id;
	r->state.i[TRIAL_STRENGTH] = token_strength(t);
	r->state.i[TRIAL_LEVEL] = token_level(p->a, t);
}

static struct proof proof_of(const struct request *r)
{
	return (struct proof){ (enum strength)r->state.i[TRIAL_STRENGTH], r->state.i[TRIAL_LEVEL],
		0, r->state.i[TRIAL_ACCEPTED] };
}

/* One token: VERDICT_OK accepts the code, which moves the token past it. */
static enum verdict judge(const struct party *p, struct token *t, const char *code)
{
	struct mag_secret seed = { 0 };
	struct token_position next;
	struct token view = lease_view(t, p->r->now);
	struct token_windows w;
	int64_t before;
	enum verdict v = VERDICT_NONE;

	token_windows_of(p->r->broker->settings, &w);
	if (token_seed(p->r, t, &seed) == 0)
		v = token_judge(&view, &seed, code, p->r->now, &w, &next);
	mag_secret_free(&seed);
	if (v != VERDICT_OK)
		return v;
	before = t->moving;
	t->moving = next.moving;
	t->drift = next.drift;
	if (lease_standing(t, p->r->now) == LEASE_LIVE)
		lease_moved(p->r, t, before);
	lease_passed(t, p->r->now);
	accept(p, t);
	return v;
}

/* The owner hears of it by another way: the password was right (RFC 4226 §7.2). */
static void tell_locked(const struct party *p, const struct token *token)
{
	const char *from = p->r->ticket.rhost;
	char name[32], clean[101], more[200];
	struct mag_buf b = MAG_BUF(more);

	mag_buf_printf(&b, "credential=%s\nfrom=%s\n", token_name(token, name, sizeof name),
		*from ? mag_clean(clean, sizeof clean, from) : "this host");
	token_mail(p->r, p->a, "locked", more);
}

/* H4: the last wrong code in a row locks it, in the same commit. */
static void lock(const struct trial *t, struct token *token)
{
	struct request *r = t->p.r;

	if (!t->run_subject || trial_left(t) > 0 ||
		lifecycle_move(token, LIFE_LOCK, ACTOR_BROKER, 0, r->now) != VERDICT_OK)
		return;
	store_mark_token(r->tick, r->index, token, ROW_CHANGED);
	tell_locked(&t->p, token);
	request_verdict(r, VERDICT_TOKEN_LOCKED);
}

/* Token and app are tried under one charge, which the first of them bears. What
 * can't be judged at all counts as a failure, but locks nobody out. */
static void evaluate(const struct party *p, struct token *const *list, size_t n)
{
	const struct wire_verify_req *q = p->r->body;
	struct request *r = p->r;
	struct trial t = { .p = *p };
	enum verdict v = VERDICT_CODE_WRONG;

	identify(&t, list[0]);
	if (trial_left(&t) == 0) { /* the limit was lowered, or others are ahead in this tick */
		request_verdict(r, t.run_subject ? t.run_over : VERDICT_ACCOUNT_THROTTLED);
		return;
	}
	if (!trial_may_judge(&t))
		return;
	r->state.i[TRIAL_EVALUATED] = EVALUATED_TOKEN;
	r->state.i[TRIAL_CREDENTIAL] = list[0]->row.id;
	trial_reserve(&t);
	for (size_t i = 0; i < n && v != VERDICT_OK; i++) {
		enum verdict one = judge(p, list[i], mag_secret_text(&q->code));

		if (one != VERDICT_CODE_WRONG)
			v = one;
	}
	request_verdict(r, v);
	if (v == VERDICT_OK)
		verify_claim_session(r);
	else if (v == VERDICT_CODE_WRONG)
		lock(&t, list[0]);
	else if (v == VERDICT_NONE)
		request_error(r, MAG_ECRYPTO);
}

bool verify_token_decide(struct request *r, const struct party *p)
{
	const struct wire_verify_req *q = r->body;
	struct token *list[TOKENS_MAX], *usable[TOKENS_MAX];
	size_t n, n_usable = 0;

	if (q->ref != 0 && q->ref <= PHONES_MAX)
		return false;
	/* The one field of combined mode takes the code that was just sent, too. */
	if (q->ref == 0 && r->ticket.mode == MODE_COMBINED &&
		challenge_live(p->a, &p->chain, 0, 0, r->now))
		return false;
	n = offered(p, q->ref, list);
	for (size_t i = 0; i < n; i++)
		if (list[i]->state == TOKEN_ACTIVE &&
			lease_allows(list[i], r->host, r->lease, r->now))
			usable[n_usable++] = list[i];
	if (n_usable > 0)
		evaluate(p, usable, n_usable);
	else if (n > 0 && list[0]->state == TOKEN_ACTIVE) /* not looked at, not charged */
		request_verdict(r, VERDICT_TOKEN_LEASED);
	else if (n > 0) /* not looked at, not charged: repair it, or take another */
		request_verdict(r, list[0]->state == TOKEN_LOCKED ? VERDICT_TOKEN_LOCKED
								  : VERDICT_TOKEN_SUSPENDED);
	else if (q->ref != 0)
		request_verdict(r, VERDICT_REQUIREMENTS_NOT_MET);
	return n > 0 || q->ref != 0;
}

void verify_token_settle(struct request *r, const struct party *p)
{
	struct token *token = by_id(p, r->state.i[TRIAL_CREDENTIAL]);
	struct token *right = by_id(p, r->state.i[TRIAL_ACCEPTED]);
	struct wire_verify_rep *rep = r->reply;
	struct trial t = { .p = *p };
	enum verdict limit;

	if (!token || (r->result.verdict == VERDICT_OK && !right)) {
		request_error(r, MAG_ESTORE);
		return;
	}
	identify(&t, token);
	limit = trial_within(&t);
	if (limit != VERDICT_OK)
		request_verdict(r, limit);
	if (r->result.verdict == VERDICT_OK) {
		const struct proof proof = proof_of(r);

		trial_refund(&t, r->state.i[TRIAL_FAILURES], right == token);
		if (right != token && trial_by_owner(p))
			books_charge(&p->books, THROTTLE_TOKEN, right->row.id, 0, STORE_RESET);
		verify_succeed(r, p, &proof);
		return;
	}
	/* A code that has been accepted before is no guess: the twin of a request, or
	 * a finger that was too quick. */
	if (r->result.verdict == VERDICT_CODE_USED)
		trial_return(&t);
	else
		r->state.i[TRIAL_FAILURES]++;
	rep->tries_left = trial_left(&t);
}

/* ---- resync at the login prompt: one verdict, one charge (security.md 37) ---- */

static void identify_resync(struct trial *t, const struct token *token)
{
	t->credential = t->run_subject = token->row.id;
	t->run = THROTTLE_RESYNC;
	t->run_cap = t->p.r->broker->settings->resync_fail_limit;
	t->run_over = VERDICT_TOKEN_OUT_OF_SYNC;
}

static enum verdict judge_pair(const struct party *p, struct token *t)
{
	const struct wire_resync_req *q = p->r->body;
	enum life_event e = t->state == TOKEN_SUSPENDED ? LIFE_RESUME : LIFE_RESYNC;
	unsigned has = LIFE_HAS_PAIR | token_paid(p->a, t, p->r->now);
	enum verdict v = lifecycle_allows(t, e, ACTOR_USER, has);

	if (v == VERDICT_OK)
		v = token_pair(p->r, t, &q->code1, &q->code2);
	if (v == VERDICT_OK)
		v = lifecycle_move(t, e, ACTOR_USER, has, p->r->now);
	if (v == VERDICT_OK)
		accept(p, t);
	return v;
}

void resync_decide(struct request *r)
{
	const struct wire_resync_req *q = r->body;
	struct token *list[TOKENS_MAX];
	struct trial t = { .p.r = r };
	int res = party_make(r, &t.p);
	enum party_seq seq;

	if (res) {
		request_error(r, res);
		return;
	}
	seq = party_seq(&t.p, q->seq);
	if (seq == SEQ_REPEAT)
		return;
	if (seq == SEQ_STALE || t.p.login->verified_at || r->ticket.decision != DECISION_ASK) {
		request_error(r, MAG_ESTALE);
		return;
	}
	r->state.i[TRIAL_KEEP] = 1;
	r->state.i[TRIAL_FAILURES] = party_failures(&t.p);
	if (!trial_by_owner(&t.p) || offered(&t.p, q->ref, list) == 0) {
		request_verdict(r, VERDICT_REQUIREMENTS_NOT_MET);
		return;
	}
	identify_resync(&t, list[0]);
	if (trial_left(&t) == 0) {
		request_verdict(r, VERDICT_TOKEN_OUT_OF_SYNC);
	} else if (trial_may_judge(&t)) {
		r->state.i[TRIAL_EVALUATED] = EVALUATED_TOKEN;
		r->state.i[TRIAL_CREDENTIAL] = list[0]->row.id;
		trial_reserve(&t);
		request_verdict(r, judge_pair(&t.p, list[0]));
		if (r->result.verdict == VERDICT_NONE)
			request_error(r, MAG_ECRYPTO);
	}
}

static void settle_pair(struct request *r, struct trial *t, struct token *token)
{
	struct wire_resync_rep *rep = r->reply;
	enum verdict limit = trial_within(t);

	if (limit != VERDICT_OK)
		request_verdict(r, limit);
	if (r->result.verdict == VERDICT_OK) {
		const struct proof proof = proof_of(r);

		trial_refund(t, r->state.i[TRIAL_FAILURES], true);
		books_charge(&t->p.books, THROTTLE_TOKEN, token->row.id, 0, STORE_RESET);
		trial_proven(r, &t->p, &proof);
		mag_copy(rep->strength, sizeof rep->strength, strength_id(proof.strength));
		rep->level = (uint32_t)proof.level;
		return;
	}
	r->state.i[TRIAL_FAILURES]++;
	rep->tries_left = trial_left(t);
	if (rep->tries_left == 0 && r->result.verdict == VERDICT_CODES_WRONG)
		request_verdict(r, VERDICT_TOKEN_OUT_OF_SYNC);
}

void resync_settle(struct request *r)
{
	const struct wire_resync_req *q = r->body;
	struct trial t = { .p.r = r };
	struct token *token;

	if (!r->state.i[TRIAL_KEEP] || r->result.error)
		return;
	if (party_make(r, &t.p)) {
		request_error(r, MAG_ECRYPTO);
		return;
	}
	token = by_id(&t.p, r->state.i[TRIAL_CREDENTIAL]);
	if (r->state.i[TRIAL_EVALUATED] && !token) {
		request_error(r, MAG_ESTORE);
		return;
	}
	if (r->state.i[TRIAL_EVALUATED]) {
		identify_resync(&t, token);
		settle_pair(r, &t, token);
	}
	party_keep(&t.p, q->seq, (uint32_t)r->state.i[TRIAL_FAILURES]);
}
