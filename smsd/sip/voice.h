/* Recorded speech: a directory with one folder per language (en, de, fr_CA ...), in it
 * the pieces 0.wav to 9.wav, intro.wav, press.wav, again.wav and bye.wav. Each is a RIFF
 * file of 16-bit PCM, mono, 8000 Hz: what a telephone takes without conversion. */
#ifndef SMSD_SIP_VOICE_H
#define SMSD_SIP_VOICE_H

#include <stddef.h>

#define VOICE_RATE         8000 /* samples a second */
#define VOICE_ERROR_MAX    256
#define VOICE_DIR_MAX      256
#define VOICE_LANGUAGE_MAX 17

enum {
	VOICE_INTRO = 10, /* behind the ten digits */
	VOICE_PRESS,
	VOICE_AGAIN,
	VOICE_BYE,
	VOICE_PIECES
};

struct voice {
	struct voice_piece {
		unsigned char *samples; /* little endian, two bytes each; owned */
		size_t len;             /* bytes */
	} piece[VOICE_PIECES];
};

/* Read the pieces of one language. 0, MAG_ENOTFOUND, MAG_ESYNTAX (not such a file),
 * MAG_ERANGE (empty or longer than half a minute), MAG_ENOMEM; err names the file. */
int voice_read(
	const char *dir, const char *language, struct voice **voice_r, char err[VOICE_ERROR_MAX]);
void voice_free(struct voice **voice);

/* The folder for an account's language: "fr_CA", else "fr", else "en". A name that is
 * no language counts as en. */
void voice_language(const char *dir, const char *wanted, char language[VOICE_LANGUAGE_MAX]);

/* Is English there, and is every language that is there complete? 0 or as voice_read. */
int voice_check(const char *dir, char err[VOICE_ERROR_MAX]);

#endif
