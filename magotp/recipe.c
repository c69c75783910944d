#include "magotp/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magotp/pamedit.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define LINES_MAX 400

/* su and sudo keep the caller's session. root's own su and sudo prove nothing, so that
 * an account line would stop them; su has no way in but its auth lines. */
static const struct recipe recipes[] = {
	{ "sshd", true, true, NULL, NULL, NULL },
	{ "su", false, false, NULL, NULL, NULL },
	{ "su-l", false, false, NULL, NULL, NULL },
	{ "sudo", true, false,
		"account    [success=1 default=ignore] pam_succeed_if.so quiet ruser = root\n",
		"service=sudo",
		"sudo remembers a password for 15 minutes and is then refused by the account line: "
		"put 'Defaults timestamp_timeout=0' into /etc/sudoers.d (see sudoers-magotp in the "
		"examples)." },
	{ "sudo-i", true, false,
		"account    [success=1 default=ignore] pam_succeed_if.so quiet ruser = root\n",
		"service=sudo", NULL },
	{ NULL, true, true, NULL, NULL, NULL },
};

const char *recipe_refuses(const char *service)
{
	static const struct {
		const char *service, *why;
	} table[] = {
		{ "common-", "other services include it; enable those one by one" },
		{ "magotp-", "it checks the password for pam_magotp itself" },
		{ "other", "it stands for services that have no file" },
		{ "cron", "nobody is there to be asked; see cron in the examples" },
		{ "atd", "nobody is there to be asked; see cron in the examples" },
		{ "systemd-user", "nobody is there to be asked" },
		{ "runuser", "it is root's and asks nobody" },
		{ "passwd", "it changes passwords" },
		{ "chpasswd", "it changes passwords" },
		{ "newusers", "it changes passwords" },
	};

	if (!*service || strchr(service, '/') || *service == '.' || strlen(service) > 64)
		return "it is no service's name";
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = strlen(table[i].service);

		if (table[i].service[len - 1] == '-' ? mag_has_prefix(service, table[i].service)
						     : mag_streq(service, table[i].service))
			return table[i].why;
	}
	return NULL;
}

const struct recipe *recipe_for(const char *service)
{
	const struct recipe *r = recipes;

	while (r->service && !mag_streq(r->service, service))
		r++;
	return r;
}

const struct recipe *recipe_for_stack(const char *service, const struct pam_stack *auth)
{
	const struct recipe *r = recipe_for(service);

	for (size_t i = 0; i < auth->n; i++)
		if (mag_streq(auth->rules[i].module, "pam_magotp.so")) {
			const char *name = strrchr(auth->rules[i].file, '/');
			const struct recipe *there =
				recipe_for(name ? name + 1 : auth->rules[i].file);

			return r->account && !there->account ? there : r;
		}
	return r;
}

/* "auth       required   pam_magotp.so service=sudo" */
static void our_line(const struct recipe *r, const char *phase, bool observe, struct mag_buf *b)
{
	bool session = mag_streq(phase, "session");

	if (r->condition && mag_streq(phase, "account"))
		mag_buf_puts(b, r->condition);
	/* Watching only: neither a broker that is down nor a session that cannot be
	 * written down stops anybody. */
	mag_buf_printf(b, "%-10s %-10s pam_magotp.so%s%s%s\n", phase,
		observe && session ? "optional" : "required", r->option ? " " : "",
		r->option ? r->option : "", observe && !session ? " broker_down=allow" : "");
}

void recipe_lines(const char *service, char *buf, size_t cap)
{
	const struct recipe *r = recipe_for(service);
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	our_line(r, "auth", false, &b);
	if (r->account)
		our_line(r, "account", false, &b);
	if (r->session)
		our_line(r, "session", false, &b);
}

void recipe_fault(const struct pam_stack *s, const struct pam_finding *f, char *why, size_t cap)
{
	const struct pam_rule *r;

	*why = 0;
	if (!f->found) {
		snprintf(why, cap, "pam_magotp is not in its %s lines",
			s->phase == PAM_AUTH ? "auth" : "account");
		return;
	}
	if ((r = f->way_round))
		snprintf(why, cap, "%s:%d: a success of %s ends the stack before pam_magotp",
			r->file, r->line, r->module);
	else if ((r = f->no_stop))
		snprintf(why, cap,
			"%s:%d: after a wrong password %s goes on to pam_magotp; it must be "
			"requisite",
			r->file, r->line, r->module);
	else if (f->unproven)
		snprintf(why, cap, "no module before pam_magotp checks a password");
	else if (f->soft)
		snprintf(why, cap,
			"%s:%d: a refusal of pam_magotp does not count there; it must be "
			"required",
			s->rules[f->magotp].file, s->rules[f->magotp].line);
}

/* ---- where they go ---- */
static int stack_of(const char *dir, const char *service, const char *text, enum pam_phase phase,
	struct pam_stack **s_r, char why[RECIPE_ERROR_MAX])
{
	struct pam_stack *s = calloc(1, sizeof *s);
	const struct pam_rule *last;
	int r;

	if (!s)
		return MAG_ENOMEM;
	r = pam_stack_read(dir, service, text, phase, s);
	if (r) {
		last = s->n ? &s->rules[s->n - 1] : NULL;
		snprintf(why, RECIPE_ERROR_MAX, "%s/%s is not understood (%s%s%s)", dir, service,
			r == MAG_ESYS ? "it includes a file that is not there" : mag_strerror(r),
			last ? "; the last line that was: " : "", last ? last->module : "");
		free(s);
		return MAG_EINVAL;
	}
	*s_r = s;
	return 0;
}

/* Line ends in the file itself: after the last line that checks a password (auth,
 * session: also that sets the login uid), or before the first (account: an expired
 * password ends Debian's common-account, and our line would be left out). */
static bool place(const struct pam_stack *s, struct pam_insert *in)
{
	in->after = in->before = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct pam_rule *r = &s->rules[i];
		bool anchor = pam_checks_password(r);

		if (s->phase == PAM_SESSION)
			anchor |= mag_streq(r->module, "pam_loginuid.so");
		if (!anchor)
			continue;
		if (s->phase == PAM_ACCOUNT && !in->before)
			in->before = r->top_first;
		else if (s->phase != PAM_ACCOUNT)
			in->after = r->top_line;
	}
	return in->after || in->before;
}

/* Ours stands in the stack already: in another file that is all the service needs? */
static int there_already(
	const char *service, const struct pam_stack *s, size_t at, char why[RECIPE_ERROR_MAX])
{
	const struct pam_rule *r = &s->rules[at];
	const char *name = strrchr(r->file, '/');

	name = name ? name + 1 : r->file;
	if (s->phase == PAM_AUTH && !mag_streq(name, service) && !strstr(r->args, "listed_only") &&
		!recipe_for_stack(service, s)->account) {
		snprintf(why, RECIPE_ERROR_MAX,
			"it asks already, because it includes %.64s (%.256s:%d); what is done for "
			"%.64s "
			"counts here, too",
			name, r->file, r->line, name);
		return MAG_EEXISTS;
	}
	snprintf(why, RECIPE_ERROR_MAX, "%s:%d has pam_magotp already%s", r->file, r->line,
		strstr(r->args, "listed_only")
			? "; a line in /etc/magotp/listed enables a service there"
			: "");
	return MAG_EINVAL;
}

static int plan(const char *dir, const char *service, const char *text, enum pam_phase phase,
	struct pam_insert *in, char why[RECIPE_ERROR_MAX])
{
	static const char *const names[] = { "auth", "account", "session", "password" };
	struct pam_stack *s = NULL;
	int r = stack_of(dir, service, text, phase, &s, why);

	if (!r && !place(s, in)) {
		snprintf(why, RECIPE_ERROR_MAX,
			"%s/%s has no %s line of a module that checks passwords", dir, service,
			names[phase]);
		r = MAG_EINVAL;
	}
	for (size_t i = 0; !r && i < s->n; i++)
		if (mag_streq(s->rules[i].module, "pam_magotp.so"))
			r = there_already(service, s, i, why);
	free(s);
	return r;
}

static int judge(const char *dir, const char *service, const char *text, enum pam_phase phase,
	char why[RECIPE_ERROR_MAX])
{
	struct pam_stack *s = NULL;
	struct pam_finding f;
	int r = stack_of(dir, service, text, phase, &s, why);

	if (!r) {
		pam_stack_judge(s, &f);
		recipe_fault(s, &f, why, RECIPE_ERROR_MAX);
		r = *why ? MAG_EINVAL : 0;
	}
	free(s);
	return r;
}

int recipe_apply(const char *dir, const char *service, const char *text, bool observe, char **out_r,
	char why[RECIPE_ERROR_MAX])
{
	static const char *const names[] = { "auth", "account", "session" };
	const struct recipe *rec = recipe_for(service);
	struct pam_insert in[3];
	char lines[3][LINES_MAX], *bare = NULL, *out = NULL;
	size_t n = 0;
	int r;

	*why = 0;
	r = pam_edit_strip(text, &bare, NULL);
	if (r == MAG_ESYNTAX)
		snprintf(why, RECIPE_ERROR_MAX, "a mark of ours in it has lost its counterpart");
	for (int phase = PAM_AUTH; !r && phase <= PAM_SESSION; phase++) {
		struct mag_buf b;

		if ((phase == PAM_ACCOUNT && !rec->account) ||
			(phase == PAM_SESSION && !rec->session))
			continue;
		mag_buf_init(&b, lines[n], sizeof lines[n]);
		our_line(rec, names[phase], observe, &b);
		in[n].lines = lines[n];
		r = plan(dir, service, bare, (enum pam_phase)phase, &in[n], why);
		n++;
	}
	if (!r) {
		r = pam_edit_insert(bare, in, n, &out);
		if (r == MAG_ERANGE)
			snprintf(why, RECIPE_ERROR_MAX, "its last line has no line end");
	}
	if (!r)
		r = judge(dir, service, out, PAM_AUTH, why);
	if (!r && rec->account)
		r = judge(dir, service, out, PAM_ACCOUNT, why);
	free(bare);
	if (r) {
		free(out);
		return r == MAG_ENOMEM || r == MAG_EEXISTS ? r : MAG_EINVAL;
	}
	*out_r = out;
	return 0;
}
