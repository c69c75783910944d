/* Asking gateways that do not call: what became of the message with this id? */
#include <stdio.h>
#include <string.h>

#include "smsd/queue_item.h"

#define POLLS_MAX       16    /* questions under way */
#define POLL_TIMEOUT_MS 10000 /* at most */

static const struct watch *asked(const struct item *e)
{
	const struct watch *w = e->n_watches ? &e->watch[e->n_watches - 1] : NULL;

	return w && w->gateway && w->gateway->receipts == RECEIPTS_POLL && *w->provider_id &&
			       w->gateway->ops->poll
		       ? w
		       : NULL;
}

/* Nearly in order, as the other lists by time. */
static void insert(struct queue *q, struct item *e)
{
	struct item *before = TAILQ_LAST(&q->polls, items);

	while (before && before->poll_due > e->poll_due)
		before = TAILQ_PREV(before, items, in_polls);
	if (before)
		TAILQ_INSERT_AFTER(&q->polls, before, e, in_polls);
	else
		TAILQ_INSERT_HEAD(&q->polls, e, in_polls);
}

void poll_schedule(struct item *e, int64_t ticks)
{
	const struct watch *w = asked(e);

	if (!w || e->state != WATCHED || e->polling != POLL_NOT)
		return;
	e->polling = POLL_WAITS;
	e->poll_due = ticks + w->gateway->poll_every * 1000;
	insert(e->queue, e);
}

void poll_cancel(struct item *e)
{
	if (e->polling != POLL_WAITS)
		return;
	TAILQ_REMOVE(&e->queue->polls, e, in_polls);
	e->polling = POLL_NOT;
}

/* ---- one question ---- */

static void poll_done(struct attempt *a, const struct gateway_result *result)
{
	struct item *e = a->arg;
	const struct queue_config *c = e->queue->config;

	e->question->result = *result;
	if (result->outcome == SMS_NONE)
		e->question->result.outcome = SMS_AMBIGUOUS;
	c->wake(c->arg);
}

static void ask(struct item *e, const struct watch *w, struct queue_time t)
{
	int64_t timeout = w->gateway->timeout * 1000;
	struct attempt *a;

	e->question = trial_new(e, w->gateway);
	if (!e->question) {
		poll_schedule(e, t.ticks);
		return;
	}
	a = &e->question->attempt;
	a->provider_id = w->provider_id;
	a->now_ms = t.now_ms;
	a->timeout_ms = timeout < POLL_TIMEOUT_MS ? timeout : POLL_TIMEOUT_MS;
	a->done = poll_done;
	e->polling = POLL_FLIES;
	e->queue->n_polls++;
	TAILQ_INSERT_TAIL(&e->queue->polls_flying, e, in_polls);
	a->gateway->ops->poll(a);
}

static void end(struct item *e)
{
	TAILQ_REMOVE(&e->queue->polls_flying, e, in_polls);
	e->queue->n_polls--;
	e->polling = POLL_NOT;
	trial_free(&e->question);
}

/* An answer that is none changes nothing: the question is put again. */
static void settle(struct item *e, int64_t ticks)
{
	struct gateway_result result = e->question->result;
	char gateway[sizeof e->question->attempt.gateway->name];
	const struct queue_receipt receipt = { e->message.id, gateway, result.word,
		result.delivery };

	memcpy(gateway, e->question->attempt.gateway->name, sizeof gateway);
	end(e);
	if (result.outcome == SMS_ACCEPTED)
		(void)queue_receipt(e->queue, &receipt);
	poll_schedule(e, ticks);
}

/* ---- all of them ---- */

void queue_poll(struct queue *q, struct queue_time t)
{
	struct item *e, *next;

	for (e = TAILQ_FIRST(&q->polls_flying); e; e = next) {
		next = TAILQ_NEXT(e, in_polls);
		if (e->question->result.outcome != SMS_NONE)
			settle(e, t.ticks);
	}
	while (q->n_polls < POLLS_MAX && (e = TAILQ_FIRST(&q->polls)) && e->poll_due <= t.ticks) {
		const struct watch *w = asked(e);

		poll_cancel(e);
		if (w && e->state == WATCHED)
			ask(e, w, t);
	}
}

int64_t queue_poll_due(const struct queue *q)
{
	const struct item *e = TAILQ_FIRST(&q->polls);

	return e && q->n_polls < POLLS_MAX ? e->poll_due : -1;
}

void queue_poll_drop(struct queue *q)
{
	struct item *e;

	while ((e = TAILQ_FIRST(&q->polls_flying)))
		end(e);
}
