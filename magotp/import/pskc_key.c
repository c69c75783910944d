/* The key that a PSKC file is encrypted with: pre-shared (RFC 6030 §6.1) or
 * derived from a password (§6.2, PBKDF2). */
#include <openssl/evp.h>
#include <string.h>

#include "magotp/import/pskc.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

/* XML Encryption 1.1 §5.4.2, PKCS #5. The default is HMAC-SHA1. */
static const EVP_MD *prf(const xmlNode *node)
{
	static const struct {
		const char *ends;
		const EVP_MD *(*md)(void);
	} known[] = { { "hmac-sha1", EVP_sha1 }, { "hmac-sha256", EVP_sha256 },
		{ "hmac-sha512", EVP_sha512 }, { "hmacWithSHA256", EVP_sha256 },
		{ "hmacWithSHA512", EVP_sha512 } };
	char name[128] = "";
	size_t len;

	if (node && pskc_attribute(node, "Algorithm", name, sizeof name))
		return NULL;
	len = strlen(name);
	if (!len)
		return EVP_sha1();
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t n = strlen(known[i].ends);

		if (len > n && mag_streq(name + len - n, known[i].ends) &&
			strchr("#/", name[len - n - 1]))
			return known[i].md();
	}
	return NULL;
}

static int number(const xmlNode *node, int64_t min, int64_t max, int64_t *n_r)
{
	char text[32];

	if (!node || pskc_text(node, text, sizeof text))
		return MAG_EINVAL;
	return mag_int_parse(text, min, max, n_r) ? MAG_EINVAL : 0;
}

static int derive(const xmlNode *params, const struct mag_secret *password,
	struct mag_secret *key_r, struct pskc_fault *f)
{
	const xmlNode *salt_node = pskc_child(params, "Salt");
	const EVP_MD *md = prf(pskc_child(params, "PRF"));
	struct mag_secret salt = { 0 };
	unsigned char key[32];
	int64_t rounds, length;
	int r;

	salt_node = salt_node ? pskc_child(salt_node, "Specified") : NULL;
	if (!md)
		return pskc_fault(f, NULL, "its password function is not known");
	if (number(pskc_child(params, "IterationCount"), 1, PSKC_ROUNDS_MAX, &rounds))
		return pskc_fault(f, NULL, "its PBKDF2 rounds are missing or more than 2000000");
	if (number(pskc_child(params, "KeyLength"), 16, 32, &length) || length % 8)
		return pskc_fault(f, NULL, "its PBKDF2 key length is not 16, 24 or 32");
	if (!salt_node || pskc_base64(salt_node, &salt) || !salt.len)
		return pskc_fault(f, NULL, "its PBKDF2 salt is missing");
	r = PKCS5_PBKDF2_HMAC(mag_secret_text(password), (int)password->len, salt.data,
		    (int)salt.len, (int)rounds, md, (int)length, key) == 1
		    ? mag_secret_set(key_r, key, (size_t)length)
		    : pskc_fault(f, NULL, "its password function failed");
	mag_wipe(key, sizeof key);
	mag_secret_free(&salt);
	return r;
}

int pskc_key(xmlNode *container, const struct pskc_unlock *u, struct mag_secret *key_r,
	struct pskc_fault *f)
{
	const xmlNode *how = pskc_child(container, "EncryptionKey");
	const xmlNode *derived = how ? pskc_child(how, "DerivedKey") : NULL, *method, *params;
	char algorithm[128] = "";

	if (!how)
		return pskc_fault(f, NULL, "it has encrypted values but names no key");
	if (pskc_child(how, "X509Data"))
		return pskc_fault(
			f, NULL, "it is encrypted for a certificate, which is not supported");
	if (!derived)
		return u->key.len ? mag_secret_set(key_r, u->key.data, u->key.len)
				  : pskc_fault(f, NULL,
					    "it is encrypted with a pre-shared key: --key-file");
	method = pskc_child(derived, "KeyDerivationMethod");
	params = method ? pskc_child(method, "PBKDF2-params") : NULL;
	if (!params || pskc_attribute(method, "Algorithm", algorithm, sizeof algorithm) ||
		!strstr(algorithm, "#pbkdf2"))
		return pskc_fault(f, NULL, "its key is derived in a way other than PBKDF2");
	if (!u->password.len)
		return pskc_fault(f, NULL, "it is encrypted with a password: --password-file");
	return derive(params, &u->password, key_r, f);
}
