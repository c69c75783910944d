/* Counters: charged relative to what the database holds, in the order of their
 * keys, so that two ticks at two brokers neither lose a charge nor deadlock.
 *
 * Where others can write at the same time, the claim charges by relative UPDATEs
 * and the commit refunds by others. Where they can't (exclusive), the claim reads
 * the counters and the commit writes what has become of them: a right code, whose
 * charge is refunded, then writes no counter at all. Either way both are one
 * transaction, so what is durable is the same. */
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

static bool same_key(const struct charge *a, const struct charge *b)
{
	return a->subject == b->subject && a->kind == b->kind && a->period == b->period;
}

static int64_t applied(int64_t count, int64_t amount)
{
	return amount == STORE_RESET || count + amount < 0 ? 0 : count + amount;
}

/* ---- statements relative to what is there ---- */

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
	struct charge **sorted =
		arena_get(&t->batch_arena, (list->n + 1) * sizeof(struct charge *));
	size_t n = 0;
	int r = 0;

	if (sorted == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		sorted[i] = &list->items[i];
	qsort(sorted, list->n, sizeof(struct charge *), order);
	for (size_t i = 0; r == 0 && i < list->n; i += n) {
		n = 1;
		while (i + n < list->n && same_key(sorted[i], sorted[i + n]) &&
			sort_of(sorted[i]) == sort_of(sorted[i + n]))
			n++;
		r = add_run(t, sorted + i, n);
	}
	return r;
}

/* ---- exclusive: read in the claim, write in the commit ---- */

static int on_base(const struct store_cells *cells, void *arg)
{
	((struct charge *)arg)->base = cells->ops->cell_int(cells->statement, 3);
	return 0;
}

/* Decide's charges and settle's, those of one key together and in order. */
static struct charge **sort_all(struct store_tick *t, size_t *n_r)
{
	size_t n = t->charges.n + t->refunds.n;
	struct charge **sorted = arena_get(&t->batch_arena, (n + 1) * sizeof(struct charge *));

	for (size_t i = 0; sorted != NULL && i < n; i++)
		sorted[i] = i < t->charges.n ? &t->charges.items[i]
					     : &t->refunds.items[i - t->charges.n];
	if (sorted != NULL)
		qsort(sorted, n, sizeof(struct charge *), order);
	*n_r = n;
	return sorted;
}

static int add_read(struct store_tick *t, struct charge *c)
{
	struct store_value *v = NULL;
	struct store_call *call = tick_call(t, QUERY_THROTTLE, "store.charge", 3, &v);

	if (call == NULL)
		return MAG_ENOMEM;
	v[0] = (struct store_value){ 'i', c->kind, NULL, 0 };
	v[1] = (struct store_value){ 'i', c->subject, NULL, 0 };
	v[2] = (struct store_value){ 'i', c->period, NULL, 0 };
	c->base = 0; /* unless there is a row */
	call->row = on_base;
	call->arg = c;
	return 0;
}

int charge_claim_calls(struct store_tick *t)
{
	size_t n = 0;
	struct charge **sorted = NULL;
	int r = 0;

	if (!t->store->ops->exclusive)
		return charge_calls(t, &t->charges);
	sorted = sort_all(t, &n);
	if (sorted == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i == 0 || !same_key(sorted[i - 1], sorted[i]))
			r = add_read(t, sorted[i]);
	}
	return r;
}

int charge_claimed(struct store_tick *t)
{
	size_t n = 0;
	struct charge **sorted = t->store->ops->exclusive ? sort_all(t, &n) : NULL;
	int64_t count = 0;

	if (t->store->ops->exclusive && sorted == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct charge *c = sorted[i];
		struct throttle *row = want_throttle_row(t, c->kind, c->subject, c->period);

		if (i == 0 || !same_key(sorted[i - 1], c)) {
			count = c->base;
			c->known = true;
		}
		c->value = count = applied(count, c->amount);
		if (row != NULL)
			row->count = count;
	}
	return t->error;
}

/* What all charges of a key come to, as one statement, or as none. */
static int add_net(struct store_tick *t, struct charge **first, size_t n)
{
	int64_t count = first[0]->base;
	struct charge **one = arena_get(&t->batch_arena, sizeof(struct charge *));
	struct charge *net = arena_get(&t->batch_arena, sizeof *net);

	if (one == NULL || net == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; i < n; i++)
		count = applied(count, first[i]->amount);
	if (count == first[0]->base)
		return 0;
	*net = *first[0];
	net->amount = count - first[0]->base;
	*one = net;
	return add_run(t, one, 1);
}

int charge_commit_calls(struct store_tick *t)
{
	size_t n = 0, k = 0;
	struct charge **sorted = NULL;
	int r = 0;

	if (!t->store->ops->exclusive)
		return charge_calls(t, &t->refunds);
	sorted = sort_all(t, &n);
	if (sorted == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i += k) {
		bool known = sorted[i]->known;

		k = 1;
		while (i + k < n && same_key(sorted[i], sorted[i + k]) &&
			(known || sort_of(sorted[i]) == sort_of(sorted[i + k])))
			k++;
		r = known ? add_net(t, sorted + i, k) : add_run(t, sorted + i, k);
	}
	return r;
}

int charge_decoy_call(struct store_tick *t)
{
	struct charge **one = arena_get(&t->batch_arena, sizeof(struct charge *));
	struct charge *c = arena_get(&t->batch_arena, sizeof *c);

	if (one == NULL || c == NULL)
		return MAG_ENOMEM;
	*c = (struct charge){ .kind = THROTTLE_DECOY, .amount = 1 };
	*one = c;
	return add_run(t, one, 1);
}

/* ---- charging ---- */

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
	row->count = applied(row->count, c->amount);
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
	*c = (struct charge){ .kind = kind,
		.subject = subject,
		.period = period,
		.amount = amount,
		.request = request,
		.order = list->n };
	if (!decide) /* behind decide's own of the same key */
		c->order += t->charges.n;
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
