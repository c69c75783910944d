"""Three PostgreSQL servers that Patroni keeps as one, with synchronous replication, and the
etcd they agree in: all of it in a private folder, on loopback.

    with Patroni() as cluster:
        cluster.url; cluster.leader(); cluster.kill(cluster.leader())
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import postgres

# Seconds. A leader that says nothing for so long has been one.
TTL, LOOP, RETRY = 5, 1, 2


def missing():
    for name in ("patroni", "etcd"):
        if not shutil.which(name):
            return name + " is not installed"
    return postgres.missing()


class Node:
    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.dir = os.path.join(cluster.dir, name)
        self.port, self.rest = postgres.free_port(), postgres.free_port()
        self.process = None
        os.mkdir(self.dir)
        shutil.chown(self.dir, "postgres", "postgres")

    @property
    def data(self):
        return os.path.join(self.dir, "data")

    def settings(self):
        user = {"username": "magotp", "password": "of-no-use"}
        return {
            "scope": "magotp", "name": self.name,
            "restapi": {"listen": "127.0.0.1:%d" % self.rest,
                        "connect_address": "127.0.0.1:%d" % self.rest},
            "etcd3": {"host": "127.0.0.1:%d" % self.cluster.etcd_port},
            "bootstrap": {
                "dcs": {"ttl": TTL, "loop_wait": LOOP, "retry_timeout": RETRY,
                        "synchronous_mode": True, "synchronous_mode_strict": True,
                        "maximum_lag_on_failover": 0,
                        "postgresql": {"use_pg_rewind": False, "use_slots": False}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "trust"}]},
            "postgresql": {
                "listen": "127.0.0.1:%d" % self.port,
                "connect_address": "127.0.0.1:%d" % self.port,
                "data_dir": self.data, "bin_dir": postgres.BIN[-1],
                "authentication": {"superuser": user, "replication": user},
                "parameters": {"unix_socket_directories": self.dir, "autovacuum": "off"},
                "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 trust",
                           "host replication all 127.0.0.1/32 trust"]},
        }

    def start(self):
        path = os.path.join(self.dir, "patroni.yml")
        with open(path, "w") as f:
            json.dump(self.settings(), f)  # YAML, too
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(["patroni", path], cwd=self.dir, stdout=log,
                                            stderr=log, user="postgres", group="postgres",
                                            extra_groups=[], env={"PATH": "/usr/bin:/bin"})

    def is_(self, role):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/%s" % (self.rest, role),
                                        timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid")) as f:
            return int(f.readline())

    def log(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as f:
            return f.read()

    def sql(self, text):
        return subprocess.run(["psql", "-h", self.dir, "-p", str(self.port), "-U", "magotp", "-d",
                               "postgres", "-Atqc", text], check=True, capture_output=True,
                              text=True).stdout.strip()


class Patroni:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="magotp-patroni-")
        os.chmod(self.dir, 0o755)
        self.etcd_port, peer = postgres.free_port(), postgres.free_port()
        here, there = ("http://127.0.0.1:%d" % p for p in (self.etcd_port, peer))
        with open(os.path.join(self.dir, "etcd.log"), "wb") as log:
            self.etcd = subprocess.Popen(
                ["etcd", "--data-dir", os.path.join(self.dir, "etcd"), "--listen-client-urls",
                 here, "--advertise-client-urls", here, "--listen-peer-urls", there,
                 "--initial-advertise-peer-urls", there, "--initial-cluster", "default=" + there],
                stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin"})
        self.nodes = [Node(self, "n%d" % i) for i in range(3)]
        try:
            self.nodes[0].start()
            self.wait("a leader", lambda: self.nodes[0].is_("leader"))
            for node in self.nodes[1:]:
                node.start()
            self.wait("a synchronous replica",
                      lambda: any(n.is_("synchronous") for n in self.nodes))
            self.wait("replicas", lambda: sum(n.is_("replica") for n in self.nodes) == 2)
        except BaseException:
            self.stop()
            raise

    def wait(self, what, ready, seconds=90):
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, (what, [n.log()[-2000:] for n in self.nodes
                                                   if n.process])
            time.sleep(0.2)

    @property
    def url(self):
        """All of them; which one takes writes the client finds out."""
        return "postgresql:///postgres?user=magotp&host=%s&port=%s" % (
            ",".join(n.dir for n in self.nodes), ",".join(str(n.port) for n in self.nodes))

    def leader(self):
        return next((n for n in self.nodes if n.is_("leader")), None)

    def kill(self, node):
        """As if its machine lost power: Patroni and the server at once."""
        postmaster = node.postmaster()
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True,
                                  text=True).stdout.split()
        for pid in (node.process.pid, postmaster, *map(int, children)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        node.process.wait()
        node.process = None

    def stop(self):
        for node in self.nodes:
            if node.process:
                node.process.send_signal(signal.SIGINT)
        for node in self.nodes:
            if node.process:
                try:
                    node.process.wait(30)
                except subprocess.TimeoutExpired:
                    self.kill(node)
        self.etcd.kill()
        self.etcd.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
