/* Which country a number belongs to, by our own tables: the North American
 * plan by area code, the rest of the world by calling code. Metadata of
 * libraries is years behind the newer area codes. */
#ifndef ENGINE_REGION_H
#define ENGINE_REGION_H

#include <stdbool.h>

enum region_service { REGION_GEOGRAPHIC, REGION_TOLL_FREE, REGION_PREMIUM, REGION_OTHER };

/* "202" -> "US", "671" -> "GU", "246" -> "BB"; "" for one that no country has
 * (service codes, codes not handed out yet). Three digits. */
const char *region_of_area_code(const char *digits);

/* What an area code is for: 8YY is toll-free, 900 premium, 5YY 600 700 710 other. */
enum region_service region_service_of(const char *digits);

/* The length of the calling code at the head of the digits (1..3) and its main
 * region ("" for codes that belong to no country); 0: there is no such code. */
unsigned region_calling_code(const char *digits, const char **region_r);

/* Calling code of a region ("GB" -> "44", "GU" -> "1"), NULL if unknown. */
const char *region_code_for(const char *region);

/* The region that "PREFIX=REGION ..." says for an E.164 number (longest prefix
 * wins); false if none does. region_r holds three. */
bool region_override(const char *overrides, const char *e164, char region_r[3]);

#endif
