/* Crockford's base32: bytes, symbols, text. */
#include <string.h>

#include "otpcore/engine/symbols.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

char symbol_char(unsigned char symbol)
{
	return symbol < SYMBOL_WRONG ? alphabet[symbol] : '?';
}

void symbols_split(const unsigned char *bytes, size_t n, unsigned char *symbols_r)
{
	size_t len = (n * 5 + 7) / 8, i;

	for (i = 0; i < n; i++) {
		size_t bit = i * 5;
		/* Five bits that may lie across two bytes. */
		unsigned pair = (unsigned)bytes[bit / 8] << 8;

		if (bit / 8 + 1 < len)
			pair |= bytes[bit / 8 + 1];
		symbols_r[i] = (pair >> (11 - bit % 8)) & 31;
	}
}

static unsigned char symbol_of(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		c = '1';
	if (c == 'O')
		c = '0';
	at = strchr(alphabet, c);
	return at ? (unsigned char)(at - alphabet) : SYMBOL_WRONG;
}

size_t symbols_read(const char *typed, unsigned char *symbols_r, size_t max)
{
	size_t n = 0;

	for (; *typed && n <= max; typed++) {
		if (strchr("- \t\r\n", *typed))
			continue;
		if (n < max)
			symbols_r[n] = symbol_of(*typed);
		n++;
	}
	return n;
}

void symbols_write(const unsigned char *symbols, size_t n, size_t group, char *text_r)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (i > 0 && i % group == 0)
			*text_r++ = '-';
		*text_r++ = symbol_char(symbols[i]);
	}
	*text_r = '\0';
}
