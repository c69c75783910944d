/* seccomp: which calls there are for a process, by name: libseccomp knows more of them than
 * the headers of an old system.
 *
 * Two filters. The first ends the process at a call that stands in none of the lists; the
 * second refuses (EPERM) arguments that nothing here has: of clone, socket, ioctl, prctl,
 * mmap, mprotect, prlimit64, tgkill. The kernel does the stricter of both, and keeps a map
 * of the calls that either allows whatever the arguments: they cost next to nothing. */
#include <asm/ioctls.h>
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/base/fence.h"

#ifdef HAVE_SECCOMP

/* What every one of our processes may do, whatever it does: use what is open. */
static const char *const always[] = { "read", "readv", "pread64", "preadv", "preadv2", "write",
	"writev", "pwrite64", "pwritev", "pwritev2", "lseek", "_llseek", "close", "close_range",
	"dup", "dup2", "dup3", "fcntl", "fcntl64", "fstat", "fstat64", "stat", "stat64", "lstat",
	"lstat64", "newfstatat", "fstatat64", "statx", "pipe", "pipe2", "poll", "ppoll",
	"ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd",
	"eventfd2", "timerfd_create", "timerfd_settime", "timerfd_settime64", "timerfd_gettime",
	"timerfd_gettime64", "recv", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "send",
	"sendto", "sendmsg", "sendmmsg", "getsockopt", "setsockopt", "getsockname", "getpeername",
	"shutdown", "accept", "accept4", "brk", "munmap", "mremap", "madvise", "mlock", "munlock",
	"msync", "futex", "futex_time64", "set_robust_list", "get_robust_list", "rseq", "getrandom",
	"clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64",
	"clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "times",
	"getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "getuid32",
	"geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getgroups",
	"getgroups32", "getresuid", "getresuid32", "getresgid", "getresgid32", "capget", "uname",
	"sysinfo", "getrusage", "getrlimit", "ugetrlimit", "sched_yield", "sched_getaffinity",
	"getcpu", "membarrier", "rt_sigaction", "rt_sigprocmask", "rt_sigpending",
	"rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_sigsuspend", "rt_sigreturn", "sigreturn",
	"sigaltstack", "restart_syscall", "set_tid_address", "arch_prctl", "umask", "exit",
	"exit_group", NULL };

static const char *const of_files[] = { "open", "openat", "openat2", "creat", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "chdir",
	"fchdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
	"ftruncate", "ftruncate64", "fallocate", "fsync", "fdatasync", "sync_file_range", "fchmod",
	"fchown", "fchown32", "flock", "fstatfs", "fstatfs64", "statfs", "statfs64", "fadvise64",
	"fadvise64_64", "pidfd_open", NULL };

static const char *const of_sockets[] = { "socketpair", "connect", "bind", "listen", NULL };

/* Libraries try these first and take an older one instead; and files that others read. */
static const char *const not_here[] = { "clone3", "futex_waitv", "futex_wait", "futex_wake",
	"futex_requeue", "cachestat", "fchmodat2", "mseal", "map_shadow_stack", "statmount",
	"listmount", "process_mrelease", "getxattrat", NULL };

/* Nobody here needs these; a library that tries one (a module of names, another libc) is no
 * intruder, and goes without. */
static const char *const refused[] = { "memfd_create", "inotify_init", "inotify_init1",
	"inotify_add_watch", "inotify_rm_watch", "signalfd", "signalfd4", "getxattr", "lgetxattr",
	"fgetxattr", "getpriority", "setpriority", "sched_getscheduler", "sched_setscheduler",
	"sched_getparam", "sched_setparam", "sched_setaffinity", "ioprio_get", "ioprio_set",
	"mincore", "mlockall", "setrlimit", "sync", "syncfs", "setsid", "getitimer", "setitimer",
	"alarm", "wait4", "waitid", "waitpid", "sendfile", "sendfile64", "copy_file_range",
	"splice", "utime", "utimes", "futimesat", "utimensat", "utimensat_time64", NULL };

/* Their arguments matter. */
static const char *const looked_at[] = { "clone", "socket", "ioctl", "prctl", "mmap", "mmap2",
	"mprotect", "prlimit64", "tgkill", NULL };

/* Nothing that a program for messages or passwords calls, and much that an intruder would. */
static const char *const of_intruders[] = {
#ifndef MAG_INSTRUMENTED /* a search for leaks needs it */
	"ptrace",
#endif
	"process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "bpf",
	"perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
	"fsconfig", "fsmount", "fspick", "mount_setattr", "unshare", "setns", "open_by_handle_at",
	"name_to_handle_at", "fanotify_init", "lookup_dcookie", "add_key", "request_key", "keyctl",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
	"swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "nfsservctl", "vhangup",
	"settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime",
	"clock_adjtime64", "adjtimex", "sethostname", "setdomainname", "iopl", "ioperm",
	"personality", "modify_ldt", "uselib", "ustat", "sysfs", "vm86", "vm86old", "move_pages",
	"migrate_pages", "mbind", "set_mempolicy", NULL
};

static int rules(scmp_filter_ctx ctx, uint32_t action, const char *const *names)
{
	for (size_t i = 0; names[i]; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);

		/* A call that this machine does not have cannot be made. */
		if (call != __NR_SCMP_ERROR && seccomp_rule_add(ctx, action, call, 0) == -ENOMEM)
			return MAG_ENOMEM;
	}
	return 0;
}

/* `call` is allowed where its argument `n`, under `mask`, is `value`. */
static int when(scmp_filter_ctx ctx, const char *call, unsigned n, uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp is = { n, SCMP_CMP_MASKED_EQ, mask, value };
	int nr = seccomp_syscall_resolve_name(call);

	/* Below 0: of another architecture's. */
	return nr < 0 || seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &is) == 0 ? 0
										      : MAG_ESYS;
}

#define WHOLE UINT64_MAX
#ifdef __s390__ /* clone(2): the order is another */
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

static int allow_families(scmp_filter_ctx ctx, unsigned groups)
{
	static const int families[] = { AF_UNIX, AF_NETLINK, AF_INET, AF_INET6 };
	size_t n = groups & FENCE_NETWORK ? 4 : groups & FENCE_SOCKETS ? 2 : 0;
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = when(ctx, "socket", 0, WHOLE, (uint64_t)families[i]);
	return r;
}

/* Nothing of ours is written and run: what is W is not X, nor ever becomes it. */
static int allow_memory(scmp_filter_ctx ctx)
{
	static const char *const maps[] = { "mmap", "mmap2" };
	int r = when(ctx, "mprotect", 2, PROT_EXEC, 0);

	for (size_t i = 0; !r && i < sizeof maps / sizeof *maps; i++) {
		r = when(ctx, maps[i], 2, PROT_EXEC, 0);
		if (!r) /* libraries of the names, loaded when they are needed */
			r = when(ctx, maps[i], 2, PROT_WRITE, 0);
	}
	return r;
}

static int allow_arguments(scmp_filter_ctx ctx, unsigned groups)
{
	static const unsigned long asked[] = { TCGETS, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX },
				   of_self[] = { PR_SET_NO_NEW_PRIVS, PR_SET_NAME, PR_GET_NAME,
					   PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP,
					   0x53564d41 /* VMA */ };
	const uint64_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	int r = allow_families(ctx, groups);

	for (size_t i = 0; !r && i < sizeof asked / sizeof *asked; i++)
		r = when(ctx, "ioctl", 1, WHOLE, asked[i]);
	for (size_t i = 0; !r && i < sizeof of_self / sizeof *of_self; i++)
		r = when(ctx, "prctl", 0, WHOLE, of_self[i]);
	if (!r)
		r = allow_memory(ctx);
	if (!r)
		r = when(ctx, "prlimit64", 0, WHOLE, 0);
	if (!r)
		r = when(ctx, "tgkill", 0, WHOLE, (uint64_t)getpid());
	if (!r && groups & FENCE_THREADS)
		r = when(ctx, "clone", CLONE_FLAGS, CLONE_THREAD | spaces, CLONE_THREAD);
	return r;
}

/* Both filters know all names; they differ in what happens to the rest. The one for arguments
 * comes first, and lets the other be loaded, which allows no further one. */
static int load(unsigned groups, bool arguments)
{
	static const char *const once[] = { "seccomp", NULL };
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	scmp_filter_ctx ctx = seccomp_init(arguments ? refuse : SCMP_ACT_KILL_PROCESS);
	int r = ctx ? rules(ctx, SCMP_ACT_ALLOW, always) : MAG_ENOMEM;

	if (!r)
		r = rules(ctx, SCMP_ACT_ERRNO(ENOSYS), not_here);
	if (!r && !arguments)
		r = rules(ctx, refuse, refused);
	/* What is the default already takes no rule; nor need it. */
	if (!r && (groups & FENCE_FILES || !arguments))
		r = rules(ctx, groups & FENCE_FILES ? SCMP_ACT_ALLOW : refuse, of_files);
	if (!r && (groups & FENCE_SOCKETS || !arguments))
		r = rules(ctx, groups & FENCE_SOCKETS ? SCMP_ACT_ALLOW : refuse, of_sockets);
	if (!r)
		r = rules(ctx, SCMP_ACT_ALLOW, arguments ? once : looked_at);
	if (!r && arguments)
		r = allow_arguments(ctx, groups);
	if (!r && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seccomp_load(ctx)))
		r = MAG_ESYS;
	if (ctx)
		seccomp_release(ctx);
	return r;
}

int fence_calls(unsigned groups)
{
	int r = load(groups, true);

	return r ? r : load(groups, false);
}

/* No network: AF_UNIX (the log) and AF_NETLINK (the kernel's audit) are none. Families
 * between them are nobody's here. */
static int refuse_network(scmp_filter_ctx ctx)
{
	int r = 0;

	for (int family = 0; !r && family <= AF_NETLINK; family++) {
		const struct scmp_arg_cmp is = { 0,
			family == AF_NETLINK ? SCMP_CMP_GT : SCMP_CMP_EQ, (scmp_datum_t)family, 0 };

		if (family != AF_UNIX && seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT),
						 SCMP_SYS(socket), 1, &is))
			r = MAG_ESYS;
	}
	return r;
}

int fence_calls_of_programs(bool network)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? rules(ctx, SCMP_ACT_ERRNO(EPERM), of_intruders) : MAG_ENOMEM;

	if (!r && !network)
		r = refuse_network(ctx);
	if (!r && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seccomp_load(ctx)))
		r = MAG_ESYS;
	if (ctx)
		seccomp_release(ctx);
	return r;
}

#else

int fence_calls(unsigned groups)
{
	(void)groups;
	return MAG_EUNSUPPORTED;
}

int fence_calls_of_programs(bool network)
{
	(void)network;
	return MAG_EUNSUPPORTED;
}

#endif
