#include "otpcore/broker/link.h"

#include <event2/buffer.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/engine/crypto.h"

#define HEAD 13 /* length, kind, number */

static uint64_t get(const unsigned char *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void put(unsigned char *p, uint64_t v, unsigned n)
{
	while (n--) {
		p[n] = (unsigned char)v;
		v >>= 8;
	}
}

int link_next(struct evbuffer *in, struct link_frame *f_r)
{
	unsigned char head[HEAD], *all;
	size_t len;

	if (evbuffer_copyout(in, head, HEAD) < HEAD)
		return 0;
	len = (size_t)get(head, 4);
	if (len < HEAD - 4 || len > HEAD - 4 + LINK_BODY_MAX || head[4] < LINK_CALL ||
		head[4] > LINK_PONG)
		return MAG_EPROTO;
	if (evbuffer_get_length(in) < len + 4)
		return 0;
	all = evbuffer_pullup(in, (ev_ssize_t)len + 4);
	if (!all)
		return MAG_ENOMEM;
	*f_r = (struct link_frame){ .kind = (enum link_kind)head[4],
		.number = get(head + 5, 8),
		.body = all + HEAD,
		.len = len + 4 - HEAD };
	return 1;
}

void link_done(struct evbuffer *in, const struct link_frame *f)
{
	mag_wipe(evbuffer_pullup(in, (ev_ssize_t)(HEAD + f->len)), HEAD + f->len);
	evbuffer_drain(in, HEAD + f->len);
}

int link_send(struct bufferevent *to, const struct link_frame *f, const void *more, size_t more_len)
{
	struct evbuffer *out = bufferevent_get_output(to);
	unsigned char head[HEAD];

	put(head, HEAD - 4 + f->len + more_len, 4);
	head[4] = (unsigned char)f->kind;
	put(head + 5, f->number, 8);
	/* Room first: half a frame would make the rest unreadable. */
	if (evbuffer_expand(out, HEAD + f->len + more_len) || evbuffer_add(out, head, HEAD) ||
		evbuffer_add(out, f->body, f->len) || evbuffer_add(out, more, more_len))
		return MAG_ENOMEM;
	return 0;
}

bool link_of_login(uint16_t message)
{
	static const uint16_t them[] = { WIRE_MSG_BEGIN, WIRE_MSG_SEND, WIRE_MSG_FATE,
		WIRE_MSG_VERIFY, WIRE_MSG_RESYNC, WIRE_MSG_SKIP, WIRE_MSG_ACCOUNT, WIRE_MSG_OPEN,
		WIRE_MSG_CLOSE, WIRE_MSG_STATUS, WIRE_MSG_PING, WIRE_MSG_STRENGTH,
		WIRE_MSG_ENROLL_KEY, WIRE_MSG_ENROLL_PHONE, WIRE_MSG_ENROLL_VERIFY,
		WIRE_MSG_ENROLL_TOKEN, WIRE_MSG_ENROLL_MOBILE };

	for (size_t i = 0; i < sizeof them / sizeof *them; i++)
		if (them[i] == message)
			return true;
	return false;
}

/* ---- TLS ---- */

static bool trust(SSL_CTX *ctx, X509 *authority)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	return X509_STORE_add_cert(store, authority) == 1;
}

static bool identify(SSL_CTX *ctx, const struct link_identity *id)
{
	if (!id->key)
		return true;
	/* The authority goes along: who enrols knows it by its key's fingerprint only. */
	return SSL_CTX_use_certificate(ctx, id->certificate) == 1 &&
	       SSL_CTX_use_PrivateKey(ctx, id->key) == 1 &&
	       SSL_CTX_add1_chain_cert(ctx, id->authority) == 1;
}

int link_context(const struct link_identity *id, bool server, SSL_CTX **ctx_r)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(
		NULL, crypto_properties(), server ? TLS_server_method() : TLS_client_method());

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
		!SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) || !identify(ctx, id) ||
		(id->authority && !trust(ctx, id->authority))) {
		SSL_CTX_free(ctx);
		return MAG_ECRYPTO;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* A server also takes who has none: it may enrol, and nothing else. */
	SSL_CTX_set_verify(ctx, id->authority ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	*ctx_r = ctx;
	return 0;
}
