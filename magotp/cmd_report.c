/* magotpctl report: who has which credential (O7); and whom a watched service would
 * have refused. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/clock.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"

/* ---- forms of a report: CSV and a page, beside what every list can ---- */
struct sheet {
	const struct column *columns;
	struct table *t;
	FILE *html, *csv;
	size_t at; /* column of the next cell */
};

static void csv_cell(FILE *f, const char *text)
{
	/* A spreadsheet takes what begins so for a formula. */
	bool quote = strpbrk(text, ",\"\n") || strchr("=+-@", *text);

	if (!quote) {
		fputs(text, f);
		return;
	}
	fputc('"', f);
	if (*text && strchr("=+-@", *text))
		fputc('\'', f);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

static void html_text(FILE *f, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc(*text, f);
		}
}

static void sheet_text(struct sheet *s, const char *raw)
{
	char text[300];
	bool last = !s->columns[s->at + 1].key;

	mag_clean(text, sizeof text, raw);
	table_text(s->t, text);
	if (s->csv) {
		csv_cell(s->csv, text);
		fputc(last ? '\n' : ',', s->csv);
	}
	if (s->html) {
		fputs(s->at ? "<td>" : "<tr><td>", s->html);
		html_text(s->html, text);
		fputs(last ? "</td></tr>\n" : "</td>", s->html);
	}
	s->at = last ? 0 : s->at + 1;
}

static void sheet_number(struct sheet *s, int64_t n)
{
	char text[32] = "";
	enum cell_type type = s->columns[s->at].type;

	if (type == CELL_INT)
		snprintf(text, sizeof text, "%lld", (long long)n);
	else if (n > 0 && type == CELL_DAY)
		mag_time_day(n, text, sizeof text);
	else if (n > 0)
		mag_time_minute(n, text, sizeof text);
	if (s->csv)
		fprintf(s->csv, "%s%c", text, s->columns[s->at + 1].key ? ',' : '\n');
	if (s->html)
		fprintf(s->html, "%s%s%s", s->at ? "<td>" : "<tr><td>", text,
			s->columns[s->at + 1].key ? "</td>" : "</td></tr>\n");
	table_int(s->t, n);
	s->at = s->columns[s->at + 1].key ? s->at + 1 : 0;
}

static int sheet_open(
	struct cli *c, const struct column *columns, const char *title, struct sheet *s)
{
	const char *file = cli_opt(c, "--html");
	char now[32];

	*s = (struct sheet){ .columns = columns, .t = table_new(columns) };
	if (!s->t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	if (cli_opt(c, "--csv")) {
		s->csv = stdout;
		for (size_t i = 0; columns[i].key; i++)
			fprintf(s->csv, "%s%s", i ? "," : "", columns[i].key);
		fputc('\n', s->csv);
	}
	if (!file)
		return CLI_DONE;
	s->html = fopen(file, "we");
	if (!s->html)
		return cli_fail(c, CLI_REFUSED, "failed", "%s: %s", file, strerror(errno));
	fprintf(s->html,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
		"charset=\"utf-8\"><title>%s</title>\n"
		"<style>body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}"
		"th,td{border-bottom:1px solid #ccc;padding:.3em "
		".8em;text-align:left}</style></head>\n"
		"<body><h1>%s</h1><p>%s</p><table><tr>",
		title, title, mag_time_minute(mag_now(), now, sizeof now));
	for (size_t i = 0; columns[i].key; i++)
		fprintf(s->html, "<th>%s</th>",
			columns[i].title ? columns[i].title : columns[i].key);
	fputs("</tr>\n", s->html);
	return CLI_DONE;
}

static int sheet_close(struct cli *c, struct sheet *s, int r)
{
	const char *file = cli_opt(c, "--html");

	if (s->html) {
		fputs("</table></body></html>\n", s->html);
		if ((fclose(s->html) || r != CLI_DONE) && r == CLI_DONE)
			r = cli_fail(c, CLI_REFUSED, "failed", "%s: %s", file, strerror(errno));
		else if (r == CLI_DONE)
			cli_note(c, "written to %s", file);
	}
	if (r == CLI_DONE && !s->csv && !s->html)
		r = table_print(c, s->t);
	table_free(&s->t);
	return r;
}

/* ---- who has which credential ---- */
static const struct column columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "ORGANISATION", "organisation", CELL_TEXT },
	{ "STATE", "account_state", CELL_TEXT },
	{ "ID", "id", CELL_TEXT },
	{ "FACTOR", "factor", CELL_TEXT },
	{ "CREDENTIAL", "state", CELL_TEXT },
	{ "STRENGTH", "strength", CELL_TEXT },
	{ "LEVEL", "level", CELL_INT },
	{ "LAST USED", "last_used", CELL_MINUTE },
	{ "EXPIRES", "expires", CELL_DAY },
	{ "PRODUCT", "product", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static void account_cells(struct sheet *s, const struct wire_account *a)
{
	sheet_text(s, a->name);
	sheet_text(s, a->organisation);
	sheet_text(s, a->state);
}

static void factor_row(
	struct sheet *s, const struct wire_account *a, const struct wire_status_factor *f)
{
	bool phone = mag_streq(f->kind, "phone"), app = mag_streq(f->kind, "mobile");
	char what[100];

	snprintf(what, sizeof what, "%s%s%s",
		phone ? cli_channel_word(f->channel)
		: app ? "app"
		      : f->kind,
		*f->masked ? " " : "", f->masked);
	account_cells(s, a);
	sheet_text(s, f->id);
	sheet_text(s, what);
	sheet_text(s, f->state);
	sheet_text(s, phone                         ? strength_id(STRENGTH_PHONE_OTP)
		      : app                         ? strength_id(STRENGTH_MOBILE_ID)
		      : mag_streq(f->kind, "token") ? strength_id(STRENGTH_HARDWARE_OTP)
						    : f->kind);
	sheet_number(s, f->level);
	sheet_number(s, f->last_used);
	sheet_number(s, f->expires);
	sheet_text(s, f->product);
}

static void bare_row(struct sheet *s, const struct wire_account *a)
{
	account_cells(s, a);
	for (int i = 0; i < 4; i++)
		sheet_text(s, "");
	sheet_number(s, 1);
	sheet_number(s, 0);
	sheet_number(s, 0);
	sheet_text(s, "");
}

static int one_account(struct cli *c, struct sheet *s, const struct wire_account *a)
{
	static struct wire_status_rep p; /* large: not on the stack */
	struct wire_status_req q = { 0 };
	int r;

	memset(&p, 0, sizeof p);
	mag_copy(q.user, sizeof q.user, a->name);
	r = cli_call(c, WIRE_MSG_STATUS, &q, &p);
	if (r != CLI_DONE)
		return r;
	if (!p.n_factors)
		bare_row(s, a);
	for (size_t i = 0; i < p.n_factors; i++)
		factor_row(s, a, &p.factors[i]);
	return CLI_DONE;
}

static int credentials(struct cli *c)
{
	static struct wire_account_list_rep page;
	struct wire_account_list_req q = { 0 };
	struct sheet s;
	int r = sheet_open(c, columns, "Credentials", &s);

	if (r == CLI_DONE)
		r = cli_settings(c);
	do {
		memset(&page, 0, sizeof page);
		if (r == CLI_DONE)
			r = cli_request(c, WIRE_MSG_ACCOUNT_LIST, &q, &page);
		for (size_t i = 0; r == CLI_DONE && i < page.n_accounts; i++)
			r = one_account(c, &s, &page.accounts[i]);
		mag_copy(q.cursor, sizeof q.cursor, page.next);
	} while (r == CLI_DONE && *q.cursor);
	return sheet_close(c, &s, r);
}

/* ---- whom a watched service would have refused ---- */
static const struct column refused_columns[] = {
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "REASON", "reason", CELL_TEXT },
	{ "TIMES", "times", CELL_INT },
	{ "LAST", "last", CELL_MINUTE },
	{ "FROM", "from", CELL_TEXT },
	{ "FIRST", "first", CELL_MINUTE },
	{ NULL, NULL, CELL_TEXT },
};

static int would_refuse(struct cli *c, const char *service)
{
	static struct wire_observed_rep page;
	struct wire_observed_req q = { 0 };
	struct sheet s;
	size_t n = 0;
	int r;

	if (mag_copy(q.of, sizeof q.of, service))
		return cli_usage(c, "%s: too long for a service", service);
	r = sheet_open(c, refused_columns, "Would have been refused", &s);
	if (r == CLI_DONE)
		r = cli_settings(c);
	do {
		memset(&page, 0, sizeof page);
		if (r == CLI_DONE)
			r = cli_request(c, WIRE_MSG_OBSERVED, &q, &page);
		for (size_t i = 0; r == CLI_DONE && i < page.n_rows; i++, n++) {
			const struct wire_observed_row *o = &page.rows[i];

			sheet_text(&s, o->account);
			sheet_text(&s, o->reason);
			sheet_number(&s, o->times);
			sheet_number(&s, o->last);
			sheet_text(&s, o->from);
			sheet_number(&s, o->first);
			mag_copy(q.after, sizeof q.after, o->account);
			mag_copy(q.after_reason, sizeof q.after_reason, o->reason);
		}
	} while (r == CLI_DONE && page.more);
	r = sheet_close(c, &s, r);
	if (r == CLI_DONE && !n)
		cli_note(c, "Nobody would have been refused by %s in the last 31 days.", service);
	return r;
}

int cmd_report(struct cli *c)
{
	const char *service = cli_opt(c, "--would-refuse");

	if (cli_opt(c, "--csv") && c->json)
		return cli_usage(c, "--csv or --json, not both");
	return service ? would_refuse(c, service) : credentials(c);
}
