/* Our own small authority: it signs the certificates by which relays and auth hosts know
 * each other (security.md 40). X.509 and TLS 1.3 only, P-256; nobody else is to trust it. */
#ifndef SEAL_AUTHORITY_H
#define SEAL_AUTHORITY_H

#include <openssl/x509.h>

#include "otpcore/base/secret.h"
#include "otpcore/engine/model.h"

#define IDENTITY_LIFE   (365 * 86400) /* seconds that a certificate is good */
#define IDENTITY_DER    2048          /* bytes of a certificate or a request, at most */
#define AUTHORITY_PRINT 16            /* of its fingerprint, as enrolment codes carry it */

struct signer {
	EVP_PKEY *key;
	X509 *certificate; /* self-signed; made anew at each start: the key is what counts */
};

/* A new private key, as an authority's row holds it, DER. 0, MAG_ECRYPTO, MAG_ENOMEM. */
int authority_make(struct mag_secret *der_r);
/* 0; MAG_ECRYPTO: not such a key. signer_free() it. */
int authority_open(const struct mag_secret *der, int64_t created_at, struct signer *s_r);
void signer_free(struct signer *s);

/* SHA-256 of a certificate's public key (SubjectPublicKeyInfo), and of the whole one. */
int identity_key_print(const X509 *x, unsigned char print_r[HASH_LEN]);
int identity_print(const X509 *x, unsigned char print_r[HASH_LEN]);
/* Its subject's common name: a host. MAG_EPROTO: it has none, or a strange one. */
int identity_name(const X509 *x, char *name_r, size_t cap);
int64_t identity_expires(const X509 *x);
int identity_der(const X509 *x, unsigned char *der_r, size_t cap, size_t *len_r);

/* A certificate for a key: a server's, of an auth host, or a client's, of a relay. */
struct identity_input {
	const char *name;
	EVP_PKEY *key;
	bool server;
	int64_t now;
};
int identity_issue(const struct signer *s, const struct identity_input *in, X509 **x_r);

/* What a host that wants a certificate does: a key of its own, and a request signed by it. */
int identity_key(EVP_PKEY **key_r);
int identity_request(EVP_PKEY *key, unsigned char *der_r, size_t cap, size_t *len_r);
/* The key of a request whose own signature is right. MAG_EPROTO: it is none, or of
 * another kind of key. */
int identity_request_key(const unsigned char *der, size_t len, EVP_PKEY **key_r);

#endif
