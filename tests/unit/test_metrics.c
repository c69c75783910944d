#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "magotp/metrics.h"

static char *text;
static size_t len;

static void written(const struct metric *samples, size_t n, bool json, const char *expected)
{
	FILE *out = open_memstream(&text, &len);
	struct metrics *m;

	assert_non_null(out);
	m = metrics_new(out, json);
	assert_non_null(m);
	for (size_t i = 0; i < n; i++)
		metrics_add(m, &samples[i]);
	metrics_free(&m);
	assert_null(m);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_help_and_type_stand_once_before_a_family(void **state)
{
	const struct metric samples[] = {
		{ .name = "a_total",
			.type = "counter",
			.help = "What.",
			.labels = { { "x", "1" }, { "y", "2" } },
			.value = 3 },
		{ .name = "a_total",
			.type = "counter",
			.help = "What.",
			.labels = { { "x", "2" } } },
		{ .name = "b",
			.suffix = "_sum",
			.type = "histogram",
			.help = "B.",
			.value = 1500,
			.scale = 1000 },
	};

	(void)state;
	written(samples, 3, false,
		"# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 3\n"
		"a_total{x=\"2\"} 0\n# HELP b B.\n# TYPE b histogram\nb_sum 1.5\n");
}

static void test_what_would_break_a_line_is_escaped(void **state)
{
	const struct metric s = { .name = "a",
		.type = "gauge",
		.help = "one\ntwo \\ \"three\"",
		.labels = { { "gateway", "the \"old\" one\n\\" } } };

	(void)state;
	written(&s, 1, false,
		"# HELP a one\\ntwo \\\\ \"three\"\n# TYPE a gauge\n"
		"a{gateway=\"the \\\"old\\\" one\\n\\\\\"} 0\n");
}

static void test_numbers(void **state)
{
	static const struct {
		int64_t value;
		uint32_t scale;
		const char *text;
	} cases[] = {
		{ 0, 0, "0" },
		{ 7, 1, "7" },
		{ 1, 1000000, "0.000001" },
		{ 1250000, 1000000, "1.25" },
		{ 2000000, 1000000, "2" },
		{ -1, 10, "-0.1" },
		{ INT64_MAX, 1, "9223372036854775807" },
		{ INT64_MIN, 1, "-9223372036854775808" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct metric s = { .name = "n",
			.type = "gauge",
			.help = "N.",
			.value = cases[i].value,
			.scale = cases[i].scale };
		char expected[128];

		snprintf(expected, sizeof expected, "# HELP n N.\n# TYPE n gauge\nn %s\n",
			cases[i].text);
		written(&s, 1, false, expected);
	}
}

static void test_json(void **state)
{
	const struct metric s = { .name = "t",
		.suffix = "_sum",
		.type = "histogram",
		.help = "T.",
		.labels = { { "le", "+Inf" } },
		.value = 5,
		.scale = 10 };

	(void)state;
	written(&s, 1, true,
		"[\n  {\n    \"name\":\"t_sum\",\n    \"type\":\"histogram\",\n    \"labels\":{\n"
		"      \"le\":\"+Inf\"\n    },\n    \"value\":0.5\n  }\n]\n");
	written(&s, 0, true, ""); /* refused: the object on stderr is the answer */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help_and_type_stand_once_before_a_family),
		cmocka_unit_test(test_what_would_break_a_line_is_escaped),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
