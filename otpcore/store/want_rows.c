/* Which statements a want is made of, and where their rows go. */
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/tick.h"
#include "otpcore/store/work.h"

/* ---- rows as they come ---- */

static int load_throttle(const struct store_cells *c, struct throttle *row)
{
	int64_t *const fields[] = { &row->kind, &row->subject, &row->period, &row->count,
		&row->last_at };

	for (int i = 0; i < 5; i++)
		*fields[i] = c->ops->cell_int(c->statement, i);
	return 0;
}

static int on_account(const struct store_cells *c, void *arg)
{
	struct aggregate *a = ((struct want *)arg)->row;
	int r = row_load(TABLE_ACCOUNT, c, &a->account);

	a->exists = r == 0;
	return r;
}

static int on_subscription(const struct store_cells *c, void *arg)
{
	struct aggregate *a = ((struct want *)arg)->row;

	if (a->n_subscriptions == SUBSCRIPTIONS_MAX)
		return MAG_ESTORE;
	return row_load(TABLE_SUBSCRIPTION, c, &a->subscriptions[a->n_subscriptions++]);
}

static int on_phone(const struct store_cells *c, void *arg)
{
	struct aggregate *a = ((struct want *)arg)->row;

	if (a->n_phones == PHONES_MAX)
		return MAG_ESTORE;
	return row_load(TABLE_PHONE, c, &a->phones[a->n_phones++]);
}

static int on_token(const struct store_cells *c, void *arg)
{
	struct aggregate *a = ((struct want *)arg)->row;

	if (a->n_tokens == TOKENS_MAX)
		return MAG_ESTORE;
	return row_load(TABLE_TOKEN, c, &a->tokens[a->n_tokens++]);
}

static int on_recovery(const struct store_cells *c, void *arg)
{
	struct aggregate *a = ((struct want *)arg)->row;

	if (a->n_recoveries == RECOVERIES_MAX)
		return MAG_ESTORE;
	return row_load(TABLE_RECOVERY, c, &a->recoveries[a->n_recoveries++]);
}

static int on_challenge(const struct store_cells *c, void *arg)
{
	struct aggregate *a = ((struct want *)arg)->row;

	if (a->n_challenges == CHALLENGES_MAX)
		return MAG_ESTORE;
	return row_load(TABLE_CHALLENGE, c, &a->challenges[a->n_challenges++]);
}

/* Only a chain's comes more than once. */
static bool known_counter(const struct aggregate *a, const struct throttle *row)
{
	for (size_t i = 0; row->kind == THROTTLE_CHAIN && i < a->n_throttles; i++)
		if (a->throttles[i].kind == row->kind && a->throttles[i].subject == row->subject &&
			a->throttles[i].period == row->period)
			return true;
	return false;
}

static int on_counter(const struct store_cells *c, void *arg)
{
	struct aggregate *a = ((struct want *)arg)->row;

	if (a->n_throttles == THROTTLES_MAX)
		return MAG_ESTORE;
	load_throttle(c, &a->throttles[a->n_throttles]);
	a->n_throttles += !known_counter(a, &a->throttles[a->n_throttles]);
	return 0;
}

static int on_latest(const struct store_cells *c, void *arg)
{
	struct history *h = ((struct want *)arg)->row;

	return row_load(TABLE_LOGIN, c, &h->latest);
}

static int on_login(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_LOGIN, c, ((struct want *)arg)->row);
}

static int on_session(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_SESSION, c, ((struct want *)arg)->row);
}

static int on_licence(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_LICENCE, c, ((struct want *)arg)->row);
}

static int on_serial(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_TOKEN, c, ((struct want *)arg)->row);
}

static int on_throttle(const struct store_cells *c, void *arg)
{
	return load_throttle(c, ((struct want *)arg)->row);
}

static int on_proofing(const struct store_cells *c, void *arg)
{
	struct proofings *p = ((struct want *)arg)->row;

	if (p->n == PROOFINGS_MAX)
		return MAG_ESTORE;
	return row_load(TABLE_PROOFING, c, &p->rows[p->n++]);
}

static int on_child(const struct store_cells *c, void *arg)
{
	struct children *p = ((struct want *)arg)->row;
	struct child *row = &p->rows[p->n];
	size_t len = 0;
	const void *name = c->ops->cell_bytes(c->statement, 0, &len);

	if (p->n == CHILDREN_MAX)
		return 0;
	if (len >= sizeof row->name)
		return MAG_ESTORE;
	memcpy(row->name, name, len);
	row->name[len] = '\0';
	row->connected = c->ops->cell_int(c->statement, 1) != 0;
	p->n++;
	return 0;
}

static int on_certificate(const struct store_cells *c, void *arg)
{
	struct certificates *p = ((struct want *)arg)->row;

	if (p->n == CERTIFICATES_MAX)
		return MAG_ESTORE;
	return row_load(TABLE_CERTIFICATE, c, &p->rows[p->n++]);
}

static int on_certificate_id(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_CERTIFICATE, c, ((struct want *)arg)->row);
}

static int on_key_holder(const struct store_cells *c, void *arg)
{
	struct key_holder *p = ((struct want *)arg)->row;
	int r = row_load(TABLE_CERTIFICATE, c, &p->certificate);

	return r != 0 ? r
		      : work_cell_text(c, (int)row_n_columns(TABLE_CERTIFICATE), p->account,
				sizeof p->account);
}

static int on_seats(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_SEATS, c, ((struct want *)arg)->row);
}

static int on_host(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_HOST, c, ((struct want *)arg)->row);
}

static int on_terms(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_TERMS, c, ((struct want *)arg)->row);
}

/* The two newest logins that this tick doesn't itself work on. */
static int on_previous(const struct store_cells *c, void *arg)
{
	struct want *w = arg;
	struct history *h = w->row;
	struct want_key own = { WANT_LOGIN, "", "", { c->ops->cell_int(c->statement, 0) }, NULL };

	if (h->before.row.id != 0 || want_find(&w->tick->by_key, &own) != NULL)
		return 0;
	return row_load(TABLE_LOGIN, c, h->previous.row.id != 0 ? &h->before : &h->previous);
}

static int on_session_of(const struct store_cells *c, void *arg)
{
	struct want *w = arg;

	if (w->n == w->cap) {
		size_t cap = w->cap == 0 ? 4 : w->cap * 2;
		struct session *rows = arena_get(&w->tick->arena, cap * sizeof *rows);

		if (rows == NULL)
			return MAG_ENOMEM;
		if (w->n > 0)
			memcpy(rows, w->row, w->n * sizeof *rows);
		w->row = rows;
		w->cap = cap;
	}
	return row_load(TABLE_SESSION, c, (struct session *)w->row + w->n++);
}

/* ---- what a want reads ---- */

const struct want_part want_parts[] = {
	{ WANT_ACCOUNT, QUERY_ACCOUNT, "t", on_account },
	{ WANT_ACCOUNT, QUERY_SUBSCRIPTIONS, "t", on_subscription },
	{ WANT_ACCOUNT, QUERY_PHONES, "t", on_phone },
	{ WANT_ACCOUNT, QUERY_TOKENS, "t", on_token },
	{ WANT_ACCOUNT, QUERY_RECOVERIES, "tn", on_recovery },
	{ WANT_ACCOUNT, QUERY_CHALLENGES, "td", on_challenge },
	{ WANT_ACCOUNT, QUERY_THROTTLES, "twhd", on_counter },
	{ WANT_ACCOUNT_UID, QUERY_ACCOUNT_UID, "0", on_account },
	{ WANT_ACCOUNT_UID, QUERY_SUBSCRIPTIONS_UID, "0", on_subscription },
	{ WANT_ACCOUNT_UID, QUERY_PHONES_UID, "0", on_phone },
	{ WANT_ACCOUNT_UID, QUERY_TOKENS_UID, "0", on_token },
	{ WANT_ACCOUNT_UID, QUERY_RECOVERIES_UID, "0n", on_recovery },
	{ WANT_ACCOUNT_UID, QUERY_CHALLENGES_UID, "0d", on_challenge },
	{ WANT_ACCOUNT_UID, QUERY_THROTTLES_UID, "0whd", on_counter },
	{ WANT_LOGIN, QUERY_LOGIN, "0", on_login },
	{ WANT_SESSION, QUERY_SESSION, "tT0", on_session },
	{ WANT_SESSIONS_OF, QUERY_SESSIONS_OF, "tn", on_session_of },
	{ WANT_HISTORY, QUERY_LATEST, "t", on_latest },
	{ WANT_HISTORY, QUERY_PREVIOUS, "t", on_previous },
	{ WANT_LICENCE, QUERY_LICENCE, "b", on_licence },
	{ WANT_TOKEN, QUERY_TOKEN, "t", on_serial },
	{ WANT_THROTTLE, QUERY_THROTTLE, "012", on_throttle },
	{ WANT_CERTIFICATES, QUERY_CERTIFICATES, "t", on_certificate },
	{ WANT_CERTIFICATE, QUERY_CERTIFICATE, "0", on_certificate_id },
	{ WANT_KEY_HOLDER, QUERY_KEY_HOLDER, "b", on_key_holder },
	{ WANT_SEATS, QUERY_SEATS, "t", on_seats },
	{ WANT_HOST, QUERY_HOST, "t", on_host },
	{ WANT_TERMS, QUERY_TERMS, "tT", on_terms },
	{ WANT_PROOFINGS, QUERY_PROOFINGS, "t", on_proofing },
	{ WANT_CHILDREN, QUERY_CHILDREN, "t", on_child },
};
const size_t want_n_parts = sizeof want_parts / sizeof want_parts[0];
