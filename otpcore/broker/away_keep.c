/* Leases, from a relay's side: one question at a time. First what was accepted here is
 * told, before any login goes to an auth host; then what has ended is given back, which is
 * done with on this host's disk before; then leases are taken, and made longer. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/away.h"
#include "otpcore/broker/relay_parts.h"
#include "otpcore/engine/lease.h"

#define POLL_MS  300000 /* between looks at each lease; reload and a new link look at once */
#define RETRY_MS 1000
#define SEEN_MS  60000 /* how far this host's clock may go back unnoticed */

static bool wanted(const struct away *a)
{
	return a->relay->broker->settings->offline == OFFLINE_HARDWARE;
}

/* ---- from start to end ---- */

static int path_of(const struct settings *s, char *buf, size_t cap)
{
	char copy[sizeof s->identity];

	mag_copy(copy, sizeof copy, s->identity);
	return snprintf(buf, cap, "%s/leases.db", dirname(copy)) < (int)cap ? 0 : MAG_ENOSPACE;
}

int away_open(struct relay *r, struct away **a_r)
{
	const struct settings *s = r->broker->settings;
	char path[300];
	struct stat st;
	struct away *a;
	int res = path_of(s, path, sizeof path);

	if (res)
		return res;
	/* Leases that are not wanted any more are still to be given back. */
	if (s->offline == OFFLINE_NO && stat(path, &st))
		return 0;
	a = calloc(1, sizeof *a);
	res = a ? replica_open(path, &a->replica) : MAG_ENOMEM;
	if (res) {
		mag_log(MAG_LOG_ERROR, "%s: %s", path,
			res == MAG_ESYS ? strerror(errno) : mag_strerror(res));
		free(a);
		return res;
	}
	a->relay = r;
	a->terms_due = true;
	*a_r = a;
	return 0;
}

void away_free(struct away **a)
{
	if (!*a)
		return;
	replica_free(&(*a)->replica);
	free(*a);
	*a = NULL;
}

/* ---- rows ---- */

/* Not used any more, whatever becomes of this process: then only it may be given back. */
static void end(struct away *a, struct held *h, const char *why)
{
	struct replica *r = a->replica;
	int64_t state = h->state;
	int res = replica_begin(r);

	h->state = HELD_ENDED;
	if (!res)
		res = replica_put(r, h);
	if (!res)
		res = replica_commit(r);
	if (res) {
		replica_rollback(r);
		h->state = state;
		return;
	}
	mag_log(MAG_LOG_NOTICE, "the lease of %s ends: %s", h->account, why);
}

static bool named(const struct away *a, const char *account)
{
	const char *words = a->replica->terms.accounts;
	size_t len = strlen(account);

	for (const char *p = words; len && (p = strstr(p, account)); p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

static struct held *of_account(const struct away *a, const char *account)
{
	for (size_t i = 0; i < a->replica->n_held; i++)
		if (mag_streq(a->replica->held[i]->account, account))
			return a->replica->held[i];
	return NULL;
}

/* ---- answers ---- */

static void later(struct away *a)
{
	a->next_at = mag_ticks_ms() + RETRY_MS;
}

/* Error of an answer; MAG_EDOWN: there is none. */
static int decoded(const unsigned char *frame, size_t len, uint16_t message, void *reply)
{
	struct wire_result result = { .error = MAG_EPROTO };
	int r = frame ? wire_decode_reply(frame, len, message, &result, reply) : MAG_EDOWN;

	return r ? r : result.error;
}

/* What no repeating will change. */
static bool for_good(int error)
{
	return error == MAG_EPERM || error == MAG_EUNSUPPORTED || error == MAG_ESTALE;
}

static void on_terms(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct replica *r = a->replica;
	struct wire_lease_terms_rep *rep = calloc(1, sizeof *rep);
	int res = rep ? decoded(frame, len, WIRE_MSG_LEASE_TERMS, rep) : MAG_ENOMEM;

	a->waiting = false;
	if (for_good(res)) { /* revoked, or an auth host of before leases */
		memset(&r->terms, 0, sizeof r->terms);
		a->terms_due = false;
	} else if (res) {
		later(a);
	} else {
		r->terms = *rep;
		a->terms_due = false;
		(void)replica_put_state(r);
	}
	if (!a->terms_due) {
		a->poll_at = mag_ticks_ms() + POLL_MS;
		for (size_t i = 0; i < r->n_held; i++)
			r->held[i]->next_at = 0;
	}
	free(rep);
}

static bool part_sound(const struct wire_lease_part *p)
{
	size_t n = p->hashes.len / LEASE_HASH;

	return p->key.len == sizeof p->key.data && n > 0 && n <= LEASE_PLACES &&
	       p->hashes.len % LEASE_HASH == 0 && p->first >= 0 && p->moving >= -1 &&
	       (p->type == TOKEN_HOTP || (p->type == TOKEN_TOTP && p->period > 0));
}

static bool sound(const struct away *a, const struct wire_lease_take_rep *rep)
{
	bool good = rep->n_parts > 0 && rep->until > away_clock(a);

	for (size_t i = 0; good && i < rep->n_parts; i++)
		good = part_sound(&rep->parts[i]);
	return good;
}

/* How far a token is stays; failures that were told by the time of the question are in the
 * tries of the answer. */
static void merge(const struct away *a, const struct held *old, struct held *h)
{
	for (size_t i = 0; i < h->rep.n_parts; i++) {
		struct held_part *p = &h->part[i];

		*p = (struct held_part){ .moving = h->rep.parts[i].moving };
		for (size_t k = 0; k < old->rep.n_parts; k++) {
			const struct held_part *o = &old->part[k];
			size_t n = 0;

			if (old->rep.parts[k].ref != h->rep.parts[i].ref)
				continue;
			*p = *o;
			if (h->rep.parts[i].moving > p->moving)
				p->moving = h->rep.parts[i].moving;
			p->failures =
				o->failures > a->failures[k] ? o->failures - a->failures[k] : 0;
			for (size_t j = 0; j < o->n_struck; j++)
				if (o->struck[j] >= p->moving)
					p->struck[n++] = o->struck[j];
			p->n_struck = n;
		}
	}
}

static int store(struct away *a, struct held *h)
{
	struct replica *r = a->replica;
	int res = replica_begin(r);

	r->seen = away_clock(a);
	if (!res)
		res = replica_put(r, h);
	for (size_t i = 0; !res && i < h->rep.n_parts; i++)
		res = replica_put_part(r, h, i);
	if (!res)
		res = replica_put_state(r);
	if (!res)
		res = replica_commit(r);
	if (res)
		replica_rollback(r);
	return res;
}

static void take_over(struct away *a, struct held *h, const struct wire_lease_take_rep *rep)
{
	struct held *fresh = malloc(sizeof *fresh);
	bool new = h->state != HELD_LIVE;

	if (!fresh) {
		later(a);
		return;
	}
	*fresh = *h;
	fresh->rep = *rep;
	fresh->state = HELD_LIVE;
	merge(a, h, fresh);
	if (store(a, fresh)) {
		later(a);
	} else {
		*h = *fresh;
		h->next_at = mag_ticks_ms() + POLL_MS;
		if (new)
			mag_log(MAG_LOG_NOTICE, "tokens of %s are leased to this host: %zu",
				h->account, h->rep.n_parts);
	}
	mag_wipe(fresh, sizeof *fresh);
	free(fresh);
}

static void on_take(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct held *h = replica_held(a->replica, a->asking);
	struct wire_lease_take_rep *rep = calloc(1, sizeof *rep);
	int res = rep && h ? decoded(frame, len, WIRE_MSG_LEASE_TAKE, rep) : MAG_ENOMEM;

	a->waiting = false;
	if (res && !for_good(res)) {
		later(a);
	} else if (h && !res && !rep->ended && sound(a, rep)) {
		take_over(a, h, rep);
	} else if (h) {
		h->next_at = mag_ticks_ms() + POLL_MS;
		if (h->state == HELD_LIVE)
			end(a, h, "the auth host wants it back");
	}
	if (rep)
		mag_wipe(rep, sizeof *rep);
	free(rep);
}

/* ---- reports ---- */

static void on_use_told(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct wire_lease_report_rep rep;
	int res = decoded(frame, len, WIRE_MSG_LEASE_REPORT, &rep);

	a->waiting = false;
	if (for_good(res))
		mag_log(MAG_LOG_WARNING, "a login of while no auth host answered is not taken: %s",
			mag_strerror(res));
	if ((res && !for_good(res)) || replica_drop_use(a->replica, a->use))
		later(a);
	if (away_ready(a))
		relay_flush(a->relay);
}

static void on_told(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct held *h = replica_held(a->replica, a->asking);
	struct wire_lease_report_rep rep;
	int res = decoded(frame, len, WIRE_MSG_LEASE_REPORT, &rep);

	a->waiting = false;
	if (!h || (res && !for_good(res))) {
		later(a);
		return;
	}
	h->part[a->part].told = a->failures[0];
	if (store(a, h))
		later(a);
}

static void on_given_back(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct held *h = replica_held(a->replica, a->ending);
	struct wire_lease_report_rep rep;
	int res = decoded(frame, len, WIRE_MSG_LEASE_REPORT, &rep);

	a->waiting = false;
	if (!h || (res && !for_good(res))) {
		later(a);
		return;
	}
	if (++a->end_part < PARTS_MAX)
		return;
	a->ending = 0;
	if (replica_drop(a->replica, h))
		later(a);
}

static void ask(struct away *a, uint16_t message, const void *request, relay_done_fn *done)
{
	a->waiting = relay_ask(a->relay, message, request, done, a) == 0;
	if (!a->waiting)
		later(a);
}

static void tell_use(struct away *a)
{
	const struct used *u = a->replica->uses[0];
	struct wire_lease_report_req q = { .lease = u->lease,
		.ref = u->ref,
		.position = u->position,
		.at = u->at,
		.opened = u->opened };
	const struct held *h = replica_held(a->replica, u->lease);

	for (size_t i = 0; h && i < h->rep.n_parts; i++)
		if (h->rep.parts[i].ref == u->ref)
			q.failed = h->part[i].told;
	mag_copy(q.user, sizeof q.user, u->account);
	mag_copy(q.service, sizeof q.service, u->service);
	mag_copy(q.rhost, sizeof q.rhost, u->rhost);
	a->use = u->id;
	ask(a, WIRE_MSG_LEASE_REPORT, &q, on_use_told);
}

static void tell_end(struct away *a, const struct held *h)
{
	static const uint32_t refs[PARTS_MAX] = { 4, 5 };
	struct wire_lease_report_req q = { .lease = h->id, .position = -1, .end = 1 };

	if (a->ending != h->id)
		a->end_part = 0;
	a->ending = h->id;
	q.ref = refs[a->end_part];
	for (size_t i = 0; i < h->rep.n_parts; i++)
		if (h->rep.parts[i].ref == q.ref)
			q.failed = h->part[i].failed;
	mag_copy(q.user, sizeof q.user, h->account);
	ask(a, WIRE_MSG_LEASE_REPORT, &q, on_given_back);
}

static bool tell_failures(struct away *a, const struct held *h)
{
	struct wire_lease_report_req q = { .lease = h->id, .position = -1 };

	for (size_t i = 0; i < h->rep.n_parts; i++) {
		if (h->part[i].failed <= h->part[i].told)
			continue;
		q.ref = h->rep.parts[i].ref;
		q.failed = a->failures[0] = h->part[i].failed;
		mag_copy(q.user, sizeof q.user, h->account);
		a->asking = h->id;
		a->part = i;
		ask(a, WIRE_MSG_LEASE_REPORT, &q, on_told);
		return true;
	}
	return false;
}

/* ---- what is asked next ---- */

static void take(struct away *a, struct held *h)
{
	struct wire_lease_take_req q = { .lease = h->id };

	a->asking = h->id;
	for (size_t i = 0; i < PARTS_MAX; i++)
		a->failures[i] = h->part[i].failures;
	mag_copy(q.user, sizeof q.user, h->account);
	ask(a, WIRE_MSG_LEASE_TAKE, &q, on_take);
}

/* Each account that may be leased has its number before an auth host hears of it: an
 * answer that is lost is asked for again. */
static void number_all(struct away *a)
{
	const char *p = a->replica->terms.accounts;
	char name[257];
	struct held *h;
	size_t len;

	for (; *p; p += len + strspn(p + len, " ")) {
		len = strcspn(p, " ");
		if (len == 0 || len >= sizeof name)
			continue;
		memcpy(name, p, len);
		name[len] = '\0';
		if (!of_account(a, name) && replica_add(a->replica, name, &h))
			return;
	}
}

static bool tell_first(struct away *a)
{
	struct replica *r = a->replica;

	if (r->n_uses) {
		tell_use(a);
		return true;
	}
	for (size_t i = 0; i < r->n_held; i++) {
		if (r->held[i]->state == HELD_ENDED) {
			tell_end(a, r->held[i]);
			return true;
		}
		if (r->held[i]->state == HELD_LIVE && tell_failures(a, r->held[i]))
			return true;
	}
	return false;
}

static void take_next(struct away *a)
{
	struct replica *r = a->replica;
	int64_t now = mag_ticks_ms();

	number_all(a);
	for (size_t i = 0; i < r->n_held; i++) {
		struct held *h = r->held[i];

		if (h->state == HELD_ENDED || now < h->next_at)
			continue;
		take(a, h);
		return;
	}
}

/* What ends by itself, by a setting or by an administrator. */
static void end_all(struct away *a)
{
	int64_t now = away_clock(a);

	for (size_t i = 0; i < a->replica->n_held; i++) {
		struct held *h = a->replica->held[i];

		if (h->state == HELD_LIVE && now >= h->rep.until)
			end(a, h, "its time is over");
		else if (h->state != HELD_ENDED && !wanted(a))
			end(a, h, "offline is not set any more");
		else if (h->state != HELD_ENDED && !a->terms_due && !named(a, h->account))
			end(a, h, "the auth host gives none for this account");
	}
}

/* How late it is is kept now and then, so that a clock that is set back brings no lease
 * back. Where nothing is leased it may be put right. */
static void keep_time(struct away *a)
{
	int64_t now = mag_ticks_ms(), clock = away_clock(a);
	struct replica *r = a->replica;

	if (r->n_held == 0 && r->n_uses == 0)
		clock = mag_now();
	else if (now < a->seen_at)
		return;
	a->seen_at = now + SEEN_MS;
	if (clock == r->seen)
		return;
	if (r->n_held == 0 && r->seen - clock < SEEN_MS && clock - r->seen < SEEN_MS)
		return;
	r->seen = clock;
	(void)replica_put_state(r);
}

bool away_ready(const struct away *a)
{
	return !a || a->replica->n_uses == 0;
}

void away_linked(struct away *a)
{
	if (!a)
		return;
	a->terms_due = true;
	a->next_at = 0;
}

void away_reloaded(struct away *a)
{
	away_linked(a);
	if (a)
		end_all(a);
}

void away_tick(struct away *a)
{
	if (!a)
		return;
	keep_time(a);
	end_all(a);
	if (!a->relay->up || a->waiting || mag_ticks_ms() < a->next_at || tell_first(a) ||
		!wanted(a))
		return;
	if (a->terms_due || mag_ticks_ms() >= a->poll_at)
		ask(a, WIRE_MSG_LEASE_TERMS, &(struct wire_ping_req){ 0 }, on_terms);
	else
		take_next(a);
}
