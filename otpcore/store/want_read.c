/* Loading what a tick wants: one batch, and what can be found in it. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/tick.h"

#define DAY       86400
#define WINDOW    (31 * DAY) /* counters by the day, and without period */
#define HOURS     (2 * 3600) /* counters by the hour */
#define UID_LIMIT 4294967295 /* this one means "unknown" and finds nobody */

/* ---- statements ---- */

static struct store_value parameter(const struct want *w, char letter)
{
	int64_t now = w->tick->now;
	const struct want_key *k = &w->key;

	switch (letter) {
	case 't':
		return (struct store_value){ 't', 0, k->text, strlen(k->text) };
	case 'T':
		return (struct store_value){ 't', 0, k->text2, strlen(k->text2) };
	case 'b':
		return (struct store_value){ 'b', 0, k->hash, HASH_LEN };
	case 'n':
		return (struct store_value){ 'i', now, NULL, 0 };
	case 'd':
		return (struct store_value){ 'i', now - DAY, NULL, 0 };
	case 'h':
		return (struct store_value){ 'i', now - HOURS, NULL, 0 };
	case 'w':
		return (struct store_value){ 'i', now - WINDOW, NULL, 0 };
	default:
		return (struct store_value){ 'i', k->i[letter - '0'], NULL, 0 };
	}
}

static int add_part(struct want *w, const struct want_part *part)
{
	size_t n = strlen(part->parameters);
	struct store_value *values = NULL;
	struct store_call *c = tick_call(w->tick, part->statement, "store.read", n, &values);

	if (c == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; i < n; i++)
		values[i] = parameter(w, part->parameters[i]);
	c->row = part->row;
	c->arg = w;
	return 0;
}

static void forget_rows(struct want *w)
{
	if (w->used)
		want_clear_row(w);
	w->used = true;
	if (w->key.kind == WANT_THROTTLE)
		*(struct throttle *)w->row = (struct throttle){
			.kind = w->key.i[0], .subject = w->key.i[1], .period = w->key.i[2]
		};
	w->n = 0;
	w->r = 0;
	w->same = NULL;
	w->handed = false;
}

int want_read_calls(struct store_tick *t)
{
	int r = 0;

	for (struct want *w = t->wants; w != NULL; w = w->next) {
		if (w->loaded)
			continue;
		forget_rows(w);
		w->loaded = true;
		if (w->key.kind == WANT_ACCOUNT_UID &&
			(w->key.i[0] < 0 || w->key.i[0] >= UID_LIMIT))
			continue;
		for (size_t i = 0; r == 0 && i < want_n_parts; i++) {
			if (want_parts[i].kind == w->key.kind)
				r = add_part(w, &want_parts[i]);
		}
	}
	return r;
}

/* ---- what can be found in it ---- */

static struct want_key throttle_key(int64_t kind, int64_t subject, int64_t period)
{
	return (struct want_key){ NODE_THROTTLE, "", "", { kind, subject, period }, NULL };
}

static struct want_key id_key(enum want_kind kind, int64_t id)
{
	return (struct want_key){ kind, "", "", { id }, NULL };
}

int want_node(struct store_tick *t, struct want_key key, void *row, struct want *home)
{
	struct want *w = want_find(&t->by_row, &key);

	if (w != NULL)
		return 0;
	w = arena_get(&t->by_row.arena, sizeof *w);
	if (w == NULL)
		return MAG_ENOMEM;
	w->key = key;
	w->row = row;
	w->home = home;
	want_insert(&t->by_row, w);
	return 0;
}

static int index_account(struct want *w)
{
	struct store_tick *t = w->tick;
	struct aggregate *a = w->row;
	int r = a->exists ? want_node(t, id_key(NODE_SUBJECT, a->account.row.id), a, w) : 0;

	for (size_t i = 0; r == 0 && i < a->n_phones; i++)
		r = want_node(t, id_key(NODE_SUBJECT, a->phones[i].row.id), a, w);
	for (size_t i = 0; r == 0 && i < a->n_tokens; i++) {
		r = want_node(t, id_key(NODE_SUBJECT, a->tokens[i].row.id), a, w);
		if (r == 0)
			r = want_node(t, id_key(NODE_TOKEN, a->tokens[i].row.id), &a->tokens[i], w);
	}
	for (size_t i = 0; r == 0 && i < a->n_challenges; i++)
		r = want_node(t, id_key(NODE_SUBJECT, a->challenges[i].chain_id), a, w);
	for (size_t i = 0; r == 0 && i < a->n_throttles; i++) {
		struct throttle *row = &a->throttles[i];

		r = want_node(t, throttle_key(row->kind, row->subject, row->period), row, w);
	}
	return r;
}

static int index_sessions(struct want *w)
{
	struct session *rows = w->row;
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->n; i++)
		r = want_node(w->tick, id_key(NODE_SESSION, rows[i].row.id), &rows[i], w);
	return r;
}

/* An account wanted by name and by uid is one aggregate. */
static void find_same(struct want *w)
{
	const struct aggregate *a = w->row;
	struct want_key by_name = { WANT_ACCOUNT, a->account.name, "", { 0 }, NULL };

	if (a->exists)
		w->same = want_find(&w->tick->by_key, &by_name);
}

/* A wanted counter of a subject that an aggregate owns lives in the aggregate. */
static int index_throttle(struct want *w)
{
	struct store_tick *t = w->tick;
	struct throttle *row = w->row;
	struct throttle *found = want_throttle_row(t, row->kind, row->subject, row->period);

	if (t->error != 0)
		return t->error;
	if (found == NULL)
		return want_node(t, throttle_key(row->kind, row->subject, row->period), row, w);
	if (found->last_at == 0 && found->count == 0)
		*found = *row; /* just made there */
	return 0;
}

struct throttle *want_throttle_row(
	struct store_tick *t, int64_t kind, int64_t subject, int64_t period)
{
	struct want_key key = throttle_key(kind, subject, period);
	struct want_key owner_key = id_key(NODE_SUBJECT, subject);
	struct want *node = want_find(&t->by_row, &key);
	struct want *owner = node == NULL ? want_find(&t->by_row, &owner_key) : NULL;
	struct aggregate *a = owner != NULL ? owner->row : NULL;
	struct throttle *row = NULL;

	if (node != NULL) {
		node->home->handed = true;
		return node->row;
	}
	if (a == NULL || a->n_throttles == THROTTLES_MAX)
		return NULL;
	row = &a->throttles[a->n_throttles];
	*row = (struct throttle){ .kind = kind, .subject = subject, .period = period };
	if (want_node(t, key, row, owner->home) != 0) {
		t->error = MAG_ENOMEM;
		return NULL;
	}
	a->n_throttles++;
	owner->home->handed = true;
	return row;
}

static int index_want(struct want *w)
{
	switch (w->key.kind) {
	case WANT_ACCOUNT_UID:
		find_same(w);
		return w->same == NULL ? index_account(w) : 0;
	case WANT_ACCOUNT:
		return index_account(w);
	case WANT_SESSIONS_OF:
		return index_sessions(w);
	default:
		return 0;
	}
}

int want_read_done(struct store_tick *t)
{
	int r = 0;
	bool unread = false;

	for (size_t i = 0; i < t->batch.n; i++) {
		struct want *w = t->batch.calls[i].arg;

		if (t->batch.calls[i].r == 0)
			continue;
		forget_rows(w);
		w->r = t->batch.calls[i].r;
	}
	want_index_clear(&t->by_row);
	for (struct want *w = t->wants; r == 0 && w != NULL; w = w->next) {
		w->loaded = w->r == 0;
		unread = unread || w->r != 0;
		if (w->r == 0)
			r = index_want(w);
	}
	for (struct want *w = t->wants; r == 0 && w != NULL; w = w->next) {
		if (w->r == 0 && w->key.kind == WANT_THROTTLE)
			r = index_throttle(w);
	}
	if (r == 0 && unread)
		r = MAG_ESTORE;
	return r;
}

void want_forget_handed(struct store_tick *t)
{
	for (struct want *w = t->wants; w != NULL; w = w->next)
		/* What is under a serial may have been changed through its account. */
		w->loaded = w->loaded && !w->handed && w->key.kind != WANT_TOKEN;
}
