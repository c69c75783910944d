/* One message to smsd on a connection of its own; the answer is the caller's to wait for. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <libgen.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

static bool trusted(int fd, const char *path)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	struct stat st;
	char copy[108];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || len != sizeof peer)
		return false;
	if (peer.uid == 0)
		return true;
	/* Whose directory it is, if nobody else can put a socket there. */
	return mag_copy(copy, sizeof copy, path) == 0 && stat(dirname(copy), &st) == 0 &&
	       !(st.st_mode & 022) && st.st_uid == peer.uid;
}

/* A connection to whom it should be. */
static int reach(const char *path, int *fd_r)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = MAG_EDOWN;

	if (fd < 0 || mag_copy(sa.sun_path, sizeof sa.sun_path, path))
		goto out;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa)) {
		r = errno == EAGAIN ? MAG_EBUSY : MAG_EDOWN;
		goto out;
	}
	r = MAG_ESERVER;
	if (!trusted(fd, path))
		goto out;
	*fd_r = fd;
	return 0;
out:
	if (fd >= 0)
		close(fd);
	return r;
}

int smsd_ask(const struct broker *b, uint16_t message, const void *request, int *fd_r)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	size_t len = 0;
	int fd = -1;
	int r = reach(b->settings->smsd_socket, &fd);

	if (!r)
		r = wire_encode_request(message, request, frame, &len);
	if (!r && send(fd, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		r = errno == EAGAIN ? MAG_EBUSY : MAG_EDOWN;
	mag_wipe(frame, len);
	if (!r)
		*fd_r = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}
