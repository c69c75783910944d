#include "otpcore/base/verdict.h"

#include <stddef.h>
#include <string.h>

static const struct {
	enum verdict verdict;
	char id[32]; /* in place: nothing to relocate */
} verdicts[] = {
#define VERDICT(name, number, id) { VERDICT_##name, id },
#include "otpcore/base/verdict.def"
#undef VERDICT
};

#define N_VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

const char *verdict_id(unsigned verdict)
{
	for (size_t i = 0; i < N_VERDICTS; i++)
		if ((unsigned)verdicts[i].verdict == verdict)
			return verdicts[i].id;
	return "undecided";
}

enum verdict verdict_from_id(const char *id)
{
	for (size_t i = 0; id != NULL && i < N_VERDICTS; i++)
		if (strcmp(verdicts[i].id, id) == 0)
			return verdicts[i].verdict;
	return VERDICT_NONE;
}
