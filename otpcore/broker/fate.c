/* What becomes of login codes once smsd has them: it is asked for their fate, and told when
 * nobody needs one any more. Nobody waits for any of it: what cannot be asked or told now
 * is left. */
#include "otpcore/broker/parts.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/send.h"

#define WATCHED_MAX   256 /* codes whose fate is asked for; a connection each */
#define TELLING_MAX   32  /* connections that tell of used codes */
#define SPENT_MAX     256 /* codes to tell of */
#define TELL_SECONDS  5
#define GRACE_SECONDS 5 /* smsd answers when the message expires at the latest */

struct ask {
	struct fates *fates;
	struct ask *next, **link;
	uint16_t message; /* WIRE_MSG_DELIVERY, WIRE_MSG_USED */
	struct sms_order sms;
	struct event *io;
	int fd;
};

struct fates {
	struct broker *broker;
	struct ask *asks;
	size_t n_watched, n_telling;
	struct spent_code spent[SPENT_MAX];
	size_t n_spent;
	struct event *soon;
};

static size_t *count_of(struct fates *f, uint16_t message)
{
	return message == WIRE_MSG_DELIVERY ? &f->n_watched : &f->n_telling;
}

static void ask_free(struct ask *a)
{
	if (a->next)
		a->next->link = a->link;
	*a->link = a->next;
	--*count_of(a->fates, a->message);
	if (a->io)
		event_free(a->io);
	close(a->fd);
	free(a);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	static unsigned char frame[WIRE_FRAME_MAX];
	struct ask *a = arg;
	struct broker *b = a->fates->broker;
	struct wire_delivery_rep rep = { .state = SMS_UNKNOWN };
	struct wire_result result = { 0 };
	ssize_t n = what & EV_READ ? recv(fd, frame, sizeof frame, MSG_DONTWAIT) : 0;

	if (n > 0 && a->message == WIRE_MSG_DELIVERY &&
		!wire_decode_reply(frame, (size_t)n, a->message, &result, &rep) && !result.error) {
		stats_fate(&b->stats, rep.state);
		if (rep.state == SMS_FAILED) {
			mag_log(MAG_LOG_NOTICE, "message %s: it did not arrive: %s", a->sms.id,
				rep.error);
			delivery_record(b, &a->sms, DELIVERY_UNDELIVERED);
		}
	}
	ask_free(a);
}

/* Sends and waits for the answer in the loop. 0 or an error: then nothing is under way. */
static int ask(struct fates *f, uint16_t message, const void *request, const struct sms_order *o,
	int64_t seconds)
{
	const struct timeval tv = { seconds > 0 ? seconds : 0, 0 };
	struct ask *a = calloc(1, sizeof *a);
	int r = a ? smsd_ask(f->broker, message, request, &a->fd) : MAG_ENOMEM;

	if (r) {
		free(a);
		return r;
	}
	a->fates = f;
	a->message = message;
	if (o) {
		mag_copy(a->sms.id, sizeof a->sms.id, o->id);
		mag_copy(a->sms.account, sizeof a->sms.account, o->account);
		a->sms.challenge = o->challenge;
	}
	a->next = f->asks;
	a->link = &f->asks;
	if (f->asks) /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): ask_free() takes it out */
		f->asks->link = &a->next;
	f->asks = a;
	++*count_of(f, message);
	a->io = event_new(f->broker->base, a->fd, EV_READ, on_answer, a);
	if (a->io && event_add(a->io, &tv) == 0)
		return 0;
	ask_free(a);
	return MAG_ENOMEM;
}

void fates_watch(struct fates *f, const struct sms_order *o)
{
	struct wire_delivery_req q = { 0 };

	if (f->n_watched >= WATCHED_MAX)
		return;
	mag_copy(q.id, sizeof q.id, o->id);
	(void)ask(f, WIRE_MSG_DELIVERY, &q, o, o->expires_at + GRACE_SECONDS - mag_now());
}

/* ---- codes that nobody needs any more ---- */

static void forget(struct fates *f, int64_t challenge)
{
	for (struct ask *a = f->asks, *next; a; a = next) {
		next = a->next;
		if (a->sms.challenge == challenge)
			ask_free(a);
	}
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct fates *f = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < f->n_spent; i++) {
		struct wire_used_req q = { .used = f->spent[i].used };

		forget(f, f->spent[i].challenge);
		order_id(f->spent[i].challenge, q.id, sizeof q.id);
		if (f->n_telling < TELLING_MAX)
			(void)ask(f, WIRE_MSG_USED, &q, NULL, TELL_SECONDS);
	}
	f->n_spent = 0;
}

void fates_spent(struct fates *f, const struct spent_code *codes, size_t n)
{
	const struct timeval now = { 0, 0 };

	if (n && !f->n_spent)
		event_add(f->soon, &now);
	for (size_t i = 0; i < n && f->n_spent < SPENT_MAX; i++)
		f->spent[f->n_spent++] = codes[i];
}

/* ---- begin and end ---- */

int fates_new(struct broker *b, struct fates **f_r)
{
	struct fates *f = calloc(1, sizeof *f);

	if (!f)
		return MAG_ENOMEM;
	f->broker = b;
	f->soon = evtimer_new(b->base, on_soon, f);
	if (!f->soon) {
		free(f);
		return MAG_ENOMEM;
	}
	*f_r = f;
	return 0;
}

void fates_free(struct fates **f)
{
	if (!*f)
		return;
	while ((*f)->asks)
		ask_free((*f)->asks); /* NOLINT(clang-analyzer-unix.Malloc): as in listen.c */
	event_free((*f)->soon);
	free(*f);
	*f = NULL;
}
