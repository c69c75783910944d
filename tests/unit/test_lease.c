#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/otp.h"

#define NOW  ((int64_t)1800000000)
#define HOUR 3600
static const unsigned char seed[20] = "12345678901234567890";
static const struct token_windows windows = { .hotp = 10, .totp = 1 };
static const struct lease_ask ask = { "ship1", 77, 8 * HOUR };

static struct token a_token(int64_t type, int64_t moving)
{
	return (struct token){ .type = type,
		.kind = TOKEN_HARDWARE,
		.algorithm = OTP_SHA1,
		.digits = 6,
		.period = type == TOKEN_TOTP ? 30 : 0,
		.moving = moving,
		.state = TOKEN_ACTIVE };
}

static const char *code_at(int64_t position)
{
	static char code[OTP_DIGITS_MAX + 1];

	assert_int_equal(hotp_code(seed, sizeof seed, (uint64_t)position, 6, OTP_SHA1, code), 0);
	return code;
}

/* ---- at the auth host ---- */

static void threat_41_whole_names_and_nothing_else(void **state)
{
	static const struct {
		const char *names, *account;
		bool named;
	} rows[] = {
		{ "anna", "anna", true },
		{ "anna bert", "bert", true },
		{ "bert anna carl", "anna", true },
		{ "  anna  ", "anna", true },
		{ "joanna anna", "anna", true }, /* also behind a longer one that has it */
		{ "annanna anna", "anna", true },
		{ "annaanna", "anna", false },
		{ "joanna", "anna", false },
		{ "annabel", "anna", false },
		{ "anna bert", "anna bert", false }, /* two names are none */
		{ "anna bert", "a", false },
		{ "Anna", "anna", false },
		{ "an* *", "anna", false },
		{ "anna", "", false },
		{ "anna", " ", false },
		{ "", "anna", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (lease_named(rows[i].names, rows[i].account) != rows[i].named)
			fail_msg("'%s' in '%s'", rows[i].account, rows[i].names);
}

static void test_a_lease_lives_until_its_end_and_the_skew(void **state)
{
	struct token t = a_token(TOKEN_HOTP, 5);
	int64_t first;

	(void)state;
	assert_int_equal(lease_standing(&t, NOW), LEASE_NONE);
	assert_true(lease_allows(&t, "auth1", 0, NOW));
	assert_false(lease_elsewhere(&t, NULL, NOW));
	lease_give(&t, &ask, &windows, NOW, &first);
	assert_int_equal(first, 5);
	assert_int_equal(t.lease_last, 5 + LEASE_CODES - 1);
	assert_int_equal(lease_standing(&t, NOW + 8 * HOUR + LEASE_SKEW - 1), LEASE_LIVE);
	assert_int_equal(lease_standing(&t, NOW + 8 * HOUR + LEASE_SKEW), LEASE_OVER);
}

static void threat_41_only_the_holder_and_only_what_it_struck_off(void **state)
{
	struct token t = a_token(TOKEN_HOTP, 5);
	int64_t first;

	(void)state;
	lease_give(&t, &ask, &windows, NOW, &first);
	assert_true(lease_allows(&t, "ship1", 77, NOW));
	assert_false(lease_allows(&t, "ship1", 0, NOW)); /* not struck off */
	assert_false(lease_allows(&t, "ship1", 78, NOW));
	assert_false(lease_allows(&t, "auth1", 77, NOW));
	assert_true(lease_elsewhere(&t, "auth1", NOW));
	assert_true(lease_elsewhere(&t, NULL, NOW));
	assert_false(lease_elsewhere(&t, "ship1", NOW));
}

static void threat_41_what_was_never_given_back_is_void(void **state)
{
	struct token t = a_token(TOKEN_HOTP, 5), view;
	int64_t first, later = NOW + 9 * HOUR;

	(void)state;
	lease_give(&t, &ask, &windows, NOW, &first);
	view = lease_view(&t, NOW);
	assert_int_equal(view.moving, 5);
	view = lease_view(&t, later);
	assert_int_equal(view.moving, t.lease_last + 1);
	assert_int_equal(t.moving, 5); /* it may yet be told */
	lease_report(&t, 9);
	assert_int_equal(t.moving, 10);
	lease_report(&t, 7); /* told twice, out of order */
	lease_report(&t, -1);
	assert_int_equal(t.moving, 10);
	lease_passed(&t, NOW);
	assert_int_equal(t.lease, 77);
	lease_passed(&t, later);
	assert_int_equal(t.lease, 0);
	assert_string_equal(t.lease_host, "");
}

static void threat_41_one_holder_at_a_time(void **state)
{
	static const struct lease_ask other = { "ship2", 99, HOUR }, again = { "ship1", 78, HOUR };
	struct token hotp = a_token(TOKEN_HOTP, 5), totp = a_token(TOKEN_TOTP, -1);
	int64_t first, last, later = NOW + 9 * HOUR;

	(void)state;
	assert_true(lease_can(&hotp, &ask, NOW));
	lease_give(&hotp, &ask, &windows, NOW, &first);
	assert_true(lease_can(&hotp, &ask, NOW));
	assert_false(lease_can(&hotp, &other, NOW));
	assert_false(lease_can(&hotp, &again, NOW));
	/* the number of the lease alone does not make its holder */
	assert_false(lease_can(&hotp, &(struct lease_ask){ "ship2", 77, HOUR }, NOW));
	/* A new one would begin behind codes that the token has not shown yet. */
	assert_false(lease_can(&hotp, &again, later));
	lease_give(&totp, &ask, &windows, NOW, &first);
	last = totp.lease_last;
	assert_true(lease_can(&totp, &other, later));
	lease_give(&totp, &other, &windows, later, &first);
	assert_string_equal(totp.lease_host, "ship2");
	assert_true(totp.moving >= last); /* its holder of before may have taken them */
	/* another host under the same number begins anew, too */
	lease_give(&totp, &(struct lease_ask){ "ship3", 99, HOUR }, &windows, later + 9, &first);
	assert_string_equal(totp.lease_host, "ship3");
	assert_int_equal(totp.lease_at, later + 9);
}

static void test_a_longer_lease_keeps_its_window(void **state)
{
	struct token t = a_token(TOKEN_HOTP, 5);
	int64_t first, last;

	(void)state;
	lease_give(&t, &ask, &windows, NOW, &first);
	last = t.lease_last;
	t.moving = 8; /* used through the link */
	lease_give(&t, &ask, &windows, NOW + HOUR, &first);
	assert_int_equal(first, 8);
	assert_int_equal(t.lease_last, 8 + LEASE_CODES - 1);
	assert_true(t.lease_last > last);
	assert_int_equal(t.lease_at, NOW);
	assert_int_equal(t.lease_until, NOW + 9 * HOUR);
}

static void test_a_totp_window_is_the_time_of_the_lease(void **state)
{
	static const struct lease_ask day = { "ship1", 77, 24 * HOUR };
	struct token t = a_token(TOKEN_TOTP, -1);
	int64_t first;

	(void)state;
	t.drift = -2;
	lease_give(&t, &day, &windows, NOW, &first);
	assert_int_equal(first, NOW / 30 - 3);
	assert_int_equal(t.lease_last, NOW / 30 + 24 * 120 - 1);
	assert_true(t.lease_last - first < LEASE_PLACES);
}

/* A holder has no room for more: of time the end counts, of a counter the beginning. */
static void test_a_window_holds_no_more_than_its_places(void **state)
{
	static const struct lease_ask two_days = { "ship1", 77, 48 * HOUR };
	struct token totp = a_token(TOKEN_TOTP, -1), hotp = a_token(TOKEN_HOTP, 5);
	int64_t first;

	(void)state;
	lease_give(&totp, &two_days, &windows, NOW, &first);
	assert_int_equal(first, NOW / 30 - 1);
	assert_int_equal(totp.lease_last, first + LEASE_PLACES - 1);
	hotp.lease = ask.lease;
	strcpy(hotp.lease_host, ask.host);
	hotp.lease_until = NOW + HOUR;
	hotp.lease_last = 5 + LEASE_PLACES;
	lease_give(&hotp, &ask, &windows, NOW, &first);
	assert_int_equal(first, 5);
	assert_int_equal(hotp.lease_last, 5 + LEASE_PLACES);
}

/* Its window holds what comes now, not what comes at the end of the day. */
static void threat_41_a_short_period_makes_a_short_lease(void **state)
{
	static const struct lease_ask day = { "ship1", 77, 24 * HOUR };
	struct token t = a_token(TOKEN_TOTP, -1);
	int64_t first;

	(void)state;
	t.period = 10;
	t.drift = 3;
	lease_give(&t, &day, &windows, NOW, &first);
	assert_int_equal(first, NOW / 10 + 3 - 1);
	assert_int_equal(t.lease_last, first + LEASE_PLACES - 1);
	assert_true(t.lease_until > NOW + 8 * HOUR && t.lease_until < NOW + 9 * HOUR);
	assert_int_equal(t.lease_until / 10 + t.drift + windows.totp, t.lease_last);
}

/* ---- at its holder ---- */

struct room {
	struct lease_window w;
	unsigned char hashes[LEASE_PLACES * LEASE_HASH];
	int64_t struck[4];
};

static struct room *room_of(int64_t type, int64_t first, int64_t last)
{
	struct room *r = calloc(1, sizeof *r);
	struct crypto_mac m;

	assert_non_null(r);
	r->w = (struct lease_window){ .type = type,
		.digits = 6,
		.period = type == TOKEN_TOTP ? 30 : 0,
		.ahead = type == TOKEN_TOTP ? 1 : 10,
		.first = first,
		.last = last,
		.moving = type == TOKEN_TOTP ? first - 1 : first,
		.hashes = r->hashes,
		.struck = r->struck };
	memset(r->w.key, 7, sizeof r->w.key);
	assert_int_equal(
		crypto_mac_begin("SHA2-256", (struct crypto_text){ r->w.key, sizeof r->w.key }, &m),
		0);
	for (int64_t p = first; p <= last; p++)
		assert_int_equal(
			lease_hash(&m, p, code_at(p), r->hashes + (p - first) * LEASE_HASH), 0);
	crypto_mac_end(&m);
	return r;
}

static void test_hotp_looks_ahead_and_never_back(void **state)
{
	struct room *r = room_of(TOKEN_HOTP, 5, 44);
	int64_t p = -1;

	(void)state;
	assert_int_equal(lease_judge(&r->w, code_at(5), NOW, &p), VERDICT_OK);
	assert_int_equal(p, 5);
	assert_int_equal(lease_judge(&r->w, code_at(15), NOW, &p), VERDICT_OK);
	assert_int_equal(p, 15);
	assert_int_equal(lease_judge(&r->w, code_at(16), NOW, &p), VERDICT_CODE_WRONG);
	r->w.moving = 16;
	assert_int_equal(lease_judge(&r->w, code_at(15), NOW, &p), VERDICT_CODE_USED);
	assert_int_equal(lease_judge(&r->w, code_at(16), NOW, &p), VERDICT_OK);
	r->w.moving = 44;
	assert_int_equal(lease_judge(&r->w, code_at(44), NOW, &p), VERDICT_OK);
	assert_int_equal(lease_judge(&r->w, code_at(45), NOW, &p), VERDICT_CODE_WRONG);
	r->w.moving = 45; /* the window is used up */
	assert_int_equal(lease_judge(&r->w, code_at(45), NOW, &p), VERDICT_CODE_WRONG);
	assert_int_equal(lease_judge(&r->w, "12345", NOW, &p), VERDICT_CODE_WRONG);
	assert_int_equal(lease_judge(&r->w, "12345x", NOW, &p), VERDICT_CODE_WRONG);
	assert_int_equal(lease_judge(&r->w, "", NOW, &p), VERDICT_CODE_WRONG);
	free(r);
}

static void threat_41_what_went_to_an_auth_host_is_struck_off(void **state)
{
	struct room *r = room_of(TOKEN_HOTP, 5, 44);
	int64_t p = -1, places[4];

	(void)state;
	assert_int_equal(lease_places(&r->w, code_at(30), places, 4), 1);
	assert_int_equal(places[0], 30); /* however far ahead */
	assert_int_equal(lease_places(&r->w, code_at(60), places, 4), 0);
	assert_int_equal(lease_places(&r->w, code_at(7), places, 4), 1);
	r->struck[0] = places[0];
	r->w.n_struck = 1;
	assert_int_equal(lease_judge(&r->w, code_at(7), NOW, &p), VERDICT_CODE_USED);
	assert_int_equal(lease_judge(&r->w, code_at(6), NOW, &p), VERDICT_OK);
	free(r);
}

static void test_totp_takes_its_steps_at_their_time(void **state)
{
	int64_t step = NOW / 30, p = -1;
	struct room *r = room_of(TOKEN_TOTP, step - 1, step + 120);

	(void)state;
	assert_int_equal(lease_judge(&r->w, code_at(step + 1), NOW, &p), VERDICT_OK);
	assert_int_equal(p, step + 1);
	assert_int_equal(lease_judge(&r->w, code_at(step + 2), NOW, &p), VERDICT_CODE_WRONG);
	r->w.moving = step;
	assert_int_equal(lease_judge(&r->w, code_at(step), NOW, &p), VERDICT_CODE_USED);
	/* A clock that is set back finds no step of then. */
	assert_int_equal(
		lease_judge(&r->w, code_at(step - 40), NOW - 1200, &p), VERDICT_CODE_WRONG);
	assert_int_equal(lease_judge(&r->w, code_at(step), -1, &p), VERDICT_NONE);
	assert_int_equal(lease_now(NOW - 1200, NOW), NOW);
	assert_int_equal(lease_now(NOW + 5, NOW), NOW + 5);
	free(r);
}

static void test_another_key_knows_none_of_its_codes(void **state)
{
	struct room *r = room_of(TOKEN_HOTP, 5, 44);
	int64_t p = -1;

	(void)state;
	r->w.key[0] ^= 1;
	for (int64_t i = 5; i < 15; i++)
		assert_int_equal(lease_judge(&r->w, code_at(i), NOW, &p), VERDICT_CODE_WRONG);
	r->w.last = r->w.first + LEASE_PLACES; /* more than there can be */
	assert_int_equal(lease_judge(&r->w, code_at(5), NOW, &p), VERDICT_NONE);
	r->w.hashes = NULL;
	assert_int_equal(lease_judge(&r->w, code_at(5), NOW, &p), VERDICT_NONE);
	assert_int_equal(p, -1);
	free(r);
}

/* Two positions may have the same six digits: the nearer one to what is expected is meant,
 * whichever comes first. */
static void test_of_equal_codes_the_nearest_is_taken(void **state)
{
	static const struct {
		int64_t one, two, taken;
	} rows[] = { { -2, 1, 1 }, { -1, 2, -1 }, { -2, -1, -1 }, { 1, 2, 1 } };
	int64_t step = NOW / 30;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct room *r = room_of(TOKEN_TOTP, step - 5, step + 5);
		int64_t p = -1, places[2] = { 0 }, both[] = { rows[i].one, rows[i].two };
		struct crypto_mac m;

		r->w.ahead = 2;
		assert_int_equal(crypto_mac_begin("SHA2-256",
					 (struct crypto_text){ r->w.key, sizeof r->w.key }, &m),
			0);
		for (size_t k = 0; k < 2; k++)
			assert_int_equal(lease_hash(&m, step + both[k], "777777",
						 r->hashes + (5 + both[k]) * LEASE_HASH),
				0);
		crypto_mac_end(&m);
		assert_int_equal(lease_judge(&r->w, "777777", NOW, &p), VERDICT_OK);
		assert_int_equal(p, step + rows[i].taken);
		/* both could be taken elsewhere, room for them or not */
		assert_int_equal(lease_places(&r->w, "777777", places, 1), 2);
		assert_int_equal(places[0], step + rows[i].one);
		assert_int_equal(places[1], 0);
		assert_int_equal(lease_places(&r->w, "777777", places, 2), 2);
		assert_int_equal(places[1], step + rows[i].two);
		free(r);
	}
}

/* What was stored may be anything: nothing is said of a window that cannot be. */
static void test_no_verdict_of_a_window_that_makes_no_sense(void **state)
{
	static const struct {
		const char *what;
		int64_t type, period, ahead, first, last;
	} rows[] = {
		{ "begins before 0", TOKEN_HOTP, 0, 10, -1, 30 },
		{ "ends before it begins", TOKEN_HOTP, 0, 10, 30, 29 },
		{ "more than it has room for", TOKEN_HOTP, 0, 10, 0, LEASE_PLACES },
		{ "looks back only", TOKEN_HOTP, 0, -1, 0, 30 },
		{ "looks beyond any window", TOKEN_HOTP, 0, LEASE_PLACES, 0, 30 },
		{ "of no type", 99, 30, 1, 0, 30 },
		{ "steps of no length", TOKEN_TOTP, 0, 1, 0, 30 },
		{ "steps backwards", TOKEN_TOTP, -30, 1, 0, 30 },
	};
	struct room *r = room_of(TOKEN_HOTP, 0, 30);
	int64_t p = -1, places[1] = { -1 };

	(void)state;
	assert_int_equal(lease_judge(&r->w, code_at(0), NOW, &p), VERDICT_OK);
	p = -1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lease_window w = r->w;

		w.type = rows[i].type;
		w.period = rows[i].period;
		w.ahead = rows[i].ahead;
		w.first = rows[i].first;
		w.last = rows[i].last;
		if (lease_judge(&w, code_at(0), NOW, &p) != VERDICT_NONE || p != -1)
			fail_msg("judged: %s", rows[i].what);
		if (lease_places(&w, code_at(0), places, 1) != 0 || places[0] != -1)
			fail_msg("found: %s", rows[i].what);
	}
	free(r);
}

static void test_a_code_longer_than_any_is_none(void **state)
{
	struct room *r = room_of(TOKEN_HOTP, 0, 3);
	unsigned char hash[LEASE_HASH] = { 0 };
	struct crypto_mac m;
	int64_t p = -1;

	(void)state;
	r->w.digits = OTP_DIGITS_MAX + 1;
	assert_int_equal(lease_judge(&r->w, "123456789", NOW, &p), VERDICT_CODE_WRONG);
	assert_int_equal(lease_places(&r->w, "123456789", &p, 1), 0);
	r->w.digits = 6;
	assert_int_equal(lease_places(&r->w, "12345", &p, 1), 0);
	assert_int_equal(p, -1);
	assert_int_equal(
		crypto_mac_begin("SHA2-256", (struct crypto_text){ r->w.key, sizeof r->w.key }, &m),
		0);
	assert_int_equal(lease_hash(&m, 0, "123456789", hash), MAG_ECRYPTO);
	assert_int_equal(hash[0], 0);
	crypto_mac_end(&m);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_41_whole_names_and_nothing_else),
		cmocka_unit_test(test_a_lease_lives_until_its_end_and_the_skew),
		cmocka_unit_test(threat_41_only_the_holder_and_only_what_it_struck_off),
		cmocka_unit_test(threat_41_what_was_never_given_back_is_void),
		cmocka_unit_test(threat_41_one_holder_at_a_time),
		cmocka_unit_test(test_a_longer_lease_keeps_its_window),
		cmocka_unit_test(test_a_totp_window_is_the_time_of_the_lease),
		cmocka_unit_test(threat_41_a_short_period_makes_a_short_lease),
		cmocka_unit_test(test_hotp_looks_ahead_and_never_back),
		cmocka_unit_test(threat_41_what_went_to_an_auth_host_is_struck_off),
		cmocka_unit_test(test_totp_takes_its_steps_at_their_time),
		cmocka_unit_test(test_another_key_knows_none_of_its_codes),
		cmocka_unit_test(test_a_window_holds_no_more_than_its_places),
		cmocka_unit_test(test_of_equal_codes_the_nearest_is_taken),
		cmocka_unit_test(test_no_verdict_of_a_window_that_makes_no_sense),
		cmocka_unit_test(test_a_code_longer_than_any_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
