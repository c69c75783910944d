/* Licence keys as administrators see them, and those of a paid order: read and changed
 * after the tick (K2, K6). */
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/licence.h"

static const struct handle_word states[] = {
	{ LICENCE_FREE, "free" },
	{ LICENCE_HELD, "held" },
	{ LICENCE_USED, "used" },
	{ LICENCE_VOID, "void" },
	{ 0, NULL },
};

struct listing {
	struct wire_licence_list_rep *p;
	int64_t last;
};

#define LIST_PAGE                                                                                  \
	(sizeof((struct wire_licence_list_rep *)0)->licences / sizeof(struct wire_licence))

static int list_row(const struct licence *row, const char *account, void *arg)
{
	struct listing *l = arg;
	struct wire_licence *w;

	if (l->p->n_licences == LIST_PAGE)
		return 1;
	w = &l->p->licences[l->p->n_licences++];
	mag_copy(w->id, sizeof w->id, row->group);
	mag_copy(w->product, sizeof w->product, product_id((enum product)row->product));
	w->proofing = row->proofing != 0;
	mag_copy(w->order, sizeof w->order, row->order_ref);
	mag_copy(w->state, sizeof w->state, handle_word(states, row->state));
	w->purchased = row->purchased_at;
	mag_clean(w->account, sizeof w->account, account ? account : "");
	w->used = row->used_at;
	l->last = row->row.id;
	return 0;
}

void licence_list_decide(struct request *r)
{
	const struct wire_licence_list_req *q = r->body;
	int64_t cursor;

	if (*q->state && !handle_value(states, q->state))
		handle_invalid(r, "state: free, held, used or void");
	else if (*q->cursor && mag_int_parse(q->cursor, 0, INT64_MAX, &cursor))
		handle_invalid(r, "cursor");
	else
		request_verdict(r, VERDICT_OK);
}

void licence_list_after(struct request *r)
{
	const struct wire_licence_list_req *q = r->body;
	struct listing l = { r->reply, 0 };
	struct mag_buf next = { 0 };
	int64_t cursor = 0;
	int res;

	if (*q->cursor)
		mag_int_parse(q->cursor, 0, INT64_MAX, &cursor);
	res = store_list_licences(r->broker->store, cursor, q->order,
		handle_value(states, q->state), LIST_PAGE, list_row, &l);
	if (res < 0) {
		request_error(r, res);
		return;
	}
	if (l.p->n_licences == LIST_PAGE) {
		mag_buf_init(&next, l.p->next, sizeof l.p->next);
		mag_buf_printf(&next, "%lld", (long long)l.last);
	}
}

void licence_release_decide(struct request *r)
{
	const struct wire_licence_release_req *q = r->body;

	if (!*q->order)
		handle_invalid(r, "order: which order was paid?");
	else
		request_verdict(r, VERDICT_OK);
}

void licence_release_after(struct request *r)
{
	const struct wire_licence_release_req *q = r->body;
	struct wire_licence_release_rep *p = r->reply;
	int64_t n = 0;
	int res = store_release_licences(r->broker->store, q->order, r->now, &n);

	if (res)
		request_error(r, res);
	else
		p->released = (uint32_t)n;
}
