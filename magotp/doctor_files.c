/* doctor: what otpcored keeps on disk, for itself alone, and whether there is room for more. */
#include <errno.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "magotp/doctor.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/keysource.h"
#include "otpcore/base/text.h"

#define KEY_FIX       "Fix owner and mode: root's, 0600"
#define ROOM_NEEDED   (INT64_C(8) << 20)
#define ROOM_WANTED   (INT64_C(64) << 20)
#define IDENTITY_SOON (INT64_C(7) * 86400)

/* Root alone hears of it; others have no row. */
static void check_master_change(struct doctor *d)
{
	struct wire_key_list_rep p = { 0 };
	char text[200];

	if (!d->broker || client_call(&d->c->client, WIRE_MSG_KEY_LIST, NULL, &d->c->result, &p) ||
		d->c->result.error || !*p.other)
		return;
	snprintf(text, sizeof text, "it is being changed: %s opens the store, too", p.other);
	doctor_warning(d, "master-key",
		p.finish ? "magotpctl key finish"
			 : "Change [store] master_key to it, restart otpcored",
		text);
}

static void check_master_key(struct doctor *d)
{
	const char *key = d->c->settings->master_key;
	char path[512], device[512], text[700];

	if (doctor_relay(d))
		return;
	if (!keyfile_path(key, path, sizeof path)) {
		doctor_ok(d, "master-key", "from %.*s", (int)strcspn(key, ":"), key);
	} else if (!doctor_safe(path, true)) {
		snprintf(text, sizeof text,
			access(path, F_OK) ? "%s is not there"
					   : "%s can be read or written by others",
			path);
		doctor_error(
			d, "master-key", access(path, F_OK) ? "magotpctl setup" : KEY_FIX, text);
	} else if (keyfile_device(key, device, sizeof device) && access(device, F_OK)) {
		snprintf(text, sizeof text, "the TPM's device %s is not there", device);
		doctor_error(
			d, "master-key", "Switch the TPM on, or name its device with ?tcti=", text);
	} else {
		doctor_ok(d, "master-key", "%s is private", path);
	}
	check_master_change(d);
}

/* A file of the daemon's own, and what to do where it is not there. */
struct own_file {
	const char *id, *path, *missing, *lost; /* `lost`: more to say of one that is not there */
};

/* NULL: as whom otpcored runs is not known here. */
static const char *wrong_owner(const struct doctor *d, const struct stat *st)
{
	const struct passwd *pw = getpwnam(d->c->settings->user);

	return pw && st->st_uid != pw->pw_uid ? d->c->settings->user : NULL;
}

static void check_own(struct doctor *d, const struct own_file *f)
{
	char text[700], fix[700];
	const char *owner;
	struct stat st;

	if (stat(f->path, &st)) {
		snprintf(text, sizeof text, "%s: %s%s", f->path, strerror(errno),
			errno == ENOENT && f->lost ? f->lost : "");
		doctor_error(d, f->id, errno == ENOENT ? f->missing : NULL, text);
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(text, sizeof text, "%s is %s, and must be a file", f->path,
			S_ISDIR(st.st_mode) ? "a folder" : "no file");
		doctor_error(d, f->id, "Move it away, or name another path in magotp.conf", text);
	} else if (st.st_mode & 077) {
		snprintf(text, sizeof text, "%s can be read or written by others", f->path);
		snprintf(fix, sizeof fix, "chmod 600 %s", f->path);
		doctor_error(d, f->id, fix, text);
	} else if ((owner = wrong_owner(d, &st))) {
		snprintf(text, sizeof text, "%s must belong to %s, as whom otpcored runs", f->path,
			owner);
		snprintf(fix, sizeof fix, "chown %s: %s", owner, f->path);
		doctor_error(d, f->id, fix, text);
	} else {
		doctor_ok(d, f->id, "%s is private", f->path);
	}
}

static bool is_there(const char *path)
{
	struct stat st;

	return *path == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

/* Where a key or a journal is, there was a store: what is wanted is the backup, and an empty
 * one would make it worse. */
static void check_store(struct doctor *d)
{
	const struct settings *s = d->c->settings;
	char key[512];
	bool lost;

	if (doctor_relay(d) || !mag_has_prefix(s->url, "sqlite:"))
		return;
	lost = is_there(s->journal) ||
	       (keyfile_path(s->master_key, key, sizeof key) && is_there(key));
	check_own(d, &(struct own_file){ "store", s->url + strlen("sqlite:"),
			     lost ? "magotpctl restore FILE" : "magotpctl setup",
			     lost ? "; its key or journal is there: it was lost, and a backup puts "
				    "it back"
				  : NULL });
}

/* What was spent must not come back with a backup. */
static void check_journal(struct doctor *d)
{
	const char *path = d->c->settings->journal;

	if (doctor_relay(d))
		return;
	if (mag_streq(path, "no"))
		doctor_warning(d, "journal", "[store] journal = /PATH, best on another disk",
			"is off: after a restore HOTP tokens have to be taken up again, and codes "
			"and keys that were not used are void");
	else
		check_own(d, &(struct own_file){
				     "journal", path, "Start otpcored again, it makes one", NULL });
}

/* ---- a relay's certificate ---- */

static int64_t ends_at(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	struct tm tm;
	int64_t at = x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) ? timegm(&tm) : 0;

	X509_free(x);
	if (f)
		fclose(f);
	return at;
}

/* It is renewed after two thirds of its life; less than that is left where that fails. */
static void check_identity(struct doctor *d)
{
	const char *path = d->c->settings->identity;
	char text[700], at[32];
	int64_t end, now = mag_now();

	if (!doctor_relay(d))
		return;
	check_own(d, &(struct own_file){ "identity", path, "magotpctl host enroll", NULL });
	end = ends_at(path);
	if (!end || end - now > IDENTITY_SOON)
		return;
	snprintf(text, sizeof text, "this host's certificate (%s) %s %s", path,
		end > now ? "is not renewed, and ends" : "expired",
		mag_time_minute(end, at, sizeof at));
	if (end > now)
		doctor_warning(d, "identity", "Look at otpcored's log: it asks an auth host", text);
	else
		doctor_error(d, "identity",
			"On an auth host magotpctl host revoke and host add, then magotpctl host "
			"enroll here",
			text);
}

/* ---- room ---- */

/* Of the folder of a file; -1: not known. */
static int64_t room_for(const char *path)
{
	char folder[512];
	struct statvfs v;

	if (*path != '/' || mag_copy(folder, sizeof folder, path))
		return -1;
	*strrchr(folder, '/') = 0;
	if (statvfs(*folder ? folder : "/", &v) || !v.f_blocks)
		return -1;
	return (int64_t)(v.f_bavail * v.f_frsize);
}

static void check_room(struct doctor *d)
{
	const struct settings *s = d->c->settings;
	const struct {
		const char *what, *path, *then;
	} files[] = {
		{ "the store", mag_has_prefix(s->url, "sqlite:") ? s->url + strlen("sqlite:") : "",
			"everybody is refused" },
		{ "the audit log", s->audit_file, "everybody is refused" },
		{ "the journal", s->journal, "a restore cannot rely on it" },
	};
	bool looked = false, full = false;

	if (doctor_relay(d))
		return;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		int64_t room = room_for(files[i].path);
		const struct finding f = { .id = "disk",
			.severity = room < ROOM_NEEDED ? DOCTOR_ERROR : DOCTOR_WARNING,
			.subject = files[i].path,
			.fix = "Make room on its disk, or move it to a larger one" };

		if (room < 0)
			continue;
		looked = true;
		if (room >= ROOM_WANTED)
			continue;
		full = true;
		doctor_found(d, &f, "%s (%s) has room for %lld MiB more; once it is full, %s",
			files[i].what, files[i].path, (long long)(room >> 20), files[i].then);
	}
	if (looked && !full)
		doctor_ok(d, "disk", "there is room for store, journal and audit log");
}

void doctor_files(struct doctor *d)
{
	check_master_key(d);
	check_store(d);
	check_journal(d);
	check_room(d);
	check_identity(d);
}
