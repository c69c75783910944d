#include "otpcore/engine/connect.h"

#include <string.h>

#include "otpcore/base/secret.h"

bool connect_lends(const struct aggregate *parent)
{
	return parent->exists && parent->account.state == ACCOUNT_ACTIVE &&
	       parent->account.parent[0] == '\0';
}

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool connect_same_person(const struct account *a, const struct account *b)
{
	bool named = a->first[0] != '\0' || a->last[0] != '\0';

	return named && same(a->first, b->first) && same(a->middle, b->middle) &&
	       same(a->last, b->last) && a->email_hash.len == HASH_LEN &&
	       b->email_hash.len == HASH_LEN &&
	       mag_equal(a->email_hash.data, b->email_hash.data, HASH_LEN);
}

bool connect_holds(const struct aggregate *a)
{
	for (size_t i = 0; i < a->n_phones; i++)
		if (a->phones[i].row.fate != ROW_DELETED)
			return true;
	for (size_t i = 0; i < a->n_tokens; i++)
		if (a->tokens[i].row.fate != ROW_DELETED && a->tokens[i].state != TOKEN_REVOKED)
			return true;
	return false;
}

enum connect_bar connect_judge(
	const struct aggregate *child, const struct aggregate *parent, bool lends)
{
	if (!child->exists || child->account.state != ACCOUNT_ACTIVE)
		return CONNECT_CHILD_INACTIVE;
	if (child->account.parent[0] != '\0')
		return CONNECT_CHILD_CONNECTED;
	if (connect_holds(child))
		return CONNECT_CHILD_HOLDS;
	if (lends)
		return CONNECT_CHILD_LENDS;
	if (!parent->exists || parent->account.state != ACCOUNT_ACTIVE ||
		parent->account.row.id == child->account.row.id ||
		!connect_same_person(&child->account, &parent->account))
		return CONNECT_STRANGERS;
	return parent->account.parent[0] == '\0' ? CONNECT_FINE : CONNECT_PARENT_CONNECTED;
}
