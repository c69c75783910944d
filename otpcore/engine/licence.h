/* Licence keys, products and dates: K1-K3, K5, K7, P8, P9.
 *
 * A key is six groups of five characters, ABCD1-...: four characters of base32
 * (Crockford's alphabet: no I L O U) and one check character over the group
 * and its place, so that "group 3" can be named (K3). 120 bits. */
#ifndef ENGINE_LICENCE_H
#define ENGINE_LICENCE_H

#include "otpcore/engine/model.h"

#define KEY_TEXT_LEN   35 /* six groups of five, five dashes */
#define KEY_RANDOM_LEN 15

/* The key made of 15 random bytes. */
void key_format(const unsigned char random[KEY_RANDOM_LEN], char text_r[KEY_TEXT_LEN + 1]);

/* As typed (any case, with or without dashes and blanks, I/L as 1, O as 0) ->
 * normal form. VERDICT_OK; VERDICT_KEY_MISTYPED with *group_r 1..6, or 0 when
 * the length is wrong. */
enum verdict key_parse(const char *typed, char text_r[KEY_TEXT_LEN + 1], unsigned *group_r);

/* The same for texts of another number of groups, at most six: 20 bits each,
 * KEY_GROUPS_LEN(groups) characters and a NUL. */
#define KEY_GROUPS_LEN(groups) (6 * (groups)-1)
void key_groups_format(const unsigned char *random, unsigned groups, char *text_r);
enum verdict key_groups_parse(const char *typed, unsigned groups, char *text_r, unsigned *group_r);

/* SHA-256 of the normal form (120 random bits need no pepper). */
int key_hash(const char text[KEY_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN]);

const char *product_id(enum product p);                        /* "phone-us" */
enum product product_from_id(const char *id);                  /* 0 if none */
const char *product_label(enum product p);                     /* "phone, US numbers" */
bool product_takes_phone(enum product p, const char *country); /* P8; country "US" ... */
bool product_is_phone(enum product p);                         /* phone-us, phone-intl */
bool product_takes_token(enum product p);                      /* hardware, mobile-hardware */
bool product_takes_mobile(enum product p);                     /* mobile, mobile-hardware */

/* H9, K7, security.md 28: `years` after `from`, the end of that day (23:59:59
 * local); 29 February -> 28 February. */
int64_t licence_expiry(int64_t from, int years);

/* What activating does. `row` NULL or id 0: unknown key; so are keys that are
 * void or still held. Changes nothing. */
enum verdict licence_judge(const struct licence *row, int64_t account);

/* ---- subscription.c ---- */

bool subscription_active(const struct subscription *s, int64_t now);
/* The active subscription that takes a phone of this country, a hardware token,
 * an app at `now`: of several the one that ends last. NULL. */
struct subscription *subscription_for_phone(struct aggregate *a, const char *country, int64_t now);
struct subscription *subscription_for_token(struct aggregate *a, int64_t now);
struct subscription *subscription_for_mobile(struct aggregate *a, int64_t now);

/* H10: a token or app that is added to a phone subscription, and a phone that is
 * added to a token's, end with it. The end of the active subscription of the
 * other sort that ends last; 0: there is none, the year counts from purchase. */
int64_t licence_addon_expiry(const struct aggregate *a, enum product p, int64_t now);

/* What a right key of a product does to an account (K5, K7, H9, H10). */
struct licence_effect {
	struct subscription *extends; /* NULL: a new subscription begins */
	int64_t expires;
};
/* VERDICT_OK fills e_r: the same product is extended, by a year from its
 * original expiry, while that may be (calendar_renewed()); else a new subscription
 * begins, with the date of H10 or a year from purchase.
 * VERDICT_PRODUCT_WRONG: all the account has for this sort of credential has expired
 * and waits for a key of another product. VERDICT_NOT_ALLOWED: the key's year, counted
 * from purchase, is over. Changes nothing. `renewal_period`: seconds. */
enum verdict licence_effect(struct aggregate *a, const struct licence *l, int64_t renewal_period,
	int64_t now, struct licence_effect *e_r);

const char *licence_state_id(int64_t state);

#endif
