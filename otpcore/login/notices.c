/* What is the matter with a phone or a token that is not offered (L13, L14). */
#include "otpcore/base/text.h"
#include "otpcore/login/texts.h"

static const struct {
	const char *id;
	enum text text, app;
} texts[] = {
	{ "phone-expired", TEXT_PHONE_EXPIRED, TEXT_PHONE_EXPIRED },
	{ "token-expired", TEXT_TOKEN_EXPIRED, TEXT_TOKEN_EXPIRED },
	{ "token-locked", TEXT_TOKEN_LOCKED, TEXT_TOKEN_LOCKED },
	{ "token-suspended-by-admin", TEXT_TOKEN_ADMIN, TEXT_TOKEN_ADMIN },
	{ "token-pending", TEXT_TOKEN_PENDING, TEXT_APP_PENDING },
	{ "token-revoked", TEXT_TOKEN_REVOKED, TEXT_APP_REVOKED },
	{ "token-out-of-sync", TEXT_TOKEN_OUT_OF_SYNC, TEXT_TOKEN_OUT_OF_SYNC },
	{ "leased", TEXT_TOKEN_LEASED, TEXT_TOKEN_LEASED },
	{ "proofing-pending", TEXT_PROOFING, TEXT_PROOFING },
};

void text_put_notice(struct mag_buf *out, unsigned language, const char *id, const char *what)
{
	const struct text_args args = { .language = language, .masked = what };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (mag_streq(texts[i].id, id))
			text_put(out, mag_streq(what, TEXT_APP) ? texts[i].app : texts[i].text,
				false, &args);
}

const char *text_token(unsigned language, const char *what, char *buf, size_t cap)
{
	char digits[9];
	const struct text_args args = { .language = language,
		.first = mag_clean(digits, sizeof digits, what) };
	struct mag_buf out;

	mag_buf_init(&out, buf, cap);
	if (!what || !*what)
		text_put(&out, TEXT_YOUR_TOKEN, false, &args);
	else if (mag_streq(what, TEXT_APP))
		text_put(&out, TEXT_YOUR_APP, false, &args);
	else
		text_put(&out, TEXT_THE_TOKEN, false, &args);
	return buf;
}
