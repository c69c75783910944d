/* A relay away from its auth hosts (security.md 41): what it decides while none answers,
 * with the tokens that are leased to it (engine/lease.h). Everything here takes NULL: then
 * nothing is leased and nothing decided.
 *
 *   replica.c      what must not be forgotten: leases, what was accepted, failures
 *   away.c         requests, tickets; away_login.c, away_verify.c: the messages of a login
 *   away_strike.c  codes that go to an auth host
 *   away_keep.c    which of them are to be taken, made longer, told of and given back;
 *   away_tell.c    that, and what an auth host answers */
#ifndef BROKER_AWAY_H
#define BROKER_AWAY_H

#include "otpcore/broker/relay.h"
#include "otpcore/broker/replica.h"

struct away_ask {
	struct conn *conn; /* who asks */
	const struct wire_origin *origin;
	const unsigned char *frame;
	size_t len;
	bool down; /* no auth host answers */
};

/* What was leased before is known again. 0 with NULL in *a_r: nothing was, nor shall be. */
int away_open(struct relay *r, struct away **a_r);
void away_free(struct away **a);

/* ---- away.c ---- */

/* Answered here? Logins that began here end here; others are an auth host's while one
 * answers. */
bool away_answer(struct away *a, const struct away_ask *ask);
/* ---- away_strike.c ---- */

/* A request goes to an auth host: the codes in it are struck off the windows of its
 * account first, durably. The lease under which that was done; 0: none. */
int64_t away_strike(struct away *a, const unsigned char *frame, size_t len);
/* And this was the answer. */
void away_seen(struct away *a, const struct away_ask *ask, const unsigned char *reply, size_t len);

/* ---- away_keep.c ---- */

/* Is everything told that was accepted here? */
bool away_ready(const struct away *a);
void away_linked(struct away *a);
void away_reloaded(struct away *a);
void away_tick(struct away *a);

/* ---- shared by the two ---- */

#define TXNS 256 /* logins under way at an auth host, of accounts with a lease */

struct away_txn {
	unsigned char hash[HASH_LEN];
	int64_t lease;
};

struct away {
	struct relay *relay;
	struct replica *replica;
	struct away_txn txns[TXNS];
	size_t n_txns; /* that there ever were: a ring */
	/* away_keep.c, away_tell.c */
	bool waiting; /* for an answer */
	bool terms_due;
	int64_t next_at, poll_at, seen_at; /* mag_ticks_ms */
	int64_t rest_at;                   /* no new leases before, likewise */
	int64_t asking;                    /* lease that the question is about, */
	size_t part;                       /* and its part */
	int64_t use;                       /* that is told */
	int64_t ending;                    /* lease that is given back, token by token */
	size_t end_part;
	int64_t failures[PARTS_MAX], spent[PARTS_MAX]; /* at the time of the question */
};

/* This host's clock, which never goes back. */
int64_t away_clock(const struct away *a);
/* Of an account, that can be used now; NULL. */
struct held *away_held(const struct away *a, const char *account);

#endif
