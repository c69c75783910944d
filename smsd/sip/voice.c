/* Pieces of recorded speech. */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "smsd/sip/voice.h"

#define FILE_MAX (44 + 30 * VOICE_RATE * 2 + 4096)

static const char *const names[VOICE_PIECES] = { "0", "1", "2", "3", "4", "5", "6", "7", "8",
	"9", [VOICE_INTRO] = "intro", [VOICE_PRESS] = "press", [VOICE_AGAIN] = "again",
	[VOICE_BYE] = "bye" };

/* ---- one file ---- */

static uint32_t little(const unsigned char *p, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* "fmt " of the kind that is wanted: PCM, one channel, the rate, 16 bits. */
static bool is_format(const unsigned char *p, size_t len)
{
	return len >= 16 && little(p, 2) == 1 && little(p + 2, 2) == 1 &&
	       little(p + 4, 4) == VOICE_RATE && little(p + 14, 2) == 16;
}

/* Walks the chunks of a RIFF file up to its samples. */
static int find_samples(const unsigned char *p, size_t len, struct voice_piece *piece)
{
	bool format = false;

	if (len < 12 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0)
		return MAG_ESYNTAX;
	for (size_t at = 12; len - at >= 8;) {
		size_t size = little(p + at + 4, 4);

		if (size > len - at - 8)
			return MAG_ESYNTAX;
		if (memcmp(p + at, "fmt ", 4) == 0) {
			format = is_format(p + at + 8, size);
		} else if (memcmp(p + at, "data", 4) == 0) {
			if (!format)
				return MAG_ESYNTAX;
			if (size < 2)
				return MAG_ERANGE;
			piece->samples = malloc(size & ~(size_t)1);
			if (!piece->samples)
				return MAG_ENOMEM;
			piece->len = size & ~(size_t)1;
			memcpy(piece->samples, p + at + 8, piece->len);
			return 0;
		}
		at += 8 + size + (size & 1);
		if (at > len)
			return MAG_ESYNTAX;
	}
	return MAG_ESYNTAX;
}

static int read_piece(const char *path, unsigned char *buf, struct voice_piece *piece)
{
	FILE *f = fopen(path, "rbe");
	size_t len;

	if (!f)
		return MAG_ENOTFOUND;
	len = fread(buf, 1, FILE_MAX, f);
	fclose(f);
	return len == FILE_MAX ? MAG_ERANGE : find_samples(buf, len, piece);
}

/* ---- a language ---- */

static const char *why(int r)
{
	return r == MAG_ENOTFOUND ? "is not there"
	       : r == MAG_ESYNTAX ? "is no RIFF file of 16-bit PCM, mono, 8000 Hz"
	       : r == MAG_ERANGE  ? "is empty or longer than half a minute"
				  : mag_strerror(r);
}

int voice_read(
	const char *dir, const char *language, struct voice **voice_r, char err[VOICE_ERROR_MAX])
{
	struct voice *v = calloc(1, sizeof *v);
	unsigned char *buf = malloc(FILE_MAX);
	char path[VOICE_DIR_MAX + VOICE_LANGUAGE_MAX + 16];
	int r = MAG_ENOMEM;

	if (!v || !buf) {
		snprintf(err, VOICE_ERROR_MAX, "%s", mag_strerror(r));
		goto out;
	}
	for (size_t i = 0; i < VOICE_PIECES; i++) {
		snprintf(path, sizeof path, "%.*s/%.*s/%s.wav", VOICE_DIR_MAX, dir,
			VOICE_LANGUAGE_MAX, language, names[i]);
		if ((r = read_piece(path, buf, &v->piece[i])) < 0) {
			snprintf(err, VOICE_ERROR_MAX, "%.200s %s", path, why(r));
			goto out;
		}
	}
	*voice_r = v;
	v = NULL;
	r = 0;
out:
	free(buf);
	voice_free(&v);
	return r;
}

void voice_free(struct voice **voice)
{
	struct voice *v = *voice;

	*voice = NULL;
	if (!v)
		return;
	for (size_t i = 0; i < VOICE_PIECES; i++)
		free(v->piece[i].samples);
	free(v);
}

/* ---- languages ---- */

/* Letters, perhaps with a region behind: "en", "fr_CA", "pt-BR". */
static bool is_language(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (!isalnum((unsigned char)s[n]) && s[n] != '_' && s[n] != '-')
			return false;
	return n >= 2 && n < VOICE_LANGUAGE_MAX;
}

static bool is_there(const char *dir, const char *language)
{
	char path[VOICE_DIR_MAX + VOICE_LANGUAGE_MAX + 16];

	snprintf(path, sizeof path, "%.*s/%s/intro.wav", VOICE_DIR_MAX, dir, language);
	return access(path, R_OK) == 0;
}

void voice_language(const char *dir, const char *wanted, char language[VOICE_LANGUAGE_MAX])
{
	size_t parts[] = { strlen(wanted), strcspn(wanted, "_-") };

	for (size_t i = 0; is_language(wanted) && i < sizeof parts / sizeof *parts; i++) {
		snprintf(language, VOICE_LANGUAGE_MAX, "%.*s", (int)parts[i], wanted);
		if (is_there(dir, language))
			return;
	}
	snprintf(language, VOICE_LANGUAGE_MAX, "en");
}

int voice_check(const char *dir, char err[VOICE_ERROR_MAX])
{
	struct voice *v = NULL;
	const struct dirent *e;
	DIR *d = opendir(dir);
	int r;

	if (!d) {
		snprintf(err, VOICE_ERROR_MAX, "%.200s cannot be read", dir);
		return MAG_ENOTFOUND;
	}
	r = voice_read(dir, "en", &v, err);
	while (r == 0 && (e = readdir(d))) {
		voice_free(&v);
		if (is_language(e->d_name) && is_there(dir, e->d_name))
			r = voice_read(dir, e->d_name, &v, err);
	}
	voice_free(&v);
	closedir(d);
	return r;
}
