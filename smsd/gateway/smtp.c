/* The smtp driver: one SMTP conversation per e-mail (RFC 5321). */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/gateway.h"
#include "smsd/gateway/curl_loop.h"
#include "smsd/mail_text.h"
#include "smsd/placeholder.h"

enum smtp_tls { TLS_REQUIRED, TLS_OPPORTUNISTIC, TLS_NONE };

struct smtp_settings {
	char url[256], username[256], ca[256];
	struct mag_secret password;
	int tls;
	bool plain_smtp;
	int64_t connect_timeout; /* seconds */
	char to_address[128];
	struct ph_template *address; /* made of it; NULL: no phones */
};

static const char *const tls_words[] = { "required", "opportunistic", "none", NULL };

#define ROW(field) OPT_AT(struct smtp_settings, field)
static const struct opt smtp_opts[] = {
	{ "url", OPT_TEXT, "", 0, 0, NULL, ROW(url), "where requests go" },
	{ "username", OPT_TEXT, "", 0, 0, NULL, ROW(username), "user name for the provider" },
	{ "password", OPT_SECRET, NULL, 0, 0, NULL, ROW(password),
		"file:PATH or credential:NAME: password, token or key" },
	{ "connect_timeout", OPT_DURATION, "5s", 1, 60, NULL, ROW(connect_timeout),
		"how long name, connection and TLS may take: then nothing was sent" },
	{ "ca", OPT_TEXT, "", 0, 0, NULL, ROW(ca), "file of trusted authorities" },
	{ "to_address", OPT_TEXT, "", 0, 0, NULL, ROW(to_address),
		"smtp: what a carrier makes texts of: {to_digits}@sms.example.org" },
	{ "tls", OPT_ENUM, "required", 0, 0, tls_words, ROW(tls),
		"smtp: required, opportunistic (only where it is offered), none" },
	{ "plain_smtp", OPT_BOOL, "no", 0, 0, NULL, ROW(plain_smtp),
		"smtp: yes lets e-mails and passwords leave this host without TLS" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section smtp_section = { "gateway", 1, smtp_opts, NULL };

struct mail_transfer {
	struct curl_job job;
	struct curl_slist *to;
	struct mag_secret recipient, text;
	size_t given; /* bytes that libcurl has taken */
	bool all;     /* it was told the end: from here on nobody knows */
};

/* ---- the end of a conversation ---- */

static void clear(struct curl_job *job)
{
	struct mail_transfer *t = (struct mail_transfer *)job;

	curl_slist_free_all(t->to);
	mag_secret_free(&t->recipient);
	mag_secret_free(&t->text);
}

/* 4xx: later; 5xx: never, but where our own password is refused. Without an answer
 * nobody knows once the whole text went out; before, nothing was sent. */
static enum sms_outcome outcome_of(const struct mail_transfer *t, CURLcode code, long reply)
{
	if (code == CURLE_OK)
		return SMS_ACCEPTED;
	if (code == CURLE_LOGIN_DENIED || (reply >= 400 && reply < 500))
		return SMS_RETRYABLE;
	if (reply >= 500 && reply < 600)
		return SMS_PERMANENT;
	return t->all ? SMS_AMBIGUOUS : SMS_RETRYABLE;
}

static void judge(struct curl_job *job, CURLcode code, struct gateway_result *result_r)
{
	char words[SMS_ERROR_MAX - 24];
	long reply = 0;

	if (curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &reply) != CURLE_OK)
		reply = 0;
	result_r->outcome = outcome_of((struct mail_transfer *)job, code, reply);
	if (result_r->outcome == SMS_ACCEPTED) {
		mag_copy(result_r->provider_id, sizeof result_r->provider_id,
			job->attempt->message->id);
		return;
	}
	curl_job_error(job, code, words, sizeof words);
	snprintf(result_r->error, sizeof result_r->error, "%s (%ld)", words, reply);
}

/* ---- a conversation ---- */

/* CURLOPT_READFUNCTION; dots at line starts are libcurl's to double. */
static size_t give_text(char *buffer, size_t size, size_t n, void *arg)
{
	struct mail_transfer *t = arg;
	size_t left = t->text.len - t->given;

	if (size * n < left)
		left = size * n;
	memcpy(buffer, t->text.data + t->given, left);
	t->given += left;
	t->all = left == 0;
	return left;
}

/* CURLcodes of several curl_easy_setopt in one: any that is not CURLE_OK (0). */
static int set_security(CURL *e, const struct smtp_settings *s)
{
	static const long levels[] = { CURLUSESSL_ALL, CURLUSESSL_TRY, CURLUSESSL_NONE };
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_USE_SSL, levels[s->tls]);
	bad |= curl_set_tls(e, s->ca);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout * 1000);
	if (s->username[0]) {
		bad |= curl_easy_setopt(e, CURLOPT_USERNAME, s->username);
		bad |= curl_easy_setopt(e, CURLOPT_PASSWORD, mag_secret_text(&s->password));
	}
	return bad;
}

static int set_mail(struct mail_transfer *t)
{
	const struct attempt *a = t->job.attempt;
	const struct smtp_settings *s = a->gateway->driver;
	CURL *e = t->job.easy;
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_URL, s->url);
	bad |= curl_easy_setopt(e, CURLOPT_MAIL_FROM, attempt_from(a));
	bad |= curl_easy_setopt(e, CURLOPT_MAIL_RCPT, t->to);
	bad |= curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_READFUNCTION, give_text);
	bad |= curl_easy_setopt(e, CURLOPT_READDATA, t);
	return bad;
}

/* The message's own address, or that of its number at a carrier. */
static int find_recipient(const struct attempt *a, struct mag_secret *out)
{
	const struct smtp_settings *s = a->gateway->driver;
	const struct ph_values v = { .message = a->message, .text = a->text, .from = "" };

	return strcmp(a->message->channel, "email") == 0 ? mag_secret_set_text(out, a->message->to)
							 : ph_expand(s->address, &v, out);
}

/* A text for a phone has no subject: carriers put it before the text. */
static const char *subject_of(const struct attempt *a)
{
	if (strcmp(a->message->channel, "email") != 0)
		return "";
	return a->subject && *a->subject ? a->subject : "magotp";
}

static int prepare(struct curl_job *job)
{
	struct mail_transfer *t = (struct mail_transfer *)job;
	const struct attempt *a = t->job.attempt;
	const struct smtp_settings *s = a->gateway->driver;
	struct mail_text mail = { .from = attempt_from(a),
		.id = a->message->id,
		.subject = subject_of(a),
		.body = a->text,
		.at = a->now_ms / 1000 };
	int r = find_recipient(a, &t->recipient);

	if (r < 0)
		return r;
	mail.to = mag_secret_text(&t->recipient);
	/* [mail] from of magotp.conf comes with the message; a text of root's has none. */
	r = *mail.from ? mail_text_make(&mail, &t->text) : MAG_EINVAL;
	if (r < 0)
		return r;
	t->to = curl_slist_append(NULL, mail.to);
	return !t->to || set_security(job->easy, s) || set_mail(t) ? MAG_ENOMEM : 0;
}

static void smtp_send(struct attempt *a)
{
	static const struct curl_kind kind = {
		.what = "e-mail",
		.protocols = "smtp,smtps",
		.protocol_bits = CURLPROTO_SMTP | CURLPROTO_SMTPS,
		.size = sizeof(struct mail_transfer),
		.prepare = prepare,
		.judge = judge,
		.clear = clear,
	};

	curl_job_send(a, &kind);
}

/* ---- settings ---- */

/* What is wrong with the settings; NULL: nothing. */
static const char *fault_of(const struct gateway *g, const struct smtp_settings *s)
{
	bool sealed = mag_has_prefix(s->url, "smtps://") || s->tls == TLS_REQUIRED;
	const char *fault = NULL;
	char *host = NULL, *user = NULL;
	CURLU *u;

	if (!mag_has_prefix(s->url, "smtp://") && !mag_has_prefix(s->url, "smtps://"))
		return "url: must begin with smtp:// or smtps://";
	if (*g->from && (!strchr(g->from, '@') || strpbrk(g->from, " <>\"\r\n")))
		return "from: must be an e-mail address, without a name";
	if (!s->username[0] != !s->password.len)
		return "username and password: one is missing";
	u = curl_url();
	if (!u || curl_url_set(u, CURLUPART_URL, s->url, 0) ||
		curl_url_get(u, CURLUPART_HOST, &host, 0))
		fault = "url: not a URL";
	else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		fault = "url: user and password have their own keys";
	else if (!sealed && !s->plain_smtp && !curl_host_is_loopback(host) &&
		 (s->tls == TLS_NONE || s->username[0]))
		fault = "tls: without it everybody between reads along; use required "
			"(or plain_smtp = yes)";
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(u);
	return fault;
}

/* Phones by e-mail: carriers deliver it like a text, but whoever reads the carrier's
 * mail reads it, too. NIST SP 800-63B takes no e-mail as a second factor. */
static const char *read_address(const struct gateway *g, struct smtp_settings *s)
{
	static char err[PH_ERROR_MAX] = "out of memory";
	const struct ph_vars none = { 0 };
	const char *at = strchr(s->to_address, '@');

	if (!sms_has_word(g->channels, "sms"))
		return s->to_address[0] ? "to_address: is for the channel sms" : NULL;
	if (!at || strchr(at + 1, '@') || strpbrk(s->to_address, " <>\"\r\n") || strchr(at, '{') ||
		(!strstr(s->to_address, "{to}") && !strstr(s->to_address, "{to_digits}")))
		return "to_address: must be like {to_digits}@sms.example.org";
	if (ph_new(&s->address) < 0 || ph_add(s->address, s->to_address, strlen(s->to_address),
					       ENC_HEADER, PH_RAW, &none, err) < 0)
		return err;
	mag_log(MAG_LOG_WARNING, "[gateway %s]: codes by e-mail to a carrier are no second factor",
		g->name);
	return NULL;
}

static void smtp_close(struct gateway *g)
{
	struct smtp_settings *s = g->driver;

	g->driver = NULL;
	if (s) {
		mag_secret_free(&s->password);
		ph_free(&s->address);
	}
	free(s);
}

static int smtp_open(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX])
{
	struct smtp_settings *s = calloc(1, sizeof *s);
	const char *fault;
	int r;

	if (!s)
		return MAG_ENOMEM;
	g->driver = s;
	if ((r = opt_fill(t, &smtp_section, g->name, s, err)) < 0)
		return r;
	fault = fault_of(g, s);
	if (!fault)
		fault = read_address(g, s);
	if (!fault && s->ca[0] && !curl_file_is_readable(s->ca))
		fault = "ca: cannot be read";
	if (!fault)
		return 0;
	snprintf(err, OPT_ERROR_MAX, "[gateway %s] %s", g->name, fault);
	return MAG_ESYNTAX;
}

static void smtp_paths(
	const struct gateway *g, void (*path)(const char *path, bool write, void *arg), void *arg)
{
	const struct smtp_settings *s = g->driver;

	if (s->ca[0])
		path(s->ca, false, arg);
}

const struct gateway_ops gateway_smtp = {
	.name = "smtp",
	.channels = "email sms",
	.opts = smtp_opts,
	.doc = "an e-mail by a mail server",
	.setup = curl_loop_setup,
	.teardown = curl_loop_teardown,
	.open = smtp_open,
	.close = smtp_close,
	.paths = smtp_paths,
	.send = smtp_send,
};
