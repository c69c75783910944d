/* Leases: what one of all brokers does at a time. A row says who has it until when; who
 * is dead doesn't renew, and the next one to ask takes it over. */
#include "otpcore/base/err.h"
#include "otpcore/store/work.h"

static int on_other(const struct store_cells *cells, void *arg)
{
	(void)cells;
	*(bool *)arg = true;
	return 0;
}

int store_lease(struct store *s, const struct store_lease *lease, int64_t now)
{
	/* A holder whose clock was wrong must not keep it for years. */
	struct store_value values[] = { work_text(lease->name), work_text(lease->holder),
		work_integer(now), work_integer(now + STORE_LEASE_MAX),
		work_integer(now + lease->seconds) };
	bool taken = false;
	int64_t changed = 0;
	/* Who only looks in vain writes nothing. */
	int r = work_read(s, QUERY_LEASE_OF_OTHER, values, 4, on_other, &taken);

	if (r == 0 && !taken)
		r = work_write(s, QUERY_LEASE_TAKE, values, 5, &changed);
	if (r == 0 && changed == 0)
		r = MAG_EBUSY;
	return r;
}
