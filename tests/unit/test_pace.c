/* Rule L10 by the clock: answers for made-up accounts come to take as long as real
 * ones, whatever each takes by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "otpcore/broker/pace.h"

#define US    1000
#define TRIES 20000

/* Not random, but not regular either: -spread..spread */
static int64_t jitter(uint32_t *state, int64_t spread)
{
	*state = *state * 1664525u + 1013904223u;
	return (int64_t)(*state >> 8) % (2 * spread + 1) - spread;
}

/* Mean of what class `whose` takes, its own `natural` ns and the hold together. */
static int64_t settled(int64_t real, int64_t natural, enum pace_whose whose)
{
	struct pace p = { 0 };
	uint32_t seed = 7;
	int64_t sum = 0;

	for (int i = 0; i < TRIES; i++) {
		int64_t spent = natural + jitter(&seed, 30 * US);

		pace_learn(&p, PACE_BEGIN, PACE_REAL, real + jitter(&seed, 30 * US));
		spent += pace_hold(&p, PACE_BEGIN, whose);
		pace_learn(&p, PACE_BEGIN, whose, spent);
		sum += spent;
	}
	return sum / TRIES;
}

static void test_L10_sooner_answers_are_held_back_to_the_mean(void **state)
{
	static const struct {
		int64_t real, natural;
		enum pace_whose whose;
	} rows[] = {
		{ 160 * US, 140 * US, PACE_UNKNOWN },
		{ 160 * US, 152 * US, PACE_BARE },
		{ 400 * US, 250 * US, PACE_UNKNOWN },
		{ 160 * US, 160 * US, PACE_BARE },
		{ 160 * US, 159 * US, PACE_BARE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t mean = settled(rows[i].real, rows[i].natural, rows[i].whose);

		assert_in_range(mean, rows[i].real - 3 * US / 2, rows[i].real + 3 * US / 2);
	}
}

static void test_L10_later_ones_are_not_held_back(void **state)
{
	(void)state;
	assert_in_range(settled(100 * US, 300 * US, PACE_BARE), 298 * US, 302 * US);
}

static void test_L10_no_hold_is_longer_than_its_limit(void **state)
{
	struct pace p = { 0 };

	(void)state;
	for (int i = 0; i < TRIES; i++) {
		pace_learn(&p, PACE_WRONG_CODE, PACE_REAL, 4000 * US);
		pace_learn(&p, PACE_WRONG_CODE, PACE_UNKNOWN, 100 * US);
	}
	assert_int_equal(pace_hold(&p, PACE_WRONG_CODE, PACE_UNKNOWN), PACE_HOLD_MAX);
	assert_int_equal(pace_hold(&p, PACE_WRONG_CODE, PACE_BARE), 0);
	assert_int_equal(pace_hold(&p, PACE_BEGIN, PACE_UNKNOWN), 0);
}

static void test_L10_what_waited_for_something_else_teaches_nothing(void **state)
{
	struct pace p = { 0 }, before;

	(void)state;
	pace_learn(&p, PACE_BEGIN, PACE_UNKNOWN, 100 * US); /* nothing to compare with */
	assert_int_equal(pace_hold(&p, PACE_BEGIN, PACE_UNKNOWN), 0);
	pace_learn(&p, PACE_BEGIN, PACE_REAL, 160 * US);
	before = p;
	pace_learn(&p, PACE_BEGIN, PACE_REAL, 60000 * US); /* a machine that slept */
	pace_learn(&p, PACE_BEGIN, PACE_REAL, -1);         /* a clock that was turned */
	pace_learn(&p, PACE_BEGIN, PACE_NONE, 300 * US);
	assert_memory_equal(&p, &before, sizeof p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_L10_sooner_answers_are_held_back_to_the_mean),
		cmocka_unit_test(test_L10_later_ones_are_not_held_back),
		cmocka_unit_test(test_L10_no_hold_is_longer_than_its_limit),
		cmocka_unit_test(test_L10_what_waited_for_something_else_teaches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
