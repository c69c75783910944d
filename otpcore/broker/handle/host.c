/* Hosts whose otpcored is a relay (security.md 40): invited by an administrator, enrolled
 * by the code, renewed by themselves, revoked at once. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/host.h"
#include "otpcore/broker/remote.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/seal/authority.h"

#define CODE_LIFE 86400
#define CODE_LEN  16
#define PAGE      (sizeof((struct wire_host_list_rep *)0)->hosts / sizeof(struct wire_host))

static const struct handle_word states[] = {
	{ HOST_INVITED, "invited" },
	{ HOST_ACTIVE, "active" },
	{ HOST_REVOKED, "revoked" },
	{ 0, NULL },
};

/* ---- add ---- */

static bool is_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return *name && !name[strspn(name, letters)];
}

/* NAME:SECRET, the secret being the code and the authority's fingerprint. */
static int code_text(
	struct request *r, const char *name, const unsigned char *code, struct mag_secret *text_r)
{
	unsigned char both[CODE_LEN + AUTHORITY_PRINT], print[HASH_LEN];
	char text[130];
	size_t len;
	int res = identity_key_print(remotes_signer(r->broker->remotes)->certificate, print);

	memcpy(both, code, CODE_LEN);
	memcpy(both + CODE_LEN, print, AUTHORITY_PRINT);
	len = (size_t)snprintf(text, sizeof text, "%s:", name);
	if (!res)
		res = mag_base64_encode(both, sizeof both, text + len, sizeof text - len);
	if (!res)
		res = mag_secret_set_text(text_r, text);
	mag_wipe(both, sizeof both);
	mag_wipe(text, sizeof text);
	return res;
}

static int invite(struct request *r, struct host *h)
{
	const struct wire_host_add_req *q = r->body;
	struct wire_host_add_rep *p = r->reply;
	unsigned char code[CODE_LEN];
	int res = mag_random(code, sizeof code);

	if (!res)
		res = crypto_sha256((struct crypto_text){ code, sizeof code }, h->code_hash.data);
	if (!res)
		res = code_text(r, q->name, code, &p->code);
	mag_wipe(code, sizeof code);
	if (res)
		return res;
	h->code_hash.len = HASH_LEN;
	h->code_expires = p->expires = r->now + CODE_LIFE;
	h->state = HOST_INVITED;
	h->print.len = h->before.len = 0;
	return 0;
}

static struct host_may added(const struct wire_host_add_req *q)
{
	return (struct host_may){ q->services, q->accounts, q->offline, q->self_service != 0 };
}

static int add_want(struct request *r)
{
	const struct wire_host_add_req *q = r->body;
	const struct host_may may = added(q);

	return host_may_want(r, q->name, &may);
}

static void add_decide(struct request *r)
{
	const struct wire_host_add_req *q = r->body;
	struct wire_host_add_rep *p = r->reply;
	const struct host_may may = added(q);
	struct host *h = store_host(r->tick, q->name);
	bool new = !h->row.id;
	int res;

	if (!is_name(q->name)) {
		handle_invalid(r, "the name of a host has letters, digits, - _ and .");
	} else if (!r->broker->remotes) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			"this host serves no relays: [broker] listen is not set");
	} else if (mag_streq(q->name, r->broker->host)) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "that is the name of this host itself");
	} else if (host_may_wrong(&may)) {
		handle_invalid(r, host_may_wrong(&may));
	} else if (h->state == HOST_ACTIVE) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			"it is enrolled: host set changes what it may; for a new code, revoke it "
			"first");
	} else if ((res = invite(r, h))) {
		request_error(r, res);
	} else {
		if (new) {
			h->row.id = store_new_id();
			mag_copy(h->name, sizeof h->name, q->name);
			h->created_at = r->now;
		}
		host_may_put(h, &may);
		host_may_idle(
			r, h, &(struct host_idle){ p->unknown, p->outside, sizeof p->unknown });
		store_mark_host(r->tick, r->index, h, new ? ROW_NEW : ROW_CHANGED);
		request_verdict(r, VERDICT_OK);
	}
}

/* ---- set ---- */

static struct host_may changed(const struct wire_host_set_req *q)
{
	return (struct host_may){
		q->has_services ? q->services : NULL,
		q->has_accounts ? q->accounts : NULL,
		q->has_offline ? q->offline : NULL,
		q->has_self_service ? q->self_service != 0 : -1,
	};
}

static int set_want(struct request *r)
{
	const struct wire_host_set_req *q = r->body;
	const struct host_may may = changed(q);

	return host_may_want(r, q->name, &may);
}

/* Its key stays, and a code that it was invited with. */
static void set_decide(struct request *r)
{
	const struct wire_host_set_req *q = r->body;
	struct wire_host_set_rep *p = r->reply;
	const struct host_may may = changed(q);
	struct host *h = store_host(r->tick, q->name);

	if (!h->row.id) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "there is no such host");
	} else if (h->state == HOST_REVOKED) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "it is revoked; add and enroll it again");
	} else if (host_may_wrong(&may)) {
		handle_invalid(r, host_may_wrong(&may));
	} else {
		host_may_put(h, &may);
		host_may_idle(
			r, h, &(struct host_idle){ p->unknown, p->outside, sizeof p->unknown });
		store_mark_host(r->tick, r->index, h, ROW_CHANGED);
		request_verdict(r, VERDICT_OK);
	}
}

/* ---- list, revoke, remove ---- */

static void list_decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

static int list_row(const struct host *h, void *arg)
{
	struct wire_host_list_rep *p = arg;
	struct wire_host *w = &p->hosts[p->n_hosts++];

	mag_copy(w->name, sizeof w->name, h->name);
	mag_copy(w->state, sizeof w->state, handle_word(states, h->state));
	mag_copy(w->services, sizeof w->services, h->services);
	mag_copy(w->accounts, sizeof w->accounts, h->accounts);
	mag_copy(w->offline, sizeof w->offline, h->offline);
	w->self_service = h->self_service != 0;
	w->created = h->created_at;
	w->enrolled = h->enrolled_at;
	w->expires = h->state == HOST_INVITED ? h->code_expires : h->not_after;
	if (h->print.len == HASH_LEN)
		mag_hex_encode(h->print.data, HASH_LEN, w->print);
	return p->n_hosts == PAGE;
}

static void list_after(struct request *r)
{
	const struct wire_host_list_req *q = r->body;
	struct wire_host_list_rep *p = r->reply;
	int res = store_list_hosts(r->broker->store, q->cursor, PAGE, list_row, p);

	if (res < 0)
		request_error(r, res);
	else if (p->n_hosts == PAGE)
		mag_copy(p->next, sizeof p->next, p->hosts[PAGE - 1].name);
}

static int named_want(struct request *r)
{
	const struct wire_host_revoke_req *q = r->body; /* host_remove has the same */

	return store_want_host(r->tick, q->name);
}

static void named_decide(struct request *r)
{
	const struct wire_host_revoke_req *q = r->body;
	struct host *h = store_host(r->tick, q->name);
	bool remove = r->message->id == WIRE_MSG_HOST_REMOVE;

	if (!h->row.id) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "there is no such host");
		return;
	}
	h->state = HOST_REVOKED;
	h->code_hash.len = 0;
	store_mark_host(r->tick, r->index, h, remove ? ROW_DELETED : ROW_CHANGED);
	request_verdict(r, VERDICT_OK);
}

/* ---- certificates ---- */

/* A certificate for the key of a request, into the reply; its print and date. */
static int sign(struct request *r, const char *name, struct host *h, bool renew)
{
	const struct wire_host_renew_req *renewal = r->body;
	const struct wire_host_enroll_req *first = r->body;
	const unsigned char *der = renew ? renewal->request.data : first->request.data;
	size_t len = renew ? renewal->request.len : first->request.len;
	/* The two replies are the same struct by their fields. */
	struct wire_host_renew_rep *p = r->reply;
	struct identity_input in = { .name = name, .now = r->now };
	X509 *x = NULL;
	int res = identity_request_key(der, len, &in.key);

	if (!res)
		res = identity_issue(remotes_signer(r->broker->remotes), &in, &x);
	if (!res)
		res = identity_der(
			x, p->certificate.data, sizeof p->certificate.data, &p->certificate.len);
	if (!res)
		res = identity_print(x, h->print.data);
	if (!res) {
		h->print.len = HASH_LEN;
		h->not_after = p->expires = identity_expires(x);
	}
	EVP_PKEY_free(in.key);
	X509_free(x);
	return res;
}

static int enroll_want(struct request *r)
{
	const struct wire_host_enroll_req *q = r->body;

	return store_want_host(r->tick, q->name);
}

static bool invited(const struct request *r, const struct host *h)
{
	const struct wire_host_enroll_req *q = r->body;
	unsigned char hash[HASH_LEN];

	return h->row.id && h->state == HOST_INVITED && r->now < h->code_expires &&
	       q->code.len == CODE_LEN && h->code_hash.len == HASH_LEN &&
	       crypto_sha256((struct crypto_text){ q->code.data, q->code.len }, hash) == 0 &&
	       mag_equal(hash, h->code_hash.data, HASH_LEN);
}

static void enroll_decide(struct request *r)
{
	const struct wire_host_enroll_req *q = r->body;
	struct host *h = store_host(r->tick, q->name), fresh = *h;
	int res = r->broker->remotes && invited(r, h) ? 0 : MAG_EPERM;

	if (!res)
		res = sign(r, h->name, &fresh, false);
	if (res) {
		request_error(r, res);
		return;
	}
	*h = fresh;
	h->state = HOST_ACTIVE;
	h->code_hash.len = h->before.len = 0;
	h->enrolled_at = r->now;
	store_mark_host(r->tick, r->index, h, ROW_CHANGED);
	request_verdict(r, VERDICT_OK);
}

/* The certificate that asks stays good until its own end: the new one may be lost on
 * its way. */
static void renew_decide(struct request *r)
{
	struct host *h = r->through == THROUGH_HOST ? store_host(r->tick, r->host) : NULL, fresh;
	int res = MAG_EPERM;

	if (h) {
		fresh = *h;
		res = sign(r, h->name, &fresh, true);
	}
	if (res) {
		request_error(r, res);
		return;
	}
	*h = fresh;
	memcpy(h->before.data, r->print, HASH_LEN);
	h->before.len = HASH_LEN;
	store_mark_host(r->tick, r->index, h, ROW_CHANGED);
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_host[] = {
	{ WIRE_MSG_HOST_ADD, add_want, add_decide, NULL, NULL, NULL },
	{ WIRE_MSG_HOST_SET, set_want, set_decide, NULL, NULL, NULL },
	{ WIRE_MSG_HOST_LIST, NULL, list_decide, NULL, NULL, list_after },
	{ WIRE_MSG_HOST_REVOKE, named_want, named_decide, NULL, NULL, NULL },
	{ WIRE_MSG_HOST_REMOVE, named_want, named_decide, NULL, NULL, NULL },
	{ WIRE_MSG_HOST_ENROLL, enroll_want, enroll_decide, NULL, NULL, NULL },
	{ WIRE_MSG_HOST_RENEW, NULL, renew_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
