/* Texts with placeholders ({to}, {text}, {var.sid} ...), compiled once when the
 * settings are read, so that a mistake is found before the first message.
 *
 * Each placeholder remembers the encoder of the place where it stands. "{{" and
 * "}}" stand for the braces themselves. {NAME:xml} escapes for XML first, then
 * for the place; {NAME:number} (a TTL, in JSON) is written without quotes.
 * {alphabet:A:B} is A where GSM-7 holds the text, else B. */
#ifndef SMSD_PLACEHOLDER_H
#define SMSD_PLACEHOLDER_H

#include "smsd/encode.h"
#include "smsd/message.h"

#define PH_ERROR_MAX 200
#define PH_VARS_MAX  16

struct ph_template;

/* What stands for {var.NAME}, {username} and {password}; must outlive the
 * templates that were compiled with it. */
struct ph_vars {
	struct {
		char name[33];
		struct mag_secret value;
	} var[PH_VARS_MAX];
	size_t n;
	const char *username;              /* itself a text with placeholders; NULL: none */
	const struct mag_secret *password; /* NULL: not here */
};

/* What the rest stands for. */
struct ph_values {
	const struct sms_message *message;
	const struct mag_secret *text;
	const char *from;
	int64_t now_ms;
	int64_t ttl_least, ttl_most;           /* seconds: {ttl} stays between; most 0: no end */
	const char *receipt_url, *provider_id; /* NULL: "" */
};

int ph_new(struct ph_template **template_r);
void ph_free(struct ph_template **template);

/* Append a literal as it is. */
int ph_add_literal(struct ph_template *t, const char *text, size_t len);

enum ph_literals {
	PH_RAW,     /* what stands between placeholders is right already (URLs) */
	PH_ENCODED, /* it is encoded as well (values of fields) */
};

/* Append text[0..len) with its placeholders.
 * 0; MAG_ESYNTAX (err says what), MAG_ERANGE (the context cannot carry it), MAG_ENOMEM. */
int ph_add(struct ph_template *t, const char *text, size_t len, enum enc_context context,
	enum ph_literals literals, const struct ph_vars *vars, char err[PH_ERROR_MAX]);

/* Is `text` nothing but one {NAME:number}? */
bool ph_is_number(const char *text);

/* Append the expansion to out. 0; MAG_ERANGE (a value does not go there), MAG_ENOMEM. */
int ph_expand(const struct ph_template *t, const struct ph_values *v, struct mag_secret *out);

#endif
