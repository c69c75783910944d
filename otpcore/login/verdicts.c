/* What a verdict is called, in a sentence: what happened and what to do next. */
#include "otpcore/base/verdict.h"
#include "otpcore/login/flow.h"
#include "otpcore/login/texts.h"

/* A login may end with these; `wait` is said where it is known how long. */
static const struct {
	unsigned verdict;
	enum text text, wait;
} login[] = {
	{ VERDICT_OK, TEXT_V_OK, 0 },
	{ VERDICT_CODE_WRONG, TEXT_V_CODE_WRONG, 0 },
	{ VERDICT_CODE_EXPIRED, TEXT_V_CODE_EXPIRED, 0 },
	{ VERDICT_CODE_USED, TEXT_V_CODE_USED, 0 },
	{ VERDICT_TRIES_EXCEEDED, TEXT_V_TRIES_EXCEEDED, 0 },
	{ VERDICT_ACCOUNT_THROTTLED, TEXT_V_ACCOUNT_THROTTLED, TEXT_V_ACCOUNT_THROTTLED_IN },
	{ VERDICT_SEND_FAILED, TEXT_V_SEND_FAILED, 0 },
	{ VERDICT_SEND_LIMITED, TEXT_V_SEND_LIMITED, TEXT_V_SEND_LIMITED_IN },
	{ VERDICT_REQUIREMENTS_NOT_MET, TEXT_V_REQUIREMENTS, 0 },
	{ VERDICT_TERMS_PENDING, TEXT_V_TERMS, 0 },
	{ VERDICT_WRONG_CERTIFICATE, TEXT_V_WRONG_CERTIFICATE, 0 },
	{ VERDICT_CERTIFICATE_REFUSED, TEXT_V_CERTIFICATE, 0 },
	{ VERDICT_BROKER_UNAVAILABLE, TEXT_V_BROKER, 0 },
	{ VERDICT_TOKEN_LOCKED, TEXT_V_TOKEN_LOCKED, 0 },
	{ VERDICT_TOKEN_SUSPENDED, TEXT_V_TOKEN_SUSPENDED, 0 },
	{ VERDICT_TOKEN_SUSPENDED_BY_ADMIN, TEXT_V_TOKEN_ADMIN, 0 },
	{ VERDICT_TOKEN_EXPIRED, TEXT_V_TOKEN_EXPIRED, 0 },
	{ VERDICT_TOKEN_PENDING, TEXT_V_TOKEN_PENDING, 0 },
	{ VERDICT_TOKEN_REVOKED, TEXT_V_TOKEN_REVOKED, 0 },
	{ VERDICT_TOKEN_OUT_OF_SYNC, TEXT_V_TOKEN_OUT_OF_SYNC, 0 },
	{ VERDICT_TOKEN_LEASED, TEXT_V_TOKEN_LEASED, 0 },
	{ VERDICT_ACTIVATION_BLOCKED, TEXT_V_BLOCKED, 0 },
	{ VERDICT_PHONE_LIMIT, TEXT_V_PHONE_LIMIT, 0 },
	{ VERDICT_PHONE_EXPIRED, TEXT_V_PHONE_EXPIRED, 0 },
	{ VERDICT_PROOFING_PENDING, TEXT_V_PROOFING_PENDING, 0 },
	{ VERDICT_TRY_LATER, TEXT_V_TRY_LATER, TEXT_V_TRY_LATER_IN },
	{ VERDICT_ACCOUNT_MISMATCH, TEXT_V_ACCOUNT_MISMATCH, 0 },
	{ VERDICT_LICENCE_NEEDED, TEXT_V_LICENCE_NEEDED, 0 },
	{ VERDICT_CODES_WRONG, TEXT_V_CODES_WRONG, 0 },
	{ VERDICT_NOT_ALLOWED, TEXT_V_NOT_ALLOWED, 0 },
	{ VERDICT_NO_CODE_PENDING, TEXT_V_NO_CODE, 0 },
};

/* These are met by the tools alone, which speak English. */
static const struct {
	unsigned verdict;
	const char *text;
} tools[] = {
	{ VERDICT_SERIAL_UNKNOWN, "No token has this serial number. Look at its back again." },
	{ VERDICT_KEY_MISTYPED, "There is a typing mistake in the key. Type it again." },
	{ VERDICT_KEY_UNKNOWN, "This key is not known here. Check where it was bought." },
	{ VERDICT_KEY_USED, "This key was used already. A key works for one account, once." },
	{ VERDICT_PRODUCT_WRONG, "This key is for another product than the one it should serve." },
	{ VERDICT_PHONE_INVALID,
		"This is not a phone number we can use. Type it like +12025550134." },
	{ VERDICT_PHONE_REGION, "Your licence does not cover numbers of this country. US states "
				"and DC need phone-us, all others phone-intl." },
	{ VERDICT_PROOFING_CODE_WRONG, "This activation code is wrong, was used or has expired. "
				       "Ask the agent for a new one." },
	{ VERDICT_ELEVATE_FIRST,
		"This needs a session with a second factor. Type: magotp elevate" },
	{ VERDICT_ACCOUNT_UNKNOWN,
		"There is no such account. An administrator adds it: magotpctl account add" },
	{ VERDICT_ACCOUNT_EXISTS, "The account exists already." },
	{ VERDICT_PHONE_UNKNOWN, "The account has no such phone. See: magotp phone list" },
	{ VERDICT_PHONE_EXISTS, "This number is registered for the account already." },
	{ VERDICT_PHONE_LAST,
		"This is the only way to log in that is left. Add another one first." },
	{ VERDICT_NOT_RECORDED, "This session is not recorded, so there is nothing to raise. The "
				"command itself may go on." },
	{ VERDICT_NAME_MISMATCH, "The name on the document is not the name of the account." },
};

enum text text_of_verdict(unsigned verdict, bool seconds)
{
	for (size_t i = 0; i < sizeof login / sizeof *login; i++)
		if (login[i].verdict == verdict)
			return seconds && login[i].wait ? login[i].wait : login[i].text;
	return TEXT_V_REFUSED;
}

const char *flow_verdict_text(unsigned verdict)
{
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		if (tools[i].verdict == verdict)
			return tools[i].text;
	return text_words(TEXT_ENGLISH, text_of_verdict(verdict, false), false);
}
