/* A relay's certificate: a new one long before the old one ends. */
#include <stdlib.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/broker/relay_parts.h"

#define RENEW_BEFORE ((int64_t)IDENTITY_LIFE / 3)
#define RENEW_PAUSE  3600000

int relay_identity(struct relay *r, struct link_identity *id)
{
	SSL_CTX *ctx = NULL;
	int res = link_context(id, false, &ctx);

	if (res)
		return res;
	SSL_CTX_free(r->ctx);
	r->ctx = ctx;
	link_identity_free(&r->identity);
	r->identity = *id;
	*id = (struct link_identity){ NULL, NULL, NULL };
	return 0;
}

static void renewed(void *arg, const unsigned char *frame, size_t len)
{
	struct relay *r = arg;
	struct wire_host_renew_rep p = { 0 };
	struct wire_result result = { .error = MAG_EPROTO };
	struct link_identity id = { .key = r->fresh };
	const unsigned char *der = p.certificate.data;
	int res =
		frame ? wire_decode_reply(frame, len, WIRE_MSG_HOST_RENEW, &result, &p) : MAG_EDOWN;

	r->fresh = NULL;
	if (!res)
		res = result.error;
	if (!res)
		id.certificate = d2i_X509(NULL, &der, (long)p.certificate.len);
	if (!res && (!id.certificate || X509_check_private_key(id.certificate, id.key) != 1))
		res = MAG_EPROTO;
	if (!res && X509_up_ref(r->identity.authority))
		id.authority = r->identity.authority;
	if (!res)
		res = identity_save(r->broker->settings->identity, &id);
	if (!res)
		res = relay_identity(r, &id);
	link_identity_free(&id);
	if (!frame)
		return;
	mag_log(res ? MAG_LOG_ERROR : MAG_LOG_NOTICE, "%s: %s", r->broker->settings->identity,
		res ? mag_strerror(res) : "this host's certificate was renewed");
	if (!res)
		r->renew_at = 0;
}

void relay_renew(struct relay *r)
{
	struct wire_host_renew_req q = { 0 };

	if (!r->up || r->fresh || mag_ticks_ms() < r->renew_at ||
		identity_expires(r->identity.certificate) - mag_now() > RENEW_BEFORE)
		return;
	r->renew_at = mag_ticks_ms() + RENEW_PAUSE;
	if (identity_key(&r->fresh) == 0 &&
		identity_request(r->fresh, q.request.data, sizeof q.request.data, &q.request.len) ==
			0 &&
		relay_ask(r, WIRE_MSG_HOST_RENEW, &q, renewed, r) == 0)
		return;
	EVP_PKEY_free(r->fresh);
	r->fresh = NULL;
}
