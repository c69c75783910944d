#include "magotp/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/file.h"

#define FILE_MAX_LEN (256 * 1024)

char *file_read(const char *path, size_t *len_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = malloc(FILE_MAX_LEN + 2);
	size_t len = 0;
	ssize_t n = -1;
	int e = errno;

	while (fd >= 0 && text && len <= FILE_MAX_LEN &&
		(n = read(fd, text + len, FILE_MAX_LEN + 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0) {
		e = n < 0 ? errno : len > FILE_MAX_LEN ? EFBIG : 0;
		close(fd);
	}
	if (text && !e && memchr(text, 0, len))
		e = EILSEQ;
	if (!text || e) {
		free(text);
		errno = e ? e : ENOMEM;
		return NULL;
	}
	text[len] = 0;
	if (len_r)
		*len_r = len;
	return text;
}

/* Labels and access lists go along; file systems without them have none to lose. */
static int copy_attributes(int from, int to)
{
	char names[4096], value[4096];
	ssize_t len = flistxattr(from, names, sizeof names);

	if (len < 0)
		return errno == ENOTSUP ? 0 : -1;
	for (const char *p = names; p < names + len; p += strlen(p) + 1) {
		ssize_t n = fgetxattr(from, p, value, sizeof value);

		if (n < 0 || (fsetxattr(to, p, value, (size_t)n, 0) && errno != ENOTSUP))
			return -1;
	}
	return 0;
}

/* `old`: the file whose owner, mode and attributes the new one gets; -1: none. */
static int put(const char *path, const char *text, mode_t mode, int old)
{
	char temp[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;
	int fd, e;

	if (snprintf(temp, sizeof temp, "%.*s/.%s.magotp-XXXXXX", slash ? (int)(slash - path) : 1,
		    slash ? path : ".", slash ? slash + 1 : path) >= (int)sizeof temp) {
		errno = ENAMETOOLONG;
		return MAG_ESYS;
	}
	fd = mkostemp(temp, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return MAG_ESYS;
	if (old >= 0 &&
		(fstat(old, &st) || fchown(fd, st.st_uid, st.st_gid) || copy_attributes(old, fd)))
		goto failed;
	if (fchmod(fd, old >= 0 ? st.st_mode & 07777 : mode) ||
		mag_write_all(fd, text, strlen(text)) || fsync(fd))
		goto failed;
	close(fd);
	fd = -1;
	if (rename(temp, path) == 0)
		return mag_sync_folder(path);
failed:
	e = errno;
	if (fd >= 0)
		close(fd);
	unlink(temp);
	errno = e;
	return MAG_ESYS;
}

int file_replace(const char *path, const char *text)
{
	char real[PATH_MAX];
	int old, r, e;

	if (!realpath(path, real))
		return MAG_ESYS;
	old = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (old < 0)
		return MAG_ESYS;
	r = put(real, text, 0, old);
	e = errno;
	close(old);
	errno = e;
	return r;
}

int file_write(const char *path, const char *text, mode_t mode)
{
	return put(path, text, mode, -1);
}
