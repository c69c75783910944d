/* magotpctl try: a login through a service's stack, on this terminal, before or after
 * it is enabled. The stack is a copy: nothing is put in place by trying. */
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/pamedit.h"
#include "magotp/pamstack.h"
#include "magotp/recipe.h"
#include "magotp/replace.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/login/flow.h"

#define PAM_DIR "/etc/pam.d"

struct trying {
	struct cli *c;
	const char *service, *dir, *from;
	char folder[64]; /* the copy; "" none yet */
	bool enabled;    /* our module is in the stack already */
	bool not_root;   /* what lets root alone through was left out */
	char said[300];  /* the helper's last line */
	int status;
	struct wire_explain_rep last;
};

/* ---- the copy: links to files that need no change ---- */
static void folder_remove(struct trying *t)
{
	DIR *d = *t->folder ? opendir(t->folder) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (*e->d_name != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	if (*t->folder)
		rmdir(t->folder);
}

/* Root tries it for somebody else: what lets the caller through because it is root would
 * show nothing. */
static int put_copy(const struct trying *t, const char *from, const char *to)
{
	char *text = file_read(from, NULL), *bare = NULL;
	int r = text && pam_edit_copy(text, t->folder, &bare) ? -1 : 0;

	if (!r)
		r = bare && !mag_streq(bare, text) ? file_write(to, bare, 0600) : symlink(from, to);
	free(text);
	free(bare);
	return r;
}

static int copy_all(struct trying *t)
{
	DIR *d = opendir(t->dir);
	char from[600], to[400];
	struct dirent *e;
	int r = d ? 0 : -1;

	while (!r && d && (e = readdir(d))) {
		if (*e->d_name == '.' || mag_streq(e->d_name, t->service) ||
			strlen(e->d_name) > 200)
			continue;
		snprintf(from, sizeof from, "%s/%s", t->dir, e->d_name);
		snprintf(to, sizeof to, "%s/%s", t->folder, e->d_name);
		r = put_copy(t, from, to);
	}
	if (d)
		closedir(d);
	return r;
}

static int make_copy(struct trying *t, const char *text)
{
	char path[200], *bare = NULL;
	int r = CLI_DONE;

	mag_copy(t->folder, sizeof t->folder, "/run/magotp-try-XXXXXX");
	if (!mkdtemp(t->folder)) {
		*t->folder = 0;
		return cli_fail(t->c, CLI_REFUSED, "failed", "/run: %s", strerror(errno));
	}
	snprintf(path, sizeof path, "%s/%.100s", t->folder, t->service);
	if (pam_edit_copy(text, t->folder, &bare) || copy_all(t) || file_write(path, bare, 0600))
		r = cli_fail(t->c, CLI_REFUSED, "failed", "%s: %s", t->folder, strerror(errno));
	free(bare);
	return r;
}

/* Does the copy differ from the stack that it is made of? */
static void compare(struct trying *t, const char *text)
{
	struct pam_stack *s = calloc(2, sizeof *s);

	if (s && !pam_stack_read(t->dir, t->service, text, PAM_AUTH, &s[0]) &&
		!pam_stack_read(t->folder, t->service, NULL, PAM_AUTH, &s[1]))
		for (size_t i = 0; i < s[0].n && i < s[1].n; i++)
			t->not_root |= !mag_streq(s[0].rules[i].module, s[1].rules[i].module);
	free(s);
}

/* The stack as it is, or as `enable` would make it. */
static int prepare(struct trying *t)
{
	struct pam_stack *s = calloc(1, sizeof *s);
	char path[400], why[RECIPE_ERROR_MAX] = "", *text, *fresh = NULL;
	int r = CLI_DONE;

	snprintf(path, sizeof path, "%s/%s", t->dir, t->service);
	text = file_read(path, NULL);
	if (!text || !s) {
		r = cli_fail(t->c, CLI_REFUSED, "failed", "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!pam_stack_read(t->dir, t->service, text, PAM_AUTH, s))
		for (size_t i = 0; i < s->n; i++)
			t->enabled |= mag_streq(s->rules[i].module, "pam_magotp.so");
	if (!t->enabled && recipe_apply(t->dir, t->service, text, false, &fresh, why))
		r = cli_fail(t->c, CLI_REFUSED, "pam-stack", "%s cannot be tried: %s.", path, why);
	if (r == CLI_DONE)
		r = make_copy(t, fresh ? fresh : text);
	if (r == CLI_DONE)
		compare(t, fresh ? fresh : text);
out:
	free(s);
	free(text);
	free(fresh);
	return r;
}

/* ---- the login ---- */
static int converse(struct trying *t)
{
	char program[600], line[300];
	char *argv[] = { program, t->folder, (char *)t->service, t->c->user, (char *)t->from,
		NULL };
	FILE *out = tmpfile();
	void (*interrupt)(int);
	int saved, r = CLI_DONE;

	if (cli_own_program("pam-try", program, sizeof program) || !out) {
		if (out)
			fclose(out);
		return cli_fail(t->c, CLI_REFUSED, "failed", "pam-try is not installed.");
	}
	/* Its answer comes on standard output, the conversation is on standard error. */
	fflush(stdout);
	interrupt = signal(SIGINT, SIG_IGN); /* the helper's: it has the terminal in hand */
	saved = dup(STDOUT_FILENO);
	if (saved < 0 || dup2(fileno(out), STDOUT_FILENO) < 0 || cli_spawn(argv, &t->status))
		r = cli_fail(t->c, CLI_REFUSED, "failed", "%s cannot be run.", program);
	if (saved >= 0) {
		dup2(saved, STDOUT_FILENO);
		close(saved);
	}
	signal(SIGINT, interrupt);
	rewind(out);
	while (fgets(line, sizeof line, out))
		mag_clean(t->said, sizeof t->said, strtok(line, "\n"));
	fclose(out);
	return r;
}

/* Why: what the broker wrote down of it, if it came that far. */
static void ask_broker(struct trying *t, int64_t since)
{
	struct wire_explain_req q = { .last = 1 };

	mag_copy(q.user, sizeof q.user, t->c->user);
	mag_copy(q.service, sizeof q.service, t->service);
	if (client_call(&t->c->client, WIRE_MSG_EXPLAIN, &q, &t->c->result, &t->last) ||
		t->c->result.error || t->c->result.verdict != VERDICT_OK || t->last.last_at < since)
		memset(&t->last, 0, sizeof t->last);
}

/* "auth 0 phone-otp", "account 6 Permission denied": the words behind the number. */
static const char *words(const struct trying *t)
{
	const char *p = strchr(t->said, ' ');

	p = p ? strchr(p + 1, ' ') : NULL;
	return p ? p + 1 : "it ended without an answer";
}

static void tell(struct trying *t)
{
	bool in = t->status == 0, account = mag_has_prefix(t->said, "account");
	const char *verdict = t->last.last_verdict;

	if (in)
		cli_say(t->c, "%s would be LET IN: %s.", t->c->user, words(t));
	else
		cli_say(t->c, "%s would be REFUSED in the %s phase: %s.", t->c->user,
			account ? "account" : "auth", words(t));
	if (!in && *verdict && !mag_streq(verdict, verdict_id(VERDICT_OK)) &&
		!mag_streq(verdict, verdict_id(VERDICT_NONE)))
		cli_say(t->c, "Verdict   %s: %s", verdict,
			flow_verdict_text(verdict_from_id(verdict)));
	explain_reasons(t->c, t->service, t->c->user);
	if (t->not_root)
		cli_note(t->c,
			"Lines that let root through (pam_rootok) were left out: this is what "
			"anybody else meets. root itself is not asked.");
	cli_note(t->c, t->enabled ? "No session was opened."
				  : "No session was opened, and nothing was enabled: the lines are "
				    "those that magotpctl enable would put in.");
}

static void tell_json(struct trying *t)
{
	struct json_object *o = json_object_new_object();
	bool in = t->status == 0;

	json_object_object_add(o, "service", json_object_new_string(t->service));
	json_object_object_add(o, "account", json_object_new_string(t->c->user));
	json_object_object_add(o, "let_in", json_object_new_boolean(in));
	json_object_object_add(o, "phase",
		json_object_new_string(mag_has_prefix(t->said, "account") ? "account" : "auth"));
	json_object_object_add(o, "strength", in ? json_object_new_string(words(t)) : NULL);
	json_object_object_add(o, "verdict",
		*t->last.last_verdict ? json_object_new_string(t->last.last_verdict) : NULL);
	json_object_object_add(o, "enabled", json_object_new_boolean(t->enabled));
	json_object_object_add(o, "root_left_out", json_object_new_boolean(t->not_root));
	cli_json_print(&o);
}

int cmd_try(struct cli *c)
{
	struct trying *t = calloc(1, sizeof *t);
	const char *dir = cli_opt(c, "--pam-dir");
	int64_t since = (int64_t)time(NULL);
	int r;

	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	t->c = c;
	t->service = cli_arg(c, 0);
	t->dir = dir ? dir : PAM_DIR;
	t->from = cli_opt(c, "--from");
	if (geteuid() != 0)
		r = cli_fail(c, CLI_REFUSED, "not-allowed", "Only root may try a login.");
	else if (recipe_refuses(t->service) || mag_copy(c->user, sizeof c->user, cli_arg(c, 1)))
		r = cli_usage(c, "%s: not a service to try, or the name is too long", t->service);
	else if (!cli_can_ask())
		r = cli_usage(c, "there is no terminal to log in on");
	else
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = prepare(t);
	if (r == CLI_DONE)
		r = converse(t);
	folder_remove(t);
	if (r == CLI_DONE && t->status > 128)
		r = CLI_INTERRUPTED;
	if (r == CLI_DONE) {
		ask_broker(t, since);
		if (c->json)
			tell_json(t);
		else
			tell(t);
		r = t->status ? CLI_REFUSED : CLI_DONE;
	}
	free(t);
	return r;
}
