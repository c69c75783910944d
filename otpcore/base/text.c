#include "otpcore/base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "otpcore/base/err.h"

/* ---- UTF-8 ---- */

/* Decode one character; its length in bytes, 0 if there is none (RFC 3629 §4:
 * no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_decode(const unsigned char *s, size_t len, uint32_t *c_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;
	uint32_t c;

	if (len == 0)
		return 0;
	if (s[0] < 0x80) {
		*c_r = s[0];
		return 1;
	}
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || len < n)
		return 0;
	c = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*c_r = c;
	return n;
}

bool mag_utf8_valid(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c;
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = utf8_decode(p + at, len - at, &c);
		if (n == 0 || c == 0)
			return false;
	}
	return true;
}

/* What could move the cursor, start a new line or turn a line around. */
static bool unsafe(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{ 0x00, 0x1f },       /* C0 controls */
		{ 0x7f, 0x9f },       /* DEL and C1 controls */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x200e, 0x200f },   /* left-to-right, right-to-left mark */
		{ 0x2028, 0x202e },   /* line, paragraph separator; embeddings, overrides */
		{ 0x2066, 0x206f },   /* isolates, deprecated format characters */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xe0000, 0xe007f }, /* tags */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return false;
}

char *mag_clean(char *dst, size_t cap, const char *src)
{
	const unsigned char *s = (const unsigned char *)(src == NULL ? "" : src);
	size_t left = strlen((const char *)s), at = 0, n;
	uint32_t c;

	if (cap == 0)
		return dst;
	while (left > 0) {
		n = utf8_decode(s, left, &c);
		bool bad = n == 0 || unsafe(c);
		size_t out = bad ? 1 : n;

		if (n == 0)
			n = 1;
		if (at + out >= cap)
			break;
		if (bad)
			dst[at] = '?';
		else
			memcpy(dst + at, s, out);
		at += out;
		s += n;
		left -= n;
	}
	dst[at] = '\0';
	return dst;
}

/* ---- words and numbers ---- */

int mag_copy(char *dst, size_t cap, const char *src)
{
	size_t len = src == NULL ? 0 : strlen(src);

	if (cap == 0)
		return MAG_ENOSPACE;
	dst[0] = '\0';
	if (len >= cap)
		return MAG_ENOSPACE;
	if (len > 0)
		memcpy(dst, src, len + 1);
	return 0;
}

bool mag_streq(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool mag_has_prefix(const char *s, const char *prefix)
{
	return s != NULL && prefix != NULL && strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool mag_all_digits(const char *s)
{
	if (s == NULL || *s == '\0')
		return false;
	while (is_digit(*s))
		s++;
	return *s == '\0';
}

/* Digits up to the first other character, as a negative number: that side
 * holds one value more. 0, MAG_ESYNTAX (no digit) or MAG_ERANGE. */
static int read_digits(const char *s, int64_t *negative_r, const char **end_r)
{
	int64_t v = 0;

	if (!is_digit(*s))
		return MAG_ESYNTAX;
	for (; is_digit(*s); s++) {
		int digit = *s - '0';

		if (v < (INT64_MIN + digit) / 10)
			return MAG_ERANGE;
		v = v * 10 - digit;
	}
	*negative_r = v;
	*end_r = s;
	return 0;
}

int mag_int_parse(const char *s, int64_t min, int64_t max, int64_t *value_r)
{
	bool minus = s != NULL && *s == '-';
	const char *end;
	int64_t v;
	int r;

	if (s == NULL)
		return MAG_ESYNTAX;
	for (end = s + minus; is_digit(*end); end++)
		;
	if (*end != '\0')
		return MAG_ESYNTAX;
	r = read_digits(s + minus, &v, &end);
	if (r < 0)
		return r;
	if (!minus && v == INT64_MIN)
		return MAG_ERANGE;
	v = minus ? v : -v;
	if (v < min || v > max)
		return MAG_ERANGE;
	*value_r = v;
	return 0;
}

static const struct {
	char unit;
	int64_t seconds;
} units[] = {
	{ 'y', 365 * 86400 },
	{ 'd', 86400 },
	{ 'h', 3600 },
	{ 'm', 60 },
	{ 's', 1 },
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

int mag_duration_parse(const char *s, int64_t *seconds_r)
{
	const char *end;
	int64_t v;
	int r;

	if (s == NULL)
		return MAG_ESYNTAX;
	r = read_digits(s, &v, &end);
	if (r < 0)
		return r;
	if (v == 0 && *end == '\0') { /* nothing needs no unit */
		*seconds_r = 0;
		return 0;
	}
	for (size_t i = 0; i < N_UNITS; i++) {
		if (end[0] != units[i].unit || end[1] != '\0')
			continue;
		if (v < -INT64_MAX / units[i].seconds)
			return MAG_ERANGE;
		*seconds_r = -v * units[i].seconds;
		return 0;
	}
	return MAG_ESYNTAX;
}

char *mag_duration_format(int64_t seconds, char *buf, size_t cap)
{
	size_t i = 0;

	while (i < N_UNITS - 1 && (seconds == 0 || seconds % units[i].seconds != 0))
		i++;
	snprintf(buf, cap, "%lld%c", (long long)(seconds / units[i].seconds), units[i].unit);
	return buf;
}

/* ---- bytes as text ---- */

void mag_hex_encode(const void *data, size_t len, char *out)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	out[2 * len] = '\0';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mag_hex_decode(const char *hex, void *out, size_t cap, size_t *len_r)
{
	unsigned char *p = out;
	size_t len = hex == NULL ? 1 : strlen(hex);

	if (len % 2 != 0)
		return MAG_ESYNTAX;
	for (size_t i = 0; i < len; i++)
		if (hex_value(hex[i]) < 0)
			return MAG_ESYNTAX;
	if (len / 2 > cap)
		return MAG_ENOSPACE;
	for (size_t i = 0; i < len / 2; i++)
		p[i] = (unsigned char)((unsigned)hex_value(hex[2 * i]) << 4 |
				       (unsigned)hex_value(hex[2 * i + 1]));
	*len_r = len / 2;
	return 0;
}

/* RFC 4648 §5, without padding (§3.2). */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int mag_base64_encode(const void *data, size_t len, char *out, size_t cap)
{
	const unsigned char *p = data;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t at = 0;

	if (len > SIZE_MAX / 2 || (len * 4 + 2) / 3 >= cap)
		return MAG_ENOSPACE;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			out[at++] = alphabet[bits >> (have - 6) & 63];
	}
	if (have > 0)
		out[at++] = alphabet[bits << (6 - have) & 63];
	out[at] = '\0';
	return 0;
}

int mag_base64_decode(const char *text, void *out, size_t cap, size_t *len_r)
{
	unsigned char *p = out;
	size_t len = text == NULL ? 1 : strlen(text), at = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	if (len % 4 == 1)
		return MAG_ESYNTAX;
	if (len / 4 * 3 + (len % 4 * 3) / 4 > cap)
		return MAG_ENOSPACE;
	for (size_t i = 0; i < len; i++) {
		const char *c = memchr(alphabet, text[i], 64);

		if (c == NULL)
			return MAG_ESYNTAX;
		bits = bits << 6 | (uint32_t)(c - alphabet);
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[at++] = (unsigned char)(bits >> have);
		}
	}
	/* One text for one value (§3.5): what is left over must be zero. */
	if ((bits & ((1u << have) - 1)) != 0)
		return MAG_ESYNTAX;
	*len_r = at;
	return 0;
}

/* ---- times ---- */

enum zone { UTC, LOCAL };

/* Puts "never" into buf where there is no time to show. */
static bool break_down(int64_t at, enum zone zone, struct tm *tm_r, char *buf, size_t cap)
{
	time_t t = (time_t)at;

	(void)mag_copy(buf, cap, "never");
	return at > 0 && (zone == LOCAL ? localtime_r(&t, tm_r) : gmtime_r(&t, tm_r)) != NULL;
}

char *mag_time_rfc3339(int64_t at, char *buf, size_t cap)
{
	struct tm tm;

	if (break_down(at, UTC, &tm, buf, cap) && !strftime(buf, cap, "%Y-%m-%dT%H:%M:%SZ", &tm))
		(void)mag_copy(buf, cap, "");
	return buf;
}

char *mag_time_minute(int64_t at, char *buf, size_t cap)
{
	struct tm tm;

	if (break_down(at, LOCAL, &tm, buf, cap) && !strftime(buf, cap, "%Y-%m-%d %H:%M", &tm))
		(void)mag_copy(buf, cap, "");
	return buf;
}

char *mag_time_day(int64_t at, char *buf, size_t cap)
{
	struct tm tm;

	if (break_down(at, LOCAL, &tm, buf, cap) && !strftime(buf, cap, "%Y-%m-%d", &tm))
		(void)mag_copy(buf, cap, "");
	return buf;
}

/* ---- near misses ---- */

#define WORD_MAX 64

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* With transpositions of neighbours, each part edited once ("optimal string
 * alignment"): three rows of the table are enough. Words that are longer than
 * any key are as far apart as can be. */
unsigned mag_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return strcmp(a, b) == 0 ? 0 : UINT_MAX;
	for (unsigned j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned *now = rows[i % 3];
		const unsigned *last = rows[(i - 1) % 3], *older = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned cost = a[i - 1] != b[j - 1];

			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], older[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

const char *mag_nearest(const char *word, const char *const *words)
{
	const char *best = NULL;
	unsigned best_distance = 4; /* one more than is near */

	for (; *words != NULL; words++) {
		unsigned d = mag_distance(word, *words);

		/* A word in which every letter was changed is another word. */
		if (d < best_distance && d < strlen(*words) && d < strlen(word)) {
			best = *words;
			best_distance = d;
		}
	}
	return best;
}
