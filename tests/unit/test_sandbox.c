/* The sandbox as an intruder would meet it: each try in a child that has
 * closed it. 0: the try worked; 1: it was refused, or ended the child; 2: no sandbox. */
#include "broker_room.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int ended(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return 1;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int in_sandbox(const struct settings *s, bool (*try)(const char *path), const char *path)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_close(s, "") ? 2 : try(path) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return ended(status);
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
#if defined HAVE_SECCOMP && !defined MAG_INSTRUMENTED
	assert_int_equal(in_sandbox(m.broker.settings, become_user, NULL), 1);
#else
	(void)become_user;
#endif
	room_close(&m);
}

/* A server on a port of the loopback's. */
static int serve_port(char port_r[8])
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(port_r, 8, "%u", ntohs(sa.sin_port));
	return fd;
}

static bool connect_port(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
		.sin_port = htons((in_port_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0;
}

static void threat_25_only_the_port_of_the_store_is_in_reach(void **state)
{
	char theirs[8], other[8];
	int a = serve_port(theirs), b = serve_port(other);
	struct settings *s;
	struct room m;

	(void)state;
	if (landlock_abi() < 4)
		skip();
	room_open(&m, "");
	s = m.broker.settings;
	assert_int_equal(in_sandbox(s, connect_port, theirs), 1);
#ifdef HAVE_POSTGRESQL
	snprintf(s->url, sizeof s->url, "postgresql://127.0.0.1:%s/magotp", theirs);
	assert_int_equal(in_sandbox(s, connect_port, theirs), 0);
	assert_int_equal(in_sandbox(s, connect_port, other), 1);
	assert_int_equal(in_sandbox(s, bind_port, NULL), 1);
	snprintf(
		s->url, sizeof s->url, "postgresql:///magotp?host=/run/postgresql&port=%s", theirs);
	assert_int_equal(in_sandbox(s, connect_port, theirs), 1);
#endif
	s->n_upstreams = 1;
	s->upstreams[0].port = (uint16_t)atoi(other);
	assert_int_equal(in_sandbox(s, connect_port, other), 0);
	assert_int_equal(in_sandbox(s, connect_port, theirs), 1);
	s->n_upstreams = 0;
	close(a);
	close(b);
	room_close(&m);
}

static void test_sandbox_can_be_left_off(void **state)
{
	char other[128];
	struct room m;

	(void)state;
	room_open(&m, "[broker]\nsandbox = no\n");
	snprintf(other, sizeof other, "%s-beside", m.dir);
	assert_int_equal(in_sandbox(m.broker.settings, write_file, other), 0);
	unlink(other);
	room_close(&m);
}

#ifdef HAVE_POSTGRESQL
static void test_reach_of_a_server(void **state)
{
	static const struct {
		const char *url;
		bool network, any;
		uint16_t first, second;
		const char *file;
	} cases[] = {
		{ "sqlite:/a/b", false, false, 0, 0, "" },
		{ "postgresql:///magotp", false, false, 5432, 0, "" },
		{ "postgresql:///magotp?host=/run/pg", false, false, 5432, 0, "" },
		{ "postgresql:///magotp?host=@pg", false, false, 5432, 0, "" },
		{ "postgresql://db.example/magotp", true, false, 5432, 0, "" },
		{ "postgresql://a:1,b:2/magotp", true, false, 1, 2, "" },
		{ "postgresql:///m?hostaddr=::1&port=9", true, false, 9, 0, "" },
		{ "postgresql:///m?service=x", true, true, 5432, 0, "" },
		{ "postgresql://a/m?sslrootcert=/k/ca.pem", true, false, 5432, 0, "/k/ca.pem" },
	};
	struct store_reach reach;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(store_reach(cases[i].url, &reach), 0);
		assert_int_equal(reach.network, cases[i].network);
		assert_int_equal(reach.any_port, cases[i].any);
		assert_int_equal(reach.ports[0], cases[i].first);
		assert_int_equal(reach.ports[1], cases[i].second);
		assert_string_equal(reach.files[0], cases[i].file);
	}
	assert_int_equal(store_reach("postgresql://a/m?nonsense=1", &reach), MAG_EINVAL);
	assert_int_equal(store_reach("nonsense", &reach), MAG_EINVAL);
}
#endif

static int in_helper(bool (*try)(const char *path), const char *path)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_helper() ? 2 : try(path) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return ended(status);
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
#if defined HAVE_SECCOMP && !defined MAG_INSTRUMENTED
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
		cmocka_unit_test(test_sandbox_can_be_left_off),
		cmocka_unit_test(threat_25_only_the_port_of_the_store_is_in_reach),
#ifdef HAVE_POSTGRESQL
		cmocka_unit_test(test_reach_of_a_server),
#endif
		cmocka_unit_test(threat_42_the_helper_writes_in_etc_and_starts_two_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
