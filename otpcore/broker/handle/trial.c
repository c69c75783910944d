#include "otpcore/broker/handle/trial.h"

#include "otpcore/base/text.h"
#include "otpcore/broker/session.h"

struct reserve {
	enum throttle_kind kind;
	int64_t subject, period;
	int64_t others; /* counted elsewhere under the same limit */
	int64_t cap;
};
#define RESERVES 7 /* request.charge: 0..6 */

bool trial_by_owner(const struct party *p)
{
	return p->r->standing.root || p->r->standing.own;
}

/* What one source may use up of an account's thirty days. */
static int64_t share(const struct settings *s)
{
	return s->total_30d > 1 ? s->total_30d / 2 : s->total_30d;
}

/* A verifier that is not root binds itself only: neither the account's totals
 * nor the credential's are its to use up (security.md 9). */
static size_t reserves(const struct trial *t, struct reserve list_r[RESERVES])
{
	const struct party *p = &t->p;
	const struct settings *s = p->r->broker->settings;
	int64_t now = p->r->now, day = throttle_day(now);
	int64_t account = p->a->account.row.id, credential = t->credential;
	int64_t all = throttle_total(p->a, THROTTLE_ACCOUNT, account, now);
	int64_t own = throttle_total(p->a, THROTTLE_CREDENTIAL, credential, now);
	int64_t source = party_source_total(p), period = party_source_period(now);
	const struct reserve full[RESERVES] = {
		{ t->run, t->run_subject, 0, 0, t->run_cap },
		{ THROTTLE_ACCOUNT_SOURCE, p->account_source, period,
			source - books_count(&p->books, THROTTLE_ACCOUNT_SOURCE, p->account_source,
					 period),
			share(s) },
		{ THROTTLE_STREAK, p->account_source, 0, 0, INT64_MAX - 1 },
		{ THROTTLE_SOURCE, p->source, throttle_hour(now), 0, s->per_source },
		{ THROTTLE_RELAY, p->relay, throttle_hour(now), 0, s->per_relay },
		{ THROTTLE_ACCOUNT, account, day,
			all - books_count(&p->books, THROTTLE_ACCOUNT, account, day),
			s->total_30d },
		{ THROTTLE_CREDENTIAL, credential, day,
			own - books_count(&p->books, THROTTLE_CREDENTIAL, credential, day),
			s->total_30d },
	};
	size_t end = trial_by_owner(p) ? RESERVES : RESERVES - 2, n = 0;

	for (size_t i = 0; i < end; i++)
		if (full[i].subject) /* no run; through no relay */
			list_r[n++] = full[i];
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

	for (size_t i = 0; i < n; i++) {
		if (t->p.decoy && !books_shared(list[i].kind))
			continue;
		/* The sums of settle hold this tick's charges; `others` is apart. */
		if (books_charged(&t->p.books, r->charge[i]) <= list[i].cap - list[i].others)
			continue;
		return list[i].kind == t->run ? t->run_over : VERDICT_ACCOUNT_THROTTLED;
	}
	return VERDICT_OK;
}

static int64_t refunded(
	const struct trial *t, enum throttle_kind kind, int64_t failures, bool proven)
{
	if (kind == t->run)
		return proven ? STORE_RESET : -1;
	if (!trial_by_owner(&t->p))
		return -1;
	if (kind == THROTTLE_STREAK)
		return STORE_RESET;
	return kind == THROTTLE_CREDENTIAL && !proven ? -1 : -1 - failures;
}

void trial_refund(const struct trial *t, int64_t failures, bool proven)
{
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n; i++)
		if (list[i].kind != THROTTLE_CHAIN)
			books_charge(&t->p.books, list[i].kind, list[i].subject, list[i].period,
				refunded(t, list[i].kind, failures, proven));
}

void trial_return(const struct trial *t)
{
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n; i++)
		books_charge(&t->p.books, list[i].kind, list[i].subject, list[i].period, -1);
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
		.relay_hour = p->relay ? books_count(&p->books, THROTTLE_RELAY, p->relay,
						 throttle_hour(now))
				       : 0,
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
	int64_t left = t->run_subject ? t->run_cap - trial_run(t)
				      : share(t->p.r->broker->settings) - party_source_total(&t->p);

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
