/* Leases of tokens (security.md 41): for a while a token's codes are one host's alone, which
 * can judge them without asking, and knows no seed. Pure.
 *
 * Of the codes that a host holds, none is accepted anywhere else until the host gives the
 * lease back and says how far the token is, durably done with it before. A host that never
 * does leaves its whole window void. So each code is good once, whatever any clock says;
 * clocks only decide when a token can be used elsewhere again. */
#ifndef ENGINE_LEASE_H
#define ENGINE_LEASE_H

#include "otpcore/engine/crypto.h"
#include "otpcore/engine/model.h"
#include "otpcore/engine/token.h"

#define LEASE_SKEW      120  /* seconds that two clocks may be apart */
#define LEASE_CODES     40   /* of a HOTP token */
#define LEASE_PLACES    3072 /* of a window at most; 24 h of half minutes, and some */
#define LEASE_TRIES_MAX 1000 /* of a lease: beyond every setting */
#define LEASE_HASH      8    /* bytes of a code's hash */

/* ---- at the auth host ---- */

enum lease_standing { LEASE_NONE, LEASE_LIVE, LEASE_OVER /* and not given back */ };
enum lease_standing lease_standing(const struct token *t, int64_t now);
/* May a code that came from this host be judged? `lease`: the one under which the host has
 * struck the code off its own window, so that it will not take it as well; 0: none. */
bool lease_allows(const struct token *t, const char *host, int64_t lease, int64_t now);
/* Is it another's than this host's? NULL: than anybody's. */
bool lease_elsewhere(const struct token *t, const char *host, int64_t now);
/* The token as its codes are to be judged: behind the window of a lease that is over. */
struct token lease_view(const struct token *t, int64_t now);
/* A code was accepted: one that is over was passed, and is forgotten. */
void lease_passed(struct token *t, int64_t now);
void lease_clear(struct token *t);

struct lease_ask {
	const char *host;
	int64_t lease, seconds;
};
/* Does the list of a host name this account? Names stand there, with blanks between, one by
 * one and no patterns: whoever is named can log in nowhere else meanwhile. */
bool lease_named(const char *names, const char *account);
/* Can it be given, or go on? Not while it is another's; nor, of a HOTP token, while an
 * earlier one was never given back: it would take the codes that the token shows next. */
bool lease_can(const struct token *t, const struct lease_ask *ask, int64_t now);
/* Given, or longer by now: the row, and first_r: the window is first..lease_last. */
void lease_give(struct token *t, const struct lease_ask *ask, const struct token_windows *w,
	int64_t now, int64_t *first_r);
/* Of a HOTP token that was moved so far under leases in a day none is given that day: root of
 * a relay can say that it used them all, and the owner has to catch up with two codes. */
#define LEASE_MOVES 80
/* What its holder says: the furthest position that it accepted (-1: none). */
void lease_report(struct token *t, int64_t position);

/* ---- at its holder ---- */

struct lease_window {
	int64_t type, digits, period, drift;
	int64_t ahead; /* positions before (TOTP) and after the expected one that may match */
	int64_t first, last;
	int64_t moving;              /* as of struct token */
	unsigned char key[HASH_LEN]; /* random, of this window */
	const unsigned char *hashes; /* LEASE_HASH bytes for each of first..last */
	const int64_t *struck;       /* positions whose codes went to an auth host */
	size_t n_struck;
};
/* The hash of a code at a position: HMAC-SHA-256 of both, cut off. 0 or MAG_ECRYPTO. */
int lease_hash(
	struct crypto_mac *m, int64_t position, const char *code, unsigned char hash_r[LEASE_HASH]);
/* VERDICT_OK with the position; VERDICT_CODE_USED, VERDICT_CODE_WRONG; VERDICT_NONE: nothing
 * can be said. */
enum verdict lease_judge(
	const struct lease_window *w, const char *code, int64_t now, int64_t *position_r);
/* Where in the whole window, passed or not, might this code be accepted elsewhere? Fills at
 * most `max` and returns how many there are; or MAG_ECRYPTO. */
int lease_places(const struct lease_window *w, const char *code, int64_t *places_r, size_t max);
/* The clock of a host that nobody asks: never behind what it has shown before. */
int64_t lease_now(int64_t clock, int64_t seen);

#endif
