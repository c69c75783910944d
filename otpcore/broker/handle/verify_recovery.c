/* Recovery and break-glass codes: typed where a code is asked, good once. Their
 * form tells them from other codes, so that nothing has to be offered: an offer
 * would say which accounts have some (rule L10). */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/handle/trial.h"
#include "otpcore/engine/token.h"

/* Three wrong ones end this login, as of phone codes. */
static void identify(struct trial *t)
{
	t->credential = t->p.a->account.row.id;
	t->run = THROTTLE_CHAIN;
	t->run_subject = t->p.r->ticket.login;
	t->run_cap = t->p.r->broker->settings->tries;
	t->run_over = VERDICT_TRIES_EXCEEDED;
}

/* Break-glass stands in for whatever the service requires; a person's own code
 * for a phone. */
static void worth(const struct party *p, const struct recovery *c, struct proof *proof_r)
{
	const struct wire_ticket *t = &p->r->ticket;
	enum strength need = strength_from_id(t->require);

	*proof_r = (struct proof){ .strength = STRENGTH_PHONE_OTP, .level = 2 };
	if (c->kind != RECOVERY_BREAK_GLASS)
		return;
	if (strength_satisfies(need, STRENGTH_PHONE_OTP))
		proof_r->strength = need;
	if (t->level > 2)
		proof_r->level = t->level;
}

/* Taken here at all, and enough for what begin sealed into the ticket? Neither auth
 * nor grants look again. Break-glass is root's word against the settings. */
static bool enough(const struct party *p, const struct recovery *c)
{
	struct policy policy;
	struct proof proof;

	if (c->kind != RECOVERY_BREAK_GLASS && !strstr(p->r->broker->settings->factors, "recovery"))
		return false;
	party_policy(p, &policy);
	worth(p, c, &proof);
	return policy_satisfied(&policy, proof.strength, proof.level);
}

/* NULL: wrong. One that is not enough for this service stays unused, and counts as
 * wrong. 0 or MAG_ECRYPTO: not looked at. */
static int find(const struct party *p, const char *code, struct recovery **c_r)
{
	unsigned char hash[HASH_LEN];
	struct recovery *c;
	int res = p->decoy ? 0 : recovery_hash(code, hash);

	*c_r = NULL;
	if (res || p->decoy)
		return res;
	c = recovery_find(p->a, hash, p->r->now);
	/* H11: a person's codes are lent like other credentials; what root made for one
	 * account opens that one. */
	if (p->a != p->own && (!c || c->kind != RECOVERY_CODE)) {
		c = recovery_find(p->own, hash, p->r->now);
		if (c && c->kind != RECOVERY_BREAK_GLASS)
			c = NULL;
	}
	if (c && enough(p, c))
		*c_r = c;
	return 0;
}

static void accept(const struct party *p, struct recovery *c)
{
	struct request *r = p->r;

	c->used_at = r->now;
	store_mark_recovery(r->tick, r->index, c, ROW_CHANGED);
	r->state.i[TRIAL_ACCEPTED] = c->row.id;
	verify_claim_session(r);
}

bool verify_recovery_decide(struct request *r, const struct party *p)
{
	const struct wire_verify_req *q = r->body;
	struct trial t = { .p = *p };
	char code[RECOVERY_TEXT_LEN + 1];
	struct recovery *c;
	int res;

	if ((q->ref != 0 && q->ref != REF_RECOVERY) ||
		!recovery_parse(mag_secret_text(&q->code), code))
		return false;
	identify(&t);
	if (party_failures(p) >= t.run_cap) {
		request_verdict(r, VERDICT_TRIES_EXCEEDED);
	} else if (trial_may_judge(&t)) {
		r->state.i[TRIAL_EVALUATED] = EVALUATED_RECOVERY;
		trial_reserve(&t);
		res = find(p, code, &c);
		request_verdict(r, c ? VERDICT_OK : VERDICT_CODE_WRONG);
		if (res)
			request_error(r, res);
		else if (c)
			accept(p, c);
	}
	mag_wipe(code, sizeof code);
	return true;
}

static const struct recovery *accepted(const struct party *p)
{
	const struct aggregate *const both[] = { p->a, p->own };

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < both[k]->n_recoveries; i++)
			if (both[k]->recoveries[i].row.id == p->r->state.i[TRIAL_ACCEPTED])
				return &both[k]->recoveries[i];
	return NULL;
}

/* Whose code it is hears of it, and how many are left. */
static void tell_used(const struct party *p, const struct recovery *used)
{
	const struct aggregate *a = used->account == p->own->account.row.id ? p->own : p->a;
	char service[65], more[200];
	struct mag_buf b = MAG_BUF(more);
	size_t left = 0;

	for (size_t i = 0; i < a->n_recoveries; i++)
		left += a->recoveries[i].kind == RECOVERY_CODE && !a->recoveries[i].used_at &&
			a->recoveries[i].row.fate != ROW_DELETED;
	mag_clean(service, sizeof service, p->r->ticket.service);
	if (used->kind == RECOVERY_BREAK_GLASS)
		mag_buf_printf(&b, "reason=A break-glass code logged in to %s.\n", service);
	else
		mag_buf_printf(&b, "reason=One of your codes logged in to %s; %zu %s left.\n",
			service, left, left == 1 ? "is" : "are");
	token_mail(p->r, a, "recovery", more);
}

void verify_recovery_settle(struct request *r, const struct party *p)
{
	struct wire_verify_rep *rep = r->reply;
	struct trial t = { .p = *p };
	enum verdict limit;

	identify(&t);
	limit = trial_within(&t);
	if (limit != VERDICT_OK)
		request_verdict(r, limit);
	if (r->result.verdict == VERDICT_OK) {
		const struct recovery *c = accepted(p);
		struct proof proof;

		if (!c) { /* accepted, and not there any more */
			request_error(r, MAG_ESTORE);
			return;
		}
		worth(p, c, &proof);
		tell_used(p, c);
		trial_refund(&t, r->state.i[TRIAL_FAILURES], true);
		verify_succeed(r, p, &proof);
		return;
	}
	r->state.i[TRIAL_FAILURES]++;
	if (r->state.i[TRIAL_FAILURES] < t.run_cap)
		rep->tries_left = (uint32_t)(t.run_cap - r->state.i[TRIAL_FAILURES]);
	else if (r->result.verdict == VERDICT_CODE_WRONG)
		request_verdict(r, VERDICT_TRIES_EXCEEDED);
}
