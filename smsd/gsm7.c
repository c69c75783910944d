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
	/* A byte of ASCII is part of no other character. */
	if (len == 1)
		return strchr(set, *s) != NULL;
	for (size_t n; *set; set += n) {
		n = character_length(set);
		if (n == len && memcmp(set, s, n) == 0)
			return 1;
	}
	return 0;
}

/* Characters beyond the first plane are two units of UCS-2 (UTF-16). */
static int ucs2_units(const char *text)
{
	int units = 0;

	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			units += (unsigned char)*text >= 0xf0 ? 2 : 1;
	return units;
}

int segment_room(const char *text)
{
	int septets = gsm7_septets(text);

	return septets >= 0 ? GSM7_SEGMENT - septets : UCS2_SEGMENT - ucs2_units(text);
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
