/* The store's keys. Several brokers may use one store: a new key is in the store before it
 * seals anything, and becomes current only when every broker has had time to read it. Who
 * changes keys changes the version of the peppers' row as well, so that of two one loses.
 *
 * next -> current -> old (rows are moved) -> ending (tickets run out) -> removed. Each step is
 * one transaction, and any broker takes the next one. */
#include <string.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/parts.h"
#include "otpcore/store/fault.h"

_Static_assert(KEYS_RETIRE > TICKET_LIFE + KEYS_SETTLE, "tickets end before their key");

/* ---- reading ---- */

const struct data_key *keys_in(const struct keys_list *list, enum key_state state)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->rows[i].kind == KEY_DATA && list->rows[i].state == (int64_t)state)
			return &list->rows[i];
	return NULL;
}

int keys_read(struct broker *b, struct keys_list *list_r)
{
	struct keys_list list;
	int r = store_keys(b->store, list.rows, KEYS_MAX + 1, &list.n);

	if (!r)
		r = keyring_load(b->keyring, list.rows, list.n);
	if (!r)
		*list_r = list;
	return r;
}

/* ---- changing ---- */

static struct data_key *mark(struct data_key *row, enum row_fate fate)
{
	row->row.fate = fate;
	return row;
}

static int change(struct broker *b, struct keys_list *list)
{
	int r = MAG_ESTORE;

	for (size_t i = 0; i < list->n; i++)
		if (list->rows[i].kind == KEY_PEPPERS && list->rows[i].row.fate == ROW_CLEAN)
			mark(&list->rows[i], ROW_CHANGED);
	if (!FAULT("key.change"))
		r = store_change_keys(b->store, list->rows, list->n);
	if (!r && FAULT("key.changed"))
		r = MAG_ESTORE;
	return r ? r : keys_read(b, list);
}

static struct data_key *find(struct keys_list *list, enum key_state state)
{
	return (struct data_key *)keys_in(list, state);
}

static int move(struct data_key *row, enum key_state state, int64_t now)
{
	row->state = state;
	row->since = now;
	mark(row, ROW_CHANGED);
	return 0;
}

/* The one that was current first: two never are (the store's index sees to it). */
int keys_promote(struct broker *b, struct keys_list *list)
{
	struct data_key *current = find(list, KEY_CURRENT), *next = find(list, KEY_NEXT), swap;

	move(current, KEY_OLD, mag_now());
	move(next, KEY_CURRENT, mag_now());
	if (next < current)
		swap = *next, *next = *current, *current = swap;
	return change(b, list);
}

static int add_next(struct broker *b, struct keys_list *list)
{
	struct data_key row;
	int r = keyring_make_next(b->keyring, &row);

	if (r)
		return r;
	row.row.version = 1;
	row.created_at = row.since = mag_now();
	mark(&row, ROW_NEW);
	list->rows[list->n++] = row;
	return change(b, list);
}

/* On SQLite nobody else could seal anything. */
int64_t keys_settled(const struct broker *b, const struct data_key *next)
{
	return next->created_at + (mag_streq(store_kind(b->store), "sqlite") ? 0 : KEYS_SETTLE);
}

static bool two_masters(const struct keys_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->rows[i].rewrapped.len)
			return true;
	return false;
}

static const char *why_not(const struct keys_list *list)
{
	if (two_masters(list))
		return "the master key is being changed; finish that first (magotpctl key finish)";
	if (list->n >= KEYS_MAX)
		return "too many old keys; wait until they were removed (magotpctl key list)";
	return NULL;
}

int keys_rotate(struct broker *b, struct keys_step *step)
{
	struct keys_list list;
	const struct data_key *next;
	int r = keys_read(b, &list);

	if (r)
		return r;
	step->begun = keys_in(&list, KEY_NEXT) || keys_in(&list, KEY_OLD);
	if (step->begin && !step->begun) {
		step->refuse = why_not(&list);
		r = step->refuse ? 0 : add_next(b, &list);
	}
	next = keys_in(&list, KEY_NEXT);
	if (!r && next) {
		step->wait = keys_settled(b, next) - mag_now();
		if (step->wait <= 0)
			r = keys_promote(b, &list);
	}
	if (!r && step->done && find(&list, KEY_OLD) && !keys_in(&list, KEY_NEXT)) {
		struct data_key *old = find(&list, KEY_OLD);

		old->state = KEY_ENDING; /* since it sealed the last time */
		mark(old, ROW_CHANGED);
		r = change(b, &list);
	}
	step->wait = step->wait > 0 ? step->wait : 0;
	step->current = keyring_current(b->keyring);
	for (size_t i = 0; !r && i < list.n; i++)
		if (list.rows[i].state >= KEY_OLD && list.rows[i].since + KEYS_RETIRE > step->ends)
			step->ends = list.rows[i].since + KEYS_RETIRE;
	return r;
}

int keys_remove(struct broker *b, uint32_t id)
{
	struct keys_list list;
	int r = keys_read(b, &list);

	for (size_t i = 0; !r && i < list.n; i++)
		if (list.rows[i].row.id == id && list.rows[i].state >= KEY_OLD) {
			mark(&list.rows[i], ROW_DELETED);
			r = change(b, &list);
			if (!r)
				store_forget(b->store);
			return r;
		}
	return r;
}

/* ---- another master key ---- */

static int finish(struct broker *b, struct keys_list *list)
{
	int r;

	for (size_t i = 0; i < list->n; i++) {
		struct data_key *row = &list->rows[i];

		if (!keyring_wraps(b->keyring, &row->wrapped))
			row->wrapped = row->rewrapped;
		row->rewrapped.len = 0;
		mark(row, ROW_CHANGED);
	}
	r = change(b, list);
	if (!r)
		store_forget(b->store); /* the wrapping by the old one */
	return r;
}

/* Are all of them under the one that this broker has, and as the one that comes? */
static bool switched(const struct broker *b, const struct keys_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!keyring_wraps(b->keyring, &list->rows[i].rewrapped))
			return false;
	return list->n > 0;
}

int keys_finish(struct broker *b, const char **refuse_r)
{
	struct keys_list list;
	int r = keys_read(b, &list);

	*refuse_r = NULL;
	if (!r && !two_masters(&list))
		*refuse_r = "the master key is not being changed";
	else if (!r && !switched(b, &list))
		*refuse_r = "this broker still has the old master key: change [store] master_key, "
			    "restart otpcored";
	else if (!r)
		r = finish(b, &list);
	return r;
}

/* ---- at start ---- */

/* A new store gets random ones; one that older versions wrote what they derived. */
static int first(struct broker *b)
{
	struct keys_list list = { .n = 2 };
	bool before = true;
	int r = store_sealed_before(b->store, &before);

	if (!r)
		r = before ? keyring_keep(b->keyring, list.rows)
			   : keyring_make(b->keyring, list.rows);
	for (size_t i = 0; !r && i < list.n; i++) {
		list.rows[i].row.version = 1;
		list.rows[i].created_at = list.rows[i].since = mag_now();
		mark(&list.rows[i], ROW_NEW);
	}
	if (!r)
		r = change(b, &list);
	return r == MAG_ECONFLICT ? 0 : r; /* another broker was quicker */
}

static int complain(const struct broker *b, int r)
{
	if (r == MAG_ENOTFOUND)
		mag_log(MAG_LOG_ERROR,
			"%s: this is another master key than the one that the store was sealed "
			"with; put that one in place",
			b->settings->master_key);
	else if (r == MAG_ECRYPTO)
		mag_log(MAG_LOG_ERROR, "the keys of the store were changed or are damaged: "
				       "restore them from a backup");
	else
		mag_log(MAG_LOG_ERROR, "the keys of the store cannot be read: %s", mag_strerror(r));
	return r;
}

/* Whoever starts with the new one has it in its settings. Other hosts may not yet. */
static int after_start(struct broker *b, struct keys_list *list)
{
	bool alone = mag_streq(store_kind(b->store), "sqlite");
	int r = 0;

	if (!two_masters(list))
		return 0;
	if (!switched(b, list))
		mag_log(MAG_LOG_WARNING,
			"the master key is being changed, and this is the old one: "
			"change [store] master_key, restart otpcored");
	else if (alone)
		r = finish(b, list);
	if (switched(b, list) && !alone)
		mag_log(MAG_LOG_WARNING,
			"the old master key still opens the store: once every broker "
			"has the new one, magotpctl key finish");
	else if (!r && alone && !two_masters(list))
		mag_log(MAG_LOG_NOTICE, "the old master key opens this store no more");
	return r;
}

int keys_open(struct broker *b)
{
	struct keys_list list;
	int r = store_keys(b->store, list.rows, KEYS_MAX + 1, &list.n);

	if (!r && list.n == 0)
		r = first(b);
	if (!r)
		r = keys_read(b, &list);
	if (!r)
		r = after_start(b, &list);
	return r ? complain(b, r) : 0;
}

int keys_try(struct broker *b)
{
	struct mag_secret clear = { 0 };
	struct keys_list list;
	struct blob sealed;
	const char *where;
	int64_t id;
	int r = store_keys(b->store, list.rows, KEYS_MAX + 1, &list.n);

	/* One that no broker has served from has none. */
	if (!r && list.n)
		r = keyring_load(b->keyring, list.rows, list.n);
	if (!r) {
		r = store_sealed_sample(b->store, &where, &id, &sealed);
		if (!r)
			r = seal_open(b->keyring, where, id, &sealed, &clear);
		else if (r == MAG_ENOTFOUND)
			r = 0; /* an empty store */
	}
	mag_secret_free(&clear);
	return r;
}
