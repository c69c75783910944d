/* What a program prints, and how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "magotp/cli.h"

extern char **environ; /* handed on to children as it is */

int cli_capture(char *const argv[], char *out, size_t cap, int *status_r)
{
	posix_spawn_file_actions_t files;
	size_t len = 0;
	int ends[2], status, r;
	char rest[512] = "";
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	r = posix_spawn_file_actions_init(&files);
	if (!r) {
		posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&files, ends[1], 1);
		posix_spawn_file_actions_adddup2(&files, ends[1], 2);
		r = posix_spawn(&pid, argv[0], &files, NULL, argv, environ);
		posix_spawn_file_actions_destroy(&files);
	}
	close(ends[1]);
	/* What does not fit is read nevertheless: the program must not hang. */
	while (!r && ((n = read(ends[0], len + 1 < cap ? out + len : rest,
			       len + 1 < cap ? cap - 1 - len : sizeof rest)) > 0 ||
			     (n < 0 && errno == EINTR)))
		if (n > 0 && len + 1 < cap)
			len += (size_t)n;
	close(ends[0]);
	if (r)
		return -1;
	out[len] = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	*status_r = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}
