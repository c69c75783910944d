/* The login conversation, over {ask, tell}: the same in pam_magotp and in
 * `magotp elevate`. libc only. Data in, PAM-free outcome out. */
#ifndef LOGIN_FLOW_H
#define LOGIN_FLOW_H

#include <stdbool.h>

#include "otpcore/base/secret.h"
#include "otpcore/client/client.h"
#include "otpcore/login/texts.h"

/* How the conversation reaches the person. Both return 0 or MAG_ECONV. */
struct flow_io {
	/* Show `prompt` (<= 511 bytes) and read one line. echo: may typing be seen. */
	int (*ask)(void *arg, const char *prompt, bool echo, struct mag_secret *answer_r);
	/* Show a message; it may arrive late (OpenSSH before 10.3). error: a refusal. */
	int (*tell)(void *arg, const char *message, bool error);
	void *arg;
	/* Which of these groups (words) is the user in? Into buf, as words; what cannot be
	 * found out is not. NULL: nobody can tell. */
	void (*groups)(void *arg, const char *asked, char *buf, size_t cap);
};

struct flow_params {
	const char *user, *service, *rhost, *tty, *ruser; /* NULL: unknown */
	uint32_t uid;
	uint32_t proof;        /* enum login_proof */
	const void *auth_info; /* SSH_AUTH_INFO_0 */
	size_t auth_info_len;
	const char *require, *mode, *unenrolled; /* PAM line, or NULL */
	uint32_t level;
	bool echo;
	const struct mag_secret *password; /* the password that was typed, to notice
					      blind conversations; NULL: unknown */
	const struct mag_secret *combined; /* mode=combined: what followed the comma
					      (code, "sms", "call", "sms2"); NULL: nothing */
};

enum flow_end {
	FLOW_REFUSED = 0,    /* verdict says why; the start value */
	FLOW_OK,             /* second factor proven, or enough was there */
	FLOW_EXEMPT,         /* policy asks nothing of this user here */
	FLOW_SKIPPED,        /* the person skipped and may */
	FLOW_UNAVAILABLE,    /* no broker; error says which way */
	FLOW_BROKEN,         /* the conversation failed (no conv, hung up) */
	FLOW_CALLER,         /* ruser's factor is wanted: call again for that user */
	FLOW_PASSWORD_FIRST, /* the service is in combined mode: call again with the
				password proven and `combined` */
};

struct flow_result {
	enum flow_end end;
	unsigned verdict;      /* enum verdict */
	int error;             /* FLOW_UNAVAILABLE: the mag_err of client_call */
	bool answered;         /* the broker answered at least once */
	char detail[256];      /* its word about an error, for the log; clean */
	struct mag_secret txn; /* for MAGOTP_TXN or as a grant */
	char strength[33];
	uint32_t level;
	bool raised; /* elevate */
	char reason[33];
};

/* Converse until the login is decided. 0 whenever result_r is filled (also for
 * refusals); MAG_ENOMEM. result_r starts as refused and must be cleared with
 * flow_result_clear. At most 12 prompts; 20 where a first credential is set up. */
int flow_run(const struct client *c, const struct flow_io *io, const struct flow_params *p,
	struct flow_result *result_r);
void flow_result_clear(struct flow_result *r);

/* What the service asks for, before the password is known: begin with no proof.
 * 0, or as client_call. */
struct flow_options {
	char mode[17];     /* separate short combined none */
	char separator[9]; /* comma none */
	uint32_t code_digits;
};
int flow_peek(const struct client *c, const struct flow_params *p, struct flow_options *options_r);

/* client_call that lives through a restart of the broker: tries again, with the
 * same bytes, while the deadline of `c` allows. answered: the broker spoke in
 * this login before, so that it is worth waiting for. */
int flow_request(const struct client *c, bool answered, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply);

/* mode=combined: what was typed into the one field -> the password and what
 * came with it (code, "sms", "call", "sms2"; empty: nothing). One split, at the
 * last comma, and only before a code or one of those words; otherwise all of it
 * is the password. Also OpenVPN's "SCRV1:base64:base64". 0 or MAG_ENOMEM. */
int flow_split(const struct mag_secret *typed, const struct flow_options *options,
	struct mag_secret *password_r, struct mag_secret *factor_r);

/* "Last login ..." and what is near, for the session phase, in open's language; "" if
 * there is nothing to say. */
char *flow_session_text(const struct wire_open_rep *open, char *buf, size_t cap);

/* What an account has. */
enum flow_has { FLOW_HAS_PHONE = 1, FLOW_HAS_OTHER = 2 }; /* bits; a token or an app */
unsigned flow_has(const struct wire_factor *factors, size_t n);

/* The refusal texts of the account phase and of the tools, made from a verdict
 * and what the broker said; several lines, each <= 80 columns. `cap`: at least 512. */
struct flow_refusal {
	unsigned verdict;
	const char *service, *host, *require, *help, *detail;
	const char *language; /* a tag, or NULL: English */
	unsigned has;         /* enum flow_has */
	enum text text;       /* said instead of the verdict's own sentence, or 0 */
	/* A token is at fault: what the notice of it speaks of ("3401", ""); else NULL. */
	const char *token;
	bool key_alone; /* refused because only a key was presented */
	uint32_t seconds;
	uint32_t level; /* that is required; 0: unknown */
};
char *flow_refusal_text(const struct flow_refusal *r, char *buf, size_t cap);

/* One sentence for a verdict: what happened and what to do next ("That code has
 * expired. Ask for a new one."). Static, English. Used by the tools for exit 1. */
const char *flow_verdict_text(unsigned verdict);

#endif
