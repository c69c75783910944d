/* The smtp driver: one SMTP conversation per e-mail (RFC 5321). */
#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/gateway.h"
#include "smsd/gateway/curl_loop.h"
#include "smsd/mail_text.h"
#include "smsd/match.h"

enum smtp_tls { TLS_REQUIRED, TLS_OPPORTUNISTIC, TLS_NONE };

struct smtp_settings {
	char url[256], username[256], ca[256];
	struct mag_secret password;
	int tls;
	bool plain_smtp;
};

static const char *const tls_words[] = { "required", "opportunistic", "none", NULL };

#define ROW(field) OPT_AT(struct smtp_settings, field)
static const struct opt smtp_opts[] = {
	{ "url", OPT_TEXT, "", 0, 0, NULL, ROW(url), "where requests go" },
	{ "username", OPT_TEXT, "", 0, 0, NULL, ROW(username), "user name for the provider" },
	{ "password", OPT_SECRET, NULL, 0, 0, NULL, ROW(password),
		"file:PATH or credential:NAME: password, token or key" },
	{ "ca", OPT_TEXT, "", 0, 0, NULL, ROW(ca), "file of trusted authorities" },
	{ "tls", OPT_ENUM, "required", 0, 0, tls_words, ROW(tls),
		"smtp: required, opportunistic (only where it is offered), none" },
	{ "plain_smtp", OPT_BOOL, "no", 0, 0, NULL, ROW(plain_smtp),
		"smtp: yes lets e-mails and passwords leave this host without TLS" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section smtp_section = { "gateway", 1, smtp_opts, NULL };

/* Shared by all gateways of the driver. */
struct smtp {
	struct curl_loop *loop;
	TAILQ_HEAD(mails, mail_transfer) mails;
};

struct mail_transfer {
	struct smtp *smtp;
	struct attempt *attempt;
	CURL *easy;
	struct curl_slist *to;
	struct mag_secret text;
	size_t given; /* bytes that libcurl has taken */
	bool all;     /* it was told the end: from here on nobody knows */
	char error[CURL_ERROR_SIZE];
	TAILQ_ENTRY(mail_transfer) next;
};

/* ---- the end of a conversation ---- */

static void transfer_free(struct mail_transfer *t)
{
	TAILQ_REMOVE(&t->smtp->mails, t, next);
	if (t->easy) {
		curl_loop_remove(t->smtp->loop, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->to);
	mag_secret_free(&t->text);
	free(t);
}

static void finish(struct mail_transfer *t, const struct gateway_result *result)
{
	struct attempt *a = t->attempt;

	transfer_free(t);
	a->done(a, result);
}

/* 4xx: later; 5xx: never, but where our own password is refused. Without an answer
 * nobody knows once the whole text went out; before, nothing was sent. */
static enum sms_outcome judge(const struct mail_transfer *t, CURLcode code, long reply)
{
	if (code == CURLE_OK)
		return SMS_ACCEPTED;
	if (code == CURLE_LOGIN_DENIED || (reply >= 400 && reply < 500))
		return SMS_RETRYABLE;
	if (reply >= 500 && reply < 600)
		return SMS_PERMANENT;
	return t->all ? SMS_AMBIGUOUS : SMS_RETRYABLE;
}

static void on_finished(void *transfer, CURLcode code)
{
	struct mail_transfer *t = transfer;
	const char *words = t->error[0] ? t->error : curl_easy_strerror(code);
	struct gateway_result result = { .outcome = SMS_AMBIGUOUS };
	char redacted[SMS_ERROR_MAX - 24];
	long reply = 0;

	if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &reply) != CURLE_OK)
		reply = 0;
	result.outcome = judge(t, code, reply);
	if (result.outcome == SMS_ACCEPTED) {
		mag_copy(result.provider_id, sizeof result.provider_id, t->attempt->message->id);
	} else {
		match_redact(redacted, sizeof redacted, words, t->attempt->text);
		snprintf(result.error, sizeof result.error, "%s (%ld)", redacted, reply);
	}
	finish(t, &result);
}

/* ---- what the gateways share ---- */

static void smtp_teardown(void **shared)
{
	struct smtp *s = *shared;
	const struct gateway_result stopped = { .outcome = SMS_AMBIGUOUS,
		.error = "magotp-smsd is stopping" };
	struct mail_transfer *t, *next;

	*shared = NULL;
	if (!s)
		return;
	for (t = TAILQ_FIRST(&s->mails); t; t = next) {
		next = TAILQ_NEXT(t, next);
		finish(t, &stopped);
	}
	curl_loop_free(&s->loop);
	free(s);
}

static int smtp_setup(struct event_base *base, void **shared_r)
{
	struct smtp *s = calloc(1, sizeof *s);
	int r = s ? curl_loop_new(base, on_finished, &s->loop) : MAG_ENOMEM;

	if (r < 0) {
		free(s);
		return r;
	}
	TAILQ_INIT(&s->mails);
	*shared_r = s;
	return 0;
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
static int set_safety(CURL *e, const struct smtp_settings *s)
{
	static const long levels[] = { CURLUSESSL_ALL, CURLUSESSL_TRY, CURLUSESSL_NONE };
	int bad = 0;

#if LIBCURL_VERSION_NUM >= 0x075500
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS, CURLPROTO_SMTP | CURLPROTO_SMTPS);
#endif
	bad |= curl_easy_setopt(e, CURLOPT_USE_SSL, levels[s->tls]);
	/* The environment's proxies see nothing of this. */
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	bad |= curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	bad |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (s->ca[0]) {
		bad |= curl_easy_setopt(e, CURLOPT_CAINFO, s->ca);
		bad |= curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	if (s->username[0]) {
		bad |= curl_easy_setopt(e, CURLOPT_USERNAME, s->username);
		bad |= curl_easy_setopt(e, CURLOPT_PASSWORD, mag_secret_text(&s->password));
	}
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A look-up that hangs is left to its thread, not waited for. */
	bad |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
	return bad;
}

static int set_mail(struct mail_transfer *t)
{
	const struct attempt *a = t->attempt;
	const struct smtp_settings *s = a->gateway->driver;
	CURL *e = t->easy;
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_URL, s->url);
	bad |= curl_easy_setopt(e, CURLOPT_MAIL_FROM, a->gateway->from);
	bad |= curl_easy_setopt(e, CURLOPT_MAIL_RCPT, t->to);
	bad |= curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_READFUNCTION, give_text);
	bad |= curl_easy_setopt(e, CURLOPT_READDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)a->timeout_ms);
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	return bad;
}

static int start(struct mail_transfer *t)
{
	const struct attempt *a = t->attempt;
	const struct smtp_settings *s = a->gateway->driver;
	const struct mail_text mail = { .from = a->gateway->from,
		.to = a->message->to,
		.id = a->message->id,
		.subject = a->subject && *a->subject ? a->subject : "magotp",
		.body = a->text,
		.at = a->now_ms / 1000 };
	int r = mail_text_make(&mail, &t->text);

	if (r < 0)
		return r;
	t->to = curl_slist_append(NULL, a->message->to);
	t->easy = curl_easy_init();
	if (!t->to || !t->easy || set_safety(t->easy, s) || set_mail(t))
		return MAG_ENOMEM;
	return curl_loop_add(t->smtp->loop, t->easy);
}

static void smtp_send(struct attempt *a)
{
	struct gateway_result result = { .outcome = SMS_RETRYABLE };
	struct mail_transfer *t = calloc(1, sizeof *t);
	int r = MAG_ENOMEM;

	if (t) {
		t->attempt = a;
		t->smtp = a->gateway->shared;
		TAILQ_INSERT_TAIL(&t->smtp->mails, t, next);
		r = start(t);
	}
	if (r == 0)
		return;
	/* What does not go into an e-mail will not go there later. */
	if (r == MAG_ERANGE)
		result.outcome = SMS_PERMANENT;
	snprintf(result.error, sizeof result.error, "cannot make the e-mail: %s", mag_strerror(r));
	if (t)
		finish(t, &result);
	else
		a->done(a, &result);
}

/* ---- settings ---- */

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       mag_has_prefix(host, "127.");
}

/* What is wrong with the settings; NULL: nothing. */
static const char *fault_of(const struct gateway *g, const struct smtp_settings *s)
{
	bool sealed = mag_has_prefix(s->url, "smtps://") || s->tls == TLS_REQUIRED;
	const char *fault = NULL;
	char *host = NULL, *user = NULL;
	CURLU *u;

	if (!mag_has_prefix(s->url, "smtp://") && !mag_has_prefix(s->url, "smtps://"))
		return "url: must begin with smtp:// or smtps://";
	if (!strchr(g->from, '@') || strpbrk(g->from, " <>\"\r\n"))
		return "from: must be an e-mail address, without a name";
	if (!s->username[0] != !s->password.len)
		return "username and password: one is missing";
	u = curl_url();
	if (!u || curl_url_set(u, CURLUPART_URL, s->url, 0) ||
		curl_url_get(u, CURLUPART_HOST, &host, 0))
		fault = "url: not a URL";
	else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		fault = "url: user and password have their own keys";
	else if (!sealed && !s->plain_smtp && !is_loopback(host) &&
		 (s->tls == TLS_NONE || s->username[0]))
		fault = "tls: without it everybody between reads along; use required "
			"(or plain_smtp = yes)";
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(u);
	return fault;
}

static void smtp_close(struct gateway *g)
{
	struct smtp_settings *s = g->driver;

	g->driver = NULL;
	if (s)
		mag_secret_free(&s->password);
	free(s);
}

static int smtp_open(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX])
{
	struct smtp_settings *s = calloc(1, sizeof *s);
	const char *fault;
	int r, fd;

	if (!s)
		return MAG_ENOMEM;
	g->driver = s;
	if ((r = opt_fill(t, &smtp_section, g->name, s, err)) < 0)
		return r;
	fault = fault_of(g, s);
	if (!fault && s->ca[0]) {
		fd = open(s->ca, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			fault = "ca: cannot be read";
		else
			close(fd);
	}
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
	.channels = "email",
	.opts = smtp_opts,
	.doc = "an e-mail by a mail server",
	.setup = smtp_setup,
	.teardown = smtp_teardown,
	.open = smtp_open,
	.close = smtp_close,
	.paths = smtp_paths,
	.send = smtp_send,
};
