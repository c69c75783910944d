/* Pieces and pauses in a row. The row is planned first: a WAV file begins with its length. */
#include <stdbool.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/sip/speech.h"

#define HEAD_LEN     44
#define LEAD_MS      500  /* until the telephone is at the ear */
#define ASK_MS       2500 /* between two times "press any key" */
#define TAIL_MS      500  /* the call ends with the file: the last word is not cut off */
#define BYTES_PER_MS (VOICE_RATE / 1000 * 2)

/* Each reading: a sentence and the digits, each with a pause. */
#define PARTS_MAX (SPEECH_REPEATS_MAX * (2 * SPEECH_DIGITS_MAX + 3) + 4)

struct part {
	const struct voice_piece *piece; /* NULL: silence */
	size_t len;
};

struct row {
	struct part part[PARTS_MAX];
	size_t n, len; /* len: bytes of all parts */
	bool full;
};

static void add(struct row *row, const struct voice_piece *piece, size_t len)
{
	if (row->n == PARTS_MAX) {
		row->full = true;
		return;
	}
	row->part[row->n++] = (struct part){ piece, len };
	row->len += len;
}

static void add_silence(struct row *row, int64_t ms)
{
	add(row, NULL, (size_t)ms * BYTES_PER_MS);
}

static void add_piece(struct row *row, const struct voice_piece *piece, int64_t pause_ms)
{
	add(row, piece, piece->len);
	add_silence(row, pause_ms);
}

static void put_little(unsigned char *p, uint32_t v, size_t n)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		p[i] = (unsigned char)v;
}

/* RIFF, its "fmt " chunk, the head of its "data" chunk. */
static void make_head(unsigned char head[HEAD_LEN], size_t len)
{
	memcpy(head, "RIFF\0\0\0\0WAVEfmt ", 16);
	put_little(head + 4, (uint32_t)(len + HEAD_LEN - 8), 4);
	put_little(head + 16, 16, 4);
	put_little(head + 20, 1, 2);
	put_little(head + 22, 1, 2);
	put_little(head + 24, VOICE_RATE, 4);
	put_little(head + 28, VOICE_RATE * 2, 4);
	put_little(head + 32, 2, 2);
	put_little(head + 34, 16, 2);
	memcpy(head + 36, "data", 4);
	put_little(head + 40, (uint32_t)len, 4);
}

static int append_silence(struct mag_secret *out, size_t len)
{
	static const unsigned char nothing[4096];
	int r = 0;

	for (size_t n; len && r == 0; len -= n) {
		n = len < sizeof nothing ? len : sizeof nothing;
		r = mag_secret_append(out, nothing, n);
	}
	return r;
}

static int make_wav(const struct row *row, struct mag_secret *wav_r)
{
	unsigned char head[HEAD_LEN];
	struct mag_secret out = { 0 };
	int r;

	if (row->full)
		return MAG_ERANGE;
	make_head(head, row->len);
	r = mag_secret_append(&out, head, sizeof head);
	for (size_t i = 0; i < row->n && r == 0; i++)
		r = row->part[i].piece
			    ? mag_secret_append(&out, row->part[i].piece->samples, row->part[i].len)
			    : append_silence(&out, row->part[i].len);
	if (r < 0) {
		mag_secret_free(&out);
		return r;
	}
	mag_secret_free(wav_r);
	*wav_r = out;
	return 0;
}

int speech_code(const struct voice *v, const char *digits, const struct speech *how,
	struct mag_secret *wav_r, int64_t *once_ms_r)
{
	const int64_t sentence = how->pause_ms + how->pause_ms / 2;
	struct row row = { .n = 0 };
	size_t once = 0;
	int r;

	if (!mag_all_digits(digits) || strlen(digits) > SPEECH_DIGITS_MAX)
		return MAG_EINVAL;
	if (how->repeats < 2 || how->repeats > SPEECH_REPEATS_MAX)
		return MAG_ERANGE;
	add_silence(&row, LEAD_MS);
	for (unsigned i = 0; i < how->repeats; i++) {
		add_piece(&row, &v->piece[i ? VOICE_AGAIN : VOICE_INTRO], sentence);
		for (const char *d = digits; *d; d++)
			add_piece(&row, &v->piece[*d - '0'], how->pause_ms);
		if (i == 0)
			once = row.len;
		add_silence(&row, sentence);
	}
	add_piece(&row, &v->piece[VOICE_BYE], TAIL_MS);
	r = make_wav(&row, wav_r);
	mag_wipe(&row, sizeof row);
	if (r == 0)
		*once_ms_r = (int64_t)(once / BYTES_PER_MS);
	return r;
}

int speech_prompt(const struct voice *v, int64_t ms, struct mag_secret *wav_r)
{
	const struct voice_piece *press = &v->piece[VOICE_PRESS];
	const size_t pause = ASK_MS * BYTES_PER_MS, whole = (size_t)ms * BYTES_PER_MS;
	struct row row = { .n = 0 };

	add_silence(&row, LEAD_MS);
	/* At least once, and then for as long as was said. */
	do {
		add(&row, press, press->len);
		if (row.len < whole)
			add(&row, NULL, whole - row.len < pause ? whole - row.len : pause);
	} while (!row.full && row.len + press->len <= whole);
	if (row.len < whole)
		add(&row, NULL, whole - row.len);
	return make_wav(&row, wav_r);
}

int speech_silence(int64_t ms, struct mag_secret *wav_r)
{
	struct row row = { .n = 0 };

	add_silence(&row, ms);
	return make_wav(&row, wav_r);
}
