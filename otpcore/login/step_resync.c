/* A token that is locked, or that its owner suspended: two consecutive codes put
 * it right and log in (H4, H7). Both go to the broker at once: one verdict, one
 * charge (security.md 37). */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

bool flow_needs_resync(const struct wire_factor *factor)
{
	return mag_streq(factor->state, "locked") || mag_streq(factor->state, "suspended");
}

static const struct wire_factor *account_token(const struct flow *f)
{
	const struct wire_begin_rep *login = f->login;

	for (size_t i = 0; i < login->n_factors; i++)
		if (!flow_is_phone(&login->factors[i]))
			return &login->factors[i];
	return NULL;
}

enum step flow_resync(struct flow *f, const struct wire_factor *factor)
{
	if (!factor || flow_is_phone(factor))
		factor = account_token(f);
	if (!factor)
		return flow_refuse(f, VERDICT_TOKEN_LOCKED, 0, NULL);
	flow_choose(f, factor, NULL);
	f->screen =
		mag_streq(factor->state, "suspended") ? TEXT_RESYNC_SUSPENDED : TEXT_RESYNC_LOCKED;
	return STEP_RESYNC;
}

static bool is_code(const struct answer_line *answer)
{
	size_t len = strlen(answer->code);

	return answer->what == ANSWER_CODE && len >= 6 && len <= 8;
}

/* Asks until a code or a key comes; true if it is a code. */
static bool ask_code(
	struct flow *f, enum text screen, struct answer_line *answer, enum step *next_r)
{
	char prompt[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(prompt);

	*next_r = STEP_END;
	text_put(&b, screen, f->brief, &f->args);
	if (flow_ask(f, prompt, answer))
		return false;
	if (is_code(answer))
		return true;
	*next_r = STEP_RESYNC;
	f->screen = TEXT_RESYNC_NOT_A_CODE;
	if (answer->what == ANSWER_KEY && answer->key == 's')
		*next_r = flow_skip(f);
	else if (answer->what == ANSWER_KEY)
		*next_r = STEP_CHOICE;
	return false;
}

static enum step judged(
	struct flow *f, const struct wire_result *result, const struct wire_resync_rep *a)
{
	if (result->verdict == VERDICT_OK)
		return flow_granted(f, FLOW_OK, a->strength, a->level);
	if (result->verdict != VERDICT_CODES_WRONG || !a->tries_left)
		return flow_refuse(f, result->verdict, result->seconds, result->detail);
	f->args.tries = a->tries_left;
	f->screen = TEXT_RESYNC_AGAIN;
	return STEP_RESYNC;
}

static enum step send_both(struct flow *f, const char *first, const char *second)
{
	struct wire_resync_req q = { .ref = f->factor->ref };
	struct wire_resync_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	if (mag_secret_set_text(&q.code1, first) || mag_secret_set_text(&q.code2, second)) {
		f->out->error = MAG_ENOMEM;
		f->out->end = FLOW_UNAVAILABLE;
	} else if (!flow_call(f, WIRE_MSG_RESYNC, &q, &result, &a)) {
		next = judged(f, &result, &a);
	}
	mag_secret_free(&q.code1);
	mag_secret_free(&q.code2);
	return next;
}

enum step step_resync(struct flow *f)
{
	struct answer_line first = { 0 }, second = { 0 };
	enum step next;

	if (ask_code(f, f->screen, &first, &next) && ask_code(f, TEXT_RESYNC_NEXT, &second, &next))
		next = send_both(f, first.code, second.code);
	mag_wipe(&first, sizeof first);
	mag_wipe(&second, sizeof second);
	return next;
}
