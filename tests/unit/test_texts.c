/* Every text of the login, filled with the longest that can stand in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/flow.h"
#include "otpcore/login/texts.h"

static const struct text_args longest = {
	.user = "a-very-long-user-name-that-goes-on-and-on-and-on@example.org",
	.masked = "0134",
	.ref = 3,
	.other = "voice",
	.channel = "sms",
	.first = "text",
	.last = "last",
	.is_default = true,
	.state = "suspended",
	.n = 8,
	.count = 8,
	.digits = 8,
	.tries = 100,
	.seconds = 7199,
};

static void filled(enum text id, bool brief, const struct text_args *args, char *out, size_t cap)
{
	struct mag_buf b;
	mag_buf_init(&b, out, cap);
	text_put(&b, id, brief, args);
	assert_int_equal(mag_buf_error(&b), 0);
}

/* No escapes of terminals, nothing that was left out; English is ASCII. */
static void check_plain(unsigned language, const char *s)
{
	assert_null(strpbrk(s, "{}"));
	assert_true(mag_utf8_valid(s, strlen(s)));
	for (; *s; s++)
		assert_true(*s == '\n' || (*s >= ' ' && *s < 127) ||
			    (language != TEXT_ENGLISH && (unsigned char)*s >= 0x80));
}

static void check_lines(const char *s, size_t max)
{
	for (; *s; s += strcspn(s, "\n"), s += *s == '\n')
		if (text_columns(s, strcspn(s, "\n")) > max)
			fail_msg("wider than %zu: %s", max, s);
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

/* Each test in every language. */
static struct text_args longest_in(unsigned language)
{
	struct text_args args = longest;
	args.language = language;
	return args;
}

static void test_the_languages(void **state)
{
	static const struct {
		const char *tag, *is;
	} rows[] = { { "de", "de" }, { "de_AT.UTF-8", "de" }, { "JA", "ja" }, { "fr-CA", "fr" },
		{ "es", "es" }, { "en", "en" }, { "", "en" }, { NULL, "en" }, { "deu", "en" },
		{ "d", "en" }, { "tlh", "en" } };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(text_language_tag(text_language(rows[i].tag)), rows[i].is);
	assert_null(text_language_tag(5)); /* as many as there are .po files */
}

static void test_every_language_has_every_text(void **state)
{
	(void)state;
	for (unsigned language = 1; text_language_tag(language); language++)
		for (int id = 0; id < TEXT_N; id++)
			for (int brief = 0; brief < 2; brief++)
				if (!text_is_there(language, id, brief))
					fail_msg("%s: %s", text_language_tag(language),
						text_words(language, id, brief));
}

static void test_every_text_is_plain_and_narrow(void **state)
{
	(void)state;
	char text[1024];
	for (unsigned language = 0; text_language_tag(language); language++) {
		struct text_args args = longest_in(language), setting_up = args;
		setting_up.menu = TEXT_KEY_NUMBER;
		for (int id = 0; id < TEXT_KEY_MENU; id++) {
			filled(id, false, &setting_up, text, sizeof text);
			check_lines(text, TEXT_COLUMNS);
			filled(id, false, &args, text, sizeof text);
			check_plain(language, text);
			if (id < TEXT_THREE_WRONG)
				check_lines(text, TEXT_COLUMNS);
			assert_true(strlen(text) <= TEXT_PROMPT_MAX);
			filled(id, true, &args, text, sizeof text);
			check_plain(language, text);
			assert_null(strchr(text, '\n'));
		}
	}
}

/* ssh puts "(user@host) " before the first line. */
static void test_first_lines_leave_room(void **state)
{
	(void)state;
	char text[1024];
	for (unsigned language = 0; text_language_tag(language); language++)
		for (int id = TEXT_SECOND_STEP; id < TEXT_THREE_WRONG; id++) {
			struct text_args args = longest_in(language);
			if (id == TEXT_CHARGE || id == TEXT_PHONE_EXPIRED ||
				id == TEXT_TOKEN_EXPIRED ||
				(id >= TEXT_ITEM_SMS && id <= TEXT_ITEM_SKIP) ||
				(id >= TEXT_TOKEN_LOCKED && id <= TEXT_PROOFING) ||
				(id >= TEXT_ENROLL_USE_NAME &&
					id <= TEXT_ENROLL_USE_CALL)) /* never come first */
				continue;
			args.tries = 10;
			filled(id, false, &args, text, sizeof text);
			text[strcspn(text, "\n")] = '\0';
			if (text_columns(text, strlen(text)) > TEXT_FIRST_COLUMNS)
				fail_msg("wider than 48: %s", text);
		}
}

/* Greeters cut; the tries are never more than two digits there. */
static void test_short_prompts_fit_a_greeter(void **state)
{
	(void)state;
	char text[256];
	for (unsigned language = 0; text_language_tag(language); language++)
		for (int voice = 0; voice < 2; voice++) {
			struct text_args args = longest_in(language);
			args.tries = 10;
			args.first =
				text_words(language, voice ? TEXT_ITEM_VOICE : TEXT_ITEM_SMS, true);
			for (int id = 0; id < TEXT_THREE_WRONG; id++) {
				filled(id, true, &args, text, sizeof text);
				if (text_columns(text, strlen(text)) > TEXT_SHORT_COLUMNS)
					fail_msg("wider than 31: %s", text);
			}
		}
}

/* What ends in ": " in English does so everywhere: a person sees that it is their turn,
 * and short forms end in ":". */
static void test_prompts_end_alike_in_every_language(void **state)
{
	(void)state;
	for (unsigned language = 1; text_language_tag(language); language++)
		for (int id = 0; id < TEXT_THREE_WRONG; id++) {
			const char *plain = text_words(language, id, false);
			const char *brief = text_words(language, id, true);
			if (ends_in(text_words(TEXT_ENGLISH, id, false), ": ") &&
				!ends_in(plain, ": "))
				fail_msg("no \": \" at the end: %s", plain);
			if (ends_in(text_words(TEXT_ENGLISH, id, true), ":") &&
				!ends_in(brief, ":"))
				fail_msg("no \":\" at the end: %s", brief);
		}
}

/* For expect, OpenVPN and others (prompts.md). */
static void test_the_last_line_is_a_contract(void **state)
{
	(void)state;
	char text[1024];
	for (int id = TEXT_SENT_SMS; id < TEXT_NOTHING; id++) {
		filled(id, false, &longest, text, sizeof text);
		if (!ends_in(text, "code: ") && !ends_in(text, "Code: ") &&
			!ends_in(text, "Choice: "))
			fail_msg("%s", text);
	}
	for (int id = TEXT_ASK_ONE; id <= TEXT_ASK_MANY_CODE; id++) {
		filled(id, false, &longest, text, sizeof text);
		assert_true(ends_in(text, "for 8: "));
	}
}

/* Numbers have 15 digits at most (E.164), labels of products are short. */
static void test_O5_setting_up_fits(void **state)
{
	(void)state;
	char text[1024];
	for (unsigned language = 0; text_language_tag(language); language++) {
		struct text_args args = longest_in(language);
		args.first = "+123456789012345";
		filled(TEXT_ENROLL_USE, true, &args, text, sizeof text);
		assert_true(text_columns(text, strlen(text)) <= TEXT_SHORT_COLUMNS);
		args.last = "2027-11-22";
		for (int id = TEXT_PRODUCT_PHONE_US; id <= TEXT_PRODUCT_MOBILE_HARDWARE; id++) {
			args.first = text_words(language, id, false);
			filled(TEXT_ENROLL_PAID, false, &args, text, sizeof text);
			text[strcspn(text, "\n")] = '\0';
			if (text_columns(text, strlen(text)) > TEXT_FIRST_COLUMNS)
				fail_msg("wider than 48: %s", text);
		}
		args.last = "a name of forty-eight characters, a lot of a name";
		filled(TEXT_ENROLL_USE_NAME, false, &args, text, sizeof text);
		check_lines(text, TEXT_COLUMNS);
	}
}

static void test_durations(void **state)
{
	static const struct {
		uint32_t seconds;
		const char *text, *german, *japanese;
	} rows[] = { { 1, "1 second", "1 Sekunde", "1秒" },
		{ 74, "74 seconds", "74 Sekunden", "74秒" },
		{ 119, "119 seconds", "119 Sekunden", "119秒" },
		{ 120, "2 minutes", "2 Minuten", "2分" }, { 121, "3 minutes", "3 Minuten", "3分" },
		{ 7200, "2 hours", "2 Stunden", "2時間" },
		{ 90000, "25 hours", "25 Stunden", "25時間" } };
	unsigned de = text_language("de"), ja = text_language("ja");
	char buf[48];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t n = rows[i].seconds;
		assert_string_equal(text_duration(TEXT_ENGLISH, n, buf, sizeof buf), rows[i].text);
		assert_string_equal(text_duration(de, n, buf, sizeof buf), rows[i].german);
		assert_string_equal(text_duration(ja, n, buf, sizeof buf), rows[i].japanese);
	}
}

static void test_columns_and_lines(void **state)
{
	static const char words[] =
		"このサービスの規約は、あなたの組織でまだ承認されていません。組織の管理者に承認を"
		"依頼してください。magotp connect PARENT";
	char text[512];
	struct mag_buf b = MAG_BUF(text);
	(void)state;
	assert_int_equal(text_columns("abc", 3), 3);
	assert_int_equal(text_columns("für", strlen("für")), 3);
	assert_int_equal(text_columns("コード: ", strlen("コード: ")), 8);
	assert_int_equal(text_columns("\xff\xe3", 2), 2); /* no UTF-8: a column each */
	text_put_wrapped(&b, words);
	assert_string_equal(text,
		"このサービスの規約は、あなたの組織でまだ承認されていません。組織の管理者に承認を\n"
		"依頼してください。magotp connect PARENT\n");
	/* what closes stays with what it closes */
	mag_buf_reset(&b);
	text_put_wrapped(&b, "ああああああああああああああああああああああああああああああああああ"
			     "ああああああ。い");
	assert_string_equal(text,
		"あああああああああああああああああああああああああああああああああああああああ\n"
		"あ。い\n");
}

/* Line ends and runs of blanks in what is wrapped are blanks; nothing is left out. */
static void test_wrapping_makes_lines_anew(void **state)
{
	char text[64];
	struct mag_buf b = MAG_BUF(text);

	(void)state;
	text_put_wrapped(&b, "one\ntwo  three \n four");
	assert_string_equal(text, "one two three four\n");
	/* a character that is cut off counts a column a byte, and takes none of what follows */
	assert_int_equal(text_columns("\xe3"
				      "ab",
				 3),
		3);
}

/* What is not known leaves its place empty, or says it in general. */
static void test_places_of_what_is_not_known(void **state)
{
	const struct text_args nothing = { .ref = 3 };
	char text[256];

	(void)state;
	filled(TEXT_SECOND_STEP, false, &nothing, text, sizeof text);
	assert_string_equal(text, "Second step for \n");
	filled(TEXT_ITEM_SMS, false, &nothing, text, sizeof text);
	assert_non_null(strstr(text, "phone 3"));
	filled(TEXT_LAST_LOGIN, false, &nothing, text, sizeof text);
	assert_non_null(strstr(text, "Last login"));
	assert_string_equal(text_token(TEXT_ENGLISH, NULL, text, sizeof text),
		text_words(TEXT_ENGLISH, TEXT_YOUR_TOKEN, false));
	assert_string_equal(text_words(TEXT_ENGLISH, TEXT_N, false), "");
	assert_true(text_is_there(TEXT_ENGLISH, TEXT_SECOND_STEP, false));
}

static void check_refusal(const struct flow_refusal *r)
{
	char text[TEXT_PROMPT_MAX + 1];
	char id[48];
	flow_refusal_text(r, text, sizeof text);
	check_plain(text_language(r->language), text);
	check_lines(text, TEXT_COLUMNS);
	snprintf(id, sizeof id, "(%s)", verdict_id(r->verdict));
	if (!ends_in(text, id) || strlen(text) > TEXT_PROMPT_MAX)
		fail_msg("no id at the end: %s", text);
}

static void check_refusals_of(const char *language, unsigned verdict, enum strength strength)
{
	struct flow_refusal r = { .verdict = verdict,
		.language = language,
		.service = "a-service-with-a-name-of-sixty-four-letters-"
			   "which-is-the-longest",
		.host = "a-host-with-a-name-of-about-sixty-letters.which.is."
			"example.org",
		.require = strength_id(strength),
		.has = FLOW_HAS_PHONE | FLOW_HAS_OTHER,
		.help = "call 12345, or write to helpdesk@a-long-name.example.org, "
			"any day from eight to six o'clock",
		.seconds = 100000 };
	check_refusal(&r);
	r.level = 3;
	check_refusal(&r);
	r.level = 0;
	r.key_alone = true;
	check_refusal(&r);
	r.key_alone = false;
	r.token = "3401";
	check_refusal(&r);
	r.token = "app";
	check_refusal(&r);
	r.token = "";
	r.help = r.host = r.require = r.service = NULL;
	r.has = 0;
	check_refusal(&r);
}

static void test_refusals_end_with_help_and_id(void **state)
{
	(void)state;
	for (unsigned language = 0; text_language_tag(language); language++)
		for (unsigned verdict = 0; verdict < 64; verdict++)
			for (int strength = 0; strength < STRENGTH_N; strength++)
				check_refusals_of(text_language_tag(language), verdict,
					(enum strength)strength);
}

/* How long to wait takes the place of that one has to, in every language. */
static void test_a_time_to_wait_is_said_once(void **state)
{
	struct flow_refusal r = { .verdict = VERDICT_ACCOUNT_THROTTLED, .seconds = 300 };
	char text[TEXT_PROMPT_MAX + 1];
	(void)state;
	assert_string_equal(flow_refusal_text(&r, text, sizeof text),
		"Too many wrong codes lately. Try again in 5 minutes. (account-throttled)");
	r.seconds = 0;
	assert_string_equal(flow_refusal_text(&r, text, sizeof text),
		"Too many wrong codes lately. Wait before you try again. (account-throttled)");
	r = (struct flow_refusal){
		.verdict = VERDICT_TRIES_EXCEEDED, .seconds = 300, .text = TEXT_THREE_WRONG
	};
	assert_string_equal(flow_refusal_text(&r, text, sizeof text),
		"Three wrong codes. Log in again for a new one. Try again in 5 minutes.\n"
		"(tries-exceeded)");
	r = (struct flow_refusal){
		.verdict = VERDICT_ACCOUNT_THROTTLED, .seconds = 300, .language = "de"
	};
	assert_string_equal(flow_refusal_text(&r, text, sizeof text),
		"Zuletzt zu viele falsche Codes. Versuchen Sie es in 5 Minuten erneut.\n"
		"(account-throttled)");
}

/* The labels are those of the strengths (L11). */
static void test_L11_strengths_are_named_alike(void **state)
{
	(void)state;
#define STRENGTH(name, id, label)                                                                  \
	assert_string_equal(text_words(TEXT_ENGLISH, TEXT_STRENGTH_##name, false), label);
#include "otpcore/base/strength.def"
#undef STRENGTH
}

static void test_every_verdict_has_a_sentence(void **state)
{
	(void)state;
#define VERDICT(name, number, id)                                                                  \
	if (number > 0 && !strcmp(flow_verdict_text(number), flow_verdict_text(9999)))             \
		fail_msg("no sentence: %s", id);
#include "otpcore/base/verdict.def"
#undef VERDICT
}

/* What is the matter with which token, and the way out. */
static void test_L14_each_fault_of_a_token_has_its_own_words(void **state)
{
	static const struct {
		unsigned verdict;
		const char *token, *text;
	} rows[] = {
		{ VERDICT_TOKEN_EXPIRED, "3401",
			"Login refused. Token 3401 has expired.\n"
			"To renew it, on a host that takes your password:\n"
			"  magotp activate KEY\nHelp: 12345 (token-expired)" },
		{ VERDICT_TOKEN_EXPIRED, "app",
			"Login refused. Your app has expired.\n"
			"To renew it, on a host that takes your password:\n"
			"  magotp activate KEY\nHelp: 12345 (token-expired)" },
		{ VERDICT_TOKEN_PENDING, "3401",
			"Login refused. Token 3401 is not activated yet.\n"
			"To activate it, on a host that takes your password:\n"
			"  magotp token add\nHelp: 12345 (token-pending)" },
		{ VERDICT_TOKEN_PENDING, "app",
			"Login refused. Your app is not activated yet.\n"
			"To activate it, on a host that takes your password:\n"
			"  magotp mobile add\nHelp: 12345 (token-pending)" },
		{ VERDICT_TOKEN_REVOKED, "",
			"Login refused. Your token was revoked for good.\n"
			"To add another, on a host that takes your password:\n"
			"  magotp token add\nHelp: 12345 (token-revoked)" },
		{ VERDICT_TOKEN_SUSPENDED_BY_ADMIN, "3401",
			"Login refused. Token 3401 was suspended by an administrator. Ask them "
			"to take it\nup again.\nHelp: 12345 (token-suspended-by-admin)" },
		{ VERDICT_TOKEN_OUT_OF_SYNC, "3401",
			"Login refused. Token 3401 is out of step. An administrator has to reset "
			"it.\nHelp: 12345 (token-out-of-sync)" },
	};
	char text[TEXT_PROMPT_MAX + 1];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct flow_refusal r = {
			.verdict = rows[i].verdict, .token = rows[i].token, .help = "12345"
		};
		assert_string_equal(flow_refusal_text(&r, text, sizeof text), rows[i].text);
	}
}

static void test_L9_last_login(void **state)
{
	(void)state;
	struct wire_open_rep open = { .previous_at = 1795198800, .renewal_at = 0 };
	char text[512];
	strcpy(open.previous_from, "203.0.113.7");
	strcpy(open.previous_strength, "phone-otp");
	flow_session_text(&open, text, sizeof text);
	assert_non_null(strstr(text, "Last login 2026-11-2"));
	assert_non_null(strstr(text, " from 203.0.113.7, Phone OTP"));
	strcpy(open.previous_strength, ""); /* of a login whose strength nobody knows */
	flow_session_text(&open, text, sizeof text);
	assert_non_null(strstr(text, " from 203.0.113.7"));
	assert_null(strchr(text, ','));
	strcpy(open.previous_from, ""); /* nor from where: at the machine itself */
	flow_session_text(&open, text, sizeof text);
	assert_non_null(strstr(text, "Last login 2026-11-2"));
	assert_null(strstr(text, " from"));
	strcpy(open.previous_from, "203.0.113.7");
	strcpy(open.previous_strength, "phone-otp");
	strcpy(open.language, "de");
	flow_session_text(&open, text, sizeof text);
	assert_non_null(strstr(text, "Letzte Anmeldung 2026-11-2"));
	assert_non_null(strstr(text, " von 203.0.113.7, Telefon-Code"));
	strcpy(open.language, "");
	open.renewal_at = 1795198800;
	flow_session_text(&open, text, sizeof text);
	assert_non_null(strstr(text, "\nYour second factor ends on 2026-11-2"));
	memset(&open, 0, sizeof open);
	assert_string_equal(flow_session_text(&open, text, sizeof text), "");
	/* L14: who came in by the password alone reads here what is to be repaired */
	open.n_notices = 1;
	strcpy(open.notices[0].id, "token-pending");
	strcpy(open.strength, "phone-otp");
	assert_string_equal(flow_session_text(&open, text, sizeof text), "");
	strcpy(open.strength, "password");
	assert_string_equal(flow_session_text(&open, text, sizeof text),
		"Your token is not activated yet. To do so: magotp token add");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_languages),
		cmocka_unit_test(test_every_language_has_every_text),
		cmocka_unit_test(test_every_text_is_plain_and_narrow),
		cmocka_unit_test(test_prompts_end_alike_in_every_language),
		cmocka_unit_test(test_columns_and_lines),
		cmocka_unit_test(test_wrapping_makes_lines_anew),
		cmocka_unit_test(test_places_of_what_is_not_known),
		cmocka_unit_test(test_a_time_to_wait_is_said_once),
		cmocka_unit_test(test_L11_strengths_are_named_alike),
		cmocka_unit_test(test_first_lines_leave_room),
		cmocka_unit_test(test_short_prompts_fit_a_greeter),
		cmocka_unit_test(test_the_last_line_is_a_contract),
		cmocka_unit_test(test_O5_setting_up_fits),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_refusals_end_with_help_and_id),
		cmocka_unit_test(test_every_verdict_has_a_sentence),
		cmocka_unit_test(test_L14_each_fault_of_a_token_has_its_own_words),
		cmocka_unit_test(test_L9_last_login),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
