/* magotpctl session: what is logged in with which strength, and the end of it. */
#include <json-c/json.h>
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "SINCE", "since", CELL_MINUTE },
	{ "FROM", "from", CELL_TEXT },
	{ "SERVICE", "service", CELL_TEXT },
	{ "TTY", "tty", CELL_TEXT },
	{ "STRENGTH", "strength", CELL_TEXT },
	{ "LEVEL", "level", CELL_INT },
	{ "SID", "sid", CELL_INT },
	{ "HOST", "host", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

int cmd_each_session(struct cli *c, const char *user, cmd_session_fn *fn, void *arg)
{
	static struct wire_session_list_rep page; /* large: not on the stack */
	struct wire_session_list_req q = { 0 };
	int r;

	if (mag_copy(q.user, sizeof q.user, user))
		return cli_usage(c, "that account name is too long");
	do {
		memset(&page, 0, sizeof page);
		r = cli_request(c, WIRE_MSG_SESSION_LIST, &q, &page);
		for (size_t i = 0; r == CLI_DONE && i < page.n_sessions; i++)
			fn(&page.sessions[i], arg);
		q.cursor = page.next;
	} while (r == CLI_DONE && q.cursor);
	return r;
}

static void row(const struct wire_live_session *s, void *arg)
{
	struct table *t = arg;

	table_text(t, s->account);
	table_int(t, s->since);
	table_text(t, s->from);
	table_text(t, s->service);
	table_text(t, s->tty);
	table_text(t, s->strength);
	table_int(t, s->level);
	table_int(t, s->session);
	table_text(t, s->host);
}

int cmd_session_list(struct cli *c)
{
	struct table *t = table_new(columns);
	const char *user = cli_arg(c, 0);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cmd_each_session(c, user ? user : "", row, t);
	if (r == CLI_DONE)
		r = table_print(c, t);
	table_free(&t);
	return r;
}

/* ---- end ---- */
struct search {
	int64_t wanted; /* 0: whichever there is */
	char host[65];
	int64_t sid;
	size_t n;
};

static void look(const struct wire_live_session *s, void *arg)
{
	struct search *l = arg;

	if (l->wanted && s->session != l->wanted)
		return;
	l->n++;
	l->sid = s->session;
	mag_copy(l->host, sizeof l->host, s->host);
}

/* Which one is meant: the one with that id, or the only one. */
static int choose(struct cli *c, const char *sid, struct wire_session_end_req *q)
{
	struct search l = { 0 };
	int r;

	if (sid && (mag_int_parse(sid, 1, INT64_MAX, &l.wanted)))
		return cli_usage(c, "%s: not a session's id; session list shows them", sid);
	r = cmd_each_session(c, c->user, look, &l);
	if (r != CLI_DONE)
		return r;
	if (!l.n)
		return cli_fail(c, CLI_REFUSED, "not-recorded", "%s has no such session.", c->user);
	if (l.n > 1)
		return cli_usage(c, "%s has %zu of them: name SID, or --all", c->user, l.n);
	q->session = l.sid;
	mag_copy(q->host, sizeof q->host, l.host);
	return CLI_DONE;
}

int cmd_session_end(struct cli *c)
{
	struct wire_session_end_req q = { 0 };
	struct wire_session_end_rep p = { 0 };
	const char *sid = cli_arg(c, 0);
	struct json_object *o;
	int r;

	q.all = cli_opt(c, "--all") != NULL;
	if (q.all && sid)
		return cli_usage(c, "SID or --all, not both");
	mag_copy(q.user, sizeof q.user, c->user);
	r = cli_settings(c);
	if (r == CLI_DONE && !q.all)
		r = choose(c, sid, &q);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_SESSION_END, &q, &p);
	if (r != CLI_DONE)
		return r;
	if (c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "account", json_object_new_string(c->user));
		json_object_object_add(o, "ended", json_object_new_int64(p.ended));
		cli_json_print(&o);
		return CLI_DONE;
	}
	cli_say(c, "%u session%s of %s ended", p.ended, p.ended == 1 ? "" : "s", c->user);
	if (p.ended)
		cli_note(c, "What is left there has a password's strength. No process was "
			    "stopped; loginctl or pkill -u does that.");
	return CLI_DONE;
}
