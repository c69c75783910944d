/* Requests of the tools, and what the broker's answers mean for a person. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cli.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/login/flow.h"

int cli_settings(struct cli *c)
{
	char err[OPT_ERROR_MAX] = "";
	int r = settings_load(c->config, &c->settings, err);

	/* People who may not read the default file still find the default socket. */
	if (r == MAG_ESYS && !c->config)
		c->settings = NULL;
	else if (r)
		return cli_fail(c, CLI_USAGE, "config", "%s", *err ? err : mag_strerror(r));
	c->client.socket = c->socket                             ? c->socket
			   : c->settings && *c->settings->socket ? c->settings->socket
								 : OTPCORED_SOCKET;
	c->client.server_uid = client_server_uid(c->client.socket);
	c->client.timeout_ms = 15000;
	return CLI_DONE;
}

/* Errors of the way there; anything else is the work itself that failed. */
static int unreachable(const struct cli *c, int r)
{
	switch (r) {
	case MAG_EDOWN:
		return cli_fail(c, CLI_UNREACHABLE, "broker-unavailable",
			"No broker answers on %s. Start otpcored, or name its socket with "
			"--socket.",
			c->client.socket);
	case MAG_ESERVER:
		return cli_fail(c, CLI_UNREACHABLE, "broker-unavailable",
			"What answers on %s does not run as root or as the owner of that folder.",
			c->client.socket);
	case MAG_ERANGE:
		return cli_fail(
			c, CLI_USAGE, "usage", "One of the values is too long or not UTF-8.");
	default:
		return cli_fail(c, CLI_UNREACHABLE, "broker-unavailable",
			"The broker on %s did not answer: %s.", c->client.socket, mag_strerror(r));
	}
}

static int served(const struct cli *c)
{
	const char *detail = c->result.detail;

	switch (c->result.error) {
	case 0:
		return CLI_DONE;
	case MAG_EDOWN: /* the word of a relay */
		return cli_fail(c, CLI_UNREACHABLE, "broker-unavailable",
			"This host is a relay, and none of its auth hosts answers.");
	case MAG_EPERM:
		if (c->settings && c->settings->n_upstreams)
			return cli_fail(c, CLI_REFUSED, "not-allowed",
				"This host is a relay, and that is not done from here, or not for "
				"this account. Do it on an auth host: %s",
				c->settings->upstream);
		/* The broker tells strangers nothing; for the own account it means this. */
		if (mag_streq(c->program, "magotp"))
			return cli_fail(c, CLI_REFUSED, "account-unknown",
				"%s has no account here. An administrator makes one with: "
				"magotpctl enroll %s",
				c->user, c->user);
		return cli_fail(c, CLI_REFUSED, "not-allowed",
			"Only root, or an administrator of that organisation, may do that.");
	case MAG_EINVAL:
		return cli_fail(c, CLI_USAGE, "usage", "%s",
			*detail ? detail : "The broker does not understand that.");
	case MAG_ESTALE:
		return cli_fail(c, CLI_ELEVATE, "elevate-first",
			"That second step is too old or came from another process. Do it again.");
	case MAG_EBUSY:
	case MAG_ETIMEOUT:
	case MAG_EVERSION:
		return unreachable(c, c->result.error);
	case MAG_ESTORE:
		return cli_fail(c, CLI_REFUSED, "failed",
			"The broker could not do it: the store failed%s%s. Is its disk full? "
			"See otpcored's log, and magotpctl doctor.",
			*detail ? ": " : "", detail);
	default:
		return cli_fail(c, CLI_REFUSED, "failed", "The broker could not do it: %s%s%s.",
			mag_strerror(c->result.error), *detail ? ": " : "", detail);
	}
}

int cli_call(struct cli *c, uint16_t message, const void *request, void *reply)
{
	int r;

	memset(&c->result, 0, sizeof c->result);
	r = client_call(&c->client, message, request, &c->result, reply);
	return r ? unreachable(c, r) : served(c);
}

/* No serial number, but "the one there is", t1, m1. */
static bool is_short_id(const char *id)
{
	return !*id ||
	       ((*id == 't' || *id == 'm') && strspn(id + 1, "0123456789") + 1 == strlen(id));
}

/* Where the tool knows a better way out than a login does. */
static const char *tools_text(const struct cli *c)
{
	bool own = mag_streq(c->program, "magotp");

	if (c->result.verdict == VERDICT_LICENCE_NEEDED && !own)
		return "The account needs a licence first. Issue a key (magotpctl license issue) "
		       "and give it with --key KEY; or set mode = automatic in [licences].";
	if (c->result.verdict == VERDICT_KEY_MISTYPED)
		return "There is a typing mistake in it: a licence key has six groups of five "
		       "characters, an activation code four.";
	if (c->result.verdict == VERDICT_SERIAL_UNKNOWN && is_short_id(c->result.detail))
		return own ? "You have no such token or app. Which there are: magotp token list"
			   : "The account has no such token or app. Which there are: "
			     "magotpctl token list USER";
	return NULL;
}

void cli_sentence(const struct cli *c, char *buf, size_t cap)
{
	const char *detail = c->result.detail, *own = tools_text(c);
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	if (c->result.verdict == VERDICT_KEY_MISTYPED && *detail) {
		mag_buf_printf(
			&b, "Typing mistake in the key, group %s. Look at it again.", detail);
	} else if (c->result.verdict == VERDICT_NOT_ALLOWED && *detail) {
		mag_buf_printf(&b, "Not possible: %s.", detail);
	} else {
		mag_buf_puts(&b, own ? own : flow_verdict_text(c->result.verdict));
		if (!own && *detail)
			mag_buf_printf(&b, " (%s)", detail);
	}
	if (c->result.seconds)
		mag_buf_printf(&b, " Try again in %u second%s.", c->result.seconds,
			c->result.seconds == 1 ? "" : "s");
}

int cli_verdict(const struct cli *c)
{
	char text[512];
	int code = CLI_REFUSED;

	if (c->result.verdict == VERDICT_OK)
		return CLI_DONE;
	if (c->result.verdict == VERDICT_ELEVATE_FIRST)
		code = CLI_ELEVATE;
	if (c->result.verdict == VERDICT_BROKER_UNAVAILABLE)
		code = CLI_UNREACHABLE;
	cli_sentence(c, text, sizeof text);
	return cli_fail(c, code, verdict_id(c->result.verdict), "%s", text);
}

int cli_request(struct cli *c, uint16_t message, const void *request, void *reply)
{
	int r = cli_call(c, message, request, reply);

	return r == CLI_DONE ? cli_verdict(c) : r;
}

int cli_call_grant(
	struct cli *c, uint16_t message, void *request, struct mag_secret *grant, void *reply)
{
	int r;

	if (c->grant.len && mag_secret_set(grant, c->grant.data, c->grant.len))
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = cli_call(c, message, request, reply);
	if (r != CLI_DONE)
		return r;
	if (c->result.verdict != VERDICT_ELEVATE_FIRST || c->grant.len || !cli_can_ask() || c->json)
		return CLI_DONE;
	cli_note(c, "This needs your second step first.");
	r = cli_elevate(c, NULL);
	if (r != CLI_DONE)
		return r;
	if (mag_secret_set(grant, c->grant.data, c->grant.len))
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	return cli_call(c, message, request, reply);
}

int cli_request_grant(
	struct cli *c, uint16_t message, void *request, struct mag_secret *grant, void *reply)
{
	int r = cli_call_grant(c, message, request, grant, reply);

	return r == CLI_DONE ? cli_verdict(c) : r;
}

/* Why this session has no row of its own, for people (login.wire, open). */
static const struct {
	const char *id, *text;
} reasons[] = {
	{ "shared-id", "its audit id is shared with another login" },
	{ "no-audit-id", "it has no audit id (pam_loginuid is missing)" },
	{ "other-uid", "it was logged in as another user" },
	{ "not-root", "the service that opened it is not root" },
	{ "no-login", "it did not come through pam_magotp" },
	{ NULL, NULL },
};

const char *cli_session_reason(const char *id)
{
	for (size_t i = 0; reasons[i].id; i++)
		if (mag_streq(reasons[i].id, id))
			return reasons[i].text;
	return *id ? id : "no login was recorded";
}

/* ---- elevate: the login conversation on this terminal ---- */
static int io_ask(void *arg, const char *prompt, bool echo, struct mag_secret *answer_r)
{
	(void)echo; /* codes are shown as they are typed: they die with their use */
	return cli_ask(arg, prompt, "a code", answer_r) == CLI_DONE ? 0 : MAG_ECONV;
}

static int io_tell(void *arg, const char *message, bool error)
{
	(void)arg;
	(void)error;
	fprintf(stderr, "%s\n", message);
	return 0;
}

static int flow_exit(struct cli *c, struct flow_result *f)
{
	switch (f->end) {
	case FLOW_OK:
		return CLI_DONE;
	case FLOW_UNAVAILABLE:
		return unreachable(c, f->error);
	case FLOW_BROKEN:
		return CLI_INTERRUPTED;
	case FLOW_EXEMPT:
	case FLOW_SKIPPED:
		return cli_fail(c, CLI_REFUSED, "requirements-not-met",
			"The second step was left out; nothing was raised.");
	default:
		return cli_fail(c, CLI_REFUSED, verdict_id(f->verdict), "%s",
			flow_verdict_text(f->verdict));
	}
}

int cli_elevate(struct cli *c, const char *require)
{
	struct flow_io io = { .ask = io_ask, .tell = io_tell, .arg = c };
	struct flow_params p = { .service = "elevate",
		.uid = getuid(),
		.require = require,
		.echo = true,
		.tty = ttyname(STDIN_FILENO) };
	struct passwd *pw = getpwuid(getuid());
	struct flow_result f = { 0 };
	int r;

	/* Whoever is worked on: the second step is the caller's own. */
	if (!pw)
		return cli_fail(
			c, CLI_REFUSED, "account-unknown", "Your user id has no name here.");
	p.user = pw->pw_name;
	if (flow_run(&c->client, &io, &p, &f))
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = flow_exit(c, &f);
	if (r == CLI_DONE && mag_secret_set(&c->grant, f.txn.data, f.txn.len))
		r = cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	if (r == CLI_DONE && f.raised)
		cli_note(c, "This session has %s now.", f.strength);
	else if (r == CLI_DONE)
		cli_note(c, "Good for this command only. The session cannot keep it: %s.",
			cli_session_reason(f.reason));
	flow_result_clear(&f);
	return r;
}
