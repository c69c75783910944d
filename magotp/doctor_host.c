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

#define GROUPS  SYSCONFDIR "/magotp/groups"
#define LISTED  SYSCONFDIR "/magotp/listed"
#define KEY_FIX "Fix owner and mode: root's, 0600"

static void error(struct doctor *d, const char *id, const char *fix, const char *message)
{
	const struct finding f = { .id = id, .severity = DOCTOR_ERROR, .fix = fix };

	doctor_found(d, &f, "%s", message);
}

static void warning(struct doctor *d, const char *id, const char *fix, const char *message)
{
	const struct finding f = { .id = id, .severity = DOCTOR_WARNING, .fix = fix };

	doctor_found(d, &f, "%s", message);
}

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
		error(d, "broker", "otpcored", text);
		return;
	}
	d->broker = true;
	doctor_ok(d, "broker", "answers in %lld ms, %s, schema %u",
		(long long)(mag_ticks_ms() - before), p.store, p.schema);
	if (!mag_streq(p.version, PACKAGE_VERSION)) {
		snprintf(text, sizeof text, "otpcored is version %s, this is %s", p.version,
			PACKAGE_VERSION);
		warning(d, "version", "Start otpcored again", text);
	}
}

static void check_gateways(struct doctor *d, const struct wire_gateway_list_rep *p)
{
	static const char *const channels[] = { "sms", "voice", "email" };

	for (size_t i = 0; i < 3; i++) {
		const struct finding f = { .id = "gateway",
			.severity = i ? DOCTOR_WARNING : DOCTOR_ERROR,
			.subject = channels[i],
			.fix = "A section in /etc/magotp/gateways.d, see smsd.conf(5)" };
		size_t n = 0;

		for (size_t k = 0; k < p->n_gateways; k++)
			n += strstr(p->gateways[k].channels, channels[i]) != NULL;
		if (n)
			doctor_ok(d, "gateway", "%zu for %s", n, channels[i]);
		else
			doctor_found(d, &f, "none takes %s", channels[i]);
	}
	for (size_t i = 0; i < p->n_gateways; i++) {
		const struct finding f = { .id = "gateway-mail",
			.severity = DOCTOR_WARNING,
			.subject = p->gateways[i].name,
			.fix = "A gateway that sends texts itself" };

		if (mag_streq(p->gateways[i].driver, "smtp") &&
			strstr(p->gateways[i].channels, "sms"))
			doctor_found(d, &f, "codes by e-mail to a carrier are no second factor");
	}
}

/* Its auth hosts have what a relay has not: store, key, gateways. */
static bool is_relay(const struct doctor *d)
{
	return d->c->settings && d->c->settings->n_upstreams > 0;
}

static void check_smsd(struct doctor *d)
{
	static struct wire_gateway_list_rep p;
	struct wire_gateway_list_req q = { 0 };
	struct client client = d->c->client;
	char text[300];
	int r;

	if (is_relay(d))
		return;
	memset(&p, 0, sizeof p);
	client.socket = d->c->settings && *d->c->settings->smsd_socket ? d->c->settings->smsd_socket
								       : SMSD_SOCKET;
	client.server_uid = client_server_uid(client.socket);
	r = client_call(&client, WIRE_MSG_GATEWAY_LIST, &q, &d->c->result, &p);
	if (!r)
		r = d->c->result.error;
	if (r) {
		snprintf(text, sizeof text, "no answer on %s: %s", client.socket, mag_strerror(r));
		error(d, "smsd", "magotp-smsd", text);
		return;
	}
	doctor_ok(d, "smsd", "answers, %zu gateways", p.n_gateways);
	check_gateways(d, &p);
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
		warning(d, "journal", "Look at its disk, then start otpcored again",
			"could not be written; a restore will not rely on it");
	if (p.break_glass)
		doctor_ok(d, "break-glass", "%lld code%s", (long long)p.break_glass,
			p.break_glass == 1 ? "" : "s");
	else
		warning(d, "break-glass", "magotpctl break-glass root --reason setup --until 1y",
			"no way in if the gateways or your phone are gone");
}

const struct doctor_check doctor_daemons[] = {
	{ "broker", check_broker },
	{ "smsd", check_smsd },
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
		warning(d, "clock", "Run chrony or systemd-timesyncd",
			"nothing keeps it right; codes of tokens and apps depend on it");
	else
		doctor_ok(d, "clock", "kept right, offset %ld ms", offset);
}

/* Root alone hears of it; others have no row. */
static void check_master_change(struct doctor *d)
{
	struct wire_key_list_rep p = { 0 };
	char text[200];

	if (!d->broker || client_call(&d->c->client, WIRE_MSG_KEY_LIST, NULL, &d->c->result, &p) ||
		d->c->result.error || !*p.other)
		return;
	snprintf(text, sizeof text, "it is being changed: %s opens the store, too", p.other);
	warning(d, "master-key",
		p.finish ? "magotpctl key finish"
			 : "Change [store] master_key to it, restart otpcored",
		text);
}

static void check_master_key(struct doctor *d)
{
	const char *key = d->c->settings->master_key;
	char path[512], device[512], text[700];

	if (is_relay(d))
		return;
	if (!keyfile_path(key, path, sizeof path)) {
		doctor_ok(d, "master-key", "from %.*s", (int)strcspn(key, ":"), key);
	} else if (!doctor_safe(path, true)) {
		snprintf(text, sizeof text,
			access(path, F_OK) ? "%s is not there"
					   : "%s can be read or written by others",
			path);
		error(d, "master-key", access(path, F_OK) ? "magotpctl setup" : KEY_FIX, text);
	} else if (keyfile_device(key, device, sizeof device) && access(device, F_OK)) {
		snprintf(text, sizeof text, "the TPM's device %s is not there", device);
		error(d, "master-key", "Switch the TPM on, or name its device with ?tcti=", text);
	} else {
		doctor_ok(d, "master-key", "%s is private", path);
	}
	check_master_change(d);
}

/* A file of the daemon's own, and what to do where it is not there, or not its own alone. */
struct own_file {
	const char *id, *path, *missing, *open;
};

static void check_own(struct doctor *d, const struct own_file *f)
{
	char text[700];
	struct stat st;

	if (stat(f->path, &st)) {
		snprintf(text, sizeof text, "%s: %s", f->path, strerror(errno));
		error(d, f->id, errno == ENOENT ? f->missing : NULL, text);
	} else if (st.st_mode & 077) {
		snprintf(text, sizeof text, "%s can be read or written by others", f->path);
		error(d, f->id, f->open, text);
	} else {
		doctor_ok(d, f->id, "%s is private", f->path);
	}
}

static void check_store(struct doctor *d)
{
	const char *url = d->c->settings->url;

	if (!is_relay(d) && mag_has_prefix(url, "sqlite:"))
		check_own(d, &(struct own_file){ "store", url + strlen("sqlite:"),
				     "magotpctl setup", "chmod 600 on it" });
}

/* What was spent must not come back with a backup. */
static void check_journal(struct doctor *d)
{
	const char *path = d->c->settings->journal;

	if (is_relay(d))
		return;
	if (mag_streq(path, "no"))
		warning(d, "journal", "[store] journal = /PATH, best on another disk",
			"is off: after a restore HOTP tokens have to be taken up again, and codes "
			"and "
			"keys that were not used are void");
	else
		check_own(d, &(struct own_file){ "journal", path,
				     "Start otpcored again, it makes one", "chmod 600 on it" });
}

static void check_identity(struct doctor *d)
{
	if (is_relay(d))
		check_own(d, &(struct own_file){ "identity", d->c->settings->identity,
				     "magotpctl host enroll",
				     "magotpctl host revoke, then add, on an auth host" });
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
			error(d, "socket", "systemd-tmpfiles --create", text);
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
	error(d, "module", access(path, F_OK) ? "Install it" : "Make it root's, 0644", text);
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
		error(d, "groups", "chown root " GROUPS "; chmod 644 " GROUPS,
			GROUPS " may be written by others");
	for (size_t i = 0; i < 3; i++) {
		if (statvfs(places[i], &v) || v.f_flag & ST_NOSUID)
			continue;
		snprintf(text, sizeof text,
			"%s is not mounted nosuid: a setgid file keeps a "
			"strength group for others",
			places[i]);
		warning(d, "nosuid", "Mount it with nosuid", text);
	}
	nss = file_read("/etc/nsswitch.conf", NULL);
	line = nss ? strstr(nss, "\ngroup:") : NULL;
	if (line)
		line[1 + strcspn(line + 1, "\n")] = 0;
	if (!line || !strstr(line, "magotp"))
		warning(d, "nsswitch", "Add magotp to the group line of /etc/nsswitch.conf",
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
		error(d, "listed", "chown root " LISTED "; chmod 644 " LISTED,
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
	warning(d, "unconfirmed", "Log in through it, then there: magotpctl confirm", text);
	return 0;
}

static void check_enabled(struct doctor *d)
{
	(void)enabled_each(d->c->config ? d->c->config : "", pending, d);
}

const struct doctor_check doctor_host[] = {
	{ "clock", check_clock },
	{ "master-key", check_master_key },
	{ "store", check_store },
	{ "journal", check_journal },
	{ "identity", check_identity },
	{ "socket", check_sockets },
	{ "module", check_module },
	{ "groups", check_groups },
	{ "listed", check_listed },
	{ "unconfirmed", check_enabled },
	{ NULL, NULL },
};
