/* What the steps of the conversation share. A step does one thing (offer the
 * choice, have a code sent, ask for it) and names the step that comes next. */
#ifndef LOGIN_STEPS_H
#define LOGIN_STEPS_H

#include "otpcore/login/flow.h"
#include "otpcore/login/texts.h"

#define FLOW_PROMPTS_MAX   12
#define FLOW_ENROLL_MAX    20   /* setting up asks more, and mistakes are made in keys */
#define FLOW_SEND_EXTRA_MS 3000 /* the broker waits that long for the gateway */
#define FLOW_CODE_MAX      32

enum step {
	STEP_END,
	STEP_CHOICE,
	STEP_SEND,
	STEP_CODE,
	STEP_RESYNC,
	STEP_COMBINED,
	STEP_ENROLL_KEY,
	STEP_ENROLL_WHICH,
	STEP_ENROLL_NUMBER,
	STEP_ENROLL_USE,
	STEP_ENROLL_WAITS,
	STEP_ENROLL_SEND,
	STEP_ENROLL_CODE,
	STEP_ENROLL_SERIAL,
	STEP_ENROLL_TOKEN,
	STEP_ENROLL_APP,
	STEP_ENROLL_APP_CODE
};

/* What was said so far while a first credential is set up (O5). */
struct flow_enroll {
	bool on;
	uint32_t takes;                     /* enum enroll_takes */
	char label[97], until[32];          /* of the key */
	struct wire_enroll_phone_rep phone; /* that the code goes to; number "": it waited */
	char serial[65];
	bool qr_light; /* the picture was drawn for dark terminals: the next for light ones */
};

struct flow {
	const struct client *client;
	const struct flow_io *io;
	const struct flow_params *p;
	struct flow_result *out;
	struct wire_begin_rep *login; /* what the broker said at begin */

	uint32_t seq;
	int prompts;
	bool brief; /* mode=short */

	const struct wire_factor *factor;      /* that a code is asked for; NULL: the choice */
	char channel[9];                       /* that it goes by */
	bool again;                            /* the person wants a new one */
	bool sent;                             /* a code went out in this login ... */
	const struct wire_factor *live_factor; /* ... last to this phone, */
	char live_channel[9];                  /* this way */
	uint32_t wrong;                        /* codes judged wrong */

	struct flow_enroll enroll;
	enum text head;        /* what the choice says first */
	enum text screen;      /* what the next code prompt says */
	struct text_args args; /* both with these places filled */
};

/* What a line that was typed is. */
enum answer { ANSWER_EMPTY, ANSWER_KEY, ANSWER_NUMBER, ANSWER_CODE, ANSWER_RECOVERY, ANSWER_OTHER };
struct answer_line {
	enum answer what;
	char key;                     /* ANSWER_KEY: r v t m s n q */
	unsigned number;              /* ANSWER_NUMBER: 1-9 */
	char code[FLOW_CODE_MAX + 1]; /* ANSWER_CODE: digits; _RECOVERY: as typed. Wipe it */
};

/* ask.c */
/* One prompt. 0, or the end of the login is set: the conversation broke, went
 * on too long, or nobody is there who reads (a blind one). */
int flow_ask(struct flow *f, const char *prompt, struct answer_line *answer_r);
/* The same, as it was typed, without blanks around it; cut where it is longer than
 * anything that could be right. Wipe it. */
int flow_ask_text(struct flow *f, const char *prompt, char *text_r, size_t cap);
void flow_tell(struct flow *f, enum text id);

/* call.c */
/* flow_request for this login. 0 when the broker served the request; else the
 * end is set. */
int flow_call(struct flow *f, uint16_t message, const void *request, struct wire_result *result_r,
	void *reply);

/* flow.c: how it ends. All return STEP_END. */
enum step flow_refuse(struct flow *f, unsigned verdict, uint32_t seconds, const char *detail);
enum step flow_refuse_text(struct flow *f, unsigned verdict, enum text id);
/* Refused without a word: a blind conversation, combined mode. */
enum step flow_refuse_mute(struct flow *f, unsigned verdict);
enum step flow_granted(struct flow *f, enum flow_end end, const char *strength, uint32_t level);

/* step_*.c */
enum step step_choice(struct flow *f);
enum step step_send(struct flow *f);
enum step step_code(struct flow *f);
enum step step_resync(struct flow *f);
enum step step_combined(struct flow *f);

/* step_enroll.c */
enum step flow_enroll(struct flow *f);
enum step step_enroll_key(struct flow *f);
enum step step_enroll_which(struct flow *f);
/* What happened (f->head), then the question; a greeter has room for one of them. */
void flow_enroll_put(struct flow *f, struct mag_buf *out, enum text question);
/* A key is needed (again), and why. */
enum step flow_enroll_key(struct flow *f, enum text why);
/* What leads back to the key; STEP_END if this verdict does not. */
enum step flow_enroll_no_means(struct flow *f, unsigned verdict);
/* Something else than the app: a token, or another key. */
enum step flow_enroll_other(struct flow *f);
/* Set up: in, or told why not here. */
struct flow_enrolled {
	unsigned verdict;
	const char *strength;
	uint32_t level;
	int64_t expires;
	enum text done;
};
enum step flow_enrolled(struct flow *f, const struct flow_enrolled *e);
/* step_enroll_factor.c */
enum step step_enroll_number(struct flow *f);
enum step step_enroll_use(struct flow *f);
enum step step_enroll_waits(struct flow *f);
enum step step_enroll_send(struct flow *f);
enum step step_enroll_code(struct flow *f);
enum step step_enroll_serial(struct flow *f);
enum step step_enroll_token(struct flow *f);

/* step_enroll_app.c */
enum step step_enroll_app(struct flow *f);
enum step step_enroll_app_code(struct flow *f);

/* step_resync.c: can two codes put this token right? */
bool flow_needs_resync(const struct wire_factor *factor);
/* The token is locked by now: asks for two codes. NULL: the account's token. */
enum step flow_resync(struct flow *f, const struct wire_factor *factor);

/* step_send.c: a message that did not go out, or did not arrive. */
bool flow_lost(uint32_t delivery);

/* verify.c: what a judged code leads to. */
enum step flow_verify(struct flow *f, uint32_t ref, const char *code);
enum step flow_skip(struct flow *f);

/* Rule P12: has the person to be told that the carrier may charge, before a
 * first message to this phone (NULL: to any)? */
bool flow_charge_unsaid(const struct flow *f, const struct wire_factor *factor);
/* The factor that Enter takes; NULL if there is none. */
const struct wire_factor *flow_default(const struct flow *f);
bool flow_is_recovery(const struct wire_factor *factor);
bool flow_is_phone(const struct wire_factor *factor);
/* The channel that the phone takes beside `now`, or NULL. */
const char *flow_other_channel(const struct wire_factor *factor, const char *now);
void flow_choose(struct flow *f, const struct wire_factor *factor, const char *channel);

#endif
