/* Leases, from a relay's side: what it asks an auth host and tells it, and what becomes of the
 * answers. Which question is next: away_keep.c. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/away_parts.h"
#include "otpcore/broker/relay_parts.h"

#define POLL_MS  300000 /* between looks at each lease; reload and a new link look at once */
#define RETRY_MS 1000

static void later(struct away *a)
{
	a->next_at = mag_ticks_ms() + RETRY_MS;
}

static void ask(struct away *a, uint16_t message, const void *request, relay_done_fn *done)
{
	a->waiting = relay_ask(a->relay, message, request, done, a) == 0;
	if (!a->waiting)
		later(a);
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

/* ---- terms ---- */

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

void away_ask_terms(struct away *a)
{
	ask(a, WIRE_MSG_LEASE_TERMS, &(struct wire_ping_req){ 0 }, on_terms);
}

/* ---- leases ---- */

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

static int64_t beyond(int64_t count, int64_t known)
{
	return count > known ? count - known : 0;
}

/* How far a token is stays; failures that were told by the time of the question are in the
 * tries and the rest of the answer. */
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
			p->failures = beyond(o->failures, a->failures[k]);
			p->spent = beyond(o->spent, a->spent[k]);
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

/* It was given, and is of no use here: this host's clock is far off, maybe. Nobody else could
 * use it either until it is given back. */
static void turn_down(struct away *a, struct held *h)
{
	away_end(a, h, "what the auth host gave is not good by this host's clock");
	a->rest_at = mag_ticks_ms() + POLL_MS;
}

static void on_take(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct held *h = replica_held(a->replica, a->asking);
	struct wire_lease_take_rep *rep = calloc(1, sizeof *rep);
	int res = rep && h ? decoded(frame, len, WIRE_MSG_LEASE_TAKE, rep) : MAG_ENOMEM;

	a->waiting = false;
	if ((res && !for_good(res)) || (h && h->struck_since)) {
		/* A code that went to an auth host meanwhile may be in the new window. */
		later(a);
	} else if (h && !res && !rep->ended && sound(a, rep)) {
		take_over(a, h, rep);
	} else if (h) {
		h->next_at = mag_ticks_ms() + POLL_MS;
		if (!res && !rep->ended)
			turn_down(a, h);
		else if (h->state == HELD_LIVE)
			away_end(a, h, "the auth host wants it back");
	}
	if (rep)
		mag_wipe(rep, sizeof *rep);
	free(rep);
}

void away_take(struct away *a, struct held *h)
{
	struct wire_lease_take_req q = { .lease = h->id };

	a->asking = h->id;
	h->struck_since = false;
	for (size_t i = 0; i < PARTS_MAX; i++) {
		a->failures[i] = h->part[i].failures;
		a->spent[i] = h->part[i].spent;
	}
	mag_copy(q.user, sizeof q.user, h->account);
	ask(a, WIRE_MSG_LEASE_TAKE, &q, on_take);
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

/* The lease of a report that was answered; NULL: it has to be said again. */
static struct held *reported(struct away *a, int64_t lease, const unsigned char *frame, size_t len)
{
	struct held *h = replica_held(a->replica, lease);
	struct wire_lease_report_rep rep;
	int res = decoded(frame, len, WIRE_MSG_LEASE_REPORT, &rep);

	a->waiting = false;
	if (h && (!res || for_good(res)))
		return h;
	later(a);
	return NULL;
}

static void on_told(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct held *h = reported(a, a->asking, frame, len);

	if (!h)
		return;
	h->part[a->part].told = a->failures[0];
	if (store(a, h))
		later(a);
}

static void on_given_back(void *arg, const unsigned char *frame, size_t len)
{
	struct away *a = arg;
	struct held *h = reported(a, a->ending, frame, len);

	if (!h || ++a->end_part < PARTS_MAX)
		return;
	a->ending = 0;
	if (replica_drop(a->replica, h))
		later(a);
}

void away_tell_use(struct away *a)
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

static void put_failures(const struct held_part *p, struct wire_lease_report_req *q)
{
	q->failed = p->failed;
	q->run = beyond(p->failed, p->right);
}

void away_tell_end(struct away *a, const struct held *h)
{
	static const uint32_t refs[PARTS_MAX] = { 4, 5 };
	struct wire_lease_report_req q = { .lease = h->id, .position = -1, .end = 1 };

	if (a->ending != h->id)
		a->end_part = 0;
	a->ending = h->id;
	q.ref = refs[a->end_part];
	for (size_t i = 0; i < h->rep.n_parts; i++)
		if (h->rep.parts[i].ref == q.ref)
			put_failures(&h->part[i], &q);
	mag_copy(q.user, sizeof q.user, h->account);
	ask(a, WIRE_MSG_LEASE_REPORT, &q, on_given_back);
}

bool away_tell_failures(struct away *a, const struct held *h)
{
	struct wire_lease_report_req q = { .lease = h->id, .position = -1 };

	for (size_t i = 0; i < h->rep.n_parts; i++) {
		if (h->part[i].failed <= h->part[i].told)
			continue;
		q.ref = h->rep.parts[i].ref;
		put_failures(&h->part[i], &q);
		a->failures[0] = q.failed;
		mag_copy(q.user, sizeof q.user, h->account);
		a->asking = h->id;
		a->part = i;
		ask(a, WIRE_MSG_LEASE_REPORT, &q, on_told);
		return true;
	}
	return false;
}
