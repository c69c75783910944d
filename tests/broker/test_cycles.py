"""threats 4, 5, 30, 31: otpcored is killed again and again under load, and its disk is
full or broken at random points. A ledger outside holds what each client was answered;
then the store must know of every acceptance and of every guess.

    MAGOTP_LONG=1 pytest -s tests/broker/test_cycles.py        1,000 cycles of each kind
"""

import errno
import os
import random
import sqlite3
import threading
import time

import pytest

import oath
from house import House, sanitized
from inject import Inject

LONG = os.environ.get("MAGOTP_LONG", "0") != "0"
CYCLES = int(os.environ.get("MAGOTP_CYCLES", 1000 if LONG else 3))
TOKEN, PHONE, GUESSES = 4, 1, 40  # 50 are one source's share
HELD = ("", "try-later", "busy")
SPENT = ("no-code-pending", "tries-exceeded", "token-locked", "account-throttled")


class Ledger:
    """What everybody was answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.accepted = []   # (house, user, code, ref, codes to come): to be replayed
        self.logins = self.guesses = self.errors = self.replays = self.spent = 0
        self.lost, self.twice, self.odd = [], [], []

    def accept(self, client, code, ref):
        with self.lock:
            self.logins += 1
            self.accepted.append((client.house, client.user, code, ref, client.to_come()))

    def count(self, what, n=1):
        with self.lock:
            setattr(self, what, getattr(self, what) + n)


class Client(threading.Thread):
    """Asks until there is an answer, as the module does within its deadline."""

    def __init__(self, house, ledger, name):
        super().__init__(daemon=True)
        self.house, self.ledger, self.name_ = house, ledger, name
        self.rest, self.working, self.ended = False, threading.Lock(), False
        self.made, self.errors = 0, 0
        self.account()

    def account(self):
        self.made += 1
        self.since = self.errors
        self.user = "%s%d" % (self.name_, self.made)
        self.house.account(self.user)
        self.seed, self.at = oath.seed("C-" + self.user), 2
        oath.stock(self.house, self.seed)
        self.house.ok("token_add", {"user": self.user, "serial": self.seed["serial"],
                                    "code1": self.code(0), "code2": self.code(1)})

    def code(self, at):
        return oath.hotp(self.seed["secret"], at)

    def to_come(self):
        return {self.code(n) for n in range(self.at + 1, self.at + 250)}

    def until(self, ask):
        """The first result without an error; None when the whole thing ends."""
        while not self.ended:
            try:
                result = ask()
                if not result.error and result.verdict not in HELD:
                    return result
                if result.error == "STALE":
                    return result
            except (OSError, ValueError):
                pass
            self.errors += 1
            self.ledger.count("errors")
            time.sleep(0.005)
        return None

    def begin(self):
        held = []

        def ask():
            held[:] = [self.house.login(self.user)]
            return held[0].result
        self.until(ask)
        return held[0] if held else None

    def verify(self, login, code, ref, seq):
        return self.until(lambda: login.verify(code, ref=ref, seq=seq)[0])

    def right(self, login, code, ref, seq):
        """Each try whose answer was an error may have been charged (security.md 29), so
        that a code can be spent before its verdict was told to anybody."""
        result = self.verify(login, code, ref, seq)
        if result is None:
            return
        if result.verdict == "ok":
            self.ledger.accept(self, code, ref)
        elif self.errors - self.since >= 3 and result.verdict in SPENT:
            self.ledger.count("spent")
            with self.house.quiet:
                self.account()
        else:
            with self.ledger.lock:
                self.ledger.lost.append((self.user, code, ref, result))

    def run(self):
        while not self.ended:
            time.sleep(0.002 if self.rest else 0)
            try:
                with self.working:
                    if not self.rest:
                        self.turn()
            except Exception as e:
                with self.ledger.lock:
                    self.ledger.odd.append(repr(e))
                time.sleep(0.1)


class Owner(Client):
    """Of a token: one code after the other."""

    def turn(self):
        login = self.begin()
        self.right(login, self.code(self.at), TOKEN, 1)
        self.at += 1


class Caller(Client):
    """Has codes sent to a phone."""

    def account(self):
        super().account()
        self.number = self.house.phone(self.user)
        self.sent = 0

    def turn(self):
        if self.sent >= 30:  # there is a limit in an hour
            return self.more()
        login = self.begin()
        before = self.house.messages_to(self.number)
        for seq in range(1, 5):
            self.sent += 1
            if self.until(lambda: login.send(seq=seq, again=1)[0]) is None:
                return None
            for _ in range(100):
                if self.house.messages_to(self.number) > before:
                    return self.right(login, self.house.code(self.number), PHONE, 9)
                time.sleep(0.005)
        return None

    def more(self):
        while not self.ended and self.house.down.is_set():
            time.sleep(0.01)
        with self.house.quiet:
            for m in self.house.files_to(self.number):
                os.unlink(m)
            self.account()


class Guesser(Client):
    """Guesses; every fourth time the right code, so that the token does not lock."""

    def account(self):
        super().account()
        self.told = self.unsure = self.turns = 0

    def turn(self):
        if self.told + self.unsure > GUESSES:
            self.ledger.odd += self.balance()
            with self.house.quiet:
                return self.account()
        self.turns += 1
        login = self.begin()
        before = self.errors
        if self.turns % 4 == 0:
            self.right(login, self.code(self.at), TOKEN, 1)
            self.at += 1
        else:
            result = self.verify(login, self.none(), TOKEN, 1)
            if result is None:
                return None
            if result.verdict in SPENT and self.errors - self.since >= 3:
                with self.house.quiet:
                    return self.account()
            if result.verdict != "code-wrong":
                raise AssertionError(repr(result))
            self.told += 1
            self.ledger.count("guesses")
        # An error may or may not have been a charge.
        self.unsure += self.errors - before
        return None

    def none(self):
        """A code that is none of the token's, past or to come."""
        near = {self.code(n) for n in range(self.at + 150)}
        return next(c for c in ("%06d" % random.randrange(10**6) for _ in range(99))
                    if c not in near)

    def balance(self):
        """[] if the store has all that was told."""
        charged = self.house.charged(self.user)
        if self.told <= charged <= self.told + self.unsure:
            return []
        return ["%s: told %d, unsure %d, charged %d" % (self.user, self.told, self.unsure, charged)]


class Cycled(House):
    def __init__(self, directory):
        super().__init__(directory, phone={"sends_per_hour": 100, "resend_wait": "0"},
                         throttle={"total_30d": 100, "per_source": 1000000, "delay_after": 0,
                                   "delay": "0", "delay_max": "0"},
                         hardware={"lock_after": 20, "hotp_window": 100})
        self.smsd_conf(smsd={"budget_hour": 10**7, "budget_day": 10**7})
        self.inject = Inject(self.dir, self.build)
        self.environ.update(self.inject.environ())
        self.quiet = threading.RLock()  # held while the broker is failed
        self.down = threading.Event()

    def files_to(self, number):
        return [os.path.join(self.outbox, f) for f in os.listdir(self.outbox)
                if f.endswith(".json") and number in self.addressee(f)]

    def addressee(self, file):
        try:
            with open(os.path.join(self.outbox, file)) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def messages_to(self, number):
        return len(self.files_to(number))

    def charged(self, user):
        for _ in range(200):
            try:
                with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % self.dir, uri=True) as db:
                    return sum(c for (c,) in db.execute(
                        "SELECT count FROM throttle t JOIN account a ON a.id = t.subject "
                        "WHERE t.kind = 2 AND a.name = ?", (user,)))
            except sqlite3.OperationalError:
                time.sleep(0.01)
        raise AssertionError("the store is held")

    def about(self, found):
        """The log's last lines that speak of these accounts, or of none."""
        names = {str(f[0]) for f in found if isinstance(f, tuple)}
        return "\n".join([line for line in self.log().splitlines() if "account=" not in line or
                          any("account=%s " % n in line for n in names)][-60:])

    def cut(self, rng, kind):
        """One cycle: load, then the fault."""
        time.sleep(rng.uniform(0.02, 0.25))
        with self.quiet:
            self.down.set()
            broker = self.processes["broker"]
            if kind != "kill":
                self.inject.watch(broker.pid, seed=rng.randrange(1, 2**60))
                for call in ("write", "sync"):
                    self.inject.arm(call, one_in=rng.choice((2, 5, 20)),
                                    error=errno.ENOSPC if kind == "ENOSPC" else errno.EIO)
                time.sleep(rng.uniform(0.02, 0.25))
                hits = self.inject.failed("write") + self.inject.failed("sync")
                self.inject.off()
            else:
                hits = 1
            died = broker.poll() is not None
            assert not died or broker.returncode == 1, (broker.returncode, self.log()[-3000:])
            broker.kill()
            broker.wait()
            self.start_broker()  # the store opens, or this fails
            self.down.clear()
        return hits


def replay(ledger):
    """Every code that was accepted since the last time gets no second yes."""
    with ledger.lock:
        due, ledger.accepted = ledger.accepted, []
    for house, user, code, ref, to_come in due[-12:]:
        if code in to_come:
            continue  # one in ten thousand is right for another reason
        result = house.login(user).verify(code, ref=ref)[0]
        ledger.count("replays")
        if result.verdict == "ok":
            ledger.twice.append((user, code, ref))


def settle_down(clients):
    for c in clients:
        c.rest = True
    for c in clients:
        assert c.working.acquire(timeout=60), "%s hangs" % c.user
        c.working.release()


@pytest.mark.parametrize("kind", ["kill", "ENOSPC", "EIO"])
def test_threat_31_cycles_under_load(open_dir, kind):
    rng, ledger = random.Random(31), Ledger()
    with Cycled(open_dir) as house:
        if sanitized():
            pytest.skip("the sanitizer has its own malloc")
        house.start()
        clients = [Owner(house, ledger, "owner%d-" % i) for i in range(3)] + \
            [Caller(house, ledger, "caller%d-" % i) for i in range(2)] + \
            [Guesser(house, ledger, "guesser%d-" % i) for i in range(2)]
        for c in clients:
            c.start()
        hits = 0
        try:
            for cycle in range(CYCLES):
                hits += house.cut(rng, kind)
                settle_down(clients)
                replay(ledger)
                for c in clients:
                    if isinstance(c, Guesser):
                        ledger.odd += c.balance()
                found = ledger.lost + ledger.twice + ledger.odd
                assert not found, "%s, cycle %d: %s\n%s" % (kind, cycle, found,
                                                           house.about(found))
                for c in clients:
                    c.rest = False
        finally:
            for c in clients:
                c.ended = True
            for c in clients:
                c.join(20)
        print("\n%s: %d cycles, %d faults, %d logins, %d guesses, %d errors, %d spent unheard; %d codes replayed; "
              "0 charges lost, 0 codes accepted twice, the store opened each time" % (
                  kind, CYCLES, hits, ledger.logins, ledger.guesses, ledger.errors,
                  ledger.spent, ledger.replays))
        assert ledger.logins > CYCLES and ledger.guesses > CYCLES
