"""A whole host for one test: real sshd, su and login with magotp installed.

The host is a private mount namespace (build-aux/private-host): its /etc, /usr,
/var, /run, /home and /dev are its own, so that nothing reaches the machine that
runs the tests. Servers listen on loopback, on ports that were free, and are
stopped by the pid that started them.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse 7"

TWO_LINES = "conf/examples/sshd-two-lines"
ONE_LINE = "conf/examples/sshd-one-line"
PUBLIC_KEY = "conf/examples/sshd-publickey"

SYSLOG_SINK = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
import os
os.chmod("/dev/log", 0o666)
print("ready", flush=True)
with open(sys.argv[1], "ab", buffering=0) as f:
    while True:
        f.write(s.recv(65536).rstrip(b"\\0\\n") + b"\\n")
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=10.0):
    """Poll until condition() is true; says what was waited for when it is not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


def stage_install(build):
    """`make install` of the build into a folder of its own; returns it."""
    stage = Path(tempfile.mkdtemp(prefix="magotp-stage-"))
    done = subprocess.run(["make", "-s", "-C", str(build), "install", f"DESTDIR={stage}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return stage


class Host:
    def __init__(self, stage):
        self.stage = stage
        self.work = Path(tempfile.mkdtemp(prefix="magotp-host-"))
        # Shared with the namespace: /tmp is the machine's own.
        self.shared = Path(tempfile.mkdtemp(prefix="magotp-shared-"))
        self.shared.chmod(0o755)
        self.outbox = self.shared / "outbox"
        self.log = self.shared / "syslog"
        self.children = []
        self.sshd_port = None
        self.holder = None

    # ---- the namespace ----
    def __enter__(self):
        self.holder = subprocess.Popen(
            [str(ROOT / "build-aux/private-host"), str(self.work), str(self.stage or ""),
             "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n", "no private host"
        self.daemon("/usr/bin/python3", "-c", SYSLOG_SINK, str(self.log), ready=b"ready")
        return self

    def __exit__(self, *exc):
        for child in reversed(self.children):
            self.stop(child)
        self.holder.stdin.close()
        self.holder.wait(10)
        shutil.rmtree(self.shared, ignore_errors=True)
        self.work.rmdir()

    def inside(self, *command):
        # In a chroot the "/" that is worked in is not yet that of the new root.
        return ["nsenter", f"--target={self.holder.pid}", "--mount", "--root", "--",
                "env", "--chdir=/", *map(str, command)]

    def run(self, *command, check=True, **how):
        """Run to the end; returns the CompletedProcess (text)."""
        how.setdefault("stdin", subprocess.DEVNULL)
        if "input" in how:
            how.pop("stdin")
        done = subprocess.run(self.inside(*command), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60,
                              env=self.environment(), cwd="/", **how)
        if check and done.returncode != 0:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    @staticmethod
    def environment():
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM": "xterm", "LANG": "C.UTF-8", "HOME": "/root"}

    def spawn(self, *command, timeout=20):
        """A program on a terminal of its own, driven with pexpect."""
        line = self.inside(*command)
        child = pexpect.spawn(line[0], line[1:], timeout=timeout, encoding="utf-8",
                              env=self.environment(), cwd="/", echo=False, dimensions=(40, 200))
        child.delaybeforesend = None
        return child

    def daemon(self, *command, ready=None, log=None):
        out = open(log, "ab") if log else subprocess.PIPE if ready else subprocess.DEVNULL
        child = subprocess.Popen(self.inside(*command), stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT if log else None,
                                 env=self.environment(), cwd="/")
        self.children.append(child)
        if ready:
            assert ready in child.stdout.readline()
        return child

    def stop(self, child, how=signal.SIGTERM):
        if child in self.children:
            self.children.remove(child)
        if child.poll() is None:
            child.send_signal(how)
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)

    def write(self, path, text, mode=0o644):
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"', "sh",
                 path, f"{mode:o}", input=text)

    def syslog(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # ---- magotp ----
    def install(self, conf="", smsd_conf=None, show=None):
        """What the README's "Install" does after `make install`; show(self, *command)
        runs what an administrator would like to see run."""
        self.run("systemd-sysusers")
        self.run("systemd-tmpfiles", "--create", "--prefix=/var/lib/magotp",
                 "--prefix=/var/lib/magotp-smsd", "--prefix=/run/magotp", "--prefix=/run/magotp-smsd")
        uid = int(self.run("id", "-u", "magotp-sms").stdout)
        self.outbox.mkdir(exist_ok=True)
        os.chown(self.outbox, uid, 0)
        self.write("/etc/magotp/magotp.conf", conf or "[licences]\nmode = automatic\n")
        self.write("/etc/magotp/smsd.conf", smsd_conf or
                   f"[smsd]\nnumber_hour = 1000\nnumber_day = 1000\n"
                   f"[gateway outbox]\ndriver = outbox\nchannels = sms voice email\n"
                   f"directory = {self.outbox}\n", 0o640)
        self.run("chgrp", "magotp-sms", "/etc/magotp/smsd.conf")
        (show or Host.run)(self, "magotpctl", "setup")
        self.start()

    def start(self):
        self.start_smsd()
        self.start_broker()

    def start_smsd(self):
        self.smsd = self.daemon("magotp-smsd", "--foreground", log=self.shared / "smsd.log")
        wait_for("magotp-smsd", lambda: self.answers("gateway", "list"))

    def start_broker(self):
        self.broker = self.daemon("otpcored", "--foreground", log=self.shared / "otpcored.log")
        wait_for("otpcored", lambda: self.answers("account", "list"))

    def answers(self, *command):
        return self.run("magotpctl", *command, check=False).returncode == 0

    def kill_broker(self):
        self.stop(self.broker, signal.SIGKILL)

    def logs(self):
        return "".join((self.shared / n).read_text(errors="replace")
                       for n in ("otpcored.log", "smsd.log") if (self.shared / n).exists())

    def person(self, name="alice", password=PASSWORD, phones=("+12025550134",)):
        """A Unix account with a password and, for magotp, phones that are bound."""
        self.run("useradd", "-m", "-s", "/bin/bash", name)
        self.run("chpasswd", input=f"{name}:{password}\n")
        for i, number in enumerate(phones, 1):
            self.run("magotpctl", "enroll", name, "--phone", number)
            code = self.code(self.message(number))
            self.run("magotpctl", "phone", "verify", name, f"p{i}", "-", input=code + "\n")

    # ---- messages ----
    def messages(self):
        files = sorted(self.outbox.glob("*.json"), key=lambda f: f.stat().st_mtime_ns)
        return [json.loads(f.read_text()) for f in files]

    def message(self, to=None, after=0):
        """The latest message (to a number), waiting until there are more than `after`."""
        def latest():
            all_of = [m for m in self.messages() if to is None or m["to"] == to]
            return all_of[-1] if len(all_of) > after else None
        return wait_for(f"a message to {to or 'anybody'}", latest)

    @staticmethod
    def code(message):
        """The code in a text, or spoken digit by digit in a call."""
        found = re.search(r"\b(\d{6,8})\b", message["text"])
        if found:
            return found.group(1)
        digits = "".join(re.findall(r"\b(\d)\b", message["text"]))
        return digits[:6]

    # ---- servers ----
    def sshd(self, stack=TWO_LINES, config="", pam=None):
        """Start a real sshd; `stack` is a shipped example, `pam` a text instead."""
        self.sshd_port = free_port()
        self.write("/etc/pam.d/sshd", pam or (ROOT / stack).read_text())
        keys = self.shared / "hostkey"
        if not keys.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys)], check=True)
        self.write("/etc/ssh/sshd_magotp", f"""Port {self.sshd_port}
ListenAddress 127.0.0.1
HostKey {keys}
PidFile none
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
PermitRootLogin no
LogLevel VERBOSE
UseDNS no
PrintLastLog no
PrintMotd no
{config}
""")
        child = self.daemon("/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/sshd_magotp",
                            log=self.shared / "sshd.log")

        wait_for("sshd", lambda: self.listens(self.sshd_port))
        return child

    def listens(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def ssh_command(self, user="alice", *command, options=()):
        """The first setting of an option counts, so `options` come first. An sshd that was told
        to read its settings again answers, is gone for a moment, and answers again."""
        return ["ssh", "-tt", "-p", self.sshd_port, *options, "-o", "StrictHostKeyChecking=no",
                "-o", "ConnectionAttempts=5",
                "-o", "UserKnownHostsFile=/dev/null",
                "-o", "PreferredAuthentications=keyboard-interactive",
                "-o", "NumberOfPasswordPrompts=1", f"{user}@127.0.0.1", *command]

    def ssh(self, user="alice", *command, options=()):
        return self.spawn(*self.ssh_command(user, *command, options=options))

    def new_key(self, user="alice"):
        """A key pair that sshd accepts for the user; returns the private key's path."""
        key = self.shared / f"key-{user}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.write(f"/home/{user}/.ssh/authorized_keys", (self.shared / f"key-{user}.pub").read_text(), 0o600)
        self.run("chown", "-R", f"{user}:", f"/home/{user}/.ssh")
        return key


def until_end(child):
    """The rest of what the program prints; its exit status is child.exitstatus."""
    child.expect(pexpect.EOF)
    child.close()
    return child.before.replace("\r\n", "\n")
