/* The listening socket: the one systemd passed, or one of our own, made while
 * the process still has the rights it was started with. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <libgen.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define BACKLOG 1024

/* Somebody serves at this address already. */
static bool answers(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes = fd >= 0 &&
		   (connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return yes;
}

/* /run is empty after a boot, and not every machine has tmpfiles. Everybody
 * may enter; only who started us can put another socket there. */
static void make_directory(const char *path)
{
	char copy[sizeof((struct sockaddr_un *)0)->sun_path];
	mode_t old;

	if (mag_copy(copy, sizeof copy, path))
		return;
	old = umask(022);
	(void)mkdir(dirname(copy), 0755); /* bind says what is wrong */
	umask(old);
}

static int bind_path(int fd, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t old;
	int r;

	if (mag_copy(sa.sun_path, sizeof sa.sun_path, path))
		return MAG_EINVAL;
	make_directory(path);
	old = umask(0111); /* 0666: who may do what is decided by the peer's uid */
	r = bind(fd, (struct sockaddr *)&sa, sizeof sa);
	if (r && errno == EADDRINUSE) {
		if (answers(&sa)) {
			umask(old);
			return MAG_EEXISTS;
		}
		r = unlink(path);
		if (!r)
			r = bind(fd, (struct sockaddr *)&sa, sizeof sa);
	}
	umask(old);
	return r || listen(fd, BACKLOG) ? MAG_ESYS : 0;
}

#ifdef HAVE_SYSTEMD
/* The socket that the service manager passed; -1: none. */
static int passed_socket(void)
{
	int n = sd_listen_fds(1);

	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
		if (sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) > 0)
			return fd;
	return -1;
}
#else
static int passed_socket(void)
{
	return -1;
}
#endif

int listen_open(const char *path, int *fd_r, bool *made_r)
{
	int fd = passed_socket(), r;

	if (fd >= 0) {
		*fd_r = fd;
		*made_r = false;
		return evutil_make_socket_nonblocking(fd) ? MAG_ESYS : 0;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return MAG_ESYS;
	r = bind_path(fd, path);
	if (r) {
		int saved = errno;

		close(fd);
		errno = saved;
		return r;
	}
	*fd_r = fd;
	*made_r = true;
	return 0;
}
