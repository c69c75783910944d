/* How calls end: every row is found by its status, SIP's answers get their ending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "smsd/sip/ending.h"

static void test_every_ending_has_one_status(void **state)
{
	static const struct {
		int status;
		enum sms_outcome outcome;
		const char *text;
	} rows[] = {
#define SIP_ENDING(name, number, result, words) { number, result, words },
#include "smsd/sip/ending.def"
#undef SIP_ENDING
	};
	enum sms_outcome outcome;
	const char *text;
	size_t accepted = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(sip_ending_find(rows[i].status, &outcome, &text));
		assert_int_equal(outcome, rows[i].outcome);
		assert_string_equal(text, rows[i].text);
		accepted += outcome == SMS_ACCEPTED;
		/* Only what was accepted has nothing to tell. */
		assert_int_equal(outcome == SMS_ACCEPTED, *text == '\0');
	}
	assert_int_equal(accepted, 1);
}

static void test_other_statuses_mean_nothing(void **state)
{
	enum sms_outcome outcome = SMS_NONE;
	const char *text = NULL;

	(void)state;
	assert_false(sip_ending_find(1, &outcome, &text));
	assert_false(sip_ending_find(255, &outcome, &text));
	assert_int_equal(outcome, SMS_NONE);
}

static void test_answers_of_sip(void **state)
{
	static const struct {
		const char *reason;
		bool rang;
		enum sip_ending ending;
	} rows[] = {
		{ "486 Busy Here", true, SIP_BUSY },
		{ "600 Busy Everywhere", false, SIP_BUSY },
		{ "480 Temporarily Unavailable", false, SIP_NO_ANSWER },
		{ "487 Request Terminated", true, SIP_NO_ANSWER },
		{ "408 Request Timeout", true, SIP_NO_ANSWER },
		{ "408 Request Timeout", false, SIP_UNREACHABLE },
		{ "603 Decline", true, SIP_DECLINED },
		{ "607 Unwanted", true, SIP_DECLINED },
		{ "604 Does Not Exist Anywhere", false, SIP_NO_NUMBER },
		{ "404 Not Found", false, SIP_NO_NUMBER },
		{ "410 Gone", false, SIP_NO_NUMBER },
		{ "484 Address Incomplete", false, SIP_NO_NUMBER },
		{ "401 Unauthorized", false, SIP_REFUSED },
		{ "402 Payment Required", false, SIP_REFUSED },
		{ "403 Forbidden", false, SIP_REFUSED },
		{ "407 Proxy Authentication Required", false, SIP_REFUSED },
		{ "488 Not Acceptable Here", false, SIP_SERVER_FAULT },
		{ "500 Server Internal Error", false, SIP_SERVER_FAULT },
		{ "503 Service Unavailable", true, SIP_SERVER_FAULT },
		{ "Connection timed out", false, SIP_UNREACHABLE },
		{ "Destination address required", false, SIP_UNREACHABLE },
		{ "", false, SIP_UNREACHABLE },
		{ "99999999999999999999", false, SIP_SERVER_FAULT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(sip_ending_of(rows[i].reason, rows[i].rang), (int)rows[i].ending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_ending_has_one_status),
		cmocka_unit_test(test_other_statuses_mean_nothing),
		cmocka_unit_test(test_answers_of_sip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
