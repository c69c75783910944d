/* Password and code came in one field: at most one message and no prompt. What
 * is refused is refused without a word, so that a wrong password and a wrong
 * code look the same (rule L10). */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

/* "sms" and "call" go to the default phone, "sms2" to the second one. */
static const struct wire_factor *wanted_phone(const struct flow *f, const char *word)
{
	const struct wire_begin_rep *login = f->login;
	size_t len = strlen(word);
	char last = len > 0 ? word[len - 1] : '\0';
	const struct wire_factor *first = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < login->n_factors; i++) {
		const struct wire_factor *factor = &login->factors[i];
		if (!flow_is_phone(factor))
			continue;
		n++;
		if (last >= '1' && last <= '9' ? n == (unsigned)(last - '0') : !first)
			first = factor;
		if (!(last >= '1' && last <= '9') && factor->is_default)
			first = factor;
	}
	return first;
}

/* The code is good for the next login of the same account and service; this one
 * fails in any case. */
static enum step send_and_fail(
	struct flow *f, const struct wire_factor *factor, const char *channel)
{
	struct wire_send_req q = { 0 };
	struct wire_send_rep a = { 0 };
	struct wire_result result;

	if (!factor || !flow_is_phone(factor))
		return flow_refuse_mute(f, VERDICT_REQUIREMENTS_NOT_MET);
	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	q.ref = factor->ref;
	if (mag_copy(q.channel, sizeof q.channel, channel ? channel : factor->channel))
		return flow_refuse_mute(f, VERDICT_NONE);
	if (flow_call(f, WIRE_MSG_SEND, &q, &result, &a))
		return STEP_END;
	return flow_refuse_mute(
		f, result.verdict == VERDICT_OK ? VERDICT_NO_CODE_PENDING : result.verdict);
}

/* A code of the phone that has one, or else of a token or an app. */
static enum step judge(struct flow *f, const char *code)
{
	struct wire_verify_req q = { 0 };
	struct wire_verify_rep a = { 0 };
	struct wire_result result = { 0 };
	enum step next = STEP_END;

	q.txn = f->out->txn; /* borrowed */
	q.seq = ++f->seq;
	if (mag_secret_set_text(&q.code, code))
		return flow_refuse_mute(f, VERDICT_NONE);
	if (!flow_call(f, WIRE_MSG_VERIFY, &q, &result, &a)) {
		next = result.verdict == VERDICT_OK ? flow_granted(f, FLOW_OK, a.strength, a.level)
						    : flow_refuse_mute(f, result.verdict);
	}
	mag_secret_free(&q.code);
	return next;
}

enum step step_combined(struct flow *f)
{
	const char *typed = f->p->combined ? mag_secret_text(f->p->combined) : "";

	if (mag_all_digits(typed))
		return judge(f, typed);
	if (mag_has_prefix(typed, "sms"))
		return send_and_fail(f, wanted_phone(f, typed), "sms");
	if (mag_has_prefix(typed, "call"))
		return send_and_fail(f, wanted_phone(f, typed), "voice");
	if (f->login->autosend)
		return send_and_fail(f, flow_default(f), NULL);
	return flow_refuse_mute(f, VERDICT_NO_CODE_PENDING);
}
