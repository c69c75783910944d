/* The first half of what a revocation does to a password (H8): it is written down in
 * the same transaction. password.c does it once that is committed. */
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/password.h"

const char *password_revoked(struct request *r, struct aggregate *a)
{
	struct passwords *p = r->broker->passwords;
	struct account *account = &a->account;
	bool reset = r->broker->settings->on_revoke == ON_REVOKE_RESET;

	if (r->broker->settings->on_revoke == ON_REVOKE_KEEP)
		return "";
	if (!passwords_can(p) || account->role != ROLE_USER || account->uid == WIRE_UID_UNKNOWN) {
		mag_log(MAG_LOG_NOTICE, "password account=%s: left to its owner: %s", account->name,
			account->role != ROLE_USER         ? "an administrator's"
			: account->uid == WIRE_UID_UNKNOWN ? "its uid is not known"
							   : "otpcored is not root's");
		return "Change your password, too: whoever has the token may know it.";
	}
	/* Nobody to mail a temporary one to: the next login asks for a new one. */
	if (reset && !password_can_mail(r->broker, a)) {
		mag_log(MAG_LOG_NOTICE, "password account=%s: expires: no e-mail can be sent",
			account->name);
		reset = false;
	}
	account->password_due = reset ? PASSWORD_DUE_RESET : PASSWORD_DUE_EXPIRE;
	mag_copy(account->password_host, sizeof account->password_host, r->broker->host);
	store_mark_account(r->tick, r->index, account, ROW_CHANGED);
	passwords_kick(p);
	return reset ? "A temporary password comes in an e-mail of its own."
		     : "The next login asks you for a new password.";
}
