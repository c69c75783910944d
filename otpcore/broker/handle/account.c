/* Accounts, as administrators see and make them; and ping. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/broker.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/token.h"
#include "otpcore/broker/handle/handle.h"

#define EXPIRING_MAX (100LL * 366 * 86400)
#define UID_PERSON   1000 /* below: the system's own, login.defs(5) UID_MIN */

static const struct handle_word states[] = {
	{ ACCOUNT_PENDING_REGISTRATION, "pending-registration" },
	{ ACCOUNT_ACTIVE, "active" },
	{ ACCOUNT_LOCKED, "locked" },
	{ 0, NULL },
};
static const struct handle_word roles[] = {
	{ ROLE_USER, "user" },
	{ ROLE_APPLICATION_ADMIN, "application-admin" },
	{ ROLE_ORGANISATION_ADMIN, "organisation-admin" },
	{ ROLE_PROOFING_AGENT, "proofing-agent" },
	{ 0, NULL },
};

/* A name that can be typed, logged and used as one word everywhere: what
 * shadow's useradd takes for names of directories too (dots, @, \). */
static bool name_ok(const char *name)
{
	if (!*name || *name == '-' || strlen(name) > 255)
		return false;
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == ':' || *p == '/' || *p == ',')
			return false;
	return !mag_all_digits(name);
}

/* "" is no address; otherwise one @ with something on both sides. */
static bool email_ok(const char *email)
{
	const char *at = strchr(email, '@');

	if (!at || at == email || !at[1] || strchr(at + 1, '@') || strlen(email) > 254)
		return false;
	for (const unsigned char *p = (const unsigned char *)email; *p; p++)
		if (*p <= ' ' || *p == 0x7f || strchr("<>,;:\"\\()", *p))
			return false;
	return true;
}

/* The fields that account_add and account_set have in common. */
struct fields {
	const char *email, *first, *middle, *last, *postal, *language, *organisation, *role;
};

/* A field of the account: "" stays as it is, "-" empties. */
static int put(char *dst, size_t cap, const char *src)
{
	char clean[257];

	if (!*src)
		return 0;
	if (mag_streq(src, "-"))
		src = "";
	mag_clean(clean, sizeof clean, src);
	return mag_copy(dst, cap, clean);
}

static int put_email(struct request *r, struct account *row, const char *email)
{
	char lower[257] = "";
	int res;

	if (!*email)
		return 0;
	if (mag_streq(email, "-")) {
		row->email.len = row->email_hash.len = 0;
		return 0;
	}
	/* Look-up ignores the case of ASCII letters; what is shown keeps it. */
	for (size_t i = 0; i < sizeof lower - 1 && email[i]; i++)
		lower[i] = (char)(email[i] >= 'A' && email[i] <= 'Z' ? email[i] + 32 : email[i]);
	res = seal(r->broker->keyring, "account.email", row->row.id, email, strlen(email),
		&row->email);
	if (!res)
		res = seal_hash(r->broker->keyring, PEPPER_EMAIL, lower, strlen(lower),
			row->email_hash.data);
	if (!res)
		row->email_hash.len = HASH_LEN;
	return res;
}

/* What is wrong with the fields, or NULL. */
static const char *fields_fault(const struct fields *f)
{
	if (*f->email && !mag_streq(f->email, "-") && !email_ok(f->email))
		return "e-mail: not an address";
	if (*f->role && !handle_value(roles, f->role))
		return "role: user, application-admin, organisation-admin or proofing-agent";
	return NULL;
}

static int fields_apply(struct request *r, const struct fields *f, struct account *row)
{
	const struct {
		char *dst;
		size_t cap;
		const char *src;
	} texts[] = {
		{ row->first, sizeof row->first, f->first },
		{ row->middle, sizeof row->middle, f->middle },
		{ row->last, sizeof row->last, f->last },
		{ row->postal, sizeof row->postal, f->postal },
		{ row->language, sizeof row->language, f->language },
		{ row->organisation, sizeof row->organisation, f->organisation },
	};
	int res = 0;

	for (size_t i = 0; !res && i < sizeof texts / sizeof *texts; i++)
		res = put(texts[i].dst, texts[i].cap, texts[i].src);
	if (!res && *f->role)
		row->role = handle_value(roles, f->role);
	if (!res)
		res = put_email(r, row, f->email);
	return res;
}

/* O1: an administrator works in the own organisation and hands out no role. */
static int admin_want(struct request *r)
{
	return r->peer.uid == 0 ? 0 : store_want_account_uid(r->tick, r->peer.uid);
}

static const struct account *admin_account(struct request *r)
{
	return r->standing.root ? NULL : &store_account_uid(r->tick, r->peer.uid)->account;
}

static bool confined(struct request *r, const struct fields *f)
{
	const struct account *admin = admin_account(r);

	if (!admin)
		return true;
	if (*f->role && !mag_streq(f->role, "user"))
		return false;
	return !*f->organisation || mag_streq(f->organisation, admin->organisation);
}

/* An administrator enrols people, not the system's users: whoever binds a phone
 * to root's name holds the second half of root's login. Nor a person twice: the
 * uid says who somebody is when they ask. */
static bool person(struct request *r, uint32_t uid)
{
	return r->standing.root || (uid >= UID_PERSON && uid != WIRE_UID_UNKNOWN &&
					   !store_account_uid(r->tick, uid)->exists);
}

static int add_want(struct request *r)
{
	const struct wire_account_add_req *q = r->body;
	int res = admin_want(r);

	return res ? res : store_want_account_uid(r->tick, q->uid);
}

static void add_decide(struct request *r)
{
	const struct wire_account_add_req *q = r->body;
	struct aggregate *a = request_account(r);
	const struct fields f = { q->email, q->first, q->middle, q->last, q->postal, q->language,
		q->organisation, q->role };
	const char *fault = fields_fault(&f);
	struct account row = { .row.id = store_new_id() };
	int res;

	if (!name_ok(q->user))
		fault = "name: letters, digits and ._-@ without blanks, not digits alone";
	if (fault) {
		handle_invalid(r, fault);
		return;
	}
	if (a->exists) {
		request_verdict(r, VERDICT_ACCOUNT_EXISTS);
		return;
	}
	if (!confined(r, &f)) {
		handle_refuse(
			r, VERDICT_NOT_ALLOWED, "only root gives roles or other organisations");
		return;
	}
	if (!person(r, q->uid)) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			"only root adds users of the system, or one that has an account");
		return;
	}
	row.uid = q->uid;
	row.state = ACCOUNT_ACTIVE;
	row.role = ROLE_USER;
	row.created_at = r->now;
	if (admin_account(r))
		mag_copy(row.organisation, sizeof row.organisation, admin_account(r)->organisation);
	res = mag_copy(row.name, sizeof row.name, q->user);
	if (!res)
		res = fields_apply(r, &f, &row);
	if (res) {
		request_error(r, res);
		return;
	}
	a->account = row;
	a->exists = true;
	store_mark_account(r->tick, r->index, &a->account, ROW_NEW);
	request_verdict(r, VERDICT_OK);
}

static void set_decide(struct request *r)
{
	const struct wire_account_set_req *q = r->body;
	struct aggregate *a = request_account(r);
	const struct fields f = { q->email, q->first, q->middle, q->last, q->postal, q->language,
		q->organisation, q->role };
	const char *fault = fields_fault(&f);
	struct account row = a->account;
	int res;

	if (fault) {
		handle_invalid(r, fault);
		return;
	}
	if (!a->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	if (!confined(r, &f)) {
		handle_refuse(
			r, VERDICT_NOT_ALLOWED, "only root gives roles or other organisations");
		return;
	}
	if (q->has_uid && !r->standing.root) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "only root says whose an account is");
		return;
	}
	if (q->has_uid)
		row.uid = q->uid;
	res = fields_apply(r, &f, &row);
	if (res) {
		request_error(r, res);
		return;
	}
	a->account = row;
	store_mark_account(r->tick, r->index, &a->account, ROW_CHANGED);
	request_verdict(r, VERDICT_OK);
}

/* What one line of the list says; the e-mail address is opened for it. */
static void fill(struct request *r, const struct account *row, struct wire_account *w)
{
	struct mag_secret email = { 0 };

	mag_clean(w->name, sizeof w->name, row->name);
	w->uid = (uint32_t)row->uid;
	mag_copy(w->state, sizeof w->state, handle_word(states, row->state));
	mag_copy(w->role, sizeof w->role, handle_word(roles, row->role));
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

/* "2 phones, 1 token", and nobody is active without a second factor: "pending". */
static void fill_factors(struct wire_account *w, int64_t state, const struct factors *f)
{
	struct mag_buf b;

	mag_buf_init(&b, w->factors, sizeof w->factors);
	put_count(&b, f->phones, "phone");
	put_count(&b, f->tokens, "token");
	put_count(&b, f->apps, "app");
	if (!b.len && state == ACCOUNT_ACTIVE)
		mag_copy(w->state, sizeof w->state, "pending");
}

/* Those of an account, and the highest level among them. */
static void count_factors(const struct aggregate *a, struct factors *f, int64_t *level_r)
{
	for (size_t i = 0; i < a->n_phones; i++) {
		if (a->phones[i].state != PHONE_ACTIVE)
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

static void show_decide(struct request *r)
{
	struct wire_account_show_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct wire_account *w = &p->accounts[0];
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
	w->last_login = a->previous.row.id ? a->previous.verified_at : 0;
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

#define CENTURY ((int64_t)36525 * 86400)
#define LIST_PAGE                                                                                  \
	(sizeof((struct wire_account_list_rep *)0)->accounts / sizeof(struct wire_account))

static int list_row(const struct store_account_row *row, void *arg)
{
	struct listing *l = arg;
	const struct factors f = { row->phones, row->tokens, row->apps };
	bool any = f.phones || f.tokens || f.apps;
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
	w->level = (uint32_t)(row->level > 1 ? row->level : 1);
	w->last_login = row->last_login_at;
	w->expires = row->expires_at;
	fill_factors(w, row->account.state, &f);
	return 0;
}

static void list_decide(struct request *r)
{
	const struct wire_account_list_req *q = r->body;

	if (*q->state && !mag_streq(q->state, "pending") && !handle_value(states, q->state)) {
		handle_invalid(r, "state: active, pending, pending-registration or locked");
		return;
	}
	if (q->expiring < 0 || q->expiring > EXPIRING_MAX) {
		handle_invalid(r, "expiring: at most a hundred years");
		return;
	}
	request_verdict(r, VERDICT_OK);
}

static void list_after(struct request *r)
{
	const struct wire_account_list_req *q = r->body;
	struct listing l = { .r = r, .p = r->reply };
	const struct account *admin = admin_account(r);
	int64_t state = handle_value(states, q->state);
	/* Within a century; what a client says further off is that. */
	int64_t expiring =
		q->expiring <= 0 ? 0 : r->now + (q->expiring < CENTURY ? q->expiring : CENTURY);
	int res;

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
	} while (res >= 0 && l.seen == LIST_PAGE && l.p->n_accounts < LIST_PAGE);
	if (res < 0) {
		request_error(r, res);
		return;
	}
	if (l.p->n_accounts == LIST_PAGE)
		mag_copy(l.p->next, sizeof l.p->next, l.last);
}

static void delete_decide(struct request *r)
{
	request_verdict(r, request_account(r)->exists ? VERDICT_OK : VERDICT_ACCOUNT_UNKNOWN);
}

static void delete_after(struct request *r)
{
	const struct wire_account_delete_req *q = r->body;
	int res;

	if (r->result.verdict != VERDICT_OK)
		return;
	res = store_delete_account(r->broker->store, q->user, r->now);
	if (res == MAG_ENOTFOUND)
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
	else if (res)
		request_error(r, res);
}

static void ping_decide(struct request *r)
{
	struct wire_ping_rep *p = r->reply;

	mag_copy(p->version, sizeof p->version, PACKAGE_VERSION);
	mag_copy(p->store, sizeof p->store, store_kind(r->broker->store));
	p->schema = (uint32_t)store_schema(r->broker->store);
	mag_copy(p->host, sizeof p->host, r->broker->host);
	p->started_at = r->broker->started_at;
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_account[] = {
	{ WIRE_MSG_PING, NULL, ping_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_ADD, add_want, add_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_SET, admin_want, set_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_SHOW, admin_want, show_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_LIST, admin_want, list_decide, NULL, NULL, list_after },
	{ WIRE_MSG_ACCOUNT_DELETE, admin_want, delete_decide, NULL, NULL, delete_after },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
