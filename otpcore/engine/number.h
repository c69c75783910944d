/* Phone numbers: P2, P8, P10. Parsing through libphonenumber (number_lib.cc)
 * where it is built in; otherwise by shape and our own tables (number.c). */
#ifndef ENGINE_NUMBER_H
#define ENGINE_NUMBER_H

#include <stdbool.h>

#include "otpcore/base/verdict.h"

#define E164_MAX         15
#define NUMBER_TYPED_MAX 32

enum number_kind {
	NUMBER_UNKNOWN,
	NUMBER_MOBILE,
	NUMBER_FIXED,
	NUMBER_FIXED_OR_MOBILE,
	NUMBER_VOIP,
	NUMBER_PREMIUM
};

struct number {
	char e164[E164_MAX + 2]; /* "+12025550134" */
	char country[3];         /* ISO 3166: US, PR, GB; "" unknown */
	enum number_kind kind;
	char masked[5]; /* "0134" */
};

/* As typed ("+1 202-555-0134") with the country it is read in when there is no
 * "+" ("" = US). overrides: settings.region_overrides ("" = none).
 * VERDICT_OK; VERDICT_PHONE_INVALID (not possible in its country, premium,
 * shared cost or toll-free; longer than 32 ASCII characters). */
enum verdict number_parse(
	const char *typed, const char *country, const char *overrides, struct number *number_r);

/* One of the 50 states or DC (P8). Territories have their own codes. */
bool number_is_us_state(const char *country);

/* Load the library's metadata now, before the sandbox closes. */
void number_warm_up(void);

#endif
