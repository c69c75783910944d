/* The process of the password helper: waits for an order, looks whether it may, runs
 * chpasswd(8) and chage(1), answers. Ends when the broker does. */
#include "otpcore/broker/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/escape.h"
#include "otpcore/base/log.h"
#include "otpcore/base/memory.h"
#include "otpcore/base/secret.h"
#include "otpcore/broker/parts.h"

#define CHPASSWD     "/usr/sbin/chpasswd"
#define CHAGE        "/usr/bin/chage"
#define TOOL_SECONDS 20

/* ---- what the system says ---- */

struct source {
	const char *path;
	void (*read)(FILE *f, const char *name, struct helper_facts *facts);
};

static void read_defs(FILE *f, const char *name, struct helper_facts *facts)
{
	(void)name;
	helper_read_defs(f, facts);
}

/* A file that cannot be read leaves its facts unknown. False: but for login.defs,
 * whose default is known, and passwd, without which nothing is local, that would be
 * a yes too many. */
static bool look(const char *name, struct helper_facts *facts_r)
{
	static const struct source sources[] = {
		{ "/etc/passwd", helper_read_passwd },
		{ "/etc/group", helper_read_group },
		{ "/etc/shadow", helper_read_shadow },
		{ "/etc/login.defs", read_defs },
	};
	bool known = true;

	memset(facts_r, 0, sizeof *facts_r);
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		FILE *f = fopen(sources[i].path, "re");

		if (f) {
			errno = 0;
			sources[i].read(f, name, facts_r);
			/* Want of memory, too, ends a file early: a group not seen. */
			if (ferror(f) || errno == ENOMEM)
				known = false;
			fclose(f);
		} else if (sources[i].read != read_defs) {
			known = false;
		}
	}
	return known;
}

/* ---- the tools ---- */

static int until_end(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), status = -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd >= 0 && poll(&p, 1, TOOL_SECONDS * 1000) != 1)
		kill(pid, SIGKILL);
	if (fd >= 0)
		close(fd);
	if (waitpid(pid, &status, 0) != pid)
		return MAG_ESYS;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : MAG_ESYS;
}

/* Runs argv[0] with `input` on its standard input; nothing else of ours goes along. */
static int run(char *const argv[], const struct mag_secret *input)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *const environment[] = { path, locale, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all;
	int ends[2], r = MAG_ESYS;
	pid_t pid = -1;

	if (pipe2(ends, O_CLOEXEC))
		return MAG_ESYS;
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	if (posix_spawn_file_actions_adddup2(&files, ends[0], 0) == 0 &&
		posix_spawnattr_setsigdefault(&attr, &all) == 0 &&
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF) == 0 &&
		posix_spawn(&pid, argv[0], &files, &attr, argv, environment) == 0)
		r = 0;
	close(ends[0]);
	/* A line of less than a pipe's room: it never waits. */
	if (!r && input->len && write(ends[1], input->data, input->len) != (ssize_t)input->len)
		r = MAG_ESYS;
	close(ends[1]);
	if (pid > 0 && until_end(pid))
		r = MAG_ESYS;
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

static int set_password(const struct helper_order *o)
{
	static char tool[] = CHPASSWD;
	char *const argv[] = { tool, NULL };
	struct mag_secret line = { 0 };
	int r = mag_secret_set_text(&line, o->name);

	if (!r)
		r = mag_secret_append(&line, ":", 1);
	if (!r)
		r = mag_secret_append(&line, o->new, strlen(o->new));
	if (!r)
		r = mag_secret_append(&line, "\n", 1);
	if (!r)
		r = run(argv, &line);
	mag_secret_free(&line);
	return r;
}

/* After it was set: that makes it a new one. */
static int age_password(struct helper_order *o)
{
	static char tool[] = CHAGE, days[] = "-d", never[] = "0", end[] = "--";
	char *const argv[] = { tool, days, never, end, o->name, NULL };
	const struct mag_secret nothing = { 0 };

	return run(argv, &nothing);
}

/* ---- orders ---- */

static enum helper_answer serve(struct helper_order *o, struct helper_rate *rate)
{
	struct helper_facts facts = { 0 };
	enum helper_answer a;

	o->name[sizeof o->name - 1] = o->new[sizeof o->new - 1] = '\0';
	if (!look(o->name, &facts))
		return HELPER_FAILED;
	a = helper_judge(o, &facts);
	if (a != HELPER_DONE)
		return a;
	if (!helper_within_rate(rate, mag_ticks_ms() / 1000))
		return HELPER_LATER;
	if ((*o->new &&set_password(o)) || age_password(o))
		return HELPER_FAILED;
	return HELPER_DONE;
}

static void loop(int fd)
{
	struct helper_order o;
	struct helper_rate rate = { 0 };
	ssize_t n;

	while ((n = recv(fd, &o, sizeof o, 0)) > 0 || (n < 0 && errno == EINTR)) {
		uint8_t answer;

		if (n < 0)
			continue;
		answer = n == (ssize_t)sizeof o ? (uint8_t)serve(&o, &rate) : HELPER_MALFORMED;
		mag_wipe(&o, sizeof o);
		if (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer)
			return;
	}
}

/* Nothing of the broker's but one descriptor. */
static int close_others(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(fd, 3) != 3)
		return MAG_ESYS;
	for (int i = 0; i < 3; i++)
		if (null != i && dup2(null, i) != i)
			return MAG_ESYS;
	if (syscall(SYS_close_range, 4U, ~0U, 0U))
		return MAG_ESYS;
	return fcntl(3, F_SETFD, FD_CLOEXEC) ? MAG_ESYS : 0;
}

/* The broker's end is what ends it, not a signal: a password half set helps nobody. */
static void live(int fd)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_IGN);
	prctl(PR_SET_NAME, "otpcored-passwd");
	umask(077);
	(void)mag_memory_lock(); /* otpcored has told why not */
	if (prctl(PR_SET_DUMPABLE, 0) || chdir("/") || close_others(fd))
		_exit(1); /* style: a child, as below */
	escape_before("password");
	if (sandbox_helper() == 0) {
		escape_now();
		loop(3);
	}
	_exit(0); /* style: a child, which must not run what the broker runs at its end */
}

/* What a service manager started as root, for us alone; -1: none answers. */
static int ask_manager(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = HELPER_SOCKET };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct ucred peer = { 0 };
	socklen_t len = sizeof peer;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int helper_start(int *fd_r)
{
	int ends[2];
	pid_t pid;

	*fd_r = -1;
	if (geteuid() != 0) {
		*fd_r = ask_manager();
		return 0;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return MAG_ESYS;
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return MAG_ESYS;
	}
	if (pid == 0) {
		close(ends[0]);
		live(ends[1]);
	}
	close(ends[1]);
	*fd_r = ends[0];
	return 0;
}

int helper_run(const char *user)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof peer;
	uid_t uid = 0;
	gid_t gid;
	int fd;

	if (geteuid() != 0 || getsockopt(STDIN_FILENO, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
		priv_user(user, &uid, &gid) || (peer.uid != 0 && peer.uid != uid))
		return MAG_EPERM;
	/* Beyond those that get another meaning. */
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
	if (fd >= 0)
		live(fd);
	return MAG_ESYS;
}
