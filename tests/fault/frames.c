/* Mutated frames at a running daemon, as fast as it takes them.
 *
 *   frames SOCKET FRAMES COUNT SEED [UID]
 *
 * FRAMES holds valid ones (each behind its length, 4 bytes big-endian); each shot is one
 * of them with some bytes changed, on a connection of its own, sixty-four at a time. Three
 * of four wait for the answer. The same seed shoots the same frames. Exit 1: the daemon
 * did not take a connection, or was silent for ten seconds. */
#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ROOM      65536
#define FRAMES    512
#define IN_FLIGHT 64

struct frame {
	unsigned char *data;
	size_t len;
};

static struct frame frames[FRAMES];
static size_t n_frames;
static uint64_t state;
static struct {
	long answers, unread, hung_up, refused;
} seen;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 16) % below);
}

static int load(const char *path)
{
	FILE *f = fopen(path, "rb");
	unsigned char head[4];

	while (f && n_frames < FRAMES && fread(head, 1, 4, f) == 4) {
		size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 |
			     head[3];
		unsigned char *data = malloc(len + 1);

		if (!data || fread(data, 1, len, f) != len)
			return -1;
		frames[n_frames++] = (struct frame){ data, len };
	}
	if (f)
		fclose(f);
	return n_frames > 0 ? 0 : -1;
}

/* ---- mutations: of `data`, ROOM bytes, `len` used; the new length ---- */

static size_t flip(unsigned char *data, size_t len)
{
	if (len)
		data[draw((uint32_t)len)] ^= (unsigned char)(1u << draw(8));
	return len;
}

static size_t put(unsigned char *data, size_t len)
{
	static const unsigned char odd[] = { 0, 1, 0x7f, 0x80, 0xff, '\n', 0x1b, '%' };

	if (len)
		data[draw((uint32_t)len)] = odd[draw(sizeof odd)];
	return len;
}

static size_t shorten(unsigned char *data, size_t len)
{
	(void)data;
	return len ? draw((uint32_t)len) : 0;
}

static size_t lengthen(unsigned char *data, size_t len)
{
	size_t more = draw(64);

	for (size_t i = 0; i < more && len < ROOM; i++)
		data[len++] = (unsigned char)draw(256);
	return len;
}

static size_t leave_out(unsigned char *data, size_t len)
{
	size_t at = len ? draw((uint32_t)len) : 0, n = len > at ? 1 + draw(8) : 0;

	if (n > len - at)
		n = len - at;
	memmove(data + at, data + at + n, len - at - n);
	return len - n;
}

static size_t put_in(unsigned char *data, size_t len)
{
	size_t at = len ? draw((uint32_t)len) : 0, n = 1 + draw(8);

	if (len + n > ROOM)
		return len;
	memmove(data + at + n, data + at, len - at);
	for (size_t i = 0; i < n; i++)
		data[at + i] = (unsigned char)draw(256);
	return len + n;
}

/* The end of another one: mostly fields of other types. */
static size_t splice(unsigned char *data, size_t len)
{
	const struct frame *f = &frames[draw((uint32_t)n_frames)];
	size_t at = len ? draw((uint32_t)len) : 0, from = f->len ? draw((uint32_t)f->len) : 0;

	memcpy(data + at, f->data + from, f->len - from);
	return at + f->len - from;
}

/* Two bytes that may be a length, or a message's number. */
static size_t number(unsigned char *data, size_t len)
{
	static const unsigned odd[] = { 0, 1, 255, 256, 0x7fff, 0x8000, 0xffff };
	size_t at = draw(4) ? (len > 2 ? draw((uint32_t)len - 1) : 0) : 2;
	unsigned n = draw(2) ? odd[draw(7)] : draw(260);

	if (at + 2 > len)
		return len;
	data[at] = (unsigned char)(n >> 8);
	data[at + 1] = (unsigned char)n;
	return len;
}

static size_t mutate(unsigned char *data)
{
	static size_t (*const ways[])(unsigned char *, size_t) = { flip, flip, put, put, shorten,
		lengthen, leave_out, put_in, splice, number };
	const struct frame *f = &frames[draw((uint32_t)n_frames)];
	size_t len = f->len;

	memcpy(data, f->data, len);
	for (uint32_t n = draw(6); n; n--)
		len = ways[draw(sizeof ways / sizeof *ways)](data, len);
	return len;
}

/* ---- shots ---- */

static int shoot(const struct sockaddr_un *to, const unsigned char *data, size_t len)
{
	static const struct timeval patience = { 10, 0 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) ||
		connect(fd, (const struct sockaddr *)to, sizeof *to)) {
		perror("connect");
		exit(1);
	}
	/* Turned away already: too many connections. */
	if (send(fd, data, len, MSG_NOSIGNAL) < 0)
		seen.refused++;
	return fd;
}

static void collect(int fd)
{
	static unsigned char answer[ROOM];
	bool wanted = draw(4) != 0;
	ssize_t n = wanted ? recv(fd, answer, sizeof answer, 0) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		fprintf(stderr, "silent for ten seconds\n");
		exit(1);
	}
	if (!wanted)
		seen.unread++;
	else if (n > 0)
		seen.answers++;
	else
		seen.hung_up++;
	close(fd);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void become(const char *uid)
{
	unsigned id = (unsigned)strtoul(uid, NULL, 10);

	if (setgroups(0, NULL) || setgid(id) || setuid(id)) {
		perror(uid);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static unsigned char data[2 * ROOM];
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int flying[IN_FLIGHT];
	long count = argc > 3 ? atol(argv[3]) : 0;
	double since = now();

	if (argc < 5 || strlen(argv[1]) >= sizeof to.sun_path || load(argv[2])) {
		fprintf(stderr, "frames SOCKET FRAMES COUNT SEED [UID]\n");
		return 2;
	}
	memcpy(to.sun_path, argv[1], strlen(argv[1]));
	state = (strtoull(argv[4], NULL, 10) + 1) * UINT64_C(0x9e3779b97f4a7c15);
	if (argc > 5)
		become(argv[5]);
	for (long i = 0; i < count; i++) {
		if (i >= IN_FLIGHT)
			collect(flying[i % IN_FLIGHT]);
		flying[i % IN_FLIGHT] = shoot(&to, data, mutate(data));
	}
	for (long i = 0; i < (count < IN_FLIGHT ? count : IN_FLIGHT); i++)
		collect(flying[i]);
	printf("%ld frames (seed %s, from %zu), %ld answers, %ld unread, %ld hung up, %ld turned "
	       "away, "
	       "%.0f s\n",
		count, argv[4], n_frames, seen.answers, seen.unread, seen.hung_up, seen.refused,
		now() - since);
	return 0;
}
