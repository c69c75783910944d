/* What a revocation does to the password (H8): written down with it, done by the
 * password helper afterwards. */
#ifndef BROKER_PASSWORD_H
#define BROKER_PASSWORD_H

#include "otpcore/broker/broker.h"

/* In the decide of a revocation by a person: what [lifecycle] on_revoke says goes
 * onto the account's row, for this host. Returns a sentence for the owner's notice;
 * "": nothing happens to it. */
const char *password_revoked(struct request *r, struct aggregate *a);

/* ---- password_mail.c ---- */

/* At least 64 random bits, in small letters and digits that are not mistaken for each
 * other; at most 16 characters. 0, MAG_ESYS, MAG_ENOMEM. */
int password_make(struct mag_secret *new_r);
/* Is there an address, and are such mails switched on? */
bool password_can_mail(const struct broker *b, const struct aggregate *a);
/* Mail the password of this order; passwords_mailed() hears what came of it. */
int password_mail(struct broker *b, const char *account, int64_t order);

/* ---- password.c, for the others ---- */

/* Is there a helper, or will there be one after the next start? `p` may be NULL. */
bool passwords_can(const struct passwords *p);
/* Look for what is owed soon, not at the next turn of the clock. */
void passwords_kick(struct passwords *p);
/* The one that waits to be mailed under this id; NULL: none does any more. */
const struct mag_secret *passwords_new_of(const struct passwords *p, int64_t order);
/* smsd's word (enum login_delivery) about an order of ours, once for each; NONE: it
 * cannot be mailed. Of other ids nothing is known. */
void passwords_mailed(struct passwords *p, int64_t id, unsigned delivery);

#endif
