/* What the journal keeps of a store (engine/journal.h): read off the rows that were
 * written, looked up again, and done once more in a store that is older. */
#ifndef STORE_SPENT_H
#define STORE_SPENT_H

#include "otpcore/engine/journal.h"
#include "otpcore/store/rows.h"
#include "otpcore/store/store.h"

#define SPENT_FACTS 2 /* that one row may tell at most */

/* What this row tells, written at `now`; returns how many. */
size_t spent_facts(enum row_table table, const struct row *row, enum row_fate fate, int64_t now,
	struct journal_fact facts_r[SPENT_FACTS]);

struct store_tick;
/* After a commit: all of its rows, to whoever store_on_spent() named. */
void spent_tell(const struct store_tick *t);

#endif
