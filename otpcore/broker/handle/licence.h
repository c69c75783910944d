/* Keys as they are issued and typed: what licence, sponsor, activate and a first login
 * share. */
#ifndef BROKER_HANDLE_LICENCE_H
#define BROKER_HANDLE_LICENCE_H

#include "otpcore/broker/handle/handle.h"
#include "otpcore/engine/licence.h"

/* Reads of a key as typed; one that is mistyped needs none. */
int licence_key_want(struct request *r, const struct mag_secret *typed);
/* Its row (row.id 0: unknown); NULL with the request answered: mistyped, in
 * *group_r (0: its length). */
struct licence *licence_key_row(
	struct request *r, const struct mag_secret *typed, unsigned *group_r);
/* May this account try a key at all (K3)? Answers the request if not. */
bool licence_key_may_try(struct request *r, struct aggregate *a);
/* The failure is charged before the key is looked at; in settle a right one gives
 * that back, and one over the limit is not answered. */
void licence_key_charge(struct request *r, struct aggregate *a);
void licence_key_settle(struct request *r);

/* K2: a new key leaves once, in key_r. `account` 0: whoever has it may use it; else it
 * is set aside: the activation code of a sponsorship (K4, security.md 11). */
struct licence_order {
	int64_t product, account, purchased;
	bool proofing, hold;
	const char *ref;
};
int licence_issue(struct request *r, const struct licence_order *o, struct mag_secret *key_r);

/* What a key that licence_judge() took would do: licence_effect(), or, of a sponsorship,
 * taking it while it lasts. Changes nothing. */
enum verdict licence_worth(struct request *r, struct aggregate *a, const struct licence *l,
	struct licence_effect *e_r);
/* Binds a key that licence_judge() took: the subscription is made or extended and
 * the key used. Fills s_r, or says why not, with nothing changed. */
enum verdict licence_bind(
	struct request *r, struct aggregate *a, struct licence *l, struct subscription **s_r);

/* licence_list.c */
void licence_list_decide(struct request *r);
void licence_list_after(struct request *r);
void licence_release_decide(struct request *r);
void licence_release_after(struct request *r);

#endif
