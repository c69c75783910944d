/* The parts of enabling beside PAM's own file: a setting of the broker, sshd's drop-in,
 * the list of services; each with its undoing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "magotp/enable.h"
#include "magotp/recipe.h"
#include "magotp/replace.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define PAM_DIR  "/etc/pam.d"
#define SAID_MAX 1024
#define LISTED   SYSCONFDIR "/magotp/listed"

void enable_free(struct work *w)
{
	free(w->text);
	free(w->fresh);
}

/* ---- what both need ---- */
int enable_begin(struct cli *c, const char *dir, struct work *w)
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

int enable_failed(struct cli *c, const char *what)
{
	return cli_fail(c, CLI_REFUSED, "failed", "%s: %s", what, strerror(errno));
}

/* otpcored reads its settings again, if it runs. */
int enable_reload(struct cli *c, bool must)
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
int enable_observe(struct work *w, bool on)
{
	char text[300], folder[400], err[OPT_ERROR_MAX] = "";
	struct service_settings s;
	struct settings *fresh = NULL;
	int r;

	if (!on) {
		if (unlink(w->observe_file) && errno != ENOENT && errno != ENOTDIR)
			return enable_failed(w->c, w->observe_file);
		return CLI_DONE;
	}
	snprintf(folder, sizeof folder, "%s.d", w->c->config ? w->c->config : MAGOTP_CONF);
	snprintf(text, sizeof text,
		"# Written by magotpctl enable %s --observe; the next enable or disable removes "
		"it.\n"
		"[service %s]\nobserve = yes\n",
		w->e.service, w->e.service);
	if ((mkdir(folder, 0755) && errno != EEXIST) || file_write(w->observe_file, text, 0644))
		return enable_failed(w->c, w->observe_file);
	r = settings_load(w->c->config, &fresh, err);
	if (!r) {
		settings_service(fresh, w->e.service, &s);
		if (!s.observe) {
			snprintf(err, sizeof err, "a later file sets observe for %s", w->e.service);
			r = MAG_EEXISTS;
		}
	}
	settings_free(&fresh);
	if (!r)
		return CLI_DONE;
	unlink(w->observe_file);
	return cli_fail(w->c, CLI_REFUSED, "config", "%s", err);
}

/* ---- sshd ---- */
/* ---- sshd ---- */
bool enable_wants_sshd(const struct work *w)
{
	return w->ours && mag_streq(w->e.service, "sshd");
}

int enable_tell_sshd(struct work *w, const struct sshd_settings *s)
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
		return cli_fail_lines(w->c, "sshd",
			*place ? "" : "  Include /etc/ssh/sshd_config.d/*.conf",
			*place ? "%s must say yes; %s comes before " SSHD_DROPIN "."
			       : "%s must say yes, and " SSHD_CONFIG
				 " does not include sshd_config.d%s. Put this line at its top:",
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

int enable_put_sshd(struct work *w, struct sshd_settings *s)
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
		return enable_failed(w->c, SSHD_DROPIN);
	if (sshd_check(said, sizeof said) || sshd_settings(s, said, sizeof said))
		r = cli_fail(
			w->c, CLI_REFUSED, "sshd", "sshd -t refuses " SSHD_DROPIN ": %s", said);
	if (r == CLI_DONE)
		r = sshd_holds(w, s);
	if (r != CLI_DONE)
		unlink(SSHD_DROPIN);
	return r;
}

void enable_take_sshd(struct work *w)
{
	struct sshd_settings *s = calloc(1, sizeof *s);
	char said[SAID_MAX] = "";

	if (unlink(SSHD_DROPIN) && errno != ENOENT)
		cli_note(w->c, SSHD_DROPIN ": %s", strerror(errno));
	if (s && sshd_settings(s, said, sizeof said) == 0)
		enable_tell_sshd(w, s);
	else
		cli_note(w->c, "sshd was not told: %s", said);
	free(s);
}

/* ---- the list of services ---- */
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
int enable_put_listed(struct work *w)
{
	char *text = w->ours ? file_read(LISTED, NULL) : NULL, *more = NULL;
	int r = CLI_DONE;

	if (text && !listed_has(text, w->e.service)) {
		size_t len = strlen(text);

		if (asprintf(&more, "%s%s%s\n", text, len && text[len - 1] != '\n' ? "\n" : "",
			    w->e.service) < 0)
			more = NULL;
		if (!more || file_replace(LISTED, more))
			r = enable_failed(w->c, LISTED);
		else
			w->e.listed = true;
	}
	free(more);
	free(text);
	return r;
}

void enable_take_listed(struct work *w)
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
