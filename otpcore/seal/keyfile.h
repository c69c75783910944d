/* Where the master key comes from. */
#ifndef SEAL_KEYFILE_H
#define SEAL_KEYFILE_H

#include <stddef.h>

#define MASTER_LEN 32

/* Read the master key that `source` names (see keyring_open). 0; MAG_ESYS with
 * errno, MAG_EPERM (others may read it, or not a plain file), MAG_ESYNTAX,
 * MAG_EUNSUPPORTED. */
int keyfile_read(const char *source, unsigned char master_r[MASTER_LEN]);

/* Write it to a new file, mode 0600, whole or not at all. MAG_EEXISTS, MAG_ESYS. */
int keyfile_create(const char *path, const unsigned char master[MASTER_LEN]);

#endif
