/* Accounts, as administrators make, change and delete them; ping and reload. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/account.h"

#define UID_PERSON 1000 /* below: the system's own, login.defs(5) UID_MIN */

const struct handle_word account_states[] = {
	{ ACCOUNT_PENDING_REGISTRATION, "pending-registration" },
	{ ACCOUNT_ACTIVE, "active" },
	{ ACCOUNT_LOCKED, "locked" },
	{ 0, NULL },
};
const struct handle_word account_roles[] = {
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
	const char *email, *first, *middle, *last, *postal, *language, *organisation, *country,
		*role;
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

/* ISO 3166: I4 asks whether it is the US. */
static bool country_ok(const char *c)
{
	return mag_streq(c, "-") ||
	       (c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z' && !c[2]);
}

/* RFC 5646, as far as anybody needs it: "de", "pt-BR"; systems write pt_BR. */
static bool language_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz");

	return mag_streq(s, "-") ||
	       ((n == 2 || n == 3) &&
		       (!s[n] || ((s[n] == '-' || s[n] == '_') && s[n + 1] &&
					 !s[n + 1 +
						 strspn(s + n + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
								   "abcdefghijklmnopqrstuvwxyz"
								   "0123456789-_")])));
}

/* What is wrong with the fields, or NULL. */
static const char *fields_fault(const struct fields *f)
{
	if (*f->email && !mag_streq(f->email, "-") && !email_ok(f->email))
		return "e-mail: not an address";
	if (*f->role && !handle_value(account_roles, f->role))
		return "role: user, application-admin, organisation-admin or proofing-agent";
	if (*f->country && !country_ok(f->country))
		return "country: two capital letters, such as US";
	if (*f->language && !language_ok(f->language))
		return "language: two letters, such as de, or a tag such as pt-BR";
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
		{ row->country, sizeof row->country, f->country },
	};
	int res = 0;

	for (size_t i = 0; !res && i < sizeof texts / sizeof *texts; i++)
		res = put(texts[i].dst, texts[i].cap, texts[i].src);
	if (!res && *f->role)
		row->role = handle_value(account_roles, f->role);
	if (!res)
		res = put_email(r, row, f->email);
	return res;
}

/* O1: an administrator works in the own organisation and hands out no role. */
static int admin_want(struct request *r)
{
	return r->peer.uid == 0 ? 0 : store_want_account_uid(r->tick, r->peer.uid);
}

const struct account *account_admin(struct request *r)
{
	return r->standing.root ? NULL : &store_account_uid(r->tick, r->peer.uid)->account;
}

static bool confined(struct request *r, const struct fields *f)
{
	const struct account *admin = account_admin(r);

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

static int show_want(struct request *r)
{
	int res = admin_want(r);

	return res ? res : request_want_history(r);
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
		q->organisation, q->country, q->role };
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
	if (account_admin(r))
		mag_copy(row.organisation, sizeof row.organisation, account_admin(r)->organisation);
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
		q->organisation, q->country, q->role };
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

static void reload_decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

static void reload_after(struct request *r)
{
	char err[OPT_ERROR_MAX];

	if (server_reload(r->broker, err))
		handle_invalid(r, err);
}

const struct handler handle_account[] = {
	{ WIRE_MSG_RELOAD, NULL, reload_decide, NULL, NULL, reload_after },
	{ WIRE_MSG_PING, NULL, ping_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_ADD, add_want, add_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_SET, admin_want, set_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_SHOW, show_want, account_show_decide, NULL, NULL, NULL },
	{ WIRE_MSG_ACCOUNT_LIST, admin_want, account_list_decide, NULL, NULL, account_list_after },
	{ WIRE_MSG_ACCOUNT_DELETE, admin_want, delete_decide, NULL, NULL, delete_after },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
