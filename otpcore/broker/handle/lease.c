/* Leases of tokens to relays (security.md 41, engine/lease.h): taken, made longer and given
 * back by an enrolled host on its link; looked at and called back by root here. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/handle.h"
#include "otpcore/broker/handle/lease_count.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/handle/trial.h"
#include "otpcore/broker/remote_gate.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/otp.h"

#define HOUR  3600
#define RULES (sizeof((struct wire_lease_terms_rep *)0)->rules / sizeof(struct wire_lease_rule))
#define PAGE  (sizeof((struct wire_lease_list_rep *)0)->leases / sizeof(struct wire_leased))
#define PARTS (sizeof((struct wire_lease_take_rep *)0)->parts / sizeof(struct wire_lease_part))

static const char *const modes[] = { "separate", "short", "combined", "none" };
static const char *const separators[] = { "comma", "none" };

/* ---- terms: what holds where nobody can be asked ---- */

struct rules {
	struct request *r;
	struct wire_lease_terms_rep *p;
};

static int add_rule(const char *name, void *arg)
{
	struct rules *rules = arg;
	struct wire_lease_terms_rep *p = rules->p;
	const struct settings *s = rules->r->broker->settings;
	struct service_settings service;
	struct wire_lease_rule *rule;
	enum strength require;

	if (p->n_rules == RULES) {
		p->more = 1;
		return 1;
	}
	rule = &p->rules[p->n_rules++];
	settings_service(s, name, &service);
	require = settings_strength(s, service.require);
	mag_copy(rule->service, sizeof rule->service, name);
	/* Terms are looked up, callers of su are other accounts, and who only watches lets
	 * everybody in: none of that is decided without being asked. */
	rule->offline = require != STRENGTH_NONE && !*service.application && !service.su_target &&
			!service.observe && service.mode != MODE_NONE;
	mag_copy(rule->require, sizeof rule->require, strength_id(require));
	rule->level = (uint32_t)service.level;
	rule->methods = (uint32_t)service.methods;
	mag_copy(rule->mode, sizeof rule->mode, modes[service.mode]);
	mag_copy(rule->separator, sizeof rule->separator, separators[service.separator]);
	return 0;
}

static int add_named(const char *name, void *arg)
{
	return mag_streq(name, "*") ? 0 : add_rule(name, arg);
}

static void terms_decide(struct request *r)
{
	struct wire_lease_terms_rep *p = r->reply;
	struct rules rules = { r, p };
	const struct host *h = r->through == THROUGH_HOST ? store_host(r->tick, r->host) : NULL;

	if (!h) {
		request_error(r, MAG_EPERM);
		return;
	}
	mag_copy(p->accounts, sizeof p->accounts, h->offline);
	mag_copy(p->services, sizeof p->services, h->services);
	mag_copy(p->help, sizeof p->help, r->broker->settings->help);
	p->code_digits = (uint32_t)r->broker->settings->code_digits;
	(void)add_rule("*", &rules);
	(void)opt_each_instance(r->broker->settings->tree, "service", add_named, &rules);
	request_verdict(r, VERDICT_OK);
}

/* ---- take ---- */

static bool held(const struct token *t, const struct lease_ask *ask, int64_t now)
{
	return lease_standing(t, now) == LEASE_LIVE && t->lease == ask->lease &&
	       mag_streq(t->lease_host, ask->host);
}

static bool in_order(struct request *r, struct aggregate *a, const struct token *t)
{
	const struct settings *s = r->broker->settings;

	return t->row.fate != ROW_DELETED && t->state == TOKEN_ACTIVE &&
	       policy_token(a, t, s, r->now) == VERDICT_OK && !lease_worn(r, a, t) &&
	       strstr(s->factors, t->kind == TOKEN_HARDWARE ? "hardware" : "mobile");
}

static int put_hashes(struct request *r, const struct token *t, struct wire_lease_part *p)
{
	struct crypto_mac mac = { 0 };
	struct mag_secret seed = { 0 };
	struct hotp h = { { 0 } };
	char code[OTP_DIGITS_MAX + 1] = "";
	int res = token_seed(r, t, &seed);

	if (!res)
		res = hotp_begin(seed.data, seed.len, (enum otp_algorithm)t->algorithm, &h);
	if (res)
		goto out;
	res = crypto_mac_begin("SHA2-256", (struct crypto_text){ p->key.data, p->key.len }, &mac);
	for (int64_t at = p->first; !res && at <= t->lease_last; at++) {
		res = hotp_at(&h, (uint64_t)at, (unsigned)t->digits, code);
		if (!res)
			res = lease_hash(&mac, at, code, p->hashes.data + p->hashes.len);
		p->hashes.len += LEASE_HASH;
	}
	crypto_mac_end(&mac);
	hotp_end(&h);
out:
	mag_wipe(code, sizeof code);
	mag_secret_free(&seed);
	return res;
}

static int put_part(struct request *r, struct aggregate *a, const struct lease_ask *ask,
	struct token *t, struct lease_tries tries)
{
	struct wire_lease_take_rep *rep = r->reply;
	struct wire_lease_part *p = &rep->parts[rep->n_parts];
	struct token_windows w;
	struct token fresh = *t;
	int res;

	token_windows_of(r->broker->settings, &w);
	lease_give(&fresh, ask, &w, r->now, &p->first);
	p->ref = login_token_ref(t);
	if (party_shows_digits(r)) {
		mag_copy(p->masked, sizeof p->masked, token_masked(t));
		mag_clean(p->label, sizeof p->label, t->label);
	}
	p->type = (uint32_t)t->type;
	p->digits = (uint32_t)t->digits;
	p->period = (uint32_t)t->period;
	p->drift = fresh.drift;
	p->moving = fresh.moving;
	p->ahead = (uint32_t)(t->type == TOKEN_HOTP ? w.hotp : w.totp);
	mag_copy(p->strength, sizeof p->strength, strength_id(token_strength(t)));
	p->level = (uint32_t)token_level(a, t);
	p->tries = (uint32_t)tries.run;
	p->rest = (uint32_t)tries.rest;
	p->key.len = sizeof p->key.data;
	res = mag_random(p->key.data, p->key.len);
	if (!res)
		res = put_hashes(r, &fresh, p);
	if (res)
		return res;
	if (!rep->n_parts || fresh.lease_until < rep->until)
		rep->until = fresh.lease_until;
	rep->n_parts++;
	*t = fresh;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	return 0;
}

/* Those that can go, or go on, with this lease; 0: it ends. */
static size_t chosen(struct request *r, struct aggregate *a, const struct lease_ask *ask,
	struct token *list_r[PARTS])
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_tokens; i++) {
		struct token *t = &a->tokens[i];

		if (!held(t, ask, r->now))
			continue;
		if (n == PARTS || t->lease_closing || !in_order(r, a, t))
			return 0;
		list_r[n++] = t;
	}
	for (size_t i = 0, held = n; !held && i < a->n_tokens && n < PARTS; i++) {
		struct token *t = &a->tokens[i];
		struct lease_tries tries = lease_tries(r, a, t, 1);

		if (in_order(r, a, t) && lease_can(t, ask, r->now) && tries.run > 0 &&
			tries.rest > 0)
			list_r[n++] = t;
	}
	return n;
}

/* All of an account's tokens go together, and none joins later: the holder says for both
 * at once that a code was struck off. A token without tries is locked there. */
static int take(struct request *r, struct aggregate *a, const struct lease_ask *ask)
{
	struct wire_lease_take_rep *rep = r->reply;
	struct token *list[PARTS];
	size_t n = chosen(r, a, ask, list);
	int res = 0;

	for (size_t i = 0; !res && i < n; i++)
		res = put_part(r, a, ask, list[i], lease_tries(r, a, list[i], n));
	rep->ended = rep->n_parts == 0;
	return res;
}

static int take_want(struct request *r)
{
	return lease_want(r, ((const struct wire_lease_take_req *)r->body)->user);
}

static void take_decide(struct request *r)
{
	const struct wire_lease_take_req *q = r->body;
	struct wire_lease_take_rep *rep = r->reply;
	struct aggregate *a = request_account(r);
	const struct host *h = r->through == THROUGH_HOST ? store_host(r->tick, r->host) : NULL;
	const struct lease_ask ask = { r->host, q->lease,
		r->broker->settings->offline_hours * HOUR };
	int res = 0;

	if (!h || q->lease <= 0) {
		request_error(r, MAG_EPERM);
		return;
	}
	rep->ended = 1;
	if (lease_named(h->offline, q->user) && login_account_usable(a, WIRE_UID_UNKNOWN) &&
		!*a->account.parent)
		res = take(r, a, &ask);
	if (res) {
		request_error(r, res);
		return;
	}
	rep->uid = (uint32_t)a->account.uid;
	rep->methods = (uint32_t)login_methods(r, a);
	mag_copy(rep->language, sizeof rep->language, login_language(r, a));
	request_verdict(r, VERDICT_OK);
}

/* ---- report ---- */

/* Behind what was accepted so far, and within what was given. */
static bool news(const struct token *t, int64_t position)
{
	int64_t fresh = t->type == TOKEN_HOTP ? t->moving : t->moving + 1;

	return position >= fresh && position <= t->lease_last;
}

static int report(struct request *r, struct aggregate *a, struct token *t,
	const struct wire_lease_report_req *q)
{
	const struct lease_wrong wrong = { q->failed, q->run };
	int64_t before = t->moving;
	int res = lease_charge(r, a, t, &wrong);

	if (res)
		return res;
	if (news(t, q->position)) {
		lease_report(t, q->position);
		lease_moved(r, t, before);
		store_charge(r->tick, r->index, THROTTLE_TOKEN, t->row.id, 0, STORE_RESET);
	}
	if (q->position >= 0 && q->at > t->last_used_at && q->at <= r->now)
		t->last_used_at = q->at;
	if (q->end)
		lease_clear(t);
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	return 0;
}

static int report_want(struct request *r)
{
	return lease_want(r, ((const struct wire_lease_report_req *)r->body)->user);
}

/* Told twice is told once. Of a lease that was passed meanwhile nothing is left to say. */
static void report_decide(struct request *r)
{
	const struct wire_lease_report_req *q = r->body;
	struct aggregate *a = request_account(r);
	int res = 0;

	if (r->through != THROUGH_HOST || q->lease <= 0 || q->failed < 0 || q->run < 0) {
		request_error(r, MAG_EPERM);
		return;
	}
	for (size_t i = 0; !res && i < a->n_tokens; i++) {
		struct token *t = &a->tokens[i];

		if (t->lease != q->lease || !mag_streq(t->lease_host, r->host) ||
			login_token_ref(t) != q->ref)
			continue;
		res = report(r, a, t, q);
	}
	if (res)
		request_error(r, res);
	else
		request_verdict(r, VERDICT_OK);
}

/* ---- list, end ---- */

static void list_decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

static int list_row(const struct store_token_row *row, void *arg)
{
	struct request *r = arg;
	struct wire_lease_list_rep *p = r->reply;
	struct wire_leased *w = &p->leases[p->n_leases++];
	const struct token *t = &row->token;
	bool over = lease_standing(t, r->now) == LEASE_OVER;

	mag_clean(w->account, sizeof w->account, row->account);
	mag_clean(w->serial, sizeof w->serial, t->serial);
	mag_copy(w->host, sizeof w->host, t->lease_host);
	mag_copy(w->state, sizeof w->state, over ? "over" : t->lease_closing ? "closing" : "live");
	w->since = t->lease_at;
	w->until = t->lease_until;
	return p->n_leases == PAGE;
}

static void list_after(struct request *r)
{
	const struct wire_lease_list_req *q = r->body;
	struct wire_lease_list_rep *p = r->reply;
	int res = store_list_leases(r->broker->store, q->cursor, PAGE, list_row, r);

	if (res < 0)
		request_error(r, res);
	else if (p->n_leases == PAGE)
		mag_copy(p->next, sizeof p->next, p->leases[PAGE - 1].serial);
}

/* Nobody but its holder can end one early: it may be using it this very moment. The audit
 * record has the reason. */
static void end_decide(struct request *r)
{
	const struct wire_lease_end_req *q = r->body;
	struct wire_lease_end_rep *p = r->reply;
	struct aggregate *a = request_account(r);

	if (!*q->reason) {
		handle_invalid(r, "a reason is needed");
		return;
	}
	if (!a->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	for (size_t i = 0; i < a->n_tokens; i++) {
		struct token *t = &a->tokens[i];

		if (lease_standing(t, r->now) != LEASE_LIVE)
			continue;
		t->lease_closing = 1;
		store_mark_token(r->tick, r->index, t, ROW_CHANGED);
		p->ended++;
	}
	if (p->ended)
		request_verdict(r, VERDICT_OK);
	else
		handle_refuse(r, VERDICT_NOT_ALLOWED, "none of its tokens is leased");
}

const struct handler handle_lease[] = {
	{ WIRE_MSG_LEASE_TERMS, NULL, terms_decide, NULL, NULL, NULL },
	{ WIRE_MSG_LEASE_TAKE, take_want, take_decide, NULL, NULL, NULL },
	{ WIRE_MSG_LEASE_REPORT, report_want, report_decide, NULL, NULL, NULL },
	{ WIRE_MSG_LEASE_LIST, NULL, list_decide, NULL, NULL, list_after },
	{ WIRE_MSG_LEASE_END, NULL, end_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
