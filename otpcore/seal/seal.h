/* Secrets at rest and keyed hashes (architecture.md 10, security.md 26).
 * OpenSSL EVP only. A keyring is opened once, at start. */
#ifndef SEAL_H
#define SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "otpcore/base/secret.h"
#include "otpcore/engine/model.h"

struct keyring;

enum pepper {
	PEPPER_CODE,   /* phone codes from challenge nonces */
	PEPPER_NUMBER, /* look-up of phone numbers */
	PEPPER_EMAIL,
	PEPPER_CHAIN,  /* what makes two tries the same login */
	PEPPER_SOURCE, /* throttle subjects made of addresses */
	PEPPER_DECOY,  /* made-up but stable phones of unknown accounts */
	PEPPER_AUDIT,  /* heads of the audit log */
	PEPPER_N
};

/* Sources: "file:/etc/magotp/master.key" (64 hex digits; refused when others may
 * read it), "credential:NAME" ($CREDENTIALS_DIRECTORY/NAME), "tpm:..." =
 * MAG_EUNSUPPORTED for now. Peppers are derived from the master key by HKDF.
 * 0; MAG_ESYS, MAG_ESYNTAX, MAG_EPERM, MAG_ECRYPTO, MAG_ENOMEM. */
int keyring_open(const char *source, struct keyring **k_r);
void keyring_free(struct keyring **k);
/* Make a new master key file, 0600. MAG_EEXISTS: there is one. */
int keyring_create(const char *path);

/* AES-256-GCM. `where` is "table.column" and, with the row id, the associated
 * data. blob: u32 key id, 12 bytes nonce, cipher text, 16 bytes tag.
 * open: MAG_ECRYPTO if the blob is not of this row or was changed. */
int seal(const struct keyring *k, const char *where, int64_t id, const void *clear, size_t len,
	struct blob *sealed_r);
int seal_open(const struct keyring *k, const char *where, int64_t id, const struct blob *sealed,
	struct mag_secret *clear_r);

/* The same for longer texts (tickets): out holds len + 32. */
int seal_bytes(const struct keyring *k, const char *where, const void *clear, size_t len,
	unsigned char *out, size_t cap, size_t *len_r);
int seal_open_bytes(const struct keyring *k, const char *where, const unsigned char *sealed,
	size_t len, struct mag_secret *clear_r);

/* HMAC-SHA-256 under a pepper. */
int seal_hash(const struct keyring *k, enum pepper p, const void *data, size_t len,
	unsigned char hash_r[HASH_LEN]);
/* The first 63 bits of seal_hash, never 0: throttle subjects. */
int seal_subject(
	const struct keyring *k, enum pepper p, const void *data, size_t len, int64_t *subject_r);

#endif
