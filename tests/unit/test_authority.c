/* The authority of hosts: what it signs, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "otpcore/base/err.h"
#include "otpcore/seal/authority.h"

#define NOW 1800000000

struct scene {
	struct mag_secret der;
	struct signer signer;
};

static int setup(void **state)
{
	static struct scene s;

	memset(&s, 0, sizeof s);
	assert_int_equal(authority_make(&s.der), 0);
	assert_in_range(s.der.len, 1, 256); /* a sealed column's */
	assert_int_equal(authority_open(&s.der, NOW - 100, &s.signer), 0);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	signer_free(&s->signer);
	mag_secret_free(&s->der);
	return 0;
}

static X509 *issue(const struct scene *s, bool server)
{
	struct identity_input in = { .name = "web1", .server = server, .now = NOW };
	X509 *x = NULL;

	assert_int_equal(identity_key(&in.key), 0);
	assert_int_equal(identity_issue(&s->signer, &in, &x), 0);
	EVP_PKEY_free(in.key);
	return x;
}

/* X509_V_OK, or why this chain is none for this purpose at this time. */
static int verdict(X509 *authority, X509 *x, int purpose, int64_t at)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	int r;

	X509_STORE_add_cert(store, authority);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, x, NULL), 1);
	p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_purpose(p, purpose);
	X509_VERIFY_PARAM_set_time(p, (time_t)at);
	X509_verify_cert(ctx);
	r = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return r;
}

static void threat_40_a_relay_cannot_pass_for_an_auth_host(void **state)
{
	struct scene *s = *state;
	X509 *relay = issue(s, false), *auth = issue(s, true);
	X509 *ca = s->signer.certificate;

	assert_int_equal(verdict(ca, relay, X509_PURPOSE_SSL_CLIENT, NOW), X509_V_OK);
	assert_int_equal(verdict(ca, auth, X509_PURPOSE_SSL_SERVER, NOW), X509_V_OK);
	assert_int_not_equal(verdict(ca, relay, X509_PURPOSE_SSL_SERVER, NOW), X509_V_OK);
	assert_int_not_equal(verdict(ca, auth, X509_PURPOSE_SSL_CLIENT, NOW), X509_V_OK);
	X509_free(relay);
	X509_free(auth);
}

static void threat_40_certificates_run_a_year(void **state)
{
	struct scene *s = *state;
	X509 *x = issue(s, false), *ca = s->signer.certificate;
	char name[65];

	assert_int_equal(identity_expires(x), NOW + IDENTITY_LIFE);
	assert_int_equal(identity_name(x, name, sizeof name), 0);
	assert_string_equal(name, "web1");
	assert_int_equal(identity_name(x, name, 4), MAG_EPROTO);
	assert_int_equal(
		verdict(ca, x, X509_PURPOSE_SSL_CLIENT, NOW + IDENTITY_LIFE - 1), X509_V_OK);
	assert_int_equal(verdict(ca, x, X509_PURPOSE_SSL_CLIENT, NOW + IDENTITY_LIFE + 1),
		X509_V_ERR_CERT_HAS_EXPIRED);
	X509_free(x);
}

/* Each broker makes the authority's certificate anew from the key: they are one. */
static void test_another_broker_trusts_it(void **state)
{
	struct scene *s = *state;
	struct signer other;
	struct mag_secret strange = { 0 };
	unsigned char one[HASH_LEN], two[HASH_LEN];
	X509 *x = issue(s, false);

	assert_int_equal(authority_open(&s->der, NOW - 100, &other), 0);
	assert_int_equal(verdict(other.certificate, x, X509_PURPOSE_SSL_CLIENT, NOW), X509_V_OK);
	assert_int_equal(identity_key_print(other.certificate, one), 0);
	assert_int_equal(identity_key_print(s->signer.certificate, two), 0);
	assert_memory_equal(one, two, HASH_LEN);
	signer_free(&other);

	assert_int_equal(authority_make(&strange), 0);
	assert_int_equal(authority_open(&strange, NOW - 100, &other), 0);
	assert_int_not_equal(
		verdict(other.certificate, x, X509_PURPOSE_SSL_CLIENT, NOW), X509_V_OK);
	signer_free(&other);
	strange.data[3] ^= 0x40;
	assert_int_equal(authority_open(&strange, NOW, &other), MAG_ECRYPTO);
	mag_secret_free(&strange);
	X509_free(x);
}

static void test_a_request_proves_its_key(void **state)
{
	unsigned char der[IDENTITY_DER], copy[IDENTITY_DER];
	EVP_PKEY *key = NULL, *got = NULL, *rsa;
	size_t len = 0;

	(void)state;
	assert_int_equal(identity_key(&key), 0);
	assert_int_equal(identity_request(key, der, sizeof der, &len), 0);
	assert_int_equal(identity_request_key(der, len, &got), 0);
	assert_int_equal(EVP_PKEY_eq(key, got), 1);
	EVP_PKEY_free(got);
	for (size_t i = 0; i < len; i++) { /* every changed byte makes it none */
		memcpy(copy, der, len);
		copy[i] ^= 1;
		assert_int_equal(identity_request_key(copy, len, &got), MAG_EPROTO);
	}
	assert_int_equal(identity_request_key(der, len - 1, &got), MAG_EPROTO);
	assert_int_equal(identity_request_key(der, 0, &got), MAG_EPROTO);
	EVP_PKEY_free(key);

	rsa = EVP_RSA_gen(2048);
	assert_int_equal(identity_request(rsa, der, sizeof der, &len), 0);
	assert_int_equal(identity_request_key(der, len, &got), MAG_EPROTO);
	EVP_PKEY_free(rsa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_40_a_relay_cannot_pass_for_an_auth_host),
		cmocka_unit_test(threat_40_certificates_run_a_year),
		cmocka_unit_test(test_another_broker_trusts_it),
		cmocka_unit_test(test_a_request_proves_its_key),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
