/* Landlock for files, seccomp for calls. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LINUX_LANDLOCK_H
#include <linux/landlock.h>
#endif
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/sandbox.h"

/* ---- files ---- */

#ifdef HAVE_LINUX_LANDLOCK_H

#define MAY_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAY_WRITE                                                                                  \
	(MAY_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                  \
		LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* Of the first ABI (Linux 5.13): what is not handled is not restricted. */
#define HANDLED                                                                                    \
	(MAY_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                  \
		LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                       \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                      \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

struct rules {
	int fd;
	int r;
};

static void allow(const char *path, bool write, void *arg)
{
	struct rules *rules = arg;
	struct landlock_path_beneath_attr rule = { .allowed_access = write ? MAY_WRITE : MAY_READ };
	int fd = open(path, O_PATH | O_CLOEXEC);

	/* What is not there now needs no rule. */
	if (fd < 0)
		return;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
		/* A file takes no rights of directories. */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
		if (syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule,
			    0) < 0)
			rules->r = MAG_ESYS;
	}
	close(fd);
}

static int restrict_files(const struct smsd_settings *s, const char *config)
{
	static const char *const readable[] = { "/etc", "/usr", "/lib", "/lib64", "/run",
		"/dev/null", "/dev/urandom" };
	const struct landlock_ruleset_attr attr = { .handled_access_fs = HANDLED };
	struct rules rules = { -1, 0 };
	const char *slash = strrchr(config, '/');
	char directory[512];

	rules.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (rules.fd < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) {
		mag_log(MAG_LOG_NOTICE, "this kernel has no Landlock: files are not restricted");
		return 0;
	}
	if (rules.fd < 0)
		return MAG_ESYS;
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
	if (rules.r == 0 && syscall(SYS_landlock_restrict_self, rules.fd, 0) < 0)
		rules.r = MAG_ESYS;
	close(rules.fd);
	return rules.r;
}

static int close_files(void)
{
	const struct landlock_ruleset_attr attr = { .handled_access_fs = HANDLED };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0), r = 0;

	if (fd < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : MAG_ESYS;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = MAG_ESYS;
	close(fd);
	return r;
}

#else

static int close_files(void)
{
	return 0;
}

static int restrict_files(const struct smsd_settings *s, const char *config)
{
	(void)s;
	(void)config;
	mag_log(MAG_LOG_NOTICE, "built without Landlock: files are not restricted");
	return 0;
}

#endif

/* ---- calls ---- */

#ifdef HAVE_SECCOMP

/* By name: libseccomp knows more of them than the headers of an old system. */
static const char *const refused[] = {
	"execve",
	"execveat",
	"fork",
	"vfork",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"kcmp",
	"pidfd_getfd",
	"process_madvise",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"unshare",
	"setns",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"swapon",
	"swapoff",
	"acct",
	"quotactl",
	"syslog",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"sethostname",
	"setdomainname",
	"iopl",
	"ioperm",
	"keyctl",
	"add_key",
	"request_key",
	"open_by_handle_at",
	"name_to_handle_at",
	"personality",
	"modify_ldt",
	NULL,
};

/* Beside those: of a process that only answers. */
static const char *const refused_to_listeners[] = {
	"open",
	"openat",
	"openat2",
	"creat",
	"socket",
	"socketpair",
	"connect",
	"bind",
	"listen",
	"kill",
	"tkill",
	"clone",
	"memfd_create",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"chmod",
	"fchmodat",
	"chown",
	"fchownat",
	NULL,
};

static int refuse_calls(scmp_filter_ctx filter, const char *const *names)
{
	for (size_t i = 0; names[i]; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);

		/* Not on this architecture. */
		if (call == __NR_SCMP_ERROR || call < 0)
			continue;
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) < 0)
			return MAG_ESYS;
	}
	return 0;
}

/* Threads yes (the resolver's), processes no. clone3 hides its flags in memory:
 * without it libc takes clone. */
static int refuse_processes(scmp_filter_ctx filter)
{
	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0 ||
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) < 0)
		return MAG_ESYS;
	return 0;
}

static int refuse_families(scmp_filter_ctx filter)
{
	for (unsigned family = 0; family < AF_MAX; family++) {
		/* Netlink: the resolver asks which addresses this host has. */
		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
			family == AF_NETLINK)
			continue;
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
			    SCMP_A0(SCMP_CMP_EQ, family, 0)) < 0)
			return MAG_ESYS;
	}
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
		       SCMP_A0(SCMP_CMP_GE, AF_MAX, 0)) < 0
		       ? MAG_ESYS
		       : 0;
}

static int restrict_calls(const char *const *more)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = MAG_ENOMEM;

	if (!filter)
		return r;
	/* Calls of another architecture would go around the list. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ? MAG_ESYS
											 : 0;
	if (r == 0)
		r = refuse_calls(filter, refused);
	if (r == 0 && more)
		r = refuse_calls(filter, more);
	/* What is refused whole takes no finer rule. */
	if (r == 0 && !more)
		r = refuse_processes(filter);
	if (r == 0 && !more)
		r = refuse_families(filter);
	if (r == 0 && more &&
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0)
		r = MAG_ESYS;
	if (r == 0 && seccomp_load(filter) < 0)
		r = MAG_ESYS;
	seccomp_release(filter);
	return r;
}

#else

static const char *const refused_to_listeners[] = { NULL };

static int restrict_calls(const char *const *more)
{
	(void)more;
	mag_log(MAG_LOG_NOTICE, "built without libseccomp: calls are not restricted");
	return 0;
}

#endif

int sandbox_enter(const struct smsd_settings *s, const char *config)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return MAG_ESYS;
	r = restrict_files(s, config);
	return r < 0 ? r : restrict_calls(NULL);
}

int sandbox_enter_receipts(void)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return MAG_ESYS;
	r = close_files();
	return r < 0 ? r : restrict_calls(refused_to_listeners);
}
