/* Lists of revocations, that are read from a file which may have come over any network:
 * only those count that a trusted authority signed (RFC 5280 §6.3.3 f, g). */
#ifndef ENGINE_CERTIFICATE_LIST_H
#define ENGINE_CERTIFICATE_LIST_H

#include <stddef.h>

#include <openssl/x509.h>

/* All lists go to the store, which looks at signatures itself; those that are signed by
 * one of its authorities also to lists_r. The file may hold the certificates of those
 * between, too. 0; MAG_EINVAL: no list is signed so; MAG_ENOMEM. */
int certificate_lists_read(
	X509_STORE *store, const char *pem, size_t len, STACK_OF(X509_CRL) * lists_r);

#endif
