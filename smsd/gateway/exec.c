/* The exec driver: a program of the administrator's gets the message on its standard
 * input, and its exit status is the outcome. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/gateway/exec.h"
#include "smsd/gateway/exec_helper.h"

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

struct order {
	uint32_t serial;
	struct attempt *attempt;
	TAILQ_ENTRY(order) next;
};

/* What the gateways of the driver share: the way to the helper. */
struct exec {
	struct event_base *base;
	int fd; /* -1: there is no helper */
	struct event *event;
	uint32_t serial;
	TAILQ_HEAD(orders, order) orders; /* that the helper has */
};

/* ---- what came of it ---- */

static void judge(
	const struct exec_settings *s, const struct exec_word *w, struct gateway_result *result_r)
{
	enum sms_outcome outcome = SMS_AMBIGUOUS;
	char *error = result_r->error;
	const size_t cap = sizeof result_r->error;

	switch (w->end) {
	case EXEC_EXITED:
		outcome = s->outcome[w->value & (STATUSES - 1)];
		snprintf(error, cap, "the program ended with status %d", w->value);
		break;
	case EXEC_SIGNALLED:
		snprintf(error, cap, "the program was ended by signal %d", w->value);
		break;
	case EXEC_LATE:
		snprintf(error, cap, "the program took too long");
		break;
	case EXEC_NOT_RUN:
		/* Want of memory passes; a program that is not there stays away. */
		outcome = w->value == EAGAIN || w->value == ENOMEM ? SMS_RETRYABLE : SMS_PERMANENT;
		snprintf(error, cap, "the program cannot be run: %s", strerror(w->value));
		break;
	case EXEC_CHANGED:
		outcome = SMS_PERMANENT;
		snprintf(error, cap, "the command is new: restart magotp-smsd");
		break;
	}
	result_r->outcome = outcome;
	if (outcome == SMS_ACCEPTED)
		*error = '\0';
}

static void finish(struct exec *x, struct order *o, const struct gateway_result *result)
{
	struct attempt *a = o->attempt;

	TAILQ_REMOVE(&x->orders, o, next);
	free(o);
	a->done(a, result);
}

/* No word will come any more. */
static void lose_helper(struct exec *x, const char *why)
{
	struct gateway_result lost = { .outcome = SMS_AMBIGUOUS };
	struct order *o;

	if (x->event)
		event_free(x->event);
	x->event = NULL;
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
	snprintf(lost.error, sizeof lost.error, "%s", why);
	while ((o = TAILQ_FIRST(&x->orders)))
		finish(x, o, &lost);
}

static void on_word(evutil_socket_t fd, short what, void *arg)
{
	struct exec *x = arg;
	struct exec_word word;
	struct order *o;
	ssize_t n = recv(fd, &word, sizeof word, MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof word) {
		mag_log(MAG_LOG_ERROR, "the process that runs programs has gone: restart");
		lose_helper(x, "the process that runs programs has gone");
		return;
	}
	TAILQ_FOREACH(o, &x->orders, next)
	{
		struct gateway_result result = { .outcome = SMS_AMBIGUOUS };

		if (o->serial != word.serial)
			continue;
		judge(o->attempt->gateway->driver, &word, &result);
		finish(x, o, &result);
		return;
	}
}

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

/* 0, or what is wrong: MAG_ERANGE (too long), MAG_EUNAVAILABLE, MAG_ESYS. */
static int hand_over(struct exec *x, const struct attempt *a, uint32_t serial)
{
	const struct exec_settings *s = a->gateway->driver;
	struct exec_order order;
	size_t len;
	int r;

	memset(&order, 0, sizeof order);
	order.serial = serial;
	order.timeout_ms = a->timeout_ms;
	memcpy(order.gateway, a->gateway->name, sizeof order.gateway);
	memcpy(order.command, s->command, sizeof order.command);
	r = write_input(a, &order);
	len = offsetof(struct exec_order, input) + order.len;
	if (r == 0 && send(x->fd, &order, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		r = MAG_ESYS;
	mag_wipe(&order, sizeof order);
	return r;
}

static void exec_send(struct attempt *a)
{
	struct exec *x = a->gateway->shared;
	struct gateway_result result = { .outcome = SMS_PERMANENT };
	struct order *o = NULL;
	int r;

	if (x->fd < 0) {
		snprintf(result.error, sizeof result.error,
			"nothing runs programs: restart magotp-smsd");
		a->done(a, &result);
		return;
	}
	o = calloc(1, sizeof *o);
	r = o ? hand_over(x, a, ++x->serial) : MAG_ENOMEM;
	if (r < 0) {
		free(o);
		result.outcome = r == MAG_ERANGE ? SMS_PERMANENT : SMS_RETRYABLE;
		snprintf(result.error, sizeof result.error, "cannot be handed over: %s",
			mag_strerror(r));
		a->done(a, &result);
		return;
	}
	o->serial = x->serial;
	o->attempt = a;
	TAILQ_INSERT_TAIL(&x->orders, o, next);
}

/* ---- the driver ---- */

static int exec_setup(struct event_base *base, void **shared_r)
{
	struct exec *x = calloc(1, sizeof *x);

	if (!x)
		return MAG_ENOMEM;
	x->base = base;
	x->fd = -1;
	TAILQ_INIT(&x->orders);
	*shared_r = x;
	return 0;
}

static int exec_attach(void *shared, int fd)
{
	struct exec *x = shared;

	x->fd = fd;
	x->event = event_new(x->base, fd, EV_READ | EV_PERSIST, on_word, x);
	return !x->event || event_add(x->event, NULL) < 0 ? MAG_ENOMEM : 0;
}

static void exec_teardown(void **shared)
{
	struct exec *x = *shared;

	*shared = NULL;
	if (x)
		lose_helper(x, "magotp-smsd is stopping");
	free(x);
}

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

const char *exec_command(const struct gateway *g)
{
	return ((const struct exec_settings *)g->driver)->command;
}

const struct gateway_ops gateway_exec = {
	.name = "exec",
	.channels = "sms voice email",
	.opts = exec_opts,
	.doc = "a program that gets the message on its standard input",
	.setup = exec_setup,
	.attach = exec_attach,
	.teardown = exec_teardown,
	.open = exec_open,
	.close = exec_close,
	.send = exec_send,
};
