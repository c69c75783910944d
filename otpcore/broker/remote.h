/* Relays on their links, and the authority that signs for them. */
#ifndef BROKER_REMOTE_H
#define BROKER_REMOTE_H

#include "otpcore/broker/broker.h"
#include "otpcore/broker/link.h"

/* Who signs certificates of hosts. Borrowed. */
const struct signer *remotes_signer(const struct remotes *r);

/* ---- remote_open.c ---- */

/* The store's authority, made if there is none. signer_free() it. */
int remote_authority(struct broker *b, struct signer *s_r);
/* In place of *ctx_r: a key of this process, and a certificate for it; they lie in no file. */
int remote_context(const struct signer *s, const char *host, int64_t now, SSL_CTX **ctx_r);

#endif
