/* Counters: charged relative to what the database holds, in the order of their
 * keys, so that two ticks at two brokers neither lose a charge nor deadlock. */
#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/store/tick.h"

/* Charges of one key that one statement carries: neighbours of one sort. */
struct run {
	struct store_tick *tick;
	struct charge **first;
	size_t n;
};

static int order(const void *a, const void *b)
{
	const struct charge *x = *(struct charge *const *)a, *y = *(struct charge *const *)b;

	if (x->subject != y->subject)
		return x->subject < y->subject ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->period != y->period)
		return x->period < y->period ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Charge, refund or reset: what one statement can do. */
static int sort_of(const struct charge *c)
{
	if (c->amount == STORE_RESET)
		return QUERY_RESET;
	return c->amount < 0 ? QUERY_REFUND : QUERY_CHARGE;
}

static bool same_run(const struct charge *a, const struct charge *b)
{
	return a->subject == b->subject && a->kind == b->kind && a->period == b->period &&
		sort_of(a) == sort_of(b);
}

/* The count the database answers is that after all of the run; each charge gets
 * the one it brought the counter to. */
static int on_count(const struct store_cells *cells, void *arg)
{
	const struct run *run = arg;
	const struct charge *c = run->first[0];
	int64_t count = cells->ops->cell_int(cells->statement, 0);
	struct throttle *row = want_throttle_row(run->tick, c->kind, c->subject, c->period);

	if (row != NULL)
		row->count = count;
	for (size_t i = run->n; i-- > 0;) {
		run->first[i]->value = count;
		if (sort_of(c) == QUERY_CHARGE)
			count -= run->first[i]->amount;
	}
	return run->tick->error;
}

static int add_run(struct store_tick *t, struct charge **first, size_t n)
{
	const struct charge *c = first[0];
	int statement = sort_of(c);
	struct store_value *v = NULL;
	struct run *run = arena_get(&t->batch_arena, sizeof *run);
	size_t n_values = statement == QUERY_RESET ? 4 : 5;
	struct store_call *call =
		run != NULL ? tick_call(t, statement, "store.charge", n_values, &v) : NULL;
	int64_t sum = 0;

	if (call == NULL)
		return MAG_ENOMEM;
	*run = (struct run){ t, first, n };
	for (size_t i = 0; statement != QUERY_RESET && i < n; i++)
		sum += first[i]->amount;
	v[0] = (struct store_value){ 'i', c->kind, NULL, 0 };
	v[1] = (struct store_value){ 'i', c->subject, NULL, 0 };
	v[2] = (struct store_value){ 'i', c->period, NULL, 0 };
	if (statement != QUERY_RESET)
		v[3] = (struct store_value){ 'i', sum < 0 ? -sum : sum, NULL, 0 };
	v[n_values - 1] = (struct store_value){ 'i', t->now, NULL, 0 };
	call->row = on_count;
	call->arg = run;
	return 0;
}

int charge_calls(struct store_tick *t, struct charge_list *list)
{
	struct charge **sorted = arena_get(&t->batch_arena, (list->n + 1) * sizeof *sorted);
	size_t n = 0;
	int r = 0;

	if (sorted == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		sorted[i] = &list->items[i];
	qsort(sorted, list->n, sizeof *sorted, order);
	for (size_t i = 0; r == 0 && i < list->n; i += n) {
		n = 1;
		while (i + n < list->n && same_run(sorted[i], sorted[i + n]))
			n++;
		r = add_run(t, sorted + i, n);
	}
	return r;
}

void charge_keep_positive(struct charge_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (list->items[i].amount > 0)
			list->items[n++] = list->items[i];
	}
	list->n = n;
}

/* The cached row shows the charge at once. */
static void show(struct store_tick *t, const struct charge *c)
{
	struct throttle *row = want_throttle_row(t, c->kind, c->subject, c->period);

	if (row == NULL)
		return;
	row->last_at = t->now;
	row->count = c->amount == STORE_RESET || row->count + c->amount < 0 ? 0
									    : row->count + c->amount;
}

int store_charge(struct store_tick *t, size_t request, enum throttle_kind kind, int64_t subject,
	int64_t period, int64_t amount)
{
	bool decide = t->phase == PHASE_DECIDE;
	struct charge_list *list = decide ? &t->charges : &t->refunds;
	struct charge *c = NULL;

	if (array_grow(&list->items, sizeof *list->items, list->n, &list->cap) != 0) {
		t->error = MAG_ENOMEM;
		return MAG_ENOMEM;
	}
	c = &list->items[list->n];
	*c = (struct charge){ kind, subject, period, amount, request, list->n, 0 };
	/* Over every cap until the database has said otherwise. */
	c->value = amount >= 0 ? INT64_MAX : 0;
	list->n++;
	show(t, c);
	return decide ? (int)c->order : 0;
}

int64_t store_charged(const struct store_tick *t, int charge)
{
	if (charge < 0 || (size_t)charge >= t->charges.n)
		return INT64_MAX;
	return t->charges.items[charge].value;
}
