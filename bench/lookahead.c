/* How long it takes to look 20 codes ahead and find none: ours, and liboath's, in rounds
 * that alternate. liboath is opened when this runs; without it only ours is told.
 *   lookahead ROUNDS      prints "ours NS" and "liboath NS" a round */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otpcore/base/verdict.h"
#include "otpcore/engine/token.h"

#define KEY   "12345678901234567890"
#define TIMES 2000

typedef int validate_fn(const char *secret, size_t length, unsigned long long start, size_t window,
	const char *otp);

static double ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* At its first counter, where no passed codes are looked at (H6). */
static double ours(void)
{
	struct token t = { .type = TOKEN_HOTP, .algorithm = 1, .digits = 6, .moving = 0 };
	struct token_windows w = { .hotp = 19 };
	struct token_position next;
	struct mag_secret seed = { 0 };
	double begun;

	if (mag_secret_set_text(&seed, KEY) < 0)
		exit(1);
	begun = ns();
	for (int i = 0; i < TIMES; i++)
		if (token_judge(&t, &seed, "000000", 0, &w, &next) == VERDICT_OK)
			exit(1);
	begun = (ns() - begun) / TIMES;
	mag_secret_free(&seed);
	return begun;
}

static double theirs(validate_fn *validate)
{
	double begun = ns();

	for (int i = 0; i < TIMES; i++)
		if (validate(KEY, 20, 0, 19, "000000") >= 0)
			exit(1);
	return (ns() - begun) / TIMES;
}

int main(int argc, char **argv)
{
	void *lib = dlopen("liboath.so.0", RTLD_NOW);
	int (*init)(void) = lib != NULL ? (int (*)(void))dlsym(lib, "oath_init") : NULL;
	validate_fn *validate =
		lib != NULL ? (validate_fn *)dlsym(lib, "oath_hotp_validate") : NULL;

	if (init != NULL)
		init();
	for (int i = argc > 1 ? atoi(argv[1]) : 7; i > 0; i--) {
		printf("ours %.0f\n", ours());
		if (validate != NULL)
			printf("liboath %.0f\n", theirs(validate));
	}
	return 0;
}
