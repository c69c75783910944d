"""A PostgreSQL server of the test's own: a private folder, a socket there, no network unless
the test says so."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from house import build_dir

BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def missing():
    """Why there is no test over PostgreSQL; "" if there is."""
    if not BIN:
        return "postgresql is not installed"
    with open(os.path.join(build_dir(), "config.h")) as f:
        if "#define HAVE_POSTGRESQL" not in f.read():
            return "magotp was built without PostgreSQL"
    return ""


class Postgres:
    def __init__(self, *options, port=5432):
        """options: of the server, as "-c", "name=value". The port names the socket, too."""
        self.options, self.port = options, port
        self.dir = tempfile.mkdtemp(prefix="magotp-pg-")
        os.chmod(self.dir, 0o755)  # whoever runs the broker reaches the socket
        self.log = os.path.join(self.dir, "log")
        self.server = None
        self.who = []
        if os.geteuid() == 0:  # the server refuses to be root
            shutil.chown(self.dir, "postgres", "postgres")
            self.who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        self.run("initdb", "-D", self.data, "-U", "magotp", "-A", "trust", "-E", "UTF8",
                 "--locale=C", "-N")
        self.start()

    @property
    def data(self):
        return os.path.join(self.dir, "data")

    @property
    def url(self):
        return "postgresql:///postgres?host=%s&user=magotp" % self.dir

    def run(self, name, *args, check=True):
        return subprocess.run([*self.who, os.path.join(BIN[-1], name), *args], cwd=self.dir,
                              check=check, capture_output=True, text=True)

    def _launch(self):
        self.server = subprocess.Popen(
            [*self.who, os.path.join(BIN[-1], "postgres"), "-D", self.data, "-k", self.dir,
             "-p", str(self.port), "-c", "listen_addresses=", "-c", "autovacuum=off",
             *self.options],
            cwd=self.dir, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)

    def start(self):
        self._launch()
        end = time.monotonic() + 20
        while self.run("pg_isready", "-q", "-h", self.dir, "-p", str(self.port), "-U", "magotp",
                       "-d", "postgres", check=False).returncode:
            assert time.monotonic() < end, open(self.log).read()
            if self.server.poll() is not None:  # one that was killed is not quite gone
                assert "is still in use" in open(self.log).read(), open(self.log).read()
                self._launch()
            time.sleep(0.05)

    def sql(self, text):
        return self.run("psql", "-h", self.dir, "-p", str(self.port), "-U", "magotp", "-d", "postgres", "-Atqc",
                        text).stdout.strip()

    def children(self):
        """{pid: what it calls itself}"""
        pids = subprocess.run(["pgrep", "-P", str(self.server.pid)], capture_output=True,
                              text=True).stdout.split()
        names = {}
        for pid in map(int, pids):
            with contextlib.suppress(OSError):
                with open("/proc/%d/cmdline" % pid) as f:
                    names[pid] = f.read()
        return names

    def child(self, word):
        (pid,) = (pid for pid, name in self.children().items() if word in name)
        return pid

    def kill(self):
        """As kill -9 on the server and all that belongs to it."""
        children = self.children()
        os.kill(self.server.pid, signal.SIGKILL)
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.server.wait()

    def stop(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGINT)
            self.server.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.dir)
