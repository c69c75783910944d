/* Writing e-mails: headers that hold one line each, a body of 7-bit lines. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/mail_text.h"

#define LINE_MAX_LEN 76 /* RFC 2045: of quoted-printable, with the soft break */
#define WORD_BYTES   39 /* of an encoded word: "Subject:", 52 of base64 and 13 around are 73 */

static int put(struct mag_secret *out, const char *text)
{
	return mag_secret_append(out, text, strlen(text));
}

/* A line end in a value would begin a header of somebody else's. */
static bool is_clean(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return mag_utf8_valid(s, strlen(s));
}

static bool is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

static int put_header(struct mag_secret *out, const char *name, const char *value)
{
	int r = is_clean(value) ? 0 : MAG_ERANGE;

	if (r == 0)
		r = put(out, name);
	if (r == 0)
		r = put(out, ": ");
	if (r == 0)
		r = put(out, value);
	return r < 0 ? r : put(out, "\r\n");
}

/* How many bytes of s make whole characters and fit a word. */
static size_t word_len(const char *s)
{
	size_t n = strlen(s);

	if (n <= WORD_BYTES)
		return n;
	for (n = WORD_BYTES; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

static int put_subject(struct mag_secret *out, const char *subject)
{
	int r = is_clean(subject) ? 0 : MAG_ERANGE;

	/* "=?" at the beginning of a plain word would be taken for an encoded one. */
	if (r == 0 && is_ascii(subject, strlen(subject)) && !strstr(subject, "=?"))
		return put_header(out, "Subject", subject);
	if (r == 0)
		r = put(out, "Subject:");
	while (r == 0 && *subject) {
		unsigned char base64[4 * WORD_BYTES / 3 + 8];
		size_t n = word_len(subject);

		EVP_EncodeBlock(base64, (const unsigned char *)subject, (int)n);
		r = put(out, " =?UTF-8?B?");
		if (r == 0)
			r = put(out, (const char *)base64);
		if (r == 0)
			r = put(out, subject[n] ? "?=\r\n" : "?=");
		subject += n;
	}
	return r < 0 ? r : put(out, "\r\n");
}

/* RFC 5322 §3.3, in UTC; no locale has a part in it. */
static int put_date(struct mag_secret *out, int64_t at)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t clock = (time_t)at;
	struct tm tm;
	char date[64];

	if (!gmtime_r(&clock, &tm))
		return MAG_ERANGE;
	snprintf(date, sizeof date, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday],
		tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return put_header(out, "Date", date);
}

static int put_headers(struct mag_secret *out, const struct mail_text *m)
{
	const char *at = strrchr(m->from, '@');
	char id[160];
	int r = at ? put_date(out, m->at) : MAG_ERANGE;

	snprintf(id, sizeof id, "<%s%s>", m->id, at ? at : "");
	if (r == 0)
		r = put_header(out, "From", m->from);
	if (r == 0)
		r = put_header(out, "To", m->to);
	if (r == 0)
		r = put_subject(out, m->subject);
	if (r == 0)
		r = put_header(out, "Message-ID", id);
	if (r == 0)
		r = put_header(out, "Auto-Submitted", "auto-generated");
	if (r == 0)
		r = put_header(out, "MIME-Version", "1.0");
	if (r == 0)
		r = put_header(out, "Content-Type", "text/plain; charset=utf-8");
	if (r == 0)
		r = put_header(out, "Content-Transfer-Encoding", "quoted-printable");
	return r < 0 ? r : put(out, "\r\n");
}

/* Quoted-printable, RFC 2045 §6.7: blanks at the end of a line are written out. */
static int put_byte(struct mag_secret *out, const char *p, size_t *column)
{
	unsigned char c = (unsigned char)*p;
	bool last = p[1] == '\n' || p[1] == '\0';
	bool plain = (c > ' ' && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !last);
	char text[4];
	size_t len = plain ? 1 : 3;
	int r = 0;

	if (*column + len > LINE_MAX_LEN - 1) {
		r = put(out, "=\r\n");
		*column = 0;
	}
	if (plain)
		snprintf(text, sizeof text, "%c", c);
	else
		snprintf(text, sizeof text, "=%02X", c);
	*column += len;
	return r < 0 ? r : put(out, text);
}

static int put_body(struct mag_secret *out, const struct mag_secret *body)
{
	const char *p = mag_secret_text(body);
	size_t column = 0;
	int r = mag_utf8_valid(p, body->len) ? 0 : MAG_ERANGE;

	for (; *p && r == 0; p++) {
		if (*p == '\n') {
			r = put(out, "\r\n");
			column = 0;
		} else {
			r = put_byte(out, p, &column);
		}
	}
	return r < 0 || column == 0 ? r : put(out, "\r\n");
}

int mail_text_make(const struct mail_text *m, struct mag_secret *out_r)
{
	struct mag_secret out = { 0 };
	int r = put_headers(&out, m);

	if (r == 0)
		r = put_body(&out, m->body);
	if (r == 0) {
		mag_secret_free(out_r);
		*out_r = out;
	} else {
		mag_secret_free(&out);
	}
	return r;
}
