/* What is true, kept durably. Asynchronous from the first day.
 *
 * Work happens in ticks. A tick carries requests; each declares what it reads,
 * then: read -> decide -> claim -> settle -> commit -> done.
 *
 *   store_tick_new
 *   store_request       once per request: its index
 *   store_want_*        what it reads
 *   store_submit(tick, ops, arg)
 *     ops.decide(tick)  rows are in memory. Handlers change them in place and
 *                       mark them (store_changed ...), and charge throttles.
 *                       No SQL, no waiting.
 *     [claim]           throttle rows by relative UPDATE ... RETURNING, then
 *                       versioned UPDATEs of changed rows, sorted by table, id
 *     ops.settle(tick)  store_charged() is known; requests that lost a race
 *                       (store_lost) keep quiet. Handlers give the final
 *                       verdict, mark rows that only now change (the login row
 *                       with its answer) and refund.
 *     [settle, COMMIT]
 *     ops.done(tick, r) r 0: committed, answers may go out.
 *
 * Two requests of one tick that want the same row get the same pointer and are
 * decided in order. If a tick fails as a whole, the store rolls it back and
 * runs every request alone; a request that fails alone has its charges
 * committed and is reported by store_failed. If requests lose a race, the tick
 * is rolled back and the others are decided again without them. So decide may
 * be called more than once, on freshly loaded rows: it starts from the rows and
 * for active requests only (store_active), settle likewise. In done, a request
 * is lost (hand it to a later tick), failed (answer an error) or committed.
 * Callbacks may be called before store_submit returns (SQLite) or later from
 * the event loop (PostgreSQL): callers must not care. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpcore/engine/journal.h"
#include "otpcore/engine/model.h"

struct store;
struct store_tick;

#define STORE_SCHEMA    3
#define STORE_ERROR_MAX 256

/* url: "sqlite:/path" or "sqlite::memory:". The database must exist and have
 * the program's schema, or an older one that is migrated in one transaction.
 * 0; MAG_ENOTFOUND, MAG_ESCHEMA (newer than the program), MAG_ESTORE, MAG_EINVAL. */
int store_open(const char *url, struct store **store_r, char err[STORE_ERROR_MAX]);

/* Make an empty store (mode 0600). 0; MAG_EEXISTS: there is one. After another error there
 * is none: what was made is gone again. */
int store_create(const char *url, char err[STORE_ERROR_MAX]);
void store_close(struct store **store);

/* What the store of a URL wants of the world beside its own file: for the sandbox. */
#define STORE_REACH_MAX 16
struct store_reach {
	bool network;  /* a server that is not of this host's sockets */
	bool any_port; /* which, is not known */
	bool thread;   /* one of its own, made later */
	uint16_t ports[STORE_REACH_MAX];
	char files[STORE_REACH_MAX][256]; /* keys and certificates */
	size_t n_ports, n_files;
};
/* 0 or MAG_EINVAL. */
int store_reach(const char *url, struct store_reach *reach_r);

/* "sqlite"; the schema the open store has. */
const char *store_kind(const struct store *s);
int store_schema(const struct store *s);

/* Between ticks, when the loop is idle or the log grew: checkpoints (checkpoint.c). */
void store_checkpoint(struct store *s);
/* What was removed or overwritten is not to be found in the store's files any more, as far as
 * they are ours. Between ticks. */
void store_forget(struct store *s);

/* ---- a tick ---- */
struct store_tick_ops {
	void (*decide)(struct store_tick *t, void *arg);
	void (*settle)(struct store_tick *t, void *arg);
	void (*done)(struct store_tick *t, int r, void *arg);
};

/* Start it. Callbacks may have been called when this returns; done is the last
 * and may free the tick. `ops` must outlive it. */
void store_submit(struct store_tick *t, const struct store_tick_ops *ops, void *arg);

/* Is a tick under way that waits for a database server, or is a connection to one made?
 * Then the caller's loop waits for `fd` (to read, or to write as well; -1: only for the
 * time to pass) for `ms` at most and says store_ready(): done may be called from there. */
struct store_wait {
	int fd;
	bool write;
	bool tick; /* under way */
	int64_t ms;
};
bool store_waits(const struct store *s, struct store_wait *w_r);
void store_ready(struct store *s);
/* For who has no loop: until no tick is under way. */
void store_wait(struct store *s);

int store_tick_new(struct store *s, int64_t now, struct store_tick **tick_r);
void store_tick_free(struct store_tick **t);

/* The data key that seals what this tick writes. Where others may change keys meanwhile
 * (PostgreSQL), its commit asks whether that key still is the current one; if not, all of
 * it is lost: keys have to be read anew before it is decided again. */
void store_sealed_by(struct store_tick *t, uint32_t key);
bool store_key_moved(const struct store_tick *t);

/* Add a request; returns its index (0, 1, ...) or MAG_ENOMEM. `arg` is the
 * caller's. */
int store_request(struct store_tick *t, void *arg);
size_t store_n_requests(const struct store_tick *t);
void *store_request_arg(const struct store_tick *t, size_t request);

/* Must this request be decided in this call of decide/settle? All, unless the
 * store runs requests alone or the request lost a race. */
bool store_active(const struct store_tick *t, size_t request);

/* What a request reads. 0 or MAG_ENOMEM. The same thing twice is one row. */
int store_want_account(struct store_tick *t, const char *name);
int store_want_account_uid(struct store_tick *t, int64_t uid);
int store_want_proofings(struct store_tick *t, const char *account);
int store_want_children(struct store_tick *t, const char *account);
int store_want_certificates(struct store_tick *t, const char *account);
int store_want_key_holder(struct store_tick *t, const unsigned char hash[HASH_LEN]);
int store_want_seats(struct store_tick *t, const char *order);
/* A relay (security.md 40). */
int store_want_host(struct store_tick *t, const char *name);
int store_want_terms(struct store_tick *t, const char *account, const char *application);
int store_want_login(struct store_tick *t, int64_t id);
int store_want_session(struct store_tick *t, const char *boot, const char *host, int64_t sid);
int store_want_sessions_of(struct store_tick *t, const char *account);
/* Its last logins. */
int store_want_history(struct store_tick *t, const char *account);
int store_want_licence(struct store_tick *t, const unsigned char hash[HASH_LEN]);
int store_want_token(struct store_tick *t, const char *serial);
int store_want_throttle(
	struct store_tick *t, enum throttle_kind kind, int64_t subject, int64_t period);

/* The rows, from decide on. NULL only for what was not wanted: a row that is not
 * in the database has row.id 0 (aggregate: exists false; throttle: count 0),
 * and may be filled and marked new (account: set exists too). Pointers stay
 * valid until the tick is freed. A row marked ROW_DELETED keeps its place in the
 * aggregate, with that fate, until then.
 * An unknown uid, or one that several accounts have, finds no account. A token
 * wanted by its serial and loaded with its account is one row; one that is staged
 * is not there (and its serial can't be used for a new row). */
struct aggregate *store_account(struct store_tick *t, const char *name);
struct aggregate *store_account_uid(struct store_tick *t, int64_t uid);
/* H11: the account whose credentials this one logs in with; read without being
 * wanted, whenever the child is. NULL: it has its own. */
struct aggregate *store_parent(struct store_tick *t, const struct aggregate *a);
struct proofings *store_proofings(struct store_tick *t, const char *account);
/* For reading only. */
const struct children *store_children(struct store_tick *t, const char *account);
/* An account's certificates; who has shown to have the key of one (for reading). A key
 * that two accounts show at once is the first one's: the other loses a race. */
struct certificates *store_certificates(struct store_tick *t, const char *account);
/* That of session.certificate, which is read with its session; row.id 0: it is gone.
 * For reading. */
const struct certificate *store_certificate(struct store_tick *t, int64_t id);
const struct key_holder *store_key_holder(struct store_tick *t, const unsigned char hash[HASH_LEN]);
/* Of an order; row.id 0: it has no number of seats. */
struct seats *store_seats(struct store_tick *t, const char *order);
/* row.id 0: no such host. */
struct host *store_host(struct store_tick *t, const char *name);
/* What was accepted for the account's organisation; row.id 0: nothing. For reading. */
const struct terms *store_terms(struct store_tick *t, const char *account, const char *application);
struct login *store_login(struct store_tick *t, int64_t id);
struct session *store_session(
	struct store_tick *t, const char *boot, const char *host, int64_t sid);
/* Live sessions of an account. */
struct session *store_sessions_of(struct store_tick *t, const char *account, size_t *n_r);
/* For reading; previous and before leave out logins that this tick wants (the own one). */
const struct history *store_history(struct store_tick *t, const char *account);
/* Also that of account.enrol_key, which is read with its account. */
struct licence *store_licence(struct store_tick *t, const unsigned char hash[HASH_LEN]);
struct token *store_token(struct store_tick *t, const char *serial);
struct throttle *store_throttle(
	struct store_tick *t, enum throttle_kind kind, int64_t subject, int64_t period);

/* In decide: the request must be decided again in a later tick, as if it had lost a race. */
void store_lose(struct store_tick *t, size_t request);

/* Mark a row that this request changed. Which table it is follows from the
 * function. New rows need row.id != 0 (store_new_id). A row new or changed in
 * decide is claimed; one marked in settle is written before COMMIT (the login row
 * of the own request, what the same request already claimed, a token that the
 * charge has locked, mails): its version is looked at then, too, and a request
 * that loses there is decided again like any other. Columns that name a row
 * (account of a child, boot/host/sid, hash, kind, type, serial and batch of a
 * token, once, account and template of a mail, started_at, and created_at of what is
 * not used again for something new as a phone's or a token's row is) are written once:
 * changing them later is not saved.
 * An account has one token of each kind that is not revoked (H1): who gives it a
 * second one loses a race, on all hosts. Revoking one and giving another in one
 * tick is right.
 * Space for new rows of an aggregate: store_add_*; NULL when it is full. */
void store_mark_account(
	struct store_tick *t, size_t request, struct account *row, enum row_fate fate);
void store_mark_subscription(
	struct store_tick *t, size_t request, struct subscription *row, enum row_fate fate);
void store_mark_phone(struct store_tick *t, size_t request, struct phone *row, enum row_fate fate);
void store_mark_token(struct store_tick *t, size_t request, struct token *row, enum row_fate fate);
void store_mark_recovery(
	struct store_tick *t, size_t request, struct recovery *row, enum row_fate fate);
void store_mark_mail(struct store_tick *t, size_t request, struct mail *row, enum row_fate fate);
void store_mark_proofing(
	struct store_tick *t, size_t request, struct proofing *row, enum row_fate fate);
void store_mark_certificate(
	struct store_tick *t, size_t request, struct certificate *row, enum row_fate fate);
void store_mark_seats(struct store_tick *t, size_t request, struct seats *row, enum row_fate fate);
void store_mark_host(struct store_tick *t, size_t request, struct host *row, enum row_fate fate);
void store_mark_challenge(
	struct store_tick *t, size_t request, struct challenge *row, enum row_fate fate);
void store_mark_login(struct store_tick *t, size_t request, struct login *row, enum row_fate fate);
void store_mark_session(
	struct store_tick *t, size_t request, struct session *row, enum row_fate fate);
void store_mark_licence(
	struct store_tick *t, size_t request, struct licence *row, enum row_fate fate);
struct subscription *store_add_subscription(struct store_tick *t, struct aggregate *a);
struct phone *store_add_phone(struct store_tick *t, struct aggregate *a);
struct token *store_add_token(struct store_tick *t, struct aggregate *a); /* an app */
struct recovery *store_add_recovery(struct store_tick *t, struct aggregate *a);
struct proofing *store_add_proofing(struct store_tick *t, struct proofings *p);
struct certificate *store_add_certificate(struct store_tick *t, struct certificates *p);
struct challenge *store_add_challenge(struct store_tick *t, struct aggregate *a);
/* Puts a token of the inventory (from store_token) beneath an account: the row
 * returned has its account set and is from now on what store_token() finds, too;
 * the one given is not to be used any more. Before it is marked. NULL: no place, or
 * another account of this tick has it. */
struct token *store_take_token(struct store_tick *t, struct aggregate *a, struct token *token);
struct licence *store_add_licence(struct store_tick *t); /* issued in bulk; owned by the tick */
/* A mail, owned by the tick; marked new. If there is one with the same `once`, it
 * stays as it is and nobody loses a race: after the claim (a mail marked in settle:
 * in done) store_mail_was_new() tells whether this one went in. To change one that
 * store_mails_waiting() showed: copy it into such a row, mark it changed; of two
 * brokers one loses. */
struct mail *store_add_mail(struct store_tick *t);
bool store_mail_was_new(const struct store_tick *t, const struct mail *row);

/* Charge (amount 1) or refund (-1) a counter, sets last_at. In decide: returns a
 * handle whose value after the claim store_charged() tells: the count this
 * request's own charge brought the counter to, other hosts' charges included.
 * The cached row (if wanted or part of an aggregate) shows it at once. In settle: applied
 * before COMMIT, returns 0, no handle. Never below 0. Reset: amount STORE_RESET
 * sets 0. MAG_ENOMEM fails the tick. An unknown handle has the count INT64_MAX. */
#define STORE_RESET INT64_MIN
int store_charge(struct store_tick *t, size_t request, enum throttle_kind kind, int64_t subject,
	int64_t period, int64_t amount);
int64_t store_charged(const struct store_tick *t, int charge);

/* In decide and settle: what this request marked or charged is half a change, it may not
 * be written. The tick is rolled back and its requests run alone; so does this one, and if
 * it comes to nothing again, only its charges are committed (store_failed). */
void store_spoil(struct store_tick *t, size_t request);
/* In decide and settle: has this request marked or charged anything in this call? */
bool store_touched(const struct store_tick *t, size_t request);
bool store_lost(const struct store_tick *t, size_t request);   /* decide again in a later tick */
bool store_failed(const struct store_tick *t, size_t request); /* only its charges are committed */

/* Have at least one write in this tick, so that every login commits (rule L10). */
void store_touch(struct store_tick *t);

/* A random 63-bit id, never 0 (unless there is no randomness). */
int64_t store_new_id(void);
/* The first of STORE_IDS neighbours, for rows that come in bulk: those lie together
 * in the database, single ones would be spread over all of it. 0: no randomness. */
#define STORE_IDS 256
int64_t store_new_ids(void);

/* ---- paged reads, outside ticks ---- */
struct store_account_row {
	struct account account;
	int64_t phones, level, last_login_at, expires_at;
	int64_t tokens, apps; /* active, locked or suspended */
};
typedef int store_account_fn(const struct store_account_row *row, void *arg);
typedef int store_licence_fn(const struct licence *row, const char *account, void *arg);

/* In order of name, after `after`, at most `limit`; state 0: all. fn != 0 stops. */
int store_list_accounts(struct store *s, const char *after, int64_t state, int64_t expiring_before,
	size_t limit, store_account_fn *fn, void *arg);
int store_list_licences(struct store *s, int64_t after_id, const char *order, int64_t state,
	size_t limit, store_licence_fn *fn, void *arg);

/* Somebody who waits for identity proofing, and how far it is. */
struct store_waiting {
	char account[257];
	int64_t product, proofing; /* of a subscription in force: WANTED or ASKED */
	int64_t state, method, appointment_at, expires_at; /* of the latest course; 0: none */
};
typedef int store_waiting_fn(const struct store_waiting *row, void *arg);
/* In order of name; organisation "": of all. */
int store_list_waiting(struct store *s, const char *after, const char *organisation, int64_t now,
	size_t limit, store_waiting_fn *fn, void *arg);

struct store_token_row {
	struct token token;
	char account[257];  /* "": in the inventory */
	int64_t expires_at; /* of its subscription; 0: none */
};
typedef int store_token_fn(const struct store_token_row *row, void *arg);
/* In order of serial; state 0: all that are not staged. */
int store_list_tokens(struct store *s, const char *after_serial, int64_t state, size_t limit,
	store_token_fn *fn, void *arg);
int store_find_token(struct store *s, const char *serial, struct store_token_row *row_r);
/* Those that are leased to a host (lease.h), likewise. */
int store_list_leases(
	struct store *s, const char *after_serial, size_t limit, store_token_fn *fn, void *arg);

struct store_session_row {
	struct session session;
	char account[257], organisation[65];
	int64_t begun_at, proven; /* of the login that it rests on; 0: not there any more */
};
typedef int store_session_fn(const struct store_session_row *row, void *arg);
/* Not ended and not too old, in order of id; account "": all. */
int store_list_sessions(struct store *s, int64_t after_id, const char *account, int64_t now,
	size_t limit, store_session_fn *fn, void *arg);

/* What a watched service would have refused: one row for a name and reason. */
struct store_observed {
	char account[257], reason[65], from[257], organisation[65];
	int64_t times, first_at, last_at;
};
typedef int store_observed_fn(const struct store_observed *row, void *arg);
int store_observe(
	struct store *s, const char *service, const struct store_observed *o, int64_t now);
/* In order of account and reason, after `after`. */
int store_list_observed(struct store *s, const char *service, const struct store_observed *after,
	size_t limit, store_observed_fn *fn, void *arg);
struct store_overview {
	int64_t accounts, bare /* no second factor */, break_glass /* codes that are good */;
};
int store_overview(struct store *s, int64_t now, struct store_overview *o_r);

/* The last signed head of a broker's audit log; n 0: there is none. */
struct store_audit_head {
	int64_t n, at;
	unsigned char hash[32];
};
int store_set_audit_head(struct store *s, const char *host, const struct store_audit_head *h);
int store_audit_head(struct store *s, const char *host, struct store_audit_head *h_r);

/* ---- for the calendar, outside ticks; a fn must not use the store ---- */
typedef int store_name_fn(const char *name, void *arg);
typedef int store_mail_fn(const struct mail *row, const char *account, void *arg);

/* What may be due: active subscriptions that expire before, tokens whose
 * subscription expired before (or did at all, while the token is still active),
 * tokens suspended before these times. */
struct store_horizon {
	int64_t expires_before, expired_before, suspended_before;
};
/* Names of the accounts with something of that, in order, after `after_name`. */
int store_due_accounts(struct store *s, const char *after_name, const struct store_horizon *h,
	size_t limit, store_name_fn *fn, void *arg);
/* Names of the accounts whose password is owed something on this host, in order. */
int store_passwords_due(struct store *s, const char *host, const char *after_name, size_t limit,
	store_name_fn *fn, void *arg);
/* Active phones, and tokens and apps that an account holds and are not revoked. */
int store_count_credentials(struct store *s, int64_t *n_r);
/* Mails that wait and are due, oldest first, with the account's name. */
int store_mails_waiting(struct store *s, int64_t now, size_t limit, store_mail_fn *fn, void *arg);
/* Has this notice been written already, by whatever broker? 0 or an error. */
int store_mail_known(struct store *s, const char *once, bool *known_r);
/* Numbers under a name ("last_sweep"). MAG_ENOTFOUND: never set. "schema" is not
 * for callers: MAG_EINVAL. */
int store_meta_get(struct store *s, const char *name, int64_t *value_r);
int store_meta_set(struct store *s, const char *name, int64_t value);

/* ---- leases: what one of all brokers does at a time ---- */
#define STORE_LEASE_MAX 7200 /* seconds; one that claims to last longer is void */

struct store_lease {
	const char *name, *holder; /* "sweep"; a host */
	int64_t seconds;           /* from now on */
};
/* Take it, or renew the own one: 0; MAG_EBUSY: another holder has it, until later than
 * `now`. Nobody gives one back: `seconds` 0 ends it. */
int store_lease(struct store *s, const struct store_lease *lease, int64_t now);

/* ---- organisations and their terms (O2), outside ticks ---- */
typedef int store_organisation_fn(const char *name, int64_t accounts, void *arg);
typedef int store_terms_fn(const struct terms *row, void *arg);
/* Those that have accounts, by name, after `after`; or this one. "" has no page. */
int store_list_organisations(
	struct store *s, const char *after, size_t limit, store_organisation_fn *fn, void *arg);
int store_find_organisation(
	struct store *s, const char *name, store_organisation_fn *fn, void *arg);
int store_list_terms(struct store *s, const char *organisation, store_terms_fn *fn, void *arg);
/* In place of what was accepted before. `row.id` is made here. */
int store_accept_terms(struct store *s, const struct terms *row);

/* ---- relays (security.md 40), outside ticks ---- */
/* fn returns 0, 1 (enough), or a negative error. */
typedef int store_host_fn(const struct host *row, void *arg);
/* In the order of names, after this one. */
int store_list_hosts(
	struct store *s, const char *after, size_t limit, store_host_fn *fn, void *arg);
/* Who signs certificates of hosts; MAG_ENOTFOUND: nobody yet. */
int store_authority(struct store *s, struct authority *row_r);
/* The first one stays: read it again. */
int store_make_authority(struct store *s, const struct blob *secret, int64_t now);

/* ---- the store's own keys (seal.h), outside ticks ---- */
/* At most `cap` of them, in the order of their ids. MAG_ENOSPACE. */
int store_keys(struct store *s, struct data_key *rows_r, size_t cap, size_t *n_r);
/* Several rows in one transaction, each by its row.fate. The peppers' row must be one of
 * them: changed or new, so that of two who change keys at once one has MAG_ECONFLICT. */
int store_change_keys(struct store *s, const struct data_key *rows, size_t n);
/* Was anything written that older versions have sealed or signed? */
int store_sealed_before(struct store *s, bool *yes_r);

/* All that data keys have sealed, column by column. */
enum store_sealed {
	SEALED_EMAIL,
	SEALED_NUMBER,
	SEALED_SEED,
	SEALED_AUTHORITY,
	SEALED_ANSWER, /* what is sealed begins behind a head */
	SEALED_COLUMNS
};
struct store_sealed_row {
	int64_t id, version;
	struct blob value;
};
/* The rows after an id, in order: at most `cap`. */
int store_page_sealed(struct store *s, enum store_sealed column, int64_t after,
	struct store_sealed_row *rows_r, size_t cap, size_t *n_r);
/* New values, in one transaction. *n_r: how many went in; a row that has changed since it was
 * read keeps what it has. */
int store_put_sealed(struct store *s, enum store_sealed column, const struct store_sealed_row *rows,
	size_t n, int64_t *n_r);
int store_count_sealed(struct store *s, int64_t *n_r);

/* ---- import of tokens: parts are staged, the commit makes all of them stock ---- */
/* One part, whole or not at all: rows with id, serial, batch, state TOKEN_STAGED.
 * MAG_EEXISTS: *taken_r is the first row whose serial is there already, in the
 * inventory, in another import or earlier in the part. */
int store_stage_tokens(struct store *s, const struct token *rows, size_t n, size_t *taken_r);
/* MAG_ECONFLICT: not as many are staged as `count`; nothing has changed. */
int store_commit_tokens(struct store *s, int64_t batch, int64_t count, int64_t *n_r);
int store_cancel_tokens(struct store *s, int64_t batch);
/* Throws away the import that staged this serial, if no part of it has come since
 * `since`: it was killed, and would keep its serials. *n_r: rows that are gone. */
int store_drop_import(struct store *s, const char *serial, int64_t since, int64_t *n_r);

/* ---- a store into another ---- */
/* After each page: of which table, and how many rows of all there are by now; "comparing"
 * begins anew. */
typedef void store_progress_fn(const char *table, int64_t rows, int64_t total, void *arg);
/* All of `from` into `to`, which was just created; then both are read and compared. Nobody
 * else may use either. Until it is whole `to` opens for nobody (MAG_ESCHEMA). 0;
 * MAG_ECONFLICT: they differ; MAG_ESTORE, MAG_ENOMEM. */
int store_copy(struct store *from, struct store *to, store_progress_fn *fn, void *arg);

/* From now on all reads see the store as it is now, while others write on. No writing
 * until it ends. */
int store_snapshot(struct store *s);
int store_snapshot_end(struct store *s);

/* Whether the database itself is whole; err says what is wrong. 0, MAG_ESTORE. */
int store_sound(struct store *s, char err[STORE_ERROR_MAX]);
/* Commits are not synced any more: of a file that is thrown away if anything goes wrong. */
int store_hasty(struct store *s);
/* Is there room for a store at `url`? 0; MAG_EEXISTS, and other errors of store_create. */
int store_vacant(const char *url, char err[STORE_ERROR_MAX]);

/* ---- an older store in place of this one (security.md 27) ---- */
/* Called for what must not come back, after its commit and before any answer goes out.
 * Must not use the store. */
typedef void store_spent_fn(const struct journal_fact *f, void *arg);
void store_on_spent(struct store *s, store_spent_fn *fn, void *arg);
/* Is it so in this store, too? States, which may change again, always are. */
int store_spent_holds(struct store *s, const struct journal_fact *f, bool *holds_r);
/* Make it so; *changed_r: rows that were otherwise. */
int store_spend_again(
	struct store *s, const struct journal_fact *f, int64_t now, int64_t *changed_r);

/* The store had it when it was copied. What another broker changed after it, before that
 * copy, is not to be held against it: keys of hosts, and uids. */
void store_spent_known(struct journal_fact *f);

struct store_ended {
	int64_t challenges, sessions, logins, steps /* TOTP tokens */;
};
struct store_voided {
	int64_t tokens /* HOTP, suspended */, waiting /* HOTP, revoked */, recoveries, licences,
		proofings;
};
/* What was under way is over: logins, sessions, codes, invitations of hosts. Tokens that go
 * by the clock accept nothing of `now` and before; `window`: of [hardware]. One transaction. */
int store_end_all(struct store *s, int64_t now, int64_t window, struct store_ended *n_r);
/* Nobody knows what was used since: HOTP tokens are suspended until an administrator has
 * seen two codes, one-time secrets are void. One transaction. */
int store_void_all(struct store *s, int64_t now, struct store_voided *n_r);
/* Numbers whose name begins with `prefix`, to a function that must not use the store. */
typedef int store_meta_fn(const char *name, int64_t value, void *arg);
int store_meta_each(struct store *s, const char *prefix, store_meta_fn *fn, void *arg);
/* A sealed value of a row, where there is one, to see whether a key opens it: "token.secret"
 * and its like. MAG_ENOTFOUND: nothing is sealed. */
int store_sealed_sample(
	struct store *s, const char **where_r, int64_t *id_r, struct blob *sealed_r);

/* ---- whole-store work outside ticks, each one transaction ---- */
int store_release_licences(struct store *s, const char *order, int64_t now, int64_t *n_r);
/* The account and all beneath it. Its hardware tokens stay in the inventory,
 * revoked and nobody's, so that their serials aren't handed out again. */
int store_delete_account(struct store *s, const char *name, int64_t now);
/* Rows that can no longer matter: dead challenges, counters (but for those that only
 * a right code or an administrator takes back), used recovery codes and ended logins
 * older than 31 days (each account's last success stays), session ids of this
 * host's earlier boots, imports that nobody committed for a day, mails two years
 * after they went out (until then the row keeps them from going out again). */
int store_purge(struct store *s, const char *boot, const char *host, int64_t now);
/* Only this host's share of it: its session ids. */
int store_purge_host(struct store *s, const char *boot, const char *host);

#endif
