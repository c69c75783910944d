/* Measures logins through libpam, and verify without it, in interleaved rounds.
 * bench/run prepares the services, the users and the daemons and reads what
 * this prints: "SERIES ROUND NANOSECONDS" for one login (request) each.
 *
 * What the person does is not the module's time: while the conversation waits
 * for a code (here: reads it from the outbox, or computes it) the clock stands. */
#include <dirent.h>
#include <errno.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/hotp.h"
#include "otpcore/base/err.h"
#include "otpcore/base/verdict.h"
#include "otpcore/client/client.h"

#define KEY "12345678901234567890" /* 20 bytes: of pam_oath's one user */

static const char *confdir, *outbox, *broker_socket, *commit_socket;
static unsigned rounds = 9, logins = 40, n_users = 40;
static unsigned next_user;

/* Shared with children, so that a login in a child can stop the clock too. */
static struct shared {
	int64_t stood;    /* ns that the conversation took */
	uint64_t counter; /* of the HOTP token */
} * shared;

static int64_t ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "loginbench: %s: %s\n", what, why);
	exit(1);
}

static const char *user_name(char buf[32])
{
	snprintf(buf, 32, "bench%u", next_user++ % n_users);
	return buf;
}

/* ---- the phone: one message at a time lies in the outbox ---- */

/* The first run of six digits after "text": 0 if there is no message. */
static bool read_code(const char *path, char code_r[7])
{
	char text[4096];
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
	char *p;

	if (f != NULL)
		fclose(f);
	text[n] = '\0';
	p = strstr(text, "\"text\"");
	for (; p != NULL && *p != '\0'; p += strcspn(p, "0123456789")) {
		size_t digits = strspn(p, "0123456789");

		if (digits == 6) {
			memcpy(code_r, p, 6);
			code_r[6] = '\0';
			return true;
		}
		p += digits;
	}
	return false;
}

static bool take_code(char code_r[7])
{
	DIR *d = opendir(outbox);
	struct dirent *e;
	bool found = false;

	if (d == NULL)
		die(outbox, strerror(errno));
	while (!found && (e = readdir(d)) != NULL) {
		char path[512];

		if (strstr(e->d_name, ".json") == NULL)
			continue;
		snprintf(path, sizeof path, "%s/%s", outbox, e->d_name);
		found = read_code(path, code_r);
		unlink(path);
	}
	closedir(d);
	return found;
}

/* ---- through libpam ---- */

enum who { PERMIT, OATH, MAGOTP };
static const char *const services[] = { "permit", "oath", "magotp" };

/* The person: a code if one came, else Enter, which takes the default. */
static void answer_prompt(enum who who, char answer_r[7])
{
	answer_r[0] = '\0';
	if (who == OATH)
		hotp_code((const unsigned char *)KEY, 20, shared->counter++, answer_r);
	else
		take_code(answer_r);
}

static int converse(int n, const struct pam_message **m, struct pam_response **r, void *arg)
{
	int64_t begun = ns();
	struct pam_response *answers = calloc((size_t)n, sizeof *answers);

	if (answers == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		char answer[7];

		if (m[i]->msg_style != PAM_PROMPT_ECHO_ON && m[i]->msg_style != PAM_PROMPT_ECHO_OFF)
			continue;
		answer_prompt(*(enum who *)arg, answer);
		answers[i].resp = strdup(answer);
	}
	*r = answers;
	shared->stood += ns() - begun;
	return PAM_SUCCESS;
}

static void login(enum who who, const char *user)
{
	struct pam_conv conv = { converse, &who };
	pam_handle_t *h = NULL;
	int r = pam_start_confdir(services[who], user, &conv, confdir, &h);

	if (r == PAM_SUCCESS)
		r = pam_authenticate(h, 0);
	if (r != PAM_SUCCESS)
		die(services[who], h != NULL ? pam_strerror(h, r) : "pam_start");
	pam_end(h, r);
}

/* As sshd does: each login in a child. */
static void login_in_child(enum who who, const char *user)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		login(who, user);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		die(services[who], "the child failed");
}

static void measure(const char *series, unsigned round, enum who who, bool in_child)
{
	for (unsigned i = 0; i < logins; i++) {
		char name[32];
		const char *user = who == MAGOTP ? user_name(name) : who == OATH ? "token" : "root";
		int64_t begun = ns();

		shared->stood = 0;
		if (in_child)
			login_in_child(who, user);
		else
			login(who, user);
		printf("%s %u %lld\n", series, round, (long long)(ns() - begun - shared->stood));
	}
}

/* ---- verify without PAM ---- */

struct ticket {
	struct mag_secret txn;
	uint32_t seq;
};

static void call(uint16_t message, const void *request, void *reply, struct wire_result *result_r)
{
	struct client c = { broker_socket, 10000, 0 };
	int r;

	c.server_uid = client_server_uid(broker_socket);
	r = client_call(&c, message, request, result_r, reply);
	if (r < 0 || result_r->error < 0)
		die("otpcored", mag_strerror(r < 0 ? r : result_r->error));
}

static void begin_and_send(struct ticket *t, char code_r[7])
{
	static struct wire_begin_req begin;
	static struct wire_begin_rep begun;
	struct wire_send_req send = { .seq = 1 };
	struct wire_send_rep sent = { 0 };
	struct wire_result result;

	memset(&begin, 0, sizeof begin);
	begin.proof = PROOF_STACK;
	begin.uid = WIRE_UID_UNKNOWN;
	snprintf(begin.user, sizeof begin.user, "bench%u", next_user++ % n_users);
	snprintf(begin.service, sizeof begin.service, "magotp");
	call(WIRE_MSG_BEGIN, &begin, &begun, &result);
	if (begun.n_factors == 0)
		die("begin", "no factor");
	send.txn = begun.txn;
	send.ref = begun.factors[0].ref;
	call(WIRE_MSG_SEND, &send, &sent, &result);
	if (result.verdict != VERDICT_OK || !take_code(code_r))
		die("send", verdict_id(result.verdict));
	*t = (struct ticket){ begun.txn, 1 };
	memset(&begun, 0, sizeof begun); /* the ticket moved */
}

static int64_t verify(struct ticket *t, const char *code, unsigned expected)
{
	struct wire_verify_req request = { .txn = t->txn, .seq = ++t->seq, .ref = 1 };
	struct wire_verify_rep reply = { 0 };
	struct wire_result result;
	int64_t took;

	if (mag_secret_set_text(&request.code, code) < 0)
		die("verify", "memory");
	took = ns();
	call(WIRE_MSG_VERIFY, &request, &reply, &result);
	took = ns() - took;
	mag_secret_free(&request.code);
	if (result.verdict != expected)
		die("verify", verdict_id(result.verdict));
	return took;
}

/* connect, one frame, one SQLite commit behind it, one frame back, close. */
static int64_t commit_elsewhere(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char frame[64] = "commit";
	int64_t took = ns();
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", commit_socket);
	if (fd < 0 || connect(fd, (void *)&a, sizeof a) < 0 ||
		send(fd, frame, sizeof frame, 0) < 0 || recv(fd, frame, sizeof frame, 0) <= 0)
		die(commit_socket, strerror(errno));
	close(fd);
	return ns() - took;
}

/* Wrong and right each as the first verify of a login: what came before is the
 * same for both. The right code afterwards gives the charge back. */
static void measure_verify(unsigned round)
{
	for (unsigned i = 0; i < logins; i++) {
		struct ticket t;
		char code[7], wrong[7];

		begin_and_send(&t, code);
		printf("verify-right %u %lld\n", round, (long long)verify(&t, code, VERDICT_OK));
		mag_secret_free(&t.txn);

		begin_and_send(&t, code);
		memcpy(wrong, code, sizeof wrong);
		wrong[5] = wrong[5] == '9' ? '0' : (char)(wrong[5] + 1);
		printf("verify-wrong %u %lld\n", round,
			(long long)verify(&t, wrong, VERDICT_CODE_WRONG));
		verify(&t, code, VERDICT_OK);
		mag_secret_free(&t.txn);

		printf("commit %u %lld\n", round, (long long)commit_elsewhere());
	}
}

/* confdir outbox broker-socket commit-socket rounds logins users counter */
int main(int argc, char **argv)
{
	if (argc != 9)
		die("usage", "bench/run starts this");
	confdir = argv[1];
	outbox = argv[2];
	broker_socket = argv[3];
	commit_socket = argv[4];
	rounds = (unsigned)atoi(argv[5]);
	logins = (unsigned)atoi(argv[6]);
	n_users = (unsigned)atoi(argv[7]);
	shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || n_users == 0)
		die("memory", strerror(errno));
	shared->counter = (uint64_t)atoll(argv[8]);
	for (unsigned round = 0; round < rounds; round++) {
		measure("permit", round, PERMIT, false);
		measure("oath", round, OATH, false);
		measure("magotp", round, MAGOTP, false);
		measure("permit-fork", round, PERMIT, true);
		measure("oath-fork", round, OATH, true);
		measure("magotp-fork", round, MAGOTP, true);
		measure_verify(round);
		fflush(stdout);
	}
	return 0;
}
