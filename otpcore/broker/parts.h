/* The machinery behind the handlers: what main, listen, tick, gate and
 * dispatch know of each other. Handlers need broker.h only. */
#ifndef BROKER_PARTS_H
#define BROKER_PARTS_H

#include <event2/util.h>

#include "otpcore/broker/broker.h"

/* ---- priv.c: what the process may do ---- */

/* No core files, no ptrace by the same uid, umask 077. */
void priv_harden(void);
/* Descriptors enough for so many clients; warns when they cannot be had. */
void priv_descriptors(int64_t clients);
/* Become `user` for good when started as root; stay who we are otherwise.
 * 0; MAG_ENOTFOUND (no such user), MAG_ESYS; MAG_EPERM: a way back was left. */
int priv_drop(const char *user);
/* Uid and gid of a user. 0 or MAG_ENOTFOUND. */
int priv_user(const char *user, uid_t *uid_r, gid_t *gid_r);

/* ---- sandbox.c: and less still, once everything is open ---- */

/* `config`: the file of the settings, "" for the usual one. 0, also where the kernel or the
 * build has less (said in the log); MAG_ESYS, MAG_ENOMEM, MAG_EINVAL. */
int sandbox_close(const struct settings *s, const char *config);
/* Of the password helper: it may write in /etc and start two programs. The same. */
int sandbox_helper(void);

/* ---- setup.c: --setup ---- */

/* Make master key and store, owned by the configured user; says on stderr what
 * it did. 0; MAG_EEXISTS: nothing was touched. */
int setup_run(const struct settings *s);

/* ---- rekey.c: --rekey ---- */

struct rekey_orders {
	const char *source;
	bool dry;  /* only look whether it could be done */
	bool json; /* the answer on stdout */
};
/* Wrap the keys of the store by the master key of the source, too, which is made if it is not
 * there; says on stderr what it did. The source that the settings name: a change that waits is
 * given up. */
int rekey_run(struct settings *s, const struct rekey_orders *o);

/* ---- key_complain.c ---- */

/* Log why a source gave no master key (errors of keyring_open; errno as it left it). r. */
int key_complain(int r, const char *source);

/* ---- migrate.c: --migrate-to ---- */

/* Copy the configured store into a new one at `url`; says on stderr what it did. 0 or an
 * error: then nothing has changed but the new store, which opens for nobody. */
int migrate_run(const struct settings *s, const char *url);

/* ---- backup.c: --backup ---- */
#define BACKUP_AT "backup_at" /* when, in a backup; of a store: none */

struct backup_orders {
	const char *file; /* which must not exist */
	bool dry;         /* copy, and throw it away */
	bool json;
};
/* While a broker serves. `b` has settings, and the keyring unless only the service may have
 * the key; that it opens the copy is tried. Says what it did. */
int backup_run(struct broker *b, const struct backup_orders *o);

/* ---- restore.c: --restore, --restore-in-place ---- */
#define RESTORE_JOURNALS 16
#define RESTORING        "restoring" /* 1: one in place was cut short */

struct restore_orders {
	const char *file; /* NULL: the store as it is */
	const char *to;   /* NULL: where the settings say */
	const char *journals[RESTORE_JOURNALS];
	size_t n_journals; /* 0: that of the settings */
	bool snapshot;     /* the journal went back as well: trust none */
	bool dry, json;
};
/* `b` has settings, host and keyring, and root's rights if there are any. */
int restore_run(struct broker *b, const struct restore_orders *o);

/* ---- server.c: the life of the daemon ---- */

/* Serve until SIGTERM. `fd` listens already; `helper`: of the password helper, -1. `ready` is
 * called once the first request can be taken. 0 or an error after which the process must end. */
int server_run(struct broker *b, int fd, int helper);

/* A loop without the environment, which says what it dies of. 0, MAG_ENOMEM, MAG_ESYS. */
int server_base(struct event_base **base_r);

/* ---- socket.c ---- */

/* The listening socket: the one systemd passed, or a new one (0666) at `path`.
 * A left-over file is removed only if nobody answers there. *made_r: it is
 * ours to unlink. 0, MAG_EEXISTS (another broker answers), MAG_ESYS, MAG_EINVAL. */
int listen_open(const char *path, int *fd_r, bool *made_r);

/* ---- listen.c: frames in, frames out ---- */

int listener_new(struct broker *b, int fd, struct listener **l_r);
void listener_free(struct listener **l);
void listener_stop(struct listener *l);                /* no new connections */
size_t listener_busy(const struct listener *l);        /* connections that wait for an answer */
size_t listener_connections(const struct listener *l); /* all of them */

/* Answer and close. The request's result and reply, encoded. */
void conn_answer(
	struct conn *c, uint16_t message, const struct wire_result *result, const void *reply);

/* Likewise, with a frame that is one already; NULL: without an answer. */
void conn_answer_frame(struct conn *c, const unsigned char *frame, size_t len);

/* ---- peer.c: what the kernel says of the other end ---- */

/* At accept: credentials and a pidfd. 0 or MAG_ESYS. */
int peer_of(int fd, struct peer *p_r);
/* Read /proc, then see whether the process still lives: only then is what was
 * read this peer's (security.md 2). Fills start, sid, loginuid, alive. */
void peer_look(struct peer *p);
/* Start time of a process in clock ticks since boot; 0: no such process. */
int64_t peer_start_of(int64_t pid);
/* The audit session of a message's sender matters only to these. */
bool peer_matters(uint16_t message, uint32_t uid);

/* ---- request.c ---- */

/* Takes the body. NULL: out of memory (body freed). */
struct request *request_new(
	struct broker *b, const struct wire_message *m, const struct handler *h, void *body);
void request_free(struct request **r);
/* Back to how it was before decide. */
void request_reset(struct request *r);
const struct handler *handler_of(uint16_t message); /* NULL: not served here */

/* ---- tick.c: read -> decide -> claim -> settle -> done ---- */

int ticker_new(struct broker *b, struct ticker **t_r);
void ticker_free(struct ticker **t);
/* Queue a request for the next tick; owns it from now on. */
void ticker_add(struct ticker *t, struct request *r);
/* Between turns of the loop: finish the tick that ended, start the next, unless it is to
 * be held. */
void ticker_turn(struct ticker *t, bool hold);
bool ticker_idle(const struct ticker *t);    /* no tick under way */
bool ticker_waiting(const struct ticker *t); /* requests wait for the next */
/* The word of smsd (or the decoy's clock) came: patch, answer, free. */
void ticker_delivered(struct request *r, unsigned delivery);

/* ---- ticket.c: the sealed txn ---- */
#define TICKET_LIFE 600 /* seconds; security.md 14 */

/* Are the credentials that count for `a` still those of begin (H11)? */
bool ticket_holder_stays(struct request *r, const struct aggregate *a, const struct wire_ticket *t);
int ticket_seal(struct request *r, const struct wire_ticket *t, struct mag_secret *txn_r);
/* 0; MAG_ESTALE: not ours, too old, of another host. The peer is the gate's. */
int ticket_open(const struct request *r, const struct mag_secret *txn, struct wire_ticket *t_r);

/* ---- remote.c: relays, over TLS (security.md 40) ---- */

/* Listens where [broker] listen says, and later serves. While there are rights left. */
int remotes_listen(const struct settings *s, int *fd_r);
/* NULL in *remotes_r stays if `fd` is -1. */
int remotes_new(struct broker *b, int fd, struct remotes **remotes_r);
void remotes_free(struct remotes **r);
void remotes_stop(struct remotes *r); /* no new links, no new requests */
/* The result of a request that came on a link, or a question about its host. Frees
 * r->remote. */
void remote_answer(struct request *r);
void remotes_hour(struct remotes *r); /* renews its own certificate; NULL is fine */
size_t remotes_busy(const struct remotes *r);

/* ---- relay.c: requests to an auth host ---- */

/* Reads the identity; says what is wrong with it. Before the sandbox closes. */
int relay_open(struct broker *b);
/* `fd` listens for local peers. Until SIGTERM. */
int relay_run(struct broker *b, int fd);
/* As server_reload(). */
int relay_reload(struct broker *b, char err[OPT_ERROR_MAX]);
/* A request as it came, of a connection that waits: it is answered, or ended without an
 * answer, later. */
void relay_take(struct relay *r, struct conn *c, const struct peer *peer,
	const unsigned char *frame, size_t len);

/* ---- enroll.c: --enroll ---- */

/* Become a relay's host: a key of its own, a certificate for CODE ("-": read from
 * stdin) from `upstream` (NULL: that of the settings). Says on stderr what it did. */
int enroll_run(const struct settings *s, const char *code, const char *upstream);

/* ---- dispatch.c: orders to smsd ---- */
#define DISPATCH_HOLD_MS 3000 /* login.md: three seconds */

int dispatch_new(struct broker *b, struct dispatch **d_r);
void dispatch_free(struct dispatch **d);
/* Hand r->sms to smsd; ticker_delivered(r) follows within three seconds, now or
 * later. An order that is under way already gets one more waiter. */
void dispatch_order(struct dispatch *d, struct request *r);
/* A decoy: ticker_delivered(r, accepted) after r->hold_ms. */
void dispatch_pretend(struct dispatch *d, struct request *r);
/* How long smsd took lately, and what it said last. */
unsigned dispatch_last(const struct dispatch *d);
size_t dispatch_orders(const struct dispatch *d); /* that have no word yet */
int64_t dispatch_average_ms(const struct dispatch *d);
/* The internal request that writes down a delivery (delivery.c). */
void delivery_record(struct broker *b, const struct sms_order *o, unsigned delivery);

/* ---- smsd_ask.c: a message to smsd ---- */

/* Connects, sends, and leaves the answer to the caller. 0 with *fd_r; MAG_EDOWN, MAG_EBUSY
 * (again in a moment), MAG_ESERVER (not whom it should be), MAG_ERANGE. */
int smsd_ask(const struct broker *b, uint16_t message, const void *request, int *fd_r);

/* ---- fate.c: what becomes of codes that smsd has ---- */

int fates_new(struct broker *b, struct fates **f_r);
void fates_free(struct fates **f);
/* A login's code was accepted: if it does not arrive, delivery_record() hears of it. */
void fates_watch(struct fates *f, const struct sms_order *o);
/* These are used or dead: smsd is told, soon and once. */
void fates_spent(struct fates *f, const struct spent_code *codes, size_t n);

/* ---- mail.c: the mails that wait, one after the other to smsd ---- */

int mails_new(struct broker *b, struct mails **m_r);
void mails_free(struct mails **m);
/* What smsd said of one; from dispatch. */
void mail_record(struct broker *b, const struct sms_order *o, unsigned delivery);

/* ---- password.c: what revocations owe, done by the helper ---- */

/* `fd`: the helper's, taken over; -1: there is none. */
int passwords_new(struct broker *b, int fd, struct passwords **p_r);
void passwords_free(struct passwords **p);

/* ---- sweep.c: the calendar, hourly and at start ---- */

int sweeper_new(struct broker *b, struct sweeper **s_r);
void sweeper_free(struct sweeper **s);

/* ---- handle/observe.c ---- */

/* A page of numbers; a relay answers it without a tick. */
void broker_stats(const struct broker *b, uint32_t after, struct wire_stats_rep *rep);

/* ---- audit.c: one line per decision, before it is told ----
 * A request that cannot be written down ends in MAG_ESTORE. */
void audit(struct request *r);
/* Says how many refusals were only counted (audit_thin.h), of the minutes that are over at
 * `now` (mag_ticks_ms; INT64_MAX: of all). */
void audit_more(struct broker *b, int64_t now);
/* The same; then, may this one be written in full? If not it is counted. */
bool audit_refusal(struct broker *b, const struct thin_who *who);

/* overdue.c: what `enable --confirm` put in and nobody confirmed in time goes back; as
 * root, before anything listens. config: the file that was named, or NULL. */
void overdue_undo(const char *config);

#endif
