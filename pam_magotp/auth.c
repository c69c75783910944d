/* Authentication: the password if it is ours to ask, then the conversation. */
#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "pam_magotp/io_pam.h"
#include "pam_magotp/member.h"
#include "pam_magotp/nested.h"
#include "pam_magotp/phases.h"
#include "pam_magotp/txn.h"
#include "pam_magotp/verdict.h"

static void fill_params(const struct visit *v, struct flow_params *p)
{
	*p = (struct flow_params){ .user = v->user,
		.service = v->service,
		.rhost = v->rhost,
		.tty = v->tty,
		.ruser = v->ruser,
		.uid = v->uid,
		.require = v->options.require,
		.mode = v->options.mode,
		.unenrolled = v->options.unenrolled,
		.level = (uint32_t)v->options.level,
		.echo = io_pam_echo(v) };
}

static int unavailable(struct visit *v, int error, const char *detail)
{
	char text[512];
	const struct flow_refusal refusal = { .verdict = VERDICT_BROKER_UNAVAILABLE };
	visit_log(v, LOG_ERR, "user=%s service=%s: otpcored: %s%s%s (socket %s)", v->user,
		v->service, mag_strerror(error), *detail ? ": " : "", detail, v->client.socket);
	io_pam_tell(v, flow_refusal_text(&refusal, text, sizeof text), true);
	return PAM_AUTHINFO_UNAVAIL;
}

static void log_end(const struct visit *v, const struct flow_result *out)
{
	switch (out->end) {
	case FLOW_OK:
	case FLOW_SKIPPED:
		visit_log(v, LOG_INFO, "user=%s service=%s rhost=%s: %s, level %u%s", v->user,
			v->service, v->rhost, out->strength, (unsigned)out->level,
			out->end == FLOW_SKIPPED ? ", second factor skipped" : "");
		break;
	case FLOW_EXEMPT:
		visit_log(v, LOG_NOTICE, "user=%s service=%s rhost=%s: exempt by policy", v->user,
			v->service, v->rhost);
		break;
	case FLOW_BROKEN:
		visit_log(v, LOG_NOTICE, "user=%s service=%s rhost=%s: the conversation ended",
			v->user, v->service, v->rhost);
		break;
	case FLOW_PASSWORD_FIRST:
		visit_log(v, LOG_ERR, "service %s is in combined mode, but no password was typed",
			v->service);
		break;
	default:
		visit_log(v, LOG_NOTICE, "user=%s service=%s rhost=%s: refused (%s)%s%s", v->user,
			v->service, v->rhost, verdict_id(out->verdict), *out->detail ? ": " : "",
			out->detail);
	}
}

/* After success: what account and session need, and what people may read. */
static int leave(struct visit *v, const struct flow_result *out)
{
	int r = txn_leave(v, &out->txn);
	if (r == PAM_SUCCESS)
		r = txn_export(v, out->strength, out->level);
	return r;
}

/* su_target = caller: all over again for who typed "su". */
static int again_for_caller(struct visit *v, const struct flow_params *p, const struct flow_io *io,
	struct flow_result *out_r)
{
	struct flow_params caller = *p;
	int r = visit_take_caller(v);

	if (r != PAM_SUCCESS)
		return r;
	caller.user = v->user;
	caller.uid = v->uid;
	return flow_run(&v->client, io, &caller, out_r) ? PAM_BUF_ERR : PAM_SUCCESS;
}

static int converse(struct visit *v, const struct flow_params *p, bool quiet, enum flow_end *end_r)
{
	const struct flow_io io = { io_pam_ask, io_pam_tell, v, member_of };
	/* Nothing before us has succeeded unless modules before us did. */
	bool alone = p->proof != PROOF_STACK;
	struct flow_result out;
	int code = PAM_SYSTEM_ERR;

	if (flow_run(&v->client, &io, p, &out)) {
		code = PAM_BUF_ERR;
		goto out;
	}
	if (out.end == FLOW_CALLER) {
		flow_result_clear(&out);
		code = again_for_caller(v, p, &io, &out);
		if (code != PAM_SUCCESS)
			goto out;
	}
	*end_r = out.end;
	if (out.end == FLOW_UNAVAILABLE) {
		code = visit_broker_down_allows(v, out.error, out.answered)
			       ? verdict_pam(FLOW_EXEMPT, alone, quiet)
			       : unavailable(v, out.error, out.detail);
		goto out;
	}
	code = verdict_pam(out.end, alone, quiet);
	if (out.end != FLOW_PASSWORD_FIRST || quiet)
		log_end(v, &out);
	if (code == PAM_SUCCESS || code == PAM_IGNORE) {
		int r = leave(v, &out);
		if (r != PAM_SUCCESS)
			code = r;
	} else if (quiet) {
		pam_fail_delay(v->pamh, VISIT_FAIL_DELAY_US);
	}
out:
	flow_result_clear(&out);
	return code;
}

/* Options of the service that are not on the line. `down_r`: nobody answers, and
 * the line says that this lets in. */
static int look(struct visit *v, struct flow_options *options_r, bool *down_r)
{
	struct flow_params p;
	const char *mode = v->options.mode;

	if (mode && !mag_streq(mode, "combined"))
		return mag_copy(options_r->mode, sizeof options_r->mode, mode) ? PAM_SYSTEM_ERR
									       : PAM_SUCCESS;
	fill_params(v, &p);
	int r = flow_peek(&v->client, &p, options_r);
	if (!r)
		return PAM_SUCCESS;
	if (r == MAG_ENOMEM)
		return PAM_BUF_ERR;
	if (!visit_broker_down_allows(v, r, false))
		return unavailable(v, r, "");
	*down_r = true;
	return mag_copy(options_r->mode, sizeof options_r->mode, mode ? mode : "separate")
		       ? PAM_SYSTEM_ERR
		       : PAM_SUCCESS;
}

/* prompt_password: asks, splits what combined mode joins, has it checked. */
static int with_password(struct visit *v)
{
	struct mag_secret typed = { 0 }, password = { 0 }, factor = { 0 };
	struct flow_options options = { 0 };
	struct flow_params p;
	enum flow_end end;
	bool down = false;
	int r = look(v, &options, &down);
	bool combined = mag_streq(options.mode, "combined");

	if (r != PAM_SUCCESS)
		return r;
	r = PAM_CONV_ERR;
	if (io_pam_ask(v, "Password: ", false, &typed))
		goto out;
	r = PAM_BUF_ERR;
	if (combined ? flow_split(&typed, &options, &password, &factor)
		     : mag_secret_set(&password, typed.data, typed.len))
		goto out;
	r = nested_check(v, &password, combined);
	if (r == PAM_SUCCESS)
		r = pam_set_item(v->pamh, PAM_AUTHTOK, mag_secret_text(&password));
	if (r != PAM_SUCCESS || down)
		goto out;
	fill_params(v, &p);
	p.proof = PROOF_NESTED;
	p.password = &password;
	p.combined = &factor;
	r = converse(v, &p, combined, &end);
out:
	mag_secret_free(&typed);
	mag_secret_free(&password);
	mag_secret_free(&factor);
	return r;
}

/* sshd lists what it accepted, a line each: "publickey ssh-ed25519 AAAA...". A
 * password is no key. */
static bool names_key(const char *info)
{
	for (; info && *info; info += strcspn(info, "\n"), info += *info == '\n')
		if (mag_has_prefix(info, "publickey "))
			return true;
	return false;
}

/* The key that sshd accepted. */
static bool take_key(struct visit *v, struct flow_params *p)
{
	const char *info = pam_getenv(v->pamh, "SSH_AUTH_INFO_0");
	if (!names_key(info)) {
		visit_log(v, LOG_ERR,
			"first=publickey, but sshd names no accepted key. In sshd_config: "
			"AuthenticationMethods publickey,keyboard-interactive:pam");
		return false;
	}
	p->proof = PROOF_PUBLICKEY;
	p->auth_info = info;
	p->auth_info_len = strlen(info);
	return true;
}

/* A key that sshd accepted before the password may have a certificate (C1). */
static void offer_key(struct visit *v, struct flow_params *p)
{
	const char *info = pam_getenv(v->pamh, "SSH_AUTH_INFO_0");
	if (!names_key(info) || strlen(info) > sizeof(((struct wire_begin_req *)0)->auth_info.data))
		return;
	p->auth_info = info;
	p->auth_info_len = strlen(info);
}

/* first=stack: the administrator vouches for the modules before this line. */
static int after_others(struct visit *v)
{
	struct mag_secret password = { 0 };
	const void *typed = NULL;
	struct flow_params p;
	enum flow_end end = FLOW_REFUSED;
	int r = PAM_BUF_ERR;

	fill_params(v, &p);
	p.proof = PROOF_STACK;
	offer_key(v, &p);
	if (v->options.first == FIRST_PUBLICKEY && !take_key(v, &p))
		return PAM_AUTH_ERR;
	if (pam_get_item(v->pamh, PAM_AUTHTOK, &typed) == PAM_SUCCESS && typed) {
		if (mag_secret_set_text(&password, typed))
			goto out;
		p.password = &password;
	}
	r = converse(v, &p, false, &end);
	if (end == FLOW_PASSWORD_FIRST)
		r = with_password(v);
out:
	mag_secret_free(&password);
	return r;
}

int phase_auth(struct visit *v)
{
	const char *mode = v->options.mode;
	if (v->options.prompt_password || (mode && mag_streq(mode, "combined")))
		return with_password(v);
	return after_others(v);
}
