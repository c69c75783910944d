/* magotpctl: what an administrator does for an account: unlock, renew, sponsor,
 * break-glass codes; and the calendar's sweep. */
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

int cmd_unlock(struct cli *c)
{
	struct wire_token_unlock_req q = { 0 };
	struct wire_token_unlock_rep p = { 0 };
	const char *id = cli_arg(c, 0);
	int r;

	mag_copy(q.user, sizeof q.user, c->user);
	if (mag_copy(q.id, sizeof q.id, id ? id : ""))
		return cli_usage(c, "%s: not a token's id; it is t1, m1 or a serial number", id);
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_TOKEN_UNLOCK, &q, &p);
	return cli_changed(c, r, id ? id : *p.id ? p.id : c->user, "is unlocked");
}

/* A product and its end. */
static int say_subscription(
	const struct cli *c, const char *product, const char *what, int64_t expires)
{
	struct json_object *o;
	char day[32];

	if (!c->json) {
		cli_say(c, "%s %s %s, until %s", c->user, what, product,
			mag_time_day(expires, day, sizeof day));
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "account", json_object_new_string(c->user));
	json_object_object_add(o, "product", json_object_new_string(product));
	json_object_object_add(o, "expires", cli_json_time(expires));
	cli_json_print(&o);
	return CLI_DONE;
}

int cmd_renew(struct cli *c)
{
	struct wire_renew_req q = { 0 };
	struct wire_renew_rep p = { 0 };
	int r;

	mag_copy(q.user, sizeof q.user, c->user);
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_RENEW, &q, &p);
	return r == CLI_DONE ? say_subscription(c, p.product, "is renewed:", p.expires) : r;
}

/* The key is shown once. */
static int say_sponsored(const struct cli *c, const char *product, const struct wire_sponsor_rep *p)
{
	bool mailed = p->delivery == DELIVERY_ACCEPTED || p->delivery == DELIVERY_PENDING;
	struct json_object *o;

	if (!c->json) {
		say_subscription(c, product, "is sponsored:", p->expires);
		cli_say(c, "Key %s (%s)", mag_secret_text(&p->key),
			mailed ? "mailed" : "not mailed: hand it on");
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "account", json_object_new_string(c->user));
	json_object_object_add(o, "product", json_object_new_string(product));
	json_object_object_add(o, "expires", cli_json_time(p->expires));
	json_object_object_add(o, "key", json_object_new_string(mag_secret_text(&p->key)));
	json_object_object_add(o, "mailed", json_object_new_boolean(mailed));
	cli_json_print(&o);
	return CLI_DONE;
}

int cmd_sponsor(struct cli *c)
{
	struct wire_sponsor_req q = { 0 };
	struct wire_sponsor_rep p = { 0 };
	const char *product = cli_opt(c, "--product"), *until = cli_opt(c, "--until");
	int r;

	mag_copy(q.user, sizeof q.user, c->user);
	if (!product || mag_copy(q.product, sizeof q.product, product))
		return cli_usage(c, "--product is missing: " CMD_PRODUCTS);
	if (until && cli_until(until, &q.until))
		return cli_usage(c, "--until %s: a date such as 2026-12-31, or 30d", until);
	q.proofing = cli_opt(c, "--proofing") != NULL;
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_SPONSOR, &q, &p);
	if (r == CLI_DONE)
		r = say_sponsored(c, product, &p);
	wire_clear(&wire_sponsor_rep, &p);
	return r;
}

int cmd_break_glass(struct cli *c)
{
	struct wire_break_glass_req q = { 0 };
	struct wire_break_glass_rep p = { 0 };
	const char *reason = cli_opt(c, "--reason"), *until = cli_opt(c, "--until");
	struct json_object *o;
	char at[32];
	int r;

	mag_copy(q.user, sizeof q.user, c->user);
	if (!reason || !*reason)
		return cli_usage(c, "what for? --reason TEXT is missing; it is recorded");
	if (mag_copy(q.reason, sizeof q.reason, reason))
		return cli_usage(c, "--reason: 128 bytes at most");
	if (!until)
		return cli_usage(c, "--until is missing: a date such as 2026-12-31, or 30d");
	if (cli_until(until, &q.until))
		return cli_usage(c, "--until %s: a date such as 2026-12-31, or 30d", until);
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_BREAK_GLASS, &q, &p);
	if (r == CLI_DONE && c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "code", json_object_new_string(mag_secret_text(&p.code)));
		json_object_object_add(o, "until", cli_json_time(q.until));
		cli_json_print(&o);
	} else if (r == CLI_DONE) {
		cli_say(c, "%s", mag_secret_text(&p.code));
		cli_note(c,
			"Good for one login of %s until %s, shown this once. Keep it locked away.",
			c->user, mag_time_minute(q.until, at, sizeof at));
	}
	wire_clear(&wire_break_glass_rep, &p);
	return r;
}

/* ---- the calendar ---- */
static const struct column due_columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "WHAT", "what", CELL_TEXT },
	{ "REASON", "reason", CELL_TEXT },
	{ "CREDENTIAL", "credential", CELL_TEXT },
	{ "DUE", "due", CELL_DAY },
	{ "HELD", "held", CELL_BOOL },
	{ NULL, NULL, CELL_TEXT },
};

static void due_row(struct table *t, const struct wire_due *d)
{
	table_text(t, d->account);
	table_text(t, d->what);
	table_text(t, d->reason);
	table_text(t, d->credential);
	table_int(t, d->at);
	table_int(t, d->held);
}

int cmd_sweep(struct cli *c)
{
	static struct wire_sweep_rep page; /* large: not on the stack */
	struct wire_sweep_rep *p = &page;
	struct wire_sweep_req q = { 0 };
	struct table *t;
	uint64_t done = 0, held = 0, due = 0;
	int r;

	q.dry_run = cli_opt(c, "--dry-run") != NULL;
	q.confirm = cli_opt(c, "--confirm") != NULL;
	if (q.dry_run && q.confirm)
		return cli_usage(c, "--dry-run or --confirm, not both");
	t = table_new(due_columns);
	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = cli_settings(c);
	do {
		memset(p, 0, sizeof *p);
		if (r == CLI_DONE)
			r = cli_request(c, WIRE_MSG_SWEEP, &q, p);
		for (size_t i = 0; r == CLI_DONE && i < p->n_dues; i++)
			due_row(t, &p->dues[i]);
		due += p->n_dues;
		if (r == CLI_DONE)
			mag_copy(q.cursor, sizeof q.cursor, p->next);
		done += p->done;
		held += p->held;
	} while (r == CLI_DONE && *q.cursor);
	if (r == CLI_DONE)
		r = table_print(c, t);
	table_free(&t);
	if (r != CLI_DONE)
		return r;
	if (q.dry_run)
		cli_note(c, due ? "Nothing was done." : "Nothing is due.");
	else
		cli_note(c, "%llu done.", (unsigned long long)done);
	if (held && !q.confirm)
		cli_note(c, "%llu held back: look at them, then magotpctl sweep --confirm",
			(unsigned long long)held);
	return CLI_DONE;
}
