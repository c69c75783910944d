/* Logins at an auth host, of accounts with a lease here: a code that goes there is struck off
 * this host's window first, so that it is good in one place (engine/lease.h). */
#include "otpcore/broker/away_parts.h"

#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

void away_window(const struct held *h, size_t i, struct lease_window *w_r)
{
	const struct wire_lease_part *p = &h->rep.parts[i];

	*w_r = (struct lease_window){ .type = p->type,
		.digits = p->digits,
		.period = p->period,
		.drift = p->drift,
		.ahead = p->ahead,
		.first = p->first,
		.last = p->first + (int64_t)(p->hashes.len / LEASE_HASH) - 1,
		.moving = h->part[i].moving,
		.hashes = p->hashes.data,
		.struck = h->part[i].struck,
		.n_struck = h->part[i].n_struck };
	memcpy(w_r->key, p->key.data, sizeof w_r->key);
}

void away_advance(struct held *h, size_t i, int64_t position)
{
	int64_t to = h->rep.parts[i].type == TOKEN_HOTP ? position + 1 : position;

	if (to > h->part[i].moving)
		h->part[i].moving = to;
}

static int hash_of(const struct mag_secret *txn, unsigned char hash_r[HASH_LEN])
{
	return crypto_sha256((struct crypto_text){ txn->data, txn->len }, hash_r);
}

static struct held *held_of_txn(struct away *a, const struct mag_secret *txn)
{
	unsigned char hash[HASH_LEN];
	struct held *h;

	if (!txn->len || hash_of(txn, hash))
		return NULL;
	for (size_t i = 0; i < TXNS && i < a->n_txns; i++) {
		if (!mag_equal(a->txns[i].hash, hash, HASH_LEN))
			continue;
		h = replica_held(a->replica, a->txns[i].lease);
		return h && h->state == HELD_LIVE ? h : NULL;
	}
	return NULL;
}

/* The first position that is yet good: HOTP counts what comes next, TOTP what was last. */
static int64_t fresh(const struct held *h, size_t i)
{
	return h->part[i].moving + (h->rep.parts[i].type == TOKEN_TOTP);
}

/* Those that have passed anyway need not be remembered. */
static void forget_passed(struct held *h, size_t i)
{
	struct held_part *p = &h->part[i];
	size_t n = 0;

	for (size_t k = 0; k < p->n_struck; k++)
		if (p->struck[k] >= fresh(h, i))
			p->struck[n++] = p->struck[k];
	p->n_struck = n;
}

static bool is_struck(const struct held_part *p, int64_t place)
{
	for (size_t i = 0; i < p->n_struck; i++)
		if (p->struck[i] == place)
			return true;
	return false;
}

static bool strike_part(struct held *h, size_t i, const struct mag_secret *code, bool *changed)
{
	struct held_part *part = &h->part[i];
	struct lease_window w;
	int64_t places[8];
	int n;

	away_window(h, i, &w);
	n = lease_places(&w, mag_secret_text(code), places, 8);
	mag_wipe(w.key, sizeof w.key);
	if (n < 0 || n > 8)
		return false;
	for (int k = 0; k < n; k++) {
		if (places[k] < fresh(h, i) || is_struck(part, places[k]))
			continue;
		if (part->n_struck == STRUCK_MAX)
			forget_passed(h, i);
		if (part->n_struck == STRUCK_MAX)
			return false;
		part->struck[part->n_struck++] = places[k];
		*changed = true;
	}
	return true;
}

static bool strike(struct away *a, struct held *h, const struct mag_secret *const codes[2])
{
	bool changed = false;
	int r;

	for (size_t i = 0; i < h->rep.n_parts; i++)
		for (size_t k = 0; k < 2 && codes[k]; k++)
			if (!strike_part(h, i, codes[k], &changed))
				return false;
	if (!changed)
		return true;
	r = replica_begin(a->replica);
	for (size_t i = 0; !r && i < h->rep.n_parts; i++)
		r = replica_put_part(a->replica, h, i);
	if (!r)
		r = replica_commit(a->replica);
	if (r)
		replica_rollback(a->replica);
	return r == 0;
}

int64_t away_strike(struct away *a, const unsigned char *frame, size_t len)
{
	uint16_t id = (uint16_t)(frame[2] << 8 | frame[3]);
	const struct wire_message *m = NULL;
	const struct mag_secret *codes[2] = { NULL, NULL };
	struct held *h = NULL;
	void *body = NULL;
	int64_t lease = 0;

	if (!a || !a->replica->n_held || (id != WIRE_MSG_VERIFY && id != WIRE_MSG_RESYNC) ||
		wire_decode_request(frame, len, &m, &body))
		return 0;
	if (id == WIRE_MSG_VERIFY) {
		codes[0] = &((struct wire_verify_req *)body)->code;
	} else {
		codes[0] = &((struct wire_resync_req *)body)->code1;
		codes[1] = &((struct wire_resync_req *)body)->code2;
	}
	h = held_of_txn(a, away_txn_of(m, body));
	if (h && strike(a, h, codes)) {
		lease = h->id;
		h->struck_since = true;
	}
	wire_free(&m->request, &body);
	return lease;
}

/* Whose login a ticket is stands in the question that it answers. */
static void see_begin(
	struct away *a, const struct wire_begin_req *q, const struct wire_begin_rep *p)
{
	const struct held *h = away_held(a, q->user);
	struct away_txn *t = &a->txns[a->n_txns % TXNS];

	if (!h || !p->txn.len || hash_of(&p->txn, t->hash))
		return;
	t->lease = h->id;
	a->n_txns++;
}

/* The token is past that code here, too: none before it is taken any more. */
static void see_right_code(struct away *a, const struct wire_verify_req *q)
{
	struct held *h = held_of_txn(a, &q->txn);

	for (size_t i = 0; h && i < h->rep.n_parts; i++) {
		struct lease_window w;
		int64_t position = -1;

		away_window(h, i, &w);
		w.n_struck = 0;
		if (lease_judge(&w, mag_secret_text(&q->code), away_clock(a), &position) ==
			VERDICT_OK)
			away_advance(h, i, position);
		mag_wipe(w.key, sizeof w.key);
		if (position >= 0)
			(void)replica_put_part(a->replica, h, i);
	}
}

/* It was wrong there: that is a try less here until the lease is made longer, at once. */
static void see_wrong_code(struct away *a, const struct wire_verify_req *q)
{
	struct held *h = held_of_txn(a, &q->txn);

	for (size_t i = 0; h && i < h->rep.n_parts; i++) {
		if (q->ref && q->ref != h->rep.parts[i].ref)
			continue;
		h->part[i].failures++;
		h->part[i].spent++;
		(void)replica_put_part(a->replica, h, i);
	}
	if (h)
		h->next_at = 0;
}

void away_seen(struct away *a, const struct away_ask *ask, const unsigned char *reply, size_t len)
{
	uint16_t id = (uint16_t)(ask->frame[2] << 8 | ask->frame[3]);
	struct wire_result result = { .error = MAG_EPROTO };
	const struct wire_message *m = NULL;
	void *body = NULL, *rep = NULL;

	if (!a || !a->replica->n_held || (id != WIRE_MSG_BEGIN && id != WIRE_MSG_VERIFY) ||
		wire_decode_request(ask->frame, ask->len, &m, &body))
		return;
	rep = calloc(1, m->reply.size);
	if (rep && wire_decode_reply(reply, len, id, &result, rep) == 0 && !result.error) {
		if (id == WIRE_MSG_BEGIN)
			see_begin(a, body, rep);
		else if (result.verdict == VERDICT_OK)
			see_right_code(a, body);
		else if (result.verdict != VERDICT_CODE_USED)
			see_wrong_code(a, body);
	}
	wire_free(&m->reply, &rep);
	wire_free(&m->request, &body);
}
