/* The listener for receipts: libevent's evhttp, one request a connection. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/escape.h"
#include "otpcore/base/log.h"
#include "otpcore/base/memory.h"
#include "otpcore/base/text.h"
#include "smsd/child.h"
#include "smsd/receipt_form.h"
#include "smsd/receipt_http.h"
#include "smsd/sandbox.h"

#define BACKLOG         64
#define DESCRIPTORS     256 /* and so about as many connections */
#define HEADERS_MAX     8192
#define BODY_MAX        16384
#define PENDING_MAX     64    /* requests that smsd has not answered yet */
#define SILENCE_SECONDS 5     /* of a peer, before its connection is closed */
#define LIFE_MS         10000 /* of a connection, whatever it does */
#define PAUSE_MS        100   /* no descriptor for another connection: look again */

/* Jasmin repeats a receipt until it reads these words; no other provider minds. */
#define THANKS "ACK/Jasmin"

struct pending {
	struct evhttp_request *request; /* NULL: free */
	uint32_t serial;
};

struct server {
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener;
	SSL_CTX *tls; /* NULL: plain */
	struct event *word, *pause, *sweep;
	int fd;
	uint32_t serial;
	struct pending pending[PENDING_MAX];
	/* Sockets by descriptor: which one it is, and since when. */
	struct {
		ino_t inode;
		int64_t since;
	} seen[DESCRIPTORS];
	unsigned char in[WIRE_FRAME_MAX], out[WIRE_FRAME_MAX];
};

static struct server server;

/* ---- to smsd and back ---- */

static void answer(struct evhttp_request *request, int status)
{
	struct evbuffer *body = evhttp_request_get_output_buffer(request);

	evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	if (status == HTTP_OK)
		evbuffer_add(body, THANKS, strlen(THANKS));
	evhttp_send_reply(request, status, NULL, NULL);
}

/* The peer has gone before smsd had an answer: its request is not ours any more. */
static void on_gone(struct evhttp_connection *connection, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (server.pending[i].request &&
			evhttp_request_get_connection(server.pending[i].request) == connection)
			server.pending[i].request = NULL;
}

static int hand_over(struct wire_receipt_req *q, struct evhttp_request *request)
{
	struct pending *p = NULL;
	size_t len = 0;

	for (size_t i = 0; i < PENDING_MAX && !p; i++)
		if (!server.pending[i].request)
			p = &server.pending[i];
	if (!p)
		return HTTP_SERVUNAVAIL;
	q->serial = ++server.serial;
	if (wire_encode_request(WIRE_MSG_RECEIPT, q, server.out, &len) < 0)
		return HTTP_BADREQUEST;
	if (send(server.fd, server.out, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		return HTTP_SERVUNAVAIL;
	*p = (struct pending){ request, q->serial };
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_gone, NULL);
	return 0;
}

static void on_word(evutil_socket_t fd, short what, void *arg)
{
	struct wire_receipt_rep rep = { 0 };
	struct wire_result result = { 0 };
	ssize_t n = recv(fd, server.in, sizeof server.in, MSG_DONTWAIT);

	(void)what;
	(void)arg;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		event_base_loopbreak(server.base);
		return;
	}
	if (wire_decode_reply(server.in, (size_t)n, WIRE_MSG_RECEIPT, &result, &rep) < 0)
		return;
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct evhttp_request *request = server.pending[i].request;

		if (!request || server.pending[i].serial != rep.serial)
			continue;
		server.pending[i].request = NULL;
		answer(request, (int)rep.status);
	}
}

/* ---- requests ---- */

static const char *header(struct evhttp_request *request, const char *name)
{
	const char *value = evhttp_find_header(evhttp_request_get_input_headers(request), name);

	return value ? value : "";
}

static bool is_type(struct evhttp_request *request, const char *type)
{
	return strncasecmp(header(request, "Content-Type"), type, strlen(type)) == 0;
}

/* 0 or a status of HTTP. */
static int read_body(struct evhttp_request *request, struct wire_receipt_req *q)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	size_t len = evbuffer_get_length(input);
	char body[BODY_MAX + 1];
	int r = 0;

	if (len > BODY_MAX)
		return HTTP_ENTITYTOOLARGE;
	if (evbuffer_remove(input, body, len) != (int)len || memchr(body, 0, len))
		return HTTP_BADREQUEST;
	body[len] = '\0';
	if (is_type(request, "application/x-www-form-urlencoded"))
		r = receipt_form_add(q, body);
	else if (is_type(request, "application/json") && len)
		return receipt_json_add(q, body, len) < 0 ? HTTP_BADREQUEST : 0;
	q->n_form = (uint32_t)q->n_params;
	return r == MAG_ENOSPACE ? HTTP_ENTITYTOOLARGE : r < 0 ? HTTP_BADREQUEST : 0;
}

static int read_request(struct evhttp_request *request, struct wire_receipt_req *q)
{
	const char *uri = evhttp_request_get_uri(request), *query = strchr(uri, '?');
	int status = read_body(request, q);

	if (status)
		return status;
	if (*uri != '/' || mag_copy(q->path, sizeof q->path, uri) < 0 ||
		mag_copy(q->signature, sizeof q->signature, header(request, "X-Twilio-Signature")) <
			0)
		return HTTP_BADREQUEST;
	return query && receipt_form_add(q, query + 1) < 0 ? HTTP_BADREQUEST : 0;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	static struct wire_receipt_req q;
	int status;

	(void)arg;
	memset(&q, 0, sizeof q);
	status = read_request(request, &q);
	if (!status)
		status = hand_over(&q, request);
	if (status)
		answer(request, status);
}

/* ---- connections ---- */

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	SSL *tls = SSL_new(arg);

	if (!tls)
		return NULL;
	return bufferevent_openssl_socket_new(
		base, -1, tls, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
}

/* The socket stays readable while there is no descriptor: do not spin on it. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	const struct timeval tv = { 0, PAUSE_MS * 1000 };

	(void)arg;
	if (event_add(server.pause, &tv) == 0)
		evconnlistener_disable(listener);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	evconnlistener_enable(server.listener);
}

/* A peer that sends a byte now and then is silent for no second, and holds its place
 * for ever: every connection ends after LIFE_MS. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = mag_ticks_ms();

	(void)fd;
	(void)what;
	(void)arg;
	for (int i = 0; i < DESCRIPTORS; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof peer;
		struct stat st;

		if (i == server.fd || getpeername(i, (struct sockaddr *)&peer, &len) < 0 ||
			fstat(i, &st) < 0) {
			server.seen[i].inode = 0;
		} else if (server.seen[i].inode != st.st_ino) {
			server.seen[i].inode = st.st_ino;
			server.seen[i].since = now;
		} else if (now - server.seen[i].since > LIFE_MS) {
			shutdown(i, SHUT_RDWR);
		}
	}
}

/* ---- beginning and end ---- */

static bool read_address(const char *text, struct sockaddr_storage *address_r, int *len_r)
{
	*len_r = sizeof *address_r;
	memset(address_r, 0, sizeof *address_r);
	return evutil_parse_sockaddr_port(text, (struct sockaddr *)address_r, len_r) == 0 &&
	       (address_r->ss_family == AF_INET
			       ? ((struct sockaddr_in *)address_r)->sin_port
			       : ((struct sockaddr_in6 *)address_r)->sin6_port) != 0;
}

bool receipt_http_is_address(const char *address)
{
	struct sockaddr_storage parsed;
	int len;

	return read_address(address, &parsed, &len);
}

int receipt_http_open(const char *address)
{
	struct sockaddr_storage parsed;
	int len, one = 1, fd;

	if (!read_address(address, &parsed, &len))
		return MAG_ESYNTAX;
	fd = socket(parsed.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
		bind(fd, (struct sockaddr *)&parsed, (socklen_t)len) == 0 &&
		listen(fd, BACKLOG) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return MAG_ESYS;
}

static int setup_tls(const struct receipt_settings *s)
{
	if (!*s->certificate)
		return 0;
	server.tls = SSL_CTX_new(TLS_server_method());
	if (server.tls && SSL_CTX_set_min_proto_version(server.tls, TLS1_2_VERSION) == 1 &&
		SSL_CTX_use_certificate_chain_file(server.tls, s->certificate) == 1 &&
		SSL_CTX_use_PrivateKey_file(server.tls, s->key, SSL_FILETYPE_PEM) == 1 &&
		SSL_CTX_check_private_key(server.tls) == 1)
		return 0;
	mag_log(MAG_LOG_ERROR, "[receipts] certificate, key: cannot be used");
	return MAG_ECRYPTO;
}

static int setup_http(int listen_fd)
{
	struct evhttp_bound_socket *bound;
	const struct timeval second = { 1, 0 };

	server.http = evhttp_new(server.base);
	if (!server.http)
		return MAG_ENOMEM;
	evhttp_set_max_headers_size(server.http, HEADERS_MAX);
	evhttp_set_max_body_size(server.http, BODY_MAX);
	evhttp_set_timeout(server.http, SILENCE_SECONDS);
	evhttp_set_allowed_methods(server.http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_default_content_type(server.http, "text/plain");
	evhttp_set_gencb(server.http, on_request, NULL);
	if (server.tls)
		evhttp_set_bevcb(server.http, on_connection, server.tls);
	bound = evhttp_accept_socket_with_handle(server.http, listen_fd);
	if (!bound)
		return MAG_ESYS;
	server.listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(server.listener, on_accept_error);
	server.pause = evtimer_new(server.base, on_pause_over, NULL);
	server.sweep = event_new(server.base, -1, EV_PERSIST, on_sweep, NULL);
	server.word = event_new(server.base, server.fd, EV_READ | EV_PERSIST, on_word, NULL);
	if (!server.pause || !server.sweep || !server.word || event_add(server.word, NULL) < 0 ||
		event_add(server.sweep, &second) < 0)
		return MAG_ENOMEM;
	return 0;
}

static int setup_limits(void)
{
	const struct rlimit none = { 0, 0 }, files = { DESCRIPTORS, DESCRIPTORS };
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };

	/* smsd's end is ours: its handlers are not. */
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	return setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
			       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
		       ? MAG_ESYS
		       : 0;
}

static int enter_sandbox(bool wanted)
{
#ifdef MAG_INSTRUMENTED /* which writes down what it counted */
	(void)wanted;
	return 0;
#else
	return wanted ? sandbox_enter_receipts() : 0;
#endif
}

static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

int receipt_http_serve(int listen_fd, int fd, struct smsd_settings *s)
{
	const struct receipt_settings settings = s->receipts;
	bool sandbox = s->sandbox;
	int fds[2] = { listen_fd, fd }, r;

	(void)mag_memory_lock(); /* its parent has told why not */
	/* Passwords of gateways are wiped: this process needs none. */
	smsd_settings_free(&s);
	if ((r = setup_tls(&settings)) < 0 ||
		(r = child_become(settings.user, "[receipts] user")) < 0)
		return r;
	if ((r = child_let_go(fds, 2)) < 0 || (r = setup_limits()) < 0)
		return r;
	server.fd = fds[1];
	server.base = new_base();
	if (!server.base)
		return MAG_ENOMEM;
	if ((r = setup_http(fds[0])) < 0)
		return r;
	escape_before("receipts");
	if ((r = enter_sandbox(sandbox)) < 0)
		return r;
	escape_now();
	return event_base_dispatch(server.base) < 0 ? MAG_ESYS : 0;
}
