/* What an intruder tries first, each in a child of its own that has closed the sandbox of the
 * real program around itself, as the user that it is by then, with what it has open. On
 * standard error a line for each: "escape NAME killed", "escape NAME EPERM", "escape NAME
 * worked". tests/escapes.py knows how each has to end. */
#include "otpcore/base/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	char process[32], directory[256];
	in_port_t port;
	int attempt; /* of this child */
} armed = { .attempt = -1 };

static char outside[300]; /* a path in that directory */

static const char *at(const char *name)
{
	snprintf(outside, sizeof outside, "%s/%s", armed.directory, name);
	return outside;
}

/* ---- files: 0 if it worked ---- */

static int opened(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC, 0600) < 0 ? -1 : 0;
}

static int open_shadow(void)
{
	return opened("/etc/shadow", O_RDONLY);
}

static int read_outside(void)
{
	return opened(at("secret"), O_RDONLY);
}

static int list_outside(void)
{
	return opened(armed.directory, O_RDONLY | O_DIRECTORY);
}

static int write_outside(void)
{
	return opened(at("secret"), O_WRONLY);
}

static int make_outside(void)
{
	return opened(at("new"), O_WRONLY | O_CREAT);
}

static int write_in_etc(void)
{
	return opened("/etc/passwd", O_WRONLY);
}

static int environ_of_init(void)
{
	return opened("/proc/1/environ", O_RDONLY);
}

static int memory_of_another(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
	return opened(path, O_RDWR);
}

static int mkdir_outside(void)
{
	return mkdir(at("folder"), 0700);
}

static int symlink_outside(void)
{
	return symlink("/etc/shadow", at("link"));
}

static int mknod_outside(void)
{
	return mknod(at("fifo"), S_IFIFO | 0600, 0);
}

static int unlink_outside(void)
{
	return unlink(at("spare"));
}

static int truncate_outside(void)
{
	return truncate(at("secret"), 0);
}

static int chmod_outside(void)
{
	return chmod(at("secret"), 0777);
}

static int setxattr_outside(void)
{
	return (int)syscall(SYS_setxattr, at("secret"), "user.magotp", "x", 1, 0);
}

static int handle(void)
{
	struct file_handle *h = calloc(1, sizeof *h + 64);
	int mount;

	h->handle_bytes = 64;
	return name_to_handle_at(AT_FDCWD, "/etc", h, &mount, 0);
}

static int open_handle(void)
{
	struct file_handle *h = calloc(1, sizeof *h + 64);

	h->handle_bytes = 8;
	return open_by_handle_at(AT_FDCWD, h, O_RDONLY);
}

/* ---- programs and processes ---- */

static char *const no_words[] = { (char *)"true", NULL };

static int exec(void)
{
	return execve("/bin/true", no_words, no_words + 1);
}

static int exec_memory(void)
{
	int fd = (int)syscall(SYS_memfd_create, "x", 0);

	if (fd < 0 || write(fd, "#!/bin/true\n", 12) != 12)
		return -1;
	return (int)syscall(SYS_execveat, fd, "", no_words, no_words + 1, AT_EMPTY_PATH);
}

/* The new process ends at once. */
static int cloned(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0); /* style: a child that must not be */
	return pid < 0 ? -1 : 0;
}

static int fork_one(void)
{
	return cloned(0);
}

static int clone_user_space(void)
{
	return cloned(CLONE_NEWUSER);
}

static int clone_three(void)
{
	uint64_t args[8] = { 0 };

	/* Too short to be taken, so that nothing can come of it. */
	return (int)syscall(SYS_clone3, args, 8);
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}

static int enter_space(void)
{
	return setns(0, CLONE_NEWNET);
}

static int trace(void)
{
	return (int)ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static int read_memory(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &armed, 1 };

	return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1 ? 0 : -1;
}

static int compare(void)
{
	return (int)syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0);
}

static int steal_descriptor(void)
{
	return (int)syscall(438 /* pidfd_getfd */, -1, 0, 0);
}

static int kill_another(void)
{
	return kill(getppid(), 0);
}

static int kill_thread(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int limit_another(void)
{
	struct rlimit limit;

	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit);
}

/* ---- who it is ---- */

static int become_root(void)
{
	return (int)syscall(SYS_setuid, 0);
}

static int change_groups(void)
{
	gid_t none = 0;

	return (int)syscall(SYS_setgroups, 1, &none);
}

static int take_capabilities(void)
{
	uint32_t head[2] = { 0x20080522, 0 }, data[6] = { ~0U, ~0U, 0, ~0U, ~0U, 0 };

	return (int)syscall(SYS_capset, head, data);
}

static int be_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* ---- memory ---- */

static int map_writable_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int run_what_was_written(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int shared_memory(void)
{
	return (int)syscall(SYS_shmget, 0, 4096, 01600);
}

/* ---- network ---- */

static int made(int family, int type)
{
	return socket(family, type | SOCK_CLOEXEC, type == SOCK_RAW ? IPPROTO_ICMP : 0) < 0 ? -1
											    : 0;
}

static int raw_socket(void)
{
	return made(AF_INET, SOCK_RAW);
}

static int packet_socket(void)
{
	return made(AF_PACKET, SOCK_RAW);
}

static int vsock_socket(void)
{
	return made(AF_VSOCK, SOCK_STREAM);
}

static int crypto_socket(void)
{
	return made(AF_ALG, SOCK_SEQPACKET);
}

static int tcp(bool listening)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (listening)
		return bind(fd, (struct sockaddr *)&sa, sizeof sa);
	sa.sin_port = armed.port;
	return connect(fd, (struct sockaddr *)&sa, sizeof sa);
}

static int connect_tcp(void)
{
	return tcp(false);
}

static int listen_tcp(void)
{
	return tcp(true);
}

static int send_udp(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = armed.port,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof sa) == 1 ? 0 : -1;
}

/* `mark`: what an abstract name begins with. */
static int connect_local(const char *name, char mark)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			    (size_t)snprintf(sa.sun_path, sizeof sa.sun_path, "%c%s", mark, name));

	if (mark == '@')
		sa.sun_path[0] = '\0';
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&sa, len);
}

static int connect_unix(void)
{
	return connect_local(at("socket") + 1, '/');
}

static int connect_abstract(void)
{
	return connect_local(at("socket"), '@');
}

/* ---- the system: with arguments that change nothing, should they be taken ---- */

static int do_mount(void)
{
	return (int)syscall(SYS_mount, "none", armed.directory, "tmpfs", 0, NULL);
}

static int do_umount(void)
{
	return (int)syscall(SYS_umount2, armed.directory, 0);
}

static int do_open_tree(void)
{
	return (int)syscall(428 /* open_tree */, AT_FDCWD, armed.directory, 0);
}

static int do_chroot(void)
{
	return (int)syscall(SYS_chroot, armed.directory);
}

static int do_pivot_root(void)
{
	return (int)syscall(SYS_pivot_root, armed.directory, armed.directory);
}

static int do_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int do_perf(void)
{
	return (int)syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static int do_userfaultfd(void)
{
	return (int)syscall(SYS_userfaultfd, 0);
}

static int do_uring(void)
{
	return (int)syscall(425 /* io_uring_setup */, 1, NULL);
}

static int do_keyctl(void)
{
	return (int)syscall(SYS_keyctl, 0, -3, 0, 0, 0);
}

static int do_add_key(void)
{
	return (int)syscall(SYS_add_key, "user", "magotp", "x", 1, -3);
}

static int do_module(void)
{
	return (int)syscall(SYS_init_module, NULL, 0, "");
}

static int do_kexec(void)
{
	return (int)syscall(SYS_kexec_load, 0, 0, NULL, ~0UL);
}

static int do_reboot(void)
{
	return (int)syscall(SYS_reboot, 0, 0, 0, NULL);
}

static int do_settime(void)
{
	return (int)syscall(SYS_clock_settime, -1, NULL);
}

static int do_syslog(void)
{
	return (int)syscall(SYS_syslog, 10, NULL, 0);
}

static int do_personality(void)
{
	return (int)syscall(SYS_personality, 0x40000);
}

static int do_swapon(void)
{
	return (int)syscall(SYS_swapon, armed.directory, 0);
}

static int do_quota(void)
{
	return (int)syscall(SYS_quotactl, 0, NULL, 0, NULL);
}

static int push_a_key(void)
{
	return ioctl(0, TIOCSTI, "x");
}

/* ---- the table ---- */

static const struct {
	const char *name;
	int (*run)(void);
} attempts[] = {
	{ "open_shadow", open_shadow },
	{ "read_outside", read_outside },
	{ "list_outside", list_outside },
	{ "write_outside", write_outside },
	{ "make_outside", make_outside },
	{ "write_in_etc", write_in_etc },
	{ "environ_of_init", environ_of_init },
	{ "memory_of_another", memory_of_another },
	{ "mkdir_outside", mkdir_outside },
	{ "symlink_outside", symlink_outside },
	{ "mknod_outside", mknod_outside },
	{ "unlink_outside", unlink_outside },
	{ "truncate_outside", truncate_outside },
	{ "chmod_outside", chmod_outside },
	{ "setxattr_outside", setxattr_outside },
	{ "name_to_handle_at", handle },
	{ "open_by_handle_at", open_handle },
	{ "execve", exec },
	{ "exec_memory", exec_memory },
	{ "fork", fork_one },
	{ "clone_user_space", clone_user_space },
	{ "clone3", clone_three },
	{ "unshare", unshare_user },
	{ "setns", enter_space },
	{ "ptrace", trace },
	{ "process_vm_readv", read_memory },
	{ "kcmp", compare },
	{ "pidfd_getfd", steal_descriptor },
	{ "kill", kill_another },
	{ "tgkill", kill_thread },
	{ "prlimit_another", limit_another },
	{ "setuid", become_root },
	{ "setgroups", change_groups },
	{ "capset", take_capabilities },
	{ "be_dumpable", be_dumpable },
	{ "map_writable_code", map_writable_code },
	{ "run_what_was_written", run_what_was_written },
	{ "shmget", shared_memory },
	{ "raw_socket", raw_socket },
	{ "packet_socket", packet_socket },
	{ "vsock_socket", vsock_socket },
	{ "crypto_socket", crypto_socket },
	{ "connect_tcp", connect_tcp },
	{ "listen_tcp", listen_tcp },
	{ "send_udp", send_udp },
	{ "connect_unix", connect_unix },
	{ "connect_abstract", connect_abstract },
	{ "mount", do_mount },
	{ "umount", do_umount },
	{ "open_tree", do_open_tree },
	{ "chroot", do_chroot },
	{ "pivot_root", do_pivot_root },
	{ "bpf", do_bpf },
	{ "perf_event_open", do_perf },
	{ "userfaultfd", do_userfaultfd },
	{ "io_uring_setup", do_uring },
	{ "keyctl", do_keyctl },
	{ "add_key", do_add_key },
	{ "init_module", do_module },
	{ "kexec_load", do_kexec },
	{ "reboot", do_reboot },
	{ "clock_settime", do_settime },
	{ "syslog", do_syslog },
	{ "personality", do_personality },
	{ "swapon", do_swapon },
	{ "quotactl", do_quota },
	{ "tiocsti", push_a_key },
};
#define N (sizeof attempts / sizeof *attempts)

/* ---- the house around it ---- */

int escape_arm(const char *spec)
{
	unsigned port;

	if (sscanf(spec, "%31[^:]:%255[^:]:%u", armed.process, armed.directory, &port) != 3)
		return -1;
	armed.port = htons((in_port_t)port);
	return 0;
}

static void tell(int out, size_t i, int status)
{
	if (WIFSIGNALED(status))
		dprintf(out, "escape %s %s\n", attempts[i].name,
			WTERMSIG(status) == SIGSYS ? "killed" : strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 0)
		dprintf(out, "escape %s worked\n", attempts[i].name);
	else
		dprintf(out, "escape %s %s\n", attempts[i].name,
			strerrorname_np(WEXITSTATUS(status)));
}

void escape_before(const char *process)
{
	int out, status;
	pid_t pid;

	if (strcmp(process, armed.process) != 0)
		return;
	/* Standard error may be nothing by now; the answers are the directory's. */
	out = open(at("answers"), O_WRONLY | O_APPEND | O_CLOEXEC);
	for (size_t i = 0; i < N; i++) {
		pid = fork();
		if (pid == 0) {
			armed.attempt = (int)i;
			if (out >= 0)
				close(out);
			return;
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			_exit(1); /* style: a test's */
		tell(out, i, status);
	}
	dprintf(out, "escape end\n");
	_exit(0); /* style: a test's */
}

void escape_now(void)
{
	if (armed.attempt < 0)
		return;
	errno = 0;
	_exit(attempts[armed.attempt].run() == 0 ? 0 : errno ? errno : 255); /* style: a test's */
}
