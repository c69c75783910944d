/* Have an application's terms been accepted for an organisation? Rule O2. */
#ifndef ENGINE_TERMS_H
#define ENGINE_TERMS_H

#include "otpcore/engine/model.h"

enum terms_state {
	TERMS_PENDING = 1, /* never, another edition, or too long ago */
	TERMS_DUE,         /* they hold, but want to be accepted again within the grace */
	TERMS_ACCEPTED
};

/* `row` as the store has it (id 0: nothing was accepted); `edition`: the one in force.
 * Accepted terms hold for five years, and 30 days of grace. */
enum terms_state terms_judge(const struct terms *row, int64_t edition, int64_t now);
/* When they stop to hold; 0: they do not now. */
int64_t terms_until(const struct terms *row, int64_t edition, int64_t now);
const char *terms_state_id(enum terms_state s); /* "pending", "due", "accepted" */

#endif
