/* What follows from what is heard in a call, in each of its states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "smsd/sip/call.h"

enum { NOT = -1 };

static void test_every_word_in_every_state(void **state)
{
	static const struct {
		enum call_state state;
		bool asks, rang, said;
		const char *type, *param;
		enum call_step step;
		int ending;
	} rows[] = {
		{ CALL_REGISTERS, true, false, false, "REGISTER_OK", "200 OK", STEP_DIAL, NOT },
		{ CALL_REGISTERS, true, false, false, "REGISTER_FAIL", "403 Forbidden", STEP_END,
			SIP_REFUSED },
		{ CALL_REGISTERS, true, false, false, "REGISTER_FAIL", "Connection timed out",
			STEP_END, SIP_UNREACHABLE },
		{ CALL_REGISTERS, true, false, false, "CALL_ESTABLISHED", "", STEP_NONE, NOT },
		{ CALL_REGISTERS, true, false, false, "!", "> sip:OK@ERR ?[32mOK ?[;m Expires 600s",
			STEP_DIAL, NOT },
		{ CALL_REGISTERS, true, false, false, "!", "> sip:OK@h ?[31mERR?[;m Expires 0s",
			STEP_END, SIP_REFUSED },
		{ CALL_REGISTERS, true, false, false, "!", "> sip:OK@ERR ?[33mzzz?[;m", STEP_NONE,
			NOT },
		{ CALL_DIALS, true, false, false, "!", "[32mOK", STEP_NONE, NOT },
		{ CALL_DIALS, true, false, false, "REGISTER_FAIL", "403", STEP_NONE, NOT },
		{ CALL_DIALS, true, false, false, "CALL_RINGING", "", STEP_NONE, NOT },
		{ CALL_DIALS, true, false, false, "CALL_ESTABLISHED", "", STEP_ASK, NOT },
		{ CALL_DIALS, false, false, false, "CALL_ESTABLISHED", "", STEP_SPEAK, NOT },
		/* A tone before anybody has answered is no key. */
		{ CALL_DIALS, true, true, false, "CALL_DTMF_START", "5", STEP_NONE, NOT },
		{ CALL_DIALS, true, true, false, "CALL_CLOSED", "486 Busy Here", STEP_END,
			SIP_BUSY },
		{ CALL_DIALS, true, true, false, "CALL_CLOSED", "408 Request Timeout", STEP_END,
			SIP_NO_ANSWER },
		{ CALL_DIALS, true, false, false, "CALL_CLOSED", "Connection refused", STEP_END,
			SIP_UNREACHABLE },
		{ CALL_ASKS, true, true, false, "CALL_DTMF_START", "1", STEP_SPEAK, NOT },
		{ CALL_ASKS, true, true, false, "CALL_DTMF_END", "", STEP_NONE, NOT },
		{ CALL_ASKS, true, true, false, "CALL_ESTABLISHED", "", STEP_NONE, NOT },
		{ CALL_ASKS, true, true, false, "CALL_CLOSED", "end of file", STEP_END,
			SIP_NO_KEY },
		{ CALL_ASKS, true, true, false, "CALL_CLOSED", "Connection reset by peer", STEP_END,
			SIP_HUNG_UP },
		{ CALL_SPEAKS, true, true, false, "CALL_DTMF_START", "1", STEP_NONE, NOT },
		{ CALL_SPEAKS, true, true, false, "CALL_CLOSED", "end of file", STEP_END,
			SIP_HEARD },
		{ CALL_SPEAKS, true, true, true, "CALL_CLOSED", "Connection reset by peer",
			STEP_END, SIP_HEARD },
		{ CALL_SPEAKS, true, true, false, "CALL_CLOSED", "Connection reset by peer",
			STEP_END, SIP_HUNG_UP },
		{ CALL_SPEAKS, true, true, false, "", "", STEP_NONE, NOT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct call_view v = { rows[i].state, rows[i].asks, rows[i].rang, rows[i].said };
		struct control_word w = { .response = false };
		enum sip_ending ending = (enum sip_ending)NOT;

		w.response = rows[i].type[0] == '!';
		w.ok = true;
		snprintf(w.type, sizeof w.type, "%s", rows[i].type);
		snprintf(w.param, sizeof w.param, "%s", rows[i].param);
		assert_int_equal(call_heard(&v, &w, &ending), rows[i].step);
		assert_int_equal((int)ending, rows[i].ending);
	}
}

static void test_ringing_is_remembered(void **state)
{
	static const char *const rings[] = { "CALL_RINGING", "CALL_PROGRESS" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct call_view v = { .state = CALL_DIALS };
		struct control_word w = { .response = false };
		enum sip_ending ending;

		snprintf(w.type, sizeof w.type, "%s", rings[i]);
		assert_int_equal(call_late(&v), SIP_UNREACHABLE);
		assert_int_equal(call_heard(&v, &w, &ending), STEP_NONE);
		assert_int_equal(call_late(&v), SIP_NO_ANSWER);
	}
}

static void test_time_runs_out(void **state)
{
	struct call_view v = { .state = CALL_REGISTERS };

	(void)state;
	assert_int_equal(call_late(&v), SIP_UNREACHABLE);
	v.state = CALL_ASKS;
	assert_int_equal(call_late(&v), SIP_NO_KEY);
	v.state = CALL_SPEAKS;
	assert_int_equal(call_late(&v), SIP_CUT_OFF);
	v.said = true;
	assert_int_equal(call_late(&v), SIP_HEARD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_word_in_every_state),
		cmocka_unit_test(test_ringing_is_remembered),
		cmocka_unit_test(test_time_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
