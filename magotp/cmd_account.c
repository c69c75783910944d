/* magotpctl account, enroll. */
#include <json-c/json.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "FACTORS", "factors", CELL_WORDS },
	{ "LEVEL", "level", CELL_INT },
	{ "LAST LOGIN", "last_login", CELL_MINUTE },
	{ "EXPIRES", "expires", CELL_DAY },
	{ NULL, "name", CELL_TEXT },
	{ NULL, "email", CELL_TEXT },
	{ NULL, "organisation", CELL_TEXT },
	{ NULL, "role", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static void full_name(const struct wire_account *a, struct mag_buf *b)
{
	const char *parts[] = { a->first, a->middle, a->last };

	for (size_t i = 0; i < 3; i++)
		if (*parts[i])
			mag_buf_printf(b, "%s%s", b->len ? " " : "", parts[i]);
}

static void row(const struct cli *c, struct table *t, const struct wire_account *a)
{
	char name[256] = "";
	struct mag_buf b = MAG_BUF(name);

	full_name(a, &b);
	table_text(t, a->name);
	table_text(t, a->state);
	table_text(t, a->factors);
	table_int(t, a->level);
	if (a->last_login || c->json)
		table_int(t, a->last_login);
	else
		table_text(t, "never");
	table_int(t, a->expires);
	table_text(t, name);
	table_text(t, a->email);
	table_text(t, a->organisation);
	table_text(t, a->role);
}

/* The fields of add and set from the options; CLI_USAGE if one is too long. */
struct field {
	const char *option;
	char *dst;
	size_t cap;
};

static int take_fields(struct cli *c, const struct field *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = cli_opt(c, f[i].option);

		if (value && mag_copy(f[i].dst, f[i].cap, value))
			return cli_usage(c, "%s %s: too long, %zu bytes at most", f[i].option,
				value, f[i].cap - 1);
	}
	return CLI_DONE;
}

#define FIELDS(q)                                                                                  \
	{                                                                                          \
		{ "--email", (q)->email, sizeof(q)->email },                                       \
			{ "--first", (q)->first, sizeof(q)->first },                               \
			{ "--middle", (q)->middle, sizeof(q)->middle },                            \
			{ "--last", (q)->last, sizeof(q)->last },                                  \
			{ "--postal-code", (q)->postal, sizeof(q)->postal },                       \
			{ "--lang", (q)->language, sizeof(q)->language },                          \
			{ "--org", (q)->organisation, sizeof(q)->organisation },                   \
			{ "--country", (q)->country, sizeof(q)->country },                         \
			{ "--role", (q)->role, sizeof(q)->role },                                  \
	}

bool account_from_passwd(const char *user, struct wire_account_add_req *q)
{
	struct passwd *pw = getpwnam(user);
	char gecos[129];
	char *comma, *last;

	q->uid = WIRE_UID_UNKNOWN;
	if (!pw)
		return false;
	q->uid = pw->pw_uid;
	mag_clean(gecos, sizeof gecos, pw->pw_gecos);
	comma = strchr(gecos, ',');
	if (comma)
		*comma = 0;
	last = strrchr(gecos, ' ');
	if (*q->first || *q->last || !last || !last[1])
		return true;
	*last++ = 0; /* "Alice B Example": the last word is the last name */
	if (mag_copy(q->first, sizeof q->first, gecos) || mag_copy(q->last, sizeof q->last, last))
		*q->first = *q->last = 0;
	return true;
}

static int done(const struct cli *c, int r, const char *what)
{
	struct json_object *o;

	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		cli_say(c, "%s %s", c->user, what);
		return r;
	}
	o = json_object_new_object();
	json_object_object_add(o, "account", json_object_new_string(c->user));
	json_object_object_add(o, "result", json_object_new_string(what));
	cli_json_print(&o);
	return r;
}

int cmd_account_add(struct cli *c)
{
	struct wire_account_add_req q = { 0 };
	const struct field fields[] = FIELDS(&q);
	int r = take_fields(c, fields, sizeof fields / sizeof *fields);
	bool known;

	if (r == CLI_DONE)
		r = cli_settings(c);
	mag_copy(q.user, sizeof q.user, c->user);
	known = account_from_passwd(c->user, &q);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_ACCOUNT_ADD, &q, NULL);
	if (r == CLI_DONE && !known)
		cli_note(c, "Note: this host has no user %s (yet).", c->user);
	return done(c, r, "added");
}

int cmd_account_set(struct cli *c)
{
	struct wire_account_set_req q = { 0 };
	const struct field fields[] = FIELDS(&q);
	int r = take_fields(c, fields, sizeof fields / sizeof *fields);
	const char *uid = cli_opt(c, "--uid");
	int64_t number = 0;
	bool any = false;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		any = any || cli_opt(c, fields[i].option);
	if (uid && mag_int_parse(uid, 0, WIRE_UID_UNKNOWN - 1, &number))
		return cli_usage(c, "--uid %s: a user id", uid);
	q.has_uid = uid != NULL;
	q.uid = (uint32_t)number;
	if (r == CLI_DONE && !any && !uid)
		return cli_usage(c, "set what? name an option such as --email");
	/* An option with an empty value empties the field. */
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (cli_opt(c, fields[i].option) && !*cli_opt(c, fields[i].option))
			mag_copy(fields[i].dst, fields[i].cap, "-");
	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_ACCOUNT_SET, &q, NULL);
	return done(c, r, "changed");
}

static struct json_object *json_account(const struct wire_account *a)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	char name[256] = "";
	struct mag_buf b = MAG_BUF(name);
	const struct {
		const char *key, *value;
	} texts[] = { { "account", a->name }, { "name", name }, { "email", a->email },
		{ "organisation", a->organisation }, { "country", a->country }, { "role", a->role },
		{ "state", a->state }, { "first", a->first }, { "middle", a->middle },
		{ "last", a->last }, { "postal_code", a->postal }, { "lang", a->language },
		{ "parent", a->parent } };

	full_name(a, &b);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		json_object_object_add(o, texts[i].key, json_object_new_string(texts[i].value));
	if (*a->factors)
		json_object_array_add(list, json_object_new_string(a->factors));
	json_object_object_add(o, "factors", list);
	json_object_object_add(
		o, "uid", a->uid == WIRE_UID_UNKNOWN ? NULL : json_object_new_int64(a->uid));
	json_object_object_add(o, "level", json_object_new_int64(a->level));
	json_object_object_add(o, "last_login", cli_json_time(a->last_login));
	json_object_object_add(o, "expires", cli_json_time(a->expires));
	json_object_object_add(o, "created", cli_json_time(a->created));
	return o;
}

static void say_account(const struct cli *c, const struct wire_account *a)
{
	char name[256] = "", uid[16] = "-", seen[32], ends[32], made[32];
	struct mag_buf b = MAG_BUF(name), u = MAG_BUF(uid);

	full_name(a, &b);
	if (a->uid != WIRE_UID_UNKNOWN) {
		mag_buf_reset(&u);
		mag_buf_printf(&u, "%u", a->uid);
	}
	const struct {
		const char *key, *value;
	} rows[] = { { "Account", a->name }, { "Uid", uid }, { "Name", name },
		{ "E-mail", a->email }, { "Postal code", a->postal }, { "Language", a->language },
		{ "Organisation", a->organisation }, { "Country", a->country }, { "Role", a->role },
		{ "State", a->state }, { "Factors", a->factors }, { "Those of", a->parent },
		{ "Last login", mag_time_minute(a->last_login, seen, sizeof seen) },
		{ "Expires", a->expires ? mag_time_day(a->expires, ends, sizeof ends) : "" },
		{ "Created", mag_time_minute(a->created, made, sizeof made) } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cli_say(c, "%-13s %s", rows[i].key, *rows[i].value ? rows[i].value : "-");
}

static int show(struct cli *c, struct wire_account_show_rep *p)
{
	struct wire_account_show_req q = { 0 };

	mag_copy(q.user, sizeof q.user, c->user);
	return cli_call(c, WIRE_MSG_ACCOUNT_SHOW, &q, p);
}

int cmd_account_show(struct cli *c)
{
	struct wire_account_show_rep p = { 0 };
	struct json_object *o;
	int r = cli_settings(c);

	if (r == CLI_DONE)
		r = show(c, &p);
	if (r == CLI_DONE)
		r = cli_verdict(c);
	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		say_account(c, &p.accounts[0]);
		return CLI_DONE;
	}
	o = json_account(&p.accounts[0]);
	cli_json_print(&o);
	return CLI_DONE;
}

static void rows(const struct cli *c, struct table *t, const void *page)
{
	const struct wire_account_list_rep *p = page;

	for (size_t i = 0; i < p->n_accounts; i++)
		row(c, t, &p->accounts[i]);
}

int cmd_account_list(struct cli *c)
{
	struct wire_account_list_req q = { 0 };
	static struct wire_account_list_rep page; /* large: not on the stack */
	const char *state = cli_opt(c, "--state"), *days = cli_opt(c, "--expiring");
	int64_t n = 0;

	if (state && mag_copy(q.state, sizeof q.state, state))
		return cli_usage(c, "--state %s: there is no such state", state);
	if (days && mag_int_parse(days, 1, 36500, &n))
		return cli_usage(c, "--expiring %s: a number of days", days);
	q.expiring = n * 86400;
	return cli_list(c, &(struct cli_list){ columns, WIRE_MSG_ACCOUNT_LIST, &q, q.cursor,
				   sizeof q.cursor, &page, sizeof page, page.next, rows });
}

int cmd_account_delete(struct cli *c)
{
	struct wire_account_delete_req q = { 0 };
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE && cli_can_ask() && !c->json && !cli_opt(c, "--yes")) {
		cli_note(c, "This deletes %s with all phones and subscriptions.", c->user);
		r = cli_confirm(c, "Go on? [Y/n] ");
		if (r == CLI_REFUSED)
			cli_note(c, "Nothing was changed.");
	}
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_ACCOUNT_DELETE, &q, NULL);
	return done(c, r, "deleted");
}

/* ---- enroll ---- */
/* An account that was made before its user: now the user is there. */
static int learn_uid(struct cli *c, const struct wire_account *a)
{
	struct wire_account_set_req q = { .has_uid = 1 };
	struct wire_account_add_req found = { 0 };

	if (a->uid != WIRE_UID_UNKNOWN || geteuid() != 0 || !account_from_passwd(c->user, &found))
		return CLI_DONE;
	q.uid = found.uid;
	mag_copy(q.user, sizeof q.user, c->user);
	return cli_request(c, WIRE_MSG_ACCOUNT_SET, &q, NULL);
}

static int add_if_missing(struct cli *c)
{
	struct wire_account_show_rep p = { 0 };
	struct wire_account_add_req q = { 0 };
	int r = show(c, &p);

	if (r != CLI_DONE)
		return r;
	if (c->result.verdict == VERDICT_OK)
		return learn_uid(c, &p.accounts[0]);
	if (c->result.verdict != VERDICT_ACCOUNT_UNKNOWN)
		return cli_verdict(c);
	mag_copy(q.user, sizeof q.user, c->user);
	if (!account_from_passwd(c->user, &q))
		return cli_fail(c, CLI_REFUSED, "account-unknown",
			"This host has no user %s. Make the user first, or the account alone with: "
			"magotpctl account add %s",
			c->user, c->user);
	r = cli_request(c, WIRE_MSG_ACCOUNT_ADD, &q, NULL);
	if (r == CLI_DONE)
		cli_note(c, "Account %s added.", c->user);
	return r;
}

int cmd_enroll(struct cli *c)
{
	const char *phone = cli_opt(c, "--phone"), *key = cli_opt(c, "--key");
	struct mag_secret typed = { 0 };
	bool ask = cli_can_ask() && !c->json;
	int r = cli_settings(c);

	if (r == CLI_DONE)
		r = add_if_missing(c);
	if (r == CLI_DONE && key)
		r = phone_licence(c, key);
	if (r == CLI_DONE && (phone || ask)) {
		r = cli_secret(
			c, phone, "Phone number (like +12025550134): ", "the number", &typed);
		if (r == CLI_DONE)
			r = phone_register(c, mag_secret_text(&typed), ask);
		mag_secret_free(&typed);
		return r;
	}
	return done(c, r, "enrolled");
}
