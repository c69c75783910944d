/* Phone codes: P4, P5. A challenge is one sent code; the chain is all codes of
 * the same login. */
#ifndef ENGINE_CHALLENGE_H
#define ENGINE_CHALLENGE_H

#include "otpcore/engine/model.h"

/* The code of a challenge from HMAC(PEPPER_CODE, nonce). */
int challenge_code(const unsigned char mac[HASH_LEN], unsigned digits, char code_r[9]);

/* The live challenge of this chain (and phone, channel; 0: any), or NULL.
 * "Live": state live and now < expires_at. */
struct challenge *challenge_live(
	struct aggregate *a, const struct blob *chain, int64_t phone, int64_t channel, int64_t now);

/* The newest challenge of the chain in any state within the last day, or NULL:
 * tells "expired", "used" and "tries exceeded" from "wrong". */
struct challenge *challenge_latest(struct aggregate *a, const struct blob *chain);

/* Judge a code against the chain, without looking at it more than needed.
 * `mac` is HMAC(PEPPER_CODE, nonce) of the live challenge; `tried` is how many
 * wrong codes the chain has had, this one not counted. Changes nothing.
 *   VERDICT_OK  VERDICT_CODE_WRONG  VERDICT_CODE_EXPIRED (not evaluated, not
 *   charged)  VERDICT_CODE_USED  VERDICT_NO_CODE_PENDING
 *   VERDICT_TRIES_EXCEEDED: no try was left, or this wrong code took the last
 *   VERDICT_NONE: mac is missing */
struct challenge_input {
	const struct challenge *live, *latest; /* either may be NULL */
	const unsigned char *mac;              /* HASH_LEN, NULL if no live one */
	unsigned digits;
	const char *code;
	int64_t tried, tries; /* P4: 3 */
	int64_t now;
};
enum verdict challenge_judge(const struct challenge_input *in);

/* Is this code the one of that challenge, whatever its state? Constant time. */
int challenge_matches(const unsigned char mac[HASH_LEN], unsigned digits, const char *code);

#endif
