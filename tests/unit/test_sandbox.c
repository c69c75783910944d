/* The sandbox as an intruder would meet it: each try in a child that has
 * closed it. Exit status: 0 the try worked, 1 it was refused, 2 no sandbox. */
#include "broker_room.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int in_sandbox(const struct settings *s, bool (*try)(const char *path), const char *path)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_close(s) ? 2 : try(path) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool write_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	return fd >= 0 && write(fd, "x", 1) == 1;
}

static bool read_file(const char *path)
{
	char c;
	int fd = open(path, O_RDONLY);

	return fd >= 0 && read(fd, &c, 1) == 1;
}

static bool make_directory(const char *path)
{
	return mkdir(path, 0700) == 0;
}

static bool run(const char *path)
{
	execl(path, path, (char *)NULL);
	return false;
}

static bool bind_port(const char *path)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)path;
	return fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0;
}

static bool become_user(const char *path)
{
	(void)path;
	return setuid(getuid()) == 0;
}

static bool keep_working(const char *path)
{
	struct store *store = NULL;
	char url[200], err[STORE_ERROR_MAX];

	snprintf(url, sizeof url, "sqlite:%s", path);
	return store_open(url, &store, err) == 0 && store_purge(store, "b", "h", ROOM_NOW) == 0;
}

static void test_sandbox_only_the_store_is_written(void **state)
{
	char path[128], other[128];
	struct settings *s;
	struct room m;

	(void)state;
	if (landlock_abi() < 1)
		skip();
	room_open(&m, "");
	s = m.broker.settings;
	snprintf(s->url, sizeof s->url, "sqlite:%s/db", m.dir);
	snprintf(s->socket, sizeof s->socket, "/nonexistent/otpcored.sock");
	room_path(&m, "db", path, sizeof path);
	assert_int_equal(in_sandbox(s, keep_working, path), 0);
	snprintf(other, sizeof other, "%s-beside", m.dir);
	assert_int_equal(in_sandbox(s, write_file, other), 1);
	assert_int_equal(in_sandbox(s, make_directory, other), 1);
	assert_int_equal(in_sandbox(s, write_file, "/dev/null"), 1);
	assert_int_equal(in_sandbox(s, read_file, "/etc/passwd"), 0);
	if (landlock_abi() >= 4)
		assert_int_equal(in_sandbox(s, bind_port, NULL), 1);
	assert_int_equal(access(other, F_OK), -1);
	room_close(&m);
}

static void test_sandbox_nothing_is_started(void **state)
{
	struct room m;

	(void)state;
#ifndef HAVE_SECCOMP
	if (landlock_abi() < 1)
		skip();
#endif
	room_open(&m, "");
	/* /bin/true would exit 0: "it worked". */
	assert_int_equal(in_sandbox(m.broker.settings, run, "/bin/true"), 1);
#ifdef HAVE_SECCOMP
	assert_int_equal(in_sandbox(m.broker.settings, become_user, NULL), 1);
#else
	(void)become_user;
#endif
	room_close(&m);
}

static int in_helper(bool (*try)(const char *path), const char *path)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_helper() ? 2 : try(path) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool open_network(const char *path)
{
	(void)path;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ||
	       socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static bool open_local(const char *path)
{
	(void)path;
	return socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}

static void threat_42_the_helper_writes_in_etc_and_starts_two_programs(void **state)
{
	char other[] = "/tmp/magotp-sandbox-XXXXXX";
	int fd = mkstemp(other);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(in_helper(read_file, "/etc/passwd"), 0);
	if (landlock_abi() >= 1) {
		assert_int_equal(in_helper(write_file, other), 1);
		assert_int_equal(in_helper(write_file, "/dev/null"), 0);
		assert_int_equal(in_helper(make_directory, "/etc/magotp-sandbox"), 1);
		assert_int_equal(in_helper(run, "/bin/true"), 1);
	}
#ifdef HAVE_SECCOMP
	assert_int_equal(in_helper(open_network, NULL), 1);
	assert_int_equal(in_helper(open_local, NULL), 0);
#else
	(void)open_network;
	(void)open_local;
#endif
	unlink(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sandbox_only_the_store_is_written),
		cmocka_unit_test(test_sandbox_nothing_is_started),
		cmocka_unit_test(threat_42_the_helper_writes_in_etc_and_starts_two_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
