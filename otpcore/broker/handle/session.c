/* account, open, close: the phases after the conversation, in other processes
 * of the service maybe. */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/exempt.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/presented.h"
#include "otpcore/broker/handle/observe.h"
#include "otpcore/broker/handle/session.h"
#include "otpcore/broker/handle/terms.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/certificate.h"

/* Has another account shown to have its key meanwhile? */
static bool anothers(struct request *r, const struct certificate *c)
{
	const struct key_holder *holder = c->state == CERTIFICATE_PENDING
						  ? store_key_holder(r->tick, c->key_hash.data)
						  : NULL;

	return holder && holder->certificate.row.id;
}

/* The certificate that let this login pass, the own one or the parent's (H11): it may
 * be deleted or revoked meanwhile. */
static struct certificate *certificate_of_ticket(struct request *r)
{
	const char *const names[] = { r->ticket.user, r->ticket.parent };

	for (size_t k = 0; k < 2 && r->has_ticket && r->ticket.certificate; k++) {
		struct certificates *list =
			*names[k] ? store_certificates(r->tick, names[k]) : NULL;

		for (size_t i = 0; list && i < list->n; i++)
			if (list->rows[i].row.id == r->ticket.certificate &&
				list->rows[i].row.fate != ROW_DELETED &&
				!anothers(r, &list->rows[i]) &&
				!certificate_fault(r->broker->trust, &list->rows[i], r->now))
				return &list->rows[i];
	}
	return NULL;
}

/* What this login has proven so far; NONE: nothing. Without a ticket the auth stack
 * was not run: sshd took a key, and that is as good as a password. So is what rested
 * on a phone, a token or a certificate that is gone by now. */
static enum strength proven(struct request *r, int64_t *level_r)
{
	const struct login *l;
	struct proof proof;

	*level_r = 1;
	if (!r->has_ticket)
		return STRENGTH_PASSWORD;
	if (r->ticket.certificate && r->ticket.decision == DECISION_PASS) {
		if (!certificate_of_ticket(r))
			return STRENGTH_PASSWORD;
		*level_r = r->ticket.has_level;
		return strength_from_id(r->ticket.strength);
	}
	if (r->ticket.decision == DECISION_PASS || r->ticket.decision == DECISION_EXEMPT)
		return STRENGTH_PASSWORD;
	if (r->ticket.account == 0)
		return STRENGTH_NONE; /* made up: never verified */
	l = store_login(r->tick, r->ticket.login);
	if (!l->row.id || l->account != r->ticket.account)
		return STRENGTH_NONE;
	proof = (struct proof){ .phone = l->phone, .token = l->token };
	if (l->strength > STRENGTH_PASSWORD &&
		!session_proof_holds(r, request_account(r), r->ticket.holder, &proof))
		return STRENGTH_PASSWORD;
	if (l->level > 1)
		*level_r = l->level;
	return (enum strength)l->strength;
}

static int session_phase_want(struct request *r)
{
	int res = session_want(r);

	if (!res && r->has_ticket && r->ticket.certificate)
		res = store_want_certificates(r->tick, r->ticket.user);
	if (!res && r->has_ticket && r->ticket.certificate && *r->ticket.parent)
		res = store_want_certificates(r->tick, r->ticket.parent);
	return res;
}

static int open_want(struct request *r)
{
	int res = session_phase_want(r);

	return res ? res : request_want_history(r);
}

static int account_want(struct request *r)
{
	const struct wire_account_req *q = r->body;
	struct service_settings service;
	int res = session_phase_want(r);

	settings_service(r->broker->settings, q->service, &service);
	if (!res)
		res = certificates_want(r, q->user);
	return res ? res : terms_want(r, q->user, &service);
}

struct judgement {
	enum login_decision decision;
	enum verdict verdict;
	const char *detail;
	enum strength strength;
	int64_t level;
};

static void set(struct judgement *j, enum login_decision d, enum verdict v, const char *detail)
{
	j->decision = d;
	j->verdict = v;
	j->detail = detail;
}

static bool satisfied(struct request *r, const struct aggregate *a, const struct policy *p,
	const struct service_settings *service, const struct judgement *j)
{
	if (policy_satisfied(p, j->strength, j->level))
		return true;
	/* The session that begin let pass, or one that may stand for this service. */
	return j->strength != STRENGTH_NONE && session_satisfies(r, a, p, service->reuse);
}

static void judge(struct request *r, const struct service_settings *service, const struct policy *p,
	struct judgement *j)
{
	const struct wire_account_req *q = r->body;
	const struct aggregate *a = request_account(r);
	const struct exempt_input in = { q->user, q->rhost, q->tells_groups, q->groups };
	enum exempting exempt = exempt_judge(r, service, &in);
	/* Not enrolled is who never had a factor, not who lost it. */
	bool unenrolled = !a->exists || (login_account_usable(a, q->uid) && login_bare(r, a));

	j->strength = proven(r, &j->level);
	if (!p->known)
		set(j, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, p->bad);
	else if (login_uid_differs(a, q->uid))
		set(j, DECISION_DENY, VERDICT_ACCOUNT_MISMATCH, "");
	else if (a->exists && a->account.state != ACCOUNT_ACTIVE)
		set(j, DECISION_DENY, VERDICT_NOT_ALLOWED, "account");
	else if (j->strength != STRENGTH_NONE && exempt == EXEMPT_ASK)
		set(j, DECISION_GROUPS, VERDICT_OK, "groups");
	else if (j->strength != STRENGTH_NONE && exempt == EXEMPT_YES)
		set(j, DECISION_EXEMPT, VERDICT_OK, "");
	else if (j->strength != STRENGTH_NONE && terms_of(r, a, service) == TERMS_PENDING)
		set(j, DECISION_DENY, VERDICT_TERMS_PENDING, service->application);
	else if (!strength_satisfies(STRENGTH_PASSWORD, p->require) && !unenrolled &&
		 login_methods(r, request_credentials(r)) < service->methods)
		set(j, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET, "methods");
	else if (satisfied(r, a, p, service, j))
		set(j, DECISION_PASS, VERDICT_OK, "");
	else if (j->strength != STRENGTH_NONE && unenrolled && p->unenrolled == UNENROLLED_ALLOW)
		set(j, DECISION_EXEMPT, VERDICT_OK, "");
	else if (!r->has_ticket && p->publickey_alone)
		set(j, DECISION_PASS, VERDICT_OK, "");
	else
		set(j, DECISION_DENY, VERDICT_REQUIREMENTS_NOT_MET,
			r->has_ticket ? "" : "key-alone");
	if (p->observe && j->decision == DECISION_DENY && p->known) {
		/* What begin let pass is noted already. */
		if (!r->has_ticket || r->ticket.decision != DECISION_EXEMPT)
			r->state.p = (void *)(r->has_ticket ? verdict_id(j->verdict) : "key-alone");
		set(j, DECISION_EXEMPT, VERDICT_OK, "observed");
	}
}

static void account_fill(struct request *r, const struct policy *p, const struct judgement *j)
{
	struct wire_account_rep *rep = r->reply;
	struct aggregate *a = request_credentials(r);

	rep->decision = j->decision;
	mag_copy(rep->strength, sizeof rep->strength, strength_id(j->strength));
	mag_copy(rep->require, sizeof rep->require, strength_id(p->require));
	rep->level = (uint32_t)p->level;
	mag_copy(rep->host, sizeof rep->host, r->host);
	mag_copy(rep->help, sizeof rep->help, r->broker->settings->help);
	mag_copy(rep->language, sizeof rep->language, login_language(r, request_account(r)));
	/* Nobody: as if there were nothing to list. And a verifier learns nothing
	 * of people who have not begun a login with it. */
	if (r->has_ticket ? r->ticket.account == 0 : !party_shows_digits(r))
		return;
	login_has(r, a, rep->factors, &rep->n_factors);
	login_notices(r, a, rep->notices, &rep->n_notices);
}

static void account_decide(struct request *r)
{
	const struct wire_account_req *q = r->body;
	const struct policy_line line = { q->require, "", q->unenrolled, q->level };
	struct wire_account_rep *rep = r->reply;
	struct service_settings service;
	struct judgement j = { .decision = DECISION_DENY };
	struct login *l = r->has_ticket ? store_login(r->tick, r->ticket.login) : NULL;
	struct policy p;

	/* One way: auth, account (may repeat), open (security.md 14). */
	if (l && l->row.id && l->state != LOGIN_AUTH && l->state != LOGIN_ACCOUNT) {
		request_error(r, MAG_ESTALE);
		return;
	}
	settings_service(r->broker->settings, q->service, &service);
	policy_make(r->broker->settings, &service, &line, &p);
	if (r->has_ticket)
		p.mode = (int)r->ticket.mode;
	judge(r, &service, &p, &j);
	request_verdict(r, j.verdict);
	mag_clean(r->result.detail, sizeof r->result.detail, j.detail);
	if (j.decision == DECISION_GROUPS) {
		rep->decision = j.decision;
		mag_copy(rep->groups, sizeof rep->groups, service.exempt_groups);
		return;
	}
	account_fill(r, &p, &j);
	if (l && l->row.id && l->state == LOGIN_AUTH &&
		(j.decision == DECISION_PASS || j.decision == DECISION_EXEMPT)) {
		l->state = LOGIN_ACCOUNT;
		store_mark_login(r->tick, r->index, l, ROW_CHANGED);
	}
}

/* ---- open ---- */

/* What was proven with was revoked since: the session is not to have it. */
static void weaken(struct request *r, struct login *l)
{
	int64_t level;
	enum strength s = proven(r, &level);

	if ((int64_t)s >= l->strength)
		return;
	l->strength = s;
	l->level = level;
	l->phone = l->token = l->certificate = 0;
}

/* The login's row; one that was let pass without a code gets its row here. */
static struct login *login_row(struct request *r, const struct aggregate *a, bool *new_r)
{
	struct login *l = store_login(r->tick, r->ticket.login);
	const struct wire_ticket *t = &r->ticket;
	int64_t level;

	*new_r = !l->row.id;
	if (l->row.id)
		return l;
	l->row.id = t->login;
	l->account = a->account.row.id;
	mag_copy(l->service, sizeof l->service, t->service);
	mag_copy(l->host, sizeof l->host, t->host);
	mag_copy(l->rhost, sizeof l->rhost, t->rhost);
	l->peer_uid = t->peer_uid;
	l->state = LOGIN_ACCOUNT;
	l->verdict = VERDICT_OK;
	l->strength = proven(r, &level);
	l->level = level;
	l->certificate = certificate_of_ticket(r) ? r->ticket.certificate : 0;
	l->started_at = t->started_at;
	return l;
}

static void open_fill(struct request *r, struct aggregate *a, const struct login *l)
{
	struct wire_open_rep *rep = r->reply;
	const struct login *before = &request_history(r)->previous;

	rep->level = 1;
	mag_copy(rep->strength, sizeof rep->strength,
		strength_id(l ? (enum strength)l->strength : STRENGTH_PASSWORD));
	if (l)
		rep->level = (uint32_t)l->level;
	if (!l && !party_shows_digits(r))
		return; /* a verifier that proved nothing learns nothing */
	if (party_shows_digits(r) && before->row.id && (!l || before->row.id != l->row.id)) {
		rep->previous_at = before->opened_at ? before->opened_at : before->verified_at;
		mag_copy(rep->previous_from, sizeof rep->previous_from, before->rhost);
		mag_copy(rep->previous_strength, sizeof rep->previous_strength,
			strength_id((enum strength)before->strength));
	}
	mag_copy(rep->language, sizeof rep->language, login_language(r, a));
	rep->renewal_at = login_renewal(r, request_credentials(r));
	login_notices(r, request_credentials(r), rep->notices, &rep->n_notices);
}

/* The same process asks again: its first answer was lost. */
static bool opened_before(struct request *r, const struct login *l)
{
	const struct session *s =
		r->peer.sid < 0 ? NULL : store_session(r->tick, r->boot, r->host, r->peer.sid);

	return l->state == LOGIN_OPEN && s && s->row.id && s->login == l->row.id &&
	       s->leader_pid == r->peer.pid && s->leader_start == r->peer.start;
}

/* O4: a session was opened. sudo and su, which open none of their own, tell nobody. */
static void tell_opened(struct request *r, const struct aggregate *a, const struct login *l)
{
	char at[32], from[101], service[65], more[400];
	struct mag_buf b = MAG_BUF(more);

	mag_buf_printf(&b, "service=%s\nfrom=%s\nstrength=%s\ndate=%s\n",
		mag_clean(service, sizeof service, l->service),
		*l->rhost ? mag_clean(from, sizeof from, l->rhost) : "this host",
		strength_label((enum strength)l->strength), mag_time_minute(r->now, at, sizeof at));
	token_mail(r, a, "login", more);
}

/* sshd has seen the key: who has it is known from now on (C1). */
static void certificate_used(struct request *r)
{
	struct certificate *c = certificate_of_ticket(r);

	if (!c)
		return;
	c->state = CERTIFICATE_ACTIVE;
	c->last_used_at = r->now;
	store_mark_certificate(r->tick, r->index, c, ROW_CHANGED);
}

static void open_login(struct request *r, struct aggregate *a)
{
	const struct wire_open_req *q = r->body;
	struct wire_open_rep *rep = r->reply;
	const char *reason = "";
	bool new = false;
	struct login *l = login_row(r, a, &new);

	if (opened_before(r, l)) {
		rep->recorded = 1;
		open_fill(r, a, l);
		request_verdict(r, VERDICT_OK);
		return;
	}
	if ((l->state != LOGIN_AUTH && l->state != LOGIN_ACCOUNT) || !l->strength) {
		request_error(r, MAG_ESTALE);
		return;
	}
	weaken(r, l);
	/* A name without number learns it from the first login (security.md 12). */
	if (r->standing.root && a->account.uid == WIRE_UID_UNKNOWN && q->uid != WIRE_UID_UNKNOWN) {
		a->account.uid = q->uid;
		store_mark_account(r->tick, r->index, &a->account, ROW_CHANGED);
	}
	rep->recorded = session_record(r, a, l, &reason);
	mag_copy(rep->reason, sizeof rep->reason, reason);
	certificate_used(r);
	l->state = LOGIN_OPEN;
	l->opened_at = r->now;
	store_mark_login(r->tick, r->index, l, new ? ROW_NEW : ROW_CHANGED);
	if (rep->recorded)
		tell_opened(r, a, l);
	open_fill(r, a, l);
	request_verdict(r, VERDICT_OK);
}

static void open_decide(struct request *r)
{
	const struct wire_open_req *q = r->body;
	struct aggregate *a = request_account(r);
	struct wire_open_rep *rep = r->reply;
	const char *reason = "no-login";

	if (login_uid_differs(a, q->uid)) {
		request_verdict(r, VERDICT_ACCOUNT_MISMATCH);
		return;
	}
	if (r->has_ticket && r->ticket.account) {
		open_login(r, a);
		return;
	}
	/* A key alone, an exempt name, a service of the system: the id is seen, no
	 * session rests on it. */
	session_record(r, a, &(struct login){ .strength = STRENGTH_NONE }, &reason);
	mag_copy(rep->reason, sizeof rep->reason, reason);
	open_fill(r, a, NULL);
	request_verdict(r, VERDICT_OK);
}

/* What the ticket's login has proven; the session's row, where there is one, is
 * asked by status. Nobody's ticket, and one that is over, are worth nothing. */
static void strength_decide(struct request *r)
{
	const struct wire_strength_req *q = r->body;
	struct wire_strength_rep *rep = r->reply;
	const struct aggregate *a = request_account(r);
	int64_t level = 0;
	enum strength s = r->has_ticket ? proven(r, &level) : STRENGTH_NONE;

	if (s == STRENGTH_NONE || login_uid_differs(a, q->uid)) {
		request_verdict(r, VERDICT_NOT_ALLOWED);
		return;
	}
	mag_copy(rep->strength, sizeof rep->strength, strength_id(s));
	rep->level = (uint32_t)level;
	request_verdict(r, VERDICT_OK);
}

static void close_decide(struct request *r)
{
	if (r->peer.uid == 0)
		session_end(r, request_account(r));
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_session[] = {
	{ WIRE_MSG_ACCOUNT, account_want, account_decide, NULL, NULL, observe_after },
	{ WIRE_MSG_OPEN, open_want, open_decide, NULL, NULL, NULL },
	{ WIRE_MSG_CLOSE, session_phase_want, close_decide, NULL, NULL, NULL },
	{ WIRE_MSG_STRENGTH, session_phase_want, strength_decide, NULL, NULL, NULL },
	{ WIRE_MSG_STATUS, status_want, status_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
