/* Every byte in every context is read back as itself by a decoder that is not
 * ours, or refused where the context cannot carry it (security.md 22). */
#include <curl/curl.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/encode.h"

#define RANDOM_TEXTS 20000

struct decoded {
	unsigned char data[512];
	size_t len;
};

/* ---- decoders ---- */

static void decode_percent(const struct mag_secret *in, struct decoded *out)
{
	int len = 0;
	char *plain = curl_easy_unescape(NULL, mag_secret_text(in), (int)in->len, &len);

	assert_non_null(plain);
	memcpy(out->data, plain, (size_t)len);
	out->len = (size_t)len;
	curl_free(plain);
}

/* A form's decoder also makes blanks of plus signs: there must be none. */
static void decode_form(const struct mag_secret *in, struct decoded *out)
{
	assert_null(strpbrk(mag_secret_text(in), "+&=;"));
	decode_percent(in, out);
}

static void decode_json(const struct mag_secret *in, struct decoded *out)
{
	char document[8192];
	struct json_object *array, *value;

	snprintf(document, sizeof document, "[\"%s\"]", mag_secret_text(in));
	array = json_tokener_parse(document);
	assert_non_null(array);
	assert_int_equal(json_object_array_length(array), 1);
	value = json_object_array_get_idx(array, 0);
	out->len = (size_t)json_object_get_string_len(value);
	memcpy(out->data, json_object_get_string(value), out->len);
	json_object_put(array);
}

/* Character references with numbers are all that may be in there. */
static void decode_xml(const struct mag_secret *in, struct decoded *out)
{
	out->len = 0;
	for (const char *s = mag_secret_text(in); *s;) {
		assert_null(strchr("<>\"'\r", *s));
		if (*s == '&') {
			char *end;

			assert_memory_equal(s, "&#", 2);
			out->data[out->len++] = (unsigned char)strtoul(s + 2, &end, 10);
			assert_int_equal(*end, ';');
			s = end + 1;
		} else {
			out->data[out->len++] = (unsigned char)*s++;
		}
	}
}

static void decode_same(const struct mag_secret *in, struct decoded *out)
{
	out->len = in->len;
	memcpy(out->data, in->data ? in->data : (const unsigned char *)"", in->len);
}

/* ---- what each context may refuse ---- */

static int control(unsigned char c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

static int refuse_nothing(unsigned char c)
{
	(void)c;
	return 0;
}

static int refuse_not_text(unsigned char c)
{
	return c >= 0x80; /* alone: no UTF-8 */
}

static int refuse_xml(unsigned char c)
{
	return c >= 0x80 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r');
}

static int refuse_user(unsigned char c)
{
	return control(c) || c == '\t' || c == ':';
}

static const struct {
	const char *name;
	enum enc_context context;
	void (*decode)(const struct mag_secret *in, struct decoded *out);
	int (*refuses)(unsigned char c);
} cases[] = {
	{ "path", ENC_PATH, decode_percent, refuse_nothing },
	{ "query", ENC_QUERY, decode_form, refuse_nothing },
	{ "form", ENC_FORM, decode_form, refuse_nothing },
	{ "json", ENC_JSON, decode_json, refuse_not_text },
	{ "xml", ENC_XML, decode_xml, refuse_xml },
	{ "header", ENC_HEADER, decode_same, control },
	{ "user", ENC_USER, decode_same, refuse_user },
};
#define N_CASES (sizeof cases / sizeof *cases)

static void check(size_t i, const void *data, size_t len, int refused)
{
	struct mag_secret out = { 0 };
	struct decoded back = { { 0 }, 0 };
	int r = enc_append(&out, cases[i].context, data, len);

	if (refused) {
		assert_int_equal(r, MAG_ERANGE);
	} else {
		assert_int_equal(r, 0);
		cases[i].decode(&out, &back);
		assert_int_equal(back.len, len);
		assert_memory_equal(back.data, data, len);
	}
	mag_secret_free(&out);
}

static void threat_22_every_byte_in_every_context(void **state)
{
	(void)state;
	assert_int_equal(N_CASES, ENC_N);
	for (size_t i = 0; i < N_CASES; i++)
		for (int c = 0; c < 256; c++) {
			unsigned char byte = (unsigned char)c;
			unsigned char inside[3] = { 'a', byte, 'b' };

			check(i, &byte, 1, cases[i].refuses(byte));
			check(i, inside, 3, cases[i].refuses(byte));
		}
}

/* One character of UTF-8 by its number; length. */
static size_t utf8(uint32_t c, char *s)
{
	if (c < 0x80) {
		s[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	s[0] = (char)(0xf0 | c >> 18);
	s[1] = (char)(0x80 | (c >> 12 & 0x3f));
	s[2] = (char)(0x80 | (c >> 6 & 0x3f));
	s[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void threat_22_every_character_in_every_context(void **state)
{
	char s[4];

	(void)state;
	for (uint32_t c = 0x80; c <= 0x10ffff; c += c < 0x3000 ? 1 : 0x1f) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		for (size_t i = 0; i < N_CASES; i++)
			check(i, s, utf8(c, s), 0);
	}
}

static void threat_22_random_texts_of_awkward_characters(void **state)
{
	static const char awkward[] = "\"\\/{}[]<>&'%+=;:,?#@ \t-_.~azAZ09";
	char text[64];

	(void)state;
	srandom(22);
	for (int n = 0; n < RANDOM_TEXTS; n++) {
		size_t len = (size_t)random() % sizeof text;

		for (size_t k = 0; k < len; k++)
			text[k] = awkward[(size_t)random() % (sizeof awkward - 1)];
		for (size_t i = 0; i < N_CASES; i++)
			check(i, text, len,
				cases[i].context == ENC_USER &&
					(memchr(text, ':', len) || memchr(text, '\t', len)));
	}
}

static void not_utf8_is_refused_where_text_is_needed(void **state)
{
	static const char *const bad[] = { "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "a\xc3",
		"\x80", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		check(ENC_JSON, bad[i], strlen(bad[i]), 1);
		check(ENC_XML, bad[i], strlen(bad[i]), 1);
	}
}

static void percent_leaves_only_unreserved_characters(void **state)
{
	struct mag_secret out = { 0 };

	(void)state;
	assert_int_equal(enc_append_text(&out, ENC_PATH, "a/../b?c#d e+f"), 0);
	assert_string_equal(mag_secret_text(&out), "a%2F..%2Fb%3Fc%23d%20e%2Bf");
	mag_secret_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_22_every_byte_in_every_context),
		cmocka_unit_test(threat_22_every_character_in_every_context),
		cmocka_unit_test(threat_22_random_texts_of_awkward_characters),
		cmocka_unit_test(not_utf8_is_refused_where_text_is_needed),
		cmocka_unit_test(percent_leaves_only_unreserved_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
