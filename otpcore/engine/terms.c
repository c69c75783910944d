#include "otpcore/engine/terms.h"

#include "otpcore/engine/licence.h"

#define YEARS 5
#define GRACE (30 * (int64_t)86400)

enum terms_state terms_judge(const struct terms *row, int64_t edition, int64_t now)
{
	int64_t end;

	if (row->row.id == 0 || row->edition != edition || row->accepted_at > now)
		return TERMS_PENDING;
	end = licence_expiry(row->accepted_at, YEARS);
	if (now <= end)
		return TERMS_ACCEPTED;
	return now <= end + GRACE ? TERMS_DUE : TERMS_PENDING;
}

int64_t terms_until(const struct terms *row, int64_t edition, int64_t now)
{
	return terms_judge(row, edition, now) == TERMS_PENDING
		       ? 0
		       : licence_expiry(row->accepted_at, YEARS) + GRACE;
}

const char *terms_state_id(enum terms_state s)
{
	static const char *const ids[] = {
		[TERMS_PENDING] = "pending", [TERMS_DUE] = "due", [TERMS_ACCEPTED] = "accepted"
	};

	return s >= TERMS_PENDING && s <= TERMS_ACCEPTED ? ids[s] : "pending";
}
