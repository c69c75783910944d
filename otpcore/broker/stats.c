#include "otpcore/broker/stats.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"

#define N(array) (sizeof(array) / sizeof *(array))

/* Messages whose verdicts tell how logins go. */
static const uint16_t steps[STATS_STEPS] = { WIRE_MSG_SEND, WIRE_MSG_VERIFY, WIRE_MSG_RESYNC,
	WIRE_MSG_SKIP, WIRE_MSG_ACCOUNT, WIRE_MSG_OPEN, WIRE_MSG_ENROLL_KEY, WIRE_MSG_ENROLL_PHONE,
	WIRE_MSG_ENROLL_VERIFY, WIRE_MSG_ENROLL_TOKEN, WIRE_MSG_ENROLL_MOBILE };

/* As in enum login_decision and enum login_delivery; "" is not counted. */
static const char *const decisions[] = { "", "ask", "pass", "exempt", "deny", "enroll", "caller",
	"groups" };
static const char *const deliveries[] = { "", "pending", "accepted", "failed" };
static const char *const fates[] = { "unknown", "nothing", "delivered", "failed" };
static const char *const channels[STATS_CHANNELS] = { "sms", "voice", "email" };

static const char *const errors[] = {
#define MAG_ERR(name, number, text) [number] = #name,
#include "otpcore/base/err.def"
#undef MAG_ERR
};

/* Upper bounds; 0 ends them, and everything beyond is in the last bucket. */
static const int64_t us_bounds[STATS_BOUNDS] = { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,
	250000, 1000000, 5000000 };
static const int64_t holds_bounds[STATS_BOUNDS] = { 1, 2, 4, 8, 16, 32, 64, 128 };

/* ---- counting ---- */

static void decided(struct stats *s, int phase, uint32_t decision)
{
	if (decision < N(s->decisions[phase]))
		s->decisions[phase][decision]++;
}

void stats_answer(
	struct stats *s, uint16_t message, const struct wire_result *result, const void *reply)
{
	s->requests++;
	if (result->error) {
		if (-result->error > 0 && -result->error < (int)N(s->errors))
			s->errors[-result->error]++;
		return;
	}
	if (message == WIRE_MSG_BEGIN)
		decided(s, 0, ((const struct wire_begin_rep *)reply)->decision);
	if (message == WIRE_MSG_ACCOUNT)
		decided(s, 1, ((const struct wire_account_rep *)reply)->decision);
	for (size_t i = 0; i < N(steps); i++)
		if (steps[i] == message && result->verdict < N(s->steps[i]))
			s->steps[i][result->verdict]++;
}

void stats_sent(struct stats *s, const char *channel, unsigned delivery)
{
	for (size_t i = 0; i < N(channels); i++)
		if (mag_streq(channels[i], channel) && delivery < N(s->sent[i]))
			s->sent[i][delivery]++;
}

void stats_fate(struct stats *s, unsigned state)
{
	if (state < N(s->fates))
		s->fates[state]++;
}

static void observe(struct stats_histogram *h, const int64_t *bounds, int64_t value)
{
	size_t i = 0;

	while (i < STATS_BOUNDS - 1 && bounds[i] && value > bounds[i])
		i++;
	h->in[i]++;
	h->count++;
	h->sum += value > 0 ? (uint64_t)value : 0;
}

void stats_tick(struct stats *s, size_t requests, int64_t us, bool refused)
{
	observe(&s->tick_us, us_bounds, us);
	observe(&s->tick_holds, holds_bounds, (int64_t)requests);
	s->refused += refused;
}

void stats_race(struct stats *s)
{
	s->races++;
}

/* ---- telling ---- */

struct page {
	const struct stats *s;
	const struct stats_now *now;
	uint32_t after, seen;
	struct wire_stats_rep *rep;
};

struct family {
	const char *name, *type, *help;
	void (*rows)(const struct family *f, struct page *p);
};

/* One number; labels are words of ours, without comma or quotes. */
static void put(struct page *p, const struct family *f, const char *labels, uint64_t value)
{
	struct wire_stat *row;

	if (p->seen++ < p->after || p->rep->more)
		return;
	if (p->rep->n_stats == N(p->rep->stats)) {
		p->rep->more = 1;
		return;
	}
	row = &p->rep->stats[p->rep->n_stats++];
	*row = (struct wire_stat){ .value = (int64_t)value, .scale = 1 };
	mag_copy(row->name, sizeof row->name, f->name);
	mag_copy(row->type, sizeof row->type, f->type);
	mag_copy(row->help, sizeof row->help, f->help);
	mag_copy(row->labels, sizeof row->labels, labels);
}

static void put_part(struct page *p, const struct family *f, const char *suffix, const char *labels,
	uint64_t value, uint32_t scale)
{
	size_t before = p->rep->n_stats;
	struct wire_stat *row = &p->rep->stats[before];

	put(p, f, labels, value);
	if (p->rep->n_stats == before)
		return;
	mag_copy(row->suffix, sizeof row->suffix, suffix);
	row->scale = scale;
}

static void put_histogram(struct page *p, const struct family *f, const struct stats_histogram *h,
	const int64_t *bounds, uint32_t scale)
{
	uint64_t below = 0;
	char labels[40];

	for (size_t i = 0; i < STATS_BOUNDS && bounds[i]; i++) {
		below += h->in[i];
		snprintf(labels, sizeof labels, "le=%g", (double)bounds[i] / scale);
		put_part(p, f, "_bucket", labels, below, 1);
	}
	put_part(p, f, "_bucket", "le=+Inf", h->count, 1);
	put_part(p, f, "_sum", "", h->sum, scale);
	put_part(p, f, "_count", "", h->count, 1);
}

static void info(const struct family *f, struct page *p)
{
	char labels[sizeof p->rep->stats->labels];

	snprintf(labels, sizeof labels, "version=%s,store=%s,schema=%d", p->now->version,
		p->now->store, p->now->schema);
	put(p, f, labels, 1);
}

static void started(const struct family *f, struct page *p)
{
	put(p, f, "", (uint64_t)p->now->started_at);
}

static void connections(const struct family *f, struct page *p)
{
	put(p, f, "state=open", p->now->connections);
	put(p, f, "state=busy", p->now->busy);
}

static void orders(const struct family *f, struct page *p)
{
	put(p, f, "", p->now->orders);
}

static void requests(const struct family *f, struct page *p)
{
	put(p, f, "", p->s->requests);
}

static void failed(const struct family *f, struct page *p)
{
	char labels[40] = "error=";
	size_t at = strlen(labels), n;

	for (size_t i = 0; i < N(errors); i++) {
		if (!errors[i] || !p->s->errors[i])
			continue;
		for (n = 0; errors[i][n] && at + n + 1 < sizeof labels; n++)
			labels[at + n] = (char)tolower((unsigned char)errors[i][n]);
		labels[at + n] = 0;
		put(p, f, labels, p->s->errors[i]);
	}
}

static void logins(const struct family *f, struct page *p)
{
	static const char *const phases[] = { "begin", "account" };
	char labels[64];

	for (size_t phase = 0; phase < N(phases); phase++)
		for (size_t i = 1; i < N(decisions); i++)
			if (p->s->decisions[phase][i]) {
				snprintf(labels, sizeof labels, "phase=%s,decision=%s",
					phases[phase], decisions[i]);
				put(p, f, labels, p->s->decisions[phase][i]);
			}
}

static void login_steps(const struct family *f, struct page *p)
{
	char labels[96];

	for (size_t i = 0; i < N(steps); i++)
		for (unsigned v = 1; v < N(p->s->steps[i]); v++)
			if (p->s->steps[i][v]) {
				snprintf(labels, sizeof labels, "step=%s,verdict=%s",
					wire_message_by_id(steps[i])->name, verdict_id(v));
				put(p, f, labels, p->s->steps[i][v]);
			}
}

static void sent(const struct family *f, struct page *p)
{
	char labels[64];

	for (size_t c = 0; c < N(channels); c++)
		for (size_t i = 1; i < N(deliveries); i++) {
			snprintf(labels, sizeof labels, "channel=%s,outcome=%s", channels[c],
				deliveries[i]);
			put(p, f, labels, p->s->sent[c][i]);
		}
}

static void arrived(const struct family *f, struct page *p)
{
	char labels[32];

	for (size_t i = 0; i < N(fates); i++) {
		snprintf(labels, sizeof labels, "state=%s", fates[i]);
		put(p, f, labels, p->s->fates[i]);
	}
}

static void tick_time(const struct family *f, struct page *p)
{
	put_histogram(p, f, &p->s->tick_us, us_bounds, 1000000);
}

static void tick_holds(const struct family *f, struct page *p)
{
	put_histogram(p, f, &p->s->tick_holds, holds_bounds, 1);
}

static void races(const struct family *f, struct page *p)
{
	put(p, f, "", p->s->races);
}

static void refused(const struct family *f, struct page *p)
{
	put(p, f, "", p->s->refused);
}

static void journal_failures(const struct family *f, struct page *p)
{
	put(p, f, "", p->s->journal_failures);
}

static const struct family families[] = {
	{ "magotp_otpcored_info", "gauge", "What runs: version, store and its schema.", info },
	{ "magotp_otpcored_start_time_seconds", "gauge", "When otpcored started, Unix time.",
		started },
	{ "magotp_connections", "gauge", "Clients of otpcored; busy: a request is under way.",
		connections },
	{ "magotp_messages_under_way", "gauge", "Messages that magotp-smsd has not answered yet.",
		orders },
	{ "magotp_requests_total", "counter", "Requests answered.", requests },
	{ "magotp_request_errors_total", "counter", "Requests that could not be served.", failed },
	{ "magotp_logins_total", "counter", "What was decided about logins, by phase.", logins },
	{ "magotp_login_steps_total", "counter", "Steps of logins and what came of them.",
		login_steps },
	{ "magotp_messages_total", "counter", "Codes and mails handed to magotp-smsd.", sent },
	{ "magotp_deliveries_total", "counter",
		"What receipts said of accepted codes; nothing: no receipt.", arrived },
	{ "magotp_tick_seconds", "histogram", "Time that the store took for a tick.", tick_time },
	{ "magotp_tick_requests", "histogram", "Requests that shared one commit.", tick_holds },
	{ "magotp_lost_races_total", "counter", "Requests decided again, as a row had changed.",
		races },
	{ "magotp_ticks_refused_total", "counter", "Ticks that the store did not take.", refused },
	{ "magotp_journal_failures_total", "counter",
		"Times that the journal of what is spent could not be written.", journal_failures },
};

void stats_page(const struct stats *s, const struct stats_now *now, uint32_t after,
	struct wire_stats_rep *rep)
{
	struct page p = { .s = s, .now = now, .after = after, .rep = rep };

	for (size_t i = 0; i < N(families); i++)
		families[i].rows(&families[i], &p);
}
