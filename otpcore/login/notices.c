/* What is the matter with a phone or a token that is not offered (L13, L14). */
#include <stdio.h>
#include <string.h>

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
	{ "proofing-pending", TEXT_PROOFING, TEXT_PROOFING },
};

void text_put_notice(struct mag_buf *out, const char *id, const char *what)
{
	const struct text_args args = { .masked = what };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (mag_streq(texts[i].id, id))
			text_put(out, mag_streq(what, TEXT_APP) ? texts[i].app : texts[i].text,
				false, &args);
}

const char *text_token(const char *what, char *buf, size_t cap)
{
	if (!what || !*what)
		snprintf(buf, cap, "Your token");
	else if (mag_streq(what, TEXT_APP))
		snprintf(buf, cap, "Your app");
	else
		snprintf(buf, cap, "Token %.8s", what);
	return buf;
}
