/* Relays on their links, and the authority that signs for them. */
#ifndef BROKER_REMOTE_H
#define BROKER_REMOTE_H

#include "otpcore/broker/broker.h"

struct signer;

/* Who signs certificates of hosts. Borrowed. */
const struct signer *remotes_signer(const struct remotes *r);

#endif
