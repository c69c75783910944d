/* One place that makes a code and the order to send it (P4, P5). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/send.h"
#include "otpcore/engine/challenge.h"
#include "otpcore/engine/policy.h"

static bool same_chain(const struct challenge *c, const struct blob *chain)
{
	return c->chain.len == chain->len && memcmp(c->chain.data, chain->data, chain->len) == 0;
}

/* P5: the old code dies when a new one is made. */
static void kill_older(struct request *r, const struct send_input *in)
{
	for (size_t i = 0; i < in->account->n_challenges; i++) {
		struct challenge *c = &in->account->challenges[i];

		if (c->state != CHALLENGE_LIVE || !same_chain(c, &in->chain))
			continue;
		c->state = CHALLENGE_DEAD;
		if (in->decoy)
			continue;
		store_mark_challenge(r->tick, r->index, c, ROW_CHANGED);
		request_spent(r, c->row.id, false);
	}
}

/* A place for a made-up challenge; the oldest goes when there is none. */
static struct challenge *add_decoy(struct aggregate *a)
{
	struct challenge *oldest = &a->challenges[0];

	if (a->n_challenges < CHALLENGES_MAX)
		return &a->challenges[a->n_challenges++];
	for (size_t i = 1; i < CHALLENGES_MAX; i++)
		if (a->challenges[i].created_at < oldest->created_at)
			oldest = &a->challenges[i];
	return oldest;
}

static int new_challenge(
	struct request *r, const struct send_input *in, struct challenge **challenge_r)
{
	const struct settings *s = r->broker->settings;
	struct challenge new = { .account = in->account->account.row.id,
		.phone = in->phone->row.id,
		.kind = in->kind,
		.state = CHALLENGE_LIVE,
		.chain = in->chain,
		.channel = in->channel,
		.created_at = r->now,
		.expires_at = r->now + s->code_validity,
		.delivery = DELIVERY_PENDING };
	struct challenge *c;
	int res = mag_random(new.nonce.data, NONCE_LEN);

	if (res)
		return res;
	new.nonce.len = NONCE_LEN;
	new.row.id = store_new_id();
	new.chain_id = in->chain_id ? in->chain_id : new.row.id;
	c = in->decoy ? add_decoy(in->account) : store_add_challenge(r->tick, in->account);
	if (!c)
		return MAG_ENOSPACE;
	*c = new;
	if (!in->decoy)
		store_mark_challenge(r->tick, r->index, c, ROW_NEW);
	*challenge_r = c;
	return 0;
}

int send_code(const struct broker *b, const struct challenge *c, char code_r[9])
{
	unsigned char mac[HASH_LEN];
	int res = seal_hash(b->keyring, PEPPER_CODE, c->nonce.data, c->nonce.len, mac);

	if (!res)
		res = challenge_code(mac, (unsigned)b->settings->code_digits, code_r);
	mag_wipe(mac, sizeof mac);
	return res;
}

void order_id(int64_t challenge, char *id, size_t cap)
{
	snprintf(id, cap, "c%016" PRIx64, challenge);
}

int send_order(struct request *r, const struct send_input *in, const struct challenge *c)
{
	struct sms_order *o = &r->sms;
	struct mag_secret number = { 0 };
	char code[9];
	int res = seal_open(
		r->broker->keyring, "phone.number", in->phone->row.id, &in->phone->number, &number);

	if (res == MAG_ECRYPTO)
		mag_log(MAG_LOG_ERROR,
			"a number in the store does not open: the master key is not the one that "
			"the store was made with, or the row was changed");
	if (!res)
		res = mag_copy(o->to, sizeof o->to, mag_secret_text(&number));
	if (!res)
		res = send_code(r->broker, c, code);
	if (!res)
		res = mag_secret_set_text(&o->code, code);
	mag_wipe(code, sizeof code);
	mag_secret_free(&number);
	if (res)
		return res;
	order_id(c->row.id, o->id, sizeof o->id);
	mag_copy(o->channel, sizeof o->channel, channel_id(c->channel));
	mag_copy(o->template, sizeof o->template, in->template);
	mag_copy(o->language, sizeof o->language,
		in->language ? in->language : in->account->account.language);
	mag_copy(o->account, sizeof o->account, in->account->account.name);
	o->expires_at = c->expires_at;
	o->priority = in->priority;
	o->challenge = c->row.id;
	o->wanted = true;
	return 0;
}

enum verdict send_challenge(
	struct request *r, const struct send_input *in, struct challenge **challenge_r)
{
	const struct books b = { r, in->account, in->decoy };
	struct challenge *c = NULL;
	enum verdict v = send_budget_allows(&b, in->phone->row.id);

	if (v != VERDICT_OK)
		return v;
	kill_older(r, in);
	if (new_challenge(r, in, &c) || send_budget_charge(&b, in->phone->row.id))
		return VERDICT_SEND_FAILED;
	if (!in->decoy && send_order(r, in, c))
		return VERDICT_SEND_FAILED;
	*challenge_r = c;
	return VERDICT_OK;
}
