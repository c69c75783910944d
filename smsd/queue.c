/* The life of a message:
 *
 *   submit -> READY -> (a gateway is asked) FLYING -> DONE
 *               ^          | not sent, or unclear: the next gateway
 *               |          v
 *             SLEEPING <- every gateway was asked once
 *
 * DONE keeps the outcome until the message would have expired, so that asking
 * twice answers twice; its code and text are wiped at once. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/queue.h"
#include "smsd/route.h"
#include "smsd/template.h"

#define PAUSE_FIRST_MS 500  /* between rounds: doubles, */
#define PAUSE_LAST_MS 15000 /* up to this */
#define KEEP_DONE_MS 60000  /* beyond the deadline, for late repeats */

enum state { READY, FLYING, SLEEPING, DONE };

struct queue_waiter {
	struct item *item;
	void (*answer)(void *arg, const struct queue_answer *answer);
	void *arg;
	TAILQ_ENTRY(queue_waiter) next;
};

struct item {
	struct sms_message message; /* first: ids are looked up by message */
	struct queue *queue;
	struct mag_secret text; /* rendered for the attempt under way */
	enum state state;
	int64_t deadline; /* ticks */
	int64_t due;      /* SLEEPING: when to go on; DONE: when to forget */
	unsigned rounds;
	bool unclear; /* an attempt may have been sent */
	int64_t charged; /* ticks at which the budget was taken */
	struct route route;
	struct attempt attempt;
	struct gateway_result result; /* of the last attempt */
	struct queue_answer answer;
	TAILQ_HEAD(, queue_waiter) waiters;
	TAILQ_ENTRY(item) in_state;    /* the list of its state */
	TAILQ_ENTRY(item) in_deadline; /* not DONE: by deadline */
};

TAILQ_HEAD(items, item);

struct queue {
	struct queue_config *config;
	void *by_id; /* tsearch */
	struct items ready[SMS_PRIORITIES], flying, sleeping, done, deadlines;
	int64_t n_flying, n_waiting;
};

static struct queue_time now(const struct queue *q)
{
	return q->config->time(q->config->arg);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct sms_message *)a)->id, ((const struct sms_message *)b)->id);
}

/* ---- lists ---- */

static struct items *list_of(struct queue *q, const struct item *e)
{
	switch (e->state) {
	case FLYING:
		return &q->flying;
	case SLEEPING:
		return &q->sleeping;
	case DONE:
		return &q->done;
	default:
		return &q->ready[e->message.priority];
	}
}

/* Lists by time are filled nearly in order, so looking from the end is short. */
static void insert(struct queue *q, struct item *e)
{
	struct items *list = list_of(q, e);
	struct item *before;

	if (e->state == READY || e->state == FLYING) {
		TAILQ_INSERT_TAIL(list, e, in_state);
		return;
	}
	before = TAILQ_LAST(list, items);
	while (before && before->due > e->due)
		before = TAILQ_PREV(before, items, in_state);
	if (before)
		TAILQ_INSERT_AFTER(list, before, e, in_state);
	else
		TAILQ_INSERT_HEAD(list, e, in_state);
}

static void insert_deadline(struct queue *q, struct item *e)
{
	struct item *before = TAILQ_LAST(&q->deadlines, items);

	while (before && before->deadline > e->deadline)
		before = TAILQ_PREV(before, items, in_deadline);
	if (before)
		TAILQ_INSERT_AFTER(&q->deadlines, before, e, in_deadline);
	else
		TAILQ_INSERT_HEAD(&q->deadlines, e, in_deadline);
}

static void move(struct item *e, enum state state)
{
	struct queue *q = e->queue;

	TAILQ_REMOVE(list_of(q, e), e, in_state);
	e->state = state;
	insert(q, e);
}

static void item_free(struct item *e)
{
	struct queue_waiter *w;

	while ((w = TAILQ_FIRST(&e->waiters))) {
		TAILQ_REMOVE(&e->waiters, w, next);
		free(w);
	}
	route_clear(&e->route);
	sms_message_clear(&e->message);
	mag_secret_free(&e->text);
	free(e);
}

/* ---- ends ---- */

static void finish(struct item *e, enum sms_outcome outcome, const char *error)
{
	struct queue *q = e->queue;
	struct queue_waiter *w;
	char masked[40];

	e->answer.outcome = outcome;
	snprintf(e->answer.error, sizeof e->answer.error, "%s", error);
	if (outcome != SMS_ACCEPTED)
		mag_log(MAG_LOG_WARNING, "message %s to %s: not delivered: %s", e->message.id,
			sms_masked(e->message.to, masked, sizeof masked), error);
	sms_message_clear(&e->message);
	mag_secret_free(&e->text);
	route_clear(&e->route);
	TAILQ_REMOVE(&q->deadlines, e, in_deadline);
	q->n_waiting--;
	e->due = e->deadline + KEEP_DONE_MS;
	move(e, DONE);
	while ((w = TAILQ_FIRST(&e->waiters))) {
		TAILQ_REMOVE(&e->waiters, w, next);
		w->answer(w->arg, &e->answer);
		free(w);
	}
}

/* Nobody is left to ask, or the time is over: what is the truth about it? An
 * attempt that may have been sent outweighs what came before and after. */
static void give_up(struct item *e, enum sms_outcome outcome, const char *error)
{
	finish(e, e->unclear ? SMS_AMBIGUOUS : outcome,
		e->answer.error[0] ? e->answer.error : error);
}

/* ---- attempts ---- */

static void attempt_done(struct attempt *a, const struct gateway_result *result)
{
	struct item *e = a->arg;
	const struct queue_config *c = e->queue->config;

	e->result = *result;
	/* What follows is queue_run's: the driver may still be on the stack. */
	c->wake(c->arg);
}

static void log_attempt(const struct item *e, const struct gateway *g)
{
	static const char *const words[] = {
		[SMS_ACCEPTED] = "accepted",
		[SMS_RETRYABLE] = "not sent",
		[SMS_PERMANENT] = "refused",
		[SMS_AMBIGUOUS] = "unclear",
	};
	bool ok = e->result.outcome == SMS_ACCEPTED;
	char masked[40];

	mag_log(ok ? MAG_LOG_INFO : MAG_LOG_WARNING, "message %s to %s by %s (%s): %s%s%s",
		e->message.id, sms_masked(e->message.to, masked, sizeof masked), g->name,
		e->message.channel, words[e->result.outcome], ok ? "" : ": ", e->result.error);
}

/* A driver that answers something else has a fault: nothing may come of it. */
static void normalise(struct gateway_result *r)
{
	if (r->outcome < SMS_ACCEPTED || r->outcome > SMS_AMBIGUOUS)
		r->outcome = SMS_AMBIGUOUS;
}

/* The word of a gateway: accept, or note it and go on to the next. */
static void settle(struct item *e)
{
	struct queue *q = e->queue;
	struct gateway *g = e->attempt.gateway;
	struct queue_time t = now(q);

	normalise(&e->result);
	log_attempt(e, g);
	gateway_finished(g, &e->result, t.now_ms / 1000, t.ticks);
	mag_secret_free(&e->text);
	q->n_flying--;
	memcpy(e->answer.gateway, g->name, sizeof e->answer.gateway);
	memcpy(e->answer.provider_id, e->result.provider_id, sizeof e->answer.provider_id);
	memcpy(e->answer.error, e->result.error, sizeof e->answer.error);
	for (size_t i = 0; i < e->route.n; i++)
		if (e->route.entry[i].gateway == g && e->result.outcome != SMS_RETRYABLE)
			e->route.entry[i].out = true;
	e->attempt.gateway = NULL;
	if (e->result.outcome == SMS_RETRYABLE || e->result.outcome == SMS_PERMANENT)
		limits_return(&q->config->limits, e->charged);
	gateway_free(&g);
	if (e->result.outcome == SMS_ACCEPTED) {
		finish(e, SMS_ACCEPTED, "");
		return;
	}
	e->unclear |= e->result.outcome == SMS_AMBIGUOUS;
	move(e, READY);
}

static int launch(struct item *e, struct gateway *g, struct queue_time t)
{
	struct queue *q = e->queue;
	struct attempt *a = &e->attempt;
	int64_t left = e->deadline - t.ticks;
	int r = template_render(&e->message, t.now_ms / 1000, q->config->autofill, &e->text);

	if (r < 0)
		return r;
	memset(a, 0, sizeof *a);
	memset(&e->result, 0, sizeof e->result);
	a->gateway = gateway_ref(g);
	a->message = &e->message;
	a->text = &e->text;
	a->now_ms = t.now_ms;
	a->timeout_ms = g->timeout * 1000 < left ? g->timeout * 1000 : left;
	a->done = attempt_done;
	a->arg = e;
	e->charged = t.ticks;
	q->n_flying++;
	move(e, FLYING);
	gateway_started(g);
	g->ops->send(a);
	return 0;
}

/* ---- rounds ---- */

static void plan(struct item *e, struct queue_time t)
{
	const struct queue_config *c = e->queue->config;
	const char *country = strchr(e->message.to, '@') ? "" : country_of(e->message.to);
	const struct route_want want = { e->message.channel, country ? country : "", t.ticks,
		c->random, c->arg };

	route_plan(&e->route, c->gateways, c->n_gateways, &want);
}

/* Every gateway had its turn: pause, longer each time and never twice the same. */
static void end_round(struct item *e, struct queue_time t)
{
	const struct queue_config *c = e->queue->config;
	int64_t pause = PAUSE_FIRST_MS << (e->rounds < 5 ? e->rounds : 5);

	if (!route_open(&e->route)) {
		give_up(e, SMS_PERMANENT, "no gateway serves this channel and country");
		return;
	}
	if (pause > PAUSE_LAST_MS)
		pause = PAUSE_LAST_MS;
	pause = pause / 2 + c->random(c->arg, (uint32_t)(pause / 2 + 1));
	e->rounds++;
	e->due = t.ticks + pause;
	if (e->due >= e->deadline) {
		give_up(e, SMS_EXPIRED, "no time is left for another try");
		return;
	}
	move(e, SLEEPING);
}

/* READY: ask the next gateway. */
static void go_on(struct item *e, struct queue_time t)
{
	struct queue *q = e->queue;
	struct route_entry *next;
	int r;

	if (e->deadline <= t.ticks) {
		give_up(e, SMS_EXPIRED, "the message expired");
		return;
	}
	next = route_next(&e->route);
	if (!next) {
		end_round(e, t);
		return;
	}
	if (!limits_take(&q->config->limits, t.ticks)) {
		mag_log(MAG_LOG_ERROR, "the budget is spent: nothing more is sent for now");
		give_up(e, SMS_PERMANENT, "the budget for messages is spent");
		return;
	}
	r = launch(e, next->gateway, t);
	if (r < 0) {
		limits_return(&q->config->limits, t.ticks);
		finish(e, SMS_PERMANENT, r == MAG_ENOTFOUND ? "unknown template"
				       : r == MAG_EINVAL    ? "the template needs a code"
							    : mag_strerror(r));
	}
}

static void settle_flying(struct queue *q)
{
	struct item *e, *next;

	for (e = TAILQ_FIRST(&q->flying); e; e = next) {
		next = TAILQ_NEXT(e, in_state);
		if (e->result.outcome != SMS_NONE)
			settle(e);
	}
}

/* An attempt under way ends by itself: its time-out is within the deadline. */
static void expire(struct queue *q, int64_t ticks)
{
	struct item *e, *next;

	for (e = TAILQ_FIRST(&q->deadlines); e && e->deadline <= ticks; e = next) {
		next = TAILQ_NEXT(e, in_deadline);
		if (e->state != FLYING)
			give_up(e, SMS_EXPIRED, "the message expired");
	}
}

static void wake_sleepers(struct queue *q, struct queue_time t)
{
	struct item *e;

	while ((e = TAILQ_FIRST(&q->sleeping)) && e->due <= t.ticks) {
		plan(e, t);
		move(e, READY);
	}
}

static void forget(struct queue *q, int64_t ticks)
{
	struct item *e;

	while ((e = TAILQ_FIRST(&q->done)) && e->due <= ticks) {
		TAILQ_REMOVE(&q->done, e, in_state);
		tdelete(e, &q->by_id, compare_ids);
		item_free(e);
	}
}

/* The most urgent first; a login code never waits for a test. */
static struct item *first_ready(struct queue *q)
{
	struct item *e = NULL;

	for (int i = 0; i < SMS_PRIORITIES && !e; i++)
		e = TAILQ_FIRST(&q->ready[i]);
	return e;
}

static int64_t sooner(int64_t wait, const struct item *e, int64_t at, int64_t ticks)
{
	int64_t left = at > ticks ? at - ticks : 0;

	if (!e)
		return wait;
	return wait < 0 || left < wait ? left : wait;
}

int64_t queue_run(struct queue *q)
{
	struct queue_time t = now(q);
	struct item *e;
	int64_t wait = -1;

	settle_flying(q);
	expire(q, t.ticks);
	forget(q, t.ticks);
	wake_sleepers(q, t);
	while (q->n_flying < q->config->parallel && (e = first_ready(q))) {
		go_on(e, t);
		settle_flying(q);
	}
	e = TAILQ_FIRST(&q->sleeping);
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
	TAILQ_INIT(&q->flying);
	TAILQ_INIT(&q->sleeping);
	TAILQ_INIT(&q->done);
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
	free_list(q, &q->flying);
	free_list(q, &q->sleeping);
	free_list(q, &q->done);
	free(q);
}

/* The reason why this message will never be sent; NULL if there is none. */
static const char *refuse(struct queue *q, const struct sms_message *m, char *buf, int cap)
{
	if (strcmp(m->channel, "email") == 0)
		return NULL;
	return limits_refuse_country(&q->config->limits, m->to, buf, cap);
}

static struct item *item_new(struct queue *q, struct sms_message *m)
{
	struct item *e = calloc(1, sizeof *e);
	struct queue_time t = now(q);

	if (!e)
		return NULL;
	e->queue = q;
	e->message = *m;
	e->deadline = t.ticks + m->expires_at * 1000 - t.now_ms;
	TAILQ_INIT(&e->waiters);
	if (!tsearch(e, &q->by_id, compare_ids)) {
		free(e);
		return NULL;
	}
	memset(m, 0, sizeof *m);
	q->n_waiting++;
	e->state = READY;
	insert(q, e);
	insert_deadline(q, e);
	return e;
}

/* Refused at once, or planned; queue_run does the rest. */
static void start(struct item *e)
{
	struct queue *q = e->queue;
	struct queue_time t = now(q);
	char buf[SMS_ERROR_MAX];
	const char *reason = refuse(q, &e->message, buf, sizeof buf);

	if (reason)
		finish(e, SMS_PERMANENT, reason);
	else if (e->deadline <= t.ticks)
		finish(e, SMS_EXPIRED, "the message had expired when it came");
	else
		plan(e, t);
}

int queue_submit(struct queue *q, struct sms_message *m,
	void (*answer)(void *arg, const struct queue_answer *answer), void *arg,
	struct queue_waiter **waiter_r)
{
	struct item **found = tfind(m, &q->by_id, compare_ids), *e = found ? *found : NULL;
	struct queue_waiter *w;

	if (e && (strcmp(e->message.to, m->to) || strcmp(e->message.channel, m->channel)))
		return MAG_ECONFLICT;
	if (!e && q->n_waiting >= q->config->max_waiting)
		return MAG_EBUSY;
	w = calloc(1, sizeof *w);
	if (!w || (!e && !(e = item_new(q, m)))) {
		free(w);
		return MAG_ENOMEM;
	}
	if (e->state == DONE) {
		free(w);
		*waiter_r = NULL;
		answer(arg, &e->answer);
		return 0;
	}
	*w = (struct queue_waiter){ .item = e, .answer = answer, .arg = arg };
	TAILQ_INSERT_TAIL(&e->waiters, w, next);
	if (!found)
		start(e);
	*waiter_r = e->state == DONE ? NULL : w;
	return 0;
}

void queue_leave(struct queue_waiter **waiter)
{
	struct queue_waiter *w = *waiter;

	*waiter = NULL;
	if (!w)
		return;
	TAILQ_REMOVE(&w->item->waiters, w, next);
	free(w);
}

void queue_abort(struct queue *q)
{
	struct item *e;

	settle_flying(q);
	while ((e = TAILQ_FIRST(&q->deadlines))) {
		if (e->state == FLYING) {
			e->unclear = true;
			q->n_flying--;
			gateway_free(&e->attempt.gateway);
		}
		give_up(e, SMS_RETRYABLE, "magotp-smsd is stopping");
	}
}

bool queue_idle(const struct queue *q)
{
	return q->n_waiting == 0;
}
