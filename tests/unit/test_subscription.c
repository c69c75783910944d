/* Subscriptions: what hangs beneath them, and what a key does (K1, K5, K7, H9, H10, P9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/engine/licence.h"

#define DAY  INT64_C(86400)
#define YEAR (365 * DAY)
#define NOW  INT64_C(1800000000)

static struct aggregate *person(void)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->exists = true;
	a->account.row.id = 1;
	return a;
}

static struct subscription *subscribe(
	struct aggregate *a, enum product product, int64_t state, int64_t until)
{
	struct subscription *s = &a->subscriptions[a->n_subscriptions++];

	*s = (struct subscription){ .row = { .id = (int64_t)(49 + a->n_subscriptions) },
		.account = 1,
		.product = product,
		.state = state,
		.level = 2,
		.expires_at = until };
	return s;
}

static const enum product all[] = { PRODUCT_PHONE_US, PRODUCT_PHONE_INTL, PRODUCT_HARDWARE,
	PRODUCT_MOBILE, PRODUCT_MOBILE_HARDWARE };

static void test_K1_what_each_product_takes(void **state)
{
	static const struct {
		enum product p;
		bool phone, token, mobile;
	} rows[] = {
		{ (enum product)0, false, false, false },
		{ PRODUCT_PHONE_US, true, false, false },
		{ PRODUCT_PHONE_INTL, true, false, false },
		{ PRODUCT_HARDWARE, false, true, false },
		{ PRODUCT_MOBILE, false, false, true },
		{ PRODUCT_MOBILE_HARDWARE, false, true, true },
		{ (enum product)6, false, false, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(product_is_phone(rows[i].p), rows[i].phone);
		assert_int_equal(product_takes_token(rows[i].p), rows[i].token);
		assert_int_equal(product_takes_mobile(rows[i].p), rows[i].mobile);
		if (!rows[i].phone) {
			assert_false(product_takes_phone(rows[i].p, "US"));
			assert_false(product_takes_phone(rows[i].p, "DE"));
		}
	}
}

static void test_K1_subscription_for_a_token_and_an_app(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		struct aggregate *a = person();
		struct subscription *s = subscribe(a, all[i], SUBSCRIPTION_ACTIVE, NOW);

		assert_ptr_equal(subscription_for_token(a, NOW),
			all[i] == PRODUCT_HARDWARE || all[i] == PRODUCT_MOBILE_HARDWARE ? s : NULL);
		assert_ptr_equal(subscription_for_mobile(a, NOW),
			all[i] == PRODUCT_MOBILE || all[i] == PRODUCT_MOBILE_HARDWARE ? s : NULL);
		assert_null(subscription_for_token(a, NOW + 1));
		assert_null(subscription_for_mobile(a, NOW + 1));
		s->state = SUBSCRIPTION_REVOKED;
		assert_null(subscription_for_token(a, NOW));
		free(a);
	}
}

static void test_the_one_that_ends_last(void **state)
{
	struct aggregate *a = person();
	struct subscription *last;

	(void)state;
	subscribe(a, PRODUCT_HARDWARE, SUBSCRIPTION_ACTIVE, NOW + 10);
	last = subscribe(a, PRODUCT_MOBILE_HARDWARE, SUBSCRIPTION_ACTIVE, NOW + 20);
	subscribe(a, PRODUCT_HARDWARE, SUBSCRIPTION_ACTIVE, NOW + 15);
	assert_ptr_equal(subscription_for_token(a, NOW), last);
	last->row.fate = ROW_DELETED;
	assert_ptr_equal(subscription_for_token(a, NOW), &a->subscriptions[2]);
	a->n_subscriptions = 900;
	assert_ptr_equal(subscription_for_token(a, NOW), &a->subscriptions[2]);
	free(a);
}

/* ---- add-ons ---- */

static void test_H10_addons_share_the_date(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < 5; i++)
		for (j = 0; j < 5; j++) {
			struct aggregate *a = person();
			bool other = product_is_phone(all[i]) != product_is_phone(all[j]);

			assert_int_equal(licence_addon_expiry(a, all[j], NOW), 0);
			subscribe(a, all[i], SUBSCRIPTION_ACTIVE, NOW + 5);
			assert_int_equal(licence_addon_expiry(a, all[j], NOW), other ? NOW + 5 : 0);
			assert_int_equal(licence_addon_expiry(a, all[j], NOW + 6), 0);
			subscribe(a, all[i], SUBSCRIPTION_ACTIVE, NOW + 7);
			assert_int_equal(licence_addon_expiry(a, all[j], NOW), other ? NOW + 7 : 0);
			free(a);
		}
}

/* ---- what a key does ---- */

static enum verdict effect(
	struct aggregate *a, enum product p, int64_t purchased, struct licence_effect *e_r)
{
	const struct licence l = {
		.row = { .id = 9 }, .product = p, .state = LICENCE_FREE, .purchased_at = purchased
	};

	*e_r = (struct licence_effect){ (struct subscription *)-1, -7 };
	return licence_effect(a, &l, YEAR, NOW, e_r);
}

static void test_K7_the_year_counts_from_purchase(void **state)
{
	struct aggregate *a = person();
	struct licence_effect e;
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_int_equal(effect(a, all[i], NOW - 100 * DAY, &e), VERDICT_OK);
		assert_null(e.extends);
		assert_int_equal(e.expires, licence_expiry(NOW - 100 * DAY, 1));
		assert_int_equal(effect(a, all[i], NOW - 2 * YEAR, &e), VERDICT_NOT_ALLOWED);
		assert_int_equal(e.expires, -7);
	}
	free(a);
}

static void test_K5_same_product_extends_from_the_original_expiry(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		struct aggregate *a = person();
		struct subscription *s = subscribe(a, all[i], SUBSCRIPTION_ACTIVE, NOW + 40 * DAY);
		struct licence_effect e;

		assert_int_equal(effect(a, all[i], NOW, &e), VERDICT_OK);
		assert_ptr_equal(e.extends, s);
		assert_int_equal(e.expires, licence_expiry(NOW + 40 * DAY, 1));
		/* expired: from the original date, not from now */
		s->state = SUBSCRIPTION_EXPIRED;
		s->expires_at = NOW - 200 * DAY;
		assert_int_equal(effect(a, all[i], NOW, &e), VERDICT_OK);
		assert_ptr_equal(e.extends, s);
		assert_int_equal(e.expires, licence_expiry(NOW - 200 * DAY, 1));
		/* P9: too late; another one begins */
		s->expires_at = NOW - 400 * DAY;
		assert_int_equal(effect(a, all[i], NOW, &e), VERDICT_OK);
		assert_null(e.extends);
		assert_int_equal(e.expires, licence_expiry(NOW, 1));
		/* H8: a revoked one is not brought back */
		s->expires_at = NOW + 40 * DAY;
		s->state = SUBSCRIPTION_REVOKED;
		assert_int_equal(effect(a, all[i], NOW, &e), VERDICT_OK);
		assert_null(e.extends);
		free(a);
	}
}

static void test_K5_a_wrong_product_is_refused(void **state)
{
	/* what has expired, and whose keys do not fit */
	static const bool wrong[6][6] = {
		[PRODUCT_PHONE_US] = { [PRODUCT_PHONE_INTL] = true },
		[PRODUCT_PHONE_INTL] = { [PRODUCT_PHONE_US] = true },
		[PRODUCT_HARDWARE] = { [PRODUCT_MOBILE_HARDWARE] = true },
		[PRODUCT_MOBILE] = { [PRODUCT_MOBILE_HARDWARE] = true },
		[PRODUCT_MOBILE_HARDWARE] = { [PRODUCT_HARDWARE] = true, [PRODUCT_MOBILE] = true },
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < 5; i++)
		for (j = 0; j < 5; j++) {
			struct aggregate *a = person();
			struct subscription *s =
				subscribe(a, all[i], SUBSCRIPTION_EXPIRED, NOW - 10 * DAY);
			struct licence_effect e;

			assert_int_equal(effect(a, all[j], NOW, &e),
				wrong[all[i]][all[j]] ? VERDICT_PRODUCT_WRONG : VERDICT_OK);
			if (wrong[all[i]][all[j]])
				assert_int_equal(e.expires, -7);
			/* beyond renewal nothing waits for a key any more */
			s->expires_at = NOW - 400 * DAY;
			assert_int_equal(effect(a, all[j], NOW, &e), VERDICT_OK);
			/* and beside an active one another may be wanted */
			s->state = SUBSCRIPTION_ACTIVE;
			s->expires_at = NOW + 10 * DAY;
			assert_int_equal(effect(a, all[j], NOW, &e), VERDICT_OK);
			free(a);
		}
}

static void test_H10_a_key_that_adds_on(void **state)
{
	struct aggregate *a = person();
	struct licence_effect e;

	(void)state;
	subscribe(a, PRODUCT_PHONE_US, SUBSCRIPTION_ACTIVE, NOW + 100 * DAY);
	assert_int_equal(effect(a, PRODUCT_HARDWARE, NOW, &e), VERDICT_OK);
	assert_null(e.extends);
	assert_int_equal(e.expires, NOW + 100 * DAY);
	assert_int_equal(effect(a, PRODUCT_PHONE_INTL, NOW, &e), VERDICT_OK);
	assert_int_equal(e.expires, licence_expiry(NOW, 1)); /* no add-on: the same sort */
	/* bought too long ago: nothing, added on or not */
	assert_int_equal(effect(a, PRODUCT_HARDWARE, NOW - 2 * YEAR, &e), VERDICT_NOT_ALLOWED);
	/* once added it is renewed by itself, to the same date */
	subscribe(a, PRODUCT_HARDWARE, SUBSCRIPTION_ACTIVE, NOW + 100 * DAY);
	assert_int_equal(effect(a, PRODUCT_HARDWARE, NOW, &e), VERDICT_OK);
	assert_ptr_equal(e.extends, &a->subscriptions[1]);
	assert_int_equal(e.expires, licence_expiry(NOW + 100 * DAY, 1));
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_K1_what_each_product_takes),
		cmocka_unit_test(test_K1_subscription_for_a_token_and_an_app),
		cmocka_unit_test(test_the_one_that_ends_last),
		cmocka_unit_test(test_H10_addons_share_the_date),
		cmocka_unit_test(test_K7_the_year_counts_from_purchase),
		cmocka_unit_test(test_K5_same_product_extends_from_the_original_expiry),
		cmocka_unit_test(test_K5_a_wrong_product_is_refused),
		cmocka_unit_test(test_H10_a_key_that_adds_on),
	};

	return cmocka_run_group_tests_name("subscription", tests, NULL, NULL);
}
