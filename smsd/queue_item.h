/* Inside the queue: what queue.c, queue_list.c and queue_try.c share.
 *
 *   submit -> READY -> (a gateway is asked) FLYING -> DONE
 *               ^          | not sent, or unclear: the next gateway
 *               |          v
 *             SLEEPING <- every gateway was asked once
 *
 * DONE keeps the outcome until the message would have expired, so that asking
 * twice answers twice; its code and text are wiped at once. */
#ifndef SMSD_QUEUE_ITEM_H
#define SMSD_QUEUE_ITEM_H

#include <sys/queue.h>

#include "smsd/mail_template.h"
#include "smsd/queue.h"
#include "smsd/route.h"

enum state { READY, FLYING, SLEEPING, DONE };

struct queue_waiter {
	struct item *item;
	struct waiters *list; /* of the item: that it stands in */
	void (*answer)(void *arg, const struct queue_answer *answer);
	void *arg;
	TAILQ_ENTRY(queue_waiter) next;
};

struct item {
	struct sms_message message; /* first: ids are looked up by message */
	struct queue *queue;
	struct mag_secret text; /* rendered for the attempt under way */
	char subject[MAIL_SUBJECT_MAX];
	enum state state;
	int64_t deadline; /* ticks */
	int64_t due;      /* SLEEPING: when to go on; DONE: when to forget */
	unsigned rounds;
	bool unclear;    /* an attempt may have been sent */
	bool unneeded;   /* nobody will type its code any more */
	int64_t charged; /* ticks at which the budget was taken */
	struct route route;
	struct attempt attempt;
	struct gateway_result result; /* of the last attempt */
	struct queue_answer answer;
	TAILQ_HEAD(waiters, queue_waiter) waiters; /* for the outcome */
	struct waiters fate_waiters;               /* for the delivery */
	TAILQ_ENTRY(item) in_state;                /* the list of its state */
	TAILQ_ENTRY(item) in_deadline;             /* not DONE: by deadline */
};

TAILQ_HEAD(items, item);

struct queue {
	struct queue_config *config;
	void *by_id; /* tsearch */
	struct items ready[SMS_PRIORITIES], flying, sleeping, done, deadlines;
	int64_t n_flying, n_waiting;
};

static inline struct queue_time queue_now(const struct queue *q)
{
	return q->config->time(q->config->arg);
}

/* ---- queue_list.c ---- */

/* Of every list there is; `e` must not be in one. */
void item_insert(struct item *e);
void item_move(struct item *e, enum state state);
void item_insert_deadline(struct item *e);
struct item *queue_first_ready(struct queue *q);
void item_free(struct item *e);

/* ---- queue_try.c ---- */

/* READY: ask the next gateway. */
void item_go_on(struct item *e, struct queue_time t);
/* Begin a round with the gateways of now. */
void item_plan(struct item *e, struct queue_time t);
/* Take the words that drivers have given. */
void queue_settle(struct queue *q);

/* ---- queue.c ---- */

/* The outcome is known: answer whoever waits, wipe code and text. */
void item_finish(struct item *e, enum sms_outcome outcome, const char *error);
/* Nobody is left to ask, or the time is over: an attempt that may have been sent
 * outweighs what came before and after. */
void item_give_up(struct item *e, enum sms_outcome outcome, const char *error);

#endif
