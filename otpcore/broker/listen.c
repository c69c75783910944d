/* Frames in, frames out. A request is a connection of its own: one frame, one
 * answer, closed. SOCK_SEQPACKET; passed descriptors find no room and are gone
 * (security.md 1). Nobody's connections crowd out root's (31). */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"

#define IDLE_SECONDS   10
#define ACCEPTS_A_TURN 256
#define ROOT_SHARE     4 /* one in so many connections is kept for root */

struct conn {
	struct listener *listener;
	struct conn *next, **link;
	struct event *event;
	struct peer peer;
	int fd;
	bool busy;          /* a request is under way */
	unsigned char *out; /* an answer that did not fit the socket */
	size_t out_len;
};

struct share { /* of a uid */
	uint32_t uid;
	int64_t n;
};

struct listener {
	struct broker *broker;
	struct event *event;
	struct conn *conns;
	const struct timeval *idle;
	struct share *shares;
	size_t n_shares, cap_shares;
	int64_t n_conns;
	size_t n_busy;
	int fd;
	int spare;         /* given up to take, and end, a connection when none is left */
	int64_t warned_at; /* mag_ticks_ms: a flood does not fill the log too */
	unsigned char frame[WIRE_FRAME_MAX + 1];
};

/* ---- how many, and whose ---- */

static struct share *share_of(struct listener *l, uint32_t uid)
{
	struct share *s;

	for (size_t i = 0; i < l->n_shares; i++)
		if (l->shares[i].uid == uid)
			return &l->shares[i];
	if (l->n_shares == l->cap_shares) {
		size_t cap = l->cap_shares ? 2 * l->cap_shares : 16;

		s = reallocarray(l->shares, cap, sizeof *s);
		if (!s)
			return NULL;
		l->shares = s;
		l->cap_shares = cap;
	}
	s = &l->shares[l->n_shares++];
	*s = (struct share){ uid, 0 };
	return s;
}

static bool admit(struct listener *l, const struct peer *p)
{
	const struct settings *set = l->broker->settings;
	int64_t most = set->max_clients - (p->uid != 0 ? set->max_clients / ROOT_SHARE : 0);
	struct share *s;

	/* First, so that who is refused here leaves no share behind. */
	if (l->n_conns >= most)
		return false;
	s = share_of(l, p->uid);
	if (!s || (p->uid != 0 && s->n >= set->max_clients_per_uid))
		return false;
	s->n++;
	l->n_conns++;
	return true;
}

static void release(struct listener *l, uint32_t uid)
{
	struct share *s = share_of(l, uid);

	l->n_conns--;
	if (s && --s->n == 0)
		*s = l->shares[--l->n_shares];
}

static void conn_free(struct conn *c)
{
	struct listener *l = c->listener;

	if (c->next)
		c->next->link = c->link;
	*c->link = c->next;
	release(l, c->peer.uid);
	if (c->busy)
		l->n_busy--;
	if (c->event)
		event_free(c->event);
	if (c->peer.pidfd >= 0)
		close(c->peer.pidfd);
	close(c->fd);
	if (c->out)
		mag_wipe(c->out, c->out_len);
	free(c->out);
	free(c);
}

/* ---- frames out ---- */

static bool conn_write(struct conn *c, const unsigned char *frame, size_t len)
{
	ssize_t n;

	do
		n = send(c->fd, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) || conn_write(c, c->out, c->out_len))
		conn_free(c);
}

/* Send the frame and close, at once or when the socket takes it. */
static void conn_finish(struct conn *c, const unsigned char *frame, size_t len)
{
	struct event_base *base = c->listener->broker->base;

	if (conn_write(c, frame, len)) {
		conn_free(c);
		return;
	}
	c->out = malloc(len);
	event_free(c->event);
	c->event = c->out ? event_new(base, c->fd, EV_WRITE, on_writable, c) : NULL;
	if (!c->event || event_add(c->event, c->listener->idle)) {
		conn_free(c);
		return;
	}
	memcpy(c->out, frame, len);
	c->out_len = len;
}

void conn_answer(
	struct conn *c, uint16_t message, const struct wire_result *result, const void *reply)
{
	unsigned char *frame = c->listener->frame;
	size_t len = 0;
	int r = wire_encode_reply(message, result, reply, frame, &len);

	if (r) {
		const struct wire_result bad = { .error = r };

		mag_log(MAG_LOG_ERROR, "an answer to message %u does not encode: %s", message,
			mag_strerror(r));
		r = wire_encode_reply(message, &bad, NULL, frame, &len);
	}
	if (r)
		conn_free(c);
	else
		conn_finish(c, frame, len);
	mag_wipe(frame, len);
}

void conn_answer_frame(struct conn *c, const unsigned char *frame, size_t len)
{
	if (frame)
		conn_finish(c, frame, len);
	else
		conn_free(c);
}

static void conn_refuse(struct conn *c, uint16_t message, int error)
{
	const struct wire_result result = { .error = error };

	conn_answer(c, message, &result, NULL);
}

/* ---- frames in ---- */

/* The message a frame means, if it is long enough to say so: the header's
 * second u16, whatever the version. */
static uint16_t message_in(const unsigned char *frame, size_t len)
{
	return len < 4 ? 0 : (uint16_t)(frame[2] << 8 | frame[3]);
}

/* A relay's own numbers are its own. */
static void own_stats(struct conn *c, const struct wire_stats_req *q)
{
	const struct wire_result ok = { .verdict = VERDICT_OK };
	struct wire_stats_rep *rep = c->peer.uid == 0 ? calloc(1, sizeof *rep) : NULL;

	if (!rep) {
		conn_refuse(c, WIRE_MSG_STATS, c->peer.uid == 0 ? MAG_ENOMEM : MAG_EPERM);
		return;
	}
	broker_stats(c->listener->broker, q->after, rep);
	conn_answer(c, WIRE_MSG_STATS, &ok, rep);
	free(rep);
}

/* So are its settings. */
static void own_reload(struct conn *c)
{
	struct wire_result result = { .error = MAG_EPERM };
	char err[OPT_ERROR_MAX] = "";

	if (c->peer.uid == 0 && relay_reload(c->listener->broker, err) == 0)
		result = (struct wire_result){ .verdict = VERDICT_OK };
	else if (c->peer.uid == 0)
		result.error = MAG_EINVAL;
	mag_clean(result.detail, sizeof result.detail, err);
	conn_answer(c, WIRE_MSG_RELOAD, &result, NULL);
}

/* To the auth host. What stands in it was read once, so that garbage stays here. */
static void hand_on(struct conn *c, const struct wire_message *m, size_t len)
{
	struct listener *l = c->listener;

	if (peer_matters(m->id, c->peer.uid))
		peer_look(&c->peer);
	c->busy = true;
	l->n_busy++;
	event_del(c->event);
	relay_take(l->broker->relay, c, &c->peer, l->frame, len);
	mag_wipe(l->frame, len);
}

static void take(struct conn *c, size_t len)
{
	struct listener *l = c->listener;
	uint16_t id = message_in(l->frame, len);
	const struct wire_message *m = NULL;
	const struct handler *h;
	struct request *r;
	void *body = NULL;
	int res = len > WIRE_FRAME_MAX ? MAG_EPROTO : wire_decode_request(l->frame, len, &m, &body);

	if (!res && l->broker->relay) {
		if (m->id == WIRE_MSG_STATS)
			own_stats(c, body);
		else if (m->id == WIRE_MSG_RELOAD)
			own_reload(c);
		else
			hand_on(c, m, len);
		wire_free(&m->request, &body);
		return;
	}
	mag_wipe(l->frame, len > WIRE_FRAME_MAX ? WIRE_FRAME_MAX : len);
	if (res) {
		conn_refuse(c, id, res);
		return;
	}
	h = handler_of(m->id);
	if (!h)
		wire_free(&m->request, &body);
	r = h ? request_new(l->broker, m, h, body) : NULL;
	if (!r) {
		conn_refuse(c, id, h ? MAG_ENOMEM : MAG_EUNSUPPORTED);
		return;
	}
	if (peer_matters(m->id, c->peer.uid))
		peer_look(&c->peer);
	r->peer = c->peer;
	r->conn = c;
	r->came = mag_ticks_ns();
	c->busy = true;
	l->n_busy++;
	event_del(c->event); /* nothing more is read from this one */
	ticker_add(l->broker->ticker, r);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct listener *l = c->listener;
	struct iovec iov = { l->frame, sizeof l->frame };
	/* No room for control data: passed descriptors are closed by the kernel. */
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (what & EV_TIMEOUT) {
		conn_free(c);
		return;
	}
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && event_add(c->event, l->idle) == 0)
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	take(c, msg.msg_flags & MSG_TRUNC ? sizeof l->frame : (size_t)n);
}

/* At most one line a second about clients that are too many. */
static void warn(struct listener *l, const char *what, unsigned uid)
{
	int64_t now = mag_ticks_ms();

	if (l->warned_at && now - l->warned_at < 1000)
		return;
	l->warned_at = now;
	mag_log(MAG_LOG_WARNING, "%s (uid %u)", what, uid);
}

static void conn_new(struct listener *l, int fd)
{
	struct peer peer;
	struct conn *c = NULL;

	if (peer_of(fd, &peer)) {
		close(fd);
		return;
	}
	if (!admit(l, &peer)) {
		warn(l, "too many connections", peer.uid);
		goto refuse;
	}
	c = calloc(1, sizeof *c);
	if (c)
		c->event = event_new(l->broker->base, fd, EV_READ, on_readable, c);
	if (!c || !c->event) {
		release(l, peer.uid);
		free(c);
		goto refuse;
	}
	c->listener = l;
	c->fd = fd;
	c->peer = peer;
	c->next = l->conns;
	c->link = &l->conns;
	if (l->conns)
		l->conns->link = &c->next;
	l->conns = c;
	/* The frame is mostly there already: a turn of the loop less, and nothing to
	 * wait for. */
	on_readable(fd, EV_READ, c);
	return;
refuse:
	if (peer.pidfd >= 0)
		close(peer.pidfd);
	close(fd);
}

/* No descriptor is left. A connection that stays in the backlog would wake us
 * for ever, so the next one is taken with the spare one, and ended. */
static void turn_away(struct listener *l, int fd)
{
	int c;

	close(l->spare);
	c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c >= 0)
		close(c);
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	warn(l, "no descriptor for a connection", WIRE_UID_UNKNOWN);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (c >= 0)
			conn_new(l, c);
		else if ((errno == EMFILE || errno == ENFILE) && l->spare >= 0)
			turn_away(l, fd);
		else
			return;
	}
}

/* ---- the listener ---- */

int listener_new(struct broker *b, int fd, struct listener **l_r)
{
	const struct timeval idle = { IDLE_SECONDS, 0 };
	struct listener *l = calloc(1, sizeof *l);

	if (!l)
		return MAG_ENOMEM;
	l->broker = b;
	l->fd = fd;
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->idle = event_base_init_common_timeout(b->base, &idle);
	l->event = event_new(b->base, fd, EV_READ | EV_PERSIST, on_accept, l);
	if (!l->event || event_add(l->event, NULL)) {
		if (l->event)
			event_free(l->event);
		if (l->spare >= 0)
			close(l->spare);
		free(l);
		return MAG_ENOMEM;
	}
	*l_r = l;
	return 0;
}

void listener_stop(struct listener *l)
{
	if (l->fd < 0)
		return;
	/* Who came before the end is still served. */
	on_accept(l->fd, EV_READ, l);
	event_del(l->event);
	close(l->fd);
	l->fd = -1;
	for (struct conn *c = l->conns, *next; c; c = next) {
		next = c->next;
		if (!c->busy && !c->out)
			on_readable(c->fd, EV_READ, c); /* frees it if it hung up */
	}
	for (struct conn *c = l->conns, *next; c; c = next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): who is freed leaves the list */
		next = c->next;
		if (!c->busy && !c->out)
			conn_free(c);
	}
}

void listener_free(struct listener **l)
{
	if (!*l)
		return;
	while ((*l)->conns)
		conn_free((*l)->conns); /* NOLINT(clang-analyzer-unix.Malloc): as above */
	if ((*l)->fd >= 0)
		close((*l)->fd);
	event_free((*l)->event);
	if ((*l)->spare >= 0)
		close((*l)->spare);
	free((*l)->shares);
	free(*l);
	*l = NULL;
}

size_t listener_busy(const struct listener *l)
{
	return l->n_busy;
}

size_t listener_connections(const struct listener *l)
{
	return (size_t)l->n_conns;
}
