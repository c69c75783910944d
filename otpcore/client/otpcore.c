/* libotpcore: the wire's messages as plain C (otpcore.h). */
#include "otpcore/client/otpcore.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/client/client.h"

#define TIMEOUT_DEFAULT_MS 10000
#define SEND_EXTRA_MS      3000 /* otpcored waits so long for a gateway's word */
#define RETRY_PAUSE_MS     50   /* while a broker is being restarted */
#define FACTORS_MAX        (sizeof(((struct wire_begin_rep *)0)->factors) / sizeof(struct wire_factor))

/* The public header repeats these numbers to stand on its own. */
#define MAG_ERR(name, number, text)                                                                \
	_Static_assert((int)OTPCORE_E##name == -(number), "otpcore.h: " #name);
#include "otpcore/base/err.def"
#undef MAG_ERR
_Static_assert((int)OTPCORE_PROOF_PASSWORD == PROOF_STACK, "otpcore.h: proof");
_Static_assert((int)OTPCORE_ASK == DECISION_ASK, "otpcore.h: ask");
_Static_assert((int)OTPCORE_PASS == DECISION_PASS, "otpcore.h: pass");
_Static_assert((int)OTPCORE_EXEMPT == DECISION_EXEMPT, "otpcore.h: exempt");
_Static_assert((int)OTPCORE_ENROLL == DECISION_ENROLL, "otpcore.h: enroll");
_Static_assert((int)OTPCORE_DELIVERY_PENDING == DELIVERY_PENDING, "otpcore.h: delivery");
_Static_assert((int)OTPCORE_DELIVERY_ACCEPTED == DELIVERY_ACCEPTED, "otpcore.h: delivery");
_Static_assert((int)OTPCORE_DELIVERY_FAILED == DELIVERY_FAILED, "otpcore.h: delivery");
_Static_assert((int)OTPCORE_DELIVERY_UNDELIVERED == DELIVERY_UNDELIVERED, "otpcore.h: delivery");

struct otpcore {
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int timeout_ms;
	bool server_known;
	uint32_t server_uid;

	struct wire_begin_req who;   /* what otpcore_set said, and of begin */
	struct wire_begin_rep begun; /* txn inside: this login's ticket */
	uint32_t seq;

	/* What the caller sees; texts point into `begun` and into what follows. */
	struct otpcore_policy policy;
	struct otpcore_factor factors[FACTORS_MAX];
	struct otpcore_answer answer;
	struct otpcore_status status;
	struct wire_result result;
	struct wire_send_rep sent;
	struct wire_status_rep status_rep;
	char strength[33];
};

static int64_t ticks_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void forget(struct otpcore *h)
{
	wire_clear(&wire_begin_rep, &h->begun);
	memset(&h->sent, 0, sizeof h->sent);
	memset(&h->result, 0, sizeof h->result);
	memset(h->factors, 0, sizeof h->factors);
	h->strength[0] = '\0';
	h->seq = 0;
	h->policy =
		(struct otpcore_policy){ .require = "", .host = "", .help = "", .language = "" };
	h->answer = (struct otpcore_answer){ .verdict = verdict_id(VERDICT_NONE),
		.detail = h->result.detail,
		.channel = h->sent.channel,
		.masked = h->sent.masked,
		.strength = h->strength };
}

/* ---- asking ---- */

/* Ask within the time-out. Once a login has a ticket, a broker that went away is
 * asked again: the ticket and the number of the request make that safe.
 * Returns the server's error like one of our own. */
static int ask(struct otpcore *h, uint16_t message, const void *request, void *reply, int extra_ms)
{
	const char *path = h->socket[0] != '\0' ? h->socket : OTPCORED_SOCKET;
	struct client c = { path, 0, h->server_known ? h->server_uid : client_server_uid(path) };
	int64_t deadline = ticks_ms() + h->timeout_ms + extra_ms;
	struct wire_result result = { 0 };
	int r;

	for (;;) {
		const struct timespec pause = { 0, RETRY_PAUSE_MS * 1000000L };
		int64_t left = deadline - ticks_ms();

		c.timeout_ms = left > 0 ? (int)left : 1;
		r = client_call(&c, message, request, &result, reply);
		if ((r != MAG_EDOWN && r != MAG_EGONE) || h->begun.txn.len == 0 ||
			left <= RETRY_PAUSE_MS)
			break;
		nanosleep(&pause, NULL);
		if (!h->server_known)
			c.server_uid = client_server_uid(path);
	}
	if (r < 0)
		return r;
	h->result = result;
	h->answer.verdict = verdict_id(result.verdict);
	h->answer.seconds = result.seconds;
	return result.error;
}

/* The ticket and number of the next request. A number is used for one request
 * only, whatever becomes of it: a repeat with another code under an old number
 * would get the old answer. */
static int next(struct otpcore *h, struct mag_secret *txn_r, uint32_t *seq_r)
{
	int r;

	if (h->begun.txn.len == 0)
		return MAG_EINVAL;
	r = mag_secret_set(txn_r, h->begun.txn.data, h->begun.txn.len);
	if (r == 0)
		*seq_r = ++h->seq;
	return r;
}

static void proven(struct otpcore *h, const char *strength, uint32_t level)
{
	mag_copy(h->strength, sizeof h->strength, strength);
	h->answer.level = level;
}

/* ---- the handle ---- */

const char *otpcore_strerror(int error)
{
	return mag_strerror(error);
}

int otpcore_new(struct otpcore **login_r)
{
	struct otpcore *h = calloc(1, sizeof *h);

	if (h == NULL)
		return MAG_ENOMEM;
	h->timeout_ms = TIMEOUT_DEFAULT_MS;
	h->who.uid = WIRE_UID_UNKNOWN;
	forget(h);
	*login_r = h;
	return 0;
}

void otpcore_free(struct otpcore **login)
{
	if (login == NULL || *login == NULL)
		return;
	forget(*login);
	mag_wipe(*login, sizeof **login);
	free(*login);
	*login = NULL;
}

int otpcore_set_socket(struct otpcore *h, const char *path)
{
	if (path == NULL || strlen(path) >= sizeof h->socket)
		return MAG_ERANGE;
	return mag_copy(h->socket, sizeof h->socket, path) == 0 ? 0 : MAG_ERANGE;
}

int otpcore_set_timeout(struct otpcore *h, int milliseconds)
{
	if (milliseconds <= 0)
		return MAG_EINVAL;
	h->timeout_ms = milliseconds;
	return 0;
}

void otpcore_set_server_uid(struct otpcore *h, uint32_t uid)
{
	h->server_uid = uid;
	h->server_known = true;
}

void otpcore_set_uid(struct otpcore *h, uint32_t uid)
{
	h->who.uid = uid;
}

/* Like mag_copy, but refused whole: the old text stays. */
static int set_text(char *dst, size_t cap, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len >= cap || (len > 0 && !mag_utf8_valid(text, len)))
		return MAG_ERANGE;
	return mag_copy(dst, cap, len > 0 ? text : "");
}

int otpcore_set(struct otpcore *h, enum otpcore_about what, const char *text)
{
	switch (what) {
	case OTPCORE_RHOST:
		return set_text(h->who.rhost, sizeof h->who.rhost, text);
	case OTPCORE_TTY:
		return set_text(h->who.tty, sizeof h->who.tty, text);
	case OTPCORE_RUSER:
		return set_text(h->who.ruser, sizeof h->who.ruser, text);
	case OTPCORE_REQUIRE:
		return set_text(h->who.require, sizeof h->who.require, text);
	}
	return MAG_EINVAL;
}

/* ---- begin ---- */

static void show_begun(struct otpcore *h)
{
	const struct wire_begin_rep *b = &h->begun;

	h->policy = (struct otpcore_policy){ .require = b->require,
		.level = b->level,
		.may_skip = b->skip != 0,
		.autosend = b->autosend != 0,
		.code_digits = b->code_digits,
		.code_validity = b->code_validity,
		.host = b->host,
		.help = b->help,
		.language = b->language };
	for (size_t i = 0; i < b->n_factors; i++) {
		const struct wire_factor *f = &b->factors[i];

		h->factors[i] = (struct otpcore_factor){ f->ref, f->kind, f->state, f->channel,
			f->channels, f->masked, f->label, f->is_default != 0 };
	}
}

/* What is not in our header, such as a decision of a newer broker, denies. */
static int public_decision(uint32_t decision)
{
	switch (decision) {
	case DECISION_ASK:
	case DECISION_PASS:
	case DECISION_EXEMPT:
	case DECISION_ENROLL:
		return (int)decision;
	default:
		return OTPCORE_DENY;
	}
}

int otpcore_begin(struct otpcore *h, const char *user, const char *service,
	enum otpcore_proof proof, int *decision_r)
{
	int r;

	*decision_r = OTPCORE_DENY;
	if (user == NULL || service == NULL || user[0] == '\0' || service[0] == '\0' ||
		(proof != OTPCORE_PROOF_NONE && proof != OTPCORE_PROOF_PASSWORD))
		return MAG_EINVAL;
	forget(h);
	r = set_text(h->who.user, sizeof h->who.user, user);
	if (r == 0)
		r = set_text(h->who.service, sizeof h->who.service, service);
	if (r < 0)
		return r;
	h->who.proof = proof;
	r = ask(h, WIRE_MSG_BEGIN, &h->who, &h->begun, 0);
	if (r < 0)
		return r;
	show_begun(h);
	*decision_r = public_decision(h->begun.decision);
	return 0;
}

const struct otpcore_policy *otpcore_policy(const struct otpcore *h)
{
	return &h->policy;
}

size_t otpcore_n_factors(const struct otpcore *h)
{
	return h->begun.n_factors;
}

const struct otpcore_factor *otpcore_factor(const struct otpcore *h, size_t index)
{
	return index < h->begun.n_factors ? &h->factors[index] : NULL;
}

const struct otpcore_answer *otpcore_answer(const struct otpcore *h)
{
	return &h->answer;
}

/* ---- proving ---- */

int otpcore_send(struct otpcore *h, unsigned ref, const char *channel, int again, int *sent_r)
{
	struct wire_send_req request = { .ref = ref, .again = again != 0 };
	struct wire_send_rep reply = { 0 };
	int r;

	*sent_r = 0;
	r = set_text(request.channel, sizeof request.channel, channel);
	if (r == 0)
		r = next(h, &request.txn, &request.seq);
	if (r == 0)
		r = ask(h, WIRE_MSG_SEND, &request, &reply, SEND_EXTRA_MS);
	if (r == 0) {
		h->sent = reply;
		h->answer.delivery = (int)reply.delivery;
		h->answer.reused = reply.reused != 0;
		h->answer.seconds_left = reply.seconds_left;
		h->answer.tries_left = reply.tries_left;
		h->answer.resend_after = reply.resend_after;
		*sent_r = h->result.verdict == VERDICT_OK && reply.delivery != DELIVERY_FAILED &&
			  reply.delivery != DELIVERY_UNDELIVERED;
	}
	wire_clear(&wire_send_req, &request);
	return r;
}

int otpcore_verify(struct otpcore *h, unsigned ref, const char *code, int *accepted_r)
{
	struct wire_verify_req request = { .ref = ref };
	struct wire_verify_rep reply = { 0 };
	int r;

	*accepted_r = 0;
	if (code == NULL)
		return MAG_EINVAL;
	r = mag_secret_set_text(&request.code, code);
	if (r == 0)
		r = next(h, &request.txn, &request.seq);
	if (r == 0)
		r = ask(h, WIRE_MSG_VERIFY, &request, &reply, 0);
	if (r == 0) {
		proven(h, reply.strength, reply.level);
		h->answer.tries_left = reply.tries_left;
		h->answer.seconds_left = reply.seconds_left;
		if (reply.delivery != DELIVERY_NONE)
			h->answer.delivery = (int)reply.delivery;
		*accepted_r = h->result.verdict == VERDICT_OK;
	}
	wire_clear(&wire_verify_req, &request);
	return r;
}

int otpcore_skip(struct otpcore *h, int *allowed_r)
{
	struct wire_skip_req request = { 0 };
	struct wire_skip_rep reply = { 0 };
	int r;

	*allowed_r = 0;
	r = next(h, &request.txn, &request.seq);
	if (r == 0)
		r = ask(h, WIRE_MSG_SKIP, &request, &reply, 0);
	if (r == 0) {
		proven(h, reply.strength, reply.level);
		*allowed_r = h->result.verdict == VERDICT_OK;
	}
	wire_clear(&wire_skip_req, &request);
	return r;
}

int otpcore_account(struct otpcore *h, int *allowed_r)
{
	struct wire_account_req request = { .uid = h->who.uid };
	struct wire_account_rep *reply = NULL;
	int r;

	*allowed_r = 0;
	if (h->begun.txn.len == 0)
		return MAG_EINVAL;
	reply = calloc(1, sizeof *reply);
	if (reply == NULL)
		return MAG_ENOMEM;
	r = mag_secret_set(&request.txn, h->begun.txn.data, h->begun.txn.len);
	mag_copy(request.user, sizeof request.user, h->who.user);
	mag_copy(request.service, sizeof request.service, h->who.service);
	mag_copy(request.rhost, sizeof request.rhost, h->who.rhost);
	mag_copy(request.tty, sizeof request.tty, h->who.tty);
	mag_copy(request.require, sizeof request.require, h->who.require);
	if (r == 0)
		r = ask(h, WIRE_MSG_ACCOUNT, &request, reply, 0);
	if (r == 0) {
		mag_copy(h->strength, sizeof h->strength, reply->strength);
		*allowed_r =
			h->result.verdict == VERDICT_OK &&
			(reply->decision == DECISION_PASS || reply->decision == DECISION_EXEMPT);
	}
	wire_clear(&wire_account_req, &request);
	free(reply);
	return r;
}

/* ---- looking ---- */

int otpcore_status(struct otpcore *h, const char *user, const struct otpcore_status **status_r)
{
	struct wire_status_req request = { 0 };
	struct wire_status_rep *reply = NULL;
	int r;

	if (user == NULL || user[0] == '\0')
		return MAG_EINVAL;
	r = set_text(request.user, sizeof request.user, user);
	if (r < 0)
		return r;
	reply = calloc(1, sizeof *reply);
	if (reply == NULL)
		return MAG_ENOMEM;
	r = ask(h, WIRE_MSG_STATUS, &request, reply, 0);
	if (r == 0 && h->result.verdict != VERDICT_OK)
		r = MAG_ENOTFOUND;
	if (r == 0) {
		const struct wire_status_rep *s = &h->status_rep;

		h->status_rep = *reply;
		h->status = (struct otpcore_status){ s->recorded != 0, s->reason, s->strength,
			s->level, s->service, s->from, s->since, s->host };
		*status_r = &h->status;
	}
	free(reply);
	return r;
}
