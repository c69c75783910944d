#include "bench/hotp.h"

#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* One block of SHA-1, FIPS 180-4 §6.1.2. */
static void sha1_block(uint32_t h[5], const unsigned char b[64])
{
	static const uint32_t k[] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	uint32_t w[80], v[5];

	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)b[4 * t] << 24 | (uint32_t)b[4 * t + 1] << 16 |
		       (uint32_t)b[4 * t + 2] << 8 | b[4 * t + 3];
	for (int t = 16; t < 80; t++)
		w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(v, h, sizeof v);
	for (int t = 0; t < 80; t++) {
		uint32_t f = t < 20              ? (v[1] & v[2]) | (~v[1] & v[3])
			     : t >= 40 && t < 60 ? (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3])
						 : v[1] ^ v[2] ^ v[3];
		uint32_t x = rotate(v[0], 5) + f + v[4] + k[t / 20] + w[t];

		v[4] = v[3];
		v[3] = v[2];
		v[2] = rotate(v[1], 30);
		v[1] = v[0];
		v[0] = x;
	}
	for (int i = 0; i < 5; i++)
		h[i] += v[i];
}

/* SHA-1 of one 64-byte block followed by at most 55 bytes. */
static void sha1_after_block(
	const unsigned char first[64], const unsigned char *rest, size_t len, unsigned char out[20])
{
	uint32_t h[] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	unsigned char last[64] = { 0 };
	size_t bits = (64 + len) * 8;

	memcpy(last, rest, len);
	last[len] = 0x80;
	last[62] = (unsigned char)(bits >> 8);
	last[63] = (unsigned char)bits;
	sha1_block(h, first);
	sha1_block(h, last);
	for (int i = 0; i < 20; i++)
		out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* RFC 4226 §5.3 over HMAC-SHA-1 (RFC 2104). */
void hotp_code(const unsigned char *key, size_t len, uint64_t counter, char code_r[7])
{
	unsigned char inner[64], outer[64], message[8], mac[20];
	uint32_t n;

	memset(inner, 0x36, sizeof inner);
	memset(outer, 0x5c, sizeof outer);
	for (size_t i = 0; i < len; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	for (int i = 0; i < 8; i++)
		message[i] = (unsigned char)(counter >> (56 - 8 * i));
	sha1_after_block(inner, message, sizeof message, mac);
	sha1_after_block(outer, mac, sizeof mac, mac);
	n = mac[19] & 15;
	n = (uint32_t)(mac[n] & 0x7f) << 24 | (uint32_t)mac[n + 1] << 16 |
	    (uint32_t)mac[n + 2] << 8 | mac[n + 3];
	snprintf(code_r, 7, "%06u", n % 1000000);
}
