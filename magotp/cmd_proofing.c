/* magotp proofing: how it stands, asking for it. magotpctl proofing: the agent's work
 * (I1-I7). */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static const struct column product_columns[] = {
	{ "PRODUCT", "product", CELL_TEXT },
	{ "PROOFING", "proofing", CELL_TEXT },
	{ "LEVEL", "level", CELL_INT },
	{ "REGISTERED", "registered", CELL_BOOL },
	{ "EXPIRES", "expires", CELL_DAY },
	{ NULL, NULL, CELL_TEXT },
};
static const struct column course_columns[] = {
	{ "STATE", "state", CELL_TEXT },
	{ "METHOD", "method", CELL_TEXT },
	{ "OUTCOME", "outcome", CELL_TEXT },
	{ "AGENT", "agent", CELL_TEXT },
	{ "BEGAN", "began", CELL_MINUTE },
	{ "AGREED", "agreed", CELL_MINUTE },
	{ "APPOINTMENT", "appointment", CELL_MINUTE },
	{ "DECIDED", "decided", CELL_MINUTE },
	{ "CODE UNTIL", "code_until", CELL_MINUTE },
	{ "USED", "used", CELL_MINUTE },
	{ NULL, NULL, CELL_TEXT },
};

/* ---- how it stands ---- */

static int product_table(const struct cli *c, const struct wire_proofing_mine_rep *p)
{
	struct table *t = table_new(product_columns);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p->n_products; i++) {
		const struct wire_proofed *w = &p->products[i];

		table_text(t, w->product);
		table_text(t, *w->proofing ? w->proofing : "none");
		table_int(t, w->level);
		table_int(t, w->registered);
		table_int(t, w->expires);
	}
	r = table_print(c, t);
	table_free(&t);
	return r;
}

static int course_table(const struct cli *c, const struct wire_proofing_mine_rep *p)
{
	struct table *t = table_new(course_columns);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p->n_courses; i++) {
		const struct wire_course *w = &p->courses[i];

		table_text(t, w->state);
		table_text(t, w->method);
		table_text(t, w->outcome);
		table_text(t, w->agent);
		table_int(t, w->created);
		table_int(t, w->agreed);
		table_int(t, w->appointment);
		table_int(t, w->decided);
		table_int(t, w->expires);
		table_int(t, w->used);
	}
	r = table_print(c, t);
	table_free(&t);
	return r;
}

static struct json_object *json_course(const struct wire_course *w)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "state", json_object_new_string(w->state));
	json_object_object_add(o, "method", json_object_new_string(w->method));
	json_object_object_add(o, "outcome", json_object_new_string(w->outcome));
	json_object_object_add(o, "agent", json_object_new_string(w->agent));
	json_object_object_add(o, "began", cli_json_time(w->created));
	json_object_object_add(o, "agreed", cli_json_time(w->agreed));
	json_object_object_add(o, "appointment", cli_json_time(w->appointment));
	json_object_object_add(o, "decided", cli_json_time(w->decided));
	json_object_object_add(o, "code_until", cli_json_time(w->expires));
	json_object_object_add(o, "used", cli_json_time(w->used));
	return o;
}

static int print_json(const struct wire_proofing_mine_rep *p)
{
	struct json_object *o = json_object_new_object(), *products = json_object_new_array(),
			   *courses = json_object_new_array();

	for (size_t i = 0; i < p->n_products; i++) {
		const struct wire_proofed *w = &p->products[i];
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "product", json_object_new_string(w->product));
		json_object_object_add(row, "proofing",
			json_object_new_string(*w->proofing ? w->proofing : "none"));
		json_object_object_add(row, "level", json_object_new_int64(w->level));
		json_object_object_add(
			row, "registered", json_object_new_boolean(w->registered != 0));
		json_object_object_add(row, "expires", cli_json_time(w->expires));
		json_object_array_add(products, row);
	}
	for (size_t i = 0; i < p->n_courses; i++)
		json_object_array_add(courses, json_course(&p->courses[i]));
	json_object_object_add(o, "products", products);
	json_object_object_add(o, "courses", courses);
	cli_json_print(&o);
	return CLI_DONE;
}

/* What to do next, for who waits. */
static void say_next(const struct cli *c, const struct wire_proofing_mine_rep *p)
{
	bool issued = p->n_courses && mag_streq(p->courses[0].state, "issued"), waits = false;

	for (size_t i = 0; i < p->n_products; i++)
		waits = waits || mag_streq(p->products[i].proofing, "wanted") ||
			mag_streq(p->products[i].proofing, "asked");
	if (waits && issued)
		cli_note(c, "With the agent's activation code: magotp activate CODE");
	else if (waits && !p->n_courses)
		cli_note(c, "To ask for it: magotp proofing request");
}

static int show(struct cli *c, uint16_t message)
{
	/* Both messages have one reply, and the account alone in the request. */
	struct wire_proofing_mine_rep *p = calloc(1, sizeof *p);
	struct wire_proofing_mine_req q = { 0 };
	int r;

	if (!p)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	mag_copy(q.user, sizeof q.user, c->user);
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, message, &q, p);
	if (r == CLI_DONE && c->json) {
		r = print_json(p);
	} else if (r == CLI_DONE) {
		r = product_table(c, p);
		if (r == CLI_DONE && p->n_courses) {
			cli_say(c, "%s", "");
			r = course_table(c, p);
		}
		if (r == CLI_DONE && message == WIRE_MSG_PROOFING_MINE)
			say_next(c, p);
	}
	free(p);
	return r;
}

int cmd_proofing(struct cli *c)
{
	return show(c, WIRE_MSG_PROOFING_MINE);
}

int cmd_proofing_show(struct cli *c)
{
	return show(c, WIRE_MSG_PROOFING_SHOW);
}

/* ---- request ---- */

/* What is agreed to is the broker's text: the mail repeats it. */
static int agreed(struct cli *c)
{
	struct wire_proofing_mine_req q = { 0 };
	struct wire_proofing_mine_rep *p;
	int r;

	if (cli_opt(c, "--agree"))
		return CLI_DONE;
	if (!cli_can_ask() || c->json)
		return cli_usage(c, "--agree is missing: say that the requirements were read; "
				    "they are in magotp(1)");
	p = calloc(1, sizeof *p);
	if (!p)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	mag_copy(q.user, sizeof q.user, c->user);
	r = cli_request(c, WIRE_MSG_PROOFING_MINE, &q, p);
	if (r == CLI_DONE) {
		cli_note(c, "You agree to this:\n  %s", p->terms);
		r = cli_confirm_no(c, "Agree? [y/N] ");
		if (r == CLI_REFUSED)
			cli_note(c, "Nothing was changed.");
	}
	free(p);
	return r;
}

int cmd_proofing_request(struct cli *c)
{
	struct wire_proofing_request_req q = { .agree = 1 };
	struct wire_proofing_request_rep p = { 0 };
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = agreed(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PROOFING_REQUEST, &q, &q.grant, &p);
	wire_clear(&wire_proofing_request_req, &q);
	r = cli_changed(c, r, "Identity proofing", "is asked for; your agreement is recorded");
	if (r == CLI_DONE)
		cli_note(c, "An agent makes an appointment with you. See: magotp proofing");
	return r;
}

/* ---- the agent's ---- */

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

int cmd_proofing_list(struct cli *c)
{
	static struct wire_proofing_list_rep page; /* large: not on the stack */
	struct wire_proofing_list_req q = { 0 };
	struct table *t = table_new(waiting_columns);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = cli_settings(c);
	do {
		memset(&page, 0, sizeof page);
		if (r == CLI_DONE)
			r = cli_request(c, WIRE_MSG_PROOFING_LIST, &q, &page);
		for (size_t i = 0; r == CLI_DONE && i < page.n_waiting; i++) {
			const struct wire_waiting *w = &page.waiting[i];

			table_text(t, w->account);
			table_text(t, w->product);
			table_text(t, w->proofing);
			table_text(t, w->state);
			table_text(t, w->method);
			table_int(t, w->appointment);
			table_int(t, w->expires);
		}
		mag_copy(q.cursor, sizeof q.cursor, page.next);
	} while (r == CLI_DONE && *q.cursor);
	if (r == CLI_DONE)
		r = table_print(c, t);
	table_free(&t);
	return r;
}
