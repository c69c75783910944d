/* Connected accounts (H11): one person has two; into one of them, the child, leads
 * what the other, the parent, holds. */
#ifndef ENGINE_CONNECT_H
#define ENGINE_CONNECT_H

#include "otpcore/engine/model.h"

/* May somebody log in elsewhere with what this account holds? Not while it is
 * locked, and not with what it is itself lent: nothing is lent on. */
bool connect_lends(const struct aggregate *parent);
/* Same e-mail address and names. What is unknown of both is not the same. */
bool connect_same_person(const struct account *a, const struct account *b);
/* Has it phones, tokens or apps, pending ones too, that are not revoked? */
bool connect_holds(const struct aggregate *a);

/* Why two accounts can't be connected. What lies with the child is looked at first:
 * to CONNECT_STRANGERS nothing about the parent is known, not that it exists. */
enum connect_bar {
	CONNECT_FINE = 1,
	CONNECT_CHILD_INACTIVE,
	CONNECT_CHILD_CONNECTED, /* already, with whomever */
	CONNECT_CHILD_HOLDS,     /* credentials of its own */
	CONNECT_CHILD_LENDS,     /* is a parent */
	CONNECT_STRANGERS,       /* no such parent, or names and e-mail differ */
	CONNECT_PARENT_CONNECTED /* is a child */
};
/* `lends`: are there accounts that log in with the child's credentials? */
enum connect_bar connect_judge(
	const struct aggregate *child, const struct aggregate *parent, bool lends);

#endif
