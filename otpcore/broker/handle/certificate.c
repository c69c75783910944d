/* Certificates of an account: listed, added, deleted (C1). What they are worth at a
 * login is presented.c's. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/phone.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/session.h"
#include "otpcore/broker/trust.h"

#define PER_ACCOUNT   4
#define SIGNATURE_AGE 300 /* seconds, and as much ahead */

static const struct handle_word states[] = {
	{ CERTIFICATE_PENDING, "pending" },
	{ CERTIFICATE_ACTIVE, "active" },
	{ 0, NULL },
};

static int list_want(struct request *r)
{
	const struct wire_certificate_list_req *q = r->body;

	return store_want_certificates(r->tick, q->user);
}

static void fill(struct request *r, const struct certificate *c, struct wire_certificate *w)
{
	const char *fault = certificate_fault(r->broker->trust, c, r->now);

	snprintf(w->id, sizeof w->id, "c%u", (unsigned)(c->slot & 0xff));
	mag_copy(w->class, sizeof w->class, strength_id((enum strength)c->class));
	mag_copy(w->state, sizeof w->state, handle_word(states, c->state));
	mag_copy(w->fault, sizeof w->fault, fault ? fault : "");
	mag_clean(w->subject, sizeof w->subject, c->subject);
	mag_clean(w->issuer, sizeof w->issuer, c->issuer);
	mag_copy(w->serial, sizeof w->serial, c->serial);
	w->not_after = c->not_after;
	w->last_used = c->last_used_at;
	w->created = c->created_at;
	mag_clean(w->label, sizeof w->label, c->label);
}

static void list_decide(struct request *r)
{
	const struct wire_certificate_list_req *q = r->body;
	struct wire_certificate_list_rep *p = r->reply;
	const struct certificates *list = store_certificates(r->tick, q->user);

	if (!phone_may_touch(r, request_account(r)))
		return;
	for (size_t i = 0; i < list->n && p->n_certificates < PER_ACCOUNT; i++)
		fill(r, &list->rows[i], &p->certificates[p->n_certificates++]);
	request_verdict(r, VERDICT_OK);
}

/* ---- add ---- */

static int add_want(struct request *r)
{
	const struct wire_certificate_add_req *q = r->body;
	const char *why;
	struct certificate_facts f;
	int res = grant_want(r, &q->grant);

	if (!res)
		res = store_want_certificates(r->tick, q->user);
	/* Who else has it? */
	if (!res && r->broker->trust &&
		certificate_read(r->broker->trust, q->pem.data, q->pem.len, r->now, &f, &why) ==
			VERDICT_OK)
		res = store_want_key_holder(r->tick, f.key_hash);
	return res;
}

static const char *oids_of(const struct settings *s, enum strength class)
{
	return class == STRENGTH_BLOA            ? s->bloa
	       : class == STRENGTH_MLOA_SOFTWARE ? s->mloa_software
						 : s->mloa_hardware;
}

/* Who may say that it is of this class, and this person's? An administrator may; else the
 * authority's policies say the class, and its e-mail address or a session with a second
 * factor the person. Answers if not. */
static bool vouched(struct request *r, struct aggregate *a, const struct certificate_facts *f,
	enum strength class)
{
	struct mag_secret email = { 0 };
	bool same = false;

	if (r->standing.root || (r->standing.admin && !r->standing.own))
		return true;
	if (!certificate_may_be(f, oids_of(r->broker->settings, class))) {
		handle_refuse(r, VERDICT_CERTIFICATE_REFUSED, "it is of another class");
		return false;
	}
	if (strength_satisfies(grant_strength(r, NULL, NULL), STRENGTH_PHONE_OTP) ||
		phone_has_factor(a, r->now)) /* then phone_may_change() asked for it */
		return true;
	if (a->account.email.len && !seal_open(r->broker->keyring, "account.email",
					    a->account.row.id, &a->account.email, &email))
		same = strcasecmp(mag_secret_text(&email), f->email) == 0 && *f->email;
	mag_secret_free(&email);
	if (!same)
		handle_refuse(
			r, VERDICT_CERTIFICATE_REFUSED, "its e-mail address is not the account's");
	return same;
}

/* Is the key at hand? false with *bad_r: a signature that is none. */
static bool at_hand(struct request *r, bool *bad_r)
{
	const struct wire_certificate_add_req *q = r->body;
	char text[320];

	*bad_r = false;
	if (!q->signed_at)
		return false;
	*bad_r = q->signed_at < r->now - SIGNATURE_AGE || q->signed_at > r->now + SIGNATURE_AGE ||
		 !certificate_signed(q->pem.data, q->pem.len,
			 certificate_challenge(q->user, q->signed_at, text, sizeof text),
			 q->signature.data, q->signature.len);
	return !*bad_r;
}

static int64_t free_slot(const struct certificates *list)
{
	for (int64_t slot = 1; slot <= PER_ACCOUNT; slot++) {
		bool taken = false;

		for (size_t i = 0; i < list->n; i++)
			taken = taken || list->rows[i].slot == slot;
		if (!taken)
			return slot;
	}
	return 0;
}

static void make(struct request *r, struct aggregate *a, const struct certificate_facts *f,
	enum strength class, bool proven)
{
	const struct wire_certificate_add_req *q = r->body;
	struct wire_certificate_add_rep *p = r->reply;
	struct certificates *list = store_certificates(r->tick, q->user);
	int64_t slot = free_slot(list);
	struct certificate *c = slot ? store_add_certificate(r->tick, list) : NULL;
	char more[320];
	struct mag_buf b = MAG_BUF(more);

	if (!c) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "four certificates are as many as can be");
		return;
	}
	*c = (struct certificate){ .account = a->account.row.id,
		.slot = slot,
		.class = class,
		.state = proven ? CERTIFICATE_ACTIVE : CERTIFICATE_PENDING,
		.not_before = f->not_before,
		.not_after = f->not_after,
		.created_at = r->now };
	c->row.id = store_new_id();
	c->key_hash.len = HASH_LEN;
	memcpy(c->key_hash.data, f->key_hash, HASH_LEN);
	c->anchor.len = HASH_LEN;
	memcpy(c->anchor.data, f->anchor, HASH_LEN);
	mag_copy(c->subject, sizeof c->subject, f->subject);
	mag_copy(c->issuer, sizeof c->issuer, f->issuer);
	mag_copy(c->serial, sizeof c->serial, f->serial);
	mag_clean(c->label, sizeof c->label, q->label);
	store_mark_certificate(r->tick, r->index, c, ROW_NEW);
	snprintf(p->id, sizeof p->id, "c%u", (unsigned)(slot & 0xff));
	mag_copy(p->state, sizeof p->state, handle_word(states, c->state));
	mag_clean(p->subject, sizeof p->subject, c->subject);
	p->not_after = c->not_after;
	mag_buf_printf(&b, "credential=certificate %.128s\n", p->subject);
	token_mail(r, a, "activation", more);
	request_verdict(r, VERDICT_OK);
}

/* Already there, for this account or another that has shown to have the key? */
static bool taken(struct request *r, const struct certificate_facts *f)
{
	const struct wire_certificate_add_req *q = r->body;
	const struct certificates *list = store_certificates(r->tick, q->user);
	const struct key_holder *holder = store_key_holder(r->tick, f->key_hash);

	for (size_t i = 0; i < list->n; i++)
		if (memcmp(list->rows[i].key_hash.data, f->key_hash, HASH_LEN) == 0) {
			handle_refuse(r, VERDICT_NOT_ALLOWED, "it is registered already");
			return true;
		}
	if (!holder || !holder->certificate.row.id)
		return false;
	request_verdict(r, VERDICT_WRONG_CERTIFICATE);
	return true;
}

static void add_decide(struct request *r)
{
	const struct wire_certificate_add_req *q = r->body;
	struct aggregate *a = request_account(r);
	enum strength class = certificate_class(q->class);
	struct certificate_facts f = { .not_before = 0 };
	const char *why = "no authorities are configured";
	bool proven, bad = false;

	if (!phone_may_change(r, a, &q->grant))
		return;
	if (class == STRENGTH_NONE) {
		handle_invalid(r, "class: bloa, mloa-software or mloa-hardware");
		return;
	}
	if (!r->broker->trust || certificate_read(r->broker->trust, q->pem.data, q->pem.len, r->now,
					 &f, &why) != VERDICT_OK) {
		handle_refuse(r, VERDICT_CERTIFICATE_REFUSED, why);
		return;
	}
	proven = at_hand(r, &bad);
	if (bad)
		handle_refuse(r, VERDICT_CERTIFICATE_REFUSED, "the signature is not by its key");
	else if (!taken(r, &f) && vouched(r, a, &f, class))
		make(r, a, &f, class, proven);
}

/* ---- delete ---- */

static int delete_want(struct request *r)
{
	const struct wire_certificate_delete_req *q = r->body;
	int res = grant_want(r, &q->grant);

	if (!res)
		res = store_want_certificates(r->tick, q->user);
	return res ? res : store_want_sessions_of(r->tick, q->user);
}

static void delete_decide(struct request *r)
{
	const struct wire_certificate_delete_req *q = r->body;
	struct wire_certificate_delete_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct certificates *list = store_certificates(r->tick, q->user);
	struct certificate *c = NULL;
	char more[320];
	struct mag_buf b = MAG_BUF(more);
	bool own = false;

	if (!phone_may_change(r, a, &q->grant))
		return;
	for (size_t i = 0; i < list->n; i++)
		if (q->id[0] == 'c' && q->id[1] == '0' + list->rows[i].slot && !q->id[2])
			c = &list->rows[i];
	if (!c || c->row.fate == ROW_DELETED) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account has no such certificate");
		return;
	}
	p->sessions = (uint32_t)session_end_resting(r, a, c->row.id, &own);
	p->own = own;
	mag_buf_printf(&b, "credential=certificate %.128s\nreason=\n", c->subject);
	token_mail(r, a, "revocation", more);
	store_mark_certificate(r->tick, r->index, c, ROW_DELETED);
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_certificate[] = {
	{ WIRE_MSG_CERTIFICATE_LIST, list_want, list_decide, NULL, NULL, NULL },
	{ WIRE_MSG_CERTIFICATE_ADD, add_want, add_decide, NULL, NULL, NULL },
	{ WIRE_MSG_CERTIFICATE_DELETE, delete_want, delete_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
