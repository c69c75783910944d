/* otpcored --backup: a copy of the store in one file, while a broker serves from it. The
 * store is read as the broker's user; the file is root's, so that a broker that was taken
 * over does not reach its own backups. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/place.h"

/* ---- as the broker's user ---- */

/* A backup that nobody can open is found out now, not on the day when it is needed. */
static int try_key(struct broker *b, struct store *copy)
{
	int r = 0;

	if (b->keyring) {
		b->store = copy;
		r = keys_try(b);
		b->store = NULL;
	}
	if (r == MAG_ENOTFOUND || r == MAG_ECRYPTO)
		return place_fail(MAG_ECRYPTO, b->settings->master_key,
			"this key does not open what is in the store, so a backup would be useless "
			"with it; [store] master_key must name the key that otpcored serves with");
	return r ? place_fail(r, "the backup", "") : 0;
}

static int copy_rows(struct broker *b, struct store *from, const struct place *p)
{
	char err[STORE_ERROR_MAX] = "";
	struct store *to = NULL;
	int r = place_copy_store(p, from, &to, err);

	if (!r)
		r = store_meta_set(to, BACKUP_AT, mag_now());
	r = r ? place_fail(r, "the backup", err) : try_key(b, to);
	store_close(&to);
	return r;
}

static int copy_file(const struct place *p, int to)
{
	int from = open(p->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = from >= 0 ? place_copy_bytes(from, to, "writing") : MAG_ESYS;

	if (r)
		place_fail(r, "the backup", "");
	if (from >= 0)
		close(from);
	return r;
}

static int copy_store(struct broker *b, int to)
{
	const struct settings *s = b->settings;
	struct place p = { .lock = -1 };
	struct store *from = NULL;
	char err[STORE_ERROR_MAX] = "";
	int r = priv_drop(s->user);

	errno = 0;
	if (r)
		return place_fail(r, s->user, "");
	/* Nobody would give the file its name. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = store_open(s->url, &from, err);
	if (r)
		return place_fail(r, "the store", err);
	r = place_open(s, s->url, &p);
	if (!r)
		r = copy_rows(b, from, &p);
	if (!r && to >= 0)
		r = copy_file(&p, to);
	place_close(&p);
	store_close(&from);
	return r;
}

static int copy_as_user(struct broker *b, int to)
{
	char why[64];
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return place_fail(MAG_ESYS, "no process for the copy", "");
	if (pid == 0)
		_exit(copy_store(b, to) ? 1 : 0); /* style: the child's end */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return place_fail(MAG_ESYS, "the copy", "");
	if (WIFSIGNALED(status)) {
		snprintf(why, sizeof why, "ended by signal %d (%s); there is no backup",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
		return place_fail(MAG_ESTORE, "the copy", why);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : MAG_ESTORE;
}

/* ---- as whoever wants it ---- */

static bool ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       st.st_nlink == 1;
}

/* What a backup that was killed has left goes, if it is ours: whose file it is reads what
 * is written into it. The folder may be anybody's. */
static int remove_left(const char *name)
{
	/* Of a pipe nobody waits for the other end. */
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	int r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && errno != ELOOP)
		return place_fail(MAG_ESYS, name, "");
	if (fd < 0 || !ours(fd))
		r = place_fail(MAG_EPERM, name,
			"this is in the way and none of our files (another's, a link, or with a "
			"second name); remove it, or name a folder where only you may write");
	else if (flock(fd, LOCK_EX | LOCK_NB))
		r = place_fail(MAG_EBUSY, name, "another backup is writing this");
	else if (unlink(name))
		r = place_fail(MAG_ESYS, name, "");
	if (fd >= 0)
		close(fd);
	return r;
}

/* Under another name until it is whole; a file that nobody but us has ever opened. */
static int open_partial(const char *name)
{
	int r = remove_left(name);
	int fd;

	if (r)
		return r;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return place_fail(MAG_ESYS, name, "");
	if (flock(fd, LOCK_EX | LOCK_NB) || !ours(fd) || fchmod(fd, 0600)) {
		close(fd);
		return place_fail(MAG_EBUSY, name, "another takes it while it is made");
	}
	return fd;
}

static void say(const struct broker *b, const struct backup_orders *o, int64_t bytes)
{
	if (o->json)
		printf("{\"written\":%s,\"bytes\":%lld,\"key_tried\":%s}\n",
			o->dry ? "false" : "true", (long long)bytes, b->keyring ? "true" : "false");
	else if (o->dry)
		fprintf(stderr, "The store can be copied to %s; nothing was written.\n", o->file);
	else
		fprintf(stderr,
			"%s: %lld bytes, complete. The master key (%s) is not in it, and without "
			"that key it is useless: keep them apart.\n",
			o->file, (long long)bytes, b->settings->master_key);
	if (!b->keyring && !o->json)
		fprintf(stderr,
			"Whether that key opens it was not tried: the service manager lends it to "
			"the service alone.\n");
}

static int write_backup(struct broker *b, const struct backup_orders *o)
{
	char name[600];
	struct stat st = { 0 };
	int fd, r;

	if ((size_t)snprintf(name, sizeof name, "%s.partial", o->file) >= sizeof name)
		return place_fail(MAG_ENOSPACE, o->file, "");
	fd = open_partial(name);
	if (fd < 0)
		return fd;
	r = copy_as_user(b, fd);
	if (!r && fstat(fd, &st))
		r = MAG_ESYS;
	if (!r && (r = place_publish(name, o->file)))
		place_fail(r, o->file, r == MAG_EEXISTS ? "it is there already" : "");
	if (r)
		(void)unlink(name);
	close(fd);
	if (!r)
		say(b, o, st.st_size);
	return r;
}

int backup_run(struct broker *b, const struct backup_orders *o)
{
	struct stat st;
	int r;

	if (lstat(o->file, &st) == 0)
		return place_fail(MAG_EEXISTS, o->file,
			"it is there already, and is not overwritten; name another file");
	if (!o->dry)
		return write_backup(b, o);
	r = copy_as_user(b, -1);
	if (!r)
		say(b, o, 0);
	return r;
}
