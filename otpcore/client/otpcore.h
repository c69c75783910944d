/* otpcore.h - second factors for any program: the client side of otpcored(8).
 *
 * PAM programs need none of this: pam_magotp(8) does it for them. This is for
 * programs that check passwords themselves: the program proves who the person
 * is by a password, then asks otpcored for the second factor. otpcored keeps
 * the secrets and judges the codes; this library only asks, over a local
 * socket. It holds no secret longer than a call needs it, starts no thread,
 * handles no signal, reads no environment variable and resolves no name.
 *
 * Example: a second factor for the user named on the command line.
 *
 *     #include <stdio.h>
 *     #include <string.h>
 *     #include <otpcore.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct otpcore *login = NULL;
 *         int decision = OTPCORE_DENY, sent = 0, accepted = 0, allowed = 0;
 *         char code[64];
 *         int r = argc == 2 ? otpcore_new(&login) : OTPCORE_EINVAL;
 *
 *         // Here the program has checked the password of argv[1].
 *         if (r == 0)
 *             r = otpcore_begin(login, argv[1], "example", OTPCORE_PROOF_PASSWORD, &decision);
 *         if (r == 0 && decision == OTPCORE_ASK && otpcore_n_factors(login) > 0) {
 *             const struct otpcore_factor *f = otpcore_factor(login, 0);
 *
 *             r = otpcore_send(login, f->ref, NULL, 0, &sent);
 *             if (r == 0 && sent) {
 *                 fprintf(stdout, "Code sent to ...%s: ", f->masked);
 *                 fflush(stdout);
 *                 if (fgets(code, sizeof code, stdin) != NULL) {
 *                     code[strcspn(code, "\n")] = '\0';
 *                     r = otpcore_verify(login, f->ref, code, &accepted);
 *                 }
 *             }
 *             if (r == 0 && !accepted)
 *                 fprintf(stderr, "refused: %s\n", otpcore_answer(login)->verdict);
 *         }
 *         // The last word is the policy's: was that enough for this service?
 *         if (r == 0)
 *             r = otpcore_account(login, &allowed);
 *         if (r < 0)
 *             fprintf(stderr, "cannot say: %s\n", otpcore_strerror(r));
 *         otpcore_free(&login);
 *         return r == 0 && allowed ? 0 : 1;
 *     }
 *
 *     // cc -o example example.c $(pkg-config --cflags --libs otpcore)
 *
 * Conventions. Every function that can fail returns int: 0, or one of the
 * negative numbers of enum otpcore_error. 0 says that otpcored answered, not
 * that it agreed: what it decided comes in the last argument, which starts as a
 * refusal and is set to 0 (or OTPCORE_DENY) on every failure. Texts are UTF-8,
 * end in NUL, are copied by the library when given and belong to the handle
 * when returned: they live until the next call on that handle that asks
 * otpcored. A text that does not apply is "", a number 0; nothing is NULL.
 *
 * A handle is one login of one person. It may be used by one thread at a time;
 * different handles are independent. It holds no descriptor between calls and
 * survives a fork, but a login belongs to the process that began it: otpcored
 * knows a caller by SO_PEERCRED (unix(7)) and gives each only what it may ask:
 * root anything, a user for the own account, a verifier (magotp.conf(5),
 * [broker] verifiers) for its services.
 *
 * Calls block for the time-out at most (otpcore_set_timeout). A broker that is
 * restarted in the middle of a login is asked again within that time; each
 * request has a number, so nothing is judged or charged twice. */
#ifndef OTPCORE_H
#define OTPCORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OTPCORE_API __attribute__((visibility("default")))

/* Why a call failed. */
enum otpcore_error {
	OTPCORE_ENOMEM = -1, /* out of memory */
	OTPCORE_EINVAL = -2, /* an argument is wrong, or begin was not called */
	OTPCORE_ESYNTAX = -3,
	OTPCORE_ERANGE = -4, /* a text is too long, or not UTF-8 */
	OTPCORE_ENOSPACE = -5,
	OTPCORE_ESYS = -6,     /* a system call failed: errno(3) */
	OTPCORE_EPROTO = -7,   /* the answer makes no sense */
	OTPCORE_EVERSION = -8, /* otpcored speaks another version */
	OTPCORE_EPERM = -9,    /* this caller may not ask that */
	OTPCORE_ENOTFOUND = -10,
	OTPCORE_EEXISTS = -11,
	OTPCORE_ECONFLICT = -12,
	OTPCORE_ETIMEOUT = -13, /* no answer in time */
	OTPCORE_EDOWN = -14,    /* nobody listens on the socket */
	OTPCORE_EBUSY = -15,    /* too many wait before us */
	OTPCORE_ECRYPTO = -16,
	OTPCORE_ESTORE = -17, /* otpcored's store failed */
	OTPCORE_ESCHEMA = -18,
	OTPCORE_EUNSUPPORTED = -19,
	OTPCORE_ESERVER = -20, /* whoever listens is not otpcored */
	OTPCORE_ESTALE = -21,  /* this login ended, or took over ten minutes */
	OTPCORE_ECONV = -22,
	OTPCORE_EGONE = -23, /* the connection ended before the answer */
};

/* The text of an error, or "unknown error". Static. */
OTPCORE_API const char *otpcore_strerror(int error);

/* ---- a handle ---- */

struct otpcore;

/* A handle for one login. OTPCORE_ENOMEM. */
OTPCORE_API int otpcore_new(struct otpcore **login_r);

/* Wipes and frees; *login is NULL afterwards. NULL inside is fine. */
OTPCORE_API void otpcore_free(struct otpcore **login);

/* Where otpcored listens; without this, /run/magotp/otpcored.sock. At most 107
 * bytes (unix(7)). OTPCORE_ERANGE. */
OTPCORE_API int otpcore_set_socket(struct otpcore *login, const char *path);

/* Milliseconds for each call, above 0; without this, 10,000. otpcore_send may
 * take 3,000 more, while a gateway is waited for. OTPCORE_EINVAL. */
OTPCORE_API int otpcore_set_timeout(struct otpcore *login, int milliseconds);

/* The user otpcored may run as, beside root. Without this, the owner of the
 * socket's folder if nobody else may write there. Nothing is sent to a server
 * of another user. */
OTPCORE_API void otpcore_set_server_uid(struct otpcore *login, uint32_t uid);

/* What is known about the login, each at most so many bytes. */
enum otpcore_about {
	OTPCORE_RHOST = 1,   /* 256: where it comes from, pam_set_item(3) PAM_RHOST */
	OTPCORE_TTY = 2,     /* 64 */
	OTPCORE_RUSER = 3,   /* 256 */
	OTPCORE_REQUIRE = 4, /* 32: the strength this service needs ("phone-otp"), when
				the program knows better than magotp.conf(5) */
};

/* Tell it before otpcore_begin. NULL is "". OTPCORE_EINVAL, OTPCORE_ERANGE. */
OTPCORE_API int otpcore_set(struct otpcore *login, enum otpcore_about what, const char *text);

/* The account's uid on this host. Without this otpcored compares none. */
OTPCORE_API void otpcore_set_uid(struct otpcore *login, uint32_t uid);

/* ---- beginning ---- */

/* What the caller vouches for. Without a proof nothing is sent or judged. */
enum otpcore_proof {
	OTPCORE_PROOF_NONE = 0,
	OTPCORE_PROOF_PASSWORD = 1, /* the caller checked the account's password */
};

enum otpcore_decision {
	OTPCORE_DENY = 0,   /* no: otpcore_answer()->verdict says why */
	OTPCORE_ASK = 1,    /* a second factor is needed: otpcore_factor */
	OTPCORE_PASS = 2,   /* enough was proven already */
	OTPCORE_EXEMPT = 3, /* the policy asks nothing of this user here */
	OTPCORE_ENROLL = 5, /* the account has no factor and may register one now */
};

/* Begin a login of `user` (at most 256 bytes) at `service` (64; a section of
 * magotp.conf(5)). Begins anew on a handle that was used. An unknown user is
 * answered like a known one. *decision_r: enum otpcore_decision.
 * OTPCORE_EPERM, OTPCORE_EDOWN, OTPCORE_EBUSY, OTPCORE_ETIMEOUT,
 * OTPCORE_ESERVER, OTPCORE_ERANGE ... */
OTPCORE_API int otpcore_begin(struct otpcore *login, const char *user, const char *service,
	enum otpcore_proof proof, int *decision_r);

/* What otpcored wants of this login. Fields are only ever added at the end. */
struct otpcore_policy {
	const char *require;    /* strength that is needed: "phone-otp" */
	unsigned level;         /* level that is needed: 1, 2, 3 */
	int may_skip;           /* otpcore_skip is allowed */
	int autosend;           /* send to the default factor without asking which */
	unsigned code_digits;   /* of a phone code */
	unsigned code_validity; /* of a phone code, seconds */
	const char *host;       /* name of the host, for texts */
	const char *help;       /* whom to ask, as the administrator wrote it */
	const char *language;   /* of the account: "en" */
};

/* Of the last otpcore_begin. Never NULL; belongs to the handle. */
OTPCORE_API const struct otpcore_policy *otpcore_policy(const struct otpcore *login);

/* One way to prove oneself. Fields are only ever added at the end. */
struct otpcore_factor {
	unsigned ref;         /* for otpcore_send and otpcore_verify */
	const char *kind;     /* phone token mobile */
	const char *state;    /* active pending locked suspended expired */
	const char *channel;  /* how a phone gets its code: sms voice */
	const char *channels; /* all that it takes: "sms voice" */
	const char *masked;   /* last digits of the number; "" for verifiers */
	const char *label;
	int is_default;
};

/* The usable factors, in the order to offer. NULL beyond the last. */
OTPCORE_API size_t otpcore_n_factors(const struct otpcore *login);
OTPCORE_API const struct otpcore_factor *otpcore_factor(const struct otpcore *login, size_t index);

/* ---- proving ---- */

enum otpcore_delivery {
	OTPCORE_DELIVERY_NONE = 0,
	OTPCORE_DELIVERY_PENDING = 1,  /* handed over; no word from a gateway yet */
	OTPCORE_DELIVERY_ACCEPTED = 2, /* a gateway took it */
	OTPCORE_DELIVERY_FAILED = 3,
	OTPCORE_DELIVERY_UNDELIVERED = 4, /* a gateway took it, and it did not arrive */
};

/* What the last answer said. Fields are only ever added at the end. */
struct otpcore_answer {
	const char *verdict;   /* id: "ok", "code-wrong", "send-limited" ...: magotp(1) */
	const char *detail;    /* what exactly, or "" */
	unsigned seconds;      /* try again after so many seconds */
	unsigned tries_left;   /* codes that may still be tried in this login */
	unsigned seconds_left; /* how long the code that was sent is good */
	unsigned resend_after; /* seconds until another code can be asked for */
	int delivery;          /* enum otpcore_delivery, of the last code sent */
	int reused;            /* send: an earlier code still lives, none was sent */
	const char *channel;   /* send: how it went */
	const char *masked;    /* send: where it went, last digits */
	const char *strength;  /* what this login has proven: "phone-otp" */
	unsigned level;        /* and its level */
};

/* Never NULL; belongs to the handle. verdict is "undecided" before any answer. */
OTPCORE_API const struct otpcore_answer *otpcore_answer(const struct otpcore *login);

/* Have a code sent to phone `ref`. channel: "sms", "voice", or NULL for the
 * phone's own. again: 0 re-uses a code that still lives, 1 asks for a new one
 * (the old one dies; tries are not given back). *sent_r: 1 when there is a code
 * to ask for. Codes live two minutes, for one use.
 * OTPCORE_EINVAL, OTPCORE_ESTALE, OTPCORE_EPERM and those of begin. */
OTPCORE_API int otpcore_send(
	struct otpcore *login, unsigned ref, const char *channel, int again, int *sent_r);

/* Judge a code (at most 64 bytes): of phone `ref`, or with ref 0 of a token or
 * app (RFC 4226, RFC 6238). The try is charged before the code is looked at. The
 * library's copies are wiped; the caller wipes its own. *accepted_r: 1 when the
 * code was right. Errors as of otpcore_send; after one, the code may have been
 * judged: ask for the code again. */
OTPCORE_API int otpcore_verify(
	struct otpcore *login, unsigned ref, const char *code, int *accepted_r);

/* Go on with the password alone. *allowed_r: 1 when the policy lets it. */
OTPCORE_API int otpcore_skip(struct otpcore *login, int *allowed_r);

/* May this login in? The policy's last word, over all that was proven; asking
 * twice answers twice. Let nobody in without it. *allowed_r: 1 or 0. */
OTPCORE_API int otpcore_account(struct otpcore *login, int *allowed_r);

/* ---- looking ---- */

/* How strong the caller's session is. Fields are only ever added at the end. */
struct otpcore_status {
	int recorded; /* otpcored knows this session; else `reason` says why not */
	const char *reason;
	const char *strength; /* "password", "phone-otp" ... */
	unsigned level;
	const char *service; /* through which it was opened */
	const char *from;    /* remote host */
	int64_t since;       /* seconds since the epoch, UTC; 0: unknown */
	const char *host;
};

/* The status of `user`'s session in which the caller runs (the audit session,
 * audit(7)). Needs no otpcore_begin. *status_r belongs to the handle; untouched
 * on failure. OTPCORE_EPERM for another user's, and those of begin. */
OTPCORE_API int otpcore_status(
	struct otpcore *login, const char *user, const struct otpcore_status **status_r);

#ifdef __cplusplus
}
#endif

#endif
