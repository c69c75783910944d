/* What would happen, and what did: the policy's decision for one account at
 * one service, without a side effect. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/enroll.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/phone.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/token.h"
#include "otpcore/engine/throttle.h"

struct explaining {
	const struct wire_explain_req *q;
	struct wire_explain_rep *p;
	struct aggregate *a, *own; /* whose credentials count (H11); who logs in */
	struct service_settings service;
	struct policy policy;
	size_t offered;
	enum verdict fault; /* of a token that would have been enough */
};

/* The options that decide, in the order in which they do. */
static const char *const traced[] = { "require", "level", "unenrolled", "publickey_alone",
	"exempt_users", "exempt_groups", "exempt_networks", "skip", "su_target", "observe" };

static bool on_line(const struct explaining *x, const char *key)
{
	return (mag_streq(key, "require") && *x->q->require) ||
	       (mag_streq(key, "level") && x->q->level) ||
	       (mag_streq(key, "unenrolled") && *x->q->unenrolled);
}

/* "magotp.conf:41 [service sshd]" apart into file and line; "default": neither. */
static void split_source(const char *source, struct wire_trace *t)
{
	const char *colon = strrchr(source, ':');
	size_t n = colon ? (size_t)(colon - source) : 0;

	t->line = 0;
	t->file[0] = 0;
	if (!colon || n >= sizeof t->file)
		return;
	memcpy(t->file, source, n);
	t->file[n] = 0;
	for (const char *d = colon + 1; *d >= '0' && *d <= '9'; d++)
		t->line = t->line * 10 + (uint32_t)(*d - '0');
}

static void value_text(const struct explaining *x, const char *key, struct mag_buf *b)
{
	static const char *const unenrolled[] = { "deny", "allow", "enroll" };
	const struct policy *p = &x->policy;

	if (mag_streq(key, "require"))
		mag_buf_puts(b, p->known ? strength_id(p->require) : p->bad);
	else if (mag_streq(key, "level"))
		mag_buf_printf(b, "%lld", (long long)p->level);
	else if (mag_streq(key, "unenrolled"))
		mag_buf_puts(b, p->unenrolled >= 0 && p->unenrolled < 3 ? unenrolled[p->unenrolled]
									: "deny");
	else if (mag_streq(key, "publickey_alone"))
		mag_buf_puts(b, p->publickey_alone ? "allow" : "deny");
	else if (mag_streq(key, "exempt_users"))
		mag_buf_puts(b, x->service.exempt_users);
	else if (mag_streq(key, "exempt_groups"))
		mag_buf_puts(b, x->service.exempt_groups);
	else if (mag_streq(key, "exempt_networks"))
		mag_buf_puts(b, x->service.exempt_networks);
	else if (mag_streq(key, "skip"))
		mag_buf_puts(b, p->skip ? "yes" : "no");
	else if (mag_streq(key, "su_target"))
		mag_buf_puts(b, x->service.su_target ? "caller" : "target");
	else
		mag_buf_puts(b, p->observe ? "yes" : "no");
}

static void fill_trace(struct request *r, struct explaining *x)
{
	char source[256];

	for (size_t i = 0; i < sizeof traced / sizeof *traced; i++) {
		struct wire_trace *t = &x->p->trace[x->p->n_trace++];
		struct mag_buf effect;

		mag_buf_init(&effect, t->effect, sizeof t->effect);
		mag_buf_printf(&effect, "%s = ", traced[i]);
		value_text(x, traced[i], &effect);
		if (on_line(x, traced[i])) {
			mag_copy(t->module, sizeof t->module,
				"pam_magotp"); /* the tool knows where */
			continue;
		}
		settings_source(
			r->broker->settings, x->q->service, traced[i], source, sizeof source);
		split_source(source, t);
		mag_copy(t->module, sizeof t->module, *t->file ? "otpcored" : "default");
	}
}

static void fill_offers(struct request *r, struct explaining *x)
{
	struct offer offers[OFFERS_MAX];
	size_t n = policy_offers(x->a, &x->policy, r->broker->settings, r->now, offers, OFFERS_MAX);

	for (size_t i = 0; i < n; i++) {
		const struct phone *ph = offers[i].phone;
		const struct token *token = offers[i].token;
		struct wire_offer *w = &x->p->offers[x->p->n_offers];
		struct mag_buf id, what;

		mag_buf_init(&id, w->id, sizeof w->id);
		mag_buf_init(&what, w->what, sizeof w->what);
		if (ph) {
			mag_buf_printf(&id, "p%d", (int)ph->slot);
			mag_buf_printf(&what, "%s %s",
				ph->channel == CHANNEL_VOICE ? "voice" : "text", ph->masked);
		} else {
			mag_buf_puts(&id, token->kind == TOKEN_MOBILE ? "m1" : "t1");
			mag_buf_printf(&what, "%s %s",
				token->kind == TOKEN_MOBILE ? "app" : "token", token_masked(token));
		}
		w->is_default = !offers[i].excluded && offers[i].is_default;
		mag_copy(w->reason, sizeof w->reason, offers[i].excluded ? offers[i].excluded : "");
		x->offered += !offers[i].excluded || offers[i].repair;
		x->p->n_offers++;
	}
}

/* Without anything that fits: what the service does with those who have none.
 * The same steps as at begin, without its disguise (L10). */
static enum login_decision without_factor(const struct explaining *x, enum verdict *why_r)
{
	bool lent = x->own->exists && *x->own->account.parent;

	*why_r = x->fault ? x->fault : VERDICT_REQUIREMENTS_NOT_MET;
	if (login_enrolled(x->a) || (lent && x->a == x->own))
		return DECISION_DENY;
	if (!x->own->exists)
		*why_r = VERDICT_ACCOUNT_UNKNOWN;
	if (x->policy.unenrolled == UNENROLLED_ALLOW)
		return DECISION_PASS;
	if (!enroll_fits(x->own, &x->policy))
		return DECISION_DENY;
	*why_r = VERDICT_OK;
	return DECISION_ENROLL;
}

static enum login_decision choose(const struct explaining *x, enum verdict *why_r)
{
	const struct policy *p = &x->policy;

	if (x->own->exists && x->own->account.state != ACCOUNT_ACTIVE) {
		*why_r = VERDICT_NOT_ALLOWED;
		return DECISION_DENY;
	}
	if (policy_satisfied(p, STRENGTH_PASSWORD, 1) && !(p->skip && x->offered))
		return DECISION_PASS;
	if (p->mode == MODE_NONE) {
		*why_r = VERDICT_REQUIREMENTS_NOT_MET;
		return DECISION_DENY;
	}
	return x->offered ? DECISION_ASK : without_factor(x, why_r);
}

static enum login_decision decision(struct explaining *x, enum verdict *why_r)
{
	enum login_decision d = DECISION_DENY;

	*why_r = VERDICT_OK;
	if (!x->policy.known)
		*why_r = VERDICT_REQUIREMENTS_NOT_MET;
	else if (x->p->exempt)
		d = DECISION_EXEMPT;
	else
		d = choose(x, why_r);
	/* Watching only: the reason stays, nobody is held up. */
	if (x->policy.observe && x->policy.known && d != DECISION_PASS)
		d = DECISION_EXEMPT;
	return d;
}

static void fill_sends(struct request *r, struct explaining *x)
{
	int64_t limit = r->broker->settings->sends_per_hour;
	int64_t sent = phone_count(
		x->a, THROTTLE_SEND_ACCOUNT, x->a->account.row.id, throttle_hour(r->now));

	x->p->sends_per_hour = (uint32_t)limit;
	x->p->sends_left = phone_left(limit, sent);
}

static void fill_last(struct request *r, struct explaining *x)
{
	const struct login *l = &request_history(r)->latest;

	if (!l->row.id)
		return;
	x->p->last_at = l->started_at;
	mag_copy(x->p->last_service, sizeof x->p->last_service, l->service);
	mag_clean(x->p->last_from, sizeof x->p->last_from, l->rhost);
	/* "ok" of a code that was sent is not yet a login. */
	mag_copy(x->p->last_verdict, sizeof x->p->last_verdict,
		verdict_id(l->verdict == VERDICT_OK && !l->verified_at ? VERDICT_NONE
								       : (unsigned)l->verdict));
	mag_copy(x->p->last_strength, sizeof x->p->last_strength,
		strength_id((enum strength)l->strength));
}

static void explain_policy(struct request *r, struct explaining *x)
{
	const struct settings *s = r->broker->settings;
	const struct wire_explain_req *q = x->q;
	const struct policy_line line = { q->require, q->mode, q->unenrolled, q->level };
	enum verdict why;

	settings_service(s, q->service, &x->service);
	policy_make(s, &x->service, &line, &x->policy);
	x->policy.host = r->host;
	mag_copy(x->p->require, sizeof x->p->require,
		x->policy.known ? strength_id(x->policy.require) : "");
	x->p->level = (uint32_t)x->policy.level;
	settings_source(s, q->service, "require", x->p->source, sizeof x->p->source);
	if (*q->require)
		mag_copy(x->p->source, sizeof x->p->source, "pam");
	x->p->exempt = policy_exempt_user(&x->service, q->user) ||
		       policy_exempt_address(&x->service, q->rhost) ||
		       policy_exempt_groups(&x->service, q->groups);
	if (x->a->exists) {
		fill_offers(r, x);
		x->fault = policy_why(x->a, &x->policy, s, r->now);
	}
	x->p->decision = decision(x, &why);
	mag_copy(x->p->reason, sizeof x->p->reason, verdict_id(why));
	mag_copy(x->p->publickey, sizeof x->p->publickey,
		x->policy.publickey_alone || x->p->exempt ||
				(x->policy.known && x->policy.require <= STRENGTH_PASSWORD)
			? "ALLOWED"
			: "REFUSED");
	settings_source(s, q->service, "publickey_alone", x->p->publickey_source,
		sizeof x->p->publickey_source);
	fill_sends(r, x);
	fill_trace(r, x);
}

static void explain_decide(struct request *r)
{
	struct explaining x = {
		.q = r->body, .p = r->reply, .a = request_credentials(r), .own = request_account(r)
	};

	if (x.q->last && !x.own->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	if (x.q->last)
		fill_last(r, &x);
	else
		explain_policy(r, &x);
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_explain[] = {
	{ WIRE_MSG_EXPLAIN, request_want_history, explain_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
