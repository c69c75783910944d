/* magotpctl proofing: the agent's work (I1-I7). */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static int put_option(struct cli *c, const char *option, char *dst, size_t cap)
{
	const char *value = cli_opt(c, option);

	if (value && mag_copy(dst, cap, value))
		return cli_usage(c, "%s: %zu bytes at most", option, cap - 1);
	return CLI_DONE;
}

static int say_code(struct cli *c, struct mag_secret *code, const char *product, int64_t expires)
{
	struct json_object *o;
	char at[32];

	if (c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "code", json_object_new_string(mag_secret_text(code)));
		json_object_object_add(o, "product", json_object_new_string(product));
		json_object_object_add(o, "expires", cli_json_time(expires));
		cli_json_print(&o);
		return CLI_DONE;
	}
	cli_say(c, "%s", mag_secret_text(code));
	cli_note(c,
		"Hand it to %s, not by the way the password comes. Good until %s, shown this once.",
		c->user, mag_time_minute(expires, at, sizeof at));
	return CLI_DONE;
}

int cmd_proofing_issue(struct cli *c)
{
	struct wire_proofing_issue_req q = { .post = cli_opt(c, "--post") != NULL };
	struct wire_proofing_issue_rep p = { 0 };
	int r = put_option(c, "--method", q.method, sizeof q.method);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE && !*q.method)
		return cli_usage(c, "--method is missing: webcam, credit or in-person");
	if (r == CLI_DONE)
		r = put_option(c, "--agent", q.agent, sizeof q.agent);
	if (r == CLI_DONE)
		r = put_option(c, "--name", q.name, sizeof q.name);
	if (r == CLI_DONE && !*q.name)
		return cli_usage(c, "--name is missing: the name as it stands on the document");
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PROOFING_ISSUE, &q, &q.grant, &p);
	wire_clear(&wire_proofing_issue_req, &q);
	if (r == CLI_DONE)
		r = say_code(c, &p.code, p.product, p.expires);
	wire_clear(&wire_proofing_issue_rep, &p);
	return r;
}

int cmd_proofing_reissue(struct cli *c)
{
	struct wire_proofing_reissue_req q = { 0 };
	struct wire_proofing_reissue_rep p = { 0 };
	int r = put_option(c, "--agent", q.agent, sizeof q.agent);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PROOFING_REISSUE, &q, &q.grant, &p);
	wire_clear(&wire_proofing_reissue_req, &q);
	if (r == CLI_DONE)
		r = say_code(c, &p.code, p.product, p.expires);
	wire_clear(&wire_proofing_reissue_rep, &p);
	return r;
}

int cmd_proofing_fail(struct cli *c)
{
	struct wire_proofing_fail_req q = { 0 };
	struct wire_proofing_fail_rep p = { 0 };
	struct json_object *o;
	int r = put_option(c, "--method", q.method, sizeof q.method);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = put_option(c, "--reason", q.reason, sizeof q.reason);
	if (r == CLI_DONE)
		r = put_option(c, "--agent", q.agent, sizeof q.agent);
	if (r == CLI_DONE && (!*q.method || !*q.reason))
		return cli_usage(c, "--method and --reason: which way, and what came of it?");
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PROOFING_FAIL, &q, &q.grant, &p);
	wire_clear(&wire_proofing_fail_req, &q);
	if (r == CLI_DONE && c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "account", json_object_new_string(c->user));
		json_object_object_add(o, "next", json_object_new_string(p.next));
		cli_json_print(&o);
	} else if (r == CLI_DONE) {
		cli_say(c, "Recorded. Next: %s (magotpctl proofing schedule %s)", p.next, c->user);
	}
	return r;
}

/* "2026-12-01 14:30", local time. */
static int at_time(const char *text, int64_t *at_r)
{
	static const char *const forms[] = { "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M" };

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i], &tm);
		time_t at = end && !*end ? mktime(&tm) : (time_t)-1;

		if (at > 0) {
			*at_r = at;
			return 0;
		}
	}
	return -1;
}

int cmd_proofing_schedule(struct cli *c)
{
	struct wire_proofing_schedule_req q = { .confirm = cli_opt(c, "--confirm") != NULL };
	struct wire_proofing_schedule_rep p = { 0 };
	const char *at = cli_opt(c, "--at");
	struct json_object *o;
	char when[32];
	int r = put_option(c, "--method", q.method, sizeof q.method);

	mag_copy(q.user, sizeof q.user, c->user);
	if (at && at_time(at, &q.at))
		return cli_usage(c, "--at %s: a time such as \"2026-12-01 14:30\"", at);
	if (!at && !q.confirm)
		return cli_usage(c, "--at TIME makes or moves it, --confirm confirms it");
	if (r == CLI_DONE)
		r = put_option(c, "--agent", q.agent, sizeof q.agent);
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PROOFING_SCHEDULE, &q, &q.grant, &p);
	wire_clear(&wire_proofing_schedule_req, &q);
	if (r == CLI_DONE && c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "account", json_object_new_string(c->user));
		json_object_object_add(o, "appointment", cli_json_time(p.at));
		json_object_object_add(o, "method", json_object_new_string(p.method));
		json_object_object_add(o, "state", json_object_new_string(p.state));
		cli_json_print(&o);
	} else if (r == CLI_DONE) {
		cli_say(c, "%s: %s, %s, %s", c->user, mag_time_minute(p.at, when, sizeof when),
			p.method, p.state);
	}
	return r;
}

static const struct column waiting_columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "PRODUCT", "product", CELL_TEXT },
	{ "PROOFING", "proofing", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "METHOD", "method", CELL_TEXT },
	{ "APPOINTMENT", "appointment", CELL_MINUTE },
	{ "CODE UNTIL", "code_until", CELL_MINUTE },
	{ NULL, NULL, CELL_TEXT },
};

static void rows(const struct cli *c, struct table *t, const void *page)
{
	const struct wire_proofing_list_rep *p = page;

	(void)c;
	for (size_t i = 0; i < p->n_waiting; i++) {
		const struct wire_waiting *w = &p->waiting[i];

		table_text(t, w->account);
		table_text(t, w->product);
		table_text(t, w->proofing);
		table_text(t, w->state);
		table_text(t, w->method);
		table_int(t, w->appointment);
		table_int(t, w->expires);
	}
}

int cmd_proofing_list(struct cli *c)
{
	static struct wire_proofing_list_rep page; /* large: not on the stack */
	struct wire_proofing_list_req q = { 0 };

	return cli_list(
		c, &(struct cli_list){ waiting_columns, WIRE_MSG_PROOFING_LIST, &q, q.cursor,
			   sizeof q.cursor, &page, sizeof page, page.next, rows });
}
