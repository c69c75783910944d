/* Between the files of away.h. */
#ifndef BROKER_AWAY_PARTS_H
#define BROKER_AWAY_PARTS_H

#include "otpcore/broker/away.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/policy.h"

/* One question, and what is known of it. */
struct question {
	struct away *a;
	const struct wire_origin *origin;
	const struct wire_message *message;
	const void *body;
	void *reply;
	struct wire_result result;
	int64_t now;
	bool ours; /* it carries a ticket of ours, which opened: */
	struct wire_ticket ticket;
	struct held *held; /* the account's; NULL: none that can be used */
};

/* ---- away.c ---- */
void away_verdict(struct question *q, enum verdict v);
void away_failure(struct question *q, int error);
/* NULL: the message has none. */
const struct mag_secret *away_txn_of(const struct wire_message *m, const void *body);
int away_ticket(const struct away *a, const struct wire_ticket *t, struct mag_secret *txn_r);

/* ---- away_login.c ---- */
void away_begin(struct question *q);
void away_account(struct question *q);
void away_open_session(struct question *q);
void away_strength(struct question *q);
void away_close(struct question *q);
/* The rule that an auth host gave for a service; NULL: it is not decided here. */
const struct wire_lease_rule *away_rule(const struct away *a, const char *service);
bool away_part_fits(const struct held *h, size_t i, const struct policy *p);
/* VERDICT_OK: there is a try left; else why there is none. */
enum verdict away_part_ready(const struct held *h, size_t i);
/* Is the name another uid's by now (security.md 12)? */
bool away_other_person(const struct question *q, uint32_t uid);

/* ---- away_verify.c ---- */
void away_verify(struct question *q);

/* ---- away_strike.c ---- */
/* Borrows from `h`; wipe the key. */
void away_window(const struct held *h, size_t i, struct lease_window *w_r);
/* Nothing up to this position is taken any more. */
void away_advance(struct held *h, size_t i, int64_t position);

/* ---- away_keep.c ---- */
/* Not used any more, whatever becomes of this process: then only it may be given back. */
void away_end(struct away *a, struct held *h, const char *why);

/* ---- away_tell.c: one question each, with a->waiting until its answer was dealt with ---- */
void away_ask_terms(struct away *a);
void away_take(struct away *a, struct held *h);
/* The oldest login that was accepted here. */
void away_tell_use(struct away *a);
/* What has ended is given back, one token at a time. */
void away_tell_end(struct away *a, const struct held *h);
/* False: all wrong codes are told. */
bool away_tell_failures(struct away *a, const struct held *h);

#endif
