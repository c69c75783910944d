/* What sip-call takes from its standard input, and what it refuses: values go into lines of
 * baresip's configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/sip/order.h"

#define WHOLE                                                                                      \
	"To: +12025550134\nCode: 483920\nLanguage: de\nVoice: /usr/share/magotp/voice\n"           \
	"Server: sip.example.org:5060\nDomain: example.org\nUsername: magotp\nFrom: "              \
	"+15005550006\n"                                                                           \
	"Password: p4ss=w'ord\nTransport: udp\nInterface: eth0\nRegister: no\nRepeats: 2\n"        \
	"Pause: 450\nRing: 25000\nKey-Wait: 0\nTimeout: 75000\n"

static int read_text(const char *text, struct sip_order *o)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int r = sip_order_read(f, o);

	fclose(f);
	return r;
}

static void test_order_is_read(void **state)
{
	struct sip_order o;

	(void)state;
	assert_int_equal(read_text(WHOLE, &o), 0);
	assert_string_equal(o.to, "+12025550134");
	assert_string_equal(o.code, "483920");
	assert_string_equal(o.server, "sip.example.org:5060");
	assert_string_equal(o.password, "p4ss=w'ord");
	assert_int_equal(o.repeats, 2);
	assert_int_equal(o.timeout_ms, 75000);
}

static void test_order_that_is_not_whole_or_has_too_much(void **state)
{
	static const char *const more[] = { "Other: x\n", "To: +1\n", "no colon\n", "\n",
		"Interface: x" };
	char text[sizeof WHOLE + 64];
	struct sip_order o;

	(void)state;
	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		snprintf(text, sizeof text, "%s%s", WHOLE, more[i]);
		assert_int_equal(read_text(text, &o), MAG_ESYNTAX);
	}
	/* Without any of its lines but the last two optional ones it is no order. */
	for (const char *at = WHOLE; *at; at = strchr(at, '\n') + 1) {
		size_t before = (size_t)(at - WHOLE), name = strcspn(at, ":");
		const char *rest = strchr(at, '\n') + 1;
		int optional = (name == 8 && memcmp(at, "Language", 8) == 0) ||
			       (name == 8 && memcmp(at, "Password", 8) == 0) ||
			       (name == 9 && memcmp(at, "Interface", 9) == 0);

		snprintf(text, sizeof text, "%.*s%s", (int)before, WHOLE, rest);
		assert_int_equal(read_text(text, &o), optional ? 0 : MAG_ESYNTAX);
	}
}

static void test_threat_25_no_value_can_write_another_line(void **state)
{
	static const struct {
		const char *name, *text;
		int r;
	} rows[] = {
		{ "Server", "sip.example.org", 0 },
		{ "Server", "[2001:db8::1]:5060", 0 },
		{ "Server", "x\nmodule /tmp/evil.so", MAG_ESYNTAX },
		{ "Server", "x y", MAG_ESYNTAX },
		{ "Username", "a@b", MAG_ESYNTAX },
		{ "Username", "a;auth_pass=x", MAG_ESYNTAX },
		{ "From", "+15005550006", 0 },
		{ "Password", "a;b", MAG_ESYNTAX },
		{ "Password", "a\"b", MAG_ESYNTAX },
		{ "Password", "a b", MAG_ESYNTAX },
		{ "Password", "a>b", MAG_ESYNTAX },
		{ "Password", "", 0 },
		{ "Interface", "eth0.5", 0 },
		{ "Interface", "eth0 x", MAG_ESYNTAX },
		{ "Language", "../../etc", MAG_ESYNTAX },
		{ "Code", "48392x", MAG_ESYNTAX },
		{ "To", "12a", MAG_ESYNTAX },
		{ "Repeats", "1", MAG_ERANGE },
		{ "Repeats", "", MAG_ESYNTAX },
		{ "Timeout", "999999999", MAG_ERANGE },
		{ "Nothing", "x", MAG_ENOTFOUND },
	};
	char lengthy[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(sip_order_check(rows[i].name, rows[i].text), rows[i].r);
	memset(lengthy, 'a', sizeof lengthy - 1);
	lengthy[sizeof lengthy - 1] = '\0';
	assert_int_equal(sip_order_check("Server", lengthy), MAG_ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_read),
		cmocka_unit_test(test_order_that_is_not_whole_or_has_too_much),
		cmocka_unit_test(test_threat_25_no_value_can_write_another_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
