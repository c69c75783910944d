"""The leader of a Patroni cluster dies under load: no accepted code is lost, none is accepted
twice, and logins go on. With synchronous replication, as docs/scale.md wants it.

    MAGOTP_LONG=1 pytest tests/broker/test_patroni.py -s        (part of make check-long)
"""

import os
import threading
import time

import pytest

import oath
import patroni
from house import Neighbour, needs_root

CLIENTS, CODES = 8, 4000
# What Patroni needs to find out and to promote, and the broker to find the new one.
FAILOVER = patroni.TTL + patroni.LOOP + 2 * patroni.RETRY + 5

pytestmark = [needs_root,
              pytest.mark.skipif(os.environ.get("MAGOTP_LONG", "0") == "0",
                                 reason="takes a minute: make check-long"),
              pytest.mark.skipif(bool(patroni.missing()), reason=patroni.missing())]


class Client(threading.Thread):
    """One owner of a token, who logs in with code after code, here and there."""

    def __init__(self, houses, name):
        super().__init__(daemon=True)
        self.houses, self.name_ = houses, name
        seed = oath.seed("P-" + name)
        houses[0].account(name)
        oath.stock(houses[0], seed)
        self.codes = [oath.hotp(seed["secret"], n) for n in range(CODES)]
        houses[0].ok("token_add", {"user": name, "serial": seed["serial"],
                                   "code1": self.codes[0], "code2": self.codes[1]})
        self.at = 2  # the next code
        self.accepted = []  # (number of the code, when)
        self.unsaid = []  # used up without a "yes": the answer was lost
        self.errors, self.odd, self.stop = 0, [], False

    def verify(self, house, number):
        """One request, repeated until it is decided or its login is none any more."""
        login = house.login(self.name_)
        if login.result.error:
            return None
        login.seq += 1
        while not self.stop:
            result, _ = login.verify(self.codes[number], ref=4, seq=login.seq)
            if not result.error:
                return result.verdict
            self.errors += 1
            if result.error == "STALE":
                return None
            time.sleep(0.05)
        return None

    def run(self):
        turn = 0
        while not self.stop and self.at < CODES:
            turn += 1
            try:
                verdict = self.verify(self.houses[turn % 2], self.at)
            except OSError:
                verdict = None
            if verdict is None:
                self.errors += 1
                time.sleep(0.05)
            elif verdict == "ok":
                self.accepted.append((self.at, time.monotonic()))
                self.at += 1
            elif verdict == "code-used":
                self.unsaid.append(self.at)
                self.at += 1
            else:
                self.odd.append((self.at, verdict))
                time.sleep(0.2)


def test_the_leader_dies_under_load(house, open_dir):
    with patroni.Patroni() as cluster:
        house.conf(store={"url": cluster.url},
                   throttle={"per_source": "1000000", "delay_after": "100"})
        house.start()
        os.mkdir(os.path.join(open_dir, "second"))
        with Neighbour(os.path.join(open_dir, "second"), house, "second") as other:
            other.start_broker()
            failover(cluster, [house, other])


def failover(cluster, houses):
    clients = [Client(houses, "c%d" % i) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    time.sleep(4)
    before = sum(len(c.accepted) for c in clients)
    dead = cluster.leader()
    assert before > CLIENTS and dead
    killed = time.monotonic()
    cluster.kill(dead)
    wanted = {c: len(c.accepted) + 5 for c in clients}
    while time.monotonic() < killed + 60 and any(len(c.accepted) < wanted[c] for c in clients):
        time.sleep(0.2)
    for c in clients:
        c.stop = True
    for c in clients:
        c.join(30)
    after = [at for c in clients for _, at in c.accepted if at > killed + 0.5]
    silence = min(after) - killed if after else None
    total = sum(len(c.accepted) for c in clients)
    twice = sum(len(c.accepted) - len({n for n, _ in c.accepted}) for c in clients)
    leader = cluster.leader()
    assert leader and leader is not dead
    moving = dict(line.split("|") for line in
                  leader.sql("SELECT serial, moving FROM token").splitlines())
    lost = [(c.name_, n) for c in clients for n, _ in c.accepted
            if n >= int(moving["P-" + c.name_])]
    again = []
    for c in clients:
        for number, _ in c.accepted:
            result, _ = houses[number % 2].login(c.name_).verify(c.codes[number], ref=4)
            if result.verdict == "ok":
                again.append((c.name_, number))
    print("\n%s died, %s leads: accepted %d (%d before), silent for %.1f s (ttl %d s), errors %d,"
          " used without an answer %d, lost %d, accepted twice %d, replayed and accepted %d"
          % (dead.name, leader.name, total, before, silence or -1, patroni.TTL,
             sum(c.errors for c in clients), sum(len(c.unsaid) for c in clients), len(lost),
             twice, len(again)))
    assert silence is not None and silence < FAILOVER
    assert all(len(c.accepted) >= wanted[c] for c in clients), [c.odd[:3] for c in clients]
    assert not lost and not twice and not again
