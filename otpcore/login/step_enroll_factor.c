/* Setting up at login: the number and its code, the token and its two codes. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

#define TYPED_MAX 64

static enum step ask_number(struct flow *f, enum text why)
{
	f->head = why;
	f->enroll.phone = (struct wire_enroll_phone_rep){ 0 };
	return STEP_ENROLL_NUMBER;
}

/* How the broker's word on a number or a code goes on; what ends the login is said. */
static enum step phone_refused(struct flow *f, const struct wire_result *result)
{
	enum step next = flow_enroll_no_means(f, result->verdict);

	if (next != STEP_END)
		return next;
	switch (result->verdict) {
	case VERDICT_PHONE_INVALID:
	case VERDICT_PHONE_UNKNOWN:
		return ask_number(f, TEXT_ENROLL_NUMBER_INVALID);
	case VERDICT_PHONE_REGION:
		return ask_number(f, TEXT_ENROLL_NUMBER_REGION);
	case VERDICT_TRIES_EXCEEDED:
		return flow_refuse_text(f, result->verdict, TEXT_THREE_WRONG);
	default:
		return flow_refuse(f, result->verdict, result->seconds, result->detail);
	}
}

static int call_phone(struct flow *f, struct wire_enroll_phone_req *q, struct wire_result *result,
	struct wire_enroll_phone_rep *a)
{
	q->txn = f->out->txn; /* borrowed */
	q->seq = ++f->seq;
	return flow_call(f, WIRE_MSG_ENROLL_PHONE, q, result, a);
}

/* ---- the number, and whether it is meant ---- */

enum step step_enroll_number(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1], typed[TYPED_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	struct wire_enroll_phone_req q = { .check_only = 1 };
	struct wire_enroll_phone_rep a = { 0 };
	struct wire_result result;

	flow_enroll_put(f, &b, TEXT_ENROLL_NUMBER);
	if (flow_ask_text(f, prompt, typed, sizeof typed))
		return STEP_END;
	f->head = TEXT_NOTHING;
	if (!*typed)
		return STEP_ENROLL_NUMBER;
	if (mag_copy(q.number, sizeof q.number, typed))
		return ask_number(f, TEXT_ENROLL_NUMBER_INVALID);
	if (call_phone(f, &q, &result, &a))
		return STEP_END;
	if (result.verdict != VERDICT_OK)
		return phone_refused(f, &result);
	f->enroll.phone = a;
	return STEP_ENROLL_USE;
}

static bool calls_only(const struct flow *f)
{
	return !strstr(f->enroll.phone.channels, "sms");
}

static void put_use(struct flow *f, struct mag_buf *out)
{
	const struct wire_enroll_phone_rep *phone = &f->enroll.phone;
	char number[40], name[49];
	struct mag_buf b = MAG_BUF(number);

	mag_buf_puts(&b, phone->number);
	if (!f->brief && *phone->country)
		mag_buf_printf(&b, " (%s)", phone->country);
	f->args.first = number;
	text_put(out, TEXT_ENROLL_USE, f->brief, &f->args);
	f->args.first = NULL;
	if (f->brief)
		return;
	f->args.last = mag_clean(name, sizeof name, phone->name);
	if (*name) /* rule P3 */
		text_put(out, TEXT_ENROLL_USE_NAME, false, &f->args);
	text_put(out, TEXT_CHARGE, false, &f->args);
	text_put(out, calls_only(f) ? TEXT_ENROLL_USE_CALL : TEXT_ENROLL_USE_ASK, false, &f->args);
	f->args.last = NULL;
}

static enum step send_by(struct flow *f, const char *channel)
{
	mag_copy(f->channel, sizeof f->channel, channel);
	return STEP_ENROLL_SEND;
}

enum step step_enroll_use(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	struct answer_line answer;

	/* A greeter shows messages; its prompt has no room for this (P12). */
	if (f->brief)
		flow_tell(f, TEXT_CHARGE);
	put_use(f, &b);
	if (flow_ask(f, prompt, &answer))
		return STEP_END;
	mag_wipe(answer.code, sizeof answer.code);
	if (answer.what == ANSWER_KEY && answer.key == 'n')
		return ask_number(f, TEXT_NOTHING);
	if (answer.what == ANSWER_KEY && answer.key == 'v')
		return send_by(f, "voice");
	if (answer.what == ANSWER_EMPTY || (answer.what == ANSWER_KEY && answer.key == 't'))
		return send_by(f, calls_only(f) ? "voice" : "sms");
	return STEP_ENROLL_USE;
}

/* ---- the code ---- */

static const char *other_channel(const struct flow *f)
{
	const char *other = mag_streq(f->channel, "voice") ? "sms" : "voice";
	return strstr(f->enroll.phone.channels, other) ? other : NULL;
}

static void fill_args(struct flow *f)
{
	f->args.masked = f->enroll.phone.masked;
	f->args.channel = f->channel;
	f->args.other = other_channel(f);
	f->args.digits = f->login->code_digits ? f->login->code_digits : 6;
	f->args.menu = TEXT_KEY_NUMBER;
}

static enum step show(struct flow *f, enum text sms, enum text voice)
{
	f->screen = mag_streq(f->channel, "voice") ? voice : sms;
	return STEP_ENROLL_CODE;
}

static enum step sent(
	struct flow *f, const struct wire_result *result, const struct wire_enroll_phone_rep *a)
{
	bool first = !f->sent;

	mag_copy(f->channel, sizeof f->channel, a->channel);
	mag_copy(f->enroll.phone.masked, sizeof f->enroll.phone.masked, a->masked);
	mag_copy(f->enroll.phone.channels, sizeof f->enroll.phone.channels, a->channels);
	fill_args(f);
	f->args.seconds = a->seconds_left;
	f->args.tries = a->tries_left;
	if (result->verdict == VERDICT_SEND_FAILED || a->delivery == DELIVERY_FAILED)
		return show(f, TEXT_NOT_SENT_SMS, TEXT_NOT_SENT_VOICE);
	f->sent = true;
	if (a->resend_after && !first) {
		f->args.seconds = a->resend_after;
		return show(f, TEXT_NOT_YET, TEXT_NOT_YET);
	}
	if (a->resend_after)
		return show(f, TEXT_REUSED_SMS, TEXT_REUSED_VOICE);
	if (a->delivery != DELIVERY_ACCEPTED)
		return show(f, TEXT_PENDING_SMS, TEXT_PENDING_VOICE);
	return first ? show(f, TEXT_SENT_SMS, TEXT_SENT_VOICE)
		     : show(f, TEXT_RESENT_SMS, TEXT_RESENT_VOICE);
}

enum step step_enroll_send(struct flow *f)
{
	struct wire_enroll_phone_req q = { 0 };
	struct wire_enroll_phone_rep a = { 0 };
	struct wire_result result;

	mag_copy(q.number, sizeof q.number, f->enroll.phone.number);
	memcpy(q.channel, f->channel, sizeof q.channel);
	if (call_phone(f, &q, &result, &a))
		return STEP_END;
	if (result.verdict == VERDICT_OK || result.verdict == VERDICT_SEND_FAILED)
		return sent(f, &result, &a);
	return phone_refused(f, &result);
}

/* Prompts at which Enter has a code sent. */
static bool enter_sends(enum text screen)
{
	return screen == TEXT_ENROLL_WAITS || screen == TEXT_EXPIRED || screen == TEXT_USED ||
	       screen == TEXT_NO_CODE || screen == TEXT_NOT_SENT_SMS ||
	       screen == TEXT_NOT_SENT_VOICE;
}

static enum step other_number(struct flow *f)
{
	f->sent = false;
	return ask_number(f, TEXT_NOTHING);
}

static enum step code_key(struct flow *f, char key)
{
	const char *channel = key == 'v' ? "voice" : key == 't' ? "sms" : f->channel;

	if (key == 'n' || key == 'm')
		return other_number(f);
	if (strchr("rvt", key) && strstr(f->enroll.phone.channels, channel))
		return send_by(f, channel);
	return show(f, TEXT_NO_CHANNEL, TEXT_NO_CHANNEL);
}

static enum step code_judged(
	struct flow *f, const struct wire_result *result, const struct wire_enroll_verify_rep *a)
{
	const struct flow_enrolled done = { result->verdict, a->strength, a->level, a->expires,
		TEXT_ENROLL_DONE_PHONE };
	static const struct {
		unsigned verdict;
		enum text screen;
	} screens[] = {
		{ VERDICT_CODE_WRONG, TEXT_WRONG },
		{ VERDICT_CODE_EXPIRED, TEXT_EXPIRED },
		{ VERDICT_CODE_USED, TEXT_USED },
		{ VERDICT_NO_CODE_PENDING, TEXT_NO_CODE },
	};

	if (result->verdict == VERDICT_OK || result->verdict == VERDICT_REQUIREMENTS_NOT_MET ||
		result->verdict == VERDICT_PROOFING_PENDING)
		return flow_enrolled(f, &done);
	f->args.tries = a->tries_left;
	f->args.seconds = a->seconds_left;
	for (size_t i = 0; i < sizeof screens / sizeof *screens; i++)
		if (screens[i].verdict == result->verdict)
			return show(f, screens[i].screen, screens[i].screen);
	return phone_refused(f, result);
}

static enum step verify(struct flow *f, const char *code)
{
	struct wire_enroll_verify_req q = { 0 };
	struct wire_enroll_verify_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	if (mag_secret_set_text(&q.code, code)) {
		f->out->error = MAG_ENOMEM;
		f->out->end = FLOW_UNAVAILABLE;
	} else if (!flow_call(f, WIRE_MSG_ENROLL_VERIFY, &q, &result, &a)) {
		next = code_judged(f, &result, &a);
	}
	mag_secret_free(&q.code);
	return next;
}

enum step step_enroll_waits(struct flow *f)
{
	f->enroll.phone.number[0] = '\0';
	memcpy(f->channel, f->enroll.phone.channel, sizeof f->channel);
	fill_args(f);
	return show(f, TEXT_ENROLL_WAITS, TEXT_ENROLL_WAITS);
}

enum step step_enroll_code(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	struct answer_line answer;
	enum step next;

	text_put(&b, f->screen, f->brief, &f->args);
	if (flow_ask(f, prompt, &answer))
		return STEP_END;
	if (answer.what == ANSWER_EMPTY)
		next = enter_sends(f->screen) ? send_by(f, f->channel)
					      : show(f, TEXT_TYPE_CODE, TEXT_TYPE_CODE);
	else if (answer.what == ANSWER_KEY)
		next = code_key(f, answer.key);
	else if (answer.what == ANSWER_CODE && strlen(answer.code) == f->args.digits)
		next = verify(f, answer.code);
	else
		next = show(f, TEXT_NOT_A_CODE, TEXT_NOT_A_CODE);
	mag_wipe(&answer, sizeof answer);
	return next;
}

/* ---- the token ---- */

/* Activation starts at the serial each time (H13). */
static enum step ask_serial(struct flow *f, enum text why)
{
	f->head = why;
	return STEP_ENROLL_SERIAL;
}

static enum step token_judged(
	struct flow *f, const struct wire_result *result, const struct wire_enroll_token_rep *a)
{
	const struct flow_enrolled done = { result->verdict, a->strength, a->level, a->expires,
		TEXT_ENROLL_DONE_TOKEN };
	enum step next = flow_enroll_no_means(f, result->verdict);

	f->args.tries = a->tries_left;
	switch (result->verdict) {
	case VERDICT_OK:
	case VERDICT_REQUIREMENTS_NOT_MET:
	case VERDICT_PROOFING_PENDING:
		return flow_enrolled(f, &done);
	case VERDICT_SERIAL_UNKNOWN:
		return ask_serial(f, TEXT_ENROLL_SERIAL_UNKNOWN);
	case VERDICT_CODES_WRONG:
		return ask_serial(f, TEXT_ENROLL_CODES_WRONG);
	case VERDICT_NOT_ALLOWED: /* of the token, not of the key */
		return ask_serial(f, TEXT_ENROLL_TOKEN_HELD);
	default:
		return next != STEP_END
			       ? next
			       : flow_refuse(f, result->verdict, result->seconds, result->detail);
	}
}

/* Both codes empty: may this serial be set up at all? */
static enum step send_token(struct flow *f, const char *first, const char *second)
{
	struct wire_enroll_token_req q = { 0 };
	struct wire_enroll_token_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	if (mag_copy(q.serial, sizeof q.serial, f->enroll.serial) ||
		mag_secret_set_text(&q.code1, first) || mag_secret_set_text(&q.code2, second)) {
		f->out->error = MAG_ENOMEM;
		f->out->end = FLOW_UNAVAILABLE;
	} else if (!flow_call(f, WIRE_MSG_ENROLL_TOKEN, &q, &result, &a)) {
		next = result.verdict == VERDICT_OK && !*first ? STEP_ENROLL_TOKEN
							       : token_judged(f, &result, &a);
	}
	mag_secret_free(&q.code1);
	mag_secret_free(&q.code2);
	return next;
}

enum step step_enroll_serial(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);

	flow_enroll_put(f, &b, TEXT_ENROLL_SERIAL);
	if (flow_ask_text(f, prompt, f->enroll.serial, sizeof f->enroll.serial))
		return STEP_END;
	f->head = TEXT_NOTHING;
	f->screen = TEXT_ENROLL_FIRST;
	return *f->enroll.serial ? send_token(f, "", "") : STEP_ENROLL_SERIAL;
}

/* Asks until a code comes, or a key that leads back; true: a code. */
static bool ask_code(
	struct flow *f, enum text screen, struct answer_line *answer, enum step *next_r)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	size_t len;

	*next_r = STEP_END;
	f->args.menu = TEXT_KEY_TOKEN;
	text_put(&b, screen, f->brief, &f->args);
	if (flow_ask(f, prompt, answer))
		return false;
	len = strlen(answer->code);
	if (answer->what == ANSWER_CODE && len >= 6 && len <= 8)
		return true;
	*next_r = answer->what == ANSWER_KEY ? STEP_ENROLL_SERIAL : STEP_ENROLL_TOKEN;
	f->screen = TEXT_RESYNC_NOT_A_CODE;
	return false;
}

enum step step_enroll_token(struct flow *f)
{
	struct answer_line first = { 0 }, second = { 0 };
	enum step next;

	if (ask_code(f, f->screen, &first, &next) && ask_code(f, TEXT_RESYNC_NEXT, &second, &next))
		next = send_token(f, first.code, second.code);
	mag_wipe(&first, sizeof first);
	mag_wipe(&second, sizeof second);
	return next;
}
