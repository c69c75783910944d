#include "otpcore/engine/certificate_list.h"

#include <limits.h>
#include <stdbool.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "otpcore/base/err.h"

struct reading {
	X509_STORE *store;
	STACK_OF(X509) * authorities, *between;
};

/* Does a certificate of the file itself lead to an authority? Its own dates are not
 * asked for: a list has dates. */
static bool is_trusted(const struct reading *r, X509 *x)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok = ctx && X509_STORE_CTX_init(ctx, r->store, x, r->between);

	if (ok)
		X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME);
	ok = ok && X509_check_ca(x) && X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	return ok;
}

static bool signed_by(X509_CRL *list, X509 *x)
{
	return X509_NAME_cmp(X509_get_subject_name(x), X509_CRL_get_issuer(list)) == 0 &&
	       (X509_get_key_usage(x) & KU_CRL_SIGN) &&
	       X509_CRL_verify(list, X509_get0_pubkey(x)) == 1;
}

static bool is_signed(const struct reading *r, X509_CRL *list)
{
	for (int i = 0; i < sk_X509_num(r->authorities); i++)
		if (signed_by(list, sk_X509_value(r->authorities, i)))
			return true;
	for (int i = 0; i < sk_X509_num(r->between); i++)
		if (signed_by(list, sk_X509_value(r->between, i)) &&
			is_trusted(r, sk_X509_value(r->between, i)))
			return true;
	return false;
}

static int read_between(BIO *in, STACK_OF(X509) * between)
{
	X509 *x;

	while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL)))
		if (!sk_X509_push(between, x)) {
			X509_free(x);
			return MAG_ENOMEM;
		}
	return 0;
}

static int add_list(const struct reading *r, X509_CRL *list, STACK_OF(X509_CRL) * lists_r)
{
	if (!X509_STORE_add_crl(r->store, list))
		return MAG_ENOMEM;
	if (!is_signed(r, list))
		return 0;
	if (!X509_CRL_up_ref(list))
		return MAG_ENOMEM;
	if (sk_X509_CRL_push(lists_r, list))
		return 0;
	X509_CRL_free(list);
	return MAG_ENOMEM;
}

int certificate_lists_read(
	X509_STORE *store, const char *pem, size_t len, STACK_OF(X509_CRL) * lists_r)
{
	struct reading r = { store, X509_STORE_get1_all_certs(store), sk_X509_new_null() };
	BIO *in = len > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)len);
	int res = in && r.authorities && r.between ? read_between(in, r.between) : MAG_ENOMEM;
	X509_CRL *list;

	if (!res && BIO_reset(in) != 1)
		res = MAG_ENOMEM;
	while (!res && (list = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL))) {
		res = add_list(&r, list, lists_r);
		X509_CRL_free(list);
	}
	ERR_clear_error(); /* the end of the file is one */
	sk_X509_pop_free(r.authorities, X509_free);
	sk_X509_pop_free(r.between, X509_free);
	BIO_free(in);
	return res || sk_X509_CRL_num(lists_r) > 0 ? res : MAG_EINVAL;
}
