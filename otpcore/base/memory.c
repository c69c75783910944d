#include "otpcore/base/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "otpcore/base/log.h"
#include "otpcore/base/secret.h"

#define MIB         ((size_t)1 << 20)
#define SECRETS     MIB
#define HEAP        (64 * MIB)
#define STACK       (MIB / 2) /* deeper than a request gets */
#define STACK_BELOW (MIB / 16)

#ifdef MAG_INSTRUMENTED /* whose shadow is larger than any memory */

enum memory_lock mag_memory_lock(void)
{
	return MEMORY_EVERYTHING;
}

#else

/* ---- what may be locked ---- */

/* Whether so much more may be locked: nothing is touched, so nothing is used up. */
static bool may_lock(size_t size)
{
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool may = p != MAP_FAILED && mlock2(p, size, MLOCK_ONFAULT) == 0;
	int saved = errno;

	if (p != MAP_FAILED)
		munmap(p, size);
	errno = saved;
	return may;
}

static size_t room(void)
{
	size_t size = HEAP + 4 * MIB; /* what is in use already goes along */

	while (size >= MIB / 8 && !may_lock(size))
		size -= size / 8;
	return size >= MIB / 8 ? size : 0;
}

/* ---- what is mapped ---- */

static void __attribute__((noinline)) grow_stack(void)
{
	volatile char depth[STACK];

	depth[0] = depth[STACK - 1] = 0;
}

struct map {
	unsigned long low, high;
	bool heap, stack;
};

/* Those that can be written to. */
static bool next_map(FILE *f, struct map *m_r)
{
	char line[1024], *end;

	while (fgets(line, sizeof line, f)) {
		m_r->low = strtoul(line, &end, 16);
		m_r->high = *end ? strtoul(end + 1, &end, 16) : 0;
		if (strncmp(end, " rw", 3) != 0)
			continue;
		m_r->heap = strstr(line, "[heap]") != NULL;
		m_r->stack = strstr(line, "[stack]") != NULL;
		return true;
	}
	return false;
}

/* Of the heap only, or of all but the heap. Whether that was everything. */
static bool lock_maps(bool heap, size_t most)
{
	FILE *f = fopen("/proc/self/maps", "re");
	bool all = f != NULL;
	struct map m;

	while (f && next_map(f, &m)) {
		if (m.heap != heap)
			continue;
		/* A locked end could not grow beyond the limit: the process would die of it. */
		if (m.stack && m.high - m.low > STACK_BELOW)
			m.low += STACK_BELOW;
		if (heap && m.high - m.low > most) {
			m.high = m.low + most;
			all = false;
		}
		if (mlock2((void *)m.low, m.high - m.low, MLOCK_ONFAULT) != 0)
			all = false;
	}
	if (f)
		fclose(f);
	return all;
}

/* ---- a heap of a fixed size ---- */

static size_t heap_size(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	struct map m;
	size_t size = 0;

	while (f && next_map(f, &m))
		size += m.heap ? m.high - m.low : 0;
	if (f)
		fclose(f);
	return size;
}

/* From now on all that malloc(3) gives lies in one piece that never shrinks. */
static void reserve_heap(size_t size)
{
	void *volatile p; /* or the compiler would leave it out */

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
	p = malloc(size);
	free(p);
}

static enum memory_lock lock_what_is_there(void)
{
	size_t most, has = heap_size();
	bool rest;

	grow_stack();
	rest = lock_maps(false, 0);
	most = room();
	if (!rest && most == 0)
		return MEMORY_NOTHING;
	if (most > has + MIB)
		reserve_heap(most - has - MIB / 2);
	return lock_maps(true, most) && rest && most >= HEAP ? MEMORY_SIZED : MEMORY_PART;
}

/* ---- all of it ---- */

enum memory_lock mag_memory_lock(void)
{
	const struct rlimit no_end = { RLIM_INFINITY, RLIM_INFINITY };

	/* An address space is large: libraries, arenas and stacks of threads, most of it never
	 * touched, would count whole against a limit. ONFAULT: nor does it take memory. */
	if (setrlimit(RLIMIT_MEMLOCK, &no_end) == 0 &&
		mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		return MEMORY_EVERYTHING;
	return lock_what_is_there();
}

#endif

void mag_memory_keep(bool children)
{
	enum secret_memory secrets = mag_secret_lock(SECRETS, children);
	enum memory_lock rest = mag_memory_lock();
	struct rlimit limit = { 0, 0 };

	if (rest >= MEMORY_SIZED)
		return;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	mag_log(MAG_LOG_WARNING,
		"%s can be swapped out: at most %llu KiB may be locked (RLIMIT_MEMLOCK); take the "
		"limit away (LimitMEMLOCK=infinity, ulimit -l unlimited), or encrypt the swap",
		secrets == SECRET_ORDINARY ? "codes, keys and passwords"
		: rest == MEMORY_PART      ? "some copies of codes and passwords"
					   : "copies of codes and passwords",
		(unsigned long long)limit.rlim_max / 1024);
}
