/* Identity proofing as a person sees it: how it stands, asking for it (I3, I7); and
 * what becomes of it when the credentials go (I3, H12). */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/proofing.h"
#include "otpcore/broker/handle/token.h"

void proofing_drop_lost(struct request *r, struct aggregate *a)
{
	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (!proofing_lost(a, s))
			continue;
		s->proofing = PROOFING_WANTED;
		s->level = 2;
		store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
	}
}

struct subscription *proofing_case(struct request *r, struct aggregate *a)
{
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (proofing_open(&a->subscriptions[i], r->now))
			return &a->subscriptions[i];
	return NULL;
}

void proofing_mark(struct request *r, struct proofing *row)
{
	store_mark_proofing(r->tick, r->index, row, row->row.version ? ROW_CHANGED : ROW_NEW);
}

/* Courses of one account never begin in the same second: the latest is the latest. */
struct proofing *proofing_new(struct request *r, struct aggregate *a)
{
	struct proofings *all = store_proofings(r->tick, a->account.name);
	struct proofing *row = store_add_proofing(r->tick, all);

	if (!row)
		return NULL;
	*row = (struct proofing){
		.row.id = store_new_id(), .account = a->account.row.id, .created_at = r->now
	};
	for (size_t i = 0; i + 1 < all->n; i++)
		if (all->rows[i].created_at >= row->created_at)
			row->created_at = all->rows[i].created_at + 1;
	return row;
}

struct proofing *proofing_course(
	struct request *r, struct aggregate *a, const struct subscription *s)
{
	struct proofing *row = proofing_under_way(store_proofings(r->tick, a->account.name));

	if (!row)
		row = proofing_new(r, a);
	if (row)
		row->subscription = s->row.id;
	return row;
}

/* ---- show ---- */

static size_t fill_products(
	const struct request *r, const struct aggregate *a, struct wire_proofed *rows, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_subscriptions && n < max; i++) {
		const struct subscription *s = &a->subscriptions[i];

		if (!subscription_active(s, r->now))
			continue;
		mag_copy(rows[n].product, sizeof rows[n].product,
			product_id((enum product)s->product));
		mag_copy(rows[n].proofing, sizeof rows[n].proofing, proofing_need_id(s->proofing));
		rows[n].level = (uint32_t)s->level;
		rows[n].registered = proofing_has_credential(a, s);
		rows[n++].expires = s->expires_at;
	}
	return n;
}

static void fill_course(const struct proofing *p, int64_t now, struct wire_course *w)
{
	bool old = p->state == PROOFING_ISSUED && now > p->expires_at;

	mag_copy(w->state, sizeof w->state, old ? "expired" : proofing_state_id(p->state));
	mag_copy(w->method, sizeof w->method, proofing_method_id(p->method));
	mag_copy(w->outcome, sizeof w->outcome, proofing_outcome_id(p->outcome));
	mag_clean(w->agent, sizeof w->agent, p->agent);
	w->created = p->created_at;
	w->agreed = p->agreed_at;
	w->appointment = p->appointment_at;
	w->decided = p->decided_at;
	w->expires = p->expires_at;
	w->used = p->used_at;
}

static int mine_want(struct request *r)
{
	return store_want_proofings(
		r->tick, ((const struct wire_proofing_mine_req *)r->body)->user);
}

static int show_want(struct request *r)
{
	return store_want_proofings(
		r->tick, ((const struct wire_proofing_show_req *)r->body)->user);
}

/* The two messages answer alike; wire.awk gives each a struct of its own. */
static void fill(struct request *r, struct wire_proofing_mine_rep *p)
{
	struct aggregate *a = request_account(r);
	const struct proofings *all = store_proofings(r->tick, a->account.name);

	mag_copy(p->terms, sizeof p->terms, PROOFING_TERMS);
	p->n_products =
		fill_products(r, a, p->products, sizeof p->products / sizeof p->products[0]);
	for (size_t i = 0; i < all->n; i++)
		fill_course(&all->rows[i], r->now, &p->courses[p->n_courses++]);
	request_verdict(r, VERDICT_OK);
}

static void mine_decide(struct request *r)
{
	if (phone_may_touch(r, request_account(r)))
		fill(r, r->reply);
}

_Static_assert(sizeof(struct wire_proofing_show_rep) == sizeof(struct wire_proofing_mine_rep),
	"proofing_show and proofing_mine have one reply");

void proofing_show_decide(struct request *r)
{
	if (!request_account(r)->exists)
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
	else
		fill(r, r->reply);
}

/* ---- request ---- */

static int request_want(struct request *r)
{
	const struct wire_proofing_request_req *q = r->body;
	int res = grant_want(r, &q->grant);

	return res ? res : store_want_proofings(r->tick, q->user);
}

/* I3: what is in use at level 2 is to become level 3; nothing is taken away. */
static struct subscription *ask(struct request *r, struct aggregate *a)
{
	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (s->proofing != PROOFING_NONE || !subscription_active(s, r->now) ||
			!proofing_has_credential(a, s))
			continue;
		s->proofing = PROOFING_ASKED;
		store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
	}
	return proofing_case(r, a);
}

static bool passed(const struct request *r, const struct aggregate *a)
{
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (subscription_active(&a->subscriptions[i], r->now) &&
			a->subscriptions[i].proofing == PROOFING_PASSED)
			return true;
	return false;
}

/* I7: when, and to what, is kept and mailed. */
static void agree(struct request *r, struct aggregate *a, struct proofing *row)
{
	char day[32], more[320];
	struct mag_buf b = MAG_BUF(more);

	if (!row->state)
		row->state = PROOFING_REQUESTED;
	row->agreed_at = r->now;
	proofing_mark(r, row);
	mag_buf_printf(&b, "date=%s\nterms=%s\n", mag_time_minute(r->now, day, sizeof day),
		PROOFING_TERMS);
	token_mail(r, a, "proofing-agreement", more);
}

static void request_decide(struct request *r)
{
	const struct wire_proofing_request_req *q = r->body;
	struct wire_proofing_request_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct subscription *s;
	struct proofing *row;

	if (!phone_may_change(r, a, &q->grant))
		return;
	if (!r->standing.own && !r->standing.root) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the person has to agree, nobody else can");
		return;
	}
	if (q->agree != 1) {
		handle_invalid(r, "the requirements must be read and agreed to");
		return;
	}
	s = ask(r, a);
	if (!s) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			passed(r, a) ? "identity proofing was passed already"
				     : "register a phone or a token first");
		return;
	}
	row = proofing_course(r, a, s);
	if (!row) {
		request_error(r, MAG_ENOSPACE);
		return;
	}
	agree(r, a, row);
	p->n_products =
		fill_products(r, a, p->products, sizeof p->products / sizeof p->products[0]);
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_proofing[] = {
	{ WIRE_MSG_PROOFING_MINE, mine_want, mine_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PROOFING_REQUEST, request_want, request_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PROOFING_ISSUE, proofing_agent_want, proofing_issue_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PROOFING_REISSUE, proofing_agent_want, proofing_reissue_decide, NULL, NULL,
		NULL },
	{ WIRE_MSG_PROOFING_FAIL, proofing_agent_want, proofing_fail_decide, NULL, NULL, NULL },
	{ WIRE_MSG_PROOFING_SCHEDULE, proofing_agent_want, proofing_schedule_decide, NULL, NULL,
		NULL },
	{ WIRE_MSG_PROOFING_LIST, NULL, proofing_list_decide, NULL, NULL, proofing_list_after },
	{ WIRE_MSG_PROOFING_SHOW, show_want, proofing_show_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
