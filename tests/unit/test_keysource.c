#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "otpcore/base/keysource.h"

/* NULL: it has none. */
static const struct {
	const char *source, *path, *tcti, *device;
} sources[] = {
	{ "file:/etc/key", "/etc/key", NULL, NULL },
	{ "file:/etc/key?tcti=x", "/etc/key?tcti=x", "x", NULL },
	{ "file:key", NULL, NULL, NULL },
	{ "file:", NULL, NULL, NULL },
	{ "credential:key", NULL, NULL, NULL },
	{ "/etc/key", NULL, NULL, NULL },
	{ "", NULL, NULL, NULL },
	{ "tpm:/etc/key", "/etc/key", NULL, "/dev/tpmrm0" },
	{ "tpm:key", NULL, NULL, "/dev/tpmrm0" },
	{ "tpm:/etc/key?tcti=device:/dev/tpm1", "/etc/key", "device:/dev/tpm1", "/dev/tpm1" },
	{ "tpm:/etc/key?tcti=swtpm:path=/x", "/etc/key", "swtpm:path=/x", NULL },
};

static void same(const char *is, const char *want)
{
	if (want)
		assert_string_equal(is, want);
	else
		assert_null(is);
}

static void test_parts(void **state)
{
	char path[64], device[64];

	(void)state;
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		const char *s = sources[i].source;

		same(keyfile_path(s, path, sizeof path) ? path : NULL, sources[i].path);
		same(keyfile_device(s, device, sizeof device) ? device : NULL, sources[i].device);
		same(keyfile_tcti(s), sources[i].tcti);
	}
}

static void test_what_does_not_fit(void **state)
{
	char path[9];

	(void)state;
	assert_false(keyfile_path("file:/12345678", path, sizeof path));
	assert_true(keyfile_path("file:/1234567", path, sizeof path));
	assert_false(keyfile_device("tpm:/k", path, sizeof path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
