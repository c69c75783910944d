/* The seed of an app: made, sealed, and written as the address that apps understand. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/otp.h"

#define SEED_LEN 20 /* RFC 4226 §4, R6 */

/* RFC 3986 §2.3: all but the unreserved is percent-encoded. */
static void put_encoded(struct mag_buf *b, const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9') || strchr("-._~", *p);

		mag_buf_printf(b, plain ? "%c" : "%%%02X", *p);
	}
}

/* RFC 4648 §6 without padding: 20 bytes are 32 characters. */
static void put_base32(struct mag_buf *b, const unsigned char seed[SEED_LEN])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

	for (size_t bit = 0; bit < SEED_LEN * 8; bit += 5) {
		unsigned two = (unsigned)seed[bit / 8] << 8;

		if (bit / 8 + 1 < SEED_LEN)
			two |= seed[bit / 8 + 1];
		mag_buf_putn(b, &alphabet[two >> (11 - bit % 8) & 31], 1);
	}
}

/* Who issued it and for whom, cut so that three bytes for one still fit. */
static int address(struct request *r, const struct account *account,
	const unsigned char seed[SEED_LEN], struct mag_secret *uri_r)
{
	char issuer[33], name[49], text[513];
	struct mag_buf b = MAG_BUF(text);
	int res;

	mag_clean(issuer, sizeof issuer, *account->organisation ? account->organisation : r->host);
	mag_clean(name, sizeof name, account->name);
	mag_buf_puts(&b, "otpauth://totp/");
	put_encoded(&b, issuer);
	mag_buf_puts(&b, ":");
	put_encoded(&b, name);
	mag_buf_puts(&b, "?secret=");
	put_base32(&b, seed);
	mag_buf_puts(&b, "&issuer=");
	put_encoded(&b, issuer);
	mag_buf_printf(&b, "&algorithm=SHA1&digits=%d&period=%d", MOBILE_DIGITS, MOBILE_PERIOD);
	res = mag_buf_error(&b);
	if (!res)
		res = mag_secret_set_text(uri_r, text);
	mag_wipe(text, sizeof text);
	return res;
}

int mobile_seed_new(
	struct request *r, const struct account *account, struct token *t, struct mag_secret *uri_r)
{
	unsigned char seed[SEED_LEN];
	int res = mag_random(seed, sizeof seed);

	if (!res)
		res = seal(r->broker->keyring, "token.secret", t->row.id, seed, sizeof seed,
			&t->secret);
	if (!res)
		res = address(r, account, seed, uri_r);
	mag_wipe(seed, sizeof seed);
	if (res)
		return res;
	t->moving = -1;
	t->drift = 0;
	return 0;
}

int mobile_seed_again(struct request *r, const struct account *account, const struct token *t,
	struct mag_secret *uri_r)
{
	struct mag_secret seed = { 0 };
	int res = token_seed(r, t, &seed);

	if (!res)
		res = seed.len == SEED_LEN ? address(r, account, seed.data, uri_r) : MAG_ECRYPTO;
	mag_secret_free(&seed);
	return res;
}
