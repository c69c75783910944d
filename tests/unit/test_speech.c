/* What a call says: which pieces in which order, with which pauses, how often. Every piece
 * has samples of its own here, so that it can be told in the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/sip/speech.h"

#define HEAD         44
#define BYTES_PER_MS 16
#define PIECE_MS     20

static struct voice *voice;

static int set_up(void **state)
{
	(void)state;
	voice = calloc(1, sizeof *voice);
	for (size_t i = 0; voice && i < VOICE_PIECES; i++) {
		struct voice_piece *p = &voice->piece[i];

		p->len = PIECE_MS * BYTES_PER_MS;
		if (!(p->samples = malloc(p->len)))
			return -1;
		memset(p->samples, (int)i + 1, p->len);
	}
	return voice ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	voice_free(&voice);
	return 0;
}

/* "I4 2 . A4 2 . B": pieces by letter, a blank for each silence; its length in ms goes to
 * `silence`. Returns how many silences there are. */
static size_t decode(const struct mag_secret *wav, char *words, unsigned silence[64])
{
	static const char letters[] = "0123456789IPAB";
	size_t n = 0, at = HEAD;

	while (at < wav->len) {
		size_t end = at;
		unsigned char c = wav->data[at];

		while (end < wav->len && wav->data[end] == c)
			end++;
		if (c) {
			assert_int_equal((end - at) % (PIECE_MS * BYTES_PER_MS), 0);
			for (size_t i = 0; i < (end - at) / (PIECE_MS * BYTES_PER_MS); i++)
				*words++ = letters[c - 1];
		} else {
			*words++ = ' ';
			silence[n++] = (unsigned)((end - at) / BYTES_PER_MS);
		}
		at = end;
	}
	*words = '\0';
	return n;
}

static unsigned long little(const unsigned char *p, size_t n)
{
	return n ? p[0] | little(p + 1, n - 1) << 8 : 0;
}

static void test_code_is_said_digit_by_digit_twice(void **state)
{
	const struct speech how = { 2, 100 };
	struct mag_secret wav = { 0 };
	unsigned silence[64];
	char words[128];
	int64_t once = 0;

	(void)state;
	assert_int_equal(speech_code(voice, "407", &how, &wav, &once), 0);
	assert_int_equal(decode(&wav, words, silence), 10);
	assert_string_equal(words, " I 4 0 7 A 4 0 7 B ");
	assert_int_equal(silence[1], 150);       /* behind the sentence */
	assert_int_equal(silence[2], 100);       /* behind a digit */
	assert_int_equal(silence[4], 100 + 150); /* between the readings */
	assert_int_equal(once, silence[0] + PIECE_MS + 150 + 3 * (PIECE_MS + 100));
	mag_secret_free(&wav);
}

static void test_repeats_and_equal_digits(void **state)
{
	const struct speech how = { 5, 1 };
	struct mag_secret wav = { 0 };
	unsigned silence[128];
	char words[256];
	int64_t once;

	(void)state;
	assert_int_equal(speech_code(voice, "1111111111", &how, &wav, &once), 0);
	decode(&wav, words, silence);
	assert_string_equal(words,
		" I 1 1 1 1 1 1 1 1 1 1 A 1 1 1 1 1 1 1 1 1 1 A 1 1 1 1 1 1 1 1 1 1"
		" A 1 1 1 1 1 1 1 1 1 1 A 1 1 1 1 1 1 1 1 1 1 B ");
	mag_secret_free(&wav);
}

static void test_head_says_what_follows(void **state)
{
	struct mag_secret wav = { 0 };

	(void)state;
	assert_int_equal(speech_silence(1000, &wav), 0);
	assert_int_equal(wav.len, HEAD + 16000);
	assert_memory_equal(wav.data, "RIFF", 4);
	assert_int_equal(little(wav.data + 4, 4), wav.len - 8);
	assert_memory_equal(wav.data + 8, "WAVEfmt ", 8);
	assert_int_equal(little(wav.data + 16, 4), 16);
	assert_int_equal(little(wav.data + 20, 2), 1);     /* PCM */
	assert_int_equal(little(wav.data + 22, 2), 1);     /* mono */
	assert_int_equal(little(wav.data + 24, 4), 8000);  /* samples a second */
	assert_int_equal(little(wav.data + 28, 4), 16000); /* bytes a second */
	assert_int_equal(little(wav.data + 34, 2), 16);    /* bits */
	assert_memory_equal(wav.data + 36, "data", 4);
	assert_int_equal(little(wav.data + 40, 4), 16000);
	mag_secret_free(&wav);
}

static void test_what_is_no_code(void **state)
{
	static const struct {
		const char *digits;
		unsigned repeats;
		int r;
	} rows[] = {
		{ "", 2, MAG_EINVAL },
		{ "12a4", 2, MAG_EINVAL },
		{ "12345678901", 2, MAG_EINVAL },
		{ "123456", 1, MAG_ERANGE }, /* once is too easily missed */
		{ "123456", 6, MAG_ERANGE },
	};
	struct mag_secret wav = { 0 };
	int64_t once = -7;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct speech how = { rows[i].repeats, 100 };

		assert_int_equal(speech_code(voice, rows[i].digits, &how, &wav, &once), rows[i].r);
	}
	assert_null(wav.data);
	assert_int_equal(once, -7);
}

static void test_prompt_lasts_as_long_as_the_wait(void **state)
{
	struct mag_secret wav = { 0 };
	unsigned silence[64];
	char words[64];

	(void)state;
	assert_int_equal(speech_prompt(voice, 15000, &wav), 0);
	assert_int_equal(wav.len - HEAD, 15000 * BYTES_PER_MS);
	decode(&wav, words, silence);
	assert_string_equal(words, " P P P P P P ");
	/* It is said once, however short the wait. */
	assert_int_equal(speech_prompt(voice, 1, &wav), 0);
	decode(&wav, words, silence);
	assert_string_equal(words, " P");
	mag_secret_free(&wav);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_is_said_digit_by_digit_twice),
		cmocka_unit_test(test_repeats_and_equal_digits),
		cmocka_unit_test(test_head_says_what_follows),
		cmocka_unit_test(test_what_is_no_code),
		cmocka_unit_test(test_prompt_lasts_as_long_as_the_wait),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
