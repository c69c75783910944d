/* The http driver: one request of an HTTP API per message, made from the settings
 * alone. */
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "otpcore/base/err.h"
#include "smsd/gateway/curl_loop.h"
#include "smsd/gateway/http_settings.h"

#define ANSWER_MAX  65536
#define HEADERS_MAX 65536 /* of all answers to one request: 1xx and a proxy's count */
#define LENGTH_MAX  32

/* One request under way. libcurl is given pointers into it. */
struct transfer {
	struct curl_job job;
	struct curl_slist *headers;
	struct mag_secret url, user, body, answer;
	size_t header_bytes;
	char length[LENGTH_MAX]; /* Content-Length of the answer at hand; "": not yet */
	const char *fault;       /* why we hung up; NULL: we did not */
};

/* ---- the end of a request ---- */

/* libcurl copies header lines; they may hold a token. */
static void free_headers(struct curl_slist *headers)
{
	for (struct curl_slist *h = headers; h; h = h->next)
		mag_wipe(h->data, strlen(h->data));
	curl_slist_free_all(headers);
}

static void clear(struct curl_job *job)
{
	struct transfer *t = (struct transfer *)job;

	free_headers(t->headers);
	mag_secret_free(&t->url);
	mag_secret_free(&t->user);
	mag_secret_free(&t->body);
	mag_secret_free(&t->answer);
}

/* Did a byte of the request leave us? What was said to a proxy does not count: before
 * all connections stand, no transfer has begun. */
static bool went_out(CURL *e)
{
	long bytes = 0;
	curl_off_t begun = 0;

	return curl_easy_getinfo(e, CURLINFO_REQUEST_SIZE, &bytes) != CURLE_OK ||
	       curl_easy_getinfo(e, CURLINFO_PRETRANSFER_TIME_T, &begun) != CURLE_OK ||
	       (bytes > 0 && begun > 0);
}

/* Without an answer: if not one byte of the request went out, nothing was sent
 * (names, connections, TLS, certificates); else nobody knows. */
static void judge_failure(struct curl_job *job, CURLcode code, struct gateway_result *r)
{
	const struct transfer *t = (struct transfer *)job;
	char words[SMS_ERROR_MAX - 24];
	bool sent = went_out(job->easy);

	r->outcome = sent ? SMS_AMBIGUOUS : SMS_RETRYABLE;
	if (t->fault)
		snprintf(words, sizeof words, "%s", t->fault);
	else
		curl_job_error(job, code, words, sizeof words);
	snprintf(r->error, sizeof r->error, "%s%s", words, sent ? ", after the request" : "");
}

/* "Leave me alone for so long" (RFC 9110 §10.2.3; libcurl reads seconds and dates). */
static int64_t pause_of(CURL *e)
{
	curl_off_t seconds = 0;

	if (curl_easy_getinfo(e, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds < 0)
		return 0;
	return seconds < INT32_MAX ? seconds * 1000 : INT64_C(1000) * INT32_MAX;
}

static void judge(struct curl_job *job, CURLcode code, struct gateway_result *result_r)
{
	const struct transfer *t = (struct transfer *)job;
	const struct http_settings *s = job->attempt->gateway->driver;
	struct match_answer answer = { .body = mag_secret_text(&t->answer),
		.len = t->answer.len,
		.message = job->attempt->message,
		.text = job->attempt->text };

	if (code != CURLE_OK) {
		judge_failure(job, code, result_r);
		return;
	}
	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	if (job->attempt->provider_id)
		http_poll_judge(s, &answer, result_r);
	else
		match_judge(&s->match, &answer, result_r);
	if (result_r->outcome != SMS_ACCEPTED)
		result_r->rest_ms = pause_of(job->easy);
}

/* ---- making a request ---- */

/* CURLOPT_WRITEFUNCTION: an answer has its limit; to take less ends the transfer. */
static size_t take_answer(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	size *= n;
	if (t->answer.len + size > ANSWER_MAX) {
		t->fault = "the answer is longer than 64 KiB";
		return 0;
	}
	return mag_secret_append(&t->answer, data, size) < 0 ? 0 : size;
}

/* Two lengths that differ: whose end is meant is anybody's guess (RFC 9112 §6.3). */
static bool length_differs(struct transfer *t, const char *line, size_t len)
{
	static const char name[] = "Content-Length:";
	const char *value = line + sizeof name - 1, *end = line + len;
	size_t n;

	if (len < sizeof name || strncasecmp(line, name, sizeof name - 1) != 0)
		return false;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && strchr(" \t\r\n", end[-1]))
		end--;
	n = (size_t)(end - value);
	if (n == 0 || n >= sizeof t->length)
		return true;
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)value[i]))
			return true;
	if (t->length[0])
		return strlen(t->length) != n || memcmp(t->length, value, n) != 0;
	memcpy(t->length, value, n);
	t->length[n] = '\0';
	return false;
}

/* CURLOPT_HEADERFUNCTION: one line of an answer, not ended by a NUL. */
static size_t take_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	size *= n;
	t->header_bytes += size;
	if (size >= 5 && memcmp(line, "HTTP/", 5) == 0)
		t->length[0] = '\0';
	if (t->header_bytes > HEADERS_MAX)
		t->fault = "the answer's headers are longer than 64 KiB";
	else if (length_differs(t, line, size))
		t->fault = "the answer has no clear length";
	return t->fault ? 0 : size;
}

static int add_header(struct transfer *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->headers, line);

	if (!longer)
		return MAG_ENOMEM;
	t->headers = longer;
	return 0;
}

static int expand(struct transfer *t)
{
	const struct attempt *a = t->job.attempt;
	const struct http_settings *s = a->gateway->driver;
	const struct ph_values v = { a->message, a->text, attempt_from(a), a->now_ms, s->ttl_min,
		s->ttl_max, a->receipt_url, a->provider_id };
	const struct ph_template *body = a->provider_id ? NULL : s->body;
	int r = ph_expand(a->provider_id ? s->poll_template : s->url_template, &v, &t->url);

	if (r == 0)
		r = ph_expand(s->user_template, &v, &t->user);
	if (r == 0 && body)
		r = ph_expand(body, &v, &t->body);
	for (size_t i = 0; i < s->n_headers && r == 0; i++) {
		struct mag_secret line = { 0 };

		if ((r = ph_expand(s->header[i], &v, &line)) == 0)
			r = add_header(t, mag_secret_text(&line));
		mag_secret_free(&line);
	}
	if (r == 0 && body && s->encode == ENCODE_JSON && !s->own_content_type)
		r = add_header(t, "Content-Type: application/json");
	/* No waiting for "100 Continue" before a body of one line. */
	return r < 0 ? r : add_header(t, "Expect:");
}

/* CURLcodes of several curl_easy_setopt in one: any that is not CURLE_OK (0). */
static int set_safety(CURL *e, const struct http_settings *s)
{
	int bad = 0;

	bad |= http_way_set(e, &s->way);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout * 1000);
	bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_MAXFILESIZE, (long)ANSWER_MAX);
	bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return bad;
}

static int set_auth(CURL *e, const struct http_settings *s, const struct mag_secret *user)
{
	const char *name = mag_secret_text(user), *password = mag_secret_text(&s->password);
	int bad = 0;

	switch ((enum http_auth)s->auth) {
	case HTTP_BEARER:
		bad |= curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		bad |= curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, password);
		break;
	case HTTP_SIGV4:
		bad |= curl_easy_setopt(e, CURLOPT_AWS_SIGV4, s->sigv4);
		bad |= curl_easy_setopt(e, CURLOPT_USERNAME, name);
		bad |= curl_easy_setopt(e, CURLOPT_PASSWORD, password);
		break;
	case HTTP_BASIC:
		bad |= curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		bad |= curl_easy_setopt(e, CURLOPT_USERNAME, name);
		bad |= curl_easy_setopt(e, CURLOPT_PASSWORD, password);
		break;
	case HTTP_NO_AUTH:
	case HTTP_HEADER:
		break;
	}
	return bad;
}

static int set_request(struct transfer *t, const struct http_settings *s)
{
	CURL *e = t->job.easy;
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_URL, mag_secret_text(&t->url));
	bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	bad |= curl_easy_setopt(e, CURLOPT_USERAGENT, "magotp-smsd/" PACKAGE_VERSION);
	if (s->method == METHOD_GET || t->job.attempt->provider_id) {
		bad |= curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	} else {
		/* Not copied: the body stays in memory that we wipe. */
		bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)t->body.len);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, mag_secret_text(&t->body));
	}
	if (s->method == METHOD_PUT && !t->job.attempt->provider_id)
		bad |= curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "PUT");
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	return bad;
}

static int prepare(struct curl_job *job)
{
	struct transfer *t = (struct transfer *)job;
	const struct http_settings *s = job->attempt->gateway->driver;
	int r = expand(t);

	if (r < 0)
		return r;
	return set_safety(job->easy, s) || set_auth(job->easy, s, &t->user) || set_request(t, s)
		       ? MAG_ENOMEM
		       : 0;
}

static void http_send(struct attempt *a)
{
	static const struct curl_kind kind = {
		.what = "request",
		.protocols = "http,https",
		.protocol_bits = CURLPROTO_HTTP | CURLPROTO_HTTPS,
		.size = sizeof(struct transfer),
		.prepare = prepare,
		.judge = judge,
		.clear = clear,
	};

	curl_job_send(a, &kind);
}

static int http_open(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX])
{
	struct http_settings *s = NULL;
	int r = http_settings_read(g, t, &s, err);

	g->driver = s;
	return r;
}

static void http_close(struct gateway *g)
{
	struct http_settings *s = g->driver;

	g->driver = NULL;
	http_settings_free(&s);
}

static void http_paths(
	const struct gateway *g, void (*path)(const char *path, bool write, void *arg), void *arg)
{
	const struct http_settings *s = g->driver;

	http_way_paths(&s->way, path, arg);
}

const struct gateway_ops gateway_http = {
	.name = "http",
	.channels = "sms voice email",
	.opts = http_opts,
	.doc = "a request to the HTTP API of a provider or of Kannel",
	.setup = curl_loop_setup,
	.teardown = curl_loop_teardown,
	.open = http_open,
	.close = http_close,
	.paths = http_paths,
	.send = http_send,
	.poll = http_send, /* with a provider_id it asks */
	.receipt = http_receipt,
};
