/* The life of a relay: a loop with a listener and a link, no ticks. */
#include <event2/event.h>
#include <signal.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/relay.h"

#define DRAIN_MS 5000

struct life {
	struct broker *broker;
	bool reload, stop;
	int64_t drain_until;
};

static void tell_manager(const char *state)
{
#ifdef HAVE_SYSTEMD
	(void)sd_notify(0, state);
#else
	(void)state;
#endif
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct life *l = arg;

	(void)what;
	if (sig == SIGHUP)
		l->reload = true;
	else
		l->stop = true;
}

/* Which auth hosts there are, and who may log others in here; the rest stays until a
 * restart. What would make it something else than a relay is refused. */
int relay_reload(struct broker *b, char err[OPT_ERROR_MAX])
{
	struct settings *fresh = NULL;
	int r;

	tell_manager("RELOADING=1");
	*err = '\0';
	r = settings_reload(*b->config ? b->config : NULL, b->settings, &fresh, err);
	if (!r && !fresh->n_upstreams) {
		mag_copy(err, OPT_ERROR_MAX, "upstream is gone; that needs a restart");
		r = MAG_EINVAL;
	}
	if (r) {
		mag_log(MAG_LOG_ERROR, "the old settings go on: %s", err);
		settings_free(&fresh);
	} else {
		settings_free(&b->settings);
		b->settings = fresh;
		relay_reloaded(b->relay);
		mag_log(MAG_LOG_NOTICE, "settings were read again");
	}
	tell_manager("READY=1");
	return r;
}

static bool over(const struct life *l)
{
	return l->drain_until &&
	       ((!relay_busy(l->broker->relay) && !listener_busy(l->broker->listener)) ||
		       mag_ticks_ms() >= l->drain_until);
}

static int turn(struct life *l)
{
	char err[OPT_ERROR_MAX];

	if (event_base_loop(l->broker->base, EVLOOP_ONCE) < 0) /* its timer wakes it */
		return MAG_ESYS;
	if (l->reload) {
		l->reload = false;
		(void)relay_reload(l->broker, err);
	}
	if (l->stop && !l->drain_until) {
		tell_manager("STOPPING=1");
		listener_stop(l->broker->listener);
		l->drain_until = mag_ticks_ms() + DRAIN_MS;
	}
	return 0;
}

int relay_run(struct broker *b, int fd)
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT };
	struct event *events[3] = { NULL };
	struct life l = { .broker = b };
	int r = server_base(&b->base);

	if (!r)
		r = listener_new(b, fd, &b->listener);
	if (!r)
		r = relay_start(b->relay);
	for (size_t n = 0; !r && n < 3; n++) {
		events[n] = evsignal_new(b->base, signals[n], on_signal, &l);
		if (!events[n] || event_add(events[n], NULL))
			r = MAG_ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	if (!r) {
		mag_log(MAG_LOG_NOTICE, "ready on %s, host %s, a relay of %s", b->settings->socket,
			b->host, b->settings->upstream);
		tell_manager("READY=1");
	}
	while (!r && !over(&l))
		r = turn(&l);
	relay_stop(b->relay);
	listener_free(&b->listener);
	relay_free(&b->relay);
	for (size_t i = 0; i < 3; i++)
		if (events[i])
			event_free(events[i]);
	if (b->base)
		event_base_free(b->base);
	return r;
}
