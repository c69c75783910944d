/* How strong is the peer's own session (P6)? */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/elevation.h"
#include "otpcore/broker/handle/phone.h"
#include "otpcore/broker/parts.h"
#include "otpcore/broker/session.h"

static bool opened(struct request *r, const struct mag_secret *grant, struct wire_ticket *t_r)
{
	return grant && ticket_open(r, grant, t_r) == 0;
}

int grant_want(struct request *r, const struct mag_secret *grant)
{
	struct wire_ticket t;
	int res = session_want(r);

	if (!res && opened(r, grant, &t))
		res = store_want_login(r->tick, t.login);
	/* An administrator's own session counts, not that of who is helped. */
	if (!res && r->peer.uid != 0)
		res = store_want_account_uid(r->tick, r->peer.uid);
	return res;
}

/* A login verified just now by the same process (security.md 13): good for what
 * this process does next. */
static enum strength of_grant(
	struct request *r, const struct mag_secret *grant, const struct aggregate *owner)
{
	const struct login *l;
	struct wire_ticket t;
	struct proof proof;

	if (!opened(r, grant, &t) || !mag_streq(t.service, SERVICE_ELEVATE))
		return STRENGTH_NONE;
	if (t.peer_uid != r->peer.uid || t.peer_pid != (uint32_t)r->peer.pid || !r->peer.alive ||
		!t.peer_start || t.peer_start != r->peer.start ||
		t.account != owner->account.row.id || !ticket_holder_stays(r, owner, &t))
		return STRENGTH_NONE;
	l = store_login(r->tick, t.login);
	proof = (struct proof){ .phone = l->phone, .token = l->token };
	if (!l->row.id || l->account != t.account || !l->verified_at ||
		r->now - l->verified_at >= TICKET_LIFE ||
		!session_proof_holds(r, owner, t.holder, &proof))
		return STRENGTH_NONE;
	return (enum strength)l->strength;
}

enum strength grant_strength(struct request *r, const struct mag_secret *grant, bool *session_r)
{
	const struct aggregate *owner;
	const struct session *s;
	enum strength best = STRENGTH_NONE, granted;
	const char *reason;

	if (session_r)
		*session_r = false;
	if (r->standing.root)
		return STRENGTH_MLOA_HARDWARE;
	owner = r->standing.own ? request_account(r) : store_account_uid(r->tick, r->peer.uid);
	if (!owner->exists)
		return STRENGTH_NONE;
	if (owner->account.uid == r->peer.uid)
		best = STRENGTH_PASSWORD;
	s = session_sound(r, owner, &reason);
	if (s && (enum strength)s->strength > best) {
		best = (enum strength)s->strength;
		if (session_r)
			*session_r = true;
	}
	s = elevation_of(r, owner);
	if (s && (enum strength)s->strength > best)
		best = (enum strength)s->strength;
	granted = of_grant(r, grant, owner);
	if (granted > best)
		best = granted;
	return best;
}

bool grant_peer_proven(struct request *r, const struct mag_secret *grant)
{
	struct aggregate *peer, *parent;

	if (r->standing.root)
		return true;
	peer = store_account_uid(r->tick, r->peer.uid);
	parent = parent_of(r, peer);
	return !phone_has_factor(parent ? parent : peer, r->now) ||
	       strength_satisfies(grant_strength(r, grant, NULL), STRENGTH_PHONE_OTP);
}
