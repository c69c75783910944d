/* The link between a relay and an auth host: TLS 1.3 with a certificate on each side,
 * and frames on it, big-endian:
 *
 *   u32 length of what follows, u8 kind, u64 number, body
 *   CALL    u16 length, struct origin, the request as the relay's peer sent it
 *   ANSWER  the reply, for the call of that number
 *   LOOK    i64 pid: when did this process of yours begin? The call is asked anew
 *   PING, PONG                                                            (security.md 40) */
#ifndef BROKER_LINK_H
#define BROKER_LINK_H

#include <event2/bufferevent.h>
#include <openssl/ssl.h>

#include "otpcore/seal/authority.h"
#include "otpcore/wire/wire.h"

enum link_kind { LINK_CALL = 1, LINK_ANSWER, LINK_LOOK, LINK_PING, LINK_PONG };

#define LINK_ORIGIN_MAX 1024
#define LINK_BODY_MAX   (WIRE_FRAME_MAX + 2 + LINK_ORIGIN_MAX)

struct link_frame {
	enum link_kind kind;
	uint64_t number;
	const unsigned char *body; /* borrowed until link_done() */
	size_t len;
};

/* The next whole frame of what came. 1: there is one, to be given back with link_done();
 * 0: not yet; MAG_EPROTO: what comes is no frame; MAG_ENOMEM. */
int link_next(struct evbuffer *in, struct link_frame *f_r);
void link_done(struct evbuffer *in, const struct link_frame *f); /* wipes it */
/* Two parts of a body; the second may be empty. 0 or MAG_ENOMEM. */
int link_send(
	struct bufferevent *to, const struct link_frame *f, const void *more, size_t more_len);

/* Is it one of those that a login consists of? They pass for every relay; a repeat gets
 * its first answer. Everything else is administration, or a person's own affair, which a
 * host is trusted with only where its row says so. */
bool link_of_login(uint16_t message);

/* What TLS takes: 1.3, nothing resumed, certificates of this authority only. The
 * objects are kept by the context. */
struct link_identity {
	EVP_PKEY *key; /* NULL: a stranger's, of who enrols */
	X509 *certificate, *authority;
};
int link_context(const struct link_identity *id, bool server, SSL_CTX **ctx_r);

#endif
