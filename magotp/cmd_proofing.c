/* magotp proofing: how it stands, asking for it (I1, I3, I7). */
#include <json-c/json.h>
#include <stdlib.h>

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
