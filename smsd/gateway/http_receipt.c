/* What providers say of messages afterwards: by calling us, or when they are asked. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "smsd/gateway/http_settings.h"

#define JSON_DEPTH 32

static int fault(const struct gateway *g, const char *key, const char *what, char *err)
{
	snprintf(err, OPT_ERROR_MAX, "[gateway %s] %s: %s", g->name, key, what);
	return MAG_ESYNTAX;
}

/* The name becomes part of a path. */
static bool is_plain(const char *name)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return name[strspn(name, safe)] == '\0';
}

static int compile_poll(const struct gateway *g, struct http_settings *s, char *err)
{
	const char *query = strchr(s->poll_url, '?');
	size_t path_len = query ? (size_t)(query - s->poll_url) : strlen(s->poll_url);
	char words[PH_ERROR_MAX] = "out of memory";
	const char *rest = strstr(s->url, "://") + 3;
	size_t origin = (size_t)(rest + strcspn(rest, "/?") - s->url);

	/* The same password goes there, by the same way. */
	if (strncmp(s->poll_url, s->url, origin) != 0 || !strchr("/?", s->poll_url[origin]))
		return fault(g, "poll_url", "must lead to the host of url", err);
	if (!strstr(s->poll_url, "{provider_id}") || !*s->match.id)
		return fault(g, "poll_url", "needs {provider_id}, and id says what that is", err);
	if (ph_new(&s->poll_template) < 0 ||
		ph_add(s->poll_template, s->poll_url, path_len, ENC_PATH, PH_RAW, &s->vars, words) <
			0 ||
		(query && ph_add(s->poll_template, query, strlen(query), ENC_QUERY, PH_RAW,
				  &s->vars, words) < 0))
		return fault(g, "poll_url", words, err);
	return 0;
}

int http_receipt_prepare(const struct gateway *g, struct http_settings *s, char err[OPT_ERROR_MAX])
{
	char words[RECEIPT_ERROR_MAX];

	if (!*s->poll.status)
		memcpy(s->poll.status, s->receipt.status, sizeof s->poll.status);
	memcpy(s->poll.delivered, s->receipt.delivered, sizeof s->poll.delivered);
	memcpy(s->poll.failed, s->receipt.failed, sizeof s->poll.failed);
	if (!g->receipts)
		return 0;
	if (receipt_rule_check(g->receipts == RECEIPTS_POLL ? &s->poll : &s->receipt, words) < 0)
		return fault(g, "receipts", words, err);
	if (g->receipts == RECEIPTS_POLL)
		return compile_poll(g, s, err);
	if (!is_plain(g->name))
		return fault(g, "receipts",
			"for callbacks a gateway's name is made of letters, digits, - _ .", err);
	if (s->receipt_signature && !s->receipt_secret.len && !s->password.len)
		return fault(g, "receipt_secret", "is missing", err);
	return 0;
}

int http_receipt(const struct gateway *g, struct wire_receipt_req *q, const char *url,
	struct gateway_result *result_r)
{
	const struct http_settings *s = g->driver;
	const struct mag_secret *secret = s->receipt_secret.len ? &s->receipt_secret : &s->password;

	if (s->receipt_signature == SIGNED_TWILIO && receipt_check_twilio(secret, url, q) < 0)
		return MAG_EPERM;
	receipt_judge(&s->receipt, receipt_param, q, result_r);
	return 0;
}

/* ---- polling ---- */

static const char *json_value(void *arg, const char *pointer)
{
	struct json_object *value = NULL;

	return json_pointer_get(arg, pointer, &value) == 0 && value ? json_object_get_string(value)
								    : NULL;
}

void http_poll_judge(const struct http_settings *s, const struct match_answer *answer,
	struct gateway_result *result_r)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *root = NULL;

	result_r->outcome = SMS_ACCEPTED; /* of the question */
	result_r->delivery = SMS_NOTHING;
	if (tokener && answer->status == 200)
		root = json_tokener_parse_ex(tokener, answer->body, (int)answer->len);
	if (root)
		receipt_judge(&s->poll, json_value, root, result_r);
	json_object_put(root);
	if (tokener)
		json_tokener_free(tokener);
}
