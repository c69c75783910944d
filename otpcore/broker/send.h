/* Inside of sending, for the login's own messages; handlers of other families
 * use send_challenge of broker.h. */
#ifndef BROKER_SEND_H
#define BROKER_SEND_H

#include "otpcore/broker/books.h"

#define LOGIN_PRIORITY 0 /* of send_input: sms.wire */

/* The id under which smsd knows the message of a challenge. */
void order_id(int64_t challenge, char *id, size_t cap);
/* Fill r->sms for a challenge that exists: the same id and code again, which
 * smsd takes for the same message. */
int send_order(struct request *r, const struct send_input *in, const struct challenge *c);
/* send_budget.c: may one more be sent? VERDICT_OK, VERDICT_SEND_LIMITED (result.seconds). */
enum verdict send_budget_allows(const struct books *b, int64_t phone);
int send_budget_charge(const struct books *b, int64_t phone);
/* The code of a challenge: derived, never stored. */
int send_code(const struct broker *b, const struct challenge *c, char code_r[9]);

#endif
