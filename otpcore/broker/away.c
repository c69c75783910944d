/* Requests of local peers where no auth host answers: of accounts whose tokens are leased to
 * this host, by root's services and by the account itself. What is not known is refused. */
#include "otpcore/broker/away_parts.h"

#include <stdlib.h>
#include <string.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/relay_parts.h"
#include "otpcore/engine/lease.h"

#define MAGIC     "MAGAWAY1"
#define MAGIC_LEN 8
#define TXN_MAX   1536

int64_t away_clock(const struct away *a)
{
	return lease_now(mag_now(), a->replica->seen);
}

struct held *away_held(const struct away *a, const char *account)
{
	struct replica *r = a->replica;
	int64_t now = away_clock(a);

	for (size_t i = 0; i < r->n_held; i++) {
		struct held *h = r->held[i];

		if (h->state == HELD_LIVE && now < h->rep.until && mag_streq(h->account, account))
			return h;
	}
	return NULL;
}

/* A host that an auth host would not take for itself any more decides nothing either. */
static bool entitled(const struct away *a)
{
	return identity_expires(a->relay->identity.certificate) > away_clock(a);
}

void away_verdict(struct question *q, enum verdict v)
{
	q->result.error = 0;
	q->result.verdict = v;
}

void away_failure(struct question *q, int error)
{
	q->result.error = error;
	q->result.verdict = VERDICT_NONE;
}

/* ---- tickets: nothing in them is secret, and nobody else can make them ---- */

static int mac_of(
	const struct away *a, const unsigned char *data, size_t len, unsigned char mac_r[HASH_LEN])
{
	const struct crypto_text key = { a->replica->secret, sizeof a->replica->secret };
	struct crypto_mac m;
	size_t n = 0;
	int r = crypto_mac_begin("SHA2-256", key, &m);

	if (r)
		return r;
	r = crypto_mac_of(
		&m, (struct crypto_text){ data, len }, (struct crypto_out){ mac_r, HASH_LEN, &n });
	crypto_mac_end(&m);
	return r;
}

int away_ticket(const struct away *a, const struct wire_ticket *t, struct mag_secret *txn_r)
{
	unsigned char out[TXN_MAX] = MAGIC;
	size_t len = 0;
	int r = wire_encode_struct(
		&wire_ticket, t, out + MAGIC_LEN, sizeof out - MAGIC_LEN - HASH_LEN, &len);

	if (!r)
		r = mac_of(a, out, MAGIC_LEN + len, out + MAGIC_LEN + len);
	return r ? r : mag_secret_set(txn_r, out, MAGIC_LEN + len + HASH_LEN);
}

static bool looks_ours(const struct mag_secret *txn)
{
	return txn && txn->len > MAGIC_LEN + HASH_LEN && memcmp(txn->data, MAGIC, MAGIC_LEN) == 0;
}

static int ticket_read(
	const struct question *q, const struct mag_secret *txn, struct wire_ticket *t_r)
{
	unsigned char mac[HASH_LEN];
	size_t len = txn->len - HASH_LEN;

	if (mac_of(q->a, txn->data, len, mac) || !mag_equal(mac, txn->data + len, HASH_LEN) ||
		wire_decode_struct(&wire_ticket, txn->data + MAGIC_LEN, len - MAGIC_LEN, t_r))
		return MAG_ESTALE;
	if (t_r->started_at > q->now + 5 || q->now - t_r->started_at >= TICKET_LIFE ||
		t_r->peer_uid != q->origin->uid)
		return MAG_ESTALE;
	return 0;
}

const struct mag_secret *away_txn_of(const struct wire_message *m, const void *body)
{
	for (size_t i = 0; i < m->request.n_fields; i++) {
		const struct wire_field *f = wire_field_of(&m->request, i);

		if (f->type == WIRE_SEALED && mag_streq(f->name, "txn"))
			return (const void *)((const char *)body + f->offset);
	}
	return NULL;
}

/* Does the ticket belong to what the request names? */
static bool named(const struct question *q)
{
	const char *user = wire_text_of_type(&q->message->request, q->body, WIRE_ACCOUNT);
	const char *service = wire_text_of_type(&q->message->request, q->body, WIRE_SERVICE);

	return (!user || mag_streq(user, q->ticket.user)) &&
	       (!service || mag_streq(service, q->ticket.service));
}

/* ---- which of them ---- */

/* Of a login that began here; a code is sent to nobody, and no token is put right. */
static void refuse(struct question *q)
{
	away_verdict(q, VERDICT_REQUIREMENTS_NOT_MET);
}

static const struct {
	uint16_t message;
	void (*answer)(struct question *q);
	bool fresh; /* takes no ticket: of the account that it names */
} answers[] = {
	{ WIRE_MSG_BEGIN, away_begin, true },
	{ WIRE_MSG_VERIFY, away_verify, false },
	{ WIRE_MSG_ACCOUNT, away_account, false },
	{ WIRE_MSG_OPEN, away_open_session, false },
	{ WIRE_MSG_STRENGTH, away_strength, false },
	{ WIRE_MSG_CLOSE, away_close, true },
};

static void (*answer_of(const struct question *q))(struct question *q)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		if (answers[i].message == q->message->id && answers[i].fresh == !q->ours)
			return answers[i].answer;
	return q->ours ? refuse : NULL;
}

/* Of whom may this peer speak here? */
static bool may_ask(const struct question *q)
{
	return q->origin->uid == 0 || (q->held && q->origin->uid == q->held->rep.uid);
}

/* False: it is no affair of this host's. */
static bool know(struct question *q, bool down)
{
	const struct mag_secret *txn = away_txn_of(q->message, q->body);
	const char *user = wire_text_of_type(&q->message->request, q->body, WIRE_ACCOUNT);
	const char *service = wire_text_of_type(&q->message->request, q->body, WIRE_SERVICE);

	if (looks_ours(txn)) {
		int r = ticket_read(q, txn, &q->ticket);

		q->ours = true;
		q->held = r ? NULL : replica_held(q->a->replica, q->ticket.account);
		if (q->held && away_held(q->a, q->ticket.user) != q->held)
			q->held = NULL; /* it is over */
		if (!q->held || !named(q) || !may_ask(q))
			away_failure(q, MAG_ESTALE);
		return true;
	}
	if (!down || !user || !service || (txn && txn->len))
		return false;
	q->held = away_held(q->a, user);
	if (!q->held || !may_ask(q) || !away_rule(q->a, service))
		return false;
	if (q->message->id == WIRE_MSG_BEGIN)
		return !away_other_person(q, ((const struct wire_begin_req *)q->body)->uid);
	return true;
}

static void tell_log(const struct question *q)
{
	const struct thin_who who = { .kind = THIN_UID, .uid = q->origin->uid };
	char user[257], service[65];
	const char *name = wire_text_of_type(&q->message->request, q->body, WIRE_ACCOUNT);
	const char *what = wire_text_of_type(&q->message->request, q->body, WIRE_SERVICE);

	/* Of whom nothing is held, nothing was charged. */
	if (q->result.error && q->origin->uid && !q->held &&
		!audit_refusal(q->a->relay->broker, &who))
		return;
	mag_log(MAG_LOG_NOTICE, "away: %s account=%s service=%s peer=%u %s%s", q->message->name,
		mag_clean(user, sizeof user, name ? name : q->ticket.user),
		mag_clean(service, sizeof service, what ? what : q->ticket.service), q->origin->uid,
		q->result.error ? "error: " : "",
		q->result.error ? mag_strerror(q->result.error)
				: verdict_id((enum verdict)q->result.verdict));
}

bool away_answer(struct away *a, const struct away_ask *ask)
{
	struct question q = { .a = a, .origin = ask->origin, .result = { .error = MAG_EDOWN } };
	void (*answer)(struct question * q) = NULL;
	void *body = NULL;
	bool ours = false;

	if (!a || !a->replica->n_held ||
		!link_of_login((uint16_t)(ask->frame[2] << 8 | ask->frame[3])) ||
		wire_decode_request(ask->frame, ask->len, &q.message, &body))
		return false;
	q.body = body;
	q.now = away_clock(a);
	ours = entitled(a) && know(&q, ask->down);
	answer = ours ? answer_of(&q) : NULL;
	if (answer && (q.reply = calloc(1, q.message->reply.size + 1))) {
		if (q.result.error != MAG_ESTALE)
			answer(&q);
		tell_log(&q);
		conn_answer(ask->conn, q.message->id, &q.result, q.reply);
		wire_free(&q.message->reply, &q.reply);
	} else {
		ours = false;
	}
	wire_free(&q.message->request, &body);
	return ours;
}
