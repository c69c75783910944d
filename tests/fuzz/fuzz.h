/* What takes bytes from outside, each as one function over bytes. A property
 * that does not hold stops the program and says which.
 *
 *   make fuzz           builds build/tests/fuzz/fuzz_NAME with clang's libFuzzer
 *   ./fuzz_replay       (make check) seeds and mutations, the same on every run
 *   ./fuzz_replay -n 1000000 wire_request      more of one target */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/wire_random.h"

#define FUZZ_INPUT_MAX 70000

/* `run` looks at one input; `seed` makes one that is right, or nearly. */
#define FUZZ(name)                                                                                 \
	void fuzz_##name(const uint8_t *data, size_t len);                                         \
	size_t seed_##name(struct dice *d, uint8_t *out);
#include "tests/fuzz/fuzz.def"
#undef FUZZ

#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fuzz_failed(__FILE__, __LINE__, #condition);                               \
	} while (0)
_Noreturn void fuzz_failed(const char *file, int line, const char *what);

#endif
