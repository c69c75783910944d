/* /etc/pam.d as `explain` reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "magotp/pamfile.h"
#include "otpcore/base/err.h"

static char dir[] = "/tmp/magotp-pam-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_files(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	put("sshd", "# comment\nauth requisite pam_unix.so\n"
		    "auth required pam_magotp.so require=hardware-otp level=3 broker_down=allow\n"
		    "account required pam_magotp.so require=password\n");
	put("su", "auth [success=1 default=ignore] pam_rootok.so\n@include common\n");
	put("common",
		"auth required \\\n  /lib/security/pam_magotp.so \\\n  nullok service=shell\n");
	put("substack", "auth substack common\n");
	put("accountonly", "-account required pam_magotp.so mode=none\n");
	put("loop", "@include loop\n");
	put("other", "auth required pam_deny.so\nsession required pam_magotp.so require=bloa\n");
	return 0;
}

static int remove_files(void **state)
{
	static const char *const names[] = { "sshd", "su", "common", "substack", "accountonly",
		"loop", "other" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void test_options_of_the_auth_line(void **state)
{
	struct pam_line l;

	(void)state;
	assert_int_equal(pam_read(dir, "sshd", &l), 0);
	assert_true(l.found && l.auth && l.account);
	assert_int_equal(l.line, 3);
	assert_string_equal(l.require, "hardware-otp");
	assert_int_equal(l.level, 3);
	assert_true(l.broker_down_allow);
	assert_non_null(strstr(l.file, "/sshd"));
}

static void test_includes_and_continued_lines(void **state)
{
	static const char *const names[] = { "su", "substack" };
	struct pam_line l;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pam_read(dir, names[i], &l), 0);
		assert_true(l.found);
		assert_non_null(strstr(l.file, "/common"));
		assert_string_equal(l.unenrolled, "allow");
		assert_string_equal(l.service, "shell");
		assert_false(l.broker_down_allow);
	}
}

static void test_account_line_counts_where_auth_has_none(void **state)
{
	struct pam_line l;

	(void)state;
	assert_int_equal(pam_read(dir, "accountonly", &l), 0);
	assert_true(l.found && l.account && !l.auth);
	assert_string_equal(l.mode, "none");
}

static void test_without_the_module(void **state)
{
	struct pam_line l;

	(void)state;
	assert_int_equal(pam_read(dir, "other", &l), 0);
	assert_false(l.found);
	assert_int_equal(pam_read(dir, "nothing", &l), MAG_ESYS);
	assert_int_equal(pam_read(dir, "../etc/passwd", &l), MAG_EINVAL);
	assert_int_equal(pam_read(dir, "loop", &l), MAG_ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_of_the_auth_line),
		cmocka_unit_test(test_includes_and_continued_lines),
		cmocka_unit_test(test_account_line_counts_where_auth_has_none),
		cmocka_unit_test(test_without_the_module),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
