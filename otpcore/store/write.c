/* Rows that requests changed: collected by store_mark_*, written sorted, each
 * guarded by its version. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/tick.h"

/* ---- marking ---- */

static struct write *find(struct write_list *list, const struct row *row)
{
	for (size_t i = list->n; i-- > 0;) {
		if (list->items[i].row == row)
			return &list->items[i];
	}
	return NULL;
}

/* What two fates of one row in one phase make. */
static enum row_fate merged(enum row_fate before, enum row_fate after)
{
	static const enum row_fate table[4][4] = {
		[ROW_CLEAN] = { ROW_CLEAN, ROW_NEW, ROW_CLEAN, ROW_CLEAN },
		[ROW_NEW] = { ROW_NEW, ROW_NEW, ROW_NEW, ROW_CLEAN },
		[ROW_CHANGED] = { ROW_CHANGED, ROW_CHANGED, ROW_CHANGED, ROW_DELETED },
		[ROW_DELETED] = { ROW_DELETED, ROW_CHANGED, ROW_CHANGED, ROW_DELETED },
	};

	return table[before][after];
}

static int add_touch(struct write_list *list, size_t write, size_t request)
{
	if (array_grow(&list->touches, sizeof *list->touches, list->n_touches,
		    &list->cap_touches) != 0)
		return MAG_ENOMEM;
	list->touches[list->n_touches++] = (struct touch){ write, request };
	return 0;
}

static int add_write(
	struct write_list *list, enum row_table table, struct row *row, enum row_fate fate)
{
	if (array_grow(&list->items, sizeof *list->items, list->n, &list->cap) != 0)
		return MAG_ENOMEM;
	list->items[list->n++] = (struct write){ table, row, fate, false };
	return 0;
}

static void mark(struct store_tick *t, size_t request, enum row_table table, struct row *row,
	enum row_fate fate)
{
	struct write_list *list = t->phase == PHASE_DECIDE ? &t->claims : &t->settled;
	struct write *w = find(list, row);
	int r = 0;

	if (fate == ROW_CLEAN)
		return;
	/* In the database already: written in decide, marked again in settle. */
	if (fate == ROW_NEW && row->version > 0)
		fate = ROW_CHANGED;
	/* Changing what was never there is a mistake of the handler's. */
	if (row->id <= 0 || (fate != ROW_NEW && row->version <= 0 && w == NULL))
		t->suspect = true;
	if (w != NULL)
		w->fate = merged(w->fate, fate);
	else
		r = add_write(list, table, row, fate);
	if (r == 0)
		r = add_touch(list,
			(size_t)((w != NULL ? w : &list->items[list->n - 1]) - list->items),
			request);
	if (r != 0)
		t->error = r;
	row->fate = fate == ROW_DELETED ? ROW_DELETED : (w != NULL ? w->fate : fate);
}

void store_mark_account(
	struct store_tick *t, size_t request, struct account *row, enum row_fate fate)
{
	mark(t, request, TABLE_ACCOUNT, &row->row, fate);
}

void store_mark_subscription(
	struct store_tick *t, size_t request, struct subscription *row, enum row_fate fate)
{
	mark(t, request, TABLE_SUBSCRIPTION, &row->row, fate);
}

void store_mark_phone(struct store_tick *t, size_t request, struct phone *row, enum row_fate fate)
{
	mark(t, request, TABLE_PHONE, &row->row, fate);
}

void store_mark_token(struct store_tick *t, size_t request, struct token *row, enum row_fate fate)
{
	mark(t, request, TABLE_TOKEN, &row->row, fate);
}

void store_mark_recovery(
	struct store_tick *t, size_t request, struct recovery *row, enum row_fate fate)
{
	mark(t, request, TABLE_RECOVERY, &row->row, fate);
}

void store_mark_mail(struct store_tick *t, size_t request, struct mail *row, enum row_fate fate)
{
	mark(t, request, TABLE_MAIL, &row->row, fate);
}

void store_mark_proofing(
	struct store_tick *t, size_t request, struct proofing *row, enum row_fate fate)
{
	mark(t, request, TABLE_PROOFING, &row->row, fate);
}

void store_mark_certificate(
	struct store_tick *t, size_t request, struct certificate *row, enum row_fate fate)
{
	mark(t, request, TABLE_CERTIFICATE, &row->row, fate);
}

void store_mark_seats(struct store_tick *t, size_t request, struct seats *row, enum row_fate fate)
{
	mark(t, request, TABLE_SEATS, &row->row, fate);
}

void store_mark_host(struct store_tick *t, size_t request, struct host *row, enum row_fate fate)
{
	mark(t, request, TABLE_HOST, &row->row, fate);
}

void store_mark_challenge(
	struct store_tick *t, size_t request, struct challenge *row, enum row_fate fate)
{
	mark(t, request, TABLE_CHALLENGE, &row->row, fate);
}

void store_mark_login(struct store_tick *t, size_t request, struct login *row, enum row_fate fate)
{
	mark(t, request, TABLE_LOGIN, &row->row, fate);
}

void store_mark_session(
	struct store_tick *t, size_t request, struct session *row, enum row_fate fate)
{
	mark(t, request, TABLE_SESSION, &row->row, fate);
}

void store_mark_licence(
	struct store_tick *t, size_t request, struct licence *row, enum row_fate fate)
{
	mark(t, request, TABLE_LICENCE, &row->row, fate);
}

/* ---- room for new rows ---- */

struct subscription *store_add_subscription(struct store_tick *t, struct aggregate *a)
{
	struct subscription *row = NULL;

	(void)t;
	if (a->n_subscriptions == SUBSCRIPTIONS_MAX)
		return NULL;
	row = &a->subscriptions[a->n_subscriptions++];
	*row = (struct subscription){ .account = a->account.row.id };
	return row;
}

struct phone *store_add_phone(struct store_tick *t, struct aggregate *a)
{
	struct phone *row = NULL;

	(void)t;
	if (a->n_phones == PHONES_MAX)
		return NULL;
	row = &a->phones[a->n_phones++];
	*row = (struct phone){ .account = a->account.row.id };
	return row;
}

struct token *store_add_token(struct store_tick *t, struct aggregate *a)
{
	struct token *row = NULL;

	(void)t;
	if (a->n_tokens == TOKENS_MAX)
		return NULL;
	row = &a->tokens[a->n_tokens++];
	*row = (struct token){ .account = a->account.row.id };
	return row;
}

struct recovery *store_add_recovery(struct store_tick *t, struct aggregate *a)
{
	struct recovery *row = NULL;

	(void)t;
	if (a->n_recoveries == RECOVERIES_MAX)
		return NULL;
	row = &a->recoveries[a->n_recoveries++];
	*row = (struct recovery){ .account = a->account.row.id };
	return row;
}

struct challenge *store_add_challenge(struct store_tick *t, struct aggregate *a)
{
	struct challenge *row = NULL;

	(void)t;
	if (a->n_challenges == CHALLENGES_MAX)
		return NULL;
	row = &a->challenges[a->n_challenges++];
	*row = (struct challenge){ .account = a->account.row.id };
	return row;
}

struct proofing *store_add_proofing(struct store_tick *t, struct proofings *p)
{
	(void)t;
	return p->n < PROOFINGS_MAX ? &p->rows[p->n++] : NULL;
}

struct certificate *store_add_certificate(struct store_tick *t, struct certificates *p)
{
	(void)t;
	return p->n < CERTIFICATES_MAX ? &p->rows[p->n++] : NULL;
}

struct licence *store_add_licence(struct store_tick *t)
{
	return arena_get(&t->arena, sizeof(struct licence));
}

struct mail *store_add_mail(struct store_tick *t)
{
	return arena_get(&t->arena, sizeof(struct mail));
}

bool store_mail_was_new(const struct store_tick *t, const struct mail *row)
{
	(void)t;
	return row->row.version > 0;
}

/* ---- writing ---- */

/* What makes room under a key that another row may take in the same tick. */
static bool leaves(const struct write *w)
{
	if (w->fate == ROW_DELETED)
		return true;
	return w->table == TABLE_TOKEN && ((const struct token *)w->row)->state == TOKEN_REVOKED;
}

/* Rows that are there before new ones: a new phone may take a deleted one's
 * place. Among each, by table and id: an order all writers keep. */
static int order(const void *a, const void *b)
{
	const struct write *x = *(struct write *const *)a, *y = *(struct write *const *)b;

	if ((x->fate == ROW_NEW) != (y->fate == ROW_NEW))
		return x->fate == ROW_NEW ? 1 : -1;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (leaves(x) != leaves(y))
		return leaves(x) ? -1 : 1;
	return x->row->id < y->row->id ? -1 : x->row->id > y->row->id;
}

int64_t write_stamp(const struct store_tick *t, const struct write_list *list)
{
	return list == &t->claims ? t->stamp : t->stamp + 1;
}

static int add_call(struct store_tick *t, struct write *w, int64_t stamp, const char *point)
{
	static const enum row_verb verbs[] = {
		[ROW_NEW] = ROW_INSERT, [ROW_CHANGED] = ROW_UPDATE, [ROW_DELETED] = ROW_DELETE
	};
	enum row_verb verb = verbs[w->fate];
	struct store_value *values = NULL;
	struct store_call *c =
		tick_call(t, STATEMENT_ROW(w->table, verb), point, ROW_COLUMNS_MAX, &values);

	if (c == NULL)
		return MAG_ENOMEM;
	if (verb == ROW_INSERT)
		w->row->version = stamp;
	c->n_values = row_values(w->table, verb, w->row, values);
	if (verb == ROW_UPDATE)
		values[2].i = stamp;
	c->arg = w;
	/* A mail that is there already is no lost race: that is what its key is for. */
	c->must_change = w->table != TABLE_MAIL || verb != ROW_INSERT;
	return 0;
}

int write_calls(struct store_tick *t, struct write_list *list, const char *point)
{
	struct write **sorted = arena_get(&t->batch_arena, (list->n + 1) * sizeof(struct write *));
	size_t n = 0;
	int r = 0;

	if (sorted == NULL)
		return MAG_ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		if (list->items[i].fate != ROW_CLEAN)
			sorted[n++] = &list->items[i];
	}
	qsort(sorted, n, sizeof(struct write *), order);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_call(t, sorted[i], write_stamp(t, list), point);
	return r;
}

void write_done(struct store_tick *t, struct write_list *list)
{
	/* Version 0: not in the database under this id. */
	for (size_t i = 0; i < t->batch.n; i++) {
		const struct store_call *c = &t->batch.calls[i];

		if (c->statement == STATEMENT_ROW(TABLE_MAIL, ROW_INSERT) && c->changed == 0)
			((struct write *)c->arg)->row->version = 0;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct write *w = &list->items[i];

		if (w->fate == ROW_CHANGED)
			w->row->version = write_stamp(t, list);
		if (w->row->fate != ROW_DELETED)
			w->row->fate = ROW_CLEAN;
	}
}

size_t write_lost(struct store_tick *t, struct write_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_touches; i++) {
		const struct touch *touch = &list->touches[i];

		if (list->items[touch->write].lost) {
			t->requests[touch->request].lost = true;
			n++;
		}
	}
	return n;
}

static bool touched(const struct write_list *list, size_t request)
{
	for (size_t i = 0; i < list->n_touches; i++)
		if (list->touches[i].request == request)
			return true;
	return false;
}

bool store_touched(const struct store_tick *t, size_t request)
{
	for (size_t i = 0; i < t->charges.n; i++)
		if (t->charges.items[i].request == request)
			return true;
	return touched(&t->claims, request) || touched(&t->settled, request);
}

void store_spoil(struct store_tick *t, size_t request)
{
	if (store_touched(t, request))
		t->suspect = true;
}

void write_clear(struct write_list *list)
{
	list->n = 0;
	list->n_touches = 0;
}
