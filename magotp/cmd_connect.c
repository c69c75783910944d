/* connect: one person's accounts share credentials (H11); the own side of it, and an
 * administrator's. */
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "IS", "is", CELL_TEXT }, /* parent child */
	{ "STATE", "state", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static void row(struct table *t, const char *account, const char *is, const char *state)
{
	if (!*account)
		return;
	table_text(t, account);
	table_text(t, is);
	table_text(t, state);
}

/* On a terminal also what to do next. */
static void advise(const struct cli *c, const struct wire_connect_rep *p)
{
	if (*p->parent)
		cli_note(c, "You log in here with the credentials of %s.", p->parent);
	if (*p->asked)
		cli_note(c, "Agree to it as %s, with: magotp connect --accept %s", p->asked,
			c->user);
	for (size_t i = 0; i < p->n_children; i++)
		if (mag_streq(p->children[i].state, "asked"))
			cli_note(c,
				"%s asks to log in with your credentials. If that is you: "
				"magotp connect --accept %s",
				p->children[i].account, p->children[i].account);
	if (!*p->parent && !*p->asked && !p->n_children)
		cli_note(c, "This account is connected with no other.");
}

static int show(struct cli *c)
{
	struct wire_connect_req q = { 0 };
	static struct wire_connect_rep page; /* large: not on the stack */
	struct wire_connect_rep *p = &page;
	struct table *t = table_new(columns);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	mag_copy(q.user, sizeof q.user, c->user);
	r = cli_request(c, WIRE_MSG_CONNECT, &q, p);
	if (r == CLI_DONE) {
		row(t, p->parent, "parent", "connected");
		row(t, p->asked, "parent", "asked");
		for (size_t i = 0; i < p->n_children; i++)
			row(t, p->children[i].account, "child", p->children[i].state);
		r = table_print(c, t);
	}
	if (r == CLI_DONE)
		advise(c, p);
	table_free(&t);
	return r;
}

static int act(struct cli *c, const char *what, const char *other)
{
	struct wire_connect_req q = { 0 };
	static struct wire_connect_rep p;
	int r;

	if (mag_copy(q.other, sizeof q.other, other))
		return cli_usage(c, "%s: not the name of an account", other);
	mag_copy(q.user, sizeof q.user, c->user);
	mag_copy(q.what, sizeof q.what, what);
	r = cli_request_grant(c, WIRE_MSG_CONNECT, &q, &q.grant, &p);
	mag_secret_free(&q.grant);
	return r;
}

int cmd_connect(struct cli *c)
{
	const char *other = cli_arg(c, 0), *accept = cli_opt(c, "--accept");
	bool end = cli_opt(c, "--end") != NULL;
	int r;

	if ((accept && end) || (accept && other))
		return cli_usage(c, "ask, --accept or --end, one at a time");
	r = cli_settings(c);
	if (r != CLI_DONE)
		return r;
	if (accept)
		return cli_changed(
			c, act(c, "accept", accept), accept, "logs in with your credentials now");
	if (end)
		return cli_changed(c, act(c, "end", other ? other : ""), other ? other : c->user,
			"is not connected any more");
	if (!other)
		return show(c);
	r = act(c, "ask", other);
	if (r == CLI_DONE)
		cli_note(c,
			"Nothing has changed yet. Agree to it as %s, with: "
			"magotp connect --accept %s",
			other, c->user);
	return cli_changed(c, r, other, "is asked");
}

int cmd_account_connect(struct cli *c)
{
	struct wire_account_connect_req q = { .end = cli_opt(c, "--end") != NULL };
	const char *parent = cli_arg(c, 0);
	char done[300] = "";
	struct mag_buf b = MAG_BUF(done);
	int r;

	if (!parent && !q.end)
		return cli_usage(c, "connect with whom? name the account with the credentials");
	if (mag_copy(q.parent, sizeof q.parent, parent ? parent : ""))
		return cli_usage(c, "%s: not the name of an account", parent);
	mag_copy(q.user, sizeof q.user, c->user);
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_ACCOUNT_CONNECT, &q, &q.grant, NULL);
	mag_secret_free(&q.grant);
	if (q.end)
		mag_buf_puts(&b, "is not connected any more");
	else
		mag_buf_printf(&b, "logs in with the credentials of %s now", parent);
	return cli_changed(c, r, c->user, done);
}
