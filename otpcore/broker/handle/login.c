/* What the messages of a login share, and skip. */
#include "otpcore/broker/handle/enroll.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/observe.h"
#include "otpcore/broker/handle/trial.h"

#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/proofing.h"
#include "otpcore/engine/token.h"

#define NOTICES_MAX  8
#define FACTORS_MAX  8
#define REVOKED_TOLD (30 * 86400)

bool login_uid_differs(const struct aggregate *a, uint32_t uid)
{
	return a->exists && uid != WIRE_UID_UNKNOWN && a->account.uid != WIRE_UID_UNKNOWN &&
	       a->account.uid != uid;
}

bool login_account_usable(const struct aggregate *a, uint32_t uid)
{
	return a->exists && a->account.state == ACCOUNT_ACTIVE && !login_uid_differs(a, uid);
}

uint32_t login_token_ref(const struct token *t)
{
	return t->kind == TOKEN_MOBILE ? REF_MOBILE : REF_TOKEN;
}

static bool has_phone(const struct phone *p)
{
	return p->state == PHONE_ACTIVE && p->row.fate != ROW_DELETED;
}

static bool has_token(const struct token *t)
{
	return t->row.fate != ROW_DELETED && t->state >= TOKEN_ACTIVE && t->state < TOKEN_REVOKED;
}

bool login_enrolled(const struct aggregate *a)
{
	for (size_t i = 0; i < a->n_phones; i++)
		if (has_phone(&a->phones[i]) &&
			!proofing_waits(phone_subscription((struct aggregate *)a, &a->phones[i])))
			return true;
	for (size_t i = 0; i < a->n_tokens; i++)
		if (has_token(&a->tokens[i]))
			return true;
	return false;
}

/* Has it shown to have a certificate's key? Asked only where there are authorities. */
static bool certified(struct request *r, const struct aggregate *a)
{
	const struct certificates *list = store_certificates(r->tick, a->account.name);

	for (size_t i = 0; list && i < list->n; i++)
		if (list->rows[i].state == CERTIFICATE_ACTIVE)
			return true;
	return false;
}

bool login_bare(struct request *r, const struct aggregate *a)
{
	const struct aggregate *parent = parent_of(r, a);

	if (certified(r, a))
		return false;
	return parent ? !login_enrolled(parent) : !login_enrolled(a) && !*a->account.parent;
}

size_t login_recoveries(const struct aggregate *creds, const struct aggregate *own, int64_t kind)
{
	const struct aggregate *a = kind == RECOVERY_BREAK_GLASS ? own : creds;
	size_t n = 0;

	for (size_t i = 0; i < a->n_recoveries; i++)
		n += a->recoveries[i].kind == kind && a->recoveries[i].used_at == 0 &&
		     a->recoveries[i].row.fate != ROW_DELETED;
	return n;
}

int64_t login_methods(const struct request *r, const struct aggregate *a)
{
	int64_t n = 0;

	for (size_t i = 0; i < a->n_phones; i++)
		n += a->phones[i].row.fate != ROW_DELETED &&
		     mag_streq(phone_state_id(a, &a->phones[i], r->now), "active");
	for (size_t i = 0; i < a->n_tokens; i++)
		n += a->tokens[i].row.fate != ROW_DELETED &&
		     mag_streq(token_state_id(a, &a->tokens[i], r->now), "active");
	return n;
}

static void phone_factor(const struct request *r, const struct aggregate *a, const struct phone *p,
	struct wire_factor *f)
{
	f->ref = (uint32_t)p->slot;
	mag_copy(f->kind, sizeof f->kind, "phone");
	mag_copy(f->channel, sizeof f->channel, channel_id(p->channel));
	mag_copy(f->channels, sizeof f->channels, p->voice_only ? "voice" : "sms voice");
	mag_copy(f->state, sizeof f->state, phone_state_id(a, p, r->now));
	if (party_shows_digits(r)) {
		mag_copy(f->masked, sizeof f->masked, p->masked);
		mag_clean(f->label, sizeof f->label, p->label);
	}
}

static void token_factor(const struct request *r, const struct aggregate *a, const struct token *t,
	struct wire_factor *f)
{
	f->ref = login_token_ref(t);
	mag_copy(f->kind, sizeof f->kind, t->kind == TOKEN_MOBILE ? "mobile" : "token");
	mag_copy(f->state, sizeof f->state, token_state_id(a, t, r->now));
	if (party_shows_digits(r)) {
		mag_copy(f->masked, sizeof f->masked, token_masked(t));
		mag_clean(f->label, sizeof f->label, t->label);
	}
}

void login_factor(const struct request *r, const struct aggregate *a, const struct offer *o,
	struct wire_factor *f_r)
{
	*f_r = (struct wire_factor){ .is_default = o->is_default };
	if (o->phone)
		phone_factor(r, a, o->phone, f_r);
	else
		token_factor(r, a, o->token, f_r);
}

void login_has(
	const struct request *r, const struct aggregate *a, struct wire_factor *list, size_t *n)
{
	for (size_t i = 0; i < a->n_phones; i++) {
		list[*n] = (struct wire_factor){ .is_default = a->phones[i].is_default != 0 };
		if (has_phone(&a->phones[i]))
			phone_factor(r, a, &a->phones[i], &list[(*n)++]);
	}
	for (size_t i = 0; i < a->n_tokens && *n < FACTORS_MAX; i++) {
		list[*n] = (struct wire_factor){ 0 };
		if (has_token(&a->tokens[i]))
			token_factor(r, a, &a->tokens[i], &list[(*n)++]);
	}
}

void login_notice(struct wire_notice *list, size_t *n, const char *id, const char *what, int64_t at)
{
	if (*n >= NOTICES_MAX)
		return;
	list[*n] = (struct wire_notice){ .at = at };
	mag_copy(list[*n].id, sizeof list[*n].id, id);
	mag_copy(list[*n].what, sizeof list[*n].what, what);
	++*n;
}

const char *login_language(const struct request *r, const struct aggregate *own)
{
	return own->exists && *own->account.language ? own->account.language
						     : r->broker->settings->language;
}

int64_t login_renewal(const struct request *r, const struct aggregate *a)
{
	int64_t last = 0;

	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (subscription_active(&a->subscriptions[i], r->now) &&
			a->subscriptions[i].expires_at > last)
			last = a->subscriptions[i].expires_at;
	return last && last - r->now <= r->broker->settings->remind_before ? last : 0;
}

enum verdict login_why(const struct request *r, const struct aggregate *a, const struct policy *p)
{
	if (!r->standing.root && !r->standing.own)
		return VERDICT_NONE;
	return policy_why(a, p, r->broker->settings, r->now);
}

/* Said once, whatever waits for it. */
static bool proofing_missing(const struct request *r, const struct aggregate *a)
{
	for (size_t i = 0; i < a->n_phones; i++)
		if (policy_phone_waits(a, &a->phones[i], r->now))
			return true;
	for (size_t i = 0; i < a->n_tokens; i++)
		if (policy_token_fault(a, &a->tokens[i], r->broker->settings, r->now) ==
			VERDICT_PROOFING_PENDING)
			return true;
	return false;
}

/* What is the matter with a token is its owner's affair: a verifier hears of
 * expiry, as with phones. A revoked one is told of for a month. */
static void token_notice(const struct request *r, const struct aggregate *a, const struct token *t,
	struct wire_notice *list, size_t *n)
{
	enum verdict v = policy_token_fault(a, t, r->broker->settings, r->now);
	const char *what = t->kind == TOKEN_MOBILE ? "app" : token_masked(t);

	if (v == VERDICT_NONE || v == VERDICT_PROOFING_PENDING ||
		(v != VERDICT_TOKEN_EXPIRED && !party_shows_digits(r)) ||
		(v == VERDICT_TOKEN_REVOKED && r->now - t->state_since > REVOKED_TOLD))
		return;
	login_notice(list, n, verdict_id(v), party_shows_digits(r) ? what : "", 0);
}

void login_notices(
	const struct request *r, struct aggregate *a, struct wire_notice *list, size_t *n)
{
	int64_t renewal = login_renewal(r, a);

	for (size_t i = 0; i < a->n_phones; i++) {
		const struct phone *p = &a->phones[i];
		const struct subscription *s = phone_subscription(a, p);

		if (p->state == PHONE_ACTIVE && mag_streq(phone_state_id(a, p, r->now), "expired"))
			login_notice(list, n, "phone-expired",
				party_shows_digits(r) ? p->masked : "", s ? s->expires_at : 0);
	}
	for (size_t i = 0; i < a->n_tokens; i++) {
		token_notice(r, a, &a->tokens[i], list, n);
		if (lease_elsewhere(&a->tokens[i], r->host, r->now) && party_shows_digits(r))
			login_notice(list, n, "leased", a->tokens[i].lease_host, 0);
	}
	if (party_shows_digits(r) && proofing_missing(r, a))
		login_notice(list, n, verdict_id(VERDICT_PROOFING_PENDING), "", 0);
	if (renewal)
		login_notice(list, n, "renewal", "", renewal);
}

/* ---- skip (L3): on with the password alone ---- */

void skip_decide(struct request *r)
{
	const struct wire_skip_req *q = r->body;
	struct wire_skip_rep *rep = r->reply;
	struct party p;
	int res = party_make(r, &p);
	enum party_seq seq;

	if (res) {
		request_error(r, res);
		return;
	}
	seq = party_seq(&p, q->seq);
	r->state.i[0] = seq == SEQ_NEW;
	if (seq == SEQ_STALE || (seq == SEQ_NEW && p.login->verified_at)) {
		r->state.i[0] = 0;
		request_error(r, MAG_ESTALE);
	} else if (seq == SEQ_NEW && !r->ticket.skip) {
		request_verdict(r, VERDICT_REQUIREMENTS_NOT_MET);
	} else if (seq == SEQ_NEW) {
		mag_copy(rep->strength, sizeof rep->strength, strength_id(STRENGTH_PASSWORD));
		rep->level = 1;
		request_verdict(r, VERDICT_OK);
	}
}

void skip_settle(struct request *r)
{
	const struct wire_skip_req *q = r->body;
	struct party p;

	if (!r->state.i[0] || party_make(r, &p))
		return;
	if (r->result.verdict == VERDICT_OK) {
		p.login->strength = STRENGTH_PASSWORD;
		p.login->level = 1;
	}
	party_keep(&p, q->seq, party_failures(&p));
}

const struct handler handle_login[] = {
	{ WIRE_MSG_BEGIN, begin_want, begin_decide, NULL, NULL, observe_after },
	{ WIRE_MSG_SEND, party_want, login_send_decide, login_send_settle, login_send_delivered,
		NULL },
	{ WIRE_MSG_FATE, party_want, login_fate_decide, NULL, NULL, NULL },
	{ WIRE_MSG_VERIFY, verify_want, verify_decide, verify_settle, NULL, verify_after },
	{ WIRE_MSG_RESYNC, party_want, resync_decide, resync_settle, NULL, NULL },
	{ WIRE_MSG_SKIP, party_want, skip_decide, skip_settle, NULL, NULL },
	{ WIRE_MSG_ENROLL_KEY, enroll_key_want, enroll_key_decide, enroll_key_settle, NULL, NULL },
	{ WIRE_MSG_ENROLL_PHONE, party_want, enroll_phone_decide, enroll_phone_settle,
		enroll_phone_delivered, NULL },
	{ WIRE_MSG_ENROLL_VERIFY, party_want, enroll_verify_decide, enroll_verify_settle, NULL,
		NULL },
	{ WIRE_MSG_ENROLL_TOKEN, enroll_token_want, enroll_token_decide, enroll_token_settle, NULL,
		NULL },
	{ WIRE_MSG_ENROLL_MOBILE, party_want, enroll_mobile_decide, enroll_mobile_settle, NULL,
		NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
