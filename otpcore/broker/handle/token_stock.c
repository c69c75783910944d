/* The inventory: import in parts, lists, tokens given to accounts (H1,
 * security.md 36). What the importer says is checked here once more. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"

/* Between two parts of an import that goes on; seconds. */
#define IMPORT_PAUSE 600

/* O1: whose inventory the peer sees; NULL: all of it. */
static const char *confined_to(struct request *r)
{
	return r->standing.root ? NULL
				: store_account_uid(r->tick, r->peer.uid)->account.organisation;
}

/* ---- import ---- */

static void seed_row(const struct wire_seed *seed, struct token *t_r)
{
	*t_r = (struct token){ .kind = TOKEN_HARDWARE,
		.type = seed->type,
		.algorithm = seed->algorithm,
		.digits = seed->digits,
		.period = seed->type == TOKEN_TOTP ? seed->period : 0,
		.moving = seed->type == TOKEN_TOTP ? -1 : seed->counter,
		.state = TOKEN_STAGED };
	mag_copy(t_r->serial, sizeof t_r->serial, seed->serial);
}

/* An administrator's tokens are the own organisation's, whatever was said. */
static const char *stage_organisation(struct request *r)
{
	const struct wire_token_stage_req *q = r->body;
	const char *own = confined_to(r);

	if (own && (!*q->organisation || mag_streq(own, q->organisation)))
		return own;
	return own ? NULL : q->organisation;
}

void token_stage_decide(struct request *r)
{
	const struct wire_token_stage_req *q = r->body;
	struct wire_token_stage_rep *p = r->reply;
	struct token t;

	if (!q->batch) {
		handle_invalid(r, "batch: a number that is not 0");
		return;
	}
	if (!stage_organisation(r)) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "tokens of another organisation");
		return;
	}
	for (size_t i = 0; i < q->n_seeds; i++) {
		const char *fault;

		seed_row(&q->seeds[i], &t);
		fault = token_fault(&t, &q->seeds[i].secret);
		if (!fault)
			continue;
		p->fault_row = (uint32_t)(i + 1);
		handle_refuse(r, VERDICT_NOT_ALLOWED, fault);
		return;
	}
	request_verdict(r, VERDICT_OK);
}

static int seal_row(struct request *r, const struct wire_seed *seed, int64_t id, struct token *t_r)
{
	const struct wire_token_stage_req *q = r->body;

	seed_row(seed, t_r);
	t_r->row.id = id;
	t_r->batch = q->batch;
	t_r->state_since = t_r->created_at = r->now;
	mag_clean(t_r->organisation, sizeof t_r->organisation, stage_organisation(r));
	return seal(r->broker->keyring, "token.secret", t_r->row.id, seed->secret.data,
		seed->secret.len, &t_r->secret);
}

/* A part that finds serials of an import that was killed takes their place. */
static int stage(struct request *r, const struct token *rows, size_t n, size_t *taken_r)
{
	int64_t dropped = 1;
	int res = MAG_EEXISTS;

	while (res == MAG_EEXISTS && dropped > 0) {
		res = store_stage_tokens(r->broker->store, rows, n, taken_r);
		if (res == MAG_EEXISTS && store_drop_import(r->broker->store, rows[*taken_r].serial,
						  r->now - IMPORT_PAUSE, &dropped))
			return MAG_ESTORE;
	}
	return res;
}

void token_stage_after(struct request *r)
{
	const struct wire_token_stage_req *q = r->body;
	struct wire_token_stage_rep *p = r->reply;
	struct token *rows = NULL;
	size_t taken = 0;
	int64_t id = store_new_ids();
	int res = id ? 0 : MAG_ESYS;

	if (r->result.verdict != VERDICT_OK || !q->n_seeds)
		return;
	_Static_assert(sizeof q->seeds / sizeof *q->seeds <= STORE_IDS, "an id for each");
	rows = calloc(q->n_seeds, sizeof *rows);
	if (!rows)
		res = MAG_ENOMEM;
	for (size_t i = 0; !res && i < q->n_seeds; i++)
		res = seal_row(r, &q->seeds[i], id + (int64_t)i, &rows[i]);
	if (!res)
		res = stage(r, rows, q->n_seeds, &taken);
	if (res == MAG_EEXISTS) {
		p->fault_row = (uint32_t)(taken + 1);
		handle_refuse(r, VERDICT_NOT_ALLOWED, "serial is there already");
	} else if (res) {
		request_error(r, res);
	}
	free(rows);
}

void token_commit_decide(struct request *r)
{
	const struct wire_token_commit_req *q = r->body;

	if (!q->batch)
		handle_invalid(r, "batch: a number that is not 0");
	else
		request_verdict(r, VERDICT_OK);
}

void token_commit_after(struct request *r)
{
	const struct wire_token_commit_req *q = r->body;
	struct wire_token_commit_rep *p = r->reply;
	int64_t n = 0;
	int res;

	if (q->cancel)
		res = store_cancel_tokens(r->broker->store, q->batch);
	else
		res = store_commit_tokens(r->broker->store, q->batch, q->count, &n);
	if (res == MAG_ECONFLICT)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "not as many tokens are staged as were sent");
	else if (res)
		request_error(r, res);
	else
		p->imported = (uint32_t)n;
}

/* ---- lists, read after the tick ---- */

struct listing {
	struct wire_token_list_rep *p;
	const char *organisation; /* NULL: all */
	int64_t now;
	size_t seen;
	char last[65];
};

#define LIST_PAGE (sizeof((struct wire_token_list_rep *)0)->tokens / sizeof(struct wire_token))

static void fill_row(const struct store_token_row *row, int64_t now, struct wire_token *w_r)
{
	const struct token *t = &row->token;
	/* As its owner sees it: the sweep may not have been there yet. */
	bool over = t->state == TOKEN_ACTIVE && row->expires_at && row->expires_at < now;
	const struct token_line line = { .token = t,
		.state = lifecycle_state_id(over ? TOKEN_EXPIRED : t->state),
		.account = row->account,
		.expires = row->expires_at,
		.who = ACTOR_ADMIN };

	token_fill(&line, w_r);
}

static int list_row(const struct store_token_row *row, void *arg)
{
	struct listing *l = arg;

	if (l->p->n_tokens == LIST_PAGE)
		return 1;
	l->seen++;
	mag_copy(l->last, sizeof l->last, row->token.serial);
	if (l->organisation && !mag_streq(l->organisation, row->token.organisation))
		return 0;
	fill_row(row, l->now, &l->p->tokens[l->p->n_tokens++]);
	return 0;
}

int token_list_want(struct request *r)
{
	return r->peer.uid == 0 ? 0 : store_want_account_uid(r->tick, r->peer.uid);
}

void token_list_decide(struct request *r)
{
	const struct wire_token_list_req *q = r->body;

	if (*q->state && !token_state_of(q->state))
		handle_invalid(r, "state: stock, pending-approval, pending-activation, active, "
				  "locked, suspended, expired or revoked");
	else
		request_verdict(r, VERDICT_OK);
}

void token_list_after(struct request *r)
{
	const struct wire_token_list_req *q = r->body;
	struct listing l = { .p = r->reply, .organisation = confined_to(r), .now = r->now };
	int res;

	mag_copy(l.last, sizeof l.last, q->cursor);
	do { /* until the page is full: the organisation may leave little of what was read */
		char from[65];

		l.seen = 0;
		mag_copy(from, sizeof from, l.last);
		res = store_list_tokens(
			r->broker->store, from, token_state_of(q->state), LIST_PAGE, list_row, &l);
	} while (res >= 0 && l.seen == LIST_PAGE && l.p->n_tokens < LIST_PAGE);
	if (res < 0)
		request_error(r, res);
	else if (l.p->n_tokens == LIST_PAGE)
		mag_copy(l.p->next, sizeof l.p->next, l.last);
}

void token_show_decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

void token_show_after(struct request *r)
{
	const struct wire_token_show_req *q = r->body;
	struct wire_token_show_rep *p = r->reply;
	const char *own = confined_to(r);
	struct store_token_row row = { .expires_at = 0 };
	int res = store_find_token(r->broker->store, q->serial, &row);

	/* Another organisation's is answered as one that is not there. */
	if (res == MAG_ENOTFOUND || (!res && own && !mag_streq(own, row.token.organisation)))
		handle_refuse(r, VERDICT_SERIAL_UNKNOWN, q->serial);
	else if (res)
		request_error(r, res);
	else
		fill_row(&row, r->now, &p->tokens[p->n_tokens++]);
}

/* ---- assign ---- */

int token_assign_want(struct request *r)
{
	const struct wire_token_assign_req *q = r->body;
	int res = token_list_want(r);

	return res ? res : store_want_token(r->tick, q->serial);
}

/* Is it one that the peer may give to this account? */
static enum verdict judge_assign(struct request *r, struct aggregate *a, const struct token *t)
{
	const char *own = confined_to(r);

	if (!t->row.id || t->kind != TOKEN_HARDWARE || (own && !mag_streq(own, t->organisation)))
		return VERDICT_SERIAL_UNKNOWN;
	/* Serials belong to an organisation. */
	if (*t->organisation && !mag_streq(t->organisation, a->account.organisation))
		return VERDICT_NOT_ALLOWED;
	return lifecycle_allows(t, LIFE_ASSIGN, ACTOR_ADMIN, LIFE_HAS_NOTHING);
}

void token_assign_decide(struct request *r)
{
	const struct wire_token_assign_req *q = r->body;
	struct aggregate *a = request_account(r);
	struct token *t, *held;
	enum verdict v;

	if (!phone_may_touch(r, a))
		return;
	t = store_token(r->tick, q->serial);
	held = token_held(a, TOKEN_HARDWARE);
	if (t->row.id && held && held->row.id == t->row.id) { /* said twice */
		request_verdict(r, VERDICT_OK);
		return;
	}
	v = judge_assign(r, a, t);
	if (v != VERDICT_OK) {
		handle_refuse(r, v == VERDICT_SERIAL_UNKNOWN ? v : VERDICT_NOT_ALLOWED,
			v == VERDICT_SERIAL_UNKNOWN ? q->serial
						    : "that token is not free for this account");
		return;
	}
	if (held) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account's token must be revoked first");
		return;
	}
	t = store_take_token(r->tick, a, t);
	if (!t) {
		request_error(r, MAG_ECONFLICT);
		return;
	}
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	request_verdict(r, lifecycle_move(t, LIFE_ASSIGN, ACTOR_ADMIN, LIFE_HAS_NOTHING, r->now));
}
