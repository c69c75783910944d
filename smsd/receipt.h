/* What a receipt is: a request to a path that nobody can guess, with a status word of
 * the provider's. Pure: no socket, no clock. */
#ifndef SMSD_RECEIPT_H
#define SMSD_RECEIPT_H

#include "smsd/gateway.h"

#define RECEIPT_KEY_LEN 32

/* How a provider writes what became of a message. */
struct receipt_rule {
	char status[128];    /* JSON pointers; /name also finds the parameter `name` */
	char delivered[256]; /* words of the provider's that mean: on the phone */
	char failed[256];    /* and: never. "busy", or "busy=WORD" with a word of ours */
};

/* 0, MAG_ESYNTAX with err. */
#define RECEIPT_ERROR_MAX 128
int receipt_rule_check(const struct receipt_rule *rule, char err[RECEIPT_ERROR_MAX]);

/* `value` gives the text at a pointer, NULL if there is none. Fills delivery and word;
 * what fails outweighs what does not, and what is unknown is still under way. */
void receipt_judge(const struct receipt_rule *rule,
	const char *(*value)(void *arg, const char *pointer), void *arg,
	struct gateway_result *result_r);

/* `value` for a request: arg is a struct wire_receipt_req. */
const char *receipt_param(void *arg, const char *pointer);

/* Append BASE/GATEWAY/ID/MAC to url_r. */
int receipt_url_make(const unsigned char key[RECEIPT_KEY_LEN], const char *base,
	const char *gateway, const char *id, struct mag_secret *url_r);

struct receipt_path {
	char gateway[33], id[41];
	const char *tail; /* "/GATEWAY/ID/MAC?QUERY", borrowed */
};
/* Whatever stands before the last three parts of the path is a proxy's matter.
 * 0; MAG_EPERM: not made by receipt_url_make with this key. */
int receipt_path_read(
	const unsigned char key[RECEIPT_KEY_LEN], const char *path, struct receipt_path *path_r);

/* X-Twilio-Signature: base64 of HMAC-SHA1, keyed by the account's token, over the URL
 * and, sorted by name, each parameter of the form. 0; MAG_EPERM. */
int receipt_check_twilio(
	const struct mag_secret *token, const char *url, const struct wire_receipt_req *q);

#endif
