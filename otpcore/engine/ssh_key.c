#include "otpcore/engine/ssh_key.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/certificate.h"
#include "otpcore/engine/crypto.h"

#define BLOB_MAX 2200 /* RSA of 16384 bits */

struct blob_out {
	size_t len;
	bool full;
	unsigned char data[BLOB_MAX];
};

static void put_string(struct blob_out *b, const void *data, size_t len)
{
	if (b->full || len + 4 > sizeof b->data - b->len) {
		b->full = true;
		return;
	}
	for (int shift = 24; shift >= 0; shift -= 8)
		b->data[b->len++] = (unsigned char)(len >> shift);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void put_text(struct blob_out *b, const char *text)
{
	put_string(b, text, strlen(text));
}

/* RFC 4251 §5 mpint: positive, so a zero goes before a first bit that is set. */
static void put_number(struct blob_out *b, const EVP_PKEY *key, const char *name)
{
	unsigned char bytes[BLOB_MAX];
	BIGNUM *n = NULL;
	int len = 0;

	if (EVP_PKEY_get_bn_param(key, name, &n))
		len = BN_num_bytes(n);
	if (len <= 0 || (size_t)len + 1 > sizeof bytes) {
		b->full = true;
	} else {
		bytes[0] = 0;
		BN_bn2bin(n, bytes + 1);
		put_string(b, bytes + !(bytes[1] & 0x80), (size_t)len + !!(bytes[1] & 0x80));
	}
	BN_free(n);
}

static void put_rsa(struct blob_out *b, const EVP_PKEY *key)
{
	put_text(b, "ssh-rsa");
	put_number(b, key, OSSL_PKEY_PARAM_RSA_E);
	put_number(b, key, OSSL_PKEY_PARAM_RSA_N);
}

/* The point uncompressed, however the certificate has it. */
static void put_ecdsa(struct blob_out *b, const EVP_PKEY *key)
{
	static const struct {
		const char *group, *name, *curve;
	} curves[] = {
		{ "prime256v1", "ecdsa-sha2-nistp256", "nistp256" },
		{ "secp384r1", "ecdsa-sha2-nistp384", "nistp384" },
		{ "secp521r1", "ecdsa-sha2-nistp521", "nistp521" },
	};
	unsigned char point[1 + 2 * 66] = { 4 };
	char group[64] = "";
	size_t half = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
	BIGNUM *x = NULL, *y = NULL;
	bool ok = 1 + 2 * half <= sizeof point &&
		  EVP_PKEY_get_group_name(key, group, sizeof group, NULL) &&
		  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) &&
		  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) &&
		  BN_bn2binpad(x, point + 1, (int)half) > 0 &&
		  BN_bn2binpad(y, point + 1 + half, (int)half) > 0;

	for (size_t i = 0; ok && i < sizeof curves / sizeof *curves; i++) {
		if (!mag_streq(group, curves[i].group))
			continue;
		put_text(b, curves[i].name);
		put_text(b, curves[i].curve);
		put_string(b, point, 1 + 2 * half);
	}
	BN_free(x);
	BN_free(y);
}

static void put_ed25519(struct blob_out *b, const EVP_PKEY *key)
{
	unsigned char raw[32];
	size_t len = sizeof raw;

	if (!EVP_PKEY_get_raw_public_key(key, raw, &len))
		return;
	put_text(b, "ssh-ed25519");
	put_string(b, raw, len);
}

static const struct {
	const char *type;
	void (*put)(struct blob_out *b, const EVP_PKEY *key);
} kinds[] = {
	{ "RSA", put_rsa },
	{ "EC", put_ecdsa },
	{ "ED25519", put_ed25519 },
};

int ssh_key_hash(const EVP_PKEY *key, unsigned char hash_r[HASH_LEN])
{
	struct blob_out b = { .len = 0 };

	for (size_t i = 0; key && i < sizeof kinds / sizeof *kinds; i++)
		if (EVP_PKEY_is_a(key, kinds[i].type))
			kinds[i].put(&b, key);
	if (b.len == 0 || b.full)
		return MAG_EINVAL;
	return crypto_sha256((struct crypto_text){ b.data, b.len }, hash_r);
}

/* ---- what sshd says ---- */

/* "publickey TYPE BASE64": the hash of the key. */
static bool line_hash(char *line, unsigned char hash_r[HASH_LEN])
{
	unsigned char blob[BLOB_MAX + 3];
	char *save = NULL, *method = strtok_r(line, " ", &save);
	char *type = method ? strtok_r(NULL, " ", &save) : NULL;
	char *text = type ? strtok_r(NULL, " ", &save) : NULL;
	size_t n = text ? strlen(text) : 0, pad = 0;
	int len;

	if (!n || !mag_streq(method, "publickey") || n % 4 || n > sizeof blob / 3 * 4)
		return false;
	while (pad < 2 && text[n - 1 - pad] == '=')
		pad++;
	len = EVP_DecodeBlock(blob, (const unsigned char *)text, (int)n);
	return len > (int)pad &&
	       crypto_sha256((struct crypto_text){ blob, (size_t)len - pad }, hash_r) == 0;
}

size_t certificate_ssh_keys(
	const void *auth_info, size_t len, unsigned char hashes_r[SSH_KEYS_MAX][HASH_LEN])
{
	char text[4097], *save = NULL;
	size_t n = 0;

	if (len >= sizeof text || memchr(auth_info, '\0', len))
		return 0;
	memcpy(text, auth_info, len);
	text[len] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line && n < SSH_KEYS_MAX;
		line = strtok_r(NULL, "\n", &save))
		n += line_hash(line, hashes_r[n]);
	return n;
}
