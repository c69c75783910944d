/* Made-up accounts (rule L10): who does not exist, or has no second factor
 * where the policy denies, gets the same questions and answers as somebody who
 * mistypes. In memory only; phones are stable because they are derived. */
#ifndef BROKER_DECOY_H
#define BROKER_DECOY_H

#include "otpcore/broker/broker.h"

struct decoy {
	struct aggregate account;
	struct login login; /* of the latest login */
};

int decoys_new(struct decoys **d_r);
void decoys_free(struct decoys **d);
/* The made-up account behind this chain of logins (party.h); never NULL. The one that
 * rested longest is forgotten for it. */
struct decoy *decoy_of(struct request *r, const unsigned char chain[HASH_LEN], const char *user);
/* Phones as an account of this name would have them. */
void decoy_fill(const struct keyring *k, const char *user, int64_t now, struct aggregate *a_r);

#endif
