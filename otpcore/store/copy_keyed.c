/* A whole store into another one: what has a key of its own instead of an id. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/copy.h"

/* ---- counters ---- */

struct counters {
	size_t n;
	struct throttle rows[PAGE];
};

static int on_counter(const struct store_cells *c, void *arg)
{
	struct counters *p = arg;
	struct throttle *row = &p->rows[p->n++];
	int64_t *const fields[] = { &row->kind, &row->subject, &row->period, &row->count,
		&row->last_at };

	for (int i = 0; i < 5; i++)
		*fields[i] = c->ops->cell_int(c->statement, i);
	return 0;
}

static int read_counters(struct store *s, const struct throttle *after, struct counters *p)
{
	struct store_value values[] = { work_integer(after->subject), work_integer(after->kind),
		work_integer(after->period), work_limit(PAGE) };

	memset(p, 0, sizeof *p);
	return work_read(s, QUERY_PAGE_COUNTERS, values, 4, on_counter, p);
}

static int write_counters(struct store *to, const struct counters *p)
{
	struct store_value values[PAGE][5];
	struct store_call calls[PAGE];
	struct store_batch batch = { .calls = calls, .n = p->n, .begin = true, .commit = true };

	for (size_t i = 0; i < p->n; i++) {
		const struct throttle *row = &p->rows[i];
		const int64_t fields[] = { row->kind, row->subject, row->period, row->count,
			row->last_at };

		for (size_t k = 0; k < 5; k++)
			values[i][k] = work_integer(fields[k]);
		calls[i] = (struct store_call){ .statement = QUERY_COPY_COUNTER,
			.point = "store.claim",
			.values = values[i],
			.n_values = 5,
			.must_change = true };
	}
	return work_run(to, &batch);
}

int copy_counters(struct copy *c, bool compare)
{
	struct throttle last = { .subject = INT64_MIN };
	struct counters *here = malloc(sizeof *here), *there = malloc(sizeof *there);
	int r = here != NULL && there != NULL ? 0 : MAG_ENOMEM;

	do {
		if (r == 0)
			r = read_counters(c->from, &last, here);
		if (r == 0 && compare)
			r = read_counters(c->to, &last, there);
		if (r == 0 && compare && memcmp(here, there, sizeof *here) != 0)
			r = MAG_ECONFLICT;
		if (r == 0 && !compare && here->n > 0)
			r = write_counters(c->to, here);
		if (r == 0 && here->n > 0)
			last = here->rows[here->n - 1];
		if (r == 0)
			copy_progress(c, compare ? "comparing" : "throttle", here->n);
	} while (r == 0 && here->n == PAGE);
	free(here);
	free(there);
	return r;
}

/* ---- what watched services would have refused ---- */

struct seen {
	char service[65];
	struct store_observed row;
};

struct seen_page {
	size_t n;
	struct seen rows[PAGE];
};

static int load_seen(const struct store_cells *c, struct seen *s)
{
	struct store_observed *o = &s->row;
	int r = work_cell_text(c, 0, s->service, sizeof s->service);

	if (r == 0)
		r = work_cell_text(c, 1, o->account, sizeof o->account);
	if (r == 0)
		r = work_cell_text(c, 2, o->reason, sizeof o->reason);
	if (r == 0)
		r = work_cell_text(c, 3, o->from, sizeof o->from);
	o->times = c->ops->cell_int(c->statement, 4);
	o->first_at = c->ops->cell_int(c->statement, 5);
	o->last_at = c->ops->cell_int(c->statement, 6);
	return r;
}

static int on_seen(const struct store_cells *c, void *arg)
{
	struct seen_page *p = arg;

	return p->n == PAGE ? MAG_ESTORE : load_seen(c, &p->rows[p->n++]);
}

/* The order of texts is not the same in every database: a row is looked for by its key. */
static int on_same(const struct store_cells *c, void *arg)
{
	struct seen **wanted = arg, found = { 0 };
	int r = load_seen(c, &found);

	if (r == 0 && strcmp((*wanted)->row.from, found.row.from) == 0 &&
		(*wanted)->row.times == found.row.times &&
		(*wanted)->row.first_at == found.row.first_at &&
		(*wanted)->row.last_at == found.row.last_at)
		*wanted = NULL;
	return r;
}

static int seen_values(const struct seen *s, struct store_value values_r[7])
{
	const struct store_observed *o = &s->row;

	values_r[0] = work_text(s->service);
	values_r[1] = work_text(o->account);
	values_r[2] = work_text(o->reason);
	values_r[3] = work_text(o->from);
	values_r[4] = work_integer(o->times);
	values_r[5] = work_integer(o->first_at);
	values_r[6] = work_integer(o->last_at);
	return 7;
}

static int compare_seen(struct store *to, struct seen_page *p)
{
	struct store_value values[7];
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		struct seen *wanted = &p->rows[i];

		seen_values(wanted, values);
		r = work_read(to, QUERY_FIND_OBSERVED, values, 3, on_same, &wanted);
		if (r == 0 && wanted != NULL)
			r = MAG_ECONFLICT;
	}
	return r;
}

static int write_seen(struct store *to, const struct seen_page *p)
{
	struct store_value values[PAGE][7];
	struct store_call calls[PAGE];
	struct store_batch batch = { .calls = calls, .n = p->n, .begin = true, .commit = true };

	for (size_t i = 0; i < p->n; i++)
		calls[i] = (struct store_call){ .statement = QUERY_COPY_OBSERVED,
			.point = "store.claim",
			.values = values[i],
			.n_values = (size_t)seen_values(&p->rows[i], values[i]),
			.must_change = true };
	return work_run(to, &batch);
}

int copy_observed(struct copy *c, bool compare)
{
	struct seen_page *p = calloc(1, sizeof *p);
	struct seen last = { 0 };
	int r = p != NULL ? 0 : MAG_ENOMEM;

	do {
		struct store_value values[] = { work_text(last.service),
			work_text(last.row.account), work_text(last.row.reason), work_limit(PAGE) };

		if (r != 0)
			break;
		p->n = 0;
		r = work_read(c->from, QUERY_PAGE_OBSERVED, values, 4, on_seen, p);
		if (r == 0 && p->n > 0)
			r = compare ? compare_seen(c->to, p) : write_seen(c->to, p);
		if (r == 0 && p->n > 0)
			last = p->rows[p->n - 1];
		if (r == 0)
			copy_progress(c, compare ? "comparing" : "observed", p->n);
	} while (r == 0 && p->n == PAGE);
	free(p);
	return r;
}

/* ---- the ends of audit logs: one for each broker ---- */

struct heads {
	struct copy *copy;
	bool compare;
	size_t n;
};

static int on_head(const struct store_cells *c, void *arg)
{
	struct heads *h = arg;
	struct store_audit_head head = { 0 }, there = { 0 };
	char host[65];
	size_t len = 0;
	const void *hash = c->ops->cell_bytes(c->statement, 2, &len);
	int r = work_cell_text(c, 0, host, sizeof host);

	if (r != 0 || len != sizeof head.hash)
		return MAG_ESTORE;
	memcpy(head.hash, hash, len);
	head.n = c->ops->cell_int(c->statement, 1);
	head.at = c->ops->cell_int(c->statement, 3);
	h->n++;
	if (!h->compare)
		return store_set_audit_head(h->copy->to, host, &head);
	r = store_audit_head(h->copy->to, host, &there);
	return r == 0 && memcmp(&head, &there, sizeof head) != 0 ? MAG_ECONFLICT : r;
}

int copy_heads(struct copy *c, bool compare)
{
	struct heads h = { c, compare, 0 };
	int r = work_read(c->from, QUERY_PAGE_HEADS, NULL, 0, on_head, &h);

	if (r == 0)
		copy_progress(c, compare ? "comparing" : "audit_head", h.n);
	return r;
}

/* ---- numbers under a name ---- */

struct metas {
	struct copy *copy;
	bool compare;
};

static int on_meta(const struct store_cells *c, void *arg)
{
	const struct metas *m = arg;
	char name[128] = "";
	int64_t value = c->ops->cell_int(c->statement, 1), there = 0;
	int r = work_cell_text(c, 0, name, sizeof name);

	if (r == 0 && !m->compare)
		return store_meta_set(m->copy->to, name, value);
	if (r == 0)
		r = store_meta_get(m->copy->to, name, &there);
	return r == 0 && there != value ? MAG_ECONFLICT : r;
}

int copy_meta(struct copy *c, bool compare)
{
	struct metas m = { c, compare };

	return work_read(c->from, QUERY_PAGE_META, NULL, 0, on_meta, &m);
}
