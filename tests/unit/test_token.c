/* Tokens and apps (H1, H2, H4-H6, L6, security.md 28, 37), against the vectors of the
 * RFCs and against liboath. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#ifdef HAVE_OATH
#include <liboath/oath.h>
#endif

#include "otpcore/engine/lifecycle.h"
#include "otpcore/engine/otp.h"
#include "otpcore/engine/token.h"

#define NOW 1800000000

/* Seeds of RFC 4226 and 6238 and the windows of H5. */
static unsigned char digits64[] =
	"1234567890123456789012345678901234567890123456789012345678901234";
static const struct mag_secret seed = { digits64, 20, 20 };
static const struct token_windows windows = { 10, 1, 1000, 20 };

static struct token hotp(int64_t moving)
{
	return (struct token){ .row = { .id = 7 },
		.kind = TOKEN_HARDWARE,
		.type = TOKEN_HOTP,
		.algorithm = OTP_SHA1,
		.digits = 6,
		.moving = moving,
		.serial = "A0003401",
		.state = TOKEN_ACTIVE };
}

static struct token totp(int64_t moving)
{
	struct token t = hotp(moving);

	t.type = TOKEN_TOTP;
	t.period = 30;
	return t;
}

/* The code that the token shows at a counter or step. */
static const char *shown(const struct token *t, int64_t position)
{
	static char codes[4][OTP_DIGITS_MAX + 1];
	static unsigned turn;
	char *code = codes[turn++ % 4];

	assert_int_equal(hotp_code(seed.data, seed.len, (uint64_t)position, (unsigned)t->digits,
				 (enum otp_algorithm)t->algorithm, code),
		0);
	return code;
}

static enum verdict judge(
	const struct token *t, const char *code, int64_t now, struct token_position *next)
{
	return token_judge(t, &seed, code, now, &windows, next);
}

static enum verdict resync(
	const struct token *t, int64_t first, int64_t second, struct token_position *next)
{
	const char *const codes[2] = { shown(t, first), shown(t, second) };

	return token_resync(t, &seed, codes, NOW, &windows, next);
}

/* ---- one code ---- */

static void test_rfc4226_vectors_in_sequence(void **state)
{
	static const char *const codes[] = { "755224", "287082", "359152", "969429", "338314",
		"254676", "287922", "162583", "399871", "520489" };
	struct token t = hotp(0);
	struct token_position next;
	size_t i;

	(void)state;
	for (i = 0; i < 10; i++) {
		assert_int_equal(judge(&t, codes[i], NOW, &next), VERDICT_OK);
		assert_int_equal(next.moving, i + 1);
		assert_int_equal(next.drift, 0);
		t.moving = next.moving;
		assert_int_equal(judge(&t, codes[i], NOW, &next), VERDICT_CODE_USED);
	}
}

static void test_rfc6238_vectors(void **state)
{
	static const struct {
		int64_t at, step;
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
	struct token_position next;
	size_t i, a;

	(void)state;
	for (i = 0; i < 6; i++)
		for (a = 0; a < 3; a++) {
			const struct mag_secret s = { digits64, lengths[a], lengths[a] };
			struct token t = totp(-1);

			t.algorithm = (int64_t)(OTP_SHA1 + a);
			t.digits = 8;
			assert_int_equal(
				token_judge(&t, &s, rows[i].code[a], rows[i].at, &windows, &next),
				VERDICT_OK);
			assert_int_equal(next.moving, rows[i].step);
			t.moving = next.moving;
			assert_int_equal(
				token_judge(&t, &s, rows[i].code[a], rows[i].at, &windows, &next),
				VERDICT_CODE_USED);
		}
}

static void test_H5_hotp_looks_ten_ahead_and_no_further(void **state)
{
	const struct token t = hotp(100);
	struct token_position next;
	int64_t i;

	(void)state;
	for (i = 80; i < 125; i++) {
		enum verdict v = i >= 100 && i <= 110 ? VERDICT_OK
				 : i >= 90 && i < 100 ? VERDICT_CODE_USED
						      : VERDICT_CODE_WRONG;

		next = (struct token_position){ -7, -7 };
		assert_int_equal(judge(&t, shown(&t, i), NOW, &next), v);
		assert_int_equal(next.moving, v == VERDICT_OK ? i + 1 : -7);
		assert_int_equal(next.drift, v == VERDICT_OK ? 0 : -7);
	}
}

static void test_H5_totp_one_step_around_the_remembered_drift(void **state)
{
	const int64_t step = NOW / 30;
	struct token_position next;
	int64_t drift, i;

	(void)state;
	for (drift = -5; drift <= 5; drift++)
		for (i = -9; i <= 9; i++) {
			struct token t = totp(-1);
			bool right = i >= drift - 1 && i <= drift + 1;

			t.drift = drift;
			next = (struct token_position){ -7, -7 };
			assert_int_equal(judge(&t, shown(&t, step + i), NOW, &next),
				right ? VERDICT_OK : VERDICT_CODE_WRONG);
			assert_int_equal(next.moving, right ? step + i : -7);
			assert_int_equal(next.drift, right ? i : -7);
		}
}

static void test_H5_drift_follows_a_slow_clock(void **state)
{
	struct token t = totp(-1);
	struct token_position next;
	int64_t slow;

	(void)state;
	/* One step behind, then two ... each login follows: ten in the end. */
	for (slow = 1; slow <= 10; slow++) {
		int64_t now = NOW + slow * 3000;

		assert_int_equal(judge(&t, shown(&t, now / 30 - slow), now, &next), VERDICT_OK);
		assert_int_equal(next.drift, -slow);
		t.moving = next.moving;
		t.drift = next.drift;
	}
}

static void test_H6_totp_never_at_or_before_the_last_accepted(void **state)
{
	const int64_t step = NOW / 30;
	struct token_position next = { -7, -7 };
	struct token t = totp(step);

	(void)state;
	assert_int_equal(judge(&t, shown(&t, step - 1), NOW, &next), VERDICT_CODE_USED);
	assert_int_equal(judge(&t, shown(&t, step), NOW, &next), VERDICT_CODE_USED);
	assert_int_equal(next.moving, -7);
	assert_int_equal(judge(&t, shown(&t, step + 1), NOW, &next), VERDICT_OK);
	t.moving = step + 1;
	assert_int_equal(judge(&t, shown(&t, step + 1), NOW, &next), VERDICT_CODE_USED);
	/* threat 28: the clock was ahead and is back; no step counts twice */
	t.moving = step + 1000;
	assert_int_equal(judge(&t, shown(&t, step + 1), NOW, &next), VERDICT_CODE_USED);
	assert_int_equal(judge(&t, shown(&t, step + 2), NOW, &next), VERDICT_CODE_WRONG);
	assert_int_equal(resync(&t, step + 3, step + 4, &next), VERDICT_CODES_WRONG);
}

static void threat_28_a_last_step_in_the_future_has_a_defined_reset(void **state)
{
	static const struct {
		int64_t ahead, drift;
		bool recalled;
	} cases[] = {
		{ -1, 0, false },
		{ 0, 0, false },
		{ 1, 0, false },
		{ 20, 0, false },
		{ 21, 0, true },
		{ 35, 15, false },
		{ 36, 15, true },
		{ 21, -15, true },
		{ 1000000, 0, true },
	};
	const struct token_windows w = { 10, 1, 1000, 20 };
	const int64_t step = NOW / 30;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct token_position next = { -7, -7 };
		struct token t = totp(step + cases[i].ahead);

		t.drift = cases[i].drift;
		assert_int_equal(token_recall(&t, NOW, &w, &next), cases[i].recalled);
		assert_int_equal(next.moving, cases[i].recalled ? step : -7);
		assert_int_equal(next.drift, cases[i].recalled ? 0 : -7);
	}
	/* The present code is burnt, the next one is right. */
	{
		struct token t = totp(step);
		struct token_position next;

		assert_int_equal(judge(&t, shown(&t, step), NOW, &next), VERDICT_CODE_USED);
		assert_int_equal(judge(&t, shown(&t, step + 1), NOW, &next), VERDICT_OK);
	}
	/* Counters lie in no future. */
	{
		struct token t = hotp(INT64_MAX / 8);
		struct token_position next;

		assert_false(token_recall(&t, NOW, &w, &next));
	}
}

static void test_H1_steps_of_60_seconds_and_7_digits(void **state)
{
	struct token_position next;
	struct token t = totp(-1);

	(void)state;
	t.period = 60;
	t.digits = 7;
	t.algorithm = OTP_SHA512;
	assert_int_equal(judge(&t, shown(&t, NOW / 60), NOW, &next), VERDICT_OK);
	assert_int_equal(next.moving, NOW / 60);
	assert_int_equal(judge(&t, shown(&t, NOW / 30), NOW, &next), VERDICT_CODE_WRONG);
}

static void test_positions_beyond_32_bits(void **state)
{
	const int64_t big = (INT64_C(1) << 32) + 5;
	struct token h = hotp(big), t = totp(big - 1);
	struct token_position next;

	(void)state;
	assert_int_equal(judge(&h, shown(&h, big + 3), NOW, &next), VERDICT_OK);
	assert_int_equal(next.moving, big + 4);
	/* what a counter of 32 bits would take */
	assert_int_equal(judge(&h, shown(&h, 8), NOW, &next), VERDICT_CODE_WRONG);
	assert_int_equal(judge(&t, shown(&t, big), big * 30, &next), VERDICT_OK);
	assert_int_equal(next.moving, big);
	assert_int_equal(next.drift, 0);
	assert_int_equal(judge(&t, shown(&t, big - 1), big * 30, &next), VERDICT_CODE_USED);
	assert_int_equal(judge(&t, shown(&t, 5), big * 30, &next), VERDICT_CODE_WRONG);
	assert_int_equal(resync(&h, big + 700, big + 701, &next), VERDICT_OK);
	assert_int_equal(next.moving, big + 702);
}

/* Two positions of the window with one code: the nearer one counts. (Among a few
 * thousand codes of six digits there are such pairs.) */
static void test_the_nearest_position_counts(void **state)
{
	enum { N = 4000 };
	static char codes[N][OTP_DIGITS_MAX + 1];
	const struct token_windows wide = { N, 0, 0, 0 };
	struct token t = hotp(0);
	struct token_position next;
	int i, j, pairs = 0;

	(void)state;
	for (i = 0; i < N; i++)
		memcpy(codes[i], shown(&t, i), sizeof(codes[i]));
	for (i = 0; i < N && pairs < 3; i++)
		for (j = i + 1; j < N; j++) {
			if (strcmp(codes[i], codes[j]) != 0)
				continue;
			assert_int_equal(
				token_judge(&t, &seed, codes[j], NOW, &wide, &next), VERDICT_OK);
			assert_int_equal(next.moving, i + 1);
			pairs++;
		}
	assert_true(pairs > 0);
}

static void test_malformed_codes_and_rows_match_nothing(void **state)
{
	static const char *const bad[] = { "", "12345", "1234567", "75522 ", " 755224", "75522a",
		"755224\n", "-55224", NULL };
	struct token_position next = { -7, -7 };
	struct token t = hotp(0);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(judge(&t, bad[i], NOW, &next), VERDICT_CODE_WRONG);
	t.moving = -1;
	assert_int_equal(judge(&t, "755224", NOW, &next), VERDICT_CODE_WRONG);
	t.moving = INT64_MAX;
	assert_int_equal(judge(&t, "755224", NOW, &next), VERDICT_CODE_WRONG);
	t = hotp(0);
	t.type = 3;
	assert_int_equal(judge(&t, "755224", NOW, &next), VERDICT_CODE_WRONG);
	t = totp(-1);
	t.period = 0;
	assert_int_equal(judge(&t, "755224", 0, &next), VERDICT_CODE_WRONG);
	t = totp(-1);
	t.drift = INT64_MIN;
	assert_int_equal(judge(&t, "755224", 0, &next), VERDICT_CODE_WRONG);
	t = totp(-1);
	assert_int_equal(judge(&t, "755224", -30, &next), VERDICT_CODE_WRONG);
	assert_int_equal(next.moving, -7);
	assert_int_equal(next.drift, -7);
}

/* What can't be computed is neither right nor wrong: it refuses (fail closed). */
static void test_without_a_seed_nothing_is_decided(void **state)
{
	const struct mag_secret none = { NULL, 0, 0 }, brief = { digits64, 15, 15 };
	const char *const codes[2] = { "755224", "287082" };
	struct token_position next = { -7, -7 };
	struct token t = hotp(0);

	(void)state;
	assert_int_equal(token_judge(&t, &none, "755224", NOW, &windows, &next), VERDICT_NONE);
	assert_int_equal(token_judge(&t, &brief, "755224", NOW, &windows, &next), VERDICT_NONE);
	assert_int_equal(token_resync(&t, &none, codes, NOW, &windows, &next), VERDICT_NONE);
	t.algorithm = 9;
	assert_int_equal(judge(&t, "755224", NOW, &next), VERDICT_NONE);
	assert_int_equal(next.moving, -7);
}

/* ---- two codes ---- */

static void test_H5_resync_hotp_within_1000_both_burnt(void **state)
{
	const struct token t = hotp(50);
	struct token_position next;

	(void)state;
	assert_int_equal(resync(&t, 50, 51, &next), VERDICT_OK);
	assert_int_equal(next.moving, 52);
	assert_int_equal(resync(&t, 1049, 1050, &next), VERDICT_OK);
	assert_int_equal(next.moving, 1051);
	next.moving = -7;
	assert_int_equal(resync(&t, 1050, 1051, &next), VERDICT_CODES_WRONG);
	assert_int_equal(resync(&t, 49, 50, &next), VERDICT_CODES_WRONG); /* never behind */
	assert_int_equal(resync(&t, 10, 11, &next), VERDICT_CODES_WRONG);
	assert_int_equal(next.moving, -7);
}

static void test_H2_resync_wants_consecutive_codes_in_order(void **state)
{
	const int64_t step = NOW / 30;
	struct token h = hotp(50), t = totp(-1);
	struct token_position next = { -7, -7 };

	(void)state;
	assert_int_equal(resync(&h, 60, 62, &next), VERDICT_CODES_WRONG);
	assert_int_equal(resync(&h, 61, 60, &next), VERDICT_CODES_WRONG);
	assert_int_equal(resync(&h, 60, 60, &next), VERDICT_CODES_WRONG);
	assert_int_equal(resync(&t, step, step + 2, &next), VERDICT_CODES_WRONG);
	assert_int_equal(resync(&t, step, step - 1, &next), VERDICT_CODES_WRONG);
	assert_int_equal(next.moving, -7);
}

static void test_H5_resync_totp_20_steps_around_drift_remembered(void **state)
{
	const int64_t step = NOW / 30;
	int64_t drift, i;

	(void)state;
	for (drift = -30; drift <= 30; drift += 15)
		for (i = -25; i <= 25; i++) {
			/* i: of the second code, which is shown now */
			bool right = i - 1 >= -20 && i <= 20;
			struct token_position next = { -7, -7 };
			struct token t = totp(-1);

			t.drift = drift;
			assert_int_equal(resync(&t, step + drift + i - 1, step + drift + i, &next),
				right ? VERDICT_OK : VERDICT_CODES_WRONG);
			assert_int_equal(next.moving, right ? step + drift + i : -7);
			assert_int_equal(next.drift, right ? drift + i : -7);
		}
}

static void test_H5_resync_totp_never_behind_and_burns_both(void **state)
{
	const int64_t step = NOW / 30;
	struct token_position next;
	struct token t = totp(step - 5);

	(void)state;
	assert_int_equal(resync(&t, step - 6, step - 5, &next), VERDICT_CODES_WRONG);
	assert_int_equal(resync(&t, step - 5, step - 4, &next), VERDICT_CODES_WRONG);
	assert_int_equal(resync(&t, step - 4, step - 3, &next), VERDICT_OK);
	t.moving = next.moving;
	t.drift = next.drift;
	assert_int_equal(judge(&t, shown(&t, step - 4), NOW, &next), VERDICT_CODE_USED);
	assert_int_equal(judge(&t, shown(&t, step - 3), NOW, &next), VERDICT_CODE_USED);
	assert_int_equal(resync(&t, step - 4, step - 3, &next), VERDICT_CODES_WRONG);
	assert_int_equal(judge(&t, shown(&t, step - 2), NOW, &next), VERDICT_OK);
}

/* One verdict for both codes: which of the two was wrong stays unknown, also from
 * what is written. */
static void threat_37_resync_says_nothing_about_one_code(void **state)
{
	const struct token t = hotp(0);
	static const char *const pairs[][2] = {
		{ "755224", "000000" }, /* first right */
		{ "000000", "287082" }, /* second right */
		{ "000000", "000001" },
		{ "755224", "755224" },
		{ "755224", "" },
		{ "", "287082" },
		{ "755224", "28708" },
		{ NULL, NULL },
	};
	struct token_position next = { -7, -7 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_int_equal(token_resync(&t, &seed, pairs[i], NOW, &windows, &next),
			VERDICT_CODES_WRONG);
	assert_int_equal(next.moving, -7);
	assert_int_equal(next.drift, -7);
}

static void test_right_code_outside_the_login_window_resyncs(void **state)
{
	const struct token t = hotp(0);
	struct token_position next;

	(void)state;
	assert_int_equal(judge(&t, shown(&t, 11), NOW, &next), VERDICT_CODE_WRONG);
	assert_int_equal(resync(&t, 11, 12, &next), VERDICT_OK);
	assert_int_equal(next.moving, 13);
}

/* ---- import ---- */

static void assert_fault(struct token t, const struct mag_secret *s, const char *word)
{
	const char *fault = token_fault(&t, s);

	if (!word) {
		assert_null(fault);
		return;
	}
	assert_non_null(fault);
	if (!strstr(fault, word))
		fail_msg("\"%s\" does not speak of \"%s\"", fault, word);
}

static void test_H1_what_may_be_imported(void **state)
{
	const struct mag_secret short_one = { digits64, 15, 15 }, least = { digits64, 16, 16 },
				most = { digits64, 64, 64 }, long_one = { digits64, 65, 65 };
	struct token t;
	int64_t i;

	(void)state;
	assert_fault(hotp(0), &seed, NULL);
	assert_fault(totp(-1), &seed, NULL);
	assert_fault(hotp(0), &least, NULL);
	assert_fault(hotp(0), &most, NULL);
	assert_fault(hotp(0), &short_one, "128 bits"); /* RFC 4226 §4 R6 */
	assert_fault(hotp(0), &long_one, "512 bits");
	assert_fault(hotp(0), NULL, "128 bits");
	for (i = 0; i < 12; i++) {
		t = hotp(0);
		t.digits = i;
		assert_fault(t, &seed, i >= 6 && i <= 8 ? NULL : "digits");
		t = hotp(0);
		t.algorithm = i;
		assert_fault(t, &seed, i >= 1 && i <= 3 ? NULL : "algorithm");
		t = hotp(0);
		t.type = i;
		t.period = 30;
		assert_fault(t, &seed, i == 1 || i == 2 ? NULL : "HOTP");
	}
	for (i = 0; i < 120; i++) {
		t = totp(-1);
		t.period = i;
		assert_fault(t, &seed, i == 30 || i == 60 ? NULL : "time step");
	}
	assert_fault(hotp(-1), &seed, "counter");
	assert_fault(hotp(INT64_MAX), &seed, "counter");
	assert_fault(totp(-2), &seed, "counter");
	assert_fault(hotp(INT64_C(1) << 40), &seed, NULL);
}

static void test_H1_serial_numbers(void **state)
{
	static const char *const bad[] = { "", "A 1", " A1", "A1 ", "A\t1", "A\xc3\xa4", "A\x7f" };
	struct token t = hotp(0);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(t.serial, sizeof(t.serial), "%s", bad[i]);
		assert_fault(t, &seed, "serial");
	}
	memset(t.serial, 'x', 64);
	t.serial[64] = '\0';
	assert_fault(t, &seed, NULL);
	t.serial[64] = 'x'; /* no end */
	assert_fault(t, &seed, "serial");
}

/* ---- worth, state, names ---- */

static struct aggregate *person(void)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->exists = true;
	a->account.row.id = 1;
	a->n_subscriptions = 1;
	a->subscriptions[0] = (struct subscription){ .row = { .id = 50 },
		.account = 1,
		.product = PRODUCT_HARDWARE,
		.state = SUBSCRIPTION_ACTIVE,
		.level = 2,
		.expires_at = NOW + 1000 };
	return a;
}

static struct token *give(struct aggregate *a, enum token_kind kind, const char *serial)
{
	struct token *t = &a->tokens[a->n_tokens++];

	*t = totp(-1);
	t->row.id = (int64_t)(70 + a->n_tokens);
	t->kind = kind;
	t->account = 1;
	t->subscription = 50;
	snprintf(t->serial, sizeof(t->serial), "%s", serial);
	return t;
}

static void test_L7_strengths_only_while_active(void **state)
{
	struct token t = totp(-1);
	int64_t s;

	(void)state;
	for (s = 0; s < TOKEN_STATE_N; s++) {
		t.state = s;
		t.kind = TOKEN_HARDWARE;
		assert_int_equal(token_strength(&t),
			s == TOKEN_ACTIVE ? STRENGTH_HARDWARE_OTP : STRENGTH_NONE);
		t.kind = TOKEN_MOBILE;
		assert_int_equal(
			token_strength(&t), s == TOKEN_ACTIVE ? STRENGTH_MOBILE_ID : STRENGTH_NONE);
		t.kind = 3;
		assert_int_equal(token_strength(&t), STRENGTH_NONE);
	}
}

static void test_level_and_subscription(void **state)
{
	struct aggregate *a = person();
	struct token *t = give(a, TOKEN_HARDWARE, "A1");

	(void)state;
	assert_int_equal(token_level(a, t), 2);
	a->subscriptions[0].level = 3;
	assert_int_equal(token_level(a, t), 3);
	assert_ptr_equal(token_subscription(a, t), &a->subscriptions[0]);
	a->subscriptions[0].account = 2; /* somebody else's */
	assert_null(token_subscription(a, t));
	assert_int_equal(token_level(a, t), 1);
	a->subscriptions[0].account = 1;
	a->subscriptions[0].row.fate = ROW_DELETED;
	assert_null(token_subscription(a, t));
	a->subscriptions[0].row.fate = ROW_CLEAN;
	t->subscription = 0;
	assert_null(token_subscription(a, t));
	assert_int_equal(token_paid(a, t, NOW), LIFE_HAS_NOTHING);
	t->subscription = 50;
	assert_int_equal(token_paid(a, t, NOW + 1000), LIFE_HAS_PAID);
	assert_int_equal(token_paid(a, t, NOW + 1001), LIFE_HAS_NOTHING);
	free(a);
}

static void test_H4_H7_H9_why_a_token_cannot_be_used(void **state)
{
	static const struct {
		int64_t state, by;
		int64_t resyncs;
		int64_t after; /* seconds after the subscription's end */
		enum verdict v;
		const char *shown;
	} rows[] = {
		{ TOKEN_ACTIVE, 0, 0, 0, VERDICT_OK, "active" },
		{ TOKEN_ACTIVE, 0, 5, 0, VERDICT_OK, "active" },
		{ TOKEN_ACTIVE, 0, 0, 1, VERDICT_TOKEN_EXPIRED, "expired" },
		{ TOKEN_LOCKED, 0, 0, 0, VERDICT_TOKEN_LOCKED, "locked" },
		{ TOKEN_LOCKED, 0, 4, 0, VERDICT_TOKEN_LOCKED, "locked" },
		{ TOKEN_LOCKED, 0, 5, 0, VERDICT_TOKEN_OUT_OF_SYNC, "locked" },
		{ TOKEN_LOCKED, 0, 0, 1, VERDICT_TOKEN_EXPIRED, "expired" },
		{ TOKEN_SUSPENDED, ACTOR_USER, 0, 0, VERDICT_TOKEN_SUSPENDED, "suspended" },
		{ TOKEN_SUSPENDED, ACTOR_USER, 5, 0, VERDICT_TOKEN_OUT_OF_SYNC, "suspended" },
		{ TOKEN_SUSPENDED, ACTOR_ADMIN, 0, 0, VERDICT_TOKEN_SUSPENDED_BY_ADMIN,
			"suspended" },
		{ TOKEN_SUSPENDED, ACTOR_ADMIN, 5, 0, VERDICT_TOKEN_SUSPENDED_BY_ADMIN,
			"suspended" },
		{ TOKEN_SUSPENDED, 0, 0, 0, VERDICT_TOKEN_SUSPENDED_BY_ADMIN, "suspended" },
		{ TOKEN_SUSPENDED, ACTOR_USER, 0, 1, VERDICT_TOKEN_EXPIRED, "expired" },
		{ TOKEN_EXPIRED, 0, 0, 0, VERDICT_TOKEN_EXPIRED, "expired" },
		{ TOKEN_REVOKED, 0, 0, 0, VERDICT_TOKEN_REVOKED, "revoked" },
		{ TOKEN_REVOKED, 0, 0, 1, VERDICT_TOKEN_REVOKED, "revoked" },
		{ TOKEN_PENDING_APPROVAL, 0, 0, 0, VERDICT_PROOFING_PENDING, "pending-approval" },
		{ TOKEN_PENDING_ACTIVATION, 0, 0, 1, VERDICT_TOKEN_PENDING, "pending-activation" },
		{ TOKEN_STOCK, 0, 0, 0, VERDICT_TOKEN_PENDING, "stock" },
		{ TOKEN_STAGED, 0, 0, 0, VERDICT_TOKEN_PENDING, "staged" },
		{ 0, 0, 0, 0, VERDICT_TOKEN_PENDING, "unknown" },
		{ 99, 0, 0, 0, VERDICT_TOKEN_PENDING, "unknown" },
	};
	struct aggregate *a = person();
	struct token *t = give(a, TOKEN_HARDWARE, "A1");
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t now = a->subscriptions[0].expires_at + rows[i].after;

		t->state = rows[i].state;
		t->suspended_by = rows[i].by;
		assert_int_equal(token_usable(a, t, rows[i].resyncs, 5, now), rows[i].v);
		assert_string_equal(token_state_id(a, t, now), rows[i].shown);
	}
	t->state = TOKEN_ACTIVE;
	t->subscription = 51; /* hangs beneath nothing */
	assert_int_equal(token_usable(a, t, 0, 5, NOW), VERDICT_TOKEN_EXPIRED);
	t->subscription = 50;
	t->row.fate = ROW_DELETED;
	assert_int_equal(token_usable(a, t, 0, 5, NOW), VERDICT_TOKEN_REVOKED);
	free(a);
}

static void test_names(void **state)
{
	struct aggregate *a = person();
	struct token *gone, *hard, *app;

	(void)state;
	assert_null(token_named(a, ""));
	gone = give(a, TOKEN_HARDWARE, "A0001");
	gone->state = TOKEN_REVOKED;
	assert_null(token_named(a, ""));
	assert_null(token_named(a, "t1"));
	assert_ptr_equal(token_named(a, "A0001"), gone);
	hard = give(a, TOKEN_HARDWARE, "A0002");
	assert_ptr_equal(token_named(a, ""), hard);
	assert_ptr_equal(token_named(a, "t1"), hard);
	assert_null(token_named(a, "m1"));
	app = give(a, TOKEN_MOBILE, "M77");
	assert_null(token_named(a, "")); /* which? */
	assert_ptr_equal(token_named(a, "t1"), hard);
	assert_ptr_equal(token_named(a, "m1"), app);
	assert_ptr_equal(token_named(a, "M77"), app);
	assert_null(token_named(a, "t2"));
	assert_null(token_named(a, "a0002"));
	assert_null(token_named(a, "0002"));
	hard->row.fate = ROW_DELETED;
	assert_null(token_named(a, "t1"));
	assert_null(token_named(a, "A0002"));
	free(a);
}

static void test_masked_is_the_end_of_the_serial(void **state)
{
	struct token t = hotp(0);

	(void)state;
	assert_string_equal(token_masked(&t), "3401");
	snprintf(t.serial, sizeof(t.serial), "%s", "12");
	assert_string_equal(token_masked(&t), "12");
	t.serial[0] = '\0';
	assert_string_equal(token_masked(&t), "");
}

/* ---- liboath ---- */

#ifdef HAVE_OATH
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static const int oath_flags[] = {
	[OTP_SHA1] = 0, [OTP_SHA256] = OATH_TOTP_HMAC_SHA256, [OTP_SHA512] = OATH_TOTP_HMAC_SHA512
};

static void against_oath_hotp(uint64_t *x, const struct mag_secret *s)
{
	struct token t = hotp((int64_t)(next_random(x) >> (3 + next_random(x) % 61)));
	int64_t at = t.moving + (int64_t)(next_random(x) % 16) - 3;
	struct token_position next = { -7, -7 };
	char code[OTP_DIGITS_MAX + 1];
	enum verdict v;
	int pos;

	t.digits = 6 + (int64_t)(next_random(x) % 3);
	assert_int_equal(oath_hotp_generate((char *)s->data, s->len, (uint64_t)(at < 0 ? 0 : at),
				 (unsigned)t.digits, false, OATH_HOTP_DYNAMIC_TRUNCATION, code),
		OATH_OK);
	pos = oath_hotp_validate((char *)s->data, s->len, (uint64_t)t.moving, 10, code);
	v = token_judge(&t, s, code, NOW, &windows, &next);
	assert_int_equal(v == VERDICT_OK, pos >= 0);
	if (pos >= 0)
		assert_int_equal(next.moving, t.moving + pos + 1);
}

static void against_oath_totp(uint64_t *x, const struct mag_secret *s)
{
	int64_t now = (int64_t)(next_random(x) >> (26 + next_random(x) % 36)) + 200;
	struct token_position next = { -7, -7 };
	struct token t = totp(-1);
	char code[OTP_DIGITS_MAX + 1];
	uint64_t counter = 0;
	int pos = 0, found;
	int64_t at;

	t.period = next_random(x) % 2 ? 30 : 60;
	t.algorithm = OTP_SHA1 + (int64_t)(next_random(x) % 3);
	t.digits = 6 + (int64_t)(next_random(x) % 3);
	at = now + t.period * ((int64_t)(next_random(x) % 7) - 3);
	assert_int_equal(oath_totp_generate2((char *)s->data, s->len, at, (unsigned)t.period, 0,
				 (unsigned)t.digits, oath_flags[t.algorithm], code),
		OATH_OK);
	found = oath_totp_validate4((char *)s->data, s->len, now, (unsigned)t.period, 0, 1, &pos,
		&counter, oath_flags[t.algorithm], code);
	assert_int_equal(token_judge(&t, s, code, now, &windows, &next) == VERDICT_OK, found >= 0);
	if (found >= 0) {
		assert_int_equal(next.moving, counter);
		assert_int_equal(next.drift, pos);
	}
}

static void test_what_liboath_accepts(void **state)
{
	uint64_t x = 0x6d61676f74702d33;
	unsigned char key[64];
	int i;

	(void)state;
	assert_int_equal(oath_init(), OATH_OK);
	for (i = 0; i < 100000; i++) {
		struct mag_secret s = { key, 16 + next_random(&x) % 49, sizeof(key) };
		size_t n;

		for (n = 0; n < s.len; n++)
			key[n] = (unsigned char)next_random(&x);
		if (i % 2)
			against_oath_hotp(&x, &s);
		else
			against_oath_totp(&x, &s);
	}
	oath_done();
}
#else
static void test_what_liboath_accepts(void **state)
{
	(void)state;
	print_message("not compared with liboath: configure found no liboath.pc\n");
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4226_vectors_in_sequence),
		cmocka_unit_test(test_rfc6238_vectors),
		cmocka_unit_test(test_H5_hotp_looks_ten_ahead_and_no_further),
		cmocka_unit_test(test_H5_totp_one_step_around_the_remembered_drift),
		cmocka_unit_test(test_H5_drift_follows_a_slow_clock),
		cmocka_unit_test(threat_28_a_last_step_in_the_future_has_a_defined_reset),
		cmocka_unit_test(test_H6_totp_never_at_or_before_the_last_accepted),
		cmocka_unit_test(test_H1_steps_of_60_seconds_and_7_digits),
		cmocka_unit_test(test_positions_beyond_32_bits),
		cmocka_unit_test(test_the_nearest_position_counts),
		cmocka_unit_test(test_malformed_codes_and_rows_match_nothing),
		cmocka_unit_test(test_without_a_seed_nothing_is_decided),
		cmocka_unit_test(test_H5_resync_hotp_within_1000_both_burnt),
		cmocka_unit_test(test_H2_resync_wants_consecutive_codes_in_order),
		cmocka_unit_test(test_H5_resync_totp_20_steps_around_drift_remembered),
		cmocka_unit_test(test_H5_resync_totp_never_behind_and_burns_both),
		cmocka_unit_test(threat_37_resync_says_nothing_about_one_code),
		cmocka_unit_test(test_right_code_outside_the_login_window_resyncs),
		cmocka_unit_test(test_H1_what_may_be_imported),
		cmocka_unit_test(test_H1_serial_numbers),
		cmocka_unit_test(test_L7_strengths_only_while_active),
		cmocka_unit_test(test_level_and_subscription),
		cmocka_unit_test(test_H4_H7_H9_why_a_token_cannot_be_used),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_masked_is_the_end_of_the_serial),
		cmocka_unit_test(test_what_liboath_accepts),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
