/* Inside the queue: what queue.c, queue_list.c, queue_try.c and queue_watch.c share.
 *
 *   submit -> READY -> (a gateway is asked) FLYING -> accepted: DONE, or WATCHED
 *               ^          | not sent, or unclear: the next gateway
 *               |          v
 *             SLEEPING <- every gateway was asked once
 *
 * HELD is ready, but its gateways have all that they may have under way.
 * WATCHED has its outcome and waits for a receipt: delivered, used or too old it is
 * DONE; failed or silent, it is READY for the next gateway.
 *
 * DONE keeps the outcome until the message would have expired, so that asking
 * twice answers twice; its code and text are wiped at once. */
#ifndef SMSD_QUEUE_ITEM_H
#define SMSD_QUEUE_ITEM_H

#include <sys/queue.h>

#include "smsd/mail_template.h"
#include "smsd/queue.h"
#include "smsd/route.h"

enum state { READY, HELD, FLYING, SLEEPING, WATCHED, DONE };

/* A second message is not worth its price when nobody has the time to type its code. */
#define WORTH_MS    10000
#define WATCHES_MAX 4 /* gateways that may have sent one message */

/* One gateway that took the message, or may have. */
struct watch {
	char name[33];
	struct gateway *gateway; /* a reference; NULL when the message is done */
	char provider_id[65];
	enum sms_delivery state; /* SMS_NOTHING until it has said something */
	char word[SMS_WORD_MAX];
};

struct queue_waiter {
	struct item *item;
	struct waiters *list; /* of the item: that it stands in */
	void (*answer)(void *arg, const struct queue_answer *answer);
	void *arg;
	TAILQ_ENTRY(queue_waiter) next;
};

/* An attempt or a question under way, and what it needs: most messages wait. */
struct trial {
	struct attempt attempt;
	struct gateway_result result; /* SMS_NONE: no word yet */
	struct mag_secret text;       /* rendered for it */
	struct mag_secret receipt_url;
	char subject[MAIL_SUBJECT_MAX];
};

/* Thousands may wait: what only some need is not part of it. */
struct item {
	struct sms_message message; /* first: ids are looked up by message */
	struct queue *queue;
	struct trial *trial; /* FLYING; else NULL */
	enum state state;
	const struct gateway *held_on; /* HELD; of the route */
	int64_t deadline;              /* ticks */
	int64_t due;                   /* SLEEPING, WATCHED: when to go on; DONE: when to forget */
	unsigned rounds;
	bool unclear;        /* an attempt may have been sent */
	bool unneeded;       /* nobody will type its code any more */
	bool noted;          /* whether its code was used, is counted */
	bool was_used;       /* it was typed: so it arrived */
	bool answered;       /* whoever submitted knows the outcome: it was accepted */
	struct watch *watch; /* n_watches of them, the newest last */
	unsigned n_watches;
	int64_t charged; /* ticks at which the budget was taken */
	struct route route;
	struct queue_answer answer;
	TAILQ_HEAD(waiters, queue_waiter) waiters; /* for the outcome */
	struct waiters fate_waiters;               /* for the delivery */
	struct trial *question;                    /* to the newest gateway; POLL_FLIES */
	int64_t poll_due;
	enum { POLL_NOT, POLL_WAITS, POLL_FLIES } polling;
	TAILQ_ENTRY(item) in_polls;    /* by poll_due, or under way */
	TAILQ_ENTRY(item) in_state;    /* the list of its state */
	TAILQ_ENTRY(item) in_deadline; /* not DONE: by deadline */
};

TAILQ_HEAD(items, item);

struct queue {
	struct queue_config *config;
	void *by_id; /* tsearch */
	struct items ready[SMS_PRIORITIES], held, flying, sleeping, watched, done, deadlines;
	struct items polls, polls_flying;
	int64_t n_flying, n_waiting, n_watched, n_polls;
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
struct trial *trial_new(struct item *e, struct gateway *g);
void trial_free(struct trial **trial);

/* ---- queue_try.c ---- */

/* A gateway that hangs must not take every place: one of several gets three in four. */
bool gateway_is_full(const struct queue *q, const struct gateway *g);
/* READY: ask the next gateway. */
void item_go_on(struct item *e, struct queue_time t);
/* Begin a round with the gateways of now. */
void item_plan(struct item *e, struct queue_time t);
/* Take the words that drivers have given. */
void queue_settle(struct queue *q);

/* ---- queue_watch.c ---- */

/* The gateway took it, or may have: remember it for its receipt. */
void item_note(struct item *e, struct gateway *g, const char *provider_id);
/* Accepted: tell whoever waits, and wait for the receipt where there is one. */
void item_accept(struct item *e, struct gateway *g, struct queue_time t);
/* No further try: only a receipt may still come. */
void item_rest(struct item *e, int64_t ticks);
bool item_is_delivered(const struct item *e);
/* Set the fate by what is known. */
void item_set_fate(struct item *e);
/* No receipt within its time: the next gateway. */
void queue_wake_silent(struct queue *q, struct queue_time t);

/* ---- queue_poll.c ---- */

/* WATCHED: ask the newest gateway after a while, if it is one to be asked. */
void poll_schedule(struct item *e, int64_t ticks);
/* Not any more; a question under way is left to end. */
void poll_cancel(struct item *e);
/* Take answers, ask what is due. */
void queue_poll(struct queue *q, struct queue_time t);
/* The next time something is due; -1: nothing. */
int64_t queue_poll_due(const struct queue *q);
/* The end: no answer will come any more. */
void queue_poll_drop(struct queue *q);

/* ---- queue.c ---- */

extern const char unneeded_words[];
struct item *queue_find(struct queue *q, const char *id);
/* The outcome is known: tell whoever submitted. */
void item_answer(struct item *e, enum sms_outcome outcome, const char *error);
/* Nothing more will be done: the outcome, if it is not known yet, and the fate are
 * told; code and text are wiped. */
void item_finish(struct item *e, enum sms_outcome outcome, const char *error);
/* Nobody is left to ask, or the time is over: an attempt that may have been sent
 * outweighs what came before and after. */
void item_give_up(struct item *e, enum sms_outcome outcome, const char *error);

#endif
