"""The escape suite: each process of a magotp-smsd that was taken over tries to get out
(security.md 25). Behind the sandbox of the real program, as the user that it is."""

import subprocess

import pytest

import escapes
from house import build_dir, needs_root
from peers import wait_for

BUILD = build_dir()

pytestmark = [needs_root, pytest.mark.skipif(bool(escapes.lacking(BUILD)),
                                             reason=escapes.lacking(BUILD))]


@pytest.fixture
def outside():
    with escapes.Outside() as o:
        yield o


def attempts(smsd, outside, process):
    """One child per attempt. A helper tries while the daemon goes on, which is ended then."""
    daemon = subprocess.Popen([f"{BUILD}/magotp-smsd-escape", "--foreground", "--config", str(smsd.config),
                               "--escape", outside.spec(process)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the last attempt", outside.over, 60)
    finally:
        daemon.terminate()
        daemon.wait(15)
    return outside.ended()


def test_threat_25_smsd_does_not_get_out(smsd, outside):
    smsd.configure(smsd.outbox_gateway())
    escapes.check(attempts(smsd, outside, "smsd"), escapes.SMSD)
    assert outside.untouched()


def test_threat_25_nor_does_the_listener_for_receipts(smsd, outside):
    smsd.take_receipts()
    smsd.configure(smsd.outbox_gateway())
    escapes.check(attempts(smsd, outside, "receipts"), escapes.RECEIPTS)
    assert outside.untouched()


def test_threat_25_who_runs_programs_leaves_the_system_as_it_is(smsd, outside):
    smsd.configure("[gateway exec]\ndriver = exec\ncommand = /bin/true\n")
    escapes.check(attempts(smsd, outside, "programs"), escapes.PROGRAMS)
