/* The keys that somebody presented to sshd, and what their certificates are worth
 * (C1, C2). Reads only: what a first use changes is open's. */
#include "otpcore/broker/handle/presented.h"

#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/trust.h"

/* Only root's sshd is believed which keys it accepted. */
static size_t keys_of(const struct request *r, unsigned char hashes[SSH_KEYS_MAX][HASH_LEN])
{
	const struct wire_begin_req *q = r->body;

	if (!r->broker->trust || r->peer.uid != 0 ||
		!strstr(r->broker->settings->factors, "certificate"))
		return 0;
	return certificate_ssh_keys(q->auth_info.data, q->auth_info.len, hashes);
}

int certificates_want(struct request *r, const char *account)
{
	return r->broker->trust ? store_want_certificates(r->tick, account) : 0;
}

int presented_want(struct request *r)
{
	const struct wire_begin_req *q = r->body;
	unsigned char hashes[SSH_KEYS_MAX][HASH_LEN];
	size_t n = keys_of(r, hashes);
	int res = certificates_want(r, q->user);

	for (size_t i = 0; !res && i < n; i++)
		res = store_want_key_holder(r->tick, hashes[i]);
	return res;
}

/* The own certificate of a key, shown before or not. */
static const struct certificate *own(
	struct request *r, const struct wire_begin_req *q, const unsigned char hash[HASH_LEN])
{
	const struct certificates *list = store_certificates(r->tick, q->user);

	for (size_t i = 0; list && i < list->n; i++)
		if (memcmp(list->rows[i].key_hash.data, hash, HASH_LEN) == 0)
			return &list->rows[i];
	return NULL;
}

struct presented presented_keys(
	struct request *r, const struct aggregate *a, const struct aggregate *parent)
{
	const struct wire_begin_req *q = r->body;
	unsigned char hashes[SSH_KEYS_MAX][HASH_LEN];
	size_t n = keys_of(r, hashes);
	struct presented p = { .fault = NULL };

	for (size_t i = 0; a->exists && i < n; i++) {
		const struct key_holder *holder = store_key_holder(r->tick, hashes[i]);
		bool held = holder && holder->certificate.row.id;
		const struct certificate *c = NULL;
		const char *fault;

		if (!held)
			c = own(r, q, hashes[i]);
		else if (mag_streq(holder->account, a->account.name) ||
			 (parent && mag_streq(holder->account, parent->account.name)))
			c = &holder->certificate;
		else
			p.anothers = true;
		if (!c)
			continue;
		fault = certificate_fault(r->broker->trust, c, r->now);
		if (fault)
			p.fault = fault;
		else if (!p.certificate || c->class > p.certificate->class)
			p.certificate = c;
	}
	return p;
}
