#include "otpcore/broker/handle/trial.h"

#include "otpcore/base/text.h"
#include "otpcore/broker/session.h"

struct reserve {
	enum throttle_kind kind;
	int64_t subject, period;
	int64_t others; /* counted elsewhere under the same limit */
	int64_t cap;
};
#define RESERVES 6 /* request.charge: 0..5 */

/* A verifier that is not root binds itself only: neither the account's totals
 * nor the phone's are its to use up (security.md 9). */
static size_t reserves(const struct trial *t, struct reserve list_r[RESERVES])
{
	const struct party *p = &t->p;
	const struct settings *s = p->r->broker->settings;
	int64_t now = p->r->now, day = throttle_day(now);
	int64_t account = p->a->account.row.id, credential = t->credential;
	int64_t all = throttle_total(p->a, THROTTLE_ACCOUNT, account, now);
	int64_t own = throttle_total(p->a, THROTTLE_CREDENTIAL, credential, now);
	int64_t source = party_source_total(p), period = party_source_period(now);
	int64_t half = s->total_30d > 1 ? s->total_30d / 2 : s->total_30d;
	bool owner = p->r->standing.root || p->r->standing.own;
	const struct reserve full[RESERVES] = {
		{ t->run, t->run_subject, 0, 0, t->run_cap },
		{ THROTTLE_ACCOUNT_SOURCE, p->account_source, period,
			source - books_count(&p->books, THROTTLE_ACCOUNT_SOURCE, p->account_source,
					 period),
			half },
		{ THROTTLE_STREAK, p->account_source, 0, 0, INT64_MAX - 1 },
		{ THROTTLE_SOURCE, p->source, throttle_hour(now), 0, s->per_source },
		{ THROTTLE_ACCOUNT, account, day,
			all - books_count(&p->books, THROTTLE_ACCOUNT, account, day),
			s->total_30d },
		{ THROTTLE_CREDENTIAL, credential, day,
			own - books_count(&p->books, THROTTLE_CREDENTIAL, credential, day),
			s->total_30d },
	};
	size_t n = owner ? RESERVES : RESERVES - 2;

	for (size_t i = 0; i < n; i++)
		list_r[i] = full[i];
	return n;
}

void trial_reserve(const struct trial *t)
{
	struct request *r = t->p.r;
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n; i++)
		r->charge[i] =
			books_charge(&t->p.books, list[i].kind, list[i].subject, list[i].period, 1);
	r->n_charges = (int)n;
}

enum verdict trial_within(const struct trial *t)
{
	struct request *r = t->p.r;
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n && !t->p.decoy; i++) {
		/* The sums of settle hold this tick's charges; `others` is apart. */
		if (books_charged(&t->p.books, r->charge[i]) <= list[i].cap - list[i].others)
			continue;
		return list[i].kind == t->run ? t->run_over : VERDICT_ACCOUNT_THROTTLED;
	}
	return VERDICT_OK;
}

void trial_refund(const struct trial *t, int64_t failures)
{
	struct request *r = t->p.r;
	bool owner = r->standing.root || r->standing.own;
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n; i++) {
		int64_t amount = owner ? -1 - failures : -1;

		if (list[i].kind == THROTTLE_CHAIN)
			continue;
		if (list[i].kind == t->run || (list[i].kind == THROTTLE_STREAK && owner))
			amount = STORE_RESET;
		books_charge(&t->p.books, list[i].kind, list[i].subject, list[i].period, amount);
	}
}

bool trial_may_judge(const struct trial *t)
{
	const struct party *p = &t->p;
	int64_t now = p->r->now, wait = 0;
	const struct throttle *streak = books_row(&p->books, THROTTLE_STREAK, p->account_source, 0);
	const struct throttle_counts counts = {
		.account_30d = throttle_total(p->a, THROTTLE_ACCOUNT, p->a->account.row.id, now),
		.credential_30d = throttle_total(p->a, THROTTLE_CREDENTIAL, t->credential, now),
		.account_source_30d = party_source_total(p),
		.streak = streak ? streak->count : 0,
		.streak_last_at = streak ? streak->last_at : 0,
		.source_hour =
			books_count(&p->books, THROTTLE_SOURCE, p->source, throttle_hour(now)),
	};
	struct throttle_limits limits;
	enum verdict v;

	books_limits(p->r->broker->settings, &limits);
	v = throttle_judge(&limits, &counts, now, &wait);
	if (v == VERDICT_OK)
		return true;
	request_verdict(p->r, v);
	p->r->result.seconds = (uint32_t)wait;
	return false;
}

int64_t trial_run(const struct trial *t)
{
	return t->run_subject ? books_count(&t->p.books, t->run, t->run_subject, 0) : 0;
}

uint32_t trial_left(const struct trial *t)
{
	int64_t left = t->run_cap - trial_run(t);

	return left > 0 ? (uint32_t)left : 0;
}

void trial_proven(struct request *r, const struct party *p, const struct proof *proof)
{
	struct login *l = p->login;

	l->strength = proof->strength;
	l->level = proof->level;
	l->phone = proof->phone;
	l->token = proof->token;
	l->verified_at = r->now;
	if (r->state.i[TRIAL_CLAIMED])
		session_raise(r, proof);
}
