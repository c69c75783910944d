/* A first credential is set up inside a login (O5). */
#ifndef BROKER_HANDLE_ENROLL_H
#define BROKER_HANDLE_ENROLL_H

#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/session.h"

/* What pays for it. A password alone binds nothing (security.md 11): there is a key
 * that was typed at this login or an earlier one, a phone whose registration somebody
 * with the right to it began, or a token that an administrator assigned. */
struct enroll_means {
	enum verdict verdict;     /* OK, LICENCE_NEEDED, or what became of the key */
	struct licence *key;      /* NULL: none is needed */
	struct subscription *own; /* the key's, when it is this account's already */
	int64_t product;          /* of the key; 0 */
	uint32_t takes;           /* enum enroll_takes */
};
void enroll_find(struct request *r, struct aggregate *a, struct enroll_means *m_r);
/* Is there something that pays for this sort (enum enroll_takes)? Answers if not. */
bool enroll_means_for(
	struct request *r, struct aggregate *a, uint32_t sort, struct enroll_means *m_r);
/* The subscription beneath what was proven just now: binds the key. NULL: it went
 * meanwhile. */
struct subscription *enroll_pay(struct request *r, struct aggregate *a);

/* In decide: may this message be served? Repeats have their first answer then.
 * false: answered. In settle: the answer is kept. */
#define ENROLL_KEEP 7 /* place in r->state */
bool enroll_enter(struct request *r, uint32_t seq, struct party *p_r);
void enroll_leave(struct request *r, uint32_t seq);
/* In settle: the new credential logs in, if this service takes it. Fills strength
 * and level of the reply. */
struct enroll_answer {
	char *strength;
	size_t cap;
	uint32_t *level;
};
void enroll_proven(
	struct request *r, const struct proof *proof, const struct enroll_answer *answer);

/* The same with a token that was proven just now: one that waits for proofing (I1) does
 * not log in yet. */
void enroll_token_proven(struct request *r, struct token *t, const struct enroll_answer *answer);

/* Is this service's policy to set up an account without credential, and could what is
 * set up be enough there? And may this peer lead it through (begin)? */
bool enroll_fits(const struct aggregate *a, const struct policy *p);
bool enroll_offered(const struct request *r, const struct aggregate *a, const struct policy *p);
void enroll_begin(struct request *r, struct aggregate *a, struct wire_begin_rep *rep);

/* The messages. */
int enroll_key_want(struct request *r);
void enroll_key_decide(struct request *r);
void enroll_key_settle(struct request *r);
void enroll_phone_decide(struct request *r);
void enroll_phone_settle(struct request *r);
void enroll_phone_delivered(struct request *r, unsigned delivery);
void enroll_verify_decide(struct request *r);
void enroll_verify_settle(struct request *r);
int enroll_token_want(struct request *r);
void enroll_token_decide(struct request *r);
void enroll_token_settle(struct request *r);
/* enroll_mobile.c */
void enroll_mobile_decide(struct request *r);
void enroll_mobile_settle(struct request *r);

#endif
