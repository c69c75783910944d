/* The loop: the queue runs when a message comes, when a driver has word, and when
 * its own time has come. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "smsd/daemon.h"
#include "smsd/listen.h"
#include "smsd/receipt_desk.h"
#include "smsd/settings.h"

#define DRIVERS_MAX 8

struct daemon {
	char config[256];
	struct event_base *base;
	void *shared[DRIVERS_MAX]; /* of the drivers, in the order of gateway_drivers */
	struct smsd_settings *settings;
	struct queue_config queue_config;
	struct queue *queue;
	struct listen_config listen_config;
	struct listener *listener;
	struct receipt_desk_config desk_config;
	struct receipt_desk *desk; /* NULL: nobody listens for receipts */
	struct event *run, *drained, *on_term, *on_int, *on_hup;
	bool stopping;
};

/* ---- what the queue is given ---- */

static struct queue_time daemon_time(void *arg)
{
	(void)arg;
	return (struct queue_time){ .ticks = mag_ticks_ms(), .now_ms = mag_now_ms() };
}

static uint32_t daemon_random(void *arg, uint32_t below)
{
	uint32_t value = 0;

	(void)arg;
	/* Without chance the order of the files decides: no reason to fail. The
	 * bias of the remainder is of no consequence here. */
	if (mag_random(&value, sizeof value) < 0)
		return 0;
	return value % below;
}

static void daemon_wake(void *arg)
{
	struct daemon *d = arg;

	event_active(d->run, EV_TIMEOUT, 0);
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	int64_t wait = queue_run(d->queue);

	(void)fd;
	(void)what;
	if (wait >= 0) {
		const struct timeval tv = { wait / 1000, wait % 1000 * 1000 };

		event_add(d->run, &tv);
	}
	if (d->stopping && queue_idle(d->queue))
		event_base_loopbreak(d->base);
}

static int daemon_receipt_url(
	void *arg, const struct gateway *g, const char *id, struct mag_secret *url_r)
{
	const struct daemon *d = arg;

	return d->desk ? receipt_desk_url(d->desk, g, id, url_r) : 0;
}

static const char *desk_url(void *arg)
{
	const struct daemon *d = arg;

	return d->settings->receipts.url;
}

/* ---- settings ---- */

static void apply(struct daemon *d)
{
	const struct smsd_settings *s = d->settings;
	struct queue_config *q = &d->queue_config;

	q->gateways = s->gateways;
	q->n_gateways = s->n_gateways;
	q->parallel = s->parallel;
	q->max_waiting = s->max_waiting;
	q->max_watched = s->max_watched;
	q->autofill = s->autofill;
	q->templates = s->templates;
	q->limits.allowed_countries = s->allowed_countries;
	/* What was spent stays spent. */
	q->limits.hour.limit = s->budget_hour;
	q->limits.day.limit = s->budget_day;
	q->limits.used_watch = s->used_watch;
	for (int i = 0; i < LIMIT_SCOPES; i++) {
		q->limits.each[i].hour = s->each_hour[i];
		q->limits.each[i].day = s->each_day[i];
	}
}

static void keep_stats(const struct smsd_settings *old, struct smsd_settings *fresh)
{
	for (size_t i = 0; i < fresh->n_gateways; i++) {
		for (size_t j = 0; j < old->n_gateways; j++) {
			if (strcmp(fresh->gateways[i]->name, old->gateways[j]->name) != 0)
				continue;
			fresh->gateways[i]->stats = old->gateways[j]->stats;
			fresh->gateways[i]->stats.waiting = 0;
			/* It may have been mended: asked in its turn again. */
			memset(fresh->gateways[i]->stats.health, 0,
				sizeof fresh->gateways[i]->stats.health);
		}
	}
}

static int resolve_clients(struct daemon *d, const struct smsd_settings *s, char err[OPT_ERROR_MAX])
{
	struct listen_config *l = &d->listen_config;
	uid_t uids[LISTEN_CLIENTS_MAX] = { 0 };
	char words[sizeof s->clients], *save = NULL;
	size_t n = 0;

	memcpy(words, s->clients, sizeof words);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		const struct passwd *pw = getpwnam(w);
		int64_t uid;

		if (n == LISTEN_CLIENTS_MAX) {
			snprintf(err, OPT_ERROR_MAX, "[smsd] clients: %d at most",
				LISTEN_CLIENTS_MAX);
			return MAG_ERANGE;
		}
		if (pw)
			uids[n++] = pw->pw_uid;
		else if (mag_int_parse(w, 0, UINT32_MAX - 1, &uid) == 0)
			uids[n++] = (uid_t)uid;
		else
			/* Not fatal: root may still hand messages over. */
			mag_log(MAG_LOG_WARNING, "[smsd] clients: there is no user \"%s\"", w);
	}
	memcpy(l->clients, uids, sizeof uids);
	l->n_clients = n;
	return 0;
}

static int reload(struct daemon *d, char err[OPT_ERROR_MAX])
{
	struct smsd_settings *fresh = NULL;
	int r = smsd_settings_load(d->config, d->shared, &fresh, err);

	if (r == 0)
		r = resolve_clients(d, fresh, err);
	if (r < 0) {
		smsd_settings_free(&fresh);
		return r;
	}
	if (d->settings)
		keep_stats(d->settings, fresh);
	smsd_settings_free(&d->settings);
	d->settings = fresh;
	apply(d);
	return 0;
}

/* Unlike rights to settings, the sandbox does not widen. */
static void check_reach(const char *path, bool write, void *arg)
{
	int fd = write ? open(path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)
		       : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	(void)arg;
	if (fd >= 0)
		close(fd);
	else if (errno == EACCES)
		mag_log(MAG_LOG_ERROR, "%s: out of reach until a restart", path);
}

static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	char err[OPT_ERROR_MAX];

	(void)fd;
	(void)what;
	char listened[sizeof d->settings->receipts.listen];

	memcpy(listened, d->settings->receipts.listen, sizeof listened);
	if (reload(d, err) == 0)
		mag_log(MAG_LOG_NOTICE, "settings read anew: %zu gateways",
			d->settings->n_gateways);
	else
		mag_log(MAG_LOG_ERROR, "settings not read, the old ones stay: %s", err);
	if (strcmp(listened, d->settings->receipts.listen) != 0)
		mag_log(MAG_LOG_ERROR, "[receipts] listen: another one needs a restart");
	for (size_t i = 0; i < d->settings->n_gateways; i++)
		if (d->settings->gateways[i]->ops->paths)
			d->settings->gateways[i]->ops->paths(
				d->settings->gateways[i], check_reach, NULL);
	daemon_wake(d);
}

/* ---- start and stop ---- */

static void on_submitted(void *arg)
{
	daemon_wake(arg);
}

static void on_terminate(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	const struct timeval tv = { d->settings->drain, 0 };

	(void)fd;
	(void)what;
	if (d->stopping) {
		event_base_loopbreak(d->base);
		return;
	}
	d->stopping = true;
	listen_stop_accepting(d->listener);
	event_add(d->drained, &tv);
	daemon_wake(d);
}

static void on_drained(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(d->base);
}

static int setup_drivers(struct daemon *d)
{
	int r = 0;

	for (size_t i = 0; gateway_drivers[i] && r == 0; i++)
		if (gateway_drivers[i]->setup)
			r = gateway_drivers[i]->setup(d->base, &d->shared[i]);
	return r;
}

static int setup_events(struct daemon *d)
{
	d->run = event_new(d->base, -1, 0, on_run, d);
	d->drained = event_new(d->base, -1, 0, on_drained, d);
	d->on_term = evsignal_new(d->base, SIGTERM, on_terminate, d);
	d->on_int = evsignal_new(d->base, SIGINT, on_terminate, d);
	d->on_hup = evsignal_new(d->base, SIGHUP, on_hangup, d);
	if (!d->run || !d->drained || !d->on_term || !d->on_int || !d->on_hup)
		return MAG_ENOMEM;
	if (event_add(d->on_term, NULL) < 0 || event_add(d->on_int, NULL) < 0 ||
		event_add(d->on_hup, NULL) < 0)
		return MAG_ESYS;
	return 0;
}

static void on_fatal(int code)
{
	mag_log(MAG_LOG_ERROR, "the event library gave up (%d)", code);
	abort(); /* style: it would exit by itself otherwise, as if all were well */
}

static void on_library_log(int severity, const char *text)
{
	mag_log(severity >= EVENT_LOG_ERR ? MAG_LOG_ERROR : MAG_LOG_DEBUG, "libevent: %s", text);
}

static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	event_set_fatal_callback(on_fatal);
	event_set_log_callback(on_library_log);
	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

int daemon_new(const char *config, struct daemon **daemon_r, char err[OPT_ERROR_MAX])
{
	struct daemon *d = calloc(1, sizeof *d);
	int r = MAG_ENOMEM;

	snprintf(err, OPT_ERROR_MAX, "%s", mag_strerror(r));
	if (!d || !(d->base = new_base()))
		goto out;
	if ((r = mag_copy(d->config, sizeof d->config, config)) < 0) {
		snprintf(err, OPT_ERROR_MAX, "the path of the configuration is too long");
		goto out;
	}
	if ((r = setup_drivers(d)) < 0 || (r = setup_events(d)) < 0) {
		snprintf(err, OPT_ERROR_MAX, "cannot set up: %s", mag_strerror(r));
		goto out;
	}
	if ((r = reload(d, err)) < 0)
		goto out;
	if ((r = limits_init(&d->queue_config.limits, d->settings->budget_hour,
		     d->settings->budget_day)) < 0)
		goto out;
	d->queue_config.time = daemon_time;
	d->queue_config.chance = daemon_random;
	d->queue_config.wake = daemon_wake;
	d->queue_config.receipt_url = daemon_receipt_url;
	d->queue_config.arg = d;
	if ((r = queue_new(&d->queue_config, &d->queue)) < 0)
		goto out;
	*daemon_r = d;
	d = NULL;
out:
	daemon_free(&d);
	return r;
}

const struct smsd_settings *daemon_settings(const struct daemon *d)
{
	return d->settings;
}

int daemon_attach_helper(struct daemon *d, const struct gateway *g, int fd)
{
	for (size_t i = 0; gateway_drivers[i]; i++) {
		const struct gateway_ops *ops = gateway_drivers[i];

		if (g ? ops == g->ops : ops->attach && !ops->move)
			return ops->attach(d->shared[i], g ? g->name : "", fd);
	}
	return MAG_EINVAL;
}

int daemon_attach_receipts(struct daemon *d, int fd)
{
	d->desk_config = (struct receipt_desk_config){ .base = d->base,
		.queue = d->queue,
		.queue_config = &d->queue_config,
		.url = desk_url,
		.received = daemon_wake,
		.arg = d };
	return receipt_desk_new(fd, &d->desk_config, &d->desk);
}

struct smsd_settings *daemon_take_settings(struct daemon *d)
{
	struct smsd_settings *s = d->settings;

	d->settings = NULL;
	return s;
}

int daemon_listen(struct daemon *d, int fd, char err[OPT_ERROR_MAX])
{
	struct listen_config *l = &d->listen_config;
	int r;

	l->base = d->base;
	l->queue = d->queue;
	l->queue_config = &d->queue_config;
	l->submitted = on_submitted;
	l->arg = d;
	r = listen_start(fd, l, &d->listener);
	if (r < 0)
		snprintf(err, OPT_ERROR_MAX, "cannot listen: %s", mag_strerror(r));
	return r;
}

int daemon_run(struct daemon *d, void (*ready)(void *arg), void *arg)
{
	mag_log(MAG_LOG_NOTICE, "ready: %zu gateways, socket %s", d->settings->n_gateways,
		d->settings->socket);
	if (!d->settings->n_gateways)
		mag_log(MAG_LOG_WARNING, "there is no [gateway NAME]: nothing can be sent");
	ready(arg);
	return event_base_dispatch(d->base) < 0 ? MAG_ESYS : 0;
}

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

void daemon_free(struct daemon **daemon)
{
	struct daemon *d = *daemon;

	*daemon = NULL;
	if (!d)
		return;
	/* The drivers first: each attempt under way gets its (unclear) word; then
	 * every waiting client its answer; then nobody holds a gateway any more. */
	for (size_t i = 0; gateway_drivers[i]; i++)
		if (gateway_drivers[i]->teardown)
			gateway_drivers[i]->teardown(&d->shared[i]);
	if (d->queue)
		queue_abort(d->queue);
	listen_free(&d->listener);
	receipt_desk_free(&d->desk);
	queue_free(&d->queue);
	limits_clear(&d->queue_config.limits);
	smsd_settings_free(&d->settings);
	free_event(&d->run);
	free_event(&d->drained);
	free_event(&d->on_term);
	free_event(&d->on_int);
	free_event(&d->on_hup);
	if (d->base)
		event_base_free(d->base);
	free(d);
}
