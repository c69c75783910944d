/* The broker's own request: write down what became of a message, and give the
 * budget back for one that certainly was not sent. */
#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/parts.h"
#include "otpcore/engine/throttle.h"

struct word {
	char account[257];
	int64_t challenge;
	unsigned delivery;
};

static int want(struct request *r)
{
	return store_want_account(r->tick, ((const struct word *)r->body)->account);
}

static void decide(struct request *r)
{
	const struct word *w = r->body;
	struct aggregate *a = store_account(r->tick, w->account);
	struct challenge *c = NULL;

	for (size_t i = 0; i < a->n_challenges; i++)
		if (a->challenges[i].row.id == w->challenge)
			c = &a->challenges[i];
	request_verdict(r, VERDICT_OK);
	if (!c || c->delivery == w->delivery)
		return;
	/* A receipt, late: nothing is given back for a message that was sent. */
	if (w->delivery == DELIVERY_UNDELIVERED && c->state != CHALLENGE_LIVE)
		return;
	if (w->delivery == DELIVERY_FAILED) {
		store_charge(r->tick, r->index, THROTTLE_SEND_ACCOUNT, a->account.row.id,
			throttle_hour(c->created_at), -1);
		store_charge(r->tick, r->index, THROTTLE_SEND_DAY, a->account.row.id,
			throttle_day(c->created_at), -1);
		store_charge(r->tick, r->index, THROTTLE_SEND_NUMBER, c->phone,
			throttle_hour(c->created_at), -1);
	}
	c->delivery = w->delivery;
	store_mark_challenge(r->tick, r->index, c, ROW_CHANGED);
}

static const struct handler handle_word = { 0, want, decide, NULL, NULL, NULL };

void delivery_record(struct broker *b, const struct sms_order *o, unsigned delivery)
{
	struct word *w = calloc(1, sizeof *w);
	struct request *r = w ? request_new(b, NULL, &handle_word, w) : NULL;

	if (!r) {
		mag_log(MAG_LOG_ERROR, "message %s: its delivery is not recorded", o->id);
		free(w);
		return;
	}
	mag_copy(w->account, sizeof w->account, o->account);
	w->challenge = o->challenge;
	w->delivery = delivery;
	ticker_add(b->ticker, r);
}
