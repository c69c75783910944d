/* Phones of an account: seen, chosen, deleted (P1, P6). */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/phone.h"
#include "otpcore/broker/handle/proofing.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/token.h"

struct phone *phone_by_slot(struct aggregate *a, int64_t slot)
{
	for (size_t i = 0; i < a->n_phones; i++)
		if (a->phones[i].slot == slot && a->phones[i].row.fate != ROW_DELETED)
			return &a->phones[i];
	return NULL;
}

size_t phones_in_state(const struct aggregate *a, int64_t state)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_phones; i++)
		n += a->phones[i].state == state && a->phones[i].row.fate != ROW_DELETED;
	return n;
}

static bool settled(struct aggregate *a, const struct token *t, int64_t now)
{
	return (t->state == TOKEN_ACTIVE || t->state == TOKEN_LOCKED ||
		       t->state == TOKEN_SUSPENDED) &&
	       subscription_active(token_subscription(a, t), now);
}

/* One whose subscription ran out can't be used to elevate, and must not stand in
 * the way of its owner. */
bool phone_has_factor(struct aggregate *a, int64_t now)
{
	for (size_t i = 0; i < a->n_phones; i++)
		if (a->phones[i].row.fate != ROW_DELETED &&
			mag_streq(phone_state_id(a, &a->phones[i], now), "active"))
			return true;
	for (size_t i = 0; i < a->n_tokens; i++)
		if (settled(a, &a->tokens[i], now))
			return true;
	return false;
}

/* H11: a connected account has no credentials of its own and gets none. */
static void refuse_lent(struct request *r, const struct aggregate *a)
{
	char text[sizeof r->result.detail];
	struct mag_buf b = MAG_BUF(text);

	mag_buf_printf(&b, "its credentials are those of %s: change them there, or end that with ",
		a->account.parent);
	mag_buf_puts(
		&b, r->standing.own ? "magotp connect --end" : "magotpctl account connect --end");
	handle_refuse(r, VERDICT_NOT_ALLOWED, text);
}

bool phone_may_touch(struct request *r, struct aggregate *a)
{
	if (!r->standing.root && !r->standing.own && !r->standing.admin)
		request_error(r, MAG_EPERM);
	else if (!a->exists)
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
	else if (a->account.state != ACCOUNT_ACTIVE && !r->standing.root)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account is not active");
	else if (*a->account.parent)
		refuse_lent(r, a);
	else
		return true;
	return false;
}

bool phone_may_change(struct request *r, struct aggregate *a, const struct mag_secret *grant)
{
	bool session = false;
	enum strength need = STRENGTH_PASSWORD;

	if (!phone_may_touch(r, a))
		return false;
	if (phone_has_factor(a, r->now))
		need = STRENGTH_PHONE_OTP;
	if (!r->standing.own && !grant_peer_proven(r, grant))
		request_verdict(r, VERDICT_ELEVATE_FIRST);
	else if (strength_satisfies(grant_strength(r, grant, &session), need))
		return true;
	else
		request_verdict(
			r, need == STRENGTH_PASSWORD ? VERDICT_NOT_ALLOWED : VERDICT_ELEVATE_FIRST);
	return false;
}

/* ---- list ---- */
static void open_number(struct request *r, const struct phone *ph, char *out, size_t cap)
{
	struct mag_secret clear = { 0 };

	if (!seal_open(r->broker->keyring, "phone.number", ph->row.id, &ph->number, &clear))
		mag_copy(out, cap, mag_secret_text(&clear));
	mag_secret_free(&clear);
}

static void list_decide(struct request *r)
{
	struct wire_phone_list_rep *p = r->reply;
	struct aggregate *a = request_account(r);

	if (!phone_may_touch(r, a))
		return;
	for (int64_t slot = 1; slot <= PHONES_MAX; slot++) {
		struct phone *ph = phone_by_slot(a, slot);
		struct subscription *s = ph ? phone_subscription(a, ph) : NULL;
		struct wire_phone *w = &p->phones[p->n_phones];

		if (!ph)
			continue;
		w->ref = (uint32_t)slot;
		open_number(r, ph, w->number, sizeof w->number);
		mag_copy(w->masked, sizeof w->masked, ph->masked);
		mag_copy(w->country, sizeof w->country, ph->country);
		mag_copy(w->channel, sizeof w->channel, channel_id(ph->channel));
		mag_copy(w->channels, sizeof w->channels, ph->voice_only ? "voice" : "sms voice");
		w->is_default = ph->is_default != 0;
		mag_copy(w->state, sizeof w->state, phone_state_id(a, ph, r->now));
		w->since = ph->state_since;
		w->last_used = ph->last_used_at;
		w->expires = s ? s->expires_at : 0;
		mag_copy(w->label, sizeof w->label, ph->label);
		p->n_phones++;
	}
	request_verdict(r, VERDICT_OK);
}

/* ---- default, channel, delete ---- */

/* The phone a change speaks of, if the peer may make it; NULL: answered. */
static struct phone *changing(struct request *r, const struct mag_secret *grant, uint32_t ref)
{
	struct aggregate *a = request_account(r);
	struct phone *p;

	if (!phone_may_change(r, a, grant))
		return NULL;
	p = phone_by_slot(a, ref);
	if (!p)
		request_verdict(r, VERDICT_PHONE_UNKNOWN);
	return p;
}

static int default_want(struct request *r)
{
	return grant_want(r, &((const struct wire_phone_default_req *)r->body)->grant);
}

static void default_decide(struct request *r)
{
	const struct wire_phone_default_req *q = r->body;
	struct aggregate *a = request_account(r);
	struct phone *p = changing(r, &q->grant, q->ref);

	if (!p)
		return;
	if (p->state != PHONE_ACTIVE) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "that phone is not verified yet");
		return;
	}
	for (size_t i = 0; i < a->n_phones; i++) {
		struct phone *o = &a->phones[i];
		int64_t want = o == p;

		if (o->row.fate == ROW_DELETED || o->is_default == want)
			continue;
		o->is_default = want;
		store_mark_phone(r->tick, r->index, o, ROW_CHANGED);
	}
	request_verdict(r, VERDICT_OK);
}

static int channel_want(struct request *r)
{
	return grant_want(r, &((const struct wire_phone_channel_req *)r->body)->grant);
}

static void channel_decide(struct request *r)
{
	const struct wire_phone_channel_req *q = r->body;
	struct phone *p = changing(r, &q->grant, q->ref);
	int64_t channel = channel_from_id(q->channel);

	if (!p)
		return;
	if (channel != CHANNEL_SMS && channel != CHANNEL_VOICE) {
		handle_invalid(r, "channel: sms or voice");
		return;
	}
	if (channel == CHANNEL_SMS && p->voice_only) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "a landline takes voice calls only");
		return;
	}
	if (p->channel != channel) {
		p->channel = channel;
		store_mark_phone(r->tick, r->index, p, ROW_CHANGED);
	}
	request_verdict(r, VERDICT_OK);
}

static int delete_want(struct request *r)
{
	const struct wire_phone_delete_req *q = r->body;
	int res = grant_want(r, &q->grant);

	return res ? res : store_want_sessions_of(r->tick, q->user);
}

static void delete_decide(struct request *r)
{
	const struct wire_phone_delete_req *q = r->body;
	struct aggregate *a = request_account(r);
	struct phone *p = changing(r, &q->grant, q->ref), *heir = NULL;

	if (!p)
		return;
	if (p->state == PHONE_ACTIVE && phones_in_state(a, PHONE_ACTIVE) == 1) {
		request_verdict(r, VERDICT_PHONE_LAST);
		return;
	}
	for (size_t i = 0; i < a->n_challenges; i++) {
		struct challenge *ch = &a->challenges[i];

		if (ch->phone != p->row.id || ch->state != CHALLENGE_LIVE)
			continue;
		ch->state = CHALLENGE_DEAD;
		store_mark_challenge(r->tick, r->index, ch, ROW_CHANGED);
		request_spent(r, ch->row.id, false);
	}
	for (int64_t slot = 1; slot <= PHONES_MAX && !heir; slot++) {
		heir = phone_by_slot(a, slot);
		if (heir && (heir == p || heir->state != PHONE_ACTIVE))
			heir = NULL;
	}
	if (p->is_default && heir) {
		heir->is_default = 1;
		store_mark_phone(r->tick, r->index, heir, ROW_CHANGED);
	}
	session_end_resting(r, a, p->row.id, NULL);
	store_mark_phone(r->tick, r->index, p, ROW_DELETED);
	proofing_drop_lost(r, a);
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_phone[] = {
	{ WIRE_MSG_PHONE_LIST, NULL, list_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PHONE_ADD, phone_add_want, phone_add_decide, phone_add_settle,
		phone_add_delivered, NULL },
	{ WIRE_MSG_PHONE_VERIFY, NULL, phone_verify_decide, phone_verify_settle, NULL, NULL },
	{ WIRE_MSG_PHONE_DEFAULT, default_want, default_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PHONE_CHANNEL, channel_want, channel_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PHONE_DELETE, delete_want, delete_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PHONE_TEST, phone_test_want, phone_test_decide, phone_test_settle,
		phone_test_delivered, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
