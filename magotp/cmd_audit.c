/* magotpctl audit: what was decided, and whether the log of it is what was written.
 * The files are read here; only the broker's key can judge the signatures. */
#include <errno.h>
#include <glob.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magotp/audit_send.h"
#include "magotp/cmd.h"
#include "otpcore/base/audit_record.h"
#include "otpcore/base/text.h"

#define LAST_DEFAULT 50
#define WORDS        5 /* event, account, service, from, peer; the rest is the result */

static const struct column columns[] = {
	{ "RECORD", "record", CELL_INT },
	{ "TIME", "time", CELL_TEXT },
	{ "EVENT", "event", CELL_TEXT },
	{ "ACCOUNT", "account", CELL_TEXT },
	{ "SERVICE", "service", CELL_TEXT },
	{ "FROM", "from", CELL_TEXT },
	{ "PEER", "peer", CELL_TEXT },
	{ "RESULT", "result", CELL_TEXT },
	{ "HOST", "host", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static const char *const keys[WORDS] = { "", "account=", "service=", "from=", "peer=" };

struct parts {
	const char *word[WORDS], *result; /* into the text that was split */
	const char *host;                 /* the relay that it came through; "": none */
};

/* "begin account=anna service=sshd from=192.0.2.7 peer=0/812 ok". False: a head, or
 * nothing that this program knows. */
static bool split(char *text, struct parts *p_r)
{
	struct parts p;

	for (size_t i = 0; i < WORDS; i++) {
		char *end = strchr(text, ' ');

		if (!end || !mag_has_prefix(text, keys[i]))
			return false;
		*end = '\0';
		p.word[i] = text + strlen(keys[i]);
		text = end + 1;
	}
	p.host = "";
	if (mag_has_prefix(text, "host=") && strchr(text, ' ')) {
		p.host = text + strlen("host=");
		text = strchr(text, ' ');
		*text++ = '\0';
	}
	p.result = text;
	*p_r = p;
	return true;
}

/* ---- all records of all files, the oldest first ---- */

typedef int record_fn(const char *line, void *arg);

/* 0, an errno, or what fn said. */
static int each_line(const char *path, record_fn *fn, void *arg)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int r = f ? 0 : errno;

	while (!r && (len = getline(&line, &cap, f)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		r = fn(line, arg);
	}
	free(line);
	if (f)
		fclose(f);
	return r;
}

static int each_record(struct cli *c, record_fn *fn, void *arg)
{
	const char *path;
	char pattern[300];
	glob_t older = { 0 };
	int r = cli_settings(c), e = 0;

	if (r != CLI_DONE)
		return r;
	path = c->settings->audit_file;
	if (mag_streq(path, "none"))
		return cli_fail(c, CLI_REFUSED, "no-audit-log",
			"There is no audit log: [audit] file = none.");
	snprintf(pattern, sizeof pattern, "%s.[0-9]*", path);
	(void)glob(pattern, 0, NULL, &older);
	for (size_t i = 0; !e && i < older.gl_pathc; i++)
		e = each_line(older.gl_pathv[i], fn, arg);
	globfree(&older);
	if (!e)
		e = each_line(path, fn, arg);
	return e ? cli_fail(c, CLI_REFUSED, "failed", "%s: %s", path, strerror(e)) : CLI_DONE;
}

/* ---- list ---- */

/* The last ones that fit, in a ring. */
struct ring {
	const char *user; /* NULL: everybody */
	char **lines;
	size_t cap, n, next;
};

static bool speaks_of(const char *line, const char *user)
{
	char word[300];

	snprintf(word, sizeof word, " account=%s ", user);
	return strstr(line, word) != NULL;
}

static int keep(const char *line, void *arg)
{
	struct ring *k = arg;
	char *copy;

	if (k->user && !speaks_of(line, k->user))
		return 0;
	copy = strdup(line);
	if (!copy)
		return ENOMEM;
	free(k->lines[k->next]);
	k->lines[k->next] = copy;
	k->next = (k->next + 1) % k->cap;
	k->n += k->n < k->cap;
	return 0;
}

static void add_row(struct table *t, const char *line)
{
	struct audit_record record;
	char text[AUDIT_LINE_MAX];
	struct parts p;

	if (!audit_record_split(line, &record) || mag_copy(text, sizeof text, record.text) ||
		!split(text, &p))
		return;
	table_int(t, record.n);
	table_text(t, record.time);
	for (size_t i = 0; i < WORDS; i++)
		table_text(t, p.word[i]);
	table_text(t, p.result);
	table_text(t, p.host);
}

int cmd_audit_list(struct cli *c)
{
	const char *last = cli_opt(c, "--last");
	struct ring k = { .user = cli_arg(c, 0) };
	int64_t cap = LAST_DEFAULT;
	struct table *t;
	int r;

	if (last && mag_int_parse(last, 1, 1000000, &cap))
		return cli_usage(c, "--last %s: a number from 1 to 1000000", last);
	t = table_new(columns);
	k.cap = (size_t)cap;
	k.lines = calloc(k.cap, sizeof *k.lines);
	if (!t || !k.lines)
		r = cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	else
		r = each_record(c, keep, &k);
	for (size_t i = 0; r == CLI_DONE && i < k.n; i++)
		add_row(t, k.lines[(k.next + k.cap - k.n + i) % k.cap]);
	if (r == CLI_DONE)
		r = table_print(c, t);
	for (size_t i = 0; k.lines && i < k.cap; i++)
		free(k.lines[i]);
	free(k.lines);
	table_free(&t);
	return r;
}

/* ---- export: every record as an object on a line of its own, or sent ---- */

struct export
{
	const struct audit_sender *sender; /* NULL: standard output */
	int64_t after, last, sent;
};

static int print_fields(int64_t n, const struct audit_field *fields, size_t count)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "record", json_object_new_int64(n));
	for (size_t i = 1; i < count; i++)
		json_object_object_add(o, fields[i].key, json_object_new_string(fields[i].value));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return ferror(stdout) ? EIO : 0;
}

static int export_record(const char *line, void *arg)
{
	struct export *e = arg;
	struct audit_record record;
	char text[AUDIT_LINE_MAX], n[24];
	struct audit_field fields[AUDIT_FIELDS_MAX] = { { "record", n } };
	size_t count = 1;
	struct parts p;
	int r;

	if (!audit_record_split(line, &record) || mag_copy(text, sizeof text, record.text) ||
		record.n <= e->after)
		return 0;
	snprintf(n, sizeof n, "%lld", (long long)record.n);
	fields[count++] = (struct audit_field){ "time", record.time };
	if (split(text, &p)) {
		for (size_t i = 0; i < WORDS; i++)
			fields[count++] = (struct audit_field){ columns[i + 2].key, p.word[i] };
		fields[count++] = (struct audit_field){ "result", p.result };
		fields[count++] = (struct audit_field){ "host", p.host };
	} else {
		fields[count++] = (struct audit_field){ "event", record.text };
	}
	r = e->sender ? e->sender->send(fields, count) : print_fields(record.n, fields, count);
	if (!r) {
		e->last = record.n;
		e->sent++;
	}
	return r;
}

/* What was sent is told, so that the next time goes on behind it; also where it ended. */
static void tell_sent(const struct cli *c, const struct export *e)
{
	struct json_object *o;

	if (!c->json) {
		printf("%lld records sent, the last is %lld.\n", (long long)e->sent,
			(long long)e->last);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "sent", json_object_new_int64(e->sent));
	json_object_object_add(o, "last", json_object_new_int64(e->last));
	cli_json_print(&o);
}

int cmd_audit_export(struct cli *c)
{
	const char *to = cli_opt(c, "--to"), *after = cli_opt(c, "--after");
	struct export e = { 0 };
	int r;

	if (after && mag_int_parse(after, 0, INT64_MAX, &e.after))
		return cli_usage(c, "--after %s: the number of a record", after);
	if (to && !(e.sender = audit_sender_find(to)))
		return cli_usage(c, "--to %s: this build can send to syslog%s", to,
#ifdef HAVE_SYSTEMD
			" and to journal");
#else
			"");
#endif
	e.last = e.after;
	r = each_record(c, export_record, &e);
	if (to && (r == CLI_DONE || e.sent))
		tell_sent(c, &e);
	return r;
}

/* ---- verify ---- */

int cmd_audit_verify(struct cli *c)
{
	static const char *const args[] = { "--audit-verify", NULL };
	int r = cmd_run_otpcored(c, args, "audit-unsound",
		"The audit log is not what was written, or cannot be judged; see above.");
	struct json_object *o;

	if (r == CLI_DONE && c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "sound", json_object_new_boolean(true));
		cli_json_print(&o);
	}
	return r;
}
