/* Why a login or a command was refused, for people: what happened, why, the
 * way out, and the stable id. */
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/flow.h"
#include "otpcore/login/texts.h"

static const struct {
	unsigned verdict;
	const char *text;
} verdict_texts[] = {
	{ VERDICT_OK, "Done." },
	{ VERDICT_CODE_WRONG, "That code is wrong. Check it and type it again." },
	{ VERDICT_CODE_EXPIRED, "That code has expired. Ask for a new one." },
	{ VERDICT_CODE_USED, "That code was used already. Ask for a new one." },
	{ VERDICT_TRIES_EXCEEDED, "Too many wrong codes. Log in again for a new one." },
	{ VERDICT_ACCOUNT_THROTTLED, "Too many wrong codes lately. Wait before you try again." },
	{ VERDICT_SEND_FAILED,
		"The message could not be sent. Try again, or choose another phone." },
	{ VERDICT_SEND_LIMITED, "No more codes are sent for now. Wait before you ask again." },
	{ VERDICT_REQUIREMENTS_NOT_MET,
		"Login requirements not met: a stronger login is needed here." },
	{ VERDICT_TERMS_PENDING, "The terms of this service have not been accepted yet for your "
				 "organisation. Ask its administrator to accept them." },
	{ VERDICT_WRONG_CERTIFICATE, "This certificate belongs to another account. "
				     "If both are yours, connect them: magotp connect PARENT" },
	{ VERDICT_BROKER_UNAVAILABLE,
		"Two-step login does not answer on this host. Try again in a minute." },
	{ VERDICT_TOKEN_LOCKED, "The token is locked after too many wrong codes. "
				"Unlock it with two codes: magotp token resync" },
	{ VERDICT_TOKEN_SUSPENDED,
		"You suspended this token. To use it again: magotp token resume" },
	{ VERDICT_TOKEN_SUSPENDED_BY_ADMIN, "An administrator suspended this token. Ask them." },
	{ VERDICT_TOKEN_EXPIRED,
		"The token has expired. Renew it with a renewal key: magotp activate" },
	{ VERDICT_TOKEN_PENDING, "The token is not activated yet: magotp token add" },
	{ VERDICT_TOKEN_REVOKED, "The token was revoked for good. Activate another one." },
	{ VERDICT_SERIAL_UNKNOWN, "No token has this serial number. Look at its back again." },
	{ VERDICT_CODES_WRONG, "Those two codes do not follow each other. Type the code that the "
			       "token shows, wait for the next, type that." },
	{ VERDICT_TOKEN_OUT_OF_SYNC,
		"The token is out of step. An administrator has to reset it." },
	{ VERDICT_ACTIVATION_BLOCKED,
		"Activation is blocked after too many tries. An administrator has to reset it." },
	{ VERDICT_KEY_MISTYPED, "There is a typing mistake in the key. Type it again." },
	{ VERDICT_KEY_UNKNOWN, "This key is not known here. Check where it was bought." },
	{ VERDICT_KEY_USED, "This key was used already. A key works for one account, once." },
	{ VERDICT_PRODUCT_WRONG, "This key is for another product than the one it should serve." },
	{ VERDICT_PHONE_INVALID,
		"This is not a phone number we can use. Type it like +12025550134." },
	{ VERDICT_PHONE_REGION, "Your licence does not cover numbers of this country. "
				"US states and DC need phone-us, all others phone-intl." },
	{ VERDICT_PHONE_LIMIT,
		"There are as many phones as an account can have. Delete one first." },
	{ VERDICT_PROOFING_CODE_WRONG, "This activation code is wrong, was used or has expired. "
				       "Ask the agent for a new one." },
	{ VERDICT_PROOFING_PENDING, "Identity proofing is not finished yet. "
				    "With the agent's activation code: magotp activate CODE" },
	{ VERDICT_TRY_LATER, "That cannot be done right now. Wait before you try again." },
	{ VERDICT_ELEVATE_FIRST,
		"This needs a session with a second factor. Type: magotp elevate" },
	{ VERDICT_ACCOUNT_UNKNOWN,
		"There is no such account. An administrator adds it: magotpctl account add" },
	{ VERDICT_ACCOUNT_EXISTS, "The account exists already." },
	{ VERDICT_ACCOUNT_MISMATCH, "The account belongs to another user id than this user has. "
				    "An administrator has to look at it." },
	{ VERDICT_PHONE_UNKNOWN, "The account has no such phone. See: magotp phone list" },
	{ VERDICT_PHONE_EXISTS, "This number is registered for the account already." },
	{ VERDICT_PHONE_LAST,
		"This is the only way to log in that is left. Add another one first." },
	{ VERDICT_LICENCE_NEEDED,
		"A licence is needed first. With a licence key: magotp activate KEY" },
	{ VERDICT_NOT_RECORDED, "This session is not recorded, so there is nothing to raise. "
				"The command itself may go on." },
	{ VERDICT_NOT_ALLOWED, "You are not allowed to do this." },
	{ VERDICT_NO_CODE_PENDING, "No code is waiting. Ask for one." },
	{ VERDICT_CERTIFICATE_REFUSED,
		"This certificate is not accepted. Its authority can say more." },
	{ VERDICT_NAME_MISMATCH, "The name on the document is not the name of the account." },
	{ VERDICT_PHONE_EXPIRED,
		"The subscription of this phone has expired. To renew: magotp activate KEY" },
};

const char *flow_verdict_text(unsigned verdict)
{
	for (size_t i = 0; i < sizeof verdict_texts / sizeof *verdict_texts; i++)
		if (verdict_texts[i].verdict == verdict)
			return verdict_texts[i].text;
	return "Refused.";
}

/* What a required strength is called, and how one gets it. */
static const struct {
	enum strength need;
	const char *what, *command;
} ways[] = {
	{ STRENGTH_PASSWORD, "a password", NULL },
	{ STRENGTH_BLOA, "a certificate", "magotp certificate add FILE --class bloa" },
	{ STRENGTH_PHONE_OTP, "a phone code", "magotp phone add NUMBER" },
	{ STRENGTH_MOBILE_ID, "an app", "magotp mobile add" },
	{ STRENGTH_HARDWARE_OTP, "a token", "magotp token add" },
	{ STRENGTH_MLOA_SOFTWARE, "a certificate",
		"magotp certificate add FILE --class mloa-software" },
	{ STRENGTH_MLOA_HARDWARE, "a certificate on hardware",
		"magotp certificate add FILE --class mloa-hardware" },
};

static size_t way_of(enum strength need)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (ways[i].need == need)
			return i;
	return sizeof ways / sizeof *ways;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* "sshd on web1", or what of it is known. */
static void put_place(struct mag_buf *b, const struct flow_refusal *r)
{
	mag_buf_puts(b, *or_empty(r->service) ? r->service : "this service");
	if (*or_empty(r->host))
		mag_buf_printf(b, " on %s", r->host);
}

static void put_key_alone(struct mag_buf *out, const struct flow_refusal *r)
{
	char text[400];
	struct mag_buf line = MAG_BUF(text);
	mag_buf_puts(&line, "Login refused: a key alone is not enough for ");
	put_place(&line, r);
	mag_buf_puts(&line, ".");
	text_put_wrapped(out, text);
	mag_buf_reset(&line);
	mag_buf_printf(&line, "It needs %s. Log in with password and code:",
		*or_empty(r->require) ? r->require : "more");
	text_put_wrapped(out, text);
	const char *host = *or_empty(r->host) ? r->host : "HOST";
	const char *command = "  ssh -o PreferredAuthentications=keyboard-interactive";
	const char *gap = strlen(command) + 1 + strlen(host) > TEXT_COLUMNS ? " \\\n    " : " ";
	mag_buf_printf(out, "%s%s%s\n", command, gap, host);
}

/* Level 3: whoever has a factor needs no other one, but identity proofing (I3). */
static void put_level(struct mag_buf *out, const struct flow_refusal *r)
{
	char text[400];
	struct mag_buf line = MAG_BUF(text);

	mag_buf_puts(&line, "Login refused: ");
	put_place(&line, r);
	mag_buf_printf(&line, " needs %s at level 3.", r->require);
	text_put_wrapped(out, text);
	mag_buf_reset(&line);
	mag_buf_printf(&line,
		"You have %s. To have your identity checked, on a host that takes it:", r->has);
	text_put_wrapped(out, text);
	mag_buf_puts(out, "  magotp proofing request\n");
}

/* Is what there is strong enough already? */
static bool only_level_is_missing(const struct flow_refusal *r)
{
	const char *has = or_empty(r->has);
	enum strength need = strength_from_id(or_empty(r->require));

	return r->level == 3 && *has &&
	       strength_satisfies(
		       strstr(has, "token") ? STRENGTH_HARDWARE_OTP : STRENGTH_PHONE_OTP, need);
}

static void put_requirements(struct mag_buf *out, const struct flow_refusal *r)
{
	char text[400];
	struct mag_buf line = MAG_BUF(text);
	size_t way = way_of(strength_from_id(or_empty(r->require)));
	bool known = way < sizeof ways / sizeof *ways;

	mag_buf_puts(&line, "Login refused: ");
	put_place(&line, r);
	if (known)
		mag_buf_printf(&line, " needs %s (%s).", ways[way].what, r->require);
	else
		mag_buf_puts(&line, " needs a stronger login.");
	text_put_wrapped(out, text);
	if (!known || !ways[way].command)
		return;
	mag_buf_reset(&line);
	if (*or_empty(r->has)) {
		const char *what =
			ways[way].need == STRENGTH_PHONE_OTP ? "a phone" : ways[way].what;
		mag_buf_printf(&line, "You have %s. To add %s, on a host that takes %s:", r->has,
			what, r->has);
	} else {
		mag_buf_puts(&line, "To get there, on a host that takes your password:");
	}
	text_put_wrapped(out, text);
	mag_buf_printf(out, "  %s\n", ways[way].command);
}

static void put_verdict(struct mag_buf *out, const struct flow_refusal *r)
{
	char text[600], wait[48];
	struct mag_buf line = MAG_BUF(text);
	const char *sentence = *or_empty(r->text) ? r->text : flow_verdict_text(r->verdict);
	/* How long to wait replaces that one has to. */
	const char *vague = r->seconds ? strstr(sentence, " Wait ") : NULL;
	mag_buf_putn(&line, sentence, vague ? (size_t)(vague - sentence) : strlen(sentence));
	if (r->seconds)
		mag_buf_printf(
			&line, " Try again in %s.", text_duration(r->seconds, wait, sizeof wait));
	if (*or_empty(r->detail)) {
		text_put_wrapped(out, text);
		mag_buf_reset(&line);
		mag_buf_puts(&line, r->detail);
	}
	if (!*or_empty(r->help))
		mag_buf_printf(&line, " (%s)", verdict_id(r->verdict));
	text_put_wrapped(out, text);
}

/* The faults of tokens (L14): what is wrong, and the way out. The command of an app
 * is its own where there is one. */
static const struct token_fault {
	unsigned verdict;
	const char *what, *lead, *command, *app;
} token_faults[] = {
	{ VERDICT_TOKEN_EXPIRED, "has expired", "To renew it", "magotp activate KEY", NULL },
	{ VERDICT_TOKEN_PENDING, "is not activated yet", "To activate it", "magotp token add",
		"magotp mobile add" },
	{ VERDICT_TOKEN_REVOKED, "was revoked for good", "To add another", "magotp token add",
		"magotp mobile add" },
	{ VERDICT_TOKEN_SUSPENDED_BY_ADMIN,
		"was suspended by an administrator. Ask them to take it up again", NULL, NULL,
		NULL },
	{ VERDICT_TOKEN_OUT_OF_SYNC, "is out of step. An administrator has to reset it", NULL, NULL,
		NULL },
};

static const struct token_fault *token_fault_of(unsigned verdict)
{
	for (size_t i = 0; i < sizeof token_faults / sizeof *token_faults; i++)
		if (token_faults[i].verdict == verdict)
			return &token_faults[i];
	return NULL;
}

static void put_token_fault(
	struct mag_buf *out, const struct flow_refusal *r, const struct token_fault *fault)
{
	char text[200], name[24];
	struct mag_buf line = MAG_BUF(text);
	bool app = mag_streq(r->token, TEXT_APP) && fault->app;

	mag_buf_printf(&line, "Login refused. %s %s.", text_token(r->token, name, sizeof name),
		fault->what);
	text_put_wrapped(out, text);
	if (!fault->lead)
		return;
	mag_buf_printf(out, "%s, on a host that takes your password:\n  %s\n", fault->lead,
		app ? fault->app : fault->command);
}

char *flow_refusal_text(const struct flow_refusal *r, char *buf, size_t cap)
{
	char text[400];
	struct mag_buf out, line = MAG_BUF(text);
	bool requirements = r->verdict == VERDICT_REQUIREMENTS_NOT_MET;
	const struct token_fault *fault = r->token ? token_fault_of(r->verdict) : NULL;
	mag_buf_init(&out, buf, cap);

	if (requirements && r->key_alone)
		put_key_alone(&out, r);
	else if (requirements && only_level_is_missing(r))
		put_level(&out, r);
	else if (requirements)
		put_requirements(&out, r);
	else if (fault)
		put_token_fault(&out, r, fault);
	else
		put_verdict(&out, r);

	/* Without a line for help the id stands behind the sentence itself. */
	if (*or_empty(r->help)) {
		mag_buf_printf(&line, "Help: %s (%s)", r->help, verdict_id(r->verdict));
		text_put_wrapped(&out, text);
	} else if (requirements || fault) {
		mag_buf_printf(&line, "(%s)", verdict_id(r->verdict));
		text_put_wrapped(&out, text);
	}
	if (out.len && out.data[out.len - 1] == '\n')
		out.data[--out.len] = '\0';
	return buf;
}
