/* Tokens and apps of one account: activated, put right, suspended, revoked
 * (H2, H4, H7, H8). A person's own ones, and those an administrator looks after. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

/* Wrong pairs that are asked for again before the broker's own cap ends it. */
#define PAIRS_MAX 6

static bool own(const struct cli *c)
{
	return mag_streq(c->program, "magotp");
}

/* The id as it was given; "" is the only one there is. */
static int take_id(const struct cli *c, const char *id, char *dst, size_t cap)
{
	if (mag_copy(dst, cap, id ? id : ""))
		return cli_usage(c, "%s: not a token's id; it is t1, m1 or a serial number", id);
	return CLI_DONE;
}

static int take_reason(const struct cli *c, char *dst, size_t cap)
{
	const char *reason = cli_opt(c, "--reason");

	return mag_copy(dst, cap, reason ? reason : "")
		       ? cli_usage(c, "--reason: %zu bytes at most", cap - 1)
		       : CLI_DONE;
}

int token_pair(const struct cli *c, const char *first, const char *second, struct mag_secret *code1,
	struct mag_secret *code2)
{
	int r = cli_secret(c, first, "Code it shows now: ", "the first code", code1);

	if (r == CLI_DONE)
		r = cli_secret(
			c, second, "Wait for the next code.\nNext code: ", "the next code", code2);
	return r;
}

/* A pair that was asked for and did not match is asked for again. */
static bool again(struct cli *c, int tried, bool asked, uint32_t left)
{
	if (c->result.verdict != VERDICT_CODES_WRONG || !asked || !left || tried >= PAIRS_MAX)
		return false;
	cli_note(c, "Those two codes do not match, %u %s left.", left, left == 1 ? "try" : "tries");
	return true;
}

static int pair_verdict(const struct cli *c, uint32_t left)
{
	if (c->result.verdict == VERDICT_CODES_WRONG && left)
		return cli_fail(c, CLI_REFUSED, "codes-wrong",
			"Those are not two consecutive codes of it, %u %s left.", left,
			left == 1 ? "try" : "tries");
	return cli_verdict(c);
}

/* ---- lists ---- */
static const struct column mine_columns[] = {
	{ "ID", "id", CELL_TEXT },
	{ "KIND", "kind", CELL_TEXT },
	{ "SERIAL", "serial", CELL_TEXT },
	{ "TYPE", "type", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "SINCE", "since", CELL_MINUTE },
	{ "LAST USED", "last_used", CELL_MINUTE },
	{ "EXPIRES", "expires", CELL_DAY },
	{ "ACTIONS", "actions", CELL_WORDS },
	{ "LABEL", "label", CELL_TEXT },
	{ NULL, "digits", CELL_INT },
	{ NULL, NULL, CELL_TEXT },
};

static void mine_row(struct table *t, const struct wire_token *k)
{
	table_text(t, k->id);
	table_text(t, k->kind);
	table_text(t, k->serial);
	table_text(t, k->type);
	table_text(t, k->state);
	table_int(t, k->since);
	table_int(t, k->last_used);
	table_int(t, k->expires);
	table_text(t, k->actions);
	table_text(t, k->label);
	table_int(t, k->digits);
}

int cmd_token_mine(struct cli *c)
{
	struct wire_token_mine_req q = { 0 };
	struct wire_token_mine_rep p = { 0 };
	struct table *t = NULL;
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_TOKEN_MINE, &q, &p);
	if (r != CLI_DONE)
		return r;
	if (!p.n_tokens && !c->json) {
		cli_note(c, "No tokens, no app.");
		return CLI_DONE;
	}
	t = table_new(mine_columns);
	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p.n_tokens; i++)
		mine_row(t, &p.tokens[i]);
	r = table_print(c, t);
	table_free(&t);
	return r;
}

/* ---- activation ---- */
static int say_added(const struct cli *c, const struct wire_token_add_rep *p)
{
	struct json_object *o;
	char day[32];

	if (!c->json && mag_streq(p->state, "pending-approval")) {
		cli_say(c, "Token %s waits for identity proofing (%s)", p->serial, p->id);
		cli_note(c, "See: magotp proofing");
		return CLI_DONE;
	}
	if (!c->json) {
		cli_say(c, "Token %s is active until %s (%s)", p->serial,
			mag_time_day(p->expires, day, sizeof day), p->id);
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "id", json_object_new_string(p->id));
	json_object_object_add(o, "serial", json_object_new_string(p->serial));
	json_object_object_add(o, "state", json_object_new_string(p->state));
	json_object_object_add(o, "expires", cli_json_time(p->expires));
	cli_json_print(&o);
	return CLI_DONE;
}

int token_licensed(
	struct cli *c, uint16_t message, void *request, struct mag_secret *grant, void *reply)
{
	int r = cli_call_grant(c, message, request, grant, reply);

	if (r != CLI_DONE || c->result.verdict != VERDICT_LICENCE_NEEDED || !cli_can_ask() ||
		c->json)
		return r;
	cli_note(c, "This needs a licence key.");
	r = phone_licence(c, NULL);
	return r == CLI_DONE ? cli_call_grant(c, message, request, grant, reply) : r;
}

int cmd_token_add(struct cli *c)
{
	struct wire_token_add_req q = { 0 };
	struct wire_token_add_rep p = { 0 };
	const char *label = cli_opt(c, "--label"), *serial = cli_arg(c, 0);
	const char *first = cli_arg(c, 1), *second = cli_arg(c, 2);
	struct mag_secret typed = { 0 };
	int r = cli_settings(c), tried = 0;
	bool asked = !second && cli_can_ask() && !c->json;

	mag_copy(q.user, sizeof q.user, c->user);
	if (mag_copy(q.label, sizeof q.label, label ? label : ""))
		return cli_usage(c, "--label: 64 bytes at most");
	if (r == CLI_DONE)
		r = cli_secret(c, serial,
			"Serial number, printed on the token: ", "the serial number", &typed);
	if (r == CLI_DONE && mag_copy(q.serial, sizeof q.serial, mag_secret_text(&typed)))
		r = cli_usage(c, "that serial number is too long");
	do {
		if (r == CLI_DONE)
			r = token_pair(c, first, second, &q.code1, &q.code2);
		if (r == CLI_DONE)
			r = token_licensed(c, WIRE_MSG_TOKEN_ADD, &q, &q.grant, &p);
		first = second = NULL;
	} while (r == CLI_DONE && again(c, ++tried, asked, p.tries_left));
	if (r == CLI_DONE)
		r = pair_verdict(c, p.tries_left);
	if (r == CLI_DONE)
		r = say_added(c, &p);
	mag_secret_free(&typed);
	wire_clear(&wire_token_add_req, &q);
	return r;
}

/* ---- put right ---- */
int cmd_token_resync(struct cli *c)
{
	struct wire_token_resync_req q = { 0 };
	struct wire_token_resync_rep p = { 0 };
	const char *first = cli_arg(c, 1), *second = cli_arg(c, 2), *id = cli_arg(c, 0);
	bool asked = !second && cli_can_ask() && !c->json;
	int r = take_id(c, id, q.id, sizeof q.id), tried = 0;

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_settings(c);
	do {
		if (r == CLI_DONE)
			r = token_pair(c, first, second, &q.code1, &q.code2);
		if (r == CLI_DONE)
			r = cli_call(c, WIRE_MSG_TOKEN_RESYNC, &q, &p);
		first = second = NULL;
	} while (r == CLI_DONE && again(c, ++tried, asked, p.tries_left));
	wire_clear(&wire_token_resync_req, &q);
	if (r == CLI_DONE)
		r = pair_verdict(c, p.tries_left);
	return cli_changed(c, r, id ? id : "The token", "is in step and active");
}

/* `id` as the tool says it: a person's resume takes two codes, an administrator's none,
 * unless a restore has suspended the token. */
static int resume(struct cli *c, const char *id, const char *first, const char *second)
{
	struct wire_token_resume_req q = { 0 };
	struct wire_token_resume_rep p = { 0 };
	bool asked = own(c) && !second && cli_can_ask() && !c->json;
	int r = take_id(c, id, q.id, sizeof q.id), tried = 0;

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_settings(c);
	do {
		if (r == CLI_DONE && (own(c) || first))
			r = token_pair(c, first, second, &q.code1, &q.code2);
		if (r == CLI_DONE)
			r = cli_call(c, WIRE_MSG_TOKEN_RESUME, &q, &p);
		first = second = NULL;
	} while (r == CLI_DONE && again(c, ++tried, asked, p.tries_left));
	wire_clear(&wire_token_resume_req, &q);
	if (r == CLI_DONE)
		r = pair_verdict(c, p.tries_left);
	return cli_changed(c, r, id ? id : *p.id ? p.id : "The token", "is active again");
}

int cmd_token_resume(struct cli *c)
{
	return resume(c, cli_arg(c, 0), cli_arg(c, 1), cli_arg(c, 2));
}

int cmd_mobile_resume(struct cli *c)
{
	return resume(c, "m1", cli_arg(c, 0), cli_arg(c, 1));
}

/* ---- suspended ---- */
static int say_suspended(
	const struct cli *c, const char *id, const struct wire_token_suspend_rep *p)
{
	struct json_object *o;
	char day[32];

	if (!c->json) {
		cli_say(c, "%s is suspended", id);
		if (p->last_day)
			cli_note(c, "It can be taken up again until %s; then it is revoked.",
				mag_time_day(p->last_day, day, sizeof day));
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "state", json_object_new_string(p->state));
	json_object_object_add(o, "last_day", cli_json_time(p->last_day));
	cli_json_print(&o);
	return CLI_DONE;
}

static int suspend(struct cli *c, const char *id)
{
	struct wire_token_suspend_req q = { 0 };
	struct wire_token_suspend_rep p = { 0 };
	int r = take_id(c, id, q.id, sizeof q.id);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE && !own(c))
		r = take_reason(c, q.reason, sizeof q.reason);
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_TOKEN_SUSPEND, &q, &p);
	return r == CLI_DONE ? say_suspended(c, id ? id : p.id, &p) : r;
}

int cmd_token_suspend(struct cli *c)
{
	return suspend(c, cli_arg(c, 0));
}

int cmd_mobile_suspend(struct cli *c)
{
	return suspend(c, "m1");
}

/* ---- revoked ---- */
static int say_revoked(const struct cli *c, const char *id, const struct wire_token_revoke_rep *p)
{
	struct json_object *o;

	if (!c->json) {
		cli_say(c, "%s is revoked", id);
		if (p->sessions)
			cli_note(c, "%u session%s lost the strength it gave%s.", p->sessions,
				p->sessions == 1 ? "" : "s", p->own ? ", this one too" : "");
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "state", json_object_new_string("revoked"));
	json_object_object_add(o, "sessions", json_object_new_int64(p->sessions));
	json_object_object_add(o, "own", json_object_new_boolean(p->own != 0));
	cli_json_print(&o);
	return CLI_DONE;
}

/* H8: the caller's own session ends. Its leader (the shell of a login, of a window)
 * gets what a closed terminal sends; in a pipe there is nobody to surprise. */
static void end_own_session(const struct cli *c, const struct wire_token_revoke_rep *p)
{
	pid_t leader = getsid(0);

	if (!own(c) || !p->own || c->json)
		return;
	if (!isatty(STDIN_FILENO) || leader <= 1) {
		cli_note(c, "Log out: this session rested on it.");
		return;
	}
	cli_note(c, "This session ends.");
	fflush(stdout);
	fflush(stderr);
	if (kill(leader, SIGHUP))
		cli_note(c, "It cannot be ended from here: log out.");
}

/* H8: asked first; a person's pipe says --yes. */
static int sure(struct cli *c, const char *what)
{
	int r;

	if (cli_opt(c, "--yes"))
		return CLI_DONE;
	if (!cli_can_ask() || c->json)
		return own(c) ? cli_usage(c, "revoking is for good: say so with --yes") : CLI_DONE;
	cli_note(c, "Revoking %s is for good. Sessions that rest on it lose their strength.", what);
	r = cli_confirm_no(c, "Revoke it? [y/N] ");
	if (r == CLI_REFUSED)
		cli_note(c, "Nothing was changed.");
	return r;
}

static int give_up(struct cli *c, const char *id)
{
	struct wire_token_revoke_req q = { 0 };
	struct wire_token_revoke_rep p = { 0 };
	int r = take_id(c, id, q.id, sizeof q.id);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE && !own(c))
		r = take_reason(c, q.reason, sizeof q.reason);
	if (r == CLI_DONE)
		r = sure(c, id ? id : "the token");
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_TOKEN_REVOKE, &q, &q.grant, &p);
	wire_clear(&wire_token_revoke_req, &q);
	if (r == CLI_DONE)
		r = say_revoked(c, id ? id : p.id, &p);
	if (r == CLI_DONE)
		end_own_session(c, &p);
	return r;
}

int cmd_token_revoke(struct cli *c)
{
	return give_up(c, cli_arg(c, 0));
}

int cmd_mobile_delete(struct cli *c)
{
	return give_up(c, "m1");
}
