/* magotpctl host: relays, on the auth host's side; and how a host becomes one. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "HOST", "host", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "SERVICES", "services", CELL_TEXT },
	{ "ACCOUNTS", "accounts", CELL_TEXT },
	{ "ENROLLED", "enrolled", CELL_DAY },
	{ "UNTIL", "until", CELL_DAY },
	{ "SELF-SERVICE", "self_service", CELL_BOOL },
	{ "OFFLINE", "offline", CELL_TEXT },
	{ NULL, "created", CELL_DAY },
	{ NULL, "fingerprint", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

/* The certificate of a host that was off for long ends, and nobody says so to the store. */
static const char *state_of(const struct wire_host *h)
{
	return mag_streq(h->state, "active") && h->expires && h->expires <= mag_now() ? "expired"
										      : h->state;
}

static void row(struct table *t, const struct wire_host *h)
{
	table_text(t, h->name);
	table_text(t, state_of(h));
	table_text(t, *h->services ? h->services : "*");
	table_text(t, *h->accounts ? h->accounts : "*");
	table_int(t, h->enrolled);
	table_int(t, h->expires);
	table_int(t, h->self_service);
	table_text(t, h->offline);
	table_int(t, h->created);
	table_text(t, h->print);
}

static void rows(const struct cli *c, struct table *t, const void *page)
{
	const struct wire_host_list_rep *p = page;

	(void)c;
	for (size_t i = 0; i < p->n_hosts; i++)
		row(t, &p->hosts[i]);
}

int cmd_host_list(struct cli *c)
{
	static struct wire_host_list_rep page; /* large: not on the stack */
	struct wire_host_list_req q = { 0 };

	return cli_list(c, &(struct cli_list){ columns, WIRE_MSG_HOST_LIST, &q, q.cursor,
				   sizeof q.cursor, &page, sizeof page, page.next, rows });
}

/* ---- add, set ---- */

/* The words of an option; * are all of them, as is the option left out of add. `none`: may it
 * be empty? CLI_DONE, CLI_USAGE. */
static int words(struct cli *c, const char *option, bool none, char *to, size_t cap)
{
	const char *value = cli_opt(c, option);

	if (!value || mag_streq(value, "*"))
		return CLI_DONE;
	if (!value[strspn(value, " ,")] && !none)
		return cli_usage(c, "%s is empty; all is '*'", option);
	return mag_copy(to, cap, value) ? cli_usage(c, "%s is too long", option) : CLI_DONE;
}

/* Names, one by one. Nobody is the option left out of add, and '' of set. */
static int names(struct cli *c, bool none, char *to, size_t cap)
{
	const char *value = cli_opt(c, "--offline");

	if (mag_streq(value, "*"))
		return cli_usage(c,
			"--offline takes names: whoever is named can log in with a token "
			"nowhere else meanwhile");
	if (value && !value[strspn(value, " ,")] && !none)
		return cli_usage(c, "--offline is empty; leave it out for nobody");
	return words(c, "--offline", none, to, cap);
}

static json_object *array_of(const char *words)
{
	json_object *all = json_object_new_array();

	for (const char *p = words; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");

		json_object_array_add(all, json_object_new_string_len(p, (int)len));
		p += len;
	}
	return all;
}

/* Names that will never be leased: part of the object, or a note. */
static void show_idle(
	const struct cli *c, json_object *one, const char *unknown, const char *outside)
{
	if (one) {
		json_object_object_add(one, "offline_unknown", array_of(unknown));
		json_object_object_add(one, "offline_outside", array_of(outside));
		return;
	}
	if (*unknown)
		cli_note(c, "--offline: no account, so nothing is leased: %s", unknown);
	if (*outside)
		cli_note(c, "--offline: not in the host's --accounts, so nothing is leased: %s",
			outside);
}

static void print(json_object *one)
{
	json_object *all = json_object_new_array();

	json_object_array_add(all, one);
	puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN));
	json_object_put(all);
}

static void show_code(const struct cli *c, const struct wire_host_add_rep *p)
{
	const char *code = mag_secret_text(&p->code);
	json_object *one = c->json ? json_object_new_object() : NULL;
	char until[32];

	if (one)
		json_object_object_add(one, "code", json_object_new_string(code));
	show_idle(c, one, p->unknown, p->outside);
	if (one) {
		print(one);
		return;
	}
	puts(code);
	if (isatty(STDOUT_FILENO))
		cli_note(c,
			"Shown once, good until %s. On the host, as root: magotpctl host enroll",
			mag_time_minute(p->expires, until, sizeof until));
}

int cmd_host_add(struct cli *c)
{
	struct wire_host_add_req q = { .self_service = cli_opt(c, "--self-service") != NULL };
	struct wire_host_add_rep p = { 0 };
	int r;

	if (mag_copy(q.name, sizeof q.name, cli_arg(c, 0)))
		return cli_usage(c, "the name of a host has at most 64 letters");
	r = words(c, "--services", false, q.services, sizeof q.services);
	if (r == CLI_DONE)
		r = words(c, "--accounts", false, q.accounts, sizeof q.accounts);
	if (r == CLI_DONE)
		r = names(c, false, q.offline, sizeof q.offline);
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_HOST_ADD, &q, &p);
	if (r == CLI_DONE)
		show_code(c, &p);
	wire_clear(&wire_host_add_rep, &p);
	return r;
}

static int set_read(struct cli *c, struct wire_host_set_req *q)
{
	const char *self = cli_opt(c, "--self-service");
	int r;

	q->has_services = cli_opt(c, "--services") != NULL;
	q->has_accounts = cli_opt(c, "--accounts") != NULL;
	q->has_offline = cli_opt(c, "--offline") != NULL;
	q->has_self_service = self != NULL;
	q->self_service = mag_streq(self, "yes");
	if (!q->has_services && !q->has_accounts && !q->has_offline && !self)
		return cli_usage(c, "set what? --services, --accounts, --offline, --self-service");
	if (self && !q->self_service && !mag_streq(self, "no"))
		return cli_usage(c, "--self-service yes, or no");
	if (mag_copy(q->name, sizeof q->name, cli_arg(c, 0)))
		return cli_usage(c, "the name of a host has at most 64 letters");
	r = words(c, "--services", false, q->services, sizeof q->services);
	if (r == CLI_DONE)
		r = words(c, "--accounts", false, q->accounts, sizeof q->accounts);
	if (r == CLI_DONE)
		r = names(c, true, q->offline, sizeof q->offline);
	return r;
}

int cmd_host_set(struct cli *c)
{
	struct wire_host_set_req q = { 0 };
	struct wire_host_set_rep p = { 0 };
	json_object *one = NULL;
	int r = set_read(c, &q);

	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_HOST_SET, &q, &p);
	if (r != CLI_DONE)
		return r;
	one = c->json ? json_object_new_object() : NULL;
	if (one)
		json_object_object_add(one, "host", json_object_new_string(q.name));
	show_idle(c, one, p.unknown, p.outside);
	if (one)
		print(one);
	cli_say(c, "%s is changed, from its next request on", q.name);
	return r;
}

/* ---- revoke, remove ---- */

static int end(struct cli *c, uint16_t message, const char *question, const char *done)
{
	struct wire_host_revoke_req q = { 0 }; /* host_remove has the same */
	int r = CLI_DONE;

	if (mag_copy(q.name, sizeof q.name, cli_arg(c, 0)))
		return cli_usage(c, "the name of a host has at most 64 letters");
	if (!cli_opt(c, "--yes")) {
		if (!cli_can_ask())
			return cli_usage(c, "this is asked first; --yes says it in a pipe");
		r = cli_confirm_no(c, question);
	}
	if (r == CLI_DONE)
		r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, message, &q, NULL);
	if (r == CLI_DONE)
		cli_say(c, "%s %s", q.name, done);
	return r;
}

int cmd_host_revoke(struct cli *c)
{
	return end(c, WIRE_MSG_HOST_REVOKE,
		"Nobody can log in through that host any more. Revoke it? (y/N) ",
		"is refused from now on, by every auth host");
}

int cmd_host_remove(struct cli *c)
{
	return end(c, WIRE_MSG_HOST_REMOVE,
		"Nobody can log in through that host any more. Remove it? (y/N) ", "is forgotten");
}

/* ---- enroll ---- */

/* The code goes to otpcored as its input: its arguments are everybody's to read. */
static int as_input(const struct mag_secret *code)
{
	int ends[2], r = -1;

	if (pipe(ends))
		return r;
	if (write(ends[1], mag_secret_text(code), code->len) == (ssize_t)code->len &&
		write(ends[1], "\n", 1) == 1 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO)
		r = 0;
	close(ends[0]);
	close(ends[1]);
	return r;
}

int cmd_host_enroll(struct cli *c)
{
	const char *args[] = { "--enroll", "-", NULL, NULL, NULL };
	struct mag_secret code = { 0 };
	int r = cli_secret(c, cli_arg(c, 0), "Code from magotpctl host add: ", "the code", &code);

	if (cli_opt(c, "--upstream")) {
		args[2] = "--upstream";
		args[3] = cli_opt(c, "--upstream");
	}
	if (r == CLI_DONE && as_input(&code))
		r = cli_fail(c, CLI_REFUSED, "failed", "The code cannot be handed over.");
	mag_secret_free(&code);
	return r == CLI_DONE ? cmd_run_otpcored(
				       c, args, "failed", "This host was not enrolled; see above.")
			     : r;
}
