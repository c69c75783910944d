"""Three relays with sshd and two auth hosts on one PostgreSQL, each in a network namespace of
its own, 20 ms apart (security.md 40). By default ssh on one of the relays and the login's
messages on the others; MAGOTP_LONG=1: ssh on all three."""

import os
import signal
import subprocess
import tempfile
import time

import pytest

import oath
import postgres
import relays
from host import PASSWORD, Host, until_end, wait_for
from house import House, Neighbour
from net import Network, Unable

DELAY_MS = 20
LONG = os.environ.get("MAGOTP_LONG")
EDGES = ("edge1", "edge2", "edge3")
NUMBER = "+12025550134"


class Edge(Host):
    """A whole host on the network whose otpcored is a relay."""

    def __init__(self, stage, network, name):
        super().__init__(stage)
        self.network, self.name = network, name

    def inside(self, *command):
        return [*self.network.inside(self.name), *super().inside(*command)]

    def become_relay(self, code, upstreams):
        self.run("systemd-sysusers")
        self.run("systemd-tmpfiles", "--create", "--prefix=/var/lib/magotp", "--prefix=/run/magotp")
        self.write("/etc/magotp/magotp.conf.d/relay.conf", "[broker]\noffline = %s\nupstream = tls://%s\n"
                   % ("hardware" if self.name == EDGES[0] else "no", ",".join("%s:%d" % a for a in upstreams)))
        self.run("magotpctl", "host", "enroll", "-", input=code + "\n")
        stat = self.run("stat", "-c", "%U %a", "/var/lib/magotp/host.pem").stdout
        assert stat == "magotp 600\n", stat
        self.run("useradd", "-m", "-u", "12001", "-s", "/bin/bash", "alice")
        self.run("useradd", "-m", "-u", "12002", "-s", "/bin/bash", "bob")
        self.run("chpasswd", input=f"alice:{PASSWORD}\nbob:{PASSWORD}\n")
        self.broker = self.daemon("otpcored", "--foreground", log=self.shared / "otpcored.log")
        wait_for("the link", lambda: "linked to" in self.logs())

    def listens(self, port):
        return self.run("bash", "-c", f"</dev/tcp/127.0.0.1/{port}", check=False).returncode == 0


@pytest.fixture
def network():
    try:
        with Network(("auth1", "auth2", *EDGES), DELAY_MS) as network:
            yield network
    except (Unable, FileNotFoundError) as e:
        pytest.skip("no networks here: %s" % e)


@pytest.fixture
def auths(network):
    """Two auth hosts on one PostgreSQL; phones are the first one's."""
    if postgres.missing():
        pytest.skip(postgres.missing())
    directory = tempfile.mkdtemp(prefix="magotp-auth-")
    os.chmod(directory, 0o755)
    with postgres.Postgres() as server, House(os.path.join(directory, "auth1")) as first:
        first.conf(store={"url": server.url}, broker={"host_identity": "auth1"})
        first.prefix = network.inside("auth1")
        relays.auth_host(first, network.address("auth1"), 7443)
        first.start()
        second = Neighbour(os.path.join(directory, "auth2"), first, "auth2")
        second.prefix = network.inside("auth2")
        relays.auth_host(second, network.address("auth2"), 7443)
        with second:
            second.start_broker()
            first.account("alice", uid=12001)
            first.phone("alice", NUMBER)
            first.account("bob", uid=12002)
            first.seed = oath.seed("A103401")
            oath.stock(first, first.seed)
            first.ok("token_add", {"user": "bob", "serial": "A103401", **{
                "code%d" % (n + 1): oath.hotp(first.seed["secret"], n) for n in range(2)}})
            yield first, second
            for house in (first, second):
                print(house.log()[-3000:])
    subprocess.run(["rm", "-rf", directory], check=True)


def upstreams(network):
    return [network.far(name, 7443) for name in ("auth1", "auth2")]


@pytest.fixture
def hosts(stage, network, auths):
    """Relays with sshd: one, or all three."""
    made = []
    try:
        for name in EDGES if LONG else EDGES[:1]:
            host = Edge(stage, network, name)
            host.__enter__()
            made.append(host)
            host.outbox = auths[0].outbox
            offline = ("--offline", "bob") if name == EDGES[0] else ()
            code = relays.ctl(auths[0], "host", "add", name, "--services", "sshd", *offline).strip()
            host.become_relay(code, upstreams(network))
            host.sshd()
        yield made
    finally:
        for host in made:
            print(host.name, host.logs()[-3000:])
            host.__exit__()


@pytest.fixture
def programs(network, auths):
    """The other relays: otpcored alone in the host's network."""
    made = []
    for name in () if LONG else EDGES[1:]:
        relay = relays.Relay(os.path.join(auths[0].dir, name), auths, name)
        relay.prefix = network.inside(name)
        relay.conf(broker={"upstream": "tls://" + ",".join("%s:%d" % a for a in upstreams(network))})
        relay.enroll("--services", "sshd")
        relay.start_broker()
        made.append(relay)
    yield made
    for relay in made:
        relay.close()


def to_code_prompt(house, child):
    before = len(house.messages(NUMBER))
    child.expect("Password:")
    child.sendline(PASSWORD)
    child.expect("Enter for 1:")
    child.sendline("")
    child.expect("Code: ")
    wait_for("the message", lambda: len(house.messages(NUMBER)) > before)
    return house.code(NUMBER)


def by_ssh(house, host, meanwhile=None):
    child = host.ssh("alice", "magotp status; echo status $?")
    code = to_code_prompt(house, child)
    if meanwhile:
        meanwhile()
    child.sendline(code)
    seen = until_end(child)
    assert child.exitstatus == 0, seen
    assert "Phone OTP" in seen and "status 0" in seen, seen


def by_messages(house, relay):
    login = relay.login("alice", uid=None)
    assert login.send()[0].verdict == "ok", login.begin
    assert login.verify(house.code(NUMBER))[0].verdict == "ok"
    assert login.account()[1]["host"] == relay.name


def refused(host):
    start = time.monotonic()
    child = host.ssh("alice", "true")
    child.expect("Password:")
    child.sendline(PASSWORD)
    seen = until_end(child)
    assert child.exitstatus == 255 and "Code" not in seen, seen
    assert time.monotonic() - start < 12


def cut_off(network, house, host):
    """threat 41: neither auth host can be reached: bob's token is leased to this host."""
    wait_for("the lease", lambda: "tokens of bob are leased" in host.logs())
    before = host.logs().count("no auth host answers")
    for name in ("auth1", "auth2"):
        network.cut(name)
    wait_for("it knows", lambda: host.logs().count("no auth host answers") > before)
    for n, wanted in ((2, 0), (2, 255), (3, 0)):
        child = host.ssh("bob", "id -un")
        child.expect("Password:")
        child.sendline(PASSWORD)
        child.expect("Enter for 1: ")
        child.sendline(oath.hotp(house.seed["secret"], n))
        if wanted:
            child.expect("used already")
            child.close()
            continue
        seen = until_end(child)
        assert child.exitstatus == 0 and "bob" in seen, seen
    refused(host)


def gone_and_back(first, second, host):
    """Both gone: refused in time, and nothing is asked for; one back: in again."""
    second.stop("broker", signal.SIGKILL)
    refused(host)
    first.start_broker()
    wait_for("the link", lambda: "linked to" in host.logs().rsplit("no auth host answers", 1)[-1])
    by_ssh(first, host)


def revoked(first, host, others):
    """Not by this host any more, by the others still."""
    relays.ctl(first, "host", "revoke", host.name, "--yes")
    refused(host)
    for other in others:
        by_ssh(first, other)


def test_threat_40_logins_through_three_relays_and_a_dead_auth_host(network, auths, hosts, programs):
    first, second = auths
    # The latency is real: a login has at least four round trips.
    start = time.monotonic()
    for relay in programs:
        by_messages(first, relay)
    if programs:
        assert time.monotonic() - start > len(programs) * 3 * 2 * DELAY_MS / 1000
    for host in hosts:
        by_ssh(first, host)

    # The first auth host dies between the prompt and the code.
    pids = [host.broker.pid for host in hosts]
    def kill():
        first.processes["broker"].send_signal(signal.SIGKILL)
        first.processes["broker"].wait(10)
    by_ssh(first, hosts[0], kill)
    first.processes.pop("broker")
    for relay in programs:
        by_messages(first, relay)
    for host in hosts[1:]:
        by_ssh(first, host)

    if LONG:
        gone_and_back(first, second, hosts[0])
        revoked(first, hosts[0], programs or hosts[1:])
    else:
        cut_off(network, first, hosts[0])
    assert [host.broker.pid for host in hosts] == pids
    assert all(host.broker.poll() is None for host in hosts)
