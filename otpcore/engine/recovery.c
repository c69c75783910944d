/* Recovery codes: text, look-up hash, and which row it is. */
#include <string.h>

#include "otpcore/base/secret.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/symbols.h"
#include "otpcore/engine/token.h"

#define SYMBOLS 16
#define GROUP   4

void recovery_format(const unsigned char random[10], char text_r[RECOVERY_TEXT_LEN + 1])
{
	unsigned char symbols[SYMBOLS];

	symbols_split(random, SYMBOLS, symbols);
	symbols_write(symbols, SYMBOLS, GROUP, text_r);
	mag_wipe(symbols, sizeof(symbols));
}

bool recovery_parse(const char *typed, char text_r[RECOVERY_TEXT_LEN + 1])
{
	unsigned char symbols[SYMBOLS] = { 0 };
	bool right = typed && symbols_read(typed, symbols, SYMBOLS) == SYMBOLS &&
		     !memchr(symbols, SYMBOL_WRONG, SYMBOLS);

	if (right)
		symbols_write(symbols, SYMBOLS, GROUP, text_r);
	mag_wipe(symbols, sizeof(symbols));
	return right;
}

int recovery_hash(const char text[RECOVERY_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN])
{
	return crypto_sha256((struct crypto_text){ text, RECOVERY_TEXT_LEN }, hash_r);
}

static bool good(const struct aggregate *a, const struct recovery *r, int64_t now)
{
	if (r->row.fate == ROW_DELETED || r->account != a->account.row.id || r->used_at != 0)
		return false;
	return r->expires_at == 0 || now <= r->expires_at;
}

struct recovery *recovery_find(struct aggregate *a, const unsigned char hash[HASH_LEN], int64_t now)
{
	struct recovery *found = NULL;
	size_t i;

	for (i = 0; i < a->n_recoveries && i < RECOVERIES_MAX; i++) {
		struct recovery *r = &a->recoveries[i];

		if (r->hash.len == HASH_LEN && mag_equal(r->hash.data, hash, HASH_LEN) &&
			good(a, r, now))
			found = r;
	}
	return found;
}
