/* What a process does with all of its memory: in children, because it cannot be undone. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "otpcore/base/log.h"
#include "otpcore/base/memory.h"

#define NOBODY  65534
#define SKIPPED 77
#define MIB     ((size_t)1 << 20)

/* What becomes of the wish for no limit. As root the memory can be locked all the same. */
static enum { ASKED, GRANTED, REFUSED } no_limit;

int __real_setrlimit(int what, const struct rlimit *limit);
int __wrap_setrlimit(int what, const struct rlimit *limit);
int __wrap_setrlimit(int what, const struct rlimit *limit)
{
	if (no_limit == ASKED || what != RLIMIT_MEMLOCK || limit->rlim_cur != RLIM_INFINITY)
		return __real_setrlimit(what, limit);
	errno = EPERM;
	return no_limit == GRANTED ? 0 : -1;
}

/* With sanitizers nothing is locked. */
#ifdef MAG_INSTRUMENTED
#define CANNOT_LOCK true
#else
#define CANNOT_LOCK false
#endif

static int exit_of(int (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Root's right to lock, whatever the limit. */
static int locks_a_page(void)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_MEMLOCK, &none) == 0 && mlock(&no_limit, 1) == 0 ? 0 : 1;
}

static bool cannot_lock(void)
{
	if (!CANNOT_LOCK && exit_of(locks_a_page) == 0)
		return false;
	print_message("needs CAP_IPC_LOCK, and no sanitizer\n");
	return true;
}

/* Writable mappings that are (not) locked. */
static int count_maps(bool locked)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], mode[5] = "";
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof line, f)) {
		(void)sscanf(line, "%*x-%*x %4s ", mode);
		if (strncmp(line, "VmFlags:", 8) == 0 && strncmp(mode, "rw", 2) == 0 &&
			(strstr(line, " lo") != NULL) == locked)
			n++;
	}
	fclose(f);
	return n;
}

/* Memory of each kind that a process takes. */
static bool take(void)
{
	size_t large = (size_t)8 << 20;
	char *mapped =
		     mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     *shared = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	     *heap = sbrk(1 << 20), *allocated = malloc(large);

	if (mapped == MAP_FAILED || shared == MAP_FAILED || heap == (void *)-1 || !allocated)
		return false;
	memset(mapped, 1, 4096);
	memset(shared, 1, 4096);
	memset(heap, 1, 4096);
	memset(allocated, 1, 4096);
	return true;
}

static int a_child_locks_its_own(void)
{
	return count_maps(false) > 0 && mag_memory_lock() == MEMORY_EVERYTHING &&
			       count_maps(false) == 0
		       ? 0
		       : 1;
}

static int all_is_locked(void)
{
	if (count_maps(false) <= 0)
		return 1; /* or it would not be seen */
	no_limit = GRANTED;
	if (mag_memory_lock() != MEMORY_EVERYTHING)
		return 2;
	if (count_maps(false) != 0 || !take() || count_maps(false) != 0)
		return 3;
	return exit_of(a_child_locks_its_own) == 0 ? 0 : 4;
}

static void threat_20_nothing_of_a_process_can_be_swapped_out(void **state)
{
	(void)state;
	if (cannot_lock())
		skip();
	assert_int_equal(exit_of(all_is_locked), 0);
}

/* Whether `p` lies in a mapping that is locked. */
static bool is_locked(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	char *end;
	bool here = false, locked = false;
	char line[512];

	while (f && fgets(line, sizeof line, f)) {
		from = strtoul(line, &end, 16);
		if (*end == '-') {
			to = strtoul(end + 1, NULL, 16);
			here = (unsigned long)p >= from && (unsigned long)p < to;
		}
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			locked = strstr(line, " lo") != NULL;
	}
	if (f)
		fclose(f);
	return locked;
}

static bool limit_to(rlim_t bytes)
{
	const struct rlimit limit = { bytes, bytes };

	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

static bool become_nobody(void)
{
	return geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* A locked stack could not grow beyond the limit. */
static int __attribute__((noinline)) deep(int levels)
{
	volatile char frame[65536];

	frame[0] = (char)levels;
	return levels ? deep(levels - 1) + frame[0] : 0;
}

static char of_program[64] = "data";

/* `from` bytes on malloc(3) gives what is not locked, but it gives. */
static int piece_by_piece(size_t from)
{
	const size_t size = MIB / 4;
	char here[64] = "stack", *p;

	for (size_t given = 0; given < from; given += size)
		if (!(p = malloc(size)) || !memset(p, 1, size) || !is_locked(p))
			return 3;
	if (!is_locked(here) || !is_locked(of_program))
		return 4;
	if (!(p = malloc(96 * MIB)) || !memset(p, 1, 96 * MIB) || !take())
		return 5;
	return deep(96) < 0 ? 6 : 0;
}

/* Started as root, which lets go of its rights then. */
static int what_is_needed_is_locked(void)
{
	no_limit = REFUSED;
	if (!limit_to(MIB) || mag_memory_lock() != MEMORY_SIZED || !become_nobody())
		return 2;
	return piece_by_piece(60 * MIB);
}

static void threat_20_root_locks_a_heap_of_a_size_under_any_limit(void **state)
{
	(void)state;
	if (cannot_lock())
		skip();
	assert_int_equal(exit_of(what_is_needed_is_locked), 0);
}

static int what_may_be_is_locked(void)
{
	no_limit = REFUSED;
	if (!become_nobody() || !limit_to(6 * MIB) || mag_memory_lock() != MEMORY_PART)
		return 2;
	return piece_by_piece(2 * MIB);
}

static int nothing_may_be_locked(void)
{
	no_limit = REFUSED;
	if (!become_nobody() || !limit_to(0) || mag_memory_lock() != MEMORY_NOTHING)
		return 2;
	return count_maps(true) == 0 && take() && deep(96) >= 0 ? 0 : 3;
}

static void test_under_a_limit_what_may_be_is_locked_and_none_refused(void **state)
{
	(void)state;
	if (CANNOT_LOCK)
		skip();
	assert_int_equal(exit_of(what_may_be_is_locked), 0);
	assert_int_equal(exit_of(nothing_may_be_locked), 0);
}

/* ---- what the log says ---- */

static rlim_t limit;

static int keep(void)
{
	no_limit = REFUSED;
	if (!become_nobody() || !limit_to(limit))
		return 1;
	mag_memory_keep(true);
	return 0;
}

static void said_under(rlim_t bytes, char said_r[1024])
{
	FILE *to = tmpfile();
	int kept = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(to);
	limit = bytes;
	mag_log_open("p", 0, MAG_LOG_INFO);
	dup2(fileno(to), STDERR_FILENO);
	n = (size_t)exit_of(keep);
	dup2(kept, STDERR_FILENO);
	close(kept);
	assert_int_equal(n, 0);
	rewind(to);
	n = fread(said_r, 1, 1023, to);
	said_r[n] = '\0';
	fclose(to);
}

static void test_a_limit_is_named_and_the_way_out(void **state)
{
	static const char rest[] = " KiB may be locked (RLIMIT_MEMLOCK); take the limit away "
				   "(LimitMEMLOCK=infinity, ulimit -l unlimited), or encrypt the "
				   "swap\n";
	char said[1024], expected[1024];

	(void)state;
	if (CANNOT_LOCK)
		skip();
	said_under(0, said);
	snprintf(expected, sizeof expected,
		"p: warning: codes, keys and passwords can be swapped out: at most 0%s", rest);
	assert_string_equal(said, expected);
	/* Secrets of our own find room. */
	said_under(4 << 20, said);
	snprintf(expected, sizeof expected,
		"p: warning: some copies of codes and passwords can be swapped out: at most 4096%s",
		rest);
	assert_string_equal(said, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_20_nothing_of_a_process_can_be_swapped_out),
		cmocka_unit_test(threat_20_root_locks_a_heap_of_a_size_under_any_limit),
		cmocka_unit_test(test_under_a_limit_what_may_be_is_locked_and_none_refused),
		cmocka_unit_test(test_a_limit_is_named_and_the_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
