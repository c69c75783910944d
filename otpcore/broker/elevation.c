#include "otpcore/broker/elevation.h"

#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/parts.h"

#define ELEVATIONS 64 /* the oldest makes room */

struct elevations {
	struct session all[ELEVATIONS]; /* row.id 0: none */
};

int elevations_new(struct elevations **e_r)
{
	struct elevations *e = calloc(1, sizeof *e);

	if (!e)
		return MAG_ENOMEM;
	*e_r = e;
	return 0;
}

void elevations_free(struct elevations **e)
{
	free(*e);
	*e = NULL;
}

void elevations_remember(struct request *r, const struct proof *proof)
{
	struct session *all = r->broker->elevations->all, *oldest = &all[0];

	if (!r->standing.own || !r->peer.alive || !r->peer.start || !r->ticket.account)
		return;
	for (size_t i = 1; i < ELEVATIONS; i++)
		if (all[i].since < oldest->since)
			oldest = &all[i];
	*oldest = (struct session){ .row.id = r->ticket.login,
		.account = r->ticket.account,
		.login = r->ticket.login,
		.holder = r->ticket.holder,
		.leader_pid = r->peer.pid, /* on that host */
		.leader_start = r->peer.start,
		.strength = proof->strength,
		.level = proof->level,
		.phone = proof->phone,
		.token = proof->token,
		.since = r->now,
		.expires_at = r->now + TICKET_LIFE };
	mag_copy(oldest->host, sizeof oldest->host, r->host);
}

struct session *elevation_of(struct request *r, const struct aggregate *a)
{
	struct session *all = r->broker->elevations->all, *best = NULL;

	for (size_t i = 0; i < ELEVATIONS && r->peer.alive && r->peer.start && a->exists; i++) {
		struct session *s = &all[i];
		const struct proof proof = { .phone = s->phone, .token = s->token };

		if (s->row.id && s->leader_pid == r->peer.pid && s->leader_start == r->peer.start &&
			mag_streq(s->host, r->host) && s->account == a->account.row.id &&
			r->now >= s->since && r->now < s->expires_at &&
			session_proof_holds(r, a, s->holder, &proof) &&
			(!best || s->strength > best->strength))
			best = s;
	}
	return best;
}
