/* Connections of smsd. A connection carries one request at a time; while it
 * waits for the outcome, only its end is looked for. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/listen.h"
#include "smsd/report.h"
#include "smsd/unused.h"

#define CONNECTIONS_MAX 4096
#define BACKLOG         1024
/* Descriptors that stay free for requests to gateways. */
#define DESCRIPTORS_SPARE 256
/* Who says nothing keeps no place; who waits for an outcome does. */
#define IDLE_SECONDS 10
/* No descriptor or memory for another connection: look again after this. */
#define ACCEPT_PAUSE_MS 50

struct connection {
	struct listener *listener;
	int fd;
	struct event *event;
	struct queue_waiter *waiter; /* an answer is outstanding */
	bool dead;                   /* to be freed by whoever is on the stack */
	TAILQ_ENTRY(connection) next;
};

struct listener {
	const struct listen_config *config;
	int fd;
	struct event *event, *pause;
	const struct timeval *idle;
	size_t n_connections, max_connections;
	int64_t started_at;
	TAILQ_HEAD(connections, connection) connections;
	/* One frame in, one out at a time; wiped after use, they hold codes. */
	unsigned char in[WIRE_FRAME_MAX], out[WIRE_FRAME_MAX];
};

static void connection_free(struct connection *c)
{
	struct listener *l = c->listener;

	TAILQ_REMOVE(&l->connections, c, next);
	l->n_connections--;
	queue_leave(&c->waiter);
	if (c->event)
		event_free(c->event);
	close(c->fd);
	free(c);
	/* There is room for one more again. */
	if (l->event && l->n_connections == l->max_connections - 1)
		event_add(l->event, NULL);
}

static int reply(
	struct connection *c, uint16_t message, const struct wire_result *result, const void *body)
{
	struct listener *l = c->listener;
	size_t len = 0;
	int r = wire_encode_reply(message, result, body, l->out, &len);

	if (r == 0 && send(c->fd, l->out, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		r = MAG_ESYS;
	mag_wipe(l->out, len);
	return r;
}

/* ---- submit ---- */

/* Not freed here: who asked may be on the stack. The event sees the end, and frees. */
static void give_up(struct connection *c)
{
	c->dead = true;
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void submit_answer(void *arg, const struct queue_answer *answer)
{
	struct connection *c = arg;
	const struct wire_result result = { .error = 0, .verdict = 1 };
	struct wire_submit_rep body = { .outcome = answer->outcome };

	c->waiter = NULL;
	snprintf(body.gateway, sizeof body.gateway, "%s", answer->gateway);
	mag_clean(body.provider_id, sizeof body.provider_id, answer->provider_id);
	mag_clean(body.error, sizeof body.error, answer->error);
	if (reply(c, WIRE_MSG_SUBMIT, &result, &body) < 0)
		give_up(c);
}

static int handle_submit(struct connection *c, void *request)
{
	const struct listen_config *config = c->listener->config;
	struct wire_result result = { 0 };
	struct sms_message m = { 0 };
	char error[SMS_ERROR_MAX] = "";
	int r = sms_message_take(&m, request, error);

	if (r == 0)
		r = queue_submit(config->queue, &m, submit_answer, c, &c->waiter);
	sms_message_clear(&m);
	if (r == 0) {
		config->submitted(config->arg);
		return c->dead ? MAG_ESYS : 0;
	}
	mag_log(MAG_LOG_WARNING, "a message was not taken: %s", *error ? error : mag_strerror(r));
	result.error = r;
	snprintf(result.detail, sizeof result.detail, "%s", error);
	return reply(c, WIRE_MSG_SUBMIT, &result, NULL);
}

/* ---- delivery, used ---- */

static void delivery_answer(void *arg, const struct queue_answer *answer)
{
	struct connection *c = arg;
	const struct wire_result result = { .error = 0, .verdict = 1 };
	struct wire_delivery_rep body = { .state = answer->delivery };

	c->waiter = NULL;
	snprintf(body.error, sizeof body.error, "%s", answer->word);
	if (reply(c, WIRE_MSG_DELIVERY, &result, &body) < 0)
		give_up(c);
}

static int handle_delivery(struct connection *c, void *request)
{
	const struct wire_delivery_req *q = request;
	const struct wire_result failed = { .error = MAG_ENOMEM };

	if (queue_delivery(c->listener->config->queue, q->id, delivery_answer, c, &c->waiter) < 0)
		return reply(c, WIRE_MSG_DELIVERY, &failed, NULL);
	return c->dead ? MAG_ESYS : 0;
}

static int handle_used(struct connection *c, void *request)
{
	const struct listen_config *config = c->listener->config;
	const struct wire_used_req *q = request;
	const struct wire_result result = { .error = 0, .verdict = 1 };
	const struct wire_used_rep body = { 0 };

	queue_used(config->queue, q->id, q->used);
	config->submitted(config->arg);
	return reply(c, WIRE_MSG_USED, &result, &body);
}

/* ---- gateway_list ---- */

static int handle_gateway_list(struct connection *c, void *request)
{
	struct queue_config *q = c->listener->config->queue_config;
	const struct wire_result result = { .error = 0, .verdict = 1 };
	struct wire_gateway_list_rep *body = calloc(1, sizeof *body);
	int r = MAG_ENOMEM;

	(void)request;
	if (!body)
		return r;
	report_gateways(q, body);
	body->started_at = c->listener->started_at;
	body->queued = (uint32_t)queue_waiting(c->listener->config->queue);
	body->queue_max = (uint32_t)q->max_waiting;
	r = reply(c, WIRE_MSG_GATEWAY_LIST, &result, body);
	free(body);
	return r;
}

static int handle_block_reset(struct connection *c, void *request)
{
	struct queue_config *q = c->listener->config->queue_config;
	const struct wire_block_reset_req *ask = request;
	const struct wire_result result = { .error = 0, .verdict = 1 };
	const struct wire_block_reset_rep body = {
		.stopped = (uint32_t)unused_reset(q->limits.unused, ask->block),
	};

	return reply(c, WIRE_MSG_BLOCK_RESET, &result, &body);
}

/* ---- dispatch ---- */

static const struct {
	uint16_t message;
	int (*handle)(struct connection *c, void *request);
} handlers[] = {
	{ WIRE_MSG_SUBMIT, handle_submit },
	{ WIRE_MSG_DELIVERY, handle_delivery },
	{ WIRE_MSG_USED, handle_used },
	{ WIRE_MSG_GATEWAY_LIST, handle_gateway_list },
	{ WIRE_MSG_BLOCK_RESET, handle_block_reset },
};

static int dispatch(struct connection *c, size_t len)
{
	struct listener *l = c->listener;
	struct wire_result result = { .error = MAG_EUNSUPPORTED };
	const struct wire_message *message = NULL;
	void *request = NULL;
	int r = wire_decode_request(l->in, len, &message, &request);

	mag_wipe(l->in, len);
	if (r < 0) {
		result.error = r;
		return reply(c, WIRE_MSG_SUBMIT, &result, NULL);
	}
	r = 1;
	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
		if (handlers[i].message == message->id)
			r = handlers[i].handle(c, request);
	if (r == 1)
		r = reply(c, message->id, &result, NULL);
	wire_free(&message->request, &request);
	return r;
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t n;

	if (what & EV_TIMEOUT) {
		if (!c->waiter)
			connection_free(c);
		return;
	}
	n = recv(fd, c->listener->in, sizeof c->listener->in, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* One request at a time: a second one before the answer ends it. */
	if (n <= 0 || c->waiter || dispatch(c, (size_t)n) < 0)
		connection_free(c);
}

/* ---- gate ---- */

static bool may_speak(const struct listen_config *config, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof peer)
		return false;
	if (peer.uid == 0)
		return true;
	for (size_t i = 0; i < config->n_clients; i++)
		if (peer.uid == config->clients[i])
			return true;
	mag_log(MAG_LOG_WARNING, "uid %u may not hand messages over", (unsigned)peer.uid);
	return false;
}

/* The socket stays readable while nobody can be let in: do not spin on it. */
static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	if (l->event && l->n_connections < l->max_connections)
		event_add(l->event, NULL);
}

static void pause_accepting(struct listener *l)
{
	const struct timeval tv = { 0, ACCEPT_PAUSE_MS * 1000 };

	if (event_add(l->pause, &tv) == 0)
		event_del(l->event);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct connection *c;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (peer < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(l);
		return;
	}
	c = may_speak(l->config, peer) ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		close(peer);
		return;
	}
	c->listener = l;
	c->fd = peer;
	TAILQ_INSERT_TAIL(&l->connections, c, next);
	l->n_connections++;
	c->event = event_new(l->config->base, peer, EV_READ | EV_PERSIST, on_connection, c);
	if (!c->event || event_add(c->event, l->idle) < 0) {
		connection_free(c);
		return;
	}
	/* Full: the others wait in the backlog. */
	if (l->n_connections == l->max_connections)
		event_del(l->event);
}

/* ---- start and stop ---- */

/* Does anybody answer there? A socket file without a listener may go. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;

	if (fd >= 0)
		close(fd);
	return alive;
}

int listen_open(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1, r = mag_copy(address.sun_path, sizeof address.sun_path, path);
	mode_t mask;

	if (r < 0)
		return r;
	if (is_alive(&address))
		return MAG_EEXISTS;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return MAG_ESYS;
	unlink(path);
	/* Never wider than 0660, not even for a moment. */
	mask = umask(0117);
	r = bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? MAG_ESYS : 0;
	umask(mask);
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = MAG_ESYS;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* As many as the limit of descriptors allows, and leaves room for. */
static size_t connections_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
		limit.rlim_cur >= CONNECTIONS_MAX + DESCRIPTORS_SPARE)
		return CONNECTIONS_MAX;
	return limit.rlim_cur > 2 * DESCRIPTORS_SPARE ? limit.rlim_cur - DESCRIPTORS_SPARE
						      : limit.rlim_cur / 2 + 1;
}

int listen_start(int fd, const struct listen_config *config, struct listener **listener_r)
{
	static const struct timeval idle = { IDLE_SECONDS, 0 };
	struct listener *l = calloc(1, sizeof *l);

	if (!l)
		return MAG_ENOMEM;
	l->config = config;
	l->fd = fd;
	TAILQ_INIT(&l->connections);
	l->max_connections = connections_max();
	l->started_at = config->queue_config->time(config->queue_config->arg).now_ms / 1000;
	l->idle = event_base_init_common_timeout(config->base, &idle);
	l->event = event_new(config->base, fd, EV_READ | EV_PERSIST, on_accept, l);
	l->pause = evtimer_new(config->base, on_pause_over, l);
	if (!l->pause || !l->event || event_add(l->event, NULL) < 0) {
		listen_free(&l);
		return MAG_ENOMEM;
	}
	*listener_r = l;
	return 0;
}

void listen_stop_accepting(struct listener *l)
{
	if (l->event)
		event_free(l->event);
	l->event = NULL;
	if (l->pause)
		event_free(l->pause);
	l->pause = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void listen_free(struct listener **listener)
{
	struct listener *l = *listener;
	struct connection *c, *next;

	*listener = NULL;
	if (!l)
		return;
	listen_stop_accepting(l);
	for (c = TAILQ_FIRST(&l->connections); c; c = next) {
		next = TAILQ_NEXT(c, next);
		connection_free(c);
	}
	free(l);
}
