/* The registering array of drivers, and what all gateways have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/gateway.h"

/* After so many failures in a row a gateway is asked last for a while, so that
 * logins do not wait for its time-out one after the other. */
#define FAILURES_BEFORE_REST 3
#define REST_MS              30000
/* A pause that a gateway asks for; a mistake there must not silence it for a day. */
#define MUTE_MAX_MS 300000

#define OPTS_MAX 128

const struct gateway_ops *const gateway_drivers[] = {
	&gateway_http,
	&gateway_outbox,
	&gateway_smtp,
	&gateway_spool,
	&gateway_exec,
	&gateway_sip,
	NULL,
};

static const char *const receipt_kinds[] = { "no", "callback", "poll", NULL };
static const char *const driver_names[] = { "http", "outbox", "smtp", "spool", "exec", "sip",
	NULL };

#define ROW(field) offsetof(struct gateway, field), sizeof(((struct gateway *)0)->field)
const struct opt gateway_common_opts[] = {
	{ "driver", OPT_ENUM, NULL, 0, 0, driver_names, ROW(driver_index),
		"how the gateway is spoken to" },
	{ "channels", OPT_WORDS, "sms", 0, 0, NULL, ROW(channels),
		"what it is used for: sms, voice, email" },
	{ "priority", OPT_INT, "10", 0, 1000, NULL, ROW(priority),
		"lower is asked first; equal ones share by weight" },
	{ "weight", OPT_INT, "1", 1, 1000, NULL, ROW(weight),
		"share among gateways of equal priority" },
	{ "countries", OPT_WORDS, "", 0, 0, NULL, ROW(countries),
		"ISO codes of the countries it serves; empty: all that are allowed" },
	{ "timeout", OPT_DURATION, "6s", 1, 120, NULL, ROW(timeout),
		"how long one attempt may take" },
	{ "from", OPT_TEXT, "", 0, 0, NULL, ROW(from), "the sender's number or name: {from}" },
	{ "receipts", OPT_ENUM, "no", 0, 0, receipt_kinds, ROW(receipts),
		"how it tells what became of a message: callback (to [receipts]) or poll" },
	{ "receipt_wait", OPT_DURATION, "25s", 1, 300, NULL, ROW(receipt_wait),
		"no receipt for so long: the next gateway sends the same code" },
	{ "poll_every", OPT_DURATION, "5s", 1, 60, NULL, ROW(poll_every),
		"with receipts = poll: the pause between two questions" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt_section common_section = { "gateway", 1, gateway_common_opts,
	"a way to the phone" };

/* Two drivers may have a key in common; the section lists it once. */
static void add_rows(struct opt *all, size_t *n, const struct opt *rows)
{
	for (; rows && rows->key; rows++) {
		size_t i = 0;

		while (i < *n && strcmp(all[i].key, rows->key) != 0)
			i++;
		if (i == *n && *n < OPTS_MAX)
			all[(*n)++] = *rows;
	}
}

const struct opt_section *gateway_section(void)
{
	static struct opt all[OPTS_MAX + 1];
	static struct opt_section section = { "gateway", 1, all, "a way to the phone" };
	size_t n = 0;

	if (all[0].key)
		return &section;
	add_rows(all, &n, gateway_common_opts);
	for (size_t i = 0; gateway_drivers[i]; i++)
		add_rows(all, &n, gateway_drivers[i]->opts);
	return &section;
}

struct key_check {
	const struct gateway_ops *ops;
	char *err;
};

/* A key that another driver knows but this one does not is a mistake, too. */
static int check_key(const struct opt_value *v, void *arg)
{
	struct key_check *check = arg;
	const char *nearest = NULL;

	if (opt_find(gateway_common_opts, v->key, &nearest) ||
		opt_find(check->ops->opts, v->key, &nearest))
		return 0;
	snprintf(check->err, OPT_ERROR_MAX, "%s:%d: the driver \"%s\" has no \"%s\"%s%s%s", v->file,
		v->line, check->ops->name, v->key, nearest ? "; do you mean \"" : "",
		nearest ? nearest : "", nearest ? "\"?" : "");
	return MAG_ESYNTAX;
}

static int check_words(const struct gateway *g, char err[OPT_ERROR_MAX])
{
	char words[sizeof g->channels], *save = NULL;

	memcpy(words, g->channels, sizeof words);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (sms_has_word(g->ops->channels, w))
			continue;
		snprintf(err, OPT_ERROR_MAX,
			"[gateway %s] channels: the driver \"%s\" has no channel \"%s\"; it has: "
			"%s",
			g->name, g->ops->name, w, g->ops->channels);
		return MAG_ERANGE;
	}
	return 0;
}

static int check_receipts(const struct gateway *g, char err[OPT_ERROR_MAX])
{
	if (g->receipts == RECEIPTS_NO ||
		(g->receipts == RECEIPTS_CALLBACK ? g->ops->receipt != NULL : g->ops->poll != NULL))
		return 0;
	snprintf(err, OPT_ERROR_MAX, "[gateway %s] receipts: the driver \"%s\" has no \"%s\"",
		g->name, g->ops->name, receipt_kinds[g->receipts]);
	return MAG_ERANGE;
}

int gateway_new(const char *name, const struct opt_tree *t, void *const *shared,
	struct gateway **gateway_r, char err[OPT_ERROR_MAX])
{
	struct gateway *g = calloc(1, sizeof *g);
	struct key_check check = { NULL, err };
	int r = MAG_ENOMEM;

	if (!g)
		return r;
	g->refs = 1;
	r = mag_copy(g->name, sizeof g->name, name);
	if (r < 0) {
		snprintf(err, OPT_ERROR_MAX, "[gateway %.40s...]: the name is too long", name);
		goto out;
	}
	if (!opt_get(t, "gateway", name, "driver")) {
		snprintf(err, OPT_ERROR_MAX, "[gateway %s]: driver is missing", name);
		r = MAG_ESYNTAX;
		goto out;
	}
	if ((r = opt_fill(t, &common_section, name, g, err)) < 0)
		goto out;
	check.ops = gateway_drivers[g->driver_index];
	if ((r = opt_each(t, "gateway", name, check_key, &check)) < 0)
		goto out;
	g->ops = check.ops;
	g->shared = shared[g->driver_index];
	if ((r = check_words(g, err)) < 0 || (r = check_receipts(g, err)) < 0 ||
		(r = g->ops->open(g, t, err)) < 0)
		goto out;
	*gateway_r = g;
	g = NULL;
	r = 0;
out:
	gateway_free(&g);
	return r;
}

struct gateway *gateway_ref(struct gateway *g)
{
	g->refs++;
	return g;
}

void gateway_free(struct gateway **gateway)
{
	struct gateway *g = *gateway;

	*gateway = NULL;
	if (!g || --g->refs)
		return;
	if (g->ops)
		g->ops->close(g);
	free(g);
}

static bool is_weak(const struct gateway_health *h)
{
	return h->failures >= FAILURES_BEFORE_REST || h->silent >= FAILURES_BEFORE_REST;
}

/* A rest is over: one message tries, the others go on by another way until it is
 * known how that went. */
void gateway_started(struct gateway *g, const char *channel, int64_t ticks)
{
	struct gateway_health *h = &g->stats.health[sms_channel(channel)];

	g->stats.waiting++;
	if (is_weak(h) && h->rest_until <= ticks)
		h->rest_until = ticks + 1000 * (h->silent ? g->receipt_wait : g->timeout);
}

void gateway_finished(struct gateway *g, const char *channel, const struct gateway_result *result,
	struct queue_time t)
{
	struct gateway_stats *s = &g->stats;
	struct gateway_health *h = &s->health[sms_channel(channel)];

	s->waiting--;
	if (result->outcome == SMS_ACCEPTED) {
		s->accepted++;
		s->last_accepted = t.now_ms / 1000;
		h->failures = 0;
		h->mute_until = 0;
		/* To take messages and lose them is no health. */
		if (!is_weak(h))
			h->rest_until = 0;
		return;
	}
	s->failed++;
	memcpy(s->last_error, result->error, sizeof s->last_error);
	/* A refusal for good concerns the message, not the gateway's health. */
	if (result->outcome != SMS_PERMANENT && ++h->failures >= FAILURES_BEFORE_REST)
		h->rest_until = t.ticks + REST_MS;
	if (result->rest_ms > 0)
		h->mute_until =
			t.ticks + (result->rest_ms < MUTE_MAX_MS ? result->rest_ms : MUTE_MAX_MS);
}

void gateway_heard(struct gateway *g, const char *channel, bool heard, int64_t ticks)
{
	struct gateway_health *h = &g->stats.health[sms_channel(channel)];

	if (!heard) {
		g->stats.silent++;
		if (++h->silent >= FAILURES_BEFORE_REST)
			h->rest_until = ticks + REST_MS;
		return;
	}
	h->silent = 0;
	if (!is_weak(h))
		h->rest_until = 0;
}

bool gateway_rests(const struct gateway *g, const char *channel, int64_t ticks)
{
	const struct gateway_health *h = &g->stats.health[sms_channel(channel)];

	return h->rest_until > ticks || h->mute_until > ticks;
}

int64_t gateway_mute_until(const struct gateway *g, const char *channel)
{
	return g->stats.health[sms_channel(channel)].mute_until;
}
