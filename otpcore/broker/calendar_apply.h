/* One account's dates: what is due, and doing it. */
#ifndef BROKER_CALENDAR_APPLY_H
#define BROKER_CALENDAR_APPLY_H

#include "otpcore/broker/broker.h"
#include "otpcore/engine/calendar.h"

void calendar_settings(const struct settings *s, struct calendar_rules *rules_r);
/* Who may have something due: a little more than what is. */
void calendar_horizon(const struct calendar_rules *rules, int64_t now, struct store_horizon *h_r);

/* Do `d` to rows of this tick (account and its sessions are wanted). *mail_r: the
 * notice that goes with it, marked new; NULL: none. False: it could not be done
 * any more. */
bool calendar_apply(
	struct request *r, struct aggregate *a, const struct due *d, struct mail **mail_r);

const char *due_kind_id(enum due_kind kind);       /* "remind-expiry" */
const char *due_reason_id(enum due_reason reason); /* "expired", "" */
/* "phone-us", "token 3401": whatever it is about. Returns buf. */
const char *due_credential(const struct aggregate *a, const struct due *d, char *buf, size_t cap);

#endif
