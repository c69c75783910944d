/* Work on a store that was put in place of a newer one: each function is one transaction. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/store/work.h"

struct step {
	int statement;
	const struct store_value *values;
	size_t n_values;
	int64_t *changed_r;
};

#define STEPS_MAX 8

static int take_steps(struct store *s, const struct step *steps, size_t n)
{
	struct store_call calls[STEPS_MAX] = { 0 };
	struct store_batch batch = { .calls = calls, .n = n, .begin = true, .commit = true };
	int r;

	for (size_t i = 0; i < n; i++)
		calls[i] = (struct store_call){ .statement = steps[i].statement,
			.point = "store.claim",
			.values = steps[i].values,
			.n_values = steps[i].n_values };
	r = work_run(s, &batch);
	for (size_t i = 0; !r && i < n; i++)
		if (steps[i].changed_r)
			*steps[i].changed_r = calls[i].changed;
	return r;
}

int store_end_all(struct store *s, int64_t now, int64_t window, struct store_ended *n_r)
{
	struct store_ended n = { 0 };
	const struct store_value nothing = { 'b', 0, NULL, 0 };
	const struct store_value clock[] = { work_integer(now), work_integer(window) };
	const struct step steps[] = {
		{ QUERY_END_CHALLENGES, NULL, 0, &n.challenges },
		{ QUERY_END_SESSIONS, NULL, 0, &n.sessions },
		{ QUERY_END_LOGINS, NULL, 0, &n.logins },
		{ QUERY_END_ENROLMENTS, &nothing, 1, NULL },
		{ QUERY_END_INVITATIONS, NULL, 0, NULL },
		{ QUERY_END_LEASES, NULL, 0, NULL },
		{ QUERY_PASS_STEPS, clock, 2, &n.steps },
	};
	int r = take_steps(s, steps, sizeof steps / sizeof *steps);

	if (!r)
		*n_r = n;
	return r;
}

int store_void_all(struct store *s, int64_t now, struct store_voided *n_r)
{
	struct store_voided n = { 0 };
	const struct store_value at = work_integer(now);
	const struct step steps[] = {
		{ QUERY_DOUBT_COUNTERS, &at, 1, &n.tokens },
		{ QUERY_DOUBT_WAITING, &at, 1, &n.waiting },
		{ QUERY_VOID_RECOVERIES, &at, 1, &n.recoveries },
		{ QUERY_VOID_LICENCES, NULL, 0, &n.licences },
		{ QUERY_VOID_PROOFINGS, NULL, 0, &n.proofings },
	};
	int r = take_steps(s, steps, sizeof steps / sizeof *steps);

	if (!r)
		*n_r = n;
	return r;
}

/* ---- numbers under a name ---- */

struct metas {
	const char *prefix;
	store_meta_fn *fn;
	void *arg;
};

static int on_meta(const struct store_cells *c, void *arg)
{
	const struct metas *m = arg;
	char name[128] = "";
	int r = work_cell_text(c, 0, name, sizeof name);

	if (r || !mag_has_prefix(name, m->prefix))
		return r;
	return m->fn(name, c->ops->cell_int(c->statement, 1), m->arg);
}

int store_meta_each(struct store *s, const char *prefix, store_meta_fn *fn, void *arg)
{
	struct metas m = { prefix, fn, arg };

	return work_read(s, QUERY_PAGE_META, NULL, 0, on_meta, &m);
}

/* ---- is this the key of it? ---- */

struct sample {
	int64_t id;
	struct blob sealed;
};

static int on_sample(const struct store_cells *c, void *arg)
{
	struct sample *p = arg;
	size_t len = 0;
	const void *data = c->ops->cell_bytes(c->statement, 1, &len);

	if (len > sizeof p->sealed.data)
		return MAG_ESTORE;
	p->id = c->ops->cell_int(c->statement, 0);
	p->sealed.len = len;
	memcpy(p->sealed.data, data, len);
	return 0;
}

int store_sealed_sample(struct store *s, const char **where_r, int64_t *id_r, struct blob *sealed_r)
{
	static const struct {
		int statement;
		const char *where;
	} places[] = { { QUERY_SAMPLE_TOKEN, "token.secret" },
		{ QUERY_SAMPLE_PHONE, "phone.number" }, { QUERY_SAMPLE_EMAIL, "account.email" },
		{ QUERY_SAMPLE_AUTHORITY, "authority.secret" } };
	struct sample sample = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < sizeof places / sizeof *places; i++) {
		r = work_read(s, places[i].statement, NULL, 0, on_sample, &sample);
		if (r || sample.id == 0)
			continue;
		*where_r = places[i].where;
		*id_r = sample.id;
		*sealed_r = sample.sealed;
		return 0;
	}
	return r ? r : MAG_ENOTFOUND;
}
