/* The sweep: the calendar goes through all accounts that may have something due,
 * hourly and at start by itself, and when root asks. By itself one broker does at a
 * time: it has the lease, renews it page by page, and keeps it until the next is due. A run has two
 * rounds: the first counts, so that the guards of security.md 28 know what the second would do.
 * Each page of accounts is a request of its own in a tick of its own. */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/calendar_apply.h"
#include "otpcore/broker/mail.h"
#include "otpcore/broker/parts.h"

#define SWEEP_SECONDS 3600
#define LOOK_SECONDS  5   /* is the lease free? */
#define LEASE_SECONDS 120 /* while a run is under way; longer than a page takes */
#define LAST_SWEEP    "last_sweep"
#define PAGE_ACCOUNTS 4 /* their dues fit one answer */
#define PAGE_DUES     (PAGE_ACCOUNTS * DUES_MAX)

_Static_assert(PAGE_DUES <= sizeof((struct wire_sweep_rep *)0)->dues / sizeof(struct wire_due),
	"a page must fit an answer");

struct run {
	int64_t id; /* 0: none */
	bool dry, confirm, counting;
	bool clock; /* the clock itself is in doubt: nothing is done */
	bool hold;  /* nothing irrevocable is done */
	char after[257];
	int64_t due, revocations, credentials, done, held;
};

/* One page under way. */
struct page {
	struct run *run;
	int64_t run_id;
	char names[PAGE_ACCOUNTS][257];
	size_t n;
	size_t n_dues;
	struct found {
		struct due due;
		size_t name;
		char credential[65];
		bool done, held, told;
		struct mail *mail; /* of the tick */
	} dues[PAGE_DUES];
};

struct sweeper {
	struct broker *broker;
	struct event *timer;
	int64_t next_at; /* mag_ticks_ms: of the own run */
	struct run own, asked;
	/* Of the run that was asked for; who asks later takes it over. */
	const struct request *asker;
	struct page page;
};

/* ---- a page: read, decide ---- */

static int on_name(const char *name, void *arg)
{
	struct page *p = arg;

	if (p->n == PAGE_ACCOUNTS)
		return 1;
	return mag_copy(p->names[p->n++], sizeof p->names[0], name);
}

static int page_want(struct request *r, struct page *p)
{
	struct calendar_rules rules;
	struct store_horizon horizon;
	int res;

	calendar_settings(r->broker->settings, &rules);
	calendar_horizon(&rules, r->now, &horizon);
	p->n = 0;
	res = store_due_accounts(
		r->broker->store, p->run->after, &horizon, PAGE_ACCOUNTS, on_name, p);
	for (size_t i = 0; i < p->n && res >= 0; i++) {
		res = store_want_account(r->tick, p->names[i]);
		if (!res)
			res = store_want_sessions_of(r->tick, p->names[i]);
	}
	return res < 0 ? res : 0;
}

static void do_due(struct request *r, const struct page *p, struct aggregate *a, struct found *f)
{
	const struct run *run = p->run;

	f->held = run->clock || (run->hold && f->due.kind == DUE_REVOKE);
	if (!run->dry && !f->held)
		f->done = calendar_apply(r, a, &f->due, &f->mail);
}

static bool reminds(const struct due *d)
{
	return d->kind == DUE_REMIND_EXPIRY || d->kind == DUE_REMIND_REVOCATION;
}

/* May be called again for the same page: starts from nothing. */
static void page_decide(struct request *r, struct page *p)
{
	struct calendar_rules rules;

	calendar_settings(r->broker->settings, &rules);
	p->n_dues = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct aggregate *a = store_account(r->tick, p->names[i]);
		struct due dues[DUES_MAX];
		size_t n = calendar_due(a, &rules, r->now, dues, DUES_MAX);

		for (size_t j = 0; j < n; j++) {
			struct found *f = &p->dues[p->n_dues];

			if (reminds(&dues[j]) && !a->account.email.len)
				continue; /* nobody to tell */
			p->n_dues++;
			*f = (struct found){ .due = dues[j], .name = i };
			due_credential(a, &f->due, f->credential, sizeof f->credential);
			if (!p->run->counting)
				do_due(r, p, a, f);
		}
	}
	request_verdict(r, VERDICT_OK);
}

/* ---- after a page ---- */

/* A reminder is due until its date; one that was written is not due any more, and
 * neither is one that nobody gets. */
static bool settled(struct broker *b, const struct found *f)
{
	bool known = false;

	if (!reminds(&f->due))
		return false;
	if (f->done)
		return !f->mail || f->mail->row.version == 0;
	return store_mail_known(b->store, f->due.once, &known) == 0 && known;
}

static void judge_run(struct broker *b, struct run *run, int64_t now)
{
	int64_t last = 0;
	int r = store_meta_get(b->store, LAST_SWEEP, &last);

	if (r && r != MAG_ENOTFOUND)
		last = 0; /* as if there were none: holds */
	if (store_count_credentials(b->store, &run->credentials))
		run->credentials = 0;
	run->clock = !run->confirm && run->due > 0 && calendar_holds(last, now, 0, 0);
	run->hold = !run->confirm && calendar_holds(last, now, run->revocations, run->credentials);
	run->counting = false;
	run->after[0] = '\0';
}

static void finish_run(struct broker *b, struct run *run, int64_t now)
{
	if (!run->dry && !run->clock && store_meta_set(b->store, LAST_SWEEP, now))
		mag_log(MAG_LOG_WARNING, "the sweep's time is not recorded");
	if (!run->dry && run->held)
		mag_log(MAG_LOG_WARNING,
			"sweep: %" PRId64 " held back%s: look at them (magotpctl sweep --dry-run), "
			"then magotpctl sweep --confirm",
			run->held, run->clock ? ", for the clock or a long pause" : "");
	if (run->done)
		mag_log(MAG_LOG_NOTICE, "sweep: %" PRId64 " done", run->done);
	if (run->done)
		mails_kick(b->mails);
	run->id = 0;
}

static void tell(struct wire_sweep_rep *rep, const struct page *p, const struct found *f)
{
	struct wire_due *d = &rep->dues[rep->n_dues++];

	mag_clean(d->account, sizeof d->account, p->names[f->name]);
	mag_copy(d->what, sizeof d->what, due_kind_id(f->due.kind));
	mag_copy(d->reason, sizeof d->reason, due_reason_id(f->due.reason));
	mag_clean(d->credential, sizeof d->credential, f->credential);
	d->at = f->due.at;
	d->held = f->held;
	rep->done += f->done;
	rep->held += f->held;
}

/* Counts, and moves the run on; fills rep where somebody asked. */
static void page_after(struct broker *b, struct page *p, int64_t now, struct wire_sweep_rep *rep)
{
	struct run *run = p->run;

	if (run->id != p->run_id)
		return; /* another run has taken its place */
	for (size_t i = 0; i < p->n_dues; i++) {
		const struct found *f = &p->dues[i];

		if (settled(b, f))
			continue;
		if (run->counting) {
			run->due++;
			run->revocations += f->due.kind == DUE_REVOKE;
			continue;
		}
		run->done += f->done;
		run->held += f->held;
		if (rep)
			tell(rep, p, f);
	}
	if (p->n)
		mag_copy(run->after, sizeof run->after, p->names[p->n - 1]);
	if (p->n == PAGE_ACCOUNTS)
		return;
	if (run->counting)
		judge_run(b, run, now);
	else
		finish_run(b, run, now);
}

/* ---- by itself ---- */

static const struct handler handle_page;

/* Ours now, for so long? */
static bool lease(struct broker *b, int64_t seconds)
{
	struct store_lease sweep = { "sweep", b->host, seconds };
	int r = store_lease(b->store, &sweep, mag_now());

	if (r && r != MAG_EBUSY)
		mag_log(MAG_LOG_WARNING, "whose turn the sweep is cannot be read: %s",
			mag_strerror(r));
	return r == 0;
}

static void next_page(struct broker *b, struct run *run)
{
	struct page *p = calloc(1, sizeof *p);
	struct request *r = p ? request_new(b, NULL, &handle_page, p) : NULL;

	if (!r) {
		free(p);
		return; /* in an hour, from the beginning */
	}
	p->run = run;
	p->run_id = run->id;
	ticker_add(b->ticker, r);
}

static int own_want(struct request *r)
{
	return page_want(r, r->body);
}

static void own_decide(struct request *r)
{
	page_decide(r, r->body);
}

static void own_after(struct request *r)
{
	struct page *p = r->body;
	struct run *run = p->run;

	page_after(r->broker, p, r->now, NULL);
	if (run->id != p->run_id)
		/* A little earlier than the hour: the own timer must find it free, too. */
		(void)lease(r->broker, SWEEP_SECONDS - LOOK_SECONDS);
	else if (lease(r->broker, LEASE_SECONDS))
		next_page(r->broker, run);
	else
		run->id = 0; /* too slow: another broker has begun */
}

static const struct handler handle_page = { 0, own_want, own_decide, NULL, NULL, own_after };

/* Looks often, so that a dead holder's turn does not fall out. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct sweeper *s = arg;

	(void)fd;
	(void)what;
	if (mag_ticks_ms() < s->next_at || !ticker_idle(s->broker->ticker) ||
		ticker_waiting(s->broker->ticker) || !lease(s->broker, LEASE_SECONDS))
		return;
	s->next_at = mag_ticks_ms() + SWEEP_SECONDS * 1000;
	s->own = (struct run){ .id = store_new_id(), .counting = true };
	next_page(s->broker, &s->own);
}

int sweeper_new(struct broker *b, struct sweeper **s_r)
{
	const struct timeval look = { LOOK_SECONDS, 0 };
	struct sweeper *s = calloc(1, sizeof *s);

	if (!s)
		return MAG_ENOMEM;
	s->broker = b;
	s->timer = event_new(b->base, -1, EV_PERSIST, on_timer, s);
	if (!s->timer || event_add(s->timer, &look)) {
		sweeper_free(&s);
		return MAG_ENOMEM;
	}
	event_active(s->timer, EV_TIMEOUT, 0);
	*s_r = s;
	return 0;
}

void sweeper_free(struct sweeper **sweeper)
{
	struct sweeper *s = *sweeper;

	*sweeper = NULL;
	if (!s)
		return;
	if (s->timer)
		event_free(s->timer);
	free(s);
}

/* ---- when root asks ---- */

/* The run that the cursor goes on with; a new one without a cursor; NULL. */
static struct run *asked_run(struct request *r)
{
	const struct wire_sweep_req *q = r->body;
	struct run *run = &r->broker->sweeper->asked;
	int64_t id = 0;

	if (!*q->cursor) {
		*run = (struct run){ .id = store_new_id(),
			.dry = q->dry_run != 0,
			.confirm = q->confirm != 0,
			.counting = true };
		return run;
	}
	if (mag_int_parse(q->cursor, 1, INT64_MAX, &id) || id != run->id)
		return NULL;
	return run;
}

/* The gate has not spoken yet: others than root must change nothing here. */
static int sweep_want(struct request *r)
{
	struct sweeper *s = r->broker->sweeper;
	struct run *run = r->peer.uid == 0 ? asked_run(r) : NULL;

	if (!run)
		return 0;
	s->asker = r;
	s->page.run = run;
	s->page.run_id = run->id;
	return page_want(r, &s->page);
}

static void sweep_decide(struct request *r)
{
	struct sweeper *s = r->broker->sweeper;

	if (s->asker == r)
		page_decide(r, &s->page);
	else
		request_error(r, MAG_ESTALE);
}

static void sweep_after(struct request *r)
{
	struct sweeper *s = r->broker->sweeper;
	struct wire_sweep_rep *rep = r->reply;
	struct run *run = s->page.run;
	struct mag_buf next = MAG_BUF(rep->next);

	s->asker = NULL;
	page_after(r->broker, &s->page, r->now, rep);
	if (run->id == s->page.run_id)
		mag_buf_printf(&next, "%" PRId64, run->id);
}

const struct handler handle_sweep[] = {
	{ WIRE_MSG_SWEEP, sweep_want, sweep_decide, NULL, NULL, sweep_after },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
