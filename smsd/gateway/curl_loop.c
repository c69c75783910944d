/* libcurl on the event loop. */
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/gateway/curl_loop.h"
#include "smsd/match.h"

/* Idle connections that are kept. libcurl's own limit follows the transfers under way:
 * when many end at once it would close what the next ones need. */
#define CONNECTIONS_KEPT 256L
#define HANDLES_KEPT     64

struct curl_loop {
	struct event_base *base;
	CURLM *multi;
	struct event *timer, *watchdog;
	TAILQ_HEAD(jobs, curl_job) jobs;
	CURL *idle[HANDLES_KEPT]; /* as new (curl_easy_reset): to make one takes longer */
	size_t n_idle;
};

/* ---- memory: what libcurl gives back held codes and passwords ---- */

static void wiping_free(void *p)
{
	if (p)
		mag_wipe(p, malloc_usable_size(p));
	free(p);
}

static void *wiping_realloc(void *p, size_t size)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *fresh = malloc(size);

	if (fresh && p) {
		memcpy(fresh, p, had < size ? had : size);
		wiping_free(p);
	}
	return fresh;
}

/* ---- the end of a transfer ---- */

static CURL *take_handle(struct curl_loop *l)
{
	return l->n_idle ? l->idle[--l->n_idle] : curl_easy_init();
}

/* Forgets what it was set to; it keeps no cookies and no connection. */
static void give_back(struct curl_loop *l, CURL *easy)
{
	if (l->n_idle == HANDLES_KEPT) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	l->idle[l->n_idle++] = easy;
}

static void job_free(struct curl_job *job)
{
	TAILQ_REMOVE(&job->loop->jobs, job, next);
	if (job->easy) {
		curl_multi_remove_handle(job->loop->multi, job->easy);
		give_back(job->loop, job->easy);
	}
	job->kind->clear(job);
	free(job);
}

static void finish(struct curl_job *job, const struct gateway_result *result)
{
	struct attempt *a = job->attempt;

	job_free(job);
	a->done(a, result);
}

void curl_job_error(const struct curl_job *job, CURLcode code, char *buf, size_t cap)
{
	match_redact(buf, cap, job->error[0] ? job->error : curl_easy_strerror(code),
		job->attempt->text);
}

static void collect(struct curl_loop *l)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(l->multi, &left))) {
		struct gateway_result result = { .outcome = SMS_AMBIGUOUS };
		CURLcode code = message->data.result;
		struct curl_job *job = NULL;

		if (message->msg != CURLMSG_DONE ||
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job) != CURLE_OK)
			continue;
		job->kind->judge(job, code, &result);
		finish(job, &result);
	}
}

/* ---- libcurl's sockets and its one timer as events ---- */

static void on_socket_ready(evutil_socket_t fd, short what, void *arg)
{
	struct curl_loop *l = arg;
	int flags =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(l->multi, fd, flags, &running);
	collect(l);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct curl_loop *l = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(l);
}

/* CURLMOPT_SOCKETFUNCTION: `watch` is the event that we gave the socket. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct curl_loop *l = arg;
	struct event *event = watch;
	short events = EV_PERSIST;

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		events = (short)(events | (what & CURL_POLL_IN ? EV_READ : 0) |
				 (what & CURL_POLL_OUT ? EV_WRITE : 0));
		event = event_new(l->base, fd, events, on_socket_ready, l);
		if (!event || event_add(event, NULL) < 0)
			mag_log(MAG_LOG_ERROR, "cannot watch a gateway's socket");
	}
	curl_multi_assign(l->multi, fd, event);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION: -1 stops it. libcurl must not be called from here. */
static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct curl_loop *l = arg;
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0)
		evtimer_del(l->timer);
	else
		evtimer_add(l->timer, &tv);
	return 0;
}

/* What was to be watched or timed without memory for it ends by its time-out, too:
 * libcurl is asked each second, while there are transfers. */
static void keep_watch(struct curl_loop *l)
{
	static const struct timeval second = { 1, 0 };

	if (TAILQ_EMPTY(&l->jobs))
		event_del(l->watchdog);
	else if (!event_pending(l->watchdog, EV_TIMEOUT, NULL) &&
		 event_add(l->watchdog, &second) < 0)
		mag_log(MAG_LOG_ERROR, "cannot watch over transfers");
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	on_timer(fd, what, arg);
	keep_watch(arg);
}

/* ---- what the gateways of a driver share ---- */

void curl_loop_teardown(void **shared)
{
	const struct gateway_result stopped = { .outcome = SMS_AMBIGUOUS,
		.error = "magotp-smsd is stopping" };
	struct curl_loop *l = *shared;
	struct curl_job *job, *next;

	*shared = NULL;
	if (!l)
		return;
	for (job = TAILQ_FIRST(&l->jobs); job; job = next) {
		next = TAILQ_NEXT(job, next);
		finish(job, &stopped);
	}
	while (l->n_idle)
		curl_easy_cleanup(l->idle[--l->n_idle]);
	if (l->multi)
		curl_multi_cleanup(l->multi);
	if (l->timer)
		event_free(l->timer);
	if (l->watchdog)
		event_free(l->watchdog);
	free(l);
	curl_global_cleanup();
}

int curl_loop_setup(struct event_base *base, void **shared_r)
{
	struct curl_loop *l = calloc(1, sizeof *l);
	void *shared = l;

	if (!l || curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc,
			  strdup, calloc) != CURLE_OK) {
		free(l);
		return MAG_ENOMEM;
	}
	TAILQ_INIT(&l->jobs);
	l->base = base;
	l->timer = evtimer_new(base, on_timer, l);
	l->watchdog = event_new(base, -1, EV_PERSIST, on_second, l);
	l->multi = curl_multi_init();
	if (!l->timer || !l->watchdog || !l->multi ||
		curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT) ||
		curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ||
		curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l) ||
		curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
		curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l)) {
		curl_loop_teardown(&shared);
		return MAG_ENOMEM;
	}
	*shared_r = l;
	return 0;
}

/* ---- the beginning of a transfer ---- */

int curl_set_tls(CURL *easy, const char *ca)
{
	int bad = 0;

	bad |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (*ca) {
		bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
		/* Only these: the system's directory would be taken as well. */
		bad |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	return bad;
}

/* What holds for every transfer; CURLcodes in one, as above. */
static int set_common(struct curl_job *job)
{
	CURL *e = job->easy;
	int bad = 0;

#if LIBCURL_VERSION_NUM >= 0x075500
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, job->kind->protocols);
#else
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS, job->kind->protocol_bits);
#endif
	/* The environment's proxies see nothing of this. */
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	bad |= curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A look-up that hangs is left to its thread: libcurl would wait for it, and the
	 * whole loop with it. */
	bad |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
	bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)job->attempt->timeout_ms);
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, job->error);
	bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, job);
	return bad;
}

static int start(struct curl_job *job)
{
	int r;

	job->easy = take_handle(job->loop);
	if (!job->easy || set_common(job))
		return MAG_ENOMEM;
	if ((r = job->kind->prepare(job)) < 0)
		return r;
	return curl_multi_add_handle(job->loop->multi, job->easy) == CURLM_OK ? 0 : MAG_ENOMEM;
}

void curl_job_send(struct attempt *a, const struct curl_kind *kind)
{
	struct gateway_result result = { .outcome = SMS_RETRYABLE };
	struct curl_job *job = calloc(1, kind->size);
	int r = MAG_ENOMEM;

	if (job) {
		job->kind = kind;
		job->attempt = a;
		job->loop = a->gateway->shared;
		TAILQ_INSERT_TAIL(&job->loop->jobs, job, next);
		keep_watch(job->loop);
		r = start(job);
	}
	if (r == 0)
		return;
	/* A value that does not go into the request will not go there later. */
	if (r == MAG_ERANGE)
		result.outcome = SMS_PERMANENT;
	snprintf(result.error, sizeof result.error, "cannot make the %s: %s", kind->what,
		mag_strerror(r));
	if (job)
		finish(job, &result);
	else
		a->done(a, &result);
}

/* ---- settings ---- */

bool curl_host_is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       mag_has_prefix(host, "127.");
}

bool curl_file_is_readable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}
