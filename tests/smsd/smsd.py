"""A magotp-smsd of the build, run for one test in a directory of its own."""

import concurrent.futures
import itertools
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import wirepy
from peers import free_port, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
CODE, NUMBER, HOST = "483920", "+12025550134", "web1.example.org"
UNKNOWN, NOTHING, DELIVERED, FAILED = 0, 1, 2, 3
ACCEPTED, RETRYABLE, PERMANENT, AMBIGUOUS, EXPIRED = 1, 2, 3, 4, 5


def program():
    """Where the build put magotp-smsd."""
    root, build = os.environ.get("MAGOTP_ROOT"), os.environ.get("MAGOTP_BUILD")
    places = [pathlib.Path(root, "usr/sbin")] if root else []
    places += [pathlib.Path(p) for p in (build, TOP / "build", TOP) if p]
    for place in places:
        if (place / "magotp-smsd").exists():
            return str(place / "magotp-smsd")
    raise FileNotFoundError("magotp-smsd: build first, or set MAGOTP_BUILD")


class Smsd:
    """Started as root it drops to nobody, so that dropping is part of every test."""

    ids = itertools.count(1)

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.config = self.directory / "smsd.conf"
        self.dropins = self.directory / "gateways.d"
        self.socket = str(self.directory / "s.sock")
        self.log_file = self.directory / "smsd.log"
        self.outbox = self.directory / "outbox"
        self.dropins.mkdir()
        self.outbox.mkdir()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.outbox, nobody.pw_uid, nobody.pw_gid)
        self.process = None
        self.receipts = []  # lines of a section
        self.wrapper = []  # "valgrind ..." in front of the program
        self.pool = concurrent.futures.ThreadPoolExecutor(32)

    def configure(self, *gateways, **smsd):
        """Write smsd.conf; each gateway is the text of a section."""
        lines = ["[smsd]", f"socket = {self.socket}", "user = nobody",
                 f"clients = {os.geteuid()}"]
        # Tests send many messages to one number.
        smsd = {"used_watch": 0, **{f"{scope}_{span}": 100000 for scope in ("country", "prefix", "number")
                   for span in ("hour", "day")}, **smsd}
        lines += [f"{key} = {value}" for key, value in smsd.items()]
        lines += self.receipts
        self.config.write_text("\n".join(lines) + "\n")
        for old in self.dropins.glob("*"):
            old.unlink()
        for i, text in enumerate(gateways):
            (self.dropins / f"{i:02}.conf").write_text(text)

    def outbox_gateway(self, name="outbox", channels="sms voice email", **values):
        lines = [f"[gateway {name}]", "driver = outbox", f"channels = {channels}",
                 f"directory = {self.outbox}"] + [f"{k} = {v}" for k, v in values.items()]
        return "\n".join(lines) + "\n"

    def start(self, environment=None):
        ready = self.log().count("notice: ready")
        log = open(self.log_file, "ab")
        self.process = subprocess.Popen(
            [*self.wrapper, program(), "--foreground", "--config", str(self.config)], stderr=log,
            stdout=log, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
        log.close()
        wait_for("magotp-smsd", lambda: self.process.poll() is not None or
                 self.log().count("notice: ready") > ready, 30)
        assert self.process.poll() is None, self.log()
        return self

    def check(self):
        return subprocess.run([program(), "-t", "--config", str(self.config)], text=True,
                              capture_output=True)

    def submit(self, **fields):
        """(result, reply) of one message; blocks until the outcome is known."""
        message = {"id": f"m{next(self.ids)}", "to": NUMBER, "channel": "sms", "template": "code",
                   "code": CODE, "host": HOST, "expires_at": int(time.time()) + 120, **fields}
        return wirepy.call(self.socket, "submit", message, timeout=60)

    def outcome(self, **fields):
        result, reply = self.submit(**fields)
        assert result.error == "", result
        return reply

    def delivery(self, message, timeout=60):
        """(state, word) once it is known."""
        result, reply = wirepy.call(self.socket, "delivery", {"id": message}, timeout=timeout)
        assert result.error == "", result
        return reply["state"], reply["error"]

    def used(self, message, used=1):
        result, _ = wirepy.call(self.socket, "used", {"id": message, "used": used})
        assert result.error == "", result

    def take_receipts(self):
        """[receipts] of the next configure(); where the listener will be."""
        port = free_port()
        self.receipts = ["[receipts]", f"listen = 127.0.0.1:{port}", "user = nobody",
                         f"url = http://127.0.0.1:{port}/hook"]
        return f"http://127.0.0.1:{port}/hook"

    def later(self, **fields):
        """A future of outcome(): the message is on its way while the test goes on."""
        return self.pool.submit(self.outcome, **fields)

    def gateways(self):
        _, reply = wirepy.call(self.socket, "gateway_list", {})
        return {g["name"]: g for g in reply["gateways"]}

    def limits(self):
        _, reply = wirepy.call(self.socket, "gateway_list", {})
        return {row["name"]: row for row in reply["limits"]}

    def outbox_messages(self):
        return [json.loads(f.read_text()) for f in
                sorted(self.outbox.glob("*.json"), key=lambda f: f.stat().st_mtime_ns)]

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def send_signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        before = self.log().count("settings ")
        self.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: self.log().count("settings ") > before)

    def stop(self, how=signal.SIGTERM):
        """The exit code; SIGTERM drains first."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        return code


def new_directory():
    """Readable by the user that smsd drops to, unlike pytest's own."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="magotp-smsd-"))
    directory.chmod(0o755)
    return directory


def remove_directory(directory):
    shutil.rmtree(directory, ignore_errors=True)
