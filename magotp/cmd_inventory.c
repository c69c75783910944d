/* magotpctl token: the tokens that were imported, whoever has them. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "SERIAL", "serial", CELL_TEXT },
	{ "KIND", "kind", CELL_TEXT },
	{ "TYPE", "type", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "ORGANISATION", "organisation", CELL_TEXT },
	{ "LAST USED", "last_used", CELL_MINUTE },
	{ "EXPIRES", "expires", CELL_DAY },
	{ NULL, "digits", CELL_INT },
	{ NULL, "since", CELL_MINUTE },
	{ NULL, "id", CELL_TEXT },
	{ NULL, "label", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static void row(struct table *t, const struct wire_token *k)
{
	table_text(t, k->serial);
	table_text(t, k->kind);
	table_text(t, k->type);
	table_text(t, k->state);
	table_text(t, k->account);
	table_text(t, k->organisation);
	table_int(t, k->last_used);
	table_int(t, k->expires);
	table_int(t, k->digits);
	table_int(t, k->since);
	table_text(t, k->id);
	table_text(t, k->label);
}

static void rows(const struct cli *c, struct table *t, const void *page)
{
	const struct wire_token_list_rep *p = page;

	(void)c;
	for (size_t i = 0; i < p->n_tokens; i++)
		row(t, &p->tokens[i]);
}

int cmd_inventory_list(struct cli *c)
{
	static struct wire_token_list_rep page; /* large: not on the stack */
	struct wire_token_list_req q = { 0 };
	const char *state = cli_opt(c, "--state");

	if (cli_arg(c, 0)) { /* one person's */
		if (mag_copy(c->user, sizeof c->user, cli_arg(c, 0)))
			return cli_usage(c, "that account name is too long");
		return cmd_token_mine(c);
	}
	if (state && mag_copy(q.state, sizeof q.state, state))
		return cli_usage(c, "--state %s: there is no such state", state);
	return cli_list(c, &(struct cli_list){ columns, WIRE_MSG_TOKEN_LIST, &q, q.cursor,
				   sizeof q.cursor, &page, sizeof page, page.next, rows });
}

static void say_token(const struct cli *c, const struct wire_token *k)
{
	char digits[16], since[32], used[32], ends[32];

	snprintf(digits, sizeof digits, "%u", k->digits);
	const struct {
		const char *key, *value;
	} rows[] = { { "Serial", k->serial }, { "Kind", k->kind }, { "Type", k->type },
		{ "Digits", digits }, { "State", k->state },
		{ "Since", mag_time_minute(k->since, since, sizeof since) },
		{ "Account", k->account }, { "Id", k->id }, { "Label", k->label },
		{ "Organisation", k->organisation },
		{ "Last used", mag_time_minute(k->last_used, used, sizeof used) },
		{ "Expires", k->expires ? mag_time_day(k->expires, ends, sizeof ends) : "" },
		{ "Actions", k->actions } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cli_say(c, "%-13s %s", rows[i].key, *rows[i].value ? rows[i].value : "-");
}

static struct json_object *json_token(const struct wire_token *k)
{
	struct json_object *o = json_object_new_object();
	const struct {
		const char *key, *value;
	} texts[] = { { "serial", k->serial }, { "kind", k->kind }, { "type", k->type },
		{ "state", k->state }, { "account", k->account }, { "id", k->id },
		{ "label", k->label }, { "organisation", k->organisation },
		{ "actions", k->actions } };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		json_object_object_add(o, texts[i].key, json_object_new_string(texts[i].value));
	json_object_object_add(o, "digits", json_object_new_int64(k->digits));
	json_object_object_add(o, "since", cli_json_time(k->since));
	json_object_object_add(o, "last_used", cli_json_time(k->last_used));
	json_object_object_add(o, "expires", cli_json_time(k->expires));
	return o;
}

int cmd_inventory_show(struct cli *c)
{
	struct wire_token_show_req q = { 0 };
	struct wire_token_show_rep p = { 0 };
	struct json_object *o;
	int r;

	if (mag_copy(q.serial, sizeof q.serial, cli_arg(c, 0)))
		return cli_usage(c, "that serial number is too long");
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_TOKEN_SHOW, &q, &p);
	if (r == CLI_DONE && !p.n_tokens)
		r = cli_fail(c, CLI_REFUSED, "serial-unknown", "No token %s.", q.serial);
	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		say_token(c, &p.tokens[0]);
		return CLI_DONE;
	}
	o = json_token(&p.tokens[0]);
	cli_json_print(&o);
	return CLI_DONE;
}

int cmd_inventory_assign(struct cli *c)
{
	struct wire_token_assign_req q = { 0 };
	char what[300];
	int r;

	if (mag_copy(q.serial, sizeof q.serial, cli_arg(c, 0)))
		return cli_usage(c, "that serial number is too long");
	if (mag_copy(q.user, sizeof q.user, cli_arg(c, 1)))
		return cli_usage(c, "that account name is too long");
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_TOKEN_ASSIGN, &q, NULL);
	snprintf(what, sizeof what, "is kept for %s", q.user);
	r = cli_changed(c, r, q.serial, what);
	if (r == CLI_DONE)
		cli_note(c, "To activate it: magotp token add %s", q.serial);
	return r;
}
