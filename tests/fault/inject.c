/* Preloaded: the Nth allocation, write, fsync, connect ... of a process fails, once or
 * from then on, or each with a probability, or is slow. What is armed stands in a file
 * that the test maps as well ($MAGOTP_INJECT; tests/inject.py), so that one running
 * process can be failed again and again, and the passes can be counted first.
 *
 * Counted are calls of one process and, if `only` is set, those that come from the
 * object with that in its name: what the module asks for, not what libpam does. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* In the order of inject.py. */
enum kind {
	ALLOC,
	WRITE,
	SYNC,
	OPEN,
	ACCEPT,
	CONNECT,
	SOCKET,
	READ,
	RECV,
	SEND,
	TRUNCATE,
	MAP,
	STAT,
	RENAME,
	LOCK,
	THREAD,
	POLL,
	RANDOM,
	KINDS
};

struct arm {
	int64_t nth; /* the Nth pass from now fails; 0: none, negative: and all after it */
	int64_t passed, failed;
	int32_t error;
	int32_t one_in; /* every pass fails with this probability; 0: none */
	int32_t delay;  /* of the failing pass in ms; with error 0 it goes on then */
	int32_t unused;
};

struct control {
	int32_t pid; /* 0: nobody's calls count */
	int32_t unused;
	uint64_t random;
	char only[48];
	struct arm arms[KINDS];
};

#define EXPORT __attribute__((visibility("default")))

static struct control *control;
static __thread bool busy __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("MAGOTP_INJECT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		control = at;
}

/* xorshift; a lost race of two threads only makes it less regular. */
static bool drawn(struct control *c, int32_t one_in)
{
	uint64_t x = c->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	c->random = x;
	return one_in > 0 && x % (uint64_t)one_in == 0;
}

static bool from(const char *object, void *caller)
{
	Dl_info info;

	return !*object ||
	       (dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, object));
}

static bool due(struct control *c, struct arm *a)
{
	int64_t n = __atomic_add_fetch(&a->passed, 1, __ATOMIC_RELAXED);

	if (a->nth > 0 ? n == a->nth : a->nth < 0 && n >= -a->nth)
		return true;
	return a->one_in > 0 && drawn(c, a->one_in);
}

static void wait_ms(int32_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* Non-zero: this pass fails, and errno is set. */
static int fails(enum kind kind, void *caller)
{
	struct control *c = control;
	struct arm *a = c ? &c->arms[kind] : NULL;
	bool now = false;

	if (!c || !c->pid || busy || c->pid != (int32_t)getpid())
		return 0;
	busy = true;
	now = from(c->only, caller) && due(c, a);
	if (now) {
		__atomic_add_fetch(&a->failed, 1, __ATOMIC_RELAXED);
		if (a->delay)
			wait_ms(a->delay);
		if (a->error)
			errno = a->error;
		else
			now = false;
	}
	busy = false;
	return now;
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t boundary, size_t size);

#define CALLER __builtin_return_address(0)

EXPORT void *malloc(size_t size)
{
	return fails(ALLOC, CALLER) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
	return fails(ALLOC, CALLER) ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return fails(ALLOC, CALLER) ? NULL : __libc_realloc(p, size);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t all = 0;

	if (__builtin_mul_overflow(n, size, &all) || fails(ALLOC, CALLER)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, all);
}

EXPORT int posix_memalign(void **at_r, size_t boundary, size_t size)
{
	void *at = fails(ALLOC, CALLER) ? NULL : __libc_memalign(boundary, size);

	if (!at)
		return ENOMEM;
	*at_r = at;
	return 0;
}

/* libc's own allocates in libc's name: for `only` it is the caller's. */
EXPORT char *strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = fails(ALLOC, CALLER) ? NULL : __libc_malloc(len);

	return copy ? memcpy(copy, s, len) : NULL;
}

/* ---- system calls ---- */

static void *next(const char *name)
{
	bool was = busy;
	void *at = NULL;

	busy = true;
	at = dlsym(RTLD_NEXT, name);
	busy = was;
	return at;
}

/* One function of libc: it fails with `bad`, or is the next one with its name. */
#define WRAP(type, name, kind, bad, parameters, arguments)                                         \
	EXPORT type name parameters;                                                               \
	EXPORT type name parameters                                                                \
	{                                                                                          \
		static type(*real) parameters;                                                     \
		if (!real)                                                                         \
			*(void **)&real = next(#name);                                             \
		return fails(kind, CALLER) ? bad : real arguments;                                 \
	}

WRAP(ssize_t, write, WRITE, -1, (int fd, const void *data, size_t n), (fd, data, n))
WRAP(ssize_t, writev, WRITE, -1, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, pwrite, WRITE, -1, (int fd, const void *d, size_t n, off_t at), (fd, d, n, at))
WRAP(ssize_t, pwrite64, WRITE, -1, (int fd, const void *d, size_t n, off64_t at), (fd, d, n, at))
WRAP(int, fsync, SYNC, -1, (int fd), (fd))
WRAP(int, fdatasync, SYNC, -1, (int fd), (fd))
WRAP(FILE *, fopen, OPEN, NULL, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, fopen64, OPEN, NULL, (const char *path, const char *mode), (path, mode))
WRAP(int, accept, ACCEPT, -1, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
WRAP(int, accept4, ACCEPT, -1, (int fd, struct sockaddr *a, socklen_t *n, int flags),
	(fd, a, n, flags))
WRAP(int, connect, CONNECT, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, socket, SOCKET, -1, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, socketpair, SOCKET, -1, (int family, int type, int protocol, int fds[2]),
	(family, type, protocol, fds))
WRAP(ssize_t, read, READ, -1, (int fd, void *data, size_t n), (fd, data, n))
WRAP(ssize_t, __read_chk, READ, -1, (int fd, void *data, size_t n, size_t room),
	(fd, data, n, room))
WRAP(ssize_t, readv, READ, -1, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, pread, READ, -1, (int fd, void *data, size_t n, off_t at), (fd, data, n, at))
WRAP(ssize_t, pread64, READ, -1, (int fd, void *data, size_t n, off64_t at), (fd, data, n, at))
WRAP(ssize_t, recv, RECV, -1, (int fd, void *data, size_t n, int flags), (fd, data, n, flags))
WRAP(ssize_t, recvmsg, RECV, -1, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, recvfrom, RECV, -1,
	(int fd, void *data, size_t n, int flags, struct sockaddr *a, socklen_t *len),
	(fd, data, n, flags, a, len))
WRAP(ssize_t, send, SEND, -1, (int fd, const void *data, size_t n, int flags), (fd, data, n, flags))
WRAP(ssize_t, sendmsg, SEND, -1, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, sendto, SEND, -1,
	(int fd, const void *data, size_t n, int flags, const struct sockaddr *a, socklen_t len),
	(fd, data, n, flags, a, len))
WRAP(int, ftruncate, TRUNCATE, -1, (int fd, off_t size), (fd, size))
WRAP(int, ftruncate64, TRUNCATE, -1, (int fd, off64_t size), (fd, size))
WRAP(void *, mmap, MAP, MAP_FAILED,
	(void *at, size_t n, int protection, int flags, int fd, off_t from_),
	(at, n, protection, flags, fd, from_))
WRAP(void *, mmap64, MAP, MAP_FAILED,
	(void *at, size_t n, int protection, int flags, int fd, off64_t from_),
	(at, n, protection, flags, fd, from_))
WRAP(int, stat, STAT, -1, (const char *path, struct stat *s), (path, s))
WRAP(int, stat64, STAT, -1, (const char *path, struct stat64 *s), (path, s))
WRAP(int, fstat, STAT, -1, (int fd, struct stat *s), (fd, s))
WRAP(int, fstat64, STAT, -1, (int fd, struct stat64 *s), (fd, s))
WRAP(int, rename, RENAME, -1, (const char *old, const char *path), (old, path))
WRAP(int, renameat, RENAME, -1, (int dir, const char *old, int to, const char *path),
	(dir, old, to, path))
WRAP(int, link, RENAME, -1, (const char *old, const char *path), (old, path))
WRAP(int, poll, POLL, -1, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
WRAP(int, epoll_wait, POLL, -1, (int fd, struct epoll_event *e, int n, int timeout),
	(fd, e, n, timeout))
WRAP(int, epoll_ctl, POLL, -1, (int fd, int what, int of, struct epoll_event *e), (fd, what, of, e))
WRAP(ssize_t, getrandom, RANDOM, -1, (void *data, size_t n, unsigned int flags), (data, n, flags))
WRAP(int, pthread_create, THREAD, EAGAIN,
	(pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *arg),
	(thread, how, run, arg))

/* Streams: those of files. One in memory would have to know of it (ferror). */
EXPORT size_t fwrite(const void *data, size_t size, size_t n, FILE *f)
{
	static size_t (*real)(const void *, size_t, size_t, FILE *);

	if (!real)
		*(void **)&real = next("fwrite");
	return fileno(f) >= 0 && fails(WRITE, CALLER) ? 0 : real(data, size, n, f);
}

EXPORT int fflush(FILE *f)
{
	static int (*real)(FILE *);

	if (!real)
		*(void **)&real = next("fflush");
	return f && fileno(f) >= 0 && fails(WRITE, CALLER) ? EOF : real(f);
}

/* The last parameter is there, or not looked at. */
#define WRAP_OPEN(name)                                                                            \
	EXPORT int name(const char *path, int flags, ...)                                          \
	{                                                                                          \
		static int (*real)(const char *, int, ...);                                        \
		va_list more;                                                                      \
		va_start(more, flags);                                                             \
		unsigned int mode =                                                                \
			flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, unsigned int) : 0;          \
		va_end(more);                                                                      \
		if (!real)                                                                         \
			*(void **)&real = next(#name);                                             \
		return fails(OPEN, CALLER) ? -1 : real(path, flags, mode);                         \
	}
WRAP_OPEN(open)
WRAP_OPEN(open64)

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	static int (*real)(int, const char *, int, ...);
	va_list more;

	va_start(more, flags);
	unsigned int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, unsigned int) : 0;
	va_end(more);
	if (!real)
		*(void **)&real = next("openat");
	return fails(OPEN, CALLER) ? -1 : real(dir, path, flags, mode);
}

#define WRAP_FCNTL(name)                                                                           \
	EXPORT int name(int fd, int what, ...)                                                     \
	{                                                                                          \
		static int (*real)(int, int, ...);                                                 \
		va_list more;                                                                      \
		va_start(more, what);                                                              \
		void *arg = va_arg(more, void *);                                                  \
		va_end(more);                                                                      \
		if (!real)                                                                         \
			*(void **)&real = next(#name);                                             \
		return fails(LOCK, CALLER) ? -1 : real(fd, what, arg);                             \
	}
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)

/* ---- no fault ---- */

/* A service manager that sets no limit of locked memory ($MAGOTP_NO_LIMIT): root may lock as
 * much as it likes, but not everywhere lift the limit. */
EXPORT int setrlimit(__rlimit_resource_t what, const struct rlimit *limit)
{
	static int (*real)(__rlimit_resource_t, const struct rlimit *);

	if (what == RLIMIT_MEMLOCK && limit->rlim_cur == RLIM_INFINITY && getenv("MAGOTP_NO_LIMIT"))
		return 0;
	if (!real)
		*(void **)&real = next("setrlimit");
	return real(what, limit);
}
