/* One request, one answer, one deadline (client.h). Linux: SOCK_SEQPACKET over
 * a Unix socket, see unix(7). */
#include "otpcore/client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"

#define TIMEOUT_DEFAULT_MS 10000

/* Never falls; not base/clock.h, which modules do not link. */
static int64_t ticks_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 0 when `fd` is ready (also for an error, which the next call shows);
 * MAG_ETIMEOUT, MAG_ESYS. */
static int wait_ready(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { fd, events, 0 };
		int64_t left = deadline - ticks_ms();
		int n;

		if (left <= 0)
			return MAG_ETIMEOUT;
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return MAG_ESYS;
	}
}

/* A program may run without 0, 1 or 2; what it prints must not reach the broker. */
static int open_socket(int *fd_r)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && fd < 3) {
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		close(fd);
		fd = high;
	}
	if (fd < 0)
		return MAG_ESYS;
	*fd_r = fd;
	return 0;
}

/* What connect(2) says, in our words. EAGAIN is a full backlog: on a Unix
 * socket there is nothing to wait for with poll. Everything else, such as
 * EACCES, must not look like a broker that is down (broker_down=allow). */
static int connect_error(int e)
{
	switch (e) {
	case ENOENT:
	case ECONNREFUSED:
		return MAG_EDOWN;
	case EAGAIN:
		return MAG_EBUSY;
	case EPROTOTYPE:
		return MAG_ESERVER;
	default:
		return MAG_ESYS;
	}
}

static int connect_to(const struct client *c, int *fd_r)
{
	const char *path = c->socket != NULL ? c->socket : OTPCORED_SOCKET;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd = -1;
	int r;

	if (len == 0 || len >= sizeof address.sun_path)
		return MAG_EINVAL;
	memcpy(address.sun_path, path, len + 1);
	r = open_socket(&fd);
	if (r < 0)
		return r;
	while (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		if (errno == EINTR)
			continue;
		r = connect_error(errno);
		close(fd);
		return r;
	}
	*fd_r = fd;
	return 0;
}

/* Security.md 3: whoever called listen(2) must be root or the configured user. */
static int check_server(int fd, uint32_t server_uid)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof peer)
		return MAG_ESYS;
	return peer.uid == 0 || peer.uid == server_uid ? 0 : MAG_ESERVER;
}

/* A server that hung up may have answered before: not an error here. */
static int send_frame(int fd, const unsigned char *frame, size_t len, int64_t deadline)
{
	for (;;) {
		ssize_t n = send(fd, frame, len, MSG_NOSIGNAL);
		int r;

		if (n >= 0)
			return (size_t)n == len ? 0 : MAG_ESYS;
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return MAG_ESYS;
		r = wait_ready(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
}

/* Without room for control data the kernel closes descriptors that are passed. */
static int receive_frame(int fd, unsigned char *frame, size_t *len_r, int64_t deadline)
{
	for (;;) {
		ssize_t n;
		int r = wait_ready(fd, POLLIN, deadline);

		if (r < 0)
			return r;
		n = recv(fd, frame, WIRE_FRAME_MAX, MSG_TRUNC);
		if (n > WIRE_FRAME_MAX)
			return MAG_EPROTO;
		if (n > 0) {
			*len_r = (size_t)n;
			return 0;
		}
		if (n == 0 || errno == ECONNRESET)
			return MAG_EGONE;
		if (errno != EINTR && errno != EAGAIN)
			return MAG_ESYS;
	}
}

/* The answer replaces the request in `frame`. *used_r: bytes to wipe. */
static int exchange(const struct client *c, unsigned char *frame, size_t *len, size_t *used_r)
{
	int timeout = c->timeout_ms > 0 ? c->timeout_ms : TIMEOUT_DEFAULT_MS;
	int64_t deadline = ticks_ms() + timeout;
	int fd = -1;
	int r = connect_to(c, &fd);

	if (r < 0)
		return r;
	r = check_server(fd, c->server_uid);
	if (r == 0)
		r = send_frame(fd, frame, *len, deadline);
	if (r == 0) {
		*used_r = WIRE_FRAME_MAX;
		r = receive_frame(fd, frame, len, deadline);
	}
	close(fd);
	return r;
}

int client_call(const struct client *c, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply)
{
	const struct wire_message *m = wire_message_by_id(message);
	unsigned char *frame = NULL;
	void *unwanted = NULL;
	size_t len = 0, used = 0;
	int r;

	if (m == NULL)
		return MAG_EINVAL;
	frame = malloc(WIRE_FRAME_MAX);
	if (reply == NULL)
		reply = unwanted = calloc(1, m->reply.size);
	if (frame == NULL || reply == NULL) {
		r = MAG_ENOMEM;
		goto out;
	}
	r = wire_encode_request(message, request, frame, &len);
	if (r < 0)
		goto out;
	used = len;
	r = exchange(c, frame, &len, &used);
	if (r == 0)
		r = wire_decode_reply(frame, len, message, result_r, reply);
out:
	if (frame != NULL)
		mag_wipe(frame, used);
	free(frame);
	wire_free(&m->reply, &unwanted);
	return r;
}

uint32_t client_server_uid(const char *socket)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)] = "";
	const char *path = socket != NULL ? socket : OTPCORED_SOCKET;
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	struct stat st;

	/* A relative path says nothing about who made the folder it is in. */
	if (path[0] != '/' || len == 0 || len >= sizeof directory)
		return 0;
	memcpy(directory, path, len);
	if (stat(directory, &st) < 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return 0;
	return st.st_uid;
}
