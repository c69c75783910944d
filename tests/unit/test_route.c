/* The order of gateways: priority, weight, rest, country, channel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sms_fake.h"
#include "smsd/route.h"

#define DRAWS 20000

/* A small generator of its own: the same on every machine. */
static uint32_t next_chance(void *arg, uint32_t below)
{
	uint64_t *state = arg;

	assert_true(below > 0);
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % below;
}

static uint64_t seed = 7;
static const struct route_want want = { "sms", "US", 1000, next_chance, &seed };

static void free_all(struct gateway **g, size_t n)
{
	for (size_t i = 0; i < n; i++)
		gateway_free(&g[i]);
}

/* "a b c": the order in which they are asked. */
static void expect_order(struct route *r, const char *wanted)
{
	struct route_entry *e;
	char order[256] = "";

	while ((e = route_next(r, want.channel, want.ticks))) {
		if (*order)
			strcat(order, " ");
		strcat(order, e->gateway->name);
	}
	assert_string_equal(order, wanted);
}

static void lower_priority_first(void **state)
{
	struct gateway *g[] = { fake_gateway("c", 30, 1), fake_gateway("a", 10, 1),
		fake_gateway("b", 20, 1) };
	struct route r = { 0 };

	(void)state;
	route_plan(&r, g, 3, &want);
	expect_order(&r, "a b c");
	assert_null(route_next(&r, want.channel, want.ticks));
	route_clear(&r);
	free_all(g, 3);
}

static void equal_priorities_share_by_weight(void **state)
{
	struct gateway *g[] = { fake_gateway("x", 10, 1), fake_gateway("y", 10, 2),
		fake_gateway("z", 10, 7), fake_gateway("last", 20, 100) };
	unsigned first[3] = { 0 };

	(void)state;
	for (int i = 0; i < DRAWS; i++) {
		struct route r = { 0 };
		struct route_entry *e;
		unsigned seen = 0;

		route_plan(&r, g, 4, &want);
		e = route_next(&r, want.channel, want.ticks);
		first[e->gateway->name[0] - 'x']++;
		/* All of them are in it, each once, and the next priority after them. */
		for (; e; e = route_next(&r, want.channel, want.ticks))
			seen = seen * 10 + (e->gateway == g[3] ? 9 : 1);
		assert_int_equal(seen, 1119);
		route_clear(&r);
	}
	assert_in_range(first[0], DRAWS * 0.09, DRAWS * 0.11);
	assert_in_range(first[1], DRAWS * 0.18, DRAWS * 0.22);
	assert_in_range(first[2], DRAWS * 0.67, DRAWS * 0.73);
	free_all(g, 4);
}

static void only_what_serves_channel_and_country(void **state)
{
	struct gateway *g[] = { fake_gateway("everywhere", 30, 1), fake_gateway("america", 10, 1),
		fake_gateway("britain", 10, 1), fake_gateway("voice", 1, 1) };
	struct route_want mail = want;
	struct route r = { 0 };

	(void)state;
	strcpy(g[1]->countries, "CA US");
	strcpy(g[2]->countries, "GB USA");
	strcpy(g[3]->channels, "voice");
	route_plan(&r, g, 4, &want);
	expect_order(&r, "america everywhere");
	mail.channel = "email";
	mail.country = "";
	route_plan(&r, g, 4, &mail);
	expect_order(&r, "");
	assert_false(route_open(&r));
	route_clear(&r);
	free_all(g, 4);
}

static void those_that_rest_are_asked_last(void **state)
{
	struct gateway *g[] = { fake_gateway("tired", 10, 1), fake_gateway("awake", 20, 1) };
	struct route_want call = want;
	struct route r = { 0 };

	(void)state;
	g[0]->stats.health[0].rest_until = 1001;
	route_plan(&r, g, 2, &want);
	expect_order(&r, "awake tired");
	/* Its calls go well. */
	call.channel = "voice";
	route_plan(&r, g, 2, &call);
	expect_order(&r, "tired awake");
	/* Where all rest, none is left out and the priorities count again. */
	g[1]->stats.health[0].rest_until = 2000;
	route_plan(&r, g, 2, &want);
	expect_order(&r, "tired awake");
	g[1]->stats.health[0].rest_until = 0;
	g[0]->stats.health[0].rest_until = 1000;
	route_plan(&r, g, 2, &want);
	expect_order(&r, "tired awake");
	route_clear(&r);
	free_all(g, 2);
}

static void those_that_asked_for_a_pause_are_left_alone(void **state)
{
	struct gateway *g[] = { fake_gateway("mute", 10, 1), fake_gateway("other", 20, 1) };
	struct route r = { 0 };

	(void)state;
	g[0]->stats.health[0].mute_until = 1001;
	route_plan(&r, g, 2, &want);
	assert_int_equal(route_mute_until(&r, "sms"), 0);
	expect_order(&r, "other");
	assert_true(route_open(&r)); /* a later round may ask it */
	g[1]->stats.health[0].mute_until = 5000;
	route_plan(&r, g, 2, &want);
	assert_int_equal(route_mute_until(&r, "sms"), 1001);
	assert_int_equal(route_mute_until(&r, "voice"), 0);
	expect_order(&r, "");
	/* Who is ruled out has no say in it. */
	r.entry[0].out = r.entry[0].gateway == g[0];
	r.entry[1].out = r.entry[1].gateway == g[0];
	assert_int_equal(route_mute_until(&r, "sms"), 5000);
	route_clear(&r);
	free_all(g, 2);
}

static void what_is_out_stays_out_over_rounds_and_reloads(void **state)
{
	struct gateway *g[] = { fake_gateway("a", 10, 1), fake_gateway("b", 20, 1) };
	struct gateway *fresh[] = { fake_gateway("b", 20, 1), fake_gateway("a", 10, 1),
		fake_gateway("c", 30, 1) };
	struct route r = { 0 };

	(void)state;
	route_plan(&r, g, 2, &want);
	route_next(&r, want.channel, want.ticks)->out = true;
	assert_true(route_open(&r));
	free_all(g, 2); /* the route holds its own references */
	route_plan(&r, fresh, 3, &want);
	expect_order(&r, "b c");
	assert_true(route_open(&r));
	route_clear(&r);
	assert_false(route_open(&r));
	free_all(fresh, 3);
}

static void no_gateways_is_an_empty_round(void **state)
{
	struct route r = { 0 };

	(void)state;
	route_plan(&r, NULL, 0, &want);
	assert_null(route_next(&r, want.channel, want.ticks));
	assert_false(route_open(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lower_priority_first),
		cmocka_unit_test(equal_priorities_share_by_weight),
		cmocka_unit_test(only_what_serves_channel_and_country),
		cmocka_unit_test(those_that_rest_are_asked_last),
		cmocka_unit_test(those_that_asked_for_a_pause_are_left_alone),
		cmocka_unit_test(what_is_out_stays_out_over_rounds_and_reloads),
		cmocka_unit_test(no_gateways_is_an_empty_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
