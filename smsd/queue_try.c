/* Trying: one gateway after the other, round after round. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/queue_item.h"
#include "smsd/template.h"

#define PAUSE_FIRST_MS 500   /* between rounds: doubles, */
#define PAUSE_LAST_MS  15000 /* up to this */

/* ---- attempts ---- */

static void attempt_done(struct attempt *a, const struct gateway_result *result)
{
	struct item *e = a->arg;
	const struct queue_config *c = e->queue->config;

	e->trial->result = *result;
	/* What follows is queue_run's: the driver may still be on the stack. */
	c->wake(c->arg);
}

static void log_attempt(
	const struct item *e, const struct gateway *g, const struct gateway_result *result)
{
	static const char *const words[] = {
		[SMS_ACCEPTED] = "accepted",
		[SMS_RETRYABLE] = "not sent",
		[SMS_PERMANENT] = "refused",
		[SMS_AMBIGUOUS] = "unclear",
	};
	bool ok = result->outcome == SMS_ACCEPTED;
	char masked[40];

	mag_log(ok ? MAG_LOG_INFO : MAG_LOG_WARNING, "message %s to %s by %s (%s): %s%s%s",
		e->message.id, sms_masked(e->message.to, masked, sizeof masked), g->name,
		e->message.channel, words[result->outcome], ok ? "" : ": ", result->error);
}

/* A driver that answers something else has a fault: nothing may come of it. */
static void normalise(struct gateway_result *r)
{
	if (r->outcome < SMS_ACCEPTED || r->outcome > SMS_AMBIGUOUS)
		r->outcome = SMS_AMBIGUOUS;
}

bool gateway_is_full(const struct queue *q, const struct gateway *g)
{
	int64_t parallel = q->config->parallel;
	int64_t share = q->config->n_gateways > 1 ? parallel - parallel / 4 : parallel;

	return g->stats.waiting >= share;
}

/* A place at this gateway is free: the first who waits for it. */
static void release(struct queue *q, const struct gateway *g)
{
	struct item *e;

	TAILQ_FOREACH(e, &q->held, in_state)
	{
		if (e->held_on == g) {
			item_move(e, READY);
			return;
		}
	}
}

/* The word of a gateway: accept, or note it and go on to the next. */
static void settle(struct item *e)
{
	struct queue *q = e->queue;
	struct gateway *g = gateway_ref(e->trial->attempt.gateway);
	struct gateway_result result = e->trial->result;
	struct queue_time t = queue_now(q);

	trial_free(&e->trial);
	normalise(&result);
	log_attempt(e, g, &result);
	gateway_finished(g, e->message.channel, &result, t);
	q->n_flying--;
	release(q, g);
	/* Whoever was answered knows who took it; that stays. */
	if (!e->answered) {
		memcpy(e->answer.gateway, g->name, sizeof e->answer.gateway);
		memcpy(e->answer.provider_id, result.provider_id, sizeof e->answer.provider_id);
		memcpy(e->answer.error, result.error, sizeof e->answer.error);
	}
	for (size_t i = 0; i < e->route.n; i++)
		if (e->route.entry[i].gateway == g && result.outcome != SMS_RETRYABLE)
			e->route.entry[i].out = true;
	if (result.outcome == SMS_RETRYABLE || result.outcome == SMS_PERMANENT)
		limits_return(&q->config->limits, e->message.to, e->charged);
	else
		item_note(e, g, result.provider_id);
	e->unclear |= result.outcome == SMS_AMBIGUOUS;
	if (result.outcome == SMS_ACCEPTED)
		item_accept(e, g, t);
	else
		item_move(e, READY);
	gateway_free(&g);
}

/* Text and subject. E-mails have files, messages to phones a table. */
static int render(const struct item *e, struct trial *trial, int64_t now)
{
	const struct queue_config *c = e->queue->config;
	const struct sms_message *m = &e->message;
	int r = MAG_ENOTFOUND;

	if (strcmp(m->channel, "email") == 0 && m->template[0])
		r = mail_template_render(c->templates, m, trial->subject, &trial->text);
	return r == MAG_ENOTFOUND ? template_render(m, now, c->autofill, &trial->text) : r;
}

static int launch(struct item *e, struct gateway *g, struct queue_time t)
{
	struct queue *q = e->queue;
	const struct queue_config *c = q->config;
	int64_t left = e->deadline - t.ticks;
	struct trial *trial = trial_new(e, g);
	struct attempt *a;
	int r = trial ? render(e, trial, t.now_ms / 1000) : MAG_ENOMEM;

	if (r == 0 && g->receipts == RECEIPTS_CALLBACK && c->receipt_url)
		r = c->receipt_url(c->arg, g, e->message.id, &trial->receipt_url);
	if (r < 0) {
		trial_free(&trial);
		return r;
	}
	a = &trial->attempt;
	a->receipt_url = trial->receipt_url.len ? mag_secret_text(&trial->receipt_url) : NULL;
	a->now_ms = t.now_ms;
	a->timeout_ms = g->timeout * 1000 < left ? g->timeout * 1000 : left;
	a->done = attempt_done;
	e->trial = trial;
	e->charged = t.ticks;
	q->n_flying++;
	item_move(e, FLYING);
	gateway_started(g, e->message.channel, t.ticks);
	g->ops->send(a);
	return 0;
}

/* ---- rounds ---- */

void item_plan(struct item *e, struct queue_time t)
{
	const struct queue_config *c = e->queue->config;
	const char *country = strchr(e->message.to, '@') ? "" : country_of(e->message.to);
	const struct route_want want = { e->message.channel, country ? country : "", t.ticks,
		c->chance, c->arg };

	route_plan(&e->route, c->gateways, c->n_gateways, &want);
}

/* Every gateway had its turn: pause, longer each time and never twice the same. */
static void end_round(struct item *e, struct queue_time t)
{
	const struct queue_config *c = e->queue->config;
	int64_t pause = PAUSE_FIRST_MS << (e->rounds < 5 ? e->rounds : 5), mute;

	if (!route_open(&e->route)) {
		item_give_up(e, SMS_PERMANENT, "no gateway serves this channel and country");
		return;
	}
	if (pause > PAUSE_LAST_MS)
		pause = PAUSE_LAST_MS;
	pause = pause / 2 + c->chance(c->arg, (uint32_t)(pause / 2 + 1));
	e->rounds++;
	mute = route_mute_until(&e->route, e->message.channel);
	e->due = (mute > t.ticks ? mute : t.ticks) + pause;
	if (e->due >= e->deadline) {
		item_give_up(e, SMS_EXPIRED,
			mute > t.ticks ? "the gateways asked for a longer pause"
				       : "no time is left for another try");
		return;
	}
	item_move(e, SLEEPING);
}

/* The next gateway that has room; NULL: none is left, or all are full, and what follows is
 * arranged. A full one is passed over: better by another way than late. */
static struct route_entry *next_with_room(struct item *e, struct queue_time t)
{
	const struct gateway *full = NULL;
	size_t begin = e->route.next;
	struct route_entry *next;

	while ((next = route_next(&e->route, e->message.channel, t.ticks)) &&
		gateway_is_full(e->queue, next->gateway))
		full = full ? full : next->gateway;
	if (next)
		return next;
	if (!full) {
		end_round(e, t);
		return NULL;
	}
	e->route.next = begin;
	e->held_on = full;
	item_move(e, HELD);
	return NULL;
}

/* READY: ask the next gateway. */
void item_go_on(struct item *e, struct queue_time t)
{
	struct queue *q = e->queue;
	struct route_entry *next;
	const char *spent;
	int r;

	if (e->unneeded) {
		item_finish(e, e->unclear ? SMS_AMBIGUOUS : SMS_EXPIRED, unneeded_words);
		return;
	}
	if (item_is_delivered(e)) {
		item_finish(e, SMS_ACCEPTED, "");
		return;
	}
	if (e->deadline <= t.ticks) {
		item_give_up(e, SMS_EXPIRED, "the message expired");
		return;
	}
	if ((e->unclear || e->answered) && e->deadline - t.ticks < WORTH_MS) {
		item_give_up(e, SMS_AMBIGUOUS, "no time is left for another try");
		return;
	}
	next = next_with_room(e, t);
	if (!next)
		return;
	spent = limits_take(&q->config->limits, e->message.to, t.ticks);
	if (spent) {
		mag_log(MAG_LOG_ERROR, "nothing more is sent for now: %s", spent);
		item_give_up(e, SMS_PERMANENT, spent);
		return;
	}
	r = launch(e, next->gateway, t);
	if (r < 0) {
		limits_return(&q->config->limits, e->message.to, t.ticks);
		item_finish(e, SMS_PERMANENT,
			r == MAG_ENOTFOUND ? "unknown template"
			: r == MAG_EINVAL  ? "the template needs other values"
					   : mag_strerror(r));
	}
}

void queue_settle(struct queue *q)
{
	struct item *e, *next;

	for (e = TAILQ_FIRST(&q->flying); e; e = next) {
		next = TAILQ_NEXT(e, in_state);
		if (e->trial->result.outcome != SMS_NONE)
			settle(e);
	}
}
