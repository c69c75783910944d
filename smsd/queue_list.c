/* The lists of the queue: one per state and priority, and one by deadline. */
#include <stdlib.h>

#include "smsd/queue_item.h"

static struct items *list_of(struct queue *q, const struct item *e)
{
	switch (e->state) {
	case HELD:
		return &q->held;
	case FLYING:
		return &q->flying;
	case SLEEPING:
		return &q->sleeping;
	case WATCHED:
		return &q->watched;
	case DONE:
		return &q->done;
	default:
		return &q->ready[e->message.priority];
	}
}

/* Lists by time are filled nearly in order, so looking from the end is short. Times that
 * differ by less than this keep the order in which they came: two clocks make each
 * deadline, and thousands of messages may have nearly the same. */
#define ABOUT_MS 50

void item_insert(struct item *e)
{
	struct items *list = list_of(e->queue, e);
	struct item *before;

	if (e->state == READY || e->state == HELD || e->state == FLYING) {
		TAILQ_INSERT_TAIL(list, e, in_state);
		return;
	}
	before = TAILQ_LAST(list, items);
	while (before && before->due > e->due + ABOUT_MS)
		before = TAILQ_PREV(before, items, in_state);
	if (before)
		TAILQ_INSERT_AFTER(list, before, e, in_state);
	else
		TAILQ_INSERT_HEAD(list, e, in_state);
}

void item_insert_deadline(struct item *e)
{
	struct queue *q = e->queue;
	struct item *before = TAILQ_LAST(&q->deadlines, items);

	while (before && before->deadline > e->deadline + ABOUT_MS)
		before = TAILQ_PREV(before, items, in_deadline);
	if (before)
		TAILQ_INSERT_AFTER(&q->deadlines, before, e, in_deadline);
	else
		TAILQ_INSERT_HEAD(&q->deadlines, e, in_deadline);
}

void item_move(struct item *e, enum state state)
{
	struct queue *q = e->queue;

	TAILQ_REMOVE(list_of(q, e), e, in_state);
	e->state = state;
	item_insert(e);
}

static void drop_waiters(struct waiters *list)
{
	struct queue_waiter *w;

	while ((w = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, w, next);
		free(w);
	}
}

struct trial *trial_new(struct item *e, struct gateway *g)
{
	struct trial *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->attempt.gateway = gateway_ref(g);
	t->attempt.message = &e->message;
	t->attempt.text = &t->text;
	t->attempt.subject = t->subject;
	t->attempt.arg = e;
	return t;
}

void trial_free(struct trial **trial)
{
	struct trial *t = *trial;

	*trial = NULL;
	if (!t)
		return;
	gateway_free(&t->attempt.gateway);
	mag_secret_free(&t->text);
	mag_secret_free(&t->receipt_url);
	free(t);
}

void item_free(struct item *e)
{
	drop_waiters(&e->waiters);
	drop_waiters(&e->fate_waiters);
	route_clear(&e->route);
	sms_message_clear(&e->message);
	trial_free(&e->trial);
	trial_free(&e->question);
	for (unsigned i = 0; i < e->n_watches; i++)
		gateway_free(&e->watch[i].gateway);
	free(e->watch);
	free(e);
}

/* The most urgent first; a login code never waits for a test. */
struct item *queue_first_ready(struct queue *q)
{
	struct item *e = NULL;

	for (int i = 0; i < SMS_PRIORITIES && !e; i++)
		e = TAILQ_FIRST(&q->ready[i]);
	return e;
}
