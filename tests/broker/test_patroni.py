"""The leader of a Patroni cluster dies under load: no accepted code is lost, none is accepted
twice, and logins go on. With synchronous replication, as docs/scale.md wants it.

    MAGOTP_LONG=1 pytest tests/broker/test_patroni.py -s        (part of make check-long)
"""

import os
import time

import pytest

import patroni
from house import Neighbour, needs_root
from load import Client, replayed, twice

CLIENTS = 8
# What Patroni needs to find out and to promote, and the broker to find the new one.
FAILOVER = patroni.TTL + patroni.LOOP + 2 * patroni.RETRY + 5

pytestmark = [needs_root,
              pytest.mark.skipif(os.environ.get("MAGOTP_LONG", "0") == "0",
                                 reason="takes a minute: make check-long"),
              pytest.mark.skipif(bool(patroni.missing()), reason=patroni.missing())]


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
    leader = cluster.leader()
    assert leader and leader is not dead
    moving = dict(line.split("|") for line in
                  leader.sql("SELECT serial, moving FROM token").splitlines())
    lost = [(c.name_, n) for c in clients for n, _ in c.accepted
            if n >= int(moving["P-" + c.name_])]
    again = replayed(clients)
    print("\n%s died, %s leads: accepted %d (%d before), silent for %.1f s (ttl %d s), errors %d,"
          " used without an answer %d, lost %d, accepted twice %d, replayed and accepted %d"
          % (dead.name, leader.name, total, before, silence or -1, patroni.TTL,
             sum(c.errors for c in clients), sum(len(c.unsaid) for c in clients), len(lost),
             twice(clients), len(again)))
    assert silence is not None and silence < FAILOVER
    assert all(len(c.accepted) >= wanted[c] for c in clients), [c.odd[:3] for c in clients]
    assert not lost and not twice(clients) and not again
