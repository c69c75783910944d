/* magotpctl metrics: what both daemons have counted. One that is down is a number, too:
 * whoever watches wants to know just that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/metrics.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define TIMEOUT_MS 5000
#define PAGES_MAX  64

/* 0, or why there are no numbers. Who may not ask gets MAG_EPERM. */
static int ask(struct cli *c, const struct client *to, uint16_t message, const void *q, void *p)
{
	int r;

	memset(&c->result, 0, sizeof c->result);
	r = client_call(to, message, q, &c->result, p);
	/* The socket's own mode keeps others out before the daemon can say so. */
	if (r == MAG_ESYS && access(to->socket, W_OK) && errno == EACCES)
		r = MAG_EPERM;
	if (!r)
		r = c->result.error;
	if (r && r != MAG_EPERM)
		cli_note(c, "Nothing from %s: %s.", to->socket, mag_strerror(r));
	return r;
}

static void put_up(struct metrics *m, const char *name, const char *help, int r)
{
	const struct metric up = { .name = name, .type = "gauge", .help = help, .value = !r };

	metrics_add(m, &up);
}

/* ---- the broker: it names its numbers itself ---- */

/* "step=verify,verdict=ok", cut apart in place. */
static void split(char *labels, struct metric *s)
{
	char *save = NULL, *word = strtok_r(labels, ",", &save);

	for (size_t i = 0; i < METRIC_LABELS && word; i++) {
		char *value = strchr(word, '=');

		if (!value)
			return;
		*value++ = 0;
		s->labels[i].name = word;
		s->labels[i].value = value;
		word = strtok_r(NULL, ",", &save);
	}
}

static void put_stat(struct metrics *m, struct wire_stat *row)
{
	struct metric s = { .name = row->name,
		.suffix = row->suffix,
		.type = row->type,
		.help = row->help,
		.value = row->value,
		.scale = row->scale };

	split(row->labels, &s);
	metrics_add(m, &s);
}

static int put_broker(struct cli *c, struct metrics *m)
{
	struct wire_stats_req q = { 0 };
	struct wire_stats_rep *p = calloc(1, sizeof *p);
	int r = p ? 0 : MAG_ENOMEM;

	for (int page = 0; !r && page < PAGES_MAX; page++) {
		memset(p, 0, sizeof *p);
		r = ask(c, &c->client, WIRE_MSG_STATS, &q, p);
		if (!page && r != MAG_EPERM)
			put_up(m, "magotp_otpcored_up", "Does otpcored answer?", r);
		for (size_t i = 0; !r && i < p->n_stats; i++)
			put_stat(m, &p->stats[i]);
		q.after += (uint32_t)p->n_stats;
		if (!p->more)
			break;
	}
	free(p);
	return r;
}

/* ---- the dispatcher ---- */

struct family {
	const char *name, *type, *help;
	void (*rows)(
		const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p);
};

static void put(
	struct metrics *m, const struct family *f, const char *const labels[4], int64_t value)
{
	struct metric s = { .name = f->name, .type = f->type, .help = f->help, .value = value };

	for (size_t i = 0; i < 4 && labels && labels[i]; i += 2) {
		s.labels[i / 2].name = labels[i];
		s.labels[i / 2].value = labels[i + 1];
	}
	metrics_add(m, &s);
}

static void started(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	put(m, f, NULL, p->started_at);
}

static void queued(const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	put(m, f, NULL, p->queued);
}

static void queue_max(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	put(m, f, NULL, p->queue_max);
}

static void attempts(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_gateways; i++) {
		const struct wire_gateway *g = &p->gateways[i];
		const char *accepted[] = { "gateway", g->name, "outcome", "accepted" };
		const char *failed[] = { "gateway", g->name, "outcome", "failed" };

		put(m, f, accepted, g->accepted);
		put(m, f, failed, g->failed);
	}
}

static void receipts(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_gateways; i++) {
		const struct wire_gateway *g = &p->gateways[i];
		const struct {
			const char *result;
			uint32_t n;
		} rows[] = { { "delivered", g->delivered }, { "undelivered", g->undelivered },
			{ "silent", g->silent } };

		for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
			const char *labels[] = { "gateway", g->name, "result", rows[j].result };

			put(m, f, labels, rows[j].n);
		}
	}
}

static void waiting(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_gateways; i++) {
		const char *labels[4] = { "gateway", p->gateways[i].name };

		put(m, f, labels, p->gateways[i].waiting);
	}
}

static void resting(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_gateways; i++) {
		const struct wire_gateway *g = &p->gateways[i];
		char words[sizeof g->channels], *save = NULL;

		mag_copy(words, sizeof words, g->channels);
		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			const char *labels[] = { "gateway", g->name, "channel", w };

			put(m, f, labels, strstr(g->resting, w) != NULL);
		}
	}
}

static void last_accepted(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_gateways; i++) {
		const char *labels[4] = { "gateway", p->gateways[i].name };

		put(m, f, labels, p->gateways[i].last_accepted);
	}
}

static void put_windows(const struct family *f, struct metrics *m, const struct wire_limit *l,
	uint32_t hour, uint32_t day)
{
	const char *of_hour[] = { "limit", l->name, "window", "hour" };
	const char *of_day[] = { "limit", l->name, "window", "day" };

	put(m, f, of_hour, hour);
	put(m, f, of_day, day);
}

static void used(const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_limits; i++)
		if (!p->limits[i].stopped_until)
			put_windows(
				f, m, &p->limits[i], p->limits[i].hour_used, p->limits[i].day_used);
}

static void most(const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_limits; i++)
		if (!p->limits[i].stopped_until)
			put_windows(f, m, &p->limits[i], p->limits[i].hour_limit,
				p->limits[i].day_limit);
}

static void refused(
	const struct family *f, struct metrics *m, const struct wire_gateway_list_rep *p)
{
	for (size_t i = 0; i < p->n_limits; i++) {
		const char *labels[4] = { "limit", p->limits[i].name };

		if (p->limits[i].stopped_until)
			continue;
		put(m, f, labels, p->limits[i].refused);
	}
}

static const struct family families[] = {
	{ "magotp_smsd_start_time_seconds", "gauge", "When magotp-smsd started, Unix time.",
		started },
	{ "magotp_smsd_queue_messages", "gauge", "Messages without an outcome.", queued },
	{ "magotp_smsd_queue_limit", "gauge", "How many of them there may be.", queue_max },
	{ "magotp_gateway_attempts_total", "counter", "Attempts of a gateway.", attempts },
	{ "magotp_gateway_receipts_total", "counter",
		"What became of accepted messages, as far as receipts said in time.", receipts },
	{ "magotp_gateway_waiting", "gauge", "Attempts under way.", waiting },
	{ "magotp_gateway_resting", "gauge", "1: after failures in a row it is asked last.",
		resting },
	{ "magotp_gateway_last_accepted_timestamp_seconds", "gauge",
		"When a gateway last took a message, Unix time; 0: never.", last_accepted },
	{ "magotp_limit_used", "gauge",
		"Messages within the window; of prefix and number the fullest.", used },
	{ "magotp_limit_max", "gauge", "How many there may be.", most },
	{ "magotp_limit_refused_total", "counter", "Messages refused by a limit.", refused },
};

static int put_smsd(struct cli *c, struct metrics *m)
{
	const struct wire_gateway_list_req q = { 0 };
	struct wire_gateway_list_rep *p = calloc(1, sizeof *p);
	struct client to = c->client;
	int r = MAG_ENOMEM;

	to.socket =
		c->settings && *c->settings->smsd_socket ? c->settings->smsd_socket : SMSD_SOCKET;
	to.server_uid = client_server_uid(to.socket);
	if (p)
		r = ask(c, &to, WIRE_MSG_GATEWAY_LIST, &q, p);
	if (r != MAG_EPERM)
		put_up(m, "magotp_smsd_up", "Does magotp-smsd answer?", r);
	for (size_t i = 0; !r && i < sizeof families / sizeof *families; i++)
		families[i].rows(&families[i], m, p);
	free(p);
	return r;
}

int cmd_metrics(struct cli *c)
{
	struct metrics *m;
	int r = cli_settings(c), broker, smsd = 0;

	if (r != CLI_DONE)
		return r;
	c->client.timeout_ms = TIMEOUT_MS;
	m = metrics_new(stdout, c->json);
	if (!m)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	broker = put_broker(c, m);
	if (broker != MAG_EPERM)
		smsd = put_smsd(c, m);
	metrics_free(&m);
	if (broker == MAG_EPERM || smsd == MAG_EPERM)
		return cli_fail(c, CLI_REFUSED, "not-allowed", "Only root may do that.");
	return CLI_DONE;
}
