#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/file.h"

static void test_all_of_it_is_written(void **state)
{
	int ends[2];
	char got[8] = "";

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(mag_write_all(ends[1], "whole", 5), 0);
	assert_int_equal(read(ends[0], got, sizeof got), 5);
	assert_string_equal(got, "whole");
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(mag_write_all(ends[1], "", 0), 0);
	assert_int_equal(mag_write_all(ends[1], "x", 1), MAG_ESYS);
}

static void test_a_full_disk_is_an_error(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(mag_write_all(fd, "x", 1), MAG_ESYS);
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void test_the_folder_of_a_name(void **state)
{
	(void)state;
	assert_int_equal(mag_sync_folder("name"), 0);
	assert_int_equal(mag_sync_folder("/tmp/name"), 0);
	assert_int_equal(mag_sync_folder("/name"), 0);
	assert_int_equal(mag_sync_folder("/no/such/name"), MAG_ESYS);
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_is_written),
		cmocka_unit_test(test_a_full_disk_is_an_error),
		cmocka_unit_test(test_the_folder_of_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
