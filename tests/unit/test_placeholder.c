/* Texts with placeholders: compiled with their mistakes found, expanded with
 * every value through the encoder of its place. */
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/gateway/http_json.h"
#include "smsd/placeholder.h"

static struct ph_vars vars;
static struct mag_secret password, text;
static struct sms_message message = {
	.id = "m-1", .to = "+12025550134", .channel = "sms", .expires_at = 1795299602
};
static struct ph_values values = {
	.message = &message, .text = &text, .from = "A & B", .now_ms = 1795299482500, .ttl_least = 1
};

static int setup(void **state)
{
	(void)state;
	strcpy(vars.var[0].name, "sid");
	strcpy(vars.var[1].name, "odd");
	vars.n = 2;
	vars.username = "{var.sid}:u%";
	vars.password = &password;
	return mag_secret_set_text(&vars.var[0].value, "AC1") ||
	       mag_secret_set_text(&vars.var[1].value, "a/b?c\"d\\e\n") ||
	       mag_secret_set_text(&password, "p&q") ||
	       mag_secret_set_text(&text, "Hi <x> & \"y\"") ||
	       mag_secret_set_text(&message.code, "483920");
}

static int teardown(void **state)
{
	(void)state;
	mag_secret_free(&vars.var[0].value);
	mag_secret_free(&vars.var[1].value);
	mag_secret_free(&password);
	mag_secret_free(&text);
	mag_secret_free(&message.code);
	return 0;
}

static int compile(struct ph_template **t, const char *source, enum enc_context context,
	enum ph_literals literals, char err[PH_ERROR_MAX])
{
	assert_int_equal(ph_new(t), 0);
	return ph_add(*t, source, strlen(source), context, literals, &vars, err);
}

static void expand(
	const char *source, enum enc_context context, enum ph_literals literals, const char *wanted)
{
	struct mag_secret out = { 0 };
	struct ph_template *t = NULL;
	char err[PH_ERROR_MAX] = "";

	if (compile(&t, source, context, literals, err) < 0)
		fail_msg("%s: %s", source, err);
	assert_int_equal(ph_expand(t, &values, &out), 0);
	assert_string_equal(mag_secret_text(&out), wanted);
	mag_secret_free(&out);
	ph_free(&t);
}

static void every_placeholder_has_its_value(void **state)
{
	static const struct {
		const char *source, *wanted;
	} rows[] = {
		{ "{to}|{to_digits}", "+12025550134|12025550134" },
		{ "{text}", "Hi <x> & \"y\"" },
		{ "{code}", "483920" },
		{ "{from}", "A & B" },
		{ "{id}", "m-1" },
		{ "{lang}", "en" },
		{ "{ttl} {ttl_ms} {ttl_min}", "119 119500 2" },
		{ "{expires_iso}", "2026-11-21T22:20:02Z" },
		{ "{var.sid}", "AC1" },
		{ "{password}", "p&q" },
		{ "{username}", "AC1:u%" },
		{ "{{to}} }} {{", "{to} } {" },
		{ "", "" },
		{ "{locale}", "en-US" },
		{ "{alphabet:text:unicode}", "text" },
		{ "a={alphabet::x}.", "a=." },
		{ "{text:xml}", "Hi &#60;x&#62; &#38; &#34;y&#34;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expand(rows[i].source, ENC_HEADER, PH_ENCODED, rows[i].wanted);
}

static void alphabet_is_that_of_the_text(void **state)
{
	(void)state;
	assert_int_equal(mag_secret_set_text(&text, "\xe6\x97\xa5"), 0);
	expand("{alphabet:text:unicode}", ENC_HEADER, PH_ENCODED, "unicode");
	expand("{alphabet:0:a b}", ENC_FORM, PH_ENCODED, "a%20b");
}

static void threat_22_values_are_encoded_for_their_place(void **state)
{
	(void)state;
	expand("https://h/{var.odd}/x", ENC_PATH, PH_RAW, "https://h/a%2Fb%3Fc%22d%5Ce%0A/x");
	expand("a b={text}", ENC_FORM, PH_ENCODED, "a%20b%3DHi%20%3Cx%3E%20%26%20%22y%22");
	expand("{username}", ENC_FORM, PH_RAW, "AC1%3Au%25");
	expand("{text}", ENC_JSON, PH_ENCODED, "Hi \\u003cx> & \\u0022y\\u0022");
	expand("<Say>{text:xml}</Say>", ENC_FORM, PH_ENCODED,
		"%3CSay%3EHi%20%26%2360%3Bx%26%2362%3B%20%26%2338%3B%20%26%2334%3By%26%2334%3B%3C%"
		"2FSay%3E");
}

static void threat_22_values_are_not_expanded_again(void **state)
{
	(void)state;
	assert_int_equal(mag_secret_set_text(&text, "{code}{var.sid}{{"), 0);
	expand("{text}", ENC_HEADER, PH_ENCODED, "{code}{var.sid}{{");
}

static void threat_22_a_value_that_does_not_fit_its_place_is_an_error(void **state)
{
	struct mag_secret out = { 0 };
	struct ph_template *t = NULL;
	char err[PH_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(compile(&t, "X: {var.odd}", ENC_HEADER, PH_ENCODED, err), 0);
	assert_int_equal(ph_expand(t, &values, &out), MAG_ERANGE);
	mag_secret_free(&out);
	ph_free(&t);
}

static void ttl_is_never_more_than_the_most(void **state)
{
	(void)state;
	values.ttl_most = 60;
	expand("{ttl} {ttl_ms} {ttl_min}", ENC_HEADER, PH_ENCODED, "60 60000 1");
	expand("{expires_iso}", ENC_HEADER, PH_ENCODED, "2026-11-21T22:19:02Z");
	values.ttl_most = 0;
}

static void ttl_is_never_less_than_the_least(void **state)
{
	int64_t now = values.now_ms;

	(void)state;
	values.ttl_least = 20;
	values.now_ms = message.expires_at * 1000 - 100;
	expand("{ttl} {ttl_ms} {ttl_min}", ENC_HEADER, PH_ENCODED, "20 20000 1");
	values.now_ms = message.expires_at * 1000 + 50000;
	expand("{ttl} {ttl_ms} {ttl_min}", ENC_HEADER, PH_ENCODED, "20 20000 1");
	values.ttl_least = 1;
	values.now_ms = now;
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *source, *complaint;
	} rows[] = {
		{ "{tto}", "do you mean {to}?" },
		{ "{pasword}", "do you mean {password}?" },
		{ "{quite_unknown_thing}", "unknown placeholder" },
		{ "{}", "unknown placeholder" },
		{ "{var.none}", "there is no var.none" },
		{ "{var.}", "there is no var." },
		{ "{to", "brace" },
		{ "to}", "brace" },
		{ "{to:html}", "bad placeholder" },
		{ "{alphabet:a}", "{alphabet:NARROW:WIDE}" },
		{ "{alphabet:a:b:c}", "{alphabet:NARROW:WIDE}" },
		{ "{alphabet}", "unknown placeholder" },
		{ "{a_name_that_is_far_too_long_to_be_a_placeholder_of_ours}", "bad placeholder" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ph_template *t = NULL;
		char err[PH_ERROR_MAX] = "";

		assert_int_equal(
			compile(&t, rows[i].source, ENC_FORM, PH_ENCODED, err), MAG_ESYNTAX);
		if (!strstr(err, rows[i].complaint))
			fail_msg("%s: %s", rows[i].source, err);
		ph_free(&t);
	}
}

static void username_cannot_hold_itself(void **state)
{
	struct ph_template *t = NULL;
	char err[PH_ERROR_MAX] = "";

	(void)state;
	vars.username = "a{username}";
	assert_int_equal(compile(&t, "{username}", ENC_FORM, PH_ENCODED, err), MAG_ESYNTAX);
	ph_free(&t);
}

static void too_many_parts_are_an_error(void **state)
{
	char source[2048] = "";
	struct ph_template *t = NULL;
	char err[PH_ERROR_MAX] = "";

	(void)state;
	for (int i = 0; i < 200; i++)
		strcat(source, "{to}");
	assert_int_equal(compile(&t, source, ENC_FORM, PH_ENCODED, err), MAG_ENOSPACE);
	ph_free(&t);
}

/* ---- JSON bodies ---- */

struct field {
	const char *pointer, *text;
};

static int build(const struct field *fields, struct mag_secret *out)
{
	struct http_json *json = NULL;
	struct ph_template *t = NULL;
	char err[PH_ERROR_MAX];
	int r = 0;

	assert_int_equal(http_json_new(&json), 0);
	assert_int_equal(ph_new(&t), 0);
	for (; fields->pointer && r == 0; fields++)
		r = http_json_add(json, fields->pointer, fields->text, err);
	if (r == 0)
		r = http_json_compile(json, t, &vars, err);
	if (r == 0)
		r = ph_expand(t, &values, out);
	http_json_free(&json);
	ph_free(&t);
	return r;
}

static void json_is_built_by_pointers(void **state)
{
	static const struct {
		struct field fields[6];
		const char *wanted;
	} rows[] = {
		{ { { "/to", "{to}" } }, "{\"to\":\"+12025550134\"}" },
		{ { { "to", "x" }, { "/n", "{ttl:number}" } }, "{\"to\":\"x\",\"n\":119}" },
		{ { { "/n", " {ttl:number}" } }, "{\"n\":\" 119\"}" },
		{ { { "/m/0/to/0", "a" }, { "/m/0/to/1", "b" }, { "/m/1/x", "c" } },
			"{\"m\":[{\"to\":[\"a\",\"b\"]},{\"x\":\"c\"}]}" },
		{ { { "/0", "a" }, { "/1/b", "c" } }, "[\"a\",{\"b\":\"c\"}]" },
		{ { { "/a~1b/~0", "x" } }, "{\"a/b\":{\"~\":\"x\"}}" },
		{ { { "/k\"q", "\"{password}\"" } }, "{\"k\\\"q\":\"\\u0022p&q\\u0022\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mag_secret out = { 0 };

		assert_int_equal(build(rows[i].fields, &out), 0);
		assert_string_equal(mag_secret_text(&out), rows[i].wanted);
		mag_secret_free(&out);
	}
}

static void json_that_contradicts_itself_is_refused(void **state)
{
	static const struct field rows[][3] = {
		{ { "/a", "x" }, { "/a", "y" } },
		{ { "/a", "x" }, { "/a/b", "y" } },
		{ { "/a/b", "x" }, { "/a", "y" } },
		{ { "/a/0", "x" }, { "/a/b", "y" } },
		{ { "/a/99", "x" } },
		{ { "/a~2", "x" } },
		{ { "/a", "{nonsense}" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mag_secret out = { 0 };

		assert_int_equal(build(rows[i], &out), MAG_ESYNTAX);
		mag_secret_free(&out);
	}
}

static void threat_22_json_survives_whatever_a_text_holds(void **state)
{
	static const struct field fields[] = { { "/a/0/to", "{to}" }, { "/a/0/text", "{text}" },
		{ NULL, NULL } };
	static const char *const pieces[] = { "\"", "\\", "\n", "{", "}", "{code}",
		"\xf0\x9f\x98\x80", "\xc3\xa9", "\x01", "\\u0001", "</", ",", ":", "\x7f",
		"\xe2\x80\xa8", "a" };

	(void)state;
	srandom(22);
	for (int n = 0; n < 5000; n++) {
		struct mag_secret out = { 0 };
		struct json_object *root, *to = NULL, *said = NULL;
		char source[128] = "";

		for (int k = random() % 16; k > 0; k--)
			strcat(source, pieces[(size_t)random() % (sizeof pieces / sizeof *pieces)]);
		assert_int_equal(mag_secret_set_text(&text, source), 0);
		assert_int_equal(build(fields, &out), 0);
		root = json_tokener_parse(mag_secret_text(&out));
		assert_non_null(root);
		assert_int_equal(json_pointer_get(root, "/a/0/to", &to), 0);
		assert_int_equal(json_pointer_get(root, "/a/0/text", &said), 0);
		assert_string_equal(json_object_get_string(to), message.to);
		assert_string_equal(json_object_get_string(said), source);
		json_object_put(root);
		mag_secret_free(&out);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_placeholder_has_its_value),
		TEST(alphabet_is_that_of_the_text),
		TEST(threat_22_values_are_encoded_for_their_place),
		TEST(threat_22_values_are_not_expanded_again),
		TEST(threat_22_a_value_that_does_not_fit_its_place_is_an_error),
		TEST(ttl_is_never_less_than_the_least),
		TEST(ttl_is_never_more_than_the_most),
		TEST(mistakes_are_named),
		TEST(username_cannot_hold_itself),
		TEST(too_many_parts_are_an_error),
		TEST(json_is_built_by_pointers),
		TEST(json_that_contradicts_itself_is_refused),
		TEST(threat_22_json_survives_whatever_a_text_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
