/* The account phase: may this login in, however it was authenticated? Public
 * keys alone never pass the auth phase; this is where they are stopped. */
#include <stdlib.h>
#include <syslog.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "pam_magotp/io_pam.h"
#include "pam_magotp/member.h"
#include "pam_magotp/nested.h"
#include "pam_magotp/phases.h"
#include "pam_magotp/txn.h"

static void fill(const struct visit *v, const struct mag_secret *txn, struct wire_account_req *q)
{
	q->txn = *txn; /* borrowed */
	mag_copy(q->user, sizeof q->user, v->user);
	mag_copy(q->service, sizeof q->service, v->service);
	mag_copy(q->rhost, sizeof q->rhost, v->rhost);
	mag_copy(q->tty, sizeof q->tty, v->tty);
	mag_clean(q->require, sizeof q->require, v->options.require);
	mag_clean(q->unenrolled, sizeof q->unenrolled, v->options.unenrolled);
	q->uid = v->uid;
	q->level = (uint32_t)v->options.level;
	q->tells_groups = TELLS_ASK;
}

/* Asks the broker, and once more when it wants to know the user's groups. */
static int ask_broker(struct visit *v, struct wire_account_req *q, bool *answered_r,
	struct wire_result *result_r, struct wire_account_rep *a)
{
	int r;

	*answered_r = q->txn.len > 0;
	r = flow_request(&v->client, *answered_r, WIRE_MSG_ACCOUNT, q, result_r, a);
	if (r || result_r->error || a->decision != DECISION_GROUPS)
		return r;
	*answered_r = true;
	member_of(v, a->groups, q->groups, sizeof q->groups);
	q->tells_groups = TELLS_TOLD;
	wire_clear(&wire_account_rep, a);
	return flow_request(&v->client, true, WIRE_MSG_ACCOUNT, q, result_r, a);
}

static void tell(struct visit *v, const struct flow_refusal *refusal)
{
	char text[512];
	io_pam_tell(v, flow_refusal_text(refusal, text, sizeof text), true);
}

static int failed(struct visit *v, int error, const char *detail)
{
	const struct flow_refusal refusal = { .verdict = VERDICT_BROKER_UNAVAILABLE };
	char shown[257];
	visit_log(v, LOG_ERR, "account user=%s service=%s: otpcored: %s %s", v->user, v->service,
		mag_strerror(error), mag_clean(shown, sizeof shown, detail));
	tell(v, &refusal);
	return PAM_AUTHINFO_UNAVAIL;
}

static int denied(struct visit *v, bool key_alone, const struct wire_result *result,
	const struct wire_account_rep *a)
{
	unsigned verdict =
		result->verdict <= VERDICT_OK ? VERDICT_REQUIREMENTS_NOT_MET : result->verdict;
	const struct flow_refusal refusal = { .verdict = verdict,
		.service = v->service,
		.host = a->host,
		.require = a->require,
		.level = a->level,
		.help = a->help,
		.language = a->language,
		.detail = result->detail,
		.has = flow_has(a->factors, a->n_factors),
		.key_alone = key_alone,
		.seconds = result->seconds };
	visit_log(v, LOG_NOTICE,
		"account user=%s service=%s rhost=%s: refused (%s), has %s, needs %s%s", v->user,
		v->service, v->rhost, verdict_id(verdict), a->strength, a->require,
		key_alone ? "; a key alone: in sshd_config set AuthenticationMethods "
			    "publickey,keyboard-interactive:pam"
			  : "");
	tell(v, &refusal);
	return PAM_PERM_DENIED;
}

static int passed(struct visit *v, bool asked, const struct wire_account_rep *a)
{
	int r = PAM_SUCCESS;
	/* After auth the variables are there already. */
	if (!asked && *a->strength)
		r = txn_export(v, a->strength, 1);
	if (r == PAM_SUCCESS && nested_expired(v))
		r = PAM_NEW_AUTHTOK_REQD;
	return r;
}

int phase_account(struct visit *v)
{
	struct wire_account_req *q = calloc(1, sizeof *q);
	struct wire_account_rep *a = calloc(1, sizeof *a);
	struct wire_result result = { .error = MAG_ESYS };
	struct mag_secret txn = { 0 };
	int code = PAM_BUF_ERR, r;
	bool answered;

	if (!q || !a)
		goto out;
	code = visit_is_callers(v) ? visit_take_caller(v) : PAM_SUCCESS;
	if (code == PAM_SUCCESS)
		code = txn_take(v, &txn);
	if (code != PAM_SUCCESS || visit_needs_no_broker(v, &txn))
		goto out;
	fill(v, &txn, q);
	r = ask_broker(v, q, &answered, &result, a);
	if (r == MAG_ENOMEM)
		code = PAM_BUF_ERR;
	else if (r)
		code = visit_broker_down_allows(v, r, answered) ? PAM_SUCCESS : failed(v, r, "");
	else if (result.error)
		code = failed(v, result.error, result.detail);
	else if (a->decision == DECISION_PASS || a->decision == DECISION_EXEMPT)
		code = passed(v, txn.len > 0, a);
	else
		code = denied(v, !txn.len && mag_streq(v->pam_service, "sshd"), &result, a);
out:
	mag_secret_free(&txn);
	free(q);
	wire_free(&wire_account_rep, (void **)&a);
	return code;
}
