/* The journal of what is spent (security.md 27): its records, and how a file of them ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/journal.h"

#define NOW 1795269720
#define N   6

/* Stands for a keyed hash: the key is `arg`. */
static int mac(const void *arg, const void *data, size_t len, unsigned char mac_r[HASH_LEN])
{
	unsigned char bytes[256];
	size_t n = strlen(arg);

	if (n + len > sizeof bytes)
		return MAG_ENOSPACE;
	memcpy(bytes, arg, n);
	memcpy(bytes + n, data, len);
	return crypto_sha256((struct crypto_text){ (const char *)bytes, n + len }, mac_r);
}

static int no_mac(const void *arg, const void *data, size_t len, unsigned char mac_r[HASH_LEN])
{
	(void)arg;
	(void)data;
	(void)len;
	(void)mac_r;
	return MAG_ECRYPTO;
}

static const struct journal_key key = { mac, "key" }, other_key = { mac, "another" },
				broken_key = { no_mac, NULL };

struct file {
	unsigned char bytes[(N + 2) * JOURNAL_RECORD];
	struct journal_fact facts[N];
};

/* A beginning and five facts, with numbers that are missing. */
static void write_file(struct file *f)
{
	struct journal_chain c = { 0 };

	memset(f, 0, sizeof *f);
	for (int i = 0; i < N; i++) {
		struct journal_fact *fact = &f->facts[i];

		*fact = (struct journal_fact){ .kind = i ? JOURNAL_SPENT : JOURNAL_BEGIN,
			.about = i ? JOURNAL_RECOVERY : 0,
			.n = i == 3 ? 17 : 0,
			.id = INT64_MAX - i,
			.value = -i,
			.more = i,
			.at = NOW + i };
		assert_int_equal(journal_append(&c, &key, fact, f->bytes + i * JOURNAL_RECORD), 0);
	}
	assert_int_equal(c.n, 19);
	assert_int_equal(c.id, INT64_MAX);
}

struct seen {
	struct journal_fact facts[N];
	size_t n;
	int stop; /* at this one; 0: never */
};

static int on_fact(const struct journal_fact *f, void *arg)
{
	struct seen *s = arg;

	assert_true(s->n < N);
	s->facts[s->n++] = *f;
	return s->stop && s->n == (size_t)s->stop ? MAG_ENOMEM : 0;
}

static struct journal_reading read_file(
	const unsigned char *bytes, size_t len, const struct journal_key *k, struct seen *s)
{
	struct journal_reading reading = { 0 };

	*s = (struct seen){ 0 };
	assert_int_equal(journal_read(bytes, len, k, on_fact, s, &reading), 0);
	return reading;
}

static void test_what_was_written_is_read(void **state)
{
	struct journal_reading r;
	struct file f;
	struct seen s;

	(void)state;
	write_file(&f);
	r = read_file(f.bytes, N * JOURNAL_RECORD, &key, &s);
	assert_int_equal(r.end, JOURNAL_WHOLE);
	assert_int_equal(r.sound, N * JOURNAL_RECORD);
	assert_int_equal(r.begun_at, NOW);
	assert_int_equal(r.chain.n, 19);
	assert_int_equal(r.chain.id, INT64_MAX);
	assert_int_equal(s.n, N);
	assert_memory_equal(s.facts, f.facts, sizeof f.facts);
	r = read_file(f.bytes, 0, &key, &s);
	assert_int_equal(r.end, JOURNAL_WHOLE);
	assert_false(r.chain.begun);
}

/* A crash cuts a record, or leaves room that nothing was written into. */
static void test_a_torn_end(void **state)
{
	struct journal_reading r;
	struct file f;
	struct seen s;

	(void)state;
	write_file(&f);
	for (size_t len = 5 * JOURNAL_RECORD + 1; len < N * JOURNAL_RECORD; len++) {
		r = read_file(f.bytes, len, &key, &s);
		assert_int_equal(r.end, JOURNAL_TORN);
		assert_int_equal(r.sound, 5 * JOURNAL_RECORD);
		assert_int_equal(s.n, 5);
	}
	r = read_file(f.bytes, sizeof f.bytes, &key, &s);
	assert_int_equal(r.end, JOURNAL_TORN);
	assert_int_equal(s.n, N);
}

/* Any bit: what stands before it is sound, nothing behind it is believed. */
static void test_a_flipped_bit(void **state)
{
	struct journal_reading r;
	struct file f;
	struct seen s;

	(void)state;
	write_file(&f);
	for (size_t bit = 0; bit < (size_t)8 * N * JOURNAL_RECORD; bit++) {
		f.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		r = read_file(f.bytes, N * JOURNAL_RECORD, &key, &s);
		assert_int_equal(r.end, JOURNAL_DAMAGED);
		assert_int_equal(s.n, bit / 8 / JOURNAL_RECORD);
		f.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

static void test_left_out_moved_or_foreign(void **state)
{
	unsigned char *second, *third, swap[JOURNAL_RECORD];
	struct journal_reading r;
	struct file f;
	struct seen s;

	(void)state;
	write_file(&f);
	second = f.bytes + JOURNAL_RECORD;
	third = second + JOURNAL_RECORD;
	r = read_file(f.bytes, N * JOURNAL_RECORD, &other_key, &s);
	assert_int_equal(r.end, JOURNAL_DAMAGED);
	assert_int_equal(s.n, 0);
	memcpy(swap, second, sizeof swap);
	memmove(second, third, JOURNAL_RECORD);
	memcpy(third, swap, sizeof swap);
	r = read_file(f.bytes, N * JOURNAL_RECORD, &key, &s);
	assert_int_equal(r.end, JOURNAL_DAMAGED);
	assert_int_equal(s.n, 1);
	write_file(&f);
	memmove(second, third, (N - 2) * JOURNAL_RECORD);
	r = read_file(f.bytes, (N - 1) * JOURNAL_RECORD, &key, &s);
	assert_int_equal(r.end, JOURNAL_DAMAGED);
	assert_int_equal(s.n, 1);
	/* It does not begin in its middle. */
	write_file(&f);
	r = read_file(second, (N - 1) * JOURNAL_RECORD, &key, &s);
	assert_int_equal(r.end, JOURNAL_DAMAGED);
	assert_int_equal(s.n, 0);
}

static void test_what_does_not_fit_is_not_written(void **state)
{
	struct journal_fact spent = { .kind = JOURNAL_SPENT, .id = 1 };
	struct journal_fact first = { .kind = JOURNAL_BEGIN, .id = 7 };
	struct journal_chain c = { 0 };
	unsigned char record[JOURNAL_RECORD];

	(void)state;
	assert_int_equal(journal_append(&c, &key, &spent, record), MAG_EINVAL);
	assert_int_equal(journal_append(&c, &broken_key, &first, record), MAG_ECRYPTO);
	assert_false(c.begun);
	assert_int_equal(journal_append(&c, &key, &first, record), 0);
	assert_int_equal(journal_append(&c, &key, &first, record), MAG_EINVAL);
	assert_int_equal(journal_append(&c, &key, &spent, record), 0);
	assert_int_equal(spent.n, 1);
}

/* One that was set aside ends for good, whatever stands behind. */
static void test_threat_27_nothing_follows_the_last(void **state)
{
	struct journal_fact first = { .kind = JOURNAL_BEGIN, .id = 7 };
	struct journal_fact gap = { .kind = JOURNAL_GAP, .n = JOURNAL_LAST };
	struct journal_fact spent = { .kind = JOURNAL_SPENT, .id = 1 };
	unsigned char bytes[3 * JOURNAL_RECORD];
	struct journal_chain c = { 0 }, before;
	struct journal_reading r;
	struct seen s;

	(void)state;
	assert_int_equal(journal_append(&c, &key, &first, bytes), 0);
	assert_int_equal(journal_append(&c, &key, &gap, bytes + JOURNAL_RECORD), 0);
	before = c;
	assert_int_equal(journal_append(&c, &key, &spent, bytes + 2 * JOURNAL_RECORD), MAG_EINVAL);
	assert_memory_equal(&c, &before, sizeof c);
	r = read_file(bytes, 2 * JOURNAL_RECORD, &key, &s);
	assert_int_equal(r.end, JOURNAL_WHOLE);
	assert_int_equal(r.chain.n, JOURNAL_LAST);
	c.n = 1;
	assert_int_equal(journal_append(&c, &key, &spent, bytes + 2 * JOURNAL_RECORD), 0);
	r = read_file(bytes, sizeof bytes, &key, &s);
	assert_int_equal(r.end, JOURNAL_DAMAGED);
	assert_int_equal(s.n, 2);
}

static void test_errors_of_the_reader(void **state)
{
	struct journal_reading r = { .sound = 123 };
	struct seen s = { .stop = 3 };
	struct file f;

	(void)state;
	write_file(&f);
	assert_int_equal(
		journal_read(f.bytes, N * JOURNAL_RECORD, &key, on_fact, &s, &r), MAG_ENOMEM);
	assert_int_equal(s.n, 3);
	assert_int_equal(journal_read(f.bytes, N * JOURNAL_RECORD, &broken_key, on_fact, &s, &r),
		MAG_ECRYPTO);
	assert_int_equal(r.sound, 123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_written_is_read),
		cmocka_unit_test(test_a_torn_end),
		cmocka_unit_test(test_a_flipped_bit),
		cmocka_unit_test(test_left_out_moved_or_foreign),
		cmocka_unit_test(test_what_does_not_fit_is_not_written),
		cmocka_unit_test(test_threat_27_nothing_follows_the_last),
		cmocka_unit_test(test_errors_of_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
