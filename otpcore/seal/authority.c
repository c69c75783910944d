#include "otpcore/seal/authority.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"

#define CURVE     "P-256"
#define SKEW      300 /* a relay's clock may be behind */
#define AUTHORITY "magotp hosts"

/* ---- keys ---- */

int identity_key(EVP_PKEY **key_r)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, crypto_properties(), "EC", CURVE);

	if (!key)
		return MAG_ECRYPTO;
	*key_r = key;
	return 0;
}

int authority_make(struct mag_secret *der_r)
{
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	int len, r = identity_key(&key);

	if (r)
		return r;
	len = i2d_PrivateKey(key, &der);
	r = len > 0 ? mag_secret_set(der_r, der, (size_t)len) : MAG_ECRYPTO;
	if (len > 0)
		OPENSSL_clear_free(der, (size_t)len);
	EVP_PKEY_free(key);
	return r;
}

static bool fits(EVP_PKEY *key)
{
	char group[32] = "";

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
	       (mag_streq(group, CURVE) || mag_streq(group, "prime256v1"));
}

/* ---- certificates ---- */

static bool extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool done;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	done = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return done;
}

/* 63 random bits: RFC 5280 §4.1.2.2 wants positive ones. */
static bool number(X509 *x)
{
	uint64_t serial = 0;

	return mag_random(&serial, sizeof serial) == 0 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1 | 1) == 1;
}

static bool subject(X509 *x, const char *name)
{
	return X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
		       (const unsigned char *)name, -1, -1, 0) == 1;
}

static bool begin(X509 *x, const char *name, EVP_PKEY *key)
{
	return X509_set_version(x, X509_VERSION_3) && number(x) && subject(x, name) &&
	       X509_set_pubkey(x, key);
}

static bool dates(X509 *x, int64_t from, int64_t to)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to);
}

int authority_open(const struct mag_secret *der, int64_t created_at, struct signer *s_r)
{
	const unsigned char *p = der->data;
	struct signer s = { NULL, NULL };
	int r = MAG_ECRYPTO;

	if (der->len > 0 && der->len < INT_MAX)
		s.key = d2i_AutoPrivateKey_ex(NULL, &p, (long)der->len, NULL, crypto_properties());
	s.certificate = X509_new();
	if (!s.key || !s.certificate || !fits(s.key) || !begin(s.certificate, AUTHORITY, s.key) ||
		!X509_set_issuer_name(s.certificate, X509_get_subject_name(s.certificate)) ||
		!dates(s.certificate, created_at - SKEW, created_at + 50 * (int64_t)IDENTITY_LIFE))
		goto out;
	if (!extend(s.certificate, s.certificate, NID_basic_constraints,
		    "critical,CA:TRUE,pathlen:0") ||
		!extend(s.certificate, s.certificate, NID_key_usage, "critical,keyCertSign") ||
		!extend(s.certificate, s.certificate, NID_subject_key_identifier, "hash") ||
		!X509_sign(s.certificate, s.key, EVP_sha256()))
		goto out;
	*s_r = s;
	return 0;
out:
	signer_free(&s);
	return r;
}

void signer_free(struct signer *s)
{
	EVP_PKEY_free(s->key);
	X509_free(s->certificate);
	*s = (struct signer){ NULL, NULL };
}

int identity_issue(const struct signer *s, const struct identity_input *in, X509 **x_r)
{
	X509 *x = X509_new();

	if (x && begin(x, in->name, in->key) &&
		X509_set_issuer_name(x, X509_get_subject_name(s->certificate)) &&
		dates(x, in->now - SKEW, in->now + IDENTITY_LIFE) &&
		extend(x, s->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
		extend(x, s->certificate, NID_key_usage, "critical,digitalSignature") &&
		/* Neither can pass for the other. */
		extend(x, s->certificate, NID_ext_key_usage,
			in->server ? "critical,serverAuth" : "critical,clientAuth") &&
		extend(x, s->certificate, NID_authority_key_identifier, "keyid:always") &&
		X509_sign(x, s->key, EVP_sha256())) {
		*x_r = x;
		return 0;
	}
	X509_free(x);
	return MAG_ECRYPTO;
}

/* ---- what a certificate says ---- */

static int print_of(unsigned char *der, int len, unsigned char print_r[HASH_LEN])
{
	int r = len > 0 ? crypto_sha256((struct crypto_text){ der, (size_t)len }, print_r)
			: MAG_ECRYPTO;

	OPENSSL_free(der);
	return r;
}

int identity_key_print(const X509 *x, unsigned char print_r[HASH_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	return print_of(der, len, print_r);
}

int identity_print(const X509 *x, unsigned char print_r[HASH_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);

	return print_of(der, len, print_r);
}

int identity_name(const X509 *x, char *name_r, size_t cap)
{
	char name[256], clean[256];
	int len = X509_NAME_get_text_by_NID(
		X509_get_subject_name(x), NID_commonName, name, sizeof name);

	if (len <= 0 || strlen(name) != (size_t)len || (size_t)len >= cap ||
		!mag_streq(mag_clean(clean, sizeof clean, name), name))
		return MAG_EPROTO;
	return mag_copy(name_r, cap, name);
}

int64_t identity_expires(const X509 *x)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int identity_der(const X509 *x, unsigned char *der_r, size_t cap, size_t *len_r)
{
	int len = i2d_X509(x, NULL);

	if (len <= 0 || (size_t)len > cap)
		return MAG_ENOSPACE;
	*len_r = (size_t)i2d_X509(x, &der_r);
	return 0;
}

/* ---- requests ---- */

int identity_request(EVP_PKEY *key, unsigned char *der_r, size_t cap, size_t *len_r)
{
	X509_REQ *q = X509_REQ_new();
	int len = -1, r = MAG_ECRYPTO;

	/* Without a name: that is the authority's to say. */
	if (q && X509_REQ_set_pubkey(q, key) && X509_REQ_sign(q, key, EVP_sha256()))
		len = i2d_X509_REQ(q, NULL);
	if (len > 0 && (size_t)len <= cap) {
		*len_r = (size_t)i2d_X509_REQ(q, &der_r);
		r = 0;
	}
	X509_REQ_free(q);
	return r;
}

int identity_request_key(const unsigned char *der, size_t len, EVP_PKEY **key_r)
{
	const unsigned char *p = der;
	X509_REQ *q = len > 0 && len <= IDENTITY_DER ? d2i_X509_REQ(NULL, &p, (long)len) : NULL;
	EVP_PKEY *key = q ? X509_REQ_get_pubkey(q) : NULL;
	bool good = key && p == der + len && fits(key) && X509_REQ_verify(q, key) == 1;

	X509_REQ_free(q);
	if (!good) {
		EVP_PKEY_free(key);
		return MAG_EPROTO;
	}
	*key_r = key;
	return 0;
}
