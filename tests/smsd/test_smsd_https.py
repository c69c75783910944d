"""HTTPS servers that misbehave in every way that misbehave.py knows: each ends as one of
the four outcomes, in time and in little memory, and nothing of its answers is told on."""

import re
import time

import pytest

import misbehave
import peers
import smsd as smsd_module
from smsd import ACCEPTED, CODE, TOP

TIMEOUT = 4  # seconds, of each attempt
ROWS = [*misbehave.HTTP_ROWS, *misbehave.TLS_ROWS]
PER_DAEMON = 20
KEY = "canary-key-5512"
# A country for each server, and a number there: so each gets its own message.
COUNTRIES = re.findall(r'COUNTRY\("(2[2-6]\d)", "(\w\w)"\)',
                       (TOP / "smsd/country.def").read_text())


def gateway(name, country, peer, authority, key):
    lines = [f"[gateway {name}]", "driver = http", f"countries = {country}",
             f"url = https://localhost:{peer.port}/send", f"ca = {authority.certificate}",
             "auth = basic", "username = u", f"password = file:{key}",
             "field.To = {to}", "field.Body = {text}", "success_match = /error_code = null",
             "id = /sid", "error = /message", f"timeout = {TIMEOUT}s", "connect_timeout = 3s"]
    changed = misbehave.settings(name)
    keys = {line.split(" =")[0] for line in changed}
    return "\n".join([*(x for x in lines if x.split(" =")[0] not in keys), *changed]) + "\n"


class Run:
    """All rows at once, a few daemons; what became of each."""

    def __init__(self, directory, authority):
        self.daemons, self.pending, self.peers, self.of = [], {}, {}, {}
        good, key = authority.issue("good"), directory / "key"
        key.write_text(KEY)
        key.chmod(0o644)
        for first in range(0, len(ROWS), PER_DAEMON):
            place = directory / str(first)
            place.mkdir(mode=0o755)
            daemon = smsd_module.Smsd(place)
            names, sections = ROWS[first:first + PER_DAEMON], []
            for name, (_, country) in zip(names, COUNTRIES):
                self.peers[name] = misbehave.make(name, authority, good, directory)
                self.of[name] = daemon
                sections.append(gateway(name, country, self.peers[name], authority, key))
            daemon.configure(*sections, daemon.outbox_gateway(priority=20),
                             allowed_countries="*")
            self.daemons.append(daemon.start())
        self.before = {d: misbehave.memory_kib(d.process.pid, "VmHWM") for d in self.daemons}
        started = time.monotonic()
        for i, name in enumerate(ROWS):
            prefix, _ = COUNTRIES[i % PER_DAEMON]
            self.pending[name] = self.of[name].later(to=f"+{prefix}5550134", id=f"row-{name}")
        self.replies = {name: p.result(60) for name, p in self.pending.items()}
        self.seconds = time.monotonic() - started
        self.gateways = {d: d.gateways() for d in self.daemons}

    def stop(self):
        codes = [d.stop() for d in self.daemons]
        for d in self.daemons:
            d.pool.shutdown()
        for peer in self.peers.values():
            peer.stop()
        return codes


@pytest.fixture(scope="module")
def run(authority):
    assert len(COUNTRIES) >= PER_DAEMON
    directory = smsd_module.new_directory()
    made = Run(directory, authority)
    yield made
    codes = made.stop()
    smsd_module.remove_directory(directory)
    assert codes == [0] * len(codes)


@pytest.mark.parametrize("name", ROWS)
def test_threat_23_misbehaving_server(run, name):
    outcome, part = misbehave.expectation(name)
    daemon, reply = run.of[name], run.replies[name]
    said = re.findall(rf"message row-{name} to \.\.\.0134 by {name} \(sms\): (.*)", daemon.log())
    assert len(said) == 1, daemon.log()
    word, _, error = said[0].partition(": ")
    assert word == outcome and part in error, said
    assert error.isprintable() and error.isascii()
    stats = run.gateways[daemon][name]
    assert stats["accepted"] == (outcome == misbehave.ACCEPTED)
    # Nothing went to whoever did not prove who it is; all others were asked once.
    assert len(run.peers[name].requests) == (0 if name in misbehave.TLS_ROWS else 1)
    # What was not taken went to the next gateway, at once.
    expected = (name, "SM1") if outcome == misbehave.ACCEPTED else ("outbox", f"row-{name}")
    assert reply["outcome"] == ACCEPTED
    assert (reply["gateway"], reply["provider_id"]) == expected
    # Only the one that asked for a pause gets one after a single failure.
    assert stats["resting"] == ("sms" if name == "status-429" else "")


def test_threat_31_misbehaving_servers_cost_little_time_and_memory(run):
    assert run.seconds < TIMEOUT + 3
    for daemon in run.daemons:
        grown = misbehave.memory_kib(daemon.process.pid, "VmHWM") - run.before[daemon]
        assert grown < 12 * 1024, f"{grown} KiB"


def test_threat_20_nothing_of_an_answer_is_told_on(run):
    told = repr(run.replies) + repr(list(run.gateways.values())) + "".join(
        d.log() for d in run.daemons)
    for secret in (CODE, misbehave.CANARY, "is your login code", "EVIL", KEY, "5550134"):
        assert secret not in told


def test_threat_23_the_same_code_went_out_by_the_next_gateway(run):
    sent = [m for d in run.daemons for m in d.outbox_messages()]
    taken = [n for n in ROWS if misbehave.expectation(n)[0] == misbehave.ACCEPTED]
    assert len(sent) == len(ROWS) - len(taken)
    assert all(CODE in m["text"] for m in sent)


def test_pause_of_a_provider_is_kept(smsd, directory):
    """The second message does not ask it, nor does the first a second time."""
    class Busy(peers.HttpPeer):
        def answer(self, request):
            return 429, "{}", {"Retry-After": "20"}

    with Busy(directory) as peer:
        smsd.configure(f"[gateway g]\ndriver = http\nurl = {peer.url}/\nfield.to = {{to}}\n")
        smsd.start()
        first = smsd.outcome(expires_at=int(time.time()) + 15)
        second = smsd.outcome(expires_at=int(time.time()) + 15)
        assert len(peer.requests) == 1
        assert "429" in first["error"] and "longer pause" in second["error"]
        assert smsd.gateways()["g"]["resting"] == "sms"
        # Mended, says whoever has the settings read anew: it is asked again.
        smsd.reload()
        smsd.outcome(expires_at=int(time.time()) + 15)
        assert len(peer.requests) == 2
