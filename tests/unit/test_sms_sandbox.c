/* The escape suite of smsd: inside the sandbox what an intruder would want fails,
 * and what the daemon does still works. Each case is a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/sandbox.h"

static char directory[] = "/tmp/magotp-sandbox-XXXXXX";
static char config[64], outbox[64], ca[64], secret[64];

enum { INSIDE_OK, INSIDE_WRONG, CANNOT_ENTER, ENDED };

/* In a child: the settings of `config`, the sandbox, then `inside`. */
static int run(int (*inside)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		void *shared[8] = { NULL };
		struct smsd_settings *s = NULL;
		char err[OPT_ERROR_MAX];

		mag_log_open("test", 0, MAG_LOG_ERROR);
		if (smsd_settings_load(config, shared, &s, err) < 0 || sandbox_enter(s, config) < 0)
			_exit(CANNOT_ENTER); /* style: a child */
		_exit(inside());             /* style: a child */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return ENDED;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- files ---- */

static int other_files_are_out_of_reach(void)
{
	char fresh[128];

	if (opens(secret, O_RDONLY) || opens("/var/lib", O_RDONLY) ||
		opens("/proc/1/status", O_RDONLY) || opens("/home", O_RDONLY) ||
		opens("/root", O_RDONLY))
		return INSIDE_WRONG;
	snprintf(fresh, sizeof fresh, "%s/fresh", directory);
	if (opens(fresh, O_WRONLY | O_CREAT) || opens("/tmp/magotp-escape", O_WRONLY | O_CREAT))
		return INSIDE_WRONG;
	if (opens(config, O_WRONLY) || opens(ca, O_WRONLY) || opens("/etc/hostname", O_WRONLY))
		return INSIDE_WRONG;
	return unlink(secret) == 0 ? INSIDE_WRONG : INSIDE_OK;
}

static int own_files_are_in_reach(void)
{
	char file[128], renamed[128];

	snprintf(file, sizeof file, "%s/a", outbox);
	snprintf(renamed, sizeof renamed, "%s/b", outbox);
	if (!opens(config, O_RDONLY) || !opens(ca, O_RDONLY) || !opens("/etc/passwd", O_RDONLY) ||
		!opens(outbox, O_RDONLY | O_DIRECTORY) || !opens(file, O_WRONLY | O_CREAT))
		return INSIDE_WRONG;
	return rename(file, renamed) == 0 && unlink(renamed) == 0 ? INSIDE_OK : INSIDE_WRONG;
}

/* ---- calls ---- */

static int no_program_can_be_run(void)
{
	char *const argv[] = { (char *)"true", NULL }, *const envp[] = { NULL };

	execve("/bin/true", argv, envp);
	return INSIDE_WRONG;
}

static int no_process_can_be_made(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0); /* style: a child that must not be */
	return pid < 0 && errno == EPERM ? INSIDE_OK : INSIDE_WRONG;
}

static int no_process_can_be_looked_into(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 ? INSIDE_OK : INSIDE_WRONG;
}

static int nothing_is_mounted(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL) == 0 ? INSIDE_WRONG : INSIDE_OK;
}

static int the_root_stays(void)
{
	return chroot("/") == 0 ? INSIDE_WRONG : INSIDE_OK;
}

static int no_directory_is_made(void)
{
	char fresh[128];

	snprintf(fresh, sizeof fresh, "%s/fresh", directory);
	return mkdir(fresh, 0700) == 0 ? INSIDE_WRONG : INSIDE_OK;
}

static int only_the_internet_and_unix_sockets(void)
{
	static const int refused[] = { AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH, AF_KEY,
		AF_MAX + 7 };
	static const int allowed[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (socket(refused[i], SOCK_RAW, 0) >= 0 || errno != EPERM)
			return INSIDE_WRONG;
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (socket(allowed[i], SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 && errno == EPERM)
			return INSIDE_WRONG;
	return INSIDE_OK;
}

static int it_cannot_be_left(void)
{
	/* No more rights by a set-id program, and no filter can be taken off. */
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP) == 2
		       ? INSIDE_OK
		       : INSIDE_WRONG;
}

static void *thread(void *arg)
{
	struct addrinfo *found = NULL;

	if (getaddrinfo("localhost", "443", NULL, &found) == 0) {
		freeaddrinfo(found);
		return arg;
	}
	return NULL;
}

/* As libcurl's resolver does. */
static int threads_resolve_names(void)
{
	pthread_t t;
	void *said = NULL;

	if (pthread_create(&t, NULL, thread, config) || pthread_join(t, &said))
		return INSIDE_WRONG;
	return said == config ? INSIDE_OK : INSIDE_WRONG;
}

/* ---- tests ---- */

static bool kernel_has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static void threat_25_files(void **state)
{
	(void)state;
	assert_int_equal(run(own_files_are_in_reach), INSIDE_OK);
#ifdef HAVE_LINUX_LANDLOCK_H
	if (!kernel_has_landlock())
		skip();
	assert_int_equal(run(other_files_are_out_of_reach), INSIDE_OK);
#else
	(void)other_files_are_out_of_reach;
	(void)kernel_has_landlock;
	skip();
#endif
}

static void threat_25_calls(void **state)
{
#if defined HAVE_SECCOMP && !defined MAG_INSTRUMENTED
	(void)state;
	assert_int_equal(run(no_program_can_be_run), ENDED);
	assert_int_equal(run(no_process_can_be_made), INSIDE_OK);
	assert_int_equal(run(no_process_can_be_looked_into), ENDED);
	assert_int_equal(run(nothing_is_mounted), ENDED);
	assert_int_equal(run(the_root_stays), ENDED);
	assert_int_equal(run(no_directory_is_made), ENDED);
	assert_int_equal(run(only_the_internet_and_unix_sockets), INSIDE_OK);
	assert_int_equal(run(it_cannot_be_left), INSIDE_OK);
#else
	static int (*const unused[])(void) = { no_program_can_be_run, no_process_can_be_made,
		no_process_can_be_looked_into, nothing_is_mounted, the_root_stays,
		no_directory_is_made, only_the_internet_and_unix_sockets, it_cannot_be_left };

	(void)state;
	(void)unused;
	skip();
#endif
}

static void what_the_daemon_needs_still_works(void **state)
{
	(void)state;
	assert_int_equal(run(threads_resolve_names), INSIDE_OK);
}

static int write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0)
		return -1;
	return fclose(f);
}

static int setup(void **state)
{
	char text[512];

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(config, sizeof config, "%s/etc", directory);
	if (mkdir(config, 0700) < 0)
		return -1;
	snprintf(config, sizeof config, "%s/etc/smsd.conf", directory);
	snprintf(outbox, sizeof outbox, "%s/outbox", directory);
	snprintf(ca, sizeof ca, "%s/ca.pem", directory);
	snprintf(secret, sizeof secret, "%s/secret", directory);
	snprintf(text, sizeof text,
		"[gateway a]\ndriver = outbox\ndirectory = %s\n"
		"[gateway b]\ndriver = http\nurl = https://a.example/\nca = %s\nfield.to = {to}\n",
		outbox, ca);
	return mkdir(outbox, 0700) || write_file(ca, "x") || write_file(secret, "x") ||
	       write_file(config, text);
}

static int teardown(void **state)
{
	char etc[64];

	(void)state;
	snprintf(etc, sizeof etc, "%s/etc", directory);
	unlink(config);
	unlink(ca);
	unlink(secret);
	rmdir(outbox);
	rmdir(etc);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_25_files),
		cmocka_unit_test(threat_25_calls),
		cmocka_unit_test(what_the_daemon_needs_still_works),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
