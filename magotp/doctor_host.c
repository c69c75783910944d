/* doctor: the daemons, the files that must be root's, the clock, the way in when
 * nothing else works. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "magotp/doctor.h"
#include "magotp/enabled.h"
#include "magotp/replace.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/keysource.h"
#include "otpcore/base/text.h"

#define GROUPS SYSCONFDIR "/magotp/groups"
#define LISTED SYSCONFDIR "/magotp/listed"

/* ---- the daemons ---- */
static void check_broker(struct doctor *d)
{
	struct wire_ping_rep p = { 0 };
	int64_t before = mag_ticks_ms();
	int r = client_call(&d->c->client, WIRE_MSG_PING, NULL, &d->c->result, &p);
	char text[300];

	if (!r)
		r = d->c->result.error;
	if (r) {
		snprintf(text, sizeof text, "no answer on %s: %s", d->c->client.socket,
			mag_strerror(r));
		doctor_error(d, "broker", "otpcored", text);
		return;
	}
	d->broker = true;
	doctor_ok(d, "broker", "answers in %lld ms, %s, schema %u",
		(long long)(mag_ticks_ms() - before), p.store, p.schema);
	if (!mag_streq(p.version, PACKAGE_VERSION)) {
		snprintf(text, sizeof text, "otpcored is version %s, this is %s", p.version,
			PACKAGE_VERSION);
		doctor_warning(d, "version", "Start otpcored again", text);
	}
}

static void check_break_glass(struct doctor *d)
{
	struct wire_overview_rep p = { 0 };

	if (!d->broker)
		return;
	if (client_call(&d->c->client, WIRE_MSG_OVERVIEW, NULL, &d->c->result, &p) ||
		d->c->result.error)
		return; /* not root: it is not for everybody */
	if (p.journal_failures)
		doctor_warning(d, "journal", "Look at its disk, then start otpcored again",
			"could not be written; a restore will not rely on it");
	if (p.break_glass)
		doctor_ok(d, "break-glass", "%lld code%s", (long long)p.break_glass,
			p.break_glass == 1 ? "" : "s");
	else
		doctor_warning(d, "break-glass",
			"magotpctl account add YOU; magotpctl break-glass YOU --reason setup "
			"--until 1y",
			"no way in if the gateways or your phone are gone");
}

const struct doctor_check doctor_daemons[] = {
	{ "broker", check_broker },
	{ "smsd", doctor_gateways },
	{ "break-glass", check_break_glass },
	{ NULL, NULL },
};

/* ---- the host ---- */
static void check_clock(struct doctor *d)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);
	long offset = t.status & STA_NANO ? t.offset / 1000000 : t.offset / 1000;

	if (state < 0 || state == TIME_ERROR || t.status & STA_UNSYNC)
		doctor_warning(d, "clock", "Run chrony or systemd-timesyncd",
			"nothing keeps it right; codes of tokens and apps depend on it");
	else
		doctor_ok(d, "clock", "kept right, offset %ld ms", offset);
}

/* Who may write in the folder of a socket can put an own one there. */
static void check_sockets(struct doctor *d)
{
	const char *paths[] = { d->c->client.socket, d->c->settings->smsd_socket };
	char folder[200], text[300];

	for (size_t i = 0; i < 2; i++) {
		struct stat st;
		char *slash;

		if (mag_copy(folder, sizeof folder, paths[i]) || !(slash = strrchr(folder, '/')))
			continue;
		*slash = 0;
		if (stat(folder, &st)) /* the daemon's own check tells more */
			continue;
		if (st.st_mode & 022) {
			snprintf(text, sizeof text, "others may write in %s", folder);
			doctor_error(d, "socket", "systemd-tmpfiles --create", text);
		} else {
			doctor_ok(d, "socket", "%s is nobody else's to write", folder);
		}
	}
}

static void check_module(struct doctor *d)
{
	const char *path = PAMDIR "/pam_magotp.so";
	char text[300];

	if (!d->ours)
		return;
	if (doctor_safe(path, false)) {
		doctor_ok(d, "module", "%s", path);
		return;
	}
	snprintf(text, sizeof text,
		access(path, F_OK) ? "%s is not there" : "%s may be written by others", path);
	doctor_error(d, "module", access(path, F_OK) ? "Install it" : "Make it root's, 0644", text);
}

/* A member of a strength group could leave a setgid file behind (security.md 15). */
static void check_groups(struct doctor *d)
{
	static const char *const places[] = { "/home", "/tmp", "/var/tmp" };
	char *nss, *line;
	struct statvfs v;
	char text[200];

	if (!d->ours || access(GROUPS, F_OK))
		return;
	if (doctor_safe(GROUPS, false))
		doctor_ok(d, "groups", GROUPS " is root's");
	else
		doctor_error(d, "groups", "chown root " GROUPS "; chmod 644 " GROUPS,
			GROUPS " may be written by others");
	for (size_t i = 0; i < 3; i++) {
		if (statvfs(places[i], &v) || v.f_flag & ST_NOSUID)
			continue;
		snprintf(text, sizeof text,
			"%s is not mounted nosuid: a setgid file keeps a "
			"strength group for others",
			places[i]);
		doctor_warning(d, "nosuid", "Mount it with nosuid", text);
	}
	nss = file_read("/etc/nsswitch.conf", NULL);
	line = nss ? strstr(nss, "\ngroup:") : NULL;
	if (line)
		line[1 + strcspn(line + 1, "\n")] = 0;
	if (!line || !strstr(line, "magotp"))
		doctor_warning(d, "nsswitch", "Add magotp to the group line of /etc/nsswitch.conf",
			"strength groups have numbers only");
	else
		doctor_ok(d, "nsswitch", "strength groups have names");
	free(nss);
}

static void check_listed(struct doctor *d)
{
	if (!d->ours || access(LISTED, F_OK))
		return;
	if (doctor_safe(LISTED, false))
		doctor_ok(d, "listed", LISTED " is root's");
	else
		doctor_error(d, "listed", "chown root " LISTED "; chmod 644 " LISTED,
			LISTED
			" may be written by others; the module takes all services for listed");
}

static int pending(const struct enabled *e, void *arg)
{
	struct doctor *d = arg;
	char text[300], at[32];

	if (!e->deadline)
		return 0;
	snprintf(text, sizeof text, "%s goes back at %s unless confirmed", e->service,
		mag_time_minute(e->deadline, at, sizeof at));
	doctor_warning(d, "unconfirmed", "Log in through it, then there: magotpctl confirm", text);
	return 0;
}

static void check_enabled(struct doctor *d)
{
	(void)enabled_each(d->c->config ? d->c->config : "", pending, d);
}

const struct doctor_check doctor_host[] = {
	{ "clock", check_clock },
	{ "master-key", doctor_files },
	{ "socket", check_sockets },
	{ "module", check_module },
	{ "groups", check_groups },
	{ "listed", check_listed },
	{ "unconfirmed", check_enabled },
	{ NULL, NULL },
};
