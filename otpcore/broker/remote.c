/* The auth host's side of links (link.h): relays with a certificate of ours, and
 * strangers who enrol. A call becomes a request of the next tick, of the relay's host;
 * what it may ask is remote_gate.c's. */
#include "otpcore/broker/remote.h"

#include <endian.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/link.h"
#include "otpcore/broker/parts.h"
#include "otpcore/seal/authority.h"

#define HANDSHAKE_SECONDS 5
#define IDLE_SECONDS      30 /* a relay pings each second */
#define LINKS_PER_HOST    8
#define STRANGERS         512 /* links without a certificate, or before it is seen, */
#define STRANGERS_FROM    64  /* and from one address */
#define LINKS             16384
#define OUT_MAX           ((size_t)4 << 20) /* answers that a relay does not take */
#define SERVER_RENEWED    (30 * 86400)

/* What all links with one certificate share. Not of one name: whoever has a host's old one
 * must not use up what is the new one's. */
struct share {
	struct share *next, **link;
	unsigned char print[HASH_LEN];
	size_t n_links, n_calls;
};

struct remote {
	struct remotes *all;
	struct remote *next, **link;
	struct bufferevent *io;
	struct remote_call *calls;
	struct share *share;
	char host[65]; /* "": a stranger */
	struct in6_addr from;
	int64_t since; /* mag_ticks_ms */
	unsigned char print[HASH_LEN];
	int64_t expires;
	bool asked; /* a stranger, its one question */
	bool over;  /* it was told no, and is to go */
};

/* A call that waits for its answer; of the request, which may outlive the link. */
struct remote_call {
	struct remote *remote; /* NULL: the link is gone */
	struct remote_call *next, **link;
	uint64_t number;
};

struct remotes {
	struct broker *broker;
	struct evconnlistener *listener;
	struct event *second;
	struct signer signer;
	SSL_CTX *ctx;
	int64_t made_at; /* of the server's certificate */
	struct remote *list;
	struct share *shares, strangers;
	size_t n, n_strangers, n_busy;
};

/* ---- links ---- */

/* Whoever reaches the port can make links and end them: the log does not grow by all. */
static bool loud(const struct remote *m, enum thin_kind kind)
{
	struct thin_who who = { .kind = kind };

	mag_copy(who.host, sizeof who.host, m->host);
	return audit_refusal(m->all->broker, &who);
}

/* The certificate's; NULL: no memory, or it has enough links. */
static struct share *share_of(struct remotes *all, const unsigned char print[HASH_LEN])
{
	struct share *s = all->shares;

	while (s && memcmp(s->print, print, HASH_LEN) != 0)
		s = s->next;
	if (!s && (s = calloc(1, sizeof *s))) {
		memcpy(s->print, print, HASH_LEN);
		s->next = all->shares;
		s->link = &all->shares;
		if (s->next)
			s->next->link = &s->next;
		all->shares = s;
	}
	return s && s->n_links < LINKS_PER_HOST ? s : NULL;
}

static void share_leave(struct share *s)
{
	if (--s->n_links || !s->link)
		return;
	if (s->next)
		s->next->link = s->link;
	*s->link = s->next;
	free(s);
}

static void call_unlink(struct remote_call *c)
{
	if (c->next)
		c->next->link = c->link;
	*c->link = c->next;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is in a list has one */
	c->remote->share->n_calls--;
	c->remote = NULL;
}

static void remote_free(struct remote *m)
{
	struct remotes *all = m->all;

	while (m->calls)
		call_unlink(m->calls);
	if (m->next)
		m->next->link = m->link;
	*m->link = m->next;
	all->n--;
	all->n_strangers -= !*m->host;
	share_leave(m->share);
	bufferevent_free(m->io);
	free(m);
}

static bool refuse(struct remote *m, uint64_t number, uint16_t message, int error)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	const struct wire_result result = { .error = error };
	struct link_frame f = { .kind = LINK_ANSWER, .number = number, .body = frame };

	return wire_encode_reply(message, &result, NULL, frame, &f.len) == 0 &&
	       link_send(m->io, &f, NULL, 0) == 0;
}

/* ---- calls ---- */

static void fill(struct request *r, const struct remote *m, const struct wire_origin *o)
{
	r->through = *m->host ? THROUGH_HOST : THROUGH_STRANGER;
	r->peer = (struct peer){ .uid = o->uid,
		.gid = o->gid,
		.pid = o->pid,
		.start = o->alive ? o->start : 0,
		.sid = o->alive ? o->sid : -1,
		.loginuid = o->alive ? o->loginuid : -1,
		.alive = o->alive != 0,
		.pidfd = -1,
		.leader_pid = o->leader_pid,
		.leader_start = o->leader_start };
	mag_copy(r->host, sizeof r->host, m->host);
	mag_clean(r->boot, sizeof r->boot, o->boot);
	mag_copy(r->verifier, sizeof r->verifier, o->verifier);
	memcpy(r->print, m->print, HASH_LEN);
	r->lease = o->lease;
}

/* A request of this call; NULL: it was refused (error in *error_r). */
static struct request *request_of(
	struct remote *m, const struct wire_origin *o, const struct link_frame *f, int *error_r)
{
	const struct wire_message *message = NULL;
	const struct handler *h;
	struct remote_call *c;
	struct request *r;
	void *body = NULL;

	*error_r = wire_decode_request(f->body, f->len, &message, &body);
	if (*error_r)
		return NULL;
	h = handler_of(message->id);
	*error_r = h ? MAG_ENOMEM : MAG_EUNSUPPORTED;
	c = h ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		wire_free(&message->request, &body);
		return NULL;
	}
	r = request_new(m->all->broker, message, h, body);
	if (!r) {
		free(c);
		return NULL;
	}
	*c = (struct remote_call){
		.remote = m, .next = m->calls, .link = &m->calls, .number = f->number
	};
	if (m->calls)
		m->calls->link = &c->next;
	m->calls = c;
	m->share->n_calls++;
	fill(r, m, o);
	r->remote = c;
	r->came = mag_ticks_ns();
	return r;
}

static uint16_t message_in(const struct link_frame *f)
{
	return f->len < 4 ? 0 : (uint16_t)(f->body[2] << 8 | f->body[3]);
}

/* Who has no certificate may ask one thing, once: the rest costs a place in the tick and
 * a record, and is not worth them. */
static bool stranger_asks(struct remote *m, uint16_t message)
{
	bool first = !m->asked;

	m->asked = true;
	return first && message == WIRE_MSG_HOST_ENROLL;
}

/* Root's logins there are not crowded out by its ordinary users. */
static size_t calls_of(const struct settings *s, uint32_t uid)
{
	size_t all = (size_t)s->max_clients_per_host;

	return uid ? all - all / 4 : all;
}

/* False: what came is no call, and the link is to end. */
static bool take(struct remote *m, const struct link_frame *f)
{
	struct remotes *all = m->all;
	struct link_frame inner = *f;
	struct wire_origin o;
	struct request *r;
	size_t len = f->len >= 2 ? (size_t)(f->body[0] << 8 | f->body[1]) : SIZE_MAX;
	int error = 0;

	if (len > LINK_ORIGIN_MAX || len + 2 > f->len ||
		wire_decode_struct(&wire_origin, f->body + 2, len, &o))
		return false;
	inner.body += 2 + len;
	inner.len -= 2 + len;
	/* The link is older than its certificate may grow. */
	if (*m->host && mag_now() >= m->expires)
		return false;
	if (!*m->host && !stranger_asks(m, message_in(&inner)))
		return false;
	/* What one relay asks at a time is bounded: others are served beside it. */
	if (m->share->n_calls >= calls_of(all->broker->settings, o.uid))
		return refuse(m, f->number, message_in(&inner), MAG_EBUSY);
	r = request_of(m, &o, &inner, &error);
	if (!r)
		return refuse(m, f->number, message_in(&inner), error);
	all->n_busy++;
	ticker_add(all->broker->ticker, r);
	return true;
}

/* The host is none of ours any more: it gets this answer and no further one. Whoever has
 * its old certificate could fill the log and the disk with refusals. */
static void end_after_answer(struct remote *m)
{
	if (!m->over && loud(m, THIN_ENDS))
		mag_log(MAG_LOG_WARNING,
			"link of host %s ends: its certificate is not valid (any more)",
			*m->host ? m->host : "(stranger)");
	m->over = true;
	m->since = mag_ticks_ms();
}

void remote_answer(struct request *r)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	struct remotes *all = r->broker->remotes;
	struct remote_call *c = r->remote;
	struct remote *m = c->remote;
	struct link_frame f = { .kind = LINK_ANSWER, .number = c->number, .body = frame };
	uint64_t pid = htobe64((uint64_t)r->look);
	int res;

	r->remote = NULL;
	all->n_busy--;
	if (m) {
		call_unlink(c);
		res = wire_encode_reply(r->message->id, &r->result, r->reply, frame, &f.len);
		if (res && !refuse(m, f.number, r->message->id, res))
			remote_free(m);
		else if (!res && r->look)
			f = (struct link_frame){ LINK_LOOK, f.number, (const unsigned char *)&pid,
				sizeof pid };
		if (!res && r->unknown)
			end_after_answer(m);
		if (!res && link_send(m->io, &f, NULL, 0))
			remote_free(m);
	}
	mag_wipe(frame, f.kind == LINK_ANSWER ? f.len : sizeof frame);
	free(c);
}

static void on_read(struct bufferevent *io, void *arg)
{
	struct remote *m = arg;
	struct evbuffer *in = bufferevent_get_input(io);
	struct link_frame f;
	bool good = true;
	int n;

	if (m->over) {
		(void)evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	while (good && (n = link_next(in, &f)) != 0) {
		if (n < 0)
			good = false;
		else if (f.kind == LINK_CALL)
			good = take(m, &f);
		else if (f.kind == LINK_PING && *m->host)
			good = link_send(io, &(struct link_frame){ LINK_PONG, f.number, NULL, 0 },
				       NULL, 0) == 0;
		else
			good = false;
		if (n > 0)
			link_done(in, &f);
		/* Who asks and does not read is not worth memory. */
		if (evbuffer_get_length(bufferevent_get_output(io)) > OUT_MAX)
			good = false;
	}
	if (good)
		return;
	if (loud(m, THIN_ENDS))
		mag_log(MAG_LOG_WARNING, "link of host %s ends: what it sent is none of our frames",
			*m->host ? m->host : "(stranger)");
	remote_free(m);
}

/* The last answer has gone out; the other end hears of the end only after it. */
static void on_written(struct bufferevent *io, void *arg)
{
	const struct remote *m = arg;

	if (m->over)
		(void)shutdown(bufferevent_getfd(io), SHUT_WR);
}

/* Timeouts of the link begin again with each byte; this does not. */
static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct remotes *all = arg;
	int64_t now = mag_ticks_ms();
	struct remote *next;

	(void)fd;
	(void)what;
	for (struct remote *m = all->list; m; m = next) {
		next = m->next;
		if ((m->over || !*m->host) && now - m->since > HANDSHAKE_SECONDS * 1000)
			remote_free(m);
	}
}

/* ---- handshakes ---- */

/* Who is at the other end: the certificate was checked against the authority. */
static bool identified(struct remote *m)
{
	static const struct timeval idle = { IDLE_SECONDS, 0 };
	X509 *x = SSL_get1_peer_certificate(bufferevent_openssl_get_ssl(m->io));
	char host[sizeof m->host];
	struct share *share;
	bool good;

	if (!x)
		return true; /* a stranger: on_second() ends it */
	good = identity_name(x, host, sizeof host) == 0 && identity_print(x, m->print) == 0;
	m->expires = identity_expires(x);
	X509_free(x);
	share = good ? share_of(m->all, m->print) : NULL;
	if (!share)
		return false;
	share->n_links++;
	share_leave(m->share);
	m->share = share;
	mag_copy(m->host, sizeof m->host, host);
	m->all->n_strangers--;
	bufferevent_set_timeouts(m->io, &idle, &idle);
	if (loud(m, THIN_LINKS))
		mag_log(MAG_LOG_INFO, "link of host %s", host);
	return true;
}

static void on_event(struct bufferevent *io, short what, void *arg)
{
	struct remote *m = arg;
	unsigned long e;

	if (what & BEV_EVENT_CONNECTED) {
		if (!identified(m))
			remote_free(m);
		return;
	}
	e = bufferevent_get_openssl_error(io);
	if (loud(m, THIN_LINKS))
		mag_log(MAG_LOG_INFO, "link of host %s ended%s%s",
			*m->host ? m->host : "(stranger)", e ? ": " : "",
			e ? ERR_reason_error_string(e) : "");
	remote_free(m);
}

static struct in6_addr address_of(const struct sockaddr *sa)
{
	struct in6_addr a = { 0 };

	if (sa->sa_family == AF_INET6)
		a = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	else if (sa->sa_family == AF_INET)
		memcpy(a.s6_addr, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	return a;
}

/* One machine has a whole /64 of them. */
static bool same_place(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, IN6_IS_ADDR_V4MAPPED(a) ? sizeof *a : 8) == 0;
}

/* May one more come from there? */
static bool room_for(const struct remotes *all, const struct in6_addr *from)
{
	size_t n = 0;

	if (all->n >= LINKS || all->n_strangers >= STRANGERS)
		return false;
	for (const struct remote *m = all->list; m; m = m->next)
		n += !*m->host && same_place(&m->from, from);
	return n < STRANGERS_FROM;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
	int len, void *arg)
{
	static const struct timeval handshake = { HANDSHAKE_SECONDS, 0 };
	struct remotes *all = arg;
	struct event_base *base = evconnlistener_get_base(listener);
	struct in6_addr from = address_of(sa);
	struct remote *m = room_for(all, &from) ? calloc(1, sizeof *m) : NULL;
	SSL *ssl = m ? SSL_new(all->ctx) : NULL;
	int one = 1;

	(void)len;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	if (ssl)
		m->io = bufferevent_openssl_socket_new(
			base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (!m || !m->io) {
		if (ssl && !m->io)
			SSL_free(ssl);
		free(m);
		close(fd);
		return;
	}
	m->all = all;
	m->from = from;
	m->since = mag_ticks_ms();
	m->share = &all->strangers;
	m->share->n_links++;
	m->next = all->list;
	m->link = &all->list;
	if (all->list)
		all->list->link = &m->next;
	all->list = m;
	all->n++;
	all->n_strangers++;
	bufferevent_setcb(m->io, on_read, on_written, on_event, m);
	bufferevent_set_timeouts(m->io, &handshake, &handshake);
	bufferevent_enable(m->io, EV_READ | EV_WRITE);
}

static int renew(struct remotes *all)
{
	int64_t now = mag_now();
	int r = remote_context(&all->signer, all->broker->host, now, &all->ctx);

	if (!r)
		all->made_at = now;
	return r;
}

void remotes_hour(struct remotes *all)
{
	if (all && (mag_now() - all->made_at > SERVER_RENEWED || mag_now() < all->made_at))
		(void)renew(all); /* the old one is good for eleven months more */
}

/* ---- from start to end ---- */

int remotes_new(struct broker *b, int fd, struct remotes **remotes_r)
{
	static const struct timeval second = { 1, 0 };
	struct remotes *all;
	int r;

	if (fd < 0)
		return 0;
	all = calloc(1, sizeof *all);
	if (!all)
		return MAG_ENOMEM;
	all->broker = b;
	r = remote_authority(b, &all->signer);
	if (!r)
		r = renew(all);
	if (!r) {
		all->listener =
			evconnlistener_new(b->base, on_accept, all, LEV_OPT_CLOSE_ON_FREE, 0, fd);
		all->second = event_new(b->base, -1, EV_PERSIST, on_second, all);
		r = all->listener && all->second && event_add(all->second, &second) == 0
			    ? 0
			    : MAG_ENOMEM;
	}
	if (r) {
		mag_log(MAG_LOG_ERROR, "relays cannot be served: %s", mag_strerror(r));
		remotes_free(&all);
		return r;
	}
	*remotes_r = all;
	return 0;
}

void remotes_stop(struct remotes *all)
{
	if (!all || !all->listener)
		return;
	evconnlistener_free(all->listener);
	all->listener = NULL;
	for (struct remote *m = all->list; m; m = m->next)
		bufferevent_disable(m->io, EV_READ);
}

void remotes_free(struct remotes **all)
{
	if (!*all)
		return;
	while ((*all)->list)
		remote_free((*all)->list); /* NOLINT(clang-analyzer-unix.Malloc): leaves the list */
	if ((*all)->listener)
		evconnlistener_free((*all)->listener);
	if ((*all)->second)
		event_free((*all)->second);
	SSL_CTX_free((*all)->ctx);
	signer_free(&(*all)->signer);
	free(*all);
	*all = NULL;
}

size_t remotes_busy(const struct remotes *all)
{
	size_t n = all ? all->n_busy : 0;

	/* Answers that are not on their way yet, too. */
	for (const struct remote *m = all ? all->list : NULL; m; m = m->next)
		n += evbuffer_get_length(bufferevent_get_output(m->io)) > 0;
	return n;
}

const struct signer *remotes_signer(const struct remotes *all)
{
	return &all->signer;
}
