#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "otpcore/base/log.h"

/* ---- what goes to stderr ---- */

static char seen[8192];

/* Run body with stderr in a file; what was written is in `seen` afterwards. */
static void capture(void (*body)(void))
{
	FILE *to = tmpfile();
	int kept = dup(2);
	size_t n;

	assert_non_null(to);
	fflush(stderr);
	dup2(fileno(to), 2);
	body();
	fflush(stderr);
	dup2(kept, 2);
	close(kept);
	rewind(to);
	n = fread(seen, 1, sizeof(seen) - 1, to);
	seen[n] = '\0';
	fclose(to);
}

static void every_level(void)
{
	for (int l = MAG_LOG_ERROR; l <= MAG_LOG_DEBUG; l++)
		mag_log((enum mag_log_level)l, "number %d", l);
}

static void test_levels(void **state)
{
	static const char *const expected[] = {
		[MAG_LOG_ERROR] = "p: error: number 0\n",
		[MAG_LOG_NOTICE] =
			"p: error: number 0\np: warning: number 1\np: notice: number 2\n",
		[MAG_LOG_DEBUG] = "p: error: number 0\np: warning: number 1\np: notice: number 2\n"
				  "p: info: number 3\np: debug: number 4\n",
	};

	(void)state;
	for (int l = 0; l <= MAG_LOG_DEBUG; l++) {
		if (expected[l] == NULL)
			continue;
		mag_log_open("p", 0, (enum mag_log_level)l);
		capture(every_level);
		assert_string_equal(seen, expected[l]);
	}
}

static void hostile(void)
{
	mag_log(MAG_LOG_NOTICE, "login of %s from %s", "eve\nroot: accepted\x1b[2J",
		"10.0.0.1\xff\r\xe2\x80\xae");
}

static void test_threat_21_one_record_stays_one_line(void **state)
{
	(void)state;
	mag_log_open("p", 0, MAG_LOG_NOTICE);
	capture(hostile);
	assert_string_equal(seen, "p: notice: login of eve?root: accepted?[2J from 10.0.0.1???\n");
}

static char long_text[5000];

static void too_long(void)
{
	mag_log(MAG_LOG_NOTICE, "%s", long_text);
}

static void test_a_long_record_is_cut(void **state)
{
	(void)state;
	memset(long_text, 'a', sizeof(long_text) - 1);
	mag_log_open("p", 0, MAG_LOG_NOTICE);
	capture(too_long);
	assert_int_equal(strlen(seen), strlen("p: notice: ") + 2047 + 1);
	assert_int_equal(seen[strlen(seen) - 1], '\n');
}

/* ---- what goes to syslog: replaced by the linker ---- */

static int sys_priority, sys_facility;
static char sys_text[256], sys_ident[64];

void __wrap_openlog(const char *ident, int option, int facility);
void __wrap_openlog(const char *ident, int option, int facility)
{
	assert_true(option & LOG_PID);
	snprintf(sys_ident, sizeof(sys_ident), "%s", ident);
	sys_facility = facility;
}

static void keep(int priority, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void keep(int priority, const char *fmt, va_list ap)
{
	sys_priority = priority;
	vsnprintf(sys_text, sizeof(sys_text), fmt, ap);
}

void __wrap_syslog(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void __wrap_syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep(priority, fmt, ap);
	va_end(ap);
}

void __wrap___syslog_chk(int priority, int flag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void __wrap___syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	keep(priority, fmt, ap);
	va_end(ap);
}

static void test_syslog(void **state)
{
	(void)state;
	mag_log_open("otpcored", 1, MAG_LOG_INFO);
	assert_string_equal(sys_ident, "otpcored");
	assert_int_equal(sys_facility, LOG_AUTHPRIV);
	mag_log(MAG_LOG_ERROR, "%s and 100%% %s", "percent %s %n", "line\nbreak");
	assert_int_equal(sys_priority, LOG_ERR);
	assert_string_equal(sys_text, "percent %s %n and 100% line?break");
	mag_log(MAG_LOG_DEBUG, "not this");
	assert_int_equal(sys_priority, LOG_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_threat_21_one_record_stays_one_line),
		cmocka_unit_test(test_a_long_record_is_cut),
		cmocka_unit_test(test_syslog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
