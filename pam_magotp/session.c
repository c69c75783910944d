/* The session: recorded at the broker, and "Last login" said to the person. */
#include <stdlib.h>
#include <syslog.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "pam_magotp/groups.h"
#include "pam_magotp/io_pam.h"
#include "pam_magotp/phases.h"
#include "pam_magotp/txn.h"

static int failed(struct visit *v, const char *what, int error)
{
	visit_log(v, LOG_ERR, "%s user=%s service=%s: otpcored: %s", what, v->user, v->service,
		mag_strerror(error));
	return error == MAG_ENOMEM ? PAM_BUF_ERR : PAM_SESSION_ERR;
}

static int record(struct visit *v, const struct mag_secret *txn)
{
	char text[512];
	struct wire_result result = { .error = MAG_ESYS };
	struct wire_open_req *q = calloc(1, sizeof *q);
	struct wire_open_rep *a = calloc(1, sizeof *a);
	int code = PAM_BUF_ERR, r;

	if (!q || !a)
		goto out;
	q->txn = *txn; /* borrowed */
	mag_copy(q->user, sizeof q->user, v->user);
	mag_copy(q->service, sizeof q->service, v->service);
	mag_copy(q->rhost, sizeof q->rhost, v->rhost);
	mag_copy(q->tty, sizeof q->tty, v->tty);
	q->uid = v->uid;
	r = flow_request(&v->client, txn->len > 0, WIRE_MSG_OPEN, q, &result, a);
	/* pam_env may have brought an old ticket of the user's own: as good as none. */
	if (!r && result.error == MAG_ESTALE && txn->len) {
		visit_log(v, LOG_NOTICE, "user=%s service=%s: the ticket is not this login's",
			v->user, v->service);
		q->txn = (struct mag_secret){ 0 };
		wire_clear(&wire_open_rep, a);
		r = flow_request(&v->client, true, WIRE_MSG_OPEN, q, &result, a);
	}
	if (!r)
		r = result.error;
	else if (visit_broker_down_allows(v, r, txn->len > 0)) {
		code = PAM_SUCCESS;
		goto out;
	}
	if (r) {
		code = failed(v, "open", r);
		goto out;
	}
	code = PAM_SUCCESS;
	if (!a->recorded)
		visit_log(v, v->options.debug ? LOG_INFO : LOG_DEBUG,
			"user=%s service=%s: session not recorded (%s)", v->user, v->service,
			a->reason);
	io_pam_tell(v, flow_session_text(a, text, sizeof text), false);
out:
	free(q);
	wire_free(&wire_open_rep, (void **)&a);
	return code;
}

int phase_open(struct visit *v)
{
	struct mag_secret txn = { 0 };
	int code = txn_take(v, &txn);

	if (code == PAM_SUCCESS)
		code = txn_remove(v);
	/* A session as somebody else (sudo) is not the login's: nothing to record. */
	if (code == PAM_SUCCESS && txn_same_user(v) && !visit_needs_no_broker(v, &txn))
		code = record(v, &txn);
	mag_secret_free(&txn);
	return code;
}

int phase_close(struct visit *v)
{
	struct mag_secret txn = { 0 };
	struct wire_result result = { .error = MAG_ESYS };
	struct wire_close_req q = { .uid = v->uid };
	int r;

	if (txn_take(v, &txn) != PAM_SUCCESS)
		return PAM_BUF_ERR;
	bool alone = visit_needs_no_broker(v, &txn) || !txn_same_user(v);
	mag_secret_free(&txn);
	if (alone)
		return PAM_SUCCESS;
	mag_copy(q.user, sizeof q.user, v->user);
	mag_copy(q.service, sizeof q.service, v->service);
	r = flow_request(&v->client, false, WIRE_MSG_CLOSE, &q, &result, NULL);
	if (!r)
		r = result.error;
	else if (visit_broker_down_allows(v, r, false))
		return PAM_SUCCESS;
	return r ? failed(v, "close", r) : PAM_SUCCESS;
}

int phase_setcred(struct visit *v)
{
	if (txn_keep(v) != PAM_SUCCESS)
		return PAM_CRED_ERR;
	if (!(v->flags & PAM_DELETE_CRED))
		groups_add(v);
	return PAM_SUCCESS;
}
