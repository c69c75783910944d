/* Taking apart what came with a request. */
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/receipt_form.h"

#define JSON_DEPTH 8

static int add(struct wire_receipt_req *q, const char *name, const char *value)
{
	struct wire_receipt_param *p = &q->params[q->n_params];

	if (q->n_params == sizeof q->params / sizeof *q->params ||
		mag_copy(p->name, sizeof p->name, name) < 0 ||
		mag_copy(p->value, sizeof p->value, value) < 0)
		return MAG_ENOSPACE;
	q->n_params++;
	return 0;
}

int receipt_form_add(struct wire_receipt_req *q, const char *text)
{
	struct evkeyvalq pairs = { 0 };
	struct evkeyval *pair;
	int r = *text && evhttp_parse_query_str(text, &pairs) < 0 ? MAG_EPROTO : 0;

	if (r < 0 || !*text)
		return r;
	TAILQ_FOREACH(pair, &pairs, next)
	{
		if (r == 0)
			r = add(q, pair->key, pair->value);
	}
	evhttp_clear_headers(&pairs);
	return r;
}

/* "/" and one part of a pointer, RFC 6901 §3; false: too long. */
static bool extend(char *pointer, size_t cap, const char *part)
{
	size_t n = strlen(pointer);

	if (n + 2 >= cap)
		return false;
	pointer[n++] = '/';
	for (; *part && n + 3 < cap; part++) {
		if (*part == '~' || *part == '/') {
			pointer[n++] = '~';
			pointer[n++] = *part == '~' ? '0' : '1';
		} else {
			pointer[n++] = *part;
		}
	}
	pointer[n] = '\0';
	return *part == '\0';
}

static void walk(struct wire_receipt_req *q, struct json_object *value, const char *pointer)
{
	char inner[sizeof q->params->name], index[24];

	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, member)
		{
			snprintf(inner, sizeof inner, "%s", pointer);
			if (extend(inner, sizeof inner, key))
				walk(q, member, inner);
		}
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			snprintf(inner, sizeof inner, "%s", pointer);
			snprintf(index, sizeof index, "%zu", i);
			if (extend(inner, sizeof inner, index))
				walk(q, json_object_array_get_idx(value, i), inner);
		}
	} else if (value) {
		(void)add(q, pointer, json_object_get_string(value));
	}
}

int receipt_json_add(struct wire_receipt_req *q, const char *text, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *root = tokener ? json_tokener_parse_ex(tokener, text, (int)len) : NULL;
	int r = MAG_EPROTO;

	if (root && json_tokener_get_error(tokener) == json_tokener_success) {
		walk(q, root, "");
		r = 0;
	}
	json_object_put(root);
	if (tokener)
		json_tokener_free(tokener);
	return r;
}
