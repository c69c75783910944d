/* Where the master key comes from. */
#ifndef SEAL_KEYFILE_H
#define SEAL_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "otpcore/base/keysource.h"

#define MASTER_LEN 32

/* Read the master key that `source` names (see keyring_open). 0; MAG_ESYS with
 * errno, MAG_EPERM (others may read it, or not a plain file), MAG_ESYNTAX,
 * MAG_EUNSUPPORTED. */
int keyfile_read(const char *source, unsigned char master_r[MASTER_LEN]);

/* Write it to the new file that a source names ("file:", "tpm:"), mode 0600, whole or not at
 * all. MAG_EEXISTS, MAG_ESYS, MAG_ESYNTAX, MAG_EUNSUPPORTED. */
int keyfile_write(const char *source, const unsigned char master[MASTER_LEN]);
/* Could that be done? Whatever keyfile_write says; nothing is left behind. */
int keyfile_try(const char *source);

#endif
