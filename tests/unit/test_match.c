/* Answers of gateways become one of four outcomes: a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/match.h"

static const struct sms_message message = { .to = "+12025550134", .channel = "sms" };

/* Where no row looks for anything else. */
#define UNCLEAR "/unclear in 5 E_INTERNAL"

static void make(struct match *m, const char *success_match, const char *retry_match)
{
	char err[MATCH_ERROR_MAX];

	memset(m, 0, sizeof *m);
	assert_int_equal(match_statuses("200 201 202", m->success, err), 0);
	assert_int_equal(match_statuses("429 503", m->retry, err), 0);
	assert_int_equal(match_rule_read(success_match, &m->success_match, err), 0);
	assert_int_equal(match_rule_read(retry_match, &m->retry_match, err), 0);
	assert_int_equal(match_rule_read(UNCLEAR, &m->unclear_match, err), 0);
	strcpy(m->error, "/message");
}

static struct gateway_result judge(const struct match *m, long status, const char *body)
{
	struct mag_secret text = { 0 };
	struct gateway_result result = { 0 };
	struct match_answer a = { status, body, strlen(body), &message, &text };

	assert_int_equal(mag_secret_set_text(&text, "483920 is your login code for web1."), 0);
	match_judge(m, &a, &result);
	mag_secret_free(&text);
	return result;
}

static void four_outcomes(void **state)
{
	static const struct {
		const char *success_match, *retry_match;
		long status;
		const char *body;
		enum sms_outcome outcome;
	} rows[] = {
		/* by status alone */
		{ "", "", 200, "", SMS_ACCEPTED },
		{ "", "", 202, "0: Accepted for delivery", SMS_ACCEPTED },
		{ "", "", 204, "", SMS_AMBIGUOUS },
		{ "", "", 302, "", SMS_PERMANENT },
		{ "", "", 400, "{}", SMS_PERMANENT },
		{ "", "", 401, "{}", SMS_PERMANENT },
		{ "", "", 404, "", SMS_PERMANENT },
		{ "", "", 429, "{}", SMS_RETRYABLE },
		{ "", "", 500, "{}", SMS_AMBIGUOUS },
		{ "", "", 502, "", SMS_AMBIGUOUS },
		{ "", "", 503, "", SMS_RETRYABLE },
		{ "", "", 100, "", SMS_AMBIGUOUS },
		{ "", "", 0, "", SMS_AMBIGUOUS },
		/* by the body as well */
		{ "/status = 0", "", 200, "{\"status\": \"0\"}", SMS_ACCEPTED },
		{ "/status = 0", "", 200, "{\"status\": 0}", SMS_ACCEPTED },
		{ "/status = 0", "", 200, "{\"status\": \"4\"}", SMS_PERMANENT },
		{ "/status = 0", "", 200, "{\"status\": null}", SMS_PERMANENT },
		{ "/status = 0", "", 200, "{}", SMS_AMBIGUOUS },
		{ "/status = 0", "", 200, "<html>", SMS_AMBIGUOUS },
		{ "/status = 0", "", 200, "", SMS_AMBIGUOUS },
		{ "/status = 0", "", 200, "{\"status\": \"0\"", SMS_AMBIGUOUS },
		{ "/status = 0", "", 400, "{\"status\": \"0\"}", SMS_PERMANENT },
		{ "/ok = true", "", 201, "{\"ok\": true}", SMS_ACCEPTED },
		{ "/ok = true", "", 201, "{\"ok\": false}", SMS_PERMANENT },
		{ "/m/0/s = a b", "", 200, "{\"m\": [{\"s\": \"a b\"}]}", SMS_ACCEPTED },
		{ "/a~1b/~0c = 1", "", 200, "{\"a/b\": {\"~c\": 1}}", SMS_ACCEPTED },
		/* RFC 6901: indices, keys that look like one, beyond the end, no key */
		{ "/m/1 = x", "", 200, "{\"m\": [\"x\"]}", SMS_AMBIGUOUS },
		{ "/m/- = x", "", 200, "{\"m\": [\"x\"]}", SMS_AMBIGUOUS },
		{ "/m/-1 = x", "", 200, "{\"m\": [\"x\"]}", SMS_AMBIGUOUS },
		{ "/m/00 = x", "", 200, "{\"m\": [\"x\"]}", SMS_AMBIGUOUS },
		{ "/m/99999999999999999999 = x", "", 200, "{\"m\": [\"x\"]}", SMS_AMBIGUOUS },
		{ "/m/0 = x", "", 200, "{\"m\": {\"0\": \"x\"}}", SMS_ACCEPTED },
		{ "/m/0/s = x", "", 200, "{\"m\": [\"x\"]}", SMS_AMBIGUOUS },
		{ "/~01 = x", "", 200, "{\"~1\": \"x\"}", SMS_ACCEPTED },
		{ "/a/ = x", "", 200, "{\"a\": {\"\": \"x\"}}", SMS_ACCEPTED },
		{ "/a = x", "", 200, "[{\"a\": \"x\"}]", SMS_AMBIGUOUS },
		{ "/a = x", "", 200, "\"x\"", SMS_AMBIGUOUS },
		{ "/a = 1e2", "", 200, "{\"a\": 100}", SMS_PERMANENT },
		{ "/error_code = null", "", 201, "{\"error_code\": null}", SMS_ACCEPTED },
		{ "/error_code = null", "", 201, "{\"sid\": \"x\"}", SMS_ACCEPTED },
		{ "/error_code = null", "", 201, "{\"error_code\": 30001}", SMS_PERMANENT },
		{ "/error_code = null", "", 201, "not json", SMS_AMBIGUOUS },
		{ "prefix Success", "", 200, "Success \"07033084\"", SMS_ACCEPTED },
		{ "prefix Success", "", 200, "Succes", SMS_PERMANENT },
		{ "prefix Success", "", 200, "", SMS_PERMANENT },
		/* not sent, says the body */
		{ "/s = 0", "/s = 1", 200, "{\"s\": \"1\"}", SMS_RETRYABLE },
		{ "/s = 0", "/s = 1", 500, "{\"s\": \"1\"}", SMS_RETRYABLE },
		{ "/s = 0", "/s = 1", 200, "{\"s\": \"5\"}", SMS_PERMANENT },
		{ "", "/__type ends Throttling", 400, "{\"__type\": \"a.b#Throttling\"}",
			SMS_RETRYABLE },
		{ "", "/__type ends Throttling", 400, "{\"__type\": \"Throttling\"}",
			SMS_RETRYABLE },
		{ "", "/__type ends Throttling", 400, "{\"__type\": \"rottling\"}", SMS_PERMANENT },
		{ "", "/__type ends Throttling", 400, "{}", SMS_PERMANENT },
		{ "", "prefix busy", 200, "busy now", SMS_RETRYABLE },
		/* one of several */
		{ "/s in OK QUEUED", "", 200, "{\"s\": \"OK\"}", SMS_ACCEPTED },
		{ "/s in OK QUEUED", "", 200, "{\"s\": \"QUEUED\"}", SMS_ACCEPTED },
		{ "/s in OK QUEUED", "", 200, "{\"s\": \"OK QUEUED\"}", SMS_PERMANENT },
		{ "/s in OK QUEUED", "", 200, "{\"s\": \"QUEUE\"}", SMS_PERMANENT },
		{ "/s in OK QUEUED", "", 200, "{\"s\": \"\"}", SMS_PERMANENT },
		{ "/s in OK QUEUED", "", 200, "{\"s\": null}", SMS_PERMANENT },
		{ "/s in OK QUEUED", "", 200, "{}", SMS_AMBIGUOUS },
		{ "/s = 0", "/s in 1 8", 200, "{\"s\": 8}", SMS_RETRYABLE },
		{ "/s = 0", "/s in 1 8", 200, "{\"s\": 18}", SMS_PERMANENT },
		/* " in " and " | " of a value stay what they were */
		{ "/s = 1 in 2", "", 200, "{\"s\": \"1 in 2\"}", SMS_ACCEPTED },
		{ "/s ends 1 in 2", "", 200, "{\"s\": \"of 1 in 2\"}", SMS_ACCEPTED },
		{ "/a in b = x", "", 200, "{\"a in b\": \"x\"}", SMS_ACCEPTED },
		{ "/s = 1 | 2", "", 200, "{\"s\": \"1 | 2\"}", SMS_ACCEPTED },
		/* nobody knows, says the body */
		{ "/s = 0", "/s = 1", 200, "{\"s\": 2, \"unclear\": 5}", SMS_AMBIGUOUS },
		{ "/s = 0", "/s = 1", 400, "{\"unclear\": \"E_INTERNAL\"}", SMS_AMBIGUOUS },
		{ "/s = 0", "/s = 1", 200, "{\"s\": 2, \"unclear\": 4}", SMS_PERMANENT },
		{ "/s = 0", "/s = 1", 200, "{\"s\": 1, \"unclear\": 5}", SMS_RETRYABLE },
	};
	struct match m;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct gateway_result result;

		make(&m, rows[i].success_match, rows[i].retry_match);
		result = judge(&m, rows[i].status, rows[i].body);
		if (result.outcome != rows[i].outcome)
			fail_msg("%s | %ld %s: %d, not %d", rows[i].success_match, rows[i].status,
				rows[i].body, result.outcome, rows[i].outcome);
		assert_int_equal(result.error[0] != '\0', rows[i].outcome != SMS_ACCEPTED);
	}
}

/* Where every message has an id, an answer without one is not what was agreed. */
static void answer_without_the_agreed_id_is_unclear(void **state)
{
	static const struct {
		const char *success_match;
		long status;
		const char *body;
		enum sms_outcome outcome;
	} rows[] = {
		{ "", 200, "{\"sid\": \"x\"}", SMS_ACCEPTED },
		{ "", 200, "{\"sid\": 7}", SMS_ACCEPTED },
		{ "", 200, "{}", SMS_AMBIGUOUS },
		{ "", 200, "", SMS_AMBIGUOUS },
		{ "", 200, "<html>a portal's page</html>", SMS_AMBIGUOUS },
		{ "", 200, "{\"sid\": \"x\"", SMS_AMBIGUOUS },
		{ "", 429, "{}", SMS_RETRYABLE },
		{ "", 404, "", SMS_PERMANENT },
		/* What the body must say is said: that is enough. */
		{ "/ok = 1", 200, "{\"ok\": 1}", SMS_ACCEPTED },
	};
	struct match m;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make(&m, rows[i].success_match, "");
		strcpy(m.id, "/sid");
		assert_int_equal(judge(&m, rows[i].status, rows[i].body).outcome, rows[i].outcome);
	}
}

static void deep_and_long_bodies_are_no_json(void **state)
{
	char body[4096];
	struct match m;

	(void)state;
	memset(body, '[', sizeof body - 1);
	body[sizeof body - 1] = '\0';
	make(&m, "/a = 1", "");
	assert_int_equal(judge(&m, 200, body).outcome, SMS_AMBIGUOUS);
}

static void provider_id_is_taken_and_cut(void **state)
{
	struct match m;
	char body[512];

	(void)state;
	make(&m, "", "");
	strcpy(m.id, "/sid");
	assert_string_equal(judge(&m, 201, "{\"sid\": \"SM123\"}").provider_id, "SM123");
	assert_string_equal(judge(&m, 201, "{\"sid\": 17}").provider_id, "17");
	assert_string_equal(
		judge(&m, 201, "{\"sid\": \"a\\nb\\u001b[31m\"}").provider_id, "a?b?[31m");
	assert_string_equal(judge(&m, 201, "{}").provider_id, "");
	snprintf(body, sizeof body, "{\"sid\": \"%0300d\"}", 7);
	assert_int_equal(strlen(judge(&m, 201, body).provider_id), 64);
}

static void threat_20_errors_hold_no_number_code_or_text(void **state)
{
	static const struct {
		const char *said, *kept;
	} rows[] = {
		{ "Authenticate", "HTTP 400: Authenticate" },
		{ "error 21211", "HTTP 400: error 21211" },
		{ "The 'To' number +12025550134 is not valid",
			"HTTP 400: The 'To' number +# is not valid" },
		{ "to 1 (202) 555-0134.", "HTTP 400: to #." },
		{ "code 483920!", "HTTP 400: code #!" },
		{ "says 4. 8. 3. 9. 2. 0. and so on", "HTTP 400: says #. and so on" },
		{ "body: 483920 is your login code for web1.",
			"HTTP 400: the provider's error repeats the message" },
		{ "x is your login code", "HTTP 400: the provider's error repeats the message" },
	};
	struct match m;

	(void)state;
	make(&m, "", "");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char body[256];

		snprintf(body, sizeof body, "{\"message\": \"%s\"}", rows[i].said);
		assert_string_equal(judge(&m, 400, body).error, rows[i].kept);
	}
	/* Without a pointer, or with something else there, the status is all. */
	assert_string_equal(judge(&m, 400, "secret 483920").error, "HTTP 400");
	m.error[0] = '\0';
	assert_string_equal(judge(&m, 400, "{\"message\": \"x\"}").error, "HTTP 400");
}

static void redact_never_writes_beyond(void **state)
{
	struct mag_secret none = { 0 };
	char dst[8];

	(void)state;
	match_redact(dst, sizeof dst, "123 45 abcdefgh", &none);
	assert_string_equal(dst, "123 45 ");
	match_redact(dst, sizeof dst, "1234567890123", &none);
	assert_string_equal(dst, "#");
	match_redact(dst, 1, "abc", &none);
	assert_string_equal(dst, "");
}

static void rules_that_mean_nothing_are_refused(void **state)
{
	static const char *const bad[] = { "status = 0", "/status=0", "/status", "prefix",
		"/a~2 = 1", "ok", "/status in ", "/a~2 in 1", "a in 1" };
	struct match_rule rule;
	int statuses[MATCH_STATUSES_MAX];
	char err[MATCH_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err[0] = '\0';
		assert_int_equal(match_rule_read(bad[i], &rule, err), MAG_ESYNTAX);
		assert_true(err[0]);
	}
	assert_int_equal(match_statuses("99", statuses, err), MAG_ESYNTAX);
	assert_int_equal(match_statuses("200 6xx", statuses, err), MAG_ESYNTAX);
	assert_int_equal(match_pointer_check("sid", err), MAG_ESYNTAX);
	assert_int_equal(match_pointer_check("/a~", err), MAG_ESYNTAX);
	assert_int_equal(match_pointer_check("/a~0~1/0", err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_outcomes),
		cmocka_unit_test(answer_without_the_agreed_id_is_unclear),
		cmocka_unit_test(deep_and_long_bodies_are_no_json),
		cmocka_unit_test(provider_id_is_taken_and_cut),
		cmocka_unit_test(threat_20_errors_hold_no_number_code_or_text),
		cmocka_unit_test(redact_never_writes_beyond),
		cmocka_unit_test(rules_that_mean_nothing_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
