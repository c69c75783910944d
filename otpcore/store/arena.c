#include "otpcore/store/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"

#define BLOCK    131072 /* two aggregates */
#define POOL_MAX 64     /* 8 MB */

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	alignas(max_align_t) unsigned char data[];
};

static struct arena_block *take_block(struct arena *a, size_t cap)
{
	struct arena_pool *p = a->pool;
	struct arena_block *b = NULL;

	if (cap == BLOCK && p != NULL && p->block != NULL) {
		b = p->block;
		p->block = b->next;
		p->n--;
	} else {
		b = malloc(sizeof *b + cap);
	}
	if (b != NULL)
		*b = (struct arena_block){ .next = a->block, .cap = cap };
	return b;
}

static void give_block(struct arena *a, struct arena_block *b)
{
	struct arena_pool *p = a->pool;

	if (b->cap != BLOCK || p == NULL || p->n == POOL_MAX) {
		free(b);
		return;
	}
	b->next = p->block;
	p->block = b;
	p->n++;
}

void *arena_room(struct arena *a, size_t size)
{
	struct arena_block *b = a->block;
	void *p = NULL;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (b == NULL || b->cap - b->used < size) {
		b = take_block(a, size > BLOCK / 2 ? size : BLOCK);
		if (b == NULL)
			return NULL;
		a->block = b;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

void *arena_get(struct arena *a, size_t size)
{
	void *p = arena_room(a, size);

	return p != NULL ? memset(p, 0, size) : NULL;
}

void arena_free(struct arena *a)
{
	while (a->block != NULL) {
		struct arena_block *next = a->block->next;

		give_block(a, a->block);
		a->block = next;
	}
}

void arena_pool_free(struct arena_pool *p)
{
	struct arena owner = { p->block, NULL };

	arena_free(&owner);
	*p = (struct arena_pool){ NULL, 0 };
}

void arena_reset(struct arena *a)
{
	struct arena_block *kept = a->block;

	if (kept == NULL)
		return;
	a->block = kept->next;
	arena_free(a);
	kept->next = NULL;
	kept->used = 0;
	a->block = kept;
}

int array_grow(void *items, size_t size, size_t n, size_t *cap)
{
	void **array = items;
	void *grown = NULL;
	size_t wanted = *cap == 0 ? 16 : *cap * 2;

	if (n < *cap)
		return 0;
	if (wanted > SIZE_MAX / 2 / size)
		return MAG_ENOMEM;
	grown = realloc(*array, wanted * size);
	if (grown == NULL)
		return MAG_ENOMEM;
	*array = grown;
	*cap = wanted;
	return 0;
}
