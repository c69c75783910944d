/* The sealed ticket `txn`: who logs in where, so that begin need not write. */
#include "otpcore/broker/parts.h"

#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/keys.h"

#define TICKET_WHERE     "ticket.txn"
#define TICKET_CLEAR_MAX 1200

int ticket_seal(struct request *r, const struct wire_ticket *t, struct mag_secret *txn_r)
{
	unsigned char clear[TICKET_CLEAR_MAX], sealed[TICKET_CLEAR_MAX + 64];
	size_t len = 0;
	int res;

	res = wire_encode_struct(&wire_ticket, t, clear, sizeof clear, &len);
	if (!res)
		res = seal_bytes(
			r->broker->keyring, TICKET_WHERE, clear, len, sealed, sizeof sealed, &len);
	if (!res)
		res = mag_secret_set(txn_r, sealed, len);
	mag_wipe(clear, sizeof clear);
	return res;
}

/* It may be another broker's, under a key that is new. Tickets are opened between ticks. */
static int open_bytes(struct broker *b, const struct mag_secret *txn, struct mag_secret *clear_r)
{
	int res = seal_open_bytes(b->keyring, TICKET_WHERE, txn->data, txn->len, clear_r);

	if (res && keyring_missed(b->keyring) && keys_again(b->keys))
		res = seal_open_bytes(b->keyring, TICKET_WHERE, txn->data, txn->len, clear_r);
	return res;
}

int ticket_open(const struct request *r, const struct mag_secret *txn, struct wire_ticket *t_r)
{
	struct mag_secret clear = { 0 };
	struct wire_ticket t = { 0 };
	int res = MAG_ESTALE;

	if (!txn->len || open_bytes(r->broker, txn, &clear))
		goto out;
	if (wire_decode_struct(&wire_ticket, clear.data, clear.len, &t))
		goto out;
	/* A start in the future is a clock that was set back: not older than
	 * allowed, but nobody can say how old. */
	if (t.started_at > r->now + 5 || r->now - t.started_at >= TICKET_LIFE)
		goto out;
	if (!mag_streq(t.host, r->host))
		goto out;
	*t_r = t;
	res = 0;
out:
	mag_secret_free(&clear);
	return res;
}
