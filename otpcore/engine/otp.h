/* HOTP (RFC 4226) and TOTP (RFC 6238). Pure: no clock, no randomness. */
#ifndef ENGINE_OTP_H
#define ENGINE_OTP_H

#include <stddef.h>
#include <stdint.h>

#include "otpcore/engine/crypto.h"

#define OTP_DIGITS_MIN 6
#define OTP_DIGITS_MAX 8

enum otp_algorithm { OTP_SHA1 = 1, OTP_SHA256, OTP_SHA512 };

/* RFC 4226 §5.3: the code for a counter, as decimal text with leading zeros.
 * 0; MAG_EINVAL (digits, algorithm, key shorter than 16 bytes), MAG_ECRYPTO. */
int hotp_code(const void *key, size_t key_len, uint64_t counter, unsigned digits,
	enum otp_algorithm algorithm, char code_r[OTP_DIGITS_MAX + 1]);

/* The same for many counters of one key, which is prepared once. */
struct hotp {
	struct crypto_mac mac;
};
int hotp_begin(const void *key, size_t key_len, enum otp_algorithm algorithm, struct hotp *h_r);
int hotp_at(struct hotp *h, uint64_t counter, unsigned digits, char code_r[OTP_DIGITS_MAX + 1]);
void hotp_end(struct hotp *h);

/* RFC 6238 §4.2: the time step of `at` (64 bits), for steps of `period` s. */
uint64_t totp_step(int64_t at, unsigned period);

/* Dynamic truncation of a MAC of at least 20 bytes (RFC 4226 §5.3), also used
 * for phone codes. */
int otp_truncate(
	const unsigned char *mac, size_t mac_len, unsigned digits, char code_r[OTP_DIGITS_MAX + 1]);

#endif
