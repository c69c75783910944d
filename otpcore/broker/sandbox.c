/* What a broker that was taken over could still do: write its store, remove its
 * socket. No program can be started, nothing else written, no TCP. Reading is
 * not restricted beyond the user's rights: settings are read again at SIGHUP.
 * Kernels without Landlock, builds without libseccomp: less of it, said in the
 * log; the units restrict the same from outside. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"

/* Newer than some headers. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#endif
#define NET_BIND_TCP    (1ULL << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)

struct ruleset {
	uint64_t fs, net;
};

#define FS_WRITE                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                    \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                      \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_STORE                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE)

/* What is not there needs no rule. */
static int allow_path(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	int r = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		r = MAG_ESYS;
	close(rule.parent_fd);
	return r;
}

static int allow(int ruleset, const char *file, uint64_t access)
{
	char copy[512];

	if (*file != '/' || mag_copy(copy, sizeof copy, file))
		return 0;
	return allow_path(ruleset, dirname(copy), access);
}

static int landlock(const struct settings *s)
{
	struct ruleset rules = { .fs = FS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	size_t size = abi >= 4 ? sizeof rules : sizeof rules.fs;
	const char *store = s->n_upstreams ? s->identity
			    : mag_has_prefix(s->url, "sqlite:")
				    ? s->url + 7
				    : ""; /* what may be written beside */
	int fd, r;

	if (abi < 1)
		return MAG_EUNSUPPORTED;
	if (abi >= 3)
		rules.fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 4 && *store) /* another store may be across the network */
		rules.net = s->n_upstreams ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd < 0)
		return MAG_ESYS;
	r = allow(fd, store, FS_STORE & rules.fs);
	if (!r && !mag_streq(s->audit_file, "none"))
		r = allow(fd, s->audit_file, FS_STORE & rules.fs);
	if (!r)
		r = allow(fd, s->socket, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (!r && syscall(SYS_landlock_restrict_self, fd, 0))
		r = MAG_ESYS;
	close(fd);
	return r;
}

#ifdef HAVE_SECCOMP
/* What the broker never does, and its helper does or lets its tools do. */
static const int denied_broker[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(setuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setreuid),
	SCMP_SYS(setregid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),
	SCMP_SYS(setgroups),
};

/* Nothing that either calls, and much that an intruder would. */
static const int denied[] = {
#ifndef __SANITIZE_ADDRESS__ /* its search for leaks at the end needs it */
	SCMP_SYS(ptrace),
#endif
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(personality),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
};

static int deny(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		/* A call that this machine does not have cannot be made. */
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0) == -ENOMEM)
			return MAG_ENOMEM;
	return 0;
}

/* No network: AF_UNIX (the log) and AF_NETLINK (the kernel's audit) are none. Families
 * between them are nobody's here. */
static int deny_family(scmp_filter_ctx ctx, enum scmp_compare how, int family)
{
	const struct scmp_arg_cmp is = { 0, how, (scmp_datum_t)family, 0 };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &is);
}

static int deny_network(scmp_filter_ctx ctx)
{
	int r = deny_family(ctx, SCMP_CMP_GT, AF_NETLINK);

	for (int family = AF_UNIX + 1; !r && family < AF_NETLINK; family++)
		r = deny_family(ctx, SCMP_CMP_EQ, family);
	return r ? MAG_ESYS : 0;
}

static int filter(bool helper)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? deny(ctx, denied, sizeof denied / sizeof *denied) : MAG_ENOMEM;

	if (!r)
		r = helper ? deny_network(ctx)
			   : deny(ctx, denied_broker, sizeof denied_broker / sizeof *denied_broker);
	if (!r && seccomp_load(ctx))
		r = MAG_ESYS;
	if (ctx)
		seccomp_release(ctx);
	return r;
}
#else
static int filter(bool helper)
{
	(void)helper;
	return MAG_EUNSUPPORTED;
}
#endif

int sandbox_close(const struct settings *s)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return MAG_ESYS;
	r = landlock(s);
	if (r == MAG_EUNSUPPORTED)
		mag_log(MAG_LOG_WARNING, "this kernel has no Landlock: files are not fenced off");
	else if (r)
		return r;
	r = filter(false);
	if (r == MAG_EUNSUPPORTED)
		mag_log(MAG_LOG_INFO, "built without libseccomp: system calls are not filtered");
	return r == MAG_EUNSUPPORTED ? 0 : r;
}

/* ---- the helper ---- */

/* It writes where passwords are, and starts what writes them. */
#define HELPER_WRITES                                                                              \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE)
static const struct {
	const char *path;
	uint64_t access;
} helper_rules[] = {
	{ "/etc", HELPER_WRITES },
	{ "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE },
	{ "/usr/sbin/chpasswd", LANDLOCK_ACCESS_FS_EXECUTE },
	{ "/usr/bin/chage", LANDLOCK_ACCESS_FS_EXECUTE },
	/* Caches of names that the tools flush, where they are installed. */
	{ "/usr/sbin/nscd", LANDLOCK_ACCESS_FS_EXECUTE },
	{ "/usr/sbin/sss_cache", LANDLOCK_ACCESS_FS_EXECUTE },
	/* The loader of programs lies in one of these. */
	{ "/lib", LANDLOCK_ACCESS_FS_EXECUTE },
	{ "/lib64", LANDLOCK_ACCESS_FS_EXECUTE },
	{ "/usr/lib", LANDLOCK_ACCESS_FS_EXECUTE },
};

static int landlock_helper(void)
{
	struct ruleset rules = { .fs = FS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int fd, r = 0;

	if (abi < 1)
		return MAG_EUNSUPPORTED;
	if (abi >= 3)
		rules.fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 4)
		rules.net = NET_BIND_TCP | NET_CONNECT_TCP;
	fd = (int)syscall(
		SYS_landlock_create_ruleset, &rules, abi >= 4 ? sizeof rules : sizeof rules.fs, 0);
	if (fd < 0)
		return MAG_ESYS;
	for (size_t i = 0; !r && i < sizeof helper_rules / sizeof *helper_rules; i++)
		r = allow_path(fd, helper_rules[i].path, helper_rules[i].access & rules.fs);
	if (!r && syscall(SYS_landlock_restrict_self, fd, 0))
		r = MAG_ESYS;
	close(fd);
	return r;
}

int sandbox_helper(void)
{
	int r;

	/* The tools' set-id bits do nothing then; root needs none of them. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return MAG_ESYS;
	r = landlock_helper();
	if (r && r != MAG_EUNSUPPORTED)
		return r;
	r = filter(true);
	return r == MAG_EUNSUPPORTED ? 0 : r;
}
