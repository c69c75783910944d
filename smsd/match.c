/* Judging answers: the status first, then what the body must say. */
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/match.h"

#define JSON_DEPTH 32
/* A piece of the text so long cannot be there by chance. */
#define ECHO_LENGTH 16
#define DIGITS_MANY 6

/* ---- reading the settings ---- */

int match_statuses(const char *words, int statuses[MATCH_STATUSES_MAX], char err[MATCH_ERROR_MAX])
{
	char copy[128], *save = NULL;
	size_t n = 0;

	memset(statuses, 0, MATCH_STATUSES_MAX * sizeof *statuses);
	snprintf(copy, sizeof copy, "%s", words);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		int64_t status;

		if (mag_int_parse(w, 100, 599, &status) < 0 || n == MATCH_STATUSES_MAX - 1) {
			snprintf(err, MATCH_ERROR_MAX, "\"%.20s\" is no HTTP status", w);
			return MAG_ESYNTAX;
		}
		statuses[n++] = (int)status;
	}
	return 0;
}

int match_pointer_check(const char *pointer, char err[MATCH_ERROR_MAX])
{
	bool right = !*pointer || *pointer == '/';

	for (const char *p = pointer; right && (p = strchr(p, '~')); p++)
		right = p[1] == '0' || p[1] == '1';
	if (right)
		return 0;
	snprintf(err, MATCH_ERROR_MAX, "\"%.60s\" is no JSON pointer; they look like /data/id",
		pointer);
	return MAG_ESYNTAX;
}

/* Signs between pointer and value; of two that stand in a text, the first of this
 * table counts: what was written before there was " in " means what it meant. */
static const struct {
	const char *sign;
	int kind;
} signs[] = { { " = ", RULE_POINTER }, { " ends ", RULE_ENDS }, { " in ", RULE_IN } };

static int read_pointer_rule(const char *text, struct match_rule *rule, char err[MATCH_ERROR_MAX])
{
	const char *at = NULL;
	size_t i, len;
	int r;

	for (i = 0; i < sizeof signs / sizeof *signs && !at; i++)
		at = strstr(text, signs[i].sign);
	if (!at || (len = (size_t)(at - text)) >= sizeof rule->pointer)
		return MAG_EINVAL;
	rule->kind = signs[i - 1].kind;
	memcpy(rule->pointer, text, len);
	if ((r = match_pointer_check(rule->pointer, err)) < 0)
		return r;
	at += strlen(signs[i - 1].sign);
	if (rule->kind == RULE_IN && !at[strspn(at, " ")])
		return MAG_EINVAL;
	return mag_copy(rule->value, sizeof rule->value, at) < 0 ? MAG_EINVAL : 0;
}

int match_rule_read(const char *text, struct match_rule *rule_r, char err[MATCH_ERROR_MAX])
{
	struct match_rule rule = { 0 };
	int r = *text ? MAG_EINVAL : 0;

	if (mag_has_prefix(text, "prefix ")) {
		rule.kind = RULE_PREFIX;
		r = mag_copy(rule.value, sizeof rule.value, text + 7) < 0 ? MAG_EINVAL : 0;
	} else if (*text == '/') {
		r = read_pointer_rule(text, &rule, err);
	}
	if (r == MAG_EINVAL) {
		snprintf(err, MATCH_ERROR_MAX,
			"\"%.30s\" is none of \"/pointer = value\", \"/pointer in A B\", "
			"\"/pointer ends TEXT\", \"prefix TEXT\"",
			text);
		return MAG_ESYNTAX;
	}
	if (r < 0)
		return r;
	*rule_r = rule;
	return 0;
}

/* ---- looking at the body ---- */

static struct json_object *parse(const char *body, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *root = NULL;

	if (!tokener)
		return NULL;
	root = json_tokener_parse_ex(tokener, body, (int)len);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	return root;
}

/* The text of a value; NULL for null and for what is not there. Borrowed. */
static const char *text_at(struct json_object *root, const char *pointer, bool *found_r)
{
	struct json_object *value = NULL;

	*found_r = *pointer && json_pointer_get(root, pointer, &value) == 0;
	return *found_r && value ? json_object_get_string(value) : NULL;
}

/* Is the text one of the words between blanks? */
static bool is_word_of(const char *words, const char *text)
{
	size_t len, wanted = strlen(text);

	for (words += strspn(words, " "); *words; words += len, words += strspn(words, " ")) {
		len = strcspn(words, " ");
		if (len == wanted && memcmp(words, text, len) == 0)
			return true;
	}
	return false;
}

enum holds { HOLDS, HOLDS_NOT, CANNOT_SAY };

static enum holds rule_holds(
	const struct match_rule *rule, const struct match_answer *a, struct json_object *root)
{
	size_t len = strlen(rule->value);
	const char *text;
	bool found;

	if (rule->kind == RULE_PREFIX)
		return a->len >= len && memcmp(a->body, rule->value, len) == 0 ? HOLDS : HOLDS_NOT;
	if (!root)
		return CANNOT_SAY;
	text = text_at(root, rule->pointer, &found);
	if (rule->kind == RULE_ENDS)
		return text && strlen(text) >= len &&
				       strcmp(text + strlen(text) - len, rule->value) == 0
			       ? HOLDS
			       : HOLDS_NOT;
	/* What is left out is null: APIs differ, and mean the same. */
	if (rule->kind == RULE_POINTER && strcmp(rule->value, "null") == 0)
		return text ? HOLDS_NOT : HOLDS;
	if (!found)
		return CANNOT_SAY;
	if (rule->kind == RULE_IN)
		return text && is_word_of(rule->value, text) ? HOLDS : HOLDS_NOT;
	return text && strcmp(text, rule->value) == 0 ? HOLDS : HOLDS_NOT;
}

static bool is_in(const int *statuses, long status)
{
	for (; *statuses; statuses++)
		if (*statuses == status)
			return true;
	return false;
}

/* A provider that gives every message an id, and gave none: is it the provider? */
static bool has_id(const struct match *m, struct json_object *root)
{
	bool found = !m->id[0];

	if (!found && root)
		text_at(root, m->id, &found);
	return found;
}

static enum sms_outcome judge(
	const struct match *m, const struct match_answer *a, struct json_object *root)
{
	static const enum sms_outcome by_rule[] = {
		[HOLDS] = SMS_ACCEPTED,
		[HOLDS_NOT] = SMS_PERMANENT,
		/* Taken, says the status; the body is not what it should be. */
		[CANNOT_SAY] = SMS_AMBIGUOUS,
	};

	if (is_in(m->retry, a->status))
		return SMS_RETRYABLE;
	if (m->retry_match.kind && rule_holds(&m->retry_match, a, root) == HOLDS)
		return SMS_RETRYABLE;
	if (m->unclear_match.kind && rule_holds(&m->unclear_match, a, root) == HOLDS)
		return SMS_AMBIGUOUS;
	if (is_in(m->success, a->status))
		return m->success_match.kind ? by_rule[rule_holds(&m->success_match, a, root)]
		       : has_id(m, root)     ? SMS_ACCEPTED
					     : SMS_AMBIGUOUS;
	/* Redirects are not followed, other 2xx are not what was agreed. */
	if (a->status >= 300 && a->status < 500)
		return SMS_PERMANENT;
	return SMS_AMBIGUOUS;
}

/* ---- errors without secrets ---- */

static bool repeats(const char *error, const struct mag_secret *text)
{
	const char *t = mag_secret_text(text);

	for (size_t i = 0; i + ECHO_LENGTH <= text->len; i++) {
		char piece[ECHO_LENGTH + 1];
		bool there;

		memcpy(piece, t + i, ECHO_LENGTH);
		piece[ECHO_LENGTH] = '\0';
		there = strstr(error, piece) != NULL;
		mag_wipe(piece, sizeof piece);
		if (there)
			return true;
	}
	return false;
}

/* How long is the group of digits at s, with the blanks, dots, dashes and
 * brackets between them (numbers are written so, and spoken codes)? */
static size_t digit_group(const char *s, size_t *digits_r)
{
	size_t end = 0;

	*digits_r = 0;
	for (size_t i = 0; s[i] && strchr("0123456789 .-()/", s[i]); i++) {
		if (!isdigit((unsigned char)s[i]))
			continue;
		++*digits_r;
		end = i + 1;
	}
	return end;
}

void match_redact(char *dst, size_t cap, const char *error, const struct mag_secret *text)
{
	size_t n = 0, digits;

	if (repeats(error, text))
		error = "the provider's error repeats the message";
	while (*error && n + 1 < cap) {
		size_t len = isdigit((unsigned char)*error) ? digit_group(error, &digits) : 0;

		if (len && digits >= DIGITS_MANY) {
			dst[n++] = '#';
			error += len;
			continue;
		}
		/* The group was short: all of it, or its tail would be looked at anew. */
		for (len = len ? len : 1; len && n + 1 < cap; len--)
			dst[n++] = *error++;
	}
	dst[n] = '\0';
}

static void explain(const struct match *m, const struct match_answer *a, struct json_object *root,
	char *error_r)
{
	char redacted[SMS_ERROR_MAX] = "", line[SMS_ERROR_MAX + 32];
	bool found;
	const char *text = root ? text_at(root, m->error, &found) : NULL;

	if (text)
		match_redact(redacted, sizeof redacted, text, a->text);
	else if (is_in(m->success, a->status))
		snprintf(redacted, sizeof redacted, "%s", "not an answer as agreed");
	snprintf(line, sizeof line, "HTTP %ld%s%s", a->status, *redacted ? ": " : "", redacted);
	mag_clean(error_r, SMS_ERROR_MAX, line);
}

/* Does anything ask for a value of the body? */
static bool is_json_wanted(const struct match *m)
{
	return m->id[0] || m->error[0] ||
	       (m->success_match.kind | m->retry_match.kind | m->unclear_match.kind) != RULE_NONE;
}

void match_judge(
	const struct match *m, const struct match_answer *a, struct gateway_result *result_r)
{
	struct json_object *root = is_json_wanted(m) ? parse(a->body, a->len) : NULL;
	struct gateway_result result = { .outcome = judge(m, a, root) };
	bool found;

	if (result.outcome == SMS_ACCEPTED && root) {
		const char *id = text_at(root, m->id, &found);

		mag_clean(result.provider_id, sizeof result.provider_id, id ? id : "");
	}
	if (result.outcome != SMS_ACCEPTED)
		explain(m, a, root, result.error);
	json_object_put(root);
	*result_r = result;
}
