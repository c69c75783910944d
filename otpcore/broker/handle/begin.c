/* begin: what does this service want of this person, and what may be used?
 * Writes nothing; the ticket carries what later messages need. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/decoy.h"
#include "otpcore/broker/handle/enroll.h"
#include "otpcore/broker/handle/exempt.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/presented.h"
#include "otpcore/broker/handle/terms.h"
#include "otpcore/broker/handle/trial.h"
#include "otpcore/broker/parts.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/certificate.h"

static const char *const modes[] = { "separate", "short", "combined", "none" };
static const char *const separators[] = { "comma", "none" };

int begin_want(struct request *r)
{
	const struct wire_begin_req *q = r->body;
	struct service_settings service;
	int res = session_want(r);

	settings_service(r->broker->settings, q->service, &service);
	if (!res)
		res = terms_want(r, q->user, &service);
	return res ? res : presented_want(r);
}

/* Was the password proven (security.md 8)? The account's own user has the
 * strength of a password by being logged in. */
static bool proven(const struct request *r, const struct wire_begin_req *q)
{
	if (r->standing.own)
		return true;
	switch (q->proof) {
	case PROOF_STACK:
	case PROOF_NESTED:
		return true;
	case PROOF_PUBLICKEY: /* only root's sshd is believed what it accepted */
		return r->standing.root && q->auth_info.len > 0;
	default:
		return false;
	}
}

/* What was decided, and for whom the ticket is. */
struct course {
	enum login_decision decision;
	enum verdict verdict;
	const char *detail;
	struct aggregate *a;   /* whose credentials count (H11) */
	struct aggregate *own; /* who logs in */
	bool decoy;
	bool held;                             /* refused, but not for want of any factor */
	const struct session *session;         /* that lets it pass; */
	const struct certificate *certificate; /* or this; both NULL: the password does */
};

static void set(struct course *c, enum login_decision d, enum verdict v, const char *detail)
{
	c->decision = d;
	c->verdict = v;
	c->detail = detail;
}

/* Nobody here who could prove a second factor. */
static void without_factor(struct request *r, const struct policy *p, struct course *c)
{
	const struct aggregate *a = request_account(r);
	const struct wire_begin_req *q = r->body;
	/* An account that is locked, or whose name somebody else has by now, is
	 * never let in as "not enrolled". */
	bool usable = !a->exists || login_account_usable(a, q->uid);
	bool none = usable && login_bare(r, a);
	enum verdict why = usable ? login_why(r, c->a, p) : VERDICT_NONE;

	c->held = usable && login_enrolled(c->a);
	if (c->held)
		set(c, DECISION_DENY, why ? why : VERDICT_REQUIREMENTS_NOT_MET, "");
	else if (none && p->unenrolled == UNENROLLED_ALLOW)
		set(c, DECISION_EXEMPT, VERDICT_OK, "");
	else if (none && why != VERDICT_PROOFING_PENDING && enroll_offered(r, a, p))
		set(c, DECISION_ENROLL, VERDICT_OK, "");
	else if (why) /* had a token, or has one that is not activated (L14) */
		set(c, DECISION_DENY, why, "");
	else if (usable && r->standing.own && !r->standing.root)
		set(c, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, ""); /* knows it anyway */
	else
		c->decoy = true;
}

/* Where the password is enough: asked only where the person may also skip. */
static bool password_enough(const struct policy *p)
{
	return policy_satisfied(p, STRENGTH_PASSWORD, 1);
}

/* What this login may use; those that two codes put right come last, and are
 * their owner's alone to put right. */
static size_t offered(struct request *r, struct aggregate *a, const struct policy *p,
	struct offer offers[OFFERS_MAX])
{
	size_t n = policy_offers(a, p, r->broker->settings, r->now, offers, OFFERS_MAX);
	bool owner = r->standing.root || r->standing.own;
	size_t usable = 0;

	while (usable < n && (!offers[usable].excluded || (offers[usable].repair && owner)))
		usable++;
	return usable;
}

/* Registered are fewer methods than the service wants (O9). What is to be repaired
 * is registered: else nobody could repair it at a login (H4). */
static bool too_few_methods(const struct request *r, const struct aggregate *a,
	const struct service_settings *service, const struct offer *offers, size_t n)
{
	int64_t methods = login_methods(r, a);

	for (size_t i = 0; i < n; i++)
		methods += offers[i].repair;
	return n > 0 && methods < service->methods;
}

/* Codes for when everything else is lost: shown only then. */
static bool only_recovery(
	const struct request *r, const struct course *c, const struct policy *p, size_t n_offers)
{
	bool codes = login_recoveries(c->a, c->own, RECOVERY_CODE) > 0 &&
		     policy_satisfied(p, STRENGTH_PHONE_OTP, 2);

	return n_offers == 0 && p->mode != MODE_NONE &&
	       strstr(r->broker->settings->factors, "recovery") &&
	       (codes || login_recoveries(c->a, c->own, RECOVERY_BREAK_GLASS) > 0);
}

/* A key of another account gives nothing, and is said so; a good one asks no more where
 * its class is enough (C1, C2). False: go on without. */
static bool by_certificate(struct request *r, const struct policy *p, struct course *c)
{
	const struct wire_begin_req *q = r->body;
	struct presented keys;

	if (!login_account_usable(c->own, q->uid))
		return false;
	keys = presented_keys(r, c->own, c->a == c->own ? NULL : c->a);
	if (keys.certificate &&
		policy_satisfied(p, (enum strength)keys.certificate->class,
			certificate_level((enum strength)keys.certificate->class))) {
		c->certificate = keys.certificate;
		set(c, DECISION_PASS, VERDICT_OK, "");
		return true;
	}
	if (!keys.certificate && keys.anothers && !password_enough(p)) {
		set(c, DECISION_DENY, VERDICT_WRONG_CERTIFICATE, "");
		return true;
	}
	return false;
}

static void choose(struct request *r, const struct service_settings *service,
	const struct policy *p, struct course *c)
{
	const struct wire_begin_req *q = r->body;
	struct offer offers[OFFERS_MAX];
	bool usable = login_account_usable(c->own, q->uid);
	size_t n = usable ? offered(r, c->a, p, offers) : 0;

	if (password_enough(p) && !(p->skip && n > 0))
		set(c, DECISION_PASS, VERDICT_OK, "");
	else if (too_few_methods(r, c->a, service, offers, n))
		set(c, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, "methods");
	else if (usable && (c->session = session_satisfies(r, c->own, p, service->reuse)))
		set(c, DECISION_PASS, VERDICT_OK, "");
	else if (p->mode == MODE_NONE)
		set(c, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, "");
	else if (n > 0 || (usable && only_recovery(r, c, p, n)))
		set(c, DECISION_ASK, VERDICT_OK, "");
	else
		without_factor(r, p, c);
	/* The terms come first (K4, O5): no key is used up where nobody is let in yet. */
	if (c->decision == DECISION_ENROLL && terms_of(r, c->own, service) == TERMS_PENDING)
		set(c, DECISION_DENY, VERDICT_TERMS_PENDING, "");
}

/* Why this course ends in a refusal (observe.h); NULL: it does not. */
static const char *would_refuse(const struct course *c)
{
	if (c->decoy)
		return c->own->exists ? "no-factor" : "no-account";
	return c->decision == DECISION_DENY ? verdict_id(c->verdict) : NULL;
}

/* su_target: root's su says who calls it. A name that came over the network is
 * nobody on this host. */
static bool wants_caller(const struct request *r, const struct wire_begin_req *q,
	const struct service_settings *service)
{
	return service->su_target && r->standing.root && *q->ruser && !*q->rhost &&
	       !mag_streq(q->ruser, q->user);
}

static void decide_course(struct request *r, const struct service_settings *service,
	const struct policy *p, struct course *c)
{
	const struct wire_begin_req *q = r->body;
	const struct exempt_input in = { q->user, q->rhost, q->tells_groups, q->groups };
	enum exempting exempt = exempt_judge(r, service, &in);

	c->own = request_account(r);
	c->a = request_credentials(r);
	if (!p->known)
		set(c, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, p->bad);
	else if (!proven(r, q))
		set(c, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, "password");
	else if (wants_caller(r, q, service)) {
		set(c, DECISION_CALLER, VERDICT_OK, "caller");
		return;
	} else if (exempt == EXEMPT_ASK) {
		set(c, DECISION_GROUPS, VERDICT_OK, "groups");
		mag_copy(((struct wire_begin_rep *)r->reply)->groups, sizeof q->groups,
			service->exempt_groups);
		return;
	} else if (exempt == EXEMPT_YES)
		set(c, DECISION_EXEMPT, VERDICT_OK, "");
	else if (!by_certificate(r, p, c))
		choose(r, service, p, c);
	/* Watching only: nobody is asked, or held up for want of a second factor. The
	 * first one is still wanted. */
	if (p->observe && p->known && proven(r, q) && c->decision != DECISION_PASS &&
		c->decision != DECISION_EXEMPT) {
		r->state.p = (void *)would_refuse(c);
		set(c, DECISION_EXEMPT, VERDICT_OK, "observed");
	}
	if (c->decision == DECISION_EXEMPT)
		c->decoy = false;
	if (c->decoy)
		set(c, DECISION_ASK, VERDICT_OK, "");
}

static int make_ticket(
	struct request *r, const struct policy *p, const struct course *c, struct wire_ticket *t_r)
{
	const struct wire_begin_req *q = r->body;
	struct wire_ticket t = { .login = store_new_id(),
		.peer_uid = r->peer.uid,
		.peer_pid = (uint32_t)r->peer.pid,
		.peer_start = r->peer.start,
		.sid = r->peer.sid,
		.proof = q->proof,
		.level = (uint32_t)p->level,
		.mode = (uint32_t)p->mode,
		.decision = c->decision,
		.skip = p->skip && c->decision != DECISION_ENROLL,
		.own = r->standing.own,
		.started_at = r->now };

	if (!t.login)
		return MAG_ECRYPTO;
	if (!c->decoy && c->own->exists)
		t.account = c->own->account.row.id;
	if (t.account && c->a != c->own) {
		t.holder = c->a->account.row.id;
		mag_copy(t.parent, sizeof t.parent, c->a->account.name);
	}
	if (c->certificate) {
		t.certificate = c->certificate->row.id;
		t.has_level = (uint32_t)certificate_level((enum strength)c->certificate->class);
		mag_copy(t.strength, sizeof t.strength,
			strength_id((enum strength)c->certificate->class));
	}
	mag_copy(t.user, sizeof t.user, q->user);
	mag_copy(t.service, sizeof t.service, q->service);
	mag_copy(t.host, sizeof t.host, r->host);
	mag_clean(t.rhost, sizeof t.rhost, q->rhost);
	mag_clean(t.tty, sizeof t.tty, q->tty);
	mag_copy(t.require, sizeof t.require, strength_id(p->require));
	*t_r = t;
	return 0;
}

/* A made-up account is the same one for this login's later messages. */
static int use_decoy(
	struct request *r, const struct wire_ticket *t, const struct policy *p, struct course *c)
{
	struct offer offers[OFFERS_MAX];
	struct blob chain;
	int res = party_chain(r->broker, t, &chain);

	if (res)
		return res;
	c->a = c->own = &decoy_of(r, chain.data, t->user)->account;
	/* Where phones are not enough, its are not either (rule L10). */
	if (offered(r, c->a, p, offers) == 0) {
		set(c, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, "");
		c->held = true;
	}
	return 0;
}

static void fill_factors(
	struct request *r, const struct policy *p, struct course *c, struct wire_begin_rep *rep)
{
	struct offer offers[OFFERS_MAX];
	size_t n = offered(r, c->a, p, offers);

	for (size_t i = 0; i < n; i++)
		login_factor(r, c->a, &offers[i], &rep->factors[rep->n_factors++]);
	if (only_recovery(r, c, p, n)) {
		rep->factors[0] = (struct wire_factor){ .ref = REF_RECOVERY, .is_default = 1 };
		mag_copy(rep->factors[0].kind, sizeof rep->factors[0].kind, "recovery");
		mag_copy(rep->factors[0].state, sizeof rep->factors[0].state, "active");
		rep->n_factors = 1;
	}
	/* P12: before the first message to a phone the charge is named. */
	for (size_t i = 0; i < n; i++)
		if (offers[i].phone && offers[i].phone->last_used_at == 0)
			login_notice(rep->notices, &rep->n_notices, "carrier-charge",
				party_shows_digits(r) ? offers[i].phone->masked : "", 0);
}

static void fill_reply(
	struct request *r, const struct policy *p, struct course *c, struct wire_begin_rep *rep)
{
	const struct settings *s = r->broker->settings;

	rep->decision = c->decision;
	if (c->session) {
		mag_copy(rep->strength, sizeof rep->strength,
			strength_id((enum strength)c->session->strength));
		rep->has_level = (uint32_t)c->session->level;
	} else if (c->certificate) {
		enum strength class = (enum strength)c->certificate->class;

		mag_copy(rep->strength, sizeof rep->strength, strength_id(class));
		rep->has_level = (uint32_t)certificate_level(class);
	}
	mag_copy(rep->require, sizeof rep->require, strength_id(p->require));
	rep->level = (uint32_t)p->level;
	mag_copy(rep->mode, sizeof rep->mode, modes[p->mode]);
	mag_copy(rep->separator, sizeof rep->separator, separators[p->separator]);
	rep->skip = p->skip;
	rep->autosend = p->autosend;
	rep->code_digits = (uint32_t)s->code_digits;
	rep->code_validity = (uint32_t)s->code_validity;
	mag_copy(rep->host, sizeof rep->host, r->host);
	mag_copy(rep->help, sizeof rep->help, s->help);
	mag_copy(rep->language, sizeof rep->language, login_language(r, request_account(r)));
	if (c->decision == DECISION_ASK)
		fill_factors(r, p, c, rep);
	else if (c->decision == DECISION_ENROLL)
		enroll_begin(r, c->a, rep);
	else if (c->held) /* what there is, where it is not enough: the refusal names it */
		login_has(r, c->a, rep->factors, &rep->n_factors);
	login_notices(r, c->a, rep->notices, &rep->n_notices);
}

/* Elevating is proving a second factor: nothing that would spare it holds here,
 * whatever stands in [service *]. */
static void elevating(struct policy *p, struct service_settings *service)
{
	service->exempt_users[0] = service->exempt_groups[0] = service->exempt_networks[0] = '\0';
	service->reuse = 0;
	p->observe = p->skip = false;
	p->unenrolled = UNENROLLED_DENY;
	if (p->mode == MODE_NONE)
		p->mode = MODE_SEPARATE;
	if (p->known && strength_satisfies(STRENGTH_PASSWORD, p->require))
		p->require = STRENGTH_PHONE_OTP;
}

static enum pace_whose whose(struct request *r, const struct course *c)
{
	if (c->decision != DECISION_ASK)
		return PACE_NONE;
	if (!c->decoy)
		return PACE_REAL;
	if (r->hidden)
		return PACE_HIDDEN;
	return request_account(r)->exists ? PACE_BARE : PACE_UNKNOWN;
}

void begin_decide(struct request *r)
{
	const struct wire_begin_req *q = r->body;
	struct wire_begin_rep *rep = r->reply;
	const struct policy_line line = { q->require, q->mode, q->unenrolled, q->level };
	struct course c = { .decision = DECISION_DENY, .detail = "" };
	struct service_settings service;
	struct wire_ticket t;
	struct policy p;
	int res;

	settings_service(r->broker->settings, q->service, &service);
	policy_make(r->broker->settings, &service, &line, &p);
	p.host = r->host;
	if (mag_streq(q->service, SERVICE_ELEVATE))
		elevating(&p, &service);
	decide_course(r, &service, &p, &c);
	res = make_ticket(r, &p, &c, &t);
	if (!res && c.decoy)
		res = use_decoy(r, &t, &p, &c);
	/* Who is refused, or is not who has to prove it, gets nothing to go on with. */
	if (!res && c.decision != DECISION_DENY && c.decision < DECISION_CALLER)
		res = ticket_seal(r, &t, &rep->txn);
	if (res) {
		request_error(r, res);
		return;
	}
	request_verdict(r, c.verdict);
	r->pace_what = PACE_BEGIN;
	r->pace_whose = whose(r, &c);
	mag_clean(r->result.detail, sizeof r->result.detail, c.detail);
	fill_reply(r, &p, &c, rep);
}
