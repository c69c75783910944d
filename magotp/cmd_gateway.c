/* magotpctl gateway, send: straight to magotp-smsd. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define SEND_LIFE 120 /* seconds: then smsd gives up */

/* The dispatcher's socket instead of the broker's. */
static int smsd(struct cli *c)
{
	int r = cli_settings(c);

	if (r != CLI_DONE)
		return r;
	c->client.socket = c->socket                                  ? c->socket
			   : c->settings && *c->settings->smsd_socket ? c->settings->smsd_socket
								      : SMSD_SOCKET;
	c->client.server_uid = client_server_uid(c->client.socket);
	c->client.timeout_ms = (SEND_LIFE + 5) * 1000;
	return CLI_DONE;
}

static int smsd_request(struct cli *c, uint16_t message, const void *q, void *p)
{
	int r;

	memset(&c->result, 0, sizeof c->result);
	r = client_call(&c->client, message, q, &c->result, p);
	if (!r)
		r = c->result.error;
	if (r == MAG_EDOWN || r == MAG_ESERVER)
		return cli_fail(c, CLI_UNREACHABLE, "smsd-unavailable",
			"No dispatcher answers on %s. Start magotp-smsd.", c->client.socket);
	/* The socket's own mode keeps others out before smsd can say so. */
	if (r == MAG_EPERM || (r == MAG_ESYS && access(c->client.socket, W_OK) && errno == EACCES))
		return cli_fail(c, CLI_REFUSED, "not-allowed", "Only root may do that.");
	if (r)
		return cli_fail(c, r == MAG_ETIMEOUT ? CLI_UNREACHABLE : CLI_REFUSED, "send-failed",
			"The dispatcher could not do it: %s%s%s.", mag_strerror(r),
			*c->result.detail ? ": " : "", c->result.detail);
	return CLI_DONE;
}

static const struct column columns[] = {
	{ "GATEWAY", "gateway", CELL_TEXT },
	{ "DRIVER", "driver", CELL_TEXT },
	{ "CHANNELS", "channels", CELL_TEXT },
	{ "PRIORITY", "priority", CELL_INT },
	{ "WEIGHT", "weight", CELL_INT },
	{ "COUNTRIES", "countries", CELL_TEXT },
	{ "ACCEPTED", "accepted", CELL_INT },
	{ "FAILED", "failed", CELL_INT },
	{ "WAITING", "waiting", CELL_INT },
	{ "RESTING", "resting", CELL_TEXT },
	{ "LAST ACCEPTED", "last_accepted", CELL_MINUTE },
	{ "LAST ERROR", "last_error", CELL_TEXT },
	{ NULL, "delivered", CELL_INT },
	{ NULL, "undelivered", CELL_INT },
	{ NULL, "silent", CELL_INT },
	{ NULL, NULL, CELL_TEXT },
};

static int ask_list(struct cli *c, struct wire_gateway_list_rep *p)
{
	struct wire_gateway_list_req q = { 0 };
	int r = smsd(c);

	return r == CLI_DONE ? smsd_request(c, WIRE_MSG_GATEWAY_LIST, &q, p) : r;
}

int cmd_gateway_list(struct cli *c)
{
	struct wire_gateway_list_rep p = { 0 };
	struct table *t;
	int r = ask_list(c, &p);

	if (r != CLI_DONE)
		return r;
	t = table_new(columns);
	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p.n_gateways; i++) {
		const struct wire_gateway *g = &p.gateways[i];

		table_text(t, g->name);
		table_text(t, g->driver);
		table_text(t, g->channels);
		table_int(t, g->priority);
		table_int(t, g->weight);
		table_text(t, g->countries);
		table_int(t, g->accepted);
		table_int(t, g->failed);
		table_int(t, g->waiting);
		table_text(t, g->resting);
		table_int(t, g->last_accepted);
		table_text(t, g->last_error);
		table_int(t, g->delivered);
		table_int(t, g->undelivered);
		table_int(t, g->silent);
	}
	r = table_print(c, t);
	table_free(&t);
	return r;
}

static const struct column limit_columns[] = {
	{ "LIMIT", "limit", CELL_TEXT },
	{ "HOUR", "hour_used", CELL_INT },
	{ "OF", "hour_limit", CELL_INT },
	{ "DAY", "day_used", CELL_INT },
	{ "OF", "day_limit", CELL_INT },
	{ "REFUSED", "refused", CELL_INT },
	{ "STOPPED UNTIL", "stopped_until", CELL_MINUTE },
	{ NULL, NULL, CELL_TEXT },
};

int cmd_gateway_limits(struct cli *c)
{
	struct wire_gateway_list_rep p = { 0 };
	struct table *t;
	int r = ask_list(c, &p);

	if (r != CLI_DONE)
		return r;
	t = table_new(limit_columns);
	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p.n_limits; i++) {
		const struct wire_limit *l = &p.limits[i];

		table_text(t, l->name);
		table_int(t, l->hour_used);
		table_int(t, l->hour_limit);
		table_int(t, l->day_used);
		table_int(t, l->day_limit);
		table_int(t, l->refused);
		table_int(t, l->stopped_until);
	}
	r = table_print(c, t);
	table_free(&t);
	return r;
}

int cmd_gateway_reset(struct cli *c)
{
	struct wire_block_reset_req q = { 0 };
	struct wire_block_reset_rep p = { 0 };
	const char *block = cli_arg(c, 0);
	int r;

	if (strcmp(block, "all") != 0 && (*block != '+' || !mag_all_digits(block + 1) ||
						 mag_copy(q.block, sizeof q.block, block) < 0))
		return cli_usage(c, "%s: not a block such as +12025550, nor all", block);
	r = smsd(c);
	if (r == CLI_DONE)
		r = smsd_request(c, WIRE_MSG_BLOCK_RESET, &q, &p);
	if (r != CLI_DONE)
		return r;
	if (!p.stopped)
		return cli_fail(c, CLI_REFUSED, "not-stopped", "No such block was stopped.");
	cli_say(c, "Sent to again: %u block%s", p.stopped, p.stopped == 1 ? "" : "s");
	return CLI_DONE;
}

static const char *outcome_id(uint32_t outcome)
{
	static const char *const ids[] = { "none", "accepted", "retryable", "permanent",
		"ambiguous", "expired" };

	return outcome < sizeof ids / sizeof *ids ? ids[outcome] : "none";
}

static int told(struct cli *c, const struct wire_submit_rep *p)
{
	struct json_object *o;

	if (p->outcome != SMS_ACCEPTED)
		return cli_fail(c, CLI_REFUSED, "send-failed", "Not sent (%s)%s%s%s%s.",
			outcome_id(p->outcome), *p->gateway ? " by " : "", p->gateway,
			*p->error ? ": " : "", p->error);
	if (!c->json) {
		cli_say(c, "Sent by %s%s%s", p->gateway, *p->provider_id ? ", id " : "",
			p->provider_id);
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "outcome", json_object_new_string(outcome_id(p->outcome)));
	json_object_object_add(o, "gateway", json_object_new_string(p->gateway));
	json_object_object_add(o, "provider_id", json_object_new_string(p->provider_id));
	cli_json_print(&o);
	return CLI_DONE;
}

/* "+1 202-555-0134" -> "+12025550134": what gateways take. */
static int plain_number(const char *typed, char *out, size_t cap)
{
	size_t n = 0;

	for (const char *p = typed; *p; p++) {
		if (strchr(" -().", *p))
			continue;
		if (n + 1 >= cap || !((*p >= '0' && *p <= '9') || (*p == '+' && n == 0)))
			return -1;
		out[n++] = *p;
	}
	out[n] = 0;
	return out[0] == '+' && n >= 8 && n <= 16 ? 0 : -1;
}

static int submit(struct cli *c, const char *number, const char *text)
{
	struct wire_submit_req q = { .priority = 2 };
	struct wire_submit_rep p = { 0 };
	uint64_t id = 0;
	int r;

	if (plain_number(number, q.to, sizeof q.to))
		return cli_usage(c, "%s: not a number such as +12025550134", number);
	if (mag_random(&id, sizeof id) || (text && mag_secret_set_text(&q.text, text)))
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	snprintf(q.id, sizeof q.id, "m%016" PRIx64, id);
	mag_copy(q.channel, sizeof q.channel, cli_opt(c, "--voice") ? "voice" : "sms");
	mag_copy(q.template, sizeof q.template, text ? "" : "test");
	q.expires_at = mag_now() + SEND_LIFE;
	r = smsd(c);
	if (r == CLI_DONE)
		r = smsd_request(c, WIRE_MSG_SUBMIT, &q, &p);
	wire_clear(&wire_submit_req, &q);
	return r == CLI_DONE ? told(c, &p) : r;
}

int cmd_gateway_test(struct cli *c)
{
	return submit(c, cli_arg(c, 0), NULL);
}

int cmd_send(struct cli *c)
{
	const char *to = cli_opt(c, "--to");
	struct mag_secret text = { 0 };
	int r;

	if (!to)
		return cli_usage(c, "--to NUMBER is missing");
	r = cli_secret(c, cli_opt(c, "--text"), "Text: ", "--text", &text);
	if (r == CLI_DONE)
		r = text.len ? submit(c, to, mag_secret_text(&text))
			     : cli_usage(c, "--text is empty");
	mag_secret_free(&text);
	return r;
}
