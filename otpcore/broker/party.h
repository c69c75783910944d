/* Who a login's messages speak of: the account of the ticket, real or made up, and
 * whose credentials it uses, the login's row, the chain of its codes and the source it comes from.
 */
#ifndef BROKER_PARTY_H
#define BROKER_PARTY_H

#include "otpcore/broker/books.h"
#include "otpcore/engine/policy.h"

struct party {
	struct request *r;
	struct aggregate *a;   /* whose credentials and counters these are (H11) */
	struct aggregate *own; /* who logs in */
	struct login *login;
	struct books books;
	bool decoy;
	struct blob chain;
	/* Throttle subjects: the source; the source at this account. */
	int64_t source, account_source;
	int64_t relay; /* all that comes through it; 0: it came through none */
};
/* Where it comes from, at this account. 0, MAG_ECRYPTO, MAG_ENOSPACE. */
int party_sources(struct request *r, const char *account, struct party_sources *s_r);

/* Reads of messages that carry a txn and charge. */
int party_want(struct request *r);
/* 0, MAG_ESTALE (no ticket), MAG_ECRYPTO. */
int party_make(struct request *r, struct party *p_r);
/* The chain of codes: hash of what makes two tries the same login. */
int party_chain(const struct broker *b, const struct wire_ticket *t, struct blob *chain_r);

/* Does somebody ask who is neither root nor the user: a verifier? */
bool party_by_verifier(const struct request *r);
/* Failures at this account from this source in the last 30 days. */
int64_t party_source_total(const struct party *p);
int64_t party_source_period(int64_t now);
/* The same without a ticket; `subject`: party_sources.at_account. */
int party_want_account_source(struct request *r, int64_t subject);
int64_t party_account_source(const struct books *b, int64_t subject);
/* The policy that begin sealed into the ticket. */
void party_policy(const struct party *p, struct policy *p_r);
/* The phone with this slot if the policy offers it; NULL. */
struct phone *party_phone(const struct party *p, int64_t slot);
struct phone *party_phone_by_id(const struct party *p, int64_t id);
/* Wrong codes of a chain so far. */
int64_t party_tried(const struct party *p, int64_t chain_id);
/* May the peer see digits of phones? Verifiers that are not root may not. */
bool party_shows_digits(const struct request *r);
/* What became of the message, as this peer may know it: that one never arrived says that
 * there is a telephone (rule L10), and is not for verifiers. */
uint32_t party_delivery(const struct request *r, const struct challenge *c);

/* ---- stored answers (security.md 30) ---- */
#define PARTY_ANSWER_HEAD 10 /* bytes of login.answer before what is sealed */
enum party_seq { SEQ_NEW, SEQ_REPEAT, SEQ_STALE };
/* A repeat gets its first answer: result and reply are filled then. */
enum party_seq party_seq(struct party *p, uint32_t seq);
/* In settle: the answer goes onto the login's row, which is made if it is not
 * there. Call after the fields of the row were set. */
void party_keep(struct party *p, uint32_t seq, uint32_t failures);
/* Wrong codes of this login so far. */
uint32_t party_failures(const struct party *p);

#endif
