/* The HTTP gateway of bench/dispatch: takes every message, as fast as one processor can.
 *   gatewayd            prints its port, then obeys lines on stdin:
 *   open | hold         count from zero; answer at once | owe the answers
 *   release             answer what is owed, and from now on at once
 *   wait N              once N requests came, print when (ns, CLOCK_MONOTONIC) the first
 *                       came, the last came, and when the release was */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8192
#define REQUEST_MAX     8192
#define EVENTS          256

static const char answer[] = "HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\n"
			     "Content-Length: 24\r\n\r\n0: Accepted for delivery";

struct connection {
	size_t len;
	unsigned owed; /* answers */
	char in[REQUEST_MAX + 1];
};

static struct connection *connections[CONNECTIONS_MAX]; /* by descriptor */
static int epoll = -1, listener = -1;
static bool holds;
static int64_t count, wanted = -1, first, last, released;

static void die(const char *what)
{
	fprintf(stderr, "gatewayd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void watch(int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static void report(void)
{
	if (wanted < 0 || count < wanted)
		return;
	wanted = -1;
	printf("%lld %lld %lld\n", (long long)first, (long long)last, (long long)released);
	fflush(stdout);
}

/* ---- requests ---- */

static void drop(int fd)
{
	free(connections[fd]);
	connections[fd] = NULL;
	close(fd);
}

static bool pay(int fd)
{
	struct connection *c = connections[fd];

	for (; c->owed; c->owed--)
		if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) != sizeof answer - 1)
			return false;
	return true;
}

/* The length of the first request in the buffer; 0: it is not whole yet. */
static size_t request_length(const struct connection *c)
{
	const char *end = memmem(c->in, c->len, "\r\n\r\n", 4);
	const char *line = end ? strcasestr(c->in, "\r\nContent-Length:") : NULL;
	size_t len = end ? (size_t)(end - c->in) + 4 : 0;

	if (line && line < end)
		len += strtoul(line + 17, NULL, 10);
	return len <= c->len ? len : 0;
}

static void on_readable(int fd)
{
	struct connection *c = connections[fd];
	ssize_t n = recv(fd, c->in + c->len, REQUEST_MAX - c->len, MSG_DONTWAIT);
	size_t len;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(fd);
		return;
	}
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	while ((len = request_length(c))) {
		c->len -= len;
		memmove(c->in, c->in + len, c->len + 1);
		c->owed++;
		last = now();
		if (count++ == 0)
			first = last;
	}
	if (c->len == REQUEST_MAX || (!holds && !pay(fd)))
		drop(fd);
	report();
}

static void on_connection(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1;

	if (fd < 0 || fd >= CONNECTIONS_MAX)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	connections[fd] = calloc(1, sizeof **connections);
	if (!connections[fd])
		die("calloc");
	watch(fd);
}

/* ---- orders ---- */

static void obey(const char *line)
{
	if (strcmp(line, "open") == 0 || strcmp(line, "hold") == 0) {
		holds = *line == 'h';
		count = first = last = released = 0;
	} else if (strcmp(line, "release") == 0) {
		holds = false;
		released = now();
		for (int fd = 0; fd < CONNECTIONS_MAX; fd++)
			if (connections[fd] && !pay(fd))
				drop(fd);
	} else if (sscanf(line, "wait %lld", (long long *)&wanted) == 1) {
		report();
	}
}

/* One line at a time is written, and never more before it was obeyed. */
static void on_order(void)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);

	if (n <= 0)
		exit(0);
	line[n] = '\0';
	for (char *save = NULL, *one = strtok_r(line, "\n", &save); one;
		one = strtok_r(NULL, "\n", &save))
		obey(one);
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;

	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (epoll < 0 || listener < 0 || bind(listener, (void *)&a, sizeof a) < 0 ||
		listen(listener, 1024) < 0 || getsockname(listener, (void *)&a, &len) < 0)
		die("listen");
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	watch(listener);
	watch(STDIN_FILENO);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				on_connection();
			else if (fd == STDIN_FILENO)
				on_order();
			else if (connections[fd])
				on_readable(fd);
		}
	}
}
