/* Each field is first set to a mark; the written document is cut at the marks. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/gateway/http_json.h"

#define TOKEN_MAX 128
#define INDEX_MAX 31 /* of an array */

/* How json-c writes the string "\x01N": control characters come from nowhere
 * else, the parser of the settings takes none. */
#define MARK "\"\\u0001"

struct http_json {
	struct json_object *root; /* NULL: no field yet */
	const char *text[HTTP_JSON_FIELDS_MAX];
	size_t n;
};

int http_json_new(struct http_json **json_r)
{
	struct http_json *json = calloc(1, sizeof *json);

	if (!json)
		return MAG_ENOMEM;
	*json_r = json;
	return 0;
}

void http_json_free(struct http_json **json)
{
	if (*json)
		json_object_put((*json)->root);
	free(*json);
	*json = NULL;
}

/* The token after the slash at *p, "~1" and "~0" undone; moves *p behind it. */
static int next_token(const char **p, char token[TOKEN_MAX])
{
	size_t n = 0;
	const char *s = *p;

	if (*s != '/')
		return MAG_ESYNTAX;
	for (s++; *s && *s != '/'; s++) {
		char c = *s;

		if (c == '~') {
			s++;
			if (*s != '0' && *s != '1')
				return MAG_ESYNTAX;
			c = *s == '1' ? '/' : '~';
		}
		if (n == TOKEN_MAX - 1)
			return MAG_ESYNTAX;
		token[n++] = c;
	}
	token[n] = '\0';
	*p = s;
	return 0;
}

static struct json_object *child(struct json_object *parent, const char *token)
{
	int64_t index;

	if (json_object_is_type(parent, json_type_object))
		return json_object_object_get(parent, token);
	if (mag_int_parse(token, 0, INDEX_MAX, &index) < 0)
		return NULL;
	return json_object_array_get_idx(parent, (size_t)index);
}

/* Takes `value` over. */
static int put(struct json_object *parent, const char *token, struct json_object *value)
{
	int64_t index;
	int r = MAG_ESYNTAX;

	if (!value)
		return MAG_ENOMEM;
	if (json_object_is_type(parent, json_type_object))
		r = json_object_object_add(parent, token, value) ? MAG_ENOMEM : 0;
	else if (json_object_is_type(parent, json_type_array) &&
		 mag_int_parse(token, 0, INDEX_MAX, &index) == 0)
		r = json_object_array_put_idx(parent, (size_t)index, value) ? MAG_ENOMEM : 0;
	if (r < 0)
		json_object_put(value);
	return r;
}

/* What the rest of a pointer needs: an array where a number follows. */
static struct json_object *container(const char *rest)
{
	char token[TOKEN_MAX];

	if (next_token(&rest, token) == 0 && mag_all_digits(token))
		return json_object_new_array();
	return json_object_new_object();
}

static int set(struct http_json *json, const char *pointer, struct json_object *leaf)
{
	struct json_object *at;
	char token[TOKEN_MAX];
	int r = MAG_ENOMEM;

	if (!json->root && !(json->root = container(pointer)))
		goto out;
	at = json->root;
	while ((r = next_token(&pointer, token)) == 0 && *pointer) {
		struct json_object *next = child(at, token);

		if (!next) {
			next = container(pointer);
			if ((r = put(at, token, next)) < 0)
				goto out;
		}
		at = next;
	}
	if (r < 0 || child(at, token)) {
		r = MAG_ESYNTAX; /* malformed, or set twice */
		goto out;
	}
	r = put(at, token, leaf);
	leaf = NULL;
out:
	json_object_put(leaf);
	return r;
}

int http_json_add(
	struct http_json *json, const char *pointer, const char *text, char err[PH_ERROR_MAX])
{
	char mark[16], full[TOKEN_MAX];
	int r = MAG_ENOSPACE;

	snprintf(err, PH_ERROR_MAX, "too many fields");
	if (json->n == HTTP_JSON_FIELDS_MAX)
		return r;
	snprintf(mark, sizeof mark, "\x01%zu", json->n);
	snprintf(full, sizeof full, "%s%s", *pointer == '/' ? "" : "/", pointer);
	if (strlen(pointer) + 1 < sizeof full)
		r = set(json, full, json_object_new_string(mark));
	if (r < 0) {
		snprintf(err, PH_ERROR_MAX, "\"%.60s\" is no JSON pointer that fits the others",
			pointer);
		return r;
	}
	json->text[json->n++] = text;
	return 0;
}

/* A field in its place: a string, or a bare number. */
static int add_value(
	struct ph_template *t, const char *text, const struct ph_vars *vars, char err[PH_ERROR_MAX])
{
	const char *quote = ph_is_number(text) ? "" : "\"";
	int r = ph_add_literal(t, quote, strlen(quote));

	if (r == 0)
		r = ph_add(t, text, strlen(text), ENC_JSON, PH_ENCODED, vars, err);
	return r < 0 ? r : ph_add_literal(t, quote, strlen(quote));
}

int http_json_compile(struct http_json *json, struct ph_template *t, const struct ph_vars *vars,
	char err[PH_ERROR_MAX])
{
	const char *document =
		json->root ? json_object_to_json_string_ext(json->root,
				     JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
			   : "{}";
	const char *mark;
	size_t found = 0;
	int r = 0;

	snprintf(err, PH_ERROR_MAX, "out of memory");
	if (!document)
		return MAG_ENOMEM;
	for (; r == 0 && (mark = strstr(document, MARK)); found++) {
		char *end;
		size_t index = strtoul(mark + sizeof MARK - 1, &end, 10);

		if (*end != '"' || index >= json->n)
			return MAG_ESYNTAX;
		r = ph_add_literal(t, document, (size_t)(mark - document));
		if (r == 0)
			r = add_value(t, json->text[index], vars, err);
		document = end + 1;
	}
	if (r == 0 && found != json->n)
		return MAG_ESYNTAX;
	return r < 0 ? r : ph_add_literal(t, document, strlen(document));
}
