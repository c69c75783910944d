/* Licence keys, products and dates: K1-K3, K5, K7, P8, P9.
 *
 * A key is six groups of five characters, ABCD1-...: four characters of base32
 * (Crockford's alphabet: no I L O U) and one check character over the group
 * and its place, so that "group 3" can be named (K3). 120 bits. */
#ifndef ENGINE_LICENCE_H
#define ENGINE_LICENCE_H

#include "otpcore/engine/model.h"

#define KEY_TEXT_LEN 35 /* six groups of five, five dashes */
#define KEY_RANDOM_LEN 15

/* The key made of 15 random bytes. */
void key_format(const unsigned char random[KEY_RANDOM_LEN], char text_r[KEY_TEXT_LEN + 1]);

/* As typed (any case, with or without dashes and blanks, I/L as 1, O as 0) ->
 * normal form. VERDICT_OK; VERDICT_KEY_MISTYPED with *group_r 1..6, or 0 when
 * the length is wrong. */
enum verdict key_parse(const char *typed, char text_r[KEY_TEXT_LEN + 1], unsigned *group_r);

/* SHA-256 of the normal form (120 random bits need no pepper). */
int key_hash(const char text[KEY_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN]);

const char *product_id(enum product p);              /* "phone-us" */
enum product product_from_id(const char *id);        /* 0 if none */
const char *product_label(enum product p);           /* "phone, US numbers" */
bool product_takes_phone(enum product p, const char *country);  /* P8; country "US" ... */

/* H9, K7, security.md 28: `years` after `from`, the end of that day (23:59:59
 * local); 29 February -> 28 February. */
int64_t licence_expiry(int64_t from, int years);

/* What activating does. `row` NULL or id 0: unknown key; so are keys that are
 * void or still held. Changes nothing. */
enum verdict licence_judge(const struct licence *row, int64_t account);

/* The active subscription that takes a phone of this country at `now`, or NULL. */
struct subscription *subscription_for_phone(struct aggregate *a, const char *country, int64_t now);
bool subscription_active(const struct subscription *s, int64_t now);

const char *licence_state_id(int64_t state);

#endif
