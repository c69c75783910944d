#include "broker_room.h"

#include "otpcore/engine/policy.h"

static void test_L10_phones_are_stable_and_differ(void **state)
{
	struct aggregate *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
	unsigned two = 0, same = 0;
	char name[16];
	struct room m;

	(void)state;
	assert_true(a && b);
	room_open(&m, "");
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof name, "ghost%d", i);
		decoy_fill(m.broker.keyring, name, ROOM_NOW, a);
		decoy_fill(m.broker.keyring, name, ROOM_NOW, b);
		assert_memory_equal(a, b, sizeof *a);
		two += a->n_phones == 2;
		decoy_fill(m.broker.keyring, i % 2 ? "x" : "y", ROOM_NOW, b);
		same += mag_streq(a->phones[0].masked, b->phones[0].masked);
		assert_int_equal(strlen(a->phones[0].masked), 4);
	}
	assert_in_range(two, 60, 140); /* one in four */
	assert_true(same < 5);
	free(a);
	free(b);
	room_close(&m);
}

static void test_L10_key_decides_the_digits(void **state)
{
	struct aggregate *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
	unsigned same = 0;
	char name[16];
	struct room m, other;

	(void)state;
	room_open(&m, "");
	room_open(&other, "");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "ghost%d", i);
		decoy_fill(m.broker.keyring, name, ROOM_NOW, a);
		decoy_fill(other.broker.keyring, name, ROOM_NOW, b);
		same += mag_streq(a->phones[0].masked, b->phones[0].masked);
	}
	assert_true(same < 3); /* nobody can compute them from the name */
	free(a);
	free(b);
	room_close(&m);
	room_close(&other);
}

static void test_made_up_phones_are_offered(void **state)
{
	struct aggregate *a = calloc(1, sizeof *a);
	const struct policy p = { .require = STRENGTH_PHONE_OTP, .level = 2, .known = true };
	struct offer offers[PHONES_MAX];
	struct room m;
	size_t n;

	(void)state;
	room_open(&m, "");
	for (int i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof name, "g%d", i);
		decoy_fill(m.broker.keyring, name, ROOM_NOW, a);
		n = policy_offers(a, &p, m.broker.settings, ROOM_NOW, offers, PHONES_MAX);
		assert_int_equal(n, a->n_phones);
		assert_true(n >= 1 && n <= 2 && !offers[0].excluded && offers[0].is_default);
	}
	free(a);
	room_close(&m);
}

/* The table forgets who rested longest, and never mixes two up; also within one
 * second. */
static void test_table_keeps_the_latest(void **state)
{
	unsigned char chain[HASH_LEN] = { 0 };
	struct request *r;
	struct decoy *d;
	struct room m;

	(void)state;
	room_open(&m, "");
	r = room_request(&m, WIRE_MSG_VERIFY, 0);
	for (int i = 0; i < 600; i++) {
		chain[0] = (unsigned char)i;
		chain[1] = (unsigned char)(i >> 8);
		d = decoy_of(r, chain, "ghost");
		assert_int_equal(d->account.n_throttles, 0);
		d->account.throttles[d->account.n_throttles++] =
			(struct throttle){ .kind = THROTTLE_CHAIN, .subject = i, .count = 1 };
	}
	d = decoy_of(r, chain, "ghost");
	assert_int_equal(d->account.throttles[0].subject, 599);
	memset(chain, 0, sizeof chain);
	d = decoy_of(r, chain, "ghost"); /* long forgotten: new */
	assert_int_equal(d->account.n_throttles, 0);
	request_free(&r);
	room_close(&m);
}

/* Many logins at once: none is told that its code is gone where a real one is not. */
static void test_L10_two_hundred_at_once_are_kept(void **state)
{
	unsigned char chain[HASH_LEN] = { 0 };
	struct request *r;
	struct room m;

	(void)state;
	room_open(&m, "");
	r = room_request(&m, WIRE_MSG_VERIFY, 0);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 200; i++) {
			chain[0] = (unsigned char)i;
			assert_int_equal(decoy_of(r, chain, "ghost")->account.n_challenges, round);
			decoy_of(r, chain, "ghost")->account.n_challenges++;
		}
	request_free(&r);
	room_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_L10_phones_are_stable_and_differ),
		cmocka_unit_test(test_L10_key_decides_the_digits),
		cmocka_unit_test(test_made_up_phones_are_offered),
		cmocka_unit_test(test_table_keeps_the_latest),
		cmocka_unit_test(test_L10_two_hundred_at_once_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
