/* Tokens, apps, recovery codes, sponsorship: the messages of token.wire. Each
 * has a file that does its job; one that has none yet is refused, but by the
 * gate first. */
#include "otpcore/broker/handle/handle.h"

static void missing_decide(struct request *r)
{
	request_error(r, MAG_EUNSUPPORTED);
}

const struct handler handle_token[] = {
	{ WIRE_MSG_TOKEN_STAGE, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_COMMIT, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_LIST, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_SHOW, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_ASSIGN, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_MINE, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_ADD, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_RESYNC, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_SUSPEND, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_RESUME, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_REVOKE, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_UNLOCK, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_RENEW, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_MOBILE_ADD, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_MOBILE_CONFIRM, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_RECOVERY_CODES, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_BREAK_GLASS, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_SPONSOR, NULL, missing_decide, NULL, NULL, NULL },
	{ WIRE_MSG_SWEEP, NULL, missing_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
