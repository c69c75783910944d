/* magotpctl enable: a service gets our lines without anybody being locked out by it. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/enable.h"
#include "magotp/pamedit.h"
#include "magotp/recipe.h"
#include "magotp/replace.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

static int refuse_by_hand(struct work *w, const char *why)
{
	char lines[500], more[700];

	recipe_lines(w->e.service, lines, sizeof lines);
	snprintf(more, sizeof more,
		"By hand, below the lines that require the password:\n%s"
		"pam_magotp(8) shows whole stacks.",
		lines);
	return cli_fail_lines(w->c, "pam-stack", more, "%s was left alone: %s.", w->pam_file, why);
}

static int look_at_stack(struct work *w)
{
	char why[RECIPE_ERROR_MAX];
	int r;

	w->text = file_read(w->pam_file, NULL);
	if (!w->text)
		return enable_failed(w->c, w->pam_file);
	r = recipe_apply(w->e.pam, w->e.service, w->text, w->e.observe, &w->fresh, why);
	if (r == MAG_ENOMEM)
		return cli_fail(w->c, CLI_REFUSED, "no-memory", "Out of memory.");
	if (r == MAG_EEXISTS)
		return cli_fail(
			w->c, CLI_REFUSED, "included", "%s was left alone: %s.", w->pam_file, why);
	return r ? refuse_by_hand(w, why) : CLI_DONE;
}

/* The lines that come in, with their neighbours. */
static void show(const struct work *w)
{
	const char *p = w->fresh, *before = NULL;
	bool inside = false;

	cli_say(w->c, "%s", w->pam_file);
	while (*p) {
		int len = (int)strcspn(p, "\n");
		bool begins = !strncmp(p, PAMEDIT_BEGIN, strlen(PAMEDIT_BEGIN));

		if (begins && before)
			cli_say(w->c, "    %.*s", (int)strcspn(before, "\n"), before);
		inside |= begins;
		if (inside)
			cli_say(w->c, "  + %.*s", len, p);
		if (!strncmp(p, PAMEDIT_END, strlen(PAMEDIT_END)))
			inside = false;
		before = p;
		p += len + (p[len] == '\n');
	}
	if (enable_wants_sshd(w))
		cli_say(w->c, SSHD_DROPIN "\n%s", sshd_dropin(w->e.observe));
	if (w->e.observe)
		cli_say(w->c, "%s\n  [service %s]\n  observe = yes", w->observe_file, w->e.service);
	cli_note(w->c, "Nothing was changed.");
}

/* Who could not log in any more because nothing is there to ask? */
static int look_around(struct work *w)
{
	struct wire_ping_rep p = { 0 };
	int r = CLI_DONE;

	if (w->ours && access(PAMDIR "/pam_magotp.so", R_OK))
		return cli_fail(w->c, CLI_REFUSED, "module",
			PAMDIR "/pam_magotp.so is not there: every login would be refused.");
	r = cli_call(w->c, WIRE_MSG_PING, NULL, &p);
	return r;
}

/* The original beside, root's alone, before anything is touched. */
static int keep(struct work *w)
{
	char *bare = NULL;
	int r;

	if (enabled_folder(w->e.config))
		return enable_failed(w->c, "the folder for what was enabled (root's alone, 0700)");
	if (pam_edit_strip(w->text, &bare, NULL))
		return cli_fail(w->c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = file_write(w->kept_file, bare, 0600) ? enable_failed(w->c, w->kept_file) : CLI_DONE;
	free(bare);
	if (r == CLI_DONE && enabled_save(&w->e))
		r = enable_failed(w->c, "the state of what is enabled");
	return r;
}

static int tell(struct work *w)
{
	const char *service = w->e.service, *note = recipe_for(service)->note;
	struct json_object *o;
	char at[32];

	if (w->c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "service", json_object_new_string(service));
		json_object_object_add(o, "pam", json_object_new_string(w->pam_file));
		json_object_object_add(o, "observe", json_object_new_boolean(w->e.observe));
		json_object_object_add(o, "reverts_at", cli_json_time(w->e.deadline));
		cli_json_print(&o);
		return CLI_DONE;
	}
	if (w->e.observe)
		cli_say(w->c,
			"%s is watched: nobody is asked or refused. Later: magotpctl report "
			"--would-refuse %s",
			service, service);
	else
		cli_say(w->c, "%s asks for a second factor now. Keep this shell open.", service);
	if (note)
		cli_note(w->c, "%s", note);
	if (w->e.deadline)
		cli_say(w->c,
			"It goes back at %s unless you log in through %s, with the second step, in "
			"another terminal,\nand say as root, there: magotpctl confirm; "
			"or here, while you are logged in there: magotpctl confirm --login NAME",
			mag_time_minute(w->e.deadline, at, sizeof at), service);
	return CLI_DONE;
}

/* From here on there is something to undo. */
static int put_all(struct work *w)
{
	struct sshd_settings *s = calloc(1, sizeof *s);
	int r = s ? enable_put_listed(w)
		  : cli_fail(w->c, CLI_REFUSED, "no-memory", "Out of memory.");

	w->e.sshd = enable_wants_sshd(w);
	if (r == CLI_DONE)
		r = keep(w);
	for (int i = 1; r == CLI_DONE && w->e.deadline && i <= 2; i++)
		if (enabled_watch(&w->e, i))
			r = cli_fail(w->c, CLI_REFUSED, "failed",
				"enable-watch is not installed: nothing would undo it.");
	if (r == CLI_DONE && w->e.sshd)
		r = enable_put_sshd(w, s);
	if (r == CLI_DONE)
		r = enable_observe(w, w->e.observe);
	if (r == CLI_DONE)
		r = enable_reload(w->c, w->e.observe);
	if (r == CLI_DONE && file_replace(w->pam_file, w->fresh))
		r = enable_failed(w->c, w->pam_file);
	if (r == CLI_DONE && w->e.sshd)
		r = enable_tell_sshd(w, s);
	free(s);
	return r;
}

/* Only logins that begin from now on count as confirming: times are whole seconds, so
 * this one is waited for. */
static int mark_time(struct work *w)
{
	struct timespec now, rest = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	w->e.at = now.tv_sec;
	if (enabled_save(&w->e))
		return enable_failed(w->c, "the state of what is enabled");
	rest.tv_nsec = w->e.deadline ? 999999999 - now.tv_nsec : 0;
	nanosleep(&rest, NULL);
	return CLI_DONE;
}

static int enable(struct work *w)
{
	const char *confirm = cli_opt(w->c, "--confirm");
	int64_t seconds = 0;
	int lock, r;

	w->e.observe = cli_opt(w->c, "--observe") != NULL;
	if (confirm && (mag_duration_parse(confirm, &seconds) || seconds < 1 || seconds > 86400))
		return cli_usage(w->c, "--confirm %s: a time such as 10m, at most a day", confirm);
	if (confirm && w->e.observe)
		return cli_usage(w->c, "--observe refuses nobody: there is nothing to confirm");
	r = cli_settings(w->c);
	if (r == CLI_DONE)
		r = look_at_stack(w);
	if (r == CLI_DONE && cli_opt(w->c, "--dry-run")) {
		show(w);
		return r;
	}
	if (r == CLI_DONE)
		r = look_around(w);
	if (r != CLI_DONE)
		return r;
	if (enabled_folder(w->e.config))
		return enable_failed(w->c, "the folder for what was enabled (root's alone, 0700)");
	lock = enabled_lock(w->e.config, w->e.service, "lock", true);
	if (lock < 0)
		return enable_failed(w->c, "the lock of what is enabled");
	w->e.at = mag_now();
	if (seconds)
		enabled_set_deadline(&w->e, seconds);
	r = put_all(w);
	if (r == CLI_DONE)
		r = mark_time(w);
	if (r != CLI_DONE) {
		cli_note(w->c, "Undoing what was done:");
		(void)enable_undo(w);
	}
	close(lock);
	return r == CLI_DONE ? tell(w) : r;
}

int cmd_enable(struct cli *c)
{
	struct work w = { 0 };
	int r = enable_begin(c, cli_opt(c, "--pam-dir"), &w);

	if (r == CLI_DONE)
		r = enable(&w);
	enable_free(&w);
	return r;
}
