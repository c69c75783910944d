#include "otpcore/engine/certificate.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/certificate_list.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/ssh_key.h"

struct certificate_trust {
	X509_STORE *store;
	STACK_OF(X509_CRL) * crls;
	bool needs_crl;
	size_t n_anchors;
	unsigned char (*anchors)[HASH_LEN]; /* of the authorities: SHA-256 of each */
};

/* ---- trust ---- */

static int hash_of(const X509 *x, unsigned char hash_r[HASH_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);
	int r = len > 0 ? crypto_sha256((struct crypto_text){ der, (size_t)len }, hash_r)
			: MAG_ENOMEM;

	OPENSSL_free(der);
	return r;
}

static int add_anchor(struct certificate_trust *t, X509 *x)
{
	unsigned char(*more)[HASH_LEN] =
		reallocarray(t->anchors, t->n_anchors + 1, sizeof *t->anchors);
	int r = more ? hash_of(x, more[t->n_anchors]) : MAG_ENOMEM;

	if (more)
		t->anchors = more;
	if (r)
		return r;
	t->n_anchors++;
	return X509_STORE_add_cert(t->store, x) ? 0 : MAG_ENOMEM;
}

static int add_authorities(struct certificate_trust *t, const char *pem, size_t len)
{
	BIO *in = len > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)len);
	int n = 0, r = in ? 0 : MAG_ENOMEM;
	X509 *x;

	while (!r && (x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		r = add_anchor(t, x);
		X509_free(x);
		n++;
	}
	ERR_clear_error(); /* the end of the file is one */
	BIO_free(in);
	return r || n ? r : MAG_EINVAL;
}

int certificate_trust_new(const char *ca, size_t ca_len, const char *crl, size_t crl_len,
	struct certificate_trust **t_r)
{
	struct certificate_trust *t = calloc(1, sizeof *t);
	int r = MAG_ENOMEM;

	if (!t)
		return r;
	t->store = X509_STORE_new();
	t->crls = sk_X509_CRL_new_null();
	t->needs_crl = crl != NULL;
	if (t->store && t->crls)
		r = add_authorities(t, ca, ca_len);
	if (!r && crl)
		r = certificate_lists_read(t->store, crl, crl_len, t->crls);
	if (!r)
		*t_r = t;
	else
		certificate_trust_free(&t);
	return r;
}

void certificate_trust_free(struct certificate_trust **t)
{
	if (!*t)
		return;
	sk_X509_CRL_pop_free((*t)->crls, X509_CRL_free);
	X509_STORE_free((*t)->store);
	free((*t)->anchors);
	free(*t);
	*t = NULL;
}

/* ---- reading ---- */

static int64_t seconds_of(const ASN1_TIME *at)
{
	struct tm tm;

	return at && ASN1_TIME_to_tm(at, &tm) ? timegm(&tm) : 0;
}

static void put_name(const X509_NAME *name, char *out, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());
	char text[1024];
	int n = 0;

	if (b && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(b, text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	mag_clean(out, cap, text);
	BIO_free(b);
}

static void put_serial(const ASN1_INTEGER *serial, char *out, size_t cap)
{
	const unsigned char *data = ASN1_STRING_get0_data(serial);
	int len = ASN1_STRING_length(serial);

	out[0] = '\0';
	if (len > 0 && (size_t)len * 2 < cap)
		mag_hex_encode(data, (size_t)len, out);
}

static void put_email(X509 *x, char *out, size_t cap)
{
	STACK_OF(OPENSSL_STRING) *mails = X509_get1_email(x);

	out[0] = '\0';
	if (mails && sk_OPENSSL_STRING_num(mails) > 0)
		mag_clean(out, cap, sk_OPENSSL_STRING_value(mails, 0));
	X509_email_free(mails);
}

static void put_policies(const X509 *x, char *out, size_t cap)
{
	CERTIFICATEPOLICIES *policies = X509_get_ext_d2i(x, NID_certificate_policies, NULL, NULL);
	struct mag_buf b;

	mag_buf_init(&b, out, cap);
	for (int i = 0; policies && i < sk_POLICYINFO_num(policies); i++) {
		char oid[128];
		const POLICYINFO *p = sk_POLICYINFO_value(policies, i);

		if (OBJ_obj2txt(oid, sizeof oid, p->policyid, 1) > 0)
			mag_buf_printf(&b, "%s%s", b.len ? " " : "", oid);
	}
	if (mag_buf_error(&b)) /* half an OID would be another one */
		out[0] = '\0';
	CERTIFICATEPOLICIES_free(policies);
}

static int fill(X509 *x, struct certificate_facts *f)
{
	put_name(X509_get_subject_name(x), f->subject, sizeof f->subject);
	put_name(X509_get_issuer_name(x), f->issuer, sizeof f->issuer);
	put_serial(X509_get0_serialNumber(x), f->serial, sizeof f->serial);
	put_email(x, f->email, sizeof f->email);
	put_policies(x, f->policies, sizeof f->policies);
	f->not_before = seconds_of(X509_get0_notBefore(x));
	f->not_after = seconds_of(X509_get0_notAfter(x));
	return ssh_key_hash(X509_get0_pubkey(x), f->key_hash);
}

static X509 *read_one(BIO *in)
{
	X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);

	ERR_clear_error();
	return x;
}

/* The certificate, and those behind it. NULL: it is none. */
static X509 *read_chain(const void *pem, size_t len, STACK_OF(X509) * between)
{
	BIO *in = len > CERTIFICATE_MAX ? NULL : BIO_new_mem_buf(pem, (int)len);
	X509 *first = in ? read_one(in) : NULL, *x;
	const unsigned char *der = pem;

	if (in && !first)
		first = d2i_X509(NULL, &der, (long)len);
	while (first && (x = read_one(in)))
		if (!sk_X509_push(between, x)) {
			X509_free(x);
			break;
		}
	ERR_clear_error();
	BIO_free(in);
	return first;
}

/* OpenSSL's many errors, in the words that people need. */
static const char *words(int error)
{
	static const struct {
		int error;
		const char *words;
	} known[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED, "expired" },
		{ X509_V_ERR_CERT_NOT_YET_VALID, "not valid yet" },
		{ X509_V_ERR_CERT_REVOKED, "revoked" },
		{ X509_V_ERR_UNABLE_TO_GET_CRL, "no revocation list of its authority" },
		{ X509_V_ERR_CRL_HAS_EXPIRED, "the revocation list is too old" },
		{ X509_V_ERR_CRL_NOT_YET_VALID, "the revocation list is not valid yet" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown authority" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "unknown authority" },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "unknown authority" },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "unknown authority" },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "unknown authority" },
		{ X509_V_ERR_INVALID_PURPOSE, "not made for logging in" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].error == error)
			return known[i].words;
	return "not valid";
}

/* The authority that the chain ended at. */
static bool put_anchor(X509_STORE_CTX *ctx, struct certificate_facts *f)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	int n = sk_X509_num(chain);

	return n > 0 && hash_of(sk_X509_value(chain, n - 1), f->anchor) == 0;
}

struct reading {
	X509 *x;
	STACK_OF(X509) * between;
};

/* NULL: it holds, and f has the authority. */
static const char *chain_fault(const struct certificate_trust *t, const struct reading *c,
	int64_t now, struct certificate_facts *f)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	const char *why = "not valid";

	if (ctx && X509_STORE_CTX_init(ctx, t->store, c->x, c->between)) {
		X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

		X509_VERIFY_PARAM_set_time(p, now);
		X509_VERIFY_PARAM_set_flags(
			p, X509_V_FLAG_X509_STRICT | (t->needs_crl ? X509_V_FLAG_CRL_CHECK : 0));
		X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_CLIENT);
		if (X509_verify_cert(ctx) != 1)
			why = words(X509_STORE_CTX_get_error(ctx));
		else if (put_anchor(ctx, f))
			why = NULL;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return why;
}

static const char *later_fault(
	const struct certificate_trust *t, const struct certificate_facts *f, int64_t now)
{
	struct certificate c = { .not_before = f->not_before, .not_after = f->not_after };

	c.anchor.len = HASH_LEN;
	memcpy(c.anchor.data, f->anchor, HASH_LEN);
	memcpy(c.issuer, f->issuer, sizeof c.issuer);
	memcpy(c.serial, f->serial, sizeof c.serial);
	return certificate_fault(t, &c, now);
}

enum verdict certificate_read(const struct certificate_trust *t, const void *pem, size_t len,
	int64_t now, struct certificate_facts *facts_r, const char **why_r)
{
	STACK_OF(X509) *between = sk_X509_new_null();
	X509 *x = between ? read_chain(pem, len, between) : NULL;
	const struct reading c = { x, between };
	struct certificate_facts f = { .not_before = 0 };
	enum verdict v = VERDICT_CERTIFICATE_REFUSED;

	*why_r = x ? chain_fault(t, &c, now, &f) : "this is no certificate";
	if (!*why_r && fill(x, &f))
		*why_r = "ssh has no such kind of key";
	/* What each login will ask: lists that only OpenSSL takes would not be enough there. */
	if (!*why_r)
		*why_r = later_fault(t, &f, now);
	if (!*why_r) {
		*facts_r = f;
		v = VERDICT_OK;
	}
	X509_free(x);
	sk_X509_pop_free(between, X509_free);
	return v;
}

/* ---- later on ---- */

/* Lists of large authorities are long: OpenSSL finds its place in them. A serial that
 * cannot be looked up is taken for revoked. */
static bool revoked(X509_CRL *crl, const char *serial)
{
	BIGNUM *n = NULL;
	bool found = !BN_hex2bn(&n, serial);

	/* Of one below 0 (there are such) the row has the digits only. */
	for (int negative = 0; !found && negative < 2; negative++) {
		ASN1_INTEGER *number;
		X509_REVOKED *row = NULL;

		BN_set_negative(n, negative);
		number = BN_to_ASN1_INTEGER(n, NULL);
		found = !number || X509_CRL_get0_by_serial(crl, &row, number);
		ASN1_INTEGER_free(number);
	}
	BN_free(n);
	return found;
}

/* The lists that authorities signed: one that is in date has to be there. */
static const char *list_fault(
	const struct certificate_trust *t, const struct certificate *c, int64_t now)
{
	const char *why = "no revocation list of its authority";

	for (int i = 0; i < sk_X509_CRL_num(t->crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(t->crls, i);
		int64_t until = seconds_of(X509_CRL_get0_nextUpdate(crl));
		char issuer[sizeof c->issuer];

		put_name(X509_CRL_get_issuer(crl), issuer, sizeof issuer);
		if (!mag_streq(issuer, c->issuer))
			continue;
		if (revoked(crl, c->serial))
			return "revoked";
		if (until < now || seconds_of(X509_CRL_get0_lastUpdate(crl)) > now)
			why = "the revocation list is too old";
		else
			why = NULL;
	}
	return why;
}

static bool anchored(const struct certificate_trust *t, const struct certificate *c)
{
	for (size_t i = 0; i < t->n_anchors; i++)
		if (c->anchor.len == HASH_LEN &&
			memcmp(t->anchors[i], c->anchor.data, HASH_LEN) == 0)
			return true;
	return false;
}

const char *certificate_fault(
	const struct certificate_trust *t, const struct certificate *c, int64_t now)
{
	if (!t)
		return "no authorities are configured";
	if (now < c->not_before)
		return "not valid yet";
	if (now > c->not_after)
		return "expired";
	if (!anchored(t, c))
		return "unknown authority";
	return t->needs_crl ? list_fault(t, c, now) : NULL;
}

/* ---- classes ---- */

bool certificate_may_be(const struct certificate_facts *f, const char *oids)
{
	char copy[POLICIES_MAX], *save = NULL;

	if (mag_copy(copy, sizeof copy, f->policies))
		return false;
	for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		size_t len = strlen(p);

		for (const char *at = oids; (at = strstr(at, p)); at += len)
			if ((at == oids || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
				return true;
	}
	return false;
}

static const struct {
	enum strength class;
	int64_t level; /* medium assurance has identity proofing behind it */
} classes[] = {
	{ STRENGTH_BLOA, 2 },
	{ STRENGTH_MLOA_SOFTWARE, 3 },
	{ STRENGTH_MLOA_HARDWARE, 3 },
};

int64_t certificate_level(enum strength class)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (classes[i].class == class)
			return classes[i].level;
	return 0;
}

enum strength certificate_class(const char *id)
{
	enum strength class = strength_from_id(id);

	return certificate_level(class) ? class : STRENGTH_NONE;
}

/* ---- possession ---- */

char *certificate_challenge(const char *user, int64_t at, char *buf, size_t cap)
{
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	mag_buf_printf(&b, "magotp certificate %s %lld", user, (long long)at);
	return buf;
}

bool certificate_signed(
	const void *pem, size_t len, const char *text, const void *signature, size_t signature_len)
{
	STACK_OF(X509) *between = sk_X509_new_null();
	X509 *x = between ? read_chain(pem, len, between) : NULL;
	EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = false;

	if (key && ctx) {
		const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA2-256";

		ok = EVP_DigestVerifyInit_ex(
			     ctx, NULL, digest, NULL, crypto_properties(), key, NULL) == 1 &&
		     EVP_DigestVerify(
			     ctx, signature, signature_len, (const void *)text, strlen(text)) == 1;
	}
	EVP_MD_CTX_free(ctx);
	X509_free(x);
	sk_X509_pop_free(between, X509_free);
	ERR_clear_error();
	return ok;
}
