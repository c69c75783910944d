/* Recovery codes: text, hash, which one (security.md 42; NIST: at least 64 bits,
 * hashed, single use), and the symbols they share with licence keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/symbols.h"
#include "otpcore/engine/token.h"

#define NOW 1800000000

static void test_format(void **state)
{
	static const unsigned char ones[10] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff };
	/* 00000 00001 00010 ... 01111: the symbols 0 to F */
	static const unsigned char counting[10] = { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6,
		0x35, 0xcf };
	static const unsigned char zeros[10];
	char text[RECOVERY_TEXT_LEN + 1];

	(void)state;
	recovery_format(zeros, text);
	assert_string_equal(text, "0000-0000-0000-0000");
	recovery_format(ones, text);
	assert_string_equal(text, "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
	recovery_format(counting, text);
	assert_string_equal(text, "0123-4567-89AB-CDEF");
}

/* All 80 bits are in the text. */
static void test_every_bit_shows(void **state)
{
	char texts[81][RECOVERY_TEXT_LEN + 1];
	unsigned char bits[10];
	int i, j;

	(void)state;
	for (i = 0; i <= 80; i++) {
		memset(bits, 0, sizeof(bits));
		if (i < 80)
			bits[i / 8] = (unsigned char)(0x80 >> i % 8);
		recovery_format(bits, texts[i]);
		for (j = 0; j < i; j++)
			assert_string_not_equal(texts[i], texts[j]);
	}
}

static void test_parse_takes_what_people_type(void **state)
{
	static const char *const same[] = { "0123-4567-89AB-CDEF", "0123456789abcdef",
		" o123-4567-89ab-cdef ", "Ol23 4567 89AB CDEF", "oi23-456789AB-cd-ef\n" };
	static const char *const bad[] = { "", "123456", "12345678", "0123-4567-89AB-CDE",
		"0123-4567-89AB-CDEFG", "0123-4567-89AB-CDEU", "0123-4567-89AB-CDE!",
		"0123_4567_89AB_CDEF", "0123-4567-89AB-CD\xc3\xa4", "----", NULL };
	char text[RECOVERY_TEXT_LEN + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(recovery_parse(same[i], text));
		assert_string_equal(text, "0123-4567-89AB-CDEF");
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(text, "keep", 5);
		assert_false(recovery_parse(bad[i], text));
		assert_string_equal(text, "keep");
	}
}

static void test_hash_is_sha256_of_the_normal_form(void **state)
{
	unsigned char hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1];

	(void)state;
	assert_int_equal(recovery_hash("0123-4567-89AB-CDEF", hash), 0);
	mag_hex_encode(hash, sizeof(hash), hex);
	/* printf %s 0123-4567-89AB-CDEF | sha256sum */
	assert_string_equal(
		hex, "33d07c717e1889c263cf86b84edd0a5aa3f12826a62da802ca3bf033d87b4f13");
}

static void test_find_only_the_unused_and_in_date(void **state)
{
	struct aggregate *a = calloc(1, sizeof(*a));
	unsigned char hash[HASH_LEN];
	struct recovery *r;

	(void)state;
	assert_non_null(a);
	a->account.row.id = 1;
	assert_int_equal(recovery_hash("0123-4567-89AB-CDEF", hash), 0);
	assert_null(recovery_find(a, hash, NOW));
	a->n_recoveries = 2;
	a->recoveries[0] = (struct recovery){ .account = 1, .kind = RECOVERY_CODE };
	a->recoveries[0].hash.len = HASH_LEN;
	a->recoveries[1] = a->recoveries[0];
	r = &a->recoveries[1];
	memcpy(r->hash.data, hash, HASH_LEN);
	assert_ptr_equal(recovery_find(a, hash, NOW), r);
	r->used_at = NOW - 1;
	assert_null(recovery_find(a, hash, NOW));
	r->used_at = 0;
	r->expires_at = NOW;
	assert_ptr_equal(recovery_find(a, hash, NOW), r);
	assert_null(recovery_find(a, hash, NOW + 1));
	r->expires_at = 0;
	r->account = 2;
	assert_null(recovery_find(a, hash, NOW));
	r->account = 1;
	r->row.fate = ROW_DELETED;
	assert_null(recovery_find(a, hash, NOW));
	r->row.fate = ROW_CLEAN;
	r->hash.len = HASH_LEN - 1;
	assert_null(recovery_find(a, hash, NOW));
	r->hash.len = HASH_LEN;
	hash[HASH_LEN - 1] ^= 1;
	assert_null(recovery_find(a, hash, NOW));
	free(a);
}

static void test_symbols(void **state)
{
	unsigned char s[8];
	char text[16];
	size_t i;

	(void)state;
	for (i = 0; i < 32; i++)
		assert_non_null(
			strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", symbol_char((unsigned char)i)));
	assert_int_equal(symbol_char(32), '?');
	assert_int_equal(symbols_read("a-B u", s, 8), 3);
	assert_int_equal(s[0], 10);
	assert_int_equal(s[1], 11);
	assert_int_equal(s[2], SYMBOL_WRONG);
	assert_int_equal(symbols_read("0123456789", s, 4), 5); /* too many */
	assert_int_equal(s[3], 3);
	symbols_split((const unsigned char[]){ 0x08, 0x40 }, 3, s); /* 1, 1, 0 */
	symbols_write(s, 3, 2, text);
	assert_string_equal(text, "11-0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_every_bit_shows),
		cmocka_unit_test(test_parse_takes_what_people_type),
		cmocka_unit_test(test_hash_is_sha256_of_the_normal_form),
		cmocka_unit_test(test_find_only_the_unused_and_in_date),
		cmocka_unit_test(test_symbols),
	};

	return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
