/* A copy of a whole store under way: copy.c has the tables whose rows have an id,
 * copy_keyed.c the others. */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "otpcore/store/work.h"

#define PAGE 256 /* rows */

struct copy {
	struct store *from, *to;
	store_progress_fn *fn;
	void *arg;
	int64_t done, total; /* rows; done begins anew where the comparison does */
};

void copy_progress(struct copy *c, const char *table, size_t rows);

/* Copy them, or only look whether they are the same: 0, MAG_ECONFLICT. */
int copy_counters(struct copy *c, bool compare);
int copy_observed(struct copy *c, bool compare);
int copy_heads(struct copy *c, bool compare);
int copy_meta(struct copy *c, bool compare);

#endif
