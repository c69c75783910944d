/* Every allocation, read, write, fsync and draw of random bytes fails once, in
 * the library below us and in our own code: no wrong success, no half result,
 * nothing left behind (security.md 35). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "otpcore/base/err.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/otp.h"
#include "otpcore/seal/seal.h"

/* The call that fails, counted from 1; 0: none. `passed` counts while armed. */
static unsigned fail_at, passed;
static bool fired;

static bool fails(void)
{
	if (fail_at == 0 || ++passed != fail_at)
		return false;
	fired = true;
	return true;
}

static void arm(unsigned n)
{
	fail_at = n;
	passed = 0;
	fired = false;
}

static void disarm(void)
{
	fail_at = 0;
}

/* OpenSSL's allocations */
static void *counted_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : malloc(n);
}

static void *counted_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : realloc(p, n);
}

static void counted_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* Ours: the linker sends the calls of our objects here (--wrap). */
#define WRAP_POINTER(name, params, args)                                                           \
	void *__real_##name params;                                                                \
	void *__wrap_##name params;                                                                \
	void *__wrap_##name params                                                                 \
	{                                                                                          \
		errno = ENOMEM;                                                                    \
		return fails() ? NULL : __real_##name args;                                        \
	}
#define WRAP_CALL(type, name, params, args)                                                        \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		if (fails()) {                                                                     \
			errno = EIO;                                                               \
			return -1;                                                                 \
		}                                                                                  \
		return __real_##name args;                                                         \
	}

WRAP_POINTER(malloc, (size_t n), (n))
WRAP_POINTER(calloc, (size_t n, size_t size), (n, size))
WRAP_CALL(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
WRAP_CALL(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP_CALL(ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))
WRAP_CALL(int, fsync, (int fd), (fd))
WRAP_CALL(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP_CALL(int, fstat, (int fd, struct stat *st), (fd, st))
WRAP_CALL(int, link, (const char *from, const char *to), (from, to))

static char folder[] = "/tmp/test_fault.XXXXXX";
static char path[64], source[80];
static struct keyring *ring, *loaded;
static struct data_key keys[2];
static struct blob sealed;
static unsigned char ticket[40], number_hash[HASH_LEN];
static size_t ticket_len;

static const char clear_text[] = "+12025550134";

/* ---- one step each: true if it succeeded, and then rightly ---- */

static bool do_create(void)
{
	struct stat st;
	int r = keyring_create(path);

	disarm();
	if (r == 0) {
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, 65);
		assert_int_equal(st.st_nlink, 1);
		unlink(path);
	}
	/* neither a key nor the file it was written to */
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	return r == 0;
}

static bool do_open(void)
{
	struct keyring *k = NULL;
	int r = keyring_open(source, &k);

	assert_int_equal(r == 0, k != NULL);
	keyring_free(&k);
	return r == 0;
}

static bool do_seal(void)
{
	struct blob b = { .len = 7 };
	struct mag_secret clear = { 0 };
	int r = seal(ring, "phone.number", 42, clear_text, 12, &b);

	disarm();
	if (r < 0) {
		assert_int_equal(b.len, 7);
		return false;
	}
	assert_int_equal(seal_open(ring, "phone.number", 42, &b, &clear), 0);
	assert_string_equal(mag_secret_text(&clear), clear_text);
	mag_secret_free(&clear);
	return true;
}

static bool do_seal_open(void)
{
	struct mag_secret clear = { 0 };
	int r = seal_open(ring, "phone.number", 42, &sealed, &clear);

	disarm();
	assert_string_equal(mag_secret_text(&clear), r == 0 ? clear_text : "");
	mag_secret_free(&clear);
	return r == 0;
}

static bool do_ticket(void)
{
	struct mag_secret clear = { 0 };
	int r = seal_open_bytes(ring, "ticket", ticket, ticket_len, &clear);

	disarm();
	assert_string_equal(mag_secret_text(&clear), r == 0 ? "ticket" : "");
	mag_secret_free(&clear);
	return r == 0;
}

static bool do_hash(void)
{
	unsigned char hash[HASH_LEN] = { 0 };
	const unsigned char untouched[HASH_LEN] = { 0 };
	int64_t subject = 0;
	int r = seal_hash(ring, PEPPER_NUMBER, clear_text, 12, hash);

	if (r == 0)
		r = seal_subject(ring, PEPPER_NUMBER, clear_text, 12, &subject);
	else
		assert_memory_equal(hash, untouched, HASH_LEN);
	if (r < 0) {
		assert_int_equal(subject, 0);
		return false;
	}
	assert_memory_equal(hash, number_hash, HASH_LEN);
	assert_int_not_equal(subject, 0);
	return true;
}

static bool do_hotp(void)
{
	char code[OTP_DIGITS_MAX + 1] = "keep";
	int r = hotp_code("12345678901234567890", 20, 1, 6, OTP_SHA1, code);

	assert_string_equal(code, r == 0 ? "287082" : "keep");
	return r == 0;
}

static bool do_key_hash(void)
{
	unsigned char hash[HASH_LEN] = { 0 };
	int r = key_hash("00001-00002-00003-00004-00005-00006", hash);

	assert_int_equal(hash[0], r == 0 ? 0x7e : 0);
	return r == 0;
}

/* Fail the first call of the step, then the second ..., until none is left. */
static void fail_each_call(bool (*step)(void))
{
	unsigned n = 0, errors = 0;
	bool ok;

	do {
		arm(++n);
		ok = step();
		disarm();
		errors += !ok;
		assert_true(n < 10000);
	} while (fired);
	print_message("%u calls, %u errors\n", n - 1, errors);
	assert_true(ok);
	assert_true(errors > 0);
}

static bool do_load(void)
{
	unsigned char hash[HASH_LEN];
	int r = keyring_load(loaded, keys, 2);

	/* Failed or not, the ring is a whole one. */
	if (r < 0)
		assert_int_equal(keyring_current(loaded), keys[1].row.id);
	return r == 0 && seal_hash(loaded, PEPPER_NUMBER, clear_text, 12, hash) == 0;
}

static bool do_make(void)
{
	struct data_key rows[3] = { 0 };
	int r = keyring_make(ring, rows);

	if (r == 0)
		r = keyring_make_next(ring, &rows[2]);
	else
		assert_int_equal(rows[0].wrapped.len, 0);
	return r == 0 && rows[2].wrapped.len > 0;
}

static bool do_rewrap(void)
{
	struct data_key row = keys[1];
	int r = keyring_rewrap(ring, ring, &row);

	assert_int_equal(r == 0, row.rewrapped.len > 0);
	return r == 0;
}

static void test_threat_35_wrapped_keys(void **state)
{
	(void)state;
	fail_each_call(do_make);
	fail_each_call(do_load);
	fail_each_call(do_rewrap);
}

static void test_threat_35_key_file_is_whole_or_not_there(void **state)
{
	(void)state;
	unlink(path);
	fail_each_call(do_create);
	assert_int_equal(keyring_create(path), 0);
}

static void test_threat_35_keyring_opens_whole_or_not(void **state)
{
	(void)state;
	fail_each_call(do_open);
}

static void test_threat_35_sealing(void **state)
{
	(void)state;
	fail_each_call(do_seal);
	fail_each_call(do_seal_open);
	fail_each_call(do_ticket);
}

static void test_threat_35_hashes_and_codes(void **state)
{
	(void)state;
	fail_each_call(do_hash);
	fail_each_call(do_hotp);
	fail_each_call(do_key_hash);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	snprintf(source, sizeof(source), "file:%s", path);
	/* Everything once: what the library sets up for good is not ours to fail. */
	if (keyring_create(path) < 0 || keyring_open(source, &ring) < 0 || !do_hotp() ||
		!do_key_hash())
		return -1;
	if (seal(ring, "phone.number", 42, clear_text, 12, &sealed) < 0 ||
		seal_bytes(ring, "ticket", "ticket", 6, ticket, sizeof(ticket), &ticket_len) < 0)
		return -1;
	if (keyring_make(ring, keys) < 0 || keyring_open(source, &loaded) < 0 ||
		keyring_load(loaded, keys, 2) < 0)
		return -1;
	return seal_hash(ring, PEPPER_NUMBER, clear_text, 12, number_hash);
}

static int tear_down(void **state)
{
	(void)state;
	keyring_free(&ring);
	keyring_free(&loaded);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_35_key_file_is_whole_or_not_there),
		cmocka_unit_test(test_threat_35_keyring_opens_whole_or_not),
		cmocka_unit_test(test_threat_35_wrapped_keys),
		cmocka_unit_test(test_threat_35_sealing),
		cmocka_unit_test(test_threat_35_hashes_and_codes),
	};

	if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free))
		return 1;
	return cmocka_run_group_tests_name("crypto_fault", tests, set_up, tear_down);
}
