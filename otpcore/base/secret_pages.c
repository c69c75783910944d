/* A region that is locked and dumped nowhere, cut into pages; each page, once it is needed,
 * into blocks of one size. A block is taken and given back in a few instructions, so that
 * secrets cost what malloc(3) costs. */
#include "otpcore/base/secret_pages.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "otpcore/base/secret.h"

#define PAGE      4096
#define SMALLEST  64
#define CLASSES   7 /* 64 to 4096 */
#define PAGES_MAX 1024

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* Linux 5.14; one number on all architectures */
#endif

struct block {
	struct block *next;
};

/* One per process, made once by main. */
static struct {
	unsigned char *start;
	size_t pages, used; /* of the region; cut already */
	unsigned char class_of[PAGES_MAX];
	struct block *unused[CLASSES];
	atomic_flag busy;
} region = { .busy = ATOMIC_FLAG_INIT };

/* ---- blocks ---- */

static void lock(void)
{
	while (atomic_flag_test_and_set_explicit(&region.busy, memory_order_acquire))
		;
}

static void unlock(void)
{
	atomic_flag_clear_explicit(&region.busy, memory_order_release);
}

static void cut_page(unsigned class)
{
	unsigned char *page = region.start + region.used * PAGE;
	size_t size = (size_t)SMALLEST << class;

	if (region.used == region.pages)
		return;
	region.class_of[region.used++] = (unsigned char)class;
	for (size_t at = 0; at < PAGE; at += size) {
		struct block *b = (struct block *)(void *)(page + at);

		b->next = region.unused[class];
		region.unused[class] = b;
	}
}

void *secret_pages_take(size_t len)
{
	unsigned class = 0;
	struct block *b;

	if (region.start == NULL || len > PAGE)
		return NULL;
	while (((size_t)SMALLEST << class) < len)
		class ++;
	lock();
	if (region.unused[class] == NULL)
		cut_page(class);
	b = region.unused[class];
	if (b != NULL)
		region.unused[class] = b->next;
	unlock();
	return b;
}

bool secret_pages_give(void *p)
{
	uintptr_t at = (uintptr_t)p, start = (uintptr_t)region.start;
	struct block *b = p;
	unsigned class;

	if (region.start == NULL || at < start || at >= start + region.pages * PAGE)
		return false;
	class = region.class_of[(at - start) / PAGE];
	lock();
	b->next = region.unused[class];
	region.unused[class] = b;
	unlock();
	return true;
}

/* ---- the region ---- */

/* Pages that the kernel itself takes out of its own map. They are shared with children,
 * which have no business with them. */
static void *map_hidden(size_t size)
{
	int fd = (int)syscall(SYS_memfd_secret, 1 /* close on exec */);
	void *p = MAP_FAILED;

	if (fd < 0)
		return MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0)
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED && madvise(p, size, MADV_DONTFORK) != 0) {
		munmap(p, size);
		p = MAP_FAILED;
	}
	return p;
}

static void *map_locked(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED && (mlock(p, size) != 0 || madvise(p, size, MADV_DONTDUMP) != 0)) {
		munmap(p, size);
		p = MAP_FAILED;
	}
	return p;
}

enum secret_memory mag_secret_lock(size_t size, bool children)
{
	enum secret_memory kind = SECRET_ORDINARY;
	void *p = MAP_FAILED;

	if (region.start != NULL)
		return SECRET_ORDINARY;
	if (size > (size_t)PAGES_MAX * PAGE)
		size = (size_t)PAGES_MAX * PAGE;
	/* What is allowed to be locked may be less: some is better than none. */
	for (; p == MAP_FAILED && size >= 4 * PAGE; size /= 2) {
		kind = SECRET_HIDDEN;
		p = children ? MAP_FAILED : map_hidden(size);
		if (p == MAP_FAILED) {
			kind = SECRET_LOCKED;
			p = map_locked(size);
		}
		if (p != MAP_FAILED)
			region.pages = size / PAGE;
	}
	if (p == MAP_FAILED)
		return SECRET_ORDINARY;
	region.start = p;
	return kind;
}
