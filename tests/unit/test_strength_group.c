#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/strength_group.h"

#define FILE_NAME "test_strength_group.groups"

static struct strength_group groups[STRENGTH_GROUPS_MAX];

static int read_text(const char *text)
{
	FILE *f = fopen(FILE_NAME, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(FILE_NAME, 0644), 0);
	return strength_groups_read(FILE_NAME, groups);
}

static int is_root(void **state)
{
	(void)state;
	return geteuid() == 0 ? 0 : -1;
}

static void test_no_file_is_no_groups(void **state)
{
	(void)state;
	unlink(FILE_NAME);
	assert_int_equal(strength_groups_read(FILE_NAME, groups), 0);
}

static void test_names_and_numbers(void **state)
{
	(void)state;
	if (is_root(NULL))
		skip(); /* the file must be root's */
	assert_int_equal(read_text("# ours\n\n  mag-phone-otp 7001\nmag-hardware-otp\t7002 \n"
				   "mag-level3 7003"),
		3);
	assert_string_equal(groups[0].name, "mag-phone-otp");
	assert_int_equal(groups[0].gid, 7001);
	assert_int_equal(groups[0].strength, STRENGTH_PHONE_OTP);
	assert_int_equal(groups[1].gid, 7002);
	assert_int_equal(groups[2].strength, STRENGTH_NONE);
	assert_int_equal(groups[2].level, 3);
}

static void test_threat_15_what_is_refused(void **state)
{
	static const char *const bad[] = { "mag-phone-otp 0\n", "mag-phone-otp -1\n",
		"mag-phone-otp 4294967295\n", "mag-phone-otp\n", "sudo 27\n", "mag-nothing 7001\n",
		"mag-none 7001\n", "mag-level4 7001\n", "mag-level0 7001\n", "mag-level 7001\n",
		"mag-phone-otp 7001\nmag-phone-otp 7002\n", "mag-phone-otp 7001\nmag-level2 7001\n",
		"mag-phone-otp 7001x\n", "mag-phone-otp x\n", "7001 mag-phone-otp\n" };

	(void)state;
	if (is_root(NULL))
		skip();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(read_text(bad[i]), MAG_ESYNTAX);
}

static void test_threat_15_only_roots_own_file(void **state)
{
	(void)state;
	if (is_root(NULL))
		skip();
	assert_int_equal(read_text("mag-phone-otp 7001\n"), 1);
	assert_int_equal(chmod(FILE_NAME, 0664), 0);
	assert_int_equal(strength_groups_read(FILE_NAME, groups), MAG_EPERM);
	assert_int_equal(chmod(FILE_NAME, 0644), 0);
	assert_int_equal(chown(FILE_NAME, 65534, 0), 0);
	assert_int_equal(strength_groups_read(FILE_NAME, groups), MAG_EPERM);
	assert_int_equal(chown(FILE_NAME, 0, 0), 0);
	assert_int_equal(rename(FILE_NAME, FILE_NAME ".real"), 0);
	assert_int_equal(symlink(FILE_NAME ".real", FILE_NAME), 0);
	assert_int_equal(strength_groups_read(FILE_NAME, groups), MAG_EPERM);
	unlink(FILE_NAME ".real");
}

static void test_L7_stronger_has_the_groups_of_the_weaker(void **state)
{
	const struct strength_group phone = { "mag-phone-otp", 1, STRENGTH_PHONE_OTP, 0 };
	const struct strength_group level = { "mag-level2", 2, STRENGTH_NONE, 2 };

	(void)state;
	assert_true(strength_group_has(&phone, STRENGTH_PHONE_OTP, 1));
	assert_true(strength_group_has(&phone, STRENGTH_HARDWARE_OTP, 1));
	assert_false(strength_group_has(&phone, STRENGTH_PASSWORD, 3));
	assert_false(strength_group_has(&phone, STRENGTH_NONE, 3));
	assert_true(strength_group_has(&level, STRENGTH_PASSWORD, 2));
	assert_true(strength_group_has(&level, STRENGTH_PASSWORD, 3));
	assert_false(strength_group_has(&level, STRENGTH_MLOA_HARDWARE, 1));
}

static int clean_up(void **state)
{
	(void)state;
	unlink(FILE_NAME);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_file_is_no_groups),
		cmocka_unit_test_teardown(test_names_and_numbers, clean_up),
		cmocka_unit_test_teardown(test_threat_15_what_is_refused, clean_up),
		cmocka_unit_test_teardown(test_threat_15_only_roots_own_file, clean_up),
		cmocka_unit_test(test_L7_stronger_has_the_groups_of_the_weaker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
