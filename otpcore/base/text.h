/* Texts from outside: checked, cleaned, converted. No locale anywhere. */
#ifndef MAG_TEXT_H
#define MAG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Valid UTF-8 (RFC 3629: no overlong forms, no surrogates), no NUL inside. */
bool mag_utf8_valid(const char *s, size_t len);

/* Copy `src` so that it is safe on a terminal and in one log line: control
 * characters, bytes that are not UTF-8 and bidi or line separators become '?'.
 * Cut at a character boundary. NULL counts as "". Returns dst. */
char *mag_clean(char *dst, size_t cap, const char *src);

/* Copy a string that must fit. 0 or MAG_ENOSPACE (dst then holds ""). */
int mag_copy(char *dst, size_t cap, const char *src);

bool mag_streq(const char *a, const char *b);
bool mag_has_prefix(const char *s, const char *prefix);
bool mag_all_digits(const char *s); /* at least one digit, nothing else */

/* Durations as in magotp.conf: "20s", "2m", "8h", "30d", "1y" (365 days);
 * seconds. 0, MAG_ESYNTAX or MAG_ERANGE. */
int mag_duration_parse(const char *s, int64_t *seconds_r);
char *mag_duration_format(int64_t seconds, char *buf, size_t cap); /* "2m" */

/* Whole decimal number in [min, max]. 0, MAG_ESYNTAX or MAG_ERANGE. */
int mag_int_parse(const char *s, int64_t min, int64_t max, int64_t *value_r);

/* Lower-case hex. `out` holds 2*len+1. The decoder takes either case:
 * 0, MAG_ESYNTAX or MAG_ENOSPACE. */
void mag_hex_encode(const void *data, size_t len, char *out);
int mag_hex_decode(const char *hex, void *out, size_t cap, size_t *len_r);

/* RFC 4648 base64 without padding, URL alphabet: fits an environment variable. */
int mag_base64_encode(const void *data, size_t len, char *out, size_t cap);
int mag_base64_decode(const char *text, void *out, size_t cap, size_t *len_r);

/* UTC, RFC 3339: "2026-11-21T14:02:00Z"; and for people, in local time:
 * "2026-11-21 14:02" and "2026-11-21". Returns buf; "never" for at <= 0. */
char *mag_time_rfc3339(int64_t at, char *buf, size_t cap);
char *mag_time_minute(int64_t at, char *buf, size_t cap);
char *mag_time_day(int64_t at, char *buf, size_t cap);

/* How far two words are apart (Damerau-Levenshtein), and the nearest of a
 * NULL-terminated list within distance 3; NULL if none is near. */
unsigned mag_distance(const char *a, const char *b);
const char *mag_nearest(const char *word, const char *const *words);

#endif
