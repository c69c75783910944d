/* Routing: filter, order, go round. */
#include <stdlib.h>
#include <string.h>

#include "smsd/route.h"

static bool serves(const struct gateway *g, const struct route_want *want)
{
	if (!sms_has_word(g->channels, want->channel))
		return false;
	return !*want->country || !g->countries[0] || sms_has_word(g->countries, want->country);
}

static bool was_out(const struct route *old, const struct gateway *g)
{
	for (size_t i = 0; i < old->n; i++)
		if (strcmp(old->entry[i].gateway->name, g->name) == 0)
			return old->entry[i].out;
	return false;
}

/* Gateways compare by: does it rest, then priority. */
static int compare(const struct gateway *a, const struct gateway *b, const struct route_want *want)
{
	bool rest_a = gateway_rests(a, want->channel, want->ticks);
	bool rest_b = gateway_rests(b, want->channel, want->ticks);

	if (rest_a != rest_b)
		return rest_a ? 1 : -1;
	return (a->priority > b->priority) - (a->priority < b->priority);
}

static void swap(struct route_entry *a, struct route_entry *b)
{
	struct route_entry saved = *a;

	*a = *b;
	*b = saved;
}

/* Stable: equal ones stay in the order of the files until they are drawn. */
static void sort(struct route *r, const struct route_want *want)
{
	for (size_t i = 1; i < r->n; i++)
		for (size_t j = i;
			j > 0 && compare(r->entry[j].gateway, r->entry[j - 1].gateway, want) < 0;
			j--)
			swap(&r->entry[j], &r->entry[j - 1]);
}

/* Draw entry[first..end) without putting back, each by its share of weight. */
static void draw(struct route *r, size_t first, size_t end, const struct route_want *want)
{
	for (; first + 1 < end; first++) {
		uint32_t total = 0, ticket;
		size_t i = first;

		for (size_t j = first; j < end; j++)
			total += (uint32_t)r->entry[j].gateway->weight;
		ticket = want->chance(want->chance_arg, total);
		while (i + 1 < end && ticket >= (uint32_t)r->entry[i].gateway->weight)
			ticket -= (uint32_t)r->entry[i++].gateway->weight;
		swap(&r->entry[first], &r->entry[i]);
	}
}

void route_plan(
	struct route *r, struct gateway *const *gateways, size_t n, const struct route_want *want)
{
	struct route fresh = { 0 };

	for (size_t i = 0; i < n; i++)
		fresh.n += serves(gateways[i], want);
	fresh.entry = fresh.n ? calloc(fresh.n, sizeof *fresh.entry) : NULL;
	fresh.n = 0;
	for (size_t i = 0; i < n && fresh.entry; i++) {
		if (!serves(gateways[i], want))
			continue;
		fresh.entry[fresh.n].gateway = gateway_ref(gateways[i]);
		fresh.entry[fresh.n].out = was_out(r, gateways[i]);
		fresh.n++;
	}
	sort(&fresh, want);
	for (size_t first = 0, end; first < fresh.n; first = end) {
		end = first + 1;
		while (end < fresh.n &&
			compare(fresh.entry[first].gateway, fresh.entry[end].gateway, want) == 0)
			end++;
		draw(&fresh, first, end, want);
	}
	route_clear(r);
	*r = fresh;
}

struct route_entry *route_next(struct route *r, const char *channel, int64_t ticks)
{
	while (r->next < r->n) {
		struct route_entry *e = &r->entry[r->next++];

		if (!e->out && gateway_mute_until(e->gateway, channel) <= ticks)
			return e;
	}
	return NULL;
}

int64_t route_mute_until(const struct route *r, const char *channel)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < r->n; i++) {
		int64_t until = gateway_mute_until(r->entry[i].gateway, channel);

		if (!r->entry[i].out && until < first)
			first = until;
	}
	return first == INT64_MAX ? 0 : first;
}

bool route_open(const struct route *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->entry[i].out)
			return true;
	return false;
}

void route_clear(struct route *r)
{
	for (size_t i = 0; i < r->n; i++)
		gateway_free(&r->entry[i].gateway);
	free(r->entry);
	r->entry = NULL;
	r->n = r->next = 0;
}
