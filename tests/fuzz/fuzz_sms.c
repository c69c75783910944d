/* What otpcored hands to smsd, and what smsd puts into requests. */
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/encode.h"
#include "smsd/limits.h"
#include "smsd/match.h"
#include "smsd/template.h"
#include "tests/fuzz/fuzz.h"

static void check_country(const char *to)
{
	const char *iso = country_of(to);

	FUZZ_CHECK(!iso || (*to == '+' && country_known(iso)));
	(void)country_is_service(to);
}

void fuzz_sms_submit(const uint8_t *data, size_t len)
{
	const struct wire_message *m = NULL;
	void *request = NULL;
	struct sms_message message;
	struct mag_secret text = { 0 };
	char error[SMS_ERROR_MAX] = "", masked[64];

	if (wire_decode_request(data, len, &m, &request) < 0)
		return;
	memset(&message, 0, sizeof message);
	if (m->id == WIRE_MSG_SUBMIT && sms_message_take(&message, request, error) == 0) {
		sms_masked(message.to, masked, sizeof masked);
		FUZZ_CHECK(strlen(masked) < sizeof masked);
		check_country(message.to);
		if (template_render(&message, 1000, true, &text) == 0 &&
			message.template[0] != '\0' && strcmp(message.channel, "sms") == 0)
			FUZZ_CHECK(gsm7_septets(mag_secret_text(&text)) <= GSM7_SEGMENT);
	}
	mag_secret_free(&text);
	sms_message_clear(&message);
	wire_free(&m->request, &request);
}

size_t seed_sms_submit(struct dice *d, uint8_t *out)
{
	static const char *const templates[] = { "code", "register", "test", "", "other" };
	static const char *const channels[] = { "sms", "voice", "email" };
	static const char *const numbers[] = { "+12025550134", "+18005550134", "+442079460018",
		"+88213000", "alice@example.org", "+0" };
	static const char *const languages[] = { "", "de", "fr_CA", "ja" };
	struct wire_submit_req q = { .id = "a1", .expires_at = 1120 };
	size_t n = 0;

	strcpy(q.to, numbers[dice_below(d, 3) ? 0 : dice_below(d, 6)]);
	strcpy(q.language, languages[dice_below(d, 4)]);
	if (strchr(q.to, '@'))
		strcpy(q.args, dice_below(d, 2) ? "name=Ann\nday=2026-11-22" : "=x\x01");
	if (dice_below(d, 4) == 0)
		strcpy(q.host, "web1.example.org");
	q.expires_at = 1000 + (int64_t)dice_below(d, 400);

	strcpy(q.template, templates[dice_below(d, 5)]);
	strcpy(q.channel, strchr(q.to, '@') ? "email" : channels[dice_below(d, 3)]);
	if (!*q.host)
		random_text(d, q.host, dice_below(d, sizeof q.host));
	if (dice_below(d, 8))
		mag_secret_set_text(&q.code, dice_below(d, 5) ? "123456" : "abc-def");
	if (dice_below(d, 3) == 0)
		mag_secret_set_text(&q.text, "Hello \xe2\x82\xac");
	wire_encode_request(WIRE_MSG_SUBMIT, &q, out, &n);
	wire_clear(&wire_submit_req, &q);
	return n;
}

/* ---- encoders: a decoder of the context reads exactly what went in ---- */

static int hex(unsigned char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

static void check_percent(const struct mag_secret *out, const uint8_t *data, size_t len, int form)
{
	size_t n = 0;

	for (size_t i = 0; i < out->len; i++, n++) {
		unsigned char c = out->data[i];

		FUZZ_CHECK(c > 0x20 && c < 0x7f && strchr("/?#&=;\"'<>", c) == NULL);
		if (c == '%') {
			FUZZ_CHECK(i + 2 < out->len && hex(out->data[i + 1]) >= 0 &&
				   hex(out->data[i + 2]) >= 0);
			c = (unsigned char)(hex(out->data[i + 1]) << 4 | hex(out->data[i + 2]));
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		FUZZ_CHECK(n < len && data[n] == c);
	}
	FUZZ_CHECK(n == len);
}

/* Read back by json-c, inside an object, so that nothing can break out. */
static void check_json(const struct mag_secret *out, const uint8_t *data, size_t len)
{
	struct mag_secret whole = { 0 };
	struct json_object *o, *v = NULL;

	FUZZ_CHECK(mag_secret_set_text(&whole, "{\"a\":\"") == 0);
	FUZZ_CHECK(mag_secret_append(&whole, mag_secret_text(out), out->len) == 0);
	FUZZ_CHECK(mag_secret_append(&whole, "\"}", 2) == 0);
	o = json_tokener_parse(mag_secret_text(&whole));
	FUZZ_CHECK(o != NULL && json_object_object_length(o) == 1);
	FUZZ_CHECK(json_object_object_get_ex(o, "a", &v));
	FUZZ_CHECK((size_t)json_object_get_string_len(v) == len);
	FUZZ_CHECK(len == 0 || memcmp(json_object_get_string(v), data, len) == 0);
	json_object_put(o);
	mag_secret_free(&whole);
}

void fuzz_encode(const uint8_t *data, size_t len)
{
	for (enum enc_context c = 0; c < ENC_N; c++) {
		struct mag_secret out = { 0 };

		if (enc_append(&out, c, (const char *)data, len) == 0) {
			if (c == ENC_PATH || c == ENC_QUERY || c == ENC_FORM)
				check_percent(&out, data, len, c == ENC_FORM);
			if (c == ENC_JSON)
				check_json(&out, data, len);
			if (c == ENC_XML)
				FUZZ_CHECK(
					out.len == 0 || (!memchr(out.data, '<', out.len) &&
								!memchr(out.data, '"', out.len)));
			if (c == ENC_HEADER || c == ENC_USER)
				FUZZ_CHECK(
					out.len == 0 || (!memchr(out.data, '\r', out.len) &&
								!memchr(out.data, '\n', out.len) &&
								!memchr(out.data, 0, out.len)));
			if (c == ENC_USER)
				FUZZ_CHECK(out.len == 0 || !memchr(out.data, ':', out.len));
		}
		mag_secret_free(&out);
	}
}

size_t seed_encode(struct dice *d, uint8_t *out)
{
	static const char *const known[] = { "a&b=c", "\"},{\"x\":\"", "</Say>", "x\r\nHost: y",
		"%41+", "user:name", "\\u0000", "\xf0\x9f\x94\x91" };
	size_t n = dice_below(d, 60);

	if (dice_below(d, 2)) {
		const char *s = known[dice_below(d, 8)];

		memcpy(out, s, strlen(s));
		return strlen(s);
	}
	random_text(d, (char *)out, n);
	return n;
}

/* ---- what a provider answers: two bytes of status, then the body ---- */

static const struct match *rules(void)
{
	static struct match m;
	char err[MATCH_ERROR_MAX] = "";

	if (m.success[0] != 0)
		return &m;
	FUZZ_CHECK(match_statuses("200 201", m.success, err) == 0);
	FUZZ_CHECK(match_statuses("429", m.retry, err) == 0);
	FUZZ_CHECK(match_rule_read("/error_code = null", &m.success_match, err) == 0);
	strcpy(m.id, "/sid");
	strcpy(m.error, "/message");
	return &m;
}

/* Never a success that the status or the body denies; never the code, the
 * number or a line end in what is logged. */
void fuzz_answer(const uint8_t *data, size_t len)
{
	struct sms_message message = { .id = "a1", .to = "+12025550134", .channel = "sms" };
	struct mag_secret text = { 0 };
	struct gateway_result result = { 0 };
	struct match_answer a = { .message = &message, .text = &text };

	if (len < 2)
		return;
	a.status = data[0] << 8 | data[1];
	a.body = (const char *)data + 2;
	a.len = len - 2;
	FUZZ_CHECK(mag_secret_set_text(&message.code, "483920") == 0);
	FUZZ_CHECK(mag_secret_set_text(&text, "Your code is 483920.") == 0);
	match_judge(rules(), &a, &result);
	if (result.outcome == SMS_ACCEPTED)
		FUZZ_CHECK(a.status == 200 || a.status == 201);
	FUZZ_CHECK(strnlen(result.error, sizeof result.error) < sizeof result.error);
	FUZZ_CHECK(
		strnlen(result.provider_id, sizeof result.provider_id) < sizeof result.provider_id);
	FUZZ_CHECK(strstr(result.error, "483920") == NULL &&
		   strstr(result.error, "2025550134") == NULL);
	for (const char *p = result.error; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	for (const char *p = result.provider_id; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	mag_secret_free(&text);
	mag_secret_free(&message.code);
}

size_t seed_answer(struct dice *d, uint8_t *out)
{
	static const char *const bodies[] = {
		"{\"sid\": \"SM1\", \"error_code\": null, \"message\": null}",
		"{\"error_code\": 21211, \"message\": \"no number +12025550134\"}",
		"{\"message\": \"Your code is 483920.\", \"sid\": [1, {\"a\": 2}]}",
		"{\"sid\": \"4\\u00383920\", \"message\": \"483 920\\r\\nX\", \"error_code\":null}",
		"0: Accepted for delivery",
		"",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
		"{\"sid\":1e999}",
	};
	static const unsigned statuses[] = { 200, 201, 400, 429, 500, 204 };
	const char *body = bodies[dice_below(d, 8)];
	unsigned status = statuses[dice_below(d, 6)];

	out[0] = (uint8_t)(status >> 8);
	out[1] = (uint8_t)status;
	memcpy(out + 2, body, strlen(body));
	return 2 + strlen(body);
}
