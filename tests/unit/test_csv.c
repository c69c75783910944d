/* Tokens as CSV: what is read, and that no bytes break the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "magotp/import/csv.h"
#include "otpcore/base/err.h"

#define HEADER "serial,type,secret,digits,counter|step,algorithm\n"
#define HEX    "3132333435363738393031323334353637383930"

struct heard {
	size_t n, row;
	char column[32];
};

static void hear(void *arg, size_t row, const char *column, const char *what)
{
	struct heard *h = arg;

	assert_non_null(what);
	h->n++;
	h->row = row;
	snprintf(h->column, sizeof h->column, "%s", column);
}

static int read_text(const char *text, size_t len, struct heard *h, struct import_list *list)
{
	const struct csv_faults faults = { hear, h };
	FILE *f = len ? fmemopen((void *)(uintptr_t)text, len, "r") : fopen("/dev/null", "r");
	int r;

	assert_non_null(f);
	memset(h, 0, sizeof *h);
	r = csv_read(f, &faults, list);
	fclose(f);
	assert_int_equal(r == MAG_EINVAL, h->n > 0);
	return r;
}

static void test_H1_rows_become_seeds(void **state)
{
	static const char text[] = HEADER "A1,hotp," HEX ",6,7,sha1\n"
					  "\n"
					  "A2,totp,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,8,60,SHA-512";
	struct import_list list = { 0 };
	struct heard h;

	(void)state;
	assert_int_equal(read_text(text, sizeof text - 1, &h, &list), 0);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.seeds[0].seed.serial, "A1");
	assert_int_equal(list.seeds[0].seed.type, SEED_HOTP);
	assert_int_equal(list.seeds[0].seed.counter, 7);
	assert_int_equal(list.seeds[0].seed.period, 0);
	assert_int_equal(list.seeds[1].row, 4);
	assert_int_equal(list.seeds[1].seed.type, SEED_TOTP);
	assert_int_equal(list.seeds[1].seed.algorithm, 3);
	assert_int_equal(list.seeds[1].seed.period, 60);
	/* The same secret, in hex and in base32 (RFC 4226's). */
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(
			mag_secret_text(&list.seeds[i].seed.secret), "12345678901234567890");
	import_list_free(&list);
	assert_null(list.seeds);
}

static void test_base32_ends_in_zero_bits(void **state)
{
	/* 16 bytes are 26 characters; the last carries 2 bits that must be zero. */
	static const struct {
		const char *secret;
		int right;
	} cases[] = { { "GEZDGNBVGY3TQOJQGEZDGNBVGY", 1 },
		{ "gezdgnbvgy3tqojqgezdgnbvgy======", 1 }, { "GEZDGNBVGY3TQOJQGEZDGNBVGZ", 0 },
		{ "GEZDGNBVGY3TQOJQGEZDGNBVGY3", 0 }, { "GEZDGNBVGY3TQOJQGEZDGNBV=GY", 0 },
		{ "GEZDGNBVGY3TQOJQGEZDGNBVG1", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct import_list list = { 0 };
		struct heard h;
		char text[256];
		int n = snprintf(text, sizeof text, HEADER "A,hotp,%s,6,0,sha1\n", cases[i].secret);

		assert_int_equal(
			read_text(text, (size_t)n, &h, &list), cases[i].right ? 0 : MAG_EINVAL);
		if (!cases[i].right)
			assert_string_equal(h.column, "secret");
		import_list_free(&list);
	}
}

static void test_a_fault_leaves_the_list_untouched(void **state)
{
	static const char text[] = HEADER "A1,hotp," HEX ",6,7,sha1\nA1,hotp," HEX ",6,7,sha1\n";
	struct import_list list = { 0 };
	struct heard h;

	(void)state;
	assert_int_equal(read_text(text, sizeof text - 1, &h, &list), MAG_EINVAL);
	assert_int_equal(h.row, 3);
	assert_string_equal(h.column, "serial");
	assert_null(list.seeds);
	assert_int_equal(read_text("", 0, &h, &list), MAG_EINVAL);
}

/* A right file with bytes changed, cut and doubled: an answer, never a crash. */
static void test_threat_36_damaged_files_get_an_answer(void **state)
{
	static const char good[] = "\xef\xbb\xbf" HEADER "A1,hotp," HEX ",6,7,sha1\n\"A2\", totp ,"
				   "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,8,60,sha512\r\n";
	static const char odd[] = { 0, '"', ',', '\n', '\r', '=', '(', -1, ' ', '9' };
	size_t len = sizeof good - 1;

	(void)state;
	for (size_t at = 0; at < len; at++)
		for (size_t k = 0; k < sizeof odd + 1; k++) {
			struct import_list list = { 0 };
			struct heard h;
			char text[sizeof good];

			memcpy(text, good, sizeof good);
			if (k < sizeof odd)
				text[at] = odd[k];
			read_text(text, k < sizeof odd ? len : at, &h, &list);
			import_list_free(&list);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_H1_rows_become_seeds),
		cmocka_unit_test(test_base32_ends_in_zero_bits),
		cmocka_unit_test(test_a_fault_leaves_the_list_untouched),
		cmocka_unit_test(test_threat_36_damaged_files_get_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
