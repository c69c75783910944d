/* What an administrator writes about a gateway, against what the gateway answers. */
#include <stdio.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/mail_template.h"
#include "smsd/mail_text.h"
#include "smsd/match.h"
#include "smsd/placeholder.h"
#include "tests/fuzz/fuzz.h"

/* ---- rules and pointers: "RULE\nPOINTER\nBODY" ---- */

void fuzz_match(const uint8_t *data, size_t len)
{
	struct sms_message message = { .id = "a1", .to = "+12025550134", .channel = "sms" };
	struct gateway_result result = { 0 };
	struct mag_secret text = { 0 };
	struct match_answer a = { .status = 200, .message = &message, .text = &text };
	struct match m = { .success = { 200 }, .retry = { 429 } };
	char err[MATCH_ERROR_MAX] = "";
	char *all = fuzz_string(data, len), *body = all;
	const char *rule = strsep(&body, "\n"), *pointer = body ? strsep(&body, "\n") : NULL;

	if (!body || match_rule_read(rule, &m.success_match, err) < 0) {
		FUZZ_CHECK(!body || *err);
		free(all);
		return;
	}
	if (match_pointer_check(pointer, err) == 0)
		FUZZ_CHECK(*pointer == '\0' || *pointer == '/');
	else
		pointer = "";
	mag_copy(m.id, sizeof m.id, pointer);
	mag_copy(m.error, sizeof m.error, pointer);
	FUZZ_CHECK(mag_secret_set_text(&text, "Your code is 483920.") == 0);
	a.body = body;
	a.len = strlen(body);
	match_judge(&m, &a, &result);
	/* Without a rule and an id the status decides alone; with one, an answer that is no JSON is
	 * never the success that it asks for. */
	if (m.success_match.kind == RULE_NONE && !*pointer)
		FUZZ_CHECK(result.outcome == SMS_ACCEPTED);
	if (m.success_match.kind == RULE_PREFIX && result.outcome == SMS_ACCEPTED)
		FUZZ_CHECK(mag_has_prefix(body, m.success_match.value));
	if ((m.success_match.kind == RULE_POINTER || m.success_match.kind == RULE_IN) &&
		!strpbrk(body, "{[\"0123456789tfnNI"))
		FUZZ_CHECK(result.outcome != SMS_ACCEPTED);
	FUZZ_CHECK(memchr(result.error, 0, sizeof result.error) != NULL);
	FUZZ_CHECK(memchr(result.provider_id, 0, sizeof result.provider_id) != NULL);
	FUZZ_CHECK(strstr(result.error, "483920") == NULL);
	mag_secret_free(&text);
	free(all);
}

size_t seed_match(struct dice *d, uint8_t *out)
{
	static const char *const rules[] = { "/status = 0", "/messages/0/status in 0 1 queued",
		"/type ends .accepted", "prefix 0: Accepted", "", "/a~1b~0c/-/01 = x", "status",
		"/ = null" };
	static const char *const pointers[] = { "/sid", "/messages/0/message-id", "", "/a~2",
		"/~01/~10" };
	static const char *const bodies[] = { "{\"status\":0,\"sid\":\"SM1\"}",
		"{\"messages\":[{\"status\":\"queued\",\"message-id\":\"x\"}]}",
		"{\"type\":\"message.accepted\"}", "0: Accepted for delivery",
		"{\"a/b~c\":[1,2],\"\":null,\"~1\":{\"/0\":true}}", "[[[[[[[[", "null",
		"{\"sid\":\"483 920\",\"status\":\"0\"}" };
	size_t n = fuzz_choose(d, rules, 8, out);

	out[n++] = '\n';
	n += fuzz_choose(d, pointers, 5, out + n);
	out[n++] = '\n';
	return n + fuzz_choose(d, bodies, 8, out + n);
}

/* ---- {placeholders}: a byte for the place, then the text ---- */

void fuzz_placeholder(const uint8_t *data, size_t len)
{
	struct sms_message message = { .id = "a1",
		.to = "+12025550134",
		.channel = "sms",
		.template = "code",
		.language = "en",
		.host = "web1",
		.expires_at = 1120 };
	struct mag_secret text = { 0 }, out = { 0 };
	struct ph_vars vars = { .n = 1, .username = "{var.sid}" };
	const struct ph_values values = { .message = &message,
		.text = &text,
		.from = "a&b",
		.now_ms = 1000000,
		.ttl_least = 30,
		.ttl_most = 300,
		.receipt_url = "https://r.example/?a=\"",
		.provider_id = "x\r\ny" };
	char err[PH_ERROR_MAX] = "";
	struct ph_template *t = NULL;
	enum enc_context context;

	if (len == 0)
		return;
	context = (enum enc_context)((data[0] & 0x7f) % ENC_N);
	strcpy(vars.var[0].name, "sid");
	FUZZ_CHECK(mag_secret_set_text(&vars.var[0].value, "AC\"<&\n") == 0);
	FUZZ_CHECK(mag_secret_set_text(&text, "483920 \"<&%\r\n\xe2\x82\xac") == 0);
	FUZZ_CHECK(mag_secret_set_text(&message.code, "483920") == 0 && ph_new(&t) == 0);
	if (ph_add(t, (const char *)data + 1, len - 1, context,
		    data[0] & 0x80 ? PH_RAW : PH_ENCODED, &vars, err) < 0) {
		FUZZ_CHECK(memchr(err, 0, sizeof err) != NULL);
	} else if (ph_expand(t, &values, &out) == 0 && !(data[0] & 0x80) && out.len > 0) {
		/* Everything went through the place's encoder: no line ends in a header,
		 * no quotes inside a JSON string. */
		if (context == ENC_HEADER || context == ENC_USER)
			FUZZ_CHECK(!memchr(out.data, '\n', out.len) &&
				   !memchr(out.data, '\r', out.len));
		if (context == ENC_JSON)
			for (size_t i = 0; i < out.len; i++)
				FUZZ_CHECK(
					out.data[i] != '"' || (i > 0 && out.data[i - 1] == '\\'));
	}
	ph_free(&t);
	mag_secret_free(&out);
	mag_secret_free(&text);
	mag_secret_free(&message.code);
	mag_secret_free(&vars.var[0].value);
}

size_t seed_placeholder(struct dice *d, uint8_t *out)
{
	static const char *const parts[] = { "{to}", "{text}", "{from}", "{code}", "{var.sid}",
		"{username}", "{password}", "{ttl}", "{ttl:number}", "{text:xml}", "{receipt_url}",
		"{provider_id}", "{id}", "{lang}", "{locale}", "{ttl_ms}", "{ttl_min}",
		"{expires_iso}", "{to_digits}", "{var.no}", "{alphabet:x}", "{alphabet:GSM:UCS2}",
		"{{", "}}", "{", "{no}", "plain \"text\" & more", "\r\n", "{to:digits}" };
	size_t n = 1;

	out[0] = (uint8_t)dice_roll(d);
	for (size_t i = 0, k = 1 + dice_below(d, 4); i < k; i++)
		n += fuzz_choose(d, parts, sizeof parts / sizeof *parts, out + n);
	return n;
}

/* ---- texts of e-mails: the file, read from a folder of our own ---- */

/* Lines of ASCII that end in CRLF, none too long; no header but ours. */
static void check_mail(const char *subject, const struct mag_secret *body)
{
	const struct mail_text m = { .from = "otp@example.org",
		.to = "alice@example.org",
		.id = "a1",
		.subject = subject,
		.body = body,
		.at = 1900000000 };
	struct mag_secret out = { 0 };
	size_t line = 0;

	if (mail_text_make(&m, &out) < 0)
		return;
	for (size_t i = 0; i < out.len; i++, line++) {
		FUZZ_CHECK(out.data[i] < 0x80 && out.data[i] != 0);
		FUZZ_CHECK((out.data[i] == '\n') == (i > 0 && out.data[i - 1] == '\r'));
		if (out.data[i] == '\n')
			line = 0;
		FUZZ_CHECK(line <= 998);
	}
	mag_secret_free(&out);
}

void fuzz_mail_template(const uint8_t *data, size_t len)
{
	static char args[] = "date=2026-11-22\ncredential=phone ending 0134\nname=Al\xc3\xa4";
	struct sms_message message = { .id = "a1",
		.to = "alice@example.org",
		.channel = "email",
		.template = "code",
		.language = "en",
		.host = "web1",
		.args = args };
	struct mail_templates *templates = NULL;
	char err[OPT_ERROR_MAX] = "", subject[MAIL_SUBJECT_MAX];
	struct mag_secret text = { 0 };

	fuzz_file("mail/code.txt", data ? data : (const void *)"", len);
	FUZZ_CHECK(mag_secret_set_text(&message.code, "483920") == 0);
	if (mail_templates_read(fuzz_file("mail", NULL, 0), &templates, err) < 0) {
		FUZZ_CHECK(templates == NULL && *err && memchr(err, 0, sizeof err) != NULL);
	} else if (mail_template_render(templates, &message, subject, &text) == 0) {
		FUZZ_CHECK(memchr(subject, 0, sizeof subject) != NULL);
		for (const char *p = subject; *p; p++)
			FUZZ_CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
		FUZZ_CHECK(text.len == 0 || memchr(text.data, 0, text.len) == NULL);
		check_mail(subject, &text);
	}
	mail_templates_free(&templates);
	mag_secret_free(&text);
	mag_secret_free(&message.code);
}

size_t seed_mail_template(struct dice *d, uint8_t *out)
{
	static const char *const texts[] = {
		("Subject: Your {credential} ends on {date}\n\nDear {name},\n{code} at {host}.\n"
		 "This has no {value} and goes.\n"),
		"Subject: x\r\n\r\nbody\r\n", "Subject:\n\n", "subject: {host}\n\n{ {x {} }\n",
		"Subject: no body", "",
		("Subject: =?x \xc3\xa4 {name} \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		 "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\n\n"
		 "\xc3\xa4= .\n.\nFrom \t \n\xe2\x82\xac{code}"),
		("Subject: "
		 "=?x\n\n....................................................................."
		 "................................................................................"
		 "\n")
	};

	return fuzz_choose(d, texts, 8, out);
}
