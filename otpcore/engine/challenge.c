/* Phone codes: which one is meant, and is it right. */
#include <string.h>

#include "otpcore/base/secret.h"
#include "otpcore/engine/challenge.h"
#include "otpcore/engine/otp.h"

int challenge_code(const unsigned char mac[HASH_LEN], unsigned digits, char code_r[9])
{
	return otp_truncate(mac, HASH_LEN, digits, code_r);
}

int challenge_matches(const unsigned char mac[HASH_LEN], unsigned digits, const char *code)
{
	char right[OTP_DIGITS_MAX + 1];
	int same = 0;

	if (!code || challenge_code(mac, digits, right) < 0)
		return 0;
	/* How long a code is, is no secret. */
	if (strnlen(code, digits + 1) == digits)
		same = mag_equal(right, code, digits);
	mag_wipe(right, sizeof(right));
	return same;
}

static bool same_chain(const struct challenge *c, const struct blob *chain)
{
	if (c->row.fate == ROW_DELETED || chain->len == 0 || chain->len > SEALED_MAX)
		return false;
	return c->chain.len == chain->len && mag_equal(c->chain.data, chain->data, chain->len);
}

static bool alive(const struct challenge *c, int64_t now)
{
	return c->state == CHALLENGE_LIVE && now < c->expires_at;
}

/* Of two made in the same second the live one counts as newer: making a code
 * kills the one before it. */
static bool newer(const struct challenge *c, const struct challenge *than)
{
	if (!than || c->created_at != than->created_at)
		return !than || c->created_at > than->created_at;
	return c->state == CHALLENGE_LIVE || than->state != CHALLENGE_LIVE;
}

struct challenge *challenge_live(
	struct aggregate *a, const struct blob *chain, int64_t phone, int64_t channel, int64_t now)
{
	struct challenge *found = NULL;
	size_t i;

	for (i = 0; i < a->n_challenges && i < CHALLENGES_MAX; i++) {
		struct challenge *c = &a->challenges[i];

		if (!same_chain(c, chain) || !alive(c, now))
			continue;
		if ((phone && c->phone != phone) || (channel && c->channel != channel))
			continue;
		if (newer(c, found))
			found = c;
	}
	return found;
}

struct challenge *challenge_latest(struct aggregate *a, const struct blob *chain)
{
	struct challenge *found = NULL;
	size_t i;

	for (i = 0; i < a->n_challenges && i < CHALLENGES_MAX; i++) {
		struct challenge *c = &a->challenges[i];

		if (same_chain(c, chain) && newer(c, found))
			found = c;
	}
	return found;
}

/* Why no code can be judged. */
static enum verdict without_code(const struct challenge_input *in)
{
	if (!in->latest)
		return VERDICT_NO_CODE_PENDING;
	if (in->latest->state == CHALLENGE_USED)
		return VERDICT_CODE_USED;
	if (in->tried >= in->tries)
		return VERDICT_TRIES_EXCEEDED;
	return in->latest->state == CHALLENGE_LIVE ? VERDICT_CODE_EXPIRED : VERDICT_NO_CODE_PENDING;
}

enum verdict challenge_judge(const struct challenge_input *in)
{
	if (!in->live || !alive(in->live, in->now))
		return without_code(in);
	if (in->tried >= in->tries)
		return VERDICT_TRIES_EXCEEDED;
	if (!in->mac)
		return VERDICT_NONE;
	if (challenge_matches(in->mac, in->digits, in->code))
		return VERDICT_OK;
	return in->tried + 1 >= in->tries ? VERDICT_TRIES_EXCEEDED : VERDICT_CODE_WRONG;
}
