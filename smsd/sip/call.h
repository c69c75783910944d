/* One call, from dialling to its end. */
#ifndef SMSD_SIP_CALL_H
#define SMSD_SIP_CALL_H

#include "smsd/sip/baresip.h"
#include "smsd/sip/control.h"
#include "smsd/sip/ending.h"
#include "smsd/sip/order.h"

struct call_parts {
	const struct sip_order *order;
	struct baresip *baresip;
	struct control *control;
	const struct mag_secret *code; /* the WAV file that says it */
	int64_t once_ms;               /* into that file: the whole code has been said */
	int64_t deadline;              /* ticks: it is over by then */
};

/* Dials, waits, asks for a key, speaks. The call has ended, or baresip's end will end it. */
enum sip_ending call_make(const struct call_parts *parts);

/* ---- the decisions, apart from the waiting ---- */

enum call_state { CALL_REGISTERS, CALL_DIALS, CALL_ASKS, CALL_SPEAKS };
enum call_step { STEP_NONE, STEP_DIAL, STEP_ASK, STEP_SPEAK, STEP_END };

struct call_view {
	enum call_state state;
	bool asks; /* for a key before the code is said */
	bool rang; /* somebody, or something, has been told of the call */
	bool said; /* the whole code, once at least */
};

/* What follows from a word of baresip's; with STEP_END, ending_r is filled. v->rang is kept. */
enum call_step call_heard(
	struct call_view *v, const struct control_word *w, enum sip_ending *ending_r);
/* The time of this state is over. */
enum sip_ending call_late(const struct call_view *v);

#endif
