/* Programs in process groups of their own, each with its deadline. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/child.h"
#include "smsd/gateway/exec_helper.h"

#define WORDS_MAX 64

/* A gateway's command as it was when smsd started. */
struct command {
	char gateway[33], text[EXEC_COMMAND_MAX];
};

struct running {
	pid_t pid; /* also its process group */
	uint32_t serial;
	int64_t deadline; /* ticks */
	bool late;
	SLIST_ENTRY(running) next;
};

struct helper {
	int fd;
	struct command commands[GATEWAYS_MAX];
	size_t n_commands;
	SLIST_HEAD(runnings, running) running;
};

/* ---- words to the daemon ---- */

static void tell(const struct helper *h, uint32_t serial, enum exec_end end, int value)
{
	struct exec_word word;

	memset(&word, 0, sizeof word);
	word.serial = serial;
	word.end = end;
	word.value = value;
	/* Blocks while the daemon is behind; if it has gone, the loop ends soon. */
	while (send(h->fd, &word, sizeof word, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* ---- one program ---- */

/* Splits `text` at its blanks. */
static bool split(char *text, char *argv[WORDS_MAX + 1])
{
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (n == WORDS_MAX)
			return false;
		argv[n++] = w;
	}
	argv[n] = NULL;
	return n > 0;
}

/* The settings of a child: its own group, signals as usual, nothing inherited but the
 * pipe; what it prints goes nowhere, for it might repeat the message. */
static int spawn(char *const argv[], int input, pid_t *pid_r)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
	char *const environment[] = { path, lang, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&files))
		return ENOMEM;
	if (posix_spawnattr_init(&attributes)) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	error = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	if (!error)
		error = posix_spawnattr_setsigdefault(&attributes, &all);
	if (!error)
		error = posix_spawnattr_setsigmask(&attributes, &none);
	if (!error)
		error = posix_spawnattr_setflags(&attributes,
			POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = posix_spawn(pid_r, argv[0], &files, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* The input lies in the pipe before the program starts. 0 or an errno. */
static int fill_pipe(const struct exec_order *o, int ends[2])
{
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	if (write(ends[1], o->input, o->len) == (ssize_t)o->len &&
		fcntl(ends[0], F_SETFL, 0) == 0) {
		close(ends[1]);
		return 0;
	}
	close(ends[0]);
	close(ends[1]);
	return EAGAIN;
}

static const struct command *find(const struct helper *h, const struct exec_order *o)
{
	for (size_t i = 0; i < h->n_commands; i++)
		if (strcmp(h->commands[i].gateway, o->gateway) == 0)
			return strcmp(h->commands[i].text, o->command) == 0 ? &h->commands[i]
									    : NULL;
	return NULL;
}

static void start(struct helper *h, const struct exec_order *o)
{
	const struct command *c = find(h, o);
	struct running *p = NULL;
	char text[EXEC_COMMAND_MAX], *argv[WORDS_MAX + 1];
	int ends[2], error = ENOMEM;

	if (!c) {
		tell(h, o->serial, EXEC_CHANGED, 0);
		return;
	}
	memcpy(text, c->text, sizeof text);
	if (!split(text, argv))
		error = E2BIG;
	else if ((p = calloc(1, sizeof *p)))
		error = fill_pipe(o, ends);
	if (!error) {
		error = spawn(argv, ends[0], &p->pid);
		close(ends[0]);
	}
	if (error) {
		free(p);
		tell(h, o->serial, EXEC_NOT_RUN, error);
		return;
	}
	p->serial = o->serial;
	p->deadline = mag_ticks_ms() + o->timeout_ms;
	SLIST_INSERT_HEAD(&h->running, p, next);
}

/* ---- the loop ---- */

/* Orders that have come; false: the daemon has gone. */
static bool take_orders(struct helper *h)
{
	static struct exec_order order;
	const size_t head = offsetof(struct exec_order, input);
	ssize_t n;

	while ((n = recv(h->fd, &order, sizeof order, MSG_DONTWAIT)) > 0) {
		if ((size_t)n >= head && (size_t)n == head + order.len) {
			order.gateway[sizeof order.gateway - 1] = '\0';
			order.command[sizeof order.command - 1] = '\0';
			start(h, &order);
		}
		mag_wipe(&order, sizeof order);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Those that have ended. What a program left behind in its group ends with it; it is
 * killed before the number of the group can belong to somebody else. */
static void reap(struct helper *h)
{
	struct running *p, *next;

	for (p = SLIST_FIRST(&h->running); p; p = next) {
		siginfo_t info = { 0 };

		next = SLIST_NEXT(p, next);
		if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			info.si_pid != p->pid)
			continue;
		kill(-p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		if (info.si_code == CLD_EXITED)
			tell(h, p->serial, EXEC_EXITED, info.si_status);
		else
			tell(h, p->serial, p->late ? EXEC_LATE : EXEC_SIGNALLED, info.si_status);
		SLIST_REMOVE(&h->running, p, running, next);
		free(p);
	}
}

/* Ends what is over its time; in how many ms to look again, -1: no program runs. */
static int64_t enforce_deadlines(struct helper *h)
{
	int64_t now = mag_ticks_ms(), wait = -1;
	struct running *p;

	SLIST_FOREACH(p, &h->running, next)
	{
		int64_t left = p->deadline - now;

		if (left <= 0 && !p->late) {
			p->late = true;
			kill(-p->pid, SIGKILL);
		} else if (left > 0 && (wait < 0 || left < wait)) {
			wait = left;
		}
	}
	return wait;
}

static void on_child(int number)
{
	(void)number;
}

/* SIGCHLD comes only inside of ppoll, so none is missed. */
static int arrange_signals(sigset_t *inside_r)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	struct sigaction action = { .sa_handler = on_child };
	sigset_t child;

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigemptyset(inside_r);
	return sigprocmask(SIG_SETMASK, &child, NULL) < 0 || sigaction(SIGCHLD, &action, NULL) < 0
		       ? MAG_ESYS
		       : 0;
}

static void serve(struct helper *h, const sigset_t *inside)
{
	struct pollfd poll_fd = { .fd = h->fd, .events = POLLIN };

	for (;;) {
		int64_t wait = enforce_deadlines(h);
		const struct timespec t = { wait / 1000, wait % 1000 * 1000000 };

		ppoll(&poll_fd, 1, wait < 0 ? NULL : &t, inside);
		reap(h);
		if (!take_orders(h))
			return;
	}
}

/* ---- beginning and end ---- */

/* Is `g` served by the helper of `only`? */
static bool serves(const struct gateway *g, const struct gateway *only)
{
	return only ? g == only : g->ops->command && !g->ops->move;
}

bool exec_helper_wanted(const struct smsd_settings *s)
{
	for (size_t i = 0; i < s->n_gateways; i++)
		if (serves(s->gateways[i], NULL))
			return true;
	return false;
}

static void learn_commands(
	struct helper *h, const struct smsd_settings *s, const struct gateway *only)
{
	for (size_t i = 0; i < s->n_gateways; i++) {
		const struct gateway *g = s->gateways[i];
		struct command *c = &h->commands[h->n_commands];

		if (!serves(g, only))
			continue;
		memcpy(c->gateway, g->name, sizeof c->gateway);
		mag_copy(c->text, sizeof c->text, g->ops->command(g));
		h->n_commands++;
	}
}

int exec_helper_serve(int fd, struct smsd_settings *s, const struct gateway *only)
{
	static struct helper h;
	struct running *p;
	sigset_t inside;
	int r;

	SLIST_INIT(&h.running);
	learn_commands(&h, s, only);
	/* Passwords of other gateways are wiped: programs of this process need none. */
	smsd_settings_free(&s);
	if ((r = child_let_go(&fd, 1)) < 0 || (r = arrange_signals(&inside)) < 0)
		return r;
	h.fd = fd;
	tell(&h, 0, EXEC_EXITED, 0);
	serve(&h, &inside);
	SLIST_FOREACH(p, &h.running, next)
	kill(-p->pid, SIGKILL);
	return 0;
}
