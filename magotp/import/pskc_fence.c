/* What a parser that was taken over could still do: read its descriptors, write
 * to its pipe, compute. No file is opened, nothing is started, nothing is sent;
 * time and memory have an end. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "magotp/import/pskc.h"
#include "otpcore/base/err.h"

#ifndef MAG_INSTRUMENTED /* sanitizers map more than any limit */
static const struct {
	int what;
	rlim_t most;
} limits[] = {
	{ RLIMIT_CPU, 60 },
	{ RLIMIT_AS, 3UL << 30 },
	{ RLIMIT_FSIZE, 0 },
	{ RLIMIT_NOFILE, 0 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_CORE, 0 },
};

static int limit(void)
{
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		const struct rlimit rl = { limits[i].most, limits[i].most };

		if (setrlimit((__rlimit_resource_t)limits[i].what, &rl))
			return MAG_ESYS;
	}
	return 0;
}

#ifdef HAVE_SECCOMP
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(mmap2),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(mprotect),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static int filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = ctx ? 0 : MAG_ENOMEM;

	for (size_t i = 0; !r && i < sizeof allowed / sizeof *allowed; i++)
		/* A call that this machine does not have cannot be made. */
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0) == -ENOMEM)
			r = MAG_ENOMEM;
	if (!r && seccomp_load(ctx))
		r = MAG_ESYS;
	if (ctx)
		seccomp_release(ctx);
	return r;
}
#else
static int filter(void)
{
	return 0;
}
#endif

int pskc_fence(void)
{
	int r = limit();

	if (!r && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)))
		r = MAG_ESYS;
	return r ? r : filter();
}
#else
int pskc_fence(void)
{
	return 0;
}
#endif
