/* doctor: a service. Its stack, the options on our line, sshd's own settings, and who
 * could not get in. */
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/doctor.h"
#include "magotp/pamfile.h"
#include "magotp/pamstack.h"
#include "magotp/recipe.h"
#include "magotp/replace.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"

static void found(
	struct doctor *d, const char *id, enum severity s, const char *fix, const char *text)
{
	const struct finding f = { .id = id, .severity = s, .subject = d->service, .fix = fix };

	doctor_found(d, &f, "%s", text);
}

/* ---- the stack ---- */

static const char *good(const struct doctor *d, enum pam_phase phase)
{
	if (phase == PAM_AUTH)
		return "the password is required before the code";
	/* Only sshd takes keys; other programs skip the auth lines for reasons of theirs. */
	return mag_streq(d->service, "sshd")
		       ? "logins with a key have to meet the requirement, too"
		       : "logins that the auth lines did not see have to meet the requirement, too";
}

static bool judge(struct doctor *d, enum pam_phase phase, const char *id)
{
	struct pam_stack *s = calloc(1, sizeof *s);
	char why[RECIPE_ERROR_MAX] = "", fix[128];
	struct pam_finding f = { 0 };
	const struct pam_rule *at = NULL;
	bool right = false;

	if (s && pam_stack_read(d->pam_dir, d->service, NULL, phase, s)) {
		snprintf(why, sizeof why, "%s/%s is not there, or not understood", d->pam_dir,
			d->service);
	} else if (s) {
		pam_stack_judge(s, &f);
		recipe_fault(s, &f, why, sizeof why);
		at = f.way_round ? f.way_round
		     : f.no_stop ? f.no_stop
		     : f.found   ? &s->rules[f.magotp]
				 : NULL;
		right = !*why;
	}
	snprintf(fix, sizeof fix, "magotpctl enable %s", d->service);
	if (right) {
		doctor_ok(d, id, "%s", good(d, phase));
	} else {
		const struct finding g = { .id = id,
			.severity = DOCTOR_ERROR,
			.subject = d->service,
			.file = at ? at->file : NULL,
			.line = at ? at->line : 0,
			.fix = f.found ? "See pam_magotp(8) for whole stacks" : fix };

		doctor_found(d, &g, "%s", why);
	}
	free(s);
	return right;
}

static void check_stack(struct doctor *d)
{
	struct pam_stack *s = calloc(1, sizeof *s);
	const struct recipe *r = recipe_for(d->service);

	(void)judge(d, PAM_AUTH, "pam-auth");
	if (s && !pam_stack_read(d->pam_dir, d->service, NULL, PAM_AUTH, s))
		r = recipe_for_stack(d->service, s);
	if (r->account)
		(void)judge(d, PAM_ACCOUNT, "pam-account");
	free(s);
}

/* ---- the options on our line ---- */
static void weaker(struct doctor *d, const struct pam_line *l, const char *key, const char *line,
	const char *conf)
{
	const struct finding f = { .id = "weaker",
		.severity = DOCTOR_WARNING,
		.subject = d->service,
		.file = l->file,
		.line = l->line,
		.fix = "Take it off the line" };

	doctor_found(d, &f, "%s:%d: %s=%s is weaker than %s in magotp.conf", l->file, l->line, key,
		line, conf);
}

static void check_line(struct doctor *d)
{
	const struct settings *s = d->c->settings;
	struct service_settings set;
	struct pam_line l;
	struct finding f = { .subject = d->service };
	char levels[2][8];

	if (pam_read(d->pam_dir, d->service, &l) || !l.found)
		return;
	f.file = l.file;
	f.line = l.line;
	settings_service(s, *l.service ? l.service : d->service, &set);
	if (*l.wrong) {
		f.id = "pam-options";
		f.severity = DOCTOR_ERROR;
		f.fix = "See pam_magotp(8)";
		doctor_found(d, &f, "%s:%d: everybody is refused: %s", l.file, l.line, l.wrong);
		return;
	}
	if (*l.require && settings_strength(s, l.require) < settings_strength(s, set.require))
		weaker(d, &l, "require", l.require, set.require);
	snprintf(levels[0], sizeof levels[0], "%d", (int)l.level);
	snprintf(levels[1], sizeof levels[1], "%d", (int)set.level);
	if (l.level && l.level < set.level)
		weaker(d, &l, "level", levels[0], levels[1]);
	if (mag_streq(l.unenrolled, "allow") && set.unenrolled != UNENROLLED_ALLOW)
		weaker(d, &l, "unenrolled", "allow",
			set.unenrolled == UNENROLLED_DENY ? "deny" : "enroll");
	if (l.broker_down_allow) {
		f.id = "broker-down";
		f.severity = DOCTOR_WARNING;
		f.fix = set.observe ? "magotpctl enable takes it off the line"
				    : "Take it off the line";
		doctor_found(d, &f,
			"%s:%d: broker_down=allow: who keeps otpcored from answering needs no code",
			l.file, l.line);
	} else {
		doctor_ok(d, "broker-down", "without otpcored nobody gets in");
	}
}

/* ---- magotp.conf ---- */
static void check_policy(struct doctor *d)
{
	static const char *const shells[] = { "sshd", "su", "sudo", "login" };
	struct service_settings set;
	char source[256], fix[128];

	settings_service(d->c->settings, d->service, &set);
	if (set.observe) {
		snprintf(fix, sizeof fix, "magotpctl enable %s --confirm 10m", d->service);
		found(d, "observe", DOCTOR_WARNING, fix,
			"it is only watched: nobody is asked or refused");
	}
	for (size_t i = 0; i < 4; i++)
		if (set.skip && mag_streq(d->service, shells[i])) {
			const struct finding f = { .id = "skip",
				.severity = DOCTOR_WARNING,
				.subject = d->service,
				.file = settings_source(
					d->c->settings, d->service, "skip", source, sizeof source),
				.fix = "skip = no" };

			doctor_found(d, &f,
				"skip = yes: whoever has the password enters the owner's "
				"account and waits there");
		}
	if (set.skip && set.reuse)
		found(d, "skip-reuse", DOCTOR_ERROR, "skip = no, or reuse = 0",
			"skip and reuse together are no second factor");
}

/* sudo skips the auth lines for a while after a password; the account line then refuses. */
static void check_sudo(struct doctor *d)
{
	static const char *const places[] = { "/etc/sudoers", "/etc/sudoers.d/*" };
	struct service_settings set;
	bool set_there = false;

	settings_service(d->c->settings, d->service, &set);
	if (!d->ours || !mag_has_prefix(d->service, "sudo") || set.reuse)
		return;
	for (size_t i = 0; i < 2 && !set_there; i++) {
		glob_t g;

		if (glob(places[i], 0, NULL, &g))
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++) {
			char *text = file_read(g.gl_pathv[k], NULL);

			set_there |= text && strstr(text, "timestamp_timeout=0");
			free(text);
		}
		globfree(&g);
	}
	if (set_there)
		doctor_ok(d, "sudo-timestamp", "sudo asks each time");
	else
		found(d, "sudo-timestamp", DOCTOR_WARNING,
			"Defaults timestamp_timeout=0 in /etc/sudoers.d, or reuse = 8h",
			"sudo skips the code for 15 minutes, and is then refused");
}

/* Who has nothing to be asked for would be refused. */
static void check_accounts(struct doctor *d)
{
	struct wire_overview_rep p = { 0 };
	struct service_settings set;
	const struct finding f = { .id = "unenrolled",
		.severity = DOCTOR_WARNING,
		.fix = "magotpctl account list --state pending" };

	settings_service(d->c->settings, d->service, &set);
	if (!d->broker || d->bare_asked || set.unenrolled != UNENROLLED_DENY ||
		client_call(&d->c->client, WIRE_MSG_OVERVIEW, NULL, &d->c->result, &p) ||
		d->c->result.error)
		return;
	d->bare_asked = true;
	if (p.bare)
		doctor_found(d, &f, "%lld of %lld account%s without a second factor: refused",
			(long long)p.bare, (long long)p.accounts, p.accounts == 1 ? "" : "s");
	else
		doctor_ok(d, "unenrolled", "each of %lld accounts has a second factor",
			(long long)p.accounts);
}

static void check_user(struct doctor *d)
{
	struct wire_explain_req q = { 0 };
	struct wire_explain_rep *p = d->user && d->broker ? calloc(1, sizeof *p) : NULL;
	char text[200], fix[400];
	struct pam_line l = { 0 };

	if (!p)
		return;
	(void)pam_read(d->pam_dir, d->service, &l);
	mag_copy(q.user, sizeof q.user, d->user);
	mag_copy(q.service, sizeof q.service, *l.service ? l.service : d->service);
	mag_copy(q.require, sizeof q.require, l.require);
	mag_copy(q.mode, sizeof q.mode, l.mode);
	mag_copy(q.unenrolled, sizeof q.unenrolled, l.unenrolled);
	q.level = (uint32_t)l.level;
	if (!client_call(&d->c->client, WIRE_MSG_EXPLAIN, &q, &d->c->result, p) &&
		!d->c->result.error) {
		snprintf(fix, sizeof fix, "magotpctl explain %s %s", d->service, d->user);
		snprintf(text, sizeof text, "%.100s would be refused (%s)", d->user, p->reason);
		if (p->decision == DECISION_DENY || p->decision == DECISION_NONE)
			found(d, "user", DOCTOR_ERROR, fix, text);
		else if (!getpwnam(d->user))
			found(d, "user", DOCTOR_WARNING, NULL, "this host does not know that user");
		else
			doctor_ok(d, "user", "%s would be let in", d->user);
	}
	free(p);
}

const struct doctor_check doctor_service[] = {
	{ "pam-auth", check_stack },
	{ "pam-options", check_line },
	{ "password-service", doctor_password },
	{ "sshd", doctor_sshd },
	{ "observe", check_policy },
	{ "sudo-timestamp", check_sudo },
	{ "unenrolled", check_accounts },
	{ "user", check_user },
	{ NULL, NULL },
};
