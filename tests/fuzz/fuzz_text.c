/* Texts, options, keys and numbers that people type. */
#include <stdio.h>
#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/base/option.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/number.h"
#include "otpcore/engine/proofing.h"
#include "otpcore/engine/token.h"
#include "otpcore/settings/settings.h"
#include "tests/fuzz/fuzz.h"

/* ---- options ---- */

static int check_value(const struct opt_value *v, void *arg)
{
	const struct opt_tree *t = arg;

	FUZZ_CHECK(v->section != NULL && v->instance != NULL && v->key != NULL && v->text != NULL);
	FUZZ_CHECK(v->line > 0);
	FUZZ_CHECK(opt_get(t, v->section, v->instance, v->key) != NULL);
	return 0;
}

static struct opt_tree *load(const uint8_t *data, size_t len)
{
	char err[OPT_ERROR_MAX] = "";
	struct opt_tree *tree = NULL;
	char *text = fuzz_string(data, len);

	if (opt_load_text("input", text, &settings_schema, &tree, err) < 0) {
		FUZZ_CHECK(tree == NULL);
		FUZZ_CHECK(err[0] != '\0' && strnlen(err, sizeof err) < sizeof err);
		FUZZ_CHECK(mag_utf8_valid(err, strlen(err)));
	} else {
		opt_each(tree, NULL, NULL, check_value, tree);
	}
	free(text);
	return tree;
}

/* Whatever loads has been checked against its row: filling cannot fail. */
void fuzz_option(const uint8_t *data, size_t len)
{
	struct opt_tree *tree = load(data, len);
	union {
		struct settings s;
		struct service_settings service;
	} *base = calloc(1, sizeof *base);
	char err[OPT_ERROR_MAX] = "";

	FUZZ_CHECK(base != NULL);
	for (const struct opt_section *s = settings_schema.sections; tree && s->name; s++)
		FUZZ_CHECK(opt_fill(tree, s, s->named ? "*" : "", base, err) == 0);
	opt_tree_free(&tree);
	free(base);
}

size_t seed_option(struct dice *d, uint8_t *out)
{
	static const char *const values[] = { "yes", "2m", "17", "phone-otp", "", "file:/etc/x",
		"99999999999999999999", "a b c", "\xc3\xa4" };
	size_t n = 0;

	for (const struct opt_section *s = settings_schema.sections; s->name; s++) {
		n += (size_t)sprintf(
			(char *)out + n, "[%s%s]\n# about\n", s->name, s->named ? " *" : "");
		for (const struct opt *o = s->opts; o->key; o++) {
			const char *v = dice_below(d, 8) ? o->def : values[dice_below(d, 9)];

			if (dice_below(d, 2) && v != NULL)
				n += (size_t)sprintf((char *)out + n, "%s = %s\n", o->key, v);
		}
	}
	return n;
}

/* ---- texts ---- */

/* RFC 3629's table by decoding, not by byte classes as the library does it. */
static int utf8_by_decoding(const uint8_t *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t i = 0;

	while (i < len) {
		size_t n = s[i] < 0x80       ? 1
			   : s[i] >> 5 == 6  ? 2
			   : s[i] >> 4 == 14 ? 3
			   : s[i] >> 3 == 30 ? 4
					     : 0;
		uint32_t c;

		if (n == 0 || i + n > len || s[i] == 0)
			return 0;
		c = n == 1 ? s[i] : s[i] & (0x7fu >> n);
		for (size_t k = 1; k < n; k++) {
			if ((s[i + k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i + k] & 0x3f);
		}
		if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		i += n;
	}
	return 1;
}

static void check_codes(const uint8_t *data, size_t len, const char *s)
{
	unsigned char raw[300];
	char text[700];
	int64_t v = -1;
	size_t n = 0;

	if (len <= 256) {
		mag_hex_encode(data, len, text);
		FUZZ_CHECK(mag_hex_decode(text, raw, sizeof raw, &n) == 0);
		FUZZ_CHECK(n == len && (len == 0 || memcmp(raw, data, len) == 0));
		FUZZ_CHECK(mag_base64_encode(data, len, text, sizeof text) == 0);
		FUZZ_CHECK(mag_base64_decode(text, raw, sizeof raw, &n) == 0);
		FUZZ_CHECK(n == len && (len == 0 || memcmp(raw, data, len) == 0));
	}
	n = sizeof raw + 1;
	if (mag_hex_decode(s, raw, sizeof raw, &n) == 0)
		FUZZ_CHECK(n * 2 == strlen(s));
	if (mag_base64_decode(s, raw, sizeof raw, &n) == 0)
		FUZZ_CHECK(n <= sizeof raw);
	if (mag_duration_parse(s, &v) == 0) {
		int64_t w = -1;

		FUZZ_CHECK(mag_duration_parse(mag_duration_format(v, text, sizeof text), &w) == 0);
		FUZZ_CHECK(v == w);
	}
	if (mag_int_parse(s, -1000, 1000, &v) == 0)
		FUZZ_CHECK(v >= -1000 && v <= 1000);
}

void fuzz_text(const uint8_t *data, size_t len)
{
	static const char *const words[] = { "phone", "token", "service", NULL };
	char *s = fuzz_string(data, len);
	char clean[64];

	FUZZ_CHECK(mag_utf8_valid((const char *)data, len) == utf8_by_decoding(data, len));
	for (size_t cap = 1; cap <= sizeof clean; cap += 9) {
		mag_clean(clean, cap, s);
		FUZZ_CHECK(strnlen(clean, cap) < cap);
		FUZZ_CHECK(mag_utf8_valid(clean, strlen(clean)));
		for (const char *p = clean; *p; p++)
			FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
	check_codes(data, len, s);
	if (len < 64) {
		mag_nearest(s, words);
		FUZZ_CHECK(mag_distance(s, s) == 0);
		FUZZ_CHECK(mag_distance(s, "phone") == mag_distance("phone", s));
	}
	free(s);
}

size_t seed_text(struct dice *d, uint8_t *out)
{
	static const char *const known[] = { "20s", "30d", "9223372036854775807", "-17", "deadbeef",
		"SGVsbG8", "\x1b[2J\xe2\x80\xae", "\xf4\x8f\xbf\xbf", "phne", "" };
	size_t n = dice_below(d, 80);

	if (dice_below(d, 2)) {
		const char *s = known[dice_below(d, 10)];

		memcpy(out, s, strlen(s));
		return strlen(s);
	}
	random_text(d, (char *)out, n);
	return n;
}

/* ---- keys and numbers ---- */

/* Recovery codes and activation codes are typed at the same prompts. */
static void check_codes_typed(const char *s)
{
	char recovery[RECOVERY_TEXT_LEN + 1] = "", activation[PROOFING_TEXT_LEN + 1] = "";
	char again[RECOVERY_TEXT_LEN + PROOFING_TEXT_LEN + 2];
	unsigned group = 99;

	if (recovery_parse(s, recovery)) {
		FUZZ_CHECK(strlen(recovery) == RECOVERY_TEXT_LEN);
		FUZZ_CHECK(recovery_parse(recovery, again) && strcmp(recovery, again) == 0);
	}
	if (proofing_code_parse(s, activation, &group) == VERDICT_OK) {
		FUZZ_CHECK(proofing_code_form(s) && strlen(activation) == PROOFING_TEXT_LEN);
		FUZZ_CHECK(proofing_code_parse(activation, again, &group) == VERDICT_OK &&
			   strcmp(activation, again) == 0);
	}
}

void fuzz_licence_key(const uint8_t *data, size_t len)
{
	char *s = fuzz_string(data, len);
	char key[KEY_TEXT_LEN + 1] = "", again[KEY_TEXT_LEN + 1] = "";
	unsigned group = 99;
	enum verdict v = key_parse(s, key, &group);

	FUZZ_CHECK(v == VERDICT_OK || v == VERDICT_KEY_MISTYPED);
	if (v == VERDICT_OK) {
		FUZZ_CHECK(strlen(key) == KEY_TEXT_LEN);
		FUZZ_CHECK(key_parse(key, again, &group) == VERDICT_OK && strcmp(key, again) == 0);
	} else {
		FUZZ_CHECK(group <= 6);
	}
	check_codes_typed(s);
	free(s);
}

size_t seed_licence_key(struct dice *d, uint8_t *out)
{
	unsigned char random[KEY_RANDOM_LEN];

	for (size_t i = 0; i < sizeof random; i++)
		random[i] = (unsigned char)dice_roll(d);
	switch (dice_below(d, 4)) {
	case 0:
		recovery_format(random, (char *)out);
		break;
	case 1:
		proofing_code_format(random, (char *)out);
		break;
	default:
		key_format(random, (char *)out);
	}
	return strlen((char *)out);
}

void fuzz_number(const uint8_t *data, size_t len)
{
	static const char *const countries[] = { "", "US", "PR", "GB", "DE", "XX" };
	struct number number;
	char *s;

	if (len == 0)
		return;
	s = fuzz_string(data + 1, len - 1);
	memset(&number, 'x', sizeof number);
	if (number_parse(s, countries[data[0] % 6], "+1684=AS +1202=US", &number) == VERDICT_OK) {
		size_t n = strnlen(number.e164, sizeof number.e164);

		FUZZ_CHECK(n < sizeof number.e164 && n >= 5 && number.e164[0] == '+');
		FUZZ_CHECK(mag_all_digits(number.e164 + 1));
		FUZZ_CHECK(strlen(number.masked) == 4);
		FUZZ_CHECK(strcmp(number.masked, number.e164 + n - 4) == 0);
		FUZZ_CHECK(number.kind != NUMBER_PREMIUM);
	}
	free(s);
}

size_t seed_number(struct dice *d, uint8_t *out)
{
	static const char *const known[] = { "+12025550134", "(202) 555-0134", "+44 7400 123456",
		"00491701234567", "+1 787 555 0134", "+19005550134", "911", "+0", "+" };
	const char *s = known[dice_below(d, 9)];

	out[0] = (uint8_t)dice_below(d, 6);
	memcpy(out + 1, s, strlen(s));
	return 1 + strlen(s);
}
