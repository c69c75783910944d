/* Phones: list, default, channel, delete, test. In magotpctl the account is
 * the first argument. Adding and verifying is in cmd_phone_add.c. */
#include <json-c/json.h>
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "ID", "id", CELL_TEXT },
	{ "NUMBER", "number", CELL_TEXT },
	{ "COUNTRY", "country", CELL_TEXT },
	{ "CHANNEL", "channel", CELL_TEXT },
	{ "DEFAULT", "default", CELL_BOOL },
	{ "STATE", "state", CELL_TEXT },
	{ "SINCE", "since", CELL_MINUTE },
	{ "LAST USED", "last_used", CELL_MINUTE },
	{ "EXPIRES", "expires", CELL_DAY },
	{ "LABEL", "label", CELL_TEXT },
	{ NULL, "masked", CELL_TEXT },
	{ NULL, "channels", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static void row(struct table *t, const struct wire_phone *p)
{
	const char id[] = { 'p', (char)('0' + p->ref % 10), 0 };

	table_text(t, id);
	table_text(t, p->number);
	table_text(t, p->country);
	table_text(t, cli_channel_word(p->channel));
	table_int(t, p->is_default);
	table_text(t, p->state);
	table_int(t, p->since);
	table_int(t, p->last_used);
	table_int(t, p->expires);
	table_text(t, p->label);
	table_text(t, p->masked);
	table_text(t, p->channels);
}

int cmd_phone_list(struct cli *c)
{
	struct wire_phone_list_req q = { 0 };
	struct wire_phone_list_rep p = { 0 };
	struct table *t = NULL;
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_PHONE_LIST, &q, &p);
	if (r != CLI_DONE)
		return r;
	if (!p.n_phones && !c->json) {
		cli_note(c, "No phones.");
		return CLI_DONE;
	}
	t = table_new(columns);
	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p.n_phones; i++)
		row(t, &p.phones[i]);
	r = table_print(c, t);
	table_free(&t);
	return r;
}

/* The id of an argument; 0 with the fault told. */
static uint32_t phone_id(const struct cli *c, const char *arg)
{
	uint32_t ref = cli_phone_ref(arg);

	if (!ref)
		cli_usage(c, "%s: not a phone's id; they are p1, p2, p3", arg);
	return ref;
}

int cmd_phone_default(struct cli *c)
{
	struct wire_phone_default_req q = { .ref = phone_id(c, cli_arg(c, 0)) };
	int r = q.ref ? cli_settings(c) : CLI_USAGE;

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PHONE_DEFAULT, &q, &q.grant, NULL);
	wire_clear(&wire_phone_default_req, &q);
	return cli_changed(c, r, cli_arg(c, 0), "is now the default");
}

int cmd_phone_channel(struct cli *c)
{
	struct wire_phone_channel_req q = { .ref = phone_id(c, cli_arg(c, 0)) };
	const char *channel = cli_channel(cli_arg(c, 1));
	int r;

	if (!q.ref)
		return CLI_USAGE;
	if (!channel)
		return cli_usage(c, "%s: text or voice", cli_arg(c, 1));
	mag_copy(q.channel, sizeof q.channel, channel);
	mag_copy(q.user, sizeof q.user, c->user);
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PHONE_CHANNEL, &q, &q.grant, NULL);
	wire_clear(&wire_phone_channel_req, &q);
	return cli_changed(c, r, cli_arg(c, 0),
		mag_streq(channel, "sms") ? "now gets texts" : "now gets voice calls");
}

int cmd_phone_delete(struct cli *c)
{
	struct wire_phone_delete_req q = { .ref = phone_id(c, cli_arg(c, 0)) };
	int r = q.ref ? cli_settings(c) : CLI_USAGE;

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PHONE_DELETE, &q, &q.grant, NULL);
	wire_clear(&wire_phone_delete_req, &q);
	return cli_changed(c, r, cli_arg(c, 0), "is deleted");
}

/* P7: the person says whether it came, or is shown the other ways. */
static int received(const struct cli *c)
{
	int r;

	if (!cli_can_ask() || c->json)
		return CLI_DONE;
	r = cli_confirm(c, "Did it arrive? [Y/n] ");
	if (r != CLI_REFUSED)
		return r;
	cli_note(c, "Try the other way (--voice, or a text without it), or another phone.");
	return cli_fail(c, CLI_REFUSED, "send-failed", "The test message did not arrive.");
}

int cmd_phone_test(struct cli *c)
{
	static const char *const words[] = { "handed over", "handed over", "sent", "failed" };
	struct wire_phone_test_req q = { .ref = cli_phone_ref(cli_arg(c, 0)) };
	struct wire_phone_test_rep p = { 0 };
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (!q.ref && mag_copy(q.number, sizeof q.number, cli_arg(c, 0)))
		return cli_usage(c, "%s: not a number", cli_arg(c, 0));
	mag_copy(q.channel, sizeof q.channel, cli_opt(c, "--voice") ? "voice" : "");
	cli_note(c, "Your carrier may charge for messages and calls.");
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_PHONE_TEST, &q, &p);
	if (r == CLI_DONE && p.delivery == DELIVERY_FAILED)
		return cli_fail(c, CLI_REFUSED, "send-failed",
			"The %s to %s was not sent. Try the other way or another phone.",
			cli_channel_word(p.channel), p.masked);
	if (r != CLI_DONE)
		return r;
	if (c->json) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "masked", json_object_new_string(p.masked));
		json_object_object_add(
			o, "channel", json_object_new_string(cli_channel_word(p.channel)));
		json_object_object_add(o, "delivery",
			json_object_new_string(
				p.delivery == DELIVERY_ACCEPTED ? "accepted" : "pending"));
		cli_json_print(&o);
		return CLI_DONE;
	}
	cli_say(c, "Test %s to %s %s", cli_channel_word(p.channel), p.masked,
		words[p.delivery & 3]);
	return received(c);
}
