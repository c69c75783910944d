/* One message, one file. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/file.h"
#include "smsd/gateway/file_drop.h"

static int write_file(int dir, const char *name, const struct mag_secret *bytes)
{
	const mode_t group = S_IRGRP | S_IWGRP;
	struct stat st;
	int fd, r;

	if (fstat(dir, &st) < 0)
		return MAG_ESYS;
	unlinkat(dir, name, 0);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return MAG_ESYS;
	r = mag_write_all(fd, bytes->data, bytes->len);
	if (r == 0 && ((st.st_mode & group && fchmod(fd, 0600 | (st.st_mode & group)) < 0) ||
			      fsync(fd) < 0))
		r = MAG_ESYS;
	if (close(fd) < 0)
		r = MAG_ESYS;
	return r;
}

static int write_whole(const char *directory, const char *name, const struct mag_secret *bytes)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r, saved;
	char temporary[NAME_MAX + 1];

	if (dir < 0)
		return MAG_ESYS;
	snprintf(temporary, sizeof temporary, ".%.200s.new", name);
	r = write_file(dir, temporary, bytes);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = MAG_ESYS;
	saved = errno;
	if (r < 0)
		unlinkat(dir, temporary, 0);
	else
		/* The file is there already: an answer other than "accepted" would send it
		 * twice for sure, to avoid that it gets lost when the power fails now. */
		fsync(dir);
	close(dir);
	errno = saved;
	return r;
}

/* What waiting does not mend: the administrator is told at once, and a sender
 * does not wait for two minutes. */
static bool is_lasting(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM ||
	       error == EROFS;
}

void file_drop(struct attempt *a, const char *directory, const char *name, int r,
	const struct mag_secret *document)
{
	struct gateway_result result = { .outcome = SMS_RETRYABLE };

	if (r == 0)
		r = write_whole(directory, name, document);
	if (r == 0) {
		result.outcome = SMS_ACCEPTED;
		snprintf(result.provider_id, sizeof result.provider_id, "%s", a->message->id);
	} else {
		const int error = r == MAG_ESYS ? errno : 0;

		/* Nor does a text go into a file later that does not go there now. */
		if (is_lasting(error) || r == MAG_ERANGE)
			result.outcome = SMS_PERMANENT;
		snprintf(result.error, sizeof result.error, "%.80s: %.40s", directory,
			error ? strerror(error) : mag_strerror(r));
	}
	a->done(a, &result);
}

int file_drop_check(const struct gateway *g, const char *directory, char err[OPT_ERROR_MAX])
{
	if (directory[0] == '/')
		return 0;
	snprintf(err, OPT_ERROR_MAX, "[gateway %s]: directory must be an absolute path", g->name);
	return MAG_ESYNTAX;
}
