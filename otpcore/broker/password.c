/* Passwords that revocations owe (H8). What is owed stands in the store, so that a
 * restart goes on with it; a temporary password stands nowhere but in memory. For each:
 *
 *   age   the helper ages the password: the next login must change it
 *   mail  a temporary one is made and mailed, until smsd says that it was taken
 *   set   the helper sets it, aged
 *
 * in that order, because nobody must be left with a password that nobody knows: until
 * the mail is with the mail server the old one works, once, to be changed. A crash
 * starts again with `age`: another temporary password, another mail; the last counts. */
#include "otpcore/broker/password.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/helper.h"
#include "otpcore/broker/parts.h"

#define LOOK_SECONDS 5
#define RETRY_MS     INT64_C(30000)
#define TRIES_MAX    10  /* of the helper, where the tools fail */
#define MAIL_TRIES   144 /* half-hourly: three days, as other mails */
#define MAIL_SOON    5   /* before that, the first ones */
#define MAIL_MS      INT64_C(1800000)
#define OWED_MAX     256 /* at a time; the others wait in the store */

enum stage { STAGE_LOOK, STAGE_AGE, STAGE_MAIL, STAGE_SET };

struct owed {
	char name[257];
	enum stage stage;
	int64_t uid, due;
	bool admin;
	bool busy;       /* a request, the helper or smsd has it */
	int64_t order;   /* of the mail under way */
	int64_t next_at; /* mag_ticks_ms: not before */
	int tries, mails;
	struct mag_secret new;
	LIST_ENTRY(owed) next;
};

struct passwords {
	struct broker *broker;
	struct event *timer, *io;
	int fd;             /* -1: no helper */
	bool died;          /* there was one */
	struct owed *asked; /* the helper has this one's order */
	LIST_HEAD(owed_list, owed) owed;
	size_t n_owed;
	char after[257]; /* the name that was looked at last: everybody has a turn */
};

/* Body of the broker's own requests. */
struct job {
	char account[257];
	const char *failed; /* in words; NULL: it was done */
};

bool passwords_can(const struct passwords *p)
{
	return p && (p->fd >= 0 || p->died);
}

void passwords_kick(struct passwords *p)
{
	event_active(p->timer, EV_TIMEOUT, 0);
}

/* ---- what is under way ---- */

static struct owed *owed_of(const struct passwords *p, const char *name)
{
	struct owed *o;

	LIST_FOREACH(o, &p->owed, next)
	if (mag_streq(o->name, name))
		return o;
	return NULL;
}

static struct owed *owed_of_order(const struct passwords *p, int64_t order)
{
	struct owed *o;

	LIST_FOREACH(o, &p->owed, next)
	if (order && o->stage == STAGE_MAIL && o->order == order)
		return o;
	return NULL;
}

static void forget(struct passwords *p, struct owed *o)
{
	if (p->asked == o)
		p->asked = NULL;
	mag_secret_free(&o->new);
	LIST_REMOVE(o, next);
	p->n_owed--;
	free(o);
}

/* Not now: the same step again. */
static void again(struct owed *o, int64_t ms)
{
	o->busy = false;
	o->next_at = mag_ticks_ms() + ms;
}

static int job_want(struct request *r)
{
	return store_want_account(r->tick, ((const struct job *)r->body)->account);
}

/* A request about it; it stays in the store if there can be none. */
static void add_job(
	struct passwords *p, struct owed *o, const struct handler *h, const char *failed)
{
	struct job *j = calloc(1, sizeof *j);
	struct request *r = j ? request_new(p->broker, NULL, h, j) : NULL;

	if (!r) {
		free(j);
		forget(p, o);
		return;
	}
	mag_copy(j->account, sizeof j->account, o->name);
	j->failed = failed;
	o->busy = true;
	ticker_add(p->broker->ticker, r);
}

static bool is_owed(const struct request *r, const struct aggregate *a)
{
	return a->exists && a->account.password_due != PASSWORD_DUE_NOTHING &&
	       mag_streq(a->account.password_host, r->broker->host);
}

/* ---- the end ---- */

static void end_decide(struct request *r)
{
	const struct job *j = r->body;
	struct aggregate *a = store_account(r->tick, j->account);
	char more[160];
	struct mag_buf b = MAG_BUF(more);

	request_verdict(r, VERDICT_OK);
	if (!is_owed(r, a))
		return;
	a->account.password_due = PASSWORD_DUE_NOTHING;
	a->account.password_host[0] = '\0';
	store_mark_account(r->tick, r->index, &a->account, ROW_CHANGED);
	if (!j->failed)
		return;
	mag_buf_printf(&b, "reason=%s\n", j->failed);
	token_mail(r, a, "password-change", more);
}

static void end_after(struct request *r)
{
	struct passwords *p = r->broker->passwords;
	const struct job *j = r->body;
	struct owed *o = owed_of(p, j->account);

	mag_log(j->failed ? MAG_LOG_WARNING : MAG_LOG_NOTICE, "password account=%s: %s%s",
		j->account, j->failed ? "given up: " : "done", j->failed ? j->failed : "");
	if (o)
		forget(p, o);
}

static const struct handler handle_end = { 0, job_want, end_decide, NULL, NULL, end_after };

static void finish(struct passwords *p, struct owed *o, const char *failed)
{
	add_job(p, o, &handle_end, failed);
}

/* ---- the mail ---- */

const struct mag_secret *passwords_new_of(const struct passwords *p, int64_t order)
{
	const struct owed *o = owed_of_order(p, order);

	return o ? &o->new : NULL;
}

static void send_mail(struct passwords *p, struct owed *o)
{
	if (o->mails++ == MAIL_TRIES) {
		finish(p, o, "its e-mail was not taken for three days; it expired instead");
		return;
	}
	o->order = store_new_id();
	o->busy = true;
	if ((!o->new.len &&password_make(&o->new)) || password_mail(p->broker, o->name, o->order))
		again(o, RETRY_MS);
}

void passwords_mailed(struct passwords *p, int64_t id, unsigned delivery)
{
	struct owed *o = p ? owed_of_order(p, id) : NULL;

	if (!o)
		return;
	o->order = 0;
	if (delivery == DELIVERY_NONE) {
		finish(p, o, "no e-mail can be sent; it expired instead");
	} else if (delivery == DELIVERY_ACCEPTED) {
		o->stage = STAGE_SET;
		o->tries = 0;
		again(o, 0);
		passwords_kick(p);
	} else {
		again(o, o->mails < MAIL_SOON ? RETRY_MS : MAIL_MS);
	}
}

/* ---- the helper ---- */

/* Whatever is under way begins again with the next start; what only waits for the
 * mail goes on to it. */
static void helper_gone(struct passwords *p)
{
	mag_log(MAG_LOG_ERROR, "the password helper is gone: what is owed waits for a restart");
	if (p->io)
		event_free(p->io);
	p->io = NULL;
	close(p->fd);
	p->fd = -1;
	p->died = true;
	if (p->asked)
		forget(p, p->asked);
}

static void ask(struct passwords *p, struct owed *o)
{
	struct helper_order order = { .uid = (uint32_t)o->uid, .admin = o->admin };

	if (mag_copy(order.name, sizeof order.name, o->name)) {
		finish(p, o, helper_words(HELPER_MALFORMED));
		return;
	}
	if (o->stage == STAGE_SET)
		mag_copy(order.new, sizeof order.new, mag_secret_text(&o->new));
	o->busy = true;
	p->asked = o;
	if (send(p->fd, &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof order)
		helper_gone(p);
	mag_wipe(&order, sizeof order);
}

static void answered(struct passwords *p, struct owed *o, enum helper_answer a)
{
	if (a == HELPER_LATER) {
		again(o, RETRY_MS);
	} else if (a == HELPER_FAILED && ++o->tries < TRIES_MAX) {
		mag_log(MAG_LOG_WARNING, "password account=%s: %s", o->name, helper_words(a));
		again(o, RETRY_MS);
	} else if (a != HELPER_DONE) {
		finish(p, o, helper_words(a));
	} else if (o->stage == STAGE_AGE && o->due == PASSWORD_DUE_RESET) {
		o->stage = STAGE_MAIL;
		send_mail(p, o);
	} else {
		finish(p, o, NULL);
	}
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct passwords *p = arg;
	struct owed *o = p->asked;
	uint8_t answer = HELPER_NOTHING;
	ssize_t n = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);

	(void)what;
	if (n != sizeof answer) {
		helper_gone(p);
	} else if (o) {
		p->asked = NULL;
		answered(p, o, (enum helper_answer)answer);
		passwords_kick(p); /* whose turn is it now? */
	}
}

/* ---- looking ---- */

static void begin_decide(struct request *r)
{
	const struct job *j = r->body;
	const struct aggregate *a = store_account(r->tick, j->account);
	struct owed *o = owed_of(r->broker->passwords, j->account);

	request_verdict(r, VERDICT_OK);
	if (!o)
		return;
	o->stage = is_owed(r, a) ? STAGE_AGE : STAGE_LOOK;
	o->uid = a->account.uid;
	o->due = a->account.password_due;
	o->admin = a->account.role != ROLE_USER;
}

static void begin_after(struct request *r)
{
	struct passwords *p = r->broker->passwords;
	struct owed *o = owed_of(p, ((const struct job *)r->body)->account);

	if (!o)
		return;
	if (o->stage == STAGE_LOOK) {
		forget(p, o);
	} else if (p->fd < 0) {
		finish(p, o, "otpcored was not started as root");
	} else if (o->uid == WIRE_UID_UNKNOWN) {
		finish(p, o, "its uid is not known");
	} else {
		again(o, 0);
		passwords_kick(p);
	}
}

static const struct handler handle_begin = { 0, job_want, begin_decide, NULL, NULL, begin_after };

static int on_name(const char *name, void *arg)
{
	return mag_copy(arg, sizeof((struct owed *)0)->name, name) ? MAG_ENOSPACE : 1;
}

/* The next one; after the last from the beginning again. */
static void look(struct passwords *p)
{
	struct broker *b = p->broker;
	char name[sizeof p->after] = "";
	struct owed *o;
	int r = store_passwords_due(b->store, b->host, p->after, 1, on_name, name);

	if (r < 0)
		mag_log(MAG_LOG_WARNING, "the passwords that are owed cannot be read");
	mag_copy(p->after, sizeof p->after, name);
	if (!*name || owed_of(p, name) || p->n_owed == OWED_MAX || !(o = calloc(1, sizeof *o)))
		return;
	mag_copy(o->name, sizeof o->name, name);
	LIST_INSERT_HEAD(&p->owed, o, next);
	p->n_owed++;
	add_job(p, o, &handle_begin, NULL);
	passwords_kick(p);
}

static void step(struct passwords *p, struct owed *o)
{
	if (o->stage == STAGE_MAIL)
		send_mail(p, o);
	else if (p->fd < 0)
		forget(p, o); /* the next start begins again */
	else if (!p->asked)
		ask(p, o);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct passwords *p = arg;
	const struct timeval later = { LOOK_SECONDS, 0 }, soon = { 0, 100000 };
	int64_t now = mag_ticks_ms();
	bool idle;

	(void)fd;
	(void)what;
	for (struct owed *o = LIST_FIRST(&p->owed), *next; o; o = next) {
		next = LIST_NEXT(o, next);
		if (!o->busy && now >= o->next_at)
			step(p, o);
	}
	/* Reads of pages stay outside ticks. Where a helper was, a restart has one. */
	idle = ticker_idle(p->broker->ticker) && !ticker_waiting(p->broker->ticker);
	event_add(p->timer, idle ? &later : &soon);
	if (idle && !p->died)
		look(p);
}

int passwords_new(struct broker *b, int fd, struct passwords **p_r)
{
	struct passwords *p = calloc(1, sizeof *p);

	if (!p)
		return MAG_ENOMEM;
	p->broker = b;
	p->fd = fd;
	LIST_INIT(&p->owed);
	p->timer = event_new(b->base, -1, 0, on_timer, p);
	if (fd >= 0)
		p->io = event_new(b->base, fd, EV_READ | EV_PERSIST, on_answer, p);
	if (!p->timer || (fd >= 0 && !p->io) || (p->io && event_add(p->io, NULL))) {
		passwords_free(&p);
		return MAG_ENOMEM;
	}
	/* What is owed since before the start. */
	passwords_kick(p);
	*p_r = p;
	return 0;
}

void passwords_free(struct passwords **passwords)
{
	struct passwords *p = *passwords;

	*passwords = NULL;
	if (!p)
		return;
	if (p->io)
		event_free(p->io);
	if (p->timer)
		event_free(p->timer);
	if (p->fd >= 0)
		close(p->fd);
	while (LIST_FIRST(&p->owed)) /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): taken out */
		forget(p, LIST_FIRST(&p->owed));
	free(p);
}
