/* A server that misbehaves on purpose, in a child of its own. It tells through
 * a pipe what it saw: 'a' for a connection, then 'r' and the number of bytes
 * for each datagram. Used by tests of the client and of libotpcore. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otpcore/wire/wire.h"

enum fake_mode {
	FAKE_REPLY,      /* answers with fake.frame */
	FAKE_SILENT,     /* reads and keeps silent */
	FAKE_HANG_UP,    /* reads and closes */
	FAKE_SLAM,       /* closes without reading */
	FAKE_DESCRIPTOR, /* answers with fake.frame and passes a descriptor along */
	FAKE_ASK,        /* answers what fake.answer makes of the request; 0: hangs up */
	FAKE_NO_ACCEPT,  /* listens with no backlog and never accepts */
};

struct fake {
	enum fake_mode mode;
	uid_t uid; /* runs as; getuid() unless root */
	const unsigned char *frame;
	size_t len;
	size_t (*answer)(const unsigned char *in, size_t len, unsigned char *out);
	char dir[64], path[100];
	pid_t pid;
	int seen; /* reading end of the pipe */
};

static inline void fake_die(const char *what)
{
	perror(what);
	_exit(99);
}

static inline void fake_answer(const struct fake *f, int fd)
{
	struct iovec part = { (void *)(size_t)f->frame, f->len };
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (f->mode == FAKE_DESCRIPTOR) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = sizeof control;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		fake_die("sendmsg");
}

static inline void fake_serve(const struct fake *f, int listener, int report)
{
	static unsigned char in[WIRE_FRAME_MAX];

	for (;;) {
		int fd = accept(listener, NULL, NULL);
		unsigned n;

		if (fd < 0)
			fake_die("accept");
		if (write(report, "a", 1) != 1)
			fake_die("report");
		while (f->mode != FAKE_SLAM) {
			ssize_t got = recv(fd, in, sizeof in, 0);

			if (got <= 0)
				break;
			n = (unsigned)got;
			if (write(report, "r", 1) != 1 || write(report, &n, sizeof n) != sizeof n)
				fake_die("report");
			if (f->mode == FAKE_REPLY || f->mode == FAKE_DESCRIPTOR)
				fake_answer(f, fd);
			if (f->mode == FAKE_HANG_UP)
				break;
			if (f->mode == FAKE_ASK) {
				static unsigned char out[WIRE_FRAME_MAX];
				size_t len = f->answer(in, (size_t)got, out);

				if (len == 0)
					break;
				if (send(fd, out, len, MSG_NOSIGNAL) < 0 && errno != EPIPE)
					fake_die("send");
			}
		}
		close(fd);
	}
}

/* The listener is made by the child, as its own user: SO_PEERCRED shows that. */
static inline void fake_child(const struct fake *f, int report)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (f->uid != getuid() && setuid(f->uid) < 0)
		fake_die("setuid");
	s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	memcpy(a.sun_path, f->path, strlen(f->path) + 1);
	if (s < 0 || bind(s, (void *)&a, sizeof a) < 0 ||
		listen(s, f->mode == FAKE_NO_ACCEPT ? 0 : 16) < 0)
		fake_die("listen");
	if (chmod(f->path, 0666) < 0 || write(report, "l", 1) != 1)
		fake_die("report");
	if (f->mode == FAKE_NO_ACCEPT)
		for (;;)
			pause();
	fake_serve(f, s, report);
}

/* Fill mode, uid, frame and len before; 0 or -1. */
static inline int fake_start(struct fake *f)
{
	int p[2];
	char c;

	snprintf(f->dir, sizeof f->dir, "/tmp/magotp-fake-XXXXXX");
	if (mkdtemp(f->dir) == NULL || chmod(f->dir, 0755) < 0 || chown(f->dir, f->uid, -1) < 0 ||
		pipe(p) < 0)
		return -1;
	snprintf(f->path, sizeof f->path, "%s/sock", f->dir);
	fflush(NULL);
	f->pid = fork();
	if (f->pid == 0)
		fake_child(f, p[1]);
	close(p[1]);
	f->seen = p[0];
	return f->pid > 0 && read(f->seen, &c, 1) == 1 && c == 'l' ? 0 : -1;
}

/* How many bytes the server was sent so far (it is stopped by this). */
static inline size_t fake_stop(struct fake *f)
{
	size_t bytes = 0;
	char c;

	kill(f->pid, SIGTERM);
	waitpid(f->pid, NULL, 0);
	while (read(f->seen, &c, 1) == 1) {
		unsigned n;

		if (c == 'r' && read(f->seen, &n, sizeof n) == sizeof n)
			bytes += n;
	}
	close(f->seen);
	unlink(f->path);
	rmdir(f->dir);
	return bytes;
}

#endif
