/* Organisations and the terms that were accepted for them (O2), outside the ticks. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

#define ORGANISATION_LEN sizeof(((struct account *)0)->organisation)

struct list {
	store_organisation_fn *organisation;
	store_terms_fn *terms;
	void *arg;
};

static int on_organisation(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	char name[ORGANISATION_LEN] = "";
	int r = work_cell_text(c, 0, name, sizeof name);

	return r == 0 ? list->organisation(name, c->ops->cell_int(c->statement, 1), list->arg) : r;
}

int store_list_organisations(
	struct store *s, const char *after, size_t limit, store_organisation_fn *fn, void *arg)
{
	struct list list = { fn, NULL, arg };
	struct store_value values[] = { work_text(after), work_limit(limit) };

	return work_read(s, QUERY_LIST_ORGANISATIONS, values, 2, on_organisation, &list);
}

int store_find_organisation(struct store *s, const char *name, store_organisation_fn *fn, void *arg)
{
	struct list list = { fn, NULL, arg };
	struct store_value value = work_text(name);

	return work_read(s, QUERY_FIND_ORGANISATION, &value, 1, on_organisation, &list);
}

static int on_terms(const struct store_cells *c, void *arg)
{
	const struct list *list = arg;
	struct terms row = { 0 };
	int r = row_load(TABLE_TERMS, c, &row);

	return r == 0 ? list->terms(&row, list->arg) : r;
}

int store_list_terms(struct store *s, const char *organisation, store_terms_fn *fn, void *arg)
{
	struct list list = { NULL, fn, arg };
	struct store_value value = work_text(organisation);

	return work_read(s, QUERY_LIST_TERMS, &value, 1, on_terms, &list);
}

int store_accept_terms(struct store *s, const struct terms *row)
{
	struct store_value values[] = { work_integer(store_new_id()), work_text(row->organisation),
		work_text(row->application), work_integer(row->edition),
		work_integer(row->accepted_at), work_text(row->accepted_by) };

	return values[0].i != 0 ? work_write(s, QUERY_ACCEPT_TERMS, values, 6, NULL) : MAG_ECRYPTO;
}
