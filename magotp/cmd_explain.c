/* magotpctl explain: what would happen at a service, and what did. */
#include <grp.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magotp/cmd.h"
#include "magotp/pamfile.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"
#include "otpcore/login/flow.h"

#define PAM_DIR "/etc/pam.d"

struct explained {
	struct wire_explain_req q;
	struct wire_explain_rep p;
	struct pam_line pam;
	bool has_pam; /* the service has a file */
	char pam_source[300];
};

static const char *decision_id(uint32_t d)
{
	static const char *const ids[] = { "none", "ask", "pass", "exempt", "deny", "enroll" };

	return d < sizeof ids / sizeof *ids ? ids[d] : "none";
}

/* The module's line beats the section: where a value came from the line, its
 * file and line are the source. */
static void place(const struct explained *e, const char *source, struct mag_buf *b)
{
	if (mag_streq(source, "pam"))
		mag_buf_puts(b, e->pam_source);
	else
		mag_buf_puts(b, source);
}

static void headline(const struct cli *c, const struct explained *e)
{
	static const char *const lines[] = { "would be REFUSED",
		("would be LET IN with password and "
		 "second factor"),
		"would be LET IN with the password", "would be LET IN: exempt", "would be REFUSED",
		"would be led through enrolment" };
	uint32_t d = e->p.decision < sizeof lines / sizeof *lines ? e->p.decision : 0;

	if (d == DECISION_EXEMPT && !e->p.exempt)
		cli_say(c, "%s would be LET IN: the service is only watched (observe).%s%s%s",
			e->q.user,
			mag_streq(e->p.reason, verdict_id(VERDICT_OK)) ? "" : " Else REFUSED (",
			mag_streq(e->p.reason, verdict_id(VERDICT_OK)) ? "" : e->p.reason,
			mag_streq(e->p.reason, verdict_id(VERDICT_OK)) ? "" : ").");
	else if (d == DECISION_DENY || d == DECISION_NONE)
		cli_say(c, "%s %s (%s).", e->q.user, lines[d], e->p.reason);
	else
		cli_say(c, "%s %s.", e->q.user, lines[d]);
}

/* Two consecutive codes at the prompt put these right (H4, H7). */
static bool repairable(const char *reason)
{
	return mag_streq(reason, verdict_id(VERDICT_TOKEN_LOCKED)) ||
	       mag_streq(reason, verdict_id(VERDICT_TOKEN_SUSPENDED));
}

static void say_offers(const struct cli *c, const struct explained *e)
{
	char line[512] = "";
	struct mag_buf b = MAG_BUF(line);

	for (size_t i = 0; i < e->p.n_offers; i++)
		if (!*e->p.offers[i].reason)
			mag_buf_printf(&b, "%s%s %s%s", b.len ? ", " : "", e->p.offers[i].id,
				e->p.offers[i].what, e->p.offers[i].is_default ? " (default)" : "");
	cli_say(c, "Offers    %s", *line ? line : "nothing");
	for (size_t i = 0; i < e->p.n_offers; i++)
		if (*e->p.offers[i].reason)
			cli_say(c, "Not       %s %s: %s%s", e->p.offers[i].id, e->p.offers[i].what,
				e->p.offers[i].reason,
				repairable(e->p.offers[i].reason) ? ", resync offered" : "");
}

/* What such a login sends. */
static const char *sends(const struct wire_explain_rep *p)
{
	static const struct {
		const char *what, *sends;
	} table[] = { { "voice", "1 call, " }, { "text", "1 text, " } };

	for (size_t i = 0; i < p->n_offers && p->decision == DECISION_ASK; i++)
		if (p->offers[i].is_default && !*p->offers[i].reason)
			for (size_t k = 0; k < sizeof table / sizeof *table; k++)
				if (mag_has_prefix(p->offers[i].what, table[k].what))
					return table[k].sends;
	return ""; /* tokens and apps show their codes themselves */
}

static void say_reasons(const struct cli *c, const struct explained *e)
{
	char source[600] = "", needs[64] = "";
	struct mag_buf b = MAG_BUF(source), n = MAG_BUF(needs);
	const struct wire_explain_rep *p = &e->p;

	place(e, p->source, &b);
	mag_buf_printf(&n, "%s, level %u", p->require, p->level);
	cli_say(c, "Needs     %-22s %s", needs, source);
	say_offers(c, e);
	cli_say(c, "Sends     %s%u of %u left this hour", sends(p), p->sends_left,
		p->sends_per_hour);
	cli_say(c, "Exempt    %s", p->exempt ? "yes" : "no");
	/* "magotp.conf:44 [service sshd]": the key says more than the section. */
	cli_say(c, "Key only  %-22s %.*s publickey_alone", p->publickey,
		(int)strcspn(p->publickey_source, " "), p->publickey_source);
	if (!e->has_pam)
		cli_say(c, "No broker %-22s no file for %s", "-", e->q.service);
	else if (!e->pam.found)
		cli_say(c, "No broker %-22s %s has no pam_magotp", "-", e->q.service);
	else
		cli_say(c, "No broker %-22s %s broker_down",
			e->pam.broker_down_allow ? "LET IN" : "REFUSED", e->pam_source);
}

static struct json_object *text(const char *s)
{
	return *s ? json_object_new_string(s) : NULL;
}

static void json_offers(const struct explained *e, struct json_object *o)
{
	struct json_object *offers = json_object_new_array(), *excluded = json_object_new_array();

	for (size_t i = 0; i < e->p.n_offers; i++) {
		const struct wire_offer *w = &e->p.offers[i];
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "id", json_object_new_string(w->id));
		if (*w->reason) {
			json_object_object_add(row, "reason", json_object_new_string(w->reason));
			json_object_array_add(excluded, row);
			continue;
		}
		json_object_object_add(row, "what", json_object_new_string(w->what));
		json_object_object_add(row, "default", json_object_new_boolean(w->is_default != 0));
		json_object_array_add(offers, row);
	}
	json_object_object_add(o, "offers", offers);
	json_object_object_add(o, "excluded", excluded);
}

static struct json_object *json_trace(const struct explained *e)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < e->p.n_trace; i++) {
		const struct wire_trace *t = &e->p.trace[i];
		bool line = mag_streq(t->module, "pam_magotp") && e->pam.found;
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "file", text(line ? e->pam.file : t->file));
		json_object_object_add(
			row, "line", json_object_new_int64(line ? e->pam.line : (int64_t)t->line));
		json_object_object_add(row, "module", json_object_new_string(t->module));
		json_object_object_add(row, "effect", json_object_new_string(t->effect));
		json_object_array_add(list, row);
	}
	return list;
}

static void print_json(const struct explained *e)
{
	struct json_object *o = json_object_new_object(), *require = json_object_new_object();
	struct json_object *variants = json_object_new_object();
	char source[600] = "";
	struct mag_buf b = MAG_BUF(source);

	place(e, e->p.source, &b);
	json_object_object_add(o, "service", json_object_new_string(e->q.service));
	json_object_object_add(o, "account", json_object_new_string(e->q.user));
	json_object_object_add(o, "decision", json_object_new_string(decision_id(e->p.decision)));
	json_object_object_add(o, "reason", json_object_new_string(e->p.reason));
	json_object_object_add(require, "strength", json_object_new_string(e->p.require));
	json_object_object_add(require, "level", json_object_new_int64(e->p.level));
	json_object_object_add(require, "source", json_object_new_string(source));
	json_object_object_add(o, "require", require);
	json_offers(e, o);
	json_object_object_add(o, "send_budget", json_object_new_int64(e->p.sends_left));
	json_object_object_add(o, "exempt", json_object_new_boolean(e->p.exempt != 0));
	json_object_object_add(variants, "publickey", json_object_new_string(e->p.publickey));
	json_object_object_add(variants, "broker_down",
		e->pam.found
			? json_object_new_string(e->pam.broker_down_allow ? "ALLOWED" : "REFUSED")
			: NULL);
	json_object_object_add(o, "variants", variants);
	json_object_object_add(o, "trace", json_trace(e));
	cli_json_print(&o);
}

static int say_last(const struct cli *c, const struct wire_explain_rep *p)
{
	char at[32];
	struct json_object *o;

	if (c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "account", json_object_new_string(c->user));
		json_object_object_add(o, "time", cli_json_time(p->last_at));
		json_object_object_add(o, "service", text(p->last_service));
		json_object_object_add(o, "from", text(p->last_from));
		json_object_object_add(o, "verdict", text(p->last_verdict));
		json_object_object_add(o, "strength", text(p->last_strength));
		cli_json_print(&o);
		return CLI_DONE;
	}
	if (!p->last_at) {
		cli_say(c, "%s has no login on record.", c->user);
		return CLI_DONE;
	}
	cli_say(c, "%s  %s%s%s", mag_time_minute(p->last_at, at, sizeof at), p->last_service,
		*p->last_from ? " from " : "", p->last_from);
	cli_say(c, "Verdict   %s", p->last_verdict);
	cli_say(c, "Strength  %s", p->last_strength);
	if (mag_streq(p->last_verdict, verdict_id(VERDICT_NONE)))
		cli_say(c, "It was not finished: no code was judged.");
	else if (mag_streq(p->last_verdict, verdict_id(VERDICT_OK)))
		cli_say(c, "It succeeded.");
	else
		cli_say(c, "%s", flow_verdict_text(verdict_from_id(p->last_verdict)));
	return CLI_DONE;
}

/* What the module would send: the options of its line. */
static int read_pam(struct cli *c, const char *service, struct explained *e)
{
	const char *dir = cli_opt(c, "--pam-dir");
	struct mag_buf b = MAG_BUF(e->pam_source);
	int r = pam_read(dir ? dir : PAM_DIR, service, &e->pam);

	e->has_pam = r == 0;
	if (mag_copy(e->q.service, sizeof e->q.service, *e->pam.service ? e->pam.service : service))
		return cli_usage(c, "%s: too long for a service", service);
	mag_copy(e->q.require, sizeof e->q.require, e->pam.require);
	mag_copy(e->q.mode, sizeof e->q.mode, e->pam.mode);
	mag_copy(e->q.unenrolled, sizeof e->q.unenrolled, e->pam.unenrolled);
	e->q.level = (uint32_t)e->pam.level;
	mag_buf_printf(&b, "%s:%d", e->pam.file, e->pam.line);
	if (e->has_pam && !e->pam.found)
		cli_note(c, "Note: %s does not use pam_magotp; this is what the policy says.",
			service);
	else if (!e->has_pam)
		cli_note(c, "Note: there is no %s/%s; this is what the policy says.",
			dir ? dir : PAM_DIR, service);
	else if (*e->pam.wrong)
		cli_note(c, "Note: until %s:%d is corrected, every login is refused: %s.",
			e->pam.file, e->pam.line, e->pam.wrong);
	return CLI_DONE;
}

/* su_target: whose factor it is that the rest speaks of. */
static void note_caller(struct cli *c, const struct explained *e)
{
	for (size_t i = 0; i < e->p.n_trace; i++)
		if (mag_streq(e->p.trace[i].effect, "su_target = caller"))
			cli_note(c,
				"Note: %s asks for the second factor of who calls it; this is what "
				"holds when %s does.",
				e->q.service, c->user);
}

/* What the module would find out: the user's groups on this host. */
static void read_groups(const char *user, char *groups, size_t cap)
{
	const struct passwd *pw = getpwnam(user);
	gid_t gids[256];
	int n = sizeof gids / sizeof *gids;
	struct mag_buf b;

	mag_buf_init(&b, groups, cap);
	if (!pw || getgrouplist(user, pw->pw_gid, gids, &n) < 0)
		return;
	for (int i = 0; i < n; i++) {
		const struct group *g = getgrgid(gids[i]);

		/* A name that would be cut is left out. */
		if (g && b.len + strlen(g->gr_name) + 2 < cap)
			mag_buf_printf(&b, "%s%s", b.len ? " " : "", g->gr_name);
	}
}

static int explain(struct cli *c, struct explained *e)
{
	const char *from = cli_opt(c, "--from"), *last = cli_opt(c, "--last");
	int r = CLI_DONE;

	if (last ? c->n_args != 0 : c->n_args != 2)
		return cli_usage(c, "name SERVICE and USER, or --last USER");
	if (mag_copy(c->user, sizeof c->user, last ? last : cli_arg(c, 1)) ||
		mag_copy(e->q.rhost, sizeof e->q.rhost, from ? from : ""))
		return cli_usage(c, "that is too long");
	mag_copy(e->q.user, sizeof e->q.user, c->user);
	e->q.last = last != NULL;
	read_groups(c->user, e->q.groups, sizeof e->q.groups);
	if (!last)
		r = read_pam(c, cli_arg(c, 0), e);
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_EXPLAIN, &e->q, &e->p);
	if (r != CLI_DONE)
		return r;
	if (last)
		return say_last(c, &e->p);
	note_caller(c, e);
	if (c->json) {
		print_json(e);
	} else {
		headline(c, e);
		say_reasons(c, e);
	}
	return CLI_DONE;
}

void explain_reasons(struct cli *c, const char *service, const char *user)
{
	struct explained *e = calloc(1, sizeof *e);
	const char *from = cli_opt(c, "--from");

	if (e && !mag_copy(e->q.user, sizeof e->q.user, user) &&
		!mag_copy(e->q.rhost, sizeof e->q.rhost, from ? from : "") &&
		read_pam(c, service, e) == CLI_DONE &&
		cli_request(c, WIRE_MSG_EXPLAIN, &e->q, &e->p) == CLI_DONE)
		say_reasons(c, e);
	free(e);
}

int cmd_explain(struct cli *c)
{
	struct explained *e = calloc(1, sizeof *e);
	int r;

	if (!e)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = explain(c, e);
	free(e);
	return r;
}
