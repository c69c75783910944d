#include "otpcore/broker/remote_gate.h"

#include <fnmatch.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/phone.h"
#include "otpcore/broker/link.h"
#include "otpcore/broker/session.h"

int remote_gate_want(struct request *r)
{
	int res;

	if (r->through == THROUGH_STRANGER)
		return 0; /* host_enroll names its row itself */
	res = store_want_host(r->tick, r->host);
	return res ? res : session_want(r);
}

/* The word at *p and its length; the next one after it. NULL: no more. */
static const char *word(const char **p, size_t *len_r)
{
	const char *start = *p + strspn(*p, " ");

	*len_r = strcspn(start, " ");
	*p = start + *len_r;
	return *len_r ? start : NULL;
}

bool remote_service_fits(const char *services, const char *service)
{
	const char *p = services, *w;
	size_t len;

	/* Elevating is for the services that follow, which are asked about themselves. */
	if (!*services || mag_streq(service, SERVICE_ELEVATE))
		return true;
	while ((w = word(&p, &len)))
		if (strlen(service) == len && memcmp(w, service, len) == 0)
			return true;
	return false;
}

enum remote_fit remote_account_fit(
	const char *patterns, const char *name, const struct aggregate *a)
{
	enum remote_fit fit = *patterns ? REMOTE_REFUSED : REMOTE_FITS;
	const char *p = patterns, *w;
	char pattern[513];
	size_t len;

	while ((w = word(&p, &len))) {
		memcpy(pattern, w, len);
		pattern[len] = 0;
		if (*pattern != '@' ? fnmatch(pattern, name, FNM_NOESCAPE) == 0
				    : a->exists && mag_streq(pattern + 1, a->account.organisation))
			return REMOTE_FITS;
		if (*pattern == '@')
			fit = REMOTE_UNKNOWN;
	}
	return fit;
}

bool remote_gate_hides(struct request *r, const char *name, const struct aggregate *a)
{
	const struct host *h = r->through == THROUGH_HOST ? store_host(r->tick, r->host) : NULL;

	return h && name && a->exists && remote_account_fit(h->accounts, name, a) != REMOTE_FITS;
}

static bool known(const struct request *r, const struct host *h)
{
	return h && h->row.id && h->state == HOST_ACTIVE &&
	       ((h->print.len == HASH_LEN && mag_equal(h->print.data, r->print, HASH_LEN)) ||
		       (h->before.len == HASH_LEN &&
			       mag_equal(h->before.data, r->print, HASH_LEN)));
}

static bool may(const struct request *r, const struct host *h, const struct remote_asks *asks)
{
	uint16_t id = r->message->id;

	if (id == WIRE_MSG_HOST_RENEW || id == WIRE_MSG_PING || id == WIRE_MSG_LEASE_TERMS)
		return true;
	if (id == WIRE_MSG_LEASE_TAKE || id == WIRE_MSG_LEASE_REPORT)
		return asks->user &&
		       remote_account_fit(h->accounts, asks->user, asks->account) == REMOTE_FITS;
	/* Root of a relay is root for logins there, not for accounts. */
	if (!link_of_login(id) &&
		(!h->self_service || r->standing.root || r->message->authority != AUTH_ANY))
		return false;
	/* Neither name nor ticket that opens: the gate says that it is stale. */
	if (!asks->user)
		return link_of_login(id);
	if (remote_account_fit(h->accounts, asks->user, asks->account) == REMOTE_REFUSED)
		return false;
	return !asks->service || remote_service_fits(h->services, asks->service);
}

/* Who the peer is its relay says: what changes something needs a session there for which
 * that person has proven a factor. */
static bool changes_nothing(uint16_t message)
{
	static const uint16_t them[] = { WIRE_MSG_PHONE_LIST, WIRE_MSG_TOKEN_MINE,
		WIRE_MSG_CERTIFICATE_LIST, WIRE_MSG_PROOFING_MINE, WIRE_MSG_TERMS_MINE,
		WIRE_MSG_HOST_RENEW, WIRE_MSG_LEASE_TERMS, WIRE_MSG_LEASE_TAKE,
		WIRE_MSG_LEASE_REPORT };

	for (size_t i = 0; i < sizeof them / sizeof *them; i++)
		if (them[i] == message)
			return true;
	return link_of_login(message);
}

static bool proven(struct request *r, const struct remote_asks *asks)
{
	const struct session *s;
	const char *reason;

	if (changes_nothing(r->message->id))
		return true;
	s = r->standing.own ? session_sound(r, asks->account, &reason) : NULL;
	return s && strength_satisfies((enum strength)s->strength, STRENGTH_PHONE_OTP);
}

/* Is it known whether the session's leader lives? */
static bool looked(struct request *r)
{
	const struct session *s =
		r->peer.sid < 0 ? NULL : store_session(r->tick, r->boot, r->host, r->peer.sid);

	if (!s || !s->row.id || s->ended_at || r->peer.leader_pid == s->leader_pid)
		return true;
	r->look = s->leader_pid;
	return false;
}

int remote_gate_check(struct request *r, const struct remote_asks *asks)
{
	const struct host *h;

	if (r->through == THROUGH_STRANGER)
		return r->message->id == WIRE_MSG_HOST_ENROLL ? 0 : MAG_EPERM;
	h = store_host(r->tick, r->host);
	r->unknown = !known(r, h);
	if (r->unknown || !may(r, h, asks))
		return MAG_EPERM;
	if (!looked(r))
		return MAG_EBUSY;
	return proven(r, asks) ? 0 : MAG_EPERM;
}
