/* Accounts, as administrators see them: one, or a page of all (O1, O7). */
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/account.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/proofing.h"
#include "otpcore/engine/token.h"

#define EXPIRING_MAX (100LL * 366 * 86400)

/* What one line of the list says; the e-mail address is opened for it. */
static void fill(struct request *r, const struct account *row, struct wire_account *w)
{
	struct mag_secret email = { 0 };

	mag_clean(w->name, sizeof w->name, row->name);
	w->uid = (uint32_t)row->uid;
	mag_copy(w->state, sizeof w->state, handle_word(account_states, row->state));
	mag_copy(w->role, sizeof w->role, handle_word(account_roles, row->role));
	if (row->email.len &&
		!seal_open(r->broker->keyring, "account.email", row->row.id, &row->email, &email))
		mag_clean(w->email, sizeof w->email, mag_secret_text(&email));
	mag_secret_free(&email);
	mag_copy(w->first, sizeof w->first, row->first);
	mag_copy(w->middle, sizeof w->middle, row->middle);
	mag_copy(w->last, sizeof w->last, row->last);
	mag_copy(w->postal, sizeof w->postal, row->postal);
	mag_copy(w->language, sizeof w->language, row->language);
	mag_copy(w->organisation, sizeof w->organisation, row->organisation);
	mag_clean(w->parent, sizeof w->parent, row->parent);
	mag_copy(w->country, sizeof w->country, row->country);
	w->created = row->created_at;
}

/* What somebody logs in with. */
struct factors {
	int64_t phones, tokens, apps;
};

static void put_count(struct mag_buf *b, int64_t n, const char *what)
{
	if (n > 0)
		mag_buf_printf(b, "%s%d %s%s", b->len ? ", " : "", (int)n, what, n == 1 ? "" : "s");
}

/* "2 phones, 1 token", "those of alice" (H11), and nobody is active without a second
 * factor: "pending". */
static void fill_factors(struct wire_account *w, int64_t state, const struct factors *f)
{
	struct mag_buf b;

	mag_buf_init(&b, w->factors, sizeof w->factors);
	put_count(&b, f->phones, "phone");
	put_count(&b, f->tokens, "token");
	put_count(&b, f->apps, "app");
	if (!b.len && *w->parent)
		mag_buf_printf(&b, "those of %s", w->parent);
	if (!b.len && state == ACCOUNT_ACTIVE)
		mag_copy(w->state, sizeof w->state, "pending");
}

/* Those of an account, and the highest level among them. */
static void count_factors(struct aggregate *a, struct factors *f, int64_t *level_r)
{
	for (size_t i = 0; i < a->n_phones; i++) {
		if (a->phones[i].state != PHONE_ACTIVE ||
			proofing_waits(phone_subscription(a, &a->phones[i])))
			continue;
		f->phones++;
		if (phone_level(a, &a->phones[i]) > *level_r)
			*level_r = phone_level(a, &a->phones[i]);
	}
	for (size_t i = 0; i < a->n_tokens; i++) {
		const struct token *t = &a->tokens[i];

		if (t->state != TOKEN_ACTIVE && t->state != TOKEN_LOCKED &&
			t->state != TOKEN_SUSPENDED)
			continue;
		*(t->kind == TOKEN_HARDWARE ? &f->tokens : &f->apps) += 1;
		if (token_level(a, t) > *level_r)
			*level_r = token_level(a, t);
	}
}

void account_show_decide(struct request *r)
{
	struct wire_account_show_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct wire_account *w = &p->accounts[0];
	const struct login *last = &request_history(r)->previous;
	struct factors f = { 0 };
	int64_t level = 1;

	if (!a->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	fill(r, &a->account, w);
	count_factors(a, &f, &level);
	w->level = (uint32_t)level;
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (a->subscriptions[i].expires_at > w->expires)
			w->expires = a->subscriptions[i].expires_at;
	w->last_login = last->row.id ? last->verified_at : 0;
	fill_factors(w, a->account.state, &f);
	p->n_accounts = 1;
	request_verdict(r, VERDICT_OK);
}

/* A list is read after the tick: see struct handler. */
struct listing {
	struct request *r;
	struct wire_account_list_rep *p;
	const char *organisation; /* NULL: all */
	bool pending, active;     /* split by "has a factor" */
	size_t seen;
	char last[257];
};

/* Pages that are read for one answer: others wait meanwhile. */
#define READS   8
#define CENTURY ((int64_t)36525 * 86400)
#define LIST_PAGE                                                                                  \
	(sizeof((struct wire_account_list_rep *)0)->accounts / sizeof(struct wire_account))

static int list_row(const struct store_account_row *row, void *arg)
{
	struct listing *l = arg;
	const struct factors f = { row->phones, row->tokens, row->apps };
	bool any = f.phones || f.tokens || f.apps || *row->account.parent;
	struct wire_account *w;

	if (l->p->n_accounts == LIST_PAGE)
		return 1;
	l->seen++;
	mag_copy(l->last, sizeof l->last, row->account.name);
	if (l->organisation && !mag_streq(l->organisation, row->account.organisation))
		return 0;
	if ((l->pending && any) || (l->active && !any))
		return 0;
	w = &l->p->accounts[l->p->n_accounts++];
	fill(l->r, &row->account, w);
	w->level = any && row->level > 1 ? (uint32_t)row->level : 1;
	w->last_login = row->last_login_at;
	w->expires = row->expires_at;
	fill_factors(w, row->account.state, &f);
	return 0;
}

void account_list_decide(struct request *r)
{
	const struct wire_account_list_req *q = r->body;

	if (*q->state && !mag_streq(q->state, "pending") &&
		!handle_value(account_states, q->state)) {
		handle_invalid(r, "state: active, pending, pending-registration or locked");
		return;
	}
	if (q->expiring < 0 || q->expiring > EXPIRING_MAX) {
		handle_invalid(r, "expiring: at most a hundred years");
		return;
	}
	request_verdict(r, VERDICT_OK);
}

void account_list_after(struct request *r)
{
	const struct wire_account_list_req *q = r->body;
	struct listing l = { .r = r, .p = r->reply };
	const struct account *admin = account_admin(r);
	int64_t state = handle_value(account_states, q->state);
	/* Within a century; what a client says further off is that. */
	int64_t expiring =
		q->expiring <= 0 ? 0 : r->now + (q->expiring < CENTURY ? q->expiring : CENTURY);
	int res, reads = 0;

	l.pending = mag_streq(q->state, "pending");
	l.active = mag_streq(q->state, "active");
	if (l.pending)
		state = ACCOUNT_ACTIVE;
	l.organisation = admin ? admin->organisation : NULL;
	mag_copy(l.last, sizeof l.last, q->cursor);
	do { /* until the page is full: filters may leave little of what was read */
		char from[257];

		l.seen = 0;
		mag_copy(from, sizeof from, l.last);
		res = store_list_accounts(
			r->broker->store, from, state, expiring, LIST_PAGE, list_row, &l);
	} while (res >= 0 && l.seen == LIST_PAGE && l.p->n_accounts < LIST_PAGE && ++reads < READS);
	if (res < 0) {
		request_error(r, res);
		return;
	}
	if (l.p->n_accounts == LIST_PAGE || l.seen == LIST_PAGE)
		mag_copy(l.p->next, sizeof l.p->next, l.last);
}
