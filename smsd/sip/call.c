/* What is heard from baresip, and what is done about it. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "smsd/sip/call.h"

#define REGISTER_MS 8000
#define GOODBYE_MS  800

/* ---- decisions ---- */

/* The call has ended, or never was. */
static enum sip_ending closed(const struct call_view *v, const char *reason)
{
	/* baresip hangs up when its file has been played. */
	bool played = strcmp(reason, "end of file") == 0;

	switch (v->state) {
	case CALL_ASKS:
		return played ? SIP_NO_KEY : SIP_HUNG_UP;
	case CALL_SPEAKS:
		return played || v->said ? SIP_HEARD : SIP_HUNG_UP;
	default:
		return sip_ending_of(reason, v->rang);
	}
}

/* baresip's answer to "reginfo", coloured for terminals; its events may have come before
 * anybody listened. */
static enum call_step registered(const char *info, enum sip_ending *ending_r)
{
	if (strstr(info, "[32mOK"))
		return STEP_DIAL;
	if (!strstr(info, "[31mERR"))
		return STEP_NONE;
	*ending_r = SIP_REFUSED;
	return STEP_END;
}

enum call_step call_heard(
	struct call_view *v, const struct control_word *w, enum sip_ending *ending_r)
{
	const char *type = w->type;

	if (w->response)
		return v->state == CALL_REGISTERS ? registered(w->param, ending_r) : STEP_NONE;
	if (strcmp(type, "CALL_CLOSED") == 0) {
		*ending_r = closed(v, w->param);
		return STEP_END;
	}
	if (strcmp(type, "REGISTER_FAIL") == 0 && v->state == CALL_REGISTERS) {
		*ending_r =
			w->param[0] >= '4' && w->param[0] <= '6' ? SIP_REFUSED : SIP_UNREACHABLE;
		return STEP_END;
	}
	if (strcmp(type, "REGISTER_OK") == 0 && v->state == CALL_REGISTERS)
		return STEP_DIAL;
	if (strcmp(type, "CALL_RINGING") == 0 || strcmp(type, "CALL_PROGRESS") == 0)
		v->rang = true;
	if (strcmp(type, "CALL_ESTABLISHED") == 0 && v->state == CALL_DIALS)
		return v->asks ? STEP_ASK : STEP_SPEAK;
	if (strcmp(type, "CALL_DTMF_START") == 0 && v->state == CALL_ASKS)
		return STEP_SPEAK;
	return STEP_NONE;
}

enum sip_ending call_late(const struct call_view *v)
{
	switch (v->state) {
	case CALL_REGISTERS:
		return SIP_UNREACHABLE;
	case CALL_DIALS:
		return v->rang ? SIP_NO_ANSWER : SIP_UNREACHABLE;
	case CALL_ASKS:
		return SIP_NO_KEY;
	default:
		return v->said ? SIP_HEARD : SIP_CUT_OFF;
	}
}

/* ---- the call ---- */

struct call {
	const struct call_parts *parts;
	struct call_view view;
	int64_t until;   /* ticks: how long this state may last */
	int64_t said_at; /* ticks: when the code will have been said once */
};

static void enter(struct call *c, enum call_state state, int64_t ms)
{
	int64_t until = mag_ticks_ms() + ms;

	c->view.state = state;
	c->until = until < c->parts->deadline ? until : c->parts->deadline;
}

/* "sip:+12025550134@example.org"; the transport is the account's. */
static int dial(struct call *c)
{
	const struct sip_order *o = c->parts->order;
	char uri[200];

	snprintf(uri, sizeof uri, "sip:%s@%s", o->to, o->domain);
	enter(c, CALL_DIALS, o->ring_ms);
	return control_send(c->parts->control, "dial", uri);
}

/* Only now does the code exist outside of this process: in a memory file that only
 * baresip has. Whoever else took the control connection over has ended ours before. */
static int speak(struct call *c)
{
	int r = baresip_write_code(c->parts->baresip, c->parts->code);

	if (r == 0)
		r = control_send(c->parts->control, "ausrc", BARESIP_CODE);
	enter(c, CALL_SPEAKS, c->parts->deadline);
	c->said_at = mag_ticks_ms() + c->parts->once_ms;
	return r;
}

static int take_step(struct call *c, enum call_step step)
{
	switch (step) {
	case STEP_DIAL:
		return dial(c);
	case STEP_ASK:
		/* The prompt lasts as long; it began by itself. */
		enter(c, CALL_ASKS, c->parts->order->key_wait_ms + 1000);
		return 0;
	case STEP_SPEAK:
		return speak(c);
	default:
		return 0;
	}
}

/* Listens until the call ends or its time is over. */
static enum sip_ending follow(struct call *c)
{
	enum sip_ending ending = SIP_FAULT;
	struct control_word word;

	for (;;) {
		int r = control_next(c->parts->control, c->until, &word);
		enum call_step step = STEP_NONE;

		c->view.said = c->view.state == CALL_SPEAKS && mag_ticks_ms() >= c->said_at;
		if (r == MAG_ETIMEOUT)
			return call_late(&c->view);
		if (r == 0 && word.response && !word.ok)
			r = MAG_EPROTO;
		if (r == 0)
			step = call_heard(&c->view, &word, &ending);
		if (step == STEP_END)
			return ending;
		if (r == 0)
			r = take_step(c, step);
		/* baresip has gone, or somebody else talks to it. */
		if (r < 0)
			return c->view.state == CALL_SPEAKS ? SIP_CUT_OFF : SIP_NO_BARESIP;
	}
}

/* The telephone stops ringing, the line is free. */
static void hang_up(struct call *c)
{
	int64_t until = mag_ticks_ms() + GOODBYE_MS;
	struct control_word word;

	if (control_send(c->parts->control, "hangup", "") < 0)
		return;
	while (control_next(c->parts->control, until, &word) == 0)
		if (strcmp(word.type, "CALL_CLOSED") == 0)
			return;
}

enum sip_ending call_make(const struct call_parts *parts)
{
	struct call c = { .parts = parts, .view = { .asks = parts->order->key_wait_ms > 0 } };
	enum sip_ending ending = SIP_NO_BARESIP;

	if (strcmp(parts->order->registers, "yes") == 0) {
		enter(&c, CALL_REGISTERS, REGISTER_MS);
		if (control_send(parts->control, "reginfo", "") < 0)
			return ending;
	} else if (dial(&c) < 0) {
		return ending;
	}
	ending = follow(&c);
	hang_up(&c);
	return ending;
}
