/* Reading [gateway NAME] of the http driver. */
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/gateway/curl_loop.h"
#include "smsd/gateway/http_json.h"
#include "smsd/gateway/http_settings.h"

static const char *const methods[] = { "POST", "GET", "PUT", NULL };
static const char *const auths[] = { "none", "basic", "bearer", "header", "sigv4", NULL };
static const char *const signatures[] = { "none", "twilio", NULL };
static const char *const encodes[] = { "form", "json", "query", NULL };

#define ROW(field) offsetof(struct http_settings, field), sizeof(((struct http_settings *)0)->field)
#define NOWHERE    0, 0
const struct opt http_opts[] = {
	{ "url", OPT_TEXT, "", 0, 0, NULL, ROW(url),
		"where the request goes; placeholders in path and query" },
	{ "method", OPT_ENUM, "POST", 0, 0, methods, ROW(method), "HTTP method" },
	{ "auth", OPT_ENUM, "none", 0, 0, auths, ROW(auth),
		"how smsd proves itself; header: a header.* line holds {password}" },
	{ "username", OPT_TEXT, "", 0, 0, NULL, ROW(username),
		"for basic and sigv4, and {username}" },
	{ "password", OPT_SECRET, NULL, 0, 0, NULL, ROW(password),
		"password, token or key: file:PATH or credential:NAME; also {password}" },
	{ "sigv4", OPT_TEXT, "", 0, 0, NULL, ROW(sigv4),
		"provider1:provider2:region:service, such as aws:amz:us-east-1:sns" },
	{ "encode", OPT_ENUM, "form", 0, 0, encodes, ROW(encode),
		"what the fields are written as" },
	{ "field.*", OPT_TEXT, NULL, 0, 0, NULL, NOWHERE,
		"a field; with json the part after the dot is a JSON pointer" },
	{ "receipt_field.*", OPT_TEXT, NULL, 0, 0, NULL, NOWHERE,
		"a field that is sent only with receipts = callback" },
	{ "header.*", OPT_TEXT, NULL, 0, 0, NULL, NOWHERE, "a header of the request" },
	{ "var.*", OPT_TEXT, NULL, 0, 0, NULL, NOWHERE,
		"{var.NAME}: an account's own value, or file:PATH, credential:NAME" },
	{ "success", OPT_WORDS, "200 201 202", 0, 0, NULL, ROW(success),
		"HTTP statuses that mean accepted" },
	{ "success_match", OPT_TEXT, "", 0, 0, NULL, ROW(success_match),
		"and what the body must say: /pointer = value, /pointer in A B, prefix TEXT" },
	{ "retry", OPT_WORDS, "429", 0, 0, NULL, ROW(retry),
		"HTTP statuses that mean not sent, try again" },
	{ "retry_match", OPT_TEXT, "", 0, 0, NULL, ROW(retry_match),
		"what the body says where it means not sent, try again" },
	{ "unclear_match", OPT_TEXT, "", 0, 0, NULL, ROW(unclear_match),
		"what the body says where nobody knows if it was sent" },
	{ "id", OPT_TEXT, "", 0, 0, NULL, ROW(match.id), "JSON pointer to the provider's id" },
	{ "error", OPT_TEXT, "", 0, 0, NULL, ROW(match.error), "JSON pointer to an error's text" },
	{ "ttl_min", OPT_DURATION, "1s", 1, 86400, NULL, ROW(ttl_min),
		"the shortest life the provider takes: {ttl} is never less" },
	{ "ttl_max", OPT_DURATION, "1d", 1, 864000, NULL, ROW(ttl_max),
		"the longest life the provider takes: {ttl} is never more" },
	{ "connect_timeout", OPT_DURATION, "2s", 1, 60, NULL, ROW(connect_timeout),
		"how long name, connection and TLS may take: then nothing was sent" },
	{ "ca", OPT_TEXT, "", 0, 0, NULL, ROW(way.ca),
		"file of the authorities to trust, instead of the system's" },
	{ "client_certificate", OPT_TEXT, "", 0, 0, NULL, ROW(way.client_certificate),
		"PEM file of the certificate by which smsd proves itself" },
	{ "client_key", OPT_SECRET, NULL, 0, 0, NULL, ROW(way.client_key),
		"its private key, PEM: file:PATH or credential:NAME" },
	{ "proxy", OPT_TEXT, "", 0, 0, NULL, ROW(way.proxy),
		"http://host:port or https://host:port, none; empty: as in [smsd]" },
	{ "proxy_username", OPT_TEXT, "", 0, 0, NULL, ROW(way.proxy_username), "for the proxy" },
	{ "proxy_password", OPT_SECRET, NULL, 0, 0, NULL, ROW(way.proxy_password),
		"for the proxy: file:PATH or credential:NAME" },
	{ "proxy_ca", OPT_TEXT, "", 0, 0, NULL, ROW(way.proxy_ca),
		"file of the authorities to trust for an https:// proxy" },
	{ "plain_http", OPT_BOOL, "no", 0, 0, NULL, ROW(plain_http),
		"allow http:// beyond this host; everybody between reads the codes" },
	{ "receipt_status", OPT_WORDS, "", 0, 0, NULL, ROW(receipt.status),
		"where a receipt says how it went: pointers, or /NAME of a parameter" },
	{ "receipt_delivered", OPT_WORDS, "", 0, 0, NULL, ROW(receipt.delivered),
		"the provider's words for: on the phone" },
	{ "receipt_failed", OPT_WORDS, "", 0, 0, NULL, ROW(receipt.failed),
		"its words for: never; WORD=busy says it in one of ours" },
	{ "receipt_signature", OPT_ENUM, "none", 0, 0, signatures, ROW(receipt_signature),
		"how the provider signs receipts" },
	{ "receipt_secret", OPT_SECRET, NULL, 0, 0, NULL, ROW(receipt_secret),
		"with what, if it is not the password" },
	{ "poll_url", OPT_TEXT, "", 0, 0, NULL, ROW(poll_url),
		"with receipts = poll: what is fetched, with {provider_id}" },
	{ "poll_status", OPT_WORDS, "", 0, 0, NULL, ROW(poll.status),
		"where the answer says how it went, if not at receipt_status" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section http_section = { "gateway", 1, http_opts, NULL };

/* One reading: what every step needs. */
struct reading {
	const char *name;
	bool calls_back; /* receipt_field.* are fields, too */
	struct http_settings *s;
	struct http_json *json;
	size_t n_fields;
	char *err;
};

static int fault(const struct reading *r, const char *key, const char *what, int error)
{
	snprintf(r->err, OPT_ERROR_MAX, "[gateway %s] %s: %s", r->name, key, what);
	return error;
}

static int fault_at(const struct reading *r, const struct opt_value *v, const char *what, int error)
{
	snprintf(r->err, OPT_ERROR_MAX, "%s:%d: %s: %.300s", v->file, v->line, v->key, what);
	return error;
}

/* ---- var.NAME, header.NAME, field.NAME: in the order of the files ---- */

static int read_var(const struct opt_value *v, void *arg)
{
	const struct opt secret_row = { v->key, OPT_SECRET, NULL, 0, 0, NULL, 0,
		sizeof(struct mag_secret), NULL };
	struct reading *r = arg;
	struct ph_vars *vars = &r->s->vars;
	char err[OPT_ERROR_MAX];

	if (!mag_has_prefix(v->key, "var."))
		return 0;
	if (vars->n == PH_VARS_MAX)
		return fault_at(r, v, "too many values", MAG_ENOSPACE);
	if (mag_copy(vars->var[vars->n].name, sizeof vars->var->name, v->key + 4) < 0)
		return fault_at(r, v, "the name is too long", MAG_ENOSPACE);
	if (!mag_has_prefix(v->text, "file:") && !mag_has_prefix(v->text, "credential:")) {
		int e = mag_secret_set_text(&vars->var[vars->n].value, v->text);

		vars->n += e == 0;
		return e;
	}
	if (opt_set(&secret_row, v->text, &vars->var[vars->n].value, err) < 0) {
		snprintf(r->err, OPT_ERROR_MAX, "%s:%d: %.400s", v->file, v->line, err);
		return MAG_ESYNTAX;
	}
	vars->n++;
	return 0;
}

/* RFC 9110 §5.6.2 */
static bool is_token(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p))
			return false;
	return *s != '\0';
}

static int read_header(const struct opt_value *v, void *arg)
{
	struct reading *r = arg;
	struct http_settings *s = r->s;
	const char *name = v->key + 7;
	char err[PH_ERROR_MAX] = "out of memory";
	struct ph_template **t;

	if (!mag_has_prefix(v->key, "header."))
		return 0;
	if (!is_token(name))
		return fault_at(r, v, "no name of a header", MAG_ESYNTAX);
	if (s->n_headers == HTTP_HEADERS_MAX)
		return fault_at(r, v, "too many headers", MAG_ENOSPACE);
	t = &s->header[s->n_headers];
	if (ph_new(t) < 0)
		return MAG_ENOMEM;
	s->n_headers++;
	s->own_content_type |= strcasecmp(name, "Content-Type") == 0;
	if (ph_add_literal(*t, name, strlen(name)) < 0 || ph_add_literal(*t, ": ", 2) < 0 ||
		ph_add(*t, v->text, strlen(v->text), ENC_HEADER, PH_ENCODED, &s->vars, err) < 0)
		return fault_at(r, v, err, MAG_ESYNTAX);
	return 0;
}

/* name=value with the separator before it, into body or URL. */
static int add_pair(
	struct reading *r, const struct opt_value *v, struct ph_template *t, const char *separator)
{
	const char *name = strchr(v->key, '.') + 1;
	char err[PH_ERROR_MAX] = "out of memory";
	const struct ph_vars none = { 0 };
	enum enc_context context = r->s->encode == ENCODE_FORM ? ENC_FORM : ENC_QUERY;

	if (ph_add_literal(t, separator, strlen(separator)) < 0 ||
		ph_add(t, name, strlen(name), context, PH_ENCODED, &none, err) < 0 ||
		ph_add_literal(t, "=", 1) < 0 ||
		ph_add(t, v->text, strlen(v->text), context, PH_ENCODED, &r->s->vars, err) < 0)
		return fault_at(r, v, err, MAG_ESYNTAX);
	return 0;
}

static int read_field(const struct opt_value *v, void *arg)
{
	struct reading *r = arg;
	struct http_settings *s = r->s;
	bool first = r->n_fields == 0, receipt = mag_has_prefix(v->key, "receipt_field.");
	char err[PH_ERROR_MAX];

	if (!mag_has_prefix(v->key, "field.") && !(receipt && r->calls_back))
		return 0;
	if (!receipt && strstr(v->text, "{receipt_url}"))
		return fault_at(
			r, v, "write receipt_field.*: not always is there one", MAG_ESYNTAX);
	r->n_fields++;
	if (s->encode == ENCODE_FORM)
		return add_pair(r, v, s->body, first ? "" : "&");
	if (s->encode == ENCODE_QUERY)
		return add_pair(r, v, s->url_template, first && !strchr(s->url, '?') ? "?" : "&");
	if (http_json_add(r->json, strchr(v->key, '.') + 1, v->text, err) < 0)
		return fault_at(r, v, err, MAG_ESYNTAX);
	return 0;
}

/* ---- url ---- */

/* Scheme and host must be literal: no message decides where it goes. */
int http_url_check(
	const char *url, bool plain_http, struct http_way_end *end_r, const char **fault_r)
{
	const char *rest = strstr(url, "://"), *path;
	bool plain = mag_has_prefix(url, "http://"), bad;
	CURLU *u;
	char *host = NULL, *user = NULL, origin[512];

	*fault_r = "must begin with https:// (http:// on this host)";
	if (!rest || (!plain && !mag_has_prefix(url, "https://")))
		return MAG_ESYNTAX;
	path = rest + 3 + strcspn(rest + 3, "/?#");
	snprintf(origin, sizeof origin, "%.*s/", (int)(path - url), url);
	*fault_r = "placeholders stand in path and query only";
	if (strpbrk(origin, "{}"))
		return MAG_ESYNTAX;
	*fault_r = "a fragment (#) is never sent";
	if (strchr(url, '#'))
		return MAG_ESYNTAX;
	if (!(u = curl_url()))
		return MAG_ENOMEM;
	bad = curl_url_set(u, CURLUPART_URL, origin, 0) ||
	      curl_url_get(u, CURLUPART_HOST, &host, 0);
	end_r->plain = plain;
	end_r->local = !bad && curl_host_is_loopback(host);
	plain = plain && !end_r->local;
	bad = bad || curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK;
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(u);
	*fault_r = bad ? "not a URL (user and password have their own keys)"
		       : "http:// lets everybody between read the codes; use https:// "
			 "(or plain_http = yes)";
	return bad || (plain && !plain_http) ? MAG_ESYNTAX : 0;
}

static int read_url(struct reading *r)
{
	struct http_settings *s = r->s;
	const char *query = strchr(s->url, '?');
	size_t path_len = query ? (size_t)(query - s->url) : strlen(s->url);
	char err[PH_ERROR_MAX] = "out of memory";
	const char *what;
	int e = http_url_check(s->url, s->plain_http, &s->end, &what);

	if (e < 0)
		return fault(r, "url", what, e);
	if (ph_add(s->url_template, s->url, path_len, ENC_PATH, PH_RAW, &s->vars, err) < 0 ||
		(query && ph_add(s->url_template, query, strlen(query), ENC_QUERY, PH_RAW, &s->vars,
				  err) < 0))
		return fault(r, "url", err, MAG_ESYNTAX);
	return 0;
}

/* ---- the rest ---- */

static int check_auth(struct reading *r)
{
	const struct http_settings *s = r->s;

	if (s->auth == HTTP_NO_AUTH)
		return 0;
	if (!s->password.len)
		return fault(r, "password", "is missing", MAG_ESYNTAX);
	if ((s->auth == HTTP_BASIC || s->auth == HTTP_SIGV4) && !s->username[0])
		return fault(r, "username", "is missing", MAG_ESYNTAX);
	if (s->auth == HTTP_SIGV4 && !s->sigv4[0])
		return fault(r, "sigv4", "is missing (aws:amz:REGION:SERVICE)", MAG_ESYNTAX);
	if (s->auth == HTTP_HEADER && !s->n_headers)
		return fault(r, "auth",
			"header needs a line such as "
			"header.Authorization = App {password}",
			MAG_ESYNTAX);
	return 0;
}

static int read_match(struct reading *r)
{
	struct http_settings *s = r->s;
	char err[MATCH_ERROR_MAX];
	const struct {
		const char *key, *text;
		struct match_rule *rule;
	} rules[] = { { "success_match", s->success_match, &s->match.success_match },
		{ "retry_match", s->retry_match, &s->match.retry_match },
		{ "unclear_match", s->unclear_match, &s->match.unclear_match } };

	if (match_statuses(s->success, s->match.success, err) < 0)
		return fault(r, "success", err, MAG_ESYNTAX);
	if (match_statuses(s->retry, s->match.retry, err) < 0)
		return fault(r, "retry", err, MAG_ESYNTAX);
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (match_rule_read(rules[i].text, rules[i].rule, err) < 0)
			return fault(r, rules[i].key, err, MAG_ESYNTAX);
	if (match_pointer_check(s->match.id, err) < 0)
		return fault(r, "id", err, MAG_ESYNTAX);
	if (match_pointer_check(s->match.error, err) < 0)
		return fault(r, "error", err, MAG_ESYNTAX);
	return 0;
}

/* From here on {username} is known to what is read after it. */
static int read_user(struct reading *r)
{
	struct http_settings *s = r->s;
	char err[PH_ERROR_MAX];

	if (ph_add(s->user_template, s->username, strlen(s->username), ENC_USER, PH_ENCODED,
		    &s->vars, err) < 0)
		return fault(r, "username", err, MAG_ESYNTAX);
	s->vars.username = s->username;
	return 0;
}

/* With JSON the body is written by http_json, once all fields are known. */
static int finish_body(struct reading *r)
{
	struct http_settings *s = r->s;
	char err[PH_ERROR_MAX];

	if (s->encode == ENCODE_JSON && http_json_compile(r->json, s->body, &s->vars, err) < 0)
		return fault(r, "field", err, MAG_ESYNTAX);
	if (s->encode == ENCODE_QUERY || s->method == METHOD_GET) {
		if (s->encode != ENCODE_QUERY)
			return fault(
				r, "method", "GET has no body: use encode = query", MAG_ESYNTAX);
		ph_free(&s->body);
	}
	if (!r->n_fields)
		return fault(r, "field", "there is none: what is to be sent?", MAG_ESYNTAX);
	return 0;
}

int http_settings_read(const struct gateway *g, const struct opt_tree *t,
	struct http_settings **settings_r, char err[OPT_ERROR_MAX])
{
	struct http_settings *s = calloc(1, sizeof *s);
	const char *name = g->name;
	struct reading r = {
		.name = name, .calls_back = g->receipts == RECEIPTS_CALLBACK, .s = s, .err = err
	};
	int e = MAG_ENOMEM;

	if (!s || ph_new(&s->url_template) < 0 || ph_new(&s->user_template) < 0 ||
		ph_new(&s->body) < 0 || http_json_new(&r.json) < 0)
		goto out;
	if ((e = opt_fill(t, &http_section, name, s, err)) < 0)
		goto out;
	s->vars.password = &s->password;
	if ((e = opt_each(t, "gateway", name, read_var, &r)) < 0 || (e = read_user(&r)) < 0 ||
		(e = read_url(&r)) < 0 || (e = opt_each(t, "gateway", name, read_header, &r)) < 0 ||
		(e = opt_each(t, "gateway", name, read_field, &r)) < 0 ||
		(e = finish_body(&r)) < 0 || (e = check_auth(&r)) < 0 || (e = read_match(&r)) < 0 ||
		(e = http_way_read(name, t, s->end, &s->way, err)) < 0 ||
		(e = http_receipt_prepare(g, s, err)) < 0)
		goto out;
	*settings_r = s;
	s = NULL;
out:
	http_json_free(&r.json);
	http_settings_free(&s);
	return e;
}

void http_settings_free(struct http_settings **settings)
{
	struct http_settings *s = *settings;

	*settings = NULL;
	if (!s)
		return;
	ph_free(&s->url_template);
	ph_free(&s->user_template);
	ph_free(&s->body);
	for (size_t i = 0; i < s->n_headers; i++)
		ph_free(&s->header[i]);
	for (size_t i = 0; i < s->vars.n; i++)
		mag_secret_free(&s->vars.var[i].value);
	ph_free(&s->poll_template);
	mag_secret_free(&s->password);
	http_way_clear(&s->way);
	mag_secret_free(&s->receipt_secret);
	free(s);
}
