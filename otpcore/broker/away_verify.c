/* verify: the failure is on disk before the code is looked at, and what is accepted before
 * "yes" (security.md 4, 5). */
#include "otpcore/broker/away_parts.h"

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/relay_parts.h"
#include "otpcore/engine/throttle.h"
#include "otpcore/store/fault.h"

/* One durable step; what is in memory is the caller's to put right after a failure. */
static int save(struct question *q, size_t part, const struct away_login *l, const struct used *u)
{
	struct replica *r = q->a->replica;
	int res = replica_begin(r);

	r->seen = q->now;
	if (!res)
		res = replica_put_part(r, q->held, part);
	if (!res && l)
		res = replica_put_login(r, l);
	if (!res && u)
		res = replica_put_use(r, u);
	if (!res)
		res = replica_put_state(r);
	if (!res)
		res = replica_commit(r);
	if (res)
		replica_rollback(r);
	return res;
}

/* May a code be looked at now? */
static bool may_judge(struct question *q, const struct held_part *part)
{
	const struct settings *s = q->a->relay->broker->settings;
	const struct throttle_limits limits = { .delay_after = s->delay_after,
		.delay_first = s->delay_first,
		.delay_max = s->delay_max };
	int64_t wait = throttle_wait(&limits, part->failures, part->failed_at, q->now);

	if (wait <= 0)
		return true;
	away_verdict(q, VERDICT_TRY_LATER);
	q->result.seconds = (uint32_t)wait;
	return false;
}

/* The tokens that this code may be of; 0: the verdict says why there is none. */
static size_t candidates(struct question *q, uint32_t ref, size_t list_r[PARTS_MAX])
{
	const struct policy p = { .known = true,
		.require = strength_from_id(q->ticket.require),
		.level = q->ticket.level };
	const struct held *h = q->held;
	enum verdict why = VERDICT_REQUIREMENTS_NOT_MET;
	size_t n = 0;

	for (size_t i = 0; i < h->rep.n_parts; i++) {
		enum verdict v = away_part_ready(h, i);

		if ((ref && ref != h->rep.parts[i].ref) || p.require == STRENGTH_NONE ||
			!away_part_fits(h, i, &p))
			continue;
		if (v == VERDICT_OK)
			list_r[n++] = i;
		else
			why = v;
	}
	if (n == 0)
		away_verdict(q, why);
	return n;
}

struct
try {
	size_t charged, right; /* parts */
	int64_t position;
	enum verdict verdict;
};

static struct try judge(
	const struct question *q, const size_t *list, size_t n, const struct mag_secret *code)
{
	struct try t = { .charged = list[0], .right = list[0], .verdict = VERDICT_CODE_WRONG };

	for (size_t k = 0; k < n && t.verdict != VERDICT_OK; k++) {
		struct lease_window w;
		enum verdict v;

		away_window(q->held, list[k], &w);
		v = lease_judge(&w, mag_secret_text(code), q->now, &t.position);
		mag_wipe(w.key, sizeof w.key);
		if (v == VERDICT_CODE_WRONG)
			continue;
		t.verdict = v;
		t.right = list[k];
	}
	return t;
}

static int64_t tries_left(const struct held *h, size_t i)
{
	int64_t run = (int64_t)h->rep.parts[i].tries - h->part[i].failures;
	int64_t rest = (int64_t)h->rep.parts[i].rest - h->part[i].spent;
	int64_t left = run < rest ? run : rest;

	return left > 0 ? left : 0;
}

/* The part that was charged stood like `before`, and a code was right. This login's own
 * wrong ones are given back, as far as nobody has been told of them; those of others
 * stay charged. The run ends of the token whose code it was, no other's. */
static void refund(struct held *h, const struct try *t, const struct held_part *before, int64_t own)
{
	struct held_part *charged = &h->part[t->charged], *right = &h->part[t->right];
	int64_t back = before->failed - before->told;

	if (back > own)
		back = own;
	if (back < 0)
		back = 0;
	*charged = *before;
	charged->failed -= back;
	charged->spent = charged->spent > back ? charged->spent - back : 0;
	if (charged->right > charged->failed)
		charged->right = charged->failed;
	right->failures = 0;
	right->right = right->failed;
}

static void put_login(struct question *q, const struct away_login *l)
{
	struct wire_verify_rep *rep = q->reply;

	away_verdict(q, (enum verdict)l->verdict);
	q->result.seconds = (uint32_t)l->seconds;
	rep->tries_left = (uint32_t)l->tries_left;
	if (l->verdict != VERDICT_OK)
		return;
	mag_copy(rep->strength, sizeof rep->strength, strength_id((enum strength)l->strength));
	rep->level = (uint32_t)l->level;
}

/* The failure is on disk before the code is looked at, and what is accepted before "yes"
 * (security.md 4, 5). */
static void evaluate(struct question *q, struct away_login *l, const size_t *list, size_t n)
{
	const struct wire_verify_req *v = q->body;
	struct held *h = q->held;
	struct held_part *part = &h->part[list[0]], before = *part;
	struct used u = { .lease = h->id, .login = l->id, .at = q->now };
	struct try t;
	int r;

	part->failures++;
	part->spent++;
	part->failed++;
	part->failed_at = q->now;
	r = save(q, list[0], NULL, NULL);
	if (r || FAULT("away.charged")) {
		away_failure(q, r ? r : MAG_ESTORE);
		return;
	}
	t = judge(q, list, n, &v->code);
	l->verdict = t.verdict;
	if (t.verdict == VERDICT_NONE) {
		away_failure(q, MAG_ECRYPTO);
		return;
	}
	if (t.verdict == VERDICT_CODE_USED) /* a finger that was too quick; no guess */
		*part = before;
	if (t.verdict == VERDICT_CODE_WRONG)
		l->failures++;
	l->tries_left = tries_left(h, list[0]);
	if (t.verdict == VERDICT_CODE_WRONG && l->tries_left == 0)
		l->verdict = away_part_ready(h, list[0]);
	if (t.verdict == VERDICT_OK) {
		refund(h, &t, &before, l->failures);
		away_advance(h, t.right, t.position);
		l->strength = strength_from_id(h->rep.parts[t.right].strength);
		l->level = h->rep.parts[t.right].level;
		u.position = t.position;
		u.ref = h->rep.parts[t.right].ref;
		mag_copy(u.account, sizeof u.account, h->account);
		mag_copy(u.service, sizeof u.service, q->ticket.service);
		mag_copy(u.rhost, sizeof u.rhost, q->ticket.rhost);
		r = mag_random(&u.id, sizeof u.id);
		u.id = (int64_t)((uint64_t)u.id >> 1) | 1;
		if (!r)
			r = replica_keep_use(q->a->replica, &u);
	}
	if (!r && t.right != list[0])
		r = save(q, list[0], NULL, NULL);
	if (!r)
		r = save(q, t.right, l, t.verdict == VERDICT_OK ? &u : NULL);
	if (r || FAULT("away.decided")) {
		away_failure(q, r ? r : MAG_ESTORE);
		return;
	}
	put_login(q, l);
}

void away_verify(struct question *q)
{
	const struct wire_verify_req *v = q->body;
	struct away_login l = { .id = q->ticket.login, .at = q->now };
	size_t list[PARTS_MAX], n;
	int r = replica_login(q->a->replica, q->ticket.login, &l);

	if (r && r != MAG_ENOTFOUND) {
		away_failure(q, r);
		return;
	}
	if (!r && v->seq == l.seq) {
		put_login(q, &l); /* a repeat gets its first answer */
		return;
	}
	if ((!r && v->seq < l.seq) || l.strength || q->ticket.decision != DECISION_ASK) {
		away_failure(q, MAG_ESTALE);
		return;
	}
	l.seq = v->seq;
	l.seconds = 0;
	n = candidates(q, v->ref, list);
	if (n > 0 && may_judge(q, &q->held->part[list[0]]))
		evaluate(q, &l, list, n);
}
