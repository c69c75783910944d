#include "otpcore/store/spent.h"

#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/tick.h"
#include "otpcore/store/work.h"

/* ---- from rows ---- */

static struct journal_fact fact_of(
	enum journal_kind kind, enum journal_about about, const struct row *row)
{
	return (struct journal_fact){ .kind = kind, .about = about, .id = row->id };
}

/* A state counts only when it is another one: every login writes its token. One that an
 * administrator suspended, and nobody logs in with, counts always: its user may have
 * suspended it before, and `since` is then of that time. */
static bool state_counts(const struct token *t, int64_t now)
{
	return t->state_since == now ||
	       (t->state == TOKEN_SUSPENDED && t->suspended_by != ACTOR_USER);
}

static size_t token_facts(const struct row *row, int64_t now, struct journal_fact *facts_r)
{
	const struct token *t = (const struct token *)(const void *)row;
	size_t n = 0;

	if (t->state == TOKEN_REVOKED) {
		facts_r[0] = fact_of(JOURNAL_SPENT, JOURNAL_TOKEN, row);
		return 1;
	}
	/* A host that leases it may use all that it has codes for (security.md 41). */
	if ((t->type == TOKEN_HOTP || t->lease) && t->account > 0) {
		facts_r[n] = fact_of(JOURNAL_COUNTER, JOURNAL_TOKEN, row);
		facts_r[n].value = facts_r[n].more = t->moving;
		if (t->lease && t->lease_last >= t->moving)
			facts_r[n].value = t->lease_last + 1;
		n++;
	}
	if (t->account > 0 && state_counts(t, now)) {
		facts_r[n] = fact_of(JOURNAL_STATE, JOURNAL_TOKEN, row);
		facts_r[n].value = t->state;
		facts_r[n].more = t->suspended_by;
		n++;
	}
	return n;
}

/* FNV-1a, begun with MARK. Two that are mistaken for each other are no harm. */
#define MARK UINT64_C(0xcbf29ce484222325)

static uint64_t mark_on(uint64_t mark, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		mark = (mark ^ p[i]) * UINT64_C(0x100000001b3);
	return mark;
}

/* Of a name; 0: none. */
static int64_t mark_of(const char *name)
{
	return *name ? (int64_t)(mark_on(MARK, name, strlen(name)) >> 1) : 0;
}

/* Of the key that a host has and of all that it may. */
static int64_t mark_of_host(const struct host *h)
{
	const char *const words[] = { h->services, h->accounts, h->offline,
		h->self_service ? "self" : "" };
	uint64_t mark = mark_on(MARK, h->print.data, h->print.len);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		mark = mark_on(mark, words[i], strlen(words[i]) + 1);
	return (int64_t)(mark >> 1);
}

/* An account's value: its state, its role << 8, and (uid + 1) << 16; nothing there in
 * the records of versions that did not tell it. */
#define BYTE   0xff
#define UID_AT 16
#define NO_UID UINT32_MAX /* WIRE_UID_UNKNOWN */

/* What an account may do, and with whose credentials. */
static size_t account_facts(const struct row *row, int64_t now, struct journal_fact *facts_r)
{
	const struct account *a = (const struct account *)(const void *)row;

	(void)now;
	facts_r[0] = fact_of(JOURNAL_STATE, JOURNAL_ACCOUNT, row);
	facts_r[0].value = a->state | a->role << 8 | (a->uid + 1) << UID_AT;
	facts_r[0].more = mark_of(a->parent);
	return 1;
}

static size_t host_facts(const struct row *row, int64_t now, struct journal_fact *facts_r)
{
	const struct host *h = (const struct host *)(const void *)row;

	(void)now;
	facts_r[0] = fact_of(JOURNAL_STATE, JOURNAL_HOST, row);
	facts_r[0].value = h->state;
	facts_r[0].more = mark_of_host(h);
	return 1;
}

static size_t spent_if(bool spent, enum journal_about about, const struct row *row, int64_t value,
	struct journal_fact *facts_r)
{
	facts_r[0] = fact_of(JOURNAL_SPENT, about, row);
	facts_r[0].value = value;
	return spent;
}

static size_t recovery_facts(const struct row *row, int64_t now, struct journal_fact *facts_r)
{
	const struct recovery *c = (const struct recovery *)(const void *)row;

	(void)now;
	return spent_if(c->used_at > 0, JOURNAL_RECOVERY, row, c->account, facts_r);
}

static size_t licence_facts(const struct row *row, int64_t now, struct journal_fact *facts_r)
{
	const struct licence *l = (const struct licence *)(const void *)row;

	(void)now;
	return spent_if(l->state == LICENCE_USED || l->state == LICENCE_VOID, JOURNAL_LICENCE, row,
		l->account, facts_r);
}

static size_t proofing_facts(const struct row *row, int64_t now, struct journal_fact *facts_r)
{
	const struct proofing *p = (const struct proofing *)(const void *)row;

	(void)now;
	return spent_if(p->state == PROOFING_DONE || p->state == PROOFING_DEAD, JOURNAL_PROOFING,
		row, p->account, facts_r);
}

static size_t subscription_facts(const struct row *row, int64_t now, struct journal_fact *facts_r)
{
	const struct subscription *s = (const struct subscription *)(const void *)row;

	(void)now;
	return spent_if(
		s->state == SUBSCRIPTION_REVOKED, JOURNAL_SUBSCRIPTION, row, s->account, facts_r);
}

/* Tables that are not here hold nothing that could come back: they are dropped at every
 * restore (challenges, sessions), or are only memories. */
static const struct {
	enum journal_about about;
	size_t (*facts)(const struct row *row, int64_t now, struct journal_fact *facts_r);
} abouts[TABLE_COUNT] = {
	[TABLE_ACCOUNT] = { JOURNAL_ACCOUNT, account_facts },
	[TABLE_SUBSCRIPTION] = { JOURNAL_SUBSCRIPTION, subscription_facts },
	[TABLE_PHONE] = { JOURNAL_PHONE, NULL },
	[TABLE_TOKEN] = { JOURNAL_TOKEN, token_facts },
	[TABLE_RECOVERY] = { JOURNAL_RECOVERY, recovery_facts },
	[TABLE_LICENCE] = { JOURNAL_LICENCE, licence_facts },
	[TABLE_PROOFING] = { JOURNAL_PROOFING, proofing_facts },
	[TABLE_CERTIFICATE] = { JOURNAL_CERTIFICATE, NULL },
	[TABLE_HOST] = { JOURNAL_HOST, host_facts },
};

size_t spent_facts(enum row_table table, const struct row *row, enum row_fate fate, int64_t now,
	struct journal_fact facts_r[SPENT_FACTS])
{
	if (!abouts[table].about || fate == ROW_CLEAN)
		return 0;
	if (fate == ROW_DELETED) {
		facts_r[0] = fact_of(JOURNAL_SPENT, abouts[table].about, row);
		return 1;
	}
	return abouts[table].facts ? abouts[table].facts(row, now, facts_r) : 0;
}

static void tell(const struct store_tick *t, const struct write_list *list)
{
	const struct store *s = t->store;
	struct journal_fact facts[SPENT_FACTS];

	for (size_t i = 0; i < list->n; i++) {
		const struct write *w = &list->items[i];
		size_t n = spent_facts(w->table, w->row, w->fate, t->now, facts);

		for (size_t k = 0; k < n; k++)
			s->on_spent(&facts[k], s->on_spent_arg);
	}
}

void spent_tell(const struct store_tick *t)
{
	if (!t->store->on_spent)
		return;
	tell(t, &t->claims);
	tell(t, &t->settled);
}

void store_on_spent(struct store *s, store_spent_fn *fn, void *arg)
{
	s->on_spent = fn;
	s->on_spent_arg = arg;
}

/* ---- in another store ---- */

/* How to see that it is not spent there ($1 the id), and how to make it so ($1 the id, $2
 * now); but an account goes with all that hangs beneath it. */
static const struct {
	int unspent, spend;
} ways[JOURNAL_ABOUT_N] = {
	[JOURNAL_TOKEN] = { QUERY_UNSPENT_TOKEN, QUERY_SPEND_TOKEN },
	[JOURNAL_RECOVERY] = { QUERY_UNSPENT_RECOVERY, QUERY_SPEND_RECOVERY },
	[JOURNAL_LICENCE] = { QUERY_UNSPENT_LICENCE, QUERY_SPEND_LICENCE },
	[JOURNAL_PROOFING] = { QUERY_UNSPENT_PROOFING, QUERY_SPEND_PROOFING },
	[JOURNAL_PHONE] = { QUERY_UNSPENT_PHONE, QUERY_SPEND_PHONE },
	[JOURNAL_CERTIFICATE] = { QUERY_UNSPENT_CERTIFICATE, QUERY_SPEND_CERTIFICATE },
	[JOURNAL_SUBSCRIPTION] = { QUERY_UNSPENT_SUBSCRIPTION, QUERY_SPEND_SUBSCRIPTION },
	[JOURNAL_ACCOUNT] = { QUERY_UNSPENT_ACCOUNT, -1 },
	[JOURNAL_HOST] = { QUERY_UNSPENT_HOST, QUERY_SPEND_HOST },
};

static bool known(const struct journal_fact *f)
{
	return f->about > 0 && f->about < JOURNAL_ABOUT_N && f->id > 0;
}

static int on_count(const struct store_cells *c, void *arg)
{
	*(int64_t *)arg += c->ops->cell_int(c->statement, 0);
	return 0;
}

int store_spent_holds(struct store *s, const struct journal_fact *f, bool *holds_r)
{
	struct store_value values[] = { work_integer(f->id), work_integer(f->more) };
	int64_t n = 0;
	int r = 0;

	if (known(f) && f->kind == JOURNAL_COUNTER)
		r = work_read(s, QUERY_BEHIND_COUNTER, values, 2, on_count, &n);
	else if (known(f) && f->kind == JOURNAL_SPENT)
		r = work_read(s, ways[f->about].unspent, values, 1, on_count, &n);
	if (!r)
		*holds_r = n == 0;
	return r;
}

static int on_name(const struct store_cells *c, void *arg)
{
	return work_cell_text(c, 0, arg, sizeof(((struct account *)0)->name));
}

static int delete_account(struct store *s, int64_t id, int64_t now, int64_t *changed_r)
{
	struct store_value value = work_integer(id);
	char name[sizeof(((struct account *)0)->name)] = "";
	int r = work_read(s, QUERY_NAME_OF_ACCOUNT, &value, 1, on_name, name);

	*changed_r = 0;
	if (r || !*name)
		return r;
	r = store_delete_account(s, name, now);
	*changed_r = r == 0;
	return r == MAG_ENOTFOUND ? 0 : r;
}

static int spend(struct store *s, const struct journal_fact *f, int64_t now, int64_t *changed_r)
{
	struct store_value values[] = { work_integer(f->id), work_integer(now) };

	if (f->about == JOURNAL_ACCOUNT)
		return delete_account(s, f->id, now, changed_r);
	return work_write(s, ways[f->about].spend, values,
		f->about == JOURNAL_TOKEN || f->about == JOURNAL_RECOVERY ? 2 : 1, changed_r);
}

/* ---- states: only what takes away is done again ---- */

struct parent {
	char name[sizeof(((struct account *)0)->name)];
};

/* A parent that is not the one of then: nobody's credentials but the own. */
static int end_connection(struct store *s, const struct journal_fact *f, int64_t *changed_r)
{
	struct store_value value = work_integer(f->id);
	struct parent parent = { "" };
	int64_t n = 0;
	int r = work_read(s, QUERY_PARENT_OF_ACCOUNT, &value, 1, on_name, parent.name);

	if (!r && *parent.name && mark_of(parent.name) != f->more)
		r = work_write(s, QUERY_END_CONNECTION, &value, 1, &n);
	*changed_r += n;
	return r;
}

/* Whoever has its former uid is not its owner; who is, root tells at the next login. */
static int forget_uid(struct store *s, const struct journal_fact *f, int64_t *changed_r)
{
	struct store_value values[] = { work_integer(f->id), work_integer((f->value >> UID_AT) - 1),
		work_integer(NO_UID) };
	int64_t n = 0;
	int r = f->value >> UID_AT ? work_write(s, QUERY_FORGET_UID, values, 3, &n) : 0;

	*changed_r += n;
	return r;
}

static int account_state(
	struct store *s, const struct journal_fact *f, int64_t now, int64_t *changed_r)
{
	const int64_t role = f->value >> 8 & BYTE;
	struct store_value values[] = { work_integer(f->id), work_integer(role) };
	int64_t locked = 0, demoted = 0;
	int r = 0;

	(void)now;
	if ((f->value & BYTE) == ACCOUNT_LOCKED)
		r = work_write(s, QUERY_LOCK_ACCOUNT, values, 1, &locked);
	if (!r && role >= ROLE_USER && role <= ROLE_PROOFING_AGENT)
		r = work_write(s, QUERY_DEMOTE_ACCOUNT, values, 2, &demoted);
	*changed_r = locked + demoted;
	if (!r)
		r = end_connection(s, f, changed_r);
	return r ? r : forget_uid(s, f, changed_r);
}

static int token_state(
	struct store *s, const struct journal_fact *f, int64_t now, int64_t *changed_r)
{
	struct store_value values[] = { work_integer(f->id), work_integer(f->value),
		work_integer(f->more), work_integer(now) };

	*changed_r = 0;
	if (f->value != TOKEN_LOCKED && f->value != TOKEN_SUSPENDED)
		return 0;
	return work_write(s, QUERY_STOP_TOKEN, values, 4, changed_r);
}

static int on_host(const struct store_cells *c, void *arg)
{
	return row_load(TABLE_HOST, c, arg);
}

/* One that had another key, or might do other things, is refused: nobody can tell here
 * what a mark was made of. It is enrolled again. */
static int host_state(
	struct store *s, const struct journal_fact *f, int64_t now, int64_t *changed_r)
{
	struct store_value value = work_integer(f->id);
	struct host h = { 0 };
	int r = work_read(s, QUERY_HOST_OF, &value, 1, on_host, &h);
	bool other = f->more && h.state == HOST_ACTIVE && mark_of_host(&h) != f->more;

	(void)now;
	*changed_r = 0;
	if (r || (f->value != HOST_REVOKED && !other))
		return r;
	return work_write(s, QUERY_SPEND_HOST, &value, 1, changed_r);
}

static int set_state(struct store *s, const struct journal_fact *f, int64_t now, int64_t *changed_r)
{
	static int (*const sets[JOURNAL_ABOUT_N])(
		struct store *, const struct journal_fact *, int64_t, int64_t *) = {
		[JOURNAL_ACCOUNT] = account_state,
		[JOURNAL_TOKEN] = token_state,
		[JOURNAL_HOST] = host_state,
	};

	*changed_r = 0;
	return sets[f->about] ? sets[f->about](s, f, now, changed_r) : 0;
}

void store_spent_known(struct journal_fact *f)
{
	if (f->kind == JOURNAL_STATE && f->about == JOURNAL_HOST)
		f->more = 0;
	if (f->kind == JOURNAL_STATE && f->about == JOURNAL_ACCOUNT)
		f->value &= (INT64_C(1) << UID_AT) - 1;
}

int store_spend_again(
	struct store *s, const struct journal_fact *f, int64_t now, int64_t *changed_r)
{
	struct store_value values[] = { work_integer(f->id), work_integer(f->value) };

	*changed_r = 0;
	if (!known(f))
		return 0;
	if (f->kind == JOURNAL_COUNTER)
		return work_write(s, QUERY_RAISE_COUNTER, values, 2, changed_r);
	if (f->kind == JOURNAL_SPENT)
		return spend(s, f, now, changed_r);
	return f->kind == JOURNAL_STATE ? set_state(s, f, now, changed_r) : 0;
}
