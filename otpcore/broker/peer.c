/* What the kernel says of the other end. Credentials are frozen at connect;
 * the pid may have gone to another process since (security.md 2). */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "otpcore/base/err.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

int peer_of(int fd, struct peer *p_r)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || len != sizeof cred)
		return MAG_ESYS;
	len = sizeof pidfd;
	/* Older kernels: the process that has the number now. It may be another
	 * one, but the uid is the peer's and all that hangs on the process is
	 * asked of rows of this uid's own account. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		pidfd = cred.pid > 0 && errno == ENOPROTOOPT
				? (int)syscall(SYS_pidfd_open, cred.pid, 0)
				: -1;
	*p_r = (struct peer){ .uid = cred.uid,
		.gid = cred.gid,
		.pid = cred.pid,
		.sid = -1,
		.loginuid = -1,
		.pidfd = pidfd };
	return 0;
}

/* A small file of /proc/PID. Length, or -1. */
static ssize_t slurp(int64_t pid, const char *name, char *buf, size_t cap)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%" PRId64 "/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, cap - 1);
	close(fd);
	if (n >= 0)
		buf[n] = 0;
	return n;
}

/* Audit numbers: 4294967295 is "unset". */
static int64_t audit_number(int64_t pid, const char *name)
{
	char buf[32], *end;
	unsigned long long v;

	if (slurp(pid, name, buf, sizeof buf) <= 0)
		return -1;
	v = strtoull(buf, &end, 10);
	return end == buf || v >= 4294967295ull ? -1 : (int64_t)v;
}

int64_t peer_start_of(int64_t pid)
{
	char buf[1024], *p;
	long long start;

	if (pid <= 0 || slurp(pid, "stat", buf, sizeof buf) <= 0)
		return 0;
	p = strrchr(buf, ')'); /* the name before it may hold anything */
	if (!p)
		return 0;
	/* Behind the name: field 3 (state) ... field 22 (starttime), proc(5). */
	for (int field = 2; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return 0;
	}
	start = strtoll(p + 1, NULL, 10);
	return start > 0 ? start : 0;
}

void peer_look(struct peer *p)
{
	struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };

	p->start = peer_start_of(p->pid);
	p->sid = audit_number(p->pid, "sessionid");
	p->loginuid = audit_number(p->pid, "loginuid");
	/* Readable: the process is gone, and what was read may be a stranger's. */
	p->alive = p->pidfd >= 0 && poll(&pfd, 1, 0) == 0;
	if (!p->alive) {
		p->start = 0;
		p->sid = p->loginuid = -1;
	}
}

bool peer_matters(uint16_t message, uint32_t uid)
{
	switch (message) {
	case WIRE_MSG_SEND:
	case WIRE_MSG_FATE:
	case WIRE_MSG_SKIP:
	case WIRE_MSG_PING:
		return false;
	case WIRE_MSG_VERIFY: /* elevate raises the session of its own user only */
		return uid != 0;
	default:
		return true;
	}
}
