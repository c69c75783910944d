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
#include <stdlib.h>
#include <string.h>

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

/* The input as a string, to be freed; what stands behind a NUL is not seen. */
static inline char *fuzz_string(const uint8_t *data, size_t len)
{
	char *s = malloc(len + 1);

	FUZZ_CHECK(s != NULL);
	if (len > 0)
		memcpy(s, data, len);
	s[len] = '\0';
	return s;
}

/* A reply to this message: of the input the first two bytes are verdict (252..255: errors) and
 * seconds, then each field takes one. Returns its length, at most WIRE_FRAME_MAX. */
size_t fuzz_fitting_reply(
	const struct wire_message *m, const uint8_t *data, size_t len, uint8_t *out);

/* While it is not negative, connect() makes the socket this one. */
extern int fuzz_peer;

/* A file of that name, with this in it, in a folder of this process (which goes with it).
 * Its path is valid until the next call; NULL data: only the path. */
const char *fuzz_file(const char *name, const void *data, size_t len);

/* One of these, as it is. Returns its length. */
static inline size_t fuzz_choose(struct dice *d, const char *const *texts, size_t n, uint8_t *out)
{
	const char *s = texts[dice_below(d, n)];

	memcpy(out, s, strlen(s));
	return strlen(s);
}

#endif
