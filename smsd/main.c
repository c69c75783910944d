/* magotp-smsd: command line, privileges, the way into the background. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/base/escape.h"
#include "otpcore/base/log.h"
#include "otpcore/base/memory.h"
#include "smsd/child.h"
#include "smsd/daemon.h"
#include "smsd/gateway/exec_helper.h"
#include "smsd/listen.h"
#include "smsd/receipt_http.h"
#include "smsd/sandbox.h"
#include "smsd/settings.h"

#define CONFIG_DEFAULT SYSCONFDIR "/magotp/smsd.conf"
#define DESCRIPTORS    8192

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

static const char help_text[] =
	"Examples:\n"
	"  magotp-smsd                       start in the background\n"
	"  magotp-smsd -t                    is the configuration right?\n"
	"  magotp-smsd --foreground          stay, log to stderr\n"
	"  kill -HUP PID                     read the configuration anew\n"
	"\n"
	"magotp-smsd hands the messages of otpcored to gateways: it sends the codes.\n"
	"\n"
	"Usage: magotp-smsd [--config FILE] [--foreground] [-t]\n"
	"  -c, --config FILE    configuration (" CONFIG_DEFAULT ");\n"
	"                       gateways.d/*.conf beside it are read, too\n"
	"  -f, --foreground     stay in the foreground and log to stderr\n"
	"  -t, --check-config   check the configuration and end\n"
	"  -h, --help           this text\n"
	"  -V, --version        the version\n"
	"\n"
	"Man pages: magotp-smsd(8), smsd.conf(5)\n";

struct arguments {
	const char *config;
	bool foreground, check;
};

/* -1: go on; else the exit code. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "check-config", no_argument, NULL, 't' },
#ifdef MAG_ESCAPE
		{ "escape", required_argument, NULL, 'E' },
#endif
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:fthV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'f':
			a->foreground = true;
			break;
		case 't':
			a->check = true;
			break;
#ifdef MAG_ESCAPE
		case 'E':
			if (escape_arm(optarg))
				return EXIT_USAGE;
			break;
#endif
		case 'h':
			fputs(help_text, stdout);
			return EXIT_DONE;
		case 'V':
			puts("magotp-smsd " PACKAGE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try: magotp-smsd --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "magotp-smsd: unexpected argument: %s\nTry: magotp-smsd --help\n",
		argv[optind]);
	return EXIT_USAGE;
}

/* Libraries look at these; what this daemon does must not depend on them, and
 * SSLKEYLOGFILE would write down what opens its connections. */
static void forget_environment(void)
{
	static const char *const names[] = { "SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "CURL_CA_BUNDLE", "CURL_HOME",
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
		"NO_PROXY", "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "LOCPATH", "TZDIR" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
}

/* ---- socket ---- */

/* The socket that systemd opened for us; -1: none. */
static int inherited_socket(void)
{
#ifdef HAVE_SYSTEMD
	if (sd_listen_fds(1) == 1 &&
		sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_SEQPACKET, 1) > 0) {
		int flags = fcntl(SD_LISTEN_FDS_START, F_GETFL);

		if (flags >= 0 && fcntl(SD_LISTEN_FDS_START, F_SETFL, flags | O_NONBLOCK) == 0)
			return SD_LISTEN_FDS_START;
	}
#endif
	return -1;
}

/* otpcored reaches the socket through the group of the first client. */
static void share_socket(const struct smsd_settings *s)
{
	char first[sizeof s->clients];
	const struct passwd *pw;

	snprintf(first, sizeof first, "%.*s", (int)strcspn(s->clients, " "), s->clients);
	pw = getpwnam(first);
	if (pw && lchown(s->socket, (uid_t)-1, pw->pw_gid) < 0)
		mag_log(MAG_LOG_WARNING, "%s: cannot be given to the group of %s: %s", s->socket,
			first, strerror(errno));
}

static int open_socket(const struct smsd_settings *s)
{
	int fd = inherited_socket();

	if (fd >= 0)
		return fd;
	fd = listen_open(s->socket);
	if (fd < 0)
		mag_log(MAG_LOG_ERROR, "%s: %s", s->socket,
			fd == MAG_EEXISTS ? "another magotp-smsd is running"
			: fd == MAG_ESYS  ? strerror(errno)
					  : mag_strerror(fd));
	else if (geteuid() == 0)
		share_socket(s);
	return fd;
}

/* ---- privileges ---- */

/* A waiting message holds a connection: many need many descriptors. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Codes stay out of core files and out of other processes' reach. */
static void shut_windows(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef MAG_INSTRUMENTED /* a leak check looks into its own process */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static int enter_sandbox(const struct smsd_settings *s, const char *config)
{
#ifdef MAG_INSTRUMENTED /* which writes down what it counted, and traces itself */
	(void)config;
	return s ? 0 : MAG_EINVAL;
#else
	int r = s->sandbox ? sandbox_enter(s, config) : 0;

	if (r < 0)
		mag_log(MAG_LOG_ERROR, "cannot enter the sandbox: %s (sandbox = no goes without)",
			strerror(errno));
	return r;
#endif
}

/* The child's part: root's rights are gone before it listens. */
static int be_helper(int fd, struct daemon *d, const struct gateway *g)
{
	(void)mag_memory_lock(); /* its parent has told why not */
	if (g && g->ops->move(g) < 0)
		return EXIT_REFUSED;
	shut_windows();
	escape_before(g ? "calls" : "programs");
#ifndef MAG_INSTRUMENTED
	if (daemon_settings(d)->sandbox && sandbox_enter_programs() < 0)
		return EXIT_REFUSED;
#endif
	escape_now();
	return exec_helper_serve(fd, daemon_take_settings(d), g) < 0 ? EXIT_REFUSED : EXIT_DONE;
}

/* Another child, which reads what providers send: it is forked while it can still become
 * a user of its own. Without [receipts] listen there is none. */
static int start_receipts(struct daemon *d)
{
	const struct smsd_settings *s = daemon_settings(d);
	int ends[2], listen_fd, r = MAG_ESYS;
	pid_t pid;

	if (!*s->receipts.listen)
		return 0;
	listen_fd = receipt_http_open(s->receipts.listen);
	if (listen_fd >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 &&
		(pid = fork()) >= 0) {
		if (pid == 0)
			_exit(receipt_http_serve(listen_fd, ends[1], daemon_take_settings(d)) < 0
					? EXIT_REFUSED
					: EXIT_DONE);
		close(ends[1]);
		r = daemon_attach_receipts(d, ends[0]);
	}
	if (r < 0)
		mag_log(MAG_LOG_ERROR, "[receipts] listen = %s: %s", s->receipts.listen,
			strerror(errno));
	if (listen_fd >= 0)
		close(listen_fd);
	return r;
}

/* A child of before the sandbox, which still may run programs: those of the settings, of
 * gateway `g`, or (NULL) of all that have no child of their own. */
static int start_helper(struct daemon *d, const struct gateway *g)
{
	int ends[2], r = MAG_ESYS;
	struct exec_word ready;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 &&
		(pid = fork()) >= 0) {
		if (pid == 0)
			_exit(be_helper(ends[1], d, g));
		close(ends[1]);
		r = recv(ends[0], &ready, sizeof ready, 0) == sizeof ready
			    ? daemon_attach_helper(d, g, ends[0])
			    : MAG_EDOWN;
	}
	if (r < 0)
		mag_log(MAG_LOG_ERROR, "cannot start the process that runs programs%s%s",
			g ? " of gateway " : "", g ? g->name : "");
	return r;
}

/* While root: the helpers that become somebody else. */
static int start_own_helpers(struct daemon *d)
{
	const struct smsd_settings *s = daemon_settings(d);
	int r = 0;

	for (size_t i = 0; i < s->n_gateways && r == 0; i++)
		if (s->gateways[i]->ops->move)
			r = start_helper(d, s->gateways[i]);
	return r;
}

/* ---- background ---- */

struct background {
	int ready; /* where the parent waits; -1: there is none */
	int null;  /* opened before the sandbox, which lets nobody write there */
};

/* The parent waits until the child serves (a byte comes) or has failed. */
static int into_background(struct background *bg)
{
	int ends[2];
	pid_t pid;
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return MAG_ESYS;
	if (pid > 0) {
		close(ends[1]);
		exit(read(ends[0], &byte, 1) == 1 ? EXIT_DONE : EXIT_REFUSED);
	}
	close(ends[0]);
	bg->ready = ends[1];
	bg->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	setsid();
	return bg->null < 0 || chdir("/") < 0 ? MAG_ESYS : 0;
}

static void tell_ready(void *arg)
{
	struct background *bg = arg;

#ifdef HAVE_SYSTEMD
	sd_notify(0, "READY=1");
#endif
	if (bg->ready < 0)
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(bg->null, fd);
	if (bg->null > STDERR_FILENO)
		close(bg->null);
	mag_log_open("magotp-smsd", 1, MAG_LOG_INFO);
	if (write(bg->ready, "", 1) < 0)
		mag_log(MAG_LOG_WARNING, "whoever started us has gone");
	close(bg->ready);
	bg->ready = -1;
}

/* A second SIGTERM must not cut the goodbye short: answers are still to be sent. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---- all together ---- */

static int check_config(const char *config)
{
	void *shared[8] = { NULL };
	struct smsd_settings *s = NULL;
	char err[OPT_ERROR_MAX];

	if (smsd_settings_load(config, shared, &s, err) < 0) {
		fprintf(stderr, "magotp-smsd: %s\n", err);
		return EXIT_REFUSED;
	}
	if (s->n_gateways)
		printf("%s is right: %zu gateway%s\n", config, s->n_gateways,
			s->n_gateways == 1 ? "" : "s");
	else
		printf("%s is right, but there is no [gateway NAME]: nothing can be sent\n",
			config);
	smsd_settings_free(&s);
	return EXIT_DONE;
}

static int serve(const struct arguments *a)
{
	struct daemon *d = NULL;
	char err[OPT_ERROR_MAX];
	struct background bg = { -1, -1 };
	int fd = -1, r;

	if (!a->foreground && into_background(&bg) < 0) {
		mag_log(MAG_LOG_ERROR, "cannot go into the background: %s", strerror(errno));
		return EXIT_REFUSED;
	}
	raise_limits();
	/* Before settings with passwords are read; children wipe their copies. */
	mag_memory_keep(true);
	if ((r = daemon_new(a->config, &d, err)) < 0) {
		mag_log(MAG_LOG_ERROR, "%s", err);
		goto out;
	}
	r = fd = open_socket(daemon_settings(d));
	if (fd < 0)
		goto out;
	if ((r = start_own_helpers(d)) < 0)
		goto out;
	if ((r = start_receipts(d)) < 0)
		goto out;
	if ((r = child_become(daemon_settings(d)->user, "[smsd] user")) < 0)
		goto out;
	shut_windows();
	if (exec_helper_wanted(daemon_settings(d)) && (r = start_helper(d, NULL)) < 0)
		goto out;
	escape_before("smsd");
	if ((r = enter_sandbox(daemon_settings(d), a->config)) < 0)
		goto out;
	escape_now();
	if ((r = daemon_listen(d, fd, err)) < 0) {
		mag_log(MAG_LOG_ERROR, "%s", err);
		goto out;
	}
	r = daemon_run(d, tell_ready, &bg);
	hold_signals();
	mag_log(MAG_LOG_NOTICE, "stopped");
out:
	daemon_free(&d);
	return r < 0 ? EXIT_REFUSED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	static char path[PATH_MAX];
	struct arguments a = { .config = CONFIG_DEFAULT };
	int r = parse_arguments(argc, argv, &a);

	if (r >= 0)
		return r;
	forget_environment();
	mag_log_open("magotp-smsd", 0, MAG_LOG_INFO);
	/* The background has another working directory. */
	if (a.config[0] != '/' && realpath(a.config, path))
		a.config = path;
	signal(SIGPIPE, SIG_IGN);
	return a.check ? check_config(a.config) : serve(&a);
}
