/* Licence keys, products and dates (K1-K3, K5, K7, P8, P9, H9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/licence.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Keys of random bytes that differ from run to run would hide a failure. */
static void make_key(unsigned seed, char text[KEY_TEXT_LEN + 1])
{
	unsigned char bytes[KEY_RANDOM_LEN];
	unsigned i, x = seed * 2654435761u + 12345;

	for (i = 0; i < sizeof(bytes); i++) {
		x = x * 1103515245 + 12345;
		bytes[i] = (unsigned char)(x >> 16);
	}
	key_format(bytes, text);
}

static unsigned group_of(size_t position)
{
	return (unsigned)(position / 6 + 1);
}

static void test_K3_key_has_six_groups_of_five(void **state)
{
	const unsigned char zeros[KEY_RANDOM_LEN] = { 0 };
	unsigned char ones[KEY_RANDOM_LEN];
	char text[KEY_TEXT_LEN + 1], again[KEY_TEXT_LEN + 1];
	unsigned group = 9, seed, i;

	(void)state;
	key_format(zeros, text);
	assert_string_equal(text, "00001-00002-00003-00004-00005-00006");
	memset(ones, 0xff, sizeof(ones));
	key_format(ones, text);
	assert_int_equal(strncmp(text, "ZZZZ", 4), 0);
	for (seed = 0; seed < 200; seed++) {
		make_key(seed, text);
		assert_int_equal(strlen(text), KEY_TEXT_LEN);
		for (i = 0; i < KEY_TEXT_LEN; i++)
			assert_non_null(strchr(i % 6 == 5 ? "-" : alphabet, text[i]));
		assert_int_equal(key_parse(text, again, &group), VERDICT_OK);
		assert_string_equal(again, text);
		assert_int_equal(group, 0);
	}
}

/* All 120 bits are in the text: changing one changes exactly one data symbol
 * and its group's check. */
static void test_K2_every_bit_counts(void **state)
{
	unsigned char bytes[KEY_RANDOM_LEN] = { 0 };
	char base[KEY_TEXT_LEN + 1], text[KEY_TEXT_LEN + 1];
	unsigned bit, i, changed;

	(void)state;
	key_format(bytes, base);
	for (bit = 0; bit < 8 * KEY_RANDOM_LEN; bit++) {
		bytes[bit / 8] = (unsigned char)(0x80 >> bit % 8);
		key_format(bytes, text);
		bytes[bit / 8] = 0;
		for (changed = 0, i = 0; i < KEY_TEXT_LEN; i++)
			changed += text[i] != base[i];
		assert_int_equal(changed, 2);
		assert_int_not_equal(text[bit / 5 + bit / 20 * 2], base[bit / 5 + bit / 20 * 2]);
	}
}

static void test_K3_keys_are_read_as_people_type_them(void **state)
{
	static const char *const forms[] = {
		"00001-00002-00003-00004-00005-00006",
		"000010000200003000040000500006",
		" 00001 00002 00003 00004 00005 00006\n",
		"oOoO1-0000 2--00003\t00004-00005-00006\r\n",
		"0000I-00002-00003-00004-00005-00006",
		"0000l-00002-00003-00004-00005-00006",
		"0000i-00002-00003-00004-00005-00006",
		"0000L-00002-00003-00004-00005-00006",
	};
	char text[KEY_TEXT_LEN + 1], key[KEY_TEXT_LEN + 1], low[KEY_TEXT_LEN + 1];
	unsigned group, i;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(key_parse(forms[i], text, &group), VERDICT_OK);
		assert_string_equal(text, forms[0]);
	}
	make_key(7, key);
	for (i = 0; i <= KEY_TEXT_LEN; i++)
		low[i] = (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] + 32 : key[i]);
	assert_int_equal(key_parse(low, text, &group), VERDICT_OK);
	assert_string_equal(text, key);
}

static void test_K3_group_named_for_every_single_wrong_character(void **state)
{
	char key[KEY_TEXT_LEN + 1], typed[KEY_TEXT_LEN + 1], text[KEY_TEXT_LEN + 1];
	unsigned seed, group;
	size_t at, i;

	(void)state;
	for (seed = 0; seed < 50; seed++) {
		make_key(seed, key);
		for (at = 0; at < KEY_TEXT_LEN; at++) {
			if (key[at] == '-')
				continue;
			memcpy(typed, key, sizeof(typed));
			for (i = 0; i < 32; i++) {
				if (alphabet[i] == key[at])
					continue;
				typed[at] = alphabet[i];
				strcpy(text, "keep");
				assert_int_equal(
					key_parse(typed, text, &group), VERDICT_KEY_MISTYPED);
				assert_int_equal(group, group_of(at));
				assert_string_equal(text, "keep");
			}
		}
	}
}

static void test_K3_group_named_for_every_swap_of_neighbours(void **state)
{
	char key[KEY_TEXT_LEN + 1], typed[KEY_TEXT_LEN + 1], text[KEY_TEXT_LEN + 1];
	unsigned seed, group;
	size_t at;

	(void)state;
	for (seed = 0; seed < 2000; seed++) {
		make_key(seed, key);
		for (at = 0; at + 1 < KEY_TEXT_LEN; at++) {
			if (key[at] == '-' || key[at + 1] == '-' || key[at] == key[at + 1])
				continue;
			memcpy(typed, key, sizeof(typed));
			typed[at] = key[at + 1];
			typed[at + 1] = key[at];
			assert_int_equal(key_parse(typed, text, &group), VERDICT_KEY_MISTYPED);
			assert_int_equal(group, group_of(at));
		}
	}
}

/* Any two characters of a group, not only neighbours: all pairs of symbols. */
static void test_K3_swaps_within_a_group_all_symbol_pairs(void **state)
{
	char key[KEY_TEXT_LEN + 1], typed[KEY_TEXT_LEN + 1], text[KEY_TEXT_LEN + 1];
	unsigned seed, group, i, j, swaps = 0;

	(void)state;
	for (seed = 0; seed < 2000; seed++) {
		make_key(seed, key);
		for (i = 0; i < 5; i++) {
			for (j = i + 1; j < 5; j++) {
				if (key[i] == key[j])
					continue;
				memcpy(typed, key, sizeof(typed));
				typed[i] = key[j];
				typed[j] = key[i];
				assert_int_equal(
					key_parse(typed, text, &group), VERDICT_KEY_MISTYPED);
				assert_int_equal(group, 1);
				swaps++;
			}
		}
	}
	assert_true(swaps > 15000);
}

static void test_K3_swapped_groups_show(void **state)
{
	char key[KEY_TEXT_LEN + 1], typed[KEY_TEXT_LEN + 1], text[KEY_TEXT_LEN + 1];
	unsigned group, i, j;

	(void)state;
	make_key(3, key);
	for (i = 0; i < 6; i++) {
		for (j = i + 1; j < 6; j++) {
			memcpy(typed, key, sizeof(typed));
			memcpy(typed + i * 6, key + j * 6, 5);
			memcpy(typed + j * 6, key + i * 6, 5);
			assert_int_equal(key_parse(typed, text, &group), VERDICT_KEY_MISTYPED);
			assert_int_equal(group, i + 1);
		}
	}
}

static void test_K3_foreign_characters_name_their_group(void **state)
{
	static const char *const strange[] = { "U", "u", "!", "\xc3", "\x7f", "'" };
	char key[KEY_TEXT_LEN + 1], text[KEY_TEXT_LEN + 1];
	unsigned group, i;

	(void)state;
	for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		make_key(1, key);
		key[14] = *strange[i];
		assert_int_equal(key_parse(key, text, &group), VERDICT_KEY_MISTYPED);
		assert_int_equal(group, 3);
	}
}

static void test_K3_wrong_length_names_no_group(void **state)
{
	static const char *const wrong[] = { NULL, "", "-", "   ", "00001", "123456",
		"00001-00002-00003-00004-00005-0000", "00001-00002-00003-00004-00005-000066",
		"00001-00002-00003-00004-00005-00006-00007-00008-00009-0000A-0000B-0000C-0000D" };
	char text[KEY_TEXT_LEN + 1] = "keep";
	unsigned group, i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		group = 9;
		assert_int_equal(key_parse(wrong[i], text, &group), VERDICT_KEY_MISTYPED);
		assert_int_equal(group, 0);
		assert_string_equal(text, "keep");
	}
}

static void test_K2_hash_recognises_the_key(void **state)
{
	/* sha256sum of the text */
	static const unsigned char expected[HASH_LEN] = {
		0x7e,
		0x72,
		0x38,
		0xbe,
		0x44,
		0x52,
		0xa6,
		0x21,
		0xb5,
		0xe7,
		0x92,
		0x18,
		0xd9,
		0x62,
		0xf0,
		0xc5,
		0xc2,
		0x15,
		0x78,
		0xc3,
		0x4d,
		0xe0,
		0x28,
		0xcc,
		0x0a,
		0x6d,
		0x06,
		0xd8,
		0x39,
		0x77,
		0x36,
		0x66,
	};
	unsigned char hash[HASH_LEN];

	(void)state;
	assert_int_equal(key_hash("00001-00002-00003-00004-00005-00006", hash), 0);
	assert_memory_equal(hash, expected, HASH_LEN);
	crypto_set_properties("provider=there-is-none");
	assert_int_equal(key_hash("00001-00002-00003-00004-00005-00006", hash), MAG_ECRYPTO);
	crypto_set_properties(NULL);
}

/* ---- products ---- */

static void test_K1_products_have_ids(void **state)
{
	static const char *const ids[] = { "phone-us", "phone-intl", "hardware", "mobile",
		"mobile-hardware" };
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_string_equal(product_id((enum product)(i + 1)), ids[i]);
		assert_int_equal(product_from_id(ids[i]), i + 1);
		assert_true(strlen(product_label((enum product)(i + 1))) > 0);
	}
	assert_string_equal(product_label(PRODUCT_PHONE_US), "phone, US numbers");
	assert_int_equal(product_from_id("phone"), 0);
	assert_int_equal(product_from_id(""), 0);
	assert_int_equal(product_from_id(NULL), 0);
	assert_string_equal(product_id((enum product)0), "unknown");
	assert_string_equal(product_label((enum product)99), "unknown product");
}

static void test_P8_us_product_takes_states_only(void **state)
{
	static const char *const others[] = { "PR", "GU", "VI", "AS", "MP", "CA", "GB", "MX" };
	size_t i;

	(void)state;
	assert_true(product_takes_phone(PRODUCT_PHONE_US, "US"));
	assert_false(product_takes_phone(PRODUCT_PHONE_INTL, "US"));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(product_takes_phone(PRODUCT_PHONE_US, others[i]));
		assert_true(product_takes_phone(PRODUCT_PHONE_INTL, others[i]));
	}
}

static void test_P8_number_without_country_fits_nothing(void **state)
{
	(void)state;
	assert_false(product_takes_phone(PRODUCT_PHONE_US, ""));
	assert_false(product_takes_phone(PRODUCT_PHONE_INTL, ""));
	assert_false(product_takes_phone(PRODUCT_PHONE_INTL, NULL));
	assert_false(product_takes_phone(PRODUCT_HARDWARE, "US"));
	assert_false(product_takes_phone(PRODUCT_MOBILE, "GB"));
	assert_false(product_takes_phone((enum product)0, "US"));
}

/* ---- dates ---- */

static int64_t local(int year, int month, int day, int hour)
{
	struct tm tm = { .tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_hour = hour,
		.tm_isdst = -1 };

	return mktime(&tm);
}

static void assert_ends(int64_t at, int year, int month, int day)
{
	time_t t = at;
	struct tm tm;

	assert_non_null(localtime_r(&t, &tm));
	assert_int_equal(tm.tm_year + 1900, year);
	assert_int_equal(tm.tm_mon + 1, month);
	assert_int_equal(tm.tm_mday, day);
	assert_int_equal(tm.tm_hour * 10000 + tm.tm_min * 100 + tm.tm_sec, 235959);
}

static void dates_of_this_zone(void)
{
	static const struct {
		int year, month, day, years, end_year, end_month, end_day;
	} rows[] = {
		{ 2026, 11, 21, 1, 2027, 11, 21 },
		{ 2024, 2, 29, 1, 2025, 2, 28 },
		{ 2024, 2, 29, 4, 2028, 2, 29 },
		{ 2096, 2, 29, 4, 2100, 2, 28 }, /* 2100 is no leap year */
		{ 1996, 2, 29, 4, 2000, 2, 29 }, /* 2000 was one */
		{ 2023, 2, 28, 1, 2024, 2, 28 },
		{ 2024, 2, 28, 1, 2025, 2, 28 },
		{ 2026, 12, 31, 1, 2027, 12, 31 },
		{ 2026, 1, 1, 1, 2027, 1, 1 },
		{ 2026, 7, 1, 0, 2026, 7, 1 },
		{ 2026, 3, 29, 1, 2027, 3, 29 }, /* the day clocks change */
		{ 2026, 10, 25, 1, 2027, 10, 25 },
	};
	size_t i;
	int hour;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (hour = 0; hour < 24; hour += 23)
			assert_ends(licence_expiry(
					    local(rows[i].year, rows[i].month, rows[i].day, hour),
					    rows[i].years),
				rows[i].end_year, rows[i].end_month, rows[i].end_day);
}

static void test_H9_year_ends_at_the_last_second_local_time(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York",
		"Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu" };
	const char *was = getenv("TZ");
	char keep[64] = "";
	size_t i;

	(void)state;
	if (was)
		snprintf(keep, sizeof(keep), "%s", was);
	for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		setenv("TZ", zones[i], 1);
		tzset();
		dates_of_this_zone();
	}
	if (was)
		setenv("TZ", keep, 1);
	else
		unsetenv("TZ");
	tzset();
}

static void test_dates_out_of_range_have_expired_at_once(void **state)
{
	(void)state;
	assert_int_equal(licence_expiry(1000, -1), 1000);
	assert_int_equal(licence_expiry(1000, 101), 1000);
	assert_true(licence_expiry(INT64_MAX, 1) == INT64_MAX); /* no such year */
}

static void test_P9_subscription_lives_to_its_last_second(void **state)
{
	struct subscription s = {
		.row = { .id = 1 }, .state = SUBSCRIPTION_ACTIVE, .expires_at = 5000
	};

	(void)state;
	assert_true(subscription_active(&s, 5000));
	assert_false(subscription_active(&s, 5001));
	s.expires_at = 0; /* a date that is missing is no date */
	assert_false(subscription_active(&s, 1));
	s.expires_at = 5000;
	s.state = SUBSCRIPTION_REVOKED;
	assert_false(subscription_active(&s, 100));
	s.state = SUBSCRIPTION_EXPIRED;
	assert_false(subscription_active(&s, 100));
	s.state = SUBSCRIPTION_ACTIVE;
	s.row.fate = ROW_DELETED;
	assert_false(subscription_active(&s, 100));
	assert_false(subscription_active(NULL, 100));
}

static void test_P8_subscription_for_a_phone(void **state)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	(void)state;
	assert_non_null(a);
	assert_null(subscription_for_phone(a, "US", 100));
	a->n_subscriptions = 4;
	a->subscriptions[0] = (struct subscription){
		.product = PRODUCT_PHONE_US, .state = SUBSCRIPTION_ACTIVE, .expires_at = 500
	};
	a->subscriptions[1] = (struct subscription){
		.product = PRODUCT_PHONE_INTL, .state = SUBSCRIPTION_ACTIVE, .expires_at = 900
	};
	a->subscriptions[2] = (struct subscription){
		.product = PRODUCT_PHONE_US, .state = SUBSCRIPTION_ACTIVE, .expires_at = 700
	};
	a->subscriptions[3] = (struct subscription){
		.product = PRODUCT_PHONE_US, .state = SUBSCRIPTION_ACTIVE, .expires_at = 600
	};
	/* the one that lasts longest */
	assert_ptr_equal(subscription_for_phone(a, "US", 100), &a->subscriptions[2]);
	assert_ptr_equal(subscription_for_phone(a, "GU", 100), &a->subscriptions[1]);
	assert_null(subscription_for_phone(a, "US", 701));
	assert_null(subscription_for_phone(a, "", 100));
	a->n_subscriptions = 1000;
	assert_ptr_equal(subscription_for_phone(a, "US", 100), &a->subscriptions[2]);
	free(a);
}

/* ---- licences ---- */

static void test_K2_key_binds_once(void **state)
{
	struct licence l = { .row = { .id = 3 }, .state = LICENCE_FREE };

	(void)state;
	assert_int_equal(licence_judge(&l, 7), VERDICT_OK);
	l.state = LICENCE_USED;
	l.account = 7;
	assert_int_equal(licence_judge(&l, 8), VERDICT_KEY_USED);
	assert_int_equal(licence_judge(&l, 7), VERDICT_KEY_USED);
}

static void test_K2_unknown_void_and_held_keys(void **state)
{
	struct licence l = { .row = { .id = 0 }, .state = LICENCE_FREE };

	(void)state;
	assert_int_equal(licence_judge(NULL, 7), VERDICT_KEY_UNKNOWN);
	assert_int_equal(licence_judge(&l, 7), VERDICT_KEY_UNKNOWN);
	l.row.id = 3;
	l.state = LICENCE_VOID;
	assert_int_equal(licence_judge(&l, 7), VERDICT_KEY_UNKNOWN);
	l.state = LICENCE_HELD; /* K6: nobody paid yet */
	assert_int_equal(licence_judge(&l, 7), VERDICT_KEY_UNKNOWN);
	l.state = 0;
	assert_int_equal(licence_judge(&l, 7), VERDICT_KEY_UNKNOWN);
	l.state = LICENCE_FREE;
	l.row.fate = ROW_DELETED;
	assert_int_equal(licence_judge(&l, 7), VERDICT_KEY_UNKNOWN);
}

static void test_K2_key_set_aside_for_another_account(void **state)
{
	struct licence l = { .row = { .id = 3 }, .state = LICENCE_FREE, .account = 7 };

	(void)state;
	assert_int_equal(licence_judge(&l, 7), VERDICT_OK);
	assert_int_equal(licence_judge(&l, 8), VERDICT_KEY_USED);
	assert_int_equal(licence_judge(&l, 0), VERDICT_ACCOUNT_UNKNOWN);
}

static void test_licence_states_have_ids(void **state)
{
	(void)state;
	assert_string_equal(licence_state_id(LICENCE_FREE), "free");
	assert_string_equal(licence_state_id(LICENCE_HELD), "held");
	assert_string_equal(licence_state_id(LICENCE_USED), "used");
	assert_string_equal(licence_state_id(LICENCE_VOID), "void");
	assert_string_equal(licence_state_id(0), "unknown");
	assert_string_equal(licence_state_id(5), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_K3_key_has_six_groups_of_five),
		cmocka_unit_test(test_K2_every_bit_counts),
		cmocka_unit_test(test_K3_keys_are_read_as_people_type_them),
		cmocka_unit_test(test_K3_group_named_for_every_single_wrong_character),
		cmocka_unit_test(test_K3_group_named_for_every_swap_of_neighbours),
		cmocka_unit_test(test_K3_swaps_within_a_group_all_symbol_pairs),
		cmocka_unit_test(test_K3_swapped_groups_show),
		cmocka_unit_test(test_K3_foreign_characters_name_their_group),
		cmocka_unit_test(test_K3_wrong_length_names_no_group),
		cmocka_unit_test(test_K2_hash_recognises_the_key),
		cmocka_unit_test(test_K1_products_have_ids),
		cmocka_unit_test(test_P8_us_product_takes_states_only),
		cmocka_unit_test(test_P8_number_without_country_fits_nothing),
		cmocka_unit_test(test_H9_year_ends_at_the_last_second_local_time),
		cmocka_unit_test(test_dates_out_of_range_have_expired_at_once),
		cmocka_unit_test(test_P9_subscription_lives_to_its_last_second),
		cmocka_unit_test(test_P8_subscription_for_a_phone),
		cmocka_unit_test(test_K2_key_binds_once),
		cmocka_unit_test(test_K2_unknown_void_and_held_keys),
		cmocka_unit_test(test_K2_key_set_aside_for_another_account),
		cmocka_unit_test(test_licence_states_have_ids),
	};

	return cmocka_run_group_tests_name("licence", tests, NULL, NULL);
}
