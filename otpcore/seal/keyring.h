/* What is derived from the master key; shared by the files of seal only. */
#ifndef SEAL_KEYRING_H
#define SEAL_KEYRING_H

#include <openssl/evp.h>

#include "otpcore/seal/keyfile.h"
#include "otpcore/seal/seal.h"

enum sealing { SEALING_ROW, SEALING_BYTES, SEALING_N };

struct keyring {
	uint32_t id; /* of the master key: first four bytes of a derived value */
	/* Rows and tickets have keys of their own: AES-GCM with random nonces is
	 * good for 2^32 messages under one key (NIST SP 800-38D §8.3), and the many
	 * tickets must not use up what the rows have. */
	struct mag_secret key[SEALING_N];
	EVP_CIPHER *cipher;
	EVP_MAC *mac;
	EVP_MAC_CTX *pepper[PEPPER_N]; /* keyed; duplicated for each use */
};

#endif
