/* A relay from inside: relay.c (the link and its calls), relay_renew.c (its certificate),
 * away_keep.c (its leases). */
#ifndef BROKER_RELAY_PARTS_H
#define BROKER_RELAY_PARTS_H

#include "otpcore/broker/relay.h"

/* What became of a call of the relay's own; frame NULL: nothing. */
typedef void relay_done_fn(void *arg, const unsigned char *frame, size_t len);

struct call {
	struct relay *relay;
	struct call *next;
	uint64_t number;
	struct conn *conn; /* NULL: the relay's own */
	relay_done_fn *done;
	void *arg; /* of `done` */
	uint16_t message;
	struct wire_origin origin;
	int64_t since; /* when it began to wait for a link */
	bool sent, struck;
	size_t len;
	unsigned char frame[]; /* wiped */
};

struct relay {
	struct broker *broker;
	struct link_identity identity;
	SSL_CTX *ctx;
	struct evdns_base *names;
	struct event *timer;
	struct bufferevent *io; /* NULL: no link, none under way */
	bool up;
	bool proven;   /* the auth host has sent something since: it took our certificate */
	size_t at;     /* the upstream that is connected, or tried */
	size_t failed; /* in a row */
	int64_t began, heard, pinged, rest_until, renew_at;
	bool told; /* none answers: the log knows it */
	struct call *calls, **tail;
	uint64_t number;
	EVP_PKEY *fresh;   /* of a renewal under way */
	struct away *away; /* NULL: without an auth host nothing is decided */
};

/* One call of the relay's own, as uid 0. 0; MAG_EDOWN: there is no link; MAG_ENOMEM,
 * MAG_ERANGE: `done` is not called. */
int relay_ask(
	struct relay *r, uint16_t message, const void *request, relay_done_fn *done, void *arg);
/* What waited for away_ready() goes. */
void relay_flush(struct relay *r);

/* ---- relay_renew.c ---- */

/* Takes the identity over, which is empty then. */
int relay_identity(struct relay *r, struct link_identity *id);
void relay_renew(struct relay *r);

#endif
