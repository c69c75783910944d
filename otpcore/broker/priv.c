/* What the process may do: less than it was started with. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"

void priv_harden(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0))
		mag_log(MAG_LOG_WARNING, "core files cannot be switched off: %s", strerror(errno));
	umask(077);
}

/* Two for each client (socket and pidfd), and some for the store, the clock of
 * the kernel, smsd. Not enough: connections are turned away, see listen.c. */
void priv_descriptors(int64_t clients)
{
	rlim_t want = (rlim_t)(2 * clients + 64);
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= want)
		return;
	if (l.rlim_max < want && geteuid() == 0)
		l.rlim_max = want;
	l.rlim_cur = want < l.rlim_max ? want : l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur < want)
		mag_log(MAG_LOG_WARNING,
			"%lld descriptors are not to be had for %lld clients: "
			"raise the limit (LimitNOFILE) or lower [broker] max_clients",
			(long long)want, (long long)clients);
}

int priv_user(const char *user, uid_t *uid_r, gid_t *gid_r)
{
	const struct passwd *pw = getpwnam(user);

	if (!pw)
		return MAG_ENOTFOUND;
	*uid_r = pw->pw_uid;
	*gid_r = pw->pw_gid;
	return 0;
}

int priv_drop(const char *user)
{
	uid_t uid, r, e, s;
	gid_t gid;

	if (geteuid() != 0)
		return 0;
	if (priv_user(user, &uid, &gid)) {
		mag_log(MAG_LOG_ERROR, "[broker] user = %s: there is no such user", user);
		return MAG_ENOTFOUND;
	}
	if (initgroups(user, gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
		mag_log(MAG_LOG_ERROR, "cannot become %s: %s", user, strerror(errno));
		return MAG_ESYS;
	}
	if (uid == 0) {
		mag_log(MAG_LOG_WARNING, "[broker] user = %s: running with all rights", user);
		return 0;
	}
	/* Trust what the kernel says now, not that the calls returned 0. */
	if (getresuid(&r, &e, &s) || r != uid || e != uid || s != uid || setuid(0) == 0 ||
		setgid(0) == 0)
		return MAG_EPERM;
	/* Changing the uid cleared or set this as /proc/sys/fs/suid_dumpable says. */
	return prctl(PR_SET_DUMPABLE, 0) ? MAG_ESYS : 0;
}
