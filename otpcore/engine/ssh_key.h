/* Public keys as ssh writes them: RFC 4253 §6.6 (RSA), RFC 5656 §3.1 (ECDSA), RFC 8709
 * §4 (Ed25519). */
#ifndef ENGINE_SSH_KEY_H
#define ENGINE_SSH_KEY_H

#include <openssl/evp.h>

#include "otpcore/engine/model.h"

/* SHA-256 of the blob: what `ssh-keygen -l` shows in base64. 0; MAG_EINVAL: ssh has no
 * such kind of key; MAG_ECRYPTO. */
int ssh_key_hash(const EVP_PKEY *key, unsigned char hash_r[HASH_LEN]);

#endif
