/* Starts pskc-import with nothing but its three descriptors: the file on 0, the
 * pipe back on 1, the key or password on 3. No argument or variable holds a
 * secret. What comes back is CSV, or one line "!what is wrong". */
#include "magotp/import/pskc_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "magotp/cli.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define PIPE_BUFFER 65536

static const char *const modes[] = { "--plain", "--key", "--password" };

struct first {
	char *what;
	size_t cap;
	bool told;
};

/* The child has checked all of it; this is the second look. */
static void tell(void *arg, size_t row, const char *column, const char *what)
{
	struct first *f = arg;

	if (!f->told)
		snprintf(f->what, f->cap, "key %zu of the file, %s: %s", row - 1, column, what);
	f->told = true;
}

static int start(const struct pskc_job *job, int out, pid_t *pid_r)
{
	char path[512], name[] = "pskc-import", mode[16];
	char *argv[] = { name, mode, NULL }, *empty[] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int r = MAG_EUNSUPPORTED;

	mag_copy(mode, sizeof mode, modes[job->kind]);
	if (cli_own_program(name, path, sizeof path))
		return r;
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, job->file, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	if (job->secret >= 0)
		posix_spawn_file_actions_adddup2(&files, job->secret, 3);
	r = posix_spawn(pid_r, path, &files, &attr, argv, empty) ? MAG_ESYS : 0;
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

/* 0: it ended by itself and well. */
static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return MAG_ESYS;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : MAG_EINVAL;
}

/* What the child says on its pipe: "!" and a sentence, or rows. */
static int take(FILE *f, struct import_list *list, char *what, size_t cap)
{
	struct first first = { what, cap, false };
	const struct csv_faults faults = { tell, &first };
	char line[512];
	int ch = getc(f);

	if (ch == EOF)
		return MAG_EINVAL;
	if (ch != '!') {
		ungetc(ch, f);
		return csv_read(f, &faults, list);
	}
	if (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		mag_clean(what, cap, line);
	}
	return MAG_EINVAL;
}

int pskc_read(const struct pskc_job *job, struct import_list *list_r, char *what, size_t cap)
{
	struct import_list list = { 0 };
	char *buffer = malloc(PIPE_BUFFER);
	FILE *f = NULL;
	pid_t pid = -1;
	int ends[2] = { -1, -1 }, r = MAG_ENOMEM;

	snprintf(what, cap, "The reader of PSKC files ended before it was done");
	if (!buffer)
		goto out;
	r = pipe2(ends, O_CLOEXEC) ? MAG_ESYS : start(job, ends[1], &pid);
	if (r == MAG_EUNSUPPORTED)
		snprintf(what, cap, "This build reads no PSKC files (pskc-import is missing)");
	if (r)
		goto out;
	close(ends[1]);
	ends[1] = -1;
	f = fdopen(ends[0], "r");
	if (f) {
		setvbuf(f, buffer, _IOFBF, PIPE_BUFFER);
		r = take(f, &list, what, cap);
		fclose(f);
		ends[0] = -1;
	}
out:
	if (ends[0] >= 0)
		close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	if (pid > 0 && reap(pid) && !r)
		r = MAG_EINVAL;
	if (buffer)
		mag_wipe(buffer, PIPE_BUFFER);
	free(buffer);
	if (r)
		import_list_free(&list);
	else
		*list_r = list;
	return r;
}
