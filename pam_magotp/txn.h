/* MAGOTP_TXN: the sealed ticket on its way from auth to account and session
 * (security.md 14). It travels in the PAM environment, because sshd runs the
 * phases in different processes; from setcred on it is kept in pam_set_data,
 * and open_session takes it out of the environment. Never getenv. Services that
 * are known to stay in one process get no variable at all, so that none is left
 * behind where a stack has no session line. */
#ifndef PAM_TXN_H
#define PAM_TXN_H

#include "pam_magotp/visit.h"

/* After auth: both places. PAM_SUCCESS or the failure. */
int txn_leave(struct visit *v, const struct mag_secret *txn);

/* The ticket, empty if there is none; what was kept beats the environment.
 * PAM_SUCCESS, PAM_BUF_ERR. */
int txn_take(struct visit *v, struct mag_secret *txn_r);

/* Is this the user that the ticket was made for? sudo makes PAM_USER the target
 * before it opens the session. true also when there was no ticket. */
bool txn_same_user(struct visit *v);

/* setcred: from the environment into pam_set_data. */
int txn_keep(struct visit *v);

/* open_session: out of the environment. */
int txn_remove(struct visit *v);

/* MAGOTP_STRENGTH and MAGOTP_LEVEL, for people. */
int txn_export(struct visit *v, const char *strength, uint32_t level);

#endif
