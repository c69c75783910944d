/* magotpctl token import: the whole file is read and checked first, then staged
 * in parts and put in place at once. On any fault, or Ctrl-C, nothing is. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/import/csv.h"
#include "magotp/import/pskc_child.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define PART      200 /* seeds of one message */
#define TOLD_MAX  20  /* faults that are listed */
#define SNIFF_MAX 512

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

/* ---- faults of the file ---- */
struct told {
	const struct cli *c;
	size_t n;
	char first[512];
};

static void tell_fault(void *arg, size_t row, const char *column, const char *what)
{
	struct told *t = arg;
	char text[512];

	snprintf(text, sizeof text, "row %zu%s%s: %s", row, *column ? ", " : "", column, what);
	if (!t->n++)
		mag_copy(t->first, sizeof t->first, text);
	if (t->n <= TOLD_MAX)
		cli_note(t->c, "%s", text);
}

static int faulty(const struct cli *c, const struct told *t)
{
	if (t->n > TOLD_MAX)
		cli_note(c, "and %zu more", t->n - TOLD_MAX);
	return cli_fail(c, CLI_REFUSED, "import-fault",
		"%zu fault%s, the first: %s. Nothing was imported.", t->n, t->n == 1 ? "" : "s",
		t->first);
}

static int read_failed(const struct cli *c, int r)
{
	return cli_fail(
		c, CLI_REFUSED, "import-fault", "The file cannot be read: %s.", mag_strerror(r));
}

/* ---- reading ---- */
static int read_csv(const struct cli *c, FILE *f, struct import_list *list)
{
	struct told told = { .c = c };
	const struct csv_faults faults = { tell_fault, &told };
	int r = csv_read(f, &faults, list);

	if (told.n)
		return faulty(c, &told);
	return r ? read_failed(c, r) : CLI_DONE;
}

static int read_pskc(const struct cli *c, int fd, struct import_list *list)
{
	const char *key = cli_opt(c, "--key-file"), *password = cli_opt(c, "--password-file");
	struct pskc_job job = { .file = fd, .secret = -1 };
	char what[512] = "";
	int r;

	if (key || password) {
		job.kind = key ? PSKC_KEY : PSKC_PASSWORD;
		job.secret = open(key ? key : password, O_RDONLY | O_CLOEXEC);
		if (job.secret < 0)
			return cli_usage(c, "%s: %s", key ? key : password, strerror(errno));
	}
	r = pskc_read(&job, list, what, sizeof what);
	if (job.secret >= 0)
		close(job.secret);
	if (!r)
		return CLI_DONE;
	return cli_fail(c, CLI_REFUSED, "import-fault", "%s. Nothing was imported.", what);
}

/* csv or pskc, by --format or by the first character; -1: neither. */
static int is_pskc(const struct cli *c, FILE *f)
{
	const char *format = cli_opt(c, "--format");
	char head[SNIFF_MAX + 1];
	size_t n;

	if (format)
		return mag_streq(format, "pskc") ? 1 : mag_streq(format, "csv") ? 0 : -1;
	n = fread(head, 1, SNIFF_MAX, f);
	head[n] = 0;
	if (fseek(f, 0, SEEK_SET)) /* a pipe is read once */
		return -1;
	n = mag_has_prefix(head, "\xef\xbb\xbf") ? 3 : 0;
	return head[n + strspn(head + n, " \t\r\n")] == '<';
}

static int read_file(const struct cli *c, const char *path, struct import_list *list)
{
	FILE *f = fopen(path, "re");
	int pskc, r;

	if (!f)
		return cli_usage(c, "%s: %s", path, strerror(errno));
	pskc = is_pskc(c, f);
	if (pskc < 0)
		r = cli_usage(c, "which format? --format pskc or csv");
	else if (pskc)
		r = read_pskc(c, fileno(f), list);
	else if (cli_opt(c, "--key-file") || cli_opt(c, "--password-file"))
		r = cli_usage(c, "a CSV file has no key and no password");
	else
		r = read_csv(c, f, list);
	fclose(f);
	return r;
}

/* ---- the broker ---- */
static int commit(struct cli *c, int64_t batch, size_t count, bool cancel, uint32_t *imported_r)
{
	struct wire_token_commit_req q = {
		.batch = batch, .count = (uint32_t)count, .cancel = cancel
	};
	struct wire_token_commit_rep p = { 0 };
	struct wire_result kept = c->result;
	int r;

	if (cancel) { /* quietly: what made it necessary was told already */
		client_call(&c->client, WIRE_MSG_TOKEN_COMMIT, &q, &c->result, &p);
		c->result = kept;
		return CLI_DONE;
	}
	r = cli_request(c, WIRE_MSG_TOKEN_COMMIT, &q, &p);
	*imported_r = p.imported;
	return r;
}

/* A seed that the broker does not take: said with the row it came from. */
static int refused(const struct cli *c, const struct import_seed *part, size_t n, uint32_t fault)
{
	const struct import_seed *s = fault >= 1 && fault <= n ? &part[fault - 1] : NULL;

	if (!s)
		return cli_verdict(c);
	return cli_fail(c, CLI_REFUSED, verdict_id(c->result.verdict),
		"row %zu, serial %s: %s. Nothing was imported.", s->row, s->seed.serial,
		*c->result.detail ? c->result.detail : verdict_id(c->result.verdict));
}

static int stage(struct cli *c, struct wire_token_stage_req *q, const struct import_list *list)
{
	size_t done = 0;
	int r = CLI_DONE;

	while (r == CLI_DONE && done < list->n && !stopped) {
		struct wire_token_stage_rep p = { 0 };
		size_t n = list->n - done < PART ? list->n - done : PART;

		for (size_t i = 0; i < n; i++)
			q->seeds[i] = list->seeds[done + i].seed; /* secrets stay the list's */
		q->n_seeds = n;
		r = cli_call(c, WIRE_MSG_TOKEN_STAGE, q, &p);
		if (r == CLI_DONE && c->result.verdict != VERDICT_OK)
			r = refused(c, list->seeds + done, n, p.fault_row);
		done += n;
		if (r == CLI_DONE)
			cli_progress(c, done, list->n);
	}
	cli_progress(c, 0, 0);
	return r;
}

/* Stage and commit; Ctrl-C in between throws the batch away. */
static int deliver(struct cli *c, const struct import_list *list, uint32_t *imported_r)
{
	static struct wire_token_stage_req q; /* large: not on the stack */
	const struct sigaction quiet = { .sa_handler = stop, .sa_flags = SA_RESTART };
	const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const char *org = cli_opt(c, "--org");
	int r;

	if (mag_copy(q.organisation, sizeof q.organisation, org ? org : ""))
		return cli_usage(c, "--org: 64 bytes at most");
	if (mag_random(&q.batch, sizeof q.batch))
		return cli_fail(c, CLI_REFUSED, "failed", "No random numbers.");
	q.batch &= INT64_MAX;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &quiet, NULL);
	r = stage(c, &q, list);
	if (r == CLI_DONE && !stopped)
		r = commit(c, q.batch, list->n, false, imported_r);
	else if (r == CLI_DONE)
		r = CLI_INTERRUPTED;
	if (r != CLI_DONE)
		commit(c, q.batch, list->n, true, imported_r);
	if (r == CLI_INTERRUPTED)
		cli_note(c, "\nInterrupted. Nothing was imported.");
	return r;
}

int cmd_import(struct cli *c)
{
	struct import_list list = { 0 };
	struct json_object *o;
	uint32_t imported = 0;
	int r;

	if (cli_opt(c, "--key-file") && cli_opt(c, "--password-file"))
		return cli_usage(c, "--key-file or --password-file, not both");
	r = cli_settings(c);
	if (r == CLI_DONE)
		r = read_file(c, cli_arg(c, 0), &list);
	if (r == CLI_DONE)
		r = deliver(c, &list, &imported);
	import_list_free(&list);
	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		cli_say(c, "%u token%s imported", imported, imported == 1 ? "" : "s");
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "imported", json_object_new_int64(imported));
	cli_json_print(&o);
	return CLI_DONE;
}
