/* A relay's side of the link (link.h, security.md 40). Requests of local peers wait in
 * one list until the auth host has answered. Where the link breaks, those that may be
 * asked twice (login.md: a repeat gets its first answer) go to the next auth host; of
 * the others the connection ends, and whoever asked decides. */
#include "otpcore/broker/relay_parts.h"

#include <endian.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/away.h"

#define TICK_MS     250
#define CONNECT_MS  1500 /* name, TCP and TLS */
#define SILENCE_MS  3000 /* with a ping each second */
#define PING_MS     1000
#define PATIENCE_MS 2500 /* of a call that no auth host has taken */
#define REST_MS     1000 /* between rounds in which none answered */

static void connect_next(struct relay *r);

/* ---- calls ---- */

/* Of a login: it changes nothing, carries a sequence number, or is told apart by its
 * process (open). The rest must not be done twice without anybody's knowing. What the relay
 * asks for itself says so. */
static bool repeatable(const struct call *c)
{
	return link_of_login(c->message) || c->done;
}

/* Takes it out of the list at `link`. */
static void call_free(struct relay *r, struct call **link)
{
	struct call *c = *link;

	*link = c->next;
	if (!c->next)
		r->tail = link;
	mag_wipe(c->frame, c->len);
	free(c);
}

static void call_end(struct relay *r, struct call **link, const unsigned char *frame, size_t len)
{
	struct conn *conn = (*link)->conn;
	relay_done_fn *done = (*link)->done;
	void *arg = (*link)->arg;

	call_free(r, link);
	if (conn)
		conn_answer_frame(conn, frame, len);
	else if (done)
		done(arg, frame, len);
}

/* No auth host has taken it in time. */
static void call_give_up(struct relay *r, struct call **link)
{
	const struct wire_result down = { .error = MAG_EDOWN };
	struct call *c = *link;
	struct conn *conn = c->conn;
	uint16_t message = c->message;
	bool answered = conn && away_answer(r->away, &(struct away_ask){ conn, &c->origin, c->frame,
							     c->len, !r->up });

	if (!conn) {
		call_end(r, link, NULL, 0);
		return;
	}
	call_free(r, link);
	if (!answered)
		conn_answer(conn, message, &down, NULL);
}

static bool call_send(struct relay *r, struct call *c)
{
	unsigned char head[2 + LINK_ORIGIN_MAX];
	struct link_frame f = { .kind = LINK_CALL, .number = c->number, .body = head };
	size_t len = 0;

	/* A code that goes there is none of ours any more, whatever comes of it. */
	if (!c->struck && c->conn)
		c->origin.lease = away_strike(r->away, c->frame, c->len);
	c->struck = true;
	if (wire_encode_struct(&wire_origin, &c->origin, head + 2, LINK_ORIGIN_MAX, &len))
		return false;
	head[0] = (unsigned char)(len >> 8);
	head[1] = (unsigned char)len;
	f.len = len + 2;
	c->sent = link_send(r->io, &f, c->frame, c->len) == 0;
	return c->sent;
}

static struct call *call_new(struct relay *r, const unsigned char *frame, size_t len)
{
	struct call *c = calloc(1, sizeof *c + len);

	if (!c)
		return NULL;
	c->relay = r;
	c->number = ++r->number;
	c->message = (uint16_t)(frame[2] << 8 | frame[3]);
	c->since = mag_ticks_ms();
	c->len = len;
	memcpy(c->frame, frame, len);
	mag_copy(c->origin.boot, sizeof c->origin.boot, r->broker->boot);
	*r->tail = c;
	r->tail = &c->next;
	return c;
}

/* What was done here without asking is told first. */
static bool may_go(const struct relay *r, const struct call *c)
{
	return r->up && (!c->conn || away_ready(r->away));
}

void relay_flush(struct relay *r)
{
	for (struct call *c = r->calls; c; c = c->next)
		if (!c->sent && may_go(r, c) && !call_send(r, c))
			break;
}

static void call_go(struct relay *r, struct call *c)
{
	if (may_go(r, c))
		(void)call_send(r, c); /* else it stays, and is sent again */
	else if (!r->io && mag_ticks_ms() >= r->rest_until)
		connect_next(r);
}

static void fill_origin(struct relay *r, struct call *c, const struct peer *peer)
{
	c->origin.uid = peer->uid;
	c->origin.gid = peer->gid;
	c->origin.pid = peer->pid;
	c->origin.start = peer->start;
	c->origin.sid = peer->sid;
	c->origin.loginuid = peer->loginuid;
	c->origin.alive = peer->alive;
	mag_copy(c->origin.verifier, sizeof c->origin.verifier,
		settings_verifier(r->broker->settings, peer->uid));
}

static struct call **call_find_link(struct relay *r, const struct call *c)
{
	struct call **link = &r->calls;

	while (*link != c)
		link = &(*link)->next;
	return link;
}

void relay_take(struct relay *r, struct conn *conn, const struct peer *peer,
	const unsigned char *frame, size_t len)
{
	const struct wire_result full = { .error = MAG_ENOMEM };
	struct call *c = call_new(r, frame, len);

	if (!c) {
		conn_answer(conn, (uint16_t)(frame[2] << 8 | frame[3]), &full, NULL);
		return;
	}
	c->conn = conn;
	fill_origin(r, c, peer);
	if (away_answer(r->away,
		    &(struct away_ask){ conn, &c->origin, frame, len, !r->up && r->told })) {
		call_free(r, call_find_link(r, c));
		return;
	}
	call_go(r, c);
}

int relay_ask(
	struct relay *r, uint16_t message, const void *request, relay_done_fn *done, void *arg)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	struct call *c = NULL;
	size_t len = 0;
	int res = r->up ? wire_encode_request(message, request, frame, &len) : MAG_EDOWN;

	if (!res)
		c = call_new(r, frame, len);
	mag_wipe(frame, len);
	if (!c)
		return res ? res : MAG_ENOMEM;
	c->done = done;
	c->arg = arg;
	call_go(r, c); /* origin: uid 0, this daemon's own word */
	return 0;
}
static struct call **call_find(struct relay *r, uint64_t number)
{
	for (struct call **link = &r->calls; *link; link = &(*link)->next)
		if ((*link)->number == number && (*link)->sent)
			return link;
	return NULL;
}

/* ---- the link ---- */

/* None answers, told once. A host that was off for long has to be taken up again. */
static void say_alone(const struct relay *r)
{
	int64_t end = identity_expires(r->identity.certificate);
	char at[32];

	if (end > mag_now())
		mag_log(MAG_LOG_ERROR, "no auth host answers; this is tried again");
	else
		mag_log(MAG_LOG_ERROR,
			"no auth host answers: this host's certificate (%s) expired on %s; say "
			"\"magotpctl host revoke %s\" and \"magotpctl host add %s\" on an auth "
			"host, "
			"then \"magotpctl host enroll\" here",
			r->broker->settings->identity, mag_time_minute(end, at, sizeof at),
			r->broker->host, r->broker->host);
}

/* It is over, or did not come about. The next one is tried at once; after a round in
 * which none answered, in a moment. */
static void link_lost(struct relay *r, const char *why)
{
	const struct settings *s = r->broker->settings;
	int64_t now = mag_ticks_ms();
	struct call **link = &r->calls;
	bool was_up = r->up && r->proven;

	if (was_up || !r->told)
		mag_log(MAG_LOG_WARNING, "auth host %s: %s", s->upstreams[r->at].host, why);
	bufferevent_free(r->io);
	r->io = NULL;
	r->up = false;
	while (*link) {
		struct call *c = *link;

		if (c->sent && !repeatable(c)) {
			call_end(r, link, NULL, 0);
			continue;
		}
		if (c->sent)
			c->since = now;
		c->sent = false;
		link = &c->next;
	}
	r->at = (r->at + 1) % s->n_upstreams;
	r->failed = was_up ? 1 : r->failed + 1;
	if (r->failed < s->n_upstreams) {
		connect_next(r);
		return;
	}
	if (!r->told)
		say_alone(r);
	r->told = true;
	r->failed = 0;
	r->rest_until = now + REST_MS;
}

/* In TLS 1.3 our side is ready before the auth host has looked at our certificate: only what
 * it sends shows that it took it. Until then a link that ends is one that did not come about. */
static void link_proven(struct relay *r)
{
	mag_log(MAG_LOG_NOTICE, "linked to auth host %s",
		r->broker->settings->upstreams[r->at].host);
	r->proven = true;
	r->told = false;
	r->failed = 0;
}

/* False: the link has to end. */
static bool on_frame(struct relay *r, const struct link_frame *f)
{
	struct call **link = call_find(r, f->number);
	struct call *c = link ? *link : NULL;
	uint64_t pid;

	if (f->kind == LINK_PONG)
		return true;
	if (f->kind == LINK_LOOK && f->len == sizeof pid) {
		if (!c || c->origin.leader_pid) /* it is asked once */
			return c == NULL;
		memcpy(&pid, f->body, sizeof pid);
		c->origin.leader_pid = (int64_t)be64toh(pid);
		c->origin.leader_start = peer_start_of(c->origin.leader_pid);
		return call_send(r, c);
	}
	if (f->kind != LINK_ANSWER || f->len > WIRE_FRAME_MAX)
		return false;
	if (!c) /* its connection ended with an earlier link */
		return true;
	if (c->conn)
		away_seen(r->away, &(struct away_ask){ NULL, &c->origin, c->frame, c->len, false },
			f->body, f->len);
	call_end(r, link, f->body, f->len);
	return true;
}

static void on_read(struct bufferevent *io, void *arg)
{
	struct relay *r = arg;
	struct evbuffer *in = bufferevent_get_input(io);
	struct link_frame f;
	int n;

	r->heard = mag_ticks_ms();
	if (!r->proven)
		link_proven(r);
	while ((n = link_next(in, &f)) > 0) {
		bool good = on_frame(r, &f);

		link_done(in, &f);
		if (!good) {
			n = -1;
			break;
		}
	}
	if (n < 0)
		link_lost(r, "what it sends is none of our frames");
}

static void on_event(struct bufferevent *io, short what, void *arg)
{
	struct relay *r = arg;
	unsigned long e = bufferevent_get_openssl_error(io);
	const char *tls = e ? ERR_reason_error_string(e) : NULL;
	const struct link_frame ping = { .kind = LINK_PING };
	int one = 1;

	if (!(what & BEV_EVENT_CONNECTED)) {
		link_lost(r, tls                    ? tls
			     : e                    ? "TLS fails"
			     : what & BEV_EVENT_EOF ? "it ended the link"
						    : strerror(errno));
		return;
	}
	(void)setsockopt(bufferevent_getfd(io), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	r->up = true;
	r->proven = false;
	r->heard = r->pinged = mag_ticks_ms();
	(void)link_send(io, &ping, NULL, 0);
	away_linked(r->away);
	relay_flush(r);
}

static void connect_next(struct relay *r)
{
	const struct settings_address *a = &r->broker->settings->upstreams[r->at];
	SSL *ssl = SSL_new(r->ctx);

	r->io = ssl ? bufferevent_openssl_socket_new(r->broker->base, -1, ssl,
			      BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE)
		    : NULL;
	if (!r->io) {
		SSL_free(ssl);
		r->rest_until = mag_ticks_ms() + REST_MS;
		return;
	}
	r->began = mag_ticks_ms();
	bufferevent_setcb(r->io, on_read, NULL, on_event, r);
	bufferevent_enable(r->io, EV_READ | EV_WRITE);
	/* What fails at once is also told by the callback, or by the clock. */
	(void)bufferevent_socket_connect_hostname(r->io, r->names, AF_UNSPEC, a->host, a->port);
}

/* ---- the clock ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;
	int64_t now = mag_ticks_ms();
	struct link_frame ping = { .kind = LINK_PING };

	(void)fd;
	(void)what;
	audit_more(r->broker, now);
	if (r->io && !r->up && now - r->began > CONNECT_MS)
		link_lost(r, "no connection in time");
	else if (r->up && now - r->heard > SILENCE_MS)
		link_lost(r, "it has fallen silent");
	else if (r->up && now - r->pinged >= PING_MS && link_send(r->io, &ping, NULL, 0) == 0)
		r->pinged = now;
	if (!r->io && now >= r->rest_until)
		connect_next(r);
	for (struct call **link = &r->calls; *link;) {
		if (!(*link)->sent && now - (*link)->since > PATIENCE_MS)
			call_give_up(r, link);
		else
			link = &(*link)->next;
	}
	relay_renew(r);
	away_tick(r->away);
}

/* ---- from start to end ---- */

int relay_open(struct broker *b)
{
	struct relay *r = calloc(1, sizeof *r);
	struct link_identity id = { NULL, NULL, NULL };
	char name[sizeof b->host];
	int res = r ? identity_load(b->settings->identity, &id) : MAG_ENOMEM;

	if (!res)
		res = relay_identity(r, &id);
	if (!res)
		res = identity_name(r->identity.certificate, name, sizeof name);
	if (res) {
		mag_log(MAG_LOG_ERROR,
			"%s: %s; a relay is made by \"magotpctl host enroll CODE\", with a code "
			"from \"magotpctl host add\" on an auth host",
			b->settings->identity,
			res == MAG_ESYS ? strerror(errno) : mag_strerror(res));
		link_identity_free(&id);
		free(r);
		return res;
	}
	r->broker = b;
	r->tail = &r->calls;
	mag_copy(b->host, sizeof b->host, name);
	b->relay = r;
	return away_open(r, &r->away);
}

int relay_start(struct relay *r)
{
	const struct timeval tick = { 0, TICK_MS * 1000 };

	r->names = evdns_base_new(r->broker->base,
		EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!r->names) /* no resolv.conf: addresses do without */
		r->names = evdns_base_new(r->broker->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	r->timer = event_new(r->broker->base, -1, EV_PERSIST, on_timer, r);
	if (!r->names || !r->timer || event_add(r->timer, &tick))
		return MAG_ENOMEM;
	connect_next(r);
	return 0;
}

void relay_reloaded(struct relay *r)
{
	if (r->at >= r->broker->settings->n_upstreams)
		r->at = 0;
	away_reloaded(r->away);
}

bool relay_busy(const struct relay *r)
{
	return r->calls != NULL;
}

void relay_stop(struct relay *r)
{
	while (r->calls)
		call_end(r, &r->calls, NULL, 0);
	if (r->io)
		bufferevent_free(r->io);
	r->io = NULL;
	r->up = false;
}

void relay_free(struct relay **r)
{
	if (!*r)
		return;
	if ((*r)->timer)
		event_free((*r)->timer);
	if ((*r)->names)
		evdns_base_free((*r)->names, 0);
	away_free(&(*r)->away);
	SSL_CTX_free((*r)->ctx);
	EVP_PKEY_free((*r)->fresh);
	link_identity_free(&(*r)->identity);
	free(*r);
	*r = NULL;
}
