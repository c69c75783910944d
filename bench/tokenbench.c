/* Measures logins by HOTP through libpam, one process or many, in place or in a child
 * each, and verify without PAM. bench/tokens prepares services and users and reads what
 * this prints: "wall NS" of all, then "NS" a login that was accepted, "refused NS" others.
 *
 *   tokenbench WHAT WHERE PREFIX COUNTERS FIRST USERS PROCESSES LOGINS PACE
 *
 * WHAT     login, fork (a child each), verify (no PAM)
 * WHERE    CONFDIR/SERVICE; of verify the broker's socket
 * COUNTERS a file that keeps each user's next counter between runs
 * LOGINS   of each process, who goes through its own share of the users
 * PACE     microseconds from the start of one login to the next; 0: at once */
#include <errno.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/hotp.h"
#include "otpcore/base/err.h"
#include "otpcore/base/verdict.h"
#include "otpcore/client/client.h"

#define KEY       "12345678901234567890"
#define USERS_MAX 4096
#define FACTOR    4 /* the hardware token */

static struct {
	const char *what, *service, *prefix;
	char *confdir;
	long first, users, processes, logins, pace;
} opt;

static uint64_t *counters; /* of every user, shared by all processes */

/* What the processes have in common. */
static struct shared {
	int ready;
	volatile bool go;

	int64_t took[]; /* of each login; negative: refused */
} * shared;

static int64_t ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "tokenbench: %s: %s\n", what, why);
	exit(1);
}

/* ---- a login ---- */

struct person {
	long user;
	int64_t stood;
};

static int converse(int n, const struct pam_message **m, struct pam_response **r, void *arg)
{
	int64_t begun = ns();
	struct person *p = arg;
	struct pam_response *answers = calloc((size_t)n, sizeof *answers);

	if (answers == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		char code[7];

		if (m[i]->msg_style != PAM_PROMPT_ECHO_ON && m[i]->msg_style != PAM_PROMPT_ECHO_OFF)
			continue;
		hotp_code((const unsigned char *)KEY, 20, counters[p->user], code);
		answers[i].resp = strdup(code);
	}
	*r = answers;
	p->stood += ns() - begun;
	return PAM_SUCCESS;
}

static bool authenticate(struct person *p)
{
	struct pam_conv conv = { converse, p };
	pam_handle_t *h = NULL;
	char name[64];
	int r;

	snprintf(name, sizeof name, "%s%ld", opt.prefix, opt.first + p->user);
	r = pam_start_confdir(opt.service, name, &conv, opt.confdir, &h);
	if (r == PAM_SUCCESS)
		r = pam_authenticate(h, 0);
	pam_end(h, r);
	return r == PAM_SUCCESS;
}

/* As sshd does. The answer's time is the person's own. */
static bool in_child(struct person *p)
{
	int status = 0, pipe_fds[2];
	pid_t child;

	if (pipe(pipe_fds) < 0)
		die("pipe", strerror(errno));
	child = fork();
	if (child == 0) {
		bool good = authenticate(p);

		(void)!write(pipe_fds[1], &p->stood, sizeof p->stood);
		_exit(good ? 0 : 1);
	}
	close(pipe_fds[1]);
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork", strerror(errno));
	(void)!read(pipe_fds[0], &p->stood, sizeof p->stood);
	close(pipe_fds[0]);
	return status == 0;
}

/* ---- verify without PAM ---- */

static void call(uint16_t message, const void *request, void *reply, struct wire_result *result_r)
{
	struct client c = { opt.confdir, 10000, client_server_uid(opt.confdir) };
	int r = client_call(&c, message, request, result_r, reply);

	if (r < 0 || result_r->error < 0)
		die("otpcored", mag_strerror(r < 0 ? r : result_r->error));
}

static struct mag_secret begin(long user)
{
	static struct wire_begin_req begin;
	static struct wire_begin_rep begun;
	struct wire_result result;

	memset(&begin, 0, sizeof begin);
	memset(&begun, 0, sizeof begun);
	begin.proof = PROOF_STACK;
	begin.uid = WIRE_UID_UNKNOWN;
	snprintf(begin.user, sizeof begin.user, "%s%ld", opt.prefix, opt.first + user);
	snprintf(begin.service, sizeof begin.service, "magotp");
	call(WIRE_MSG_BEGIN, &begin, &begun, &result);
	if (begun.n_factors == 0)
		die("begin", "no factor");
	return begun.txn;
}

static bool verify(struct mag_secret *txn, long user)
{
	struct wire_verify_req request = { .txn = *txn, .seq = 1, .ref = FACTOR };
	struct wire_verify_rep reply = { 0 };
	struct wire_result result;
	char code[7];

	hotp_code((const unsigned char *)KEY, 20, counters[user], code);
	if (mag_secret_set_text(&request.code, code) < 0)
		die("verify", "memory");
	call(WIRE_MSG_VERIFY, &request, &reply, &result);
	mag_secret_free(&request.code);
	mag_secret_free(txn);
	return result.verdict == VERDICT_OK;
}

/* ---- processes ---- */

static void wait_for_all(void)
{
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (!shared->go)
		usleep(200);
}

static void pace(int64_t begun)
{
	int64_t left = begun + opt.pace * 1000 - ns();

	if (left > 0)
		usleep((useconds_t)(left / 1000));
}

static void work(long process)
{
	struct mag_secret *txns = calloc((size_t)opt.logins, sizeof *txns);
	bool bare = strcmp(opt.what, "verify") == 0, child = strcmp(opt.what, "fork") == 0;
	long share = opt.users / opt.processes;

	if (txns == NULL)
		die("memory", strerror(errno));
	for (long i = 0; bare && i < opt.logins; i++)
		txns[i] = begin(process + i % share * opt.processes);
	wait_for_all();
	for (long i = 0; i < opt.logins; i++) {
		struct person p = { .user = process + i % share * opt.processes };
		int64_t begun = ns(), took;
		bool good = bare    ? verify(&txns[i], p.user)
			    : child ? in_child(&p)
				    : authenticate(&p);

		took = ns() - begun - p.stood;
		if (good)
			counters[p.user]++;
		shared->took[process * opt.logins + i] = good ? took : -took;
		pace(begun);
	}
	free(txns);
}

static void *map(const char *path, size_t size)
{
	int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *p = MAP_FAILED;

	if (path == NULL || (fd >= 0 && ftruncate(fd, (off_t)size) == 0))
		p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			path != NULL ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
	if (p == MAP_FAILED)
		die(path != NULL ? path : "memory", strerror(errno));
	return p;
}

static void run_all(void)
{
	int64_t begun;

	for (long i = 0; i < opt.processes; i++) {
		pid_t child = fork();

		if (child < 0)
			die("fork", strerror(errno));
		if (child == 0) {
			work(i);
			_exit(0);
		}
	}
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < opt.processes) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			die("process", "ended before the start");
		usleep(1000);
	}
	begun = ns();
	shared->go = true;
	for (long i = 0; i < opt.processes; i++) {
		int status = 0;

		if (wait(&status) < 0 || status != 0)
			die("process", "failed");
	}
	printf("wall %lld\n", (long long)(ns() - begun));
}

int main(int argc, char **argv)
{
	char *slash;
	size_t n;

	if (argc != 10)
		die("usage", "bench/tokens starts this");
	opt.what = argv[1];
	opt.confdir = argv[2];
	opt.service = "";
	slash = strrchr(argv[2], '/');
	if (strcmp(opt.what, "verify") != 0 && slash != NULL) {
		*slash = '\0';
		opt.service = slash + 1;
	}
	opt.prefix = argv[3];
	opt.first = atol(argv[5]);
	opt.users = atol(argv[6]);
	opt.processes = atol(argv[7]);
	opt.logins = atol(argv[8]);
	opt.pace = atol(argv[9]);
	if (opt.processes < 1 || opt.logins < 1 || opt.users < opt.processes ||
		opt.first + opt.users > USERS_MAX)
		die("usage", "a user for each process, 4096 at most");
	counters = (uint64_t *)map(argv[4], USERS_MAX * sizeof *counters) + opt.first;
	n = (size_t)(opt.processes * opt.logins);
	shared = map(NULL, sizeof *shared + n * sizeof(int64_t));
	run_all();
	for (size_t i = 0; i < n; i++) {
		int64_t took = shared->took[i];

		printf("%s%lld\n", took < 0 ? "refused " : "",
			(long long)(took < 0 ? -took : took));
	}
	return 0;
}
