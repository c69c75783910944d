/* Certificates for ssh (rules C1, C2): which are believed, what is read from them, and that
 * each key is hashed as ssh itself writes it. Certificates are made here; the keys are of
 * ssh-keygen, with its own lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "otpcore/base/err.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/certificate.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/ssh_key.h"

#define NOW   INT64_C(1900000000)
#define DAY   86400
#define PIECE 65536

static const struct ssh_vector {
	const char *type, *spki, *blob; /* base64: SubjectPublicKeyInfo; what ssh writes */
} vectors[] = {
	{ "ssh-rsa",
		"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAznJvu9zp5uAOFlJZZG1H"
		"OlhIIdM2paHerD70lTMkQmmhJiL3D7BJxgjLKi5mKynf8crTAuiHeDtWq6cuzls9"
		"eKIPobixlVJ5Xn+FIp17Yrdn3JaXSsRcmxjzRzkKjYgNdpL7u+LClmFlapD+A9go"
		"JXHUDaYXvpeVHOIajpFOtrdg5MQHeQvrAaw7fYm6Kh2ATzTg6Z9ZImFjgNA6r1il"
		"uI2Beib8DW7Hgi3Jq/584zq4duCXvtFgX4teIoNGOG5EwbTbe7YJ5s8eCM4x+v/9"
		"poYZYSE6E29skfafU5gg78+wZr/rJwPkiiINAil6G8u6+XTI9CW2iP6zC+J/JlRS"
		"2QIDAQAB",
		"AAAAB3NzaC1yc2EAAAADAQABAAABAQDOcm+73Onm4A4WUllkbUc6WEgh0zalod6s"
		"PvSVMyRCaaEmIvcPsEnGCMsqLmYrKd/xytMC6Id4O1arpy7OWz14og+huLGVUnle"
		"f4UinXtit2fclpdKxFybGPNHOQqNiA12kvu74sKWYWVqkP4D2CglcdQNphe+l5Uc"
		"4hqOkU62t2DkxAd5C+sBrDt9iboqHYBPNODpn1kiYWOA0DqvWKW4jYF6JvwNbseC"
		"Lcmr/nzjOrh24Je+0WBfi14ig0Y4bkTBtNt7tgnmzx4IzjH6//2mhhlhIToTb2yR"
		"9p9TmCDvz7Bmv+snA+SKIg0CKXoby7r5dMj0JbaI/rML4n8mVFLZ" },
	{ "ecdsa-sha2-nistp256",
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6cyZ9tjFZ8I0zewT3TWHMaX6gavg"
		"HqcnVLR+RWWcYidn3JT0vUf5qkz3Qg4I0OmMvDkUysBYEteo9SW2cyqF8A==",
		"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOnMmfbYxWfC"
		"NM3sE901hzGl+oGr4B6nJ1S0fkVlnGInZ9yU9L1H+apM90IOCNDpjLw5FMrAWBLX"
		"qPUltnMqhfA=" },
	{ "ecdsa-sha2-nistp384",
		"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEGSowhBMKBs9Vi+CsohhSVe1QvxdE/KsR"
		"1MWP3b9EPiI401HDBMFmUMXhgKWzNpHz9fZNfK8vIBcr7Hbkj3KOrKjEGGmp9q8B"
		"ZWdLhPbl1vQ6bwmibulBH6fb1UgYTpsC",
		"AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBBkqMIQTCgbP"
		"VYvgrKIYUlXtUL8XRPyrEdTFj92/RD4iONNRwwTBZlDF4YClszaR8/X2TXyvLyAX"
		"K+x25I9yjqyoxBhpqfavAWVnS4T25db0Om8Jom7pQR+n29VIGE6bAg==" },
	{ "ecdsa-sha2-nistp521",
		"MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBfLF64Xvknm7leG63SVw0krf91qSF"
		"VJUeR753xaaVZxc0Rguq+yY69f4H7sN9yvlzxorTT54sLeQB6m2VYdOtNQ0A5Qqg"
		"p6CBcghp7DF5gHibeav5aftCuWyinAKVp/+1wt/rF/0JhrnY9uY+7hta+g/pITGy"
		"MXgWcvUkBv7VyM6l0aQ=",
		"AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAF8sXrhe+Se"
		"buV4brdJXDSSt/3WpIVUlR5HvnfFppVnFzRGC6r7Jjr1/gfuw33K+XPGitNPniwt"
		"5AHqbZVh0601DQDlCqCnoIFyCGnsMXmAeJt5q/lp+0K5bKKcApWn/7XC3+sX/QmG"
		"udj25j7uG1r6D+khMbIxeBZy9SQG/tXIzqXRpA==" },
	{ "ssh-ed25519", "MCowBQYDK2VwAyEAEv3P3hRmNEU/EoCtNyc6zES3v4TgidqhaL/FpwS2ZPM=",
		"AAAAC3NzaC1lZDI1NTE5AAAAIBL9z94UZjRFPxKArTcnOsxEt7+E4InaoWi/xacE"
		"tmTz" },
};
#define VECTORS (sizeof vectors / sizeof *vectors)

/* ---- when OpenSSL, or we, get no memory ---- */

static unsigned fail_at, passed;

static bool fails(void)
{
	return fail_at && ++passed == fail_at;
}

static void *counted_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : malloc(n);
}

static void *counted_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : realloc(p, n);
}

static void counted_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

/* ---- making certificates ---- */

struct party {
	EVP_PKEY *key;
	X509 *cert;
};

struct wish {
	const char *name;
	const struct party *issuer; /* NULL: signs itself */
	EVP_PKEY *key;              /* NULL: a new Ed25519 one */
	int64_t from, to;           /* 0: a year before and after NOW */
	bool authority;
	const char *usage, *purpose, *policies, *alt; /* NULL: as is usual; alt: none */
	long serial;
};

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	CONF *none = NCONF_new(NULL); /* policies want to look OIDs up */

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, none);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
	NCONF_free(none);
}

static struct party make(const struct wish *w)
{
	struct party p = { w->key, X509_new() };
	X509 *issuer = w->issuer ? w->issuer->cert : p.cert;
	EVP_PKEY *signer = w->issuer ? w->issuer->key : NULL;

	if (p.key)
		EVP_PKEY_up_ref(p.key);
	else
		p.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(p.key);
	X509_set_version(p.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), w->serial ? w->serial : 1);
	ASN1_TIME_set(X509_getm_notBefore(p.cert), w->from ? w->from : NOW - 365 * DAY);
	ASN1_TIME_set(X509_getm_notAfter(p.cert), w->to ? w->to : NOW + 365 * DAY);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(p.cert), "CN", MBSTRING_UTF8,
		(const unsigned char *)w->name, -1, -1, 0);
	X509_set_issuer_name(p.cert, X509_get_subject_name(issuer));
	X509_set_pubkey(p.cert, p.key);
	extend(p.cert, issuer, NID_basic_constraints,
		w->authority ? "critical,CA:true" : "CA:false");
	extend(p.cert, issuer, NID_key_usage,
		w->usage ? w->usage
			 : (w->authority ? "critical,keyCertSign,cRLSign"
					 : "critical,digitalSignature"));
	extend(p.cert, issuer, NID_subject_key_identifier, "hash");
	if (w->issuer)
		extend(p.cert, issuer, NID_authority_key_identifier, "keyid");
	if (!w->authority)
		extend(p.cert, issuer, NID_ext_key_usage, w->purpose ? w->purpose : "clientAuth");
	if (w->policies)
		extend(p.cert, issuer, NID_certificate_policies, w->policies);
	if (w->alt)
		extend(p.cert, issuer, NID_subject_alt_name, w->alt);
	assert_true(X509_sign(p.cert, signer ? signer : p.key, NULL) > 0);
	return p;
}

static void drop(struct party *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
}

/* Appends to a text of PIECE bytes. */
static void put_bio(BIO *b, char *text)
{
	size_t n = strlen(text);
	int got = BIO_read(b, text + n, (int)(PIECE - 1 - n));

	text[n + (got > 0 ? (size_t)got : 0)] = '\0';
	BIO_free(b);
}

static char *put_pem(const X509 *cert, char *text)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(b, cert), 1);
	put_bio(b, text);
	return text;
}

struct list_wish {
	const struct party *issuer;
	int64_t from, to; /* 0: a day before and after NOW */
	long revokes;     /* a serial; 0: none */
	EVP_PKEY *signer; /* NULL: the issuer's key */
};

static char *put_list(const struct list_wish *w, char *text)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *at = ASN1_TIME_set(NULL, w->from ? w->from : NOW - DAY);
	BIO *b = BIO_new(BIO_s_mem());

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(w->issuer->cert));
	X509_CRL_set1_lastUpdate(crl, at);
	ASN1_TIME_set(at, w->to ? w->to : NOW + DAY);
	X509_CRL_set1_nextUpdate(crl, at);
	if (w->revokes) {
		X509_REVOKED *row = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_INTEGER_set(serial, w->revokes);
		ASN1_TIME_set(at, NOW - DAY);
		X509_REVOKED_set_serialNumber(row, serial);
		X509_REVOKED_set_revocationDate(row, at);
		X509_CRL_add0_revoked(crl, row);
		ASN1_INTEGER_free(serial);
	}
	ASN1_TIME_free(at);
	assert_true(X509_CRL_sign(crl, w->signer ? w->signer : w->issuer->key, NULL) > 0);
	assert_int_equal(PEM_write_bio_X509_CRL(b, crl), 1);
	put_bio(b, text);
	X509_CRL_free(crl);
	return text;
}

/* ---- the house: an authority, another one, one between ---- */

static struct party ca, other, between;
static char ca_pem[PIECE], text[PIECE], lists[PIECE];

static int set_up(void **state)
{
	(void)state;
	ca = make(&(struct wish){ .name = "ca", .authority = true });
	other = make(&(struct wish){ .name = "other", .authority = true });
	between = make(&(struct wish){
		.name = "between", .issuer = &ca, .authority = true, .serial = 77 });
	put_pem(ca.cert, ca_pem);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	drop(&ca);
	drop(&other);
	drop(&between);
	return 0;
}

static struct certificate_trust *trust(const char *crl)
{
	struct certificate_trust *t = NULL;

	assert_int_equal(
		certificate_trust_new(ca_pem, strlen(ca_pem), crl, crl ? strlen(crl) : 0, &t), 0);
	return t;
}

/* NULL, or why it is refused. */
static const char *read_with(const char *crl, const X509 *cert, struct certificate_facts *f_r)
{
	struct certificate_trust *t = trust(crl);
	struct certificate_facts f = { .subject = "untouched" };
	const char *why = NULL;
	enum verdict v;

	*text = '\0';
	put_pem(cert, text);
	v = certificate_read(t, text, strlen(text), NOW, &f, &why);
	assert_int_equal(v, why ? VERDICT_CERTIFICATE_REFUSED : VERDICT_OK);
	if (why)
		assert_string_equal(f.subject, "untouched");
	if (f_r)
		*f_r = f;
	certificate_trust_free(&t);
	assert_null(t);
	return why;
}

static const char *refusal(const char *crl, const struct wish *w)
{
	struct party p = make(w);
	const char *why = read_with(crl, p.cert, NULL);

	drop(&p);
	return why ? why : "taken";
}

/* ---- what is believed ---- */

static void test_C1_only_a_chain_of_ours_in_date_and_for_clients(void **state)
{
	(void)state;
	const struct {
		struct wish w;
		const char *why;
	} rows[] = {
		{ { .name = "a", .issuer = &ca, .serial = 5 }, "taken" },
		{ { .name = "a", .issuer = &other }, "unknown authority" },
		{ { .name = "a", .issuer = NULL }, "unknown authority" },
		{ { .name = "a", .issuer = &between },
			"unknown authority" }, /* without it in the file */
		{ { .name = "a", .issuer = &ca, .from = NOW - 9 * DAY, .to = NOW - 1 }, "expired" },
		{ { .name = "a", .issuer = &ca, .from = NOW + 1 }, "not valid yet" },
		{ { .name = "a", .issuer = &ca, .purpose = "serverAuth" },
			"not made for logging in" },
		{ { .name = "a", .issuer = &ca, .usage = "critical,keyAgreement" }, "taken" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(refusal(NULL, &rows[i].w), rows[i].why);
}

/* An authority of the name that we trust, with another key. */
static void test_threat_a_namesake_of_the_authority_is_unknown(void **state)
{
	struct party twin = make(&(struct wish){ .name = "ca", .authority = true });
	const char *why = refusal(NULL, &(struct wish){ .name = "a", .issuer = &twin });

	(void)state;
	assert_string_not_equal(why, "taken");
	drop(&twin);
}

/* The signature is wrong though names and key identifiers fit. */
static void test_threat_a_changed_certificate_is_refused(void **state)
{
	struct party p = make(&(struct wish){ .name = "a", .issuer = &ca });

	(void)state;
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), 666);
	assert_non_null(read_with(NULL, p.cert, NULL));
	drop(&p);
}

static void test_C1_those_between_may_come_along(void **state)
{
	struct party p = make(&(struct wish){ .name = "a", .issuer = &between });
	struct certificate_trust *t = trust(NULL);
	struct certificate_facts f;
	unsigned char hash[HASH_LEN], *der = NULL;
	const char *why;
	int len = i2d_X509(ca.cert, &der);

	(void)state;
	*text = '\0';
	put_pem(between.cert, put_pem(p.cert, text));
	assert_int_equal(certificate_read(t, text, strlen(text), NOW, &f, &why), VERDICT_OK);
	/* The anchor is the authority, not who signed. */
	assert_int_equal(crypto_sha256((struct crypto_text){ der, (size_t)len }, hash), 0);
	assert_memory_equal(f.anchor, hash, HASH_LEN);
	OPENSSL_free(der);
	certificate_trust_free(&t);
	drop(&p);
}

static void test_C1_what_is_no_certificate(void **state)
{
	struct certificate_trust *t = trust(NULL), *none = NULL;
	struct certificate_facts f;
	const char *why;
	struct party p = make(&(struct wish){ .name = "a", .issuer = &ca });
	unsigned char *der = NULL;
	int len = i2d_X509(p.cert, &der);

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t n = 0; n <= CERTIFICATE_MAX + 1; n += CERTIFICATE_MAX / 2) {
		assert_int_equal(
			certificate_read(t, text, n, NOW, &f, &why), VERDICT_CERTIFICATE_REFUSED);
		assert_string_equal(why, "this is no certificate");
	}
	assert_int_equal(certificate_read(t, text, CERTIFICATE_MAX + 1, NOW, &f, &why),
		VERDICT_CERTIFICATE_REFUSED);
	/* DER is as good as PEM. */
	assert_int_equal(certificate_read(t, der, (size_t)len, NOW, &f, &why), VERDICT_OK);
	assert_int_equal(certificate_trust_new("x", 1, NULL, 0, &none), MAG_EINVAL);
	assert_int_equal(
		certificate_trust_new(ca_pem, (size_t)1 << 32, NULL, 0, &none), MAG_ENOMEM);
	assert_null(none);
	certificate_trust_free(&none);
	certificate_trust_free(&t);
	OPENSSL_free(der);
	drop(&p);
}

/* ---- lists of revocations ---- */

static const char *list(const struct list_wish *w)
{
	*lists = '\0';
	return put_list(w, lists);
}

static void test_C2_a_list_decides_and_without_one_nobody_is_in(void **state)
{
	(void)state;
	const struct wish five = { .name = "a", .issuer = &ca, .serial = 5 };
	const struct {
		struct list_wish w;
		const char *why;
	} rows[] = {
		{ { .issuer = &ca }, "taken" },
		{ { .issuer = &ca, .revokes = 6 }, "taken" },
		{ { .issuer = &ca, .revokes = 5 }, "revoked" },
		{ { .issuer = &ca, .from = NOW - 9 * DAY, .to = NOW - 1 },
			"the revocation list is too old" },
		{ { .issuer = &ca, .from = NOW + DAY, .to = NOW + 2 * DAY },
			"the revocation list is not valid yet" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(refusal(list(&rows[i].w), &five), rows[i].why);
	/* One by somebody of our authority's, where there is none of the issuer's own. */
	*lists = '\0';
	put_list(&(struct list_wish){ .issuer = &ca }, lists);
	struct party p = make(&(struct wish){ .name = "a", .issuer = &between });
	struct certificate_trust *t = trust(lists);
	struct certificate_facts f;
	const char *why;
	*text = '\0';
	put_pem(between.cert, put_pem(p.cert, text));
	certificate_read(t, text, strlen(text), NOW, &f, &why);
	assert_string_equal(why, "no revocation list of its authority");
	certificate_trust_free(&t);
	drop(&p);
}

/* OpenSSL takes the list of somebody whose certificate comes along with the person's; a login
 * later has the row alone. */
static void test_C2_what_each_login_would_refuse_is_not_registered(void **state)
{
	struct party p = make(&(struct wish){ .name = "a", .issuer = &between });
	char *end;

	(void)state;
	for (int along = 0; along < 2; along++) {
		struct certificate_trust *t;
		struct certificate_facts f;
		const char *why = NULL;

		*lists = '\0';
		end = put_list(&(struct list_wish){ .issuer = &ca }, lists);
		end = put_list(&(struct list_wish){ .issuer = &between }, end);
		if (along)
			put_pem(between.cert, end);
		t = trust(lists);
		*text = '\0';
		put_pem(between.cert, put_pem(p.cert, text));
		certificate_read(t, text, strlen(text), NOW, &f, &why);
		assert_string_equal(why ? why : "taken",
			along ? "taken" : "no revocation list of its authority");
		certificate_trust_free(&t);
	}
	drop(&p);
}

/* Nobody's list counts but the authority's and that of those whom it made one. */
static void test_threat_lists_that_no_authority_signed_count_for_nothing(void **state)
{
	struct party rogue = make(&(struct wish){ "rogue", &other, .authority = true });
	struct party no_lists = make(&(struct wish){ .name = "nolists",
		.issuer = &ca,
		.authority = true,
		.usage = "critical,keyCertSign" });
	struct party person = make(
		&(struct wish){ .name = "person", .issuer = &ca, .usage = "critical,cRLSign" });
	const struct {
		struct list_wish w;
		const X509 *along; /* in the file, too */
		int r;
	} rows[] = {
		{ { .issuer = &ca }, NULL, 0 }, { { .issuer = &between }, between.cert, 0 },
		{ { .issuer = &between }, NULL, MAG_EINVAL },
		{ { .issuer = &other }, NULL, MAG_EINVAL },
		{ { .issuer = &other }, other.cert, MAG_EINVAL },
		{ { .issuer = &rogue }, rogue.cert, MAG_EINVAL },
		{ { .issuer = &no_lists }, no_lists.cert, MAG_EINVAL },
		{ { .issuer = &person }, person.cert, MAG_EINVAL },
		{ { .issuer = &ca, .signer = other.key }, NULL, MAG_EINVAL }, /* in its name only */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct certificate_trust *t = NULL;

		list(&rows[i].w);
		if (rows[i].along)
			put_pem(rows[i].along, lists);
		assert_int_equal(
			certificate_trust_new(ca_pem, strlen(ca_pem), lists, strlen(lists), &t),
			rows[i].r);
		assert_int_equal(t != NULL, rows[i].r == 0);
		certificate_trust_free(&t);
	}
	assert_int_equal(certificate_trust_new(ca_pem, strlen(ca_pem), "", 0,
				 &(struct certificate_trust *){ NULL }),
		MAG_EINVAL);
	drop(&rogue);
	drop(&no_lists);
	drop(&person);
}

/* ---- one that was registered ---- */

static void test_C2_a_registered_certificate_is_asked_about_again(void **state)
{
	struct certificate row = { .not_before = NOW - DAY, .not_after = NOW + DAY };
	struct certificate_facts f;
	struct party p = make(&(struct wish){ .name = "a", .issuer = &ca, .serial = 5 });
	struct certificate_trust *t = trust(NULL);

	(void)state;
	assert_null(read_with(NULL, p.cert, &f));
	mag_copy(row.issuer, sizeof row.issuer, f.issuer);
	mag_copy(row.serial, sizeof row.serial, f.serial);
	memcpy(row.anchor.data, f.anchor, HASH_LEN);
	row.anchor.len = HASH_LEN;
	assert_string_equal(certificate_fault(NULL, &row, NOW), "no authorities are configured");
	assert_null(certificate_fault(t, &row, NOW));
	assert_string_equal(certificate_fault(t, &row, NOW - DAY - 1), "not valid yet");
	assert_string_equal(certificate_fault(t, &row, NOW + DAY + 1), "expired");
	row.anchor.len = 0;
	assert_string_equal(certificate_fault(t, &row, NOW), "unknown authority");
	row.anchor.len = HASH_LEN;
	row.anchor.data[0] ^= 1;
	assert_string_equal(certificate_fault(t, &row, NOW), "unknown authority");
	row.anchor.data[0] ^= 1;
	certificate_trust_free(&t);

	const struct {
		struct list_wish w;
		const char *why;
	} rows[] = {
		{ { .issuer = &ca, .revokes = 5 }, "revoked" },
		{ { .issuer = &ca, .revokes = -5 }, "revoked" }, /* the row has digits only */
		{ { .issuer = &ca, .revokes = 6 }, NULL },
		{ { .issuer = &ca, .from = NOW - 9 * DAY, .to = NOW - 1 },
			"the revocation list is too old" },
		{ { .issuer = &ca, .from = NOW + DAY, .to = NOW + 2 * DAY },
			"the revocation list is too old" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why;

		t = trust(list(&rows[i].w));
		why = certificate_fault(t, &row, NOW);
		assert_string_equal(why ? why : "", rows[i].why ? rows[i].why : "");
		certificate_trust_free(&t);
	}
	/* A serial that cannot be looked up is taken for revoked. */
	t = trust(list(&(struct list_wish){ .issuer = &ca }));
	row.serial[0] = '\0';
	assert_string_equal(certificate_fault(t, &row, NOW), "revoked");
	strcpy(row.issuer, "CN=else");
	assert_string_equal(certificate_fault(t, &row, NOW), "no revocation list of its authority");
	certificate_trust_free(&t);
	drop(&p);
}

/* ---- what it says ---- */

static void test_C1_the_facts(void **state)
{
	struct certificate_facts f;
	struct party p = make(&(struct wish){ "Anna \xc3\x84, x", &ca, .serial = 0x1234,
		.policies = "1.3.6.1.4.1.99999.1,1.3.6.1.4.1.99999.2",
		.alt = "email:anna@example.org,email:second@example.org" });
	struct party plain = make(&(struct wish){ .name = "b", .issuer = &ca });

	(void)state;
	assert_null(read_with(NULL, p.cert, &f));
	assert_string_equal(f.subject, "CN=Anna \xc3\x84\\, x");
	assert_string_equal(f.issuer, "CN=ca");
	assert_string_equal(f.serial, "1234");
	assert_string_equal(f.email, "anna@example.org");
	assert_string_equal(f.policies, "1.3.6.1.4.1.99999.1 1.3.6.1.4.1.99999.2");
	assert_int_equal(f.not_before, NOW - 365 * DAY);
	assert_int_equal(f.not_after, NOW + 365 * DAY);
	assert_null(read_with(NULL, plain.cert, &f));
	assert_string_equal(f.email, "");
	assert_string_equal(f.policies, "");
	drop(&p);
	drop(&plain);
}

/* More policies than there is room for are none: half an OID would be another one. */
static void test_C1_too_many_policies_are_none(void **state)
{
	char many[1024] = "";
	struct certificate_facts f;
	struct party p;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "%s1.3.6.1.4.1.99999.%u",
			i ? "," : "", 100 + i);
	p = make(&(struct wish){ .name = "a", .issuer = &ca, .policies = many });
	assert_null(read_with(NULL, p.cert, &f));
	assert_string_equal(f.policies, "");
	drop(&p);
}

static void test_C1_classes(void **state)
{
	struct certificate_facts f = { .policies = "1.2.3 1.2.34" };
	static const struct {
		const char *oids;
		bool may;
	} rows[] = { { "1.2.3", true }, { "1.2.34", true }, { "9 1.2.34", true }, { "1.2", false },
		{ "1.2.345", false }, { "11.2.3", false }, { "", false },
		{ "1.2.345 1.2.3 7", true } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(certificate_may_be(&f, rows[i].oids), rows[i].may);
	f.policies[0] = '\0';
	assert_false(certificate_may_be(&f, "1.2.3"));
	assert_int_equal(certificate_level(STRENGTH_BLOA), 2);
	assert_int_equal(certificate_level(STRENGTH_MLOA_HARDWARE), 3);
	assert_int_equal(certificate_level(STRENGTH_NONE), 0);
	assert_int_equal(certificate_class("mloa-software"), STRENGTH_MLOA_SOFTWARE);
	assert_int_equal(certificate_class("phone-otp"), STRENGTH_NONE);
	assert_int_equal(certificate_class("x"), STRENGTH_NONE);
}

/* ---- keys ---- */

static EVP_PKEY *key_of(const struct ssh_vector *v)
{
	unsigned char der[1024];
	const unsigned char *p = der;
	int n = EVP_DecodeBlock(der, (const unsigned char *)v->spki, (int)strlen(v->spki));
	EVP_PKEY *key = n > 0 ? d2i_PUBKEY(NULL, &p, n) : NULL;

	assert_non_null(key);
	return key;
}

/* What sshd presents of a key is what the certificate of that key holds. */
static void test_C1_each_kind_of_key_is_hashed_as_ssh_writes_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		EVP_PKEY *key = key_of(&vectors[i]);
		struct party p = make(&(struct wish){ .name = "a", .issuer = &ca, .key = key });
		unsigned char hashes[SSH_KEYS_MAX][HASH_LEN];
		struct certificate_facts f;
		char line[1024];

		assert_null(read_with(NULL, p.cert, &f));
		snprintf(line, sizeof line, "publickey %s %s\n", vectors[i].type, vectors[i].blob);
		assert_int_equal(certificate_ssh_keys(line, strlen(line), hashes), 1);
		assert_memory_equal(f.key_hash, hashes[0], HASH_LEN);
		drop(&p);
		EVP_PKEY_free(key);
	}
}

static void test_C1_keys_that_ssh_does_not_have(void **state)
{
	unsigned char hash[HASH_LEN];
	EVP_PKEY *keys[] = { EVP_PKEY_Q_keygen(NULL, NULL, "ED448"),
		EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
		EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
		EVP_PKEY_Q_keygen(NULL, NULL, "EC", "sect571r1"), NULL };

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		assert_int_equal(ssh_key_hash(keys[i], hash), MAG_EINVAL);
		if (i == 0) {
			struct party p =
				make(&(struct wish){ .name = "a", .issuer = &ca, .key = keys[i] });

			assert_string_equal(
				read_with(NULL, p.cert, NULL), "ssh has no such kind of key");
			drop(&p);
		}
		EVP_PKEY_free(keys[i]);
	}
}

/* RSA of more bits than a line of ssh's holds here. */
static void test_C1_a_key_that_is_too_long(void **state)
{
	unsigned char hash[HASH_LEN],
		der[4200] = { 0x30, 0x82, 0x10, 0x0b, 0x02, 0x82, 0x10, 0x01 };
	const unsigned char *p = der;
	EVP_PKEY *key;

	(void)state;
	/* RSAPublicKey: a modulus of 32768 bits, the exponent 65537. */
	memset(der + 9, 0xff, 4096);
	memcpy(der + 9 + 4096, "\x02\x03\x01\x00\x01", 5);
	der[2] = (4 + 4097 + 5) >> 8;
	der[3] = (4 + 4097 + 5) & 0xff;
	key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, 4 + 4 + 4097 + 5);
	assert_non_null(key);
	assert_int_equal(ssh_key_hash(key, hash), MAG_EINVAL);
	EVP_PKEY_free(key);
}

static void test_C1_lines_that_are_not_understood_are_passed_over(void **state)
{
	static const struct {
		const char *lines;
		size_t n;
	} rows[] = {
		{ "", 0 },
		{ "\n\n", 0 },
		{ "password\n", 0 },
		{ "publickey\npublickey ssh-rsa\n", 0 },
		{ "publickey ssh-rsa AAA\n", 0 },
		{ "publickey ssh-rsa AA*=\n", 0 },
		{ "hostbased ssh-rsa AAAA\n", 0 },
		{ "publickey ssh-rsa AAAA\npassword\npublickey x AA==", 2 },
		{ "publickey a AAAA\npublickey b AAAB\npublickey c AAAC\npublickey d AAAD\n"
		  "publickey e AAAE\n",
			SSH_KEYS_MAX },
	};
	unsigned char hashes[SSH_KEYS_MAX][HASH_LEN];
	char *line = malloc(5000);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(certificate_ssh_keys(rows[i].lines, strlen(rows[i].lines), hashes),
			rows[i].n);
	assert_int_equal(certificate_ssh_keys("publickey a AAAA\0", 17, hashes), 0);
	memset(line, 'A', 5000);
	memcpy(line, "publickey a ", 12);
	assert_int_equal(certificate_ssh_keys(line, 5000, hashes), 0);
	/* Longer than any key, shorter than the variable may be. */
	assert_int_equal(certificate_ssh_keys(line, 12 + 3200, hashes), 0);
	free(line);
}

/* ---- possession ---- */

static void test_C1_who_has_the_key_signs_the_challenge(void **state)
{
	static const char *const kinds[][2] = { { "ED25519", NULL }, { "EC", "P-256" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		EVP_PKEY *key = kinds[i][1] ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", kinds[i][1])
					    : EVP_PKEY_Q_keygen(NULL, NULL, kinds[i][0]);
		struct party p = make(&(struct wish){ .name = "a", .issuer = &ca, .key = key });
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		unsigned char signature[512];
		size_t n = sizeof signature, len;
		char said[128];

		certificate_challenge("anna", 7, said, sizeof said);
		assert_string_equal(said, "magotp certificate anna 7");
		assert_int_equal(EVP_DigestSignInit_ex(
					 ctx, NULL, i ? "SHA2-256" : NULL, NULL, NULL, key, NULL),
			1);
		assert_int_equal(
			EVP_DigestSign(ctx, signature, &n, (unsigned char *)said, strlen(said)), 1);
		EVP_MD_CTX_free(ctx);
		*text = '\0';
		len = strlen(put_pem(p.cert, text));
		assert_true(certificate_signed(text, len, said, signature, n));
		assert_false(
			certificate_signed(text, len, "magotp certificate anna 8", signature, n));
		assert_false(certificate_signed(text, len, said, signature, n - 1));
		signature[n / 2] ^= 1;
		assert_false(certificate_signed(text, len, said, signature, n));
		assert_false(certificate_signed("x", 1, said, signature, n));
		drop(&p);
		EVP_PKEY_free(key);
	}
	/* A key that signs nothing. */
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	struct party p = make(&(struct wish){ .name = "a", .issuer = &ca, .key = key });
	*text = '\0';
	put_pem(p.cert, text);
	assert_false(certificate_signed(text, strlen(text), "x", "x", 1));
	drop(&p);
	EVP_PKEY_free(key);
}

/* ---- faults ---- */

/* One allocation fails, each in turn, in one of the calls: never trust, never a certificate
 * that is good and was not, and what is good has all its facts. */
static struct {
	char chain[PIECE], bad[PIECE];
	struct certificate_trust *trust;
	struct certificate row; /* of one that was registered, and revoked */
} fault;

static void fault_trust(void)
{
	struct certificate_trust *t = NULL;
	int r = certificate_trust_new(ca_pem, strlen(ca_pem), lists, strlen(lists), &t);

	fail_at = 0;
	assert_true((r == 0) == (t != NULL));
	assert_true(r == 0 || r == MAG_ENOMEM || r == MAG_ECRYPTO || r == MAG_EINVAL);
	certificate_trust_free(&t);
}

static void fault_read(void)
{
	struct certificate_facts f = { .not_before = 0 };
	const char *why = NULL;
	enum verdict v =
		certificate_read(fault.trust, fault.chain, strlen(fault.chain), NOW, &f, &why);

	fail_at = 0;
	assert_true(v == VERDICT_OK ? !why : v == VERDICT_CERTIFICATE_REFUSED && *why);
	if (v == VERDICT_OK)
		assert_int_equal(f.not_after, NOW + 365 * DAY);
}

static void fault_stranger(void)
{
	struct certificate_facts f;
	const char *why = NULL;

	assert_int_equal(certificate_read(fault.trust, fault.bad, strlen(fault.bad), NOW, &f, &why),
		VERDICT_CERTIFICATE_REFUSED);
}

static void fault_revoked(void)
{
	assert_non_null(certificate_fault(fault.trust, &fault.row, NOW));
}

static void fault_signed(void)
{
	assert_false(certificate_signed(fault.bad, strlen(fault.bad), "x", "x", 1));
}

static void test_threat_35_memory_runs_out_and_nobody_is_let_in(void **state)
{
	static void (*const calls[])(
		void) = { fault_trust, fault_read, fault_stranger, fault_revoked, fault_signed };
	struct party p = make(&(struct wish){
		.name = "a", .issuer = &between, .serial = 5, .policies = "1.2.3" });
	struct party stranger = make(&(struct wish){ .name = "a", .issuer = &other });
	struct certificate_facts f;
	const char *why;

	(void)state;
	put_pem(between.cert, put_pem(p.cert, fault.chain));
	put_pem(stranger.cert, fault.bad);
	*lists = '\0';
	put_list(&(struct list_wish){ .issuer = &between }, lists);
	put_pem(between.cert, lists);
	put_list(&(struct list_wish){ .issuer = &ca, .revokes = 5 }, lists);
	fault.trust = trust(lists);
	fault.row =
		(struct certificate){ .not_after = NOW + DAY, .serial = "05", .issuer = "CN=ca" };
	assert_int_equal(
		certificate_read(fault.trust, fault.chain, strlen(fault.chain), NOW, &f, &why),
		VERDICT_OK);
	memcpy(fault.row.anchor.data, f.anchor, HASH_LEN);
	fault.row.anchor.len = HASH_LEN;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		unsigned n = 0;

		do {
			passed = 0;
			fail_at = ++n;
			calls[i]();
			fail_at = 0;
		} while (passed >= n && n < 20000);
		assert_in_range(n, 2, 19999);
	}
	certificate_trust_free(&fault.trust);
	drop(&p);
	drop(&stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_C1_only_a_chain_of_ours_in_date_and_for_clients),
		cmocka_unit_test(test_threat_a_namesake_of_the_authority_is_unknown),
		cmocka_unit_test(test_threat_a_changed_certificate_is_refused),
		cmocka_unit_test(test_C1_those_between_may_come_along),
		cmocka_unit_test(test_C1_what_is_no_certificate),
		cmocka_unit_test(test_C2_a_list_decides_and_without_one_nobody_is_in),
		cmocka_unit_test(test_C2_what_each_login_would_refuse_is_not_registered),
		cmocka_unit_test(test_threat_lists_that_no_authority_signed_count_for_nothing),
		cmocka_unit_test(test_C2_a_registered_certificate_is_asked_about_again),
		cmocka_unit_test(test_C1_the_facts),
		cmocka_unit_test(test_C1_too_many_policies_are_none),
		cmocka_unit_test(test_C1_classes),
		cmocka_unit_test(test_C1_each_kind_of_key_is_hashed_as_ssh_writes_it),
		cmocka_unit_test(test_C1_keys_that_ssh_does_not_have),
		cmocka_unit_test(test_C1_a_key_that_is_too_long),
		cmocka_unit_test(test_C1_lines_that_are_not_understood_are_passed_over),
		cmocka_unit_test(test_C1_who_has_the_key_signs_the_challenge),
		cmocka_unit_test(test_threat_35_memory_runs_out_and_nobody_is_let_in),
	};

	if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free))
		return 1;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
