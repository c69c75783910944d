/* The socket: one request, one answer, for root and otpcored's user only. */
#ifndef SMSD_LISTEN_H
#define SMSD_LISTEN_H

#include <sys/types.h>

#include "smsd/gateway.h"
#include "smsd/queue.h"

#define LISTEN_CLIENTS_MAX 16

struct event_base;

struct listen_config {
	struct event_base *base;
	struct queue *queue;
	struct queue_config *queue_config; /* gateway_list shows its gateways */
	uid_t clients[LISTEN_CLIENTS_MAX]; /* who may speak, beside uid 0 */
	size_t n_clients;
	void (*submitted)(void *arg); /* the queue has work */
	void *arg;
};

/* A listening socket at `path`, mode 0660, group of the directory. A stale one
 * is replaced, a living one is not. The descriptor, or a negative error. */
int listen_open(const char *path);

struct listener;
/* Takes fd over. `config` is borrowed. */
int listen_start(int fd, const struct listen_config *config, struct listener **listener_r);
void listen_stop_accepting(struct listener *l);
void listen_free(struct listener **listener);

#endif
