/* Has a code sent, or finds that an earlier one still lives. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

/* Another minute or two does not help somebody who waits at a prompt. */
#define GOOD_FOR_SLACK 5

static enum step show(struct flow *f, enum text sms, enum text voice)
{
	f->screen = mag_streq(f->channel, "voice") ? voice : sms;
	return STEP_CODE;
}

/* "2 minutes", although the gateway took a second of them. */
static uint32_t good_for(const struct flow *f, uint32_t left)
{
	uint32_t whole = f->login->code_validity;
	return whole > left && whole - left <= GOOD_FOR_SLACK ? whole : left;
}

static enum step sent(struct flow *f, const struct wire_send_rep *a)
{
	bool first = !f->sent;

	if (*a->channel)
		mag_copy(f->channel, sizeof f->channel, a->channel);
	f->args.other = flow_other_channel(f->factor, f->channel);
	f->args.tries = a->tries_left;
	f->args.seconds = a->seconds_left;
	if (flow_lost(a->delivery))
		return show(f, TEXT_NOT_SENT_SMS, TEXT_NOT_SENT_VOICE);
	f->sent = true;
	f->live_factor = f->factor;
	memcpy(f->live_channel, f->channel, sizeof f->live_channel);
	if (a->reused)
		return show(f, TEXT_REUSED_SMS, TEXT_REUSED_VOICE);
	f->args.seconds = good_for(f, a->seconds_left);
	if (a->delivery != DELIVERY_ACCEPTED)
		return show(f, TEXT_PENDING_SMS, TEXT_PENDING_VOICE);
	if (first)
		return show(f, TEXT_SENT_SMS, TEXT_SENT_VOICE);
	return show(f, TEXT_RESENT_SMS, TEXT_RESENT_VOICE);
}

/* Too many, or too soon. An earlier code may be good still: then it is what the
 * person is asked for. */
static enum step limited(
	struct flow *f, const struct wire_result *result, const struct wire_send_rep *a)
{
	uint32_t wait = result->seconds ? result->seconds : a->resend_after;

	if (a->seconds_left) {
		if (f->live_factor)
			flow_choose(f, f->live_factor, f->live_channel);
		f->screen = TEXT_NOT_YET;
	} else if (f->login->n_factors > 1 && wait) {
		f->screen = TEXT_LIMITED;
	} else {
		return flow_refuse(f, result->verdict, wait, result->detail);
	}
	f->args.seconds = wait;
	return STEP_CODE;
}

bool flow_lost(uint32_t delivery)
{
	return delivery == DELIVERY_FAILED || delivery == DELIVERY_UNDELIVERED;
}

enum step step_send(struct flow *f)
{
	struct wire_send_req q = { .ref = f->factor->ref, .again = f->again };
	struct wire_send_rep a = { 0 };
	struct wire_result result;

	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	memcpy(q.channel, f->channel, sizeof q.channel);
	if (flow_call(f, WIRE_MSG_SEND, &q, &result, &a))
		return STEP_END;
	switch (result.verdict) {
	case VERDICT_OK:
		return sent(f, &a);
	case VERDICT_SEND_FAILED:
		return show(f, TEXT_NOT_SENT_SMS, TEXT_NOT_SENT_VOICE);
	case VERDICT_SEND_LIMITED:
	case VERDICT_TRY_LATER:
		return limited(f, &result, &a);
	case VERDICT_TRIES_EXCEEDED:
		return flow_refuse(f, result.verdict, result.seconds, NULL);
	default:
		return flow_refuse(f, result.verdict, result.seconds, result.detail);
	}
}
