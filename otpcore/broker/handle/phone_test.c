/* A test message (P7): to a phone, or to a number before it is registered. It
 * is paid from the same budget as codes, so testing is no way around it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/books.h"
#include "otpcore/broker/handle/phone.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/number.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/throttle.h"

#define TEST_LIFE 120 /* seconds until smsd gives up */

/* The number of a test that names no phone, and its throttle subject. */
static enum verdict typed_number(
	struct request *r, const char *typed, struct number *number_r, int64_t *subject_r)
{
	enum verdict v = number_parse(typed, "", r->broker->settings->region_overrides, number_r);

	if (v == VERDICT_OK && seal_subject(r->broker->keyring, PEPPER_NUMBER, number_r->e164,
				       strlen(number_r->e164), subject_r))
		v = VERDICT_NONE;
	return v;
}

int phone_test_want(struct request *r)
{
	const struct wire_phone_test_req *q = r->body;
	struct number number;
	int64_t subject = 0;

	if (q->ref || typed_number(r, q->number, &number, &subject) != VERDICT_OK)
		return 0;
	return store_want_throttle(r->tick, THROTTLE_SEND_NUMBER, subject, throttle_hour(r->now));
}

/* Who is written to: number, its subject, masked digits, whether voice only. */
struct target {
	int64_t subject, channel, sent;
	bool voice_only;
	char masked[9];
};

static enum verdict target_phone(
	struct request *r, struct aggregate *a, uint32_t ref, struct target *t)
{
	struct phone *p = phone_by_slot(a, ref);
	struct mag_secret clear = { 0 };
	int res;

	if (!p)
		return VERDICT_PHONE_UNKNOWN;
	res = seal_open(r->broker->keyring, "phone.number", p->row.id, &p->number, &clear);
	if (!res)
		res = mag_copy(r->sms.to, sizeof r->sms.to, mag_secret_text(&clear));
	mag_secret_free(&clear);
	if (res)
		return VERDICT_NONE;
	t->subject = p->row.id;
	t->channel = p->channel;
	t->voice_only = p->voice_only != 0;
	t->sent = phone_count(a, THROTTLE_SEND_NUMBER, p->row.id, throttle_hour(r->now));
	mag_copy(t->masked, sizeof t->masked, p->masked);
	return VERDICT_OK;
}

/* Any number, but only for whom a phone of that country was paid for. */
static enum verdict target_number(
	struct request *r, struct aggregate *a, const char *typed, struct target *t)
{
	struct number number;
	enum verdict v = typed_number(r, typed, &number, &t->subject);

	if (v != VERDICT_OK)
		return v;
	if (!r->standing.root && !subscription_for_phone(a, number.country, r->now))
		return phone_has_subscription(a, r->now) ? VERDICT_PHONE_REGION
							 : VERDICT_LICENCE_NEEDED;
	mag_copy(r->sms.to, sizeof r->sms.to, number.e164);
	mag_copy(t->masked, sizeof t->masked, number.masked);
	t->voice_only = number.kind == NUMBER_FIXED;
	t->channel = CHANNEL_SMS;
	t->sent = store_throttle(r->tick, THROTTLE_SEND_NUMBER, t->subject, throttle_hour(r->now))
			  ->count;
	return VERDICT_OK;
}

static enum verdict budget(struct request *r, struct aggregate *a, const struct target *t)
{
	int64_t account = a->account.row.id, hour = throttle_hour(r->now);
	int64_t day = throttle_day(r->now), wait = 0;
	const struct settings *s = r->broker->settings;
	const struct throttle_budget budgets[] = {
		{ phone_count(a, THROTTLE_SEND_ACCOUNT, account, hour), s->sends_per_hour, false },
		{ phone_count(a, THROTTLE_SEND_DAY, account, day), s->sends_per_day, true },
		{ t->sent, s->sends_per_hour, false },
	};
	enum verdict v = throttle_send(budgets, sizeof budgets / sizeof *budgets, r->now, &wait);

	r->result.seconds = (uint32_t)wait;
	if (v != VERDICT_OK)
		return v;
	r->charge[r->n_charges++] =
		store_charge(r->tick, r->index, THROTTLE_SEND_ACCOUNT, account, hour, 1);
	r->charge[r->n_charges++] =
		store_charge(r->tick, r->index, THROTTLE_SEND_NUMBER, t->subject, hour, 1);
	r->charge[r->n_charges++] =
		store_charge(r->tick, r->index, THROTTLE_SEND_DAY, account, day, 1);
	return VERDICT_OK;
}

static void order(struct request *r, struct aggregate *a, const struct target *t)
{
	struct wire_phone_test_rep *rep = r->reply;

	snprintf(r->sms.id, sizeof r->sms.id, "t%016" PRIx64, store_new_id());
	mag_copy(r->sms.channel, sizeof r->sms.channel, channel_id(t->channel));
	mag_copy(r->sms.template, sizeof r->sms.template, "test");
	mag_copy(r->sms.language, sizeof r->sms.language, a->account.language);
	mag_copy(r->sms.account, sizeof r->sms.account, a->account.name);
	r->sms.expires_at = r->now + TEST_LIFE;
	r->sms.priority = 2;
	r->sms.wanted = true;
	mag_copy(rep->masked, sizeof rep->masked, t->masked);
	mag_copy(rep->channel, sizeof rep->channel, channel_id(t->channel));
	rep->delivery = DELIVERY_PENDING;
}

void phone_test_decide(struct request *r)
{
	const struct wire_phone_test_req *q = r->body;
	struct aggregate *a = request_account(r);
	struct target t = { 0 };
	int64_t asked = channel_from_id(q->channel);
	enum verdict v;

	r->n_charges = 0;
	r->sms.wanted = false;
	if (!phone_may_touch(r, a))
		return;
	if (*q->channel && asked != CHANNEL_SMS && asked != CHANNEL_VOICE) {
		handle_invalid(r, "channel: sms or voice");
		return;
	}
	v = q->ref ? target_phone(r, a, q->ref, &t) : target_number(r, a, q->number, &t);
	if (asked)
		t.channel = asked;
	if (t.voice_only)
		t.channel = CHANNEL_VOICE;
	if (v == VERDICT_OK)
		v = budget(r, a, &t);
	if (v == VERDICT_NONE) {
		request_error(r, MAG_ECRYPTO);
		return;
	}
	request_verdict(r, v);
	if (v == VERDICT_OK)
		order(r, a, &t);
}

/* Over the budget after all: other brokers sent meanwhile. */
void phone_test_settle(struct request *r)
{
	const struct settings *s = r->broker->settings;
	/* In the order of budget(). */
	const int64_t caps[] = { s->sends_per_hour, s->sends_per_hour, s->sends_per_day };

	for (int i = 0; i < r->n_charges && i < 3; i++)
		if (store_charged(r->tick, r->charge[i]) > caps[i]) {
			r->sms.wanted = false;
			request_verdict(r, VERDICT_SEND_LIMITED);
		}
}

void phone_test_delivered(struct request *r, unsigned delivery)
{
	((struct wire_phone_test_rep *)r->reply)->delivery = delivery;
}
