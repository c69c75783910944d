/* magotpctl lease: tokens whose codes are a relay's for a while (security.md 41). */
#include <stdio.h>
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "SERIAL", "serial", CELL_TEXT },
	{ "HOST", "host", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "SINCE", "since", CELL_MINUTE },
	{ "UNTIL", "until", CELL_MINUTE },
	{ NULL, NULL, CELL_TEXT },
};

static void row(struct table *t, const struct wire_leased *l)
{
	table_text(t, l->account);
	table_text(t, l->serial);
	table_text(t, l->host);
	table_text(t, l->state);
	table_int(t, l->since);
	table_int(t, l->until);
}

int cmd_lease_list(struct cli *c)
{
	static struct wire_lease_list_rep page; /* large: not on the stack */
	struct wire_lease_list_req q = { 0 };
	struct table *t = table_new(columns);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = cli_settings(c);
	while (r == CLI_DONE) {
		memset(&page, 0, sizeof page);
		r = cli_request(c, WIRE_MSG_LEASE_LIST, &q, &page);
		for (size_t i = 0; r == CLI_DONE && i < page.n_leases; i++)
			row(t, &page.leases[i]);
		mag_copy(q.cursor, sizeof q.cursor, page.next);
		if (!*q.cursor)
			break;
	}
	if (r == CLI_DONE)
		r = table_print(c, t);
	table_free(&t);
	return r;
}

int cmd_lease_end(struct cli *c)
{
	struct wire_lease_end_req q = { 0 };
	struct wire_lease_end_rep p = { 0 };
	const char *reason = cli_opt(c, "--reason");
	int r;

	mag_copy(q.user, sizeof q.user, c->user);
	if (!reason || !*reason)
		return cli_usage(c, "what for? --reason TEXT is missing; it is recorded");
	if (mag_copy(q.reason, sizeof q.reason, reason))
		return cli_usage(c, "--reason: 128 bytes at most");
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_LEASE_END, &q, &p);
	if (r == CLI_DONE)
		cli_say(c,
			"%u of %s called back. It is over when the host gives it back, within "
			"minutes if it can be reached, or at its end: magotpctl lease list",
			p.ended, c->user);
	return r;
}
