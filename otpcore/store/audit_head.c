/* What the store remembers of each broker's audit log. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

int store_set_audit_head(struct store *s, const char *host, const struct store_audit_head *h)
{
	struct store_value values[] = { work_text(host), work_integer(h->n),
		{ 'b', 0, h->hash, sizeof h->hash }, work_integer(h->at) };

	return work_write(s, QUERY_SET_AUDIT_HEAD, values, 4, NULL);
}

static int on_head(const struct store_cells *c, void *arg)
{
	struct store_audit_head *h = arg;
	size_t len = 0;
	const void *hash = c->ops->cell_bytes(c->statement, 1, &len);

	if (len != sizeof h->hash)
		return MAG_ESTORE;
	memcpy(h->hash, hash, len);
	h->n = c->ops->cell_int(c->statement, 0);
	h->at = c->ops->cell_int(c->statement, 2);
	return 0;
}

int store_audit_head(struct store *s, const char *host, struct store_audit_head *h_r)
{
	struct store_value value = work_text(host);
	struct store_audit_head h = { 0 };
	int r = work_read(s, QUERY_AUDIT_HEAD, &value, 1, on_head, &h);

	if (r == 0)
		*h_r = h;
	return r;
}
