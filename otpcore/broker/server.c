/* The life of the daemon: turns of the loop, signals, reload, drain. */
#include "otpcore/broker/parts.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/broker/audit_log.h"
#include "otpcore/broker/decoy.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/journal.h"
#include "otpcore/broker/trust.h"
#include "otpcore/broker/twin.h"
#include "otpcore/broker/elevation.h"

#define DRAIN_MS      5000
#define PURGE_SECONDS 3600

struct server {
	struct broker *broker;
	bool reload, stop;
	int64_t drain_until; /* mag_ticks_ms; 0: serving */
};

#ifdef HAVE_SYSTEMD
static void tell_manager(const char *state)
{
	(void)sd_notify(0, state);
}
#else
static void tell_manager(const char *state)
{
	(void)state;
}
#endif

static void on_fatal(int code)
{
	mag_log(MAG_LOG_ERROR, "the event library gave up (%d)", code);
	abort(); /* style: it would exit by itself otherwise, as if all were well */
}

static void on_library_log(int severity, const char *text)
{
	mag_log(severity >= EVENT_LOG_ERR ? MAG_LOG_ERROR : MAG_LOG_DEBUG, "libevent: %s", text);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct server *s = arg;

	(void)what;
	if (sig == SIGHUP)
		s->reload = true;
	else
		s->stop = true;
}

/* Keys that magotp.conf knows and this version does not serve. */
static int say_unserved(const struct opt_value *v, void *arg)
{
	static const char *const keys[] = { "email_login", NULL };

	(void)arg;
	for (const char *const *key = keys; *key; key++)
		if (strcmp(v->key, *key) == 0 && *v->text)
			mag_log(MAG_LOG_WARNING, "%s:%d: %s is not served by this version", v->file,
				v->line, v->key);
	return 0;
}

/* A broken file changes nothing: what was read at start or last goes on. What
 * is bound to a socket, a user or a store stays until a restart. */
int server_reload(struct broker *b, char err[OPT_ERROR_MAX])
{
	struct settings *fresh = NULL;
	int r;

	tell_manager("RELOADING=1");
	*err = '\0';
	r = settings_reload(*b->config ? b->config : NULL, b->settings, &fresh, err);
	if (r) {
		mag_log(MAG_LOG_ERROR, "the old settings go on: %s", err);
	} else {
		settings_free(&b->settings);
		b->settings = fresh;
		(void)trust_load(b); /* it has told */
		mag_log(MAG_LOG_NOTICE, "settings were read again");
		opt_each(fresh->tree, NULL, NULL, say_unserved, NULL);
	}
	if (b->audit)
		audit_log_head(b->audit);
	tell_manager("READY=1");
	return r;
}

static void on_hour(evutil_socket_t fd, short what, void *arg)
{
	struct store_lease purge = { "purge", NULL, PURGE_SECONDS - 60 };
	struct broker *b = arg;
	int r;

	(void)fd;
	(void)what;
	(void)trust_load(b); /* lists of revocations are renewed */
	remotes_hour(b->remotes);
	/* With a tick under way the next hour will do. */
	if (!ticker_idle(b->ticker))
		return;
	/* Of all brokers on the store one is enough. */
	purge.holder = b->host;
	r = store_lease(b->store, &purge, mag_now());
	if (r == MAG_EBUSY)
		r = store_purge_host(b->store, b->boot, b->host);
	else if (!r)
		r = store_purge(b->store, b->boot, b->host, mag_now());
	if (r)
		mag_log(MAG_LOG_WARNING, "old rows stay: %s", mag_strerror(r));
}

static void on_minute(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	audit_more(arg, mag_ticks_ms());
}

static void start_drain(struct server *s)
{
	mag_log(MAG_LOG_NOTICE, "ending: answers what was asked");
	tell_manager("STOPPING=1");
	listener_stop(s->broker->listener);
	remotes_stop(s->broker->remotes);
	s->drain_until = mag_ticks_ms() + DRAIN_MS;
}

static bool drained(const struct server *s)
{
	return s->drain_until && ticker_idle(s->broker->ticker) &&
	       ((!listener_busy(s->broker->listener) && !remotes_busy(s->broker->remotes) &&
			!ticker_waiting(s->broker->ticker)) ||
		       mag_ticks_ms() >= s->drain_until);
}

static int turn(struct server *s)
{
	struct broker *b = s->broker;
	const struct timeval soon = { 0, 100000 };
	char err[OPT_ERROR_MAX];
	int flags = EVLOOP_ONCE;

	/* While draining the clock must be looked at. */
	if (s->drain_until)
		event_base_loopexit(b->base, &soon);
	if (ticker_waiting(b->ticker) && ticker_idle(b->ticker))
		flags |= EVLOOP_NONBLOCK;
	if (event_base_loop(b->base, flags) < 0)
		return MAG_ESYS;
	/* Settings change between ticks, however many wait. */
	ticker_turn(b->ticker, s->reload);
	if (s->reload && ticker_idle(b->ticker)) {
		s->reload = false;
		(void)server_reload(b, err);
	}
	if (s->stop && !s->drain_until)
		start_drain(s);
	if (ticker_idle(b->ticker) && !ticker_waiting(b->ticker))
		store_checkpoint(b->store);
	return 0;
}

int server_base(struct event_base **base_r)
{
	struct event_config *cfg = event_config_new();

	event_set_fatal_callback(on_fatal);
	event_set_log_callback(on_library_log);
	if (!cfg)
		return MAG_ENOMEM;
	event_config_set_flag(cfg, EVENT_BASE_FLAG_IGNORE_ENV);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	*base_r = event_base_new_with_config(cfg);
	event_config_free(cfg);
	return *base_r ? 0 : MAG_ESYS;
}

static int server_open(struct broker *b, int fd, int helper)
{
	int r = ticker_new(b, &b->ticker);

	if (!r)
		r = decoys_new(&b->decoys);
	if (!r)
		r = twins_new(&b->twins);
	if (!r)
		r = elevations_new(&b->elevations);
	if (!r)
		r = fates_new(b, &b->fates);
	if (!r)
		r = dispatch_new(b, &b->dispatch);
	if (!r)
		r = mails_new(b, &b->mails);
	if (!r)
		r = passwords_new(b, helper, &b->passwords);
	if (!r)
		r = keys_new(b, &b->keys);
	if (!r)
		r = sweeper_new(b, &b->sweeper);
	if (!r && b->audit)
		r = audit_log_start(b->audit);
	if (!r && b->journal)
		r = journal_start(b->journal);
	if (!r)
		r = remotes_new(b, b->remote_fd, &b->remotes);
	if (!r)
		r = listener_new(b, fd, &b->listener);
	return r;
}

int server_run(struct broker *b, int fd, int helper)
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT };
	struct event *events[5] = { NULL };
	const struct timeval hour = { PURGE_SECONDS, 0 }, minute = { 60, 0 };
	struct server s = { .broker = b };
	size_t n = 0;
	int r = server_base(&b->base);

	if (!r)
		r = server_open(b, fd, helper);
	for (; !r && n < 3; n++) {
		events[n] = evsignal_new(b->base, signals[n], on_signal, &s);
		if (!events[n] || event_add(events[n], NULL))
			r = MAG_ENOMEM;
	}
	if (!r) {
		events[n] = event_new(b->base, -1, EV_PERSIST, on_hour, b);
		r = events[n] && event_add(events[n], &hour) == 0 ? 0 : MAG_ENOMEM;
		n++;
	}
	if (!r) {
		events[n] = event_new(b->base, -1, EV_PERSIST, on_minute, b);
		r = events[n] && event_add(events[n], &minute) == 0 ? 0 : MAG_ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	if (!r) {
		b->started_at = mag_now();
		opt_each(b->settings->tree, NULL, NULL, say_unserved, NULL);
		mag_log(MAG_LOG_NOTICE, "ready on %s, host %s, store %s", b->settings->socket,
			b->host, store_kind(b->store));
		tell_manager("READY=1");
	}
	while (!r && !drained(&s))
		r = turn(&s);
	dispatch_free(&b->dispatch);
	fates_free(&b->fates);
	keys_free(&b->keys);
	sweeper_free(&b->sweeper);
	mails_free(&b->mails);
	passwords_free(&b->passwords);
	listener_free(&b->listener);
	remotes_free(&b->remotes);
	ticker_free(&b->ticker);
	decoys_free(&b->decoys);
	twins_free(&b->twins);
	elevations_free(&b->elevations);
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i])
			event_free(events[i]);
	audit_more(b, INT64_MAX);
	if (b->audit)
		audit_log_stop(b->audit);
	if (b->journal)
		journal_stop(b->journal);
	if (b->base)
		event_base_free(b->base);
	return r;
}
