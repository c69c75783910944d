/* The keys of a store, wrapped by the master key (security.md 26). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/seal/seal.h"

static const char where[] = "phone.number", number[] = "+12025550134";
static char folder[] = "/tmp/test_wrap.XXXXXX";

/* A ring of master key n: 0, 1, ... */
static struct keyring *ring_of(int n)
{
	char path[64], source[80];
	struct keyring *k = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "%s/key", folder);
	snprintf(source, sizeof(source), "file:%s", path);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%064d\n", n);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(keyring_open(source, &k), 0);
	unlink(path);
	return k;
}

static struct blob sealed_by(const struct keyring *k)
{
	struct blob b = { 0 };

	assert_int_equal(seal(k, where, 7, number, sizeof(number), &b), 0);
	return b;
}

static int opens(struct keyring *k, const struct blob *b)
{
	struct mag_secret clear = { 0 };
	int r = seal_open(k, where, 7, b, &clear);

	if (r == 0)
		assert_memory_equal(clear.data, number, sizeof(number));
	mag_secret_free(&clear);
	return r;
}

static void hash_of(const struct keyring *k, unsigned char hash_r[HASH_LEN])
{
	assert_int_equal(seal_hash(k, PEPPER_NUMBER, number, sizeof(number), hash_r), 0);
}

static void test_what_older_versions_sealed_still_opens(void **state)
{
	struct keyring *old = ring_of(1), *k = ring_of(1);
	unsigned char before[HASH_LEN], after[HASH_LEN];
	struct blob b = sealed_by(old);
	struct data_key rows[2];

	(void)state;
	hash_of(old, before);
	assert_int_equal(keyring_keep(k, rows), 0);
	assert_int_equal(keyring_load(k, rows, 2), 0);
	assert_int_equal(keyring_current(k), seal_key_of(b.data, b.len));
	assert_int_equal(opens(k, &b), 0);
	hash_of(k, after);
	assert_memory_equal(before, after, HASH_LEN);
	keyring_free(&old);
	keyring_free(&k);
}

/* Random ones: the master key alone gives none of them. */
static void test_threat_26_a_new_store_has_keys_of_its_own(void **state)
{
	struct keyring *k = ring_of(1), *other = ring_of(1), *derived = ring_of(1);
	unsigned char a[HASH_LEN], b[HASH_LEN];
	struct data_key rows[2], others[2];
	struct blob sealed;

	(void)state;
	assert_int_equal(keyring_make(k, rows), 0);
	assert_int_equal(keyring_make(other, others), 0);
	assert_int_equal(keyring_load(k, rows, 2), 0);
	assert_int_equal(keyring_load(other, others, 2), 0);
	sealed = sealed_by(k);
	assert_int_equal(opens(k, &sealed), 0);
	assert_false(keyring_missed(k));
	assert_int_equal(opens(other, &sealed), MAG_ECRYPTO);
	assert_true(keyring_missed(other));
	assert_false(keyring_missed(other)); /* said once */
	assert_int_equal(opens(derived, &sealed), MAG_ECRYPTO);
	hash_of(k, a);
	hash_of(other, b);
	assert_memory_not_equal(a, b, HASH_LEN);
	hash_of(derived, b);
	assert_memory_not_equal(a, b, HASH_LEN);
	keyring_free(&k);
	keyring_free(&other);
	keyring_free(&derived);
}

static void test_the_next_key_opens_but_does_not_seal(void **state)
{
	struct keyring *k = ring_of(1), *quick = ring_of(1);
	struct data_key rows[3];
	struct blob old, new;

	(void)state;
	assert_int_equal(keyring_make(k, rows), 0);
	assert_int_equal(keyring_load(k, rows, 2), 0);
	assert_int_equal(keyring_make_next(k, &rows[2]), 0);
	assert_int_equal(rows[2].state, KEY_NEXT);
	assert_int_equal(keyring_load(k, rows, 3), 0);
	old = sealed_by(k);
	assert_int_equal(seal_key_of(old.data, old.len), rows[1].row.id);
	rows[1].state = KEY_OLD;
	rows[2].state = KEY_CURRENT;
	assert_int_equal(keyring_load(quick, rows, 3), 0);
	new = sealed_by(quick);
	assert_int_equal(seal_key_of(new.data, new.len), rows[2].row.id);
	assert_int_equal(opens(quick, &old), 0);
	assert_int_equal(opens(k, &new), 0);
	/* and without the old one */
	rows[1] = rows[2];
	assert_int_equal(keyring_load(quick, rows, 2), 0);
	assert_int_equal(opens(quick, &new), 0);
	assert_int_equal(opens(quick, &old), MAG_ECRYPTO);
	keyring_free(&k);
	keyring_free(&quick);
}

static void test_threat_26_another_master_key_opens_nothing(void **state)
{
	struct keyring *k = ring_of(1), *thief = ring_of(2);
	struct data_key rows[2], own[2];

	(void)state;
	assert_int_equal(keyring_make(k, rows), 0);
	assert_int_equal(keyring_load(thief, rows, 2), MAG_ENOTFOUND);
	/* nor if they are made to look like its own */
	assert_int_equal(keyring_make(thief, own), 0);
	for (int i = 0; i < 2; i++)
		memcpy(rows[i].wrapped.data, own[i].wrapped.data, 4);
	assert_int_equal(keyring_load(thief, rows, 2), MAG_ECRYPTO);
	keyring_free(&k);
	keyring_free(&thief);
}

static void test_threat_26_every_changed_bit_of_a_wrapping_is_found(void **state)
{
	struct keyring *k = ring_of(1);
	struct data_key rows[2], swapped[2];
	struct blob b;

	(void)state;
	assert_int_equal(keyring_make(k, rows), 0);
	assert_int_equal(keyring_load(k, rows, 2), 0);
	b = sealed_by(k);
	for (int i = 0; i < 2; i++)
		for (size_t bit = 0; bit < rows[i].wrapped.len * 8; bit++) {
			rows[i].wrapped.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
			assert_int_equal(
				keyring_load(k, rows, 2), bit < 32 ? MAG_ENOTFOUND : MAG_ECRYPTO);
			rows[i].wrapped.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
	/* one key's bytes under another's id */
	memcpy(swapped, rows, sizeof(rows));
	swapped[1].row.id ^= 1;
	assert_int_equal(keyring_load(k, swapped, 2), MAG_ECRYPTO);
	memcpy(swapped, rows, sizeof(rows));
	swapped[0].wrapped = rows[1].wrapped;
	assert_int_equal(keyring_load(k, swapped, 2), MAG_ECRYPTO);
	/* the ring is as it was */
	assert_int_equal(opens(k, &b), 0);
	keyring_free(&k);
}

static void test_rows_that_are_not_a_ring_are_refused(void **state)
{
	struct keyring *k = ring_of(1);
	struct data_key rows[KEYS_MAX + 2];
	size_t n = 2;

	(void)state;
	assert_int_equal(keyring_make(k, rows), 0);
	assert_int_equal(keyring_load(k, rows, 0), MAG_ESTORE);
	assert_int_equal(keyring_load(k, rows, 1), MAG_ESTORE);     /* no key */
	assert_int_equal(keyring_load(k, rows + 1, 1), MAG_ESTORE); /* no peppers */
	rows[1].state = KEY_OLD;
	assert_int_equal(keyring_load(k, rows, 2), MAG_ESTORE); /* nothing is current */
	rows[1].state = KEY_CURRENT;
	for (; n < KEYS_MAX + 1; n++)
		assert_int_equal(keyring_make_next(k, &rows[n]), 0);
	assert_int_equal(keyring_load(k, rows, n), 0);
	assert_int_equal(keyring_make_next(k, &rows[n]), 0);
	assert_int_equal(keyring_load(k, rows, n + 1), MAG_ESTORE); /* too many */
	rows[2].state = KEY_CURRENT;
	assert_int_equal(keyring_load(k, rows, 3), MAG_ESTORE); /* two are current */
	keyring_free(&k);
}

static void test_between_two_master_keys_either_opens(void **state)
{
	struct keyring *old = ring_of(1), *new = ring_of(2), *again = ring_of(2);
	struct data_key rows[2];
	struct blob b;

	(void)state;
	assert_int_equal(keyring_make(old, rows), 0);
	assert_int_equal(keyring_load(old, rows, 2), 0);
	b = sealed_by(old);
	for (int i = 0; i < 2; i++)
		assert_int_equal(keyring_rewrap(old, new, &rows[i]), 0);
	assert_int_equal(keyring_load(old, rows, 2), 0);
	assert_int_equal(opens(old, &b), 0);
	assert_int_equal(keyring_load(new, rows, 2), 0);
	assert_int_equal(opens(new, &b), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(keyring_wraps(new, &rows[i].rewrapped));
		assert_false(keyring_wraps(new, &rows[i].wrapped));
		rows[i].wrapped = rows[i].rewrapped;
		rows[i].rewrapped.len = 0;
	}
	assert_int_equal(keyring_load(again, rows, 2), 0);
	assert_int_equal(opens(again, &b), 0);
	assert_int_equal(keyring_load(old, rows, 2), MAG_ENOTFOUND);
	/* who has not the old one can't change it */
	assert_int_equal(keyring_rewrap(old, new, &rows[0]), MAG_ENOTFOUND);
	keyring_free(&old);
	keyring_free(&new);
	keyring_free(&again);
}

static void test_nothing_is_sealed_by_keys_nobody_is_sure_of(void **state)
{
	struct keyring *k = ring_of(1);
	struct blob b = sealed_by(k), none;

	(void)state;
	keyring_freeze(k, true);
	assert_int_equal(seal(k, where, 7, number, sizeof(number), &none), MAG_ESTORE);
	assert_int_equal(opens(k, &b), 0);
	keyring_freeze(k, false);
	(void)sealed_by(k);
	keyring_free(&k);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_older_versions_sealed_still_opens),
		cmocka_unit_test(test_threat_26_a_new_store_has_keys_of_its_own),
		cmocka_unit_test(test_the_next_key_opens_but_does_not_seal),
		cmocka_unit_test(test_threat_26_another_master_key_opens_nothing),
		cmocka_unit_test(test_threat_26_every_changed_bit_of_a_wrapping_is_found),
		cmocka_unit_test(test_rows_that_are_not_a_ring_are_refused),
		cmocka_unit_test(test_between_two_master_keys_either_opens),
		cmocka_unit_test(test_nothing_is_sealed_by_keys_nobody_is_sure_of),
	};

	return cmocka_run_group_tests_name("wrap", tests, set_up, tear_down);
}
