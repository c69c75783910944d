/* The exec driver: a program of the administrator's gets the message on its standard
 * input, and its exit status is the outcome. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/gateway/exec_helper.h"
#include "smsd/gateway/program.h"

#define STATUSES 256

struct exec_settings {
	char command[EXEC_COMMAND_MAX], accepted[128], retry[128], refused[128];
	unsigned char outcome[STATUSES]; /* by exit status */
};

#define ROW(field) OPT_AT(struct exec_settings, field)
static const struct opt exec_opts[] = {
	{ "command", OPT_WORDS, "", 0, 0, NULL, ROW(command),
		"the program (an absolute path) and its arguments; there is no shell" },
	{ "exit_accepted", OPT_WORDS, "0", 0, 0, NULL, ROW(accepted),
		"exit statuses that mean accepted" },
	{ "exit_retry", OPT_WORDS, "69 75", 0, 0, NULL, ROW(retry),
		"exit statuses that mean not sent, try again" },
	{ "exit_refused", OPT_WORDS, "65 67", 0, 0, NULL, ROW(refused),
		"exit statuses that mean never; all others: nobody knows" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section exec_section = { "gateway", 1, exec_opts, NULL };

/* ---- sending ---- */

/* "Name: value" lines, an empty line, the text: easy to read for a shell, too. */
static int write_input(const struct attempt *a, struct exec_order *order)
{
	const struct sms_message *m = a->message;
	char language[sizeof m->language];
	const struct {
		const char *name, *value;
	} lines[] = {
		{ "To", m->to },
		{ "Channel", m->channel },
		{ "Id", m->id },
		{ "From", attempt_from(a) },
		{ "Language", mag_clean(language, sizeof language, m->language) },
		{ "Code", mag_secret_text(&m->code) },
		{ "Subject", a->subject ? a->subject : "" },
	};
	size_t n = 0, cap = sizeof order->input;

	for (size_t i = 0; i < sizeof lines / sizeof *lines && n < cap; i++)
		if (*lines[i].value)
			n += (size_t)snprintf(order->input + n, cap - n, "%s: %s\n", lines[i].name,
				lines[i].value);
	if (n < cap)
		n += (size_t)snprintf(order->input + n, cap - n, "Expires: %lld\n\n%s\n",
			(long long)m->expires_at, mag_secret_text(a->text));
	order->len = (uint32_t)n;
	return n < cap ? 0 : MAG_ERANGE;
}

static void exec_judge(const struct gateway *g, int status, struct gateway_result *result_r)
{
	const struct exec_settings *s = g->driver;

	result_r->outcome = s->outcome[status & (STATUSES - 1)];
}

static void exec_send(struct attempt *a)
{
	struct exec_order order;

	memset(&order, 0, sizeof order);
	program_run(a, &order, write_input(a, &order), exec_judge);
}

/* ---- the driver ---- */

/* "65 67" into the table. */
static int read_statuses(
	struct exec_settings *s, const char *words, enum sms_outcome outcome, const char **bad_r)
{
	static char word[16];
	char copy[sizeof s->retry], *save = NULL;

	snprintf(copy, sizeof copy, "%s", words);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		int64_t status;

		snprintf(word, sizeof word, "%.15s", w);
		*bad_r = word;
		if (mag_int_parse(w, 0, STATUSES - 1, &status) < 0 ||
			s->outcome[status] != SMS_AMBIGUOUS)
			return MAG_ERANGE;
		s->outcome[status] = (unsigned char)outcome;
	}
	return 0;
}

static int exec_open(struct gateway *g, const struct opt_tree *t, char err[OPT_ERROR_MAX])
{
	struct exec_settings *s = calloc(1, sizeof *s);
	const char *bad = "";
	int r;

	if (!s)
		return MAG_ENOMEM;
	g->driver = s;
	if ((r = opt_fill(t, &exec_section, g->name, s, err)) < 0)
		return r;
	if (s->command[0] != '/') {
		snprintf(err, OPT_ERROR_MAX,
			"[gateway %s] command: must begin with the absolute path of a program",
			g->name);
		return MAG_ESYNTAX;
	}
	memset(s->outcome, SMS_AMBIGUOUS, sizeof s->outcome);
	if (read_statuses(s, s->accepted, SMS_ACCEPTED, &bad) < 0 ||
		read_statuses(s, s->retry, SMS_RETRYABLE, &bad) < 0 ||
		read_statuses(s, s->refused, SMS_PERMANENT, &bad) < 0) {
		snprintf(err, OPT_ERROR_MAX,
			"[gateway %s]: exit status %s: must be 0 to 255 and have one meaning",
			g->name, bad);
		return MAG_ERANGE;
	}
	return 0;
}

static void exec_close(struct gateway *g)
{
	free(g->driver);
	g->driver = NULL;
}

static const char *exec_command(const struct gateway *g)
{
	return ((const struct exec_settings *)g->driver)->command;
}

const struct gateway_ops gateway_exec = {
	.name = "exec",
	.channels = "sms voice email",
	.opts = exec_opts,
	.doc = "a program that gets the message on its standard input",
	.setup = program_setup,
	.attach = program_attach,
	.teardown = program_teardown,
	.open = exec_open,
	.close = exec_close,
	.command = exec_command,
	.send = exec_send,
};
