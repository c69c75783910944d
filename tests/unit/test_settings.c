/* Loading, overlays of services, profiles, verifiers, where a value stands. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <pwd.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/settings/settings.h"

static char dir[64], file[96], dropins[128];

/* Users are replaced by the linker: the machine's own do not matter here. */
struct passwd *__wrap_getpwnam(const char *name);
struct passwd *__wrap_getpwnam(const char *name)
{
	static struct passwd pw;
	static const struct {
		const char *name;
		uid_t uid;
	} users[] = { { "www-data", 33 }, { "postgres", 107 }, { "root", 0 } };

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (strcmp(users[i].name, name) == 0) {
			pw.pw_uid = users[i].uid;
			return &pw;
		}
	return NULL;
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_settings.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/magotp.conf", dir);
	snprintf(dropins, sizeof(dropins), "%s.d", file);
	return mkdir(dropins, 0700);
}

static int remove_dir(void **state)
{
	char path[160];

	(void)state;
	snprintf(path, sizeof(path), "%s/50-site.conf", dropins);
	(void)unlink(path);
	(void)rmdir(dropins);
	(void)unlink(file);
	return rmdir(dir);
}

static void write_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct settings *load(const char *text)
{
	struct settings *s = NULL;
	char err[OPT_ERROR_MAX] = "";

	write_to(file, text);
	if (settings_load(file, &s, err) < 0)
		fail_msg("%s", err);
	return s;
}

static void test_defaults_of_the_manual(void **state)
{
	struct settings *s = load("");
	struct service_settings v;

	(void)state;
	assert_string_equal(s->url, "sqlite:" LOCALSTATEDIR "/lib/magotp/otpcore.db");
	assert_string_equal(s->master_key, "file:" SYSCONFDIR "/magotp/master.key");
	assert_string_equal(s->socket, "/run/magotp/otpcored.sock");
	assert_string_equal(s->smsd_socket, "/run/magotp-smsd/smsd.sock");
	assert_string_equal(s->user, "magotp");
	assert_int_equal(s->mode, LICENCES_REQUIRED);
	assert_int_equal(s->code_digits, 6);
	assert_int_equal(s->code_validity, 120);
	assert_int_equal(s->tries, 3);
	assert_int_equal(s->max_phones, 3);
	assert_false(s->autosend);
	assert_int_equal(s->resend_wait, 20);
	assert_int_equal(s->sends_per_hour, 10);
	assert_int_equal(s->lock_after, 5);
	assert_int_equal(s->resync_fail_limit, 5);
	assert_int_equal(s->hotp_window, 10);
	assert_int_equal(s->totp_window, 1);
	assert_int_equal(s->resync_window_hotp, 1000);
	assert_int_equal(s->resync_window_totp, 20);
	assert_int_equal(s->total_30d, 20);
	assert_int_equal(s->delay_first, 1);
	assert_int_equal(s->delay_max, 30);
	assert_int_equal(s->delay_after, 3);
	assert_int_equal(s->per_source, 30);
	assert_int_equal(s->per_verifier, 100);
	assert_int_equal(s->per_relay, 300);
	assert_int_equal(s->subscription, 365 * 86400);
	assert_int_equal(s->remind_before, 30 * 86400);
	assert_int_equal(s->suspended_limit, 60 * 86400);
	assert_int_equal(s->expired_limit, 365 * 86400);
	assert_int_equal(s->renewal_period, 365 * 86400);
	assert_string_equal(s->revoke_reminders, "30d 15d 3d");
	assert_string_equal(s->factors, "certificate phone hardware mobile recovery");
	assert_string_equal(s->help, "");
	settings_service(s, "sshd", &v);
	assert_string_equal(v.require, "phone-otp");
	assert_int_equal(v.level, 1);
	assert_int_equal(v.unenrolled, UNENROLLED_DENY);
	assert_int_equal(v.mode, MODE_SEPARATE);
	assert_false(v.skip);
	assert_int_equal(v.reuse, 0);
	assert_int_equal(v.publickey_alone, 0);
	assert_int_equal(v.methods, 1);
	assert_false(v.observe);
	assert_false(v.email_login);
	assert_string_equal(v.exempt_users, "");
	settings_free(&s);
	assert_null(s);
	settings_free(&s);
	settings_free(NULL);
}

static void test_a_service_over_all_services_over_defaults(void **state)
{
	struct settings *s = load("[service *]\nrequire = hardware-otp\nunenrolled = allow\n"
				  "exempt_users = backup  monitor\n"
				  "[service sshd]\nunenrolled = enroll\nskip = yes\n"
				  "[service su]\nexempt_users =\nmode = short\n");
	struct service_settings v;

	(void)state;
	settings_service(s, "sshd", &v);
	assert_string_equal(v.require, "hardware-otp");
	assert_int_equal(v.unenrolled, UNENROLLED_ENROLL);
	assert_true(v.skip);
	assert_string_equal(v.exempt_users, "backup monitor");
	settings_service(s, "su", &v);
	assert_int_equal(v.unenrolled, UNENROLLED_ALLOW);
	assert_int_equal(v.mode, MODE_SHORT);
	assert_string_equal(v.exempt_users, ""); /* taken away again */
	for (int i = 0; i < 4; i++) {
		static const char *const others[] = { "cron", "", NULL, "*" };

		settings_service(s, others[i], &v);
		assert_string_equal(v.require, "hardware-otp");
		assert_int_equal(v.unenrolled, UNENROLLED_ALLOW);
		assert_false(v.skip);
	}
	settings_free(&s);
}

static void test_L8_profiles(void **state)
{
	struct settings *s = load("[service sshd]\nrequire = protected\n"
				  "[profile protected]\nrequire = mloa-hardware\n"
				  "[profile core]\nrequire = password\n");

	(void)state;
	assert_int_equal(settings_strength(s, "protected"), STRENGTH_MLOA_HARDWARE);
	assert_int_equal(settings_strength(s, "core"), STRENGTH_PASSWORD);
	assert_int_equal(settings_strength(s, "phone-otp"), STRENGTH_PHONE_OTP);
	assert_int_equal(settings_strength(s, "restricted"), STRENGTH_NONE);
	assert_int_equal(settings_strength(s, ""), STRENGTH_NONE);
	assert_int_equal(settings_strength(s, NULL), STRENGTH_NONE);
	settings_free(&s);
}

static void test_threat_09_verifiers_speak_for_their_services(void **state)
{
	struct settings *s =
		load("[broker]\n"
		     "verifiers = www-data:nginx,postgres:postgresql  www-data:apache2\n");

	(void)state;
	assert_string_equal(settings_verifier(s, 33), "nginx apache2");
	assert_string_equal(settings_verifier(s, 107), "postgresql");
	assert_string_equal(settings_verifier(s, 0), "");
	assert_string_equal(settings_verifier(s, 34), "");
	assert_string_equal(settings_verifier(s, UINT32_MAX), "");
	settings_free(&s);
}

static void test_source(void **state)
{
	struct settings *s;
	char path[160], buf[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/50-site.conf", dropins);
	write_to(path, "\n[phone]\ntries = 5\n");
	s = load("[phone]\ntries = 4\ncode_digits = 8\n[service *]\nlevel = 2\n"
		 "[service sshd]\nrequire = bloa\n");
	assert_int_equal(s->tries, 5);
	assert_string_equal(settings_source(s, NULL, "phone.tries", buf, sizeof(buf)),
		"50-site.conf:3 [phone]");
	assert_string_equal(
		settings_source(s, NULL, "code_digits", buf, sizeof(buf)), "magotp.conf:3 [phone]");
	assert_string_equal(settings_source(s, "sshd", "require", buf, sizeof(buf)),
		"magotp.conf:7 [service sshd]");
	assert_string_equal(
		settings_source(s, "sshd", "level", buf, sizeof(buf)), "magotp.conf:5 [service *]");
	assert_string_equal(settings_source(s, "sshd", "skip", buf, sizeof(buf)), "default");
	assert_string_equal(
		settings_source(s, NULL, "phone.autosend", buf, sizeof(buf)), "default");
	assert_string_equal(settings_source(s, NULL, "pho.tries", buf, sizeof(buf)), "default");
	settings_free(&s);
}

static void test_files_that_are_not_there(void **state)
{
	struct settings *s = (struct settings *)&file; /* stays untouched */
	char err[OPT_ERROR_MAX] = "", expected[OPT_ERROR_MAX];

	(void)state;
	assert_int_equal(settings_load(file, &s, err), MAG_ESYS);
	snprintf(expected, sizeof(expected), "%s: cannot be read: No such file or directory", file);
	assert_string_equal(err, expected);
	assert_ptr_equal(s, &file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults_of_the_manual, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_a_service_over_all_services_over_defaults, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_L8_profiles, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_threat_09_verifiers_speak_for_their_services, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_source, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_files_that_are_not_there, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
