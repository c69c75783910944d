/* Outside the ticks: paged reads for administrators and work on the whole
 * store, each one transaction. */
#include "otpcore/store/work.h"

#include <string.h>

#include "otpcore/base/err.h"

#define DAY 86400

/* ---- shared ---- */

struct store_value work_integer(int64_t i)
{
	return (struct store_value){ 'i', i, NULL, 0 };
}

struct store_value work_text(const char *s)
{
	return (struct store_value){ 't', 0, s, strlen(s) };
}

struct store_value work_limit(size_t limit)
{
	return work_integer(limit < 1000000 ? (int64_t)limit : 1000000);
}

int work_cell_text(const struct store_cells *c, int column, char *text_r, size_t cap)
{
	size_t len = 0;
	const void *text = c->ops->cell_bytes(c->statement, column, &len);

	if (len >= cap)
		return MAG_ESTORE;
	if (len > 0)
		memcpy(text_r, text, len);
	text_r[len] = '\0';
	return 0;
}

int work_run(struct store *s, struct store_batch *b)
{
	int r = s->ops->run(s->backend, b);

	for (size_t i = 0; r == 0 && i < b->n; i++)
		r = b->calls[i].r;
	return r;
}

int work_read(struct store *s, int statement, const struct store_value *values, size_t n_values,
	int (*row)(const struct store_cells *, void *), void *arg)
{
	struct store_call call = { .statement = statement,
		.point = "store.read",
		.values = values,
		.n_values = n_values,
		.row = row,
		.arg = arg };
	struct store_batch batch = { .calls = &call, .n = 1 };

	return work_run(s, &batch);
}

int work_write(struct store *s, int statement, const struct store_value *values, size_t n_values,
	int64_t *changed_r)
{
	struct store_call call = { .statement = statement,
		.point = "store.claim",
		.values = values,
		.n_values = n_values };
	struct store_batch batch = { .calls = &call, .n = 1, .begin = true, .commit = true };
	int r = work_run(s, &batch);

	if (r == 0 && changed_r != NULL)
		*changed_r = call.changed;
	return r;
}

/* ---- lists ---- */

struct list {
	store_account_fn *account;
	store_licence_fn *licence;
	store_session_fn *session;
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
	row.tokens = c->ops->cell_int(c->statement, n + 4);
	row.apps = c->ops->cell_int(c->statement, n + 5);
	return list->account(&row, list->arg);
}

static int on_licence(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct licence row = { 0 };
	char account[sizeof(((struct account *)0)->name)] = "";
	int r = row_load(TABLE_LICENCE, c, &row);

	if (r == 0)
		r = work_cell_text(c, (int)row_n_columns(TABLE_LICENCE), account, sizeof account);
	if (r != 0)
		return r;
	return list->licence(&row, account, list->arg);
}

static int on_session(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct store_session_row row = { 0 };
	int n = (int)row_n_columns(TABLE_SESSION);
	int r = row_load(TABLE_SESSION, c, &row.session);

	if (r == 0)
		r = work_cell_text(c, n, row.account, sizeof row.account);
	if (r == 0)
		r = work_cell_text(c, n + 1, row.organisation, sizeof row.organisation);
	if (r != 0)
		return r;
	row.begun_at = c->ops->cell_int(c->statement, n + 2);
	row.proven = c->ops->cell_int(c->statement, n + 3);
	return list->session(&row, list->arg);
}

int store_list_accounts(struct store *s, const char *after, int64_t state, int64_t expiring_before,
	size_t limit, store_account_fn *fn, void *arg)
{
	struct list list = { .account = fn, .arg = arg };
	struct store_value values[] = { work_text(after != NULL ? after : ""), work_integer(state),
		work_integer(expiring_before), work_limit(limit) };

	return work_read(s, QUERY_LIST_ACCOUNTS, values, 4, on_account, &list);
}

int store_list_licences(struct store *s, int64_t after_id, const char *order, int64_t state,
	size_t limit, store_licence_fn *fn, void *arg)
{
	struct list list = { .licence = fn, .arg = arg };
	struct store_value values[] = { work_integer(after_id),
		work_text(order != NULL ? order : ""), work_integer(state), work_limit(limit) };

	return work_read(s, QUERY_LIST_LICENCES, values, 4, on_licence, &list);
}

int store_list_sessions(struct store *s, int64_t after_id, const char *account, int64_t now,
	size_t limit, store_session_fn *fn, void *arg)
{
	struct list list = { .session = fn, .arg = arg };
	struct store_value values[] = { work_integer(after_id),
		work_text(account != NULL ? account : ""), work_integer(now), work_limit(limit) };

	return work_read(s, QUERY_LIST_SESSIONS, values, 4, on_session, &list);
}

struct waiting_list {
	store_waiting_fn *fn;
	void *arg;
};

static int on_waiting(const struct store_cells *c, void *arg)
{
	const struct waiting_list *list = arg;
	struct store_waiting row = { 0 };
	int r = work_cell_text(c, 0, row.account, sizeof row.account);

	if (r != 0)
		return r;
	row.product = c->ops->cell_int(c->statement, 1);
	row.proofing = c->ops->cell_int(c->statement, 2);
	row.state = c->ops->cell_int(c->statement, 3);
	row.method = c->ops->cell_int(c->statement, 4);
	row.appointment_at = c->ops->cell_int(c->statement, 5);
	row.expires_at = c->ops->cell_int(c->statement, 6);
	return list->fn(&row, list->arg);
}

int store_list_waiting(struct store *s, const char *after, const char *organisation, int64_t now,
	size_t limit, store_waiting_fn *fn, void *arg)
{
	struct waiting_list list = { fn, arg };
	struct store_value values[] = { work_text(after), work_text(organisation),
		work_integer(now), work_limit(limit) };

	return work_read(s, QUERY_LIST_WAITING, values, 4, on_waiting, &list);
}

/* ---- whole-store work ---- */

int store_release_licences(struct store *s, const char *order, int64_t now, int64_t *n_r)
{
	struct store_value values[] = { work_text(order), work_integer(now) };

	return work_write(s, QUERY_RELEASE_LICENCES, values, 2, n_r);
}

static int on_id(const struct store_cells *c, void *arg)
{
	*(int64_t *)arg = c->ops->cell_int(c->statement, 0);
	return 0;
}

int store_delete_account(struct store *s, const char *name, int64_t now)
{
	static const struct {
		int statement;
		size_t n_values;
	} steps[] = { { QUERY_DELETE_COUNTERS, 1 }, { QUERY_DELETE_CHALLENGES, 1 },
		{ QUERY_DELETE_PHONES, 1 }, { QUERY_DELETE_APPS, 1 }, { QUERY_DELETE_TOKENS, 2 },
		{ QUERY_DELETE_RECOVERIES, 1 }, { QUERY_DELETE_MAILS, 1 },
		{ QUERY_DELETE_CERTIFICATES, 1 }, { QUERY_DELETE_PROOFINGS, 1 },
		{ QUERY_DELETE_CONNECTIONS, 1 }, { QUERY_DELETE_REQUESTS, 1 },
		{ QUERY_DELETE_SUBSCRIPTIONS, 1 }, { QUERY_DELETE_LOGINS, 1 },
		{ QUERY_DELETE_SESSIONS, 1 }, { QUERY_DELETE_ACCOUNT, 1 } };
	enum { N = sizeof steps / sizeof steps[0] };
	struct store_value values[] = { work_text(name), work_integer(now) };
	struct store_call calls[N] = { 0 };
	struct store_batch batch = { .calls = calls, .n = N, .begin = true, .commit = true };
	struct journal_fact gone = { .kind = JOURNAL_SPENT, .about = JOURNAL_ACCOUNT };
	int r = MAG_ESTORE;

	for (size_t i = 0; i < N; i++)
		calls[i] = (struct store_call){ .statement = steps[i].statement,
			.point = "store.claim",
			.values = values,
			.n_values = steps[i].n_values };
	calls[N - 1].must_change = true; /* the account itself */
	if (s->on_spent)
		r = work_read(s, QUERY_ID_OF_ACCOUNT, values, 1, on_id, &gone.id);
	if (s->on_spent && r != 0)
		return r;
	r = work_run(s, &batch);
	if (r == 0 && s->on_spent && gone.id != 0)
		s->on_spent(&gone, s->on_spent_arg);
	return r == MAG_ECONFLICT ? MAG_ENOTFOUND : r;
}

int store_purge(struct store *s, const char *boot, const char *host, int64_t now)
{
	struct store_value day = work_integer(now - DAY), month = work_integer(now - 31 * DAY);
	struct store_value years = work_integer(now - 2 * 366 * DAY);
	struct store_value place[] = { work_text(boot), work_text(host) };
	struct store_call calls[] = {
		{ .statement = QUERY_PURGE_CHALLENGES, .values = &day, .n_values = 1 },
		{ .statement = QUERY_PURGE_COUNTERS, .values = &month, .n_values = 1 },
		{ .statement = QUERY_PURGE_LOGINS, .values = &month, .n_values = 1 },
		{ .statement = QUERY_PURGE_SESSIONS, .values = place, .n_values = 2 },
		{ .statement = QUERY_PURGE_REMOTE_SESSIONS, .values = &years, .n_values = 1 },
		{ .statement = QUERY_PURGE_STAGED, .values = &day, .n_values = 1 },
		{ .statement = QUERY_PURGE_RECOVERIES, .values = &month, .n_values = 1 },
		{ .statement = QUERY_PURGE_OBSERVED, .values = &month, .n_values = 1 },
		{ .statement = QUERY_PURGE_MAILS, .values = &years, .n_values = 1 },
	};
	struct store_batch batch = {
		.calls = calls, .n = sizeof calls / sizeof calls[0], .begin = true, .commit = true
	};

	for (size_t i = 0; i < batch.n; i++)
		calls[i].point = "store.claim";
	return work_run(s, &batch);
}

int store_purge_host(struct store *s, const char *boot, const char *host)
{
	struct store_value place[] = { work_text(boot), work_text(host) };

	return work_write(s, QUERY_PURGE_SESSIONS, place, 2, NULL);
}
