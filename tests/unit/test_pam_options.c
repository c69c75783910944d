/* The options of a PAM line, and the file of listed services. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/login/pam_options.h"
#include "pam_magotp/verdict.h"
#include "pam_magotp/visit.h"

static int parse(const char *line, struct options *o, char *err)
{
	static char copy[512];
	const char *argv[16];
	int argc = 0;
	snprintf(copy, sizeof copy, "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	*err = '\0';
	return options_parse(argc, argv, o, err);
}

static void test_every_option(void **state)
{
	struct options o;
	char err[OPTIONS_ERROR_MAX];
	(void)state;
	assert_int_equal(parse("require=hardware-otp level=2 first=publickey prompt_password "
			       "password_service=login mode=combined echo=off broker_down=allow "
			       "listed_only service=web socket=/tmp/s timeout=5 debug nullok",
				 &o, err),
		0);
	assert_string_equal(o.require, "hardware-otp");
	assert_int_equal(o.level, 2);
	assert_int_equal(o.first, FIRST_PUBLICKEY);
	assert_true(o.prompt_password && o.listed_only && o.debug);
	assert_string_equal(o.password_service, "login");
	assert_string_equal(o.mode, "combined");
	assert_int_equal(o.echo, ECHO_OFF);
	assert_int_equal(o.broker_down, DOWN_ALLOW);
	assert_string_equal(o.service, "web");
	assert_string_equal(o.socket, "/tmp/s");
	assert_int_equal(o.timeout, 5);
	assert_string_equal(o.unenrolled, "allow");
}

static void test_defaults(void **state)
{
	struct options o;
	char err[OPTIONS_ERROR_MAX];
	(void)state;
	assert_int_equal(parse("try_first_pass use_first_pass", &o, err), 0);
	assert_string_equal(o.password_service, "magotp-password");
	assert_int_equal(o.first, FIRST_STACK);
	assert_int_equal(o.echo, ECHO_AUTO);
	assert_int_equal(o.broker_down, DOWN_DENY);
	assert_null(o.mode);
	assert_null(o.unenrolled);
	assert_false(o.prompt_password);
}

static void test_what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *line, *err;
	} rows[] = {
		{ "requires=phone-otp", "unknown option \"requires\"; is \"require\" meant?" },
		{ "xyzzy-nothing-like-it", "unknown option \"xyzzy-nothing-like-it\"" },
		{ "=x", "unknown option \"\"" },
		{ "debug debug", "option \"debug\" is given twice" },
		{ "debug=yes", "option debug=\"yes\": it takes no value" },
		{ "level=4", "option level=\"4\": it takes a number from 1 to 3" },
		{ "level", "option level=\"\": it takes a number from 1 to 3" },
		{ "timeout=0", "option timeout=\"0\": it takes a number from 1 to 60" },
		{ "timeout=9x", "option timeout=\"9x\": it takes a number from 1 to 60" },
		{ "mode=both", "option mode=\"both\": it takes separate, short, combined, none" },
		{ "broker_down=yes", "option broker_down=\"yes\": it takes deny, allow" },
		{ "first=key", "option first=\"key\": it takes stack, publickey" },
		{ "require=", "option require=\"\": it takes a value" },
		{ "require", "option require=\"\": it takes a value" },
		{ "nullok=1", "option nullok=\"1\": it takes no value" },
		{ "Debug", "unknown option \"Debug\"; is \"debug\" meant?" },
	};
	char err[OPTIONS_ERROR_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct options o = { .timeout = 42 };
		assert_int_equal(parse(rows[i].line, &o, err), MAG_ESYNTAX);
		if (!strstr(err, rows[i].err))
			fail_msg("\"%s\" is not in \"%s\"", rows[i].err, err);
		assert_int_equal(o.timeout, 42); /* untouched on failure */
	}
}

static char listed[] = "/tmp/magotp-listed-XXXXXX";

static void write_listed(const char *text, mode_t mode)
{
	FILE *f = fopen(listed, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(listed, mode), 0);
}

static void test_listed(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* the file has to be root's */
	int fd = mkstemp(listed);
	assert_true(fd >= 0);
	close(fd);
	write_listed("sshd\n  login  \n\nsudo", 0644);
	assert_true(visit_listed(listed, "sshd"));
	assert_true(visit_listed(listed, "login"));
	assert_true(visit_listed(listed, "sudo"));
	assert_false(visit_listed(listed, "su"));
	assert_false(visit_listed(listed, "ssh"));
	write_listed("", 0644);
	assert_false(visit_listed(listed, "sshd"));
	/* What cannot be trusted lists everything: nobody is let in by it. */
	write_listed("sshd\n", 0664);
	assert_true(visit_listed(listed, "su"));
	assert_int_equal(chmod(listed, 0644), 0);
	assert_int_equal(chown(listed, 65534, 0), 0);
	assert_true(visit_listed(listed, "su"));
	unlink(listed);
	assert_true(visit_listed(listed, "su"));
}

/* The one exception to "an error never lets in" (login.md). */
static void test_broker_down_allow_is_narrow(void **state)
{
	static const struct {
		int error;
		bool answered, allowed;
	} rows[] = {
		{ MAG_EDOWN, false, true },
		{ MAG_ETIMEOUT, false, true },
		{ MAG_EDOWN, true, false },
		{ MAG_ETIMEOUT, true, false },
		{ MAG_EBUSY, false, false },
		{ MAG_EPROTO, false, false },
		{ MAG_ESERVER, false, false },
		{ MAG_ESYS, false, false },
		{ MAG_EGONE, false, false },
		{ MAG_ENOMEM, false, false },
		{ 0, false, false },
	};
	struct visit v = { .options = { .broker_down = DOWN_ALLOW } };
	(void)state;
	bool root = geteuid() == 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(visit_broker_down_allows(&v, rows[i].error, rows[i].answered),
			rows[i].allowed && root);
	if (root) {
		assert_int_equal(seteuid(65534), 0);
		bool allowed = visit_broker_down_allows(&v, MAG_EDOWN, false);
		assert_int_equal(seteuid(0), 0);
		assert_false(allowed);
	}
	v.options.broker_down = DOWN_DENY;
	assert_false(visit_broker_down_allows(&v, MAG_EDOWN, false));
}

static void test_threat_17_only_require_password_needs_no_broker(void **state)
{
	struct visit v = { .options = { .require = "password" } };
	struct mag_secret none = { 0 }, txn = { 0 };
	(void)state;
	assert_true(visit_needs_no_broker(&v, &none));
	v.options.level = 1;
	assert_false(visit_needs_no_broker(&v, &none));
	v.options.level = 0;
	v.options.require = "phone-otp";
	assert_false(visit_needs_no_broker(&v, &none));
	v.options.require = NULL;
	assert_false(visit_needs_no_broker(&v, &none));
	v.options.require = "password";
	assert_int_equal(mag_secret_set_text(&txn, "x"), 0);
	assert_false(visit_needs_no_broker(&v, &txn));
	mag_secret_free(&txn);
}

static void test_threat_35_no_end_but_three_lets_in(void **state)
{
	(void)state;
	for (int end = -1; end < 20; end++)
		for (int how = 0; how < 4; how++) {
			int code = verdict_pam((enum flow_end)end, how & 1, how & 2);
			bool in = end == FLOW_OK || end == FLOW_SKIPPED || end == FLOW_EXEMPT;
			assert_int_equal(code == PAM_SUCCESS || code == PAM_IGNORE, in);
			if (code == PAM_IGNORE)
				assert_true(end == FLOW_EXEMPT && how == 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_broker_down_allow_is_narrow),
		cmocka_unit_test(test_threat_17_only_require_password_needs_no_broker),
		cmocka_unit_test(test_threat_35_no_end_but_three_lets_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
