/* Rule L10 by the clock: who is made up, or has no second factor, is answered no
 * sooner than somebody who has one. What a real answer takes is learnt as the
 * answers go out; the others are held back by the difference. Pure: times are given. */
#ifndef BROKER_PACE_H
#define BROKER_PACE_H

#include <stdint.h>

#define PACE_HOLD_MAX 500000 /* ns: no answer is held back longer */

/* Which answer it is, and whose. PACE_NONE: all the others. */
enum pace_what { PACE_BEGIN, PACE_WRONG_CODE, PACE_WHATS };
enum pace_whose {
	PACE_NONE,
	PACE_REAL,
	PACE_BARE,
	PACE_UNKNOWN,
	PACE_HIDDEN, /* real, but not for the relay that asks */
	PACE_WHOSE
};

struct pace {
	struct pace_learnt {
		int64_t n[PACE_WHOSE];    /* answers seen, up to a limit */
		int64_t mean;             /* ns that real ones took */
		int64_t hold[PACE_WHOSE]; /* ns to add */
	} learnt[PACE_WHATS];
};

/* How many ns this answer is to be held back. */
int64_t pace_hold(const struct pace *p, enum pace_what what, enum pace_whose whose);

/* An answer went out `spent` ns after its request came in, hold included. */
void pace_learn(struct pace *p, enum pace_what what, enum pace_whose whose, int64_t spent);

#endif
