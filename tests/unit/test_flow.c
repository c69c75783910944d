/* The conversation word by word, as prompts.md tells it. */
#include "fake_login.h"

#define HEAD "Second step for alice\n"
#define PHONES                                                                                     \
	"1. Text to phone ending 0134 (default)\n"                                                 \
	"2. Voice call to phone ending 7788\n"
#define ASK  "Number, or Enter for 1: "
#define MENU HEAD PHONES ASK
#define SENT                                                                                       \
	"Code sent by text to 0134\n"                                                              \
	"Good for 2 minutes. r resend, v voice call, m menu.\n"                                    \
	"Code: "
#define WRONG2                                                                                     \
	"Wrong code, 2 tries left, 2 minutes\n"                                                    \
	"r resend, m menu.\n"                                                                      \
	"Code: "

static int two_phones(void **state)
{
	(void)state;
	fake_reset("separate");
	add_factor(1, "phone", "sms", "0134");
	add_factor(2, "phone", "voice", "7788");
	return 0;
}

static int one_phone_short(void **state)
{
	(void)state;
	fake_reset("short");
	add_factor(1, "phone", "sms", "0134");
	return 0;
}

static void test_L2_choice_code_in(void **state)
{
	(void)state;
	struct flow_result r = converse(TURNS({ MENU, "1" }, { SENT, "483920" }), STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(r.strength, "phone-otp");
	assert_int_equal(r.level, 2);
	assert_int_equal(fake.last_seq, 2);
	assert_true(r.answered);
}

static void test_L2_enter_takes_the_default(void **state)
{
	(void)state;
	fake.login.factors[0].is_default = 0;
	fake.login.factors[1].is_default = 1;
	struct flow_result r = converse(
		TURNS({ HEAD "1. Text to phone ending 0134\n2. Voice call to phone ending 7788 "
			     "(default)\nNumber, or Enter for 2: ",
			      "" },
			{ "Calling phone 7788 with a code\nIt is spoken twice, good for 2 minutes. "
			  "t text, m menu.\nCode: ",
				" 483-920 " }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(fake.last_channel, "voice");
	assert_int_equal(fake.last_ref, 2);
}

static void test_L2_a_token_is_listed_and_its_code_taken_at_once(void **state)
{
	(void)state;
	add_factor(9, "token", "", "3401");
	fake.live = true;
	struct flow_result r = converse(TURNS({ HEAD PHONES "3. Token ending 3401\n"
							    "Number, token code, or Enter for 1: ",
						"483920" }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(r.strength, "hardware-otp");
	assert_int_equal(fake.last_ref, 0);
	assert_int_equal(fake.sends, 0);
}

static void test_P5_resend_voice_wrong_expired(void **state)
{
	(void)state;
	fake.seconds_left = 119;
	const struct turn turns[] = {
		{ MENU, "1" },
		{ SENT, "r" },
		{ "New code sent by text to 0134\n"
		  "The earlier code is dead. r resend, v voice call, m menu.\nCode: ",
			"v" },
		{ "Calling phone 0134 with a new code\n"
		  "It is spoken twice. The earlier code is dead. t text, m menu.\nCode: ",
			"111111" },
		{ "Wrong code, 2 tries left, 119 seconds\nr resend, m menu.\nCode: ", "222222" },
		{ "Wrong code, 1 try left, 119 seconds\nr resend, m menu.\nCode: ", "483920" },
		{ NULL, NULL },
	};
	struct flow_result r = converse(turns, STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_int_equal(fake.sends, 3);
	assert_int_equal(fake.agains, 2);
	assert_int_equal(fake.last_seq, 6);
}

static void test_P4_three_wrong_codes_end_it(void **state)
{
	(void)state;
	struct flow_result r = converse(
		TURNS({ MENU, "1" }, { SENT, "111111" }, { WRONG2, "222222" }, { NULL, "333333" }),
		STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_TRIES_EXCEEDED);
	assert_true(fake.told_error);
	assert_string_equal(
		fake.told, "Three wrong codes. Log in again for a new one. (tries-exceeded)");
}

static void test_P4_an_expired_code_is_sent_anew_by_enter(void **state)
{
	(void)state;
	fake.verify_result.verdict = VERDICT_CODE_EXPIRED;
	const struct turn turns[] = {
		{ MENU, "1" },
		{ SENT, "483920" },
		{ "That code has expired\nEnter sends a new one, m menu.\nCode: ", "" },
		{ "New code sent by text to 0134\n"
		  "The earlier code is dead. r resend, v voice call, m menu.\nCode: ",
			NULL },
		{ NULL, NULL },
	};
	struct flow_result r = converse(turns, STACK);
	assert_int_equal(r.end, FLOW_BROKEN);
	assert_int_equal(fake.sends, 2);
}

static void test_P5_a_code_that_lives_is_used_again(void **state)
{
	(void)state;
	fake.reused = true;
	fake.seconds_left = 74;
	struct flow_result r =
		converse(TURNS({ MENU, "1" },
				 { "Code sent earlier by text to 0134\n"
				   "Still good for 74 seconds. r resend, v voice call, m menu.\n"
				   "Code: ",
					 "483920" }),
			STACK);
	assert_int_equal(r.end, FLOW_OK);
}

static void test_P5_too_soon_leaves_the_earlier_code(void **state)
{
	(void)state;
	fake.seconds_left = 110;
	fake.send_result = (struct wire_result){ .verdict = VERDICT_SEND_LIMITED, .seconds = 14 };
	fake.live = true;
	struct flow_result r =
		converse(TURNS({ MENU, "1" }, { "A new code can be sent in 14 seconds\n"
						"The earlier one is still good. m menu.\nCode: ",
						      "483920" }),
			STACK);
	assert_int_equal(r.end, FLOW_OK);
}

static void test_P5_limited_without_another_factor_is_refused(void **state)
{
	(void)state;
	fake.login.n_factors = 1;
	fake.seconds_left = 0;
	fake.send_result = (struct wire_result){ .verdict = VERDICT_SEND_LIMITED, .seconds = 1500 };
	struct flow_result r = converse(TURNS({ NULL, "" }), STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_SEND_LIMITED);
	assert_non_null(strstr(fake.told, "(send-limited)"));
	assert_non_null(strstr(fake.told, "25 minutes"));
}

static void test_a_failed_message_offers_another_way(void **state)
{
	(void)state;
	fake.delivery = DELIVERY_FAILED;
	const struct turn turns[] = {
		{ MENU, "1" },
		{ "Not sent: the text to 0134 failed\n"
		  "Enter tries again, v voice call, m menu.\nChoice: ",
			"v" },
		{ "Not sent: the call to 0134 failed\n"
		  "Enter tries again, t text, m menu.\nChoice: ",
			"m" },
		{ MENU, "2" },
		{ "Not sent: the call to 7788 failed\n"
		  "Enter tries again, t text, m menu.\nChoice: ",
			NULL },
		{ NULL, NULL },
	};
	converse(turns, STACK);
	assert_int_equal(fake.last_ref, 2);
}

#define FAILED "The message to 0134 failed; choose another way\n" PHONES ASK

static void test_P5_a_late_failure_is_told_after_a_wrong_code(void **state)
{
	static const unsigned ways[] = { DELIVERY_FAILED, DELIVERY_UNDELIVERED };

	for (size_t i = 0; i < 2; i++) {
		two_phones(state);
		fake.delivery = DELIVERY_PENDING;
		fake.verify_delivery = ways[i];
		struct flow_result r = converse(
			TURNS({ MENU, "1" },
				{ "Code on its way by text to 0134\n"
				  "Good for 2 minutes. r resend, v voice call, m menu.\nCode: ",
					"111111" },
				{ "Wrong code, 2 tries left\n" FAILED, "2" }, { NULL, "483920" }),
			STACK);
		assert_int_equal(r.end, FLOW_OK);
		assert_int_equal(fake.last_ref, 2);
		assert_int_equal(fake.verifies, 2);
	}
}

static void test_P5_a_late_failure_is_told_at_enter_and_at_the_menu(void **state)
{
	(void)state;
	fake.fate = DELIVERY_UNDELIVERED;
	struct flow_result r = converse(TURNS({ MENU, "1" }, { SENT, "" }, { FAILED, "1" },
						{ NULL, "m" }, { FAILED, "2" }, { NULL, "483920" }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_int_equal(fake.fates, 2);
	assert_int_equal(fake.verifies, 1); /* none of it was a try */
}

static void test_without_word_of_the_message_enter_is_as_before(void **state)
{
	static const struct {
		unsigned fate;
		int error;
	} cases[] = { { DELIVERY_ACCEPTED, 0 }, { DELIVERY_NONE, 0 },
		{ DELIVERY_UNDELIVERED, MAG_ETIMEOUT } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		two_phones(state);
		fake.fate = cases[i].fate;
		fake.fate_error = cases[i].error;
		struct flow_result r = converse(TURNS({ MENU, "1" }, { SENT, "" },
							{ "Type the code that you were sent\n"
							  "r resend, v voice call, m menu.\nCode: ",
								"m" },
							{ MENU, "1" }, { NULL, "483920" }),
			STACK);
		assert_int_equal(r.end, FLOW_OK);
		assert_int_equal(fake.fates, 2);
	}
}

static void test_empty_answers_and_other_lines_cost_no_try(void **state)
{
	(void)state;
	const struct turn turns[] = {
		{ MENU, "7" },
		{ "That is not in the list\n" PHONES ASK, "hello" },
		{ "That is not in the list\n" PHONES ASK, "1" },
		{ SENT, "" },
		{ "Type the code that you were sent\nr resend, v voice call, m menu.\nCode: ",
			"4839" },
		{ "A code has 6 digits\nr resend, v voice call, m menu.\nCode: ", "what?" },
		{ "A code has 6 digits\nr resend, v voice call, m menu.\nCode: ", "483 920" },
		{ NULL, NULL },
	};
	struct flow_result r = converse(turns, STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_int_equal(fake.verifies, 1);
}

static void test_twelve_prompts_and_no_more(void **state)
{
	(void)state;
	const struct turn empty = { NULL, "x" };
	struct turn turns[13];
	for (size_t i = 0; i < 12; i++)
		turns[i] = empty;
	turns[12] = (struct turn){ NULL, NULL };
	struct flow_result r = converse(turns, STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_string_equal(
		fake.told, "Too many answers without a code. Log in again. (try-later)");
}

/* threat 18, services.md */
static void test_blind_conversations_send_and_charge_nothing(void **state)
{
	static const char *const answers[] = {
		"\b\n\r\177INCORRECT" /* sshd */,
		"correct horse 7", /* dovecot, nginx, lockers: the password */
		"alice",           /* OpenVPN: the user's name at an echoed prompt */
	};
	struct mag_secret password = { 0 };
	assert_int_equal(mag_secret_set_text(&password, "correct horse 7"), 0);
	for (size_t i = 0; i < 3; i++) {
		two_phones(state);
		struct flow_params p = STACK;
		p.password = &password;
		struct flow_result r = converse(TURNS({ MENU, answers[i] }), p);
		assert_int_equal(r.end, FLOW_REFUSED);
		assert_int_equal(fake.sends + fake.verifies + fake.skips, 0);
		assert_string_equal(fake.told, "");
	}
	mag_secret_free(&password);
}

static void test_blind_at_the_code_prompt_is_not_charged(void **state)
{
	(void)state;
	struct mag_secret password = { 0 };
	assert_int_equal(mag_secret_set_text(&password, "111111"), 0);
	struct flow_params p = STACK;
	p.password = &password;
	struct flow_result r = converse(TURNS({ MENU, "1" }, { SENT, "111111" }), p);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(fake.verifies, 0);
	mag_secret_free(&password);
}

static void test_L3_skip(void **state)
{
	(void)state;
	fake.login.skip = 1;
	struct flow_result r = converse(TURNS({ HEAD PHONES "s. Skip\n" ASK, "s" }), STACK);
	assert_int_equal(r.end, FLOW_SKIPPED);
	assert_string_equal(r.strength, "password");
}

static void test_L3_no_skip_where_the_policy_forbids_it(void **state)
{
	(void)state;
	struct flow_result r =
		converse(TURNS({ MENU, "s" },
				 { "The second step cannot be skipped here\n" PHONES ASK, NULL }),
			STACK);
	assert_int_equal(r.end, FLOW_BROKEN);
	assert_int_equal(fake.skips, 0);
}

static void test_P12_the_charge_is_said_before_the_first_message(void **state)
{
	(void)state;
	fake.login.autosend = 1;
	add_notice("carrier-charge", "");
	const struct turn turns[] = {
		{ HEAD "Your carrier may charge for messages and calls.\n" PHONES ASK, "1" },
		{ SENT, "m" },
		{ MENU, "2" },
		{ NULL, "483920" },
		{ NULL, NULL },
	};
	struct flow_result r = converse(turns, STACK);
	assert_int_equal(r.end, FLOW_OK);
}

static void test_L13_what_is_not_offered_is_explained(void **state)
{
	(void)state;
	add_notice("phone-expired", "9900");
	converse(TURNS({ HEAD "Phone 9900 has expired. To renew: magotp activate KEY\n" PHONES ASK,
			 NULL }),
		STACK);
}

static void test_L2_autosend_asks_for_the_code_at_once(void **state)
{
	(void)state;
	fake.login.autosend = 1;
	struct flow_result r = converse(TURNS({ SENT, "483920" }), STACK);
	assert_int_equal(r.end, FLOW_OK);
}

static void test_verifiers_see_no_digits(void **state)
{
	(void)state;
	memset(fake.login.factors[0].masked, 0, sizeof fake.login.factors[0].masked);
	fake.login.n_factors = 1;
	converse(TURNS({ HEAD "1. Text to phone 1 (default)\nEnter for 1: ", "" },
			 { "Code sent by text to p1\n"
			   "Good for 2 minutes. r resend, v voice call, m menu.\nCode: ",
				 NULL }),
		STACK);
}

static void test_short_mode(void **state)
{
	(void)state;
	const struct turn turns[] = {
		{ "Code (Enter: text to 0134):", "" },
		{ "Code texted to 0134 (r again):", "r" },
		{ "New code to 0134 (r again):", "111111" },
		{ "Wrong, 2 tries left. Code:", "483920" },
		{ NULL, NULL },
	};
	assert_int_equal(converse(turns, STACK).end, FLOW_OK);

	one_phone_short(state);
	add_factor(2, "phone", "voice", "7788");
	fake.delivery = DELIVERY_FAILED;
	converse(TURNS({ "Code or 1-2 (Enter: text 0134):", "2" },
			 { "Not sent. Enter again, m menu:", NULL }),
		STACK);

	one_phone_short(state);
	fake.verify_result.verdict = VERDICT_CODE_EXPIRED;
	add_notice("carrier-charge", "");
	converse(TURNS({ "Code (Enter: text to 0134):", "" }, { NULL, "483920" },
			 { "Expired. Enter for a new code:", NULL }),
		STACK);
	assert_string_equal(fake.told, "Your carrier may charge for messages and calls.");
}

static void test_mode_none_never_asks(void **state)
{
	(void)state;
	mag_copy(fake.login.mode, sizeof fake.login.mode, "none");
	struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(fake.sends, 0);
}

static void test_decisions(void **state)
{
	(void)state;
	static const struct {
		uint32_t decision;
		enum flow_end end;
	} rows[] = {
		{ DECISION_NONE, FLOW_REFUSED },
		{ DECISION_PASS, FLOW_OK },
		{ DECISION_EXEMPT, FLOW_EXEMPT },
		{ DECISION_DENY, FLOW_REFUSED },
		{ 99, FLOW_REFUSED },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		two_phones(state);
		fake.login.decision = rows[i].decision;
		struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
		assert_int_equal(r.end, rows[i].end);
		assert_string_equal(r.strength, rows[i].end == FLOW_REFUSED ? "" : "password");
	}
}

static void test_deny_says_what_is_needed(void **state)
{
	(void)state;
	fake.login.decision = DECISION_DENY;
	fake.begin_result.verdict = VERDICT_REQUIREMENTS_NOT_MET;
	mag_copy(fake.login.require, sizeof fake.login.require, "hardware-otp");
	mag_copy(fake.login.help, sizeof fake.login.help, "helpdesk@example.org");
	converse(TURNS({ NULL, NULL }), STACK);
	assert_string_equal(fake.told,
		"Login refused: sshd on web1 needs a token (hardware-otp).\n"
		"You have a phone. To add a token, on a host that takes a phone:\n"
		"  magotp token add\n"
		"Help: helpdesk@example.org (requirements-not-met)");
}

/* threat 30: the same bytes again, until the broker is back. */
static void test_threat_30_a_restart_in_the_middle_is_survived(void **state)
{
	(void)state;
	fake.down = 3;
	fake.error = MAG_EGONE;
	struct flow_result r = converse(TURNS({ MENU, "1" }, { SENT, "483920" }), STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_int_equal(fake.last_seq, 2);
}

static void test_outage(void **state)
{
	static const struct {
		int error, tries;
	} rows[] = { { MAG_EBUSY, 1 }, { MAG_ETIMEOUT, 1 }, { MAG_ESERVER, 1 },
		{ MAG_EDOWN, 1000 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		two_phones(state);
		fake.down = 1000;
		fake.error = rows[i].error;
		struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
		assert_int_equal(r.end, FLOW_UNAVAILABLE);
		assert_int_equal(r.error, rows[i].error);
		assert_false(r.answered);
		assert_true(1000 - fake.down <= rows[i].tries);
	}
}

/* ---- what the broker may say to a code ---- */

static void test_each_verdict_at_the_code_prompt(void **state)
{
	static const struct {
		struct wire_result result;
		const char *prompt; /* NULL: it ends, and `told` is said */
		const char *told;
	} rows[] = {
		{ { .verdict = VERDICT_CODE_USED },
			"That code was used already\nEnter sends a new one, m menu.\nCode: ",
			NULL },
		{ { .verdict = VERDICT_NO_CODE_PENDING },
			"No code is waiting\nEnter sends one, m menu.\nCode: ", NULL },
		{ { .verdict = VERDICT_ACCOUNT_THROTTLED, .seconds = 8 },
			"Not looked at: too many wrong codes\nType it again in 8 seconds, m menu.\n"
			"Code: ",
			NULL },
		{ { .verdict = VERDICT_ACCOUNT_THROTTLED, .seconds = 3600 }, NULL,
			"Too many wrong codes lately. Try again in 60 minutes. "
			"(account-throttled)" },
		{ { .verdict = VERDICT_ACCOUNT_THROTTLED }, NULL,
			"Too many wrong codes lately. Wait before you try again. "
			"(account-throttled)" },
		{ { .verdict = VERDICT_PHONE_EXPIRED }, NULL,
			"The subscription of this phone has expired. To renew: magotp activate "
			"KEY\n"
			"(phone-expired)" },
		{ { .error = MAG_ESTALE }, NULL,
			"This login took too long. Log in again. (try-later)" },
		{ { .error = MAG_EPERM }, NULL, "You are not allowed to do this. (not-allowed)" },
		{ { .error = MAG_ESTORE, .detail = "disk\nfull" }, NULL, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		two_phones(state);
		fake.verify_result = rows[i].result;
		if (rows[i].result.error)
			fake.verify_result.verdict = VERDICT_OK; /* must not be looked at */
		const struct turn turns[] = { { MENU, "1" }, { SENT, "483920" },
			{ rows[i].prompt, NULL }, { NULL, NULL } };
		struct flow_result r = converse(turns, STACK);
		assert_int_not_equal(r.end, FLOW_OK);
		assert_string_equal(r.strength, "");
		assert_string_equal(fake.told, rows[i].told ? rows[i].told : "");
		if (rows[i].result.error == MAG_ESTORE)
			assert_string_equal(r.detail, "disk?full");
	}
}

static void test_each_verdict_at_the_choice(void **state)
{
	static const struct {
		struct wire_result result;
		const char *line;
	} rows[] = {
		{ { .verdict = VERDICT_CODE_WRONG }, "Wrong code, 3 tries left\n" },
		{ { .verdict = VERDICT_CODE_USED }, "That code was used already\n" },
		{ { .verdict = VERDICT_NO_CODE_PENDING },
			"No code was sent yet: choose where to\n" },
		{ { .verdict = VERDICT_TRY_LATER, .seconds = 9 },
			"Too many wrong codes: wait 9 seconds\n" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char menu[512];
		two_phones(state);
		fake.verify_result = rows[i].result;
		snprintf(menu, sizeof menu, "%s%s%s", rows[i].line, PHONES, ASK);
		converse(TURNS({ MENU, "483920" }, { menu, NULL }), STACK);
		assert_int_equal(fake.last_ref, 0);
	}
}

static void test_keys_at_the_choice(void **state)
{
	const struct {
		const char *key, *channel;
	} rows[] = { { "r", "sms" }, { "T", "sms" }, { "V", "voice" } };
	for (size_t i = 0; i < 3; i++) {
		two_phones(state);
		converse(TURNS({ MENU, "m" }, { MENU, rows[i].key }, { NULL, "483920" }), STACK);
		assert_string_equal(fake.last_channel, rows[i].channel);
	}
	two_phones(state);
	mag_copy(fake.login.factors[0].channels, sizeof fake.login.factors[0].channels, "sms");
	converse(TURNS({ MENU, "v" }, { "That is not in the list\n" PHONES ASK, NULL }), STACK);
}

static void test_a_phone_that_takes_no_text(void **state)
{
	(void)state;
	fake.login.n_factors = 0;
	add_factor(1, "phone", "voice", "7788");
	mag_copy(fake.login.factors[0].channels, sizeof fake.login.factors[0].channels, "voice");
	const struct turn turns[] = {
		{ HEAD "1. Voice call to phone ending 7788 (default)\nEnter for 1: ", "" },
		{ "Calling phone 7788 with a code\nIt is spoken twice, good for 2 minutes. m "
		  "menu.\nCode: ",
			"t" },
		{ "Phone 7788 cannot be used that way\nr resend, m menu.\nCode: ", "v" },
		{ "Calling phone 7788 with a new code\n"
		  "It is spoken twice. The earlier code is dead. m menu.\nCode: ",
			"s" },
		{ "The second step cannot be skipped here\n"
		  "1. Voice call to phone ending 7788 (default)\nEnter for 1: ",
			NULL },
		{ NULL, NULL },
	};
	converse(turns, STACK);
}

static void test_H_a_token_is_asked_for_its_code(void **state)
{
	(void)state;
	fake.login.n_factors = 0;
	add_factor(9, "token", "", "3401");
	fake.live = true;
	const struct turn turns[] = {
		{ HEAD "1. Token ending 3401 (default)\nToken code, or Enter for 1: ", "" },
		{ "Token ending 3401\nType the code that it shows now. m menu.\nToken code: ",
			"r" },
		{ "Token ending 3401\nType the code that it shows now. m menu.\nToken code: ",
			"v" },
		{ "Token ending 3401\nType the code that it shows now. m menu.\nToken code: ", "" },
		{ "Token ending 3401\nType the code that it shows now. m menu.\nToken code: ",
			"111111" },
		{ "Wrong code, 2 tries left\nm menu.\nCode: ", "12345678" },
		{ "Wrong code, 1 try left\nm menu.\nCode: ", "483920" },
		{ NULL, NULL },
	};
	struct flow_result r = converse(turns, STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_int_equal(fake.sends, 0);
}

#define LOCKED                                                                                     \
	"Token 3401 is locked: too many wrong codes\n"                                             \
	"To unlock, type the code it shows now, then the next. m menu.\nFirst token code: "
#define NEXT "Now wait for the next code\nNext token code: "

static void locked_token(const char *state)
{
	fake.login.n_factors = 0;
	add_factor(4, "token", "", "3401");
	mag_copy(fake.login.factors[0].state, sizeof fake.login.factors[0].state, state);
	fake.tries_left = 5;
}

static void test_H4_two_codes_unlock_a_locked_token_and_log_in(void **state)
{
	(void)state;
	locked_token("locked");
	struct flow_result r = converse(
		TURNS({ HEAD "1. Token ending 3401: locked, can be repaired here\n"
			     "Token code, or Enter for 1: ",
			      "1" },
			{ LOCKED, "" },
			{ "That is no code of the token\nType the code it shows now. m menu.\n"
			  "First token code: ",
				"481920" },
			{ NEXT, "481921" },
			{ "Those two codes do not match, 4 tries left\n"
			  "Type the code it shows now, then the next. m menu.\nFirst token code: ",
				"481920" },
			{ NEXT, "113574" }, { NULL, NULL }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(r.strength, "hardware-otp");
	assert_int_equal(fake.resyncs, 2);
	assert_int_equal(fake.last_ref, 4);
	assert_int_equal(fake.verifies, 0);
}

static void test_H4_the_code_that_locks_leads_to_the_repair(void **state)
{
	(void)state;
	locked_token("active");
	fake.verify_result.verdict = VERDICT_TOKEN_LOCKED;
	converse(TURNS({ NULL, "483920" }, { LOCKED, "m" },
			 { HEAD "1. Token ending 3401 (default)\nToken code, or Enter for 1: ",
				 NULL }),
		STACK);
}

static void test_H4_out_of_sync_ends_it(void **state)
{
	(void)state;
	locked_token("locked");
	fake.tries_left = 1;
	struct flow_result r = converse(
		TURNS({ NULL, "1" }, { LOCKED, "111111" }, { NEXT, "222222" }, { NULL, NULL }),
		STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_TOKEN_OUT_OF_SYNC);
}

static void test_H7_a_token_that_its_owner_suspended_is_taken_up_again(void **state)
{
	(void)state;
	locked_token("suspended");
	struct flow_result r = converse(
		TURNS({ NULL, "1" },
			{ "Token 3401 is suspended\n"
			  "To use it again, type the code it shows now, then the next. m menu.\n"
			  "First token code: ",
				"481920" },
			{ NEXT, "113574" }, { NULL, NULL }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
}

static void test_a_recovery_code_is_taken_wherever_a_code_is_asked(void **state)
{
	for (int at_code = 0; at_code < 2; at_code++) {
		two_phones(state);
		fake.verify_result.verdict = VERDICT_OK;
		struct flow_result r =
			at_code ? converse(TURNS({ NULL, "1" }, { NULL, "4RKT-9XQ2-MB7C-0D1E" },
						   { NULL, NULL }),
					  STACK)
				: converse(TURNS({ NULL, "4rkt 9xq2 mb7c 0d1e" }, { NULL, NULL }),
					  STACK);
		assert_int_equal(r.end, FLOW_OK);
		assert_int_equal(fake.last_ref, 0);
		assert_int_equal(fake.verifies, 1);
	}
}

static void test_a_recovery_code_alone_is_asked_for(void **state)
{
	(void)state;
	fake.login.n_factors = 0;
	add_factor(6, "recovery", "", "");
	converse(TURNS({ HEAD "1. Recovery code (default)\nEnter for 1: ", "" },
			 { "Recovery code\nType one of the codes that you keep; it is good once. m "
			   "menu.\n"
			   "Recovery code: ",
				 NULL }),
		STACK);
}

static void test_M_an_app_is_a_factor_too(void **state)
{
	(void)state;
	fake.login.n_factors = 0;
	add_factor(8, "mobile", "", "");
	fake.login.autosend = 1;
	fake.live = true;
	fake.verify_result.verdict = VERDICT_CODE_USED;
	converse(TURNS({ "Your app\nType the code that it shows now. m menu.\nApp code: ",
			       "483920" },
			 { "That code was used already\nWait for the next one. m menu.\nCode: ",
				 NULL }),
		STACK);
}

static void test_skip_that_the_broker_refuses(void **state)
{
	(void)state;
	fake.login.skip = 1;
	fake.skip_verdict = VERDICT_REQUIREMENTS_NOT_MET;
	struct flow_result r = converse(
		TURNS({ HEAD PHONES "s. Skip\n" ASK, "s" },
			{ "The second step cannot be skipped here\n" PHONES "s. Skip\n" ASK,
				NULL }),
		STACK);
	assert_int_equal(r.end, FLOW_BROKEN);
	assert_int_equal(fake.skips, 1);
}

static void test_notices_of_tokens(void **state)
{
	(void)state;
	add_notice("token-expired", "3401");
	add_notice("token-locked", "3402");
	add_notice("something-new", "");
	converse(TURNS({ HEAD "Token 3401 has expired. To renew: magotp activate KEY\n"
			      "Token 3402 is locked. Later: magotp token resync\n" PHONES ASK,
			 NULL }),
		STACK);
	two_phones(state);
	add_notice("token-suspended-by-admin", "");
	add_notice("token-revoked", "app");
	converse(TURNS({ HEAD
			 "Your token was suspended by an administrator: ask them\n"
			 "Your app was revoked. To set up another: magotp mobile add\n" PHONES ASK,
			 NULL }),
		STACK);
}

static void test_sends_that_end_the_login(void **state)
{
	static const struct {
		unsigned verdict;
		const char *id;
	} rows[] = { { VERDICT_TRIES_EXCEEDED, "(tries-exceeded)" },
		{ VERDICT_PHONE_UNKNOWN, "(phone-unknown)" } };
	for (size_t i = 0; i < 2; i++) {
		two_phones(state);
		fake.send_result.verdict = rows[i].verdict;
		struct flow_result r = converse(TURNS({ MENU, "1" }), STACK);
		assert_int_equal(r.verdict, rows[i].verdict);
		assert_non_null(strstr(fake.told, rows[i].id));
	}
	two_phones(state);
	fake.send_result = (struct wire_result){ .verdict = VERDICT_SEND_LIMITED, .seconds = 1800 };
	fake.seconds_left = 0;
	converse(TURNS({ MENU, "1" },
			 { "No code sent: too many were lately\n"
			   "Again in 30 minutes, m menu.\nChoice: ",
				 "m" },
			 { MENU, NULL }),
		STACK);
	two_phones(state);
	fake.send_result.verdict = VERDICT_SEND_FAILED;
	converse(TURNS({ MENU, "1" }, { "Not sent: the text to 0134 failed\n"
					"Enter tries again, v voice call, m menu.\nChoice: ",
					      NULL }),
		STACK);
}

static void test_peek(void **state)
{
	(void)state;
	const struct client c = { .timeout_ms = 500 };
	const struct flow_params p = { .user = "alice", .service = "sshd", .proof = PROOF_STACK };
	struct flow_options o = { .code_digits = 42 };
	mag_copy(fake.login.mode, sizeof fake.login.mode, "combined");
	mag_copy(fake.login.separator, sizeof fake.login.separator, "none");
	assert_int_equal(flow_peek(&c, &p, &o), 0);
	assert_string_equal(o.mode, "combined");
	assert_string_equal(o.separator, "none");
	assert_int_equal(o.code_digits, 6);
	assert_int_equal(fake.last_proof, PROOF_NONE);
	assert_int_equal(flow_peek(&(struct client){ 0 }, &p, &o), 0); /* waits as long as usual */
	fake.begin_result.error = MAG_ESTORE;
	o.code_digits = 42;
	assert_int_equal(flow_peek(&c, &p, &o), MAG_ESTORE);
	assert_int_equal(o.code_digits, 42);
}

/* A name that is cut would be somebody else's. */
static void test_a_name_that_does_not_fit_is_refused(void **state)
{
	char name[400];
	(void)state;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	struct flow_result r = converse(
		TURNS({ NULL, NULL }), (struct flow_params){ .user = name, .proof = PROOF_STACK });
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(fake.begins, 0);
}

static void test_L13_refused_because_of_an_expired_phone(void **state)
{
	(void)state;
	fake.login.decision = DECISION_DENY;
	add_notice("phone-expired", "0134");
	struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
	assert_int_equal(r.verdict, VERDICT_PHONE_EXPIRED);
	two_phones(state);
	fake.login.n_factors = 0;
	r = converse(TURNS({ NULL, NULL }), STACK);
	assert_int_equal(r.verdict, VERDICT_REQUIREMENTS_NOT_MET);
}

/* L14: nothing else is there, so it is said at once, after the password. */
static void test_L14_refused_because_of_a_token(void **state)
{
	static const struct {
		unsigned verdict;
		const char *told;
	} rows[] = {
		{ VERDICT_TOKEN_EXPIRED, "Token 3401 has expired." },
		{ VERDICT_TOKEN_PENDING, "Token 3401 is not activated yet." },
		{ VERDICT_TOKEN_REVOKED, "Token 3401 was revoked for good." },
		{ VERDICT_TOKEN_SUSPENDED_BY_ADMIN, "Token 3401 was suspended by an admin" },
		{ VERDICT_TOKEN_OUT_OF_SYNC, "Token 3401 is out of step." },
		{ VERDICT_PROOFING_PENDING, "Identity proofing is not finished" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		two_phones(state);
		fake.login.decision = DECISION_DENY;
		fake.login.n_factors = 0;
		fake.begin_result.verdict = rows[i].verdict;
		add_notice("renewal", "");
		add_notice(verdict_id(rows[i].verdict), "3401");
		struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
		assert_int_equal(r.end, FLOW_REFUSED);
		assert_int_equal(r.verdict, rows[i].verdict);
		assert_non_null(strstr(fake.told, rows[i].told));
		assert_non_null(strstr(fake.told, verdict_id(rows[i].verdict)));
		assert_true(fake.told_error);
	}
}

/* However much is wrong, the menu is there whole. */
static void test_notices_leave_room_for_the_menu(void **state)
{
	(void)state;
	add_notice("carrier-charge", "");
	add_factor(3, "phone", "voice", "0200");
	add_factor(4, "token", "", "3401");
	mag_copy(fake.login.factors[3].state, sizeof fake.login.factors[3].state, "suspended");
	add_factor(5, "mobile", "", "8QXZ");
	fake.login.skip = 1;
	for (int i = 0; i < 6; i++)
		add_notice("proofing-pending", "");
	static const char whole[] = HEAD
		"Your carrier may charge for messages and calls.\n"
		"Identity proofing is not finished. With the agent's code: magotp activate CODE\n"
		"Identity proofing is not finished. With the agent's code: magotp activate "
		"CODE\n" PHONES "3. Voice call to phone ending 0200\n"
		"4. Token ending 3401: suspended, can be repaired here\n"
		"5. Code from your app\ns. Skip\nNumber, token code, or Enter for 1: ";
	assert_true(sizeof whole <= 512);
	converse(TURNS({ whole, NULL }), STACK);
}

/* ---- combined mode ---- */

static struct flow_result combined(const char *factor)
{
	struct mag_secret secret = { 0 };
	struct flow_params p = { .proof = PROOF_NESTED, .combined = &secret };
	mag_copy(fake.login.mode, sizeof fake.login.mode, "combined");
	assert_int_equal(mag_secret_set_text(&secret, factor), 0);
	struct flow_result r = converse(TURNS({ NULL, NULL }), p);
	mag_secret_free(&secret);
	assert_string_equal(fake.told, "");
	return r;
}

static void test_combined_code(void **state)
{
	(void)state;
	fake.live = true;
	assert_int_equal(combined("483920").end, FLOW_OK);
	assert_int_equal(combined("111111").end, FLOW_REFUSED);
	assert_int_equal(fake.sends, 0);
}

static void test_combined_words_send_and_fail(void **state)
{
	static const struct {
		const char *word, *channel;
		unsigned ref;
	} rows[] = { { "sms", "sms", 1 }, { "call", "voice", 1 }, { "sms2", "sms", 2 },
		{ "call2", "voice", 2 }, { "sms0", "sms", 1 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		two_phones(state);
		assert_int_equal(combined(rows[i].word).end, FLOW_REFUSED);
		assert_int_equal(fake.sends, 1);
		assert_int_equal(fake.verifies, 0);
		assert_int_equal(fake.last_ref, rows[i].ref);
		assert_string_equal(fake.last_channel, rows[i].channel);
	}
	two_phones(state);
	assert_int_equal(combined("sms3").end, FLOW_REFUSED);
	assert_int_equal(fake.sends, 0);

	/* The default phone, wherever it stands; no phone, no message. */
	two_phones(state);
	fake.login.factors[0].is_default = 0;
	fake.login.factors[1].is_default = 1;
	combined("sms");
	assert_int_equal(fake.last_ref, 2);
	two_phones(state);
	fake.login.n_factors = 0;
	add_factor(9, "token", "", "3401");
	assert_int_equal(combined("sms").end, FLOW_REFUSED);
	fake.login.autosend = 1;
	assert_int_equal(combined("").end, FLOW_REFUSED);
	assert_int_equal(fake.sends, 0);
	two_phones(state);
	fake.login.decision = DECISION_DENY;
	assert_int_equal(combined("sms").end, FLOW_REFUSED);
	two_phones(state);
	fake.send_result.error = MAG_ESTORE;
	fake.send_result.verdict = VERDICT_OK;
	assert_int_equal(combined("sms").end, FLOW_UNAVAILABLE);
}

static void test_combined_password_alone_sends_only_with_autosend(void **state)
{
	(void)state;
	assert_int_equal(combined("").end, FLOW_REFUSED);
	assert_int_equal(fake.sends, 0);
	fake.login.autosend = 1;
	assert_int_equal(combined("").end, FLOW_REFUSED);
	assert_int_equal(fake.sends, 1);
}

static void test_combined_wants_the_password_first(void **state)
{
	(void)state;
	mag_copy(fake.login.mode, sizeof fake.login.mode, "combined");
	struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
	assert_int_equal(r.end, FLOW_PASSWORD_FIRST);
	assert_int_equal(fake.sends, 0);
}

/* su_target: nothing is asked of the target, and nothing is granted. */
static void test_su_target_is_the_callers_turn(void **state)
{
	(void)state;
	fake.login.decision = DECISION_CALLER;
	struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
	assert_int_equal(r.end, FLOW_CALLER);
	assert_int_equal(fake.sends, 0);
}

static void in_wheel(void *arg, const char *asked, char *buf, size_t cap)
{
	(void)arg;
	assert_string_equal(asked, "wheel backup");
	mag_copy(buf, cap, "wheel");
}

/* exempt_groups: who can tell is asked once, and begins again with the answer. */
static void test_groups_are_told_when_asked(void **state)
{
	static const struct client client = { .timeout_ms = 1000 };
	const struct flow_io io = { fake_ask, fake_tell, NULL, in_wheel };
	struct flow_params p = STACK;
	struct flow_result r;

	(void)state;
	fake.login.decision = DECISION_EXEMPT;
	mag_copy(fake.asks_groups, sizeof fake.asks_groups, "wheel backup");
	assert_int_equal(flow_run(&client, &io, &p, &r), 0);
	assert_int_equal(r.end, FLOW_EXEMPT);
	assert_int_equal(fake.begins, 2);
	assert_int_equal(fake.tells_groups[0], TELLS_ASK);
	assert_int_equal(fake.tells_groups[1], TELLS_TOLD);
	assert_string_equal(fake.last_groups, "wheel");
	flow_result_clear(&r);
}

static void test_groups_are_not_asked_where_nobody_can_tell(void **state)
{
	(void)state;
	fake.login.decision = DECISION_GROUPS;
	struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(fake.begins, 1);
	assert_int_equal(fake.tells_groups[0], TELLS_NOTHING);
}

/* ---- answers at their edges ---- */

#define TOKEN_ASK "Token ending 3401\nType the code that it shows now. m menu.\nToken code: "
#define NO_CODE   "A code has 6 digits\nr resend, v voice call, m menu.\nCode: "
#define NOT_ONE                                                                                    \
	"That is no code of the token\nType the code it shows now. m menu.\nFirst token code: "
#define CHARGED   HEAD "Your carrier may charge for messages and calls.\n" PHONES ASK
#define NOT_THERE "That is not in the list\n" PHONES ASK

/* What no code can be costs no try, at whatever prompt. */
static void test_P4_what_is_no_code_is_not_judged(void **state)
{
	static const char *const at_code[] = { "48#920", "48:920", "12345", "1234567",
		"1234567890123456789012345678901234567890", "4RKT - - 9XQ2 - - - MB7C - - - 0D1E" };
	static const char *const at_choice[] = { "0", "3", "48392", "483920113" };
	static const char *const at_token[] = { "48392", "483920113" };

	for (size_t i = 0; i < sizeof at_code / sizeof *at_code; i++) {
		two_phones(state);
		converse(TURNS({ MENU, "1" }, { SENT, at_code[i] }, { NO_CODE, NULL }), STACK);
		assert_int_equal(fake.verifies, 0);
	}
	for (size_t i = 0; i < sizeof at_choice / sizeof *at_choice; i++) {
		two_phones(state);
		converse(TURNS({ MENU, at_choice[i] }, { NOT_THERE, NULL }), STACK);
		assert_int_equal(fake.verifies + fake.sends, 0);
	}
	for (size_t i = 0; i < sizeof at_token / sizeof *at_token; i++) {
		two_phones(state);
		fake.login.n_factors = 0;
		add_factor(9, "token", "", "3401");
		converse(TURNS({ NULL, "" }, { TOKEN_ASK, at_token[i] }, { TOKEN_ASK, NULL }),
			STACK);
		assert_int_equal(fake.verifies, 0);
	}
}

/* Who is called as a code is written can log in with that code. */
static void test_a_user_whose_name_is_digits_is_no_program(void **state)
{
	struct flow_params p = STACK;

	(void)state;
	p.user = "483920";
	struct flow_result r = converse(TURNS({ NULL, "1" }, { SENT, "483920" }), p);
	assert_int_equal(r.end, FLOW_OK);
}

/* Nothing is the same as an empty password: Enter is a person's. */
static void test_an_empty_password_makes_nobody_blind(void **state)
{
	struct mag_secret empty = { 0 };
	struct flow_params p = STACK;

	(void)state;
	p.password = &empty;
	struct flow_result r = converse(TURNS({ MENU, "" }, { SENT, "483920" }), p);
	assert_int_equal(r.end, FLOW_OK);
}

static void test_passed_with_what_was_shown_before(void **state)
{
	(void)state;
	fake.login.decision = DECISION_PASS;
	mag_copy(fake.login.strength, sizeof fake.login.strength, "hardware-otp");
	fake.login.has_level = 3;
	struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(r.strength, "hardware-otp");
	assert_int_equal(r.level, 3);
}

static void test_keys_of_phones_without_a_phone(void **state)
{
	static const char *const keys[] = { "r", "v", "t" };

	for (size_t i = 0; i < 3; i++) {
		two_phones(state);
		fake.login.n_factors = 0;
		add_factor(9, "token", "", "3401");
		converse(TURNS({ NULL, keys[i] },
				 { "That is not in the list\n1. Token ending 3401 (default)\n"
				   "Token code, or Enter for 1: ",
					 NULL }),
			STACK);
		assert_int_equal(fake.sends, 0);
	}
}

static void test_a_broker_that_says_no_digits_means_six(void **state)
{
	(void)state;
	fake.login.code_digits = 0;
	struct flow_result r =
		converse(TURNS({ MENU, "1" }, { SENT, "4839" }, { NO_CODE, "483920" }), STACK);
	assert_int_equal(r.end, FLOW_OK);
}

/* P12: the charge that is another phone's keeps no message of this one's waiting. */
static void test_P12_the_charge_is_of_its_phone(void **state)
{
	static const struct {
		const char *id, *what;
		bool at_once;
	} rows[] = { { "carrier-charge", "7788", true }, { "renewal", "0134", true },
		{ "carrier-charge", "0134", false }, { "carrier-charge", "", false } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		two_phones(state);
		fake.login.autosend = 1;
		add_notice(rows[i].id, rows[i].what);
		converse(TURNS({ rows[i].at_once ? SENT : CHARGED, NULL }), STACK);
		assert_int_equal(fake.sends, rows[i].at_once);
	}
}

/* H4, H7: a code at the choice may find a token that is to be repaired, which may not be the
 * first in the list; without one the login ends. */
static void test_H4_the_choice_leads_to_the_repair_too(void **state)
{
	static const unsigned verdicts[] = { VERDICT_TOKEN_LOCKED, VERDICT_TOKEN_SUSPENDED };

	for (size_t i = 0; i < 2; i++) {
		two_phones(state);
		add_factor(4, "token", "", "3401");
		fake.verify_result.verdict = verdicts[i];
		struct flow_result r = converse(
			TURNS({ NULL, "483920" }, { LOCKED, "481920" }, { NEXT, "113574" }), STACK);
		assert_int_equal(r.end, FLOW_OK);
		assert_int_equal(fake.last_ref, 4);
		two_phones(state);
		fake.verify_result.verdict = verdicts[i];
		r = converse(TURNS({ MENU, "483920" }), STACK);
		assert_int_equal(r.end, FLOW_REFUSED);
		assert_int_equal(r.verdict, VERDICT_TOKEN_LOCKED);
	}
}

static void test_a_code_of_no_possible_length_does_not_repair(void **state)
{
	(void)state;
	locked_token("locked");
	converse(TURNS({ NULL, "1" }, { LOCKED, "48192" }, { NOT_ONE, "481920113" },
			 { NOT_ONE, NULL }),
		STACK);
	assert_int_equal(fake.resyncs, 0);
}

/* Tries that were used elsewhere: not "three wrong codes", of which this person typed one. */
static void test_P4_tries_that_were_used_elsewhere(void **state)
{
	(void)state;
	fake.verify_result.verdict = VERDICT_TRIES_EXCEEDED;
	struct flow_result r = converse(TURNS({ MENU, "1" }, { SENT, "111111" }), STACK);
	assert_int_equal(r.verdict, VERDICT_TRIES_EXCEEDED);
	assert_null(strstr(fake.told, "Three wrong codes"));
	assert_non_null(strstr(fake.told, "(tries-exceeded)"));
}

/* P5: when the broker names no time, it is that of the next message; and with none of either
 * there is nothing to wait for. */
static void test_P5_how_long_to_wait_for_the_next(void **state)
{
	(void)state;
	fake.send_result = (struct wire_result){ .verdict = VERDICT_SEND_LIMITED };
	fake.seconds_left = 0;
	fake.resend_after = 30;
	converse(TURNS({ MENU, "1" }, { "No code sent: too many were lately\n"
					"Again in 30 seconds, m menu.\nChoice: ",
					      NULL }),
		STACK);
	fake.resend_after = 0;
	struct flow_result r = converse(TURNS({ MENU, "1" }), STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_SEND_LIMITED);
}

/* A broker that refuses without a reason, and notices of something else. */
static void test_refused_for_no_reason_that_was_said(void **state)
{
	static const unsigned verdicts[] = { VERDICT_NONE, VERDICT_OK,
		VERDICT_REQUIREMENTS_NOT_MET };

	for (size_t i = 0; i < 3; i++) {
		two_phones(state);
		fake.login.decision = DECISION_DENY;
		fake.begin_result.verdict = verdicts[i];
		add_notice("renewal", "");
		struct flow_result r = converse(TURNS({ NULL, NULL }), STACK);
		assert_int_equal(r.verdict, VERDICT_REQUIREMENTS_NOT_MET);
	}
}

#define T(f) cmocka_unit_test_setup(f, two_phones)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_L2_choice_code_in),
		T(test_su_target_is_the_callers_turn),
		T(test_groups_are_told_when_asked),
		T(test_groups_are_not_asked_where_nobody_can_tell),
		T(test_L2_enter_takes_the_default),
		T(test_L2_a_token_is_listed_and_its_code_taken_at_once),
		T(test_P5_resend_voice_wrong_expired),
		T(test_P4_three_wrong_codes_end_it),
		T(test_P4_an_expired_code_is_sent_anew_by_enter),
		T(test_P5_a_code_that_lives_is_used_again),
		T(test_P5_too_soon_leaves_the_earlier_code),
		T(test_P5_limited_without_another_factor_is_refused),
		T(test_a_failed_message_offers_another_way),
		T(test_P5_a_late_failure_is_told_after_a_wrong_code),
		T(test_P5_a_late_failure_is_told_at_enter_and_at_the_menu),
		T(test_without_word_of_the_message_enter_is_as_before),
		T(test_empty_answers_and_other_lines_cost_no_try),
		T(test_twelve_prompts_and_no_more),
		T(test_blind_conversations_send_and_charge_nothing),
		T(test_blind_at_the_code_prompt_is_not_charged),
		T(test_L3_skip),
		T(test_L3_no_skip_where_the_policy_forbids_it),
		T(test_P12_the_charge_is_said_before_the_first_message),
		T(test_L13_what_is_not_offered_is_explained),
		T(test_L2_autosend_asks_for_the_code_at_once),
		T(test_verifiers_see_no_digits),
		cmocka_unit_test_setup(test_short_mode, one_phone_short),
		T(test_mode_none_never_asks),
		T(test_decisions),
		T(test_deny_says_what_is_needed),
		T(test_threat_30_a_restart_in_the_middle_is_survived),
		T(test_outage),
		T(test_each_verdict_at_the_code_prompt),
		T(test_each_verdict_at_the_choice),
		T(test_keys_at_the_choice),
		T(test_a_phone_that_takes_no_text),
		T(test_H_a_token_is_asked_for_its_code),
		T(test_H4_two_codes_unlock_a_locked_token_and_log_in),
		T(test_H4_the_code_that_locks_leads_to_the_repair),
		T(test_H4_out_of_sync_ends_it),
		T(test_H7_a_token_that_its_owner_suspended_is_taken_up_again),
		T(test_a_recovery_code_is_taken_wherever_a_code_is_asked),
		T(test_a_recovery_code_alone_is_asked_for),
		T(test_M_an_app_is_a_factor_too),
		T(test_skip_that_the_broker_refuses),
		T(test_notices_of_tokens),
		T(test_sends_that_end_the_login),
		T(test_peek),
		T(test_a_name_that_does_not_fit_is_refused),
		T(test_L13_refused_because_of_an_expired_phone),
		T(test_L14_refused_because_of_a_token),
		T(test_notices_leave_room_for_the_menu),
		T(test_combined_code),
		T(test_combined_words_send_and_fail),
		T(test_combined_password_alone_sends_only_with_autosend),
		T(test_combined_wants_the_password_first),
		T(test_P4_what_is_no_code_is_not_judged),
		T(test_a_user_whose_name_is_digits_is_no_program),
		T(test_an_empty_password_makes_nobody_blind),
		T(test_passed_with_what_was_shown_before),
		T(test_keys_of_phones_without_a_phone),
		T(test_a_broker_that_says_no_digits_means_six),
		T(test_P12_the_charge_is_of_its_phone),
		T(test_H4_the_choice_leads_to_the_repair_too),
		T(test_a_code_of_no_possible_length_does_not_repair),
		T(test_P4_tries_that_were_used_elsewhere),
		T(test_P5_how_long_to_wait_for_the_next),
		T(test_refused_for_no_reason_that_was_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
