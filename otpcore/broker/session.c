#include "otpcore/broker/session.h"

#include "otpcore/base/text.h"
#include "otpcore/broker/elevation.h"
#include "otpcore/broker/parts.h"
#include "otpcore/engine/certificate.h"

#define SESSION_LIFE 86400 /* NIST SP 800-63B, AAL2 */

int session_want(struct request *r)
{
	if (r->peer.sid < 0)
		return 0;
	return store_want_session(r->tick, r->boot, r->host, r->peer.sid);
}

static struct session *row_of(struct request *r)
{
	return r->peer.sid < 0 ? NULL : store_session(r->tick, r->boot, r->host, r->peer.sid);
}

bool session_proof_holds(
	struct request *r, const struct aggregate *a, int64_t holder, const struct proof *proof)
{
	const struct aggregate *c = holder ? parent_of(r, a) : a;

	if (!c || (holder && c->account.row.id != holder))
		return false;
	for (size_t i = 0; i < c->n_phones && proof->phone; i++)
		if (c->phones[i].row.id == proof->phone)
			return c->phones[i].row.fate != ROW_DELETED;
	for (size_t i = 0; i < c->n_tokens && proof->token; i++)
		if (c->tokens[i].row.id == proof->token)
			return c->tokens[i].state != TOKEN_REVOKED;
	return !proof->phone && !proof->token;
}

/* Is the certificate there, and good? Its authority may have revoked it. */
static bool certificate_holds(struct request *r, int64_t id)
{
	const struct certificate *c = id ? store_certificate(r->tick, id) : NULL;

	return !id || (c && c->row.id && !certificate_fault(r->broker->trust, c, r->now));
}

static bool rests(struct request *r, const struct session *s, const struct aggregate *a)
{
	const struct proof proof = { .phone = s->phone, .token = s->token };

	return session_proof_holds(r, a, s->holder, &proof) && certificate_holds(r, s->certificate);
}

/* On another host the relay looks; gate_check() has asked it. */
static bool leader_lives(const struct request *r, const struct session *s)
{
	if (r->through == THROUGH_SOCKET)
		return peer_start_of(s->leader_pid) == s->leader_start;
	return r->peer.leader_pid == s->leader_pid && r->peer.leader_start == s->leader_start;
}

struct session *session_sound(struct request *r, const struct aggregate *a, const char **reason_r)
{
	struct session *s = row_of(r);
	const char *reason = "";

	if (!s || !r->peer.alive)
		reason = "no-audit-id";
	else if (!s->row.id)
		reason = "no-login";
	else if (!s->account)
		reason = "shared-id";
	else if (!a->exists || s->account != a->account.row.id || s->loginuid != a->account.uid ||
		 r->peer.loginuid != s->loginuid)
		reason = "other-uid";
	else if (s->ended_at || r->now >= s->expires_at || r->now < s->since - SESSION_LIFE ||
		 !leader_lives(r, s) || !rests(r, s, a))
		reason = "ended";
	if (*reason) {
		*reason_r = reason;
		return NULL;
	}
	return s;
}

/* A token that is suspended proves nothing until it is resumed; the session goes on. */
static bool suspended(struct request *r, const struct session *s, const struct aggregate *a)
{
	const struct aggregate *c = s->holder ? parent_of(r, a) : a;

	for (size_t i = 0; c && s->token && i < c->n_tokens; i++)
		if (c->tokens[i].row.id == s->token)
			return c->tokens[i].state == TOKEN_SUSPENDED;
	return false;
}

const struct session *session_satisfies(
	struct request *r, const struct aggregate *a, const struct policy *p, int64_t reuse)
{
	const char *reason;
	const struct session *s = session_sound(r, a, &reason);

	if (!s)
		s = elevation_of(r, a);
	if (!s || suspended(r, s, a) || !policy_satisfied(p, (enum strength)s->strength, s->level))
		return NULL;
	return p->mode == MODE_NONE || r->now - s->since < reuse ? s : NULL;
}

bool session_claim(struct request *r, const struct aggregate *a, const char **reason_r)
{
	struct session *s = session_sound(r, a, reason_r);

	if (!s)
		return false;
	if (!r->standing.own) {
		*reason_r = "other-uid";
		return false;
	}
	store_mark_session(r->tick, r->index, s, ROW_CHANGED);
	return true;
}

void session_raise(struct request *r, const struct proof *proof)
{
	struct session *s = row_of(r);

	/* What the session has already, and is more, stays, rests on what gave it, and
	 * is not younger for it: `reuse` would never end. */
	if ((int64_t)proof->strength >= s->strength && proof->level >= s->level)
		s->since = r->now;
	if ((int64_t)proof->strength >= s->strength) {
		s->strength = proof->strength;
		s->phone = proof->phone;
		s->token = proof->token;
		s->certificate = 0;
		s->holder = r->ticket.holder;
	}
	if (proof->level >= s->level)
		s->level = proof->level;
	store_mark_session(r->tick, r->index, s, ROW_CHANGED);
}

/* Why this login can have no row; "" if it can. */
static const char *unfit(
	const struct request *r, const struct aggregate *a, const struct session *s)
{
	if (r->peer.uid != 0)
		return "not-root";
	if (!s || !r->peer.start)
		return "no-audit-id";
	/* The id must be new since auth, and never seen in this boot: containers,
	 * su and the user manager share ids between logins. */
	if (s->row.id || (r->has_ticket && r->ticket.sid == r->peer.sid))
		return "shared-id";
	if (!a->exists || a->account.uid == WIRE_UID_UNKNOWN || r->peer.loginuid != a->account.uid)
		return "other-uid";
	if (!r->has_ticket)
		return "no-login";
	return "";
}

/* Two logins that share an id: neither has a session that counts. */
static void spoil(struct request *r, struct session *s)
{
	bool new = !s->row.id;

	if (new) {
		s->row.id = store_new_id();
		mag_copy(s->boot, sizeof s->boot, r->boot);
		mag_copy(s->host, sizeof s->host, r->host);
		s->sid = r->peer.sid;
		s->loginuid = r->peer.loginuid;
		s->since = r->now;
	}
	s->account = s->login = s->phone = s->token = s->certificate = s->holder = 0;
	s->strength = STRENGTH_NONE;
	s->level = 0;
	s->ended_at = r->now;
	store_mark_session(r->tick, r->index, s, new ? ROW_NEW : ROW_CHANGED);
}

bool session_record(struct request *r, const struct aggregate *a, const struct login *login,
	const char **reason_r)
{
	struct session *s = row_of(r);
	const char *reason = unfit(r, a, s);

	*reason_r = reason;
	if (*reason) {
		if (s && r->peer.uid == 0)
			spoil(r, s);
		return false;
	}
	s->row.id = store_new_id();
	mag_copy(s->boot, sizeof s->boot, r->boot);
	mag_copy(s->host, sizeof s->host, r->host);
	s->sid = r->peer.sid;
	s->loginuid = r->peer.loginuid;
	s->account = a->account.row.id;
	s->login = r->ticket.login;
	s->leader_pid = r->peer.pid;
	s->leader_start = r->peer.start;
	mag_copy(s->service, sizeof s->service, r->ticket.service);
	mag_copy(s->rhost, sizeof s->rhost, r->ticket.rhost);
	mag_copy(s->tty, sizeof s->tty, r->ticket.tty);
	s->strength = login->strength;
	s->level = login->level;
	s->phone = login->phone;
	s->token = login->token;
	s->certificate = login->certificate;
	s->holder = login->verified_at || login->certificate ? r->ticket.holder : 0;
	s->since = r->now;
	s->expires_at = r->now + SESSION_LIFE;
	store_mark_session(r->tick, r->index, s, ROW_NEW);
	return true;
}

void session_end(struct request *r, const struct aggregate *a)
{
	struct session *s = row_of(r);

	if (!s || !s->row.id || s->ended_at || !a->exists || s->account != a->account.row.id ||
		s->leader_pid != r->peer.pid || s->leader_start != r->peer.start)
		return;
	s->ended_at = r->now;
	store_mark_session(r->tick, r->index, s, ROW_CHANGED);
}

static bool is_own(const struct request *r, const struct session *s)
{
	return r->peer.sid >= 0 && s->sid == r->peer.sid && mag_streq(s->boot, r->boot) &&
	       mag_streq(s->host, r->host);
}

size_t session_end_resting(
	struct request *r, const struct aggregate *a, int64_t credential, bool *own_r)
{
	size_t n = 0, ended = 0;
	struct session *s = store_sessions_of(r->tick, a->account.name, &n);

	if (own_r)
		*own_r = false;
	for (size_t i = 0; i < n; i++) {
		if (s[i].ended_at || (s[i].token != credential && s[i].phone != credential &&
					     s[i].certificate != credential))
			continue;
		s[i].ended_at = r->now;
		store_mark_session(r->tick, r->index, &s[i], ROW_CHANGED);
		ended++;
		if (own_r && is_own(r, &s[i]))
			*own_r = true;
	}
	return ended;
}
