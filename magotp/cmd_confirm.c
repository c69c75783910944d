/* magotpctl confirm: what was enabled stays. Said from a session that came in through
 * that very service, with the second step, after it was enabled; or by root in any
 * terminal, of somebody whose session that is and who is still in (--login). The word is
 * root's in either case: otherwise whoever can log in could keep others locked out. */
#include <errno.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/enabled.h"
#include "magotp/recipe.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

struct confirming {
	struct cli *c;
	const char *service; /* as asked for, or NULL */
	const char *login;   /* whose session proves it; NULL: this one */
	struct enabled e;
	size_t waiting;
	int64_t sid;   /* the caller's audit session, -1: none */
	char host[65]; /* the broker's */
	bool here;     /* the caller's session is known to the broker */
	struct wire_live_session session;
};

static int collect(const struct enabled *e, void *arg)
{
	struct confirming *f = arg;

	if (!e->deadline || (f->service && !mag_streq(f->service, e->service)))
		return 0;
	f->waiting++;
	f->e = *e;
	return 0;
}

/* What the kernel says of this process; -1: nothing. */
static int64_t own_number(const char *path)
{
	char line[32] = "";
	int64_t n = -1;
	FILE *f = fopen(path, "re");

	if (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		if (mag_int_parse(line, 0, 4294967294, &n))
			n = -1;
	}
	if (f)
		fclose(f);
	return n;
}

/* sudo -i has a file of its own, and the same service on our line. */
static const char *logged_as(const char *service)
{
	return mag_streq(service, "sudo-i") ? "sudo" : service;
}

static void look(const struct wire_live_session *s, void *arg)
{
	struct confirming *f = arg;

	if (s->session != f->sid || !mag_streq(s->host, f->host))
		return;
	f->here = true;
	f->session = *s;
}

/* Why this session proves nothing; NULL: it does. */
static const char *missing(const struct confirming *f)
{
	const struct wire_live_session *s = &f->session;

	if (!f->here)
		return f->login ? "no session of that account is open"
				: "this session did not come through pam_magotp, or its audit id "
				  "is shared";
	if (!mag_streq(s->service, f->e.service))
		return "the session came in through another service";
	if (s->begun <= f->e.at)
		return "the session is older than the change";
	if (strength_from_id(s->proven) <= STRENGTH_PASSWORD)
		return "the session's login had no second factor";
	return NULL;
}

/* The one of an account that proves most. */
static void look_for(const struct wire_live_session *s, void *arg)
{
	struct confirming *f = arg;
	struct confirming other = *f;

	if (!mag_streq(s->host, f->host))
		return;
	other.session = *s;
	other.here = true;
	if (!f->here || !missing(&other))
		*f = other;
}

static bool logged_in(struct confirming *f, const char *user)
{
	struct wire_explain_req q = { .last = 1 };
	struct wire_explain_rep *p = calloc(1, sizeof *p);
	bool right = false;

	if (p && !mag_copy(q.user, sizeof q.user, user) &&
		!mag_copy(q.service, sizeof q.service, f->e.service) &&
		!client_call(&f->c->client, WIRE_MSG_EXPLAIN, &q, &f->c->result, p))
		right = !f->c->result.error && f->c->result.verdict == VERDICT_OK &&
			mag_streq(p->last_service, logged_as(f->e.service)) &&
			p->last_at > f->e.at &&
			mag_streq(p->last_verdict, verdict_id(VERDICT_OK)) &&
			strength_from_id(p->last_strength) > STRENGTH_PASSWORD;
	free(p);
	return right;
}

/* su and sudo leave the caller's session as it is: there the latest login counts, of
 * whom the session belongs to (sudo) or of whom he has become (su). */
static bool latest(struct confirming *f)
{
	const struct recipe *r = recipe_for(f->e.service);
	int64_t uid = own_number("/proc/self/loginuid");
	struct passwd *pw = uid >= 0 ? getpwuid((uid_t)uid) : NULL;

	if (r->session)
		return false;
	if (f->login)
		return logged_in(f, f->login);
	return (pw && logged_in(f, pw->pw_name)) || logged_in(f, "root");
}

static int judge(struct confirming *f)
{
	struct wire_ping_rep ping = { 0 };
	const char *why;
	int r = cli_call(f->c, WIRE_MSG_PING, NULL, &ping);

	if (r != CLI_DONE)
		return r;
	mag_copy(f->host, sizeof f->host, ping.host);
	f->sid = own_number("/proc/self/sessionid");
	if (f->login)
		r = cmd_each_session(f->c, f->login, look_for, f);
	else if (f->sid >= 0)
		r = cmd_each_session(f->c, "", look, f);
	why = missing(f);
	if (r != CLI_DONE || !why || latest(f))
		return r;
	if (f->login)
		return cli_fail(f->c, CLI_REFUSED, "not-confirmed",
			"%s is not confirmed: %s. Let %s log in through %s now, with the second "
			"step, and stay in.",
			f->e.service, why, f->login, f->e.service);
	return cli_fail(f->c, CLI_REFUSED, "not-confirmed",
		"%s is not confirmed: %s. Log in through %s in a new terminal, with the second "
		"step, and say it there.",
		f->e.service, why, f->e.service);
}

/* Nothing undoes it any more. It may have gone back while we asked. */
static int keep(struct confirming *f)
{
	int lock = enabled_lock(f->e.config, f->e.service, "lock", true);
	int r = lock < 0 ? MAG_ENOTFOUND : enabled_load(f->e.config, f->e.service, &f->e);

	if (!r && !enabled_overdue(&f->e)) {
		f->e.deadline = f->e.deadline_boot = 0;
		r = enabled_save(&f->e);
	} else {
		r = MAG_ENOTFOUND;
	}
	if (lock >= 0)
		close(lock);
	return r ? cli_fail(f->c, CLI_REFUSED, "not-confirmed", "%s went back meanwhile.",
			   f->e.service)
		 : CLI_DONE;
}

static int refuse_other(const struct cli *c)
{
	const struct passwd *pw = getpwuid(getuid());
	char name[100], more[300];

	snprintf(more, sizeof more,
		"From this session: sudo magotpctl confirm\n"
		"Or where it was enabled, while this session lasts: "
		"magotpctl confirm --login %s",
		mag_clean(name, sizeof name, pw ? pw->pw_name : "NAME"));
	return cli_fail_lines(c, "not-allowed", more, "Say it as root.");
}

static int confirm(struct cli *c, struct confirming *f)
{
	const char *config = c->config ? c->config : "";
	int r = cli_settings(c);

	if (r != CLI_DONE)
		return r;
	if (geteuid() != 0)
		return refuse_other(c);
	(void)enabled_each(config, collect, f);
	if (!f->waiting)
		return cli_fail(c, CLI_REFUSED, "not-enabled", "Nothing waits to be confirmed.");
	if (f->waiting > 1)
		return cli_usage(c, "more than one service waits: name it");
	r = judge(f);
	return r == CLI_DONE ? keep(f) : r;
}

int cmd_confirm(struct cli *c)
{
	struct confirming f = {
		.c = c, .service = cli_arg(c, 0), .login = cli_opt(c, "--login"), .sid = -1
	};
	struct json_object *o;
	int r;

	if (cli_opt(c, "--overdue")) {
		enabled_tend(c->config ? c->config : "");
		return CLI_DONE;
	}
	r = confirm(c, &f);
	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		cli_say(c, "%s stays as it is.", f.e.service);
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "service", json_object_new_string(f.e.service));
	json_object_object_add(o, "confirmed", json_object_new_boolean(true));
	cli_json_print(&o);
	return CLI_DONE;
}
