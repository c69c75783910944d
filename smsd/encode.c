/* Encoders: one small function per way of quoting, one row per context. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/encode.h"

/* Puts one byte as it stands in the context into out[8]; returns its length,
 * 0: this byte cannot be there. */
typedef size_t (*enc_byte)(unsigned char c, char out[8]);

/* RFC 3986 §2.3: everything that is not unreserved is escaped, blanks too, so
 * that path, query and form agree. */
static size_t byte_percent(unsigned char c, char out[8])
{
	static const char unreserved[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	if (c && strchr(unreserved, c)) {
		out[0] = (char)c;
		return 1;
	}
	return (size_t)snprintf(out, 8, "%%%02X", c);
}

/* RFC 8259 §7. Not only what must be escaped: "<" and DEL as well, so that a
 * body that is shown somewhere stays what it is. */
static size_t byte_json(unsigned char c, char out[8])
{
	if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == 0x7f)
		return (size_t)snprintf(out, 8, "\\u%04x", c);
	out[0] = (char)c;
	return 1;
}

/* XML 1.0 §2.2: control characters other than tab and line ends do not exist. */
static size_t byte_xml(unsigned char c, char out[8])
{
	if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
		return 0;
	if (c == '\r' || strchr("<>&\"'", c))
		return (size_t)snprintf(out, 8, "&#%d;", c);
	out[0] = (char)c;
	return 1;
}

/* RFC 9110 §5.5: visible characters, blanks, tabs, bytes over 0x7f. */
static size_t byte_header(unsigned char c, char out[8])
{
	if ((c < 0x20 && c != '\t') || c == 0x7f)
		return 0;
	out[0] = (char)c;
	return 1;
}

/* RFC 7617 §2: no colon and no control characters. */
static size_t byte_user(unsigned char c, char out[8])
{
	return c == ':' || c == '\t' ? 0 : byte_header(c, out);
}

static const struct {
	enc_byte byte;
	bool utf8; /* the context is text: other bytes have no meaning there */
} contexts[ENC_N] = {
	[ENC_PATH] = { byte_percent, false },
	[ENC_QUERY] = { byte_percent, false },
	[ENC_FORM] = { byte_percent, false },
	[ENC_JSON] = { byte_json, true },
	[ENC_XML] = { byte_xml, true },
	[ENC_HEADER] = { byte_header, false },
	[ENC_USER] = { byte_user, false },
};

/* What mag_utf8_valid asks, but for NUL, which percent signs and \u can carry. */
static bool is_text(const char *data, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i])
			continue;
		if (!mag_utf8_valid(data + start, i - start))
			return false;
		start = i + 1;
	}
	return mag_utf8_valid(data + start, len - start);
}

int enc_append(struct mag_secret *out, enum enc_context context, const char *data, size_t len)
{
	char byte[8];
	int r = 0;

	if (contexts[context].utf8 && !is_text(data, len))
		return MAG_ERANGE;
	for (size_t i = 0; i < len && r == 0; i++) {
		size_t n = contexts[context].byte((unsigned char)data[i], byte);

		r = n ? mag_secret_append(out, byte, n) : MAG_ERANGE;
	}
	mag_wipe(byte, sizeof byte);
	return r;
}

int enc_append_text(struct mag_secret *out, enum enc_context context, const char *text)
{
	return enc_append(out, context, text, strlen(text));
}
