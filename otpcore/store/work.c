/* Outside the ticks: paged reads for administrators and work on the whole
 * store, each one transaction. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/backend.h"

#define DAY 86400

static struct store_value integer(int64_t i)
{
	return (struct store_value){ 'i', i, NULL, 0 };
}

static struct store_value text(const char *s)
{
	return (struct store_value){ 't', 0, s, strlen(s) };
}

/* ---- lists ---- */

struct list {
	store_account_fn *account;
	store_licence_fn *licence;
	void *arg;
};

static int on_account(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct store_account_row row = { 0 };
	int n = (int)row_n_columns(TABLE_ACCOUNT);
	int r = row_load(TABLE_ACCOUNT, c, &row.account);

	if (r != 0)
		return r;
	row.phones = c->ops->cell_int(c->statement, n);
	row.level = c->ops->cell_int(c->statement, n + 1);
	row.last_login_at = c->ops->cell_int(c->statement, n + 2);
	row.expires_at = c->ops->cell_int(c->statement, n + 3);
	return list->account(&row, list->arg);
}

static int on_licence(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct licence row = { 0 };
	char account[sizeof(((struct account *)0)->name)] = "";
	size_t len = 0;
	const void *name = NULL;
	int r = row_load(TABLE_LICENCE, c, &row);

	if (r != 0)
		return r;
	name = c->ops->cell_bytes(c->statement, (int)row_n_columns(TABLE_LICENCE), &len);
	if (len >= sizeof account)
		return MAG_ESTORE;
	if (len > 0)
		memcpy(account, name, len);
	return list->licence(&row, account, list->arg);
}

static int run(struct store *s, struct store_batch *b)
{
	int r = s->ops->run(s->backend, b);

	for (size_t i = 0; r == 0 && i < b->n; i++)
		r = b->calls[i].r;
	return r;
}

static size_t bounded(size_t limit)
{
	return limit < 1000000 ? limit : 1000000;
}

int store_list_accounts(struct store *s, const char *after, int64_t state, int64_t expiring_before,
	size_t limit, store_account_fn *fn, void *arg)
{
	struct list list = { fn, NULL, arg };
	struct store_value values[] = { text(after != NULL ? after : ""), integer(state),
		integer(expiring_before), integer((int64_t)bounded(limit)) };
	struct store_call call = { .statement = QUERY_LIST_ACCOUNTS,
		.point = "store.read",
		.values = values,
		.n_values = 4,
		.row = on_account,
		.arg = &list };
	struct store_batch batch = { .calls = &call, .n = 1 };

	return run(s, &batch);
}

int store_list_licences(struct store *s, int64_t after_id, const char *order, int64_t state,
	size_t limit, store_licence_fn *fn, void *arg)
{
	struct list list = { NULL, fn, arg };
	struct store_value values[] = { integer(after_id), text(order != NULL ? order : ""),
		integer(state), integer((int64_t)bounded(limit)) };
	struct store_call call = { .statement = QUERY_LIST_LICENCES,
		.point = "store.read",
		.values = values,
		.n_values = 4,
		.row = on_licence,
		.arg = &list };
	struct store_batch batch = { .calls = &call, .n = 1 };

	return run(s, &batch);
}

/* ---- whole-store work ---- */

int store_release_licences(struct store *s, const char *order, int64_t now, int64_t *n_r)
{
	struct store_value values[] = { text(order), integer(now) };
	struct store_call call = { .statement = QUERY_RELEASE_LICENCES,
		.point = "store.claim",
		.values = values,
		.n_values = 2 };
	struct store_batch batch = { .calls = &call, .n = 1, .begin = true, .commit = true };
	int r = run(s, &batch);

	if (r == 0)
		*n_r = call.changed;
	return r;
}

int store_delete_account(struct store *s, const char *name)
{
	static const int statements[] = { QUERY_DELETE_COUNTERS, QUERY_DELETE_CHALLENGES,
		QUERY_DELETE_PHONES, QUERY_DELETE_SUBSCRIPTIONS, QUERY_DELETE_LOGINS,
		QUERY_DELETE_SESSIONS, QUERY_DELETE_ACCOUNT };
	enum { N = sizeof statements / sizeof statements[0] };
	struct store_value value = text(name);
	struct store_call calls[N] = { 0 };
	struct store_batch batch = { .calls = calls, .n = N, .begin = true, .commit = true };
	int r = MAG_ESTORE;

	for (size_t i = 0; i < N; i++)
		calls[i] = (struct store_call){ .statement = statements[i],
			.point = "store.claim",
			.values = &value,
			.n_values = 1 };
	calls[N - 1].must_change = true; /* the account itself */
	r = run(s, &batch);
	return r == MAG_ECONFLICT ? MAG_ENOTFOUND : r;
}

int store_purge(struct store *s, const char *boot, const char *host, int64_t now)
{
	struct store_value day = integer(now - DAY), month = integer(now - 31 * DAY);
	struct store_value place[] = { text(boot), text(host) };
	struct store_call calls[] = {
		{ .statement = QUERY_PURGE_CHALLENGES, .values = &day, .n_values = 1 },
		{ .statement = QUERY_PURGE_COUNTERS, .values = &month, .n_values = 1 },
		{ .statement = QUERY_PURGE_LOGINS, .values = &month, .n_values = 1 },
		{ .statement = QUERY_PURGE_SESSIONS, .values = place, .n_values = 2 },
	};
	struct store_batch batch = {
		.calls = calls, .n = sizeof calls / sizeof calls[0], .begin = true, .commit = true
	};

	for (size_t i = 0; i < batch.n; i++)
		calls[i].point = "store.claim";
	return run(s, &batch);
}
