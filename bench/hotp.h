/* HOTP (RFC 4226) of the harness's own, so that it links neither liboath nor
 * libcrypto and a module under measurement pays for loading them. */
#ifndef BENCH_HOTP_H
#define BENCH_HOTP_H

#include <stddef.h>
#include <stdint.h>

/* The 6-digit code of `counter`; key at most 64 bytes. */
void hotp_code(const unsigned char *key, size_t len, uint64_t counter, char code_r[7]);

#endif
