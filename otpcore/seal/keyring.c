/* Keys and peppers from one master key, by HKDF (RFC 5869) with a label each.
 * The labels are part of the data format: never change one. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "otpcore/base/err.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/seal/keyring.h"

static const char label_id[] = "magotp key id 1";

static const char *const label_key[SEALING_N] = {
	[SEALING_ROW] = "magotp seal row 1",
	[SEALING_BYTES] = "magotp seal bytes 1",
};

static const char *const label_pepper[PEPPER_N] = {
	[PEPPER_CODE] = "magotp pepper code 1",
	[PEPPER_NUMBER] = "magotp pepper number 1",
	[PEPPER_EMAIL] = "magotp pepper email 1",
	[PEPPER_CHAIN] = "magotp pepper chain 1",
	[PEPPER_SOURCE] = "magotp pepper source 1",
	[PEPPER_DECOY] = "magotp pepper decoy 1",
	[PEPPER_AUDIT] = "magotp pepper audit 1",
};

static int derive(
	const unsigned char master[MASTER_LEN], const char *label, unsigned char key_r[MASTER_LEN])
{
	int r = MAG_ECRYPTO;
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", crypto_properties());
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[5], *p = params;

	if (!ctx)
		goto out;
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA2-256", 0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)master, MASTER_LEN);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, strlen(label));
	if (crypto_properties())
		*p++ = OSSL_PARAM_construct_utf8_string(
			OSSL_KDF_PARAM_PROPERTIES, (char *)crypto_properties(), 0);
	*p = OSSL_PARAM_construct_end();
	if (EVP_KDF_derive(ctx, key_r, MASTER_LEN, params) == 1)
		r = 0;
out:
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return r;
}

/* A keyed HMAC context that seal_hash copies: cheaper than keying each time. */
static int make_pepper(struct keyring *k, enum pepper p, const unsigned char key[MASTER_LEN])
{
	OSSL_PARAM params[3], *at = params;

	*at++ = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA2-256", 0);
	if (crypto_properties())
		*at++ = OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_PROPERTIES, (char *)crypto_properties(), 0);
	*at = OSSL_PARAM_construct_end();
	k->pepper[p] = EVP_MAC_CTX_new(k->mac);
	if (!k->pepper[p] || !EVP_MAC_init(k->pepper[p], key, MASTER_LEN, params))
		return MAG_ECRYPTO;
	return 0;
}

static int fill(struct keyring *k, const unsigned char master[MASTER_LEN])
{
	int r = MAG_ECRYPTO, i;
	unsigned char key[MASTER_LEN];

	k->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", crypto_properties());
	k->mac = EVP_MAC_fetch(NULL, "HMAC", crypto_properties());
	if (!k->cipher || !k->mac)
		goto out;
	r = derive(master, label_id, key);
	if (r < 0)
		goto out;
	k->id = (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
	for (i = 0; i < SEALING_N; i++) {
		r = derive(master, label_key[i], key);
		if (r == 0)
			r = mag_secret_set(&k->key[i], key, sizeof(key));
		if (r < 0)
			goto out;
	}
	for (i = 0; i < PEPPER_N; i++) {
		r = derive(master, label_pepper[i], key);
		if (r == 0)
			r = make_pepper(k, (enum pepper)i, key);
		if (r < 0)
			goto out;
	}
out:
	mag_wipe(key, sizeof(key));
	return r;
}

int keyring_open(const char *source, struct keyring **k_r)
{
	int r;
	unsigned char master[MASTER_LEN];
	struct keyring *k = NULL;

	r = keyfile_read(source, master);
	if (r < 0)
		return r;
	r = MAG_ENOMEM;
	k = calloc(1, sizeof(*k));
	if (!k)
		goto out;
	r = fill(k, master);
	if (r < 0)
		goto out;
	*k_r = k;
	k = NULL;
out:
	keyring_free(&k);
	mag_wipe(master, sizeof(master));
	return r;
}

void keyring_free(struct keyring **k)
{
	int i;

	if (!*k)
		return;
	for (i = 0; i < SEALING_N; i++)
		mag_secret_free(&(*k)->key[i]);
	for (i = 0; i < PEPPER_N; i++)
		EVP_MAC_CTX_free((*k)->pepper[i]);
	EVP_MAC_free((*k)->mac);
	EVP_CIPHER_free((*k)->cipher);
	free(*k);
	*k = NULL;
}

int keyring_create(const char *path)
{
	int r;
	unsigned char master[MASTER_LEN];

	if (!path || !*path)
		return MAG_EINVAL;
	r = mag_random(master, sizeof(master));
	if (r == 0)
		r = keyfile_create(path, master);
	mag_wipe(master, sizeof(master));
	return r;
}
