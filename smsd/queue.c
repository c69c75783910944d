/* The queue: messages in, outcomes out. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/queue_item.h"

const char unneeded_words[] = "its code is not needed any more";

#define KEEP_DONE_MS 60000 /* beyond the deadline, for late repeats */

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct sms_message *)a)->id, ((const struct sms_message *)b)->id);
}

struct item *queue_find(struct queue *q, const char *id)
{
	struct sms_message key;
	struct item **found;

	if (mag_copy(key.id, sizeof key.id, id) < 0)
		return NULL;
	found = tfind(&key, &q->by_id, compare_ids);
	return found ? *found : NULL;
}

/* ---- ends ---- */

static void answer_all(struct item *e, struct waiters *list)
{
	struct queue_waiter *w;

	while ((w = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, w, next);
		w->answer(w->arg, &e->answer);
		free(w);
	}
}

void item_answer(struct item *e, enum sms_outcome outcome, const char *error)
{
	char masked[40];

	e->answer.outcome = outcome;
	if (error != e->answer.error)
		snprintf(e->answer.error, sizeof e->answer.error, "%s", error);
	if (outcome != SMS_ACCEPTED)
		mag_log(MAG_LOG_WARNING, "message %s to %s: not delivered: %s", e->message.id,
			sms_masked(e->message.to, masked, sizeof masked), error);
	e->answered = true;
	e->queue->n_waiting--;
	answer_all(e, &e->waiters);
}

static void wipe(struct item *e)
{
	sms_message_clear(&e->message);
	trial_free(&e->trial);
	route_clear(&e->route);
	for (unsigned i = 0; i < e->n_watches; i++)
		gateway_free(&e->watch[i].gateway);
}

void item_finish(struct item *e, enum sms_outcome outcome, const char *error)
{
	struct queue *q = e->queue;

	poll_cancel(e);
	wipe(e);
	TAILQ_REMOVE(&q->deadlines, e, in_deadline);
	e->due = e->deadline + KEEP_DONE_MS;
	item_move(e, DONE);
	if (e->answered)
		q->n_watched--;
	else
		item_answer(e, outcome, error);
	item_set_fate(e);
	answer_all(e, &e->fate_waiters);
}

void item_give_up(struct item *e, enum sms_outcome outcome, const char *error)
{
	if (e->answered)
		item_rest(e, queue_now(e->queue).ticks);
	else
		item_finish(e, e->unclear ? SMS_AMBIGUOUS : outcome,
			e->answer.error[0] ? e->answer.error : error);
}

/* ---- was it typed? ---- */

/* Somebody should type it. Tests and e-mails are none. */
static bool is_code(const struct sms_message *m)
{
	return strcmp(m->channel, "email") != 0 &&
	       (strcmp(m->template, "code") == 0 || strcmp(m->template, "register") == 0);
}

/* Whether the code of a message that was sent was used, once. */
static void note_used(struct item *e, bool used)
{
	enum sms_outcome o = e->answer.outcome;
	bool sent = e->unclear || o == SMS_ACCEPTED || o == SMS_AMBIGUOUS;

	if (e->noted || !sent || !is_code(&e->message))
		return;
	e->noted = true;
	limits_note_used(&e->queue->config->limits, e->message.to, used, queue_now(e->queue).ticks);
}

/* ---- what is due ---- */

/* An attempt under way ends by itself: its time-out is within the deadline. */
static void expire(struct queue *q, int64_t ticks)
{
	struct item *e, *next;

	for (e = TAILQ_FIRST(&q->deadlines); e && e->deadline <= ticks; e = next) {
		next = TAILQ_NEXT(e, in_deadline);
		if (e->state != FLYING)
			item_give_up(e, SMS_EXPIRED, "the message expired");
	}
}

static void wake_sleepers(struct queue *q, struct queue_time t)
{
	struct item *e;

	while ((e = TAILQ_FIRST(&q->sleeping)) && e->due <= t.ticks) {
		item_plan(e, t);
		item_move(e, READY);
	}
}

static void forget(struct queue *q, int64_t ticks)
{
	struct item *e;

	while ((e = TAILQ_FIRST(&q->done)) && e->due <= ticks) {
		/* A clock that stood still: the driver still holds it. */
		if (e->polling == POLL_FLIES) {
			e->due = ticks + KEEP_DONE_MS;
			item_move(e, DONE);
			continue;
		}
		note_used(e, false);
		TAILQ_REMOVE(&q->done, e, in_state);
		tdelete(e, &q->by_id, compare_ids);
		item_free(e);
	}
}

static int64_t sooner(int64_t wait, bool due, int64_t at, int64_t ticks)
{
	int64_t left = at > ticks ? at - ticks : 0;

	if (!due)
		return wait;
	return wait < 0 || left < wait ? left : wait;
}

int64_t queue_run(struct queue *q)
{
	struct queue_time t = queue_now(q);
	struct item *e;
	int64_t wait = -1, due;

	queue_settle(q);
	expire(q, t.ticks);
	forget(q, t.ticks);
	wake_sleepers(q, t);
	queue_poll(q, t);
	queue_wake_silent(q, t);
	/* Settings may have been read anew: those there may have room. */
	while ((e = TAILQ_FIRST(&q->held)) && !gateway_is_full(q, e->held_on))
		item_move(e, READY);
	while (q->n_flying < q->config->parallel && (e = queue_first_ready(q))) {
		item_go_on(e, t);
		queue_settle(q);
	}
	e = TAILQ_FIRST(&q->sleeping);
	wait = sooner(wait, e, e ? e->due : 0, t.ticks);
	due = queue_poll_due(q);
	wait = sooner(wait, due >= 0, due, t.ticks);
	e = TAILQ_FIRST(&q->watched);
	wait = sooner(wait, e, e ? e->due : 0, t.ticks);
	e = TAILQ_FIRST(&q->done);
	wait = sooner(wait, e, e ? e->due : 0, t.ticks);
	e = TAILQ_FIRST(&q->deadlines);
	while (e && e->state == FLYING)
		e = TAILQ_NEXT(e, in_deadline);
	return sooner(wait, e, e ? e->deadline : 0, t.ticks);
}

/* ---- in and out ---- */

int queue_new(struct queue_config *config, struct queue **queue_r)
{
	struct queue *q = calloc(1, sizeof *q);

	if (!q)
		return MAG_ENOMEM;
	q->config = config;
	for (int i = 0; i < SMS_PRIORITIES; i++)
		TAILQ_INIT(&q->ready[i]);
	TAILQ_INIT(&q->held);
	TAILQ_INIT(&q->flying);
	TAILQ_INIT(&q->sleeping);
	TAILQ_INIT(&q->watched);
	TAILQ_INIT(&q->done);
	TAILQ_INIT(&q->polls);
	TAILQ_INIT(&q->polls_flying);
	TAILQ_INIT(&q->deadlines);
	*queue_r = q;
	return 0;
}

static void free_list(struct queue *q, struct items *list)
{
	struct item *e;

	while ((e = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, e, in_state);
		tdelete(e, &q->by_id, compare_ids);
		item_free(e);
	}
}

void queue_free(struct queue **queue)
{
	struct queue *q = *queue;

	*queue = NULL;
	if (!q)
		return;
	for (int i = 0; i < SMS_PRIORITIES; i++)
		free_list(q, &q->ready[i]);
	free_list(q, &q->held);
	free_list(q, &q->flying);
	free_list(q, &q->sleeping);
	free_list(q, &q->watched);
	free_list(q, &q->done);
	free(q);
}

/* The reason why this message will never be sent; NULL if there is none. */
static const char *refuse(struct queue *q, const struct sms_message *m, char *buf, int cap)
{
	const char *reason;

	if (strcmp(m->channel, "email") == 0)
		return NULL;
	reason = limits_refuse_country(&q->config->limits, m->to, buf, cap);
	if (!reason && is_code(m))
		reason = limits_refuse_unused(&q->config->limits, m->to, queue_now(q).ticks);
	return reason;
}

static struct item *item_new(struct queue *q, struct sms_message *m)
{
	struct item *e = calloc(1, sizeof *e);
	struct queue_time t = queue_now(q);

	if (!e)
		return NULL;
	e->queue = q;
	e->message = *m;
	e->deadline = t.ticks + m->expires_at * 1000 - t.now_ms;
	TAILQ_INIT(&e->waiters);
	TAILQ_INIT(&e->fate_waiters);
	if (!tsearch(e, &q->by_id, compare_ids)) {
		free(e);
		return NULL;
	}
	memset(m, 0, sizeof *m);
	q->n_waiting++;
	e->state = READY;
	item_insert(e);
	item_insert_deadline(e);
	return e;
}

/* Refused at once, or planned; queue_run does the rest. */
static void start(struct item *e)
{
	struct queue *q = e->queue;
	struct queue_time t = queue_now(q);
	char buf[SMS_ERROR_MAX];
	const char *reason = refuse(q, &e->message, buf, sizeof buf);

	if (reason)
		item_finish(e, SMS_PERMANENT, reason);
	else if (e->deadline <= t.ticks)
		item_finish(e, SMS_EXPIRED, "the message had expired when it came");
	else
		item_plan(e, t);
}

int queue_submit(struct queue *q, struct sms_message *m,
	void (*answer)(void *arg, const struct queue_answer *answer), void *arg,
	struct queue_waiter **waiter_r)
{
	struct item **found = tfind(m, &q->by_id, compare_ids), *e = found ? *found : NULL;
	struct queue_waiter *w;

	if (e && (strcmp(e->message.to, m->to) != 0 || strcmp(e->message.channel, m->channel) != 0))
		return MAG_ECONFLICT;
	if (!e && q->n_waiting >= q->config->max_waiting)
		return MAG_EBUSY;
	w = calloc(1, sizeof *w);
	if (!w || (!e && !(e = item_new(q, m)))) {
		free(w);
		return MAG_ENOMEM;
	}
	if (e->answered) {
		free(w);
		*waiter_r = NULL;
		answer(arg, &e->answer);
		return 0;
	}
	*w = (struct queue_waiter){ .item = e, .list = &e->waiters, .answer = answer, .arg = arg };
	TAILQ_INSERT_TAIL(w->list, w, next);
	if (!found)
		start(e);
	*waiter_r = e->answered ? NULL : w;
	return 0;
}

void queue_leave(struct queue_waiter **waiter)
{
	struct queue_waiter *w = *waiter;

	*waiter = NULL;
	if (!w)
		return;
	TAILQ_REMOVE(w->list, w, next);
	free(w);
}

int queue_delivery(struct queue *q, const char *id,
	void (*answer)(void *arg, const struct queue_answer *answer), void *arg,
	struct queue_waiter **waiter_r)
{
	static const struct queue_answer unknown;
	struct item *e = queue_find(q, id);
	struct queue_waiter *w;

	*waiter_r = NULL;
	if (!e || e->state == DONE) {
		answer(arg, e ? &e->answer : &unknown);
		return 0;
	}
	w = calloc(1, sizeof *w);
	if (!w)
		return MAG_ENOMEM;
	*w = (struct queue_waiter){
		.item = e, .list = &e->fate_waiters, .answer = answer, .arg = arg
	};
	TAILQ_INSERT_TAIL(w->list, w, next);
	*waiter_r = w;
	return 0;
}

void queue_used(struct queue *q, const char *id, bool used)
{
	struct item *e = queue_find(q, id);

	if (!e)
		return;
	e->unneeded = true;
	e->was_used |= used;
	note_used(e, used);
	if (e->state == DONE)
		item_set_fate(e);
	else if (e->state != FLYING)
		item_finish(e, e->unclear ? SMS_AMBIGUOUS : SMS_EXPIRED, unneeded_words);
}

void queue_abort(struct queue *q)
{
	struct item *e;

	queue_settle(q);
	queue_poll_drop(q);
	while ((e = TAILQ_FIRST(&q->deadlines))) {
		if (e->state == FLYING) {
			e->unclear = true;
			q->n_flying--;
			trial_free(&e->trial);
		}
		item_finish(e, e->unclear ? SMS_AMBIGUOUS : SMS_RETRYABLE,
			e->answer.error[0] ? e->answer.error : "magotp-smsd is stopping");
	}
}

int64_t queue_waiting(const struct queue *q)
{
	return q->n_waiting;
}

bool queue_idle(const struct queue *q)
{
	return q->n_waiting == 0;
}
