/* Connected accounts (H11): the child asks, the parent agrees in a session that has
 * proven a factor, either ends it; an administrator does both sides at once. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/account.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/connect.h"
#include "otpcore/engine/throttle.h"

/* Asks per account and hour: what they answer says whether names are the same. */
#define ASKS_PER_HOUR 5
#define HOUR          3600

#define STRANGERS "not connected: names and e-mail must be the same"

static const struct {
	enum connect_bar bar;
	const char *why;
} bars[] = {
	{ CONNECT_CHILD_INACTIVE, "the account is not active" },
	{ CONNECT_CHILD_CONNECTED, "it is connected already; that ends with --end" },
	{ CONNECT_CHILD_HOLDS, "the account holds credentials of its own" },
	{ CONNECT_CHILD_LENDS, "others log in with this account's credentials" },
	{ CONNECT_STRANGERS, STRANGERS },
	{ CONNECT_PARENT_CONNECTED, "that account is connected itself: take its parent" },
};

static void refuse(struct request *r, enum connect_bar bar)
{
	for (size_t i = 0; i < sizeof bars / sizeof *bars; i++)
		if (bars[i].bar == bar)
			handle_refuse(r, VERDICT_NOT_ALLOWED, bars[i].why);
}

static bool lends(struct request *r, const char *account)
{
	const struct children *c = store_children(r->tick, account);

	for (size_t i = 0; i < c->n; i++)
		if (c->rows[i].connected)
			return true;
	return false;
}

static enum connect_bar judge(
	struct request *r, const struct aggregate *child, const struct aggregate *parent)
{
	return connect_judge(child, parent, lends(r, child->account.name));
}

/* ---- what is done ---- */

static void mark(struct request *r, struct aggregate *a)
{
	store_mark_account(r->tick, r->index, &a->account, ROW_CHANGED);
}

/* Both sides hear of it: who reads the mails of one account may not use the other.
 * `what` names the line of the template. */
static void tell(struct request *r, const struct aggregate *child, const struct aggregate *parent,
	const char *what)
{
	char lines[560];
	struct mag_buf b = MAG_BUF(lines);

	mag_buf_printf(&b, "%s=%s\nparent=%s\n", what, child->account.name, parent->account.name);
	token_mail(r, parent, "connected", lines);
	token_mail(r, child, "connected", lines);
}

/* Its recovery codes from earlier days must not come back when this ends. Both rows
 * are claimed: nobody makes the parent a child at the same moment. */
static void join(struct request *r, struct aggregate *child, struct aggregate *parent)
{
	for (size_t i = 0; i < child->n_recoveries; i++)
		if (child->recoveries[i].kind == RECOVERY_CODE &&
			child->recoveries[i].row.fate != ROW_DELETED)
			store_mark_recovery(r->tick, r->index, &child->recoveries[i], ROW_DELETED);
	mag_copy(child->account.parent, sizeof child->account.parent, parent->account.name);
	child->account.parent_asked[0] = '\0';
	mark(r, child);
	mark(r, parent);
	tell(r, child, parent, "joined");
	request_verdict(r, VERDICT_OK);
}

/* What the child's sessions had from the parent is over, also should the two be
 * connected again. */
static void end_sessions(struct request *r, const struct aggregate *child)
{
	size_t n = 0;
	struct session *s = store_sessions_of(r->tick, child->account.name, &n);

	for (size_t i = 0; i < n; i++) {
		if (!s[i].holder || s[i].ended_at)
			continue;
		s[i].ended_at = r->now;
		store_mark_session(r->tick, r->index, &s[i], ROW_CHANGED);
	}
}

/* `parent` may be gone. */
static void part(struct request *r, struct aggregate *child, const struct aggregate *parent)
{
	bool connected = *child->account.parent != '\0';

	child->account.parent[0] = child->account.parent_asked[0] = '\0';
	mark(r, child);
	if (connected)
		end_sessions(r, child);
	if (parent && connected)
		tell(r, child, parent, "left");
	request_verdict(r, VERDICT_OK);
}

/* ---- connect: a person's own side ---- */

static struct aggregate *other_of(struct request *r)
{
	const struct wire_connect_req *q = r->body;

	return store_account(r->tick, q->other);
}

static void show(struct request *r, struct aggregate *a)
{
	const struct children *c = store_children(r->tick, a->account.name);
	struct wire_connect_rep *p = r->reply;

	mag_copy(p->parent, sizeof p->parent, a->account.parent);
	mag_copy(p->asked, sizeof p->asked, a->account.parent_asked);
	for (size_t i = 0; i < c->n && i < sizeof p->children / sizeof *p->children; i++) {
		struct wire_connection *w = &p->children[p->n_children++];

		mag_copy(w->account, sizeof w->account, c->rows[i].name);
		mag_copy(w->state, sizeof w->state, c->rows[i].connected ? "connected" : "asked");
	}
	request_verdict(r, VERDICT_OK);
}

static void ask(struct request *r, struct aggregate *child)
{
	const struct wire_connect_req *q = r->body;
	struct aggregate *parent = other_of(r);
	enum connect_bar bar = judge(r, child, parent);
	int64_t hour = throttle_hour(r->now), id = child->account.row.id;

	if (bar < CONNECT_STRANGERS && bar != CONNECT_FINE) {
		refuse(r, bar);
		return;
	}
	if (phone_count(child, THROTTLE_CONNECT, id, hour) >= ASKS_PER_HOUR) {
		request_verdict(r, VERDICT_TRY_LATER);
		r->result.seconds = phone_left((hour + 1) * HOUR, r->now);
		return;
	}
	r->charge[r->n_charges++] = store_charge(r->tick, r->index, THROTTLE_CONNECT, id, hour, 1);
	if (bar != CONNECT_FINE) {
		refuse(r, bar);
		return;
	}
	request_verdict(r, VERDICT_OK);
	if (mag_streq(child->account.parent_asked, q->other))
		return;
	mag_copy(child->account.parent_asked, sizeof child->account.parent_asked,
		parent->account.name);
	mark(r, child);
	tell(r, child, parent, "asks");
}

static void accept(struct request *r, struct aggregate *parent)
{
	const struct wire_connect_req *q = r->body;
	struct aggregate *child = other_of(r);
	enum connect_bar bar;

	if (!child->exists || !mag_streq(child->account.parent_asked, parent->account.name)) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "no account of that name has asked");
		return;
	}
	bar = judge(r, child, parent);
	if (bar != CONNECT_FINE)
		refuse(r, bar);
	else if (!phone_has_factor(parent, r->now))
		handle_refuse(r, VERDICT_NOT_ALLOWED, "register a phone or a token first");
	else if (!strength_satisfies(grant_strength(r, &q->grant, NULL), STRENGTH_PHONE_OTP))
		request_verdict(r, VERDICT_ELEVATE_FIRST);
	else
		join(r, child, parent);
}

/* Whoever has only the child's password would be rid of the second factor by ending
 * the connection: it takes the parent's credentials, or an administrator. */
static bool child_may_end(struct request *r, const struct aggregate *child)
{
	const struct wire_connect_req *q = r->body;
	struct aggregate *parent = parent_of(r, child);

	if (!parent && !r->standing.root)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "an administrator has to end it");
	else if (parent && phone_has_factor(parent, r->now) &&
		 !strength_satisfies(grant_strength(r, &q->grant, NULL), STRENGTH_PHONE_OTP))
		request_verdict(r, VERDICT_ELEVATE_FIRST);
	else
		return true;
	return false;
}

static void end(struct request *r, struct aggregate *a)
{
	const struct wire_connect_req *q = r->body;
	struct aggregate *other = *q->other ? other_of(r) : NULL;
	const char *name = a->account.name;

	if (*a->account.parent && (!other || mag_streq(q->other, a->account.parent))) {
		if (child_may_end(r, a))
			part(r, a, store_parent(r->tick, a));
	} else if (*a->account.parent_asked &&
		   (!other || mag_streq(q->other, a->account.parent_asked))) {
		part(r, a, NULL);
	} else if (other && other->exists && mag_streq(other->account.parent, name)) {
		if (phone_may_change(r, a, &q->grant))
			part(r, other, a);
	} else if (other && other->exists && mag_streq(other->account.parent_asked, name)) {
		part(r, other, NULL);
	} else {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "there is no such connection");
	}
}

static const struct {
	const char *what;
	bool other; /* must be named */
	void (*does)(struct request *r, struct aggregate *a);
} acts[] = {
	{ "", false, show },
	{ "ask", true, ask },
	{ "accept", true, accept },
	{ "end", false, end },
};

static int connect_want(struct request *r)
{
	const struct wire_connect_req *q = r->body;
	int res = grant_want(r, &q->grant);

	if (!res)
		res = store_want_children(r->tick, q->user);
	if (!res)
		res = store_want_sessions_of(r->tick, q->user);
	if (!res && *q->other)
		res = store_want_account(r->tick, q->other);
	if (!res && *q->other)
		res = store_want_children(r->tick, q->other);
	if (!res && *q->other)
		res = store_want_sessions_of(r->tick, q->other);
	return res;
}

static void connect_decide(struct request *r)
{
	const struct wire_connect_req *q = r->body;
	struct aggregate *a = request_account(r);

	/* An administrator may look; what is done here is a person's own word. */
	if (!r->standing.root && !r->standing.own && *q->what) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "for others: magotpctl account connect");
		return;
	}
	if (!a->exists || a->account.state != ACCOUNT_ACTIVE) {
		if (a->exists)
			refuse(r, CONNECT_CHILD_INACTIVE);
		else
			request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		if (mag_streq(acts[i].what, q->what) && (*q->other || !acts[i].other)) {
			acts[i].does(r, a);
			return;
		}
	handle_invalid(r, "what: ask or accept whom, or end");
}

/* Others asked at the same time: of what is over the limit nothing is learned. */
static void connect_settle(struct request *r)
{
	if (r->n_charges && r->result.verdict == VERDICT_NOT_ALLOWED &&
		store_charged(r->tick, r->charge[0]) > ASKS_PER_HOUR) {
		request_verdict(r, VERDICT_TRY_LATER);
		r->result.detail[0] = '\0';
	}
}

/* ---- account_connect: an administrator, for both ---- */

static int account_connect_want(struct request *r)
{
	const struct wire_account_connect_req *q = r->body;
	int res = grant_want(r, &q->grant);

	if (!res)
		res = store_want_children(r->tick, q->user);
	if (!res)
		res = store_want_sessions_of(r->tick, q->user);
	if (!res && *q->parent)
		res = store_want_account(r->tick, q->parent);
	return res;
}

/* O1: people of one organisation only; of others nothing is told. */
static enum connect_bar judge_both(
	struct request *r, const struct aggregate *child, const struct aggregate *parent)
{
	enum connect_bar bar = judge(r, child, parent);

	if ((bar == CONNECT_FINE || bar == CONNECT_PARENT_CONNECTED) &&
		!mag_streq(child->account.organisation, parent->account.organisation))
		return CONNECT_STRANGERS;
	return bar;
}

static void end_by_admin(struct request *r, struct aggregate *child)
{
	const struct wire_account_connect_req *q = r->body;

	if (!*child->account.parent || (*q->parent && !mag_streq(q->parent, child->account.parent)))
		handle_refuse(r, VERDICT_NOT_ALLOWED, "there is no such connection");
	else
		part(r, child, store_parent(r->tick, child));
}

static void account_connect_decide(struct request *r)
{
	const struct wire_account_connect_req *q = r->body;
	struct aggregate *child = request_account(r);
	struct aggregate *parent = *q->parent ? store_account(r->tick, q->parent) : NULL;
	enum connect_bar bar;

	if (!child->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
	} else if (!grant_peer_proven(r, &q->grant)) { /* whose phone opens an account */
		request_verdict(r, VERDICT_ELEVATE_FIRST);
	} else if (q->end) {
		end_by_admin(r, child);
	} else if (!parent) {
		handle_invalid(r, "parent: whose credentials?");
	} else {
		bar = judge_both(r, child, parent);
		if (bar == CONNECT_FINE)
			join(r, child, parent);
		else
			refuse(r, bar);
	}
}

const struct handler handle_connect[] = {
	{ WIRE_MSG_CONNECT, connect_want, connect_decide, connect_settle, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_CONNECT, account_connect_want, account_connect_decide, NULL, NULL,
		NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
