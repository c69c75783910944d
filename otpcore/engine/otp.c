/* HOTP and TOTP values. What a code is worth (windows, counters, locks) is
 * decided elsewhere. */
#include <stdbool.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/otp.h"

#define KEY_MIN 16 /* RFC 4226 §4 R6: shared secrets of at least 128 bits */
#define MAC_MAX 64

static const char *const digests[] = {
	[OTP_SHA1] = "SHA1",
	[OTP_SHA256] = "SHA2-256",
	[OTP_SHA512] = "SHA2-512",
};

static const uint32_t powers[] = {
	[6] = 1000000,
	[7] = 10000000,
	[8] = 100000000,
};

static bool digits_valid(unsigned digits)
{
	return digits >= OTP_DIGITS_MIN && digits <= OTP_DIGITS_MAX;
}

int otp_truncate(
	const unsigned char *mac, size_t mac_len, unsigned digits, char code_r[OTP_DIGITS_MAX + 1])
{
	const unsigned char *p;
	uint32_t number;
	unsigned i;

	if (!mac || mac_len < 20 || !digits_valid(digits))
		return MAG_EINVAL;
	p = mac + (mac[mac_len - 1] & 0x0f);
	/* 31 bits, so that signed and unsigned readings agree. */
	number = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	number %= powers[digits];
	for (i = digits; i > 0; i--) {
		code_r[i - 1] = (char)('0' + number % 10);
		number /= 10;
	}
	code_r[digits] = '\0';
	return 0;
}

int hotp_begin(const void *key, size_t key_len, enum otp_algorithm algorithm, struct hotp *h_r)
{
	if (!key || key_len < KEY_MIN || algorithm < OTP_SHA1 || algorithm > OTP_SHA512)
		return MAG_EINVAL;
	return crypto_mac_begin(
		digests[algorithm], (struct crypto_text){ key, key_len }, &h_r->mac);
}

int hotp_at(struct hotp *h, uint64_t counter, unsigned digits, char code_r[OTP_DIGITS_MAX + 1])
{
	unsigned char text[8], mac[MAC_MAX];
	size_t mac_len = 0;
	int r = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(counter >> (56 - 8 * i));
	r = crypto_mac_of(&h->mac, (struct crypto_text){ text, sizeof(text) },
		(struct crypto_out){ mac, sizeof(mac), &mac_len });
	if (r == 0)
		r = otp_truncate(mac, mac_len, digits, code_r);
	mag_wipe(mac, sizeof(mac));
	return r;
}

void hotp_end(struct hotp *h)
{
	crypto_mac_end(&h->mac);
}

int hotp_code(const void *key, size_t key_len, uint64_t counter, unsigned digits,
	enum otp_algorithm algorithm, char code_r[OTP_DIGITS_MAX + 1])
{
	struct hotp h;
	int r = digits_valid(digits) ? hotp_begin(key, key_len, algorithm, &h) : MAG_EINVAL;

	if (r < 0)
		return r;
	r = hotp_at(&h, counter, digits, code_r);
	hotp_end(&h);
	return r;
}

uint64_t totp_step(int64_t at, unsigned period)
{
	if (at < 0 || period == 0)
		return 0;
	return (uint64_t)at / period;
}
