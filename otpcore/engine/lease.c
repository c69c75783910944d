#include "otpcore/engine/lease.h"

#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/otp.h"

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- at the auth host ---- */

enum lease_standing lease_standing(const struct token *t, int64_t now)
{
	if (!t->lease)
		return LEASE_NONE;
	return now < t->lease_until + LEASE_SKEW ? LEASE_LIVE : LEASE_OVER;
}

bool lease_elsewhere(const struct token *t, const char *host, int64_t now)
{
	return lease_standing(t, now) == LEASE_LIVE && (!host || !mag_streq(t->lease_host, host));
}

bool lease_allows(const struct token *t, const char *host, int64_t lease, int64_t now)
{
	return lease_standing(t, now) != LEASE_LIVE ||
	       (!lease_elsewhere(t, host, now) && t->lease == lease);
}

/* HOTP counts what comes next, TOTP what was last. */
static int64_t beyond(const struct token *t, int64_t position)
{
	return t->type == TOKEN_HOTP ? position + 1 : position;
}

struct token lease_view(const struct token *t, int64_t now)
{
	struct token view = *t;

	if (lease_standing(t, now) == LEASE_OVER)
		view.moving = most(t->moving, beyond(t, t->lease_last));
	return view;
}

void lease_clear(struct token *t)
{
	t->lease = t->lease_at = t->lease_until = t->lease_last = 0;
	t->lease_failed = t->lease_closing = 0;
	t->lease_host[0] = '\0';
}

void lease_passed(struct token *t, int64_t now)
{
	if (lease_standing(t, now) == LEASE_OVER)
		lease_clear(t);
}

bool lease_named(const char *names, const char *account)
{
	size_t len = strlen(account);

	for (const char *p = names + strspn(names, " "); len && *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && memcmp(p, account, n) == 0)
			return true;
		p += n;
	}
	return false;
}

bool lease_can(const struct token *t, const struct lease_ask *ask, int64_t now)
{
	switch (lease_standing(t, now)) {
	case LEASE_LIVE:
		return t->lease == ask->lease && mag_streq(t->lease_host, ask->host);
	case LEASE_OVER:
		return t->type == TOKEN_TOTP;
	case LEASE_NONE:
		break;
	}
	return true;
}

static int64_t step(const struct token *t, int64_t at)
{
	return (int64_t)totp_step(at, (unsigned)t->period) + t->drift;
}

/* So many steps are more than a window holds: a shorter lease, which begins now. */
static int64_t shorten(struct token *t, int64_t first, const struct token_windows *w)
{
	int64_t last = first + LEASE_PLACES - 1;

	t->lease_until = (last - w->totp - t->drift) * t->period;
	return last;
}

void lease_give(struct token *t, const struct lease_ask *ask, const struct token_windows *w,
	int64_t now, int64_t *first_r)
{
	int64_t first, last;

	*t = lease_view(t, now);
	if (t->lease != ask->lease || !mag_streq(t->lease_host, ask->host)) {
		lease_clear(t);
		t->lease = ask->lease;
		mag_copy(t->lease_host, sizeof t->lease_host, ask->host);
		t->lease_at = now;
	}
	t->lease_until = now + ask->seconds;
	if (t->type == TOKEN_HOTP) {
		first = t->moving;
		last = first + LEASE_CODES - 1;
	} else {
		first = most(0, step(t, now) - w->totp);
		last = most(first, step(t, t->lease_until) + w->totp);
		if (last - first >= LEASE_PLACES)
			last = shorten(t, first, w);
	}
	/* What it was given once it may still take. */
	last = most(last, t->lease_last);
	if (last - first >= LEASE_PLACES)
		first = t->type == TOKEN_HOTP ? first : most(first, last - LEASE_PLACES + 1);
	t->lease_last = last;
	*first_r = first;
}

void lease_report(struct token *t, int64_t position)
{
	if (position >= 0)
		t->moving = most(t->moving, beyond(t, position));
}

/* ---- at its holder ---- */

int64_t lease_now(int64_t clock, int64_t seen)
{
	return most(clock, seen);
}

int lease_hash(
	struct crypto_mac *m, int64_t position, const char *code, unsigned char hash_r[LEASE_HASH])
{
	unsigned char text[8 + OTP_DIGITS_MAX] = { 0 }, full[HASH_LEN];
	uint64_t p = (uint64_t)position;
	size_t n = strlen(code), len = 0;
	int r = MAG_ECRYPTO;

	if (n > OTP_DIGITS_MAX)
		return r;
	for (unsigned i = 0; i < 8; i++)
		text[i] = (unsigned char)(p >> (56 - 8 * i));
	memcpy(text + 8, code, n);
	r = crypto_mac_of(m, (struct crypto_text){ text, 8 + n },
		(struct crypto_out){ full, sizeof full, &len });
	if (!r)
		memcpy(hash_r, full, LEASE_HASH);
	mag_wipe(text, sizeof text);
	return r;
}

static bool shaped(const struct lease_window *w, const char *code)
{
	return mag_all_digits(code) && (int64_t)strlen(code) == w->digits &&
	       w->digits <= OTP_DIGITS_MAX;
}

static bool sane(const struct lease_window *w)
{
	return w->hashes && w->first >= 0 && w->last >= w->first &&
	       w->last - w->first < LEASE_PLACES && w->ahead >= 0 && w->ahead < LEASE_PLACES &&
	       (w->type == TOKEN_HOTP || (w->type == TOKEN_TOTP && w->period > 0));
}

/* Is `code` that of the position? 1, 0 or MAG_ECRYPTO. */
static int matches(
	const struct lease_window *w, struct crypto_mac *m, int64_t position, const char *code)
{
	unsigned char hash[LEASE_HASH];
	int r = lease_hash(m, position, code, hash);

	return r ? r : mag_equal(hash, w->hashes + (position - w->first) * LEASE_HASH, LEASE_HASH);
}

int lease_places(const struct lease_window *w, const char *code, int64_t *places_r, size_t max)
{
	struct crypto_mac m;
	int n = 0, r = 0;

	if (!sane(w) || !shaped(w, code))
		return 0;
	if (crypto_mac_begin("SHA2-256", (struct crypto_text){ w->key, sizeof w->key }, &m))
		return MAG_ECRYPTO;
	for (int64_t p = w->first; p <= w->last && r >= 0; p++) {
		r = matches(w, &m, p, code);
		if (r <= 0)
			continue;
		if ((size_t)n < max)
			places_r[n] = p;
		n++;
	}
	crypto_mac_end(&m);
	return r < 0 ? r : n;
}

static bool was_struck(const struct lease_window *w, int64_t position)
{
	for (size_t i = 0; i < w->n_struck; i++)
		if (w->struck[i] == position)
			return true;
	return false;
}

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

enum verdict lease_judge(
	const struct lease_window *w, const char *code, int64_t now, int64_t *position_r)
{
	bool totp = w->type == TOKEN_TOTP, passed = false;
	int64_t found = -1, expected, first, last, fresh = totp ? w->moving + 1 : w->moving;
	struct crypto_mac m;
	int r = 0;

	if (!sane(w) || now < 0)
		return VERDICT_NONE;
	if (!shaped(w, code))
		return VERDICT_CODE_WRONG;
	expected = totp ? (int64_t)totp_step(now, (unsigned)w->period) + w->drift : w->moving;
	first = most(w->first, expected - w->ahead);
	last = least(w->last, expected + w->ahead);
	if (crypto_mac_begin("SHA2-256", (struct crypto_text){ w->key, sizeof w->key }, &m))
		return VERDICT_NONE;
	for (int64_t p = first; p <= last && r >= 0; p++) {
		r = matches(w, &m, p, code);
		if (r <= 0)
			continue;
		if (p < fresh || was_struck(w, p))
			passed = true;
		else if (found < 0 || distance(p, expected) < distance(found, expected))
			found = p;
	}
	crypto_mac_end(&m);
	if (r < 0)
		return VERDICT_NONE;
	if (found < 0)
		return passed ? VERDICT_CODE_USED : VERDICT_CODE_WRONG;
	*position_r = found;
	return VERDICT_OK;
}
