/* What a keyring holds; shared by the files of seal only. */
#ifndef SEAL_KEYRING_H
#define SEAL_KEYRING_H

#include <openssl/evp.h>

#include "otpcore/seal/keyfile.h"
#include "otpcore/seal/seal.h"

#define PEPPERS_LEN (PEPPER_N * MASTER_LEN)

enum sealing { SEALING_ROW, SEALING_BYTES, SEALING_N };

/* One generation of data keys. */
struct ring_key {
	uint32_t id; /* the first four bytes of what it has sealed */
	/* Rows and tickets have keys of their own: AES-GCM with random nonces is
	 * good for 2^32 messages under one key (NIST SP 800-38D §8.3), and the many
	 * tickets must not use up what the rows have. */
	struct mag_secret key[SEALING_N];
};

struct ring {
	size_t n, current;
	struct ring_key keys[KEYS_MAX];
	struct mag_secret peppers;     /* PEPPERS_LEN bytes */
	EVP_MAC_CTX *pepper[PEPPER_N]; /* keyed; duplicated for each use */
};

struct keyring {
	uint32_t master; /* its id: first four bytes of a derived value */
	struct mag_secret wrap;
	EVP_CIPHER *cipher;
	EVP_MAC *mac;
	struct ring ring;
	bool frozen;
	bool *missed; /* said by readers, who have the keyring const */
};

/* AES-256-GCM under this key and id, as seal.h describes it. */
struct aead {
	const struct keyring *k;
	const struct mag_secret *key;
	uint32_t id;
	const unsigned char *data; /* associated */
	size_t data_len;
};
#define SEAL_OVERHEAD 32
/* out holds len + SEAL_OVERHEAD. */
int aead_encrypt(const struct aead *a, const void *clear, size_t len, unsigned char *out);
int aead_decrypt(
	const struct aead *a, const unsigned char *sealed, size_t len, struct mag_secret *clear_r);

/* A ring's peppers from its bytes: keyed contexts. 0, MAG_ECRYPTO. */
int ring_pepper(const struct keyring *k, struct ring *ring);
void ring_free(struct ring *ring);

#endif
