/* Blocks of numbers whose codes nobody types: somebody earns with the messages, no
 * person logs in. After so many in a row that were sent and not used, nothing more is
 * sent there for a day. */
#ifndef SMSD_UNUSED_H
#define SMSD_UNUSED_H

#include <stdbool.h>
#include <stdint.h>

#define UNUSED_KEYS_MAX  200000
#define UNUSED_BLOCK_MAX 16 /* "+1202555" */

struct unused;

int unused_new(struct unused **unused_r);
void unused_free(struct unused **unused);

/* The life of a code that was sent to this block is over. `limit` in a row stop it;
 * 0: nothing is watched. `ticks` in ms, never falling. */
void unused_note(struct unused *u, const char *block, bool used, int64_t limit, int64_t ticks);

/* NULL, or why nothing may be sent there. What cannot be counted is refused. */
const char *unused_refuse(struct unused *u, const char *block, int64_t limit, int64_t ticks);

/* Let a block ("" all) be sent to again; how many were stopped. */
int unused_reset(struct unused *u, const char *block);

struct unused_sum {
	uint32_t most;    /* unused codes in a row, of the block with the most */
	uint32_t refused; /* since the start */
};
struct unused_sum unused_sum(const struct unused *u);

/* Each block that is stopped now; `left` in ms. */
void unused_each(struct unused *u, int64_t ticks,
	void (*fn)(const char *block, uint32_t unused, int64_t left, void *arg), void *arg);

#endif
