/* What `magotpctl enable --confirm` put in and nobody confirmed in time goes back also
 * when no watcher is left, no systemd looks and nobody types magotpctl: at our start. */
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/broker/parts.h"
#include "otpcore/settings/settings.h"

#define MAGOTPCTL    SBINDIR "/magotpctl"
#define UNDO_SECONDS 20

static bool any_enabled(const char *config)
{
	const char *slash = strrchr(config, '/');
	char pattern[320];
	glob_t g;
	bool any;

	snprintf(pattern, sizeof pattern, "%.*senabled/*.state",
		slash ? (int)(slash - config + 1) : 0, config);
	any = glob(pattern, GLOB_NOSORT, NULL, &g) == 0;
	globfree(&g);
	return any;
}

/* Without the environment that we were started with. */
static int start(char *const argv[], pid_t *pid_r)
{
	char *const env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	r = posix_spawn(pid_r, argv[0], NULL, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	return r;
}

/* Our start does not hang on it. */
static int wait_for(pid_t pid, int *status_r)
{
	for (int i = 0; i < UNDO_SECONDS * 50; i++) {
		pid_t done = waitpid(pid, status_r, WNOHANG);

		if (done == pid || (done < 0 && errno != EINTR))
			return done == pid ? 0 : MAG_ESYS;
		usleep(20000);
	}
	return MAG_EBUSY;
}

void overdue_undo(const char *config)
{
	char *argv[] = { (char *)MAGOTPCTL, (char *)"confirm", (char *)"--overdue",
		(char *)(config ? "--config" : NULL), (char *)config, NULL };
	int status = 0, r;
	pid_t pid;

	if (geteuid() != 0 || !any_enabled(config ? config : MAGOTP_CONF))
		return;
	r = start(argv, &pid);
	if (!r)
		r = wait_for(pid, &status) || status;
	if (r)
		mag_log(MAG_LOG_WARNING,
			"a service that was enabled may be overdue to go back: " MAGOTPCTL
			" confirm --overdue");
}
