/* magotpctl doctor: the checks, one after the other, and what they found. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/doctor.h"
#include "magotp/pamfile.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define PAM_DIR "/etc/pam.d"

static const char *const severities[] = { "ok", "warning", "error" };

static const struct column columns[] = {
	{ "ID", "id", CELL_TEXT },
	{ "SEVERITY", "severity", CELL_TEXT },
	{ "SERVICE", "service", CELL_TEXT },
	{ "SUBJECT", "subject", CELL_TEXT },
	{ "FILE", "file", CELL_TEXT },
	{ "LINE", "line", CELL_INT },
	{ "MESSAGE", "message", CELL_TEXT },
	{ "FIX", "fix", CELL_TEXT },
	{ NULL, "command", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

bool doctor_safe(const char *path, bool private)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       !(st.st_mode & (private ? 077 : 022));
}

/* What can be typed as it stands. */
static bool is_command(const char *fix)
{
	return mag_has_prefix(fix, "magotpctl ") || mag_has_prefix(fix, "otpcored") ||
	       mag_has_prefix(fix, "magotp-smsd") || mag_has_prefix(fix, "chmod ") ||
	       mag_has_prefix(fix, "chown ");
}

static void add(struct doctor *d, const struct finding *f, const char *message)
{
	const char *fix = f->fix ? f->fix : "";

	d->n[f->severity]++;
	table_text(d->t, f->id);
	table_text(d->t, severities[f->severity]);
	table_text(d->t, d->service);
	table_text(d->t, f->subject);
	table_text(d->t, f->file);
	table_int(d->t, f->line);
	table_text(d->t, message);
	table_text(d->t, fix);
	table_text(d->t, is_command(fix) ? fix : "");
	if (!isatty(STDOUT_FILENO) || d->c->json || d->c->columns)
		return;
	cli_say(d->c, "%-8s %-13s %s", severities[f->severity], f->id, message);
	if (*fix)
		cli_say(d->c, "         Fix: %s", fix);
}

void doctor_found(struct doctor *d, const struct finding *f, const char *fmt, ...)
{
	char text[600], clean[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(d, f, mag_clean(clean, sizeof clean, text));
}

void doctor_ok(struct doctor *d, const char *id, const char *fmt, ...)
{
	const struct finding f = { .id = id, .severity = DOCTOR_OK };
	char text[600], clean[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(d, &f, mag_clean(clean, sizeof clean, text));
}

void doctor_error(struct doctor *d, const char *id, const char *fix, const char *message)
{
	const struct finding f = { .id = id, .severity = DOCTOR_ERROR, .fix = fix };

	doctor_found(d, &f, "%s", message);
}

void doctor_warning(struct doctor *d, const char *id, const char *fix, const char *message)
{
	const struct finding f = { .id = id, .severity = DOCTOR_WARNING, .fix = fix };

	doctor_found(d, &f, "%s", message);
}

bool doctor_relay(const struct doctor *d)
{
	return d->c->settings && d->c->settings->n_upstreams > 0;
}

/* ---- which services ---- */

/* Each file that has our module, also by what it includes. */
static void each_service(struct doctor *d, void (*fn)(struct doctor *))
{
	struct dirent **names = NULL;
	int n = scandir(d->pam_dir, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		struct pam_line l;

		if (*names[i]->d_name != '.' && !mag_has_prefix(names[i]->d_name, "common-") &&
			!pam_read(d->pam_dir, names[i]->d_name, &l) && l.found) {
			d->service = names[i]->d_name;
			fn(d);
		}
		free(names[i]);
	}
	free(names);
	d->service = "";
}

static void run_all(struct doctor *d, const struct doctor_check *checks)
{
	for (; checks->run; checks++)
		checks->run(d);
}

static void service_checks(struct doctor *d)
{
	run_all(d, doctor_service);
}

/* "1 error, 1 warning, 14 ok." */
static void sum_up(const struct doctor *d)
{
	static const char *const rest = "Man page: magotp-doctor(7)";

	cli_note(d->c, "%zu error%s, %zu warning%s, %zu ok. %s", d->n[DOCTOR_ERROR],
		d->n[DOCTOR_ERROR] == 1 ? "" : "s", d->n[DOCTOR_WARNING],
		d->n[DOCTOR_WARNING] == 1 ? "" : "s", d->n[DOCTOR_OK], rest);
}

/* A mistake is told as "FILE:LINE: what"; FILE may be a drop-in, which config edit does not
 * open. */
static void config_fault(struct doctor *d, const char *err)
{
	const char *conf = d->c->config ? d->c->config : MAGOTP_CONF;
	char file[512], fix[600] = "magotpctl config edit";
	size_t len = strcspn(err, ":");
	int64_t line = 0;
	char digits[16];
	struct finding f = {
		.id = "config", .severity = DOCTOR_ERROR, .subject = conf, .fix = fix
	};

	snprintf(file, sizeof file, "%.*s", (int)len, err);
	if (err[len] == ':' && !mag_streq(file, conf) && access(file, F_OK) == 0) {
		f.subject = file;
		snprintf(fix, sizeof fix, "Edit %s, then magotpctl config check", file);
	}
	if (err[len] == ':') {
		snprintf(digits, sizeof digits, "%.*s", (int)strspn(err + len + 1, "0123456789"),
			err + len + 1);
		if (!mag_int_parse(digits, 1, 1000000, &line)) {
			f.file = f.subject;
			f.line = (int)line;
		}
	}
	doctor_found(d, &f, "%s", err);
}

static int examine(struct doctor *d)
{
	const char *service = cli_opt(d->c, "--service");
	char err[OPT_ERROR_MAX] = "";
	int r = settings_load(d->c->config, &d->c->settings, err);

	if (r) {
		config_fault(d, *err ? err : mag_strerror(r));
		return CLI_DONE; /* nothing else means anything without it */
	}
	doctor_ok(d, "config", "%s is valid", d->c->config ? d->c->config : MAGOTP_CONF);
	settings_free(&d->c->settings); /* cli_settings reads them, too */
	r = cli_settings(d->c);
	if (r != CLI_DONE)
		return r;
	d->c->client.timeout_ms = 3000;
	run_all(d, doctor_daemons);
	run_all(d, doctor_host);
	if (service) {
		d->service = service;
		service_checks(d);
	} else {
		each_service(d, service_checks);
	}
	return CLI_DONE;
}

int cmd_doctor(struct cli *c)
{
	const char *dir = cli_opt(c, "--pam-dir"), *user = cli_opt(c, "--user");
	struct doctor d = { .c = c, .pam_dir = dir ? dir : PAM_DIR, .ours = !dir, .service = "" };
	int r;

	if (user && mag_copy(c->user, sizeof c->user, user))
		return cli_usage(c, "--user: that account name is too long");
	d.user = user;
	d.t = table_new(columns);
	if (!d.t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	r = examine(&d);
	if (r == CLI_DONE && (!isatty(STDOUT_FILENO) || c->json || c->columns))
		r = table_print(c, d.t);
	if (r == CLI_DONE)
		sum_up(&d);
	table_free(&d.t);
	if (r != CLI_DONE)
		return r;
	return d.n[DOCTOR_ERROR] || (cli_opt(c, "--strict") && d.n[DOCTOR_WARNING]) ? CLI_REFUSED
										    : CLI_DONE;
}
