/* What the work outside the ticks shares: parameters, and running a batch. */
#ifndef STORE_WORK_H
#define STORE_WORK_H

#include "otpcore/store/backend.h"

struct store_value work_integer(int64_t i);
struct store_value work_text(const char *s); /* borrowed */
struct store_value work_limit(size_t limit);
/* A column behind those of a row. MAG_ESTORE: it does not fit. */
int work_cell_text(const struct store_cells *c, int column, char *text_r, size_t cap);

/* Reads, or a transaction of its own: the first error of the batch or its calls. */
int work_run(struct store *s, struct store_batch *b);
/* One statement that reads; `row` is called per row. */
int work_read(struct store *s, int statement, const struct store_value *values, size_t n_values,
	int (*row)(const struct store_cells *, void *), void *arg);
/* One statement as a transaction; *changed_r may be NULL. */
int work_write(struct store *s, int statement, const struct store_value *values, size_t n_values,
	int64_t *changed_r);

#endif
