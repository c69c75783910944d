/* The parser and the tree. Errors are compared whole: people read them. */
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

static const char *const colours[] = { "red", "green", NULL };
static const struct opt phone_opts[] = {
	{ "code_digits", OPT_INT, "6", 6, 10, NULL, 0, 8, "digits" },
	{ "colour", OPT_ENUM, "red", 0, 0, colours, 8, 4, "colour" },
	{ "text", OPT_TEXT, NULL, 0, 0, NULL, 16, 16, "text" },
	{ 0 },
};
static const struct opt gateway_opts[] = {
	{ "url", OPT_TEXT, NULL, 0, 0, NULL, 0, 64, "url" },
	{ "field.*", OPT_TEXT, NULL, 0, 0, NULL, 0, 0, "a field" },
	{ "password", OPT_SECRET, NULL, 0, 0, NULL, 64, sizeof(struct mag_secret), "secret" },
	{ 0 },
};
static const struct opt_section sections[] = {
	{ "phone", 0, phone_opts, "phones" },
	{ "gateway", 1, gateway_opts, "gateways" },
	{ 0 },
};
static const struct opt_schema schema = { sections };

static struct opt_tree *parse(const char *text)
{
	struct opt_tree *t = NULL;
	char err[OPT_ERROR_MAX] = "";
	int r = opt_load_text("m.conf", text, &schema, &t, err);

	if (r < 0)
		fail_msg("%s", err);
	return t;
}

static void assert_value(
	const struct opt_tree *t, const char *where, const char *key, const char *text, int line)
{
	char section[32] = "", instance[32] = "";
	const struct opt_value *v;

	(void)sscanf(where, "%31s %31s", section, instance);
	v = opt_get(t, section, instance, key);
	assert_non_null(v);
	assert_string_equal(v->text, text);
	assert_int_equal(v->line, line);
	assert_string_equal(v->key, key);
	assert_string_equal(v->section, section);
	assert_string_equal(v->instance, instance);
}

static void test_sections_keys_and_lines(void **state)
{
	struct opt_tree *t = parse("# a comment\n"
				   "; another\n"
				   "\n"
				   "[phone]\n"
				   "code_digits=8\n"
				   "   text   =   two words  \t\r\n"
				   "[gateway twilio]\n"
				   "url = https://x/?a=b\n"
				   "field.To = {to}\n"
				   "[ gateway   kannel ]\n"
				   "url =");

	(void)state;
	assert_value(t, "phone", "code_digits", "8", 5);
	assert_value(t, "phone", "text", "two words", 6);
	assert_value(t, "gateway twilio", "url", "https://x/?a=b", 8);
	assert_value(t, "gateway twilio", "field.To", "{to}", 9);
	assert_value(t, "gateway kannel", "url", "", 11);
	assert_null(opt_get(t, "phone", "", "colour"));
	assert_null(opt_get(t, "phone", NULL, "url"));
	assert_null(opt_get(t, "phone", NULL, ""));
	assert_null(opt_get(t, "gateway", "other", "url"));
	assert_null(opt_get(NULL, "phone", NULL, "text"));
	opt_tree_free(&t);
	assert_null(t);
	opt_tree_free(&t);
	opt_tree_free(NULL);
}

static void test_comments_stand_on_lines_of_their_own(void **state)
{
	struct opt_tree *t = parse("[phone]\ntext = a # b ; c\n");

	(void)state;
	assert_value(t, "phone", "text", "a # b ; c", 2);
	opt_tree_free(&t);
}

static const struct {
	const char *text;
	int r;
	const char *error;
} faults[] = {
	{ "[phone]\ncode_digit = 6\n", MAG_ESYNTAX,
		"m.conf:2: unknown key code_digit in [phone]; did you mean code_digits?" },
	{ "[phone]\n\nunknown = 6\n", MAG_ESYNTAX,
		"m.conf:3: unknown key unknown in [phone]; known are code_digits, colour, text" },
	{ "[phnoe]\n", MAG_ESYNTAX, "m.conf:1: unknown section [phnoe]; did you mean [phone]?" },
	{ "[zzz]\n", MAG_ESYNTAX, "m.conf:1: unknown section [zzz]; known are [phone] [gateway]" },
	{ "[]\n", MAG_ESYNTAX, "m.conf:1: unknown section []; known are [phone] [gateway]" },
	{ "[gateway]\n", MAG_ESYNTAX, "m.conf:1: [gateway] needs a name; write [gateway NAME]" },
	{ "[phone x]\n", MAG_ESYNTAX, "m.conf:1: [phone] takes no name; write [phone]" },
	{ "[phone] # now\n", MAG_ESYNTAX,
		"m.conf:1: a section ends with ]; comments stand on lines of their own" },
	{ "[\n", MAG_ESYNTAX,
		"m.conf:1: a section ends with ]; comments stand on lines of their own" },
	{ "[phone]\ntext = a\n[phone]\n", MAG_ESYNTAX,
		"m.conf:3: [phone] began at line 1 already; put its keys there" },
	{ "[gateway a]\n[gateway b]\n[gateway a]\n", MAG_ESYNTAX,
		"m.conf:3: [gateway a] began at line 1 already; put its keys there" },
	{ "[phone]\ntext = a\ncode_digits = 6\ntext = a\n", MAG_ESYNTAX,
		"m.conf:4: text is set at line 2 already; keep one of them" },
	{ "text = a\n", MAG_ESYNTAX,
		"m.conf:1: text stands before any section; put a line [SECTION] above it" },
	{ "[phone]\ntext\n", MAG_ESYNTAX, "m.conf:2: not a section, a comment or KEY = VALUE" },
	{ "[phone]\n= x\n", MAG_ESYNTAX, "m.conf:2: there is no key before the =" },
	{ "[phone]\ncode_digits = 5\n", MAG_ERANGE, "m.conf:2: code_digits = 5: must be 6 to 10" },
	{ "[phone]\ncode_digits = six\n", MAG_ESYNTAX,
		"m.conf:2: code_digits = six: not a whole number" },
	{ "[phone]\ncode_digits = 6 # digits\n", MAG_ESYNTAX,
		"m.conf:2: code_digits = 6 # digits: not a whole number" },
	{ "[phone]\ncolour = blue\n", MAG_ESYNTAX, "m.conf:2: colour = blue: write red or green" },
	{ "[phone]\ntext = 1234567890123456\n", MAG_ENOSPACE,
		"m.conf:2: text = 1234567890123456: too long; at most 15 bytes" },
	{ "[phone]\ntext = \xff\n", MAG_ESYNTAX,
		"m.conf:2: not UTF-8 text; save the file as UTF-8" },
	{ "[phone]\ntext = a\x1b[2Jb\n", MAG_ESYNTAX,
		"m.conf:2: there is a control character in this line" },
	{ "[gateway g]\nfield. = x\n", MAG_ESYNTAX,
		"m.conf:2: unknown key field. in [gateway]; did you mean field.*?" },
	{ "[gateway g]\npassword = hunter2\n", MAG_ESYNTAX,
		"m.conf:2: password = (not shown): write file:/PATH or credential:NAME" },
};

static void test_faults_name_file_line_and_the_way_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(faults); i++) {
		struct opt_tree *t = (struct opt_tree *)&faults; /* stays untouched */
		char err[OPT_ERROR_MAX] = "";

		assert_int_equal(
			opt_load_text("m.conf", faults[i].text, &schema, &t, err), faults[i].r);
		assert_string_equal(err, faults[i].error);
		assert_ptr_equal(t, &faults);
	}
}

static int collect(const struct opt_value *v, void *arg)
{
	strcat(strcat(strcat(arg, v->instance), v->key), " ");
	return 0;
}

static int collect_names(const char *instance, void *arg)
{
	strcat(strcat(arg, instance), " ");
	return 0;
}

static int stop(const struct opt_value *v, void *arg)
{
	(void)v;
	++*(int *)arg;
	return -99;
}

static void test_each_in_the_order_of_the_files(void **state)
{
	struct opt_tree *t = parse("[gateway b]\nfield.B = 1\nfield.A = 2\n[phone]\ntext = x\n"
				   "[gateway a]\n[gateway *]\nurl = u\n");
	char seen[128] = "";
	int calls = 0;

	(void)state;
	assert_int_equal(opt_each(t, "gateway", NULL, collect, seen), 0);
	assert_string_equal(seen, "bfield.B bfield.A *url ");
	seen[0] = '\0';
	assert_int_equal(opt_each(t, NULL, NULL, collect, seen), 0);
	assert_string_equal(seen, "bfield.B bfield.A text *url ");
	seen[0] = '\0';
	assert_int_equal(opt_each(t, "gateway", "*", collect, seen), 0);
	assert_string_equal(seen, "*url ");
	seen[0] = '\0';
	assert_int_equal(opt_each_instance(t, "gateway", collect_names, seen), 0);
	assert_string_equal(seen, "b a * ");
	assert_int_equal(opt_each(t, NULL, NULL, stop, &calls), -99);
	assert_int_equal(calls, 1);
	assert_int_equal(opt_each(NULL, NULL, NULL, stop, &calls), 0);
	opt_tree_free(&t);
}

/* ---- files ---- */

static char dir[64];

static void write_file(const char *name, const char *text, size_t len)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static int load(struct opt_tree **t, char err[OPT_ERROR_MAX])
{
	char file[128], dropins[128];

	snprintf(file, sizeof(file), "%s/m.conf", dir);
	snprintf(dropins, sizeof(dropins), "%s/m.conf.d", dir);
	err[0] = '\0';
	return opt_load(file, dropins, &schema, t, err);
}

static int make_dir(void **state)
{
	char dropins[128];

	(void)state;
	strcpy(dir, "/tmp/test_option.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(dropins, sizeof(dropins), "%s/m.conf.d", dir);
	return mkdir(dropins, 0700);
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "m.conf", "m.conf.d/10-a.conf", "m.conf.d/20-b.conf",
		"m.conf.d/9.conf", "m.conf.d/.hidden.conf", "m.conf.d/30.conf~", "m.conf.d", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < LENGTH(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	return access(dir, F_OK) == 0 ? -1 : 0;
}

#define WRITE(name, text) write_file(name, text, strlen(text))

static void test_dropins_may_set_again(void **state)
{
	struct opt_tree *t = NULL;
	char err[OPT_ERROR_MAX];
	const struct opt_value *v;

	(void)state;
	WRITE("m.conf", "[phone]\ntext = main\ncode_digits = 7\n");
	WRITE("m.conf.d/20-b.conf", "[phone]\ntext = twenty\n");
	WRITE("m.conf.d/10-a.conf", "[phone]\ntext = ten\n[gateway x]\nurl = u\n");
	WRITE("m.conf.d/9.conf", "[phone]\n\ntext = nine\n"); /* bytes, not numbers: the last */
	WRITE("m.conf.d/.hidden.conf", "nonsense");
	WRITE("m.conf.d/30.conf~", "nonsense");
	assert_int_equal(load(&t, err), 0);
	v = opt_get(t, "phone", NULL, "text");
	assert_string_equal(v->text, "nine");
	assert_int_equal(v->line, 3);
	assert_non_null(strstr(v->file, "/m.conf.d/9.conf"));
	assert_string_equal(opt_get(t, "phone", NULL, "code_digits")->text, "7");
	assert_string_equal(opt_get(t, "gateway", "x", "url")->text, "u");
	opt_tree_free(&t);
}

static void test_a_dropin_may_not_set_twice(void **state)
{
	struct opt_tree *t = NULL;
	char err[OPT_ERROR_MAX], expected[OPT_ERROR_MAX];

	(void)state;
	WRITE("m.conf", "[phone]\ntext = main\n");
	WRITE("m.conf.d/10-a.conf", "[phone]\ntext = a\ntext = b\n");
	assert_int_equal(load(&t, err), MAG_ESYNTAX);
	snprintf(expected, sizeof(expected),
		"%s/m.conf.d/10-a.conf:3: text is set at line 2 already; keep one of them", dir);
	assert_string_equal(err, expected);
	assert_null(t);
}

static void test_files_that_cannot_be_read(void **state)
{
	struct opt_tree *t = NULL;
	char err[OPT_ERROR_MAX], expected[OPT_ERROR_MAX], *big;

	(void)state;
	assert_int_equal(load(&t, err), MAG_ESYS);
	snprintf(expected, sizeof(expected), "%s/m.conf: cannot be read: No such file or directory",
		dir);
	assert_string_equal(err, expected);
	assert_int_equal(opt_load(dir, NULL, &schema, &t, err), MAG_ESYS);
	snprintf(expected, sizeof(expected), "%s: cannot be read: Is a directory", dir);
	assert_string_equal(err, expected);
	big = calloc(1, 1024 * 1024);
	assert_non_null(big);
	memset(big, '\n', 1024 * 1024);
	write_file("m.conf", big, 1024 * 1024);
	free(big);
	assert_int_equal(load(&t, err), MAG_ERANGE);
	write_file("m.conf", "[phone]\ntext = a\0b\n", 19);
	assert_int_equal(load(&t, err), MAG_ESYNTAX);
	snprintf(expected, sizeof(expected), "%s/m.conf:2: not UTF-8 text; save the file as UTF-8",
		dir);
	assert_string_equal(err, expected);
	assert_null(t);
}

static void test_empty_files_and_no_dropins(void **state)
{
	struct opt_tree *t = NULL;
	char err[OPT_ERROR_MAX], file[128], none[128];

	(void)state;
	WRITE("m.conf", "");
	snprintf(file, sizeof(file), "%s/m.conf", dir);
	snprintf(none, sizeof(none), "%s/nowhere", dir);
	assert_int_equal(opt_load(file, none, &schema, &t, err), 0);
	assert_null(opt_get(t, "phone", NULL, "text"));
	opt_tree_free(&t);
	assert_int_equal(opt_load(file, file, &schema, &t, err), MAG_ESYS); /* not a directory */
	assert_null(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_keys_and_lines),
		cmocka_unit_test(test_comments_stand_on_lines_of_their_own),
		cmocka_unit_test(test_faults_name_file_line_and_the_way_out),
		cmocka_unit_test(test_each_in_the_order_of_the_files),
		cmocka_unit_test_setup_teardown(test_dropins_may_set_again, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_a_dropin_may_not_set_twice, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_files_that_cannot_be_read, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			test_empty_files_and_no_dropins, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
