/* Mails that wait go to smsd: each is claimed in a tick (of two brokers one hands
 * it over), and written down as sent once smsd's word says so. */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/mail.h"
#include "otpcore/broker/parts.h"
#include "otpcore/broker/password.h"

#define LOOK_SECONDS 5
#define AT_ONCE      16
/* smsd tries a mail for so long; the next claim comes after it has ended. */
#define TRY_SECONDS   300
#define BACKOFF_FIRST 600
#define BACKOFF_MAX   21600
#define GIVE_UP       (3 * 86400)
#define MAIL_PRIORITY 3

/* A mail that smsd has, as it stands in the store. */
struct handed {
	struct mail row;
	LIST_ENTRY(handed) next;
};

struct mails {
	struct broker *broker;
	struct event *timer;
	LIST_HEAD(handed_mails, handed) handed;
};

/* Body of the broker's own requests. */
struct job {
	struct mail row;
	char account[257];
};

/* ---- which kinds are sent ---- */

/* The word of [mail] enabled that switches a template off; NULL: always sent. */
static const struct {
	const char *template, *word;
} kinds[] = {
	{ "activation", "activation" },
	{ "expiry-reminder", "reminder" },
	{ "revocation-reminder", "reminder" },
	{ "expired", "expiry" },
	{ "renewal", "expiry" },
	{ "suspension", "suspension" },
	{ "revocation", "revocation" },
	{ "recovery", NULL },
	{ "locked", NULL },
	{ "sponsorship", "sponsorship" },
	{ "login", "login" },
	{ "connected", NULL },
	{ "password-reset", "password-reset" },
	{ "password-change", "password-reset" },
	{ "proofing-wanted", "proofing" },
	{ "proofing-agreement", NULL }, /* I7: it is mailed */
	{ "proofing-appointment", "proofing" },
	{ "proofing-issued", "proofing" },
	{ "proofing-failed", "proofing" },
	{ "proofing-passed", NULL },
};

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

bool mail_enabled(const struct settings *s, const char *template)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (mag_streq(kinds[i].template, template))
			return !kinds[i].word || has_word(s->mail_enabled, kinds[i].word);
	return false;
}

/* ---- claiming ---- */

static int64_t backoff(int64_t attempts)
{
	int64_t wait = attempts < 8 ? (int64_t)BACKOFF_FIRST << (attempts - 1) : BACKOFF_MAX;

	return wait < BACKOFF_MAX ? wait : BACKOFF_MAX;
}

static int claim_want(struct request *r)
{
	return store_want_account(r->tick, ((const struct job *)r->body)->account);
}

static int make_order(struct request *r, const struct aggregate *a, const struct mail *m)
{
	struct sms_order *o = &r->sms;
	struct mag_secret address = { 0 };
	int res = seal_open(r->broker->keyring, "account.email", a->account.row.id,
		&a->account.email, &address);

	if (!res)
		res = mag_copy(o->to, sizeof o->to, mag_secret_text(&address));
	if (!res)
		res = mag_copy(o->template, sizeof o->template, m->template);
	if (!res)
		res = mag_copy(o->args, sizeof o->args, m->args);
	mag_secret_free(&address);
	if (res)
		return res;
	snprintf(o->id, sizeof o->id, "m%016" PRIx64, m->row.id);
	mag_copy(o->channel, sizeof o->channel, "email");
	mag_copy(o->language, sizeof o->language, a->account.language);
	o->expires_at = r->now + TRY_SECONDS;
	o->priority = MAIL_PRIORITY;
	o->mail = m->row.id;
	o->wanted = true;
	return 0;
}

static void claim_decide(struct request *r)
{
	const struct job *j = r->body;
	const struct aggregate *a = store_account(r->tick, j->account);
	struct mail *m = NULL;
	const char *why = NULL;

	request_verdict(r, VERDICT_OK);
	/* Another broker has it. */
	if (r->lost || !(m = store_add_mail(r->tick)))
		return;
	*m = j->row;
	m->attempts++;
	m->next_at = r->now + backoff(m->attempts);
	/* Without an address, or switched off: nobody waits for it, nothing to tell. */
	if (!a->exists || !a->account.email.len || !mail_enabled(r->broker->settings, m->template))
		m->state = MAIL_GIVEN_UP;
	else if (m->attempts > 1 && r->now - m->created_at > GIVE_UP)
		why = "too many tries";
	else if (make_order(r, a, m))
		why = "its address cannot be opened";
	if (why) {
		m->state = MAIL_GIVEN_UP;
		mag_log(MAG_LOG_WARNING, "mail %s for %s: given up: %s", m->template, j->account,
			why);
	}
	r->state.p = m;
	store_mark_mail(r->tick, r->index, m, ROW_CHANGED);
}

static struct handed *handed_of(struct mails *m, int64_t id)
{
	struct handed *h;

	LIST_FOREACH(h, &m->handed, next)
	if (h->row.row.id == id)
		return h;
	return NULL;
}

/* Committed: the row as it is now is what will be marked as sent. */
static void claim_after(struct request *r)
{
	struct mails *mails = r->broker->mails;
	const struct mail *m = r->state.p;
	struct handed *h;

	if (!m || !r->sms.wanted)
		return;
	h = handed_of(mails, m->row.id);
	if (!h) {
		h = calloc(1, sizeof *h);
		if (!h)
			return; /* it goes out, and once more after the pause */
		LIST_INSERT_HEAD(&mails->handed, h, next);
	}
	h->row = *m;
}

static const struct handler handle_claim = { 0, claim_want, claim_decide, NULL, NULL, claim_after };

/* ---- smsd's word ---- */

static void sent_decide(struct request *r)
{
	const struct job *j = r->body;
	struct mail *m = r->lost ? NULL : store_add_mail(r->tick);

	request_verdict(r, VERDICT_OK);
	if (!m)
		return;
	*m = j->row;
	m->state = MAIL_SENT;
	m->sent_at = r->now;
	store_mark_mail(r->tick, r->index, m, ROW_CHANGED);
}

static const struct handler handle_sent = { 0, NULL, sent_decide, NULL, NULL, NULL };

static void add_job(
	struct broker *b, const struct handler *h, const struct mail *row, const char *account)
{
	struct job *j = calloc(1, sizeof *j);
	struct request *r = j ? request_new(b, NULL, h, j) : NULL;

	if (!r) {
		free(j);
		return;
	}
	j->row = *row;
	mag_copy(j->account, sizeof j->account, account);
	ticker_add(b->ticker, r);
}

void mail_record(struct broker *b, const struct sms_order *o, unsigned delivery)
{
	struct handed *h = b->mails ? handed_of(b->mails, o->mail) : NULL;

	if (!h) {
		passwords_mailed(b->passwords, o->mail, delivery);
		return;
	}
	if (delivery == DELIVERY_ACCEPTED)
		add_job(b, &handle_sent, &h->row, "");
	LIST_REMOVE(h, next);
	free(h);
}

/* ---- looking ---- */

struct found {
	struct job jobs[AT_ONCE];
	size_t n;
};

static int on_waiting(const struct mail *row, const char *account, void *arg)
{
	struct found *f = arg;

	if (f->n == AT_ONCE)
		return 1;
	f->jobs[f->n].row = *row;
	mag_copy(f->jobs[f->n].account, sizeof f->jobs[f->n].account, account);
	f->n++;
	return 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct mails *m = arg;
	struct broker *b = m->broker;
	static struct found f;

	(void)fd;
	(void)what;
	/* What was claimed last time must have been decided. */
	if (!ticker_idle(b->ticker) || ticker_waiting(b->ticker))
		return;
	f.n = 0;
	if (store_mails_waiting(b->store, mag_now(), AT_ONCE, on_waiting, &f) < 0)
		mag_log(MAG_LOG_WARNING, "the mails that wait cannot be read");
	for (size_t i = 0; i < f.n; i++)
		add_job(b, &handle_claim, &f.jobs[i].row, f.jobs[i].account);
}

int mails_new(struct broker *b, struct mails **m_r)
{
	const struct timeval look = { LOOK_SECONDS, 0 };
	struct mails *m = calloc(1, sizeof *m);

	if (!m)
		return MAG_ENOMEM;
	m->broker = b;
	LIST_INIT(&m->handed);
	m->timer = event_new(b->base, -1, EV_PERSIST, on_timer, m);
	if (!m->timer || event_add(m->timer, &look)) {
		mails_free(&m);
		return MAG_ENOMEM;
	}
	/* What waits since before the start. */
	event_active(m->timer, EV_TIMEOUT, 0);
	*m_r = m;
	return 0;
}

void mails_kick(struct mails *m)
{
	if (m)
		event_active(m->timer, EV_TIMEOUT, 0);
}

void mails_free(struct mails **mails)
{
	struct mails *m = *mails;
	struct handed *h;

	*mails = NULL;
	if (!m)
		return;
	while ((h = LIST_FIRST(&m->handed))) {
		LIST_REMOVE(h, next);
		free(h);
	}
	if (m->timer)
		event_free(m->timer);
	free(m);
}
