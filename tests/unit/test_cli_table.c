/* Lists of the tools: aligned on a terminal, tabs in a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "magotp/cli.h"

static const struct column columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "DEFAULT", "default", CELL_BOOL },
	{ "N", "n", CELL_INT },
	{ NULL, "hidden", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static struct table *two_rows(void)
{
	struct table *t = table_new(columns);

	assert_non_null(t);
	table_text(t, "alice");
	table_int(t, 1);
	table_int(t, 12);
	table_text(t, "h1");
	table_text(t, "bo");
	table_int(t, 0);
	table_int(t, 3);
	table_text(t, "");
	return t;
}

static void assert_renders(const char *names, bool terminal, const char *expected)
{
	struct table *t = two_rows();
	char *text = table_render(t, names, terminal);

	if (expected) {
		assert_non_null(text);
		assert_string_equal(text, expected);
	} else {
		assert_null(text);
	}
	free(text);
	table_free(&t);
	assert_null(t);
}

static void test_terminal_is_aligned_with_header(void **state)
{
	(void)state;
	assert_renders(NULL, true,
		"ACCOUNT  DEFAULT  N\n"
		"alice    yes      12\n"
		"bo       -        3\n");
}

static void test_pipe_has_tabs_no_header_and_dashes(void **state)
{
	(void)state;
	assert_renders(NULL, false, "alice\tyes\t12\nbo\t-\t3\n");
}

static void test_columns_are_chosen_by_key_in_order(void **state)
{
	(void)state;
	assert_renders("n,hidden,account", false, "12\th1\talice\n3\t-\tbo\n");
	assert_renders("n,unknown", false, NULL);
	assert_renders("accoun", false, NULL);
}

static void test_hidden_column_shows_its_key_as_title(void **state)
{
	(void)state;
	assert_renders("hidden", true, "hidden\nh1\n-\n");
}

static void test_text_from_outside_cannot_steer_the_terminal(void **state)
{
	struct table *t = table_new(columns);
	char *text;

	(void)state;
	table_text(t, "a\033[2J\tb\n");
	table_int(t, 0);
	table_int(t, 0);
	table_text(t, "");
	text = table_render(t, "account", false);
	assert_non_null(text);
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\t'));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
	table_free(&t);
}

static void test_width_counts_characters_not_bytes(void **state)
{
	struct table *t = table_new(columns);
	char *text;

	(void)state;
	table_text(t, "J\xc3\xb6rg");
	table_int(t, 1);
	table_int(t, 1);
	table_text(t, "");
	text = table_render(t, NULL, true);
	assert_non_null(strstr(text, "J\xc3\xb6rg     yes"));
	free(text);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminal_is_aligned_with_header),
		cmocka_unit_test(test_pipe_has_tabs_no_header_and_dashes),
		cmocka_unit_test(test_columns_are_chosen_by_key_in_order),
		cmocka_unit_test(test_hidden_column_shows_its_key_as_title),
		cmocka_unit_test(test_text_from_outside_cannot_steer_the_terminal),
		cmocka_unit_test(test_width_counts_characters_not_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
