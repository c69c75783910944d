/* Sealing, keyed hashes and where the master key comes from (security.md 26). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/seal/seal.h"

/* 00 01 ... 1f */
static const char master_hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char other_hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e20";

static char folder[] = "/tmp/test_seal.XXXXXX";
static struct keyring *ring, *other;

static const char *in_folder(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static const char *write_file(const char *name, const char *text, mode_t mode)
{
	const char *path = in_folder(name);
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

/* What keyring_open says to a file with this text and mode. */
static int open_result(const char *text, mode_t mode)
{
	char source[600];
	struct keyring *k = NULL;
	int r;

	snprintf(source, sizeof(source), "file:%s", write_file("k", text, mode));
	r = keyring_open(source, &k);
	assert_int_equal(r == 0, k != NULL);
	keyring_free(&k);
	return r;
}

static struct keyring *ring_of(const char *hex)
{
	char source[600];
	struct keyring *k = NULL;

	snprintf(source, sizeof(source), "file:%s", write_file("k", hex, 0600));
	assert_int_equal(keyring_open(source, &k), 0);
	return k;
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	ring = ring_of(master_hex);
	other = ring_of(other_hex);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	keyring_free(&ring);
	keyring_free(&other);
	unlink(in_folder("k"));
	return rmdir(folder);
}

/* ---- rows ---- */

static void test_row_round_trip(void **state)
{
	unsigned char clear[SEALED_MAX] = { 1, 2, 3 };
	struct mag_secret back = { 0 };
	struct blob b = { 0 };
	size_t len;

	(void)state;
	for (len = 0; len <= SEALED_MAX - 32; len++) {
		assert_int_equal(seal(ring, "phone.number", 42, clear, len, &b), 0);
		assert_int_equal(b.len, len + 32);
		assert_int_equal(seal_open(ring, "phone.number", 42, &b, &back), 0);
		assert_int_equal(back.len, len);
		if (len > 0)
			assert_memory_equal(back.data, clear, len);
	}
	b.len = 7;
	assert_int_equal(seal(ring, "phone.number", 42, clear, len, &b), MAG_ENOSPACE);
	assert_int_equal(b.len, 7);
	mag_secret_free(&back);
}

/* Made with another implementation (HKDF and AES-GCM of Python's cryptography):
 * what is in a database must open after every upgrade. */
static void test_format_is_fixed(void **state)
{
	static const char row[] = "84e820296465666768696a6b6c6d6e6fb9bcb4bde84b67b602d053190f104abb"
				  "51f48c26c1b42fe502c15ebb";
	static const char bytes[] =
		"84e820296465666768696a6b6c6d6e6fcd11b68b46e026c52eeb36f1e76b9479"
		"aa9f2590eca1";
	unsigned char data[64];
	struct mag_secret clear = { 0 };
	struct blob b = { 0 };
	size_t len;

	(void)state;
	assert_int_equal(mag_hex_decode(row, b.data, sizeof(b.data), &b.len), 0);
	assert_int_equal(seal_open(ring, "phone.number", 42, &b, &clear), 0);
	assert_string_equal(mag_secret_text(&clear), "+12025550134");
	assert_int_equal(mag_hex_decode(bytes, data, sizeof(data), &len), 0);
	assert_int_equal(seal_open_bytes(ring, "ticket", data, len, &clear), 0);
	assert_string_equal(mag_secret_text(&clear), "ticket");
	mag_secret_free(&clear);
}

static void test_threat_26_every_changed_bit_is_found(void **state)
{
	struct mag_secret clear = { 0 };
	struct blob b, changed;
	size_t bit;

	(void)state;
	assert_int_equal(seal(ring, "phone.number", 42, "+12025550134", 12, &b), 0);
	assert_int_equal(mag_secret_set_text(&clear, "keep"), 0);
	for (bit = 0; bit < 8 * b.len; bit++) {
		changed = b;
		changed.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(
			seal_open(ring, "phone.number", 42, &changed, &clear), MAG_ECRYPTO);
	}
	for (changed = b; changed.len-- > 0;)
		assert_int_equal(
			seal_open(ring, "phone.number", 42, &changed, &clear), MAG_ECRYPTO);
	changed = b;
	changed.len++;
	assert_int_equal(seal_open(ring, "phone.number", 42, &changed, &clear), MAG_ECRYPTO);
	changed.len = SIZE_MAX;
	assert_int_equal(seal_open(ring, "phone.number", 42, &changed, &clear), MAG_ECRYPTO);
	assert_string_equal(mag_secret_text(&clear), "keep");
	mag_secret_free(&clear);
}

static void test_threat_26_swapped_rows_fail(void **state)
{
	struct mag_secret clear = { 0 };
	struct blob a, b;

	(void)state;
	assert_int_equal(seal(ring, "phone.number", 1, "+12025550134", 12, &a), 0);
	assert_int_equal(seal(ring, "phone.number", 2, "+12025550177", 12, &b), 0);
	assert_int_equal(seal_open(ring, "phone.number", 2, &a, &clear), MAG_ECRYPTO);
	assert_int_equal(seal_open(ring, "phone.number", 1, &b, &clear), MAG_ECRYPTO);
	assert_int_equal(seal_open(ring, "phone.number", -1, &a, &clear), MAG_ECRYPTO);
	assert_int_equal(seal_open(ring, "account.email", 1, &a, &clear), MAG_ECRYPTO);
	assert_int_equal(seal_open(ring, "phone.numbe", 1, &a, &clear), MAG_ECRYPTO);
	assert_int_equal(seal_open(ring, "phone.number", 1, &a, &clear), 0);
	mag_secret_free(&clear);
}

static void test_threat_26_wrong_key_fails(void **state)
{
	struct mag_secret clear = { 0 };
	struct blob b;

	(void)state;
	assert_int_equal(seal(ring, "phone.number", 1, "+12025550134", 12, &b), 0);
	assert_int_equal(seal_open(other, "phone.number", 1, &b, &clear), MAG_ECRYPTO);
	assert_null(clear.data);
}

static void test_the_same_text_is_never_sealed_alike(void **state)
{
	struct blob a, b;

	(void)state;
	assert_int_equal(seal(ring, "phone.number", 1, "+12025550134", 12, &a), 0);
	assert_int_equal(seal(ring, "phone.number", 1, "+12025550134", 12, &b), 0);
	assert_memory_equal(a.data, b.data, 4); /* key id */
	assert_memory_not_equal(a.data + 4, b.data + 4, 12);
	assert_memory_not_equal(a.data + 16, b.data + 16, 12);
}

static void test_where_must_be_said(void **state)
{
	struct mag_secret clear = { 0 };
	unsigned char out[64];
	char long_name[80];
	struct blob b = { .len = 7 };
	size_t len = 7;

	(void)state;
	memset(long_name, 'x', sizeof(long_name));
	long_name[65] = '\0';
	assert_int_equal(seal(ring, "", 1, "x", 1, &b), MAG_EINVAL);
	assert_int_equal(seal(ring, NULL, 1, "x", 1, &b), MAG_EINVAL);
	assert_int_equal(seal(ring, long_name, 1, "x", 1, &b), MAG_EINVAL);
	assert_int_equal(b.len, 7);
	assert_int_equal(seal_open(ring, "", 1, &b, &clear), MAG_EINVAL);
	assert_int_equal(seal_bytes(ring, "", "x", 1, out, sizeof(out), &len), MAG_EINVAL);
	assert_int_equal(seal_open_bytes(ring, "", out, 40, &clear), MAG_EINVAL);
	assert_int_equal(len, 7);
	long_name[64] = '\0';
	assert_int_equal(seal(ring, long_name, 1, "x", 1, &b), 0);
	assert_int_equal(seal_open(ring, long_name, 1, &b, &clear), 0);
	mag_secret_free(&clear);
}

/* ---- tickets ---- */

static void test_bytes_round_trip_and_tampering(void **state)
{
	unsigned char clear[1200], sealed[1232], changed[1232];
	struct mag_secret back = { 0 };
	size_t len = 0, bit;

	(void)state;
	memset(clear, 0x5a, sizeof(clear));
	assert_int_equal(
		seal_bytes(ring, "ticket", clear, sizeof(clear), sealed, sizeof(sealed) - 1, &len),
		MAG_ENOSPACE);
	assert_int_equal(
		seal_bytes(ring, "ticket", clear, sizeof(clear), sealed, sizeof(sealed), &len), 0);
	assert_int_equal(len, sizeof(sealed));
	assert_int_equal(seal_open_bytes(ring, "ticket", sealed, len, &back), 0);
	assert_int_equal(back.len, sizeof(clear));
	assert_memory_equal(back.data, clear, sizeof(clear));
	for (bit = 0; bit < 8 * len; bit += 7) {
		memcpy(changed, sealed, len);
		changed[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(seal_open_bytes(ring, "ticket", changed, len, &back), MAG_ECRYPTO);
	}
	assert_int_equal(seal_open_bytes(ring, "ticket", sealed, 31, &back), MAG_ECRYPTO);
	assert_int_equal(seal_open_bytes(ring, "ticket", sealed, 0, &back), MAG_ECRYPTO);
	assert_int_equal(seal_open_bytes(ring, "ticket", sealed, SIZE_MAX, &back), MAG_ECRYPTO);
	assert_int_equal(seal_open_bytes(ring, "cursor", sealed, len, &back), MAG_ECRYPTO);
	assert_int_equal(seal_open_bytes(other, "ticket", sealed, len, &back), MAG_ECRYPTO);
	mag_secret_free(&back);
}

/* A ticket is no row and a row no ticket, even with the same name. */
static void test_rows_and_bytes_are_different_things(void **state)
{
	struct mag_secret clear = { 0 };
	unsigned char out[64];
	struct blob b = { 0 };
	size_t len;

	(void)state;
	assert_int_equal(seal(ring, "ticket", 0, "abc", 3, &b), 0);
	assert_int_equal(seal_open_bytes(ring, "ticket", b.data, b.len, &clear), MAG_ECRYPTO);
	assert_int_equal(seal_bytes(ring, "ticket", "abc", 3, out, sizeof(out), &len), 0);
	memcpy(b.data, out, len);
	b.len = len;
	assert_int_equal(seal_open(ring, "ticket", 0, &b, &clear), MAG_ECRYPTO);
}

static void test_bytes_have_a_limit(void **state)
{
	size_t len = 7, big = 1024 * 1024 + 1;
	unsigned char *out = malloc(big + 32);

	(void)state;
	assert_non_null(out);
	assert_int_equal(seal_bytes(ring, "t", out, big, out, big + 32, &len), MAG_ENOSPACE);
	assert_int_equal(seal_bytes(ring, "t", out, SIZE_MAX - 3, out, big, &len), MAG_ENOSPACE);
	assert_int_equal(len, 7);
	free(out);
}

/* ---- hashes ---- */

static void test_peppers_are_fixed_and_differ(void **state)
{
	static const char *const expected[PEPPER_N] = {
		[PEPPER_CODE] = "e60d6dd25728b2dfcdd265e69c955fe5f2294d4b231601dd3c2a78902d623be8",
		[PEPPER_NUMBER] =
			"57b9b25543d33eb3f451970922bff129be5b2d24ca9dd05ee1c9bfab9af66c30",
		[PEPPER_EMAIL] = "a03fdd489071846a9e074ffcc1d63d5d1344031fe1e440679b89f4c2e19c4164",
		[PEPPER_CHAIN] = "ef0b49028524d0ec4ea944d6294e8d878601ece415ea41f3424096465084b429",
		[PEPPER_SOURCE] =
			"b2c73a1f961b9b2ec2ea46ba55c691fa84e2eb10d771eab5cb725f26f2b577f7",
		[PEPPER_DECOY] = "1ed1983f6cb14bb715046da6994a45a7a51d6f52338b9c4cf72529fe3e734fc2",
		[PEPPER_AUDIT] = "eafa1eac02ec5e127b6b467176a1c9ce17ac425328aa38df925dc8a12a7b0c2c",
	};
	unsigned char hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1];
	int p, again;

	(void)state;
	for (p = 0; p < PEPPER_N; p++) {
		for (again = 0; again < 2; again++) {
			assert_int_equal(seal_hash(ring, (enum pepper)p, "abc", 3, hash), 0);
			mag_hex_encode(hash, sizeof(hash), hex);
			assert_string_equal(hex, expected[p]);
		}
		assert_int_equal(seal_hash(other, (enum pepper)p, "abc", 3, hash), 0);
		mag_hex_encode(hash, sizeof(hash), hex);
		assert_string_not_equal(hex, expected[p]);
	}
	assert_int_equal(seal_hash(ring, PEPPER_N, "abc", 3, hash), MAG_EINVAL);
	assert_int_equal(seal_hash(ring, PEPPER_CODE, NULL, 0, hash), 0);
}

static void test_subjects_are_positive_and_stable(void **state)
{
	int64_t first = 0, again = 0, i;

	(void)state;
	assert_int_equal(seal_subject(ring, PEPPER_SOURCE, "abc", 3, &first), 0);
	assert_true(first == (int64_t)(0xb2c73a1f961b9b2eu & INT64_MAX));
	assert_int_equal(seal_subject(ring, PEPPER_SOURCE, "abc", 3, &again), 0);
	assert_true(first == again);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(seal_subject(ring, PEPPER_SOURCE, &i, sizeof(i), &again), 0);
		assert_true(again > 0);
	}
	assert_int_equal(seal_subject(ring, PEPPER_N, "abc", 3, &again), MAG_EINVAL);
}

/* ---- the master key ---- */

static void test_master_key_others_may_read_is_refused(void **state)
{
	static const mode_t open_modes[] = { 0640, 0604, 0644, 0660, 0666, 0620, 0602, 0610, 0601 };
	size_t i;

	(void)state;
	assert_int_equal(open_result(master_hex, 0600), 0);
	assert_int_equal(open_result(master_hex, 0400), 0);
	for (i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++)
		assert_int_equal(open_result(master_hex, open_modes[i]), MAG_EPERM);
}

static void test_master_key_of_another_user_is_refused(void **state)
{
	char source[600];
	struct keyring *k = NULL;
	const char *path;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to give a file away\n");
		skip();
	}
	path = write_file("k", master_hex, 0600);
	assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
	snprintf(source, sizeof(source), "file:%s", path);
	assert_int_equal(keyring_open(source, &k), MAG_EPERM);
	assert_null(k);
}

static void test_master_key_must_be_64_hex_digits(void **state)
{
	char text[200];

	(void)state;
	snprintf(text, sizeof(text), "%s\n", master_hex);
	assert_int_equal(open_result(text, 0600), 0);
	assert_int_equal(open_result("", 0600), MAG_ESYNTAX);
	assert_int_equal(open_result("\n", 0600), MAG_ESYNTAX);
	assert_int_equal(open_result(master_hex + 1, 0600), MAG_ESYNTAX);
	assert_int_equal(open_result(master_hex + 2, 0600), MAG_ESYNTAX);
	snprintf(text, sizeof(text), "%s\n\n", master_hex);
	assert_int_equal(open_result(text, 0600), MAG_ESYNTAX);
	snprintf(text, sizeof(text), "%s00", master_hex);
	assert_int_equal(open_result(text, 0600), MAG_ESYNTAX);
	snprintf(text, sizeof(text), "%s%s", master_hex, master_hex);
	assert_int_equal(open_result(text, 0600), MAG_ESYNTAX);
	snprintf(text, sizeof(text), " %s", master_hex + 1);
	assert_int_equal(open_result(text, 0600), MAG_ESYNTAX);
	snprintf(text, sizeof(text), "%sg", master_hex + 1);
	assert_int_equal(open_result(text, 0600), MAG_ESYNTAX);
}

static void test_sources_are_told_apart(void **state)
{
	static const struct {
		const char *source;
		int r;
	} rows[] = {
		{ NULL, MAG_ESYNTAX },
		{ "", MAG_ESYNTAX },
		{ "file:", MAG_ESYNTAX },
		{ "file:relative", MAG_ESYNTAX },
		{ "/etc/magotp/master.key", MAG_ESYNTAX },
		{ "env:KEY", MAG_ESYNTAX },
		{ "tpm:", MAG_ESYNTAX },
		{ "tpm:0x81000001", MAG_ESYNTAX },
		{ "file:/no/such/file", MAG_ESYS },
		{ "file:/tmp", MAG_EPERM },
		{ "file:/dev/null", MAG_EPERM },
	};
	struct keyring *k = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(keyring_open(rows[i].source, &k), rows[i].r);
		assert_null(k);
	}
}

static void test_a_fifo_does_not_hang(void **state)
{
	char source[600];
	struct keyring *k = NULL;

	(void)state;
	unlink(in_folder("k"));
	assert_int_equal(mkfifo(in_folder("k"), 0600), 0);
	snprintf(source, sizeof(source), "file:%s", in_folder("k"));
	assert_int_equal(keyring_open(source, &k), MAG_EPERM);
}

static void test_credentials_of_the_service_manager(void **state)
{
	static const char *const names[] = { "credential:", "credential:.", "credential:..",
		"credential:../k", "credential:/k" };
	char long_name[4200] = "credential:";
	struct keyring *k = NULL;
	size_t i;

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(keyring_open("credential:k", &k), MAG_ESYS);
	assert_int_equal(errno, ENOENT);
	setenv("CREDENTIALS_DIRECTORY", "relative", 1);
	assert_int_equal(keyring_open("credential:k", &k), MAG_ESYS);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	write_file("k", master_hex, 0440); /* group bits are the mask of an ACL here */
	assert_int_equal(keyring_open("credential:k", &k), 0);
	keyring_free(&k);
	write_file("k", master_hex, 0444);
	assert_int_equal(keyring_open("credential:k", &k), MAG_EPERM);
	write_file("k", master_hex, 0660);
	assert_int_equal(keyring_open("credential:k", &k), MAG_EPERM);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(keyring_open(names[i], &k), MAG_ESYNTAX);
	memset(long_name + 11, 'x', sizeof(long_name) - 12);
	assert_int_equal(keyring_open(long_name, &k), MAG_ESYS);
	assert_int_equal(keyring_open("credential:absent", &k), MAG_ESYS);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void test_create_makes_a_key_that_opens(void **state)
{
	char source[600], first[80] = "", second[80] = "";
	struct keyring *k = NULL;
	struct stat st;
	mode_t mask = umask(0);
	FILE *f;

	(void)state;
	unlink(in_folder("k"));
	assert_int_equal(keyring_create(in_folder("k")), 0);
	umask(mask);
	assert_int_equal(stat(in_folder("k"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 65);
	assert_int_equal(st.st_nlink, 1); /* nothing left beside it */
	snprintf(source, sizeof(source), "file:%s", in_folder("k"));
	assert_int_equal(keyring_open(source, &k), 0);
	keyring_free(&k);
	f = fopen(in_folder("k"), "r");
	assert_non_null(f);
	assert_non_null(fgets(first, sizeof(first), f));
	fclose(f);
	/* never over an old one */
	assert_int_equal(keyring_create(in_folder("k")), MAG_EEXISTS);
	f = fopen(in_folder("k"), "r");
	assert_non_null(f);
	assert_non_null(fgets(second, sizeof(second), f));
	fclose(f);
	assert_string_equal(first, second);
	unlink(in_folder("k"));
	assert_int_equal(keyring_create(in_folder("k")), 0);
	f = fopen(in_folder("k"), "r");
	assert_non_null(f);
	assert_non_null(fgets(second, sizeof(second), f));
	fclose(f);
	assert_string_not_equal(first, second);
}

static void test_create_where_it_cannot(void **state)
{
	char long_path[4200];

	(void)state;
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(keyring_create(NULL), MAG_EINVAL);
	assert_int_equal(keyring_create(""), MAG_EINVAL);
	assert_int_equal(keyring_create("/no/such/folder/key"), MAG_ESYS);
	assert_int_equal(keyring_create(long_path), MAG_ENOSPACE);
	/* a link that points nowhere is not followed to make a file there */
	unlink(in_folder("k"));
	assert_int_equal(symlink("/tmp/test_seal.nowhere", in_folder("k")), 0);
	assert_int_equal(keyring_create(in_folder("k")), MAG_EEXISTS);
	assert_int_equal(access("/tmp/test_seal.nowhere", F_OK), -1);
	unlink(in_folder("k"));
}

/* As on a full disk: the write fails, and nothing stays behind. */
static void test_threat_31_a_failed_write_leaves_nothing(void **state)
{
	struct rlimit was, none;

	(void)state;
	unlink(in_folder("k"));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(keyring_create(in_folder("k")), MAG_ESYS);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(access(in_folder("k"), F_OK), -1);
	assert_int_equal(rmdir(folder), 0); /* empty */
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void test_property_query_is_honoured(void **state)
{
	char source[600];
	struct keyring *k = NULL;

	(void)state;
	snprintf(source, sizeof(source), "file:%s", write_file("k", master_hex, 0600));
	crypto_set_properties("provider=there-is-none");
	assert_int_equal(keyring_open(source, &k), MAG_ECRYPTO);
	assert_null(k);
	crypto_set_properties("provider=default");
	assert_int_equal(keyring_open(source, &k), 0);
	keyring_free(&k);
	keyring_free(&k); /* twice does no harm */
	crypto_set_properties(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_round_trip),
		cmocka_unit_test(test_format_is_fixed),
		cmocka_unit_test(test_threat_26_every_changed_bit_is_found),
		cmocka_unit_test(test_threat_26_swapped_rows_fail),
		cmocka_unit_test(test_threat_26_wrong_key_fails),
		cmocka_unit_test(test_the_same_text_is_never_sealed_alike),
		cmocka_unit_test(test_where_must_be_said),
		cmocka_unit_test(test_bytes_round_trip_and_tampering),
		cmocka_unit_test(test_rows_and_bytes_are_different_things),
		cmocka_unit_test(test_bytes_have_a_limit),
		cmocka_unit_test(test_peppers_are_fixed_and_differ),
		cmocka_unit_test(test_subjects_are_positive_and_stable),
		cmocka_unit_test(test_master_key_others_may_read_is_refused),
		cmocka_unit_test(test_master_key_of_another_user_is_refused),
		cmocka_unit_test(test_master_key_must_be_64_hex_digits),
		cmocka_unit_test(test_sources_are_told_apart),
		cmocka_unit_test(test_a_fifo_does_not_hang),
		cmocka_unit_test(test_credentials_of_the_service_manager),
		cmocka_unit_test(test_create_makes_a_key_that_opens),
		cmocka_unit_test(test_create_where_it_cannot),
		cmocka_unit_test(test_threat_31_a_failed_write_leaves_nothing),
		cmocka_unit_test(test_property_query_is_honoured),
	};

	return cmocka_run_group_tests_name("seal", tests, set_up, tear_down);
}
