/* What services that only watch would have refused; and what stands in the store as a
 * whole, in numbers. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

int store_observe(struct store *s, const char *service, const struct store_observed *o, int64_t now)
{
	struct store_value values[] = { work_text(service), work_text(o->account),
		work_text(o->reason), work_text(o->from), work_integer(now) };

	return work_write(s, QUERY_OBSERVE, values, 5, NULL);
}

struct list {
	store_observed_fn *fn;
	void *arg;
};

static int on_observed(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct store_observed o = { 0 };
	int r = work_cell_text(c, 0, o.account, sizeof o.account);

	if (r == 0)
		r = work_cell_text(c, 1, o.reason, sizeof o.reason);
	if (r == 0)
		r = work_cell_text(c, 2, o.from, sizeof o.from);
	if (r == 0)
		r = work_cell_text(c, 6, o.organisation, sizeof o.organisation);
	if (r != 0)
		return r;
	o.times = c->ops->cell_int(c->statement, 3);
	o.first_at = c->ops->cell_int(c->statement, 4);
	o.last_at = c->ops->cell_int(c->statement, 5);
	return list->fn(&o, list->arg);
}

int store_list_observed(struct store *s, const char *service, const struct store_observed *after,
	size_t limit, store_observed_fn *fn, void *arg)
{
	struct list list = { fn, arg };
	struct store_value values[] = { work_text(service), work_text(after->account),
		work_text(after->reason), work_limit(limit) };

	return work_read(s, QUERY_LIST_OBSERVED, values, 4, on_observed, &list);
}

static int on_overview(const struct store_cells *c, void *arg)
{
	struct store_overview *o = arg;

	o->accounts = c->ops->cell_int(c->statement, 0);
	o->bare = c->ops->cell_int(c->statement, 1);
	o->break_glass = c->ops->cell_int(c->statement, 2);
	return 0;
}

int store_overview(struct store *s, int64_t now, struct store_overview *o_r)
{
	struct store_value value = work_integer(now);
	struct store_overview o = { 0 };
	int r = work_read(s, QUERY_OVERVIEW, &value, 1, on_overview, &o);

	if (r == 0)
		*o_r = o;
	return r;
}
