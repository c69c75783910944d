/* A key in the keeping of a TPM 2.0: sealed as an object under the storage primary of the owner
 * hierarchy, so that what stands in the file opens in this TPM only. */
#ifndef SEAL_TPM_H
#define SEAL_TPM_H

#include <stddef.h>

#include "otpcore/base/secret.h"

#define TPM_OBJECT_MAX 1024

/* tcti: how the TPM is reached, as tpm2-tss names it ("device:/dev/tpmrm0", "swtpm:path=..."),
 * NULL: /dev/tpmrm0. 0; MAG_EDOWN: none answers; MAG_EPERM: it refuses (an owner password);
 * MAG_ECRYPTO, MAG_EUNSUPPORTED. */
int tpm_seal(const char *tcti, const void *data, size_t len, unsigned char object_r[TPM_OBJECT_MAX],
	size_t *len_r);
/* Also MAG_ESYNTAX: that is no such object; MAG_ECRYPTO: another TPM made it, or this one was
 * cleared since. */
int tpm_open(const char *tcti, const unsigned char *object, size_t len, struct mag_secret *data_r);

#endif
