/* Watching: what became of the messages that gateways took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/queue_item.h"

/* ---- what is known ---- */

void item_note(struct item *e, struct gateway *g, const char *provider_id)
{
	struct watch *w = e->watch;

	/* No room: the oldest is the least likely to say anything. */
	if (e->n_watches == WATCHES_MAX) {
		gateway_free(&w[0].gateway);
		memmove(w, w + 1, (WATCHES_MAX - 1) * sizeof *w);
		e->n_watches--;
	} else {
		w = realloc(w, (e->n_watches + 1) * sizeof *w);
		if (!w) /* nobody will hear of it: as if it had no receipts */
			return;
		e->watch = w;
	}
	w = &e->watch[e->n_watches++];
	memset(w, 0, sizeof *w);
	memcpy(w->name, g->name, sizeof w->name);
	w->gateway = gateway_ref(g);
	w->state = SMS_NOTHING;
	snprintf(w->provider_id, sizeof w->provider_id, "%s", provider_id);
}

static struct watch *newest(struct item *e)
{
	return e->n_watches ? &e->watch[e->n_watches - 1] : NULL;
}

static struct watch *watch_of(struct item *e, const char *gateway)
{
	for (unsigned i = e->n_watches; i-- > 0;)
		if (strcmp(e->watch[i].name, gateway) == 0)
			return &e->watch[i];
	return NULL;
}

bool item_is_delivered(const struct item *e)
{
	for (unsigned i = 0; i < e->n_watches; i++)
		if (e->watch[i].state == SMS_DELIVERED)
			return true;
	return e->was_used;
}

/* One that arrived is enough; else the newest has the word. */
void item_set_fate(struct item *e)
{
	const struct watch *w = newest(e);
	bool sent = e->answer.outcome == SMS_ACCEPTED || e->answer.outcome == SMS_AMBIGUOUS;
	const char *word = "";

	e->answer.delivery = SMS_NOTHING;
	if (item_is_delivered(e)) {
		e->answer.delivery = SMS_DELIVERED;
	} else if (!sent || (w && w->state == SMS_FAILED)) {
		e->answer.delivery = SMS_FAILED;
		word = sent ? w->word : "unsent";
	}
	snprintf(e->answer.word, sizeof e->answer.word, "%s", word);
}

/* ---- waiting ---- */

static void watch_until(struct item *e, int64_t due)
{
	e->due = due < e->deadline ? due : e->deadline;
	item_move(e, WATCHED);
	poll_schedule(e, queue_now(e->queue).ticks);
}

void item_accept(struct item *e, struct gateway *g, struct queue_time t)
{
	struct queue *q = e->queue;

	/* Without memory for a watch nobody would hear of it. */
	if (!g->receipts || !newest(e) || newest(e)->gateway != g || e->unneeded ||
		item_is_delivered(e) || e->deadline <= t.ticks ||
		(!e->answered && q->n_watched >= q->config->max_watched)) {
		item_finish(e, SMS_ACCEPTED, "");
		return;
	}
	watch_until(e, t.ticks + g->receipt_wait * 1000);
	if (!e->answered) {
		q->n_watched++;
		item_answer(e, SMS_ACCEPTED, "");
	}
}

void item_rest(struct item *e, int64_t ticks)
{
	const struct watch *w = newest(e);

	if (e->deadline <= ticks || !w || w->state == SMS_FAILED || item_is_delivered(e)) {
		item_finish(e, SMS_ACCEPTED, "");
		return;
	}
	mag_secret_free(&e->message.code);
	mag_secret_free(&e->message.text);
	e->unneeded = true;
	watch_until(e, e->deadline);
}

/* Failed or silent: by another way, while somebody still has the time to type it. */
static void go_on(struct item *e, int64_t ticks)
{
	if (e->unneeded || e->deadline - ticks < WORTH_MS)
		item_rest(e, ticks);
	else
		item_move(e, READY);
}

void queue_wake_silent(struct queue *q, struct queue_time t)
{
	struct item *e;

	while ((e = TAILQ_FIRST(&q->watched)) && e->due <= t.ticks) {
		const struct watch *w = &e->watch[e->n_watches - 1]; /* there is one */

		mag_log(MAG_LOG_WARNING, "message %s: accepted by %s, and no receipt came",
			e->message.id, w->name);
		gateway_heard(w->gateway, e->message.channel, false, t.ticks);
		go_on(e, t.ticks);
	}
}

/* ---- receipts ---- */

static void log_receipt(const struct item *e, const struct watch *w)
{
	bool failed = w->state == SMS_FAILED;

	mag_log(failed ? MAG_LOG_WARNING : MAG_LOG_INFO, "message %s by %s (%s): %s%s%s",
		e->message.id, w->name, e->message.channel, failed ? "failed" : "delivered",
		failed ? ": " : "", w->word);
}

/* What follows from new knowledge. */
static void act(struct item *e, const struct watch *w, int64_t ticks)
{
	if (e->state == DONE) {
		item_set_fate(e);
	} else if (e->state == FLYING) {
		/* The attempt under way has its own end first. */
	} else if (w->state == SMS_DELIVERED) {
		if (!e->answered) {
			memcpy(e->answer.gateway, w->name, sizeof e->answer.gateway);
			memcpy(e->answer.provider_id, w->provider_id, sizeof e->answer.provider_id);
		}
		item_finish(e, SMS_ACCEPTED, "");
	} else if (e->state == WATCHED && w == newest(e)) {
		go_on(e, ticks);
	}
}

int queue_receipt(struct queue *q, const struct queue_receipt *receipt)
{
	struct item *e = queue_find(q, receipt->id);
	struct watch *w = e ? watch_of(e, receipt->gateway) : NULL;
	int64_t ticks = queue_now(q).ticks;

	if (!w)
		return MAG_ENOTFOUND;
	if (receipt->state != SMS_DELIVERED && receipt->state != SMS_FAILED)
		return 0;
	if (w->gateway)
		gateway_heard(w->gateway, e->message.channel, true, ticks);
	/* Nothing takes back what has arrived; the same word twice is said once. */
	if (w->state == SMS_DELIVERED || w->state == receipt->state)
		return 0;
	w->state = receipt->state;
	snprintf(w->word, sizeof w->word, "%s", receipt->state == SMS_FAILED ? receipt->word : "");
	if (w->gateway && w->state == SMS_DELIVERED)
		w->gateway->stats.delivered++;
	else if (w->gateway)
		w->gateway->stats.undelivered++;
	log_receipt(e, w);
	act(e, w, ticks);
	return 0;
}
