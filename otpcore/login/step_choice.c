/* Which factor? A number, a key, a token's code, or Enter for the default. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/login/steps.h"

#define NOTICE_MAX 256

bool flow_is_phone(const struct wire_factor *factor)
{
	return mag_streq(factor->kind, "phone");
}

bool flow_is_recovery(const struct wire_factor *factor)
{
	return mag_streq(factor->kind, "recovery");
}

const struct wire_factor *flow_default(const struct flow *f)
{
	const struct wire_begin_rep *login = f->login;
	for (size_t i = 0; i < login->n_factors; i++)
		if (login->factors[i].is_default)
			return &login->factors[i];
	return login->n_factors ? &login->factors[0] : NULL;
}

const char *flow_other_channel(const struct wire_factor *factor, const char *now)
{
	const char *other = mag_streq(now, "voice") ? "sms" : "voice";
	return flow_is_phone(factor) && strstr(factor->channels, other) ? other : NULL;
}

void flow_choose(struct flow *f, const struct wire_factor *factor, const char *channel)
{
	f->factor = factor;
	mag_copy(f->channel, sizeof f->channel, channel ? channel : factor->channel);
	f->args.masked = factor->masked;
	f->args.ref = factor->ref;
	f->args.channel = f->channel;
	f->args.other = flow_other_channel(factor, f->channel);
	f->args.digits = f->login->code_digits ? f->login->code_digits : 6;
	f->again = false;
	if (flow_is_recovery(factor))
		f->screen = TEXT_RECOVERY;
	else if (!flow_is_phone(factor))
		f->screen = mag_streq(factor->kind, "mobile") ? TEXT_MOBILE : TEXT_TOKEN;
}

unsigned flow_has(const struct wire_factor *factors, size_t n)
{
	unsigned has = 0;
	for (size_t i = 0; i < n; i++)
		has |= flow_is_phone(&factors[i]) ? FLOW_HAS_PHONE : FLOW_HAS_OTHER;
	return has;
}

static enum text item_of(const struct wire_factor *factor)
{
	if (flow_needs_resync(factor))
		return TEXT_ITEM_TOKEN_REPAIR;
	if (mag_streq(factor->kind, "token"))
		return TEXT_ITEM_TOKEN;
	if (mag_streq(factor->kind, "mobile"))
		return TEXT_ITEM_MOBILE;
	if (flow_is_recovery(factor))
		return TEXT_ITEM_RECOVERY;
	return mag_streq(factor->channel, "voice") ? TEXT_ITEM_VOICE : TEXT_ITEM_SMS;
}

bool flow_charge_unsaid(const struct flow *f, const struct wire_factor *factor)
{
	for (size_t i = 0; i < f->login->n_notices; i++) {
		const struct wire_notice *notice = &f->login->notices[i];
		bool this = !factor || !*notice->what || mag_streq(notice->what, factor->masked);
		if (this && mag_streq(notice->id, "carrier-charge"))
			return !f->sent;
	}
	return false;
}

static void put_if_it_fits(struct mag_buf *out, const char *text, size_t left)
{
	if (out->len + strlen(text) <= left)
		mag_buf_puts(out, text);
}

/* Notices stand in the prompt itself, as far as there is room (prompts.md): `left` bytes. */
static void put_notices(struct flow *f, struct mag_buf *out, size_t left)
{
	const struct wire_begin_rep *login = f->login;
	char text[NOTICE_MAX];
	struct mag_buf b = MAG_BUF(text);

	if (flow_charge_unsaid(f, NULL))
		text_put(out, TEXT_CHARGE, false, &f->args);
	for (size_t i = 0; i < login->n_notices; i++) {
		mag_buf_reset(&b);
		text_put_notice(&b, f->args.language, login->notices[i].id, login->notices[i].what);
		put_if_it_fits(out, text, left);
	}
}

static enum text question(const struct flow *f)
{
	const struct wire_begin_rep *login = f->login;
	bool codes = false;
	for (size_t i = 0; i < login->n_factors; i++)
		codes = codes || !(flow_is_phone(&login->factors[i]) ||
					 flow_is_recovery(&login->factors[i]));
	if (login->n_factors == 1)
		return codes ? TEXT_ASK_ONE_CODE : TEXT_ASK_ONE;
	return codes ? TEXT_ASK_MANY_CODE : TEXT_ASK_MANY;
}

static void put_question(struct flow *f, struct mag_buf *out)
{
	const struct wire_begin_rep *login = f->login;
	const struct wire_factor *first = flow_default(f);
	struct text_args args = { .language = f->args.language,
		.n = (unsigned)(first - login->factors) + 1,
		.count = (unsigned)login->n_factors,
		.masked = first->masked,
		.ref = first->ref,
		.first = text_words(f->args.language, item_of(first), true) };
	text_put(out, question(f), f->brief, &args);
}

static void put_menu(struct flow *f, struct mag_buf *out)
{
	const struct wire_begin_rep *login = f->login;
	for (size_t i = 0; i < login->n_factors; i++) {
		const struct wire_factor *factor = &login->factors[i];
		struct text_args args = { .language = f->args.language,
			.masked = factor->masked,
			.ref = factor->ref,
			.n = (unsigned)i + 1,
			.state = factor->state,
			.is_default = factor == flow_default(f) };
		text_put(out, item_of(factor), false, &args);
	}
	if (login->skip)
		text_put(out, TEXT_ITEM_SKIP, false, &f->args);
}

/* A greeter has room for one line: what is wrong, or the question. */
static void put_choice(struct flow *f, struct mag_buf *out)
{
	char menu[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(menu);

	text_put(out, f->head, f->brief, &f->args);
	if (f->brief && out->len)
		return;
	if (!f->brief)
		put_menu(f, &b);
	put_question(f, &b);
	if (!f->brief && f->head == TEXT_SECOND_STEP)
		put_notices(f, out, TEXT_PROMPT_MAX - b.len);
	mag_buf_puts(out, menu);
}

static bool is_token_code(const char *code)
{
	size_t len = strlen(code);
	return len >= 6 && len <= 8;
}

static enum step not_in_list(struct flow *f)
{
	f->head = TEXT_NOT_IN_LIST;
	return STEP_CHOICE;
}

static enum step take(struct flow *f, const struct wire_factor *factor, const char *channel)
{
	f->head = TEXT_SECOND_STEP;
	if (flow_needs_resync(factor))
		return flow_resync(f, factor);
	flow_choose(f, factor, channel);
	return flow_is_phone(factor) ? STEP_SEND : STEP_CODE;
}

/* Keys of the code prompt that mean something here, too. */
static enum step choice_key(struct flow *f, char key)
{
	const struct wire_factor *first = flow_default(f);
	const char *channel = key == 'v' ? "voice" : "sms";

	if (key == 's')
		return flow_skip(f);
	if (key == 'm')
		return STEP_CHOICE;
	if (!first || !flow_is_phone(first) || (key != 'r' && !strstr(first->channels, channel)))
		return not_in_list(f);
	return take(f, first, key == 'r' ? NULL : channel);
}

enum step step_choice(struct flow *f)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);
	struct answer_line answer;
	enum step next = STEP_END;

	/* A greeter shows messages; its prompt has no room for this. */
	if (f->brief && !f->prompts && flow_charge_unsaid(f, NULL))
		flow_tell(f, TEXT_CHARGE);
	f->factor = NULL;
	put_choice(f, &b);
	if (flow_ask(f, prompt, &answer))
		return STEP_END;
	f->head = TEXT_SECOND_STEP;
	if (answer.what == ANSWER_EMPTY)
		next = take(f, flow_default(f), NULL);
	else if (answer.what == ANSWER_KEY)
		next = choice_key(f, answer.key);
	else if (answer.what == ANSWER_NUMBER && answer.number >= 1 &&
		 answer.number <= f->login->n_factors)
		next = take(f, &f->login->factors[answer.number - 1], NULL);
	else if (answer.what == ANSWER_RECOVERY ||
		 (answer.what == ANSWER_CODE && is_token_code(answer.code)))
		next = flow_verify(f, 0, answer.code);
	else
		next = not_in_list(f);
	mag_wipe(&answer, sizeof answer);
	return next;
}
