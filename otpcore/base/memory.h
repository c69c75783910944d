/* Memory of a daemon that reaches no disk. */
#ifndef MAG_MEMORY_H
#define MAG_MEMORY_H

#include <stdbool.h>

/* From now on nothing of this process is swapped out, copies within libraries included.
 * Children inherit no lock: each needs its own.
 *
 * EVERYTHING: what it takes later, too. That takes RLIMIT_MEMLOCK without end, which is set
 * where root's rights allow: with any limit, later memory could be refused.
 * SIZED: what it has, and a heap that was made large enough (64 MiB) for what comes; root can
 * lock that much whatever the limit. Beyond it, and in stacks of threads, it is not locked.
 * PART: as much of it as may be. NOTHING: not even that; errno says why. */
enum memory_lock { MEMORY_NOTHING, MEMORY_PART, MEMORY_SIZED, MEMORY_EVERYTHING };
enum memory_lock mag_memory_lock(void);

/* For the main() of a daemon, in the process that will serve, before it gives root's rights
 * up and starts threads: mag_secret_lock() and mag_memory_lock(); the log says what could not
 * be. */
void mag_memory_keep(bool children);

#endif
