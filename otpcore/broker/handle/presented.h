/* What the keys that sshd accepted are worth. */
#ifndef BROKER_HANDLE_PRESENTED_H
#define BROKER_HANDLE_PRESENTED_H

#include "otpcore/broker/broker.h"

struct presented {
	const struct certificate *certificate; /* the strongest that is good; NULL */
	const char *fault;                     /* why one of them is not; NULL */
	bool anothers;                         /* one is registered to another account (C2) */
};

/* An account's certificates, where any can count. */
int certificates_want(struct request *r, const char *account);
/* For begin: the reads; and the answer in decide. `parent`: whose certificates count
 * beside the own ones (H11), or NULL. */
int presented_want(struct request *r);
struct presented presented_keys(
	struct request *r, const struct aggregate *a, const struct aggregate *parent);

#endif
