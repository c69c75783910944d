/* The client against servers that are absent, silent, full, strange or not the
 * right one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/time.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "otpcore/base/verdict.h"
#include "otpcore/client/client.h"
#include "tests/unit/fake_server.h"

static unsigned char frame[WIRE_FRAME_MAX + 10];

static int64_t ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Somebody who is neither root nor, for the client, the configured user. */
static uid_t stranger(void)
{
	return getuid() == 0 ? 65534 : getuid();
}

static void start(struct fake *f, enum fake_mode mode)
{
	f->mode = mode;
	if (f->uid == 0)
		f->uid = getuid();
	assert_int_equal(fake_start(f), 0);
}

static size_t ping_frame(const char *host)
{
	struct wire_ping_rep reply = { .schema = 3 };
	struct wire_result result = { 0, VERDICT_OK, 0, "" };
	size_t len = 0;

	strcpy(reply.host, host);
	assert_int_equal(wire_encode_reply(WIRE_MSG_PING, &result, &reply, frame, &len), 0);
	return len;
}

static int ping(const struct fake *f, int timeout_ms)
{
	struct client c = { f->path, timeout_ms, getuid() };
	struct wire_result result;

	return client_call(&c, WIRE_MSG_PING, NULL, &result, NULL);
}

static void test_an_answer(void **state)
{
	struct fake f = { .frame = frame, .len = ping_frame("idun") };
	struct client c = { f.path, 0, getuid() };
	struct wire_result result = { 0 };
	struct wire_ping_rep reply = { 0 };

	(void)state;
	start(&f, FAKE_REPLY);
	for (int i = 0; i < 50; i++)
		assert_int_equal(client_call(&c, WIRE_MSG_PING, NULL, &result, &reply), 0);
	assert_int_equal(result.verdict, VERDICT_OK);
	assert_string_equal(reply.host, "idun");
	assert_int_equal(reply.schema, 3);
	assert_int_equal(client_call(&c, WIRE_MSG_PING, NULL, &result, NULL), 0);
	assert_int_equal(fake_stop(&f), 51 * 4);
}

/* Security.md 3. The server is an ordinary user's; the code must not arrive. */
static void test_threat_03_squatter_gets_no_code(void **state)
{
	struct fake f = { .uid = stranger(), .frame = frame, .len = ping_frame("squat") };
	struct client c = { f.path, 500, 0 };
	struct wire_verify_req request = { .seq = 1 };
	struct wire_result result = { -77, 0, 0, "" };

	(void)state;
	start(&f, FAKE_REPLY);
	assert_int_equal(mag_secret_set_text(&request.code, "123456"), 0);
	assert_int_equal(client_call(&c, WIRE_MSG_VERIFY, &request, &result, NULL), MAG_ESERVER);
	assert_int_equal(client_call(&c, WIRE_MSG_PING, NULL, &result, NULL), MAG_ESERVER);
	assert_int_equal(result.error, -77);
	c.server_uid = stranger() + 1;
	assert_int_equal(client_call(&c, WIRE_MSG_PING, NULL, &result, NULL), MAG_ESERVER);
	assert_int_equal(fake_stop(&f), 0);
	wire_clear(&wire_verify_req, &request);
}

static void test_the_configured_server_is_taken(void **state)
{
	struct fake f = { .uid = stranger(), .frame = frame, .len = ping_frame("own") };
	struct client c = { f.path, 0, stranger() };
	struct wire_result result;

	(void)state;
	start(&f, FAKE_REPLY);
	assert_int_equal(client_server_uid(f.path), stranger());
	assert_int_equal(client_call(&c, WIRE_MSG_PING, NULL, &result, NULL), 0);
	assert_int_equal(fake_stop(&f), 4);
}

static void test_silence_ends_at_the_deadline(void **state)
{
	struct fake f = { .len = 0 };
	int64_t begun, took;

	(void)state;
	start(&f, FAKE_SILENT);
	begun = ms();
	assert_int_equal(ping(&f, 150), MAG_ETIMEOUT);
	took = ms() - begun;
	assert_in_range(took, 149, 1500);
	fake_stop(&f);
}

static void on_alarm(int n)
{
	(void)n;
}

/* A program's timers interrupt calls; the deadline does not move. */
static void test_signals_do_not_move_the_deadline(void **state)
{
	struct fake f = { .len = 0 };
	struct sigaction a = { .sa_handler = on_alarm }, old;
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = { { 0, 0 }, { 0, 0 } };
	int64_t begun;
	int r;

	(void)state;
	start(&f, FAKE_SILENT);
	sigaction(SIGALRM, &a, &old);
	begun = ms();
	setitimer(ITIMER_REAL, &often, NULL);
	r = ping(&f, 150);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(r, MAG_ETIMEOUT);
	assert_in_range(ms() - begun, 149, 1500);
	fake_stop(&f);
}

static void test_nobody_there_is_down(void **state)
{
	struct fake f = { .len = 0 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0), stream = socket(AF_UNIX, SOCK_STREAM, 0);
	char dir[] = "/tmp/magotp-none-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(f.path, sizeof f.path, "%s/sock", dir);
	assert_int_equal(ping(&f, 500), MAG_EDOWN);
	strcpy(a.sun_path, f.path);
	assert_int_equal(bind(s, (void *)&a, sizeof a), 0); /* bound, nobody listens */
	assert_int_equal(ping(&f, 500), MAG_EDOWN);
	unlink(f.path);
	assert_int_equal(bind(stream, (void *)&a, sizeof a), 0);
	assert_int_equal(listen(stream, 1), 0);
	assert_int_equal(ping(&f, 500), MAG_ESERVER); /* not our kind of socket */
	close(s);
	close(stream);
	unlink(f.path);
	rmdir(dir);
}

static void test_full_backlog_is_busy_at_once(void **state)
{
	struct fake f = { .len = 0 };
	int64_t begun;
	int r;

	(void)state;
	start(&f, FAKE_NO_ACCEPT);
	r = ping(&f, 50); /* the kernel takes one more than the backlog says */
	assert_int_equal(r, MAG_ETIMEOUT);
	begun = ms();
	while ((r = ping(&f, 20)) == MAG_ETIMEOUT)
		assert_true(ms() - begun < 5000);
	assert_int_equal(r, MAG_EBUSY);
	begun = ms();
	assert_int_equal(ping(&f, 5000), MAG_EBUSY);
	assert_true(ms() - begun < 1000);
	fake_stop(&f);
}

static void test_no_permission_is_not_down(void **state)
{
	struct fake f = { .frame = frame, .len = ping_frame("x") };
	pid_t child;
	int status = 0;

	(void)state;
	if (getuid() != 0)
		skip();
	start(&f, FAKE_REPLY);
	assert_int_equal(chmod(f.path, 0600), 0);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		struct client c = { f.path, 500, 0 };
		struct wire_result result;

		if (setuid(65534) < 0)
			_exit(98);
		_exit(client_call(&c, WIRE_MSG_PING, NULL, &result, NULL) == MAG_ESYS ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fake_stop(&f);
}

/* SIGPIPE keeps its default here: this process would be gone. */
static void test_hanging_up_is_gone(void **state)
{
	static const enum fake_mode modes[] = { FAKE_HANG_UP, FAKE_SLAM };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fake f = { .len = 0 };

		start(&f, modes[i]);
		for (int k = 0; k < 20; k++)
			assert_int_equal(ping(&f, 2000), MAG_EGONE);
		fake_stop(&f);
	}
}

static const struct {
	const char *bytes;
	size_t len;
	int r;
} garbage[] = {
	{ "x", 1, MAG_EPROTO },
	{ "\0\1", 2, MAG_EPROTO },
	{ "\0\2\0\12", 4, MAG_EVERSION },
	{ "\0\1\0\12", 4, MAG_EPROTO },
	{ "GET / HTTP/1.1\r\n\r\n", 18, MAG_EVERSION },
	{ "\0\1\0\11\0\0\0\0\0\0\0\1\0\0\0\0\0\0", 18, MAG_EPROTO },
	{ "\0\1\0\12\0\0\0\11\0\0\0\1\0\0\0\0\0\0!", 19, MAG_EPROTO },
	{ (const char *)frame, WIRE_FRAME_MAX + 10, MAG_EPROTO },
};

static void test_garbage_is_a_protocol_error(void **state)
{
	(void)state;
	memset(frame, 0, sizeof frame);
	for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
		struct fake f = { .frame = (const void *)garbage[i].bytes, .len = garbage[i].len };
		int r;

		start(&f, FAKE_REPLY);
		r = ping(&f, 2000);
		fake_stop(&f);
		if (r != garbage[i].r)
			fail_msg("garbage %zu: %s", i, mag_strerror(r));
	}
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void test_nothing_stays_open(void **state)
{
	struct fake f = { .frame = frame, .len = ping_frame("x") };
	unsigned before, after;

	(void)state;
	start(&f, FAKE_DESCRIPTOR);
	before = open_descriptors();
	assert_int_equal(ping(&f, 2000), 0);
	after = open_descriptors();
	assert_int_equal(before, after);
	fake_stop(&f);
}

/* Looked at from outside, while the child waits for an answer. */
static void test_descriptors_are_high_and_cloexec(void **state)
{
	struct fake f = { .len = 0 };
	unsigned sockets_seen = 0;
	pid_t child;
	char c;

	(void)state;
	start(&f, FAKE_SILENT);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		for (int fd = 0; fd < 64; fd++)
			close(fd);
		ping(&f, 3000);
		_exit(0);
	}
	assert_int_equal(read(f.seen, &c, 1), 1);
	assert_int_equal(c, 'a');
	for (int fd = 0; fd < 64; fd++) {
		char path[64], line[64] = "";
		unsigned flags = 0;
		FILE *info;

		snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)child, fd);
		info = fopen(path, "re");
		if (info == NULL)
			continue;
		while (fgets(line, sizeof line, info) != NULL)
			sscanf(line, "flags: %o", &flags);
		fclose(info);
		sockets_seen++;
		assert_true(fd >= 3);
		assert_true(flags & O_CLOEXEC);
	}
	assert_int_equal(sockets_seen, 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	fake_stop(&f);
}

static void test_what_cannot_be_asked(void **state)
{
	char longer[200];
	struct client c = { longer, 500, 0 };
	struct wire_begin_req begin = { .user = "anna" };
	struct wire_result result;

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(client_call(&c, WIRE_MSG_PING, NULL, &result, NULL), MAG_EINVAL);
	c.socket = "";
	assert_int_equal(client_call(&c, WIRE_MSG_PING, NULL, &result, NULL), MAG_EINVAL);
	assert_int_equal(client_call(&c, 0, NULL, &result, NULL), MAG_EINVAL);
	strcpy(begin.rhost, "\xff");
	assert_int_equal(client_call(&c, WIRE_MSG_BEGIN, &begin, &result, NULL), MAG_ERANGE);
}

static void test_server_uid_is_the_folders_owner(void **state)
{
	char dir[] = "/tmp/magotp-owner-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/sock", dir);
	if (getuid() == 0)
		assert_int_equal(chown(dir, 65534, -1), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(client_server_uid(path), stranger());
	assert_int_equal(chmod(dir, 0775), 0);
	assert_int_equal(client_server_uid(path), 0);
	assert_int_equal(chmod(dir, 01757), 0);
	assert_int_equal(client_server_uid(path), 0);
	rmdir(dir);
	assert_int_equal(client_server_uid(path), 0);
	assert_int_equal(client_server_uid("sock"), 0);
	assert_int_equal(client_server_uid("here/sock"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_threat_03_squatter_gets_no_code),
		cmocka_unit_test(test_the_configured_server_is_taken),
		cmocka_unit_test(test_silence_ends_at_the_deadline),
		cmocka_unit_test(test_signals_do_not_move_the_deadline),
		cmocka_unit_test(test_nobody_there_is_down),
		cmocka_unit_test(test_full_backlog_is_busy_at_once),
		cmocka_unit_test(test_no_permission_is_not_down),
		cmocka_unit_test(test_hanging_up_is_gone),
		cmocka_unit_test(test_garbage_is_a_protocol_error),
		cmocka_unit_test(test_nothing_stays_open),
		cmocka_unit_test(test_descriptors_are_high_and_cloexec),
		cmocka_unit_test(test_what_cannot_be_asked),
		cmocka_unit_test(test_server_uid_is_the_folders_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
