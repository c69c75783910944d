/* The one place where OpenSSL's algorithms are fetched, so that a property
 * query ("fips=yes") holds for all of them. EVP only. */
#ifndef ENGINE_CRYPTO_H
#define ENGINE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

/* Set once, before anything else of the engine or of seal is used; NULL or "":
 * the library's default. 0; MAG_ENOSPACE (128 bytes or more: nothing changes). */
int crypto_set_properties(const char *query);
const char *crypto_properties(void); /* NULL: none */

struct crypto_text {
	const void *data;
	size_t len;
};
struct crypto_out {
	unsigned char *data;
	size_t cap, *len_r;
};

/* HMAC with a named digest ("SHA1", "SHA2-256" ...) and one key, of one text after the
 * other. begin: 0, MAG_EINVAL (empty key), MAG_ECRYPTO; end it. */
struct crypto_mac {
	struct evp_mac_ctx_st *ctx; /* an EVP_MAC_CTX */
	bool fresh;                 /* keyed just now */
};
int crypto_mac_begin(const char *digest, struct crypto_text key, struct crypto_mac *m_r);
/* 0 or MAG_ECRYPTO (also: cap too small). */
int crypto_mac_of(struct crypto_mac *m, struct crypto_text text, struct crypto_out out);
void crypto_mac_end(struct crypto_mac *m);

/* SHA-256: 32 bytes. 0 or MAG_ECRYPTO. */
int crypto_sha256(struct crypto_text text, unsigned char hash_r[32]);

#endif
