/* The fuzz targets without a fuzzer: what fuzzers found worth keeping (tests/fuzz/corpus),
 * then seeds and mutations of them, the same on every run.
 * fuzz_replay [-n INPUTS] [TARGET... | TARGET FILE...]
 * fuzz_replay -w DIR      writes seeds into DIR/TARGET/, for a fuzzer to begin with */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define SEEDS 200
#define SLOW  20 /* of what other targets are given, one in so many */

static const struct target {
	const char *name;
	void (*run)(const uint8_t *data, size_t len);
	size_t (*seed)(struct dice *d, uint8_t *out);
	unsigned one_in;
} targets[] = {
#define FUZZ(name)      { #name, fuzz_##name, seed_##name, 1 },
#define FUZZ_SLOW(name) { #name, fuzz_##name, seed_##name, SLOW },
#include "tests/fuzz/fuzz.def"
#undef FUZZ
};

static uint8_t input[FUZZ_INPUT_MAX];
static size_t input_len;
static const char *running = "";
static unsigned long round_number;

_Noreturn void fuzz_failed(const char *file, int line, const char *what)
{
	char name[64];
	FILE *f;

	snprintf(name, sizeof name, "fuzz-%s.bin", running);
	fprintf(stderr, "%s:%d: %s does not hold, target %s, input %lu (in %s)\n", file, line, what,
		running, round_number, name);
	f = fopen(name, "wb");
	if (f != NULL) {
		fwrite(input, 1, input_len, f);
		fclose(f);
	}
	abort();
}

/* One change: another byte, a bit, a piece away, a piece twice, bytes in. */
static void mutate(struct dice *d)
{
	size_t at = input_len ? dice_below(d, input_len) : 0;
	size_t n = 1 + dice_below(d, 8), rest;

	if (n > input_len - at)
		n = input_len - at;
	rest = input_len - at - n;
	switch (dice_below(d, 5)) {
	case 0:
		if (input_len)
			input[at] = (uint8_t)dice_roll(d);
		break;
	case 1:
		if (input_len)
			input[at] ^= (uint8_t)(1 << dice_below(d, 8));
		break;
	case 2:
		memmove(input + at, input + at + n, rest);
		input_len -= n;
		break;
	case 3:
		if (input_len + n > sizeof input)
			break;
		memmove(input + at + n, input + at, n + rest);
		input_len += n;
		break;
	case 4:
		if (input_len + 2 > sizeof input)
			break;
		memmove(input + at + 2, input + at, n + rest);
		input[at] = input[at + 1] = dice_below(d, 2) ? 0xff : 0;
		input_len += 2;
		break;
	}
}

static size_t replay_file(const struct target *t, const char *path)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		exit(2);
	}
	running = t->name;
	input_len = fread(input, 1, sizeof input, f);
	fclose(f);
	t->run(input, input_len);
	return 1;
}

static size_t replay_corpus(const struct target *t)
{
	const char *top = getenv("srcdir");
	char pattern[512];
	glob_t files = { 0 };
	size_t n = 0;

	snprintf(pattern, sizeof pattern, "%s/tests/fuzz/corpus/%s/*", top ? top : ".", t->name);
	if (glob(pattern, 0, NULL, &files) == 0)
		for (size_t i = 0; i < files.gl_pathc; i++)
			n += replay_file(t, files.gl_pathv[i]);
	globfree(&files);
	return n;
}

static void replay(const struct target *t, unsigned long n)
{
	size_t kept = replay_corpus(t);
	struct dice d = { 88172645463325252u };

	n /= t->one_in;
	running = t->name;
	for (round_number = 0; round_number < n; round_number++) {
		size_t changes = dice_below(&d, 6);

		input_len = t->seed(&d, input);
		while (changes-- > 0)
			mutate(&d);
		t->run(input, input_len);
	}
	printf("%s: %zu kept, %lu made\n", t->name, kept, n);
}

static int write_seeds(const char *dir)
{
	struct dice d = { 88172645463325252u };
	char path[512];

	for (size_t k = 0; k < sizeof targets / sizeof *targets; k++)
		for (unsigned i = 0; i < SEEDS; i++) {
			FILE *f;

			snprintf(path, sizeof path, "%s/%s/%03u", dir, targets[k].name, i);
			f = fopen(path, "wb");
			input_len = targets[k].seed(&d, input);
			if (f == NULL || fwrite(input, 1, input_len, f) != input_len || fclose(f)) {
				perror(path);
				return 2;
			}
		}
	return 0;
}

static const struct target *find(const char *name)
{
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		if (strcmp(targets[i].name, name) == 0)
			return &targets[i];
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long n = 10000;
	const struct target *t = NULL;
	int i = 1;

	if (argc == 3 && strcmp(argv[1], "-w") == 0)
		return write_seeds(argv[2]);
	if (argc > 2 && strcmp(argv[1], "-n") == 0) {
		n = strtoul(argv[2], NULL, 10);
		i = 3;
	}
	if (i == argc)
		for (size_t k = 0; k < sizeof targets / sizeof *targets; k++)
			replay(&targets[k], n);
	for (; i < argc; i++) {
		const struct target *named = find(argv[i]);

		if (named != NULL && (i + 1 == argc || find(argv[i + 1]) != NULL))
			replay(named, n);
		else if (named == NULL && t != NULL)
			printf("%s: %zu\n", argv[i], replay_file(t, argv[i]));
		else if (named == NULL) {
			fprintf(stderr, "fuzz_replay: no target %s\n", argv[i]);
			return 2;
		}
		t = named != NULL ? named : t;
	}
	return 0;
}
