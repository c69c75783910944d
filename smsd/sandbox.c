/* Landlock for files, seccomp for calls. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "otpcore/base/err.h"
#include "otpcore/base/fence.h"
#include "otpcore/base/log.h"
#include "smsd/sandbox.h"

/* ---- files ---- */

struct rules {
	struct fence *fence;
	int r;
};

static void allow(const char *path, bool write, void *arg)
{
	struct rules *rules = arg;

	if (rules->r == 0)
		rules->r = fence_path(rules->fence, path, write ? FENCE_STATE : FENCE_READ);
}

static int restrict_files(const struct smsd_settings *s, const char *config)
{
	static const char *const readable[] = { "/etc", "/usr", "/lib", "/lib64", "/run",
		"/dev/null", "/dev/urandom", "/sys/devices/system/cpu" };
	/* Gateways have the ports that their providers have. */
	const struct fence_scope scope = { .read = true, .bind = true, .others = true };
	struct rules rules = { NULL, 0 };
	const char *slash = strrchr(config, '/');
	char directory[512];

	rules.r = fence_new(&scope, &rules.fence);
	if (rules.r < 0)
		return rules.r;
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
		allow(readable[i], false, &rules);
	snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - config) : 1,
		slash ? config : ".");
	allow(directory, false, &rules);
	/* An outbox in our own state needs no restart: README.md begins with one. */
	allow(LOCALSTATEDIR "/lib/magotp-smsd", true, &rules);
	allow(s->templates_dir, false, &rules);
	for (size_t i = 0; i < s->n_gateways; i++)
		if (s->gateways[i]->ops->paths)
			s->gateways[i]->ops->paths(s->gateways[i], allow, &rules);
	if (rules.r == 0)
		rules.r = fence_close(rules.fence);
	fence_free(&rules.fence);
	return rules.r;
}

static int close_files(void)
{
	const struct fence_scope all = {
		.read = true, .bind = true, .connect = true, .others = true
	};
	struct fence *f = NULL;
	int r = fence_new(&all, &f);

	if (r == 0)
		r = fence_close(f);
	fence_free(&f);
	return r;
}

/* ---- both ---- */

static int missing(int r, const char *what)
{
	if (r != MAG_EUNSUPPORTED)
		return r;
	mag_log(MAG_LOG_NOTICE, "%s", what);
	return 0;
}

static const char no_landlock[] = "this kernel has no Landlock: files are not restricted";
static const char no_seccomp[] = "built without libseccomp: calls are not restricted";

int sandbox_enter(const struct smsd_settings *s, const char *config)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return MAG_ESYS;
	r = missing(restrict_files(s, config), no_landlock);
	/* Threads: libcurl's resolver. */
	return r < 0 ? r
		     : missing(fence_calls(
				       FENCE_FILES | FENCE_SOCKETS | FENCE_NETWORK | FENCE_THREADS),
			       no_seccomp);
}

int sandbox_enter_receipts(void)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return MAG_ESYS;
	r = close_files();
	r = r == MAG_EUNSUPPORTED ? 0 : r;
	if (r == 0)
		r = fence_calls(0);
	return r == MAG_EUNSUPPORTED ? 0 : r;
}

int sandbox_enter_programs(void)
{
	int r = fence_calls_of_programs(true);

	return r == MAG_EUNSUPPORTED ? 0 : r;
}
