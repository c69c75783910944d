/* From what a person typed to an E.164 number with its country. Numbers of the
 * North American plan are read by our own rules, in every build alike; others
 * by libphonenumber, or by shape where it is not built in. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/number.h"
#include "otpcore/engine/number_lib.h"
#include "otpcore/engine/region.h"

#define NANP_LEN  10 /* area code, exchange, line */
#define WORLD_MIN 7  /* shortest numbers of the world with their calling code: +290 1234 */

/* "+" and digits, or digits; what people put between them is left out. */
static bool read_digits(const char *typed, char digits_r[NUMBER_TYPED_MAX + 1])
{
	size_t n = 0;

	if (strnlen(typed, NUMBER_TYPED_MAX + 1) > NUMBER_TYPED_MAX)
		return false;
	for (; *typed; typed++) {
		if (strchr(" -.()/", *typed))
			continue;
		if (*typed == '+' ? n > 0 : *typed < '0' || *typed > '9')
			return false;
		digits_r[n++] = *typed;
	}
	digits_r[n] = '\0';
	return n > 0;
}

/* Two capitals from "us" or "US"; "" counts as US. */
static bool read_country(const char *typed, char country_r[3])
{
	size_t i;

	if (!typed || !*typed)
		typed = "US";
	if (strnlen(typed, 3) != 2)
		return false;
	for (i = 0; i < 2; i++)
		country_r[i] =
			(char)(typed[i] >= 'a' && typed[i] <= 'z' ? typed[i] - 32 : typed[i]);
	country_r[2] = '\0';
	return region_code_for(country_r) != NULL;
}

/* The ten digits of a North American number: first digit of area code and
 * exchange 2-9, no N9X area code, neither of them N11. */
static bool nanp_possible(const char *d)
{
	if (strlen(d) != NANP_LEN || d[0] < '2' || d[3] < '2' || d[1] == '9')
		return false;
	return memcmp(d + 1, "11", 2) != 0 && memcmp(d + 4, "11", 2) != 0;
}

static bool nanp_number(const char *d, struct number *n)
{
	enum region_service service;

	if (!nanp_possible(d))
		return false;
	service = region_service_of(d);
	if (service == REGION_TOLL_FREE || service == REGION_PREMIUM)
		return false;
	if (memcmp(d + 3, "976", 3) == 0) /* premium exchange in every area */
		return false;
	n->e164[0] = '+';
	n->e164[1] = '1';
	memcpy(n->e164 + 2, d, NANP_LEN + 1);
	memcpy(n->country, region_of_area_code(d), strlen(region_of_area_code(d)) + 1);
	n->kind = service == REGION_GEOGRAPHIC ? NUMBER_FIXED_OR_MOBILE : NUMBER_UNKNOWN;
	return true;
}

#if defined(HAVE_PHONENUMBER) && !defined(MAG_TEST_OWN)
static bool world_number(const char *digits, const char *country, struct number *n)
{
	struct number_lib lib;

	if (number_lib_parse(digits, country, &lib) < 0 || lib.kind == NUMBER_PREMIUM)
		return false;
	memcpy(n->e164, lib.e164, sizeof(n->e164));
	n->kind = lib.kind;
	/* The calling code decides where the metadata does not know the number. */
	if (strlen(lib.region) == 2 && !mag_streq(lib.region, "ZZ"))
		memcpy(n->country, lib.region, 3);
	return true;
}
#else
/* By shape. Without "+" only the way out of a country is known, not how its
 * numbers are written at home: the caller must type "+". */
static bool world_number(const char *digits, const char *country, struct number *n)
{
	size_t len = strlen(digits);

	(void)country;
	if (digits[0] != '+' || len - 1 > E164_MAX || len - 1 < WORLD_MIN)
		return false;
	memcpy(n->e164, digits, len + 1);
	n->kind = NUMBER_UNKNOWN;
	return true;
}
#endif

/* Give a number in international form its country: own table, then what the
 * library said, already in n. */
static bool place(struct number *n)
{
	const char *region;

	if (region_calling_code(n->e164 + 1, &region) == 0)
		return false;
	if (!*region)
		return false; /* freephone, shared cost, satellites: no country's */
	if (!*n->country)
		memcpy(n->country, region, 3);
	return true;
}

/* "+1..." and what is typed inside the plan: "202...", "1 202...", "011 44...". */
static bool parse_digits(const char *digits, const char *country, struct number *n)
{
	bool nanp = mag_streq(region_code_for(country), "1");
	char abroad[NUMBER_TYPED_MAX + 2] = "+";

	if (mag_has_prefix(digits, "+1"))
		return nanp_number(digits + 2, n);
	if (digits[0] != '+' && mag_has_prefix(digits, nanp ? "011" : "00")) {
		memcpy(abroad + 1, digits + (nanp ? 3 : 2), strlen(digits + (nanp ? 3 : 2)) + 1);
		digits = abroad;
		if (mag_has_prefix(digits, "+1"))
			return nanp_number(digits + 2, n);
	} else if (nanp && digits[0] != '+') {
		return nanp_number(digits[0] == '1' ? digits + 1 : digits, n);
	}
	return world_number(digits, country, n) && !mag_has_prefix(n->e164, "+1") && place(n);
}

enum verdict number_parse(
	const char *typed, const char *country, const char *overrides, struct number *number_r)
{
	struct number n = { .kind = NUMBER_UNKNOWN };
	char digits[NUMBER_TYPED_MAX + 1], region[3];
	size_t len;

	if (!typed || !read_digits(typed, digits) || !read_country(country, region))
		return VERDICT_PHONE_INVALID;
	if (!parse_digits(digits, region, &n))
		return VERDICT_PHONE_INVALID;
	if (region_override(overrides, n.e164, region))
		memcpy(n.country, region, 3);
	len = strlen(n.e164);
	memcpy(n.masked, n.e164 + len - 4, 5);
	*number_r = n;
	return VERDICT_OK;
}

bool number_is_us_state(const char *country)
{
	return mag_streq(country, "US");
}

void number_warm_up(void)
{
	struct number n;

	/* Numbers of several shapes: the library compiles its patterns as it goes. */
	number_parse("+442079460018", "GB", "", &n);
	number_parse("07700900123", "GB", "", &n);
	number_parse("+12025550134", "US", "", &n);
}
