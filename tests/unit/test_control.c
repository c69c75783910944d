/* baresip's words: netstrings that come in pieces, JSON of events and responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/sip/control.h"

static void test_netstrings(void **state)
{
	static const struct {
		const char *data;
		long n;
		size_t text, len;
	} rows[] = {
		{ "", 0, 0, 0 },
		{ "1", 0, 0, 0 },
		{ "12:", 0, 0, 0 },
		{ "3:{ab", 0, 0, 0 },
		{ "3:{a}", 0, 0, 0 },
		{ "3:{a},", 6, 2, 3 },
		{ "3:{a},4:{bb},", 6, 2, 3 },
		{ "0:,", 3, 2, 0 },
		{ "3:{a};", MAG_EPROTO, 0, 0 },
		{ ":,", MAG_EPROTO, 0, 0 },
		{ "x", MAG_EPROTO, 0, 0 },
		{ "99999:", MAG_EPROTO, 0, 0 }, /* more than would ever be kept */
		{ "99999999999999999999999999", MAG_EPROTO, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t text = 0, len = 0;

		assert_int_equal(control_netstring(rows[i].data, strlen(rows[i].data), &text, &len),
			rows[i].n);
		assert_int_equal(text, rows[i].text);
		assert_int_equal(len, rows[i].len);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *json;
		bool response, ok;
		const char *type, *param;
	} rows[] = {
		{ "{\"event\":true,\"type\":\"CALL_CLOSED\",\"class\":\"call\",\"direction\":"
		  "\"outgoing\","
		  "\"param\":\"486 Busy Here\"}",
			false, false, "CALL_CLOSED", "486 Busy Here" },
		{ "{\"response\":true,\"ok\":true,\"data\":\"\",\"token\":\"x\"}", true, true, "",
			"" },
		{ "{\"response\":true,\"ok\":false,\"data\":\"Invalid argument\"}", true, false, "",
			"Invalid argument" },
		{ "{\"event\":true,\"type\":\"REGISTER_OK\",\"param\":\"200 OK\"}", false, false,
			"REGISTER_OK", "200 OK" },
		/* A call to us is not the one that we make. */
		{ "{\"event\":true,\"type\":\"CALL_DTMF_START\",\"direction\":\"incoming\","
		  "\"param\":\"5\"}",
			false, false, "", "" },
		{ "{\"type\":5,\"param\":[1],\"ok\":\"true\",\"response\":1}", false, false, "",
			"" },
		{ "{}", false, false, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct control_word w;

		assert_int_equal(control_parse(rows[i].json, strlen(rows[i].json), &w), 0);
		assert_int_equal(w.response, rows[i].response);
		assert_int_equal(w.ok, rows[i].ok);
		assert_string_equal(w.type, rows[i].type);
		assert_string_equal(w.param, rows[i].param);
	}
}

static void test_what_is_no_word(void **state)
{
	static const char *const rows[] = { "", "{", "[]", "\"x\"", "null", "5", "{\"a\"}" };
	struct control_word w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(control_parse(rows[i], strlen(rows[i]), &w), MAG_EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netstrings),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_what_is_no_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
