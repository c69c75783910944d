/* What feeds the dispatchers of bench/dispatch.
 *   dispatchbench queue SOCKET N        N messages to magotp-smsd, without their answers
 *   dispatchbench submit SOCKET N PAR   N messages, PAR of them under way, to the answer
 *   dispatchbench curl URL N PAR        N requests by curl_multi: the limit of what a
 *                                       dispatcher with libcurl can do; also Kannel's feeder
 * Ends with 0 if all were taken. To the URL a text is added. */
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "otpcore/wire/wire.h"

#define PARALLEL_MAX 256
#define TEXT         "%06d is your login code for web1. Good for 2 minutes."
#define QUERY_TEXT   "%06d+is+your+login+code+for+web1.+Good+for+2+minutes."

static void die(const char *what, const char *why)
{
	fprintf(stderr, "dispatchbench: %s: %s\n", what, why);
	exit(1);
}

/* ---- magotp-smsd ---- */

static int open_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (void *)&a, sizeof a) < 0)
		die(path, strerror(errno));
	return fd;
}

static void send_message(int fd, int number)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	struct wire_submit_req q = {
		.channel = "sms", .to = "+12025550134", .expires_at = time(NULL) + 600
	};
	size_t len = 0;
	char text[128];
	int n = snprintf(text, sizeof text, TEXT, number % 1000000);

	snprintf(q.id, sizeof q.id, "b%d-%d", (int)getpid(), number);
	if (mag_secret_set(&q.text, text, (size_t)n) < 0 ||
		wire_encode_request(WIRE_MSG_SUBMIT, &q, frame, &len) < 0 ||
		send(fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("submit", strerror(errno));
	mag_secret_free(&q.text);
}

static void take_answer(int fd)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	struct wire_submit_rep p = { 0 };
	struct wire_result result;
	ssize_t n = recv(fd, frame, sizeof frame, 0);

	if (n <= 0 || wire_decode_reply(frame, (size_t)n, WIRE_MSG_SUBMIT, &result, &p) < 0 ||
		result.error || p.outcome != 1)
		die("answer", p.error[0] ? p.error : "not accepted");
}

static void queue_all(const char *path, int n)
{
	for (int i = 0; i < n; i++) {
		int fd = open_socket(path);

		send_message(fd, i);
		close(fd);
	}
}

static void submit_all(const char *path, int n, int parallel)
{
	int sent = 0, answered = 0, epoll = epoll_create1(EPOLL_CLOEXEC);

	for (; sent < parallel && sent < n; sent++) {
		struct epoll_event e = { .events = EPOLLIN, .data.fd = open_socket(path) };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e) < 0)
			die("epoll", strerror(errno));
		send_message(e.data.fd, sent);
	}
	while (answered < n) {
		struct epoll_event events[PARALLEL_MAX];
		int ready = epoll_wait(epoll, events, PARALLEL_MAX, 20000);

		if (ready <= 0)
			die("submit", "no answer any more");
		for (int i = 0; i < ready; i++) {
			take_answer(events[i].data.fd);
			answered++;
			if (sent < n)
				send_message(events[i].data.fd, sent++);
		}
	}
}

/* ---- libcurl ---- */

static struct feeder {
	struct event_base *base;
	struct event *timer;
	CURLM *multi;
	const char *url;
	int sent, answered, all;
} f;

static size_t ignore(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static void next_request(CURL *e)
{
	char url[1024];
	int n = snprintf(url, sizeof url, "%s&text=" QUERY_TEXT, f.url, f.sent++ % 1000000);

	if (n <= 0 || curl_easy_setopt(e, CURLOPT_URL, url) != CURLE_OK ||
		curl_multi_add_handle(f.multi, e) != CURLM_OK)
		die("curl", "cannot begin a request");
}

static void collect(void)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f.multi, &left))) {
		CURL *e = m->easy_handle;
		long status = 0;

		curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
		if (m->data.result != CURLE_OK || status != 202)
			die("curl", curl_easy_strerror(m->data.result));
		curl_multi_remove_handle(f.multi, e);
		f.answered++;
		if (f.sent < f.all)
			next_request(e);
	}
	if (f.answered == f.all)
		event_base_loopbreak(f.base);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	int running, flags = (what & EV_READ ? CURL_CSELECT_IN : 0) |
			     (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	(void)arg;
	curl_multi_socket_action(f.multi, fd, flags, &running);
	collect();
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	int running;

	(void)fd;
	(void)what;
	(void)arg;
	curl_multi_socket_action(f.multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect();
}

static int watch(CURL *e, curl_socket_t fd, int what, void *arg, void *event)
{
	(void)e;
	(void)arg;
	if (event)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		event = event_new(f.base, fd,
			(short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
				(what & CURL_POLL_OUT ? EV_WRITE : 0)),
			on_ready, NULL);
		event_add(event, NULL);
	}
	curl_multi_assign(f.multi, fd, event);
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	(void)multi;
	(void)arg;
	if (ms < 0)
		evtimer_del(f.timer);
	else
		evtimer_add(f.timer, &tv);
	return 0;
}

static void request_all(const char *url, int n, int parallel)
{
	f.url = url;
	f.all = n;
	f.base = event_base_new();
	f.multi = curl_multi_init();
	f.timer = evtimer_new(f.base, on_timer, NULL);
	curl_multi_setopt(f.multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(f.multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(f.multi, CURLMOPT_MAXCONNECTS, (long)parallel);
	for (int i = 0; i < parallel && f.sent < n; i++) {
		CURL *e = curl_easy_init();

		curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ignore);
		curl_easy_setopt(e, CURLOPT_PROXY, "");
		curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
		next_request(e);
	}
	event_base_dispatch(f.base);
	if (f.answered != n)
		die("curl", "ended early");
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[3]) : 0, parallel = argc > 4 ? atoi(argv[4]) : 0;

	if (argc == 4 && strcmp(argv[1], "queue") == 0)
		queue_all(argv[2], n);
	else if (argc == 5 && strcmp(argv[1], "submit") == 0 && parallel <= PARALLEL_MAX)
		submit_all(argv[2], n, parallel);
	else if (argc == 5 && strcmp(argv[1], "curl") == 0)
		request_all(argv[2], n, parallel);
	else
		die("usage", "dispatchbench queue|submit|curl WHERE N [PARALLEL]");
	return 0;
}
