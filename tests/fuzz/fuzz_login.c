/* The whole conversation of a login: the flow, and the client beneath it over a real
 * socket pair, against a broker that says what the input says. The input is a script, of
 *
 *   u8 what, u16 length, bytes
 *
 * records: what comes back for the next request, and what the person types next. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/flow.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/login_script.h"

struct record {
	enum says what;
	const uint8_t *data;
	size_t len;
};

static struct {
	const uint8_t *data;
	size_t len, at_broker, at_person; /* each reads its own records, in order */
	int here;                         /* the broker's end */
	unsigned prompts;

	/* What the broker really said, for the checks at the end. */
	struct mag_secret txn; /* of its last answer to begin */
	uint16_t last;         /* the message that was answered last; 0: with an error */
	unsigned verdict, decision;
	bool own; /* the request carried the broker's own ticket */
	bool skip;
} script;

static bool is_broker(enum says what)
{
	return what < SAYS_TYPED || what == SAYS_FITS;
}

/* The next record for the broker or the person; false at the end. */
static bool next(size_t *at, bool broker, struct record *r_r)
{
	while (script.len - *at >= 3) {
		const uint8_t *p = script.data + *at;
		size_t len = (size_t)(p[1] << 8 | p[2]), left = script.len - *at - 3;
		struct record r = { (enum says)(p[0] % SAYS_N), p + 3, len < left ? len : left };

		*at += 3 + r.len;
		if (is_broker(r.what) != broker)
			continue;
		*r_r = r;
		return true;
	}
	return false;
}

/* ---- the broker ---- */

static const struct mag_secret *ticket_of(const struct wire_message *m, const void *request)
{
	const struct wire_field *f = m->request.n_fields ? wire_field_of(&m->request, 0) : NULL;

	return f && f->type == WIRE_SEALED && mag_streq(f->name, "txn")
		       ? (const void *)((const char *)request + f->offset)
		       : NULL;
}

/* Remember what this frame says, as the wire's own reader understands it. */
static void note_reply(
	const struct wire_message *m, const void *request, const uint8_t *frame, size_t len)
{
	const struct mag_secret *ticket = ticket_of(m, request);
	struct wire_result result = { 0 };
	void *reply = calloc(1, m->reply.size);

	script.last = 0;
	FUZZ_CHECK(reply != NULL);
	if (wire_decode_reply(frame, len, m->id, &result, reply) == 0 && result.error == 0) {
		script.last = m->id;
		script.verdict = result.verdict;
		script.own = ticket && ticket->len == script.txn.len &&
			     (ticket->len == 0 ||
				     memcmp(ticket->data, script.txn.data, ticket->len) == 0);
		if (m->id == WIRE_MSG_BEGIN) {
			struct wire_begin_rep *a = reply;

			script.decision = a->decision;
			script.skip = a->skip;
			FUZZ_CHECK(mag_secret_set(&script.txn, a->txn.data, a->txn.len) == 0);
		}
	}
	wire_free(&m->reply, &reply);
}

static void check_request(const struct wire_message *m, const void *request)
{
	if (m->id == WIRE_MSG_BEGIN)
		FUZZ_CHECK(mag_streq(((const struct wire_begin_req *)request)->user, "alice"));
}

static void answer(const struct record *r)
{
	static uint8_t in[WIRE_FRAME_MAX], out[WIRE_FRAME_MAX];
	ssize_t got = recv(script.here, in, sizeof in, MSG_DONTWAIT);
	size_t len = r->len < sizeof out ? r->len : sizeof out;
	const struct wire_message *m = NULL;
	void *request = NULL;

	/* The client sends nothing that the broker could not read. */
	FUZZ_CHECK(got > 0 && wire_decode_request(in, (size_t)got, &m, &request) == 0);
	check_request(m, request);
	if (r->what == SAYS_FITS)
		len = fuzz_fitting_reply(m, r->data, r->len, out);
	else if (len > 0)
		memcpy(out, r->data, len);
	if (r->what == SAYS_REPLY && len >= 4) {
		out[0] = 0;
		out[1] = WIRE_VERSION;
		out[2] = (uint8_t)(m->id >> 8);
		out[3] = (uint8_t)m->id;
	}
	note_reply(m, request, out, len);
	wire_free(&m->request, &request);
	if (len > 0)
		FUZZ_CHECK(send(script.here, out, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/* In place of the calls of the client (the linker's --wrap): its socket is one end of a
 * pair, and as soon as it has sent its request, the answer lies there. */
int __real_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
int __real_poll(struct pollfd *fds, unsigned long n, int timeout);
int __wrap_poll(struct pollfd *fds, unsigned long n, int timeout);

int fuzz_peer = -1;

static bool scripted(const struct sockaddr *address)
{
	return script.data && address->sa_family == AF_UNIX && mag_streq(address->sa_data, "/fuzz");
}

static struct record current;

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	int pair[2];

	if (fuzz_peer >= 0)
		return dup3(fuzz_peer, fd, O_CLOEXEC) == fd ? 0 : -1;
	if (!scripted(address))
		return __real_connect(fd, address, len);
	if (script.here >= 0)
		close(script.here);
	script.here = -1;
	if (!next(&script.at_broker, true, &current)) {
		errno = EACCES; /* the script is over; nothing worth waiting for */
		return -1;
	}
	if (current.what == SAYS_REFUSES) {
		errno = ECONNREFUSED;
		return -1;
	}
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	FUZZ_CHECK(dup3(pair[0], fd, O_CLOEXEC) == fd);
	close(pair[0]);
	script.here = pair[1];
	return 0;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	ssize_t n = __real_send(fd, data, len, flags);

	if (!script.data || fd == script.here)
		return n;
	if (current.what != SAYS_HANG_UP)
		answer(&current);
	if (current.what == SAYS_HANG_UP || (current.len == 0 && current.what != SAYS_FITS)) {
		script.last = 0;
		close(script.here);
		script.here = -1;
	}
	return n;
}

/* The pauses before another try need not be waited for. */
int __wrap_poll(struct pollfd *fds, unsigned long n, int timeout)
{
	return n == 0 ? 0 : __real_poll(fds, n, timeout);
}

/* ---- the person ---- */

static int ask(void *arg, const char *prompt, bool echo, struct mag_secret *answer_r)
{
	struct record r;

	(void)arg;
	(void)echo;
	FUZZ_CHECK(strlen(prompt) <= 511 && mag_utf8_valid(prompt, strlen(prompt)));
	FUZZ_CHECK(++script.prompts <= 20);
	if (!next(&script.at_person, false, &r) || r.what == SAYS_LEAVES)
		return MAG_ECONV;
	return mag_secret_set(answer_r, r.data, strnlen((const char *)r.data, r.len));
}

static int tell(void *arg, const char *message, bool error)
{
	(void)arg;
	(void)error;
	FUZZ_CHECK(strlen(message) <= 511 && mag_utf8_valid(message, strlen(message)));
	return 0;
}

static void groups(void *arg, const char *wanted, char *groups_r, size_t cap)
{
	(void)arg;
	FUZZ_CHECK(memchr(wanted, 0, 1025) != NULL);
	mag_copy(groups_r, cap, "staff");
}

/* ---- the login ---- */

/* In only on the broker's word, and only its last one, about the login that is its own. */
static void check_end(const struct flow_result *out)
{
	static const uint16_t judges[] = { WIRE_MSG_VERIFY, WIRE_MSG_RESYNC, WIRE_MSG_ENROLL_VERIFY,
		WIRE_MSG_ENROLL_TOKEN, WIRE_MSG_ENROLL_MOBILE };
	bool judged = false;

	for (size_t i = 0; i < sizeof judges / sizeof *judges; i++)
		judged |= script.last == judges[i];
	switch (out->end) {
	case FLOW_OK:
		FUZZ_CHECK((script.last == WIRE_MSG_BEGIN && script.decision == DECISION_PASS) ||
			   (judged && script.verdict == VERDICT_OK && script.own));
		break;
	case FLOW_EXEMPT:
		FUZZ_CHECK(script.last == WIRE_MSG_BEGIN && script.decision == DECISION_EXEMPT);
		break;
	case FLOW_SKIPPED:
		FUZZ_CHECK(script.last == WIRE_MSG_SKIP && script.verdict == VERDICT_OK &&
			   script.own && script.skip);
		break;
	default:
		FUZZ_CHECK(out->strength[0] == '\0' && out->level == 0);
	}
	FUZZ_CHECK(memchr(out->detail, 0, sizeof out->detail) != NULL);
	FUZZ_CHECK(mag_utf8_valid(out->detail, strlen(out->detail)));
}

static void peek(const struct client *client, const struct flow_params *p)
{
	struct flow_options o;

	memset(&o, 'x', sizeof o);
	if (flow_peek(client, p, &o) == 0)
		FUZZ_CHECK(memchr(o.mode, 0, sizeof o.mode) &&
			   memchr(o.separator, 0, sizeof o.separator));
	else
		FUZZ_CHECK(o.mode[0] == 'x');
}

/* The first byte: how the password was proven, whether typing is seen, what was typed at
 * once, who tells groups, whether options are asked for before. */
void fuzz_login(const uint8_t *data, size_t len)
{
	const struct client client = {
		.socket = "/fuzz", .timeout_ms = 1000, .server_uid = (uint32_t)getuid()
	};
	struct flow_io io = { .ask = ask, .tell = tell };
	struct flow_params p = { .user = "alice", .service = "sshd", .rhost = "192.0.2.1" };
	struct mag_secret combined = { 0 };
	struct flow_result out;

	if (len == 0)
		return;
	memset(&script, 0, sizeof script);
	script.data = data + 1;
	script.len = len - 1;
	script.here = -1;
	p.proof = data[0] & 3;
	p.echo = data[0] & 4;
	FUZZ_CHECK(mag_secret_set_text(&combined, data[0] & 16 ? "sms" : "483920") == 0);
	if (data[0] & 8)
		p.combined = &combined;
	if (data[0] & 32)
		io.groups = groups;
	if (data[0] & 64)
		peek(&client, &p);
	FUZZ_CHECK(flow_run(&client, &io, &p, &out) == 0);
	check_end(&out);
	flow_result_clear(&out);
	if (script.here >= 0)
		close(script.here);
	mag_secret_free(&script.txn);
	mag_secret_free(&combined);
	memset(&script, 0, sizeof script);
}
