/* What strangers send to the listener for receipts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "smsd/gateway/http_settings.h"
#include "smsd/receipt.h"
#include "smsd/receipt_form.h"
#include "tests/fuzz/fuzz.h"

static const unsigned char key[RECEIPT_KEY_LEN] = "0123456789abcdef0123456789abcde";

/* Nothing but what the key made is taken. */
static void check_path(const char *path)
{
	struct receipt_path found;
	struct mag_secret made = { 0 };
	size_t len = strcspn(path, "?");

	if (receipt_path_read(key, path, &found) < 0)
		return;
	FUZZ_CHECK(receipt_url_make(key, "", found.gateway, found.id, &made) == 0);
	FUZZ_CHECK(made.len <= len && memcmp(path + len - made.len, made.data, made.len) == 0);
	FUZZ_CHECK(found.tail == path + len - made.len);
	mag_secret_free(&made);
}

static void check_params(struct wire_receipt_req *q)
{
	static const char *const words[] = { "", "busy", "rejected", "undelivered" };
	static const struct receipt_rule rule = { "/status /a/0/b", "delivered 1",
		"busy failed=rejected 2" };
	const struct mag_secret token = { .data = (unsigned char *)"token", .len = 5 };
	struct gateway_result result = { 0 };
	bool known = false;

	FUZZ_CHECK(q->n_params <= sizeof q->params / sizeof *q->params);
	for (size_t i = 0; i < q->n_params; i++) {
		FUZZ_CHECK(memchr(q->params[i].name, 0, sizeof q->params[i].name) != NULL);
		FUZZ_CHECK(memchr(q->params[i].value, 0, sizeof q->params[i].value) != NULL);
	}
	receipt_judge(&rule, receipt_param, q, &result);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		known |= strcmp(words[i], result.word) == 0;
	FUZZ_CHECK(known && (result.delivery == SMS_FAILED) == (*result.word != '\0'));
	q->n_form = (uint32_t)q->n_params;
	strcpy(q->signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
	FUZZ_CHECK(receipt_check_twilio(&token, "https://example.org/", q) == MAG_EPERM);
}

void fuzz_receipt(const uint8_t *data, size_t len)
{
	struct wire_receipt_req *q = calloc(1, sizeof *q);
	char *text = malloc(len + 1);

	if (q && text && len > 0) {
		memcpy(text, data + 1, len - 1);
		text[len - 1] = '\0';
		if (data[0] % 3 == 0)
			check_path(text);
		else if (data[0] % 3 == 1)
			(void)receipt_form_add(q, text);
		else
			(void)receipt_json_add(q, text, len - 1);
		check_params(q);
	}
	free(text);
	free(q);
}

size_t seed_receipt(struct dice *d, uint8_t *out)
{
	static const char *const forms[] = { "MessageSid=SM1&MessageStatus=delivered&status=busy",
		"status=%31&a=b+c&&x=", "a", "=", "status=2&status=1",
		"%00=%ff&status=%64elivered" };
	static const char *const documents[] = { "{\"a\":[{\"b\":\"failed\"}],\"status\":1}",
		"{\"a~/b\":{\"\":[null,true,1e9]}}", "[[[[[[[[[[", "\"x\"",
		"{\"status\":\"\\u0000\"}" };
	struct mag_secret path = { 0 };
	const char *text = forms[dice_below(d, 6)];
	size_t len;

	out[0] = (uint8_t)dice_below(d, 3);
	if (out[0] == 0) {
		receipt_url_make(key, "/hook", "twilio-sms", "m0123456789abcdef", &path);
		mag_secret_append(&path, "?a=b", dice_below(d, 5));
		text = mag_secret_text(&path);
	} else if (out[0] == 2) {
		text = documents[dice_below(d, 5)];
	}
	len = strlen(text);
	memcpy(out + 1, text, len);
	mag_secret_free(&path);
	return 1 + len;
}

/* ---- what a provider says when it is asked: a byte for the status, then the body ---- */

void fuzz_receipt_poll(const uint8_t *data, size_t len)
{
	static struct http_settings s = { .poll = { "/status /a/0/b /~1", "delivered 1 true",
						  "busy failed=rejected 2" } };
	struct gateway_result result = { 0 };
	struct match_answer a = { .status = 200 };

	if (len == 0)
		return;
	a.status = data[0] & 1 ? 404 : 200;
	a.body = (const char *)data + 1;
	a.len = len - 1;
	http_poll_judge(&s, &a, &result);
	/* The message itself was accepted long ago. */
	FUZZ_CHECK(result.outcome == SMS_ACCEPTED);
	FUZZ_CHECK((result.delivery == SMS_FAILED) == (*result.word != '\0'));
	FUZZ_CHECK(a.status == 200 || result.delivery == SMS_NOTHING);
}

size_t seed_receipt_poll(struct dice *d, uint8_t *out)
{
	static const char *const documents[] = { "{\"status\":\"delivered\"}",
		"{\"a\":[{\"b\":\"failed\"}],\"status\":1}", "{\"status\":[2],\"/\":true}",
		"{\"status\":2,\"x\":1e999}", "[[[[[[[[", "\"busy\"",
		"{\"status\":\"busy\\u0000\"}" };

	out[0] = (uint8_t)(dice_below(d, 6) == 0);
	return 1 + fuzz_choose(d, documents, 7, out + 1);
}
