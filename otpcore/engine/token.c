/* Tokens and apps: is it the next code, and what is the token worth? */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/lifecycle.h"
#include "otpcore/engine/otp.h"
#include "otpcore/engine/token.h"

#define SEED_MIN 16 /* RFC 4226 §4 R6 */
#define SEED_MAX 64
/* No counter comes near; so sums with windows can't overflow. */
#define POSITION_MAX (INT64_MAX / 4)
#define DRIFT_MAX    1000000

/* Positions (counters or steps) that may match; those before `fresh` have passed. */
struct range {
	int64_t first, last, fresh, expected;
};

static bool is_totp(const struct token *t)
{
	return t->type == TOKEN_TOTP;
}

static bool position_sane(const struct token *t)
{
	if (t->moving > POSITION_MAX || t->drift > DRIFT_MAX || t->drift < -DRIFT_MAX)
		return false;
	return is_totp(t) ? t->moving >= -1 && t->period > 0
			  : t->type == TOKEN_HOTP && t->moving >= 0;
}

static int64_t step_now(const struct token *t, int64_t now)
{
	return (int64_t)totp_step(now, (unsigned)t->period);
}

/* False: nothing can match. `before` is how far back passed ones are told apart. */
static bool range_make(
	const struct token *t, int64_t now, int64_t before, int64_t after, struct range *r_r)
{
	struct range r;

	if (!position_sane(t) || now < 0 || before < 0 || after < 0)
		return false;
	r.expected = is_totp(t) ? step_now(t, now) + t->drift : t->moving;
	r.fresh = is_totp(t) ? t->moving + 1 : t->moving;
	r.first = r.expected - before;
	r.last = r.expected + after;
	if (r.first < 0)
		r.first = 0;
	*r_r = r;
	return true;
}

/* How a code is shaped is no secret. */
static bool shaped(const struct token *t, const char *code)
{
	return code && t->digits >= OTP_DIGITS_MIN && t->digits <= OTP_DIGITS_MAX &&
	       mag_all_digits(code) && strlen(code) == (size_t)t->digits;
}

static bool seed_begin(const struct token *t, const struct mag_secret *seed, struct hotp *h_r)
{
	return hotp_begin(seed->data, seed->len, (enum otp_algorithm)t->algorithm, h_r) == 0;
}

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* TOTP remembers the step and how far it was from ours; HOTP what comes next. */
static struct token_position after(const struct token *t, int64_t position, int64_t now)
{
	struct token_position next = { .moving = position + 1, .drift = t->drift };

	if (is_totp(t)) {
		next.moving = position;
		next.drift = position - step_now(t, now);
	}
	return next;
}

enum verdict token_judge(const struct token *t, const struct mag_secret *seed, const char *code,
	int64_t now, const struct token_windows *w, struct token_position *next_r)
{
	int64_t window = is_totp(t) ? w->totp : w->hotp, found = -1, p;
	char right[OTP_DIGITS_MAX + 1] = "";
	enum verdict v = VERDICT_CODE_WRONG;
	bool passed = false;
	struct range r;
	struct hotp h;

	if (!shaped(t, code) || !range_make(t, now, window, window, &r))
		return VERDICT_CODE_WRONG;
	if (!seed_begin(t, seed, &h))
		return VERDICT_NONE;
	for (p = r.first; p <= r.last; p++) {
		if (hotp_at(&h, (uint64_t)p, (unsigned)t->digits, right) < 0) {
			v = VERDICT_NONE; /* nothing can be said */
			break;
		}
		if (!mag_equal(right, code, (size_t)t->digits))
			continue;
		if (p < r.fresh)
			passed = true;
		else if (found < 0 || distance(p, r.expected) < distance(found, r.expected))
			found = p;
	}
	hotp_end(&h);
	mag_wipe(right, sizeof(right));
	if (v == VERDICT_NONE)
		return v;
	if (found < 0)
		return passed ? VERDICT_CODE_USED : VERDICT_CODE_WRONG;
	*next_r = after(t, found, now);
	return VERDICT_OK;
}

enum verdict token_resync(const struct token *t, const struct mag_secret *seed,
	const char *const codes[2], int64_t now, const struct token_windows *w,
	struct token_position *next_r)
{
	int64_t window = is_totp(t) ? w->resync_totp : w->resync_hotp, found = -1, p;
	char right[OTP_DIGITS_MAX + 1] = "";
	enum verdict v = VERDICT_CODES_WRONG;
	bool before = false; /* the first code is that of p - 1 */
	struct range r;
	struct hotp h;

	if (!shaped(t, codes[0]) || !shaped(t, codes[1]))
		return VERDICT_CODES_WRONG;
	if (!range_make(t, now, is_totp(t) ? window : 0, window, &r))
		return VERDICT_CODES_WRONG;
	if (r.first < r.fresh) /* never behind what was accepted */
		r.first = r.fresh;
	if (!seed_begin(t, seed, &h))
		return VERDICT_NONE;
	for (p = r.first; p <= r.last; p++) {
		if (hotp_at(&h, (uint64_t)p, (unsigned)t->digits, right) < 0) {
			v = VERDICT_NONE;
			break;
		}
		if (before & mag_equal(right, codes[1], (size_t)t->digits) && found < 0)
			found = p;
		before = mag_equal(right, codes[0], (size_t)t->digits);
	}
	hotp_end(&h);
	mag_wipe(right, sizeof(right));
	if (v == VERDICT_NONE || found < 0)
		return v;
	*next_r = after(t, found, now);
	return VERDICT_OK;
}

bool token_recall(const struct token *t, int64_t now, const struct token_windows *w,
	struct token_position *next_r)
{
	int64_t present, ahead = t->drift > 0 ? t->drift : 0;

	if (!is_totp(t) || t->period <= 0 || now < 0)
		return false;
	present = step_now(t, now);
	if (t->moving <= present + ahead + w->resync_totp)
		return false;
	*next_r = (struct token_position){ .moving = present, .drift = 0 };
	return true;
}

/* ---- import ---- */

static const char *serial_fault(const char *serial)
{
	size_t len = strnlen(serial, sizeof(((struct token *)NULL)->serial)), i;

	if (len == 0)
		return "the serial number is missing";
	if (len > 64)
		return "the serial number is longer than 64 characters";
	for (i = 0; i < len; i++)
		if (serial[i] <= ' ' || serial[i] > '~')
			return "the serial number has characters other than printable ASCII";
	return NULL;
}

const char *token_fault(const struct token *t, const struct mag_secret *seed)
{
	const char *serial = serial_fault(t->serial);

	if (serial)
		return serial;
	if (t->type != TOKEN_HOTP && t->type != TOKEN_TOTP)
		return "neither HOTP nor TOTP";
	if (t->algorithm < OTP_SHA1 || t->algorithm > OTP_SHA512)
		return "the algorithm is not SHA-1, SHA-256 or SHA-512";
	if (t->digits < OTP_DIGITS_MIN || t->digits > OTP_DIGITS_MAX)
		return "codes must have 6 to 8 digits";
	if (is_totp(t) && t->period != 30 && t->period != 60)
		return "the time step is not 30 or 60 seconds";
	if (!position_sane(t))
		return "the counter is out of range";
	if (!seed || seed->len < SEED_MIN)
		return "the secret is shorter than 128 bits";
	if (seed->len > SEED_MAX)
		return "the secret is longer than 512 bits";
	return NULL;
}

/* ---- worth and state ---- */

enum strength token_strength(const struct token *t)
{
	if (t->state != TOKEN_ACTIVE)
		return STRENGTH_NONE;
	if (t->kind == TOKEN_HARDWARE)
		return STRENGTH_HARDWARE_OTP;
	return t->kind == TOKEN_MOBILE ? STRENGTH_MOBILE_ID : STRENGTH_NONE;
}

struct subscription *token_subscription(struct aggregate *a, const struct token *t)
{
	size_t i;

	if (t->subscription == 0)
		return NULL;
	for (i = 0; i < a->n_subscriptions && i < SUBSCRIPTIONS_MAX; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (s->row.id == t->subscription && s->account == t->account &&
			s->row.fate != ROW_DELETED)
			return s;
	}
	return NULL;
}

static const struct subscription *subscription_of(const struct aggregate *a, const struct token *t)
{
	return token_subscription((struct aggregate *)a, t);
}

int64_t token_level(const struct aggregate *a, const struct token *t)
{
	const struct subscription *s = subscription_of(a, t);

	if (!s)
		return 1;
	return s->level == 3 ? 3 : 2;
}

unsigned token_paid(const struct aggregate *a, const struct token *t, int64_t now)
{
	return subscription_active(subscription_of(a, t), now) ? LIFE_HAS_PAID : LIFE_HAS_NOTHING;
}

/* Was it in use, so that the end of its subscription ends it too? */
static bool hangs_beneath(const struct token *t)
{
	return t->state == TOKEN_ACTIVE || t->state == TOKEN_LOCKED || t->state == TOKEN_SUSPENDED;
}

static bool over(const struct aggregate *a, const struct token *t, int64_t now)
{
	return t->state == TOKEN_EXPIRED ||
	       (hangs_beneath(t) && !subscription_active(subscription_of(a, t), now));
}

const char *token_state_id(const struct aggregate *a, const struct token *t, int64_t now)
{
	return lifecycle_state_id(over(a, t, now) ? TOKEN_EXPIRED : t->state);
}

enum verdict token_usable(const struct aggregate *a, const struct token *t, int64_t resyncs,
	int64_t limit, int64_t now)
{
	if (t->row.fate == ROW_DELETED || t->state == TOKEN_REVOKED)
		return VERDICT_TOKEN_REVOKED;
	if (over(a, t, now))
		return VERDICT_TOKEN_EXPIRED;
	if (t->state == TOKEN_SUSPENDED && t->suspended_by != ACTOR_USER)
		return VERDICT_TOKEN_SUSPENDED_BY_ADMIN;
	/* One that is active needs no resync: its next code is as good as ever. */
	if (t->state == TOKEN_ACTIVE)
		return VERDICT_OK;
	if (t->state == TOKEN_PENDING_APPROVAL)
		return VERDICT_PROOFING_PENDING;
	if (t->state != TOKEN_LOCKED && t->state != TOKEN_SUSPENDED)
		return VERDICT_TOKEN_PENDING;
	if (resyncs >= limit)
		return VERDICT_TOKEN_OUT_OF_SYNC;
	return t->state == TOKEN_LOCKED ? VERDICT_TOKEN_LOCKED : VERDICT_TOKEN_SUSPENDED;
}

/* ---- names ---- */

/* "" any, t1 the hardware token, m1 the app; a revoked one has its serial only. */
static bool short_name_fits(const struct token *t, const char *name)
{
	if (t->state == TOKEN_REVOKED)
		return false;
	return !*name || (mag_streq(name, "t1") && t->kind == TOKEN_HARDWARE) ||
	       (mag_streq(name, "m1") && t->kind == TOKEN_MOBILE);
}

struct token *token_named(struct aggregate *a, const char *name)
{
	struct token *found = NULL, *t;
	size_t i;

	for (i = 0; i < a->n_tokens && i < TOKENS_MAX; i++) {
		t = &a->tokens[i];
		if (t->row.fate != ROW_DELETED && *name && mag_streq(t->serial, name))
			return t;
	}
	for (i = 0; i < a->n_tokens && i < TOKENS_MAX; i++) {
		t = &a->tokens[i];
		if (t->row.fate == ROW_DELETED || !short_name_fits(t, name))
			continue;
		if (found)
			return NULL; /* which of them? */
		found = t;
	}
	return found;
}

const char *token_masked(const struct token *t)
{
	size_t len = strnlen(t->serial, sizeof(t->serial) - 1);

	return t->serial + (len > 4 ? len - 4 : 0);
}
