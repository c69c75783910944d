/* A first credential is set up (O5): the key, which sort, and the end. The number,
 * the token and their codes are step_enroll_factor.c's. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

#define KEY_MAX 63 /* 30 characters, with dashes, and room for blanks */

/* A greeter has no room for an app's address. */
static uint32_t what_may_be(const struct flow *f)
{
	return f->enroll.takes & (f->brief ? TAKES_PHONE | TAKES_TOKEN : ~0u);
}

static enum step to_phone(const struct flow *f)
{
	return *f->enroll.phone.masked ? STEP_ENROLL_WAITS : STEP_ENROLL_NUMBER;
}

static enum step after_key(struct flow *f)
{
	uint32_t takes = what_may_be(f);

	if (takes == (TAKES_PHONE | TAKES_TOKEN) || takes == (TAKES_APP | TAKES_TOKEN))
		return STEP_ENROLL_WHICH;
	if (takes & TAKES_PHONE)
		return to_phone(f);
	if (takes & TAKES_TOKEN)
		return STEP_ENROLL_SERIAL;
	return takes ? STEP_ENROLL_APP : flow_refuse(f, VERDICT_REQUIREMENTS_NOT_MET, 0, NULL);
}

/* A number that an interrupted login came to. */
static void take_waiting(struct flow *f)
{
	const struct wire_factor *waits = f->login->factors;
	struct wire_enroll_phone_rep *phone = &f->enroll.phone;

	if (!f->login->n_factors)
		return;
	mag_copy(phone->masked, sizeof phone->masked, waits->masked);
	mag_copy(phone->channel, sizeof phone->channel, waits->channel);
	mag_copy(phone->channels, sizeof phone->channels, waits->channels);
}

enum step flow_enroll(struct flow *f)
{
	f->enroll.on = true;
	f->enroll.takes = f->login->takes;
	f->args.user = f->p->user;
	if (!f->enroll.takes)
		return flow_enroll_key(f, TEXT_ENROLL_INTRO);
	take_waiting(f);
	f->head = TEXT_ENROLL_GO_ON;
	return after_key(f);
}

/* ---- the key ---- */

enum step flow_enroll_key(struct flow *f, enum text why)
{
	f->head = why;
	return STEP_ENROLL_KEY;
}

enum step flow_enroll_no_means(struct flow *f, unsigned verdict)
{
	static const struct {
		unsigned verdict;
		enum text why;
	} rows[] = {
		{ VERDICT_KEY_UNKNOWN, TEXT_ENROLL_KEY_UNKNOWN },
		{ VERDICT_KEY_USED, TEXT_ENROLL_KEY_USED },
		{ VERDICT_PRODUCT_WRONG, TEXT_ENROLL_KEY_WRONG },
		{ VERDICT_NOT_ALLOWED, TEXT_ENROLL_KEY_OVER },
		{ VERDICT_LICENCE_NEEDED, TEXT_ENROLL_KEY_FIRST },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].verdict == verdict)
			return flow_enroll_key(f, rows[i].why);
	return STEP_END;
}

/* In the person's language where the product is known here. */
static void name_product(struct flow *f, const struct wire_enroll_key_rep *a)
{
	static const struct {
		const char *id;
		enum text text;
	} rows[] = {
		{ "phone-us", TEXT_PRODUCT_PHONE_US },
		{ "phone-intl", TEXT_PRODUCT_PHONE_INTL },
		{ "hardware", TEXT_PRODUCT_HARDWARE },
		{ "mobile", TEXT_PRODUCT_MOBILE },
		{ "mobile-hardware", TEXT_PRODUCT_MOBILE_HARDWARE },
	};
	const char *label = a->label;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (mag_streq(rows[i].id, a->product))
			label = text_words(f->args.language, rows[i].text, false);
	mag_clean(f->enroll.label, sizeof f->enroll.label, label);
}

static enum step key_judged(
	struct flow *f, const struct wire_result *result, const struct wire_enroll_key_rep *a)
{
	struct flow_enroll *e = &f->enroll;
	enum step next;

	if (result->verdict == VERDICT_OK) {
		e->takes = a->takes;
		name_product(f, a);
		mag_time_day(a->expires, e->until, sizeof e->until);
		f->args.first = e->label;
		f->args.last = e->until;
		f->head = TEXT_ENROLL_PAID;
		return after_key(f);
	}
	f->args.n = a->group;
	if (result->verdict == VERDICT_KEY_MISTYPED)
		return flow_enroll_key(
			f, a->group ? TEXT_ENROLL_KEY_GROUP : TEXT_ENROLL_KEY_LENGTH);
	next = flow_enroll_no_means(f, result->verdict);
	return next != STEP_END ? next
				: flow_refuse(f, result->verdict, result->seconds, result->detail);
}

static enum step send_key(struct flow *f, const char *key)
{
	struct wire_enroll_key_req q = { 0 };
	struct wire_enroll_key_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	if (mag_secret_set_text(&q.key, key)) {
		f->out->error = MAG_ENOMEM;
		f->out->end = FLOW_UNAVAILABLE;
	} else if (!flow_call(f, WIRE_MSG_ENROLL_KEY, &q, &result, &a)) {
		next = key_judged(f, &result, &a);
	}
	mag_secret_free(&q.key);
	return next;
}

enum step step_enroll_key(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1], key[KEY_MAX + 1] = "";
	struct mag_buf b = MAG_BUF(prompt);
	enum step next = STEP_END;

	flow_enroll_put(f, &b, TEXT_ENROLL_KEY);
	if (flow_ask_text(f, prompt, key, sizeof key))
		return STEP_END;
	if (*key)
		next = send_key(f, key);
	else
		flow_refuse_text(f, VERDICT_LICENCE_NEEDED, TEXT_ENROLL_CANCELLED);
	mag_wipe(key, sizeof key);
	return next;
}

/* A greeter has room for one line: what happened, or the question. */
void flow_enroll_put(struct flow *f, struct mag_buf *out, enum text question)
{
	text_put(out, f->head, f->brief, &f->args);
	if (!f->brief || !out->len)
		text_put(out, question, f->brief, &f->args);
}

/* ---- phone or token, app or token ---- */

enum step step_enroll_which(struct flow *f)
{
	bool app = what_may_be(f) & TAKES_APP;
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	struct answer_line answer;
	enum step next = STEP_ENROLL_WHICH;

	flow_enroll_put(f, &b, app ? TEXT_ENROLL_WHICH_APP : TEXT_ENROLL_WHICH);
	if (flow_ask(f, prompt, &answer))
		return STEP_END;
	if (answer.what == ANSWER_NUMBER && answer.number == 2)
		next = STEP_ENROLL_SERIAL;
	else if (answer.what == ANSWER_EMPTY ||
		 (answer.what == ANSWER_NUMBER && answer.number == 1))
		next = app ? STEP_ENROLL_APP : to_phone(f);
	f->head = next == STEP_ENROLL_WHICH ? TEXT_NOT_IN_LIST : TEXT_NOTHING;
	mag_wipe(&answer, sizeof answer);
	return next;
}

enum step flow_enroll_other(struct flow *f)
{
	f->head = TEXT_NOTHING;
	if (what_may_be(f) == (TAKES_APP | TAKES_TOKEN))
		return STEP_ENROLL_WHICH;
	return STEP_ENROLL_KEY;
}

/* ---- the end ---- */

enum step flow_enrolled(struct flow *f, const struct flow_enrolled *e)
{
	char until[32];

	if (e->verdict != VERDICT_OK) { /* kept, but not enough here, or not yet */
		flow_tell(f, TEXT_ENROLL_KEPT);
		return flow_refuse(f, e->verdict, 0, NULL);
	}
	f->args.first = mag_time_day(e->expires, until, sizeof until);
	flow_tell(f, e->done);
	return flow_granted(f, FLOW_OK, e->strength, e->level);
}
