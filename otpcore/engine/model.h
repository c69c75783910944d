/* The rows: what is true about accounts, credentials, codes, licences and
 * logins. Plain values; the store fills them, the engine decides on them.
 *
 * Every row begins with struct row. Times are seconds since the epoch, UTC;
 * 0 means never. Sealed fields hold what seal.h made of the clear value. */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpcore/base/strength.h"
#include "otpcore/base/verdict.h"

#define HASH_LEN          32 /* keyed look-up hashes, SHA-256 sized */
#define NONCE_LEN         16
#define SEALED_MAX        320 /* nonce, clear text of at most 256, tag, key id */
#define PHONES_MAX        3
#define SUBSCRIPTIONS_MAX 8
#define CHALLENGES_MAX    16
#define TOKENS_MAX        6 /* the store loads 4 at most: room for this tick's own */
#define CHILDREN_MAX      16
#define PROOFINGS_MAX     12 /* the store loads the 8 latest: room for this tick's own */
#define RECOVERIES_MAX    32 /* the store loads 20 at most: room for ten new ones */
#define THROTTLES_MAX     256

struct blob {
	size_t len;
	unsigned char data[SEALED_MAX];
};

/* What the store keeps of a row's fate in this tick. */
enum row_fate { ROW_CLEAN, ROW_NEW, ROW_CHANGED, ROW_DELETED };

struct row {
	int64_t id;      /* random, 63 bits */
	int64_t version; /* another after every write; 0: not in the store */
	enum row_fate fate;
};

enum account_state { ACCOUNT_PENDING_REGISTRATION = 1, ACCOUNT_ACTIVE, ACCOUNT_LOCKED };
enum account_role {
	ROLE_USER = 1,
	ROLE_APPLICATION_ADMIN,
	ROLE_ORGANISATION_ADMIN,
	ROLE_PROOFING_AGENT
};

struct account {
	struct row row;
	char name[257];
	int64_t uid; /* WIRE_UID_UNKNOWN until first seen */
	int64_t state, role;
	struct blob email;      /* sealed */
	struct blob email_hash; /* keyed hash, or empty */
	char first[65], middle[65], last[65], postal[17], language[17], organisation[65];
	char country[5];        /* "US"; "": not known (I4) */
	char parent[257];       /* H11: logs in with this account's credentials; "" */
	char parent_asked[257]; /* it asked for that one, which has not agreed yet */
	struct blob enrol_key;  /* hash of the key typed at a first login, until it binds */
	int64_t enrol_at;       /* when it was typed */
	int64_t password_due;   /* enum password_due: what a revocation still owes (H8), */
	char password_host[65]; /* and the host whose password it is */
	int64_t created_at;
};

enum password_due { PASSWORD_DUE_NOTHING = 0, PASSWORD_DUE_RESET, PASSWORD_DUE_EXPIRE };

enum product {
	PRODUCT_PHONE_US = 1,
	PRODUCT_PHONE_INTL,
	PRODUCT_HARDWARE,
	PRODUCT_MOBILE,
	PRODUCT_MOBILE_HARDWARE
};

/* I1: WANTED: what hangs beneath it waits (pending-approval) until an activation
 * code is entered. ASKED: an upgrade (I3), which takes nothing away meanwhile. */
enum proofing_need { PROOFING_NONE = 0, PROOFING_WANTED, PROOFING_ASKED, PROOFING_PASSED };

enum subscription_state { SUBSCRIPTION_ACTIVE = 1, SUBSCRIPTION_EXPIRED, SUBSCRIPTION_REVOKED };

struct subscription {
	struct row row;
	int64_t account;
	int64_t product, state;
	int64_t level;    /* 2, or 3 after proofing */
	int64_t proofing; /* enum proofing_need */
	int64_t licence;  /* 0: automatic or sponsored */
	int64_t started_at, purchased_at, expires_at;
};

enum phone_state { PHONE_PENDING = 1, PHONE_ACTIVE };
enum channel { CHANNEL_SMS = 1, CHANNEL_VOICE, CHANNEL_EMAIL };

struct phone {
	struct row row;
	int64_t account, subscription; /* subscription 0 while pending */
	int64_t slot;                  /* 1..3: the p1 of people */
	struct blob number;            /* sealed E.164 */
	struct blob number_hash;
	char masked[9]; /* last four digits */
	char country[5];
	int64_t channel;    /* enum channel: the usual one */
	int64_t voice_only; /* landline: never sms (P10) */
	int64_t is_default;
	int64_t state, state_since, last_used_at, created_at;
	char label[65];
};

/* An OATH credential: a hardware token, or an app (mobile). Without an account
 * it lies in the inventory (H1). An account holds one of each kind that is not
 * revoked; the aggregate also has the latest revoked ones. */
enum token_kind { TOKEN_HARDWARE = 1, TOKEN_MOBILE };
enum token_type { TOKEN_HOTP = 1, TOKEN_TOTP };
enum token_state {        /* H3; the moves between them are lifecycle.def's */
	TOKEN_STAGED = 1, /* an import that is not committed yet */
	TOKEN_STOCK,      /* in the inventory */
	TOKEN_PENDING_APPROVAL,
	TOKEN_PENDING_ACTIVATION,
	TOKEN_ACTIVE,
	TOKEN_LOCKED,
	TOKEN_SUSPENDED,
	TOKEN_EXPIRED,
	TOKEN_REVOKED,
	TOKEN_STATE_N
};
enum actor { ACTOR_USER = 1, ACTOR_ADMIN, ACTOR_CALENDAR, ACTOR_BROKER };

struct token {
	struct row row;
	int64_t kind, type, algorithm /* enum otp_algorithm */, digits, period /* seconds, TOTP */;
	char serial[65];    /* printed on it; of an app: "M" and its id */
	struct blob secret; /* sealed, "token.secret" */
	/* HOTP: the next counter that may be accepted. TOTP: the last step that was,
	 * -1 none. Never falls (security.md 28). */
	int64_t moving;
	int64_t drift; /* TOTP: steps that its clock is ahead of ours */
	int64_t account, subscription;
	int64_t state, state_since;
	int64_t suspended_by; /* enum actor; 0 */
	int64_t batch;        /* of the import */
	char organisation[65], label[65];
	int64_t created_at, last_used_at;
	/* lease.h: whose codes these are for a while; lease 0: everybody's. */
	int64_t lease;       /* the holder's number for it */
	char lease_host[65]; /* a relay */
	int64_t lease_at, lease_until;
	int64_t lease_last;    /* position up to which it has codes */
	int64_t lease_failed;  /* wrong codes there that are charged here */
	int64_t lease_closing; /* 1: it is to be given back */
};

/* Codes for when everything is lost: a person's ten, an administrator's one. */
enum recovery_kind { RECOVERY_CODE = 1, RECOVERY_BREAK_GLASS };
struct recovery {
	struct row row;
	int64_t account, kind;
	struct blob hash;                        /* SHA-256 of the normal form: 80 random bits */
	int64_t created_at, used_at, expires_at; /* expires_at 0: never */
	char reason[129], made_by[65];
};

/* One course of identity proofing: what an agent did and what came of it. What was
 * proofed (documents, answers, numbers) is never stored (I7). */
enum proofing_state {
	PROOFING_REQUESTED = 1, /* the person agreed to it */
	PROOFING_SCHEDULED,     /* an appointment was made; a new time moves it */
	PROOFING_CONFIRMED,
	PROOFING_MISSED,
	PROOFING_FAILED,
	PROOFING_ISSUED, /* passed: the activation code waits to be entered */
	PROOFING_DONE,   /* and was */
	PROOFING_DEAD    /* replaced by another code */
};
enum proofing_method { PROOFING_WEBCAM = 1, PROOFING_CREDIT, PROOFING_IN_PERSON };
enum proofing_outcome { /* I5 */
	PROOFED_OK = 1,
	PROOFED_BY_POST, /* located, answers wrong: the code goes by post */
	PROOFED_NOT_LOCATED,
	PROOFED_UNWILLING,
	PROOFED_DISAGREED,
	PROOFED_DOCUMENTS,
	PROOFED_OTHER
};
struct proofing {
	struct row row;
	int64_t account, subscription;
	int64_t state, method, outcome; /* 0: none yet */
	struct blob hash;               /* SHA-256 of the activation code's normal form */
	char agent[65];
	int64_t created_at, agreed_at, appointment_at, decided_at, expires_at, used_at;
};
struct proofings {
	size_t n;
	struct proofing rows[PROOFINGS_MAX]; /* the latest first */
};

/* A certificate whose key logs in over ssh (C1). PENDING: nobody has shown yet to have
 * the key; the first login with it does. */
enum certificate_state { CERTIFICATE_PENDING = 1, CERTIFICATE_ACTIVE };
struct certificate {
	struct row row;
	int64_t account, slot; /* 1..4: the c1 of people */
	int64_t class;         /* enum strength */
	int64_t state;
	struct blob key_hash; /* SHA-256 of the public key as ssh writes it */
	struct blob anchor;   /* SHA-256 of the authority that its chain ended at */
	char subject[257], issuer[257], serial[65];
	int64_t not_before, not_after, created_at, last_used_at;
	char label[65];
};
#define CERTIFICATES_MAX 6 /* the store loads 4 at most: room for this tick's own */
struct certificates {
	size_t n;
	struct certificate rows[CERTIFICATES_MAX];
};
/* Who has shown to have a key: the account's name and the row; id 0: nobody. */
struct key_holder {
	struct certificate certificate;
	char account[257];
};

/* An order with prepaid seats (K6); one without has no row. */
struct seats {
	struct row row;
	char order_ref[65];
	int64_t seats, taken;
};

/* A host whose otpcored is a relay (security.md 40): what its certificate may ask for. */
enum host_state { HOST_INVITED = 1, HOST_ACTIVE, HOST_REVOKED };
struct host {
	struct row row;
	char name[65];
	int64_t state;
	char services[513], accounts[513]; /* words; "": all */
	int64_t self_service;              /* 1: also what people do with their own account */
	char offline[513];                 /* accounts whose tokens it may lease: names */
	struct blob code_hash;             /* SHA-256 of the enrolment code, until it is used */
	int64_t code_expires;
	struct blob print, before; /* SHA-256 of its certificate, and of the one renewed */
	int64_t not_after, created_at, enrolled_at;
};

/* Who signs the certificates of hosts: one row, id 1. */
struct authority {
	struct row row;
	struct blob secret; /* sealed private key, DER */
	int64_t created_at;
};

/* Keys of the store, wrapped by the master key: what seals rows and tickets (one KEY_CURRENT;
 * its id stands in all that it has sealed), and the peppers. */
enum key_kind { KEY_DATA = 1, KEY_PEPPERS };
enum key_state {
	KEY_NEXT = 1, /* seals nothing until every broker can know it */
	KEY_CURRENT,
	KEY_OLD,   /* rows are still under it */
	KEY_ENDING /* only tickets of logins that are under way */
};
struct data_key {
	struct row row; /* id: 32 bits; KEY_ID_PEPPERS */
	int64_t kind, state;
	struct blob wrapped;
	struct blob rewrapped; /* under the master key that comes next; empty */
	int64_t created_at, since /* in this state */;
};
#define KEY_ID_PEPPERS (INT64_C(1) << 32)
#define KEYS_MAX       8

/* Terms that an administrator accepted for an organisation (O2). */
struct terms {
	struct row row;
	char organisation[65], application[65];
	int64_t edition, accepted_at;
	char accepted_by[257]; /* account, or "root" */
};

/* An e-mail that is due. Written in the same transaction as what it tells of,
 * handed to smsd until one takes it; the unique key makes each notice go once. */
enum mail_state { MAIL_WAITING = 1, MAIL_SENT, MAIL_GIVEN_UP };
struct mail {
	struct row row;
	int64_t account;
	char once[97];     /* "expiry-30:<subscription id>:<date>"; unique */
	char template[33]; /* conf/templates/<template> */
	char args[513];    /* name=value lines for the template; no secrets */
	int64_t state, created_at, next_at, attempts, sent_at;
};

enum challenge_kind { CHALLENGE_LOGIN = 1, CHALLENGE_REGISTER };
enum challenge_state { CHALLENGE_LIVE = 1, CHALLENGE_USED, CHALLENGE_DEAD };

/* A code that was sent. The code itself is derived: HOTP-style truncation of
 * HMAC(pepper, nonce); it is never stored. */
struct challenge {
	struct row row;
	int64_t account, phone;
	int64_t kind, state;
	/* The same login: keyed hash of account, service, host, peer uid, rhost.
	 * Tries and re-use belong to the chain of challenges with one hash. */
	struct blob chain;
	int64_t chain_id;  /* id of the chain's first challenge: throttle subject */
	struct blob nonce; /* NONCE_LEN */
	int64_t pepper_id;
	int64_t channel;
	int64_t created_at, expires_at; /* P4: never moved by failover */
	int64_t delivery;               /* enum login_delivery */
	int64_t used_at;
};

enum throttle_kind {
	THROTTLE_CHAIN = 1,      /* wrong codes of one chain; subject chain_id, period 0 */
	THROTTLE_ACCOUNT,        /* 30-day total; period = day number */
	THROTTLE_CREDENTIAL,     /* 30-day total per phone; period = day number */
	THROTTLE_ACCOUNT_SOURCE, /* per account and source; subject mixed, period = ten days */
	THROTTLE_STREAK,         /* failures in a row, per account and source; period 0 */
	THROTTLE_SOURCE,         /* failures of a source; period = hour number */
	THROTTLE_SEND_ACCOUNT,   /* messages; period = hour number */
	THROTTLE_SEND_NUMBER,    /* messages; subject phone, period = hour number */
	THROTTLE_KEY,            /* licence keys that were wrong; subject account, period = hour */
	THROTTLE_TOKEN,          /* wrong codes in a row; subject token, period 0 (H4) */
	THROTTLE_RESYNC,         /* failed resyncs; subject token, period 0 (H4) */
	THROTTLE_ACTIVATION,     /* wrong activation pairs; subject account, period 0 (H13) */
	THROTTLE_DECOY,          /* subject 0: what unknown accounts charge (rule L10) */
	THROTTLE_CONNECT = 20,   /* asks to be connected (H11); subject account, period = hour */
	THROTTLE_SEND_VERIFIER,  /* messages of a verifier; subject source, period = hour */
	THROTTLE_SEND_SHARE,     /* to one account; subject per account and source, likewise */
	THROTTLE_SEND_DAY,       /* messages; subject account, period = day number */
	THROTTLE_SEND_SHARE_DAY, /* as SEND_SHARE; period = day number */
	THROTTLE_SEND_RELAY,     /* messages of a relay; period = hour number */
	THROTTLE_RELAY,          /* failures through a relay; period = hour number */
	THROTTLE_LEASED,         /* HOTP codes passed under leases; subject token, period = day */
};

/* A counter in a row of its own, changed by relative updates only, so that
 * guessing never makes the owner lose a race (security.md 5). Key: kind,
 * subject, period. */
struct throttle {
	int64_t kind, subject, period;
	int64_t count;
	int64_t last_at;
};

enum login_state { LOGIN_AUTH = 1, LOGIN_ACCOUNT, LOGIN_OPEN, LOGIN_ENDED };

/* A login from its first charge on. `begin` writes nothing. */
struct login {
	struct row row; /* id: from the ticket */
	int64_t account;
	char service[65], host[65], rhost[257];
	int64_t peer_uid, state, strength, level;
	int64_t phone;       /* that proved the second factor; */
	int64_t token;       /* or this token, */
	int64_t certificate; /* or this certificate; 0 */
	int64_t last_seq, verdict;
	struct blob answer; /* of last_seq; the reply in it is sealed */
	int64_t started_at, verified_at, opened_at;
};

/* What an audit session is worth (security.md 13). Unique: boot, host, sid. */
struct session {
	struct row row;
	char boot[40], host[65];
	int64_t sid, loginuid;
	int64_t account, login; /* account 0: the id was seen, no session rests on it */
	int64_t leader_pid, leader_start;
	char service[65], rhost[257], tty[65];
	int64_t strength, level, phone, token, certificate;
	int64_t holder; /* account whose credential proved it (H11); 0: the own */
	int64_t since, ended_at, expires_at;
};

enum licence_state { LICENCE_FREE = 1, LICENCE_HELD, LICENCE_USED, LICENCE_VOID };

struct licence {
	struct row row;
	struct blob hash; /* SHA-256 of the normalised key */
	char group[9];    /* first group of the key, for lists */
	int64_t product, proofing, state;
	char order_ref[65];
	int64_t issued_at, purchased_at;
	int64_t account, used_at;
};

/* H11: accounts that log in with the credentials of one, and those that ask to. */
struct child {
	char name[257];
	bool connected; /* false: it has asked */
};
struct children {
	size_t n;
	struct child rows[CHILDREN_MAX]; /* the connected ones first */
};

/* The account with all that hangs beneath it, loaded in one pass. */
struct aggregate {
	bool exists; /* false: the account is not there; all else is empty */
	struct account account;
	size_t n_subscriptions, n_phones, n_tokens, n_recoveries, n_challenges, n_throttles;
	struct subscription subscriptions[SUBSCRIPTIONS_MAX];
	struct phone phones[PHONES_MAX];
	struct token tokens[TOKENS_MAX];             /* not revoked first, then the latest */
	struct recovery recoveries[RECOVERIES_MAX];  /* not used and not expired */
	struct challenge challenges[CHALLENGES_MAX]; /* not older than a day */
	struct throttle throttles[THROTTLES_MAX];    /* of the account, its phones and chains:
							those of the last 30 days */
};

/* An account's last logins, for reading; row.id 0: none. */
struct history {
	struct login previous; /* latest that was opened or, without sessions, verified */
	struct login before;   /* the one before that */
	struct login latest;   /* of any kind (explain --last) */
};

#endif
