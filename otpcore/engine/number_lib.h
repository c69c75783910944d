/* What libphonenumber knows about a number, behind plain C. Only where it is
 * built in (HAVE_PHONENUMBER). */
#ifndef ENGINE_NUMBER_LIB_H
#define ENGINE_NUMBER_LIB_H

#include <stdbool.h>

#include "otpcore/engine/number.h"

#ifdef __cplusplus
extern "C" {
#endif

struct number_lib {
	char e164[E164_MAX + 2];
	char region[4];        /* "GB", "001" for none, "ZZ" or "" unknown */
	enum number_kind kind; /* NUMBER_PREMIUM for everything that may cost or that
				  is not one person's: premium, shared cost,
				  toll-free, personal, company and pager numbers */
};

/* typed: at most 32 ASCII characters; region: two capitals. 0; -1 if it is not a
 * possible number or the library failed. No exception passes. */
int number_lib_parse(const char *typed, const char *region, struct number_lib *r);

#ifdef __cplusplus
}
#endif
#endif
