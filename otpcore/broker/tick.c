/* Requests in, ticks through the store, answers out. One tick at a time; what
 * comes meanwhile is the next (architecture.md 6). */
#include "otpcore/broker/parts.h"

#include <event2/event.h>
#include <stdlib.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/journal.h"
#include "otpcore/store/fault.h"

#define TICK_MAX    128 /* requests a tick */
#define LOST_MAX    8   /* races a request may lose */
#define PATIENCE_MS 400 /* behind a tick whose store does not answer; then "busy" */
#define LOOK_MS     100 /* how often it is looked who has lost it */

struct queue {
	struct request *head, **tail;
};

struct ticker {
	struct broker *broker;
	struct queue waiting;
	struct store_tick *tick; /* NULL: none under way */
	bool ended;
	int end;          /* what the store said of the whole tick */
	int64_t since;    /* mag_ticks_ns of its submission */
	struct event *io; /* while the store waits for its server */
};

static void queue_init(struct queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void queue_put(struct queue *q, struct request *r)
{
	r->next = NULL;
	*q->tail = r;
	q->tail = &r->next;
}

static struct request *queue_take(struct queue *q)
{
	struct request *r = q->head;

	if (r) {
		q->head = r->next;
		if (!q->head)
			q->tail = &q->head;
		r->next = NULL;
	}
	return r;
}

/* All of `a` goes before what `q` holds. */
static void queue_prepend(struct queue *q, struct queue *a)
{
	if (!a->head)
		return;
	*a->tail = q->head;
	if (!q->head)
		q->tail = a->tail;
	q->head = a->head;
	queue_init(a);
}

int ticker_new(struct broker *b, struct ticker **t_r)
{
	struct ticker *t = calloc(1, sizeof *t);

	if (!t)
		return MAG_ENOMEM;
	t->broker = b;
	queue_init(&t->waiting);
	*t_r = t;
	return 0;
}

void ticker_free(struct ticker **t)
{
	struct request *r;

	if (!*t)
		return;
	while ((r = queue_take(&(*t)->waiting)))
		request_free(&r);
	store_tick_free(&(*t)->tick);
	if ((*t)->io)
		event_free((*t)->io);
	free(*t);
	*t = NULL;
}

void ticker_add(struct ticker *t, struct request *r)
{
	queue_put(&t->waiting, r);
}

bool ticker_idle(const struct ticker *t)
{
	return !t->tick;
}

bool ticker_waiting(const struct ticker *t)
{
	return t->waiting.head != NULL;
}

/* ---- answers ---- */

/* Sleeping so short a time is not exact: a turn around the clock is. */
static void even_out(struct request *r)
{
	struct pace *p = &r->broker->pace;
	int64_t until;

	if (r->pace_whose == PACE_NONE)
		return;
	until = mag_ticks_ns() + pace_hold(p, r->pace_what, r->pace_whose);
	for (int turns = 0; turns < PACE_HOLD_MAX && mag_ticks_ns() < until; turns++)
		;
	pace_learn(p, r->pace_what, r->pace_whose, mag_ticks_ns() - r->came);
}

static void answer(struct request *r)
{
	if (r->message)
		stats_answer(&r->broker->stats, r->message->id, &r->result, r->reply);
	even_out(r);
	if (r->conn) /* NOLINTNEXTLINE(clang-analyzer-core.*): what a peer asks has a message */
		conn_answer(r->conn, r->message->id, &r->result, r->reply);
	else if (r->remote)
		remote_answer(r);
	request_free(&r);
}

void ticker_delivered(struct request *r, unsigned delivery)
{
	if (r->handler && r->handler->delivered)
		r->handler->delivered(r, delivery);
	answer(r);
}

/* The request is decided; what it says goes out, or waits for smsd's word. */
static void conclude(struct request *r)
{
	audit(r);
	r->tick = NULL;
	if (!r->result.error)
		fates_spent(r->broker->fates, r->spent, r->n_spent);
	if (!r->result.error && r->sms.wanted)
		dispatch_order(r->broker->dispatch, r);
	else if (!r->result.error && r->hold_ms > 0)
		dispatch_pretend(r->broker->dispatch, r);
	else
		answer(r);
}

static void refuse(struct request *r, int error)
{
	request_reset(r);
	request_error(r, error);
	conclude(r);
}

/* ---- what the store calls ---- */

/* An answer that could not be made, though rows are marked for it: a code must not be
 * used up for it. An error about what was asked is none of these. */
static void spoil(struct store_tick *tick, size_t i, const struct request *r)
{
	static const int own[] = { MAG_ENOMEM, MAG_ECRYPTO, MAG_ESTORE, MAG_ESYS };

	for (size_t k = 0; k < sizeof own / sizeof *own; k++)
		if (r->result.error == own[k])
			store_spoil(tick, i);
}

/* What has any weight is written down in full, whatever becomes of it. */
static void weigh(struct store_tick *tick, size_t i, struct request *r)
{
	r->weighed = r->weighed || !r->result.error || store_touched(tick, i);
}

static void on_decide(struct store_tick *tick, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < store_n_requests(tick); i++) {
		struct request *r = store_request_arg(tick, i);
		int res;

		if (!store_active(tick, i))
			continue;
		request_reset(r);
		res = gate_check(r);
		if (!res && FAULT("tick.decide"))
			res = MAG_ESTORE;
		if (res) {
			request_error(r, res);
			continue;
		}
		r->allowed = true;
		r->handler->decide(r);
		weigh(tick, i, r);
		if (r->missed || !keyring_missed(r->broker->keyring)) {
			spoil(tick, i, r);
			continue;
		}
		/* Another broker has sealed with a key that is new: read it, then again. */
		r->missed = true;
		keys_want(r->broker->keys);
		store_lose(tick, i);
	}
}

static void on_settle(struct store_tick *tick, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < store_n_requests(tick); i++) {
		struct request *r = store_request_arg(tick, i);

		if (store_active(tick, i) && !store_lost(tick, i) && r->allowed &&
			r->handler->settle) {
			r->handler->settle(r);
			weigh(tick, i, r);
			spoil(tick, i, r);
		}
	}
}

static void on_done(struct store_tick *tick, int r, void *arg)
{
	struct ticker *t = arg;

	t->ended = true;
	t->end = r;
	stats_tick(&t->broker->stats, store_n_requests(tick), (mag_ticks_ns() - t->since) / 1000,
		r < 0);
}

/* ---- while the store works elsewhere, the loop goes on ---- */

/* People: what the broker asks itself has time. */
static bool impatient(const struct request *r, int64_t now)
{
	return (r->conn || r->remote) && now - r->came >= PATIENCE_MS * 1000000LL;
}

/* A store that is away holds its own tick, and nobody who came after it: they are told, and
 * may ask again. */
static void let_go(struct ticker *t)
{
	int64_t now = mag_ticks_ns();
	struct queue stay;
	struct request *r;

	if (now - t->since < PATIENCE_MS * 1000000LL)
		return;
	queue_init(&stay);
	while ((r = queue_take(&t->waiting))) {
		if (impatient(r, now))
			refuse(r, MAG_EBUSY);
		else
			queue_put(&stay, r);
	}
	queue_prepend(&t->waiting, &stay);
}

static void watch(struct ticker *t);

static void on_store(evutil_socket_t fd, short what, void *arg)
{
	struct ticker *t = arg;

	(void)fd;
	(void)what;
	store_ready(t->broker->store);
	if (t->tick && !t->ended)
		let_go(t);
	if (!t->ended)
		watch(t);
}

/* The connection may be another one each time; one is also made while nobody asks. */
static void watch(struct ticker *t)
{
	struct store_wait w = { .fd = -1 };
	struct timeval until;
	short what = EV_READ;

	if (t->io)
		event_free(t->io);
	t->io = NULL;
	if (!store_waits(t->broker->store, &w))
		return;
	if (w.write)
		what |= EV_WRITE;
	if (t->tick && w.ms > LOOK_MS)
		w.ms = LOOK_MS;
	until = (struct timeval){ w.ms / 1000, w.ms % 1000 * 1000 };
	t->io = event_new(t->broker->base, w.fd, w.fd < 0 ? 0 : what, on_store, t);
	/* Without memory for it: as if there were no loop. */
	if (t->tick && (!t->io || event_add(t->io, &until)))
		store_wait(t->broker->store);
	else if (!t->tick && t->io)
		event_add(t->io, &until);
}

/* ---- one tick after the other ---- */

/* Two messages of one login are decided one after the other: the second may be
 * a repeat, and must see the first one's answer on the login's row. */
static bool login_taken(struct store_tick *tick, const struct request *r)
{
	for (size_t i = 0; r->has_ticket && i < store_n_requests(tick); i++) {
		const struct request *other = store_request_arg(tick, i);

		if (other->has_ticket && other->ticket.login == r->ticket.login)
			return true;
	}
	return false;
}

/* Returns false if the request has to wait for the next tick. */
static bool enlist(struct store_tick *tick, struct request *r, int64_t now)
{
	int res;

	r->tick = tick;
	r->now = now;
	res = gate_want(r);
	if (!res && login_taken(tick, r))
		return false;
	if (!res && r->handler->want)
		res = r->handler->want(r);
	if (!res)
		res = store_request(tick, r);
	if (res < 0)
		refuse(r, res);
	else
		r->index = (size_t)res;
	return true;
}

static void start(struct ticker *t)
{
	static const struct store_tick_ops ops = { on_decide, on_settle, on_done };
	struct queue later;
	struct request *r;
	int64_t now = mag_now();
	int res;

	keys_turn(t->broker->keys);
	res = store_tick_new(t->broker->store, now, &t->tick);
	if (res) {
		while ((r = queue_take(&t->waiting)))
			refuse(r, res);
		return;
	}
	store_sealed_by(t->tick, keyring_current(t->broker->keyring));
	queue_init(&later);
	for (size_t n = 0; n < TICK_MAX && (r = queue_take(&t->waiting)); n++)
		if (!enlist(t->tick, r, now))
			queue_put(&later, r);
	queue_prepend(&t->waiting, &later);
	t->ended = false;
	if (store_n_requests(t->tick) == 0) {
		store_tick_free(&t->tick);
		return;
	}
	t->since = mag_ticks_ns();
	store_submit(t->tick, &ops, t);
	if (!t->ended)
		watch(t);
}

/* What the store said of one request: 0, an error, or MAG_ECONFLICT: again. */
static int outcome(struct ticker *t, size_t i, struct request *r)
{
	if (t->end < 0)
		return t->end;
	if (store_failed(t->tick, i)) /* of its own, if it had given up */
		return r->result.error ? r->result.error : MAG_ESTORE;
	if (store_lost(t->tick, i))
		return ++r->lost > LOST_MAX ? MAG_EBUSY : MAG_ECONFLICT;
	return 0;
}

/* A test lets an answer be lost here, or the process die. */
static void last_word(struct request *r)
{
	if (r->message && FAULT("tick.answer"))
		request_error(r, MAG_ETIMEOUT);
	conclude(r);
}

static void finish(struct ticker *t)
{
	struct queue again, after, done;
	struct request *r;

	queue_init(&again);
	queue_init(&after);
	queue_init(&done);
	/* Why it is busy the store has told, and less often. */
	if (t->end < 0)
		mag_log(t->end == MAG_EBUSY ? MAG_LOG_DEBUG : MAG_LOG_ERROR,
			"the store refused a tick of %zu requests: %s", store_n_requests(t->tick),
			mag_strerror(t->end));
	if (store_key_moved(t->tick))
		keys_want(t->broker->keys);
	journal_flush(t->broker->journal);
	for (size_t i = 0; i < store_n_requests(t->tick); i++) {
		int res;

		r = store_request_arg(t->tick, i);
		res = outcome(t, i, r);
		if (res == MAG_ECONFLICT) {
			stats_race(&t->broker->stats);
			queue_put(&again, r);
			continue;
		}
		if (res) {
			request_reset(r);
			request_error(r, res);
		}
		queue_put(r->handler->after && r->allowed && !r->result.error ? &after : &done, r);
	}
	while ((r = queue_take(&done)))
		last_word(r);
	while ((r = queue_take(&after))) {
		r->handler->after(r);
		journal_flush(t->broker->journal);
		last_word(r);
	}
	store_tick_free(&t->tick);
	queue_prepend(&t->waiting, &again);
}

void ticker_turn(struct ticker *t, bool hold)
{
	if (t->tick && t->ended)
		finish(t);
	if (!t->tick && t->waiting.head && !hold)
		start(t);
	/* A store that works in place has ended it already. */
	if (t->tick && t->ended)
		finish(t);
	if (!t->tick)
		watch(t);
}
