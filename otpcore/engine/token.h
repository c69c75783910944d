/* Tokens and apps: is this code the next one (H5, H6), are these two consecutive
 * (H2, H4)? Pure: the seed is opened by the caller, rows are not changed here. */
#ifndef ENGINE_TOKEN_H
#define ENGINE_TOKEN_H

#include "otpcore/base/secret.h"
#include "otpcore/engine/model.h"

struct token_windows { /* settings [hardware] */
	int64_t hotp, totp, resync_hotp, resync_totp;
};

/* What accepting would make of the row. */
struct token_position {
	int64_t moving, drift;
};

/* One code at login. HOTP: counters moving .. moving + hotp. TOTP: step(now) +
 * drift +- totp, later than moving. VERDICT_OK fills next_r; VERDICT_CODE_USED if
 * the code is that of an already passed position inside the window; else
 * VERDICT_CODE_WRONG. All candidates are computed whatever matches. */
enum verdict token_judge(const struct token *t, const struct mag_secret *seed, const char *code,
	int64_t now, const struct token_windows *w, struct token_position *next_r);

/* Two consecutive codes within the wide windows; never behind `moving`; burns
 * both (RFC 4226 §7.4). VERDICT_OK or VERDICT_CODES_WRONG, one verdict for both. */
enum verdict token_resync(const struct token *t, const struct mag_secret *seed,
	const char *const codes[2], int64_t now, const struct token_windows *w,
	struct token_position *next_r);

/* A clock that was wrong left a TOTP token's last step in the future, beyond drift and
 * the wide window: every right code would be "used" until then. Its present step takes
 * the place (security.md 28). False: there is nothing to put right. An administrator's
 * to ask for: codes of steps between that were used are forgotten. */
bool token_recall(const struct token *t, int64_t now, const struct token_windows *w,
	struct token_position *next_r);

/* Checks a row and seed at import: digits 6-8, 30 or 60 s, 16..64 bytes of seed,
 * known algorithm, counter in range, serial of 1..64 printable ASCII characters
 * without blanks. NULL: right; else what is wrong, static. */
const char *token_fault(const struct token *t, const struct mag_secret *seed);

enum strength token_strength(const struct token *t); /* hardware-otp or mobile-id if active */
int64_t token_level(const struct aggregate *a, const struct token *t);
struct subscription *token_subscription(struct aggregate *a, const struct token *t);
/* lifecycle.h's LIFE_HAS_PAID if its subscription is active now, else 0. */
unsigned token_paid(const struct aggregate *a, const struct token *t, int64_t now);
/* What people see: the state, or "expired" when its subscription is. */
const char *token_state_id(const struct aggregate *a, const struct token *t, int64_t now);
/* Why this token can't be used at a login: VERDICT_OK if it can, else
 * VERDICT_TOKEN_LOCKED, _SUSPENDED, _SUSPENDED_BY_ADMIN, _EXPIRED, _PENDING, _REVOKED,
 * VERDICT_PROOFING_PENDING (I1), VERDICT_TOKEN_OUT_OF_SYNC (resyncs used up). */
enum verdict token_usable(const struct aggregate *a, const struct token *t, int64_t resyncs,
	int64_t limit, int64_t now);
/* "t1" or "m1" or the serial names this token of the account; NULL. "" means the
 * only one that is not revoked. */
struct token *token_named(struct aggregate *a, const char *name);
/* Last four characters of the serial. */
const char *token_masked(const struct token *t);

/* Recovery codes: 16 characters of the licence keys' alphabet in four groups,
 * 80 random bits. */
#define RECOVERY_TEXT_LEN 19
void recovery_format(const unsigned char random[10], char text_r[RECOVERY_TEXT_LEN + 1]);
/* As typed -> normal form; false if it can't be one. */
bool recovery_parse(const char *typed, char text_r[RECOVERY_TEXT_LEN + 1]);
int recovery_hash(const char text[RECOVERY_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN]);
/* The unused one with this hash, in date; NULL. */
struct recovery *recovery_find(
	struct aggregate *a, const unsigned char hash[HASH_LEN], int64_t now);

#endif
