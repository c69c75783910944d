"""A PAM application under pam_wrapper, driven from Python (talk.c).

    with Pam(directory, build, {"sshd": "auth required pam_magotp.so\n"}) as pam:
        pam.start("sshd", "alice", rhost="203.0.113.7")
        code, seen = pam.do("authenticate", ["1", "483920"])
"""

import glob
import os
import re
import shutil
import subprocess

WRAPPER = glob.glob("/usr/lib/*/libpam_wrapper.so")
MODULES = glob.glob("/usr/lib/*/pam_wrapper")

# security/_pam_types.h
CODES = {
    0: "SUCCESS", 1: "OPEN_ERR", 3: "SERVICE_ERR", 4: "SYSTEM_ERR", 5: "BUF_ERR",
    6: "PERM_DENIED", 7: "AUTH_ERR", 8: "CRED_INSUFFICIENT", 9: "AUTHINFO_UNAVAIL",
    10: "USER_UNKNOWN", 11: "MAXTRIES", 12: "NEW_AUTHTOK_REQD", 13: "ACCT_EXPIRED",
    14: "SESSION_ERR", 17: "CRED_ERR", 19: "CONV_ERR", 25: "IGNORE", 26: "ABORT",
    28: "MODULE_UNKNOWN", 30: "CONV_AGAIN", 31: "INCOMPLETE",
}


def escape(text):
    return "".join(chr(c) if 32 <= c < 127 and c != 92 else "\\x%02x" % c
                   for c in text.encode("utf-8", "surrogateescape"))


def unescape(text):
    """The bytes that were said, read as UTF-8."""
    def one(m):
        if m[0] == "\\n":
            return "\n"
        return chr(int(m[0][2:], 16)) if m[0][1] == "x" else m[0][1]
    said = re.sub(r"\\n|\\x[0-9a-f]{2}|\\.", one, text)
    return said.encode("latin-1").decode("utf-8", "surrogateescape")


class Pam:
    def __init__(self, directory, build, services, preload=(), environ=()):
        """services: name -> lines; `pam_magotp.so` and the modules of
        pam_wrapper (pam_matrix.so ...) are found by their plain names."""
        self.dir = os.path.join(str(directory), "pam.d")
        os.makedirs(self.dir, exist_ok=True)
        for name, lines in services.items():
            lines = re.sub(r"\bpam_magotp\.so", os.path.join(build, ".libs/pam_magotp.so"), lines)
            lines = re.sub(r"(?<!/)\bpam_(matrix|get_items|set_items|chatty)\.so",
                           MODULES[0] + r"/pam_\1.so", lines)
            with open(os.path.join(self.dir, name), "w") as f:
                f.write(lines)
        # talk is a libtool program: the real one, not the wrapper script.
        program = os.path.join(build, ".libs/pam_talk")
        if not os.path.exists(program):
            program = os.path.join(build, "pam_talk")
        # The runtime of a sanitizer has to come before pam_wrapper.
        asan = re.findall(r"(/\S*/libasan\.so\S*)", subprocess.run(
            ["ldd", program], stdout=subprocess.PIPE, text=True).stdout)
        env = {"PATH": "/usr/bin:/bin", "LD_PRELOAD": " ".join([*asan, *preload, WRAPPER[0]]),
               "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
               "PAM_WRAPPER": "1", "PAM_WRAPPER_SERVICE_DIR": self.dir, **dict(environ)}
        self.p = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  env=env, text=True, encoding="latin-1", cwd="/")

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.p.stdin.close()
        status = self.p.wait(10)
        self.p.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        assert failure or status == 0, "the application ended with %s" % status

    def _say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def _hear(self):
        line = self.p.stdout.readline()
        assert line, "the application died: %s" % self.p.wait()
        what, _, text = line.rstrip("\n").partition(" ")
        return what, unescape(text)

    def ask(self, line):
        self._say(line)
        return self._hear()

    def start(self, service, user, conv=True, **items):
        self.ask("start %s %s%s" % (service, escape(user), "" if conv else " noconv"))
        for name, value in items.items():
            self.ask("item %s %s" % (name, escape(value)))

    def end(self):
        self.ask("end")

    def env(self, name):
        what, text = self.ask("env " + name)
        return text if what == "v" else None

    def do(self, operation, answers=()):
        """The result's name and what was shown: (kind, text), kind on, off, info
        or error. `answers`: texts, callables that make them when they are asked
        for, or an iterator of either; "!fail" when they run out."""
        answers = iter(answers)
        seen = self.seen = []
        self._say("do " + operation)
        while True:
            what, text = self._hear()
            if what == "=":
                return CODES.get(int(text), text), seen
            seen.append((what, text))
            if what in ("on", "off"):
                answer = next(answers, "!fail")
                if callable(answer):
                    answer = answer()
                self._say(answer if answer.startswith("!") else escape(answer))
