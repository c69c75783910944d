/* Decoding by rows, defaults, overlays, secrets from files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/option.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

struct values {
	char text[16], words[16], times[24];
	bool flag;
	int64_t number, any, time;
	int choice;
	struct mag_secret secret;
};

static const char *const modes[] = { "separate", "short", "none", NULL };
static const char *const kinds[] = { "sms", "voice", NULL };
static const struct opt opts[] = {
	{ "text", OPT_TEXT, "abc", 0, 0, NULL, OPT_AT(struct values, text), "" },
	{ "flag", OPT_BOOL, "yes", 0, 0, NULL, OPT_AT(struct values, flag), "" },
	{ "number", OPT_INT, "3", 1, 9, NULL, OPT_AT(struct values, number), "" },
	{ "any", OPT_INT, NULL, 0, 0, NULL, OPT_AT(struct values, any), "" },
	{ "time", OPT_DURATION, "2m", 30, 600, NULL, OPT_AT(struct values, time), "" },
	{ "choice", OPT_ENUM, "short", 0, 0, modes, OPT_AT(struct values, choice), "" },
	{ "words", OPT_WORDS, NULL, 0, 0, NULL, OPT_AT(struct values, words), "" },
	{ "kinds", OPT_WORDS, NULL, 0, 0, kinds, OPT_AT(struct values, words), "" },
	{ "times", OPT_DURATIONS, "30d 3d", 0, 365 * 86400, NULL, OPT_AT(struct values, times),
		"" },
	{ "secret", OPT_SECRET, NULL, 0, 0, NULL, OPT_AT(struct values, secret), "" },
	{ "wild.*", OPT_TEXT, NULL, 0, 0, NULL, 0, 0, "" },
	{ 0 },
};
static const struct opt_section section = { "s", 1, opts, "" };
static const struct opt_section sections[] = { { "s", 1, opts, "" }, { 0 } };
static const struct opt_schema schema = { sections };

/* Decode KEY = TEXT into v; err is filled or "". */
static int set(struct values *v, const char *key, const char *text, char err[OPT_ERROR_MAX])
{
	const struct opt *o = opt_find(opts, key, NULL);

	assert_non_null(o);
	err[0] = '\0';
	return opt_set(o, text, v, err);
}

static void test_every_type(void **state)
{
	struct values v = { 0 };
	char err[OPT_ERROR_MAX];

	(void)state;
	assert_int_equal(set(&v, "text", "fifteen letters", err), 0);
	assert_string_equal(v.text, "fifteen letters");
	assert_int_equal(set(&v, "flag", "on", err), 0);
	assert_true(v.flag);
	assert_int_equal(set(&v, "flag", "off", err), 0);
	assert_false(v.flag);
	assert_int_equal(set(&v, "flag", "true", err), 0);
	assert_true(v.flag);
	assert_int_equal(set(&v, "flag", "false", err), 0);
	assert_false(v.flag);
	assert_int_equal(set(&v, "number", "9", err), 0);
	assert_int_equal(v.number, 9);
	assert_int_equal(set(&v, "any", "-9223372036854775808", err), 0);
	assert_true(v.any == INT64_MIN);
	assert_int_equal(set(&v, "time", "10m", err), 0);
	assert_int_equal(v.time, 600);
	assert_int_equal(set(&v, "choice", "none", err), 0);
	assert_int_equal(v.choice, 2);
	assert_int_equal(set(&v, "words", " a \t bc   d ", err), 0);
	assert_string_equal(v.words, "a bc d");
	assert_int_equal(set(&v, "words", "", err), 0);
	assert_string_equal(v.words, "");
	assert_int_equal(set(&v, "kinds", "voice sms", err), 0);
	assert_string_equal(v.words, "voice sms");
	assert_int_equal(set(&v, "times", "30d   1y 0", err), 0);
	assert_string_equal(v.times, "30d 1y 0");
	assert_int_equal(set(&v, "wild.x", "anything at all, however long", err), 0);
}

static void test_faults_and_untouched_values(void **state)
{
	static const struct {
		const char *key, *text;
		int r;
		const char *error;
	} t[] = {
		{ "text", "sixteen letters.", MAG_ENOSPACE,
			"text = sixteen letters.: too long; at most 15 bytes" },
		{ "flag", "Yes", MAG_ESYNTAX, "flag = Yes: write yes or no" },
		{ "flag", "", MAG_ESYNTAX, "flag = : write yes or no" },
		{ "number", "0", MAG_ERANGE, "number = 0: must be 1 to 9" },
		{ "number", "10", MAG_ERANGE, "number = 10: must be 1 to 9" },
		{ "number", "99999999999999999999", MAG_ERANGE,
			"number = 99999999999999999999: must be 1 to 9" },
		{ "number", "1x", MAG_ESYNTAX, "number = 1x: not a whole number" },
		{ "time", "29s", MAG_ERANGE, "time = 29s: must be 30s to 10m" },
		{ "time", "11m", MAG_ERANGE, "time = 11m: must be 30s to 10m" },
		{ "time", "60", MAG_ESYNTAX,
			"time = 60: not a duration; write one such as 20s, 2m, 8h, 30d or 1y" },
		{ "choice", "Short", MAG_ESYNTAX, "choice = Short: write separate, short or none" },
		{ "words", "12345678 1234567", MAG_ENOSPACE,
			"words = 12345678 1234567: too long; at most 15 bytes" },
		{ "kinds", "sms pigeon", MAG_ESYNTAX,
			"kinds = sms pigeon: unknown word pigeon; known are sms or voice" },
		{ "times", "30d soon", MAG_ESYNTAX,
			"times = 30d soon: not a duration; write one such as 20s, 2m, 8h, 30d or "
			"1y" },
		{ "times", "2y", MAG_ERANGE, "times = 2y: must be 0s to 1y" },
		{ "secret", "hunter2", MAG_ESYNTAX,
			"secret = (not shown): write file:/PATH or credential:NAME" },
		{ "secret", "file:relative", MAG_ESYNTAX,
			"secret = (not shown): write file:/PATH or credential:NAME" },
		{ "secret", "credential:../x", MAG_ESYNTAX,
			"secret = (not shown): credential:NAME takes a name without slashes" },
		{ "secret", "credential:", MAG_ESYNTAX,
			"secret = (not shown): credential:NAME takes a name without slashes" },
		{ "secret", "file:/nowhere/at/all", MAG_ESYS,
			"secret = (not shown): cannot be read: No such file or directory" },
	};
	char err[OPT_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < LENGTH(t); i++) {
		struct values v, before;

		memset(&v, 0, sizeof(v));
		strcpy(v.words, "as before");
		v.number = v.time = 77;
		before = v;
		assert_int_equal(set(&v, t[i].key, t[i].text, err), t[i].r);
		assert_string_equal(err, t[i].error);
		if (t[i].r != MAG_ENOSPACE) /* a text that does not fit is emptied */
			assert_memory_equal(&v, &before, sizeof(v));
	}
}

static void test_without_a_place_values_are_only_checked(void **state)
{
	char err[OPT_ERROR_MAX];

	(void)state;
	for (const struct opt *o = opts; o->key != NULL; o++)
		if (o->def != NULL)
			assert_int_equal(opt_set(o, o->def, NULL, err), 0);
	assert_int_equal(opt_set(&opts[0], "sixteen letters.", NULL, err), MAG_ENOSPACE);
	assert_int_equal(opt_set(opt_find(opts, "secret", NULL), "file:/nowhere", NULL, err), 0);
	assert_int_equal(opt_set(opt_find(opts, "secret", NULL), "credential:x", NULL, err), 0);
}

static void test_fill_takes_defaults_overlay_does_not(void **state)
{
	struct opt_tree *t = NULL;
	struct values v = { 0 };
	char err[OPT_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(
		opt_load_text("x.conf", "[s *]\nnumber = 5\nflag = no\n[s ssh]\nnumber = 7\n",
			&schema, &t, err),
		0);
	assert_int_equal(opt_fill(t, &section, "*", &v, err), 0);
	assert_int_equal(v.number, 5);
	assert_false(v.flag);
	assert_string_equal(v.text, "abc");
	assert_int_equal(v.time, 120);
	assert_int_equal(v.choice, 1);
	assert_int_equal(opt_overlay(t, &section, "ssh", &v, err), 0);
	assert_int_equal(v.number, 7);
	assert_false(v.flag);
	v.time = 33;
	assert_int_equal(opt_overlay(t, &section, "none such", &v, err), 0);
	assert_int_equal(v.time, 33);
	memset(&v, 0, sizeof(v));
	assert_int_equal(opt_fill(NULL, &section, NULL, &v, err), 0);
	assert_int_equal(v.number, 3);
	assert_true(v.flag);
	assert_null(v.secret.data);
	opt_tree_free(&t);
}

/* ---- secrets ---- */

static char dir[64], path[96], key[128];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_option_value.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/token", dir);
	snprintf(key, sizeof(key), "file:%s", path);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	(void)unlink(path);
	return rmdir(dir);
}

static void put(const char *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void test_secrets_are_read_from_files(void **state)
{
	struct values v = { 0 };
	char err[OPT_ERROR_MAX], *big;

	(void)state;
	put("hunter2\n", 8);
	assert_int_equal(set(&v, "secret", key, err), 0);
	assert_string_equal(mag_secret_text(&v.secret), "hunter2");
	put("two\n\n", 5); /* one newline is taken away */
	assert_int_equal(set(&v, "secret", key, err), 0);
	assert_string_equal(mag_secret_text(&v.secret), "two\n");
	put(" a\0b ", 5);
	assert_int_equal(set(&v, "secret", key, err), 0);
	assert_int_equal(v.secret.len, 5);
	put("\n", 1);
	assert_int_equal(set(&v, "secret", key, err), MAG_ESYNTAX);
	assert_string_equal(err, "secret = (not shown): the file is empty");
	assert_int_equal(v.secret.len, 5);
	big = calloc(1, 65537);
	assert_non_null(big);
	put(big, 65537);
	assert_int_equal(set(&v, "secret", key, err), MAG_ENOSPACE);
	put(big, 65536);
	assert_int_equal(set(&v, "secret", key, err), 0);
	assert_int_equal(v.secret.len, 65536);
	free(big);
	mag_secret_free(&v.secret);
}

static void test_secrets_from_systemd_credentials(void **state)
{
	struct values v = { 0 };
	char err[OPT_ERROR_MAX];

	(void)state;
	put("from systemd", 12);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(set(&v, "secret", "credential:token", err), MAG_ESYS);
	assert_string_equal(err, "secret = (not shown): there are no credentials; add "
				 "LoadCredential=token:/path to the unit");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_int_equal(set(&v, "secret", "credential:token", err), 0);
	assert_string_equal(mag_secret_text(&v.secret), "from systemd");
	assert_int_equal(set(&v, "secret", "credential:other", err), MAG_ESYS);
	assert_string_equal(mag_secret_text(&v.secret), "from systemd");
	mag_secret_free(&v.secret);
}

static void test_fill_says_where_a_bad_secret_stands(void **state)
{
	struct opt_tree *t = NULL;
	struct values v = { 0 };
	char err[OPT_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(opt_load_text("x.conf", "[s a]\n\nsecret = file:/nowhere/at/all\n",
				 &schema, &t, err),
		0);
	assert_int_equal(opt_fill(t, &section, "a", &v, err), MAG_ESYS);
	assert_string_equal(
		err, "x.conf:3: secret = (not shown): cannot be read: No such file or directory");
	opt_tree_free(&t);
}

static void test_find(void **state)
{
	const char *nearest = "x";

	(void)state;
	assert_ptr_equal(opt_find(opts, "flag", NULL), &opts[1]);
	assert_string_equal(opt_find(opts, "wild.a.b", NULL)->key, "wild.*");
	assert_null(opt_find(opts, "wild.", NULL));
	assert_null(opt_find(opts, "wild", NULL));
	assert_null(opt_find(opts, "numbr", &nearest));
	assert_string_equal(nearest, "number");
	assert_null(opt_find(opts, "tim", &nearest));
	assert_string_equal(nearest, "time");
	assert_null(opt_find(opts, "qqqqqqqq", &nearest));
	assert_null(nearest);
	assert_null(opt_find(opts, "", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_faults_and_untouched_values),
		cmocka_unit_test(test_without_a_place_values_are_only_checked),
		cmocka_unit_test(test_fill_takes_defaults_overlay_does_not),
		cmocka_unit_test_setup_teardown(
			test_secrets_are_read_from_files, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_secrets_from_systemd_credentials, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_fill_says_where_a_bad_secret_stands, make_dir, remove_dir),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
