"""Intruders on purpose: what a daemon of a test build (tests/escape/escape.c) tries once its
sandbox is closed, and how each attempt has to end.

    with Outside() as outside:
        ended = outside.ended(lambda spec: subprocess.run([..., "--escape", spec]), "broker")
    check(ended, BROKER)

An end is "killed" (the filter of calls), the name of an error, or "worked".
"""

import ctypes
import os
import shutil
import socket
import tempfile

REFUSED = {"EPERM", "EACCES"}
ABI = ctypes.CDLL(None).syscall(444, None, 0, 1)  # landlock_create_ruleset: its version

FILES = ("open_shadow read_outside list_outside write_outside make_outside write_in_etc "
         "memory_of_another unlink_outside").split()
# Calls that nobody here makes: they end a process with an allow list.
FOREIGN = ("mkdir_outside symlink_outside mknod_outside truncate_outside chmod_outside "
           "setxattr_outside execve name_to_handle_at open_by_handle_at unshare setns "
           "ptrace process_vm_readv kcmp pidfd_getfd kill setuid setgroups capset shmget mount "
           "umount open_tree chroot pivot_root bpf perf_event_open userfaultfd io_uring_setup keyctl "
           "add_key init_module kexec_load reboot clock_settime syslog personality swapon quotactl").split()
# What only an argument tells from what they do themselves, or a library may try.
ARGUMENTS = ("exec_memory fork clone_user_space tgkill prlimit_another be_dumpable map_writable_code "
             "run_what_was_written packet_socket vsock_socket crypto_socket tiocsti").split()
NETWORK = "raw_socket connect_tcp listen_tcp send_udp".split()
SYSTEM = ("name_to_handle_at open_by_handle_at unshare setns process_vm_readv ptrace kcmp "
          "pidfd_getfd mount umount open_tree chroot pivot_root bpf perf_event_open userfaultfd "
          "io_uring_setup keyctl add_key init_module kexec_load reboot clock_settime syslog "
          "personality swapon quotactl").split()


def _daemon():
    return {**dict.fromkeys(FILES + ARGUMENTS, REFUSED), **dict.fromkeys(FOREIGN, {"killed"}),
            "environ_of_init": REFUSED, "clone3": {"ENOSYS"}, "connect_abstract": REFUSED}


# Without the network. A Unix socket that has a name is as far away as its permissions say.
BROKER = {**_daemon(), **dict.fromkeys(NETWORK, REFUSED)}
# A relay may reach its auth hosts' port, and the resolver.
RELAY = {**_daemon(), "raw_socket": REFUSED, "connect_tcp": REFUSED, "listen_tcp": REFUSED}
# Threads (the resolver's) but no processes; any provider, but no port of its own.
SMSD = {**_daemon(), "raw_socket": REFUSED, "listen_tcp": REFUSED}
# It answers, no more.
RECEIPTS = {**_daemon(), **dict.fromkeys(NETWORK + ["connect_unix"], REFUSED)}
# Its list refuses instead of killing: libraries ask for this and that.
PSKC = dict.fromkeys([*FILES, "environ_of_init", *FOREIGN, "exec_memory", "fork", "clone_user_space", "clone3", "tgkill",
                      "prlimit_another", "be_dumpable", "packet_socket", "vsock_socket", "crypto_socket",
                      "tiocsti", *NETWORK, "connect_unix", "connect_abstract"], REFUSED)
# They run programs of others: the system stays as it is.
PROGRAMS = dict.fromkeys(SYSTEM, REFUSED)
# Root, for two programs: no network, nothing written but in /etc.
PASSWORD = {**dict.fromkeys(SYSTEM, REFUSED),
            **dict.fromkeys("write_outside make_outside mkdir_outside symlink_outside mknod_outside "
                            "unlink_outside execve exec_memory truncate_outside".split(), REFUSED),
            **dict.fromkeys("raw_socket connect_tcp listen_tcp send_udp packet_socket vsock_socket "
                            "crypto_socket".split(), {"EAFNOSUPPORT"})}


class Outside:
    """What lies outside: a folder that everybody may write, servers on all kinds of sockets."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="magotp-outside-")
        os.chmod(self.dir, 0o777)
        for name in ("secret", "spare", "answers"):
            path = os.path.join(self.dir, name)
            open(path, "w").close()
            os.chmod(path, 0o666)
        self.servers = []
        self.port = self._serve(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        self._serve(socket.AF_UNIX, os.path.join(self.dir, "socket"))
        os.chmod(os.path.join(self.dir, "socket"), 0o666)
        self._serve(socket.AF_UNIX, "\0" + os.path.join(self.dir, "socket"))

    def _serve(self, family, address):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.bind(address)
        s.listen(64)
        self.servers.append(s)
        return s

    def spec(self, process):
        return "%s:%s:%d" % (process, self.dir, self.port)

    def ended(self):
        """{attempt: end} of what was tried since."""
        path = os.path.join(self.dir, "answers")
        with open(path) as f:
            lines = f.read().splitlines()
        assert lines and lines[-1] == "escape end", lines[-3:]
        return dict(line.split(" ", 2)[1:] for line in lines[:-1])

    def over(self):
        with open(os.path.join(self.dir, "answers")) as f:
            return f.read().endswith("escape end\n")

    def untouched(self):
        return sorted(os.listdir(self.dir)) == ["answers", "secret", "socket", "spare"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.servers:
            s.close()
        shutil.rmtree(self.dir)


def lacking(build):
    """Why nothing can be shown here; "" if it can."""
    with open(os.path.join(build, "config.h")) as f:
        text = f.read()
    if "#define MAG_INSTRUMENTED" in text:
        return "a build with sanitizers has no sandbox"
    if "#define HAVE_SECCOMP" not in text:
        return "built without libseccomp"
    if ABI < 6:
        return "this kernel's Landlock (ABI %d) has not all that is tried" % ABI
    return ""


def check(ended, wanted):
    """Every attempt that is wanted was made, and none ended otherwise."""
    wrong = {name: ended.get(name) for name, ends in wanted.items() if ended.get(name) not in ends}
    assert not wrong, wrong
    assert len(wanted) > 20 and len(ended) > 60
