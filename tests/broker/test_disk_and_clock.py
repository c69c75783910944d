"""threats 28 and 31: a disk that is full, read-only, broken or slow, no descriptors left,
and a clock that jumps: nobody gets in by it, and when it is over all is well again."""

import concurrent.futures
import errno
import time

import pytest

from house import FAKETIME, House, sanitized
from test_faults import Failing, Person

DAY = 86400


@pytest.fixture
def failing(open_dir):
    with Failing(open_dir) as house:
        if sanitized():
            pytest.skip("the sanitizer has its own malloc")
        house.start()
        yield house
        print(house.log()[-3000:])


TROUBLES = {
    "full": (("write", "truncate"), errno.ENOSPC), "broken": (("write", "sync"), errno.EIO),
    "read-only": (("open", "write", "truncate"), errno.EROFS),
    "descriptors": (("open", "accept", "socket"), errno.EMFILE),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_threat_31_trouble_that_lasts(failing, trouble):
    """While it lasts every answer is an error or true; after it, without a restart, the
    same code is accepted, once."""
    kinds, error = TROUBLES[trouble]
    person = failing.person()
    assert person.by_token()[0] == "ok"
    login, code = failing.login(person.name), person.code(person.at)
    failing.watch()
    for kind in kinds:
        failing.inject.arm(kind, nth=-1, error=error)
    heard = []
    for _ in range(3):  # a charge may be kept each time: a token has twenty
        try:
            result = failing.call("verify", {"txn": login.txn, "seq": 1, "ref": 4, "code": code},
                                  timeout=0.5)[0]
            heard.append(result.error or result.verdict)
        except (OSError, ValueError):
            heard.append("")
    hits = sum(failing.inject.failed(kind) for kind in kinds)
    failing.inject.off()
    assert hits > 0 and failing.processes["broker"].poll() is None
    assert "ok" not in heard or trouble == "descriptors", heard
    result = person.verify(login, code, 4, 1)
    assert result.verdict == "ok", (heard, result)
    person.at += 1
    assert person.again(code, 4) != "ok"
    assert person.by_token()[0] == "ok"


def test_threat_31_a_store_that_was_opened_read_only(failing):
    """Opened again after an error, while the disk takes no writes: SQLite then reads only. Once it
    does, so does otpcored, without a restart."""
    person = failing.person()
    login, code = failing.login(person.name), person.code(person.at)
    for kind, error in (("sync", errno.EIO), ("open", errno.EROFS)):
        failing.inject.watch(failing.processes["broker"].pid, "libsqlite3")
        failing.inject.arm(kind, nth=1, error=error)
        result = login.verify(code, ref=4, seq=1)[0]
        assert failing.inject.failed(kind) == 1
        failing.inject.off()
    if result.error:  # it has noticed only now
        result = login.verify(code, ref=4, seq=1)[0]
    assert result.verdict == "ok", failing.log()
    person.at += 1
    assert person.again(code, 4) == "code-used"
    assert person.by_token()[0] == "ok"
    assert failing.restarts == 0


def test_threat_31_a_slow_disk_is_slow_and_no_more(failing):
    """Each sync takes a third of a second: people who log in at once share them."""
    people = [failing.person() for _ in range(6)]
    failing.watch()
    failing.inject.arm("sync", nth=-1, error=0, delay=330)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(people)) as pool:
        got = list(pool.map(lambda p: p.by_token()[0], people))
    took = time.monotonic() - begun
    syncs = failing.inject.failed("sync")
    failing.inject.off()
    assert got == ["ok"] * len(people) and syncs > 0
    assert took < 10  # the module's deadline


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")
def test_threat_28_a_clock_that_jumps(open_dir):
    """Fifteen days back, over the end of 32 bits in 2038, a year ahead, and home."""
    with House(open_dir, phone={"sends_per_hour": 100, "resend_wait": "0"}) as house:
        house.time_travel(int(2**31 - time.time()) - DAY)  # a day before 32 bits are full
        house.start()
        person = Person(house, "anna")
        house.revive = lambda: None
        at = 0
        for target in (-15 * DAY, 0, DAY - 1, DAY + 1, 30 * DAY, 300 * DAY, 0):
            house.time_travel(target - at)
            at = target
            assert person.by_token()[0] == "ok", target
        login = house.login("anna")
        assert login.send()[0].verdict == "ok"
        code = house.code(person.number)
        house.time_travel(3650 * DAY)
        assert login.verify(code)[0].verdict != "ok"  # it has expired, or its login has
        house.time_travel(-3650 * DAY)
        assert person.by_token()[0] == "ok"
