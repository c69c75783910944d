"""The escape suite: a broker that was taken over tries to get out (security.md 25, 40, 42).
Each attempt is made by the real program, as the user that it is, behind its sandbox."""

import subprocess

import pytest

import escapes
import relays
from house import House, build_dir, needs_root

pytestmark = [needs_root, pytest.mark.skipif(bool(escapes.lacking(build_dir())),
                                             reason=escapes.lacking(build_dir()))]


@pytest.fixture
def outside():
    with escapes.Outside() as o:
        yield o


def attempts(house, outside, process):
    """The broker forks one child per attempt, and ends."""
    subprocess.run([house.program("otpcored-escape"), "--config", house.conf_file, "--foreground",
                    "--escape", outside.spec(process)], env=house._env(), timeout=60,
                   stdin=subprocess.DEVNULL, capture_output=True)
    return outside.ended()


def test_threat_25_a_broker_that_was_taken_over_does_not_get_out(open_dir, outside):
    with House(open_dir, user="nobody") as house:
        house.setup()
        escapes.check(attempts(house, outside, "broker"), escapes.BROKER)
    assert outside.untouched()


def test_threat_40_nor_does_a_relay(house, open_dir, outside):
    relays.auth_host(house)
    house.start()
    with relays.Relay(open_dir + "/relay", [house], "web1") as relay:
        relay.conf(broker={"user": "nobody"})
        relay.enroll("--services", "sshd")
        escapes.check(attempts(relay, outside, "relay"), escapes.RELAY)
    assert outside.untouched()


def test_threat_42_the_password_helper_is_root_and_still_cannot_leave(house, outside):
    """It tries while the broker goes on to serve."""
    house.setup()
    broker = subprocess.Popen([house.program("otpcored-escape"), "--config", house.conf_file,
                               "--foreground", "--escape", outside.spec("password")], env=house._env(),
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        relays.wait_for("the last attempt", outside.over, 60)
    finally:
        broker.terminate()
        broker.wait(15)
    escapes.check(outside.ended(), escapes.PASSWORD)
    assert outside.untouched()
