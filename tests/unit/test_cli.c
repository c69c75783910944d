/* The frame of the tools: verbs, options, arguments, exit codes. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "magotp/cli.h"
#include "otpcore/base/text.h"

static struct {
	int runs, n_args;
	char user[64], first[64], label[64], rest[64];
	bool json, voice;
} seen;

static int record(struct cli *c)
{
	seen.runs++;
	seen.n_args = c->n_args;
	seen.json = c->json;
	mag_copy(seen.user, sizeof seen.user, c->user);
	mag_copy(seen.first, sizeof seen.first, cli_arg(c, 0) ? cli_arg(c, 0) : "");
	mag_copy(seen.label, sizeof seen.label, cli_opt(c, "--label") ? cli_opt(c, "--label") : "");
	mag_copy(seen.rest, sizeof seen.rest, c->rest && *c->rest ? *c->rest : "");
	seen.voice = cli_opt(c, "--voice") != NULL;
	return CLI_DONE;
}

static const struct cli_opt opts[] = {
	{ "--label", "TEXT", "a name" },
	{ "--voice", NULL, "a call" },
	{ NULL, NULL, NULL },
};
static const struct verb verbs[] = {
	{ "phone", NULL, "list", "USER", 0, 0, true, NULL, "List", "  t phone list\n", record },
	{ "phone", NULL, "verify", "USER CODE", 1, 1, true, opts, "Verify", "  t\n", record },
	{ "license", "licence", "issue", "", 0, 0, false, opts, "Issue", "  t\n", record },
	{ "run", NULL, NULL, "[ID] [-- COMMAND]", 0, -2, false, opts, "Run", "  t\n", record },
	{ 0 },
};

/* Run the tool with these words; what it wrote to stderr is in `err`. */
static char err[4096];

static int tool(char **words)
{
	struct cli c = { .program = "t", .summary = "Tests.", .verbs = verbs };
	char *argv[16] = { (char *)"t" };
	int argc = 1, code, saved = dup(STDERR_FILENO), out = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	size_t n;

	for (; *words; words++)
		argv[argc++] = *words;
	memset(&seen, 0, sizeof seen);
	fflush(NULL);
	dup2(fileno(f), STDERR_FILENO);
	dup2(fileno(f), STDOUT_FILENO);
	code = cli_main(&c, argc, argv);
	fflush(NULL);
	dup2(saved, STDERR_FILENO);
	dup2(out, STDOUT_FILENO);
	close(saved);
	close(out);
	rewind(f);
	n = fread(err, 1, sizeof err - 1, f);
	err[n] = 0;
	fclose(f);
	return code;
}
#define TOOL(...) tool((char *[]){ __VA_ARGS__, NULL })
#define S(text)   ((char *)(text))

static void test_verb_takes_user_and_arguments(void **state)
{
	(void)state;
	assert_int_equal(TOOL(S("phone"), S("verify"), S("alice"), S("483920")), CLI_DONE);
	assert_string_equal(seen.user, "alice");
	assert_string_equal(seen.first, "483920");
	assert_int_equal(seen.n_args, 1);
}

static void test_options_stand_anywhere_and_take_either_form(void **state)
{
	(void)state;
	assert_int_equal(TOOL(S("phone"), S("verify"), S("--label"), S("a b"), S("alice"), S("1")),
		CLI_DONE);
	assert_string_equal(seen.label, "a b");
	assert_int_equal(TOOL(S("--json"), S("licence"), S("issue"), S("--label=x"), S("--voice")),
		CLI_DONE);
	assert_string_equal(seen.label, "x");
	assert_true(seen.voice);
	assert_true(seen.json);
}

static void test_nearest_verb_is_suggested(void **state)
{
	(void)state;
	assert_int_equal(TOOL(S("phnoe"), S("list"), S("alice")), CLI_USAGE);
	assert_non_null(strstr(err, "did you mean phone?"));
	assert_int_equal(TOOL(S("phone"), S("lsit"), S("alice")), CLI_USAGE);
	assert_non_null(strstr(err, "did you mean phone list?"));
	assert_int_equal(TOOL(S("phone"), S("verify"), S("a"), S("1"), S("--labl=x")), CLI_USAGE);
	assert_non_null(strstr(err, "did you mean --label?"));
	assert_int_equal(TOOL(S("quetzalcoatl")), CLI_USAGE);
	assert_null(strstr(err, "did you mean"));
	assert_int_equal(seen.runs, 0);
}

static void test_wrong_use_runs_nothing(void **state)
{
	(void)state;
	assert_int_equal(TOOL(S("phone")), CLI_USAGE);
	assert_int_equal(TOOL(S("phone"), S("list")), CLI_USAGE); /* whose? */
	assert_int_equal(TOOL(S("phone"), S("verify"), S("alice")), CLI_USAGE);
	assert_int_equal(TOOL(S("phone"), S("list"), S("alice"), S("more")), CLI_USAGE);
	assert_int_equal(TOOL(S("licence"), S("issue"), S("--label")), CLI_USAGE);
	assert_int_equal(TOOL(S("licence"), S("issue"), S("--voice=yes")), CLI_USAGE);
	assert_int_equal(seen.runs, 0);
}

static void test_usage_is_an_object_with_json(void **state)
{
	(void)state;
	assert_int_equal(TOOL(S("--json"), S("phnoe")), CLI_USAGE);
	assert_ptr_equal(strstr(err, "{\"error\":\"usage\",\"message\":"), err);
}

static void test_command_follows_dashes(void **state)
{
	(void)state;
	assert_int_equal(TOOL(S("run"), S("p1"), S("--"), S("ls"), S("--json")), CLI_DONE);
	assert_string_equal(seen.first, "p1");
	assert_string_equal(seen.rest, "ls");
	assert_false(seen.json);
	/* For verbs that run nothing, what follows is an argument. */
	assert_int_equal(TOOL(S("phone"), S("verify"), S("alice"), S("--"), S("-1")), CLI_DONE);
	assert_string_equal(seen.first, "-1");
}

static void test_help_has_examples_first(void **state)
{
	(void)state;
	assert_int_equal(TOOL(S("phone"), S("list"), S("--help")), CLI_DONE);
	assert_true(strstr(err, "  t phone list") < strstr(err, "usage:"));
	assert_int_equal(seen.runs, 0);
	assert_int_equal(TOOL(S("--version")), CLI_DONE);
}

static void test_ids_of_phones(void **state)
{
	(void)state;
	assert_int_equal(cli_phone_ref("p2"), 2);
	assert_int_equal(cli_phone_ref("3"), 3);
	assert_int_equal(cli_phone_ref("p0"), 0);
	assert_int_equal(cli_phone_ref("p12"), 0);
	assert_int_equal(cli_phone_ref("t1"), 0);
	assert_int_equal(cli_phone_ref(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verb_takes_user_and_arguments),
		cmocka_unit_test(test_options_stand_anywhere_and_take_either_form),
		cmocka_unit_test(test_nearest_verb_is_suggested),
		cmocka_unit_test(test_wrong_use_runs_nothing),
		cmocka_unit_test(test_usage_is_an_object_with_json),
		cmocka_unit_test(test_command_follows_dashes),
		cmocka_unit_test(test_help_has_examples_first),
		cmocka_unit_test(test_ids_of_phones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
