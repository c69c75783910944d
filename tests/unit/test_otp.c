/* HOTP and TOTP against the vectors of their RFCs, and against liboath. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#ifdef HAVE_OATH
#include <liboath/oath.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/otp.h"

/* Seeds of RFC 6238, Appendix B (and its erratum): as long as the digest. */
static const char seed[] = "1234567890123456789012345678901234567890123456789012345678901234";

static void test_rfc4226_appendix_d(void **state)
{
	static const struct {
		const char *six, *eight;
	} codes[] = {
		{ "755224", "84755224" },
		{ "287082", "94287082" },
		{ "359152", "37359152" },
		{ "969429", "26969429" },
		{ "338314", "40338314" },
		{ "254676", "68254676" },
		{ "287922", "18287922" },
		{ "162583", "82162583" },
		{ "399871", "73399871" },
		{ "520489", "45520489" },
	};
	char code[OTP_DIGITS_MAX + 1];
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++) {
		assert_int_equal(hotp_code(seed, 20, i, 6, OTP_SHA1, code), 0);
		assert_string_equal(code, codes[i].six);
		assert_int_equal(hotp_code(seed, 20, i, 7, OTP_SHA1, code), 0);
		assert_string_equal(code, codes[i].eight + 1);
		assert_int_equal(hotp_code(seed, 20, i, 8, OTP_SHA1, code), 0);
		assert_string_equal(code, codes[i].eight);
	}
}

static void test_rfc4226_truncation_example(void **state)
{
	static const unsigned char mac[20] = { 0x1f, 0x86, 0x98, 0x69, 0x0e, 0x02, 0xca, 0x16, 0x61,
		0x85, 0x50, 0xef, 0x7f, 0x19, 0xda, 0x8e, 0x94, 0x5b, 0x55, 0x5a };
	char code[OTP_DIGITS_MAX + 1];

	(void)state;
	assert_int_equal(otp_truncate(mac, sizeof(mac), 6, code), 0);
	assert_string_equal(code, "872921");
}

static void test_rfc6238_appendix_b(void **state)
{
	static const struct {
		int64_t at;
		uint64_t step;
		const char *code[3];
	} rows[] = {
		{ 59, 0x1, { "94287082", "46119246", "90693936" } },
		{ 1111111109, 0x23523ec, { "07081804", "68084774", "25091201" } },
		{ 1111111111, 0x23523ed, { "14050471", "67062674", "99943326" } },
		{ 1234567890, 0x273ef07, { "89005924", "91819424", "93441116" } },
		{ 2000000000, 0x3f940aa, { "69279037", "90698825", "38618901" } },
		{ 20000000000, 0x27bc86aa, { "65353130", "77737706", "47863826" } },
	};
	static const size_t lengths[3] = { 20, 32, 64 };
	char code[OTP_DIGITS_MAX + 1];
	unsigned i, a;

	(void)state;
	for (i = 0; i < 6; i++) {
		assert_int_equal(totp_step(rows[i].at, 30), rows[i].step);
		for (a = 0; a < 3; a++) {
			assert_int_equal(hotp_code(seed, lengths[a], rows[i].step, 8,
						 (enum otp_algorithm)(OTP_SHA1 + a), code),
				0);
			assert_string_equal(code, rows[i].code[a]);
		}
	}
}

static void test_H1_steps_of_30_and_60_seconds(void **state)
{
	(void)state;
	assert_int_equal(totp_step(0, 30), 0);
	assert_int_equal(totp_step(29, 30), 0);
	assert_int_equal(totp_step(30, 30), 1);
	assert_int_equal(totp_step(59, 60), 0);
	assert_int_equal(totp_step(120, 60), 2);
}

/* RFC 6238 §4.2: T must be wider than 32 bits. */
static void test_step_is_wider_than_32_bits(void **state)
{
	(void)state;
	assert_true(totp_step(INT64_MAX, 30) == (uint64_t)INT64_MAX / 30);
	assert_true(totp_step(30ll << 33, 30) == 1ull << 33);
	assert_int_equal(totp_step(-1, 30), 0);
	assert_int_equal(totp_step(100, 0), 0);
}

static void test_wrong_arguments_are_refused_and_leave_the_output(void **state)
{
	char code[OTP_DIGITS_MAX + 1] = "keep";
	unsigned char mac[20] = { 0 };

	(void)state;
	assert_int_equal(hotp_code(seed, 15, 0, 6, OTP_SHA1, code), MAG_EINVAL);
	assert_int_equal(hotp_code(NULL, 20, 0, 6, OTP_SHA1, code), MAG_EINVAL);
	assert_int_equal(hotp_code(seed, 20, 0, 5, OTP_SHA1, code), MAG_EINVAL);
	assert_int_equal(hotp_code(seed, 20, 0, 9, OTP_SHA1, code), MAG_EINVAL);
	assert_int_equal(hotp_code(seed, 20, 0, 6, (enum otp_algorithm)0, code), MAG_EINVAL);
	assert_int_equal(hotp_code(seed, 20, 0, 6, (enum otp_algorithm)4, code), MAG_EINVAL);
	assert_int_equal(otp_truncate(mac, 19, 6, code), MAG_EINVAL);
	assert_int_equal(otp_truncate(NULL, 20, 6, code), MAG_EINVAL);
	assert_int_equal(otp_truncate(mac, 20, 0, code), MAG_EINVAL);
	assert_string_equal(code, "keep");
	assert_int_equal(hotp_code(seed, 16, 0, 6, OTP_SHA1, code), 0);
}

static void test_leading_zeros_are_kept(void **state)
{
	unsigned char mac[20] = { 0 };
	char code[OTP_DIGITS_MAX + 1];

	(void)state;
	assert_int_equal(otp_truncate(mac, sizeof(mac), 8, code), 0);
	assert_string_equal(code, "00000000");
	mac[3] = 42;
	assert_int_equal(otp_truncate(mac, sizeof(mac), 6, code), 0);
	assert_string_equal(code, "000042");
}

/* The offset is at most 15, so the last byte read is the 19th, also of 20. */
static void test_every_offset_reads_inside_the_mac(void **state)
{
	unsigned char mac[20];
	char code[OTP_DIGITS_MAX + 1], expected[OTP_DIGITS_MAX + 1];
	unsigned offset, i;

	(void)state;
	for (offset = 0; offset < 16; offset++) {
		for (i = 0; i < sizeof(mac); i++)
			mac[i] = (unsigned char)(0xf0 + i);
		mac[19] = (unsigned char)(0xf0 | offset);
		uint32_t number = (uint32_t)(mac[offset] & 0x7f) << 24 |
				  (uint32_t)mac[offset + 1] << 16 | (uint32_t)mac[offset + 2] << 8 |
				  mac[offset + 3];

		snprintf(expected, sizeof(expected), "%08u", number % 100000000);
		assert_int_equal(otp_truncate(mac, sizeof(mac), 8, code), 0);
		assert_string_equal(code, expected);
	}
}

static void test_property_query_is_honoured(void **state)
{
	char code[OTP_DIGITS_MAX + 1] = "keep";
	unsigned char hash[32];

	(void)state;
	crypto_set_properties("provider=there-is-none");
	assert_int_equal(hotp_code(seed, 20, 0, 6, OTP_SHA1, code), MAG_ECRYPTO);
	assert_int_equal(crypto_sha256((struct crypto_text){ seed, 20 }, hash), MAG_ECRYPTO);
	assert_string_equal(code, "keep");
	crypto_set_properties("provider=default");
	assert_int_equal(hotp_code(seed, 20, 0, 6, OTP_SHA1, code), 0);
	assert_string_equal(code, "755224");
	char long_query[129];

	memset(long_query, 'x', 128);
	long_query[128] = '\0';
	assert_int_equal(crypto_set_properties(long_query), MAG_ENOSPACE);
	assert_string_equal(crypto_properties(), "provider=default");
	assert_int_equal(crypto_set_properties(""), 0);
	assert_null(crypto_properties());
}

static int hmac(const char *digest, struct crypto_text key, size_t cap, size_t *len_r)
{
	unsigned char out[64];
	struct crypto_mac m;
	int r = crypto_mac_begin(digest, key, &m);

	if (r < 0)
		return r;
	r = crypto_mac_of(
		&m, (struct crypto_text){ seed, 20 }, (struct crypto_out){ out, cap, len_r });
	crypto_mac_end(&m);
	return r;
}

static void test_hmac_refuses_what_it_cannot_do(void **state)
{
	const struct crypto_text key = { seed, 20 }, none = { seed, 0 }, nothing = { NULL, 5 };
	size_t len = 77;

	(void)state;
	assert_int_equal(hmac("SHA1", none, 64, &len), MAG_EINVAL);
	assert_int_equal(hmac("SHA1", nothing, 64, &len), MAG_EINVAL);
	assert_int_equal(hmac(NULL, key, 64, &len), MAG_EINVAL);
	assert_int_equal(hmac("NO-SUCH", key, 64, &len), MAG_ECRYPTO);
	assert_int_equal(hmac("SHA1", key, 19, &len), MAG_ECRYPTO);
	assert_int_equal(len, 77);
	assert_int_equal(hmac("SHA1", key, 20, &len), 0);
	assert_int_equal(len, 20);
}

static void test_one_key_for_many_counters(void **state)
{
	struct hotp h;
	char code[OTP_DIGITS_MAX + 1], alone[OTP_DIGITS_MAX + 1];

	(void)state;
	assert_int_equal(hotp_begin(seed, 20, OTP_SHA1, &h), 0);
	for (uint64_t counter = 100; counter-- > 0;) {
		assert_int_equal(hotp_at(&h, counter, 6, code), 0);
		assert_int_equal(hotp_code(seed, 20, counter, 6, OTP_SHA1, alone), 0);
		assert_string_equal(code, alone);
	}
	assert_int_equal(hotp_at(&h, 0, 5, code), MAG_EINVAL);
	hotp_end(&h);
	assert_int_equal(hotp_at(&h, 0, 6, code), MAG_ECRYPTO);
}

#ifdef HAVE_OATH
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void test_a_hundred_thousand_cases_agree_with_liboath(void **state)
{
	uint64_t x = 0x6d61676f74702121;
	unsigned char key[64];
	char ours[OTP_DIGITS_MAX + 1], theirs[OTP_DIGITS_MAX + 1];
	int i;

	(void)state;
	assert_int_equal(oath_init(), OATH_OK);
	for (i = 0; i < 100000; i++) {
		size_t len = 16 + next_random(&x) % (sizeof(key) - 15), n;
		unsigned digits = 6 + (unsigned)(next_random(&x) % 3);
		unsigned period = next_random(&x) % 2 ? 30 : 60;
		unsigned a = (unsigned)(next_random(&x) % 3);
		int64_t at = (int64_t)(next_random(&x) >> (24 + next_random(&x) % 36));
		uint64_t counter = next_random(&x) >> (next_random(&x) % 64);

		for (n = 0; n < len; n++)
			key[n] = (unsigned char)next_random(&x);
		assert_int_equal(oath_totp_generate2((char *)key, len, at, period, 0, digits,
					 a == 0   ? 0
					 : a == 1 ? OATH_TOTP_HMAC_SHA256
						  : OATH_TOTP_HMAC_SHA512,
					 theirs),
			OATH_OK);
		assert_int_equal(hotp_code(key, len, totp_step(at, period), digits,
					 (enum otp_algorithm)(OTP_SHA1 + a), ours),
			0);
		assert_string_equal(ours, theirs);
		assert_int_equal(oath_hotp_generate((char *)key, len, counter, digits, false,
					 OATH_HOTP_DYNAMIC_TRUNCATION, theirs),
			OATH_OK);
		assert_int_equal(hotp_code(key, len, counter, digits, OTP_SHA1, ours), 0);
		assert_string_equal(ours, theirs);
	}
	oath_done();
}
#else
static void test_a_hundred_thousand_cases_agree_with_liboath(void **state)
{
	(void)state;
	print_message("not compared with liboath: configure found no liboath.pc\n");
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4226_appendix_d),
		cmocka_unit_test(test_rfc4226_truncation_example),
		cmocka_unit_test(test_rfc6238_appendix_b),
		cmocka_unit_test(test_H1_steps_of_30_and_60_seconds),
		cmocka_unit_test(test_step_is_wider_than_32_bits),
		cmocka_unit_test(test_wrong_arguments_are_refused_and_leave_the_output),
		cmocka_unit_test(test_leading_zeros_are_kept),
		cmocka_unit_test(test_every_offset_reads_inside_the_mac),
		cmocka_unit_test(test_property_query_is_honoured),
		cmocka_unit_test(test_hmac_refuses_what_it_cannot_do),
		cmocka_unit_test(test_one_key_for_many_counters),
		cmocka_unit_test(test_a_hundred_thousand_cases_agree_with_liboath),
	};

	return cmocka_run_group_tests_name("otp", tests, NULL, NULL);
}
