/* Orders to helpers, and what came of them. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/gateway/exec_helper.h"
#include "smsd/gateway/program.h"

struct order {
	uint32_t serial;
	struct attempt *attempt;
	program_judge judge;
	TAILQ_ENTRY(order) next;
};

/* The way to one helper. */
struct way {
	char gateway[33]; /* whose helper it is; "": of all gateways of the driver */
	int fd;           /* -1: the helper has gone */
	struct event *event;
	uint32_t serial;
	TAILQ_HEAD(orders, order) orders; /* that the helper has */
	SLIST_ENTRY(way) next;
};

/* What the gateways of a driver share. */
struct ways {
	struct event_base *base;
	SLIST_HEAD(way_list, way) list;
};

/* ---- what came of it ---- */

static void judge(const struct order *o, const struct exec_word *w, struct gateway_result *result_r)
{
	char *error = result_r->error;
	const size_t cap = sizeof result_r->error;

	result_r->outcome = SMS_AMBIGUOUS;
	switch (w->end) {
	case EXEC_EXITED:
		snprintf(error, cap, "the program ended with status %d", w->value);
		o->judge(o->attempt->gateway, w->value, result_r);
		break;
	case EXEC_SIGNALLED:
		snprintf(error, cap, "the program was ended by signal %d", w->value);
		break;
	case EXEC_LATE:
		snprintf(error, cap, "the program took too long");
		break;
	case EXEC_NOT_RUN:
		/* Want of memory passes; a program that is not there stays away. */
		result_r->outcome =
			w->value == EAGAIN || w->value == ENOMEM ? SMS_RETRYABLE : SMS_PERMANENT;
		snprintf(error, cap, "the program cannot be run: %s", strerror(w->value));
		break;
	case EXEC_CHANGED:
		result_r->outcome = SMS_PERMANENT;
		snprintf(error, cap, "the command is new: restart magotp-smsd");
		break;
	}
	if (result_r->outcome == SMS_ACCEPTED)
		*error = '\0';
}

static void finish(struct way *x, struct order *o, const struct gateway_result *result)
{
	struct attempt *a = o->attempt;

	TAILQ_REMOVE(&x->orders, o, next);
	free(o);
	a->done(a, result);
}

/* No word will come any more. */
static void lose_helper(struct way *x, const char *why)
{
	struct gateway_result lost = { .outcome = SMS_AMBIGUOUS };
	struct order *o, *next;

	if (x->event)
		event_free(x->event);
	x->event = NULL;
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
	snprintf(lost.error, sizeof lost.error, "%s", why);
	for (o = TAILQ_FIRST(&x->orders); o; o = next) {
		next = TAILQ_NEXT(o, next);
		finish(x, o, &lost);
	}
}

static void on_word(evutil_socket_t fd, short what, void *arg)
{
	struct way *x = arg;
	struct exec_word word;
	struct order *o;
	ssize_t n = recv(fd, &word, sizeof word, MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof word) {
		mag_log(MAG_LOG_ERROR, "the process that runs programs has gone: restart");
		lose_helper(x, "the process that runs programs has gone");
		return;
	}
	TAILQ_FOREACH(o, &x->orders, next)
	{
		struct gateway_result result = { .outcome = SMS_AMBIGUOUS };

		if (o->serial != word.serial)
			continue;
		judge(o, &word, &result);
		finish(x, o, &result);
		return;
	}
}

/* ---- sending ---- */

static struct way *find_way(const struct ways *ways, const char *gateway)
{
	struct way *x;

	SLIST_FOREACH(x, &ways->list, next)
	if (!x->gateway[0] || strcmp(x->gateway, gateway) == 0)
		return x->fd >= 0 ? x : NULL;
	return NULL;
}

/* 0 or MAG_ESYS. */
static int hand_over(struct way *x, const struct attempt *a, struct exec_order *order)
{
	const struct gateway *g = a->gateway;
	size_t len = offsetof(struct exec_order, input) + order->len;

	order->serial = ++x->serial;
	order->timeout_ms = a->timeout_ms;
	memcpy(order->gateway, g->name, sizeof order->gateway);
	if (mag_copy(order->command, sizeof order->command, g->ops->command(g)) < 0)
		return MAG_ERANGE;
	return send(x->fd, order, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len ? 0 : MAG_ESYS;
}

static void not_handed_over(struct attempt *a, int r)
{
	struct gateway_result result = { .outcome = SMS_RETRYABLE };

	if (r == MAG_EDOWN || r == MAG_ERANGE)
		result.outcome = SMS_PERMANENT;
	if (r == MAG_EDOWN)
		snprintf(result.error, sizeof result.error,
			"nothing runs programs: restart magotp-smsd");
	else
		snprintf(result.error, sizeof result.error, "cannot be handed over: %s",
			mag_strerror(r));
	a->done(a, &result);
}

void program_run(struct attempt *a, struct exec_order *order, int r, program_judge judge_status)
{
	struct way *x = find_way(a->gateway->shared, a->gateway->name);
	struct order *o = NULL;

	if (!x)
		r = MAG_EDOWN;
	else if (r >= 0)
		r = (o = calloc(1, sizeof *o)) ? hand_over(x, a, order) : MAG_ENOMEM;
	mag_wipe(order, sizeof *order);
	if (r < 0) {
		free(o);
		not_handed_over(a, r);
		return;
	}
	o->serial = x->serial;
	o->attempt = a;
	o->judge = judge_status;
	TAILQ_INSERT_TAIL(&x->orders, o, next);
}

/* ---- the ways ---- */

int program_setup(struct event_base *base, void **shared_r)
{
	struct ways *ways = calloc(1, sizeof *ways);

	if (!ways)
		return MAG_ENOMEM;
	ways->base = base;
	SLIST_INIT(&ways->list);
	*shared_r = ways;
	return 0;
}

int program_attach(void *shared, const char *gateway, int fd)
{
	struct ways *ways = shared;
	struct way *x = calloc(1, sizeof *x);

	if (!x)
		return MAG_ENOMEM;
	mag_copy(x->gateway, sizeof x->gateway, gateway);
	x->fd = fd;
	TAILQ_INIT(&x->orders);
	SLIST_INSERT_HEAD(&ways->list, x, next);
	x->event = event_new(ways->base, fd, EV_READ | EV_PERSIST, on_word, x);
	return !x->event || event_add(x->event, NULL) < 0 ? MAG_ENOMEM : 0;
}

void program_teardown(void **shared)
{
	struct ways *ways = *shared;
	struct way *x;

	*shared = NULL;
	if (!ways)
		return;
	while ((x = SLIST_FIRST(&ways->list))) {
		SLIST_REMOVE_HEAD(&ways->list, next);
		lose_helper(x, "magotp-smsd is stopping");
		free(x);
	}
	free(ways);
}
