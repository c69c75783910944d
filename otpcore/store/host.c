/* Hosts that are relays, and who signs their certificates, outside the ticks. */
#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

struct list {
	store_host_fn *host;
	void *arg;
};

static int on_host(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct host row = { 0 };
	int r = row_load(TABLE_HOST, c, &row);

	return r == 0 ? list->host(&row, list->arg) : r;
}

int store_list_hosts(struct store *s, const char *after, size_t limit, store_host_fn *fn, void *arg)
{
	struct list list = { fn, arg };
	struct store_value values[] = { work_text(after), work_limit(limit) };

	return work_read(s, QUERY_LIST_HOSTS, values, 2, on_host, &list);
}

static int on_authority(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_AUTHORITY, c, arg);
}

int store_authority(struct store *s, struct authority *row_r)
{
	struct authority row = { 0 };
	int r = work_read(s, QUERY_AUTHORITY, NULL, 0, on_authority, &row);

	if (r < 0)
		return r;
	if (!row.row.id)
		return MAG_ENOTFOUND;
	*row_r = row;
	return 0;
}

int store_make_authority(struct store *s, const struct blob *secret, int64_t now)
{
	struct store_value values[] = { { .type = 'b', .p = secret->data, .len = secret->len },
		work_integer(now) };

	return work_write(s, QUERY_MAKE_AUTHORITY, values, 2, NULL);
}
