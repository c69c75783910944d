/* Identity proofing: what its files share, and what others call. */
#ifndef BROKER_HANDLE_PROOFING_H
#define BROKER_HANDLE_PROOFING_H

#include "otpcore/broker/handle/handle.h"
#include "otpcore/engine/proofing.h"

/* What a person agrees to (I7), as the tools show it and the mail repeats it. */
#define PROOFING_TERMS                                                                             \
	"An agent checks who I am. Documents, answers and numbers are not kept; the way, the "     \
	"agent, the result and the dates are."

/* proofing_code.c: an activation code was typed (I1, I2); the account's courses must
 * have been wanted, and that it may try was looked at. Answers the request. */
void proofing_enter(struct request *r, struct aggregate *a, const struct mag_secret *typed);

/* proofing.c: a credential was given up or taken away: a proofing that nothing
 * preserves has to be repeated (I3, H12). Called wherever that happens, afterwards. */
void proofing_drop_lost(struct request *r, struct aggregate *a);

/* proofing.c: the course under way, or a new one; marked by the caller with
 * proofing_mark. NULL: no place. */
struct proofing *proofing_course(
	struct request *r, struct aggregate *a, const struct subscription *s);
struct proofing *proofing_new(struct request *r, struct aggregate *a);
void proofing_mark(struct request *r, struct proofing *row);
/* The first subscription an activation code would do something for; NULL. */
struct subscription *proofing_case(struct request *r, struct aggregate *a);
void proofing_show_decide(struct request *r);

/* proofing_agent.c */
int proofing_agent_want(struct request *r);
void proofing_issue_decide(struct request *r);
void proofing_reissue_decide(struct request *r);
void proofing_fail_decide(struct request *r);
void proofing_schedule_decide(struct request *r);
void proofing_list_decide(struct request *r);
void proofing_list_after(struct request *r);

#endif
