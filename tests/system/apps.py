"""Real PAM applications in the private host: one host for each, several logins in it.

alice has a password, a phone and a token; the token's codes need no messages,
so most logins here use it.
"""

import concurrent.futures
import contextlib
import socket
import subprocess

from host import PASSWORD, ROOT, Host

SEED = "3132333435363738393031323334353637383930"
SERIAL = "HT-0003401"

# A wrong code waits for nobody here; that has tests of its own.
COMMON = "[licences]\nmode = automatic\n[throttle]\ndelay_after = 20\n"


class Token:
    """The codes of a HOTP token, each once."""

    def __init__(self, seed=SEED):
        self.seed = seed
        self.counter = 0

    def next(self):
        code = subprocess.run(["oathtool", "--hotp", f"--counter={self.counter}", self.seed],
                              capture_output=True, text=True, check=True).stdout.strip()
        self.counter += 1
        return code


def alice(host, *command, **how):
    return host.run("setpriv", "--reuid=alice", "--regid=alice", "--init-groups", *command, **how)


def give_token(host):
    host.token = Token()
    host.write("/root/tokens.csv", "serial,type,secret,digits,counter,algorithm\n"
               f"{SERIAL},hotp,{SEED},6,0,sha1\n", 0o600)
    host.run("magotpctl", "token", "import", "/root/tokens.csv", "--format", "csv")
    key = host.run("magotpctl", "license", "issue", "--product", "hardware").stdout.strip()
    alice(host, "magotp", "activate", key)
    alice(host, "magotp", "token", "add", SERIAL, host.token.next(), host.token.next())


def give_phone(host, user="alice", number="+12025550134"):
    host.run("magotpctl", "enroll", user, "--phone", number)
    code = host.code(host.message(number))
    host.run("magotpctl", "phone", "verify", user, "p1", "-", input=code + "\n")


@contextlib.contextmanager
def app_host(stage, conf=""):
    """A host with magotp running and alice; host.token gives her token's codes."""
    with Host(stage) as host:
        host.install(COMMON + conf)
        host.run("useradd", "-m", "-s", "/bin/bash", "alice")
        host.run("chpasswd", input=f"alice:{PASSWORD}\n")
        host.run("magotpctl", "account", "add", "alice")
        give_token(host)
        give_phone(host)
        yield host
        print(host.logs(), host.syslog(), sep="\n")


def profile(host, name, service=None):
    """The shipped profile becomes /etc/pam.d/SERVICE."""
    host.write(f"/etc/pam.d/{service or name}", (ROOT / "conf/examples" / name).read_text())


@contextlib.contextmanager
def broker_down(host):
    host.kill_broker()
    try:
        yield
    finally:
        host.start_broker()


def at_once(do, things):
    """do() of each in a thread of its own: refusals wait out libpam's delay together."""
    with concurrent.futures.ThreadPoolExecutor(len(things)) as pool:
        return list(pool.map(do, things))


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def password_file(host, group):
    """Passwords for a program that is not root, as magotp-services(7) says."""
    profile(host, "magotp-file")
    hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=PASSWORD,
                            capture_output=True, text=True, check=True).stdout.strip()
    host.write("/etc/magotp/passwords", f"alice:{hashed}\n", 0o640)
    host.run("chgrp", group, "/etc/magotp/passwords")
