/* The only place that checks authority (security.md 1, 2, 9). What a peer is
 * comes from the kernel, what a message needs from its .wire file. */
#include "otpcore/broker/parts.h"

#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/remote_gate.h"
#include "otpcore/engine/connect.h"

static const struct aggregate nobody;

/* The ticket in a request that carries one; NULL if the message has none. */
static const struct mag_secret *txn_of(const struct request *r)
{
	const struct wire_struct *s = &r->message->request;

	for (size_t i = 0; i < s->n_fields; i++)
		if (wire_field_of(s, i)->type == WIRE_SEALED &&
			mag_streq(wire_field_of(s, i)->name, "txn"))
			return (const void *)((const char *)r->body + wire_field_of(s, i)->offset);
	return NULL;
}

static const char *account_of(const struct request *r)
{
	const char *name = NULL;

	if (r->message)
		name = wire_text_of_type(&r->message->request, r->body, WIRE_ACCOUNT);
	return name ? name : r->has_ticket ? r->ticket.user : NULL;
}

static const char *service_of(const struct request *r)
{
	const char *name = wire_text_of_type(&r->message->request, r->body, WIRE_SERVICE);

	return name ? name : r->has_ticket ? r->ticket.service : NULL;
}

int gate_want(struct request *r)
{
	const struct mag_secret *txn;
	const char *name;
	int res = 0;

	if (!r->message) /* made by the broker itself */
		return 0;
	if (r->through != THROUGH_SOCKET) {
		res = remote_gate_want(r);
		if (res)
			return res;
	}
	txn = txn_of(r);
	/* One that does not open is told from none by gate_check. */
	if (txn && !r->has_ticket)
		r->has_ticket = ticket_open(r, txn, &r->ticket) == 0;
	name = account_of(r);
	if (name && *name)
		res = store_want_account(r->tick, name);
	if (!res && r->has_ticket)
		res = store_want_login(r->tick, r->ticket.login);
	/* An administrator is known by the own account. */
	if (!res && r->peer.uid != 0 && r->through == THROUGH_SOCKET)
		res = store_want_account_uid(r->tick, r->peer.uid);
	return res;
}

struct aggregate *request_account(struct request *r)
{
	const char *name = account_of(r);

	/* Nothing marks rows of an account that was not named. */
	return name && *name && !r->hidden ? store_account(r->tick, name)
					   : (struct aggregate *)&nobody;
}

int request_want_history(struct request *r)
{
	const char *name = account_of(r);

	return name && *name ? store_want_history(r->tick, name) : 0;
}

const struct history *request_history(struct request *r)
{
	static const struct history none;
	const char *name = account_of(r);

	return name && *name && !r->hidden ? store_history(r->tick, name) : &none;
}

struct aggregate *parent_of(struct request *r, const struct aggregate *a)
{
	struct aggregate *parent = store_parent(r->tick, a);

	return parent && connect_lends(parent) ? parent : NULL;
}

struct aggregate *request_credentials(struct request *r)
{
	struct aggregate *a = request_account(r), *parent = parent_of(r, a);

	return parent ? parent : a;
}

static bool speaks_for(const struct request *r, const char *service)
{
	/* A relay's users are the relay's to tell, for what it may speak for at all. */
	const char *list =
		r->through ? r->verifier : settings_verifier(r->broker->settings, r->peer.uid);
	size_t len = service ? strlen(service) : 0;

	if (!len || strchr(service, ' '))
		return false;
	for (const char *p = list; (p = strstr(p, service)); p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

/* Terms are also accepted by who administers the application (O2). */
static bool role_fits(const struct request *r, int64_t role)
{
	return role == ROLE_ORGANISATION_ADMIN ||
	       (role == ROLE_APPLICATION_ADMIN && (r->message->id == WIRE_MSG_TERMS_LIST ||
							  r->message->id == WIRE_MSG_TERMS_ACCEPT));
}

/* Does the peer administer this account's organisation? One without name is
 * nobody's to administer but root's. */
static bool administers(struct request *r, const char *name, const struct aggregate *a)
{
	const struct aggregate *own = store_account_uid(r->tick, r->peer.uid);

	if (!own->exists || own->account.state != ACCOUNT_ACTIVE ||
		!role_fits(r, own->account.role) || !*own->account.organisation)
		return false;
	if (!name) /* lists, keys: handlers keep to the organisation */
		return true;
	if (!a->exists) /* unknown is answered as another's, but for making one */
		return r->message->id == WIRE_MSG_ACCOUNT_ADD;
	return mag_streq(own->account.organisation, a->account.organisation);
}

/* Another account of who has this one? */
static bool same_person(const struct account *a, const struct account *b)
{
	return a->row.id == b->row.id || connect_same_person(a, b) ||
	       mag_streq(a->parent, b->name) || mag_streq(b->parent, a->name) ||
	       (*a->parent && mag_streq(a->parent, b->parent));
}

/* Is the peer an agent who may proof this account's person? Never the own one, under
 * whatever name. One without an organisation serves those of all: only root makes agents. */
static bool proofs(struct request *r, const char *name, const struct aggregate *a)
{
	const struct aggregate *own = store_account_uid(r->tick, r->peer.uid);

	if (!own->exists || own->account.state != ACCOUNT_ACTIVE ||
		own->account.role != ROLE_PROOFING_AGENT)
		return false;
	if (!name) /* the list: its handler keeps to the organisation */
		return true;
	if (!a->exists || same_person(&own->account, &a->account))
		return false;
	return !*own->account.organisation ||
	       mag_streq(own->account.organisation, a->account.organisation);
}

static void stand(struct request *r)
{
	const char *name = account_of(r), *service = service_of(r);
	const struct aggregate *a = request_account(r);

	r->standing = (struct standing){ .root = r->peer.uid == 0 };
	r->standing.own = name && a->exists && a->account.uid == r->peer.uid &&
			  r->peer.uid != WIRE_UID_UNKNOWN;
	if (r->standing.root)
		return;
	r->standing.verifier = speaks_for(r, service);
	if (r->through) /* nobody administers from there */
		return;
	r->standing.admin = administers(r, name, a);
	r->standing.agent = proofs(r, name, a);
}

static bool enough(const struct request *r)
{
	const struct standing *s = &r->standing;

	switch (r->message->authority) {
	case AUTH_ANY:
		/* To log in as somebody is not administration. */
		return s->own || s->verifier || (s->admin && account_of(r) && !service_of(r));
	case AUTH_VERIFIER:
		return s->verifier;
	case AUTH_AGENT:
		return s->agent;
	case AUTH_ADMIN:
		return s->admin;
	case AUTH_ROOT:
		break;
	}
	return false;
}

bool ticket_holder_stays(struct request *r, const struct aggregate *a, const struct wire_ticket *t)
{
	const struct aggregate *parent = t->account ? parent_of(r, a) : NULL;

	return t->holder == (parent ? parent->account.row.id : 0);
}

/* Does the ticket belong to this peer and to what the request names? */
static int ticket_check(struct request *r)
{
	const struct aggregate *a = request_account(r);
	const char *user, *service;

	if (r->ticket.peer_uid != r->peer.uid)
		return MAG_ESTALE;
	user = wire_text_of_type(&r->message->request, r->body, WIRE_ACCOUNT);
	service = wire_text_of_type(&r->message->request, r->body, WIRE_SERVICE);
	if ((user && !mag_streq(user, r->ticket.user)) ||
		(service && !mag_streq(service, r->ticket.service)))
		return MAG_ESTALE;
	/* Account 0: begin saw nobody who could log in; that stays so. Otherwise
	 * it must be the same row still, not a name that was given away. */
	if (r->ticket.account && (!a->exists || a->account.row.id != r->ticket.account))
		return MAG_ESTALE;
	return ticket_holder_stays(r, a, &r->ticket) ? 0 : MAG_ESTALE;
}

int gate_check(struct request *r)
{
	const struct mag_secret *txn;

	if (!r->message)
		return 0;
	txn = txn_of(r);
	r->hidden = false;
	r->hidden = remote_gate_hides(r, account_of(r), request_account(r));
	stand(r);
	if (r->through) {
		const struct remote_asks asks = { account_of(r), service_of(r),
			request_account(r) };
		int res = remote_gate_check(r, &asks);

		if (res || r->through == THROUGH_STRANGER)
			return res;
	}
	/* Authority first: a ticket tells a stranger nothing. A message that speaks
	 * for nobody (ping) is everybody's. */
	if (!r->standing.root && !enough(r) &&
		!(r->message->authority == AUTH_ANY && !account_of(r) && !txn))
		return MAG_EPERM;
	if (txn && txn->len && !r->has_ticket)
		return MAG_ESTALE;
	return r->has_ticket ? ticket_check(r) : 0;
}
