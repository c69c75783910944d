/* Sealing and keyed hashes.
 *
 * A sealed value: key id (4 bytes, big-endian), nonce (12, random), cipher text,
 * tag (16). Associated data: `where`, NUL, a letter for the kind, the row's id. */
#include <limits.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/seal/keyring.h"

#define ID_LEN    4
#define IV_LEN    12
#define TAG_LEN   16
#define HEAD_LEN  (ID_LEN + IV_LEN)
#define OVERHEAD  SEAL_OVERHEAD
#define WHERE_MAX 64
#define CLEAR_MAX (1024 * 1024)

_Static_assert(OVERHEAD == HEAD_LEN + TAG_LEN, "as seal.h says");

struct context {
	struct aead aead;
	unsigned char data[WHERE_MAX + 10]; /* associated data */
};

static int context_make(enum sealing sealing, const char *where, int64_t id, struct context *c_r)
{
	size_t len, i;

	if (!where || !*where || strnlen(where, WHERE_MAX + 1) > WHERE_MAX)
		return MAG_EINVAL;
	len = strlen(where) + 1;
	memcpy(c_r->data, where, len);
	c_r->data[len++] = sealing == SEALING_ROW ? 'r' : 'b';
	for (i = 0; i < 8; i++)
		c_r->data[len++] = (unsigned char)((uint64_t)id >> (56 - 8 * i));
	c_r->aead.data = c_r->data;
	c_r->aead.data_len = len;
	return 0;
}

uint32_t seal_key_of(const unsigned char *p, size_t len)
{
	return len < OVERHEAD
		       ? 0
		       : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int aead_encrypt(const struct aead *a, const void *clear, size_t len, unsigned char *out)
{
	int r = MAG_ECRYPTO, n = 0;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char *iv = out + ID_LEN, *text = out + HEAD_LEN;

	if (!ctx)
		return MAG_ENOMEM;
	out[0] = (unsigned char)(a->id >> 24);
	out[1] = (unsigned char)(a->id >> 16);
	out[2] = (unsigned char)(a->id >> 8);
	out[3] = (unsigned char)a->id;
	r = mag_random(iv, IV_LEN);
	if (r < 0)
		goto out;
	r = MAG_ECRYPTO;
	if (!EVP_EncryptInit_ex2(ctx, a->k->cipher, a->key->data, iv, NULL) ||
		!EVP_EncryptUpdate(ctx, NULL, &n, a->data, (int)a->data_len))
		goto out;
	/* A NULL input would mean the end, not nothing. */
	if (len > 0 && (!EVP_EncryptUpdate(ctx, text, &n, clear, (int)len) || n != (int)len))
		goto out;
	if (!EVP_EncryptFinal_ex(ctx, text + len, &n) ||
		!EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + len))
		goto out;
	r = 0;
out:
	EVP_CIPHER_CTX_free(ctx);
	return r;
}

/* The clear text is handed out only after the tag was checked. */
int aead_decrypt(
	const struct aead *a, const unsigned char *sealed, size_t len, struct mag_secret *clear_r)
{
	int r = MAG_ECRYPTO, n = 0, rest = 0;
	EVP_CIPHER_CTX *ctx = NULL;
	struct mag_secret clear = { 0 };
	const unsigned char *text = sealed + HEAD_LEN;
	size_t text_len;

	if (len < OVERHEAD || len - OVERHEAD > CLEAR_MAX)
		return r;
	text_len = len - OVERHEAD;
	if (seal_key_of(sealed, len) != a->id)
		return r;
	/* Space of the right length, so that nothing clear lies outside a secret. */
	r = mag_secret_set(&clear, text, text_len);
	if (r < 0)
		goto out;
	r = MAG_ECRYPTO;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx || !EVP_DecryptInit_ex2(ctx, a->k->cipher, a->key->data, sealed + ID_LEN, NULL) ||
		!EVP_DecryptUpdate(ctx, NULL, &n, a->data, (int)a->data_len))
		goto out;
	if (text_len > 0 && (!EVP_DecryptUpdate(ctx, clear.data, &n, text, (int)text_len) ||
				    n != (int)text_len))
		goto out;
	if (!EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, (void *)(text + text_len)) ||
		EVP_DecryptFinal_ex(ctx, (unsigned char *)&rest, &n) != 1)
		goto out;
	mag_secret_free(clear_r);
	*clear_r = clear;
	memset(&clear, 0, sizeof(clear));
	r = 0;
out:
	mag_secret_free(&clear);
	EVP_CIPHER_CTX_free(ctx);
	return r;
}

static void use_key(struct context *c, const struct keyring *k, size_t i, enum sealing sealing)
{
	c->aead.k = k;
	c->aead.key = &k->ring.keys[i].key[sealing];
	c->aead.id = k->ring.keys[i].id;
}

static int encrypt(struct context *c, const struct keyring *k, enum sealing sealing,
	const struct crypto_text *clear, unsigned char *out)
{
	if (k->frozen)
		return MAG_ESTORE;
	use_key(c, k, k->ring.current, sealing);
	return aead_encrypt(&c->aead, clear->data, clear->len, out);
}

static int decrypt(struct context *c, const struct keyring *k, enum sealing sealing,
	const struct crypto_text *sealed, struct mag_secret *clear_r)
{
	uint32_t id = seal_key_of(sealed->data, sealed->len);

	for (size_t i = 0; id && i < k->ring.n; i++) {
		if (k->ring.keys[i].id != id)
			continue;
		use_key(c, k, i, sealing);
		return aead_decrypt(&c->aead, sealed->data, sealed->len, clear_r);
	}
	if (id)
		*k->missed = true;
	return MAG_ECRYPTO;
}

int seal(const struct keyring *k, const char *where, int64_t id, const void *clear, size_t len,
	struct blob *sealed_r)
{
	struct context c;
	struct blob b = { 0 };
	int r;

	if (len > SEALED_MAX - OVERHEAD)
		return MAG_ENOSPACE;
	r = context_make(SEALING_ROW, where, id, &c);
	if (r == 0)
		r = encrypt(&c, k, SEALING_ROW, &(struct crypto_text){ clear, len }, b.data);
	if (r < 0)
		return r;
	b.len = len + OVERHEAD;
	*sealed_r = b;
	return 0;
}

int seal_open(const struct keyring *k, const char *where, int64_t id, const struct blob *sealed,
	struct mag_secret *clear_r)
{
	struct context c;
	int r = context_make(SEALING_ROW, where, id, &c);

	if (r < 0)
		return r;
	if (sealed->len > SEALED_MAX)
		return MAG_ECRYPTO;
	return decrypt(
		&c, k, SEALING_ROW, &(struct crypto_text){ sealed->data, sealed->len }, clear_r);
}

int seal_bytes(const struct keyring *k, const char *where, const void *clear, size_t len,
	unsigned char *out, size_t cap, size_t *len_r)
{
	struct context c;
	int r;

	if (len > CLEAR_MAX || cap < len + OVERHEAD)
		return MAG_ENOSPACE;
	r = context_make(SEALING_BYTES, where, 0, &c);
	if (r == 0)
		r = encrypt(&c, k, SEALING_BYTES, &(struct crypto_text){ clear, len }, out);
	if (r == 0)
		*len_r = len + OVERHEAD;
	return r;
}

int seal_open_bytes(const struct keyring *k, const char *where, const unsigned char *sealed,
	size_t len, struct mag_secret *clear_r)
{
	struct context c;
	int r = context_make(SEALING_BYTES, where, 0, &c);

	return r < 0 ? r
		     : decrypt(&c, k, SEALING_BYTES, &(struct crypto_text){ sealed, len }, clear_r);
}

int seal_hash(const struct keyring *k, enum pepper p, const void *data, size_t len,
	unsigned char hash_r[HASH_LEN])
{
	int r = MAG_ECRYPTO;
	EVP_MAC_CTX *ctx = NULL;
	unsigned char hash[HASH_LEN];
	size_t hash_len = 0;

	if ((unsigned)p >= PEPPER_N)
		return MAG_EINVAL;
	ctx = EVP_MAC_CTX_dup(k->ring.pepper[p]);
	if (!ctx || (len > 0 && !EVP_MAC_update(ctx, data, len)))
		goto out;
	if (!EVP_MAC_final(ctx, hash, &hash_len, sizeof(hash)) || hash_len != sizeof(hash))
		goto out;
	memcpy(hash_r, hash, sizeof(hash));
	r = 0;
out:
	EVP_MAC_CTX_free(ctx);
	mag_wipe(hash, sizeof(hash));
	return r;
}

int seal_subject(
	const struct keyring *k, enum pepper p, const void *data, size_t len, int64_t *subject_r)
{
	unsigned char hash[HASH_LEN];
	uint64_t n = 0;
	size_t i;
	int r = seal_hash(k, p, data, len, hash);

	if (r < 0)
		return r;
	for (i = 0; i < 8; i++)
		n = n << 8 | hash[i];
	n &= INT64_MAX;
	*subject_r = n > 0 ? (int64_t)n : 1;
	return 0;
}
