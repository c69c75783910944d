/* The authenticator app (M1): a QR code to scan, one code to confirm. And the
 * recovery codes. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/qr.h"
#include "otpcore/base/text.h"

#define ASK_MAX 6

static int say_bound(const struct cli *c, const struct wire_mobile_confirm_rep *p)
{
	struct json_object *o;
	char day[32];

	if (!c->json && mag_streq(p->state, "pending-approval")) {
		cli_say(c, "The app waits for identity proofing (%s)", p->id);
		cli_note(c, "See: magotp proofing");
		return CLI_DONE;
	}
	if (!c->json) {
		cli_say(c, "The app is active until %s (%s)",
			mag_time_day(p->expires, day, sizeof day), p->id);
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "id", json_object_new_string(p->id));
	json_object_object_add(o, "state", json_object_new_string(p->state));
	json_object_object_add(o, "expires", cli_json_time(p->expires));
	cli_json_print(&o);
	return CLI_DONE;
}

/* `code` as in cli_secret; NULL asks, and asks again while tries are left. */
static int confirm(struct cli *c, const char *code)
{
	struct wire_mobile_confirm_req q = { 0 };
	struct wire_mobile_confirm_rep p = { 0 };
	bool asked = !code && cli_can_ask() && !c->json, more = true;
	int r = CLI_DONE;

	mag_copy(q.user, sizeof q.user, c->user);
	for (int i = 0; more && r == CLI_DONE && i < ASK_MAX; i++) {
		r = cli_secret(c, code, "Code that the app shows now: ", "the code", &q.code);
		if (r == CLI_DONE && asked && !q.code.len)
			continue; /* an empty answer never counts as a try */
		if (r == CLI_DONE)
			r = cli_call(c, WIRE_MSG_MOBILE_CONFIRM, &q, &p);
		more = asked && c->result.verdict == VERDICT_CODE_WRONG && p.tries_left > 0;
		if (r == CLI_DONE && more)
			cli_note(c, "Wrong code, %u %s left.", p.tries_left,
				p.tries_left == 1 ? "try" : "tries");
	}
	wire_clear(&wire_mobile_confirm_req, &q);
	if (r == CLI_DONE)
		r = cli_verdict(c);
	return r == CLI_DONE ? say_bound(c, &p) : r;
}

static int show(struct cli *c, const struct wire_mobile_add_rep *p)
{
	const char *uri = mag_secret_text(&p->uri);
	struct json_object *o;

	if (c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "id", json_object_new_string(p->id));
		json_object_object_add(o, "uri", json_object_new_string(uri));
		json_object_object_add(o, "state", json_object_new_string("pending"));
		cli_json_print(&o);
		return CLI_DONE;
	}
	if (cli_opt(c, "--uri") || !isatty(STDOUT_FILENO)) {
		cli_say(c, "%s", uri);
	} else if (qr_print(stdout, uri, qr_look())) {
		cli_say(c, "%s", uri);
		cli_note(c, "There is no room here for a QR code: this address says the same to an "
			    "app, or try again in a wider window.");
	} else {
		cli_note(c, "Scan this with the app. For another screen: magotp mobile add --uri");
	}
	return CLI_DONE;
}

int cmd_mobile_add(struct cli *c)
{
	struct wire_mobile_add_req q = { 0 };
	struct wire_mobile_add_rep p = { 0 };
	const char *label = cli_opt(c, "--label");
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (mag_copy(q.label, sizeof q.label, label ? label : ""))
		return cli_usage(c, "--label: 64 bytes at most");
	if (r == CLI_DONE)
		r = token_licensed(c, WIRE_MSG_MOBILE_ADD, &q, &q.grant, &p);
	if (r == CLI_DONE)
		r = cli_verdict(c);
	if (r == CLI_DONE)
		r = show(c, &p);
	wire_clear(&wire_mobile_add_req, &q);
	wire_clear(&wire_mobile_add_rep, &p);
	if (r != CLI_DONE || c->json)
		return r;
	if (cli_can_ask() && isatty(STDOUT_FILENO))
		return confirm(c, NULL);
	cli_note(c, "To bind the app: magotp mobile confirm CODE");
	return CLI_DONE;
}

int cmd_mobile_confirm(struct cli *c)
{
	int r = cli_settings(c);

	return r == CLI_DONE ? confirm(c, cli_arg(c, 0)) : r;
}

int cmd_recovery_codes(struct cli *c)
{
	struct wire_recovery_codes_req q = { 0 };
	struct wire_recovery_codes_rep p = { 0 };
	struct json_object *list;
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_RECOVERY_CODES, &q, &q.grant, &p);
	list = json_object_new_array();
	for (size_t i = 0; r == CLI_DONE && i < p.n_codes; i++) {
		const char *code = mag_secret_text(&p.codes[i].code);

		cli_say(c, "%s", code);
		json_object_array_add(list, json_object_new_string(code));
	}
	wire_clear(&wire_recovery_codes_req, &q);
	wire_clear(&wire_recovery_codes_rep, &p);
	if (r == CLI_DONE && c->json)
		cli_json_print(&list);
	else
		json_object_put(list);
	if (r == CLI_DONE)
		cli_note(c, "Each is good for one login. They are shown this once; earlier ones "
			    "are dead.\nKeep them on paper, apart from phone and token.");
	return r;
}
