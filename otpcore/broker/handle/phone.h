/* What the files about phones share. */
#ifndef BROKER_HANDLE_PHONE_H
#define BROKER_HANDLE_PHONE_H

#include "otpcore/broker/handle/handle.h"
#include "otpcore/engine/number.h"

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
/* H10, H12: the subscription of a token or app in use, to which a phone may be added;
 * or one with proofing, where a phone is registered instead of the token. */
struct subscription *phone_addon(struct aggregate *a, int64_t now);

/* The chain of a registration: tries belong to the phone's row, not to a code. */
int phone_register_chain(struct request *r, const struct phone *p, struct blob *chain_r);

/* A counter of the aggregate; 0 if there is none. */
int64_t phone_count(
	const struct aggregate *a, enum throttle_kind kind, int64_t subject, int64_t period);
/* until - now, never below 0. */
uint32_t phone_left(int64_t until, int64_t now);

/* A number that is to be registered. The first line is the caller's to fill. */
struct phone_adding {
	const char *asked, *country, *channel_id, *label;
	struct aggregate *a;
	struct wire_phone_add_rep *rep;
	bool check_only;
	/* O5: the key that was typed pays, for this product (0: what the account has); a
	 * registration that was left makes room at once. */
	int64_t product;
	bool replace;
	/* Found out on the way. */
	struct number number;
	unsigned char hash[HASH_LEN];
	int64_t channel; /* asked for, or 0 */
	bool voice_only;
	struct phone *phone; /* that has the number, pending */
};
/* Answers; the code is on its way then, in r->sms. */
void phone_add_try(struct request *r, struct phone_adding *x);
/* A code for a phone that waits; fills what is said of it in x->rep. */
void phone_add_challenge(struct request *r, struct phone_adding *x);
/* The message of a repeated answer again, if it has not gone out: smsd takes it for
 * the same one. */
void phone_add_repeat(struct request *r, struct aggregate *a);
/* Has whoever may do so begun to register the phone that waits (security.md 11)? */
bool phone_vouched(struct request *r, struct aggregate *a);
/* The newest phone that waits for its code; NULL. */
struct phone *phone_pending(struct aggregate *a);

/* The code that binds a phone, tried. */
struct phone_trying {
	struct aggregate *a;
	struct phone *phone;
	const char *code;
	struct wire_phone_verify_rep *rep;
	/* What lies beneath the phone once the code was right; NULL: nothing does. */
	struct subscription *(*pays)(struct request *r, struct aggregate *a, const struct phone *p);
};
/* r->state in between; places from PHONE_TRY_STATE on are the caller's. */
#define PHONE_TRY_STATE 6
void phone_verify_try(struct request *r, const struct phone_trying *x);
/* What lies beneath where no key was typed; made where keys are not used. */
struct subscription *phone_verify_pays(
	struct request *r, struct aggregate *a, const struct phone *p);
/* In settle. true: bound, just now or by the same code before. */
bool phone_verify_close(struct request *r, struct wire_phone_verify_rep *rep);

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
