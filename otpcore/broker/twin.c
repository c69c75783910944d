#include "otpcore/broker/twin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"

#define TWINS 64 /* the oldest makes room */

struct twin {
	unsigned char mac[HASH_LEN]; /* of all that must be the same */
	int64_t at;                  /* 0: none */
	int64_t login, taken_by;     /* the first; the second, or 0 */
	struct proof proof;
};

struct twins {
	struct twin all[TWINS];
};

int twins_new(struct twins **t_r)
{
	struct twins *t = calloc(1, sizeof *t);

	if (!t)
		return MAG_ENOMEM;
	*t_r = t;
	return 0;
}

void twins_free(struct twins **t)
{
	free(*t);
	*t = NULL;
}

/* Parts are told apart by the NUL behind each. */
static void part(struct mag_buf *b, const char *s)
{
	mag_buf_putn(b, s, strlen(s) + 1);
}

/* What makes two requests the same. The code is never kept, only this. */
static int digest(const struct request *r, unsigned char mac_r[HASH_LEN])
{
	const struct wire_verify_req *q = r->body;
	const struct wire_ticket *t = &r->ticket;
	char text[1400];
	struct mag_buf b = MAG_BUF(text);
	int res;

	mag_buf_printf(&b, "%" PRIu32 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu32,
		r->peer.uid, r->peer.pid, r->peer.start, t->account, t->holder, q->ref);
	part(&b, "");
	part(&b, r->host);
	part(&b, t->user);
	part(&b, t->service);
	part(&b, t->rhost);
	part(&b, t->tty);
	part(&b, t->require);
	part(&b, mag_secret_text(&q->code));
	res = mag_buf_error(&b);
	if (!res)
		res = seal_hash(r->broker->keyring, PEPPER_CHAIN, text, b.len, mac_r);
	mag_wipe(text, sizeof text);
	return res;
}

void twins_remember(struct request *r, const struct proof *proof)
{
	struct twin *all = r->broker->twins->all, *oldest = &all[0];
	struct twin t = { .at = r->now, .login = r->ticket.login, .proof = *proof };

	if (digest(r, t.mac))
		return;
	for (size_t i = 1; i < TWINS; i++)
		if (all[i].at < oldest->at)
			oldest = &all[i];
	*oldest = t;
}

bool twins_take(struct request *r, struct proof *proof_r)
{
	struct twin *all = r->broker->twins->all;
	int64_t login = r->ticket.login;
	unsigned char mac[HASH_LEN];

	if (digest(r, mac))
		return false;
	for (size_t i = 0; i < TWINS; i++) {
		struct twin *t = &all[i];
		int64_t age = r->now - t->at;

		/* Seconds are whole: a difference of three may be nearly four. */
		if (!t->at || age < 0 || age >= TWIN_SECONDS || t->login == login ||
			(t->taken_by && t->taken_by != login) || !mag_equal(t->mac, mac, HASH_LEN))
			continue;
		/* A tick that is decided again asks again, for the same login. */
		t->taken_by = login;
		*proof_r = t->proof;
		return true;
	}
	return false;
}
