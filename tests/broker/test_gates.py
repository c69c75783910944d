"""The absolute gates of docs/performance.md: what speed must never cost. Small counts here, the
full ones in `make check-long`; the table there says which other tests hold which gate."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import pytest

import oath
import wirepy
from house import TOP, House, needs_root, wrong
from peers import preset, wait_for
from test_threats import counters, store, throttle_kind

sys.path[:0] = [os.path.join(TOP, "tests", "smsd"), os.path.join(TOP, "bench")]
from smsd import Smsd, new_directory, remove_directory  # noqa: E402
from tokens_of import fill  # noqa: E402

LONG = os.environ.get("MAGOTP_LONG", "0") != "0"  # make check-long
MIB = 1024  # of what /proc tells in KiB

pytestmark = needs_root


class Owner:
    """Of a token; the codes by number."""

    def __init__(self, house, name, codes):
        seed = oath.seed("G-" + name)
        self.house, self.name = house, name
        house.account(name)
        oath.stock(house, seed)
        self.codes = [oath.hotp(seed["secret"], n) for n in range(codes)]
        house.ok("token_add", {"user": name, "serial": seed["serial"], "code1": self.codes[0],
                               "code2": self.codes[1]})

    def moving(self):
        """The counter that the store has come to."""
        with store(self.house) as db:
            return db.execute("SELECT moving FROM token WHERE serial = ?", ("G-" + self.name,)).fetchone()[0]


@pytest.fixture
def house(house):
    house.conf(throttle={"per_source": 1000000, "delay_after": 100, "total_30d": 100},
               hardware={"lock_after": 20})  # more than sixteen that are looked at together
    return house.start()


def all_at_once(house, tries):
    """(login, code) each on a connection of its own; every frame is there before the first
    answer is read. The verdicts."""
    sockets = [wirepy.connect(house.socket, 60) for _ in tries]
    for s, (login, code) in zip(sockets, tries):
        login.seq += 1
        s.send(wirepy.encode_request("verify", {"txn": login.txn, "seq": login.seq, "ref": 4, "code": code}))
    verdicts = []
    for s in sockets:
        result, _ = wirepy.decode_reply("verify", s.recv(wirepy.FRAME_MAX))
        verdicts.append(result.error or result.verdict)
        s.close()
    return verdicts


@pytest.mark.parametrize("clients", [2, 4, 16])
def test_gate_0_double_accepts(house, clients):
    """One code by so many at once: a yes for one of them, round after round."""
    rounds = 10000 if LONG else 100
    owner = Owner(house, "anna", rounds + 2)
    logins = [house.login("anna") for _ in range(clients)]
    for number in range(2, rounds + 2):
        got = all_at_once(house, [(login, owner.codes[number]) for login in logins])
        assert sorted(got) == ["code-used"] * (clients - 1) + ["ok"], (number, got)
        logins[got.index("ok")] = house.login("anna")
    assert owner.moving() == rounds + 2
    print("%d rounds of %d clients: one yes in each" % (rounds, clients))


def test_gate_0_valid_codes_refused_and_0_updates_lost(house):
    """Sixteen owners at once, each with a good code: all of them a yes, and every counter where
    it belongs."""
    rounds = 1000 if LONG else 20
    owners = [Owner(house, "owner%d" % i, rounds + 2) for i in range(16)]
    for number in range(2, rounds + 2):
        got = all_at_once(house, [(house.login(o.name), o.codes[number]) for o in owners])
        assert got == ["ok"] * 16, (number, got)
    assert [o.moving() for o in owners] == [rounds + 2] * 16


def test_gate_0_charges_lost(house):
    """Wrong codes of sixteen accounts from one address, all at once: they meet in one row, which
    holds as many as were told of, and so do the accounts' own."""
    owners = [Owner(house, "owner%d" % i, 3) for i in range(16)]
    for i in range(4):
        tries = [(house.login(o.name, rhost="203.0.113.7"), wrong(o.codes[2])) for o in owners]
        assert all_at_once(house, tries) == ["code-wrong"] * 16
    assert max(counters(house, throttle_kind("SOURCE"))) == 64
    assert counters(house, throttle_kind("ACCOUNT")) == [4] * 16


def tracing_works():
    done = subprocess.run(["strace", "-o", "/dev/null", "-e", "trace=none", "true"], capture_output=True)
    return done.returncode == 0


@pytest.mark.skipif(not tracing_works(), reason="the kernel lets nobody trace here")
def test_gate_no_accept_before_its_commit(house):
    """Its sync is held up for a second: no yes meanwhile, one afterwards."""
    owner = Owner(house, "anna", 3)
    login = house.login("anna")
    with tempfile.NamedTemporaryFile("r") as trace, wirepy.connect(house.socket, 0.7) as s:
        strace = subprocess.Popen(
            ["strace", "-f", "-o", trace.name, "-e", "trace=fsync,fdatasync", "-e",
             "inject=fsync,fdatasync:delay_exit=1000000", "-p", str(house.processes["broker"].pid)],
            stderr=subprocess.PIPE, text=True)
        try:
            assert "attached" in strace.stderr.readline()
            s.send(wirepy.encode_request("verify", {"txn": login.txn, "seq": 1, "ref": 4,
                                                    "code": owner.codes[2]}))
            with pytest.raises(TimeoutError):
                s.recv(wirepy.FRAME_MAX)
            s.settimeout(30)
            result, _ = wirepy.decode_reply("verify", s.recv(wirepy.FRAME_MAX))
        finally:
            strace.terminate()
            strace.wait()
        assert result.verdict == "ok"
        assert re.search(r"f(data)?sync\(\d+\) += 0 .*DELAYED", trace.read())


def memory(pid, what):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"^%s:\s+(\d+) kB" % what, f.read(), re.M).group(1))


def test_gate_memory_of_otpcored(house):
    """It does not grow with the tokens: 20,000 here, a million in make bench."""
    tokens = 1000000 if LONG else 20000

    def used(name):
        for i in range(300):
            house.login(name(i * tokens // 300))
            house.login("nobody%d" % i)
        return memory(house.processes["broker"].pid, "VmRSS")

    Owner(house, "tok0", 2)
    with_one = used(lambda i: "tok0")
    house.stop("broker")
    assert fill(house, 1, tokens, "G-tok0") == tokens
    house.start_broker()
    with_many = used(lambda i: "fill%d" % (i or 1))
    most = memory(house.processes["broker"].pid, "VmHWM")
    print("%.1f MiB with 1 token, %.1f with %d, at most %.1f"
          % (with_one / MIB, with_many / MIB, tokens, most / MIB))
    assert house.login("fill%d" % (tokens // 2)).begin["factors"], "they are there"
    assert most < 64 * MIB
    assert LONG or with_many - with_one < 8 * MIB, "more than caches of the rows that were read"


def submit(daemon, number, message):
    """Queued; nobody waits for what becomes of it."""
    frame = wirepy.encode_request("submit", {
        "id": "q%d" % number, "to": "+12025550134", "channel": "sms", "expires_at": message["expires_at"],
        "text": "%06d is your login code for web1. Good for 2 minutes." % number})
    while True:
        try:
            with wirepy.connect(daemon.socket, 30) as s:
                s.send(frame)
            return
        except BlockingIOError:  # so many are at its door
            time.sleep(0.01)


def test_gate_memory_of_smsd():
    """Ten thousand messages wait for a gateway that does not answer."""
    directory, n = new_directory(), 10000
    daemon = Smsd(directory)
    key = directory / "key"
    key.write_text("secret")
    key.chmod(0o644)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(128)
        every = {f"{scope}_{span}": 10 * n for scope in ("budget", "number", "prefix", "country")
                 for span in ("hour", "day")}
        daemon.configure(preset("kannel", url="http://127.0.0.1:%d/cgi-bin/sendsms" % silent.getsockname()[1],
                                password=f"file:{key}", timeout="100s"),
                         max_waiting=n, **every)
        daemon.start()
        try:
            until = {"expires_at": int(time.time()) + 600}
            for number in range(n):
                submit(daemon, number, until)

            wait_for("those at the gateway", lambda: daemon.gateways()["kannel"]["waiting"] == 64, 60)
            assert daemon.submit()[0].error == "BUSY", "the queue takes no more than that many"
            most = memory(daemon.process.pid, "VmHWM")
            print("%d waiting, %.1f MiB" % (n, most / MIB))
            assert most < 32 * MIB
        finally:
            daemon.process.kill()
            daemon.stop()
            daemon.pool.shutdown()
            remove_directory(directory)
