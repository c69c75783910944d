#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"

static char properties[128];

int crypto_set_properties(const char *query)
{
	if (query && strlen(query) >= sizeof(properties))
		return MAG_ENOSPACE;
	return mag_copy(properties, sizeof(properties), query ? query : "");
}

const char *crypto_properties(void)
{
	return *properties ? properties : NULL;
}

int crypto_hmac(const char *digest, struct crypto_text key, struct crypto_text text,
	unsigned char *out, size_t cap, size_t *len_r)
{
	int r = MAG_ECRYPTO;
	EVP_MAC *mac = NULL;
	EVP_MAC_CTX *ctx = NULL;
	OSSL_PARAM params[3];
	size_t n = 0;

	if (!digest || !key.data || key.len == 0)
		return MAG_EINVAL;
	params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0);
	/* The digest is looked up by the MAC, which does not inherit our query. */
	if (*properties)
		params[n++] =
			OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_PROPERTIES, properties, 0);
	params[n] = OSSL_PARAM_construct_end();

	mac = EVP_MAC_fetch(NULL, "HMAC", crypto_properties());
	if (!mac)
		goto out;
	ctx = EVP_MAC_CTX_new(mac);
	if (!ctx || !EVP_MAC_init(ctx, key.data, key.len, params))
		goto out;
	if (!EVP_MAC_update(ctx, text.data, text.len) || !EVP_MAC_final(ctx, out, len_r, cap))
		goto out;
	r = 0;
out:
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return r;
}

int crypto_sha256(struct crypto_text text, unsigned char hash_r[32])
{
	size_t len = 0;

	if (!EVP_Q_digest(NULL, "SHA2-256", crypto_properties(), text.data, text.len, hash_r, &len))
		return MAG_ECRYPTO;
	return len == 32 ? 0 : MAG_ECRYPTO;
}
