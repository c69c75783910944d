/* Messages in words: one segment, nothing promised too long, spoken twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/template.h"

#define NOW 1795299482

static struct sms_message message(const char *template, const char *channel, const char *host)
{
	struct sms_message m = { .expires_at = NOW + 120 };

	snprintf(m.template, sizeof m.template, "%s", template);
	snprintf(m.channel, sizeof m.channel, "%s", channel);
	snprintf(m.host, sizeof m.host, "%s", host);
	assert_int_equal(mag_secret_set_text(&m.code, "483920"), 0);
	return m;
}

/* Renders, compares, frees. */
static void expect(struct sms_message m, bool autofill, const char *wanted)
{
	struct mag_secret text = { 0 };

	assert_int_equal(template_render(&m, NOW, autofill, &text), 0);
	assert_string_equal(mag_secret_text(&text), wanted);
	mag_secret_free(&text);
	sms_message_clear(&m);
}

static void texts_of_the_templates(void **state)
{
	struct sms_message m;

	(void)state;
	expect(message("code", "sms", "web1.example.org"), false,
		"483920 is your login code for web1.example.org. Good for 2 minutes. "
		"Nobody will ask you for it.");
	expect(message("code", "sms", ""), false,
		"483920 is your login code. Good for 2 minutes. Nobody will ask you for it.");
	expect(message("register", "sms", "web1"), false,
		"483920 is the code to register this phone for web1. Good for 2 minutes. "
		"Did not ask for it? Ignore it.");
	expect(message("test", "sms", "web1"), false,
		"This is a test message from web1. If you can read it, this phone works.");
	m = message("", "sms", "");
	assert_int_equal(mag_secret_set_text(&m.text, "100% {as} %c it is\n"), 0);
	expect(m, true, "100% {as} %c it is\n");
}

static void P10_calls_speak_the_code_slowly_twice(void **state)
{
	struct sms_message m = message("", "voice", "");

	(void)state;
	expect(message("code", "voice", "web1.example.org"), true,
		"Your login code for web1 is: 4. 8. 3. 9. 2. 0. Once more. "
		"Your login code for web1 is: 4. 8. 3. 9. 2. 0. Goodbye.");
	expect(message("register", "voice", ""), true,
		"The code to register this phone is: 4. 8. 3. 9. 2. 0. Once more. "
		"The code to register this phone is: 4. 8. 3. 9. 2. 0. Goodbye.");
	assert_int_equal(mag_secret_set_text(&m.text, "Hello."), 0);
	expect(m, false, "Hello. Once more. Hello.");
}

static void last_line_for_autofill(void **state)
{
	(void)state;
	expect(message("code", "sms", "web1.example.org"), true,
		"483920 is your login code for web1.example.org. Good for 2 minutes. "
		"Nobody will ask you for it.\n@web1.example.org #483920");
	expect(message("test", "voice", "web1"), true,
		"This is a test call from web1. If you can hear it, this phone works. Once more. "
		"This is a test call from web1. If you can hear it, this phone works. Goodbye.");
}

/* Whatever the host, code and time left: one segment of the GSM alphabet. */
static void every_text_fits_one_segment(void **state)
{
	static const char *const templates[] = { "code", "register", "test" };

	(void)state;
	for (size_t t = 0; t < 3; t++)
		for (int len = 0; len <= 64; len++)
			for (int dot = 0; dot <= len; dot += 7) {
				struct sms_message m = message(templates[t], "sms", "");
				struct mag_secret text = { 0 };
				int septets;

				memset(m.host, 'h', (size_t)len);
				if (dot)
					m.host[dot - 1] = '.';
				assert_int_equal(
					mag_secret_set_text(&m.code, "1234567890123456"), 0);
				m.expires_at = NOW + 86399;
				assert_int_equal(template_render(&m, NOW, len % 2, &text), 0);
				septets = gsm7_septets(mag_secret_text(&text));
				assert_in_range(septets, 20, GSM7_SEGMENT);
				if (t < 2)
					assert_non_null(
						strstr(mag_secret_text(&text), "1234567890123456"));
				mag_secret_free(&text);
				sms_message_clear(&m);
			}
}

static void P4_validity_promises_no_more_than_there_is(void **state)
{
	static const struct {
		int left;
		const char *words;
	} rows[] = { { 120, "2 minutes" }, { 118, "2 minutes" }, { 115, "2 minutes" },
		{ 114, "114 seconds" }, { 90, "90 seconds" }, { 66, "66 seconds" },
		{ 65, "1 minute" }, { 60, "1 minute" }, { 55, "1 minute" }, { 54, "54 seconds" },
		{ 5, "5 seconds" }, { 0, "0 seconds" }, { -9, "0 seconds" }, { 600, "10 minutes" },
		{ 599, "10 minutes" }, { 590, "9 minutes" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sms_message m = message("code", "sms", "");
		char wanted[128];

		m.expires_at = NOW + rows[i].left;
		snprintf(wanted, sizeof wanted,
			"483920 is your login code. Good for %s. Nobody will ask you for it.",
			rows[i].words);
		expect(m, false, wanted);
	}
}

static void other_languages_get_english_until_there_is_a_table(void **state)
{
	static const char *const languages[] = { "", "en", "en_US.UTF-8", "de", "english", "x" };

	(void)state;
	for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
		struct sms_message m = message("code", "sms", "");

		snprintf(m.language, sizeof m.language, "%s", languages[i]);
		expect(m, false,
			"483920 is your login code. Good for 2 minutes. Nobody will ask you for "
			"it.");
	}
}

static void faults_leave_the_output_alone(void **state)
{
	struct sms_message m = message("nonsense", "sms", "");
	struct mag_secret text = { 0 };

	(void)state;
	assert_int_equal(mag_secret_set_text(&text, "before"), 0);
	assert_int_equal(template_render(&m, NOW, false, &text), MAG_ENOTFOUND);
	strcpy(m.template, "code");
	mag_secret_free(&m.code);
	assert_int_equal(template_render(&m, NOW, false, &text), MAG_EINVAL);
	assert_string_equal(mag_secret_text(&text), "before");
	mag_secret_free(&text);
}

static void septets_of_the_gsm_alphabet(void **state)
{
	static const struct {
		const char *text;
		int septets;
	} rows[] = { { "", 0 }, { "abc", 3 }, { "@\n#", 3 }, { "é", 1 }, { "Ω", 1 }, { "€", 2 },
		{ "[x]", 5 }, { "{}~^|\\", 12 }, { "`", -1 }, { "ç", -1 }, { "Ç", 1 }, { "😀", -1 },
		{ "\xc3", -1 }, { "\t", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(gsm7_septets(rows[i].text), rows[i].septets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_the_templates),
		cmocka_unit_test(P10_calls_speak_the_code_slowly_twice),
		cmocka_unit_test(last_line_for_autofill),
		cmocka_unit_test(every_text_fits_one_segment),
		cmocka_unit_test(P4_validity_promises_no_more_than_there_is),
		cmocka_unit_test(other_languages_get_english_until_there_is_a_table),
		cmocka_unit_test(faults_leave_the_output_alone),
		cmocka_unit_test(septets_of_the_gsm_alphabet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
