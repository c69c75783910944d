/* Sockets and the one timer of libcurl become events; ended transfers are told. */
#include <event2/event.h>
#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/gateway/curl_loop.h"

struct curl_loop {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	void (*done)(void *transfer, CURLcode code);
};

static void collect(struct curl_loop *l)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(l->multi, &left))) {
		CURLcode code = message->data.result;
		void *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) ==
			CURLE_OK)
			l->done(transfer, code);
	}
}

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

int curl_loop_new(struct event_base *base, void (*done)(void *transfer, CURLcode code),
	struct curl_loop **loop_r)
{
	struct curl_loop *l = calloc(1, sizeof *l);

	if (!l || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(l);
		return MAG_ENOMEM;
	}
	l->base = base;
	l->done = done;
	l->timer = evtimer_new(base, on_timer, l);
	l->multi = curl_multi_init();
	if (!l->timer || !l->multi ||
		curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ||
		curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l) ||
		curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
		curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l)) {
		curl_loop_free(&l);
		return MAG_ENOMEM;
	}
	*loop_r = l;
	return 0;
}

void curl_loop_free(struct curl_loop **loop)
{
	struct curl_loop *l = *loop;

	*loop = NULL;
	if (!l)
		return;
	if (l->multi)
		curl_multi_cleanup(l->multi);
	if (l->timer)
		event_free(l->timer);
	free(l);
	curl_global_cleanup();
}

int curl_loop_add(struct curl_loop *loop, CURL *easy)
{
	return curl_multi_add_handle(loop->multi, easy) == CURLM_OK ? 0 : MAG_ENOMEM;
}

void curl_loop_remove(struct curl_loop *loop, CURL *easy)
{
	curl_multi_remove_handle(loop->multi, easy);
}
