/* magotpctl enable, disable: a service gets our lines, and loses them again, without
 * anybody being locked out by it. enabled.h keeps what was done. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/enabled.h"
#include "magotp/pamedit.h"
#include "magotp/recipe.h"
#include "magotp/replace.h"
#include "magotp/sshd.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define PAM_DIR  "/etc/pam.d"
#define SAID_MAX 1024
#define LISTED   SYSCONFDIR "/magotp/listed"

struct work {
	struct cli *c;
	struct enabled e;
	char pam_file[330], observe_file[400], kept_file[400];
	char *text;  /* of the PAM file, as it is */
	char *fresh; /* as it is to be */
	bool ours;   /* /etc/pam.d itself, not a folder of --pam-dir */
};

static void work_free(struct work *w)
{
	free(w->text);
	free(w->fresh);
}

/* ---- what both need ---- */
static int begin(struct cli *c, const char *dir, struct work *w)
{
	const char *service = cli_arg(c, 0), *why = recipe_refuses(service);
	const char *conf = c->config ? c->config : MAGOTP_CONF;

	w->c = c;
	if (geteuid() != 0)
		return cli_fail(c, CLI_REFUSED, "not-allowed", "Only root may change PAM's files.");
	if (why)
		return cli_fail(
			c, CLI_REFUSED, "service", "%s is not to be enabled: %s.", service, why);
	w->ours = dir == NULL;
	if (mag_copy(w->e.service, sizeof w->e.service, service) ||
		mag_copy(w->e.config, sizeof w->e.config, c->config ? c->config : "") ||
		mag_copy(w->e.pam, sizeof w->e.pam, dir ? dir : PAM_DIR) ||
		(c->config && *c->config != '/'))
		return cli_usage(c, "a path is too long, or does not begin with /");
	snprintf(w->pam_file, sizeof w->pam_file, "%s/%s", w->e.pam, service);
	snprintf(w->observe_file, sizeof w->observe_file, "%s.d/enable-%s.conf", conf, service);
	enabled_path(w->e.config, service, "before", w->kept_file, sizeof w->kept_file);
	return CLI_DONE;
}

static int failed(struct cli *c, const char *what)
{
	return cli_fail(c, CLI_REFUSED, "failed", "%s: %s", what, strerror(errno));
}

/* otpcored reads its settings again, if it runs. */
static int broker_reload(struct cli *c, bool must)
{
	int r;

	c->client.timeout_ms = 3000;
	r = client_call(&c->client, WIRE_MSG_RELOAD, NULL, &c->result, NULL);
	if (!r && !c->result.error)
		return CLI_DONE;
	if (!r)
		return cli_fail(c, CLI_REFUSED, "config", "otpcored refuses the settings: %s",
			c->result.detail);
	if (must)
		return cli_fail(c, CLI_UNREACHABLE, "broker-unavailable",
			"No broker answers on %s. Start otpcored.", c->client.socket);
	return CLI_DONE; /* it reads them when it starts */
}

/* `[service S] observe = yes` in a file of our own; or without it. */
static int observe_put(struct work *w, bool on)
{
	char text[300], folder[400], err[OPT_ERROR_MAX] = "";
	struct service_settings s;
	int r;

	if (!on) {
		if (unlink(w->observe_file) && errno != ENOENT && errno != ENOTDIR)
			return failed(w->c, w->observe_file);
		return CLI_DONE;
	}
	snprintf(folder, sizeof folder, "%s.d", w->c->config ? w->c->config : MAGOTP_CONF);
	snprintf(text, sizeof text,
		"# Written by magotpctl enable %s --observe; the next enable or disable removes "
		"it.\n"
		"[service %s]\nobserve = yes\n",
		w->e.service, w->e.service);
	if ((mkdir(folder, 0755) && errno != EEXIST) || file_write(w->observe_file, text, 0644))
		return failed(w->c, w->observe_file);
	settings_free(&w->c->settings);
	r = settings_load(w->c->config, &w->c->settings, err);
	if (!r) {
		settings_service(w->c->settings, w->e.service, &s);
		if (s.observe)
			return CLI_DONE;
		snprintf(err, sizeof err, "a later file sets observe for %s", w->e.service);
	}
	unlink(w->observe_file);
	return cli_fail(w->c, CLI_REFUSED, "config", "%s", err);
}

/* ---- sshd ---- */
static bool wants_sshd(const struct work *w)
{
	return w->ours && mag_streq(w->e.service, "sshd");
}

static int sshd_say_reload(struct work *w, const struct sshd_settings *s)
{
	long pid = sshd_reload(s);

	if (pid)
		cli_note(w->c, "sshd (pid %ld) was told to read its files again.", pid);
	else
		cli_note(w->c,
			"No sshd runs by the pid file that it names. If one does, reload it.");
	return CLI_DONE;
}

/* What must hold, whatever stands in sshd's other files. */
static int sshd_holds(struct work *w, const struct sshd_settings *s)
{
	static const char *const keywords[] = { "usepam", "kbdinteractiveauthentication" };
	char value[32], place[300];

	for (size_t i = 0; i < 2; i++) {
		sshd_value(s, keywords[i], value, sizeof value);
		if (mag_streq(value, "yes"))
			continue;
		sshd_place(keywords[i], place, sizeof place);
		return cli_fail(w->c, CLI_REFUSED, "sshd",
			*place ? "%s must say yes; %s comes before " SSHD_DROPIN "."
			       : "%s must say yes, and " SSHD_CONFIG
				 " does not include sshd_config.d%s. Put this line at its top:\n"
				 "  Include /etc/ssh/sshd_config.d/*.conf",
			i ? "KbdInteractiveAuthentication" : "UsePAM", place);
	}
	sshd_value(s, "passwordauthentication", value, sizeof value);
	sshd_place("passwordauthentication", place, sizeof place);
	if (!w->e.observe && mag_streq(value, "yes"))
		cli_note(w->c,
			"Note: PasswordAuthentication yes (%s) offers a way that has no place for "
			"the code; it will be refused.",
			place);
	return CLI_DONE;
}

static int sshd_put(struct work *w, struct sshd_settings *s)
{
	char said[SAID_MAX] = "";
	int r = CLI_DONE;

	if (!sshd_installed())
		return cli_fail(w->c, CLI_REFUSED, "sshd", "/usr/sbin/sshd is not installed.");
	if (sshd_check(said, sizeof said))
		return cli_fail(w->c, CLI_REFUSED, "sshd",
			"sshd -t refuses its files as they are: %s", said);
	if ((mkdir("/etc/ssh/sshd_config.d", 0755) && errno != EEXIST) ||
		file_write(SSHD_DROPIN, sshd_dropin(w->e.observe), 0644))
		return failed(w->c, SSHD_DROPIN);
	if (sshd_check(said, sizeof said) || sshd_settings(s, said, sizeof said))
		r = cli_fail(
			w->c, CLI_REFUSED, "sshd", "sshd -t refuses " SSHD_DROPIN ": %s", said);
	if (r == CLI_DONE)
		r = sshd_holds(w, s);
	if (r != CLI_DONE)
		unlink(SSHD_DROPIN);
	return r;
}

static void sshd_take_away(struct work *w)
{
	struct sshd_settings *s = calloc(1, sizeof *s);
	char said[SAID_MAX] = "";

	if (unlink(SSHD_DROPIN) && errno != ENOENT)
		cli_note(w->c, SSHD_DROPIN ": %s", strerror(errno));
	if (s && sshd_settings(s, said, sizeof said) == 0)
		sshd_say_reload(w, s);
	else
		cli_note(w->c, "sshd was not told: %s", said);
	free(s);
}

/* ---- enable ---- */
static int refuse_by_hand(struct work *w, const char *why)
{
	char lines[500];

	recipe_lines(w->e.service, lines, sizeof lines);
	return cli_fail(w->c, CLI_REFUSED, "pam-stack",
		"%s was left alone: %s.\nBy hand, below the lines that require the password:\n%s"
		"pam_magotp(8) shows whole stacks.",
		w->pam_file, why, lines);
}

static int look_at_stack(struct work *w)
{
	char why[RECIPE_ERROR_MAX];
	int r;

	w->text = file_read(w->pam_file, NULL);
	if (!w->text)
		return failed(w->c, w->pam_file);
	r = recipe_apply(w->e.pam, w->e.service, w->text, w->e.observe, &w->fresh, why);
	if (r == MAG_ENOMEM)
		return cli_fail(w->c, CLI_REFUSED, "no-memory", "Out of memory.");
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
	if (wants_sshd(w))
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

static bool listed_has(const char *text, const char *service)
{
	size_t len = strlen(service);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (!strncmp(text, service, len) && (text[len] == '\n' || !text[len]))
			return true;
	return false;
}

/* With the profile of pam-auth-update only listed services are asked; no list means
 * all of them. */
static int listed_put(struct work *w)
{
	char *text = w->ours ? file_read(LISTED, NULL) : NULL, *more = NULL;
	int r = CLI_DONE;

	if (text && !listed_has(text, w->e.service)) {
		size_t len = strlen(text);

		if (asprintf(&more, "%s%s%s\n", text, len && text[len - 1] != '\n' ? "\n" : "",
			    w->e.service) < 0)
			more = NULL;
		if (!more || file_replace(LISTED, more))
			r = failed(w->c, LISTED);
		else
			w->e.listed = true;
	}
	free(more);
	free(text);
	return r;
}

static void listed_take_away(struct work *w)
{
	char *text = w->e.listed ? file_read(LISTED, NULL) : NULL, *to = text;
	size_t len = strlen(w->e.service);

	for (const char *p = text; p && *p;) {
		size_t n = strcspn(p, "\n");
		bool it = n == len && !strncmp(p, w->e.service, len);

		n += p[n] == '\n';
		if (!it)
			to = (char *)memmove(to, p, n) + n;
		p += n;
	}
	if (text) {
		*to = 0;
		if (file_replace(LISTED, text))
			cli_note(w->c, LISTED ": %s", strerror(errno));
	}
	free(text);
}

/* The original beside, root's alone, before anything is touched. */
static int keep(struct work *w)
{
	char *bare = NULL;
	int r;

	if (enabled_folder(w->e.config))
		return failed(w->c, "the folder for what was enabled (root's alone, 0700)");
	if (pam_edit_strip(w->text, &bare, NULL))
		return cli_fail(w->c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = file_write(w->kept_file, bare, 0600) ? failed(w->c, w->kept_file) : CLI_DONE;
	free(bare);
	if (r == CLI_DONE && enabled_save(&w->e))
		r = failed(w->c, "the state of what is enabled");
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
			"another terminal,\nand say there as root: magotpctl confirm",
			mag_time_minute(w->e.deadline, at, sizeof at), service);
	return CLI_DONE;
}

static int undo(struct work *w);

/* From here on there is something to undo. */
static int put_all(struct work *w)
{
	struct sshd_settings *s = calloc(1, sizeof *s);
	int r = s ? listed_put(w) : cli_fail(w->c, CLI_REFUSED, "no-memory", "Out of memory.");

	w->e.sshd = wants_sshd(w);
	if (r == CLI_DONE)
		r = keep(w);
	for (int i = 1; r == CLI_DONE && w->e.deadline && i <= 2; i++)
		if (enabled_watch(&w->e, i))
			r = cli_fail(w->c, CLI_REFUSED, "failed",
				"enable-watch is not installed: nothing would undo it.");
	if (r == CLI_DONE && w->e.sshd)
		r = sshd_put(w, s);
	if (r == CLI_DONE)
		r = observe_put(w, w->e.observe);
	if (r == CLI_DONE)
		r = broker_reload(w->c, w->e.observe);
	if (r == CLI_DONE && file_replace(w->pam_file, w->fresh))
		r = failed(w->c, w->pam_file);
	if (r == CLI_DONE && w->e.sshd)
		r = sshd_say_reload(w, s);
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
		return failed(w->c, "the state of what is enabled");
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
		return failed(w->c, "the folder for what was enabled (root's alone, 0700)");
	lock = enabled_lock(w->e.config, w->e.service, "lock", true);
	if (lock < 0)
		return failed(w->c, "the lock of what is enabled");
	w->e.at = mag_now();
	if (seconds)
		enabled_set_deadline(&w->e, seconds);
	r = put_all(w);
	if (r == CLI_DONE)
		r = mark_time(w);
	if (r != CLI_DONE) {
		cli_note(w->c, "Undoing what was done:");
		(void)undo(w);
	}
	close(lock);
	return r == CLI_DONE ? tell(w) : r;
}

int cmd_enable(struct cli *c)
{
	struct work w = { 0 };
	int r = begin(c, cli_opt(c, "--pam-dir"), &w);

	if (r == CLI_DONE)
		r = enable(&w);
	work_free(&w);
	return r;
}

/* ---- disable ---- */

/* Our lines out of the file as it is now: what somebody else changed in it stays. */
static int take_lines_out(struct work *w)
{
	char *now = file_read(w->pam_file, NULL), *bare = NULL, *kept = NULL;
	size_t n = 0;
	int r = CLI_DONE;

	if (!now)
		r = failed(w->c, w->pam_file);
	else if (pam_edit_strip(now, &bare, &n))
		r = cli_fail(w->c, CLI_REFUSED, "pam-stack",
			"%s: a mark of ours has lost its counterpart. Its text from before is %s.",
			w->pam_file, w->kept_file);
	else if (n && file_replace(w->pam_file, bare))
		r = failed(w->c, w->pam_file);
	if (r == CLI_DONE) {
		kept = file_read(w->kept_file, NULL);
		if (kept && !mag_streq(kept, bare))
			cli_note(w->c, "%s was changed meanwhile; that was left as it is.",
				w->pam_file);
	}
	free(kept);
	free(bare);
	free(now);
	return r;
}

/* PAM's file first: whatever fails behind it, people can log in. */
static int undo(struct work *w)
{
	int r = take_lines_out(w);

	if (w->e.sshd)
		sshd_take_away(w);
	if (observe_put(w, false) == CLI_DONE)
		(void)broker_reload(w->c, false);
	listed_take_away(w);
	if (r == CLI_DONE)
		enabled_forget(&w->e);
	return r;
}

static int disable(struct work *w)
{
	struct enabled e;
	int lock, r;

	lock = enabled_lock(w->e.config, w->e.service, "lock", true);
	r = lock < 0 ? MAG_ENOTFOUND : enabled_load(w->e.config, w->e.service, &e);
	if (r == MAG_ENOTFOUND)
		r = cli_fail(w->c, CLI_REFUSED, "not-enabled", "%s was not enabled by this tool.",
			w->e.service);
	else if (r)
		r = cli_fail(w->c, CLI_REFUSED, "failed", "%s: the note of what was done: %s",
			w->e.service, mag_strerror(r));
	if (r == CLI_DONE) {
		snprintf(w->pam_file, sizeof w->pam_file, "%s/%s", e.pam, e.service);
		w->e = e;
		r = undo(w);
	}
	if (lock >= 0)
		close(lock);
	if (r == CLI_DONE)
		cli_say(w->c, "%s is as it was before.", w->e.service);
	return r;
}

int cmd_disable(struct cli *c)
{
	struct work w = { 0 };
	int r = cli_settings(c);

	if (r == CLI_DONE)
		r = begin(c, NULL, &w);
	if (r == CLI_DONE)
		r = disable(&w);
	work_free(&w);
	return r;
}
