/* Where what the listening process has read is judged: nothing of it is believed that
 * does not prove itself. */
#ifndef SMSD_RECEIPT_DESK_H
#define SMSD_RECEIPT_DESK_H

#include "smsd/queue.h"

struct event_base;
struct receipt_desk;

struct receipt_desk_config {
	struct event_base *base;
	struct queue *queue;
	const struct queue_config *queue_config; /* the gateways of now */
	const char *(*url)(void *arg);           /* [receipts] url of now */
	void (*received)(void *arg);             /* the queue may have work */
	void *arg;
};

/* Takes `fd` over, where the listening process writes. The key of the paths is made
 * here: that process, forked before, does not have it. `config` is borrowed. */
int receipt_desk_new(
	int fd, const struct receipt_desk_config *config, struct receipt_desk **desk_r);
void receipt_desk_free(struct receipt_desk **desk);

/* `receipt_url` of struct queue_config. */
int receipt_desk_url(const struct receipt_desk *d, const struct gateway *g, const char *id,
	struct mag_secret *url_r);

/* One request: the HTTP status for it. */
int receipt_desk_take(struct receipt_desk *d, struct wire_receipt_req *q);

#endif
