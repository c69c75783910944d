/* What a broker that was taken over could still do: write its store and its log, remove its
 * socket, ask smsd and the names of the system; of the network, no more than its store or
 * its auth hosts need. No program can be started, no process looked into or signalled,
 * nothing read outside of what is below. Kernels and builds that have less: less of it, said
 * in the log; the units restrict the same from outside. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "otpcore/base/err.h"
#include "otpcore/base/fence.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"

/* Settings and names (modules of nsswitch.conf, their caches and sockets), peers' sessions;
 * after the store's own lines a server's home. */
static const char *const readable[] = { "/etc", "/usr", "/lib", "/lib64", "/lib32", "/run", "/proc",
	"/dev/null", "/dev/urandom", "/sys/devices/system/cpu", "/var/lib/sss",
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one path */
	"/var/lib/extrausers", "/var/lib/misc", LOCALSTATEDIR "/lib/magotp" };

static int missing(int r, const char *what)
{
	if (r != MAG_EUNSUPPORTED)
		return r;
	mag_log(MAG_LOG_WARNING, "%s", what);
	return 0;
}

/* ---- the broker ---- */

/* What this process reaches over the network: its auth hosts, or its store's server. */
static int learn_reach(const struct settings *s, struct store_reach *reach_r)
{
	memset(reach_r, 0, sizeof *reach_r);
	if (!s->n_upstreams)
		return store_reach(s->url, reach_r);
	reach_r->network = true;
	for (size_t i = 0; i < s->n_upstreams && i < STORE_REACH_MAX; i++)
		reach_r->ports[reach_r->n_ports++] = s->upstreams[i].port;
	return 0;
}

static int allow_files(struct fence *f, const struct settings *s, const char *config,
	const struct store_reach *reach)
{
	const char *store = s->n_upstreams                      ? s->identity
			    : mag_has_prefix(s->url, "sqlite:") ? s->url + strlen("sqlite:")
								: ""; /* what is written beside */
	const char *const read_beside[] = { config, s->ca, s->crl };
	int r = fence_beside(f, store, FENCE_STATE);

	if (!r && !mag_streq(s->audit_file, "none"))
		r = fence_beside(f, s->audit_file, FENCE_STATE);
	if (!r && *s->journal == '/')
		r = fence_beside(f, s->journal, FENCE_STATE);
	if (!r)
		r = fence_beside(f, s->socket, FENCE_REMOVE);
	for (size_t i = 0; !r && i < sizeof readable / sizeof *readable; i++)
		r = fence_path(f, readable[i], FENCE_READ);
	/* Beside them: a new one takes an old one's place. */
	for (size_t i = 0; !r && i < sizeof read_beside / sizeof *read_beside; i++)
		r = fence_beside(f, read_beside[i], FENCE_READ);
	for (size_t i = 0; !r && i < reach->n_files; i++)
		r = fence_beside(f, reach->files[i], FENCE_READ);
	return r;
}

static int allow_ports(struct fence *f, const struct store_reach *reach)
{
	int r = 0;

	for (size_t i = 0; !r && i < reach->n_ports; i++)
		r = fence_port(f, reach->ports[i]);
	/* Answers about names that do not fit into a datagram. */
	return !r && reach->network ? fence_port(f, 53) : r;
}

static int fence_off(const struct settings *s, const char *config, const struct store_reach *reach)
{
	const struct fence_scope scope = {
		.read = true, .bind = true, .connect = !reach->any_port, .others = true
	};
	struct fence *f = NULL;
	int r = fence_new(&scope, &f);

	if (!r)
		r = allow_files(f, s, config, reach);
	if (!r && reach->network)
		r = allow_ports(f, reach);
	if (!r)
		r = fence_close(f);
	fence_free(&f);
	return r;
}

static int filter_calls(const struct store_reach *reach)
{
#ifdef MAG_INSTRUMENTED /* it forks, traces and writes down what it counted */
	(void)reach;
	return 0;
#else
	return fence_calls(FENCE_FILES | FENCE_SOCKETS | (reach->network ? FENCE_NETWORK : 0) |
			   (reach->thread ? FENCE_THREADS : 0));
#endif
}

int sandbox_close(const struct settings *s, const char *config)
{
	struct store_reach reach;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return MAG_ESYS;
	if (!s->sandbox) {
		mag_log(MAG_LOG_WARNING,
			"[broker] sandbox = no: files and calls are not fenced off");
		return 0;
	}
	r = learn_reach(s, &reach);
	if (!r)
		r = missing(fence_off(s, config, &reach),
			"this kernel has no Landlock: files are not fenced off");
	if (!r)
		r = missing(filter_calls(&reach),
			"built without libseccomp: system calls are not filtered");
	return r;
}

/* ---- the helper ---- */

/* It writes where passwords are, and starts what writes them. */
#define HELPER_WRITES (FENCE_WRITE | FENCE_MAKE | FENCE_REMOVE)
static const struct {
	const char *path;
	unsigned rights;
} helper_rules[] = {
	{ "/etc", HELPER_WRITES },
	{ "/dev/null", FENCE_WRITE },
	{ "/usr/sbin/chpasswd", FENCE_RUN },
	{ "/usr/bin/chage", FENCE_RUN },
	/* Caches of names that the tools flush, where they are installed. */
	{ "/usr/sbin/nscd", FENCE_RUN },
	{ "/usr/sbin/sss_cache", FENCE_RUN },
	/* The loader of programs lies in one of these. */
	{ "/lib", FENCE_RUN },
	{ "/lib64", FENCE_RUN },
	{ "/usr/lib", FENCE_RUN },
};

static int fence_helper(void)
{
	const struct fence_scope scope = { .bind = true, .connect = true };
	struct fence *f = NULL;
	int r = fence_new(&scope, &f);

	for (size_t i = 0; !r && i < sizeof helper_rules / sizeof *helper_rules; i++)
		r = fence_path(f, helper_rules[i].path, helper_rules[i].rights);
	if (!r)
		r = fence_close(f);
	fence_free(&f);
	return r == MAG_EUNSUPPORTED ? 0 : r;
}

int sandbox_helper(void)
{
	int r;

	/* The tools' set-id bits do nothing then; root needs none of them. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return MAG_ESYS;
	r = fence_helper();
	if (!r)
		r = fence_calls_of_programs(false);
	return r == MAG_EUNSUPPORTED ? 0 : r;
}
