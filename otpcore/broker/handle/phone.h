/* What the files about phones share. */
#ifndef BROKER_HANDLE_PHONE_H
#define BROKER_HANDLE_PHONE_H

#include "otpcore/broker/handle/handle.h"

/* The phone in a place (1-3), or NULL; how many are in a state. */
struct phone *phone_by_slot(struct aggregate *a, int64_t slot);
size_t phones_in_state(const struct aggregate *a, int64_t state);

/* May the peer look at and work on these phones at all? Answers if not. */
bool phone_may_touch(struct request *r, struct aggregate *a);
/* P6: with a second factor active, only from a session of phone-otp or more.
 * Answers if not. The grant's reads must have been declared (grant_want). */
bool phone_may_change(struct request *r, struct aggregate *a, const struct mag_secret *grant);

/* Has the account a second factor that is settled? One that was locked or
 * suspended stays one: whoever has only the password must not get around it so. */
bool phone_has_factor(struct aggregate *a, int64_t now);

/* An active subscription for phones of any kind. */
bool phone_has_subscription(const struct aggregate *a, int64_t now);
/* H10: the subscription of a token or app in use, to which a phone may be added. */
struct subscription *phone_addon(struct aggregate *a, int64_t now);

/* The chain of a registration: tries belong to the phone's row, not to a code. */
int phone_register_chain(struct request *r, const struct phone *p, struct blob *chain_r);

/* A counter of the aggregate; 0 if there is none. */
int64_t phone_count(
	const struct aggregate *a, enum throttle_kind kind, int64_t subject, int64_t period);
/* until - now, never below 0. */
uint32_t phone_left(int64_t until, int64_t now);

int phone_add_want(struct request *r);
void phone_add_decide(struct request *r);
void phone_add_settle(struct request *r);
void phone_add_delivered(struct request *r, unsigned delivery);
void phone_verify_decide(struct request *r);
void phone_verify_settle(struct request *r);
int phone_test_want(struct request *r);
void phone_test_decide(struct request *r);
void phone_test_settle(struct request *r);
void phone_test_delivered(struct request *r, unsigned delivery);

#endif
