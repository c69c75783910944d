/* Organisations and the terms of applications (O2): magotp terms, magotpctl org. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "ORGANISATION", "organisation", CELL_TEXT },
	{ "ACCOUNTS", "accounts", CELL_INT },
	{ "APPLICATION", "application", CELL_TEXT },
	{ "EDITION", "edition", CELL_INT },
	{ "TERMS", "state", CELL_TEXT },
	{ "UNTIL", "until", CELL_DAY },
	{ "ACCEPTED", "accepted", CELL_DAY },
	{ "BY", "accepted_by", CELL_TEXT },
	{ NULL, "accepted_edition", CELL_INT },
	{ NULL, "file", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static void row(struct table *t, const struct wire_terms *w)
{
	table_text(t, w->organisation);
	table_int(t, w->accounts);
	table_text(t, w->application);
	table_int(t, w->edition);
	table_text(t, w->state);
	table_int(t, w->until);
	table_int(t, w->accepted);
	table_text(t, w->accepted_by);
	table_int(t, w->accepted_edition);
	table_text(t, w->file);
}

int cmd_terms(struct cli *c)
{
	struct wire_terms_mine_req q = { 0 };
	struct wire_terms_mine_rep p = { 0 };
	int r = cli_settings(c);
	struct table *t;

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_TERMS_MINE, &q, &p);
	if (r != CLI_DONE)
		return r;
	t = table_new(columns);
	if (!t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	for (size_t i = 0; i < p.n_terms; i++)
		row(t, &p.terms[i]);
	r = table_print(c, t);
	table_free(&t);
	return r;
}

static void rows(const struct cli *c, struct table *t, const void *page)
{
	const struct wire_terms_list_rep *p = page;

	(void)c;
	for (size_t i = 0; i < p->n_terms; i++)
		row(t, &p->terms[i]);
}

int cmd_org_list(struct cli *c)
{
	static struct wire_terms_list_rep page; /* large: not on the stack */
	struct wire_terms_list_req q = { 0 };

	if (cli_arg(c, 0) && mag_copy(q.organisation, sizeof q.organisation, cli_arg(c, 0)))
		return cli_usage(c, "the name of an organisation has at most 64 letters");
	return cli_list(c, &(struct cli_list){ columns, WIRE_MSG_TERMS_LIST, &q, q.cursor,
				   sizeof q.cursor, &page, sizeof page, page.next, rows });
}

/* ---- accepting ---- */

/* What is accepted is read first. */
static int show_file(const struct cli *c, const char *path)
{
	char clean[1024], line[1024];
	FILE *f = fopen(path, "re");

	if (!f)
		return cli_fail(c, CLI_REFUSED, "terms-missing",
			"The terms cannot be read: %s. Put them there first.", path);
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		puts(mag_clean(clean, sizeof clean, line));
	}
	fclose(f);
	return CLI_DONE;
}

/* The application's row for this organisation; NULL, told. */
static const struct wire_terms *find(
	struct cli *c, const struct wire_terms_list_rep *p, const char *application)
{
	for (size_t i = 0; i < p->n_terms; i++)
		if (mag_streq(p->terms[i].application, application))
			return &p->terms[i];
	if (!p->n_terms)
		cli_fail(c, CLI_REFUSED, "organisation-unknown",
			"No account belongs to that organisation. See: magotpctl org list");
	else
		cli_fail(c, CLI_REFUSED, "application-unknown",
			"No service names the application %s. It is a line \"application = %s\" "
			"in a [service] section of magotp.conf.",
			application, application);
	return NULL;
}

static int accepted(struct cli *c, const struct wire_terms *w)
{
	struct wire_terms_accept_req q = { .edition = w->edition };
	struct wire_terms_accept_rep p = { 0 };
	char day[32];
	int r;

	mag_copy(q.organisation, sizeof q.organisation, w->organisation);
	mag_copy(q.application, sizeof q.application, w->application);
	r = cli_request(c, WIRE_MSG_TERMS_ACCEPT, &q, &p);
	if (r == CLI_DONE)
		cli_say(c, "%s has accepted edition %u of the terms of %s, until %s",
			*w->organisation ? w->organisation : "-", w->edition, w->application,
			mag_time_day(p.until, day, sizeof day));
	return r;
}

int cmd_org_accept(struct cli *c)
{
	static struct wire_terms_list_rep page; /* large: not on the stack */
	struct wire_terms_list_req q = { 0 };
	const struct wire_terms *w;
	int r = CLI_DONE;

	if (mag_copy(q.organisation, sizeof q.organisation, cli_arg(c, 0)))
		return cli_usage(c, "the name of an organisation has at most 64 letters");
	if (!*q.organisation)
		return cli_usage(c, "whose? an organisation's name is missing");
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_TERMS_LIST, &q, &page);
	if (r != CLI_DONE)
		return r;
	w = find(c, &page, cli_arg(c, 1));
	if (!w)
		return CLI_REFUSED;
	if (!cli_opt(c, "--yes")) {
		if (!cli_can_ask())
			return cli_usage(c, "this is asked first; --yes says it in a pipe");
		r = show_file(c, w->file);
		if (r == CLI_DONE)
			r = cli_confirm_no(c, "Accept these terms for the organisation? (y/N) ");
	}
	return r == CLI_DONE ? accepted(c, w) : r;
}
