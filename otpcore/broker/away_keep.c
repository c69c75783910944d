/* Leases, from a relay's side: from the start to the end, and what is asked next, one question
 * at a time. First what was accepted here is told, before any login goes to an auth host; then
 * what has ended is given back, which is done with on this host's disk before; then leases are
 * taken, and made longer. The questions and their answers: away_tell.c. */
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
#include "otpcore/broker/away_parts.h"
#include "otpcore/broker/relay_parts.h"

#define SEEN_MS 60000 /* how far this host's clock may go back unnoticed */

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

void away_end(struct away *a, struct held *h, const char *why)
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

static struct held *of_account(const struct away *a, const char *account)
{
	for (size_t i = 0; i < a->replica->n_held; i++)
		if (mag_streq(a->replica->held[i]->account, account))
			return a->replica->held[i];
	return NULL;
}

/* ---- what is asked next ---- */

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
		away_tell_use(a);
		return true;
	}
	for (size_t i = 0; i < r->n_held; i++) {
		if (r->held[i]->state == HELD_ENDED) {
			away_tell_end(a, r->held[i]);
			return true;
		}
		if (r->held[i]->state == HELD_LIVE && away_tell_failures(a, r->held[i]))
			return true;
	}
	return false;
}

static void take_next(struct away *a)
{
	struct replica *r = a->replica;
	int64_t now = mag_ticks_ms();

	if (now >= a->rest_at)
		number_all(a);
	for (size_t i = 0; i < r->n_held; i++) {
		struct held *h = r->held[i];

		if (h->state == HELD_ENDED || now < h->next_at)
			continue;
		away_take(a, h);
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
			away_end(a, h, "its time is over");
		else if (h->state != HELD_ENDED && !wanted(a))
			away_end(a, h, "offline is not set any more");
		else if (h->state != HELD_ENDED && !a->terms_due &&
			 !lease_named(a->replica->terms.accounts, h->account))
			away_end(a, h, "the auth host gives none for this account");
	}
}

/* How late it is is kept now and then, so that a clock that is set back brings no lease
 * back. Where nothing is leased it may be put right. */
static void keep_time(struct away *a)
{
	int64_t now = mag_ticks_ms(), clock = away_clock(a);
	struct replica *r = a->replica;
	bool idle = r->n_uses == 0;

	for (size_t i = 0; i < r->n_held; i++)
		idle = idle && r->held[i]->state == HELD_ASKED;
	if (idle)
		clock = mag_now();
	else if (now < a->seen_at)
		return;
	a->seen_at = now + SEEN_MS;
	if (clock == r->seen)
		return;
	if (idle && r->seen - clock < SEEN_MS && clock - r->seen < SEEN_MS)
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
	a->next_at = a->rest_at = 0;
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
		away_ask_terms(a);
	else
		take_next(a);
}
