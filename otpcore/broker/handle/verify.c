/* verify: the failure is reserved before the code is looked at, and the result
 * is told only if the reservation stayed within the limits (security.md 5). */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/send.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/challenge.h"

/* request.state, from decide to settle. */
enum { KEEP, EVALUATED, CHALLENGE, FAILURES, CLAIMED };

struct trial {
	struct party p;
	struct challenge *live, *latest;
	struct phone *phone;
	int64_t chain_id, tried;
};

int verify_want(struct request *r)
{
	int res = party_want(r);

	if (!res && r->has_ticket && mag_streq(r->ticket.service, SERVICE_ELEVATE))
		res = session_want(r);
	return res;
}

/* ---- what a failure is charged to ---- */

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
	int64_t account = p->a->account.row.id, phone = t->live->phone;
	int64_t all = throttle_total(p->a, THROTTLE_ACCOUNT, account, now);
	int64_t own = throttle_total(p->a, THROTTLE_CREDENTIAL, phone, now);
	int64_t source = party_source_total(p), period = party_source_period(now);
	int64_t half = s->total_30d > 1 ? s->total_30d / 2 : s->total_30d;
	bool owner = p->r->standing.root || p->r->standing.own;
	const struct reserve full[RESERVES] = {
		{ THROTTLE_CHAIN, t->chain_id, 0, 0, s->tries },
		{ THROTTLE_ACCOUNT_SOURCE, p->account_source, period,
			source - books_count(&p->books, THROTTLE_ACCOUNT_SOURCE, p->account_source,
					 period),
			half },
		{ THROTTLE_STREAK, p->account_source, 0, 0, INT64_MAX - 1 },
		{ THROTTLE_SOURCE, p->source, throttle_hour(now), 0, s->per_source },
		{ THROTTLE_ACCOUNT, account, day,
			all - books_count(&p->books, THROTTLE_ACCOUNT, account, day),
			s->total_30d },
		{ THROTTLE_CREDENTIAL, phone, day,
			own - books_count(&p->books, THROTTLE_CREDENTIAL, phone, day),
			s->total_30d },
	};
	size_t n = owner ? RESERVES : RESERVES - 2;

	for (size_t i = 0; i < n; i++)
		list_r[i] = full[i];
	return n;
}

static void reserve(const struct trial *t)
{
	struct request *r = t->p.r;
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n; i++)
		r->charge[i] =
			books_charge(&t->p.books, list[i].kind, list[i].subject, list[i].period, 1);
	r->n_charges = (int)n;
}

/* Did this try's own charge stay within every limit, other hosts' included? */
static enum verdict within(const struct trial *t)
{
	struct request *r = t->p.r;
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n && !t->p.decoy; i++) {
		/* The sums of settle hold this tick's charges; `others` is apart. */
		if (books_charged(&t->p.books, r->charge[i]) <= list[i].cap - list[i].others)
			continue;
		return list[i].kind == THROTTLE_CHAIN ? VERDICT_TRIES_EXCEEDED
						      : VERDICT_ACCOUNT_THROTTLED;
	}
	return VERDICT_OK;
}

/* Success gives back what this login charged: its reservation, and for the
 * owner the failures before it. Of the chain nothing: it is spent. */
static void refund(const struct trial *t, int64_t failures)
{
	struct request *r = t->p.r;
	bool owner = r->standing.root || r->standing.own;
	struct reserve list[RESERVES];
	size_t n = reserves(t, list);

	for (size_t i = 0; i < n; i++) {
		int64_t amount = owner ? -1 - failures : -1;

		if (list[i].kind == THROTTLE_CHAIN)
			continue;
		if (list[i].kind == THROTTLE_STREAK && owner)
			amount = STORE_RESET;
		books_charge(&t->p.books, list[i].kind, list[i].subject, list[i].period, amount);
	}
}

/* ---- judging ---- */

static int find(struct request *r, struct trial *t)
{
	int res = party_make(r, &t->p);

	if (res)
		return res;
	t->live = challenge_live(t->p.a, &t->p.chain, 0, 0, r->now);
	t->latest = challenge_latest(t->p.a, &t->p.chain);
	t->phone = t->live ? party_phone_by_id(&t->p, t->live->phone) : NULL;
	if (!t->phone) /* taken off the account, or expired, since */
		t->live = NULL;
	t->chain_id = t->live ? t->live->chain_id : t->latest ? t->latest->chain_id : 0;
	t->tried = party_tried(&t->p, t->chain_id);
	return 0;
}

/* May anything be judged now? Fills the verdict and the wait if not. */
static bool may_judge(const struct trial *t)
{
	const struct party *p = &t->p;
	int64_t now = p->r->now, wait = 0;
	const struct throttle *streak = books_row(&p->books, THROTTLE_STREAK, p->account_source, 0);
	const struct throttle_counts counts = {
		.account_30d = throttle_total(p->a, THROTTLE_ACCOUNT, p->a->account.row.id, now),
		.credential_30d = throttle_total(p->a, THROTTLE_CREDENTIAL, t->live->phone, now),
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

static enum verdict judge(const struct trial *t)
{
	const struct wire_verify_req *q = t->p.r->body;
	const struct settings *s = t->p.r->broker->settings;
	unsigned char mac[HASH_LEN];
	struct challenge_input in = { .live = t->live,
		.latest = t->latest,
		.digits = (unsigned)s->code_digits,
		.code = mag_secret_text(&q->code),
		.tried = t->tried,
		.tries = s->tries,
		.now = t->p.r->now };
	enum verdict v;

	if (t->live && !seal_hash(t->p.r->broker->keyring, PEPPER_CODE, t->live->nonce.data,
			       t->live->nonce.len, mac))
		in.mac = mac;
	v = challenge_judge(&in);
	mag_wipe(mac, sizeof mac);
	/* Nobody is behind a made-up account: luck does not help. */
	if (t->p.decoy && v == VERDICT_OK)
		v = t->tried + 1 >= s->tries ? VERDICT_TRIES_EXCEEDED : VERDICT_CODE_WRONG;
	return v;
}

static void mark(const struct trial *t, int64_t state)
{
	struct request *r = t->p.r;

	t->live->state = state;
	if (state == CHALLENGE_USED)
		t->live->used_at = r->now;
	if (!t->p.decoy)
		store_mark_challenge(r->tick, r->index, t->live, ROW_CHANGED);
}

/* The challenge and the session that elevates are claimed: whoever else had the
 * same code lost the race. The session is raised only when the reservation has
 * stayed within the limits (succeed). */
static void accept(const struct trial *t)
{
	struct request *r = t->p.r;
	struct wire_verify_rep *rep = r->reply;
	const char *reason = "";

	mark(t, CHALLENGE_USED);
	t->phone->last_used_at = r->now;
	store_mark_phone(r->tick, r->index, t->phone, ROW_CHANGED);
	if (!mag_streq(r->ticket.service, SERVICE_ELEVATE))
		return;
	r->state.i[CLAIMED] = session_claim(r, t->p.a, &reason);
	mag_copy(rep->reason, sizeof rep->reason, reason);
}

static void evaluate(const struct trial *t)
{
	struct request *r = t->p.r;
	enum verdict v;

	r->state.i[EVALUATED] = 1;
	r->state.i[CHALLENGE] = t->live->row.id;
	reserve(t);
	v = judge(t);
	request_verdict(r, v);
	if (v == VERDICT_OK)
		accept(t);
	else if (v == VERDICT_TRIES_EXCEEDED)
		mark(t, CHALLENGE_DEAD);
}

/* Expired, used, none: not looked at, not charged. A chain that others (or an
 * earlier login) have spent does not end this login: it may ask for a code of
 * its own. */
static enum verdict unjudged(const struct trial *t)
{
	enum verdict v = judge(t);

	return v == VERDICT_TRIES_EXCEEDED && !party_failures(&t->p) ? VERDICT_NO_CODE_PENDING : v;
}

void verify_decide(struct request *r)
{
	const struct wire_verify_req *q = r->body;
	struct trial t = { .live = NULL };
	int res = find(r, &t);
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
	r->state.i[KEEP] = 1;
	r->state.i[FAILURES] = party_failures(&t.p);
	if (t.p.login->verdict == VERDICT_TRIES_EXCEEDED)
		request_verdict(r, VERDICT_TRIES_EXCEEDED);
	else if (!t.live || t.tried >= r->broker->settings->tries)
		request_verdict(r, unjudged(&t));
	else if (may_judge(&t))
		evaluate(&t);
}

/* ---- settling ---- */

/* decide may have been the last to see the challenge as live. */
static bool find_again(struct request *r, struct trial *t)
{
	if (party_make(r, &t->p))
		return false;
	for (size_t i = 0; i < t->p.a->n_challenges; i++)
		if (t->p.a->challenges[i].row.id == r->state.i[CHALLENGE])
			t->live = &t->p.a->challenges[i];
	t->chain_id = t->live ? t->live->chain_id : 0;
	t->phone = t->live ? party_phone_by_id(&t->p, t->live->phone) : NULL;
	return t->live && t->phone;
}

static void succeed(const struct trial *t)
{
	struct request *r = t->p.r;
	struct wire_verify_rep *rep = r->reply;
	struct login *l = t->p.login;

	refund(t, r->state.i[FAILURES]);
	l->strength = phone_strength(t->phone);
	l->level = phone_level(t->p.a, t->phone);
	l->phone = t->phone->row.id;
	l->verified_at = r->now;
	mag_copy(rep->strength, sizeof rep->strength, strength_id((enum strength)l->strength));
	rep->level = (uint32_t)l->level;
	if (r->state.i[CLAIMED]) {
		session_raise(r, t->p.a, t->phone);
		rep->raised = 1;
	}
}

static void settle_evaluated(struct trial *t)
{
	struct request *r = t->p.r;
	const struct settings *s = r->broker->settings;
	struct wire_verify_rep *rep = r->reply;
	enum verdict limit = within(t);
	int64_t tried = party_tried(&t->p, t->chain_id);

	if (limit != VERDICT_OK)
		request_verdict(r, limit);
	if (r->result.verdict == VERDICT_OK) {
		succeed(t);
		return;
	}
	r->state.i[FAILURES]++;
	rep->tries_left = tried < s->tries ? (uint32_t)(s->tries - tried) : 0;
	rep->seconds_left =
		t->live->expires_at > r->now ? (uint32_t)(t->live->expires_at - r->now) : 0;
	rep->delivery = (uint32_t)t->live->delivery;
}

void verify_settle(struct request *r)
{
	const struct wire_verify_req *q = r->body;
	struct trial t = { .live = NULL };

	if (!r->state.i[KEEP])
		return;
	if (r->state.i[EVALUATED]) {
		if (!find_again(r, &t)) {
			request_error(r, MAG_ESTORE);
			return;
		}
		settle_evaluated(&t);
	} else if (party_make(r, &t.p)) {
		request_error(r, MAG_ECRYPTO);
		return;
	}
	party_keep(&t.p, q->seq, (uint32_t)r->state.i[FAILURES]);
}
