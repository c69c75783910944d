/* Credential strengths (rule L7): how strongly a session was authenticated. */
#ifndef MAG_STRENGTH_H
#define MAG_STRENGTH_H

#include <stdbool.h>

enum strength {
	STRENGTH_NONE = 0, /* nothing was proven; satisfies nothing */
#define STRENGTH(name, id, label) STRENGTH_##name,
#include "otpcore/base/strength.def"
#undef STRENGTH
	STRENGTH_N
};

/* The id that programs read ("phone-otp") and the label that people read
 * ("Phone OTP"); "none" and "Nothing" for STRENGTH_NONE and unknown values. */
const char *strength_id(enum strength s);
const char *strength_label(enum strength s);

/* The strength with this id; STRENGTH_NONE if there is none. */
enum strength strength_from_id(const char *id);

/* Does a session of strength `have` satisfy a service that needs `need`?
 * Never for STRENGTH_NONE or a value out of range, on either side. */
bool strength_satisfies(enum strength have, enum strength need);

#endif
