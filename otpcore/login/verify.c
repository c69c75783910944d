/* A code is judged by the broker; what that leads to here. */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

#define WAIT_MAX 30 /* longer waits end the login */

/* For each verdict that the conversation goes on after: what is said at the
 * code prompt of a phone, of a token, and at the choice. */
static const struct {
	unsigned verdict;
	enum text phone, token, choice;
} screens[] = {
	{ VERDICT_CODE_WRONG, TEXT_WRONG, TEXT_WRONG_TOKEN, TEXT_CHOICE_WRONG },
	{ VERDICT_CODE_EXPIRED, TEXT_EXPIRED, TEXT_WRONG_TOKEN, TEXT_CHOICE_NO_CODE },
	{ VERDICT_CODE_USED, TEXT_USED, TEXT_TOKEN_USED, TEXT_CHOICE_USED },
	{ VERDICT_NO_CODE_PENDING, TEXT_NO_CODE, TEXT_TOKEN, TEXT_CHOICE_NO_CODE },
	{ VERDICT_TRY_LATER, TEXT_WAIT, TEXT_WAIT, TEXT_CHOICE_WAIT },
	{ VERDICT_ACCOUNT_THROTTLED, TEXT_WAIT, TEXT_WAIT, TEXT_CHOICE_WAIT },
};

static enum step go_on(struct flow *f, const struct wire_result *result,
	const struct wire_verify_rep *a, size_t row)
{
	f->args.tries = a->tries_left;
	f->args.seconds = result->seconds ? result->seconds : a->seconds_left;
	if (!f->factor) {
		f->head = screens[row].choice;
		return STEP_CHOICE;
	}
	f->screen = flow_is_phone(f->factor) ? screens[row].phone : screens[row].token;
	if (f->screen == TEXT_WRONG && flow_lost(a->delivery)) {
		f->head = TEXT_CHOICE_WRONG_FAILED;
		return STEP_CHOICE;
	}
	return STEP_CODE;
}

static enum step right(struct flow *f, const struct wire_verify_rep *a)
{
	struct flow_result *out = f->out;
	if (mag_copy(out->reason, sizeof out->reason, a->reason))
		return flow_refuse_mute(f, VERDICT_NONE);
	out->raised = a->raised;
	return flow_granted(f, FLOW_OK, a->strength, a->level);
}

static enum step judged(
	struct flow *f, const struct wire_result *result, const struct wire_verify_rep *a)
{
	bool wait = result->verdict == VERDICT_TRY_LATER ||
		    result->verdict == VERDICT_ACCOUNT_THROTTLED;

	if (result->verdict == VERDICT_OK)
		return right(f, a);
	if (result->verdict == VERDICT_TOKEN_LOCKED || result->verdict == VERDICT_TOKEN_SUSPENDED)
		return flow_resync(f, f->factor);
	if (result->verdict == VERDICT_CODE_WRONG)
		f->wrong++;
	if (result->verdict == VERDICT_TRIES_EXCEEDED && ++f->wrong == 3)
		return flow_refuse_text(f, result->verdict, TEXT_THREE_WRONG);
	if (!wait || (result->seconds && result->seconds <= WAIT_MAX))
		for (size_t i = 0; i < sizeof screens / sizeof *screens; i++)
			if (screens[i].verdict == result->verdict)
				return go_on(f, result, a, i);
	return flow_refuse(f, result->verdict, result->seconds, result->detail);
}

enum step flow_verify(struct flow *f, uint32_t ref, const char *code)
{
	struct wire_verify_req q = { .ref = ref };
	struct wire_verify_rep a = { 0 };
	struct wire_result result;
	enum step next = STEP_END;

	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	if (mag_secret_set_text(&q.code, code)) {
		f->out->error = MAG_ENOMEM;
		f->out->end = FLOW_UNAVAILABLE;
		return STEP_END;
	}
	if (!flow_call(f, WIRE_MSG_VERIFY, &q, &result, &a))
		next = judged(f, &result, &a);
	mag_secret_free(&q.code);
	return next;
}

enum step flow_skip(struct flow *f)
{
	struct wire_skip_req q = { 0 };
	struct wire_skip_rep a = { 0 };
	struct wire_result result;

	f->head = TEXT_NO_SKIP;
	if (!f->login->skip)
		return STEP_CHOICE;
	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	if (flow_call(f, WIRE_MSG_SKIP, &q, &result, &a))
		return STEP_END;
	if (result.verdict == VERDICT_OK)
		return flow_granted(f, FLOW_SKIPPED, a.strength, a.level);
	return STEP_CHOICE;
}
