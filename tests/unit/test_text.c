#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* RFC 3629 §4, and the usual ways to get around it. */
static const struct {
	const char *bytes;
	bool valid;
	const char *clean;
} utf8[] = {
	{ "", true, "" }, { "plain ASCII ~", true, "plain ASCII ~" },
	{ "J\xc3\xbcrgen", true, "J\xc3\xbcrgen" }, { "\xe2\x82\xac", true, "\xe2\x82\xac" },
	{ "\xf0\x9f\x93\xb1", true, "\xf0\x9f\x93\xb1" },
	{ "\xc2\x80", true, "?" },                        /* C1 control: valid, but not clean */
	{ "\xf4\x8f\xbf\xbf", true, "\xf4\x8f\xbf\xbf" }, /* U+10FFFF, the last */
	{ "\xed\x9f\xbf", true, "\xed\x9f\xbf" },         /* U+D7FF, before the surrogates */
	{ "\xee\x80\x80", true, "\xee\x80\x80" },         /* U+E000, after them */
	{ "\xc0\xaf", false, "??" },                      /* overlong / */
	{ "\xc1\xbf", false, "??" }, { "\xe0\x80\xaf", false, "???" },
	{ "\xe0\x9f\xbf", false, "???" }, { "\xf0\x80\x80\xaf", false, "????" },
	{ "\xf0\x8f\xbf\xbf", false, "????" }, { "\xed\xa0\x80", false, "???" }, /* surrogates */
	{ "\xed\xbf\xbf", false, "???" },
	{ "\xf4\x90\x80\x80", false, "????" }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", false, "????" }, { "\xff", false, "?" }, { "\xfe", false, "?" },
	{ "\x80", false, "?" },   /* a continuation alone */
	{ "a\xc3", false, "a?" }, /* cut */
	{ "a\xe2\x82", false, "a??" }, { "a\xe2\x82z", false, "a??z" },
	{ "\xc3\xc3\xbc", false, "?\xc3\xbc" }, /* goes on with the next character */
};

static void test_utf8_table(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < LENGTH(utf8); i++) {
		assert_int_equal(
			mag_utf8_valid(utf8[i].bytes, strlen(utf8[i].bytes)), utf8[i].valid);
		assert_string_equal(mag_clean(out, sizeof(out), utf8[i].bytes), utf8[i].clean);
		/* what was cleaned is valid and stays as it is */
		assert_true(mag_utf8_valid(out, strlen(out)));
	}
	assert_false(mag_utf8_valid("a\0b", 3));
	assert_true(mag_utf8_valid("a\0b", 1));
	assert_false(mag_utf8_valid("\xc3\xbc", 1));
}

static void test_threat_21_clean_takes_away_what_moves_or_turns(void **state)
{
	static const struct {
		const char *dirty, *clean;
	} t[] = {
		{ "a\nb\rc\td", "a?b?c?d" },
		{ "\x1b[31mred\x1b[0m", "?[31mred?[0m" },
		{ "bell\a del\x7f", "bell? del?" },
		{ "nel\xc2\x85", "nel?" },
		{ "csi\xc2\x9b", "csi?" },
		{ "\xe2\x80\xae"
		  "evil",
			"?evil" }, /* right-to-left override */
		{ "\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad", "????" },
		{ "\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9", "????" },
		{ "\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "???" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", "??" }, /* line, paragraph separator */
		{ "\xef\xbb\xbf"
		  "bom",
			"?bom" },
		{ "\xc2\xa0"
		  "nbsp",
			"\xc2\xa0"
			"nbsp" },
		{ "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < LENGTH(t); i++)
		assert_string_equal(mag_clean(out, sizeof(out), t[i].dirty), t[i].clean);
	assert_string_equal(mag_clean(out, sizeof(out), NULL), "");
}

static void test_clean_cuts_between_characters(void **state)
{
	char out[8];

	(void)state;
	assert_string_equal(mag_clean(out, 4, "ab\xc3\xbc"), "ab");
	assert_string_equal(mag_clean(out, 5, "ab\xc3\xbc"), "ab\xc3\xbc");
	assert_string_equal(mag_clean(out, 2, "\xf0\x9f\x93\xb1"), "");
	assert_string_equal(mag_clean(out, 1, "a"), "");
	out[0] = '#';
	assert_ptr_equal(mag_clean(out, 0, "a"), out);
	assert_int_equal(out[0], '#');
}

static void test_copy_fits_or_is_empty(void **state)
{
	char out[4] = "###";

	(void)state;
	assert_int_equal(mag_copy(out, sizeof(out), "abc"), 0);
	assert_string_equal(out, "abc");
	assert_int_equal(mag_copy(out, sizeof(out), "abcd"), MAG_ENOSPACE);
	assert_string_equal(out, "");
	assert_int_equal(mag_copy(out, sizeof(out), NULL), 0);
	assert_string_equal(out, "");
	assert_int_equal(mag_copy(out, 0, ""), MAG_ENOSPACE);
}

static void test_small_questions(void **state)
{
	(void)state;
	assert_true(mag_streq("a", "a"));
	assert_false(mag_streq("a", "A"));
	assert_false(mag_streq(NULL, NULL));
	assert_false(mag_streq("", NULL));
	assert_true(mag_has_prefix("require=x", "require="));
	assert_true(mag_has_prefix("x", ""));
	assert_false(mag_has_prefix("req", "require="));
	assert_false(mag_has_prefix(NULL, "x"));
	assert_true(mag_all_digits("0123456789"));
	assert_false(mag_all_digits(""));
	assert_false(mag_all_digits(NULL));
	assert_false(mag_all_digits("12 3"));
	assert_false(mag_all_digits("-1"));
	assert_false(mag_all_digits("\xd9\xa3")); /* an Arabic 3 */
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t seconds;
		const char *again;
	} t[] = {
		{ "20s", 0, 20, "20s" },
		{ "2m", 0, 120, "2m" },
		{ "120s", 0, 120, "2m" },
		{ "90s", 0, 90, "90s" },
		{ "8h", 0, 28800, "8h" },
		{ "24h", 0, 86400, "1d" },
		{ "30d", 0, 2592000, "30d" },
		{ "1y", 0, 31536000, "1y" },
		{ "365d", 0, 31536000, "1y" },
		{ "0", 0, 0, "0s" },
		{ "0s", 0, 0, "0s" },
		{ "0y", 0, 0, "0s" },
		{ "007s", 0, 7, "7s" },
		{ "9223372036854775807s", 0, INT64_MAX, "9223372036854775807s" },
		{ "9223372036854775808s", MAG_ERANGE, 0, NULL },
		{ "99999999999999999999s", MAG_ERANGE, 0, NULL },
		{ "292471208677y", 0, INT64_C(292471208677) * 31536000, "292471208677y" },
		{ "292471208678y", MAG_ERANGE, 0, NULL },
		{ "20", MAG_ESYNTAX, 0, NULL },
		{ "", MAG_ESYNTAX, 0, NULL },
		{ "s", MAG_ESYNTAX, 0, NULL },
		{ "-1s", MAG_ESYNTAX, 0, NULL },
		{ "+1s", MAG_ESYNTAX, 0, NULL },
		{ " 1s", MAG_ESYNTAX, 0, NULL },
		{ "1 s", MAG_ESYNTAX, 0, NULL },
		{ "1s ", MAG_ESYNTAX, 0, NULL },
		{ "1.5h", MAG_ESYNTAX, 0, NULL },
		{ "1h30m", MAG_ESYNTAX, 0, NULL },
		{ "1M", MAG_ESYNTAX, 0, NULL },
		{ "1w", MAG_ESYNTAX, 0, NULL },
		{ NULL, MAG_ESYNTAX, 0, NULL },
	};
	char buf[40];

	(void)state;
	for (size_t i = 0; i < LENGTH(t); i++) {
		int64_t v = -7;

		assert_int_equal(mag_duration_parse(t[i].text, &v), t[i].r);
		assert_true(v == (t[i].r == 0 ? t[i].seconds : -7));
		if (t[i].r == 0)
			assert_string_equal(mag_duration_format(v, buf, sizeof(buf)), t[i].again);
	}
}

static void test_whole_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max;
		int r;
		int64_t value;
	} t[] = {
		{ "0", 0, 9, 0, 0 },
		{ "9", 0, 9, 0, 9 },
		{ "10", 0, 9, MAG_ERANGE, 0 },
		{ "-1", 0, 9, MAG_ERANGE, 0 },
		{ "-5", -5, 5, 0, -5 },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, MAG_ERANGE, 0 },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX, MAG_ERANGE, 0 },
		{ "92233720368547758080", INT64_MIN, INT64_MAX, MAG_ERANGE, 0 },
		{ "99999999999999999999x", INT64_MIN, INT64_MAX, MAG_ESYNTAX, 0 },
		{ "", 0, 9, MAG_ESYNTAX, 0 },
		{ "-", 0, 9, MAG_ESYNTAX, 0 },
		{ "--1", -9, 9, MAG_ESYNTAX, 0 },
		{ "+1", 0, 9, MAG_ESYNTAX, 0 },
		{ " 1", 0, 9, MAG_ESYNTAX, 0 },
		{ "1 ", 0, 9, MAG_ESYNTAX, 0 },
		{ "0x1", 0, 9, MAG_ESYNTAX, 0 },
		{ "1.0", 0, 9, MAG_ESYNTAX, 0 },
		{ NULL, 0, 9, MAG_ESYNTAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(t); i++) {
		int64_t v = 77;

		assert_int_equal(mag_int_parse(t[i].text, t[i].min, t[i].max, &v), t[i].r);
		assert_true(v == (t[i].r == 0 ? t[i].value : 77));
	}
}

static void test_hex(void **state)
{
	unsigned char all[256], back[256];
	char text[513];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	mag_hex_encode(all, sizeof(all), text);
	assert_memory_equal(text, "000102", 6);
	assert_string_equal(text + 508, "feff");
	assert_int_equal(mag_hex_decode(text, back, sizeof(back), &len), 0);
	assert_int_equal(len, 256);
	assert_memory_equal(all, back, 256);
	assert_int_equal(mag_hex_decode("aBCd", back, 2, &len), 0);
	assert_memory_equal(back, "\xab\xcd", 2);
	mag_hex_encode("", 0, text);
	assert_string_equal(text, "");
	assert_int_equal(mag_hex_decode("", back, 0, &len), 0);
	assert_int_equal(len, 0);
	len = 99;
	assert_int_equal(mag_hex_decode("abc", back, sizeof(back), &len), MAG_ESYNTAX);
	assert_int_equal(mag_hex_decode("0g", back, sizeof(back), &len), MAG_ESYNTAX);
	assert_int_equal(mag_hex_decode("0x12", back, sizeof(back), &len), MAG_ESYNTAX);
	assert_int_equal(mag_hex_decode(NULL, back, sizeof(back), &len), MAG_ESYNTAX);
	assert_int_equal(mag_hex_decode("aabbcc", back, 2, &len), MAG_ENOSPACE);
	assert_int_equal(len, 99);
}

/* RFC 4648 §10, in the URL alphabet and without padding. */
static void test_base64(void **state)
{
	static const struct {
		const char *clear, *coded;
	} t[] = {
		{ "", "" },
		{ "f", "Zg" },
		{ "fo", "Zm8" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "-__-" },
	};
	static const char *const wrong[] = { "Z", "Zg==", "Zm9v\n", "Zm+v", "Zm/v", "Zh", "Zm9",
		"Zm9vYm", "Zm9 ", "\xc3\xbc__" };
	char text[64];
	unsigned char back[64];
	size_t len;

	(void)state;
	for (size_t i = 0; i < LENGTH(t); i++) {
		size_t clear = strlen(t[i].clear), coded = strlen(t[i].coded);

		assert_int_equal(mag_base64_encode(t[i].clear, clear, text, coded + 1), 0);
		assert_string_equal(text, t[i].coded);
		assert_int_equal(mag_base64_encode(t[i].clear, clear, text, coded), MAG_ENOSPACE);
		assert_int_equal(mag_base64_decode(t[i].coded, back, clear, &len), 0);
		assert_int_equal(len, clear);
		assert_memory_equal(back, t[i].clear, clear);
		if (clear > 0)
			assert_int_equal(
				mag_base64_decode(t[i].coded, back, clear - 1, &len), MAG_ENOSPACE);
	}
	len = 99;
	for (size_t i = 0; i < LENGTH(wrong); i++)
		assert_int_equal(
			mag_base64_decode(wrong[i], back, sizeof(back), &len), MAG_ESYNTAX);
	assert_int_equal(mag_base64_decode(NULL, back, sizeof(back), &len), MAG_ESYNTAX);
	assert_int_equal(len, 99);
}

static void test_times(void **state)
{
	const int64_t at = 1795269723; /* 2026-11-21T14:02:03Z */
	char buf[40];

	(void)state;
	setenv("TZ", "EST5", 1);
	tzset();
	assert_string_equal(mag_time_rfc3339(at, buf, sizeof(buf)), "2026-11-21T14:02:03Z");
	assert_string_equal(mag_time_minute(at, buf, sizeof(buf)), "2026-11-21 09:02");
	assert_string_equal(mag_time_day(at, buf, sizeof(buf)), "2026-11-21");
	setenv("TZ", "XYZ-14", 1);
	tzset();
	assert_string_equal(mag_time_day(at, buf, sizeof(buf)), "2026-11-22");
	assert_string_equal(mag_time_rfc3339(4102444800, buf, sizeof(buf)), "2100-01-01T00:00:00Z");
	assert_string_equal(mag_time_rfc3339(0, buf, sizeof(buf)), "never");
	assert_string_equal(mag_time_minute(-5, buf, sizeof(buf)), "never");
	assert_string_equal(mag_time_day(0, buf, sizeof(buf)), "never");
	assert_string_equal(mag_time_day(INT64_MAX, buf, sizeof(buf)), "never");
	assert_string_equal(mag_time_minute(at, buf, 8), ""); /* nothing rather than half */
}

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} t[] = {
		{ "", "", 0 },
		{ "abc", "abc", 0 },
		{ "", "abc", 3 },
		{ "abc", "", 3 },
		{ "abc", "abd", 1 },
		{ "abc", "acb", 1 }, /* neighbours changed places */
		{ "abc", "ab", 1 },
		{ "abc", "abcd", 1 },
		{ "kitten", "sitting", 3 },
		{ "ca", "abc", 3 },
		{ "unenroled", "unenrolled", 1 },
		{ "code_digtis", "code_digits", 1 },
	};
	char longer[66];

	(void)state;
	for (size_t i = 0; i < LENGTH(t); i++) {
		assert_int_equal(mag_distance(t[i].a, t[i].b), t[i].distance);
		assert_int_equal(mag_distance(t[i].b, t[i].a), t[i].distance);
	}
	memset(longer, 'a', 65);
	longer[65] = '\0';
	assert_int_equal(mag_distance(longer, longer), 0);
	assert_int_equal(mag_distance(longer, longer + 1), UINT_MAX);
	assert_int_equal(mag_distance(longer + 1, longer + 2), 1);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "deny", "allow", "enroll", "no", NULL };
	static const char *const none[] = { NULL };

	(void)state;
	assert_string_equal(mag_nearest("alow", words), "allow");
	assert_string_equal(mag_nearest("enrol", words), "enroll");
	assert_string_equal(mag_nearest("dney", words), "deny");
	assert_string_equal(mag_nearest("deny", words), "deny");
	assert_null(mag_nearest("something", words));
	assert_null(mag_nearest("xy", words)); /* two of two letters changed is another word */
	assert_null(mag_nearest("deny", none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8_table),
		cmocka_unit_test(test_threat_21_clean_takes_away_what_moves_or_turns),
		cmocka_unit_test(test_clean_cuts_between_characters),
		cmocka_unit_test(test_copy_fits_or_is_empty),
		cmocka_unit_test(test_small_questions),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_whole_numbers),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
