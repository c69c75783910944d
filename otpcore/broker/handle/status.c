/* status: what `magotp status` shows (prompts.md). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/presented.h"
#include "otpcore/broker/handle/session.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/certificate.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/token.h"

int status_want(struct request *r)
{
	const struct wire_status_req *q = r->body;
	int res = session_want(r);

	if (!res)
		res = certificates_want(r, q->user);
	return res ? res : request_want_history(r);
}

static void fill_factor(const struct request *r, struct aggregate *a, const struct phone *p,
	struct wire_status_factor *f)
{
	const struct subscription *s = phone_subscription(a, p);

	snprintf(f->id, sizeof f->id, "p%u", (unsigned)(p->slot & 0xff));
	mag_copy(f->kind, sizeof f->kind, "phone");
	mag_clean(f->label, sizeof f->label, p->label);
	mag_copy(f->masked, sizeof f->masked, p->masked);
	mag_copy(f->channel, sizeof f->channel, channel_id(p->channel));
	mag_copy(f->state, sizeof f->state, phone_state_id(a, p, r->now));
	f->is_default = p->is_default != 0;
	f->level = (uint32_t)phone_level(a, p);
	f->last_used = p->last_used_at;
	if (s) {
		f->expires = s->expires_at;
		mag_copy(f->product, sizeof f->product, product_id((enum product)s->product));
	}
}

static void fill_token(const struct request *r, struct aggregate *a, const struct token *t,
	struct wire_status_factor *f)
{
	const struct subscription *s = token_subscription(a, t);

	mag_copy(f->id, sizeof f->id, t->kind == TOKEN_MOBILE ? "m1" : "t1");
	mag_copy(f->kind, sizeof f->kind, t->kind == TOKEN_MOBILE ? "mobile" : "token");
	mag_clean(f->label, sizeof f->label, t->label);
	mag_copy(f->masked, sizeof f->masked, token_masked(t));
	mag_copy(f->state, sizeof f->state, token_state_id(a, t, r->now));
	f->level = (uint32_t)token_level(a, t);
	f->last_used = t->last_used_at;
	if (s) {
		f->expires = s->expires_at;
		mag_copy(f->product, sizeof f->product, product_id((enum product)s->product));
	}
}

static void fill_certificate(
	const struct request *r, const struct certificate *c, struct wire_status_factor *f)
{
	const char *fault = certificate_fault(r->broker->trust, c, r->now);

	snprintf(f->id, sizeof f->id, "c%u", (unsigned)(c->slot & 0xff));
	mag_copy(f->kind, sizeof f->kind, "certificate");
	mag_clean(f->label, sizeof f->label, *c->label ? c->label : c->subject);
	mag_clean(f->state, sizeof f->state,
		fault                            ? fault
		: c->state == CERTIFICATE_ACTIVE ? "active"
						 : "pending");
	f->level = (uint32_t)certificate_level((enum strength)c->class);
	f->last_used = c->last_used_at;
	f->expires = c->not_after;
}

static void fill_certificates(
	struct request *r, const struct aggregate *a, struct wire_status_rep *rep)
{
	const struct certificates *list = store_certificates(r->tick, a->account.name);
	size_t max = sizeof rep->factors / sizeof *rep->factors;

	for (size_t i = 0; list && i < list->n && rep->n_factors < max; i++)
		fill_certificate(r, &list->rows[i], &rep->factors[rep->n_factors++]);
}

/* The session of the caller, not of the account in general: who asks about
 * somebody else has none there. */
static const struct session *fill_session(
	struct request *r, const struct aggregate *a, struct wire_status_rep *rep)
{
	const char *reason = "";
	const struct session *s = session_sound(r, a, &reason);

	if (r->peer.sid >= 0)
		snprintf(rep->session, sizeof rep->session, "%" PRId64, r->peer.sid);
	rep->level = 1;
	mag_copy(rep->strength, sizeof rep->strength, strength_id(STRENGTH_PASSWORD));
	if (!s) {
		mag_copy(rep->reason, sizeof rep->reason, reason);
		return NULL;
	}
	rep->recorded = 1;
	mag_copy(rep->strength, sizeof rep->strength, strength_id((enum strength)s->strength));
	rep->level = (uint32_t)s->level;
	mag_copy(rep->service, sizeof rep->service, s->service);
	rep->since = s->since;
	mag_clean(rep->from, sizeof rep->from, s->rhost);
	mag_clean(rep->tty, sizeof rep->tty, s->tty);
	return s;
}

struct reusing {
	struct request *r;
	const struct aggregate *a;
	struct wire_status_rep *rep;
};

/* How many methods a service wants (O9); and, if it takes the word of a session, until
 * when that of this one is enough. */
static int fill_service(const char *name, void *arg)
{
	const struct reusing *x = arg;
	const struct settings *s = x->r->broker->settings;
	struct wire_status_rep *rep = x->rep;
	struct service_settings service;
	struct wire_status_reuse *row;
	const struct session *session;
	struct policy p;

	settings_service(s, name, &service);
	if (service.methods > rep->methods_required) {
		rep->methods_required = (uint32_t)service.methods;
		mag_clean(rep->methods_service, sizeof rep->methods_service, name);
	}
	if (!service.reuse || rep->n_reuse == sizeof rep->reuse / sizeof *rep->reuse ||
		strlen(name) >= sizeof row->service)
		return 0;
	row = &rep->reuse[rep->n_reuse++];
	mag_clean(row->service, sizeof row->service, name);
	policy_make(s, &service, &(struct policy_line){ .level = 0 }, &p);
	session = session_satisfies(x->r, x->a, &p, service.reuse);
	if (session)
		row->until = session->since + service.reuse < session->expires_at
				     ? session->since + service.reuse
				     : session->expires_at;
	return 0;
}

static void fill_previous(
	const struct history *h, const struct session *s, struct wire_status_rep *rep)
{
	const struct login *before = &h->previous;

	/* The login that this session came from is not the one before it. */
	if (s && s->login == before->row.id)
		before = &h->before;
	if (!before->row.id)
		return;
	rep->previous_at = before->opened_at ? before->opened_at : before->verified_at;
	mag_clean(rep->previous_from, sizeof rep->previous_from, before->rhost);
	mag_copy(rep->previous_strength, sizeof rep->previous_strength,
		strength_id((enum strength)before->strength));
}

/* ---- what the owner does next, beside what a login would say ---- */
static void hint(struct wire_status_rep *rep, const char *id, const char *what)
{
	login_notice(rep->notices, &rep->n_notices, id, what, 0);
}

/* What is set up first: what is paid for; with nothing paid, a key comes first. */
static const char *first_step(const struct request *r, const struct aggregate *a)
{
	for (size_t i = 0; i < a->n_subscriptions; i++) {
		const struct subscription *s = &a->subscriptions[i];
		enum product p = (enum product)s->product;

		if (subscription_active(s, r->now))
			return product_is_phone(p)      ? "unenrolled-phone"
			       : product_takes_token(p) ? "unenrolled-token"
							: "unenrolled-app";
	}
	return r->broker->settings->mode == LICENCES_AUTOMATIC ? "unenrolled-phone" : "unenrolled";
}

static void hints(const struct request *r, const struct aggregate *a, struct wire_status_rep *rep)
{
	size_t active = 0, phones = 0;

	for (size_t i = 0; i < rep->n_factors; i++)
		active += mag_streq(rep->factors[i].state, "active");
	for (size_t i = 0; i < a->n_phones; i++) {
		const char *state = phone_state_id(a, &a->phones[i], r->now);

		phones += mag_streq(state, "active");
		if (mag_streq(state, "pending"))
			hint(rep, "phone-pending", a->phones[i].masked);
	}
	for (size_t i = 0; i < a->n_tokens; i++) {
		const struct token *t = &a->tokens[i];
		enum verdict v = policy_token(a, t, r->broker->settings, r->now);

		if (v == VERDICT_TOKEN_LOCKED || v == VERDICT_TOKEN_SUSPENDED)
			hint(rep, verdict_id(v), t->kind == TOKEN_MOBILE ? "app" : token_masked(t));
	}
	if (!rep->n_factors)
		hint(rep, first_step(r, a), "");
	else if (active == 1 && phones == 1)
		hint(rep, "second-phone", "");
}

void status_decide(struct request *r)
{
	struct wire_status_rep *rep = r->reply;
	struct aggregate *a = request_account(r), *creds = request_credentials(r);
	const struct session *s;

	if (!a->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	mag_copy(rep->host, sizeof rep->host, r->host);
	s = fill_session(r, a, rep);
	fill_previous(request_history(r), s, rep);
	rep->methods = (uint32_t)login_methods(r, creds);
	rep->methods_required = 1;
	(void)opt_each_instance(
		r->broker->settings->tree, "service", fill_service, &(struct reusing){ r, a, rep });
	mag_copy(rep->credentials_of, sizeof rep->credentials_of, a->account.parent);
	for (size_t i = 0; i < creds->n_phones; i++)
		fill_factor(r, creds, &creds->phones[i], &rep->factors[rep->n_factors++]);
	for (size_t i = 0; i < creds->n_tokens; i++)
		if (creds->tokens[i].state != TOKEN_REVOKED)
			fill_token(r, creds, &creds->tokens[i], &rep->factors[rep->n_factors++]);
	fill_certificates(r, a, rep);
	rep->recovery_codes_left = (uint32_t)login_recoveries(creds, a, RECOVERY_CODE);
	login_notices(r, creds, rep->notices, &rep->n_notices);
	if (!*a->account.parent)
		hints(r, a, rep);
	request_verdict(r, VERDICT_OK);
}
