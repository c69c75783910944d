/* One try at a second factor, whatever it is: what the failure is charged to
 * before the code is looked at, and whether the charge stayed within the limits
 * (security.md 5-9). */
#ifndef BROKER_HANDLE_TRIAL_H
#define BROKER_HANDLE_TRIAL_H

#include "otpcore/broker/party.h"
#include "otpcore/broker/session.h"

/* request.state of a verify or resync, from decide to settle. */
enum {
	TRIAL_KEEP,
	TRIAL_EVALUATED,
	TRIAL_CREDENTIAL, /* that was charged; phones: the challenge */
	TRIAL_FAILURES,
	TRIAL_CLAIMED,
	TRIAL_ACCEPTED, /* token whose code it was, and what it was worth then */
	TRIAL_STRENGTH,
	TRIAL_LEVEL,
};
enum { EVALUATED_NOT, EVALUATED_PHONE, EVALUATED_TOKEN, EVALUATED_RECOVERY, EVALUATED_TWIN };

/* Refs of login.wire beyond the phones' 1 to 3. */
enum { REF_TOKEN = 4, REF_MOBILE, REF_RECOVERY };

struct trial {
	struct party p;
	int64_t credential; /* row id of the phone or token */
	/* Wrong ones in a row: of a chain of phone codes, of a token, of its resyncs.
	 * Subject 0: none; only the source's share is the limit. */
	enum throttle_kind run;
	int64_t run_subject, run_cap;
	enum verdict run_over; /* when the run is at its end */
};

/* May anything be judged now? Fills the verdict and the wait if not. */
bool trial_may_judge(const struct trial *t);
/* In decide: charges the failure. request.charge holds the handles. */
void trial_reserve(const struct trial *t);
/* In settle: did this try's own charge stay within every limit, those of other
 * hosts included? VERDICT_OK, run_over or VERDICT_ACCOUNT_THROTTLED. */
enum verdict trial_within(const struct trial *t);
/* In settle: success gives back what this login charged: its reservation, and
 * for the owner the `failures` before it. A chain is spent. `proven`: the code was
 * the charged credential's own, so its run ends; another's proves nothing of it. */
void trial_refund(const struct trial *t, int64_t failures, bool proven);
/* In settle: the reservation alone; it was no guess. */
void trial_return(const struct trial *t);
/* Wrong ones in a row, this try's own reservation included. */
int64_t trial_run(const struct trial *t);
uint32_t trial_left(const struct trial *t);
/* Is the peer root or the account's own user? Other verifiers bind themselves only. */
bool trial_by_owner(const struct party *p);

/* In settle: onto the login's row, and onto the session that elevates. */
void trial_proven(struct request *r, const struct party *p, const struct proof *proof);

/* verify.c */
/* In decide: elevate claims the session that it will raise. */
void verify_claim_session(struct request *r);
void verify_succeed(struct request *r, const struct party *p, const struct proof *proof);
/* verify_recovery.c: false if the code has not the form of one. */
bool verify_recovery_decide(struct request *r, const struct party *p);
void verify_recovery_settle(struct request *r, const struct party *p);
/* verify_token.c: false if the code is no token's or app's affair. */
bool verify_token_decide(struct request *r, const struct party *p);
void verify_token_settle(struct request *r, const struct party *p);
/* verify_twin.c: false if nothing was right just now that this repeats. */
bool verify_twin_decide(struct request *r, const struct party *p);
void verify_twin_settle(struct request *r, const struct party *p);

#endif
