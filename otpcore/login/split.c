/* One field for two things (flow.h): one split, never a second guess. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/login/flow.h"

#define CODE_MIN     6
#define CODE_MAX     8
#define SCRV1_PREFIX "SCRV1:"

static bool all_digits(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return len > 0;
}

/* sms, call, or one of them with the number of the phone. */
static bool is_word(const char *s, size_t len)
{
	static const char *const words[] = { "sms", "call" };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i]);
		if (len < n || memcmp(s, words[i], n) != 0)
			continue;
		if (len == n || (len == n + 1 && s[n] >= '1' && s[n] <= '3'))
			return true;
	}
	return false;
}

static bool is_factor(const char *s, size_t len)
{
	return is_word(s, len) || (len >= CODE_MIN && len <= CODE_MAX && all_digits(s, len));
}

/* Base64 with padding, RFC 4648 section 4, which OpenVPN uses. */
static int decode(const char *text, size_t len, struct mag_secret *out_r)
{
	char *url = malloc(len + 1), *bytes = malloc(len + 1);
	size_t n = 0;
	int r = MAG_ENOMEM;

	if (!url || !bytes)
		goto out;
	for (size_t i = 0; i < len; i++)
		url[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	while (len && url[len - 1] == '=')
		len--;
	url[len] = '\0';
	r = mag_base64_decode(url, bytes, len + 1, &n);
	if (!r)
		r = memchr(bytes, '\0', n) ? MAG_ESYNTAX : mag_secret_set(out_r, bytes, n);
out:
	if (url)
		mag_wipe(url, len);
	if (bytes)
		mag_wipe(bytes, n);
	free(url);
	free(bytes);
	return r;
}

/* SCRV1:password:response. MAG_ESYNTAX: it is not that form. */
static int split_scrv1(const char *s, struct mag_secret *password_r, struct mag_secret *factor_r)
{
	struct mag_secret password = { 0 }, factor = { 0 };
	const char *colon;
	int r = MAG_ESYNTAX;

	if (!mag_has_prefix(s, SCRV1_PREFIX))
		return r;
	s += strlen(SCRV1_PREFIX);
	colon = strchr(s, ':');
	if (!colon)
		return r;
	r = decode(s, (size_t)(colon - s), &password);
	if (!r)
		r = decode(colon + 1, strlen(colon + 1), &factor);
	if (!r && factor.len && !is_factor(mag_secret_text(&factor), factor.len))
		r = MAG_ESYNTAX;
	if (!r) {
		mag_secret_free(password_r);
		mag_secret_free(factor_r);
		*password_r = password;
		*factor_r = factor;
		return 0;
	}
	mag_secret_free(&password);
	mag_secret_free(&factor);
	return r;
}

/* Where the factor begins, and how many bytes before it belong to nothing. */
static size_t find_factor(const char *s, size_t len, const struct flow_options *o, size_t *gap_r)
{
	*gap_r = 0;
	if (mag_streq(o->separator, "none")) {
		size_t digits = o->code_digits ? o->code_digits : CODE_MIN;
		return len > digits && all_digits(s + len - digits, digits) ? len - digits : len;
	}
	for (size_t i = len; i > 0; i--) {
		if (s[i - 1] != ',')
			continue;
		if (!is_factor(s + i, len - i))
			break;
		*gap_r = 1;
		return i;
	}
	return len;
}

int flow_split(const struct mag_secret *typed, const struct flow_options *options,
	struct mag_secret *password_r, struct mag_secret *factor_r)
{
	struct mag_secret password = { 0 }, factor = { 0 };
	const char *s = mag_secret_text(typed);
	size_t gap, at;
	int r = split_scrv1(s, password_r, factor_r);

	if (r != MAG_ESYNTAX)
		return r;
	at = find_factor(s, typed->len, options, &gap);
	r = mag_secret_set(&password, s, at - gap);
	if (!r)
		r = mag_secret_set(&factor, s + at, typed->len - at);
	if (r) {
		mag_secret_free(&password);
		mag_secret_free(&factor);
		return r;
	}
	mag_secret_free(password_r);
	mag_secret_free(factor_r);
	*password_r = password;
	*factor_r = factor;
	return 0;
}
