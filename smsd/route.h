/* Which gateway is asked next. Pure: chance and time are parameters. */
#ifndef SMSD_ROUTE_H
#define SMSD_ROUTE_H

#include "smsd/gateway.h"

#define GATEWAYS_MAX 32 /* what gateway_list can carry */

struct route_want {
	const char *channel;
	const char *country; /* ISO; "": e-mail */
	int64_t ticks;       /* now, ms */
	/* A number in [0, below); below > 0. */
	uint32_t (*chance)(void *arg, uint32_t below);
	void *chance_arg;
};

/* The gateways of one message in the order in which they are asked. */
struct route {
	size_t n, next;
	struct route_entry {
		struct gateway *gateway; /* a reference */
		bool out;                /* not to be asked again for this message */
	} * entry;
};

/* Begin a round: the gateways that can serve `want`, those that rest last, by
 * priority, equal priorities in an order drawn by weight. What an earlier round
 * ruled out (by name: the settings may have been read anew) stays out. Without memory
 * there is none. */
void route_plan(
	struct route *r, struct gateway *const *gateways, size_t n, const struct route_want *want);

/* The next one of this round that asked for no pause; NULL: the round is over. */
struct route_entry *route_next(struct route *r, const char *channel, int64_t ticks);

/* Before these ticks every gateway that is not ruled out wants to be left alone;
 * 0 or in the past: there is one that does not. */
int64_t route_mute_until(const struct route *r, const char *channel);

/* Is a further round worth it? */
bool route_open(const struct route *r);
void route_clear(struct route *r);

#endif
