/* What was decided: apart from errors, one list. */
#ifndef MAG_VERDICT_H
#define MAG_VERDICT_H

enum verdict {
#define VERDICT(name, number, id) VERDICT_##name = (number),
#include "otpcore/base/verdict.def"
#undef VERDICT
};

/* The stable id of a verdict, such as "code-wrong"; "undecided" for a number
 * that is not in the list. Static. */
const char *verdict_id(unsigned verdict);

/* The verdict with this id; VERDICT_NONE if there is none. */
enum verdict verdict_from_id(const char *id);

#endif
