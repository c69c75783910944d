/* PAM stacks: is the password required before our line, is there a way round it;
 * and our lines in the files of PAM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "magotp/pamedit.h"
#include "magotp/pamstack.h"
#include "otpcore/base/err.h"

static char dir[] = "/tmp/magotp-stack-XXXXXX";

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
	/* Debian's. */
	put("common-auth", "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n"
			   "auth\trequisite\tpam_deny.so\n"
			   "auth\trequired\tpam_permit.so\n"
			   "auth\toptional\tpam_cap.so \n");
	put("common-account",
		"account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n"
		"account requisite pam_deny.so\naccount required pam_permit.so\n");
	/* Two that may succeed: sssd and unix. */
	put("common-two", "auth [success=2 default=ignore] pam_unix.so\n"
			  "auth [success=1 default=ignore] pam_sss.so use_first_pass\n"
			  "auth requisite pam_deny.so\nauth required pam_permit.so\n");
	/* Red Hat's. */
	put("password-auth", "auth required pam_env.so\n"
			     "auth sufficient pam_unix.so try_first_pass\n"
			     "auth required pam_deny.so\n");
	put("loop", "@include loop\n");
	return 0;
}

static int remove_files(void **state)
{
	static const char *const names[] = { "common-auth", "common-account", "common-two",
		"password-auth", "loop" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

#define MAGOTP "auth required pam_magotp.so\n"

/* What is wrong: 'r' a way round, 'p' the password is not proven, 's' soft, 'f' not
 * found; and the module that is named. */
static const struct {
	const char *text, *wrong, *named;
} cases[] = {
	{ "@include common-auth\n" MAGOTP, "", "" },
	{ "@include common-two\n" MAGOTP, "", "" },
	{ "auth requisite pam_unix.so\n" MAGOTP, "", "" },
	{ "auth sufficient pam_rootok.so\n@include common-auth\n" MAGOTP, "", "" },
	{ "auth optional pam_faildelay.so\nauth requisite pam_nologin.so\n"
	  "@include common-auth\n" MAGOTP "auth optional pam_group.so\n",
		"", "" },
	{ "auth [success=ok default=die] pam_unix.so\n" MAGOTP, "", "" },
	{ "auth required pam_magotp.so prompt_password\n", "", "" },
	{ "auth required pam_magotp.so first=publickey mode=short\n", "", "" },
	{ "auth [success=1 default=bad] pam_unix.so\nauth [default=die] pam_faillock.so "
	  "authfail\n" MAGOTP,
		"", "" },
	/* The password fails, and the code is asked nevertheless. */
	{ "auth required pam_unix.so\n" MAGOTP, "p", "pam_unix.so" },
	{ "auth optional pam_unix.so\n" MAGOTP, "p", "pam_unix.so" },
	{ "auth [success=1 default=ignore] pam_unix.so\nauth required pam_deny.so\n" MAGOTP, "p",
		"pam_unix.so" },
	{ "auth substack common-auth\n" MAGOTP, "p", "pam_unix.so" },
	{ MAGOTP, "p", "" },
	{ "auth required pam_permit.so\n" MAGOTP, "p", "" },
	{ "auth required pam_magotp.so service=prompt_password\n", "p", "" },
	/* A success before it ends the stack. */
	{ "auth sufficient pam_unix.so\n" MAGOTP, "rp", "pam_unix.so" },
	{ "auth include password-auth\n" MAGOTP, "rp", "pam_unix.so" },
	{ "auth sufficient pam_fprintd.so\n@include common-auth\n" MAGOTP, "r", "pam_fprintd.so" },
	{ "auth [success=done default=ignore] pam_foo.so\n@include common-auth\n" MAGOTP, "r",
		"pam_foo.so" },
	{ "@include common-auth\nauth [success=1 default=ignore] pam_foo.so\n" MAGOTP
	  "auth required pam_permit.so\n",
		"r", "pam_permit.so" },
	{ "auth sufficient pam_succeed_if.so user ingroup trusted\n@include common-auth\n" MAGOTP,
		"r", "pam_succeed_if.so" },
	{ "auth [success=done default=ignore] pam_succeed_if.so quiet uid = 0\n"
	  "@include common-auth\n" MAGOTP,
		"", "" },
	{ "@include common-auth\nauth optional pam_magotp.so\n", "s", "" },
	{ "@include common-auth\n", "f", "" },
};

static void test_threat_08_is_the_password_required_before_our_line(void **state)
{
	static struct pam_stack s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pam_finding f;
		const struct pam_rule *named;
		char wrong[8] = "";

		assert_int_equal(pam_stack_read(dir, "x", cases[i].text, PAM_AUTH, &s), 0);
		pam_stack_judge(&s, &f);
		if (f.way_round)
			strcat(wrong, "r");
		if (f.unproven)
			strcat(wrong, "p");
		if (f.soft)
			strcat(wrong, "s");
		if (!f.found)
			strcat(wrong, "f");
		if (strcmp(wrong, cases[i].wrong) != 0)
			fail_msg("%s: %s, not %s", cases[i].text, wrong, cases[i].wrong);
		named = f.way_round ? f.way_round : f.no_stop;
		if (strcmp(named ? named->module : "", cases[i].named) != 0)
			fail_msg("%s: names %s", cases[i].text, named ? named->module : "nothing");
	}
}

/* Why the account line goes before Debian's common-account: an expired password ends
 * that one ("new_authtok_reqd=done"). */
static void test_account_lines(void **state)
{
	static struct pam_stack s;
	struct pam_finding f;

	(void)state;
	assert_int_equal(pam_stack_read(dir, "x",
				 "account required pam_nologin.so\n"
				 "account required pam_magotp.so\n@include common-account\n",
				 PAM_ACCOUNT, &s),
		0);
	pam_stack_judge(&s, &f);
	assert_true(f.found && !f.way_round && !f.unproven && !f.soft);
	assert_int_equal(pam_stack_read(dir, "x",
				 "account sufficient pam_localuser.so\n"
				 "account required pam_magotp.so\n",
				 PAM_ACCOUNT, &s),
		0);
	pam_stack_judge(&s, &f);
	assert_string_equal(f.way_round->module, "pam_localuser.so");
}

static void test_lines_know_their_place(void **state)
{
	static struct pam_stack s;

	(void)state;
	assert_int_equal(
		pam_stack_read(dir, "x",
			"# one\n\n@include common-auth\nauth \\\n required \\\n pam_env.so a b\n",
			PAM_AUTH, &s),
		0);
	assert_int_equal(s.n, 5);
	assert_int_equal(s.rules[0].line, 1);
	assert_int_equal(s.rules[0].top_line, 3);
	assert_int_equal(s.rules[3].top_line, 3);
	assert_int_equal(s.rules[4].top_first, 4);
	assert_int_equal(s.rules[4].top_line, 6);
	assert_string_equal(s.rules[4].args, "a b");
}

static void test_what_is_no_stack(void **state)
{
	static struct pam_stack s;

	(void)state;
	assert_int_equal(pam_stack_read(dir, "x", "@include nothing\n", PAM_AUTH, &s), MAG_ESYS);
	assert_int_equal(pam_stack_read(dir, "loop", NULL, PAM_AUTH, &s), MAG_ERANGE);
	assert_int_equal(pam_stack_read(dir, "../x", NULL, PAM_AUTH, &s), MAG_EINVAL);
	assert_int_equal(
		pam_stack_read(dir, "x", "auth perhaps pam_unix.so\n", PAM_AUTH, &s), MAG_ESYNTAX);
	assert_int_equal(pam_stack_read(dir, "x", "auth\n", PAM_AUTH, &s), MAG_ESYNTAX);
	assert_int_equal(pam_stack_read(dir, "x", "session\n", PAM_AUTH, &s), MAG_ESYNTAX);
}

static void test_lines_go_in_and_come_out_again(void **state)
{
	static const char text[] = "# top\n@include common-auth\n\n\taccount x\ny\n# end";
	const struct pam_insert inserts[] = { { 2, 0, "auth required pam_magotp.so\n" },
		{ 0, 4, "account required pam_magotp.so\n" } };
	char *with = NULL, *without = NULL;
	size_t n = 9;

	(void)state;
	assert_int_equal(pam_edit_insert(text, inserts, 2, &with), 0);
	assert_string_equal(with,
		"# top\n@include common-auth\n" PAMEDIT_BEGIN
		"\nauth required pam_magotp.so\n" PAMEDIT_END "\n\n" PAMEDIT_BEGIN
		"\naccount required pam_magotp.so\n" PAMEDIT_END "\n\taccount x\ny\n# end");
	assert_int_equal(pam_edit_strip(with, &without, &n), 0);
	assert_string_equal(without, text);
	assert_int_equal(n, 2);
	free(with);
	free(without);
}

static void test_lines_that_have_no_place(void **state)
{
	const struct pam_insert last = { 2, 0, "x\n" }, beyond = { 0, 3, "x\n" };
	char *out = NULL;

	(void)state;
	assert_int_equal(pam_edit_insert("a\nb", &last, 1, &out), MAG_ERANGE);
	assert_int_equal(pam_edit_insert("a\nb\n", &beyond, 1, &out), MAG_ERANGE);
	assert_int_equal(pam_edit_strip(PAMEDIT_BEGIN "\nx\n", &out, NULL), MAG_ESYNTAX);
	assert_int_equal(pam_edit_strip("x\n" PAMEDIT_END "\n", &out, NULL), MAG_ESYNTAX);
	assert_int_equal(
		pam_edit_strip(PAMEDIT_BEGIN "\n" PAMEDIT_BEGIN "\n" PAMEDIT_END "\n", &out, NULL),
		MAG_ESYNTAX);
	assert_null(out);
}

static void test_the_copy_of_try_is_not_roots(void **state)
{
	static const char text[] =
		"# pam_unix.so\nauth sufficient pam_rootok.so\n"
		"auth [success=2 default=ignore] \\\n  /lib/security/pam_wheel.so trust use_uid\n"
		"auth required pam_wheel.so\n"
		"auth [success=1 default=ignore] pam_succeed_if.so use_uid uid = 0\n"
		"auth required pam_succeed_if.so uid = 0\n"
		"auth include su\n-account\tsubstack  x\nauth include /etc/y\n\n@include z";
	char *out = NULL;

	(void)state;
	assert_int_equal(pam_edit_copy(text, "/run/t", &out), 0);
	assert_string_equal(out,
		"# pam_unix.so\nauth sufficient pam_deny.so\n"
		"auth [success=2 default=ignore] \\\n  /lib/security/pam_deny.so trust use_uid\n"
		"auth required pam_wheel.so\n"
		"auth [success=1 default=ignore] pam_deny.so use_uid uid = 0\n"
		"auth required pam_succeed_if.so uid = 0\n"
		"auth include /run/t/su\n-account\tsubstack  /run/t/x\nauth include /etc/y\n\n"
		"@include /run/t/z");
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_08_is_the_password_required_before_our_line),
		cmocka_unit_test(test_account_lines),
		cmocka_unit_test(test_lines_know_their_place),
		cmocka_unit_test(test_what_is_no_stack),
		cmocka_unit_test(test_lines_go_in_and_come_out_again),
		cmocka_unit_test(test_lines_that_have_no_place),
		cmocka_unit_test(test_the_copy_of_try_is_not_roots),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
