/* The one place where OpenSSL's algorithms are fetched, so that a property
 * query ("fips=yes") holds for all of them. EVP only. */
#ifndef ENGINE_CRYPTO_H
#define ENGINE_CRYPTO_H

#include <stddef.h>

/* Set once, before anything else of the engine or of seal is used; NULL or "":
 * the library's default. 0; MAG_ENOSPACE (128 bytes or more: nothing changes). */
int crypto_set_properties(const char *query);
const char *crypto_properties(void); /* NULL: none */

/* HMAC with a named digest ("SHA1", "SHA2-256" ...). out holds `cap`, *len_r
 * what was written. 0, MAG_EINVAL (empty key), MAG_ECRYPTO (also: cap too small). */
struct crypto_text {
	const void *data;
	size_t len;
};
int crypto_hmac(const char *digest, struct crypto_text key, struct crypto_text text,
	unsigned char *out, size_t cap, size_t *len_r);

/* SHA-256: 32 bytes. 0 or MAG_ECRYPTO. */
int crypto_sha256(struct crypto_text text, unsigned char hash_r[32]);

#endif
