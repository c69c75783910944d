/* Letting go of what smsd has, and of being root. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/child.h"

static bool is_in(int fd, const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

int child_let_go(int *fds, size_t n)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rlimit limit;

	if (null < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return MAG_ESYS;
	/* Beyond standard input, output and errors, which get another meaning. */
	for (size_t i = 0; i < n; i++)
		if ((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0)
			return MAG_ESYS;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		if (dup2(null, i) < 0)
			return MAG_ESYS;
	for (rlim_t i = STDERR_FILENO + 1; i < limit.rlim_cur && i < 65536; i++)
		if (!is_in((int)i, fds, n))
			close((int)i);
	if (chdir("/") < 0)
		return MAG_ESYS;
	umask(077);
	return 0;
}

int child_become(const char *user, const char *key)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	errno = 0;
	pw = getpwnam(user);
	if (!pw) {
		mag_log(MAG_LOG_ERROR, "%s: there is no user \"%s\"", key, user);
		return MAG_ENOTFOUND;
	}
	if (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0 ||
		(pw->pw_uid != 0 && setuid(0) == 0)) {
		mag_log(MAG_LOG_ERROR, "cannot become %s: %s", user, strerror(errno));
		return MAG_ESYS;
	}
	return 0;
}
