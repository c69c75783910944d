/* magotp elevate: the second step later, in the same session (L4). */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

/* begin, then send or verify: what the conversation does, without questions. */
static int begin(struct cli *c, const char *require, struct wire_begin_rep *b)
{
	struct wire_begin_req q = { .uid = c->uid };
	int r;

	mag_copy(q.user, sizeof q.user, c->user);
	mag_copy(q.service, sizeof q.service, "elevate");
	mag_copy(q.require, sizeof q.require, require ? require : "");
	r = cli_call(c, WIRE_MSG_BEGIN, &q, b);
	if (r != CLI_DONE)
		return r;
	if (b->decision == DECISION_ASK || b->decision == DECISION_PASS)
		return CLI_DONE;
	if (c->result.verdict == VERDICT_OK || c->result.verdict == VERDICT_NONE)
		c->result.verdict = VERDICT_REQUIREMENTS_NOT_MET;
	return cli_verdict(c);
}

static int send_code(struct cli *c, const struct wire_begin_rep *b, uint32_t ref)
{
	struct wire_send_req q = { .seq = 1, .ref = ref };
	struct wire_send_rep p = { 0 };
	int r = mag_secret_set(&q.txn, b->txn.data, b->txn.len)
			? cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.")
			: cli_request(c, WIRE_MSG_SEND, &q, &p);

	if (r == CLI_DONE && p.delivery == DELIVERY_FAILED) {
		c->result.verdict = VERDICT_SEND_FAILED;
		r = cli_verdict(c);
	}
	if (r == CLI_DONE && c->json) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "masked", json_object_new_string(p.masked));
		json_object_object_add(
			o, "channel", json_object_new_string(cli_channel_word(p.channel)));
		json_object_object_add(o, "seconds_left", json_object_new_int64(p.seconds_left));
		cli_json_print(&o);
	} else if (r == CLI_DONE) {
		cli_say(c, "Code sent by %s to %s", cli_channel_word(p.channel), p.masked);
	}
	wire_clear(&wire_send_req, &q);
	return r;
}

static int verify(struct cli *c, const struct wire_begin_rep *b, uint32_t ref, const char *arg)
{
	struct wire_verify_req q = { .seq = 1, .ref = ref };
	struct wire_verify_rep p = { 0 };
	int r = cli_secret(c, arg, "Code: ", "the code", &q.code);

	if (r == CLI_DONE && mag_secret_set(&q.txn, b->txn.data, b->txn.len))
		r = cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_VERIFY, &q, &p);
	if (r == CLI_DONE && mag_secret_set(&c->grant, b->txn.data, b->txn.len))
		r = cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	if (r == CLI_DONE && c->json) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "strength", json_object_new_string(p.strength));
		json_object_object_add(o, "level", json_object_new_int64(p.level));
		json_object_object_add(o, "raised", json_object_new_boolean(p.raised != 0));
		cli_json_print(&o);
	} else if (r == CLI_DONE) {
		cli_say(c, p.raised ? "Session raised to %s" : "Second step done: %s", p.strength);
	}
	wire_clear(&wire_verify_req, &q);
	return r;
}

/* With an id (and a code): for scripts. */
static int in_steps(struct cli *c, const char *require, const char *id, const char *code)
{
	struct wire_begin_rep b = { 0 };
	uint32_t ref = cli_phone_ref(id);
	int r;

	if (!ref)
		return cli_usage(c, "%s: not an id such as p1", id);
	r = begin(c, require, &b);
	if (r == CLI_DONE && b.decision == DECISION_PASS)
		cli_note(c, "Nothing to do: this session has %s.",
			*b.strength ? b.strength : "what is asked");
	if (r == CLI_DONE && b.decision == DECISION_ASK) {
		/* A code that is given was sent by an earlier call of the same login. */
		if (!code)
			r = send_code(c, &b, ref);
		if (r == CLI_DONE && (code || cli_can_ask()))
			r = verify(c, &b, ref, code);
	}
	wire_clear(&wire_begin_rep, &b);
	return r;
}

int cmd_elevate(struct cli *c)
{
	const char *require = cli_opt(c, "--require");
	int r = cli_settings(c);

	if (r != CLI_DONE)
		return r;
	if (cli_arg(c, 0))
		r = in_steps(c, require, cli_arg(c, 0), cli_arg(c, 1));
	else if (!cli_can_ask())
		r = cli_fail(c, CLI_ELEVATE, "elevate-first",
			"There is no terminal to ask on. Name the phone and the code: "
			"magotp elevate p1, then magotp elevate p1 CODE");
	else
		r = cli_elevate(c, require);
	if (r != CLI_DONE || !c->rest || !*c->rest)
		return r;
	/* The command is this process: to the broker it has proven what was proven here. */
	cli_become(c->rest);
	return cli_fail(c, CLI_REFUSED, "failed", "%s cannot be run.", *c->rest);
}
