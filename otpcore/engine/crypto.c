#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"

static char properties[128];

/* Looking algorithms up by name takes longer than twenty codes: a context without a key
 * is kept for each digest and copied. Processes of ours that use this have one thread. */
static struct kept {
	char digest[16];
	EVP_MAC_CTX *ctx;
} kept[3];

static EVP_MD *sha256; /* likewise */

static void forget_kept(void)
{
	EVP_MD_free(sha256);
	sha256 = NULL;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		EVP_MAC_CTX_free(kept[i].ctx);
		kept[i] = (struct kept){ 0 };
	}
}

int crypto_set_properties(const char *query)
{
	if (query && strlen(query) >= sizeof(properties))
		return MAG_ENOSPACE;
	forget_kept();
	return mag_copy(properties, sizeof(properties), query ? query : "");
}

const char *crypto_properties(void)
{
	return *properties ? properties : NULL;
}

static EVP_MAC_CTX *context_for(const char *digest)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", crypto_properties());
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM params[3];
	size_t n = 0;

	params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0);
	/* The digest is looked up by the MAC, which does not inherit our query. */
	if (*properties)
		params[n++] =
			OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_PROPERTIES, properties, 0);
	params[n] = OSSL_PARAM_construct_end();
	EVP_MAC_free(mac);
	if (!ctx || !EVP_MAC_CTX_set_params(ctx, params)) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* NULL: it is not known here, or there is no memory. */
static EVP_MAC_CTX *kept_for(const char *digest)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct kept *k = &kept[i];

		if (strcmp(k->digest, digest) == 0)
			return k->ctx;
		if (k->ctx)
			continue;
		k->ctx = context_for(digest);
		if (k->ctx && mag_copy(k->digest, sizeof(k->digest), digest) == 0)
			return k->ctx;
		EVP_MAC_CTX_free(k->ctx);
		*k = (struct kept){ 0 };
		return NULL;
	}
	return NULL;
}

int crypto_mac_begin(const char *digest, struct crypto_text key, struct crypto_mac *m_r)
{
	EVP_MAC_CTX *ctx = NULL;

	if (!digest || !key.data || key.len == 0)
		return MAG_EINVAL;
	ctx = kept_for(digest);
	if (ctx)
		ctx = EVP_MAC_CTX_dup(ctx);
	if (!ctx || !EVP_MAC_init(ctx, key.data, key.len, NULL)) {
		EVP_MAC_CTX_free(ctx);
		return MAG_ECRYPTO;
	}
	*m_r = (struct crypto_mac){ ctx, true };
	return 0;
}

int crypto_mac_of(struct crypto_mac *m, struct crypto_text text, struct crypto_out out)
{
	/* The key stays in the context: fifteen times as quick as one with a new key. */
	if (!m->ctx || (!m->fresh && !EVP_MAC_init(m->ctx, NULL, 0, NULL)))
		return MAG_ECRYPTO;
	m->fresh = false;
	if (!EVP_MAC_update(m->ctx, text.data, text.len) ||
		!EVP_MAC_final(m->ctx, out.data, out.len_r, out.cap))
		return MAG_ECRYPTO;
	return 0;
}

void crypto_mac_end(struct crypto_mac *m)
{
	EVP_MAC_CTX_free(m->ctx); /* wipes the key */
	m->ctx = NULL;
}

int crypto_sha256(struct crypto_text text, unsigned char hash_r[32])
{
	unsigned len = 0;

	if (!sha256)
		sha256 = EVP_MD_fetch(NULL, "SHA2-256", crypto_properties());
	if (!sha256 || !EVP_Digest(text.data, text.len, hash_r, &len, sha256, NULL))
		return MAG_ECRYPTO;
	return len == 32 ? 0 : MAG_ECRYPTO;
}
