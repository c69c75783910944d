/* The program brings malloc and free of its own between itself and libc, to
 * see what is in memory at the moment it is given back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"

static int malloc_fails; /* the nth from now */
static int freed, freed_dirty;
static struct {
	void *p;
	size_t size;
} blocks[64];

void *__real_malloc(size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void __wrap_free(void *p);

void *__wrap_malloc(size_t size)
{
	void *p;

	if (malloc_fails > 0 && --malloc_fails == 0)
		return NULL;
	p = __real_malloc(size);
	for (size_t i = 0; p != NULL && i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (blocks[i].p == NULL) {
			blocks[i].p = p;
			blocks[i].size = size;
			break;
		}
	return p;
}

void __wrap_free(void *p)
{
	for (size_t i = 0; p != NULL && i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		if (blocks[i].p != p)
			continue;
		freed++;
		for (size_t j = 0; j < blocks[i].size; j++)
			if (((unsigned char *)p)[j] != 0) {
				freed_dirty++;
				break;
			}
		blocks[i].p = NULL;
	}
	__real_free(p);
}

static int reset(void **state)
{
	(void)state;
	malloc_fails = freed = freed_dirty = 0;
	memset(blocks, 0, sizeof(blocks));
	return 0;
}

static void test_set_text_and_free(void **state)
{
	struct mag_secret s = { 0 };

	(void)state;
	assert_string_equal(mag_secret_text(&s), "");
	assert_int_equal(mag_secret_set_text(&s, "hunter2"), 0);
	assert_string_equal(mag_secret_text(&s), "hunter2");
	assert_int_equal(s.len, 7);
	mag_secret_free(&s);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	assert_int_equal(freed, 1);
	assert_int_equal(freed_dirty, 0);
	mag_secret_free(&s);
	mag_secret_free(NULL);
	assert_int_equal(freed, 1);
}

static void test_what_is_replaced_or_grown_is_wiped(void **state)
{
	struct mag_secret s = { 0 };

	(void)state;
	assert_int_equal(mag_secret_set_text(&s, "first"), 0);
	assert_int_equal(mag_secret_set_text(&s, "the second one"), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(mag_secret_append(&s, "0123456789", 10), 0);
	assert_int_equal(s.len, 14 + 200);
	assert_int_equal(s.data[s.len], 0);
	assert_memory_equal(s.data + 14 + 190, "0123456789", 10);
	mag_secret_free(&s);
	assert_int_equal(freed, 22);
	assert_int_equal(freed_dirty, 0);
}

static void test_a_part_of_itself(void **state)
{
	struct mag_secret s = { 0 };

	(void)state;
	assert_int_equal(mag_secret_set_text(&s, "password,123456"), 0);
	assert_int_equal(mag_secret_append(&s, s.data, s.len), 0);
	assert_string_equal(mag_secret_text(&s), "password,123456password,123456");
	assert_int_equal(mag_secret_set(&s, s.data + 9, 6), 0);
	assert_string_equal(mag_secret_text(&s), "123456");
	mag_secret_free(&s);
}

static void test_nothing_empties(void **state)
{
	struct mag_secret s = { 0 };

	(void)state;
	assert_int_equal(mag_secret_set_text(&s, "x"), 0);
	assert_int_equal(mag_secret_append(&s, NULL, 0), 0);
	assert_string_equal(mag_secret_text(&s), "x");
	assert_int_equal(mag_secret_set_text(&s, NULL), 0);
	assert_null(s.data);
	assert_int_equal(mag_secret_set(&s, "x", 0), 0);
	assert_null(s.data);
	assert_string_equal(mag_secret_text(NULL), "");
}

static void test_without_memory_the_old_value_stays(void **state)
{
	struct mag_secret s = { 0 };

	(void)state;
	assert_int_equal(mag_secret_set_text(&s, "old"), 0);
	malloc_fails = 1;
	assert_int_equal(mag_secret_set_text(&s, "new"), MAG_ENOMEM);
	assert_string_equal(mag_secret_text(&s), "old");
	malloc_fails = 1;
	assert_int_equal(mag_secret_append(&s, "new", 3), MAG_ENOMEM);
	assert_string_equal(mag_secret_text(&s), "old");
	malloc_fails = 0;
	assert_int_equal(mag_secret_append(&s, "x", SIZE_MAX - 1), MAG_ENOMEM);
	assert_string_equal(mag_secret_text(&s), "old");
	mag_secret_free(&s);
}

static void test_equal(void **state)
{
	struct mag_secret a = { 0 }, b = { 0 };

	(void)state;
	assert_true(mag_secret_equal(&a, &b));
	assert_int_equal(mag_secret_set(&a, "a\0c", 3), 0);
	assert_false(mag_secret_equal(&a, &b));
	assert_int_equal(mag_secret_set(&b, "a\0c", 3), 0);
	assert_true(mag_secret_equal(&a, &b));
	assert_int_equal(mag_secret_set(&b, "a\0d", 3), 0);
	assert_false(mag_secret_equal(&a, &b));
	assert_int_equal(mag_secret_set(&b, "a\0cd", 4), 0);
	assert_false(mag_secret_equal(&a, &b));
	for (int bit = 0; bit < 8; bit++) {
		unsigned char x = 0, y = (unsigned char)(1 << bit);

		assert_false(mag_equal(&x, &y, 1));
	}
	assert_true(mag_equal("x", "y", 0));
	mag_secret_free(&a);
	mag_secret_free(&b);
}

static void test_wipe(void **state)
{
	char code[8] = "123456";

	(void)state;
	mag_wipe(code, sizeof(code));
	assert_memory_equal(code, "\0\0\0\0\0\0\0\0", 8);
	mag_wipe(NULL, 0);
}

static void test_random_fills_all_of_it(void **state)
{
	/* More than one getrandom(2) gives at a time when it is interrupted; a
	 * byte that stays zero in 8 rounds has not been written (2^-64). */
	static unsigned char p[512], any[512];

	(void)state;
	for (int round = 0; round < 8; round++) {
		memset(p, 0, sizeof(p));
		assert_int_equal(mag_random(p, sizeof(p)), 0);
		for (size_t i = 0; i < sizeof(p); i++)
			any[i] |= p[i];
	}
	for (size_t i = 0; i < sizeof(any); i++)
		assert_int_not_equal(any[i], 0);
	assert_int_equal(mag_random(NULL, 0), 0);
}

/* With sanitizers mlock(2) does nothing and says that it did. */
#ifdef MAG_INSTRUMENTED
#define CANNOT_LOCK true
#else
#define CANNOT_LOCK false
#endif

/* What /proc/self/smaps says of the mapping that `p` lies in. */
static void flags_of(const void *p, char flags_r[256], long *locked_r)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool here = false;
	char line[256];

	assert_non_null(f);
	*flags_r = '\0';
	*locked_r = -1;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (unsigned long)p >= from && (unsigned long)p < to;
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags_r, 256, "%s", line);
		if (here)
			sscanf(line, "Locked: %ld", locked_r);
	}
	fclose(f);
}

/* In a child: a process locks once. What is wrong there, 0. */
static int in_locked_memory(bool children)
{
	struct mag_secret many[300] = { { 0 } }, large = { 0 };
	enum secret_memory kind = mag_secret_lock(1 << 20, children);
	char flags[256], text[100];
	long locked;

	if (kind == SECRET_ORDINARY)
		return 77;
	if ((kind == SECRET_HIDDEN && children) || mag_secret_lock(1 << 20, children))
		return 1;
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "%0*d", 1 + i % 90, i);
		if (mag_secret_set_text(&many[i], text))
			return 2;
	}
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "%0*d", 1 + i % 90, i);
		if (strcmp(mag_secret_text(&many[i]), text) != 0)
			return 3;
		flags_of(many[i].data, flags, &locked);
		/* lo: locked, dd: not in core files, dc: not in children */
		if (i % 50 == 0 &&
			(strstr(flags, " dd") == NULL || strstr(flags, " lo") == NULL ||
				(strstr(flags, " dc") != NULL) != (kind == SECRET_HIDDEN)))
			return 4;
	}
	for (int i = 0; i < 300; i++)
		mag_secret_free(&many[i]);
	/* All of them go round; what is too long lies elsewhere, and is wiped as well. */
	for (int i = 0; i < 100000; i++) {
		if (mag_secret_set(&many[0], flags, 200))
			return 5;
		mag_secret_free(&many[0]);
	}
	if (mag_secret_set(&large, malloc(5000), 5000))
		return 6;
	flags_of(large.data, flags, &locked);
	if (strstr(flags, " lo") != NULL)
		return 7;
	freed = freed_dirty = 0;
	mag_secret_free(&large);
	return freed == 1 && freed_dirty == 0 ? 0 : 8;
}

static int child_of(bool children)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(in_locked_memory(children));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void threat_20_secrets_are_locked_and_in_no_core(void **state)
{
	int hidden = CANNOT_LOCK ? 77 : child_of(false), locked = CANNOT_LOCK ? 77 : child_of(true);

	(void)state;
	if (hidden == 77 || locked == 77)
		skip();
	assert_int_equal(hidden, 0);
	assert_int_equal(locked, 0);
}

static void threat_20_less_than_is_wanted_is_locked_where_little_may_be(void **state)
{
	const struct rlimit little = { 65536, 65536 }, none = { 0, 0 };
	int status = 0;
	pid_t pid;

	(void)state;
	if (CANNOT_LOCK)
		skip();
	pid = fork();
	if (pid == 0) {
		/* Root's rights would lift the limit. */
		if (geteuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(1);
		setrlimit(RLIMIT_MEMLOCK, &little);
		if (mag_secret_lock(1 << 20, true) != SECRET_LOCKED)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(1);
		setrlimit(RLIMIT_MEMLOCK, &none);
		_exit(mag_secret_lock(1 << 20, true) == SECRET_ORDINARY ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_set_text_and_free, reset),
		cmocka_unit_test_setup(test_what_is_replaced_or_grown_is_wiped, reset),
		cmocka_unit_test_setup(test_a_part_of_itself, reset),
		cmocka_unit_test_setup(test_nothing_empties, reset),
		cmocka_unit_test_setup(test_without_memory_the_old_value_stays, reset),
		cmocka_unit_test_setup(test_equal, reset),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_random_fills_all_of_it),
		cmocka_unit_test(threat_20_secrets_are_locked_and_in_no_core),
		cmocka_unit_test(threat_20_less_than_is_wanted_is_locked_where_little_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
