/* I2: is the name on a document the name of the account? */
#include <stdint.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/proofing.h"

#define NAME_MAX_LEN 256

/* Upper to lower case, for the letters that names are written in: `to` is `from` +
 * `add`; step 2 means that upper and lower case alternate. The lengths in UTF-8 are
 * the same, so that a text can be folded where it stands. */
static const struct {
	uint32_t first, last, step, add;
} folds[] = {
	{ 'A', 'Z', 1, 32 },
	{ 0x00c0, 0x00d6, 1, 32 }, /* Latin */
	{ 0x00d8, 0x00de, 1, 32 },
	{ 0x0100, 0x012e, 2, 1 },
	{ 0x0132, 0x0136, 2, 1 },
	{ 0x0139, 0x0147, 2, 1 },
	{ 0x014a, 0x0176, 2, 1 },
	{ 0x0178, 0x0178, 1, (uint32_t)0xff - 0x178 },
	{ 0x0179, 0x017d, 2, 1 },
	{ 0x0386, 0x0386, 1, 38 }, /* Greek */
	{ 0x0388, 0x038a, 1, 37 },
	{ 0x038c, 0x038c, 1, 64 },
	{ 0x038e, 0x038f, 1, 63 },
	{ 0x0391, 0x03a1, 1, 32 },
	{ 0x03a3, 0x03ab, 1, 32 },
	{ 0x03c2, 0x03c2, 1, 1 },
	{ 0x0400, 0x040f, 1, 80 }, /* Cyrillic */
	{ 0x0410, 0x042f, 1, 32 },
	{ 0x1e00, 0x1e94, 2, 1 }, /* Vietnamese */
	{ 0x1ea0, 0x1efe, 2, 1 },
};

static uint32_t folded(uint32_t c)
{
	size_t i;

	for (i = 0; i < sizeof(folds) / sizeof(folds[0]); i++)
		if (c >= folds[i].first && c <= folds[i].last &&
			(c - folds[i].first) % folds[i].step == 0)
			return c + folds[i].add;
	return c;
}

/* Characters of one to three bytes; others are left as they are. Texts that came
 * over the wire are valid UTF-8. */
static size_t length_of(unsigned char first)
{
	return first < 0x80                    ? 1
	       : first >= 0xc2 && first < 0xe0 ? 2
	       : first >= 0xe0 && first < 0xf0 ? 3
					       : 1;
}

static uint32_t character(const unsigned char *p, size_t len)
{
	if (len == 2)
		return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
	if (len == 3)
		return (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
	return *p;
}

static void put(char *out, uint32_t c, size_t len)
{
	if (len == 1) {
		out[0] = (char)c;
	} else if (len == 2) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
	} else {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
	}
}

static bool is_blank(uint32_t c)
{
	return c == ' ' || c == '\t' || c == 0xa0;
}

/* Lower case, one blank between words, none around; "" if it does not fit. */
static char *normal(const char *text, char out[NAME_MAX_LEN + 1])
{
	const size_t size = strlen(text);
	size_t n = 0, i, len;

	for (i = 0; i < size && n + 4 <= NAME_MAX_LEN; i += len) {
		uint32_t c;

		len = length_of((unsigned char)text[i]);
		if (i + len > size)
			len = 1;
		c = character((const unsigned char *)text + i, len);
		if (is_blank(c)) {
			if (n && out[n - 1] != ' ')
				out[n++] = ' ';
			continue;
		}
		put(out + n, len > 1 || c < 0x80 ? folded(c) : c, len);
		n += len;
	}
	if (i < size)
		n = 0;
	if (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	return out;
}

/* "b" and "b." are initials of "bridget"; both are in normal form. */
static bool initial_of(const char *x, const char *name)
{
	size_t len = length_of((unsigned char)*x);

	if (!*x || strlen(x) < len || strncmp(x, name, len) != 0)
		return false;
	/* NOLINTNEXTLINE(clang-analyzer-core.*): strlen(x) >= len */
	return !x[len] || mag_streq(x + len, ".");
}

static bool middle_matches(const char *given, const char *middle)
{
	if (!*given)
		return true;
	return *middle &&
	       (mag_streq(given, middle) || initial_of(given, middle) || initial_of(middle, given));
}

bool proofing_name_matches(const struct account *a, const char *given)
{
	char whole[NAME_MAX_LEN + 1], first[NAME_MAX_LEN + 1], middle[NAME_MAX_LEN + 1],
		last[NAME_MAX_LEN + 1];
	size_t len = strlen(normal(given, whole)), head = strlen(normal(a->first, first)),
	       tail = strlen(normal(a->last, last));
	char *rest;

	normal(a->middle, middle);
	/* Without both there is nothing to compare with. */
	if (!head || !tail || len < head + 1 + tail)
		return false;
	if (strncmp(whole, first, head) != 0 || whole[head] != ' ' ||
		whole[len - tail - 1] != ' ' || !mag_streq(whole + len - tail, last))
		return false;
	rest = whole + head + 1; /* "bridget example": what is before the last name */
	if (len == head + 1 + tail)
		return true;
	whole[len - tail - 1] = '\0';
	return middle_matches(rest, middle);
}
