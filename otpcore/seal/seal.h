/* Secrets at rest and keyed hashes. OpenSSL EVP only. The master key is read once, at start;
 * it wraps the data keys and peppers that stand in the store. */
#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>
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
 * read it), "credential:NAME" ($CREDENTIALS_DIRECTORY/NAME), "tpm:/etc/magotp/master.tpm"
 * (keyfile.h). The ring then has the keys and peppers that stores had before they kept
 * their own, derived from the master key by HKDF.
 * 0; MAG_ESYS, MAG_ESYNTAX, MAG_EPERM, MAG_EUNSUPPORTED, MAG_ECRYPTO, MAG_ENOMEM. */
int keyring_open(const char *source, struct keyring **k_r);
void keyring_free(struct keyring **k);
/* Make a new master key file, 0600. MAG_EEXISTS: there is one. */
int keyring_create(const char *path);
/* The same where a source says. */
int keyring_create_source(const char *source);

/* ---- the keys that a store keeps, wrapped by the master key ---- */

/* In place of what the ring has. The readers' rows: of kind KEY_PEPPERS one, of KEY_DATA one
 * that is KEY_CURRENT and any others. 0; MAG_ENOTFOUND: another master key wrapped them;
 * MAG_ECRYPTO: they were changed; MAG_ESTORE: no such rows; MAG_ENOMEM. The ring stays as it
 * was unless 0. */
int keyring_load(struct keyring *k, const struct data_key *rows, size_t n);
/* What the ring has, as two rows, for a store that has none. */
int keyring_keep(const struct keyring *k, struct data_key rows_r[2]);
/* Likewise, but of new random bytes. */
int keyring_make(const struct keyring *k, struct data_key rows_r[2]);
/* A new data key, KEY_NEXT. */
int keyring_make_next(const struct keyring *k, struct data_key *row_r);
/* A row that `from` opens gets a second wrapping, under the master key of `to`. */
int keyring_rewrap(const struct keyring *from, const struct keyring *to, struct data_key *row);
/* Is this wrapping under the ring's master key? */
bool keyring_wraps(const struct keyring *k, const struct blob *wrapped);
uint32_t keyring_current(const struct keyring *k);
/* Was something met since the last question that a key has sealed which is not here? */
bool keyring_missed(struct keyring *k);
/* Nobody knows which key is current: seal() says MAG_ESTORE until this is taken back. */
void keyring_freeze(struct keyring *k, bool frozen);
/* Whose it is; 0: nothing sealed. */
uint32_t seal_key_of(const unsigned char *sealed, size_t len);

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
