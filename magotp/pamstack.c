#include "magotp/pamstack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magotp/pamfile.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define DEPTH_MAX 8

static const char *const phases[] = { "auth", "account", "session", "password" };

struct reading {
	const char *dir;
	struct pam_stack *s;
	int depth, level, top_line, top_first;
};

static int read_service(struct reading *g, const char *name, const char *text);

/* ---- lines ---- */

static int action(const char *name, size_t len)
{
	static const struct {
		const char *name;
		int action;
	} actions[] = { { "ok", PAM_OK }, { "done", PAM_DONE }, { "bad", PAM_BAD },
		{ "die", PAM_DIE }, { "ignore", PAM_PASS }, { "reset", PAM_RESET } };
	int n = 0;

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strlen(actions[i].name) == len && !strncmp(actions[i].name, name, len))
			return actions[i].action;
	for (size_t i = 0; i < len && name[i] >= '0' && name[i] <= '9' && n < 1000; i++)
		n = n * 10 + name[i] - '0';
	return n ? n : PAM_BAD;
}

/* What stands for a return value in "[success=1 default=ignore]". */
static bool bracketed(const char *control, const char *value, int *action_r)
{
	size_t len = strlen(value);

	for (const char *p = control + 1; *p && *p != ']';) {
		size_t n = strcspn(p, " \t]"), eq = strcspn(p, "=");

		if (eq < n && eq == len && !strncmp(p, value, len)) {
			*action_r = action(p + eq + 1, n - eq - 1);
			return true;
		}
		p += n;
		p += strspn(p, " \t");
	}
	return false;
}

static bool read_control(const char *control, struct pam_rule *r)
{
	static const struct {
		const char *name;
		int success, failure;
	} words[] = { { "required", PAM_OK, PAM_BAD }, { "requisite", PAM_OK, PAM_DIE },
		{ "sufficient", PAM_DONE, PAM_PASS }, { "optional", PAM_OK, PAM_PASS } };

	if (*control == '[') {
		if (!bracketed(control, "success", &r->success) &&
			!bracketed(control, "default", &r->success))
			r->success = PAM_BAD;
		if (!bracketed(control, "auth_err", &r->failure) &&
			!bracketed(control, "default", &r->failure))
			r->failure = PAM_BAD;
		if (!bracketed(control, "ignore", &r->neutral) &&
			!bracketed(control, "default", &r->neutral))
			r->neutral = PAM_PASS;
		return true;
	}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (mag_streq(words[i].name, control)) {
			r->success = words[i].success;
			r->failure = words[i].failure;
			r->neutral = PAM_PASS;
			return true;
		}
	return false;
}

static int add_rule(struct reading *g, const char *file, int line, const char *control,
	const char *module, char *args)
{
	const char *base = strrchr(module, '/');
	struct pam_rule *r;

	if (g->s->n == PAM_RULES_MAX)
		return MAG_ERANGE;
	r = &g->s->rules[g->s->n];
	*r = (struct pam_rule){ .line = line,
		.level = g->level,
		.top_line = g->depth == 1 ? line : g->top_line,
		.top_first = g->top_first };
	if (!read_control(control, r))
		return MAG_ESYNTAX;
	mag_copy(r->file, sizeof r->file, file);
	if (mag_copy(r->module, sizeof r->module, base ? base + 1 : module))
		return MAG_ERANGE;
	args += strspn(args, " \t");
	snprintf(r->args, sizeof r->args, "%s", args);
	g->s->n++;
	return 0;
}

static int one_line(struct reading *g, const char *file, int line, char *text)
{
	const char *phase = phases[g->s->phase];
	char *p = text, *type, *control, *module;
	int r;

	text[strcspn(text, "#")] = 0;
	type = pam_word(&p);
	if (!type)
		return 0;
	if (g->depth == 1)
		g->top_line = line;
	if (mag_streq(type, "@include")) {
		module = pam_word(&p);
		return module ? read_service(g, module, NULL) : MAG_ESYNTAX;
	}
	control = pam_word(&p);
	module = pam_word(&p);
	if (*type == '-')
		type++;
	if (!mag_streq(type, phase)) /* of another phase; that there is one is enough */
		return control && module ? 0 : MAG_ESYNTAX;
	if (!control || !module)
		return MAG_ESYNTAX;
	if (mag_streq(control, "include"))
		return read_service(g, module, NULL);
	if (!mag_streq(control, "substack"))
		return add_rule(g, file, line, control, module, p);
	g->level++;
	r = read_service(g, module, NULL);
	g->level--;
	return r;
}

static int read_text(struct reading *g, const char *file, const char *text)
{
	char line[2048];
	size_t len = 0;
	int n = 0, r = 0;

	while (!r && *text) {
		size_t raw = strcspn(text, "\n"), take = raw;

		n++;
		if (!len && g->depth == 1)
			g->top_first = n;
		if (len + take >= sizeof line)
			return MAG_ERANGE;
		memcpy(line + len, text, take);
		len += take;
		text += raw + (text[raw] == '\n');
		if (len && line[len - 1] == '\r')
			len--;
		if (len && line[len - 1] == '\\') {
			line[len - 1] = ' '; /* goes on in the next line */
			continue;
		}
		line[len] = 0;
		len = 0;
		r = one_line(g, file, n, line);
	}
	return r;
}

static char *slurp(const char *path)
{
	enum { MAX = 256 * 1024 };
	FILE *f = fopen(path, "re");
	char *text = f ? malloc(MAX) : NULL;
	size_t n = text ? fread(text, 1, MAX - 1, f) : 0;

	if (text)
		text[n] = 0;
	if (f)
		fclose(f);
	return text;
}

static int read_service(struct reading *g, const char *name, const char *text)
{
	char path[512];
	char *own = NULL;
	int r;

	if (g->depth == DEPTH_MAX)
		return MAG_ERANGE;
	if (snprintf(path, sizeof path, *name == '/' ? "%.0s%s" : "%s/%s", g->dir, name) >=
		(int)sizeof path)
		return MAG_ERANGE;
	if (!text && !(text = own = slurp(path)))
		return MAG_ESYS;
	g->depth++;
	r = read_text(g, path, text);
	g->depth--;
	free(own);
	return r;
}

int pam_stack_read(const char *dir, const char *service, const char *text, enum pam_phase phase,
	struct pam_stack *s_r)
{
	struct reading g = { .dir = dir, .s = s_r };

	s_r->phase = phase;
	s_r->n = 0;
	if (strchr(service, '/'))
		return MAG_EINVAL;
	return read_service(&g, service, text);
}

/* ---- judging ---- */
static bool is_one_of(const char *module, const char *const *names)
{
	for (; *names; names++)
		if (mag_streq(module, *names))
			return true;
	return false;
}

bool pam_checks_password(const struct pam_rule *r)
{
	static const char *const names[] = { "pam_unix.so", "pam_sss.so", "pam_ldap.so",
		"pam_krb5.so", "pam_winbind.so", "pam_tcb.so", "pam_pwdfile.so", "pam_userdb.so",
		"pam_mysql.so", "pam_pgsql.so", "pam_radius_auth.so", "pam_tacplus.so",
		"pam_systemd_home.so", "pam_himmelblau.so", NULL };

	return is_one_of(r->module, names);
}

/* Lets through root alone, who needs none of this. */
static bool for_root_only(const struct pam_rule *r)
{
	static const char *const conditions[] = { "uid = 0", "uid eq 0", "ruser = root",
		"user = root", NULL };

	if (mag_streq(r->module, "pam_rootok.so"))
		return true;
	if (!mag_streq(r->module, "pam_succeed_if.so"))
		return false;
	for (size_t i = 0; conditions[i]; i++)
		if (strstr(r->args, conditions[i]))
			return true;
	return false;
}

enum impression { UNDECIDED, GOOD, BAD };
enum outcome { SUCCEEDS, FAILS, IGNORES };

/* A place on a way through the stack. */
struct place {
	size_t at;
	enum impression impression;
	bool proven; /* a password module said yes */
};

struct walk {
	const struct pam_stack *s;
	struct pam_finding *f;
	bool seen[PAM_RULES_MAX + 1][3][2];
	const struct pam_rule *failed; /* a password module on this way */
};

/* Past the end of the substack that rule `at` is in; the end, outside of one. */
static size_t leave(const struct pam_stack *s, size_t at)
{
	int level = s->rules[at].level;

	if (!level)
		return s->n;
	for (at++; at < s->n && s->rules[at].level >= level; at++)
		;
	return at;
}

/* Over `n` lines of the same level; a substack is one. */
static size_t skip(const struct pam_stack *s, size_t at, int n)
{
	int level = s->rules[at].level;

	for (at++; n-- && at < s->n && s->rules[at].level >= level;)
		for (at++; at < s->n && s->rules[at].level > level; at++)
			;
	return at;
}

static void follow(struct walk *w, struct place p);

/* One outcome of the module at p.at; where it leads. */
static void step(struct walk *w, struct place p, enum outcome o)
{
	const struct pam_rule *r = &w->s->rules[p.at];
	int act = o == SUCCEEDS ? r->success : o == FAILS ? r->failure : r->neutral;
	size_t next = p.at + 1;

	p.proven |= o == SUCCEEDS && pam_checks_password(r);
	if (act == PAM_BAD || act == PAM_DIE)
		p.impression = BAD;
	else if ((act == PAM_OK || act == PAM_DONE || act > 0) && o == SUCCEEDS &&
		 p.impression == UNDECIDED)
		p.impression = GOOD;
	else if (act == PAM_RESET)
		p.impression = UNDECIDED;
	/* "ok" to a failure makes it the result, which is a failure. */
	if ((act == PAM_OK || act == PAM_DONE) && o == FAILS)
		p.impression = BAD;
	if (act == PAM_DIE || (act == PAM_DONE && p.impression == GOOD))
		next = leave(w->s, p.at);
	else if (act > 0)
		next = skip(w->s, p.at, act);
	if (next == w->s->n && p.impression == GOOD && !w->f->way_round)
		w->f->way_round = r;
	p.at = next;
	follow(w, p);
}

static void follow(struct walk *w, struct place p)
{
	const struct pam_rule *r, *failed = w->failed;
	bool password;

	if (p.at >= w->s->n || w->seen[p.at][p.impression][p.proven])
		return;
	w->seen[p.at][p.impression][p.proven] = true;
	r = &w->s->rules[p.at];
	if (p.at == w->f->magotp) {
		if (!p.proven && !w->f->vouches) {
			w->f->unproven = true;
			if (failed && !w->f->no_stop)
				w->f->no_stop = failed;
		}
		return; /* it is asked: no way leads round it */
	}
	password = pam_checks_password(r);
	if (password)
		w->failed = r;
	if (!mag_streq(r->module, "pam_permit.so"))
		step(w, p, FAILS);
	w->failed = failed;
	if (mag_streq(r->module, "pam_deny.so") || for_root_only(r))
		return;
	step(w, p, SUCCEEDS);
	if (!password && !mag_streq(r->module, "pam_permit.so"))
		step(w, p, IGNORES);
}

/* The words among the arguments of our line that say who proves the password. */
static bool proves_itself(const char *args)
{
	static const char *const names[] = { "prompt_password", "first=publickey", NULL };

	for (size_t i = 0; names[i]; i++) {
		const char *p = strstr(args, names[i]);

		if (p && (p == args || p[-1] == ' ' || p[-1] == '\t'))
			return true;
	}
	return false;
}

void pam_stack_judge(const struct pam_stack *s, struct pam_finding *f_r)
{
	struct pam_finding f = { .magotp = s->n };
	struct walk *w;

	for (size_t i = 0; i < s->n && !f.found; i++)
		if (mag_streq(s->rules[i].module, "pam_magotp.so")) {
			f.found = true;
			f.magotp = i;
		}
	if (f.found) {
		const struct pam_rule *r = &s->rules[f.magotp];

		f.vouches = s->phase != PAM_AUTH || proves_itself(r->args);
		f.soft = (r->failure != PAM_BAD && r->failure != PAM_DIE);
	}
	*f_r = f;
	w = calloc(1, sizeof *w);
	if (!w) { /* not looked at is not good */
		f_r->unproven = f_r->soft = true;
		return;
	}
	w->s = s;
	w->f = f_r;
	if (f.found)
		follow(w, (struct place){ 0 });
	free(w);
}
