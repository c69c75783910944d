#include "otpcore/broker/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/file.h"
#include "otpcore/base/text.h"

#define NAME "otpcore.working"

int place_fail(int r, const char *what, const char *err)
{
	fprintf(stderr, "otpcored: %s: %s\n", what,
		*err                     ? err
		: r == MAG_ESYS && errno ? strerror(errno)
					 : mag_strerror(r));
	return r;
}

/* ---- the folder ---- */

/* Beside the store if that is a file; else where the broker writes anyway. */
static int folder_of(const struct settings *s, const char *url, char folder_r[400])
{
	const char *file = mag_has_prefix(url, "sqlite:/") ? url + strlen("sqlite:")
			   : *s->journal == '/'            ? s->journal
							   : s->audit_file;
	char copy[400];

	if (*file != '/' || mag_copy(copy, sizeof copy, file))
		return MAG_EUNSUPPORTED;
	return mag_copy(folder_r, 400, dirname(copy));
}

static int remove_old(const char *path)
{
	static const char *const beside[] = { "", "-wal", "-shm", "-journal" };
	char name[600];
	int r = 0;

	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
		snprintf(name, sizeof name, "%s%s", path, beside[i]);
		if (unlink(name) && errno != ENOENT)
			r = MAG_ESYS;
	}
	return r;
}

/* Who starts this is root, and wonders why it may not. */
static int refuse_folder(const struct settings *s, const char *folder, struct place *p)
{
	char why[700];

	snprintf(why, sizeof why,
		"%s; the folder must be there and belong to %s: install -d -o %s "
		"-m 700 %s",
		strerror(errno), s->user, s->user, folder);
	if (p->lock >= 0)
		close(p->lock);
	return place_fail(MAG_ESYS, folder, why);
}

int place_open(const struct settings *s, const char *url, struct place *p_r)
{
	struct place p = { .lock = -1 };
	char folder[400];
	int r = folder_of(s, url, folder);

	if (r)
		return place_fail(r, "nowhere to work in",
			"[store] journal or [audit] file name the folder for it");
	p.lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p.lock < 0 || access(folder, W_OK | X_OK))
		return refuse_folder(s, folder, &p);
	if (flock(p.lock, LOCK_EX | LOCK_NB)) {
		close(p.lock);
		return place_fail(MAG_EBUSY, folder, "another backup or restore is under way");
	}
	snprintf(p.path, sizeof p.path, "%s/" NAME, folder);
	snprintf(p.url, sizeof p.url, "sqlite:%s", p.path);
	r = remove_old(p.path);
	if (r) {
		close(p.lock);
		return place_fail(r, p.path, "");
	}
	*p_r = p;
	return 0;
}

void place_close(struct place *p)
{
	if (p->lock < 0)
		return;
	(void)remove_old(p->path);
	close(p->lock);
	p->lock = -1;
}

int place_copy_store(
	const struct place *p, struct store *from, struct store **to_r, char err[STORE_ERROR_MAX])
{
	struct store *to = NULL;
	int r = store_create(p->url, err);

	if (!r)
		r = store_open(p->url, &to, err);
	if (!r)
		r = store_hasty(to);
	if (!r)
		r = store_snapshot(from);
	if (!r) {
		r = store_copy(from, to, place_progress, NULL);
		(void)store_snapshot_end(from);
	}
	place_progress_end();
	if (r)
		store_close(&to);
	else
		*to_r = to;
	return r;
}

/* ---- how far it is ---- */

void place_progress(const char *what, int64_t done, int64_t total, void *arg)
{
	enum { WIDTH = 24 };
	static const char full[] = "########################", none[] = "........................";
	int width = total > 0 && done < total ? (int)(done * WIDTH / total) : WIDTH;

	(void)arg;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K[%.*s%.*s] %3d %%  %-14s %lld of %lld", width, full,
			WIDTH - width, none, total > 0 ? (int)(done * 100 / total) : 100, what,
			(long long)done, (long long)total);
}

/* Said on the way out of what failed, too: errno stays. */
void place_progress_end(void)
{
	int saved = errno;

	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	errno = saved;
}

int place_copy_bytes(int from, int to, const char *what)
{
	static char bytes[1 << 18];
	struct stat st;
	int64_t done = 0;
	ssize_t n = 0;
	int r = fstat(from, &st) || lseek(from, 0, SEEK_SET) ? MAG_ESYS : 0;

	while (!r && (n = read(from, bytes, sizeof bytes)) > 0) {
		r = mag_write_all(to, bytes, (size_t)n);
		done += n;
		if (!r) /* errno says why */
			place_progress(what, done, st.st_size, NULL);
	}
	place_progress_end();
	if (!r && (n < 0 || fsync(to)))
		r = MAG_ESYS;
	return r;
}

/* ---- files and sockets ---- */

bool place_served(const char *socket_path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && mag_copy(sa.sun_path, sizeof sa.sun_path, socket_path) == 0 &&
		   connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

int place_publish(const char *from, const char *to)
{
	/* A link never replaces anything. */
	if (link(from, to))
		return errno == EEXIST ? MAG_EEXISTS : MAG_ESYS;
	if (unlink(from))
		return MAG_ESYS;
	return mag_sync_folder(to);
}
