/* Recorded speech: which files are taken, which language is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/sip/voice.h"

static const char *const pieces[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "intro",
	"press", "again", "bye" };

/* A file with an unknown chunk of odd length before its four samples. */
static const unsigned char good[] =
	"RIFF\x3a\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\20\0"
	"LIST\3\0\0\0abc\0data\x8\0\0\0\1\0\2\0\3\0\4";
#define GOOD_LEN sizeof good

static char directory[] = "/tmp/magotp-voice-XXXXXX";

static void path_of(const char *language, const char *piece, char path[128])
{
	snprintf(path, 128, "%s/%s/%s.wav", directory, language, piece);
}

static void write_piece(const char *language, const char *piece, const void *data, size_t len)
{
	char path[128];
	FILE *f;

	path_of(language, piece, path);
	assert_non_null(f = fopen(path, "wb"));
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void write_language(const char *language)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", directory, language);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < VOICE_PIECES; i++)
		write_piece(language, pieces[i], good, GOOD_LEN);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	write_language("en");
	write_language("fr");
	write_language("fr_CA");
	return 0;
}

static int tear_down(void **state)
{
	static const char *const languages[] = { "en", "fr", "fr_CA" };
	char path[128];

	(void)state;
	for (size_t l = 0; l < 3; l++) {
		for (size_t i = 0; i < VOICE_PIECES; i++) {
			path_of(languages[l], pieces[i], path);
			unlink(path);
		}
		snprintf(path, sizeof path, "%s/%s", directory, languages[l]);
		rmdir(path);
	}
	return rmdir(directory);
}

static void test_pieces_are_read(void **state)
{
	char err[VOICE_ERROR_MAX];
	struct voice *v = NULL;

	(void)state;
	assert_int_equal(voice_read(directory, "en", &v, err), 0);
	assert_int_equal(v->piece[VOICE_BYE].len, 8);
	assert_memory_equal(v->piece[3].samples, "\1\0\2\0\3\0\4", 8);
	voice_free(&v);
	assert_int_equal(voice_check(directory, err), 0);
}

static void test_other_files_are_refused_by_name(void **state)
{
	static const struct {
		size_t at;
		unsigned char byte;
		int r;
	} rows[] = {
		{ 0, 'X', MAG_ESYNTAX },   /* no RIFF */
		{ 20, 7, MAG_ESYNTAX },    /* mu-law */
		{ 22, 2, MAG_ESYNTAX },    /* stereo */
		{ 25, 0x3e, MAG_ESYNTAX }, /* 16000 Hz */
		{ 34, 8, MAG_ESYNTAX },    /* 8 bits */
		{ 52, 0xff, MAG_ESYNTAX }, /* says it is longer than it is */
		{ 52, 0, MAG_ERANGE },     /* empty */
		{ 48, 'D', MAG_ESYNTAX },  /* no data at all */
		{ 16, 0xf0, MAG_ESYNTAX }, /* a chunk beyond the end */
	};
	unsigned char bad[GOOD_LEN];
	char err[VOICE_ERROR_MAX];
	struct voice *v = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		memcpy(bad, good, sizeof bad);
		bad[rows[i].at] = rows[i].byte;
		write_piece("fr", "7", bad, sizeof bad);
		assert_int_equal(voice_read(directory, "fr", &v, err), rows[i].r);
		assert_non_null(strstr(err, "/fr/7.wav is "));
		assert_null(v);
		/* Read when settings are, not when somebody waits for a code. */
		assert_int_equal(voice_check(directory, err), rows[i].r);
	}
	/* Cut off anywhere. */
	for (size_t len = 0; len < GOOD_LEN; len++) {
		write_piece("fr", "7", good, len);
		assert_true(voice_read(directory, "fr", &v, err) < 0);
	}
	write_piece("fr", "7", good, GOOD_LEN);
	assert_int_equal(voice_check(directory, err), 0);
}

static void test_missing_piece(void **state)
{
	char err[VOICE_ERROR_MAX], path[128];

	(void)state;
	path_of("fr", "bye", path);
	unlink(path);
	assert_int_equal(voice_check(directory, err), MAG_ENOTFOUND);
	assert_non_null(strstr(err, "/fr/bye.wav is not there"));
	write_piece("fr", "bye", good, GOOD_LEN);
	assert_int_equal(voice_check("/nowhere", err), MAG_ENOTFOUND);
}

static void test_language_of_the_account_else_english(void **state)
{
	static const char *const rows[][2] = {
		{ "fr_CA", "fr_CA" },
		{ "fr_BE", "fr" },
		{ "fr-BE", "fr" },
		{ "fr", "fr" },
		{ "de", "en" },
		{ "de_AT", "en" },
		{ "", "en" },
		{ "x", "en" },
		{ "../fr", "en" },
		{ "fr_abcdefghijklmnopq", "en" },
	};
	char language[VOICE_LANGUAGE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		voice_language(directory, rows[i][0], language);
		assert_string_equal(language, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_read),
		cmocka_unit_test(test_other_files_are_refused_by_name),
		cmocka_unit_test(test_missing_piece),
		cmocka_unit_test(test_language_of_the_account_else_english),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
