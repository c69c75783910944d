/* The GSM 03.38 default alphabet: what fits one segment of 160. */
#include <string.h>

#include "smsd/template.h"

/* UTF-8 of the characters outside ASCII that take one septet, and of all that
 * take two (they go through the escape). 3GPP TS 23.038 §6.2.1. */
static const char one_septet[] =
	"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
static const char two_septets[] = "\f^{}\\[~]|€";

static size_t character_length(const char *s)
{
	unsigned char c = (unsigned char)*s;

	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static int in(const char *set, const char *s, size_t len)
{
	for (size_t n; *set; set += n) {
		n = character_length(set);
		if (n == len && memcmp(set, s, n) == 0)
			return 1;
	}
	return 0;
}

int gsm7_septets(const char *text)
{
	int septets = 0;

	for (size_t len; *text; text += len) {
		len = character_length(text);
		if (strnlen(text, len) < len)
			return -1;
		if (in(one_septet, text, len))
			septets += 1;
		else if (in(two_septets, text, len))
			septets += 2;
		else
			return -1;
	}
	return septets;
}
