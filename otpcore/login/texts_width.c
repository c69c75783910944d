/* Columns on a terminal, without a locale: what is asked of lines is that they fit. */
#include "otpcore/login/texts.h"

/* Scripts whose characters take two columns (Unicode TR 11, wide and fullwidth). */
static const struct {
	uint32_t first, last;
} wide[] = {
	{ 0x1100, 0x115f },
	{ 0x2e80, 0x303e },
	{ 0x3041, 0xa4cf },
	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },
	{ 0x20000, 0x3fffd },
};

/* No line begins with one of these. */
static const uint32_t closing[] = { 0x3001, 0x3002, 0x300d, 0x30fc, 0xff09, 0xff1a };

/* One character at `s`, which is no NUL: how many bytes it has. Bytes that are not UTF-8
 * count as a character each. */
static size_t decode(const char *s, size_t left, uint32_t *c_r)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0xc0 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

	if (n > left)
		n = 1;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			n = 1;
		else
			c = c << 6 | (p[i] & 0x3f);
	}
	*c_r = c;
	return n;
}

static bool is_wide(uint32_t c)
{
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		if (c >= wide[i].first && c <= wide[i].last)
			return true;
	return false;
}

static bool is_closing(uint32_t c)
{
	for (size_t i = 0; i < sizeof closing / sizeof *closing; i++)
		if (c == closing[i])
			return true;
	return false;
}

size_t text_columns(const char *s, size_t len)
{
	size_t columns = 0;
	uint32_t c;

	for (size_t at = 0; at < len; columns += is_wide(c) ? 2 : 1)
		at += decode(s + at, len - at, &c);
	return columns;
}

/* The bytes that stay on one line: a word, or one wide character with what closes
 * behind it. Nothing wider than a line. */
static size_t piece(const char *s, size_t left)
{
	size_t len = 0, columns = 0;
	bool open = true;

	while (len < left && s[len] != ' ' && s[len] != '\n') {
		uint32_t c;
		size_t n = decode(s + len, left - len, &c);
		columns += is_wide(c) ? 2 : 1;
		if (columns > TEXT_COLUMNS || (len && is_wide(c) && !is_closing(c)) ||
			(!open && !is_closing(c)))
			break;
		open = !is_wide(c);
		len += n;
	}
	return len;
}

void text_put_wrapped(struct mag_buf *out, const char *words)
{
	size_t column = 0, left = 0;
	bool blank = false;

	while (words[left])
		left++;
	while (left) {
		size_t len = piece(words, left), columns = text_columns(words, len);

		if (column && column + blank + columns > TEXT_COLUMNS) {
			mag_buf_puts(out, "\n");
			column = 0;
		} else if (column && blank) {
			mag_buf_puts(out, " ");
			column++;
		}
		mag_buf_putn(out, words, len);
		column += columns;
		words += len;
		left -= len;
		for (blank = false; left && (*words == ' ' || *words == '\n'); words++, left--)
			blank = true;
	}
	mag_buf_puts(out, "\n");
}
