"""A whole magotp in a directory of its own, as the current user: settings,
master key, store, otpcored and magotp-smsd with the outbox gateway.

    with House(tmp_path) as house:
        house.start()                      # smsd and broker
        house.account("anna", uid=1000)
        number = house.phone("anna")       # registered, with the code it was sent
        login = house.login("anna")        # begin; a Login
        login.send(); login.verify(house.code(number))

The programs come from $MAGOTP_BUILD, else ./build, else the top directory.
"""

import glob
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wirepy  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")  # the daemons have threads
UID_UNKNOWN = wirepy.UID_UNKNOWN
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="speaks as several users: needs root")


def build_dir():
    for d in (os.environ.get("MAGOTP_BUILD"), os.path.join(TOP, "build"), TOP):
        if d and os.path.exists(os.path.join(d, "otpcored")):
            return d
    raise RuntimeError("otpcored is not built: set MAGOTP_BUILD")


def sanitized():
    """Built with a sanitizer, which has a malloc and more memory of its own."""
    with open(os.path.join(build_dir(), "config.status"), errors="replace") as f:
        return "-fsanitize=address" in f.read()


class Login:
    """One login from begin on; `seq` counts by itself."""

    def __init__(self, house, user, service, uid=None, **fields):
        self.house, self.uid, self.seq, self.ref = house, uid, 0, 1
        fields = {"user": user, "service": service, "uid": UID_UNKNOWN, "proof": 1, **fields}
        self.user, self.service = user, service
        self.result, self.begin = house.call("begin", fields, uid=uid)
        self.txn = self.begin.get("txn", b"")

    def _call(self, name, again_seq, **fields):
        if again_seq is None:
            self.seq += 1
            again_seq = self.seq
        return self.house.call(name, {"txn": self.txn, "seq": again_seq, **fields}, uid=self.uid)

    def send(self, ref=1, channel="", again=0, seq=None):
        return self._call("send", seq, ref=ref, channel=channel, again=again)

    def verify(self, code, ref=1, seq=None):
        return self._call("verify", seq, ref=ref, code=code)

    def skip(self, seq=None):
        return self._call("skip", seq)

    def account(self, **fields):
        return self.house.call("account", {"txn": self.txn, "user": self.user,
            "service": self.service, "uid": UID_UNKNOWN, **fields}, uid=self.uid)

    def open(self, **fields):
        return self.house.call("open", {"txn": self.txn, "user": self.user,
            "service": self.service, "uid": UID_UNKNOWN, **fields}, uid=self.uid)


class House:
    def __init__(self, directory, user=None, **sections):
        """sections: {"phone": {"tries": 5}, "service su": {...}} are written over
        what the house needs itself."""
        self.dir = str(directory)
        self.build = build_dir()
        self.user = user or pwd.getpwuid(os.geteuid()).pw_name
        self.socket = os.path.join(self.dir, "otpcored.sock")
        self.smsd_dir = os.path.join(self.dir, "smsd")
        self.smsd_socket = os.path.join(self.smsd_dir, "smsd.sock")
        self.outbox = os.path.join(self.dir, "outbox")
        self.conf_file = os.path.join(self.dir, "magotp.conf")
        self.smsd_file = os.path.join(self.dir, "smsd.conf")
        self.processes = {}
        self.prefix = []  # of the daemons: a command that runs one elsewhere
        self.environ = {}  # of the daemons, added
        self.offset = None  # of libfaketime, seconds
        self.followers = []  # houses with the same clock: each reads it in its own folder
        self.numbers = 0
        os.makedirs(self.outbox, exist_ok=True)
        os.makedirs(self.smsd_dir, exist_ok=True)
        os.chmod(self.smsd_dir, 0o755)
        self.sections = {
            "store": {"url": "sqlite:%s/db/otpcore.db" % self.dir,
                      "journal": "%s/db/journal" % self.dir,
                      "master_key": "file:%s/master.key" % self.dir},
            "broker": {"socket": self.socket, "user": self.user},
            "licences": {"mode": "automatic"},
            "phone": {"sends_per_day": 2400},
            "audit": {"file": "%s/db/audit.log" % self.dir},
            "smsd": {"socket": self.smsd_socket},
        }
        self.conf(**sections)
        self.smsd_conf()

    # ---- settings ----

    @staticmethod
    def _write(path, sections):
        with open(path, "w") as f:
            for name, keys in sections.items():
                f.write("[%s]\n" % name)
                f.writelines("%s = %s\n" % pair for pair in keys.items())

    def conf(self, **sections):
        for name, keys in sections.items():
            self.sections.setdefault(name, {}).update(keys)
        self._write(self.conf_file, self.sections)

    def smsd_conf(self, **sections):
        smsd = {
            "smsd": {"socket": self.smsd_socket, "user": self.user, "clients": str(os.geteuid()),
                     "allowed_countries": "*", "used_watch": 0, **{f"{scope}_{span}": 1000000 for scope in ("country", "prefix", "number")
                        for span in ("hour", "day")},
                     "templates": os.path.join(TOP, "conf/templates")},
            "gateway outbox": {"driver": "outbox", "channels": "sms voice email",
                               "directory": self.outbox},
        }
        for name, keys in sections.items():
            smsd.setdefault(name, {}).update(keys)
        self._write(self.smsd_file, smsd)

    # ---- programs ----

    def program(self, name):
        return os.path.join(self.build, name)

    def _env(self):
        env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", **self.environ}
        if self.offset is not None:
            self._write_offset()
            env.update(LD_PRELOAD=" ".join([FAKETIME[0], env.get("LD_PRELOAD", "")]).strip(), FAKETIME_TIMESTAMP_FILE=self._offset_file(),
                       ASAN_OPTIONS="verify_asan_link_order=0",  # faketime comes first
                       FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1")
        return env

    def _offset_file(self):
        return os.path.join(self.dir, "faketime")

    def _write_offset(self):
        for house in (self, *self.followers):
            house.offset = self.offset
            with open(house._offset_file() + ".new", "w") as f:
                f.write("%+ds\n" % self.offset)
            os.rename(house._offset_file() + ".new", house._offset_file())

    def time_travel(self, seconds):
        """Before start(): the clock of both daemons can be moved (0: now). Later:
        it is this many seconds further."""
        if not self.processes:
            self.offset = seconds
        else:
            self.offset += seconds
            self._write_offset()

    def run(self, name, *args, check=True):
        return subprocess.run([self.program(name), *args], env=self._env(), check=check,
                              capture_output=True, text=True)

    def setup(self):
        made = (os.path.join(self.dir, "db", "otpcore.db")
                if self.sections["store"]["url"].startswith("sqlite:")
                else os.path.join(self.dir, "master.key"))
        if not os.path.exists(made):
            done = self.run("otpcored", "--config", self.conf_file, "--setup", check=False)
            assert done.returncode == 0, done.stderr

    def log_file(self, name):
        return os.path.join(self.dir, name + ".log")

    def log(self, name="broker"):
        with open(self.log_file(name), errors="replace") as f:
            return f.read()

    def _start(self, name, program, config, socket, args):
        log = open(self.log_file(name), "ab")
        p = subprocess.Popen([*self.prefix, self.program(program), "--config", config, "--foreground", *args],
                             env=self._env(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.processes[name] = p
        for _ in range(1500):
            if p.poll() is not None:
                raise RuntimeError("%s ended: %s" % (program, self.log(name)))
            try:
                wirepy.connect(socket).close()
                return p
            except (FileNotFoundError, ConnectionRefusedError, PermissionError):
                time.sleep(0.01)
        raise RuntimeError("%s does not listen: %s" % (program, self.log(name)))

    def start_broker(self, *args, fault=None):
        self.setup()
        program = "otpcored-fault" if fault else "otpcored"
        if fault:
            args += ("--fault", fault)
        return self._start("broker", program, self.conf_file, self.socket, args)

    def start_smsd(self, *args):
        return self._start("smsd", "magotp-smsd", self.smsd_file, self.smsd_socket, args)

    def start(self):
        self.start_smsd()
        self.start_broker()
        return self

    def stop(self, name, sig=signal.SIGTERM, timeout=15):
        """The exit status; negative: of a signal."""
        p = self.processes.pop(name)
        if p.poll() is None:
            p.send_signal(sig)
        status = p.wait(timeout)
        forget_faketime(p.pid)
        return status

    def close(self):
        for name in list(self.processes):
            try:
                self.stop(name)
            except subprocess.TimeoutExpired:
                self.stop_hard(name)

    def stop_hard(self, name):
        p = self.processes.get(name)
        if p and p.poll() is None:
            p.kill()
            p.wait()
        if p:
            forget_faketime(p.pid)
        self.processes.pop(name, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- talking ----

    def call(self, name, values=None, uid=None, timeout=20):
        return wirepy.call(self.socket, name, values, uid=uid, timeout=timeout)

    def ok(self, name, values=None, uid=None):
        result, reply = self.call(name, values, uid)
        assert (result.error, result.verdict) == ("", "ok"), (name, result)
        return reply

    def account(self, name, uid=UID_UNKNOWN, **fields):
        return self.ok("account_add", {"user": name, "uid": uid, **fields})

    def number(self):
        """Numbers that nobody has: 555-01xx of many area codes."""
        areas = (202, 212, 213, 303, 312, 404, 415, 503, 602, 617, 702, 713, 801, 808, 907)
        n = self.numbers
        self.numbers += 1
        return "+1%d55501%02d" % (areas[n // 100], n % 100)

    def phone(self, user, number=None, channel="sms"):
        """A registered phone; its number."""
        number = number or self.number()
        self.ok("phone_add", {"user": user, "number": number, "channel": channel})
        self.ok("phone_verify", {"user": user, "ref": 0, "code": self.code(number)})
        return number

    def login(self, user, service="sshd", **fields):
        return Login(self, user, service, **fields)

    # ---- what the phones got ----

    def messages(self, number=None):
        """Oldest first."""
        found = []
        for name in glob.glob(os.path.join(self.outbox, "*.json")):
            try:
                with open(name) as f:
                    m = json.load(f)
            except (FileNotFoundError, ValueError):
                continue
            if number is None or m["to"] == number:
                found.append((os.stat(name).st_mtime_ns, m))
        return [m for _, m in sorted(found, key=lambda x: x[0])]

    def last_message(self, number=None):
        got = self.messages(number)
        return got[-1] if got else None

    def code(self, number=None):
        """The code in the newest message."""
        m = self.last_message(number)
        assert m, "no message to %s: %s" % (number, self.log())
        digits = re.sub(r"(?<=\d)[\s.,]+(?=\d)", "", m["text"])
        return re.search(r"(?<!\d)\d{6,8}(?!\d)", digits).group()


class Neighbour(House):
    """A second host: a broker of its own on the store, smsd and clock of `house`."""

    def __init__(self, directory, house, name):
        super().__init__(directory)
        self.house, self.offset = house, house.offset
        house.followers.append(self)
        self.conf(**{**house.sections,
                     "store": {**house.sections["store"], "journal": "%s/journal" % self.dir},
                     "audit": {"file": "%s/audit.log" % self.dir},
                     "broker": {**house.sections["broker"],
                                                  "socket": self.socket, "host_identity": name}})

    def setup(self):
        pass


def forget_faketime(pid):
    """What libfaketime leaves of a process that was killed, or may not unlink."""
    for name in ("faketime_shm_%d", "sem.faketime_sem_%d"):
        try:
            os.unlink("/dev/shm/" + name % pid)
        except FileNotFoundError:
            pass


def wrong(code):
    """A code of the same length that is not this one."""
    return "%0*d" % (len(code), (int(code) + 1) % 10 ** len(code))
