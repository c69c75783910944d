/* The functions that glibc calls, on a groups file of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/test_nss_file.h"
/* style: the file's own path is a constant of the build */
#include "nss_magotp/nss_magotp.c"

#include <sys/stat.h>
#include <unistd.h>

static int make_file(void **state)
{
	FILE *f = fopen(STRENGTH_GROUPS_FILE, "w");

	(void)state;
	if (f == NULL || fputs("mag-phone-otp 7001\nmag-level3 7003\n", f) < 0 || fclose(f) != 0)
		return -1;
	return chmod(STRENGTH_GROUPS_FILE, 0644);
}

static int remove_file(void **state)
{
	(void)state;
	unlink(STRENGTH_GROUPS_FILE);
	return 0;
}

#define NEEDS_ROOT                                                                                 \
	if (geteuid() != 0)                                                                        \
	skip() /* the file must be root's */

static void test_by_name_and_number(void **state)
{
	char buffer[64];
	struct group g;
	int error = 0;

	(void)state;
	NEEDS_ROOT;
	assert_int_equal(_nss_magotp_getgrnam_r("mag-level3", &g, buffer, sizeof buffer, &error),
		NSS_STATUS_SUCCESS);
	assert_string_equal(g.gr_name, "mag-level3");
	assert_int_equal(g.gr_gid, 7003);
	assert_string_equal(g.gr_passwd, "x");
	assert_null(g.gr_mem[0]);
	assert_int_equal(_nss_magotp_getgrgid_r(7001, &g, buffer + 1, sizeof buffer - 1, &error),
		NSS_STATUS_SUCCESS);
	assert_string_equal(g.gr_name, "mag-phone-otp");
	assert_null(g.gr_mem[0]);
	assert_int_equal(_nss_magotp_getgrnam_r("sudo", &g, buffer, sizeof buffer, &error),
		NSS_STATUS_NOTFOUND);
	assert_int_equal(error, ENOENT);
	assert_int_equal(
		_nss_magotp_getgrgid_r(0, &g, buffer, sizeof buffer, &error), NSS_STATUS_NOTFOUND);
}

static void test_too_little_room_is_asked_for_again(void **state)
{
	char buffer[64];
	struct group g;
	int error = 0;

	(void)state;
	NEEDS_ROOT;
	for (size_t len = 0; len < sizeof(char *) + sizeof "mag-level3" + 2; len++) {
		error = 0;
		assert_int_equal(_nss_magotp_getgrnam_r("mag-level3", &g, buffer, len, &error),
			NSS_STATUS_TRYAGAIN);
		assert_int_equal(error, ERANGE);
	}
}

static void test_one_after_the_other(void **state)
{
	char buffer[64];
	struct group g;
	int error = 0;

	(void)state;
	NEEDS_ROOT;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(_nss_magotp_setgrent(0), NSS_STATUS_SUCCESS);
		assert_int_equal(
			_nss_magotp_getgrent_r(&g, buffer, 4, &error), NSS_STATUS_TRYAGAIN);
		assert_int_equal(_nss_magotp_getgrent_r(&g, buffer, sizeof buffer, &error),
			NSS_STATUS_SUCCESS);
		assert_int_equal(g.gr_gid, 7001);
		assert_int_equal(_nss_magotp_getgrent_r(&g, buffer, sizeof buffer, &error),
			NSS_STATUS_SUCCESS);
		assert_int_equal(g.gr_gid, 7003);
		assert_int_equal(_nss_magotp_getgrent_r(&g, buffer, sizeof buffer, &error),
			NSS_STATUS_NOTFOUND);
		assert_int_equal(_nss_magotp_endgrent(), NSS_STATUS_SUCCESS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_name_and_number),
		cmocka_unit_test(test_too_little_room_is_asked_for_again),
		cmocka_unit_test(test_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
