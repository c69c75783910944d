#include "otpcore/base/strength.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *id, *label;
} strengths[STRENGTH_N] = {
	[STRENGTH_NONE] = { "none", "Nothing" },
#define STRENGTH(name, id, label) [STRENGTH_##name] = { id, label },
#include "otpcore/base/strength.def"
#undef STRENGTH
};

/* Values travel as numbers: one from outside the table proves nothing. */
static bool known(enum strength s)
{
	return (int)s > STRENGTH_NONE && (int)s < STRENGTH_N;
}

const char *strength_id(enum strength s)
{
	return strengths[known(s) ? s : STRENGTH_NONE].id;
}

const char *strength_label(enum strength s)
{
	return strengths[known(s) ? s : STRENGTH_NONE].label;
}

enum strength strength_from_id(const char *id)
{
	for (int s = STRENGTH_NONE + 1; id != NULL && s < STRENGTH_N; s++)
		if (strcmp(strengths[s].id, id) == 0)
			return (enum strength)s;
	return STRENGTH_NONE;
}

bool strength_satisfies(enum strength have, enum strength need)
{
	return known(have) && known(need) && have >= need;
}
