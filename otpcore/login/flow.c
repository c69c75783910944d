/* The conversation from begin to its end: a loop over steps (steps.h). */
#include "otpcore/login/flow.h"

#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

static enum step (*const steps[])(struct flow *f) = {
	[STEP_CHOICE] = step_choice,
	[STEP_SEND] = step_send,
	[STEP_CODE] = step_code,
	[STEP_RESYNC] = step_resync,
	[STEP_COMBINED] = step_combined,
	[STEP_ENROLL_KEY] = step_enroll_key,
	[STEP_ENROLL_WHICH] = step_enroll_which,
	[STEP_ENROLL_NUMBER] = step_enroll_number,
	[STEP_ENROLL_USE] = step_enroll_use,
	[STEP_ENROLL_WAITS] = step_enroll_waits,
	[STEP_ENROLL_SEND] = step_enroll_send,
	[STEP_ENROLL_CODE] = step_enroll_code,
	[STEP_ENROLL_SERIAL] = step_enroll_serial,
	[STEP_ENROLL_TOKEN] = step_enroll_token,
	[STEP_ENROLL_APP] = step_enroll_app,
	[STEP_ENROLL_APP_CODE] = step_enroll_app_code,
};

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* Texts from other programs are cleaned; what does not fit is cut, but for the
 * name: a cut name could be somebody else's. */
static int fill_begin(const struct flow_params *p, uint32_t proof, struct wire_begin_req *q)
{
	if (strlen(or_empty(p->user)) >= sizeof q->user ||
		p->auth_info_len > sizeof q->auth_info.data)
		return MAG_ERANGE;
	mag_clean(q->user, sizeof q->user, p->user);
	mag_clean(q->service, sizeof q->service, p->service);
	mag_clean(q->rhost, sizeof q->rhost, p->rhost);
	mag_clean(q->tty, sizeof q->tty, p->tty);
	mag_clean(q->ruser, sizeof q->ruser, p->ruser);
	mag_clean(q->require, sizeof q->require, p->require);
	mag_clean(q->mode, sizeof q->mode, p->mode);
	mag_clean(q->unenrolled, sizeof q->unenrolled, p->unenrolled);
	q->uid = p->uid;
	q->level = p->level;
	q->proof = proof;
	if (p->auth_info_len) {
		memcpy(q->auth_info.data, p->auth_info, p->auth_info_len);
		q->auth_info.len = p->auth_info_len;
	}
	return 0;
}

int flow_peek(const struct client *c, const struct flow_params *p, struct flow_options *options_r)
{
	struct wire_begin_req *q = calloc(1, sizeof *q);
	struct wire_begin_rep *a = calloc(1, sizeof *a);
	struct wire_result result = { .error = MAG_ESYS };
	int r = MAG_ENOMEM;

	if (!q || !a)
		goto out;
	r = fill_begin(p, PROOF_NONE, q);
	if (!r)
		r = flow_request(c, false, WIRE_MSG_BEGIN, q, &result, a);
	if (!r)
		r = result.error;
	if (r)
		goto out;
	memcpy(options_r->mode, a->mode, sizeof options_r->mode);
	memcpy(options_r->separator, a->separator, sizeof options_r->separator);
	options_r->code_digits = a->code_digits;
out:
	free(q);
	wire_free(&wire_begin_rep, (void **)&a);
	return r;
}

/* ---- the ends ---- */

static void tell_refusal(struct flow *f, const struct flow_refusal *refusal)
{
	char text[TEXT_PROMPT_MAX + 1];
	f->io->tell(f->io->arg, flow_refusal_text(refusal, text, sizeof text), true);
}

static void fill_refusal(const struct flow *f, unsigned verdict, struct flow_refusal *r)
{
	const struct wire_begin_rep *login = f->login;
	*r = (struct flow_refusal){ .verdict = verdict,
		.service = f->p->service,
		.host = login->host,
		.require = login->require,
		.level = login->level,
		.help = login->help,
		.language = login->language,
		.has = flow_has(login->factors, login->n_factors) };
}

enum step flow_refuse(struct flow *f, unsigned verdict, uint32_t seconds, const char *detail)
{
	struct flow_refusal refusal;
	fill_refusal(f, verdict, &refusal);
	refusal.seconds = seconds;
	refusal.detail = detail;
	tell_refusal(f, &refusal);
	return flow_refuse_mute(f, verdict);
}

enum step flow_refuse_text(struct flow *f, unsigned verdict, enum text id)
{
	struct flow_refusal refusal;
	fill_refusal(f, verdict, &refusal);
	refusal.text = id;
	tell_refusal(f, &refusal);
	return flow_refuse_mute(f, verdict);
}

enum step flow_refuse_mute(struct flow *f, unsigned verdict)
{
	f->out->end = FLOW_REFUSED;
	f->out->verdict = verdict;
	return STEP_END;
}

enum step flow_granted(struct flow *f, enum flow_end end, const char *strength, uint32_t level)
{
	if (mag_copy(f->out->strength, sizeof f->out->strength, strength))
		return flow_refuse_mute(f, VERDICT_NONE);
	f->out->level = level;
	f->out->verdict = VERDICT_OK;
	f->out->end = end;
	return STEP_END;
}

/* ---- begin ---- */

static enum step start_asking(struct flow *f)
{
	const struct wire_begin_rep *login = f->login;

	f->brief = mag_streq(login->mode, "short");
	if (mag_streq(login->mode, "combined")) {
		if (f->p->proof == PROOF_NESTED)
			return STEP_COMBINED;
		f->out->end = FLOW_PASSWORD_FIRST;
		return STEP_END;
	}
	if (mag_streq(login->mode, "none"))
		return flow_refuse_mute(f, VERDICT_REQUIREMENTS_NOT_MET);
	if (!login->n_factors)
		return flow_refuse(f, VERDICT_REQUIREMENTS_NOT_MET, 0, NULL);
	const struct wire_factor *first = flow_default(f);
	/* Who was not told of the carrier's charge yet is told before (rule P12). */
	if (!login->autosend || flow_charge_unsaid(f, first))
		return STEP_CHOICE;
	flow_choose(f, first, NULL);
	return flow_is_phone(first) ? STEP_SEND : STEP_CODE;
}

static enum step enough(struct flow *f, enum flow_end end)
{
	const struct wire_begin_rep *login = f->login;
	return flow_granted(f, end, *login->strength ? login->strength : "password",
		login->has_level ? login->has_level : 1);
}

/* What is missing may only have run out: then that is what is said (rule L13). */
static unsigned why_denied(const struct flow *f, const struct wire_result *result)
{
	if (result->verdict != VERDICT_OK && result->verdict != VERDICT_NONE &&
		result->verdict != VERDICT_REQUIREMENTS_NOT_MET)
		return result->verdict;
	for (size_t i = 0; i < f->login->n_notices; i++)
		if (mag_streq(f->login->notices[i].id, "phone-expired"))
			return VERDICT_PHONE_EXPIRED;
	return VERDICT_REQUIREMENTS_NOT_MET;
}

static enum step denied(struct flow *f, const struct wire_result *result)
{
	struct flow_refusal refusal;

	fill_refusal(f, why_denied(f, result), &refusal);
	refusal.seconds = result->seconds;
	refusal.detail = result->detail;
	for (size_t i = 0; i < f->login->n_notices && !refusal.token; i++)
		if (mag_streq(f->login->notices[i].id, verdict_id(refusal.verdict)))
			refusal.token = f->login->notices[i].what;
	tell_refusal(f, &refusal);
	return flow_refuse_mute(f, refusal.verdict);
}

static enum step decided(struct flow *f, const struct wire_result *result)
{
	switch (f->login->decision) {
	case DECISION_ASK:
		return start_asking(f);
	case DECISION_CALLER:
		f->out->end = FLOW_CALLER;
		return STEP_END;
	case DECISION_ENROLL:
		f->brief = mag_streq(f->login->mode, "short");
		return flow_enroll(f);
	case DECISION_PASS:
		return enough(f, FLOW_OK);
	case DECISION_EXEMPT:
		return enough(f, FLOW_EXEMPT);
	default:
		if (mag_streq(f->login->mode, "combined"))
			return flow_refuse_mute(f, result->verdict);
		return denied(f, result);
	}
}

static int begin(struct flow *f, enum step *next_r)
{
	struct wire_result result = { .error = MAG_ESYS };
	struct wire_begin_req *q = calloc(1, sizeof *q);
	int r = MAG_ENOMEM;

	if (!q)
		return r;
	r = fill_begin(f->p, f->p->proof, q);
	if (r) {
		flow_refuse_mute(f, VERDICT_ACCOUNT_UNKNOWN);
		goto out;
	}
	q->tells_groups = f->io->groups ? TELLS_ASK : TELLS_NOTHING;
	r = flow_call(f, WIRE_MSG_BEGIN, q, &result, f->login);
	if (!r && f->login->decision == DECISION_GROUPS && f->io->groups) {
		f->io->groups(f->io->arg, f->login->groups, q->groups, sizeof q->groups);
		q->tells_groups = TELLS_TOLD;
		wire_clear(&wire_begin_rep, f->login);
		r = flow_call(f, WIRE_MSG_BEGIN, q, &result, f->login);
	}
	if (r)
		goto out;
	f->args.language = text_language(f->login->language);
	r = mag_secret_set(&f->out->txn, f->login->txn.data, f->login->txn.len);
	if (!r)
		*next_r = decided(f, &result);
out:
	free(q);
	return r;
}

int flow_run(const struct client *c, const struct flow_io *io, const struct flow_params *p,
	struct flow_result *result_r)
{
	struct flow f = { .client = c, .io = io, .p = p, .out = result_r };
	enum step step = STEP_END;

	memset(result_r, 0, sizeof *result_r);
	f.login = calloc(1, sizeof *f.login);
	if (!f.login)
		return MAG_ENOMEM;
	f.args.user = p->user;
	int r = begin(&f, &step);
	while (!r && step != STEP_END)
		step = steps[step](&f);
	wire_free(&wire_begin_rep, (void **)&f.login);
	return r == MAG_ENOMEM ? r : 0;
}

void flow_result_clear(struct flow_result *r)
{
	mag_secret_free(&r->txn);
	memset(r, 0, sizeof *r);
}
