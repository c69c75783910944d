/* What the calendar asks for: who may have something due, how many credentials
 * there are, which mails wait, when it last ran. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

#define NAME_MAX_LEN sizeof(((struct account *)0)->name)

struct list {
	store_name_fn *name;
	store_mail_fn *mail;
	void *arg;
};

static int on_name(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	char name[NAME_MAX_LEN] = "";
	int r = work_cell_text(c, 0, name, sizeof name);

	return r == 0 ? list->name(name, list->arg) : r;
}

int store_due_accounts(struct store *s, const char *after_name, const struct store_horizon *h,
	size_t limit, store_name_fn *fn, void *arg)
{
	struct list list = { fn, NULL, arg };
	struct store_value values[] = { work_text(after_name != NULL ? after_name : ""),
		work_integer(h->expires_before), work_integer(h->expired_before),
		work_integer(h->suspended_before), work_limit(limit) };

	return work_read(s, QUERY_DUE_ACCOUNTS, values, 5, on_name, &list);
}

int store_passwords_due(struct store *s, const char *host, const char *after_name, size_t limit,
	store_name_fn *fn, void *arg)
{
	struct list list = { fn, NULL, arg };
	struct store_value values[] = { work_text(host), work_text(after_name), work_limit(limit) };

	return work_read(s, QUERY_PASSWORDS_DUE, values, 3, on_name, &list);
}

static int on_mail(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct mail row = { 0 };
	char name[NAME_MAX_LEN] = "";
	int r = row_load(TABLE_MAIL, c, &row);

	if (r == 0)
		r = work_cell_text(c, (int)row_n_columns(TABLE_MAIL), name, sizeof name);
	return r == 0 ? list->mail(&row, name, list->arg) : r;
}

int store_mails_waiting(struct store *s, int64_t now, size_t limit, store_mail_fn *fn, void *arg)
{
	struct list list = { NULL, fn, arg };
	struct store_value values[] = { work_integer(now), work_limit(limit) };

	return work_read(s, QUERY_MAILS_WAITING, values, 2, on_mail, &list);
}

/* ---- numbers ---- */

struct number {
	bool found;
	int64_t value;
};

static int on_number(const struct store_cells *c, void *arg)
{
	struct number *n = arg;

	n->found = true;
	n->value = c->ops->cell_int(c->statement, 0);
	return 0;
}

int store_count_credentials(struct store *s, int64_t *n_r)
{
	struct number n = { false, 0 };
	int r = work_read(s, QUERY_COUNT_CREDENTIALS, NULL, 0, on_number, &n);

	if (r == 0)
		*n_r = n.value;
	return r;
}

int store_mail_known(struct store *s, const char *once, bool *known_r)
{
	struct store_value value = work_text(once);
	struct number n = { false, 0 };
	int r = work_read(s, QUERY_MAIL_KNOWN, &value, 1, on_number, &n);

	if (r == 0)
		*known_r = n.found;
	return r;
}

int store_meta_get(struct store *s, const char *name, int64_t *value_r)
{
	struct store_value value = work_text(name);
	struct number n = { false, 0 };
	int r = strcmp(name, "schema") != 0 ? 0 : MAG_EINVAL;

	if (r == 0)
		r = work_read(s, QUERY_META_GET, &value, 1, on_number, &n);
	if (r == 0 && !n.found)
		r = MAG_ENOTFOUND;
	if (r == 0)
		*value_r = n.value;
	return r;
}

int store_meta_set(struct store *s, const char *name, int64_t value)
{
	struct store_value values[] = { work_text(name), work_integer(value) };

	if (strcmp(name, "schema") == 0)
		return MAG_EINVAL;
	return work_write(s, QUERY_META_SET, values, 2, NULL);
}
