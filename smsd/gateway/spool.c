/* The spool driver: a file for a program that has a modem. What becomes of it there
 * is not known here: "accepted" says that the file is in the spool. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "smsd/gateway/file_drop.h"
#include "smsd/template.h"

#define NAME_LEN 128 /* a number of 16 and an id of 40 characters fit well */

struct spool {
	char directory[256];
	int format;
};

static const char *const formats[] = { "gammu", "smstools", NULL };

static const struct opt spool_opts[] = {
	{ "directory", OPT_TEXT, "", 0, 0, NULL, OPT_AT(struct spool, directory),
		"where the files are written" },
	{ "format", OPT_ENUM, "gammu", 0, 0, formats, OPT_AT(struct spool, format),
		"who reads them: gammu (gammu-smsd, service = files) or smstools" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section spool_section = { "gateway", 1, spool_opts, NULL };

/* ---- texts ---- */

/* The character at *s, which is UTF-8 (messages are checked when they come), moves
 * *s behind it. */
static uint32_t next_character(const char **s)
{
	static const unsigned char first_bits[] = { 0x7f, 0x1f, 0x0f, 0x07 };
	const unsigned char *p = (const unsigned char *)*s;
	unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	uint32_t c = *p & first_bits[more];

	while (more-- && p[1])
		c = c << 6 | (*++p & 0x3f);
	*s = (const char *)p + 1;
	return c;
}

static int append_utf16(struct mag_secret *out, uint32_t unit)
{
	const unsigned char bytes[] = { (unsigned char)(unit >> 8), (unsigned char)unit };

	return mag_secret_append(out, bytes, sizeof bytes);
}

/* Big endian. */
static int append_text_utf16(struct mag_secret *out, const struct mag_secret *text)
{
	const char *s = mag_secret_text(text);
	int r = 0;

	while (*s && r == 0) {
		uint32_t c = next_character(&s);

		if (c < 0x10000) {
			r = append_utf16(out, c);
		} else if ((r = append_utf16(out, 0xd800 + ((c - 0x10000) >> 10))) == 0) {
			r = append_utf16(out, 0xdc00 + (c & 0x3ff));
		}
	}
	return r;
}

/* ---- gammu-smsd(1), service "files" ---- */

/* UTF-16 with a byte order mark: every other encoding is read by the locale that
 * gammu-smsd happens to run in. */
static int gammu_document(const struct attempt *a, struct mag_secret *out)
{
	int r = append_utf16(out, 0xfeff);

	return r < 0 ? r : append_text_utf16(out, a->text);
}

/* OUT<A..Z: priority><date>_<time>_<serial>_<number>_<note>.txt: sent in the order of
 * the names, so the most urgent first. */
static void gammu_name(const struct attempt *a, char name[NAME_LEN])
{
	time_t at = (time_t)(a->now_ms / 1000);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm))
		strftime(when, sizeof when, "%Y%m%d_%H%M%S", &tm);
	snprintf(name, NAME_LEN, "OUT%c%s_00_%.16s_%s.txt", (char)('A' + a->message->priority),
		when, a->message->to, a->message->id);
}

/* ---- smstools ---- */

/* UTF-8 is what smstools turns into GSM-7; what that alphabet lacks is given as
 * UTF-16, for its own conversion ends at characters beyond the first plane. */
static int smstools_document(const struct attempt *a, struct mag_secret *out)
{
	int64_t left = a->message->expires_at - a->now_ms / 1000;
	bool narrow = gsm7_septets(mag_secret_text(a->text)) >= 0;
	char head[160];
	int n = snprintf(head, sizeof head, "To: %.16s\nAlphabet: %s\nValidity: %lld min\n%s\n",
		a->message->to + 1, narrow ? "UTF-8" : "UCS",
		(long long)(left < 60 ? 1 : (left + 59) / 60),
		a->message->priority == 0 ? "Priority: High\n" : "");
	int r = mag_secret_append(out, head, (size_t)n);

	if (r < 0)
		return r;
	return narrow ? mag_secret_append(out, a->text->data, a->text->len)
		      : append_text_utf16(out, a->text);
}

static void smstools_name(const struct attempt *a, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, "magotp-%s", a->message->id);
}

/* ---- the driver ---- */

static const struct {
	int (*document)(const struct attempt *a, struct mag_secret *out);
	void (*name)(const struct attempt *a, char name[NAME_LEN]);
} peers[] = {
	{ gammu_document, gammu_name },
	{ smstools_document, smstools_name },
};

static void spool_send(struct attempt *a)
{
	const struct spool *s = a->gateway->driver;
	struct mag_secret document = { 0 };
	char name[NAME_LEN];
	int r = peers[s->format].document(a, &document);

	peers[s->format].name(a, name);
	file_drop(a, s->directory, name, r, &document);
	mag_secret_free(&document);
}

static void spool_close(struct gateway *g)
{
	free(g->driver);
	g->driver = NULL;
}

static int spool_open(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX])
{
	struct spool *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return MAG_ENOMEM;
	g->driver = s;
	if ((r = opt_fill(t, &spool_section, g->name, s, err)) < 0)
		return r;
	return file_drop_check(g, s->directory, err);
}

static void spool_paths(
	const struct gateway *g, void (*path)(const char *path, bool write, void *arg), void *arg)
{
	const struct spool *s = g->driver;

	path(s->directory, true, arg);
}

const struct gateway_ops gateway_spool = {
	.name = "spool",
	.channels = "sms",
	.opts = spool_opts,
	.doc = "a file for gammu-smsd or smstools",
	.open = spool_open,
	.close = spool_close,
	.paths = spool_paths,
	.send = spool_send,
};
