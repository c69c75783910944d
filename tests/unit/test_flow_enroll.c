/* Setting up a first credential at login, word by word (rule O5, prompts.md). */
#include "fake_login.h"

#define TURNS_MAX 20
#define KEY       "K7Q2X-9M4TR-AAAAA-BBBBB-CCCCC-DDDDD"
#define INTRO                                                                                      \
	"Set up two-step login for alice\n"                                                        \
	"Have your licence key and your phone or token at hand.\n"                                 \
	"If this closes, log in again: it goes on from here.\n"                                    \
	"Licence key (Enter cancels): "
#define PAID   "Key accepted: phone, US numbers\nPaid until 2027-11-21.\n"
#define NUMBER "Phone number (like +12025550134): "
#define USE                                                                                        \
	"Use +12025550134 (US)?\n"                                                                 \
	"The name on the account is Alice Doe.\n"                                                  \
	"Your carrier may charge for messages and calls.\n"                                        \
	"Enter = text me a code, v = call me, n = other number: "
#define SENT                                                                                       \
	"Code sent by text to 0134\n"                                                              \
	"Good for 2 minutes. r resend, v voice call, n other number.\n"                            \
	"Code: "
#define SERIAL "Serial number on the token: "
#define FIRST                                                                                      \
	"Type the code that the token shows now\n"                                                 \
	"The next one is asked for after it. n other token.\nFirst token code: "
#define NEXT "Now wait for the next code\nNext token code: "

static int setting_up(void **state)
{
	(void)state;
	fake_reset("separate");
	fake.login.decision = DECISION_ENROLL;
	fake.enroll_takes = TAKES_PHONE;
	return 0;
}

static void test_O5_key_number_code_and_in(void **state)
{
	(void)state;
	struct flow_result r =
		converse(TURNS({ INTRO, "  " KEY " " }, { PAID NUMBER, "+1 202-555-0134" },
				 { USE, "" }, { SENT, "483920" }),
			STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(r.strength, "phone-otp");
	assert_int_equal(r.level, 2);
	assert_int_equal(fake.last_seq, 4);
	assert_string_equal(fake.last_number, "+12025550134");
	assert_false(fake.told_error);
	assert_string_equal(fake.told,
		"Set up: phone ending 0134, until 2027-11-21.\n"
		"Add a second one, for the day this one is lost: magotp phone add");
}

static void test_K3_a_mistake_in_the_key_is_shown(void **state)
{
	(void)state;
	fake.key_verdict = VERDICT_KEY_MISTYPED;
	fake.key_group = 3;
	struct flow_result r =
		converse(TURNS({ INTRO, "K7Q2X" }, { "Typing mistake in the key, group 3\n"
						     "Licence key (Enter cancels): ",
							   "" }),
			STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_LICENCE_NEEDED);
	assert_string_equal(
		fake.told, "Nothing was set up. Log in again to go on. (licence-needed)");
}

static void test_K3_what_is_wrong_with_a_key(void **state)
{
	static const struct {
		unsigned verdict;
		const char *prompt;
	} rows[] = {
		{ VERDICT_KEY_MISTYPED,
			"A key has six groups of five characters\nLicence key (Enter cancels): " },
		{ VERDICT_KEY_UNKNOWN,
			"That key is not known. Check all of it.\nLicence key (Enter cancels): " },
		{ VERDICT_KEY_USED, "That key has been used\nEach key is good once.\n"
				    "Licence key (Enter cancels): " },
		{ VERDICT_PRODUCT_WRONG,
			"That key is for no phone and no token\nLicence key (Enter cancels): " },
		{ VERDICT_NOT_ALLOWED,
			"That key cannot be used any more\nLicence key (Enter cancels): " },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		setting_up(state);
		fake.key_verdict = rows[i].verdict;
		struct flow_result r = converse(
			TURNS({ INTRO, KEY }, { rows[i].prompt, KEY }, { PAID NUMBER, NULL }),
			STACK);
		assert_int_equal(r.end, FLOW_BROKEN);
		assert_int_equal(fake.keys, 2);
	}
	setting_up(state);
	fake.key_verdict = VERDICT_TRY_LATER;
	assert_int_equal(converse(TURNS({ INTRO, KEY }), STACK).end, FLOW_REFUSED);
}

static void test_P8_numbers_that_will_not_do(void **state)
{
	(void)state;
	fake.login.takes = TAKES_PHONE; /* a login before this one had the key */
	fake.phone_verdict = VERDICT_PHONE_REGION;
	struct flow_result r = converse(
		TURNS({ "Set up two-step login for alice\nThe key has been accepted.\n" NUMBER,
			      "" },
			{ NUMBER, "+442071838750" },
			{ "The key is not for numbers from there\n"
			  "US keys are for the 50 states and DC, others for everywhere "
			  "else.\n" NUMBER,
				"+12025550134" },
			{ USE, "n" }, { NUMBER, "+12025550134" }, { USE, "v" },
			{ "Calling phone 0134 with a code\nIt is spoken twice, good for 2 minutes. "
			  "t text, n other number.\nCode: ",
				"n" },
			{ NUMBER, NULL }),
		STACK);
	assert_int_equal(r.end, FLOW_BROKEN);
	assert_int_equal(fake.sends, 1);
	assert_int_equal(fake.checks, 3);
}

static void test_P10_a_landline_is_called(void **state)
{
	(void)state;
	fake.enroll_channels = "voice";
	struct flow_result r = converse(
		TURNS({ INTRO, KEY }, { PAID NUMBER, "+12025550134" },
			{ "Use +12025550134 (US)?\nThe name on the account is Alice Doe.\n"
			  "Your carrier may charge for messages and calls.\n"
			  "Enter = call me with a code, n = other number: ",
				"" },
			{ "Calling phone 0134 with a code\nIt is spoken twice, good for 2 minutes. "
			  "n other number.\nCode: ",
				"483920" }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
}

static void test_O5_interrupted_after_the_number(void **state)
{
	(void)state;
	fake.login.takes = TAKES_PHONE;
	add_factor(1, "phone", "sms", "0134");
	fake.enroll_resend = 20;
	struct flow_result r = converse(
		TURNS({ "Set up two-step login: code for 0134\nEnter sends it (your carrier may "
			"charge), n other number.\nCode: ",
			      "" },
			{ "Code sent earlier by text to 0134\nStill good for 2 minutes. r resend, "
			  "v voice call, n other number.\nCode: ",
				"r" },
			{ "A new code can be sent in 20 seconds\nThe earlier one is still good. "
			  "n other number.\nCode: ",
				"483920" }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(fake.last_number, "");
}

static void test_P4_wrong_codes(void **state)
{
	(void)state;
	struct flow_result r = converse(
		TURNS({ INTRO, KEY }, { PAID NUMBER, "+12025550134" }, { USE, "" }, { SENT, "12" },
			{ "A code has 6 digits\nr resend, v voice call, n other number.\nCode: ",
				"111111" },
			{ "Wrong code, 2 tries left, 2 minutes\nr resend, n other number.\nCode: ",
				"111111" },
			{ NULL, "111111" }),
		STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_TRIES_EXCEEDED);
}

static void test_O5_the_key_went_to_somebody_else(void **state)
{
	(void)state;
	fake.end_verdict = VERDICT_KEY_USED;
	struct flow_result r =
		converse(TURNS({ INTRO, KEY }, { PAID NUMBER, "+12025550134" }, { USE, "" },
				 { SENT, "483920" }, { NULL, KEY }, { NULL, "483920" }),
			STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_int_equal(fake.keys, 2);
}

static void test_O5_set_up_but_not_enough_here(void **state)
{
	(void)state;
	fake.end_verdict = VERDICT_REQUIREMENTS_NOT_MET;
	struct flow_result r = converse(TURNS({ INTRO, KEY }, { PAID NUMBER, "+12025550134" },
						{ USE, "" }, { SENT, "483920" }),
		STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_REQUIREMENTS_NOT_MET);
	assert_true(fake.told_error);
}

static void test_H13_a_token_starts_at_its_serial_again(void **state)
{
	(void)state;
	fake.enroll_takes = TAKES_TOKEN;
	fake.pair_verdict = VERDICT_CODES_WRONG;
	struct flow_result r = converse(
		TURNS({ INTRO, KEY }, { PAID SERIAL, "B1" },
			{ "No token with that number can be set up\n" SERIAL, "A100" },
			{ FIRST, "what" },
			{ "That is no code of the token\nType the code it shows now. n other "
			  "token.\nFirst token code: ",
				"481920" },
			{ NEXT, "111111" },
			{ "Those two codes do not match, 4 tries left\n" SERIAL, "A100" },
			{ FIRST, "481920" }, { NEXT, "113574" }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(r.strength, "hardware-otp");
	assert_string_equal(fake.last_serial, "A100");
}

static void test_O5_phone_or_token(void **state)
{
	(void)state;
	fake.enroll_takes = TAKES_PHONE | TAKES_TOKEN;
	struct flow_result r = converse(
		TURNS({ INTRO, KEY }, { PAID "1. Phone\n2. Token\nNumber, or Enter for 1: ", "7" },
			{ NULL, "2" }, { SERIAL, NULL }),
		STACK);
	assert_int_equal(r.end, FLOW_BROKEN);
	setting_up(state);
	fake.enroll_takes = TAKES_PHONE | TAKES_TOKEN;
	r = converse(TURNS({ INTRO, KEY }, { NULL, "" }, { NUMBER, NULL }), STACK);
	assert_int_equal(r.end, FLOW_BROKEN);
}

#define APP(keys)                                                                                  \
	"Add this to your authenticator app\notpauth://totp/x?secret=AAAA\n"                       \
	"Then type the code that it shows. " keys "n something else.\nApp code: "
#define APP_CODE "Type the code that the app shows now\nq QR code, n something else.\nApp code: "

static void test_O5_M1_an_app(void **state)
{
	(void)state;
	fake.enroll_takes = TAKES_APP;
	struct flow_result r =
		converse(TURNS({ INTRO, KEY }, { APP(""), "111111" },
				 { "Wrong code, 4 tries left\nType the code that the "
				   "app shows now\nn something else.\nApp code: ",
					 "483920" }),
			STACK);
	assert_int_equal(r.end, FLOW_OK);
	assert_string_equal(r.strength, "mobile-id");
	assert_non_null(strstr(fake.all_told, "Key accepted: phone, US numbers\n"));
	assert_string_equal(fake.told, "Set up: your app, until 2027-11-21.\n"
				       "Add a phone too, for the day it is lost: magotp phone add");
}

/* Half blocks: 21 modules and two of quiet on each side are 13 lines of 25 columns; no
 * message is longer than PAM takes. Twice: for dark terminals, then for light ones. */
static void test_O5_a_picture_on_request(void **state)
{
	static const char light[] = "\u2588\u2588"; /* quiet, on a dark terminal */
	struct flow_params p = STACK;
	(void)state;
	p.echo = true;
	fake.enroll_takes = TAKES_APP;
	fake.qr_width = 21;
	struct flow_result r = converse(TURNS({ INTRO, KEY }, { APP("q QR code, "), "q" },
						{ APP_CODE, "" }, { APP_CODE, "483920" }),
		p);
	const char *picture = strchr(fake.all_told, '.') + 2; /* behind "Paid until ..." */
	char line[256] = "";
	for (int i = 0; i < 25; i++)
		strcat(line, "\u2588");
	assert_int_equal(r.end, FLOW_OK);
	assert_memory_equal(picture, line, 75); /* rows -2 and -1 */
	assert_int_equal(picture[75], '\n');
	assert_memory_equal(picture + 76, light, 6);
	assert_memory_equal(picture + 82, "                     ", 21); /* dark: not drawn */
	assert_memory_equal(picture + 82 + 21, light, 6);
	assert_true(fake.longest_told <= TEXT_PROMPT_MAX);
	assert_int_equal(fake.apps, 2);
}

/* Where answers are not echoed it may be no terminal. */
static void test_O5_no_picture_without_a_terminal(void **state)
{
	(void)state;
	fake.enroll_takes = TAKES_APP | TAKES_TOKEN;
	fake.qr_width = 21;
	struct flow_result r = converse(
		TURNS({ INTRO, KEY },
			{ PAID "1. App on your phone\n2. Token\nNumber, or Enter for 1: ", "" },
			{ APP(""), "q" },
			{ "Type the code that the app shows now\nn something else.\nApp code: ",
				"n" },
			{ "1. App on your phone\n2. Token\nNumber, or Enter for 1: ", "2" },
			{ SERIAL, NULL }),
		STACK);
	assert_int_equal(r.end, FLOW_BROKEN);
	assert_int_equal(fake.apps, 1);
}

static void test_O5_short_mode(void **state)
{
	(void)state;
	mag_copy(fake.login.mode, sizeof fake.login.mode, "short");
	fake.key_verdict = VERDICT_KEY_MISTYPED;
	fake.key_group = 3;
	struct flow_result r = converse(
		TURNS({ "Licence key (Enter stops):", KEY }, { "Mistyped, group 3. Key:", KEY },
			{ "Phone (like +12025550134):", "+12025550134" },
			{ "+12025550134? Enter, v, n:", "" },
			{ "Code texted to 0134 (r again):", "483920" }),
		STACK);
	assert_int_equal(r.end, FLOW_OK);
}

/* A program that answers every question with the password. */
static void test_threat_18_a_blind_conversation_sends_nothing(void **state)
{
	struct mag_secret password = { 0 };
	(void)state;
	mag_secret_set_text(&password, "correct horse");
	struct flow_result r = converse(TURNS({ INTRO, "correct horse" }),
		(struct flow_params){ .proof = PROOF_STACK, .password = &password });
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(fake.keys, 0);
	mag_secret_free(&password);
}

static void test_at_most_twenty_prompts(void **state)
{
	struct turn turns[TURNS_MAX + 1];
	(void)state;
	fake.login.takes = TAKES_PHONE;
	for (int i = 0; i < TURNS_MAX; i++)
		turns[i] = (struct turn){ NULL, i % 2 ? "n" : "+12025550134" };
	turns[TURNS_MAX] = (struct turn){ NULL, NULL };
	struct flow_result r = converse(turns, STACK);
	assert_int_equal(r.end, FLOW_REFUSED);
	assert_int_equal(r.verdict, VERDICT_TRY_LATER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_O5_key_number_code_and_in, setting_up),
		cmocka_unit_test_setup(test_K3_a_mistake_in_the_key_is_shown, setting_up),
		cmocka_unit_test_setup(test_K3_what_is_wrong_with_a_key, setting_up),
		cmocka_unit_test_setup(test_P8_numbers_that_will_not_do, setting_up),
		cmocka_unit_test_setup(test_P10_a_landline_is_called, setting_up),
		cmocka_unit_test_setup(test_O5_interrupted_after_the_number, setting_up),
		cmocka_unit_test_setup(test_P4_wrong_codes, setting_up),
		cmocka_unit_test_setup(test_O5_the_key_went_to_somebody_else, setting_up),
		cmocka_unit_test_setup(test_O5_set_up_but_not_enough_here, setting_up),
		cmocka_unit_test_setup(test_H13_a_token_starts_at_its_serial_again, setting_up),
		cmocka_unit_test_setup(test_O5_phone_or_token, setting_up),
		cmocka_unit_test_setup(test_O5_M1_an_app, setting_up),
		cmocka_unit_test_setup(test_O5_a_picture_on_request, setting_up),
		cmocka_unit_test_setup(test_O5_no_picture_without_a_terminal, setting_up),
		cmocka_unit_test_setup(test_O5_short_mode, setting_up),
		cmocka_unit_test_setup(
			test_threat_18_a_blind_conversation_sends_nothing, setting_up),
		cmocka_unit_test_setup(test_at_most_twenty_prompts, setting_up),
	};
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
