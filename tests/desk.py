"""A house with the two tools at hand, in pipes and on terminals, for any user."""

import json
import os
import pwd
import shutil
import subprocess

import pexpect

from house import House

# Users that every Debian has; no login of theirs is touched.
PEOPLE = ("games", "news", "mail", "irc")
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb"}


class Desk(House):
    """A house with the tools at hand."""

    def __init__(self, directory, **sections):
        super().__init__(directory, **sections)
        os.chmod(directory, 0o755)
        self.bin = os.path.join(directory, "bin")
        os.mkdir(self.bin)
        for name in ("magotp/magotp", "magotpctl", "pskc-import", "enable-watch", "pam-try"):
            shutil.copy(self.program(name), self.bin)

    def _argv(self, tool, args):
        return [os.path.join(self.bin, tool), "--config", self.conf_file, *args]

    def ctl(self, *args, code=0, stdin=""):
        return self._pipe("magotpctl", args, code, stdin, None)

    def own(self, user, *args, code=0, stdin=""):
        return self._pipe("magotp", args, code, stdin, user)

    def _pipe(self, tool, args, code, stdin, user):
        p = subprocess.run(self._argv(tool, args), input=stdin, capture_output=True, text=True,
                           env=ENV, cwd="/", timeout=60, user=user,
                           group=pwd.getpwnam(user).pw_gid if user else None,
                           extra_groups=[] if user else None)
        assert p.returncode == code, (args, p.returncode, p.stdout, p.stderr)
        return p

    def json(self, *args):
        return json.loads(self.ctl("--json", *args).stdout)

    def error(self, p):
        """The id of a refusal in words: "...(code-wrong)"."""
        return p.stderr.strip().splitlines()[-1].rsplit("(", 1)[-1].rstrip(")")

    def terminal(self, tool, *args, user=None, columns=120):
        def become():
            if user:
                who = pwd.getpwnam(user)
                os.setgroups([])
                os.setgid(who.pw_gid)
                os.setuid(who.pw_uid)

        argv = self._argv(tool, args)
        return pexpect.spawn(argv[0], argv[1:], env=ENV, cwd="/", timeout=15, encoding="utf-8",
                             preexec_fn=become, dimensions=(40, columns), echo=False)

    def person(self, user):
        """An account of a user of this host."""
        self.ctl("account", "add", user)
        return user

    def key(self, product="phone-us", *args):
        return self.ctl("license", "issue", "--product", product, *args).stdout.strip()

    def with_phone(self, user, product="phone-us"):
        """A person with a licence and one active phone; its number."""
        self.person(user)
        number = self.number()
        self.ctl("enroll", user, "--key", self.key(product), "--phone", number)
        self.ctl("phone", "verify", user, "p1", self.code(number))
        return number


def finish(child, code=0):
    """Read to the end; the exit code must be this one."""
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code, (child.exitstatus, child.signalstatus, child.before)
    return child.before
