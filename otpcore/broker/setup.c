/* otpcored --setup: master key and store, once (magotpctl setup). */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/seal/keyfile.h"

static void say(const char *what, const char *path)
{
	fprintf(stderr, "%s %s\n", what, path);
}

static int fail(int r, const char *what, const char *path)
{
	fprintf(stderr, "otpcored: %s %s: %s\n", what, path,
		r == MAG_ESYS ? strerror(errno) : mag_strerror(r));
	return r;
}

/* The part of "scheme:path" behind the colon; NULL if it is no such thing. */
static const char *path_of(const char *url, const char *scheme)
{
	return mag_has_prefix(url, scheme) ? url + strlen(scheme) : NULL;
}

/* The directory of a file, made if it is not there; owned by the user. */
static int make_directory(const char *file, uid_t uid, gid_t gid)
{
	char copy[512];
	const char *dir;

	if (mag_copy(copy, sizeof copy, file))
		return MAG_ENOSPACE;
	dir = dirname(copy);
	if (mkdir(dir, 0700) == 0) {
		say("made", dir);
		if (geteuid() == 0 && chown(dir, uid, gid))
			return fail(MAG_ESYS, "cannot give away", dir);
	} else if (errno != EEXIST) {
		return fail(MAG_ESYS, "cannot make", dir);
	}
	return 0;
}

/* The key stays with whoever runs this: root reads it before becoming the
 * broker's user, who has no business with the file. */
static int make_key(const char *path, const char *source)
{
	int r = make_directory(path, geteuid(), getegid());

	if (!r)
		r = keyring_create_source(source);
	if (r == MAG_EDOWN)
		fprintf(stderr, "otpcored: %s: no TPM answers\n", source);
	if (r)
		return fail(r, "master key", path);
	say("made", path);
	return 0;
}

/* A store was there: what stands in its journal is spent, and an empty one would know
 * nothing of it, nor would the journal be gone on with. */
static bool store_was_lost(const struct settings *s)
{
	struct stat st;

	return *s->journal == '/' && stat(s->journal, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size > 0;
}

static int refuse_lost(const struct settings *s, const char *db)
{
	fprintf(stderr,
		"otpcored: nothing was changed: store %s is gone, but its journal %s is there; "
		"\"magotpctl restore FILE\" puts a backup back\n"
		"otpcored: without any backup, move the journal away first: all accounts begin "
		"anew\n",
		db, s->journal);
	return MAG_ECONFLICT;
}

int setup_run(const struct settings *s)
{
	char path[512];
	const char *key = keyfile_path(s->master_key, path, sizeof path) ? path : NULL;
	const char *db = path_of(s->url, "sqlite:");
	char err[STORE_ERROR_MAX] = "";
	uid_t uid = geteuid();
	gid_t gid = getegid();
	bool has_key;
	int r;

	/* A server's database is its administrator's to make. */
	if (db ? *db != '/' : !path_of(s->url, "postgresql:"))
		return fail(MAG_EUNSUPPORTED, "[store] url:", s->url);
	if (uid == 0 && priv_user(s->user, &uid, &gid))
		return fail(MAG_ENOTFOUND, "user", s->user);
	/* A key without a store is half a setup, and may be finished. The other way
	 * round everything in the store would be lost to a new key. */
	has_key = !key || access(key, F_OK) == 0;
	if (db && access(db, F_OK) == 0)
		return fail(MAG_EEXISTS, "nothing was changed: store", db);
	if (db && store_was_lost(s))
		return refuse_lost(s, db);
	if (has_key)
		say("kept", s->master_key);
	else if ((r = make_key(key, s->master_key)))
		return r;
	if (db && (r = make_directory(db, uid, gid)))
		return r;
	if (*s->audit_file == '/' && (r = make_directory(s->audit_file, uid, gid)))
		return r;
	if (*s->journal == '/' && (r = make_directory(s->journal, uid, gid)))
		return r;
	if ((r = priv_drop(s->user)))
		return r;
	if ((r = store_create(s->url, err))) {
		fprintf(stderr, "otpcored: %s\n", *err ? err : mag_strerror(r));
		/* What is in it opens with the key that made it. */
		if (r == MAG_EEXISTS && !has_key)
			fprintf(stderr,
				"otpcored: this host needs the master key of the others in place "
				"of the new %s\n",
				key);
		return r;
	}
	say("made", db ? db : "the tables of the store");
	return 0;
}
