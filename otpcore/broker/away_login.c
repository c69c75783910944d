/* begin, account, open, strength and close, as in handle/begin.c and handle/session.c, but
 * that nobody else can be asked. */
#include "otpcore/broker/away_parts.h"

#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/relay_parts.h"
#include "otpcore/broker/session.h"

/* ---- what the service wants ---- */

static bool away_has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; len && (p = strstr(p, word)); p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

/* The rule that an auth host gave for it; NULL: it is not decided here. */
const struct wire_lease_rule *away_rule(const struct away *a, const char *service)
{
	const struct wire_lease_terms_rep *t = &a->replica->terms;
	const struct wire_lease_rule *rule = NULL;

	if (mag_streq(service, SERVICE_ELEVATE) || mag_streq(service, "*") ||
		(*t->services && !away_has_word(t->services, service)))
		return NULL;
	for (size_t i = 0; i < t->n_rules; i++)
		if (mag_streq(t->rules[i].service, service) ||
			(!rule && !t->more && mag_streq(t->rules[i].service, "*")))
			rule = &t->rules[i];
	return rule && rule->offline ? rule : NULL;
}

static int index_of(const char *const *ids, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (mag_streq(ids[i], id))
			return (int)i;
	return 0;
}

static void policy_of(const struct away *a, const struct wire_lease_rule *rule,
	const struct policy_line *line, struct policy *p_r)
{
	static const char *const modes[] = { "separate", "short", "combined", "none" };
	static const char *const separators[] = { "comma", "none" };
	struct service_settings s = { .level = rule->level,
		.mode = index_of(modes, 4, rule->mode),
		.separator = index_of(separators, 2, rule->separator) };

	mag_copy(s.require, sizeof s.require, rule->require);
	policy_make(a->relay->broker->settings, &s, line, p_r);
}

bool away_part_fits(const struct held *h, size_t i, const struct policy *p)
{
	return policy_satisfied(
		p, strength_from_id(h->rep.parts[i].strength), h->rep.parts[i].level);
}

/* So many nobody gives. */
static bool used_up(int64_t count, uint32_t of)
{
	return of > LEASE_TRIES_MAX || count >= (int64_t)of;
}

enum verdict away_part_ready(const struct held *h, size_t i)
{
	if (used_up(h->part[i].failures, h->rep.parts[i].tries))
		return VERDICT_TOKEN_LOCKED;
	if (used_up(h->part[i].spent, h->rep.parts[i].rest))
		return VERDICT_ACCOUNT_THROTTLED;
	return VERDICT_OK;
}

/* ---- begin ---- */

static void put_factor(const struct wire_lease_part *part, struct wire_factor *f)
{
	f->ref = part->ref;
	mag_copy(f->kind, sizeof f->kind, part->ref == 4 ? "token" : "mobile");
	mag_copy(f->state, sizeof f->state, "active");
	mag_copy(f->masked, sizeof f->masked, part->masked);
	mag_copy(f->label, sizeof f->label, part->label);
}

/* VERDICT_OK: there is one; else why there is none. */
static enum verdict offer(const struct held *h, const struct policy *p, struct wire_begin_rep *rep)
{
	enum verdict why = VERDICT_REQUIREMENTS_NOT_MET;

	for (size_t i = 0; i < h->rep.n_parts; i++) {
		enum verdict v = away_part_ready(h, i);

		if (!away_part_fits(h, i, p))
			continue;
		if (v == VERDICT_OK)
			put_factor(&h->rep.parts[i], &rep->factors[rep->n_factors++]);
		else
			why = v;
	}
	if (!rep->n_factors)
		return why;
	rep->factors[0].is_default = 1;
	return VERDICT_OK;
}

static bool proven(const struct question *q, const struct wire_begin_req *b)
{
	if (q->origin->uid != 0)
		return true; /* the account itself */
	return b->proof == PROOF_STACK || b->proof == PROOF_NESTED ||
	       (b->proof == PROOF_PUBLICKEY && b->auth_info.len > 0);
}

static enum login_decision decide(struct question *q, const struct wire_lease_rule *rule,
	const struct policy *p, const char **detail_r)
{
	const struct wire_begin_req *b = q->body;
	struct wire_begin_rep *rep = q->reply;

	away_verdict(q, VERDICT_REQUIREMENTS_NOT_MET);
	if (!p->known) {
		*detail_r = p->bad;
		return DECISION_DENY;
	}
	if (!proven(q, b)) {
		*detail_r = "password";
		return DECISION_DENY;
	}
	if (policy_satisfied(p, STRENGTH_PASSWORD, 1)) {
		away_verdict(q, VERDICT_OK);
		return DECISION_PASS;
	}
	if (q->held->rep.methods < rule->methods) {
		*detail_r = "methods";
		return DECISION_DENY;
	}
	if (p->mode == MODE_NONE)
		return DECISION_DENY;
	away_verdict(q, offer(q->held, p, rep));
	return rep->n_factors ? DECISION_ASK : DECISION_DENY;
}

static int put_ticket(struct question *q, const struct policy *p, enum login_decision d)
{
	const struct wire_begin_req *b = q->body;
	struct wire_begin_rep *rep = q->reply;
	struct wire_ticket t = { .account = q->held->id,
		.peer_uid = q->origin->uid,
		.proof = b->proof,
		.level = (uint32_t)p->level,
		.mode = (uint32_t)p->mode,
		.sid = q->origin->sid,
		.decision = d,
		.started_at = q->now };
	int r = mag_random(&t.login, sizeof t.login);

	t.login = (int64_t)((uint64_t)t.login >> 1) | 1;
	mag_copy(t.user, sizeof t.user, b->user);
	mag_copy(t.service, sizeof t.service, b->service);
	mag_copy(t.host, sizeof t.host, q->a->relay->broker->host);
	mag_clean(t.rhost, sizeof t.rhost, b->rhost);
	mag_clean(t.tty, sizeof t.tty, b->tty);
	mag_copy(t.require, sizeof t.require, strength_id(p->require));
	return r ? r : away_ticket(q->a, &t, &rep->txn);
}

void away_begin(struct question *q)
{
	static const char *const modes[] = { "separate", "short", "combined", "none" };
	const struct wire_begin_req *b = q->body;
	const struct wire_lease_rule *rule = away_rule(q->a, b->service);
	const struct policy_line line = { b->require, b->mode, "", b->level };
	const struct wire_lease_terms_rep *terms = &q->a->replica->terms;
	struct wire_begin_rep *rep = q->reply;
	const char *detail = "";
	struct policy p;
	int r = 0;

	if (!rule) {
		away_failure(q, MAG_EDOWN);
		return;
	}
	policy_of(q->a, rule, &line, &p);
	rep->decision = decide(q, rule, &p, &detail);
	if (rep->decision != DECISION_DENY)
		r = put_ticket(q, &p, rep->decision);
	if (r) {
		away_failure(q, r);
		return;
	}
	mag_clean(q->result.detail, sizeof q->result.detail, detail);
	mag_copy(rep->require, sizeof rep->require, strength_id(p.require));
	rep->level = (uint32_t)p.level;
	mag_copy(rep->mode, sizeof rep->mode, modes[p.mode]);
	mag_copy(rep->separator, sizeof rep->separator, rule->separator);
	rep->code_digits = terms->code_digits;
	mag_copy(rep->host, sizeof rep->host, q->a->relay->broker->host);
	mag_copy(rep->help, sizeof rep->help, terms->help);
	mag_copy(rep->language, sizeof rep->language, q->held->rep.language);
}

/* ---- account, open, strength, close ---- */

/* What this login has proven. */
static enum strength has(const struct question *q, int64_t *level_r)
{
	struct away_login l;

	*level_r = 1;
	if (q->ticket.decision == DECISION_PASS)
		return STRENGTH_PASSWORD;
	if (replica_login(q->a->replica, q->ticket.login, &l))
		return STRENGTH_NONE;
	*level_r = l.level;
	return (enum strength)l.strength;
}

bool away_other_person(const struct question *q, uint32_t uid)
{
	return uid != WIRE_UID_UNKNOWN && q->held->rep.uid != WIRE_UID_UNKNOWN &&
	       uid != q->held->rep.uid;
}

void away_account(struct question *q)
{
	const struct wire_account_req *b = q->body;
	const struct wire_lease_rule *rule = away_rule(q->a, b->service);
	const struct policy_line line = { b->require, "", "", b->level };
	struct wire_account_rep *rep = q->reply;
	struct policy p;
	int64_t level;
	enum strength s = has(q, &level);

	if (!rule) {
		away_failure(q, MAG_EDOWN);
		return;
	}
	policy_of(q->a, rule, &line, &p);
	rep->decision = DECISION_DENY;
	if (away_other_person(q, b->uid)) {
		away_verdict(q, VERDICT_ACCOUNT_MISMATCH);
	} else if (s != STRENGTH_NONE && policy_satisfied(&p, s, level) &&
		   (s == STRENGTH_PASSWORD || q->held->rep.methods >= rule->methods)) {
		rep->decision = DECISION_PASS;
		away_verdict(q, VERDICT_OK);
	} else {
		away_verdict(q, VERDICT_REQUIREMENTS_NOT_MET);
	}
	mag_copy(rep->strength, sizeof rep->strength, strength_id(s));
	mag_copy(rep->require, sizeof rep->require, strength_id(p.require));
	rep->level = (uint32_t)p.level;
	mag_copy(rep->host, sizeof rep->host, q->a->relay->broker->host);
	mag_copy(rep->help, sizeof rep->help, q->a->replica->terms.help);
	mag_copy(rep->language, sizeof rep->language, q->held->rep.language);
	for (size_t i = 0; i < q->held->rep.n_parts; i++)
		put_factor(&q->held->rep.parts[i], &rep->factors[rep->n_factors++]);
}

/* It is told when the login is. */
static int note_opened(struct question *q)
{
	struct replica *r = q->a->replica;
	int res = 0;

	for (size_t i = 0; i < r->n_uses; i++) {
		if (r->uses[i]->login != q->ticket.login || r->uses[i]->opened)
			continue;
		r->uses[i]->opened = 1;
		res = replica_put_use(r, r->uses[i]);
	}
	return res;
}

/* Sessions are the auth host's to keep: there is none to raise or to rest on. */
void away_open_session(struct question *q)
{
	const struct wire_open_req *b = q->body;
	struct wire_open_rep *rep = q->reply;
	int64_t level;
	enum strength s = has(q, &level);
	int r = 0;

	if (away_other_person(q, b->uid)) {
		away_verdict(q, VERDICT_ACCOUNT_MISMATCH);
		return;
	}
	r = s == STRENGTH_NONE ? MAG_ESTALE : note_opened(q);
	if (r) {
		away_failure(q, r);
		return;
	}
	mag_copy(rep->reason, sizeof rep->reason, "offline");
	mag_copy(rep->strength, sizeof rep->strength, strength_id(s));
	rep->level = (uint32_t)level;
	mag_copy(rep->language, sizeof rep->language, q->held->rep.language);
	away_verdict(q, VERDICT_OK);
}

void away_strength(struct question *q)
{
	const struct wire_strength_req *b = q->body;
	struct wire_strength_rep *rep = q->reply;
	int64_t level;
	enum strength s = has(q, &level);

	if (q->origin->uid != 0) {
		away_failure(q, MAG_EPERM);
		return;
	}
	if (s == STRENGTH_NONE || away_other_person(q, b->uid)) {
		away_verdict(q, VERDICT_NOT_ALLOWED);
		return;
	}
	mag_copy(rep->strength, sizeof rep->strength, strength_id(s));
	rep->level = (uint32_t)level;
	away_verdict(q, VERDICT_OK);
}

/* Nothing of ours is open. */
void away_close(struct question *q)
{
	away_verdict(q, VERDICT_OK);
}
