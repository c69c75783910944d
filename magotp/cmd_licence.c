/* magotpctl license (licence): keys are issued, released, listed, voided. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"

#define BATCH     100 /* keys of one message */
#define COUNT_MAX 1000000

/* Keys are written as they come, so that none is lost when a later message
 * fails; with --json into `list`. */
static void put_keys(
	const struct cli *c, const struct wire_licence_issue_rep *p, struct json_object *list)
{
	for (size_t i = 0; i < p->n_keys; i++) {
		const char *key = mag_secret_text(&p->keys[i].key);
		struct json_object *o;

		if (!c->json) {
			puts(key);
			continue;
		}
		o = json_object_new_object();
		json_object_object_add(o, "key", json_object_new_string(key));
		json_object_array_add(list, o);
	}
	fflush(stdout);
}

static int issue_all(struct cli *c, struct wire_licence_issue_req *q, int64_t count)
{
	static struct wire_licence_issue_rep page; /* large: not on the stack */
	struct wire_licence_issue_rep *p = &page;
	struct json_object *list = json_object_new_array();
	bool progress = count > BATCH && !isatty(STDOUT_FILENO);
	int64_t done = 0;
	int r = CLI_DONE;

	while (p && r == CLI_DONE && done < count) {
		q->count = (uint32_t)(count - done > BATCH ? BATCH : count - done);
		q->need = (uint32_t)(count - done);
		r = cli_request(c, WIRE_MSG_LICENCE_ISSUE, q, p);
		if (r == CLI_DONE)
			put_keys(c, p, list);
		wire_clear(&wire_licence_issue_rep, p);
		memset(p, 0, sizeof *p);
		done += q->count;
		if (r == CLI_DONE && progress)
			cli_progress(c, (size_t)done, (size_t)count);
	}
	if (progress)
		cli_progress(c, 0, 0);
	/* Keys of messages that went well are not lost with a later one. */
	if (c->json && json_object_array_length(list) > 0)
		cli_json_print(&list);
	else
		json_object_put(list);
	return r;
}

int cmd_licence_issue(struct cli *c)
{
	struct wire_licence_issue_req q = { 0 };
	const char *product = cli_opt(c, "--product"), *order = cli_opt(c, "--order");
	const char *count = cli_opt(c, "--count"), *bought = cli_opt(c, "--purchased");
	const char *seats = cli_opt(c, "--seats");
	int64_t n = 1, n_seats = 0;
	int r;

	if (!product)
		return cli_usage(c, "--product is missing: " CMD_PRODUCTS);
	if (count && mag_int_parse(count, 1, COUNT_MAX, &n))
		return cli_usage(c, "--count %s: a number from 1 to %d", count, COUNT_MAX);
	if (seats && (!order || mag_int_parse(seats, 1, COUNT_MAX, &n_seats)))
		return cli_usage(
			c, "--seats %s: a number from 1 to %d, with --order", seats, COUNT_MAX);
	q.seats = (uint32_t)n_seats;
	if (bought && cli_day(bought, 12 * 3600, &q.purchased))
		return cli_usage(c, "--purchased %s: a date such as 2026-11-21", bought);
	if (mag_copy(q.product, sizeof q.product, product))
		return cli_usage(c, "--product %s: " CMD_PRODUCTS, product);
	if (mag_copy(q.order, sizeof q.order, order ? order : ""))
		return cli_usage(c, "--order: 64 bytes at most");
	q.proofing = cli_opt(c, "--proofing") != NULL;
	q.hold = cli_opt(c, "--hold") != NULL;
	r = cli_settings(c);
	if (r != CLI_DONE)
		return r;
	r = issue_all(c, &q, n);
	if (r == CLI_DONE && isatty(STDOUT_FILENO))
		cli_note(c, "Keep %s: a key is shown this once.", n == 1 ? "it" : "them");
	return r;
}

int cmd_licence_release(struct cli *c)
{
	struct wire_licence_release_req q = { 0 };
	struct wire_licence_release_rep p = { 0 };
	const char *order = cli_opt(c, "--order") ? cli_opt(c, "--order") : cli_arg(c, 0);
	struct json_object *o;
	int r;

	if (!order || mag_copy(q.order, sizeof q.order, order))
		return cli_usage(c, "whose invoice was paid? --order REF is missing or too long");
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_LICENCE_RELEASE, &q, &p);
	if (r != CLI_DONE)
		return r;
	if (!p.released)
		return cli_fail(c, CLI_REFUSED, "key-unknown", "Order %s has no held keys.", order);
	if (!c->json) {
		cli_say(c, "%u key%s released", p.released, p.released == 1 ? "" : "s");
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "released", json_object_new_int64(p.released));
	cli_json_print(&o);
	return CLI_DONE;
}

static const struct column columns[] = {
	{ "KEY", "key", CELL_TEXT },
	{ "PRODUCT", "product", CELL_TEXT },
	{ "PROOFING", "proofing", CELL_BOOL },
	{ "STATE", "state", CELL_TEXT },
	{ "ORDER", "order", CELL_TEXT },
	{ "PURCHASED", "purchased", CELL_DAY },
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "USED", "used", CELL_MINUTE },
	{ NULL, NULL, CELL_TEXT },
};

static void row(struct table *t, const struct wire_licence *l)
{
	char id[24];
	struct mag_buf b = MAG_BUF(id);

	mag_buf_printf(&b, "%s-...", l->id); /* the first group; the rest is not kept */
	table_text(t, id);
	table_text(t, l->product);
	table_int(t, l->proofing);
	table_text(t, l->state);
	table_text(t, l->order);
	table_int(t, l->purchased);
	table_text(t, l->account);
	table_int(t, l->used);
}

static void rows(const struct cli *c, struct table *t, const void *page)
{
	const struct wire_licence_list_rep *p = page;

	(void)c;
	for (size_t i = 0; i < p->n_licences; i++)
		row(t, &p->licences[i]);
}

int cmd_licence_list(struct cli *c)
{
	struct wire_licence_list_req q = { 0 };
	static struct wire_licence_list_rep page; /* large: not on the stack */
	const char *order = cli_opt(c, "--order"), *state = cli_opt(c, "--state");

	if (mag_copy(q.order, sizeof q.order, order ? order : ""))
		return cli_usage(c, "--order: 64 bytes at most");
	if (mag_copy(q.state, sizeof q.state, state ? state : ""))
		return cli_usage(c, "--state %s: free, held, used or void", state);
	return cli_list(c, &(struct cli_list){ columns, WIRE_MSG_LICENCE_LIST, &q, q.cursor,
				   sizeof q.cursor, &page, sizeof page, page.next, rows });
}

int cmd_licence_void(struct cli *c)
{
	struct wire_licence_void_req q = { 0 };
	struct json_object *o;
	int r = cli_settings(c);

	if (r == CLI_DONE)
		r = cli_secret(c, cli_arg(c, 0), "Licence key: ", "the key", &q.key);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_LICENCE_VOID, &q, NULL);
	wire_clear(&wire_licence_void_req, &q);
	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		cli_say(c, "That key is void");
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "result", json_object_new_string("void"));
	cli_json_print(&o);
	return CLI_DONE;
}
