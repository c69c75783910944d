/* A JSON body with placeholders: json-c builds and writes the document once, when
 * the settings are read; what is left to do per message is to put strings in,
 * in memory that is wiped. */
#ifndef SMSD_HTTP_JSON_H
#define SMSD_HTTP_JSON_H

#include "smsd/placeholder.h"

#define HTTP_JSON_FIELDS_MAX 32

struct http_json;

int http_json_new(struct http_json **json_r);
void http_json_free(struct http_json **json);

/* The value at `pointer` (RFC 6901; "to" is short for "/to") will be `text`,
 * borrowed until compile. Objects and arrays on the way are made.
 * 0, MAG_ESYNTAX with err, MAG_ENOMEM. */
int http_json_add(
	struct http_json *json, const char *pointer, const char *text, char err[PH_ERROR_MAX]);

/* Append the whole document to t. */
int http_json_compile(struct http_json *json, struct ph_template *t, const struct ph_vars *vars,
	char err[PH_ERROR_MAX]);

#endif
