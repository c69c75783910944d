/* Messages on their way: asked gateway by gateway until one takes them, none is
 * left, or their time is over. Knows no socket and no clock: times are given
 * (`ticks`: milliseconds of a clock that never jumps; `now_ms`: wall clock). */
#ifndef SMSD_QUEUE_H
#define SMSD_QUEUE_H

#include "smsd/gateway.h"
#include "smsd/limits.h"

struct queue;
struct mail_templates;
struct queue_waiter;

struct queue_answer {
	enum sms_outcome outcome;
	char gateway[33], provider_id[65], error[SMS_ERROR_MAX];
	enum sms_delivery delivery; /* SMS_UNKNOWN: not yet known */
	char word[SMS_WORD_MAX];    /* SMS_FAILED: why */
};

/* What the queue is given; borrowed, may change between calls (reload). */
struct queue_config {
	struct gateway *const *gateways;
	size_t n_gateways;
	int64_t parallel;    /* attempts under way at once */
	int64_t max_waiting; /* messages that have no outcome yet */
	int64_t max_watched; /* accepted ones whose receipt is waited for */
	/* Where receipts of this message by this gateway are taken, appended to url_r;
	 * NULL: nowhere. 0 or an error. */
	int (*receipt_url)(
		void *arg, const struct gateway *g, const char *id, struct mag_secret *url_r);
	bool autofill;
	const struct mail_templates *templates; /* of e-mails; NULL: none */
	struct limits limits;
	struct queue_time (*time)(void *arg);
	uint32_t (*chance)(void *arg, uint32_t below);
	/* Word came from a driver: call queue_run soon. */
	void (*wake)(void *arg);
	void *arg;
};

int queue_new(struct queue_config *config, struct queue **queue_r);
/* Waiters are dropped without an answer (queue_abort first). */
void queue_free(struct queue **queue);

/* Take the message over (secrets too; `m` is empty afterwards) and have
 * `answer` called once with the outcome, perhaps before this returns. An id
 * that is known already is the same message: its waiter joins.
 * waiter_r: good until `answer` was called or queue_leave; NULL if it was called.
 * 0; MAG_EBUSY (max_waiting), MAG_ECONFLICT (same id, other recipient), MAG_ENOMEM. */
int queue_submit(struct queue *q, struct sms_message *m,
	void (*answer)(void *arg, const struct queue_answer *answer), void *arg,
	struct queue_waiter **waiter_r);

/* Have `answer` called once when the fate of a message is known (delivery and word),
 * perhaps before this returns; waiter_r as above. Of an id that is not known, the fate
 * is SMS_UNKNOWN. 0, MAG_ENOMEM. */
int queue_delivery(struct queue *q, const char *id,
	void (*answer)(void *arg, const struct queue_answer *answer), void *arg,
	struct queue_waiter **waiter_r);

/* Its code was typed, or is dead: nobody needs it any more. No further try is made;
 * what is on its way is not called back. */
void queue_used(struct queue *q, const char *id, bool used);

/* What a receipt says of a message that this gateway took: SMS_NOTHING (still under
 * way), SMS_DELIVERED, or SMS_FAILED with a word. Only what is sent next hangs on it.
 * 0; MAG_ENOTFOUND: no such message, or never handed to this gateway. */
struct queue_receipt {
	const char *id, *gateway, *word;
	enum sms_delivery state;
};
int queue_receipt(struct queue *q, const struct queue_receipt *receipt);

/* Whoever asked has gone; the message goes on. */
void queue_leave(struct queue_waiter **waiter);

/* Do what is due. Returns in how many ms to call again at the latest; -1: nothing
 * is due before something else happens. */
int64_t queue_run(struct queue *q);

/* How many messages have no outcome yet. */
int64_t queue_waiting(const struct queue *q);
/* True when every message has its outcome; those that are watched may be lost. */
bool queue_idle(const struct queue *q);

/* The end: every message that has no outcome is answered now. The drivers must
 * have been stopped, so that no word comes any more. */
void queue_abort(struct queue *q);

#endif
