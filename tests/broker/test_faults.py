"""threats 31, 32 and 35: each allocation, write, fsync, accept ... of otpcored fails once
in the middle of logins. Then the answer is an error or right, a repeat is answered, no
code counts twice and no guess is free; and the next login works."""

import errno
import os
import sqlite3
import time

import pytest

import oath
from house import House, sanitized
from inject import Inject, KINDS

LONG = os.environ.get("MAGOTP_LONG", "0") != "0"
# Every Nth pass; in ./check one in so many of the frequent ones.
STEP = 1 if LONG else 60
EXHAUSTIVE = 12  # kinds that are called less often are always gone through
TOKEN, PHONE = 4, 1


class Person:
    """An account with a phone and a HOTP token, who tries until there is an answer."""

    def __init__(self, house, name):
        self.house, self.name = house, name
        house.account(name)
        self.number = house.phone(name)
        self.seed, self.at = oath.seed("T-" + name), 2
        oath.stock(house, self.seed)
        house.ok("token_add", {"user": name, "serial": self.seed["serial"],
                               "code1": self.code(0), "code2": self.code(1)})

    def code(self, at):
        return oath.hotp(self.seed["secret"], at)

    def tries(self, ask):
        """The first answer that is none of a failing broker."""
        for _ in range(6):
            try:
                result, reply = ask()
                if result.error == "" and result.verdict not in ("try-later", "busy", "internal"):
                    return result, reply
            except (OSError, ValueError):
                result = None
            self.house.revive()
        return result, {}

    def begin(self):
        login = self.house.login
        held = []

        def ask():
            held[:] = [login(self.name)]
            return held[0].result, held[0].begin
        self.tries(ask)
        return held[0] if held else None

    def verify(self, login, code, ref, seq):
        return self.tries(lambda: login.verify(code, ref=ref, seq=seq))[0]

    def by_token(self):
        """Logs in with the next code: (verdict, code)."""
        login, code = self.begin(), self.code(self.at)
        self.at += 1
        result = self.verify(login, code, TOKEN, 1)
        return result and result.verdict, code

    def by_phone(self):
        login = self.begin()
        for seq in range(1, 8):
            before = len(self.house.messages(self.number))
            result, _ = self.tries(lambda: login.send(seq=seq, again=1))
            if result and result.verdict == "ok" and self.arrived(before):
                break
        code = self.house.code(self.number)
        result = self.verify(login, code, PHONE, 9)
        return result and result.verdict, code

    def arrived(self, before):
        """The last message is there (one may have got lost in a failing send)."""
        for _ in range(100):
            if len(self.house.messages(self.number)) > before:
                return True
            time.sleep(0.005)
        return False

    def guess(self):
        """A wrong code: its verdict."""
        login = self.begin()
        near = {self.code(n) for n in range(self.at + 150)}
        bad = next(c for c in ("%06d" % n for n in range(999)) if c not in near)
        result = self.verify(login, bad, TOKEN, 1)
        return result and result.verdict

    def again(self, code, ref):
        """What a fresh login gets for a code that was accepted."""
        return self.house.login(self.name).verify(code, ref=ref)[0].verdict

    def charged(self):
        """Failures of the account that the store knows of."""
        path = "file:%s/db/otpcore.db?mode=ro" % self.house.dir
        for _ in range(100):
            try:
                with sqlite3.connect(path, uri=True) as db:
                    return sum(c for (c,) in db.execute(
                        "SELECT count FROM throttle t JOIN account a ON a.id = t.subject "
                        "WHERE t.kind = 2 AND a.name = ?", (self.name,)))
            except sqlite3.OperationalError:
                time.sleep(0.01)
        raise AssertionError("the store is held")


class Failing(House):
    """A house whose broker can be failed; it is started again where it ended by design."""

    def __init__(self, directory):
        super().__init__(directory, phone={"sends_per_hour": 100, "resend_wait": "0"},
                         throttle={"total_30d": 100, "per_source": 1000000, "delay_after": 0,
                                   "delay": "0", "delay_max": "0"},
                         hardware={"lock_after": 20, "hotp_window": 100})
        self.smsd_conf(smsd={"budget_hour": 1000000, "budget_day": 1000000})
        self.inject = Inject(self.dir, self.build)
        self.environ.update(self.inject.environ())
        self.restarts, self.people = 0, 0

    def revive(self):
        broker = self.processes["broker"]
        if broker.poll() is None:
            return
        assert broker.returncode == 1, (broker.returncode, self.log()[-2000:])
        self.inject.off()
        self.restarts += 1
        self.start_broker()

    def person(self):
        self.people += 1
        for f in os.listdir(self.outbox):  # each message is looked for among all
            os.unlink(os.path.join(self.outbox, f))
        return Person(self, "user%d" % self.people)

    def watch(self, name="broker"):
        self.inject.watch(self.processes[name].pid)


@pytest.fixture
def failing(open_dir):
    with Failing(open_dir) as house:
        if sanitized():
            pytest.skip("the sanitizer has its own malloc")
        house.start()
        yield house
        print(house.log()[-4000:])


WAYS = {"token": Person.by_token, "phone": Person.by_phone, "guess": Person.guess}


def each(house, kind, way, error, check):
    """Fails the 1st, 2nd, ... call of the kind during `way`, until a whole way passes
    without; the number of those that did fail."""
    person, hit, nth, clean = house.person(), 0, 1, 0
    house.watch()
    WAYS[way](person)
    often = house.inject.passed(kind)
    step = 1 if LONG or often <= EXHAUSTIVE else STEP if often > 100 else 4
    while clean < 3 and nth < 20000:
        if hit % 45 == 44:  # 100 messages an hour, 100 wrong codes a month
            house.inject.off()
            person = house.person()
        before = person.charged() if way == "guess" else 0
        house.watch()
        house.inject.arm(kind, nth=nth, error=error)
        answer = WAYS[way](person)
        failed = house.inject.failed(kind)
        house.inject.off()
        house.revive()
        try:
            check(person, answer, before)
        except AssertionError as e:
            raise AssertionError("%s %d of %s: %s\n%s" % (
                kind, nth, way, e, house.log()[-1500:])) from e
        hit, clean = hit + failed, 0 if failed else clean + 1
        nth += step
    return hit


def accepted_once(ref):
    def check(person, answer, _):
        verdict, code = answer
        assert verdict == "ok", verdict
        assert person.again(code, ref) != "ok"
        assert person.by_token()[0] == "ok"
    return check


def charged_once(person, verdict, before):
    assert verdict in ("code-wrong", "tries-exceeded"), verdict
    assert person.charged() == before + 1, (before, person.charged())
    assert person.by_token()[0] == "ok"


CHECKS = {"token": accepted_once(TOKEN), "phone": accepted_once(PHONE), "guess": charged_once}
KINDS_OF_BROKER = [k for k in KINDS if k not in ("stat", "truncate", "map", "thread", "rename")]
if not LONG:
    KINDS_OF_BROKER.remove("lock")  # SQLite tries for ten seconds


@pytest.mark.parametrize("way", WAYS)
def test_threat_35_each_call_of_the_broker_fails_once(failing, way):
    hit = {}
    for kind in KINDS_OF_BROKER:
        hit[kind] = each(failing, kind, way, None, CHECKS[way])
        if kind in ("write", "sync"):  # a full disk and a broken one
            hit[kind + " (other)"] = each(failing, kind, way,
                                          errno.EIO if kind == "write" else errno.ENOSPC,
                                          CHECKS[way])
    print("\n%s: failed once each: %s; %d in all, %d restarts" % (
        way, {k: n for k, n in hit.items() if n}, sum(hit.values()), failing.restarts))
    assert hit["alloc"] > 5 and hit["write"] and hit["sync"] and hit["accept"] and hit["send"]
