/* What the files of the broker share. Data flows one way:
 *
 *   listen (frames in) -> tick: want -> [store reads] -> gate -> decide ->
 *   [claim] -> settle -> [COMMIT] -> dispatch (messages to smsd, <= 3 s) -> answer
 *
 * Handlers are tables of functions over a request and rows; they run no SQL,
 * read no clock and do no I/O. */
#ifndef BROKER_H
#define BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "otpcore/broker/audit_thin.h"
#include "otpcore/broker/pace.h"
#include "otpcore/broker/stats.h"
#include "otpcore/engine/model.h"
#include "otpcore/seal/seal.h"
#include "otpcore/settings/settings.h"
#include "otpcore/store/store.h"
#include "otpcore/wire/wire.h"

struct event_base;
struct conn;              /* listen.c */
struct listener;          /* listen.c */
struct ticker;            /* tick.c */
struct dispatch;          /* dispatch.c */
struct fates;             /* fate.c */
struct decoys;            /* decoy.c */
struct audit_log;         /* audit_log.c */
struct journal;           /* journal.c */
struct twins;             /* twin.c */
struct elevations;        /* elevation.c */
struct mails;             /* mail.c */
struct sweeper;           /* sweep.c */
struct certificate_trust; /* engine */
struct passwords;         /* password.c */
struct remotes;           /* remote.c */
struct remote_call;       /* remote.c */
struct relay;             /* relay.c */
struct keys;              /* keys.c */
struct away;              /* away.c */

struct broker {
	struct settings *settings; /* replaced whole by SIGHUP, between ticks */
	struct keyring *keyring;
	struct certificate_trust *trust; /* NULL: no authorities */
	struct store *store;
	struct event_base *base;
	char config[256]; /* absolute; "": the usual place */
	char host[65];    /* this host's name, once, at start */
	char boot[40];    /* /proc/sys/kernel/random/boot_id */
	int64_t started_at;
	struct listener *listener;
	struct ticker *ticker;
	struct dispatch *dispatch;
	struct fates *fates;
	struct decoys *decoys;
	struct audit_log *audit; /* NULL: none */
	struct thin thin;        /* refusals that are counted, not written */
	struct journal *journal; /* NULL: none */
	struct pace pace;
	struct twins *twins;
	struct elevations *elevations;
	struct mails *mails;
	struct sweeper *sweeper;
	struct passwords *passwords;
	struct stats stats;
	int remote_fd;           /* listens for relays; -1: none are served */
	struct remotes *remotes; /* NULL: serves no relays */
	struct keys *keys;       /* NULL in a relay */
	struct relay *relay;     /* of a relay, which has neither store nor keyring */
};

/* Who asks: from the kernel, at accept (security.md 1, 2). */
struct peer {
	uint32_t uid, gid;
	int64_t pid, start;    /* start: field 22 of /proc/PID/stat; 0 unknown */
	int64_t sid, loginuid; /* audit session; -1 unset or unreadable */
	bool alive;            /* pidfd said so after /proc was read */
	int pidfd;             /* the connection's; -1: none */
	/* Through a relay: the process that it was asked to look for, and its start. */
	int64_t leader_pid, leader_start;
};

/* Through whom a request came (security.md 40). */
enum through {
	THROUGH_SOCKET = 0,
	THROUGH_STRANGER, /* a link without a certificate: may enrol */
	THROUGH_HOST,     /* a relay with one */
};

/* What the peer is towards the account it names; set by the gate. */
struct standing {
	bool root, own, verifier, admin, agent;
};

/* A message to hand to smsd once the tick is committed. */
struct sms_order {
	bool wanted;
	char id[40];
	char to[257], channel[9], template[33], language[17];
	char args[601]; /* of an e-mail's template */
	struct mag_secret code;
	int64_t expires_at;
	uint32_t priority; /* as in sms.wire */
	int64_t challenge; /* row whose delivery is updated when word comes; 0: none */
	char account[257]; /* of the challenge */
	int64_t mail;      /* row of an e-mail: mail_record() hears what came of it */
};

/* A code that was typed, or that nobody may type any more. */
struct spent_code {
	int64_t challenge;
	uint32_t used; /* 1: it was right */
};
#define SPENT_CODES 4 /* that one request can spend and tell of */

/* Throttle subjects, by where a request comes from. */
struct party_sources {
	int64_t source;     /* address, verifier; no ticket: nothing that is charged */
	int64_t at_account; /* the same at one account; a relay is one, whatever it says */
	int64_t relay;
};

/* Of a ticket, made when first asked for (party.c). */
struct origin {
	bool known;
	struct blob chain;
	struct party_sources sources;
};

struct request {
	struct broker *broker;
	const struct handler *handler;
	const struct wire_message *message;
	void *body;                /* struct wire_NAME_req */
	void *reply;               /* struct wire_NAME_rep, zeroed before decide */
	struct wire_result result; /* starts as MAG_EPERM / VERDICT_NONE */
	struct peer peer;
	struct standing standing;
	/* Where the peer is: this broker's host, or the relay's by its certificate. Logins,
	 * tickets and sessions are of that host. */
	char host[65], boot[41];
	enum through through;
	unsigned char print[HASH_LEN]; /* of the relay's certificate */
	bool unknown;                  /* revoked, or another has its name: the link ends */
	bool hidden;                   /* the account is none of the relay's: as if unknown */
	char verifier[513];            /* services that the relay's peer may log in to */
	int64_t lease;                 /* under which the relay has struck this code off */
	int64_t look;                  /* the relay must say when this process began; 0 */
	struct wire_ticket ticket;     /* if the message carries a txn that opened; else zero */
	bool has_ticket;
	struct origin origin; /* of the ticket; party.c */
	int64_t now;
	struct store_tick *tick;
	size_t index; /* in the tick */
	struct sms_order sms;
	struct spent_code spent[SPENT_CODES];
	size_t n_spent;
	int charge[16]; /* handles of store_charge, as the handler likes; the last are sending's */
	int n_charges;
	union {
		int64_t i[8];
		void *p;
	} state; /* the handler's, from decide to settle */

	/* Of the machinery (listen.c, tick.c), not of handlers. */
	struct conn *conn;          /* who waits for the answer; NULL: an internal request */
	struct remote_call *remote; /* the same, on a link */
	struct request *next;
	unsigned lost;   /* races lost so far */
	bool missed;     /* a key was not known: the next time it is decided as it is */
	bool allowed;    /* by the gate, in this decide */
	bool weighed;    /* it was once more than a refusal that changes and charges nothing */
	int64_t hold_ms; /* decoys: the answer waits as long as a real send does */
	int64_t came;    /* ns: when the frame was read */

	/* Rule L10 by the clock (pace.h); the handler says what and whose it was. */
	enum pace_what pace_what;
	enum pace_whose pace_whose;
};

/* One row per message. NULL want: the gate's own reads are enough (the account
 * of the `account` field or of the ticket; the login of the ticket). NULL
 * settle: nothing to add. `delivered` patches the reply when smsd's word came
 * (enum login_delivery), before it goes out. `after` runs once the tick is
 * committed and no tick is open, before the answer, if result.error is 0 by
 * then: paged reads and whole-store work (store_list_*, store_delete_account,
 * store_release_licences), which must stay outside ticks. The tick's rows may
 * still be looked at then. */
struct handler {
	uint16_t message;
	int (*want)(struct request *r);
	void (*decide)(struct request *r);
	void (*settle)(struct request *r);
	void (*delivered)(struct request *r, unsigned delivery);
	void (*after)(struct request *r);
};

/* Tables of handle/<family>.c, ended by message 0. */
extern const struct handler handle_login[];        /* begin send verify skip */
extern const struct handler handle_session[];      /* account open close status */
extern const struct handler handle_observe[];      /* observed overview */
extern const struct handler handle_session_list[]; /* session_list session_end */
extern const struct handler handle_phone[];
extern const struct handler handle_account[]; /* account_*, ping */
extern const struct handler handle_licence[]; /* licence_*, activate */
extern const struct handler handle_explain[];
extern const struct handler handle_token[];   /* token_*, mobile_*, recovery_codes, ... */
extern const struct handler handle_connect[]; /* connect, account_connect */
extern const struct handler handle_sweep[];   /* sweep */
extern const struct handler handle_terms[];   /* terms_* */
extern const struct handler handle_proofing[];
extern const struct handler handle_certificate[];
extern const struct handler handle_host[];  /* host_* */
extern const struct handler handle_key[];   /* key_* */
extern const struct handler handle_lease[]; /* lease_* */

/* ---- server.c: the settings again (SIGHUP, reload), between ticks ----
 * 0, or as settings_load: then the old ones go on. */
int server_reload(struct broker *b, char err[OPT_ERROR_MAX]);

/* ---- gate.c: the only place that checks authority ---- */
/* Declares the reads of the gate; opens the ticket. */
int gate_want(struct request *r);
/* After the rows are loaded. 0, MAG_EPERM, MAG_ESTALE (ticket too old, other peer). */
int gate_check(struct request *r);

/* ---- verdict helpers for handlers ---- */
static inline void request_verdict(struct request *r, enum verdict v)
{
	r->result.error = 0;
	r->result.verdict = v;
}
static inline void request_error(struct request *r, int error)
{
	r->result.error = error;
	r->result.verdict = VERDICT_NONE;
}
/* smsd hears of it once the request is committed: nobody needs this code any more. */
void request_spent(struct request *r, int64_t challenge, bool used);
/* The account the request speaks of; never NULL; exists may be false. */
struct aggregate *request_account(struct request *r);
/* H11: the account whose credentials count for `a`; NULL: its own. A parent that
 * is not active, or a child itself, lends nothing. */
struct aggregate *parent_of(struct request *r, const struct aggregate *a);
/* Phones, tokens, recovery codes and counters of a login are this one's: the
 * parent, or request_account(). Names, uids, roles, states are never. */
struct aggregate *request_credentials(struct request *r);
/* The last logins of the account that is named; for messages that want them. */
int request_want_history(struct request *r);
const struct history *request_history(struct request *r);

/* ---- grant.c: how strong is the peer's own session (P6)? ----
 * Strength of the session row of its audit session, if sound; of the grant
 * ticket if that login was verified by the same uid and process; else password
 * for the account's own user; the strongest for root. To be called in decide;
 * grant_want declares the reads. */
int grant_want(struct request *r, const struct mag_secret *grant);
enum strength grant_strength(struct request *r, const struct mag_secret *grant, bool *session_r);
/* Administrators and agents: has the session shown the peer's own second factor, where
 * the peer has one (of the own, or of a parent)? A stolen password is not enough. */
bool grant_peer_proven(struct request *r, const struct mag_secret *grant);

/* ---- send.c: one place that makes a challenge and an order (used by
 * handle/login.c and handle/phone.c) ---- */
/* What a message to this account may cost; to be called in want. */
int send_want(struct request *r, const char *account);
struct send_input {
	struct aggregate *account;
	struct phone *phone;
	enum challenge_kind kind;
	int64_t channel;
	struct blob chain;
	int64_t chain_id;     /* 0: a new chain */
	const char *template; /* code, register */
	const char *language; /* NULL: the account's */
	uint32_t priority;
	bool decoy; /* a made-up account (rule L10): nothing is stored or ordered */
};
/* Budgets (send_budget.c), new nonce, kills the older code of the chain, marks
 * rows, fills r->sms. VERDICT_OK with *challenge_r, VERDICT_SEND_LIMITED (result.seconds). */
enum verdict send_challenge(
	struct request *r, const struct send_input *in, struct challenge **challenge_r);
/* In settle, after a send_challenge in decide: was the budget kept with the
 * charges of other hosts counted? If not, the order is dropped: answer
 * VERDICT_SEND_LIMITED. */
bool send_within_budget(struct request *r, bool decoy);

#endif
