/* Rows of gateway_list. */
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "smsd/report.h"

static void fill_row(struct wire_gateway *row, const struct gateway *g, int64_t ticks)
{
	size_t n = 0;

	snprintf(row->name, sizeof row->name, "%s", g->name);
	snprintf(row->driver, sizeof row->driver, "%s", g->ops->name);
	snprintf(row->channels, sizeof row->channels, "%s", g->channels);
	snprintf(row->countries, sizeof row->countries, "%s", g->countries);
	row->priority = (uint32_t)g->priority;
	row->weight = (uint32_t)g->weight;
	row->accepted = g->stats.accepted;
	row->failed = g->stats.failed;
	row->waiting = g->stats.waiting;
	row->delivered = g->stats.delivered;
	row->undelivered = g->stats.undelivered;
	row->silent = g->stats.silent;
	row->last_accepted = g->stats.last_accepted;
	mag_clean(row->last_error, sizeof row->last_error, g->stats.last_error);
	for (unsigned i = 0; i < SMS_CHANNELS && n < sizeof row->resting; i++)
		if (gateway_rests(g, sms_channel_names[i], ticks))
			n += (size_t)snprintf(row->resting + n, sizeof row->resting - n, "%s%s",
				n ? " " : "", sms_channel_names[i]);
}

static void fill_limits(
	struct wire_gateway_list_rep *body, struct limits *limits, struct queue_time t)
{
	struct limit_row rows[sizeof body->limits / sizeof *body->limits];
	int n = limits_rows(limits, t.ticks, rows, sizeof rows / sizeof *rows);

	for (int i = 0; i < n; i++) {
		struct wire_limit *row = &body->limits[i];

		memcpy(row->name, rows[i].name, sizeof rows[i].name);
		row->hour_used = (uint32_t)rows[i].hour_used;
		row->hour_limit = (uint32_t)rows[i].hour_limit;
		row->day_used = (uint32_t)rows[i].day_used;
		row->day_limit = (uint32_t)rows[i].day_limit;
		row->refused = rows[i].refused;
		if (rows[i].stopped_ms)
			row->stopped_until = (t.now_ms + rows[i].stopped_ms) / 1000;
	}
	body->n_limits = (size_t)n;
}

void report_gateways(struct queue_config *q, struct wire_gateway_list_rep *body)
{
	struct queue_time t = q->time(q->arg);

	for (size_t i = 0; i < q->n_gateways; i++)
		fill_row(&body->gateways[i], q->gateways[i], t.ticks);
	body->n_gateways = q->n_gateways;
	fill_limits(body, &q->limits, t);
}
