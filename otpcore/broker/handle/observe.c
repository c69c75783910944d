/* What a watched service would have refused: noted when it is, shown to an
 * administrator; the store in numbers, for doctor; and what was counted, for metrics. */
#include "otpcore/broker/handle/observe.h"

#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/account.h"
#include "otpcore/broker/parts.h"

#define PAGE (sizeof((struct wire_observed_rep *)0)->rows / sizeof(struct wire_observed_row))

void observe_after(struct request *r)
{
	const char *reason = r->state.p;
	const char *service = wire_text_of_type(&r->message->request, r->body, WIRE_SERVICE);
	const char *account = wire_text_of_type(&r->message->request, r->body, WIRE_ACCOUNT);
	struct store_observed o = { 0 };
	int res;

	if (!reason || !service || !account)
		return;
	mag_clean(o.account, sizeof o.account, account);
	mag_copy(o.reason, sizeof o.reason, reason);
	mag_clean(o.from, sizeof o.from,
		r->message->id == WIRE_MSG_BEGIN ? ((struct wire_begin_req *)r->body)->rhost
						 : ((struct wire_account_req *)r->body)->rhost);
	res = store_observe(r->broker->store, service, &o, r->now);
	/* Nobody is refused for want of a note. */
	if (res)
		mag_log(MAG_LOG_WARNING, "what was observed is not noted: %s", mag_strerror(res));
}

struct listing {
	struct wire_observed_rep *p;
	const char *organisation; /* NULL: all */
	size_t seen;
	struct store_observed last;
};

static int list_row(const struct store_observed *o, void *arg)
{
	struct listing *l = arg;
	struct wire_observed_row *w;

	if (l->p->n_rows == PAGE)
		return 1;
	l->seen++;
	l->last = *o;
	if (l->organisation && !mag_streq(l->organisation, o->organisation))
		return 0;
	w = &l->p->rows[l->p->n_rows++];
	mag_copy(w->account, sizeof w->account, o->account);
	mag_copy(w->reason, sizeof w->reason, o->reason);
	mag_copy(w->from, sizeof w->from, o->from);
	w->times = o->times;
	w->first = o->first_at;
	w->last = o->last_at;
	return 0;
}

static void decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

static void list_after(struct request *r)
{
	const struct wire_observed_req *q = r->body;
	const struct account *admin = account_admin(r);
	struct listing l = { .p = r->reply };
	int res;

	l.organisation = admin ? admin->organisation : NULL;
	mag_copy(l.last.account, sizeof l.last.account, q->after);
	mag_copy(l.last.reason, sizeof l.last.reason, q->after_reason);
	do {
		struct store_observed from = l.last;

		l.seen = 0;
		res = store_list_observed(r->broker->store, q->of, &from, PAGE, list_row, &l);
	} while (res >= 0 && l.seen == PAGE && l.p->n_rows < PAGE);
	if (res < 0) {
		request_error(r, res);
		return;
	}
	l.p->more = l.p->n_rows == PAGE;
}

static void overview_after(struct request *r)
{
	struct wire_overview_rep *p = r->reply;
	struct store_overview o;
	int res = store_overview(r->broker->store, r->now, &o);

	if (res) {
		request_error(r, res);
		return;
	}
	p->accounts = o.accounts;
	p->bare = o.bare;
	p->break_glass = o.break_glass;
	p->journal_failures = (int64_t)r->broker->stats.journal_failures;
}

void broker_stats(const struct broker *b, uint32_t after, struct wire_stats_rep *rep)
{
	const struct stats_now now = { .version = PACKAGE_VERSION,
		.store = b->store ? store_kind(b->store) : "relay",
		.schema = b->store ? store_schema(b->store) : 0,
		.started_at = b->started_at,
		.connections = listener_connections(b->listener),
		.busy = listener_busy(b->listener),
		.orders = b->dispatch ? dispatch_orders(b->dispatch) : 0 };

	stats_page(&b->stats, &now, after, rep);
}

static void stats_decide(struct request *r)
{
	broker_stats(r->broker, ((const struct wire_stats_req *)r->body)->after, r->reply);
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_observe[] = {
	{ WIRE_MSG_STATS, NULL, stats_decide, NULL, NULL, NULL },
	{ WIRE_MSG_OBSERVED, NULL, decide, NULL, NULL, list_after },
	{ WIRE_MSG_OVERVIEW, NULL, decide, NULL, NULL, overview_after },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
