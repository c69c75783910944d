/* Questions: on a terminal only. Prompts go to stderr, so that answers of the
 * tool can be piped away. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "magotp/cli.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

extern char **environ; /* handed on to children as it is */

#define LINE_MAX_LEN 1024

bool cli_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* One line of stdin, without its end. MAG_ENOTFOUND: end of input. Read byte by
 * byte: what follows belongs to the next reader. */
static int read_line(struct mag_secret *line_r)
{
	char line[LINE_MAX_LEN];
	size_t len = 0;
	ssize_t n;
	int r;

	for (;;) {
		char ch;

		n = read(STDIN_FILENO, &ch, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || ch == '\n')
			break;
		if (len < sizeof line)
			line[len++] = ch;
	}
	if (n <= 0 && len == 0)
		r = MAG_ENOTFOUND;
	else if (len == sizeof line)
		r = MAG_ERANGE;
	else
		r = 0;
	while (len && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (!r)
		r = mag_secret_set(line_r, line, len);
	mag_wipe(line, sizeof line);
	return r;
}

int cli_ask(const struct cli *c, const char *prompt, const char *what, struct mag_secret *answer_r)
{
	int r;

	if (!cli_can_ask())
		return cli_usage(c, "%s is missing (and there is no terminal to ask for it)", what);
	fflush(stdout);
	fputs(prompt, stderr);
	fflush(stderr);
	r = read_line(answer_r);
	if (r == MAG_ENOTFOUND) {
		fputc('\n', stderr);
		return CLI_INTERRUPTED;
	}
	return r ? cli_usage(c, "%s: that line is too long", what) : CLI_DONE;
}

int cli_confirm(const struct cli *c, const char *prompt)
{
	struct mag_secret answer = { 0 };
	int r = cli_ask(c, prompt, "an answer", &answer);
	const char *text = mag_secret_text(&answer);

	if (r == CLI_DONE && *text && *text != 'y' && *text != 'Y')
		r = CLI_REFUSED;
	mag_secret_free(&answer);
	return r;
}

int cli_confirm_no(const struct cli *c, const char *prompt)
{
	struct mag_secret answer = { 0 };
	int r = cli_ask(c, prompt, "an answer", &answer);
	const char *text = mag_secret_text(&answer);

	if (r == CLI_DONE && *text != 'y' && *text != 'Y')
		r = CLI_REFUSED;
	mag_secret_free(&answer);
	return r;
}

int cli_secret(const struct cli *c, const char *arg, const char *prompt, const char *what,
	struct mag_secret *secret_r)
{
	int r;

	if (!arg)
		return cli_ask(c, prompt, what, secret_r);
	if (!mag_streq(arg, "-"))
		return mag_secret_set_text(secret_r, arg)
			       ? cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.")
			       : CLI_DONE;
	r = read_line(secret_r);
	return r ? cli_usage(c, "%s: nothing that fits came on standard input", what) : CLI_DONE;
}

void cli_progress(const struct cli *c, size_t done, size_t total)
{
	int filled = total ? (int)(done * 30 / total) : 0;

	if (c->json || !isatty(STDERR_FILENO))
		return;
	if (!total)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r[%.*s%*s] %zu of %zu", filled, "##############################",
			30 - filled, "", done, total);
	fflush(stderr);
}

int cli_spawn(char *const argv[], int *status_r)
{
	posix_spawnattr_t attr;
	sigset_t all, none;
	pid_t pid;
	int status, r;

	sigfillset(&all);
	sigemptyset(&none);
	if (posix_spawnattr_init(&attr))
		return -1;
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	fflush(NULL);
	r = posix_spawnp(&pid, argv[0], NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (r)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	*status_r = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

void cli_become(char *const argv[])
{
	sigset_t none;

	fflush(NULL);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
}

int cli_own_program(const char *name, char *path, size_t cap)
{
	static const char *const dirs[] = { SBINDIR, LIBEXECDIR };
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n > 0) {
		self[n] = 0;
		slash = strrchr(self, '/');
		if (slash)
			*slash = 0;
		if (slash && snprintf(path, cap, "%s/%s", self, name) < (int)cap &&
			access(path, X_OK) == 0)
			return 0;
	}
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (snprintf(path, cap, "%s/%s", dirs[i], name) < (int)cap &&
			access(path, X_OK) == 0)
			return 0;
	return MAG_ENOTFOUND;
}
