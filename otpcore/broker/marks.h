/* The highest number seen of each id. */
#ifndef BROKER_MARKS_H
#define BROKER_MARKS_H

#include <stddef.h>
#include <stdint.h>

struct marks {
	struct mark *items;
	size_t n, cap; /* cap: a power of two; 0: nothing yet */
};

/* 0 if there is none. */
int64_t marks_get(const struct marks *m, int64_t id);
/* Ids and numbers are above 0. 0 or MAG_ENOMEM. */
int marks_raise(struct marks *m, int64_t id, int64_t value);
void marks_free(struct marks *m);

#endif
