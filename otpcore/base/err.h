/* One list of errors for the whole house.
 *
 * Functions return int: 0, or a negative enum mag_err. Outputs come last, end
 * in _r and are untouched on failure. */
#ifndef MAG_ERR_H
#define MAG_ERR_H

enum mag_err {
	MAG_OK = 0,
#define MAG_ERR(name, number, text) MAG_E##name = -(number),
#include "otpcore/base/err.def"
#undef MAG_ERR
};

/* The text of an error (static, lower case, no full stop); "unknown error" for
 * a number that is not in the list. */
const char *mag_strerror(int r);

#endif
