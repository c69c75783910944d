/* Memory that is freed all at once. */
#ifndef STORE_ARENA_H
#define STORE_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *block; /* newest first */
	struct arena_pool *pool;   /* blocks come from there and go back; or NULL */
};

/* Blocks that one arena after the other uses: fresh memory costs a page fault
 * every 4 KB. */
struct arena_pool {
	struct arena_block *block;
	size_t n;
};
void arena_pool_free(struct arena_pool *p);

/* Zeroed, aligned for any type; NULL: no memory. */
void *arena_get(struct arena *a, size_t size);
/* The same, not zeroed. */
void *arena_room(struct arena *a, size_t size);
void arena_free(struct arena *a);
/* Forget what is in it, keep the memory for the next use. */
void arena_reset(struct arena *a);

/* Make room for one more in a plain malloc'd array that doubles: `*items` of
 * `size` bytes each, `n` used, `*cap` there. 0 or MAG_ENOMEM. */
int array_grow(void *items, size_t size, size_t n, size_t *cap);

#endif
