/* magotp status: what this session is worth, and with what. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"
#include "otpcore/login/texts.h"

/* Hints: what the broker noticed, said with the command that helps. */
static const struct hint {
	const char *id, *text, *command; /* text: %s is what it speaks of */
} hints[] = {
	{ "renewal", "The subscription of %s ends soon. To renew with a key:", "magotp activate" },
	{ "phone-expired", "Phone %s has expired. To renew with a key:", "magotp activate" },
	{ "token-expired", "%s has expired. To renew with a key:", "magotp activate KEY" },
	{ "token-locked", "%s is locked. To unlock:", "magotp token resync" },
	{ "token-suspended", "%s is suspended. To take it up again:", "magotp token resume" },
	{ "token-suspended-by-admin", "%s was suspended by an administrator: ask them.", "" },
	{ "token-pending", "%s is not activated yet:", "magotp token add" },
	{ "token-revoked", "%s was revoked. To add another:", "magotp token add" },
	{ "token-out-of-sync", "%s is out of step: an administrator has to reset it.", "" },
	{ "leased", "For now, codes of your token are good at %s only.", "" },
	{ "proofing-pending", "Identity proofing is not finished. With the agent's code:",
		"magotp activate CODE" },
	{ "second-phone", "With one phone, losing it locks you out. To add a second:",
		"magotp phone add NUMBER" },
	{ "phone-pending", "Phone %s waits for its code:", "magotp phone verify CODE" },
	{ "unenrolled", "No second factor yet. With a licence key:", "magotp activate" },
	{ "unenrolled-phone", "No second factor yet. To add a phone:", "magotp phone add NUMBER" },
	{ "unenrolled-token", "No second factor yet. To activate a token:", "magotp token add" },
	{ "unenrolled-app", "No second factor yet. To bind an app:", "magotp mobile add" },
};

static void hint_text(const struct wire_notice *n, struct mag_buf *text, const char **command_r)
{
	bool token = strncmp(n->id, "token-", 6) == 0;
	char name[48];

	*command_r = "";
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
		const char *at;

		if (!mag_streq(hints[i].id, n->id))
			continue;
		at = strstr(hints[i].text, "%s");
		mag_buf_putn(text, hints[i].text,
			at ? (size_t)(at - hints[i].text) : strlen(hints[i].text));
		if (at) {
			mag_buf_puts(
				text, token ? text_token(TEXT_ENGLISH, n->what, name, sizeof name)
					    : n->what);
			mag_buf_puts(text, at + 2);
		}
		*command_r = hints[i].command;
		return;
	}
	mag_buf_printf(text, "%s %s", n->id, n->what);
}

/* "14:02" today, else with the date. */
static const char *since_text(int64_t at, char *buf, size_t cap)
{
	char today[32], then[32];

	mag_time_day((int64_t)time(NULL), today, sizeof today);
	mag_time_day(at, then, sizeof then);
	mag_time_minute(at, buf, cap);
	return mag_streq(today, then) ? buf + strlen(then) + 1 : buf;
}

static void factor_name(const struct wire_status_factor *f, struct mag_buf *b)
{
	if (mag_streq(f->kind, "phone"))
		mag_buf_printf(b, "%s %s", cli_channel_word(f->channel), f->masked);
	else
		mag_buf_printf(
			b, "%s %s", mag_streq(f->kind, "mobile") ? "app" : f->kind, f->masked);
}

static const struct column columns[] = {
	{ "ID", "id", CELL_TEXT },
	{ "FACTOR", "factor", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "DEFAULT", "default", CELL_BOOL },
	{ "LAST USED", "last_used", CELL_MINUTE },
	{ "EXPIRES", "expires", CELL_DAY },
	{ NULL, NULL, CELL_TEXT },
};

static int print_factors(const struct cli *c, const struct wire_status_rep *s)
{
	struct table *t = table_new(columns);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < s->n_factors; i++) {
		const struct wire_status_factor *f = &s->factors[i];
		char name[64] = "";
		struct mag_buf b = MAG_BUF(name);

		factor_name(f, &b);
		table_text(t, f->id);
		table_text(t, name);
		table_text(t, f->state);
		table_int(t, f->is_default);
		table_int(t, f->last_used);
		table_int(t, f->expires);
	}
	r = table_print(c, t);
	table_free(&t);
	return r;
}

/* Services that ask for no code while this session is good enough for them. */
static void print_reuse(const struct cli *c, const struct wire_status_rep *s)
{
	size_t listed = 0;

	for (size_t i = 0; i < s->n_reuse; i++) {
		char at[32], service[65];

		if (!s->reuse[i].until)
			continue;
		cli_say(c, "%s%s until %s", listed++ ? "          " : "Reuse     ",
			mag_streq(s->reuse[i].service, "*")
				? "all other services"
				: mag_clean(service, sizeof service, s->reuse[i].service),
			since_text(s->reuse[i].until, at, sizeof at));
	}
	if (s->n_reuse && !s->recorded)
		cli_say(c, "Reuse     none: only recorded sessions are re-used. For one command: "
			   "magotp elevate -- COMMAND");
	else if (s->n_reuse && !listed)
		cli_say(c,
			"Reuse     none: what this session has is not enough, or too old. Raise it "
			"with: magotp elevate");
}

static void print_session(const struct cli *c, const struct wire_status_rep *s)
{
	char at[32], from[257], line[512] = "";
	struct mag_buf b = MAG_BUF(line);
	enum strength st = strength_from_id(s->strength);

	cli_say(c, "%s on %s", c->user, s->host);
	mag_buf_printf(&b, "%s (%s), level %u", strength_label(st), strength_id(st), s->level);
	if (s->recorded)
		mag_buf_printf(&b, ", since %s", since_text(s->since, at, sizeof at));
	if (s->recorded && *s->from)
		mag_buf_printf(&b, " from %s", mag_clean(from, sizeof from, s->from));
	cli_say(c, "Session   %s", line);
	if (!s->recorded)
		cli_say(c, "          Not recorded: %s", cli_session_reason(s->reason));
	print_reuse(c, s);
	if (s->previous_at > 0) {
		mag_buf_reset(&b);
		mag_buf_puts(&b, mag_time_minute(s->previous_at, at, sizeof at));
		if (*s->previous_from)
			mag_buf_printf(
				&b, " from %s", mag_clean(from, sizeof from, s->previous_from));
		cli_say(c, "Previous  %s, %s", line,
			strength_label(strength_from_id(s->previous_strength)));
	}
}

static int print_people(const struct cli *c, const struct wire_status_rep *s)
{
	int r = CLI_DONE;

	print_session(c, s);
	if (s->methods_required > 1)
		cli_say(c, "Methods   %u/%u (%s)", s->methods, s->methods_required,
			mag_streq(s->methods_service, "*") ? "services" : s->methods_service);
	if (*s->credentials_of)
		cli_say(c, "Factors   Credentials of %s", s->credentials_of);
	if (s->n_factors) {
		cli_say(c, "%s", "");
		r = print_factors(c, s);
	} else if (!*s->credentials_of) {
		cli_say(c, "Factors   none");
	}
	for (size_t i = 0; r == CLI_DONE && i < s->n_notices; i++) {
		char text[256] = "";
		struct mag_buf b = MAG_BUF(text);
		const char *command;

		hint_text(&s->notices[i], &b, &command);
		cli_say(c, "%s%s%s%s", i ? "" : "\n", text, *command ? " " : "", command);
	}
	return r;
}

static struct json_object *text_or_null(const char *s)
{
	return *s ? json_object_new_string(s) : NULL;
}

static struct json_object *json_reuse(const struct wire_status_rep *s)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < s->n_reuse; i++) {
		struct json_object *o;

		if (!s->reuse[i].until)
			continue;
		o = json_object_new_object();
		json_object_object_add(o, "service", json_object_new_string(s->reuse[i].service));
		json_object_object_add(o, "until", cli_json_time(s->reuse[i].until));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *json_session(const struct wire_status_rep *s)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "strength", json_object_new_string(s->strength));
	json_object_object_add(o, "level", json_object_new_int64(s->level));
	json_object_object_add(o, "service", text_or_null(s->service));
	json_object_object_add(o, "since", cli_json_time(s->since));
	json_object_object_add(o, "from", text_or_null(s->from));
	json_object_object_add(o, "tty", text_or_null(s->tty));
	json_object_object_add(o, "id", text_or_null(s->session));
	json_object_object_add(o, "reuse", json_reuse(s));
	json_object_object_add(o, "recorded", json_object_new_boolean(s->recorded != 0));
	json_object_object_add(o, "reason", text_or_null(s->reason));
	return o;
}

static struct json_object *json_factors(const struct wire_status_rep *s)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < s->n_factors; i++) {
		const struct wire_status_factor *f = &s->factors[i];
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "id", json_object_new_string(f->id));
		json_object_object_add(o, "kind", json_object_new_string(f->kind));
		json_object_object_add(o, "label", text_or_null(f->label));
		json_object_object_add(o, "masked", json_object_new_string(f->masked));
		json_object_object_add(o, "channel", text_or_null(cli_channel_word(f->channel)));
		json_object_object_add(o, "state", json_object_new_string(f->state));
		json_object_object_add(o, "default", json_object_new_boolean(f->is_default != 0));
		json_object_object_add(o, "level", json_object_new_int64(f->level));
		json_object_object_add(o, "last_used", cli_json_time(f->last_used));
		json_object_object_add(o, "expires", cli_json_time(f->expires));
		json_object_object_add(o, "product", text_or_null(f->product));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *json_hints(const struct wire_status_rep *s)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < s->n_notices; i++) {
		struct json_object *o = json_object_new_object();
		char text[256] = "";
		struct mag_buf b = MAG_BUF(text);
		const char *command;

		hint_text(&s->notices[i], &b, &command);
		json_object_object_add(o, "id", json_object_new_string(s->notices[i].id));
		json_object_object_add(o, "message", json_object_new_string(text));
		json_object_object_add(o, "command", text_or_null(command));
		json_object_array_add(list, o);
	}
	return list;
}

static void print_json(const struct cli *c, const struct wire_status_rep *s)
{
	struct json_object *o = json_object_new_object(), *previous = NULL;

	json_object_object_add(o, "account", json_object_new_string(c->user));
	json_object_object_add(o, "host", json_object_new_string(s->host));
	json_object_object_add(o, "session", json_session(s));
	if (s->previous_at > 0) {
		previous = json_object_new_object();
		json_object_object_add(previous, "time", cli_json_time(s->previous_at));
		json_object_object_add(previous, "from", text_or_null(s->previous_from));
		json_object_object_add(
			previous, "strength", json_object_new_string(s->previous_strength));
	}
	json_object_object_add(o, "previous", previous);
	json_object_object_add(o, "credentials_of", text_or_null(s->credentials_of));
	json_object_object_add(o, "methods", json_object_new_int64(s->methods));
	json_object_object_add(o, "methods_required", json_object_new_int64(s->methods_required));
	json_object_object_add(o, "factors", json_factors(s));
	json_object_object_add(
		o, "recovery_codes_left", json_object_new_int64(s->recovery_codes_left));
	json_object_object_add(o, "hints", json_hints(s));
	cli_json_print(&o);
}

/* --require: 4 when elevating can reach it, else 1. */
static int required(const struct cli *c, const struct wire_status_rep *s, const char *name)
{
	enum strength need =
		c->settings ? settings_strength(c->settings, name) : strength_from_id(name);
	bool active = false;

	if (need == STRENGTH_NONE)
		return cli_usage(c, "--require %s: neither a strength nor a profile", name);
	if (strength_satisfies(strength_from_id(s->strength), need))
		return CLI_DONE;
	for (size_t i = 0; i < s->n_factors; i++)
		active = active || mag_streq(s->factors[i].state, "active");
	if (active && need <= STRENGTH_PHONE_OTP)
		return cli_fail(c, CLI_ELEVATE, "elevate-first",
			"This session has %s; %s is needed. Raise it with: magotp elevate",
			s->strength, strength_id(need));
	return cli_fail(c, CLI_REFUSED, "requirements-not-met",
		"This session has %s; %s is needed, and none of your factors gives it.",
		s->strength, strength_id(need));
}

int cmd_status(struct cli *c)
{
	struct wire_status_req q = { 0 };
	struct wire_status_rep *s = calloc(1, sizeof *s);
	const char *require = cli_opt(c, "--require");
	int r = cli_settings(c);

	if (!s)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_STATUS, &q, s);
	if (r == CLI_DONE && c->json)
		print_json(c, s);
	else if (r == CLI_DONE)
		r = print_people(c, s);
	if (r == CLI_DONE && require)
		r = required(c, s, require);
	free(s);
	return r;
}
