#include "otpcore/broker/pace.h"

/* An answer counts one part in so many: the figures follow the machine's load within
 * seconds, and no single answer moves them by much. */
#define WEIGHT 64

/* What takes this long waited for something else. */
#define OUTLIER 5000000

/* So many ns of delay that was too much are made good. */
#define OWED_MAX 50000

int64_t pace_hold(const struct pace *p, enum pace_what what, enum pace_whose whose)
{
	int64_t hold = p->learnt[what].hold[whose];

	return hold > 0 ? hold : 0;
}

/* The first ones count for more: there is nothing else to go by. */
static int64_t part(struct pace_learnt *l, enum pace_whose whose, int64_t first)
{
	if (l->n[whose] < WEIGHT)
		l->n[whose]++;
	return l->n[whose] < first ? first : l->n[whose];
}

static void learn_real(struct pace_learnt *l, int64_t spent)
{
	l->mean += (spent - l->mean) / part(l, PACE_REAL, 1);
}

/* Longer as long as they come too early, shorter when too late: what the holding
 * itself costs is settled with it. Below zero it goes on counting, so that chance
 * around zero does not add up to a delay. */
static void learn_hold(struct pace_learnt *l, enum pace_whose whose, int64_t spent)
{
	int64_t hold = l->hold[whose] + (l->mean - spent) / part(l, whose, 4);

	l->hold[whose] = hold < -OWED_MAX ? -OWED_MAX : hold > PACE_HOLD_MAX ? PACE_HOLD_MAX : hold;
}

void pace_learn(struct pace *p, enum pace_what what, enum pace_whose whose, int64_t spent)
{
	struct pace_learnt *l = &p->learnt[what];

	if (whose == PACE_NONE || spent < 0 || spent > OUTLIER)
		return;
	if (whose == PACE_REAL)
		learn_real(l, spent);
	else if (l->n[PACE_REAL] > 0)
		learn_hold(l, whose, spent);
}
