/* What an HTTP answer means: which of the four outcomes. */
#ifndef SMSD_MATCH_H
#define SMSD_MATCH_H

#include "smsd/gateway.h"

#define MATCH_STATUSES_MAX 16
#define MATCH_ERROR_MAX    128

/* "/status = 0": the JSON value at the pointer (RFC 6901) is; "/status in 1 5": is one
 * of these words; "/type ends TEXT": it ends so; "prefix TEXT": the body begins with;
 * "": there is no rule. */
struct match_rule {
	enum { RULE_NONE, RULE_POINTER, RULE_IN, RULE_ENDS, RULE_PREFIX } kind;
	char pointer[128], value[128];
};

struct match {
	int success[MATCH_STATUSES_MAX], retry[MATCH_STATUSES_MAX]; /* ended by 0 */
	struct match_rule success_match, retry_match, unclear_match;
	char id[128], error[128]; /* pointers; "" none */
};

/* "200 201" into statuses. 0, MAG_ESYNTAX with err. */
int match_statuses(const char *words, int statuses[MATCH_STATUSES_MAX], char err[MATCH_ERROR_MAX]);
int match_rule_read(const char *text, struct match_rule *rule_r, char err[MATCH_ERROR_MAX]);
int match_pointer_check(const char *pointer, char err[MATCH_ERROR_MAX]);

/* Judge status and body; fill the result. `m` and `text`: what the answer may
 * repeat and must not get into an error. */
struct match_answer {
	long status;
	const char *body;
	size_t len;
	const struct sms_message *message;
	const struct mag_secret *text;
};
void match_judge(
	const struct match *m, const struct match_answer *a, struct gateway_result *result_r);

/* Copy an error of a provider so that it holds no number, code or text: groups of
 * six and more digits become "#", an error that repeats the text is left out. */
void match_redact(char *dst, size_t cap, const char *error, const struct mag_secret *text);

#endif
