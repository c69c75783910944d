#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otpcore/broker/parts.h"

static void test_the_kernel_says_who(void **state)
{
	struct peer p;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	assert_int_equal(peer_of(fd[0], &p), 0);
	assert_int_equal(p.uid, geteuid());
	assert_int_equal(p.pid, getpid());
	assert_false(p.alive); /* nothing was looked at yet */
	peer_look(&p);
	assert_true(p.alive);
	assert_int_equal(p.start, peer_start_of(getpid()));
	assert_true(p.start > 0);
	close(p.pidfd);
	close(fd[0]);
	close(fd[1]);
}

/* A name with blanks and brackets does not shift the fields of stat. */
static void test_start_time_behind_any_name(void **state)
{
	int64_t start = peer_start_of(getpid());

	(void)state;
	assert_true(start > 0);
	assert_int_equal(prctl(PR_SET_NAME, ") R 1 2 (x"), 0);
	assert_int_equal(peer_start_of(getpid()), start);
	assert_int_equal(prctl(PR_SET_NAME, "a b c d e f"), 0);
	assert_int_equal(peer_start_of(getpid()), start);
}

static void test_no_such_process(void **state)
{
	(void)state;
	assert_int_equal(peer_start_of(0), 0);
	assert_int_equal(peer_start_of(-1), 0);
	assert_int_equal(peer_start_of(INT64_MAX), 0);
}

static void test_threat_02_a_dead_peer_has_no_session(void **state)
{
	int fd[2], status;
	struct peer p;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(peer_of(fd[0], &p), 0);
	close(p.pidfd);
	/* As if the child had connected: its number, its pidfd. */
	p.pid = pid;
	p.pidfd = -1;
	waitpid(pid, &status, 0);
	peer_look(&p);
	assert_false(p.alive);
	assert_true(p.start == 0 && p.sid == -1 && p.loginuid == -1);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_kernel_says_who),
		cmocka_unit_test(test_start_time_behind_any_name),
		cmocka_unit_test(test_no_such_process),
		cmocka_unit_test(test_threat_02_a_dead_peer_has_no_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
