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

/* Whatever the language, host, code and time left: one segment. */
static void every_text_fits_one_segment(void **state)
{
	static const char *const templates[] = { "code", "register", "test" };
	static const char *const languages[] = { "en", "de", "fr", "es", "ja" };

	(void)state;
	for (size_t i = 0; i < 5 * 3; i++)
		for (int len = 0; len <= 64; len++)
			for (int dot = 0; dot <= len; dot += 7) {
				struct sms_message m = message(templates[i % 3], "sms", "");
				struct mag_secret text = { 0 };
				bool japanese = i / 3 == 4;

				strcpy(m.language, languages[i / 3]);
				memset(m.host, 'h', (size_t)len);
				if (dot)
					m.host[dot - 1] = '.';
				assert_int_equal(
					mag_secret_set_text(&m.code, "1234567890123456"), 0);
				m.expires_at = NOW + 86399;
				assert_int_equal(template_render(&m, NOW, len % 2, &text), 0);
				assert_in_range(segment_room(mag_secret_text(&text)), 0,
					japanese ? 55 : 110);
				/* Only Japanese pays for letters that GSM-7 lacks. */
				assert_int_equal(
					gsm7_septets(mag_secret_text(&text)) < 0, japanese);
				if (i % 3 < 2)
					assert_non_null(
						strstr(mag_secret_text(&text), "1234567890123456"));
				mag_secret_free(&text);
				sms_message_clear(&m);
			}
}

static void room_in_a_segment(void **state)
{
	char text[256] = "";

	(void)state;
	assert_int_equal(segment_room(""), 160);
	assert_int_equal(segment_room("[é]"), 155);
	assert_int_equal(segment_room("á"), 69);
	assert_int_equal(segment_room("日本😀"), 66);
	memset(text, 'x', 160);
	assert_int_equal(segment_room(text), 0);
	text[160] = 'x';
	assert_int_equal(segment_room(text), -1);
	strcpy(text + 69, "日");
	assert_int_equal(segment_room(text), 0);
	strcpy(text + 69, "日x");
	assert_int_equal(segment_room(text), -1);
}

static void texts_of_the_table_are_checked_at_the_start(void **state)
{
	char err[128] = "";

	(void)state;
	if (template_check(err, sizeof err) < 0)
		fail_msg("%s", err);
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

static struct sms_message in_language(const char *language, const char *channel, const char *host)
{
	struct sms_message m = message("code", channel, host);

	snprintf(m.language, sizeof m.language, "%s", language);
	return m;
}

static void texts_of_other_languages(void **state)
{
	(void)state;
	expect(in_language("de_DE.UTF-8", "sms", "web1"), false,
		"483920 ist Ihr Anmeldecode für web1. Gültig: 2 Minuten. Niemand wird Sie danach "
		"fragen.");
	expect(in_language("fr", "sms", "web1"), false,
		"483920 est votre code de connexion pour web1. Valable 2 minutes. Personne ne vous "
		"le demandera.");
	expect(in_language("es-MX", "sms", ""), false,
		"483920 es su codigo de acceso. Vale 2 minutos. Nadie se lo va a pedir.");
	expect(in_language("ja", "sms", "web1.example.org"), false,
		"ログインコード: 483920、接続先: web1.example.org。有効時間は2分。"
		"他人に教えないでください。");
	/* A host that is too long for 70 characters is shortened. */
	expect(in_language("ja", "sms", "web1.somewhere-else.example.org"), false,
		"ログインコード: 483920、接続先: web1。有効時間は2分。他人に教えないでください。");
	expect(in_language("ja", "sms", "web1"), true,
		"ログインコード: 483920、接続先: web1。有効時間は2分。他人に教えないでください。"
		"\n@web1 #483920");
	expect(in_language("de", "voice", "web1.example.org"), false,
		"Ihr Anmeldecode für web1 lautet: 4. 8. 3. 9. 2. 0. Noch einmal. "
		"Ihr Anmeldecode für web1 lautet: 4. 8. 3. 9. 2. 0. Auf Wiederhören.");
	expect(in_language("es", "voice", "web1"), false,
		"Su código de acceso para web1 es: 4. 8. 3. 9. 2. 0. Repito. "
		"Su código de acceso para web1 es: 4. 8. 3. 9. 2. 0. Hasta luego.");
}

/* A voice is told the language of the words it gets, not the one that was wished. */
static void locale_is_that_of_the_words(void **state)
{
	static const struct {
		const char *language, *locale;
	} rows[] = { { "", "en-US" }, { "en_GB", "en-US" }, { "de", "de-DE" }, { "fr_CA", "fr-FR" },
		{ "es", "es-ES" }, { "ja", "ja-JP" }, { "pt", "en-US" }, { "deu", "en-US" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sms_message m = in_language(rows[i].language, "voice", "");

		assert_string_equal(template_locale(&m), rows[i].locale);
		sms_message_clear(&m);
	}
}

static void languages_without_texts_get_english(void **state)
{
	static const char *const languages[] = { "", "en", "en_US.UTF-8", "pt", "english", "x" };

	(void)state;
	for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
		expect(in_language(languages[i], "sms", ""), false,
			"483920 is your login code. Good for 2 minutes. Nobody will ask you for "
			"it.");
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
		cmocka_unit_test(languages_without_texts_get_english),
		cmocka_unit_test(texts_of_other_languages),
		cmocka_unit_test(locale_is_that_of_the_words),
		cmocka_unit_test(room_in_a_segment),
		cmocka_unit_test(texts_of_the_table_are_checked_at_the_start),
		cmocka_unit_test(faults_leave_the_output_alone),
		cmocka_unit_test(septets_of_the_gsm_alphabet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
