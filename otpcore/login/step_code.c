/* Asks for the code; keys resend, change the way, go back. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/login/steps.h"

/* Prompts at which Enter asks for a new code. */
static bool enter_sends(enum text screen)
{
	switch (screen) {
	case TEXT_EXPIRED:
	case TEXT_USED:
	case TEXT_NO_CODE:
	case TEXT_NOT_SENT_SMS:
	case TEXT_NOT_SENT_VOICE:
	case TEXT_LIMITED:
		return true;
	default:
		return false;
	}
}

/* Is it known by now that the message failed? Without an answer the conversation goes on
 * as if it was not. */
static bool failed_meanwhile(const struct flow *f)
{
	struct wire_fate_req q = { .txn = f->out->txn }; /* borrowed */
	struct wire_fate_rep a = { 0 };
	struct wire_result result;

	return f->sent && flow_is_phone(f->factor) &&
	       !flow_request(f->client, false, WIRE_MSG_FATE, &q, &result, &a) && !result.error &&
	       flow_lost(a.delivery);
}

static enum step menu(struct flow *f)
{
	f->head = failed_meanwhile(f) ? TEXT_CHOICE_FAILED : TEXT_SECOND_STEP;
	return STEP_CHOICE;
}

static enum step show(struct flow *f, enum text screen)
{
	if (flow_is_phone(f->factor))
		f->screen = screen;
	else
		flow_choose(f, f->factor, NULL); /* its own prompt again */
	return STEP_CODE;
}

static enum step send_again(struct flow *f)
{
	if (!flow_is_phone(f->factor))
		return show(f, TEXT_TYPE_CODE);
	f->again = true;
	return STEP_SEND;
}

/* This once by voice, or by text. */
static enum step by(struct flow *f, const char *channel)
{
	if (!flow_is_phone(f->factor) || !strstr(f->factor->channels, channel))
		return show(f, TEXT_NO_CHANNEL);
	flow_choose(f, f->factor, channel);
	return send_again(f);
}

static enum step code_key(struct flow *f, char key)
{
	switch (key) {
	case 'r':
		return send_again(f);
	case 'v':
		return by(f, "voice");
	case 't':
		return by(f, "sms");
	case 's':
		return flow_skip(f);
	default:
		return menu(f);
	}
}

/* Enter: in vain so far, or a slip. */
static enum step empty(struct flow *f)
{
	if (enter_sends(f->screen))
		return send_again(f);
	if (!failed_meanwhile(f))
		return show(f, TEXT_TYPE_CODE);
	f->head = TEXT_CHOICE_FAILED;
	return STEP_CHOICE;
}

/* What cannot be a code is not judged, so that it costs no try. */
static bool may_be_code(const struct flow *f, const char *code)
{
	size_t len = strlen(code);
	return flow_is_phone(f->factor) ? len == f->args.digits : len >= 6 && len <= 8;
}

enum step step_code(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	struct answer_line answer;
	enum step next = STEP_END;

	text_put(&b, f->screen, f->brief, &f->args);
	if (flow_ask(f, prompt, &answer))
		return STEP_END;
	if (answer.what == ANSWER_EMPTY)
		next = empty(f);
	else if (answer.what == ANSWER_KEY)
		next = code_key(f, answer.key);
	else if (answer.what == ANSWER_RECOVERY)
		next = flow_verify(f, 0, answer.code);
	else if (answer.what == ANSWER_CODE && may_be_code(f, answer.code))
		next = flow_verify(f, f->factor->ref, answer.code);
	else
		next = show(f, TEXT_NOT_A_CODE);
	mag_wipe(&answer, sizeof answer);
	return next;
}
