/* A keyring from its master key, by HKDF (RFC 5869) with a label each: what wraps the keys of
 * a store, and the keys and peppers of a store that has none of its own yet.
 * The labels are part of the data format: never change one. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "otpcore/base/err.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/seal/keyring.h"

static const char label_id[] = "magotp key id 1";
static const char label_wrap[] = "magotp wrap 1";

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

/* ---- the ring ---- */

/* A keyed HMAC context that seal_hash copies: cheaper than keying each time. */
static int make_pepper(const struct keyring *k, const unsigned char *key, EVP_MAC_CTX **ctx_r)
{
	OSSL_PARAM params[3], *at = params;

	*at++ = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA2-256", 0);
	if (crypto_properties())
		*at++ = OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_PROPERTIES, (char *)crypto_properties(), 0);
	*at = OSSL_PARAM_construct_end();
	*ctx_r = EVP_MAC_CTX_new(k->mac);
	if (!*ctx_r || !EVP_MAC_init(*ctx_r, key, MASTER_LEN, params))
		return MAG_ECRYPTO;
	return 0;
}

int ring_pepper(const struct keyring *k, struct ring *ring)
{
	int r = ring->peppers.len == PEPPERS_LEN ? 0 : MAG_ECRYPTO;

	for (size_t i = 0; r == 0 && i < PEPPER_N; i++)
		r = make_pepper(k, ring->peppers.data + i * MASTER_LEN, &ring->pepper[i]);
	return r;
}

void ring_free(struct ring *ring)
{
	for (size_t i = 0; i < KEYS_MAX; i++)
		for (int j = 0; j < SEALING_N; j++)
			mag_secret_free(&ring->keys[i].key[j]);
	for (int i = 0; i < PEPPER_N; i++)
		EVP_MAC_CTX_free(ring->pepper[i]);
	mag_secret_free(&ring->peppers);
	*ring = (struct ring){ 0 };
}

/* ---- from the master key ---- */

static int derive_secret(
	const unsigned char master[MASTER_LEN], const char *label, struct mag_secret *secret_r)
{
	unsigned char key[MASTER_LEN];
	int r = derive(master, label, key);

	if (r == 0)
		r = mag_secret_append(secret_r, key, sizeof(key));
	mag_wipe(key, sizeof(key));
	return r;
}

static int fill(struct keyring *k, const unsigned char master[MASTER_LEN])
{
	struct ring_key *first = &k->ring.keys[0];
	unsigned char id[MASTER_LEN];
	int r = MAG_ECRYPTO, i;

	k->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", crypto_properties());
	k->mac = EVP_MAC_fetch(NULL, "HMAC", crypto_properties());
	if (!k->cipher || !k->mac)
		return r;
	r = derive(master, label_id, id);
	if (r < 0)
		return r;
	k->master = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
	first->id = k->master;
	k->ring.n = 1;
	r = k->master ? derive_secret(master, label_wrap, &k->wrap) : MAG_ECRYPTO;
	for (i = 0; r == 0 && i < SEALING_N; i++)
		r = derive_secret(master, label_key[i], &first->key[i]);
	for (i = 0; r == 0 && i < PEPPER_N; i++)
		r = derive_secret(master, label_pepper[i], &k->ring.peppers);
	return r == 0 ? ring_pepper(k, &k->ring) : r;
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
	if (k)
		k->missed = calloc(1, sizeof(*k->missed));
	if (!k || !k->missed)
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
	if (!*k)
		return;
	ring_free(&(*k)->ring);
	mag_secret_free(&(*k)->wrap);
	EVP_MAC_free((*k)->mac);
	EVP_CIPHER_free((*k)->cipher);
	free((*k)->missed);
	free(*k);
	*k = NULL;
}

uint32_t keyring_current(const struct keyring *k)
{
	return k->ring.keys[k->ring.current].id;
}

bool keyring_missed(struct keyring *k)
{
	bool missed = *k->missed;

	*k->missed = false;
	return missed;
}

void keyring_freeze(struct keyring *k, bool frozen)
{
	k->frozen = frozen;
}

/* ---- a new master key ---- */

int keyring_create_source(const char *source)
{
	int r;
	unsigned char master[MASTER_LEN];

	if (!source || !*source)
		return MAG_EINVAL;
	r = mag_random(master, sizeof(master));
	if (r == 0)
		r = keyfile_write(source, master);
	mag_wipe(master, sizeof(master));
	return r;
}

int keyring_create(const char *path)
{
	char source[PATH_MAX];

	if (!path || !*path)
		return MAG_EINVAL;
	if (snprintf(source, sizeof(source), "file:%s", path) >= (int)sizeof(source))
		return MAG_ENOSPACE;
	return keyring_create_source(source);
}
