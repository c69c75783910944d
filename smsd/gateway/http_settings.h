/* The settings of one gateway of the http driver, compiled into templates. */
#ifndef SMSD_HTTP_SETTINGS_H
#define SMSD_HTTP_SETTINGS_H

#include "smsd/gateway.h"
#include "smsd/gateway/http_way.h"
#include "smsd/match.h"
#include "smsd/placeholder.h"
#include "smsd/receipt.h"

#define HTTP_HEADERS_MAX 16

enum http_auth { HTTP_NO_AUTH, HTTP_BASIC, HTTP_BEARER, HTTP_HEADER, HTTP_SIGV4 };
enum http_encode { ENCODE_FORM, ENCODE_JSON, ENCODE_QUERY };
enum http_signature { SIGNED_NOT, SIGNED_TWILIO };
enum http_method { METHOD_POST, METHOD_GET, METHOD_PUT };

struct http_settings {
	/* As in the file. */
	char url[512], username[256], success[128], success_match[256], retry[128],
		retry_match[256], unclear_match[256], sigv4[128];
	int method, auth, encode;
	int64_t ttl_min, ttl_max, connect_timeout; /* seconds */
	bool plain_http;
	struct mag_secret password, receipt_secret;
	struct http_way way;
	struct receipt_rule receipt, poll; /* poll: its own status, the same words */
	char poll_url[512];
	int receipt_signature;

	/* Made of it. */
	struct http_way_end end;
	struct ph_vars vars;
	struct match match;
	struct ph_template *url_template, *user_template, *body; /* body NULL: none */
	struct ph_template *header[HTTP_HEADERS_MAX];            /* whole lines */
	size_t n_headers;
	bool own_content_type;
	struct ph_template *poll_template; /* NULL: it is not asked */
};

extern const struct opt http_opts[];

/* 0 or an error with err. */
int http_settings_read(const struct gateway *g, const struct opt_tree *t,
	struct http_settings **settings_r, char err[OPT_ERROR_MAX]);
void http_settings_free(struct http_settings **settings);

/* Is it a URL that codes may go to? 0; MAG_ESYNTAX with what is wrong, MAG_ENOMEM. */
int http_url_check(
	const char *url, bool plain_http, struct http_way_end *end_r, const char **fault_r);

/* ---- http_receipt.c ---- */

/* Check and compile what receipts need; r is 0 or an error with err. */
int http_receipt_prepare(const struct gateway *g, struct http_settings *s, char err[OPT_ERROR_MAX]);
/* `receipt` of struct gateway_ops. */
int http_receipt(const struct gateway *g, struct wire_receipt_req *q, const char *url,
	struct gateway_result *result_r);
/* What the answer to a question after a message says. */
void http_poll_judge(const struct http_settings *s, const struct match_answer *answer,
	struct gateway_result *result_r);

#endif
