/* A broker of two phones in memory, in place of client_call: enough of rules P4
 * and P5 for the conversation to be tested word by word. */
#ifndef FAKE_LOGIN_H
#define FAKE_LOGIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/flow.h"

struct turn {
	const char *prompt; /* the whole of it; NULL: any */
	const char *answer; /* NULL: the person hangs up */
};

static struct fake {
	struct wire_begin_rep login;
	struct wire_result begin_result;

	unsigned tries_left, seconds_left, delivery, verify_delivery, resend_after;
	bool live, reused;
	const char *code;
	unsigned fate;
	int fate_error;
	struct wire_result send_result, verify_result; /* verdict NONE: decide */
	unsigned skip_verdict;

	/* Broker trouble: the first `down` calls end with this error. */
	int down, error;

	/* Setting up: what a right key pays for, and what went wrong first. */
	unsigned enroll_takes, key_verdict, key_group, phone_verdict, pair_verdict, end_verdict;
	unsigned enroll_resend;
	const char *enroll_channels;

	/* What was seen. */
	unsigned keys, checks;
	char last_number[33], last_serial[65];
	unsigned fates;
	unsigned begins, sends, verifies, skips, resyncs, last_ref, agains;
	uint32_t last_seq, last_proof;
	char last_channel[9];

	/* exempt_groups: what the first begin asks, and what it is told. */
	char asks_groups[64], last_groups[64];
	uint32_t tells_groups[2];

	/* The person. */
	const struct turn *turns;
	char told[2048], all_told[8192]; /* the latest; each, with a line end behind it */
	size_t longest_told;
	unsigned apps, qr_width; /* asked for a seed or a picture; of a picture, all dark */
	bool told_error;
} fake;

static void add_factor(uint32_t ref, const char *kind, const char *channel, const char *masked)
{
	struct wire_factor *x = &fake.login.factors[fake.login.n_factors++];
	x->ref = ref;
	mag_copy(x->kind, sizeof x->kind, kind);
	mag_copy(x->channel, sizeof x->channel, channel);
	mag_copy(x->channels, sizeof x->channels, *channel ? "sms voice" : "");
	mag_copy(x->masked, sizeof x->masked, masked);
	mag_copy(x->state, sizeof x->state, "active");
	x->is_default = fake.login.n_factors == 1;
}

static inline void add_notice(const char *id, const char *what)
{
	struct wire_notice *x = &fake.login.notices[fake.login.n_notices++];
	mag_copy(x->id, sizeof x->id, id);
	mag_copy(x->what, sizeof x->what, what);
}

static void fake_reset(const char *mode)
{
	memset(&fake, 0, sizeof fake);
	fake.login.decision = DECISION_ASK;
	mag_copy(fake.login.require, sizeof fake.login.require, "phone-otp");
	mag_copy(fake.login.mode, sizeof fake.login.mode, mode);
	mag_copy(fake.login.host, sizeof fake.login.host, "web1");
	fake.login.code_digits = 6;
	fake.login.code_validity = 120;
	fake.login.level = 1;
	fake.begin_result.verdict = VERDICT_OK;
	fake.tries_left = 3;
	fake.seconds_left = 120;
	fake.delivery = DELIVERY_ACCEPTED;
	fake.code = "483920";
}

static int fake_begin(
	const struct wire_begin_req *q, struct wire_result *result, struct wire_begin_rep *a)
{
	fake.begins++;
	fake.last_proof = q->proof;
	fake.tells_groups[fake.begins == 1 ? 0 : 1] = q->tells_groups;
	mag_copy(fake.last_groups, sizeof fake.last_groups, q->groups);
	*a = fake.login;
	if (fake.begins == 1 && *fake.asks_groups) {
		a->decision = DECISION_GROUPS;
		mag_copy(a->groups, sizeof a->groups, fake.asks_groups);
	}
	memset(&a->txn, 0, sizeof a->txn);
	*result = fake.begin_result;
	return mag_secret_set_text(&a->txn, "ticket");
}

static int fake_send(
	const struct wire_send_req *q, struct wire_result *result, struct wire_send_rep *a)
{
	assert_string_equal(mag_secret_text(&q->txn), "ticket");
	fake.sends++;
	fake.agains += q->again;
	fake.last_ref = q->ref;
	fake.last_seq = q->seq;
	mag_copy(fake.last_channel, sizeof fake.last_channel, q->channel);
	*result = (struct wire_result){ .verdict = VERDICT_OK };
	if (fake.send_result.verdict != VERDICT_NONE)
		*result = fake.send_result;
	else
		fake.live = fake.delivery != DELIVERY_FAILED;
	a->delivery = fake.delivery;
	a->reused = fake.reused && !q->again;
	a->seconds_left = fake.seconds_left;
	a->tries_left = fake.tries_left;
	a->resend_after = fake.resend_after;
	mag_copy(a->channel, sizeof a->channel, q->channel);
	return 0;
}

static int fake_verify(
	const struct wire_verify_req *q, struct wire_result *result, struct wire_verify_rep *a)
{
	fake.verifies++;
	fake.last_ref = q->ref;
	fake.last_seq = q->seq;
	*result = (struct wire_result){ .verdict = VERDICT_CODE_WRONG };
	if (fake.verify_result.verdict != VERDICT_NONE)
		*result = fake.verify_result;
	else if (!fake.live)
		result->verdict = VERDICT_NO_CODE_PENDING;
	else if (!strcmp(mag_secret_text(&q->code), fake.code))
		result->verdict = VERDICT_OK;
	else if (--fake.tries_left == 0)
		result->verdict = VERDICT_TRIES_EXCEEDED;
	a->tries_left = fake.tries_left;
	a->seconds_left = fake.seconds_left;
	a->delivery = fake.verify_delivery;
	a->level = 2;
	mag_copy(a->strength, sizeof a->strength, q->ref ? "phone-otp" : "hardware-otp");
	return 0;
}

/* 481920 and 113574 follow each other. */
static int fake_resync(
	const struct wire_resync_req *q, struct wire_result *result_r, struct wire_resync_rep *a)
{
	bool right = mag_streq(mag_secret_text(&q->code1), "481920") &&
		     mag_streq(mag_secret_text(&q->code2), "113574");
	fake.resyncs++;
	fake.last_ref = q->ref;
	result_r->error = 0;
	result_r->verdict = right ? VERDICT_OK : VERDICT_CODES_WRONG;
	a->tries_left = right ? 5 : --fake.tries_left;
	if (!right && !fake.tries_left)
		result_r->verdict = VERDICT_TOKEN_OUT_OF_SYNC;
	if (right)
		mag_copy(a->strength, sizeof a->strength, "hardware-otp");
	a->level = 2;
	return 0;
}

static int fake_skip(
	const struct wire_skip_req *q, struct wire_result *result, struct wire_skip_rep *a)
{
	fake.skips++;
	fake.last_seq = q->seq;
	*result = (struct wire_result){ .verdict = VERDICT_OK };
	if (fake.skip_verdict)
		result->verdict = fake.skip_verdict;
	a->level = 1;
	return mag_copy(a->strength, sizeof a->strength, "password");
}

/* Takes what it is told to refuse first, then everything. */
static unsigned once(unsigned *verdict)
{
	unsigned v = *verdict ? *verdict : VERDICT_OK;
	*verdict = 0;
	return v;
}

static int fake_enroll_key(const struct wire_enroll_key_req *q, struct wire_result *result,
	struct wire_enroll_key_rep *a)
{
	assert_string_equal(mag_secret_text(&q->txn), "ticket");
	fake.keys++;
	fake.last_seq = q->seq;
	*result = (struct wire_result){ .verdict = once(&fake.key_verdict) };
	a->group = fake.key_group;
	a->takes = fake.enroll_takes;
	a->expires = 1826841599; /* 2027-11-21 23:59:59 UTC */
	return mag_copy(a->label, sizeof a->label, "phone, US numbers");
}

static int fake_enroll_phone(const struct wire_enroll_phone_req *q, struct wire_result *result,
	struct wire_enroll_phone_rep *a)
{
	fake.checks += q->check_only;
	fake.sends += !q->check_only;
	fake.last_seq = q->seq;
	mag_copy(fake.last_number, sizeof fake.last_number, q->number);
	*result = (struct wire_result){ .verdict = once(&fake.phone_verdict) };
	mag_copy(a->number, sizeof a->number, *q->number ? "+12025550134" : "");
	mag_copy(a->country, sizeof a->country, "US");
	mag_copy(a->masked, sizeof a->masked, "0134");
	mag_copy(a->name, sizeof a->name, "Alice Doe");
	mag_copy(a->channel, sizeof a->channel, *q->channel ? q->channel : "sms");
	mag_copy(a->channels, sizeof a->channels,
		fake.enroll_channels ? fake.enroll_channels : "sms voice");
	a->delivery = fake.delivery;
	a->seconds_left = fake.seconds_left;
	a->tries_left = fake.tries_left;
	a->resend_after = fake.enroll_resend;
	fake.live = fake.live || !q->check_only;
	return 0;
}

static int fake_enroll_verify(const struct wire_enroll_verify_req *q, struct wire_result *result,
	struct wire_enroll_verify_rep *a)
{
	fake.verifies++;
	fake.last_seq = q->seq;
	*result = (struct wire_result){ .verdict = VERDICT_CODE_WRONG };
	if (!fake.live)
		result->verdict = VERDICT_NO_CODE_PENDING;
	else if (!strcmp(mag_secret_text(&q->code), fake.code))
		result->verdict = once(&fake.end_verdict);
	else if (--fake.tries_left == 0)
		result->verdict = VERDICT_TRIES_EXCEEDED;
	a->tries_left = fake.tries_left;
	a->seconds_left = fake.seconds_left;
	a->level = 2;
	a->expires = 1826841599;
	return mag_copy(a->strength, sizeof a->strength, "phone-otp");
}

static int fake_enroll_token(const struct wire_enroll_token_req *q, struct wire_result *result,
	struct wire_enroll_token_rep *a)
{
	fake.last_seq = q->seq;
	mag_copy(fake.last_serial, sizeof fake.last_serial, q->serial);
	*result = (struct wire_result){ .verdict = VERDICT_OK };
	if (q->code1.len) {
		fake.resyncs++;
		result->verdict = once(&fake.pair_verdict);
	} else if (strcmp(q->serial, "A100")) {
		result->verdict = VERDICT_SERIAL_UNKNOWN;
	}
	a->tries_left = 4;
	a->level = 2;
	a->expires = 1826841599;
	return mag_copy(a->strength, sizeof a->strength, "hardware-otp");
}

static int fake_enroll_mobile(const struct wire_enroll_mobile_req *q, struct wire_result *result,
	struct wire_enroll_mobile_rep *a)
{
	unsigned char bits[1024];
	size_t len = (fake.qr_width * fake.qr_width + 7) / 8;

	fake.last_seq = q->seq;
	*result = (struct wire_result){ .verdict = VERDICT_OK };
	a->tries_left = 4;
	a->level = 2;
	a->expires = 1826841599;
	if (q->code.len) {
		if (strcmp(mag_secret_text(&q->code), fake.code))
			result->verdict = VERDICT_CODE_WRONG;
		return mag_copy(a->strength, sizeof a->strength, "mobile-id");
	}
	fake.apps++;
	if (q->wants_qr && fake.qr_width) {
		memset(bits, 0xff, sizeof bits);
		a->qr_width = fake.qr_width;
		assert_int_equal(mag_secret_set(&a->qr, bits, len), 0);
	}
	return mag_secret_set_text(&a->uri, "otpauth://totp/x?secret=AAAA");
}

int client_call(const struct client *c, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply)
{
	assert_true(c->timeout_ms > 0);
	if (fake.down > 0) {
		fake.down--;
		return fake.error;
	}
	switch (message) {
	case WIRE_MSG_BEGIN:
		return fake_begin(request, result_r, reply);
	case WIRE_MSG_SEND:
		return fake_send(request, result_r, reply);
	case WIRE_MSG_VERIFY:
		return fake_verify(request, result_r, reply);
	case WIRE_MSG_FATE:
		fake.fates++;
		assert_string_equal(
			mag_secret_text(&((const struct wire_fate_req *)request)->txn), "ticket");
		*result_r = (struct wire_result){ .verdict = VERDICT_OK };
		((struct wire_fate_rep *)reply)->delivery = fake.fate;
		return fake.fate_error;
	case WIRE_MSG_RESYNC:
		return fake_resync(request, result_r, reply);
	case WIRE_MSG_SKIP:
		return fake_skip(request, result_r, reply);
	case WIRE_MSG_ENROLL_KEY:
		return fake_enroll_key(request, result_r, reply);
	case WIRE_MSG_ENROLL_PHONE:
		return fake_enroll_phone(request, result_r, reply);
	case WIRE_MSG_ENROLL_VERIFY:
		return fake_enroll_verify(request, result_r, reply);
	case WIRE_MSG_ENROLL_TOKEN:
		return fake_enroll_token(request, result_r, reply);
	case WIRE_MSG_ENROLL_MOBILE:
		return fake_enroll_mobile(request, result_r, reply);
	default:
		fail_msg("message %u", message);
		return MAG_EPROTO;
	}
}

static int fake_ask(void *arg, const char *prompt, bool echo, struct mag_secret *answer_r)
{
	const struct turn *turn = fake.turns;
	(void)arg;
	(void)echo;
	if (!turn || (!turn->prompt && !turn->answer))
		fail_msg("one prompt too many: %s", prompt);
	fake.turns++;
	if (turn->prompt)
		assert_string_equal(prompt, turn->prompt);
	return turn->answer ? mag_secret_set_text(answer_r, turn->answer) : MAG_ECONV;
}

static int fake_tell(void *arg, const char *message, bool error)
{
	(void)arg;
	fake.told_error = error;
	snprintf(fake.told, sizeof fake.told, "%s", message);
	if (strlen(message) > fake.longest_told)
		fake.longest_told = strlen(message);
	strncat(fake.all_told, message, sizeof fake.all_told - strlen(fake.all_told) - 1);
	strncat(fake.all_told, "\n", sizeof fake.all_told - strlen(fake.all_told) - 1);
	return 0;
}

/* Runs the conversation; all turns have to be used up. */
static struct flow_result converse(const struct turn *turns, struct flow_params p)
{
	const struct client c = { .timeout_ms = 2000 };
	const struct flow_io io = { .ask = fake_ask, .tell = fake_tell };
	struct flow_result out;

	fake.turns = turns;
	if (!p.user)
		p.user = "alice";
	p.service = "sshd";
	assert_int_equal(flow_run(&c, &io, &p, &out), 0);
	if (fake.turns->prompt || fake.turns->answer)
		fail_msg("this prompt never came: %s",
			fake.turns->prompt ? fake.turns->prompt : fake.turns->answer);
	mag_secret_free(&out.txn);
	return out;
}

#define TURNS(...) ((const struct turn[]){ __VA_ARGS__, { NULL, NULL } })
#define STACK      ((struct flow_params){ .proof = PROOF_STACK })

#endif
