/* Orders to smsd, each on a connection of its own, none of them waited for: the
 * loop goes on. Who asked is answered with smsd's word, or after three seconds
 * with "pending"; the word that comes later goes to the challenge's row. */
#include "otpcore/broker/parts.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/send.h"

#define RETRY_MS      100
#define TRIES_MAX     20 /* to hand one order over */
#define GRACE_SECONDS 5  /* an answer may come this long after the message expired */

struct order {
	struct dispatch *dispatch;
	struct order *next, **link;
	struct sms_order sms;
	struct request *waiting;  /* by request.next; NULL: everybody was answered */
	struct event *io, *timer; /* the word; hold, then expiry, or the next try */
	int fd;
	unsigned tries;
	bool handed;  /* smsd has it, or may have it */
	bool pretend; /* a decoy's: no smsd, only the time */
	int64_t since;
	char host[65]; /* that is logged in to */
};

struct dispatch {
	struct broker *broker;
	struct order *orders;
	int64_t average16; /* of smsd's answers, in 1/16 ms */
	unsigned last;
};

int dispatch_new(struct broker *b, struct dispatch **d_r)
{
	struct dispatch *d = calloc(1, sizeof *d);

	if (!d)
		return MAG_ENOMEM;
	d->broker = b;
	d->average16 = 20 * 16;
	d->last = DELIVERY_ACCEPTED;
	*d_r = d;
	return 0;
}

static void order_close(struct order *o)
{
	if (o->io)
		event_free(o->io);
	o->io = NULL;
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static void order_free(struct order *o)
{
	if (o->next)
		o->next->link = o->link;
	if (o->link)
		*o->link = o->next;
	order_close(o);
	if (o->timer)
		event_free(o->timer);
	mag_secret_free(&o->sms.code);
	free(o);
}

void dispatch_free(struct dispatch **d)
{
	if (!*d)
		return;
	for (struct order *o = (*d)->orders, *older; o; o = older) {
		older = o->next;
		for (struct request *r = o->waiting, *next; r; r = next) {
			next = r->next;
			request_free(&r);
		}
		order_free(o);
	}
	free(*d);
	*d = NULL;
}

int64_t dispatch_average_ms(const struct dispatch *d)
{
	return d->average16 / 16;
}

unsigned dispatch_last(const struct dispatch *d)
{
	return d->last;
}

size_t dispatch_orders(const struct dispatch *d)
{
	size_t n = 0;

	for (const struct order *o = d->orders; o; o = o->next)
		n += !o->pretend;
	return n;
}

/* ---- who waits ---- */

static void answer_all(struct order *o, unsigned delivery)
{
	struct request *r = o->waiting;

	o->waiting = NULL;
	while (r) {
		struct request *next = r->next;

		r->next = NULL;
		ticker_delivered(r, delivery);
		r = next;
	}
}

static void order_timer(struct order *o, int64_t ms)
{
	const struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	event_add(o->timer, &tv);
}

/* The word came: the row first, then the people, then nothing is left. */
static void conclude(struct order *o, unsigned delivery)
{
	struct dispatch *d = o->dispatch;
	int64_t took = mag_ticks_ms() - o->since;

	stats_sent(&d->broker->stats, o->sms.channel, delivery);
	if (took > DISPATCH_HOLD_MS)
		took = DISPATCH_HOLD_MS;
	/* Decoys pretend what codes do, not what e-mails do. */
	if (!mag_streq(o->sms.channel, "email")) {
		d->average16 += (took * 16 - d->average16) / 8;
		d->last = delivery == DELIVERY_FAILED ? DELIVERY_FAILED : DELIVERY_ACCEPTED;
	}
	if (o->sms.challenge)
		delivery_record(d->broker, &o->sms, delivery);
	if (o->sms.mail)
		mail_record(d->broker, &o->sms, delivery);
	if (o->sms.challenge && o->sms.priority == LOGIN_PRIORITY && delivery != DELIVERY_FAILED)
		fates_watch(d->broker->fates, &o->sms);
	answer_all(o, delivery);
	order_free(o);
}

/* ---- the conversation with smsd ---- */

static int submit(struct order *o)
{
	const struct sms_order *s = &o->sms;
	struct wire_submit_req q = { .expires_at = s->expires_at, .priority = s->priority };
	int r;

	mag_copy(q.id, sizeof q.id, s->id);
	mag_copy(q.to, sizeof q.to, s->to);
	mag_copy(q.channel, sizeof q.channel, s->channel);
	mag_copy(q.template, sizeof q.template, s->template);
	mag_copy(q.args, sizeof q.args, s->args);
	mag_copy(q.language, sizeof q.language, s->language);
	mag_copy(q.host, sizeof q.host, o->host);
	if (s->mail)
		mag_copy(q.from, sizeof q.from, o->dispatch->broker->settings->mail_from);
	r = mag_secret_set(&q.code, s->code.data, s->code.len);
	if (!r)
		r = smsd_ask(o->dispatch->broker, WIRE_MSG_SUBMIT, &q, &o->fd);
	wire_clear(&wire_submit_req, &q);
	return r;
}

static void on_word(evutil_socket_t fd, short what, void *arg);

/* Hand the order over. MAG_EBUSY: again in a moment. */
static int hand_over(struct order *o)
{
	int r = submit(o);

	if (!r) {
		o->io = event_new(o->dispatch->broker->base, o->fd, EV_READ, on_word, o);
		r = o->io && event_add(o->io, NULL) == 0 ? 0 : MAG_ENOMEM;
		o->handed = true;
	}
	if (r)
		order_close(o);
	return r;
}

static int64_t hold_left(const struct order *o)
{
	int64_t left = o->since + DISPATCH_HOLD_MS - mag_ticks_ms();

	return left > 0 ? left : 0;
}

/* One try to hand over; later again if smsd was busy or went away. */
static void attempt(struct order *o)
{
	int r = hand_over(o);

	if (!r) {
		order_timer(o, hold_left(o));
		return;
	}
	if (++o->tries < TRIES_MAX && (r == MAG_EBUSY || o->handed)) {
		order_timer(o, RETRY_MS);
		return;
	}
	mag_log(MAG_LOG_WARNING, "message %s: smsd at %s: %s", o->sms.id,
		o->dispatch->broker->settings->smsd_socket, mag_strerror(r));
	/* What may have been taken may still arrive: no refund, no new code. */
	conclude(o, o->handed ? DELIVERY_PENDING : DELIVERY_FAILED);
}

static void on_word(evutil_socket_t fd, short what, void *arg)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	struct order *o = arg;
	struct wire_submit_rep rep = { .outcome = SMS_NONE };
	struct wire_result result = { 0 };
	ssize_t n = recv(fd, frame, sizeof frame, MSG_DONTWAIT);

	(void)what;
	if (n <= 0) { /* it went away: the same id again is the same message */
		order_close(o);
		order_timer(o, RETRY_MS);
		o->tries++;
		return;
	}
	if (wire_decode_reply(frame, (size_t)n, WIRE_MSG_SUBMIT, &result, &rep) || result.error) {
		mag_log(MAG_LOG_WARNING, "message %s: smsd refused it: %s", o->sms.id,
			mag_strerror(result.error));
		conclude(o, DELIVERY_FAILED);
		return;
	}
	if (rep.outcome != SMS_ACCEPTED)
		mag_log(MAG_LOG_WARNING, "message %s: not accepted (%u): %s", o->sms.id,
			rep.outcome, rep.error);
	conclude(o, rep.outcome == SMS_ACCEPTED    ? DELIVERY_ACCEPTED
		    : rep.outcome == SMS_AMBIGUOUS ? DELIVERY_PENDING
						   : DELIVERY_FAILED);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct order *o = arg;
	int64_t left;

	(void)fd;
	(void)what;
	if (o->pretend) {
		answer_all(o, o->dispatch->last);
		order_free(o);
		return;
	}
	/* The loop's clock is a coarse one: a timer may come some milliseconds early. */
	left = hold_left(o);
	if (left > 0 && o->io) {
		order_timer(o, left);
		return;
	}
	if (left == 0)
		answer_all(o, DELIVERY_PENDING);
	if (!o->io) {
		attempt(o);
		return;
	}
	/* Nobody waits any more, but the row wants to know, until it is over. */
	left = o->sms.expires_at + GRACE_SECONDS - mag_now();
	if (left <= 0)
		conclude(o, DELIVERY_PENDING);
	else
		order_timer(o, left * 1000);
}

/* ---- taking orders ---- */

static struct order *order_new(struct dispatch *d, struct request *r)
{
	struct order *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	o->dispatch = d;
	o->fd = -1;
	o->since = mag_ticks_ms();
	mag_copy(o->host, sizeof o->host, r->host);
	o->timer = evtimer_new(d->broker->base, on_timer, o);
	if (!o->timer) {
		free(o);
		return NULL;
	}
	o->waiting = r;
	r->next = NULL;
	o->next = d->orders;
	o->link = &d->orders;
	if (d->orders)
		d->orders->link = &o->next;
	d->orders = o;
	return o;
}

static struct order *under_way(struct dispatch *d, const char *id)
{
	for (struct order *o = d->orders; o; o = o->next)
		if (!o->pretend && mag_streq(o->sms.id, id))
			return o;
	return NULL;
}

void dispatch_order(struct dispatch *d, struct request *r)
{
	struct order *o = under_way(d, r->sms.id);

	if (o && hold_left(o) > 0) { /* repeats attach to the same wait */
		r->next = o->waiting;
		o->waiting = r;
		return;
	}
	if (o) {
		ticker_delivered(r, DELIVERY_PENDING);
		return;
	}
	o = order_new(d, r);
	if (!o) {
		if (r->sms.challenge)
			delivery_record(d->broker, &r->sms, DELIVERY_FAILED);
		if (r->sms.mail)
			mail_record(d->broker, &r->sms, DELIVERY_FAILED);
		ticker_delivered(r, DELIVERY_FAILED);
		return;
	}
	o->sms = r->sms; /* the code moves */
	r->sms = (struct sms_order){ .wanted = false };
	attempt(o);
}

void dispatch_pretend(struct dispatch *d, struct request *r)
{
	struct order *o = order_new(d, r);

	if (!o) {
		ticker_delivered(r, d->last);
		return;
	}
	o->pretend = true;
	order_timer(o, r->hold_ms);
}
