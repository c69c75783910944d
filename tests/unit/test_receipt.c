/* Paths, signatures, status words, and what comes with a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/receipt.h"
#include "smsd/receipt_form.h"

static const unsigned char key[RECEIPT_KEY_LEN] = "a key of thirty-two bytes, right";
static const unsigned char other_key[RECEIPT_KEY_LEN] = "a key of thirty-two bytes, wrong";

static struct wire_receipt_req *request(const char *form)
{
	struct wire_receipt_req *q = calloc(1, sizeof *q);

	assert_non_null(q);
	assert_int_equal(receipt_form_add(q, form), 0);
	q->n_form = (uint32_t)q->n_params;
	return q;
}

/* ---- paths ---- */

static void path_is_read_back_and_its_tail_is_what_was_made(void **state)
{
	struct mag_secret url = { 0 };
	struct receipt_path p;
	const char *path;

	(void)state;
	assert_int_equal(receipt_url_make(key, "https://sms.example.org/magotp", "twilio-sms",
				 "m-1_Z", &url),
		0);
	path = strstr(mag_secret_text(&url), "/magotp");
	assert_int_equal(receipt_path_read(key, path, &p), 0);
	assert_string_equal(p.gateway, "twilio-sms");
	assert_string_equal(p.id, "m-1_Z");
	assert_string_equal(p.tail, path + strlen("/magotp"));
	/* A proxy that takes its own part away, a query behind it. */
	assert_int_equal(mag_secret_append(&url, "?status=1/2/3", 13), 0);
	path = strstr(mag_secret_text(&url), "/twilio");
	assert_int_equal(receipt_path_read(key, path, &p), 0);
	assert_string_equal(p.tail, path);
	mag_secret_free(&url);
}

static void threat_24_no_other_path_is_taken(void **state)
{
	struct mag_secret url = { 0 };
	struct receipt_path p;
	char path[256];
	size_t len;

	(void)state;
	assert_int_equal(receipt_url_make(key, "", "kannel", "m1", &url), 0);
	len = url.len;
	assert_int_equal(receipt_path_read(other_key, mag_secret_text(&url), &p), MAG_EPERM);
	for (size_t i = 0; i < len; i++) {
		memcpy(path, mag_secret_text(&url), len + 1);
		path[i] ^= 1;
		assert_int_equal(receipt_path_read(key, path, &p), MAG_EPERM);
		memcpy(path, mag_secret_text(&url), len + 1);
		path[i] = '\0'; /* cut */
		assert_int_equal(receipt_path_read(key, path, &p), MAG_EPERM);
	}
	assert_int_equal(receipt_path_read(key, "", &p), MAG_EPERM);
	assert_int_equal(receipt_path_read(key, "////", &p), MAG_EPERM);
	mag_secret_free(&url);
}

/* ---- signatures ---- */

/* The vector that Twilio's own libraries are tested with. */
#define TWILIO_URL "https://mycompany.com/myapp.php?foo=1&bar=2"
#define TWILIO_FORM                                                                                \
	"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&"             \
	"Caller=%2B14158675309"

static void threat_24_signature_of_twilio(void **state)
{
	struct wire_receipt_req *q = request(TWILIO_FORM);
	struct mag_secret token = { 0 };

	(void)state;
	assert_int_equal(mag_secret_set_text(&token, "12345"), 0);
	strcpy(q->signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
	assert_int_equal(receipt_check_twilio(&token, TWILIO_URL, q), 0);
	assert_int_equal(receipt_check_twilio(&token, TWILIO_URL "3", q), MAG_EPERM);
	/* What stands in the query is not of the form: it is signed with the URL. */
	assert_int_equal(receipt_form_add(q, "foo=1"), 0);
	assert_int_equal(receipt_check_twilio(&token, TWILIO_URL, q), 0);
	q->params[1].value[0] = '2';
	assert_int_equal(receipt_check_twilio(&token, TWILIO_URL, q), MAG_EPERM);
	q->params[1].value[0] = '1';
	q->signature[3] ^= 1;
	assert_int_equal(receipt_check_twilio(&token, TWILIO_URL, q), MAG_EPERM);
	q->signature[0] = '\0';
	assert_int_equal(receipt_check_twilio(&token, TWILIO_URL, q), MAG_EPERM);
	strcpy(q->signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
	mag_secret_free(&token); /* without a secret nothing is right */
	assert_int_equal(receipt_check_twilio(&token, TWILIO_URL, q), MAG_EPERM);
	free(q);
}

/* ---- words ---- */

static void words_are_judged(void **state)
{
	static const struct receipt_rule rule = { "/CallStatus /AnsweredBy", "completed delivered",
		"busy no-answer failed canceled=rejected fax=voicemail" };
	static const struct {
		const char *form;
		enum sms_delivery delivery;
		const char *word;
	} rows[] = {
		{ "CallStatus=completed", SMS_DELIVERED, "" },
		{ "CallStatus=Completed&AnsweredBy=human", SMS_DELIVERED, "" },
		{ "CallStatus=completed&AnsweredBy=fax", SMS_FAILED, "voicemail" },
		{ "CallStatus=busy", SMS_FAILED, "busy" },
		{ "CallStatus=failed", SMS_FAILED, "undelivered" },
		{ "CallStatus=canceled", SMS_FAILED, "rejected" },
		{ "CallStatus=ringing", SMS_NOTHING, "" },
		{ "CallStatus=complete", SMS_NOTHING, "" },
		{ "CallStatus=", SMS_NOTHING, "" },
		{ "Other=completed", SMS_NOTHING, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct wire_receipt_req *q = request(rows[i].form);
		struct gateway_result result = { 0 };

		receipt_judge(&rule, receipt_param, q, &result);
		assert_int_equal(result.delivery, rows[i].delivery);
		assert_string_equal(result.word, rows[i].word);
		free(q);
	}
}

static void rules_with_a_fault_are_refused(void **state)
{
	static const struct receipt_rule good = { "/a /b/0", "ok", "no bad=busy" },
					 wrong[] = { { "", "ok", "" }, { "/a", "", "no" },
						 { "a", "ok", "" }, { "/a b", "ok", "" },
						 { "/a~2", "ok", "" }, { "/a", "ok", "no=dead" } };
	char err[RECEIPT_ERROR_MAX];

	(void)state;
	assert_int_equal(receipt_rule_check(&good, err), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(receipt_rule_check(&wrong[i], err), MAG_ESYNTAX);
}

/* ---- what comes along ---- */

static void forms_are_decoded_and_bounded(void **state)
{
	struct wire_receipt_req *q = request("a=b+c%2B%26&empty=&a=2");
	char text[1024];

	(void)state;
	assert_int_equal(q->n_params, 3);
	assert_string_equal(receipt_param(q, "/a"), "b c+&");
	assert_string_equal(receipt_param(q, "/empty"), "");
	assert_null(receipt_param(q, "/b"));
	assert_int_equal(receipt_form_add(q, "novalue"), MAG_EPROTO);
	for (int i = 0; i < 93; i++)
		assert_int_equal(receipt_form_add(q, "x=y"), 0);
	assert_int_equal(receipt_form_add(q, "x=y"), MAG_ENOSPACE);
	q->n_params = 0;
	snprintf(text, sizeof text, "long=%0600d", 0);
	assert_int_equal(receipt_form_add(q, text), MAG_ENOSPACE);
	free(q);
}

static void json_is_flattened_by_pointers(void **state)
{
	static const char text[] = "{\"a/b~\": {\"c\": [1, \"two\", null, {\"d\": true}]}, "
				   "\"status\": \"x\"}";
	struct wire_receipt_req *q = calloc(1, sizeof *q);

	(void)state;
	assert_int_equal(receipt_json_add(q, text, sizeof text - 1), 0);
	assert_string_equal(receipt_param(q, "/a~1b~0/c/0"), "1");
	assert_string_equal(receipt_param(q, "/a~1b~0/c/1"), "two");
	assert_string_equal(receipt_param(q, "/a~1b~0/c/3/d"), "true");
	assert_string_equal(receipt_param(q, "/status"), "x");
	assert_int_equal(q->n_params, 4);
	assert_int_equal(receipt_json_add(q, "{", 1), MAG_EPROTO);
	assert_int_equal(receipt_json_add(q, "", 0), MAG_EPROTO);
	assert_int_equal(receipt_json_add(q, "[[[[[[[[[[[[]]]]]]]]]]]]", 24), MAG_EPROTO);
	free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_is_read_back_and_its_tail_is_what_was_made),
		cmocka_unit_test(threat_24_no_other_path_is_taken),
		cmocka_unit_test(threat_24_signature_of_twilio),
		cmocka_unit_test(words_are_judged),
		cmocka_unit_test(rules_with_a_fault_are_refused),
		cmocka_unit_test(forms_are_decoded_and_bounded),
		cmocka_unit_test(json_is_flattened_by_pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
