/* The targets for clang's libFuzzer: one program, which runs the target that it is called
 * by, fuzz_NAME. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct {
	const char *name;
	void (*run)(const uint8_t *data, size_t len);
} targets[] = {
#define FUZZ(name) { #name, fuzz_##name },
#include "tests/fuzz/fuzz.def"
#undef FUZZ
};
static void (*run)(const uint8_t *data, size_t len);

_Noreturn void fuzz_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = strrchr((*argv)[0], '/');

	(void)argc;
	name = name ? name + 1 : (*argv)[0];
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		if (strncmp(name, "fuzz_", 5) == 0 && strcmp(name + 5, targets[i].name) == 0)
			run = targets[i].run;
	if (run == NULL) {
		fprintf(stderr, "%s: no such target\n", name);
		exit(2);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	run(data, len);
	return 0;
}
