"""PostgreSQL is away: stopped, frozen, or behind an address where nobody answers. The broker's
loop goes on: who asks hears "busy" in time, SIGHUP is served, and service comes back."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import postgres
import relays
from house import needs_root

pytestmark = [needs_root,
              pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())]

SOON = 1.0  # seconds until somebody who asks hears something


@pytest.fixture(scope="module")
def server():
    with postgres.Postgres() as server:
        yield server


@pytest.fixture
def house(house, server):
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    house.conf(store={"url": server.url}, phone={"resend_wait": 0})
    house.start()
    house.account("anna", uid=12001)
    house.number_of = {"anna": house.phone("anna")}
    return house


@pytest.fixture
def black_hole():
    """An address that takes connections and says nothing; its port."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        yield s.getsockname()[1]


def asked(house, seconds, errors):
    """How long each of many questions took, one after the other."""
    took, end = [], time.monotonic() + seconds
    while not took or time.monotonic() < end:
        start = time.monotonic()
        result, _ = house.call("status", {"user": "anna"})
        took.append(time.monotonic() - start)
        assert result.error in errors, result
        time.sleep(0.02)
    return took


def in_time(took):
    """Half of them at once, and none much too late where the machine is busy."""
    took = sorted(took)
    print("%d answers, median %.3f s, slowest %.3f s" % (len(took), took[len(took) // 2], took[-1]))
    assert took[len(took) // 2] < SOON and took[-1] < 2 * SOON, took


def log_in(house, until):
    """Whoever hears "busy" asks again. The verdict, and when it came."""
    start = time.monotonic()
    while True:
        login = house.login("anna")
        if not login.result.error and login.send()[0].verdict == "ok":
            code, login.seq = house.code(house.number_of["anna"]), login.seq + 1
            while (result := login.verify(code, seq=login.seq)[0]).error:
                assert time.monotonic() - start < until, result
            return result.verdict, time.monotonic() - start
        assert login.result.error in ("", "BUSY")
        assert time.monotonic() - start < until
        time.sleep(0.02)


def everybody(server):
    """The server's processes."""
    children = subprocess.run(["pgrep", "-P", str(server.server.pid)], capture_output=True, text=True)
    return [server.server.pid, *map(int, children.stdout.split())]


def tell(pids, sig):
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


def test_threat_31_a_black_hole_first_in_the_url(house, server, black_hole):
    """Its second holds nobody up, and the next host serves."""
    house.conf(store={"url": "postgresql:///postgres?host=127.0.0.1,%s&port=%d,%d&user=magotp&connect_timeout=1"
                             % (server.dir, black_hole, server.port)})
    house.stop("broker")
    house.start_broker()
    assert log_in(house, 5)[0] == "ok"
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'otpcored'")
    in_time(asked(house, 0.7, ("BUSY",)))
    assert log_in(house, 5)[0] == "ok"
    assert "127.0.0.1: PostgreSQL: no answer" in house.log()


@contextlib.contextmanager
def locked(server, table):
    """Nobody else reads it meanwhile."""
    psql = subprocess.Popen([*server.who, os.path.join(postgres.BIN[-1], "psql"), "-h", server.dir,
                             "-U", "magotp", "-d", "postgres", "-Atq"], cwd=server.dir, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    psql.stdin.write("BEGIN; LOCK TABLE %s; SELECT 'held';\n" % table)
    psql.stdin.flush()
    assert psql.stdout.readline() == "held\n"
    try:
        yield
    finally:
        psql.communicate("ROLLBACK;\n", timeout=20)


def waiting(server):
    return server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "0"


def test_threat_31_a_frozen_server(house, server):
    """What was under way is given up; nobody who comes after it waits for that."""
    with locked(server, "account"):
        stuck = []
        first = threading.Thread(target=lambda: stuck.extend(asked(house, 0, ("BUSY",))))
        first.start()
        relays.wait_for("a tick under way", lambda: waiting(server))
        frozen = everybody(server)
        tell(frozen, signal.SIGSTOP)
        try:
            in_time(asked(house, 1, ("BUSY",)))
            said = len(house.log())
            os.kill(house.processes["broker"].pid, signal.SIGHUP)
            relays.wait_for("the settings", lambda: "settings were read again" in house.log()[said:])
            first.join()
            assert SOON < stuck[0] < 10
            in_time(asked(house, 0.7, ("BUSY",)))
        finally:
            tell(frozen, signal.SIGCONT)
    verdict, took = log_in(house, 5)
    print("served again after %.2f s" % took)
    assert verdict == "ok"


def test_threat_31_a_server_that_is_gone(house, server):
    house.login("anna")
    server.stop()
    try:
        in_time(asked(house, 0.5, ("BUSY",)))
        said = len(house.log())
        os.kill(house.processes["broker"].pid, signal.SIGHUP)
        relays.wait_for("the settings", lambda: "settings were read again" in house.log()[said:])
        told = house.log().count("PostgreSQL: connection to server")
        assert 1 <= told <= 3, "the log is not filled meanwhile"
    finally:
        server.start()
    # Nobody has to ask first: it is connected to by itself.
    relays.wait_for("the connection", lambda: "PostgreSQL is there again" in house.log(), 5)
    assert log_in(house, 5)[0] == "ok"
    assert house.login("anna").result.error == ""


class Slow:
    """Stands before the server at a socket of its own, and holds what it answers to ROLLBACK."""

    def __init__(self, server, directory, seconds):
        self.server, self.seconds, self.held = server, seconds, 0
        os.chmod(directory, 0o755)
        self.dir = directory
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(directory, ".s.PGSQL.5432"))
        os.chmod(os.path.join(directory, ".s.PGSQL.5432"), 0o777)
        self.listener.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(os.path.join(self.server.dir, ".s.PGSQL.%d" % self.server.port))
            hold = threading.Event()
            for args in ((client, server, hold, False), (server, client, hold, True)):
                threading.Thread(target=self.carry, args=args, daemon=True).start()

    def carry(self, source, target, hold, answers):
        try:
            while data := source.recv(65536):
                if answers and hold.is_set():
                    hold.clear()
                    self.held += 1
                    time.sleep(self.seconds)
                elif not answers and b"ROLLBACK\0" in data:
                    hold.set()
                target.sendall(data)
        except OSError:
            pass
        target.close()


def test_threat_31_a_rollback_holds_nobody_up(house, server):
    """Its answer comes after more than a second; who asks meanwhile does not wait for that."""
    slow = Slow(server, tempfile.mkdtemp(prefix="magotp-test-"), 1.2)
    house.conf(store={"url": "postgresql:///postgres?host=%s&user=magotp" % slow.dir})
    house.stop("broker")
    house.start_broker(fault="store.settle:fail:1")
    try:
        sent = []
        login = house.login("anna")
        first = threading.Thread(target=lambda: sent.append(login.send()[0]))
        first.start()
        relays.wait_for("the rollback", lambda: slow.held == 1)
        in_time(asked(house, 1, ("", "BUSY")))
        first.join()
        assert sent[0].verdict == "ok", "and then it was done once more"
        assert slow.held == 1
        assert log_in(house, 5)[0] == "ok"
    finally:
        slow.listener.close()
        shutil.rmtree(slow.dir)
