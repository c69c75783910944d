/* The messages of a login, in the order in which they come. */
#ifndef BROKER_HANDLE_LOGIN_H
#define BROKER_HANDLE_LOGIN_H

#include "otpcore/broker/party.h"

/* begin.c */
int begin_want(struct request *r);
void begin_decide(struct request *r);
/* send.c */
void login_send_decide(struct request *r);
void login_send_settle(struct request *r);
void login_send_delivered(struct request *r, unsigned delivery);
void login_fate_decide(struct request *r);
/* verify_token.c */
void resync_decide(struct request *r);
void resync_settle(struct request *r);
/* verify.c */
int verify_want(struct request *r);
void verify_decide(struct request *r);
void verify_settle(struct request *r);
void verify_after(struct request *r);
/* skip */
void skip_decide(struct request *r);
void skip_settle(struct request *r);

/* ---- shared with session.c and status.c ---- */

/* Does somebody else own the account by now (security.md 12)? Uids that are
 * unknown on either side say nothing. */
bool login_uid_differs(const struct aggregate *a, uint32_t uid);
/* Usable by its owner at all? */
bool login_account_usable(const struct aggregate *a, uint32_t uid);
/* Has it an active phone or a token of its own, whatever became of the licence? What
 * still waits for proofing was never in use: none. */
bool login_enrolled(const struct aggregate *a);
/* Has the account nothing at all to log in with? One whose parent is locked has, and
 * can't use it: it is not let in like somebody who never had a factor (H11). */
bool login_bare(struct request *r, const struct aggregate *a);
/* How many recovery codes may be typed: lent ones too (H11); break-glass codes are
 * the account's own. */
size_t login_recoveries(const struct aggregate *creds, const struct aggregate *own, int64_t kind);
/* How many methods it has registered that work (O9). */
int64_t login_methods(const struct request *r, const struct aggregate *a);
/* What send, verify and resync call it. */
uint32_t login_token_ref(const struct token *t);
/* One factor as messages show it: an offer's phone or token. */
void login_factor(const struct request *r, const struct aggregate *a, const struct offer *o,
	struct wire_factor *f_r);
/* What the account has, satisfying or not: active phones, tokens that are not
 * revoked. */
void login_has(
	const struct request *r, const struct aggregate *a, struct wire_factor *list, size_t *n);
void login_notice(
	struct wire_notice *list, size_t *n, const char *id, const char *what, int64_t at);
/* What the account is spoken to in; what is made up, and who is not known, speaks like an
 * account that names none (L10). */
const char *login_language(const struct request *r, const struct aggregate *own);
/* When the account's subscription ends, if that is near (L9); 0. */
int64_t login_renewal(const struct request *r, const struct aggregate *a);
/* Where nothing is offered to the owner: what is the matter with the token that the
 * account has or had (L14); VERDICT_NONE: nothing to tell, or not to this peer. */
enum verdict login_why(const struct request *r, const struct aggregate *a, const struct policy *p);
/* "renewal", "phone-expired", "token-expired" and the other faults of tokens. */
void login_notices(
	const struct request *r, struct aggregate *a, struct wire_notice *list, size_t *n);

#endif
