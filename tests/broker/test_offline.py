"""Away from the store (security.md 41): a relay that no auth host answers, and tokens that
are leased to it. Two relays and an auth host; a cut link is a relay whose auth host is
stopped, or a cable that is cut."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import sqlite3
import threading
import time

import pytest

import oath
import relays
from house import UID_UNKNOWN, needs_root, wrong
from relays import Relay, auth_host

pytestmark = needs_root

ANNA = 12001
TOKEN = 4
HOUR = 3600
LOCKED = 6  # enum token_state
TOTAL, SOURCE, RUN = 2, 4, 10  # enum throttle_kind
LONG = os.environ.get("MAGOTP_LONG", "0") != "0"  # make check-long
ROUNDS = 99 if LONG else 3  # each way once


class Token:
    """One that was assigned and activated; `at` is the next HOTP counter."""

    def __init__(self, house, user, serial, type):
        self.row = oath.seed(serial, type)
        self.serial, self.seed, self.at = serial, self.row["secret"], 0
        oath.stock(house, self.row)
        self.activate(house, user, type)

    def activate(self, house, user, type):
        now = time.time() + (house.offset or 0)
        codes = ([self.hotp(), self.hotp()] if type == oath.HOTP
                 else [oath.totp(self.seed, now - 30), oath.totp(self.seed, now)])
        house.ok("token_add", {"user": user, "serial": self.serial, "code1": codes[0], "code2": codes[1]})

    def hotp(self, skip=0):
        self.at += skip + 1
        return oath.hotp(self.seed, self.at - 1)

    def totp(self, house, steps=0):
        return oath.totp(self.seed, time.time() + (house.offset or 0) + 30 * steps)


def answer(result):
    return result[0].error or result[0].verdict


def leases(auth):
    return {row["account"]: row for row in auth.ok("lease_list")["leases"]}


def asked(auth, query, *values):
    """The one value of the one row."""
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % auth.dir, uri=True) as db:
        return db.execute(query, values).fetchone()[0]


def position(auth, serial):
    return asked(auth, "SELECT moving FROM token WHERE serial = ?", serial)


def counted(auth, kind):
    return asked(auth, "SELECT coalesce(sum(count), 0) FROM throttle WHERE kind = ?", kind)


def sign_in(house, code, user="anna", ref=TOKEN, **fields):
    """What became of a whole login with this code."""
    login = house.login(user, **fields)
    if login.result.error or login.begin["decision"] != 1:
        return login.result.error or login.result.verdict
    result, _ = login.verify(code, ref=ref)
    if (result.error or result.verdict) != "ok":
        return result.error or result.verdict
    return login.account()[0].verdict


class Cable:
    """What lies between a relay and its auth host, and can be cut."""

    def __init__(self, to):
        self.to, self.port, self.pairs, self.listener = to, relays.free_port(), [], None
        self.mend()

    def mend(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def cut(self):
        with contextlib.suppress(OSError):  # it is cut already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.pairs:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.pairs = []

    def _serve(self, listener):
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self.to)
            except OSError:
                return
            self.pairs += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    @staticmethod
    def _carry(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


class Ship:
    """A relay that may lease tokens, on its cable."""

    def __init__(self, directory, auth, name="ship1", accounts="anna", args=(), **broker):
        self.auth, self.name = auth, name
        self.cable = Cable(auth.relays_at)
        self.relay = Relay(os.path.join(directory, name), [auth], name)
        self.relay.offset = auth.offset
        self.relay.conf(broker={"offline": "hardware", **broker})
        self.relay.enroll("--offline", accounts, *args)
        self.relay.conf(broker={"upstream": "tls://127.0.0.1:%d" % self.cable.port},
                        throttle={"delay": "0"})

    def __enter__(self):
        self.relay.start_broker()
        return self

    def __exit__(self, *_):
        self.relay.close()
        self.cable.cut()
        print(self.relay.log()[-4000:])

    def said(self, what):
        return self.relay.log().count(what)

    def leased(self, account="anna"):
        relays.wait_for("a lease", lambda: leases(self.auth).get(account, {}).get("host") == self.name)
        relays.wait_for("it is here", lambda: self.said("tokens of %s are leased" % account) > 0)

    def away(self):
        n = self.said("no auth host answers")
        self.cable.cut()
        relays.wait_for("nobody answers", lambda: self.said("no auth host answers") > n)

    def back(self):
        n = self.said("linked to auth host")
        self.cable.mend()
        relays.wait_for("the link", lambda: self.said("linked to auth host") > n)
        relays.wait_for("all is told", lambda: self.relay.login("anna").result.error != "DOWN")


@pytest.fixture
def auth(house):
    """Its clock, and those of its relays, can be moved."""
    house.time_travel(0)
    auth_host(house)
    house.conf(throttle={"delay": "0"})
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org")
    house.hotp = Token(house, "anna", "A100", oath.HOTP)
    yield house
    print(house.log()[-3000:])


@pytest.fixture
def ship(auth, open_dir):
    with Ship(open_dir, auth) as ship:
        ship.leased()
        yield ship


# ---- logins ----


def test_threat_41_a_login_while_nobody_answers(auth, ship):
    token, relay = auth.hotp, ship.relay
    auth.phone("anna")
    assert sign_in(relay, token.hotp()) == "ok", "through the link, as ever"
    ship.away()
    login = relay.login("anna", rhost="203.0.113.9")
    assert login.result.error == "", login.result
    assert [f["ref"] for f in login.begin["factors"]] == [TOKEN], "no phones"
    assert login.begin["host"] == "ship1"
    code = token.hotp()
    result, reply = login.verify(code, ref=TOKEN)
    assert (result.verdict, reply["strength"]) == ("ok", "hardware-otp")
    assert login.verify(code, ref=TOKEN, seq=login.seq)[0].verdict == "ok", "its first answer"
    assert login.account()[0].verdict == "ok"
    opened = login.open()
    assert (answer(opened), opened[1]["recorded"], opened[1]["reason"]) == ("ok", 0, "offline")
    assert sign_in(relay, code) == "code-used"
    assert sign_in(relay, token.hotp(3), ref=0) == "ok", "looking ahead"
    assert sign_in(relay, wrong(token.hotp())) == "code-wrong"
    # What was done is told before anything else, and stands in the auth host's log.
    ship.back()
    records = [line for line in auth.log().splitlines() if "lease_report account=anna" in line]
    assert any("service=sshd from=203.0.113.9" in line and "host=ship1 ok" in line for line in records)
    assert position(auth, "A100") == token.at - 1
    assert sign_in(relay, code) in ("code-used", "code-wrong")
    assert sign_in(relay, token.hotp()) == "ok"


def test_threat_41_totp_and_an_app(auth, open_dir):
    auth.account("bert", uid=12002)
    token = Token(auth, "bert", "T200", oath.TOTP)
    auth.time_travel(60)
    with Ship(open_dir, auth, accounts="bert") as ship:
        ship.leased("bert")
        ship.away()
        code = token.totp(auth)
        assert sign_in(ship.relay, code, "bert") == "ok"
        assert sign_in(ship.relay, code, "bert") == "code-used"
        assert sign_in(ship.relay, token.totp(auth, -1), "bert") == "code-used"
        auth.time_travel(60)
        assert sign_in(ship.relay, token.totp(auth), "bert") == "ok"
        assert sign_in(ship.relay, token.totp(auth, 40), "bert") == "code-wrong", "not its time yet"
        last = token.totp(auth)
        ship.back()
        assert sign_in(ship.relay, last, "bert") == "code-used"
        auth.time_travel(60)
        assert sign_in(ship.relay, token.totp(auth), "bert") == "ok"


def test_threat_41_nobody_else_and_nothing_else(auth, open_dir):
    """Without a lease all is as ever; what a service wants is the auth host's word."""
    auth.account("bert", uid=12002)
    auth.conf(**{"service safe": {"require": "mloa-hardware"}, "service plain": {"require": "password"},
                 "service bank": {"application": "bank"}, "service su": {"su_target": "caller"},
                 "service two": {"methods": 2}})
    os.kill(auth.processes["broker"].pid, signal.SIGHUP)
    with Ship(open_dir, auth, args=("--services", "sshd,safe,plain,bank,su,two")) as ship:
        ship.leased()
        ship.away()
        relay, token = ship.relay, auth.hotp
        others = [("bert", "sshd", UID_UNKNOWN), ("nobody-here", "sshd", UID_UNKNOWN), ("anna", "sshd", 4711),
                  *[("anna", service, UID_UNKNOWN) for service in ("sudo", "bank", "su", "elevate")]]
        asks = [lambda who=who: relay.call("begin", dict(zip(("user", "service", "uid"), who), proof=1))
                for who in others]
        asks.append(lambda: relay.call("begin", {"user": "anna", "service": "sshd", "proof": 1}, uid=12002))
        # A ticket is of one person's one login, and nobody makes one.
        login = relay.login("anna")
        forged = (login.txn[:-1] + bytes([login.txn[-1] ^ 1]), login.txn[:20], b"MAGAWAY1" + os.urandom(200))
        asks += [lambda txn=txn: relay.call("verify", {"txn": txn, "seq": 1, "ref": 4, "code": "123456"})
                 for txn in forged]
        with concurrent.futures.ThreadPoolExecutor(len(asks)) as pool:
            got = [answer(a) for a in pool.map(lambda ask: ask(), asks)]
        assert got[:-len(forged)] == ["DOWN"] * (len(asks) - len(forged))
        assert set(got[-len(forged):]) <= {"STALE", "DOWN"}
        for service in ("safe", "two"):
            login = relay.login("anna", service)
            assert (login.result.verdict, login.begin["decision"]) == ("requirements-not-met", 4), service
        assert relay.login("anna", "plain").begin["decision"] == 2, "the password is enough"
        assert relay.login("anna", proof=0).result.verdict == "requirements-not-met"
        assert relay.login("anna", require="mloa-hardware").result.verdict == "requirements-not-met"
        assert relay.login("anna", require="no-such-thing").result.verdict == "requirements-not-met"
        login = relay.login("anna")
        assert relay.call("verify", {"txn": login.txn, "seq": 1, "ref": 4, "code": token.hotp()}, uid=12002)[0].error == "STALE"
        assert relay.call("account", {"txn": login.txn, "user": "bert", "service": "sshd"})[0].error == "STALE"
        assert login.account()[0].verdict == "requirements-not-met", "nothing was proven"
        assert login.open()[0].error == "STALE"
        assert login.send()[0].verdict == login.skip()[0].verdict == "requirements-not-met"
        auth.time_travel(601)
        assert login.verify(token.hotp(), ref=TOKEN)[0].error == "STALE", "ten minutes"


# ---- each code once, wherever it goes ----


def test_threat_41_partitioned_one_code_to_each(auth, ship, open_dir):
    """Both orders, at once, and codes ahead: exactly one acceptance, at the holder."""
    token = auth.hotp
    with Relay(os.path.join(open_dir, "web2"), [auth], "web2") as other:
        other.enroll()
        other.start_broker()
        ship.away()
        for i in range(ROUNDS):
            code = token.hotp(skip=i % 3)
            places = [ship.relay, auth, other]
            if i % 3 == 2:
                with concurrent.futures.ThreadPoolExecutor(3) as pool:
                    got = list(pool.map(lambda house: sign_in(house, code), places))
            else:
                places = places if i % 3 else places[::-1]
                got = [sign_in(house, code) for house in places]
            assert got.count("ok") == 1, got
            assert got.count("token-leased") == 2, got
        # Back, every one of them is used everywhere.
        ship.back()
        assert position(auth, "A100") == token.at
        for house in (ship.relay, other):
            assert sign_in(house, code) != "ok"


def test_threat_41_what_went_to_the_auth_host_is_used_here(auth, ship):
    """Sent through the link and accepted there, or nobody knows: no good here any more."""
    token, relay = auth.hotp, ship.relay
    login = relay.login("anna")
    lost = relay.login("anna")
    code = token.hotp(2)
    assert login.verify(code, ref=TOKEN)[0].verdict == "ok"
    broker = auth.processes["broker"]
    broker.send_signal(signal.SIGSTOP)
    try:
        unknown = token.hotp()
        assert lost.verify(unknown, ref=TOKEN)[0].error == "DOWN", "it began at the auth host"
        relays.wait_for("nobody answers", lambda: ship.said("no auth host answers") > 0)
        assert sign_in(relay, code) == "code-used"
        assert sign_in(relay, oath.hotp(token.seed, token.at - 3)) == "code-used", "one before it"
        assert sign_in(relay, unknown) == "code-used"
        ship.relay.stop("broker", signal.SIGKILL)
        ship.relay.start_broker()
        relays.wait_for("nobody answers", lambda: ship.said("no auth host answers") > 1)
        assert sign_in(relay, unknown) == "code-used", "also after a crash"
        assert sign_in(relay, token.hotp()) == "ok"
    finally:
        broker.send_signal(signal.SIGCONT)


def test_threat_41_a_code_is_struck_off_once(auth, open_dir):
    """A used code that is sent again and again fills no list that the next one needs."""
    auth.account("bert", uid=12002)
    token = Token(auth, "bert", "T200", oath.TOTP)
    auth.time_travel(60)
    with Ship(open_dir, auth, accounts="bert") as ship:
        ship.leased("bert")
        used = token.totp(auth)
        assert sign_in(ship.relay, used, "bert") == "ok"
        assert {sign_in(ship.relay, used, "bert") for _ in range(66)} == {"code-used"}
        auth.time_travel(60)
        assert sign_in(ship.relay, token.totp(auth), "bert") == "ok"


def test_threat_41_a_relay_that_forgot_its_lease_judges_nothing(auth, ship):
    """Its file is gone: the auth host takes no code of that token through its link either."""
    ship.relay.stop("broker")
    for name in os.listdir(os.path.dirname(ship.relay.identity)):
        if name.startswith("leases"):
            os.unlink(os.path.join(os.path.dirname(ship.relay.identity), name))
    ship.relay.start_broker()
    assert sign_in(ship.relay, auth.hotp.hotp()) == "token-leased"
    ship.away()
    assert ship.relay.login("anna").result.error == "DOWN"
    auth.time_travel(9 * HOUR)
    auth.hotp.at = 2 + 40
    assert sign_in(auth, auth.hotp.hotp()) == "ok", "behind its window"


def test_threat_41_never_given_back_is_void(auth, ship):
    """The holder is lost: of its window nothing is taken any more, used or not."""
    token = auth.hotp
    ship.away()
    used, unused = token.hotp(), oath.hotp(token.seed, token.at + 3)
    assert sign_in(ship.relay, used) == "ok"
    auth.time_travel(8 * HOUR + 60)
    assert sign_in(ship.relay, token.hotp()) == "DOWN", "its time is over"
    assert sign_in(auth, unused) == "token-leased", "a clock may be wrong"
    auth.time_travel(120)
    assert leases(auth)["anna"]["state"] == "over"
    for code in (used, unused):
        assert sign_in(auth, code) in ("code-used", "code-wrong")
    token.at = 2 + 40
    assert sign_in(auth, token.hotp()) == "ok", "the first code behind the window"
    assert "anna" not in leases(auth)
    # What it tells later changes nothing.
    ship.back()
    assert position(auth, "A100") == token.at
    assert sign_in(auth, used) != "ok"


def test_threat_41_told_late_the_rest_is_good_again(auth, ship):
    token = auth.hotp
    ship.away()
    used = token.hotp()
    assert sign_in(ship.relay, used) == "ok"
    auth.time_travel(9 * HOUR)
    relays.wait_for("its end", lambda: ship.said("the lease of anna ends") > 0)
    ship.back()
    relays.wait_for("a new lease", lambda: leases(auth).get("anna", {}).get("state") == "live")
    assert sign_in(ship.relay, used) != "ok"
    assert sign_in(ship.relay, token.hotp()) == "ok"
    assert sign_in(auth, token.hotp()) == "token-leased"


def test_threat_28_a_clock_that_is_set_back_brings_no_lease_back(auth, ship):
    ship.away()
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok"
    auth.time_travel(8 * HOUR)
    relays.wait_for("its end", lambda: ship.said("the lease of anna ends") > 0)
    auth.time_travel(-8 * HOUR)
    ship.relay.stop("broker")
    ship.relay.start_broker()
    assert sign_in(ship.relay, auth.hotp.hotp()) == "DOWN"


def test_threat_41_a_clock_that_jumped_once_locks_nobody_out(auth, ship):
    """Ahead for a while: the lease ends, and what is given meanwhile is given back."""
    ship.relay.time_travel(24 * HOUR)
    relays.wait_for("its end", lambda: ship.said("the lease of anna ends: its time is over") > 0)
    relays.wait_for("given back", lambda: ship.said("is not good by this host's clock") > 0)
    relays.wait_for("nobody has it", lambda: "anna" not in leases(auth))
    assert sign_in(auth, auth.hotp.hotp()) == "ok"
    n = ship.said("tokens of anna are leased")
    ship.relay.time_travel(-24 * HOUR)
    ship.relay.ok("reload")
    relays.wait_for("a lease again", lambda: ship.said("tokens of anna are leased") > n)
    ship.away()
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok"


def test_threat_41_another_factor_stays_usable(auth, ship):
    """Elsewhere the owner reads where the token is, and takes the phone."""
    number = auth.phone("anna")
    login = auth.login("anna")
    assert [f["kind"] for f in login.begin["factors"]] == ["phone"]
    assert {"leased"} <= {n["id"] for n in login.begin["notices"]}
    assert [n["what"] for n in login.begin["notices"] if n["id"] == "leased"] == ["ship1"]
    login.send()
    assert login.verify(auth.code(number))[0].verdict == "ok"


# ---- guesses, crashes ----


def test_threat_41_wrong_codes_are_capped_and_told(auth, ship):
    token = auth.hotp
    ship.away()
    got = [sign_in(ship.relay, wrong(oath.hotp(token.seed, token.at + 500 + i))) for i in range(6)]
    assert got == ["code-wrong"] * 4 + ["token-locked"] * 2
    right = token.hotp()
    assert sign_in(ship.relay, right) == "token-locked"
    ship.relay.stop("broker", signal.SIGKILL)
    ship.relay.start_broker()
    relays.wait_for("nobody answers", lambda: ship.said("no auth host answers") > 1)
    assert sign_in(ship.relay, right) == "token-locked"
    ship.back()
    relays.wait_for("it is charged", lambda: counted(auth, TOTAL) == 5)
    assert counted(auth, RUN) == 5
    assert sign_in(ship.relay, right) != "ok"


def guess(house, token, i):
    return sign_in(house, wrong(oath.hotp(token.seed, token.at + 500 + i)))


def restart(ship):
    n = ship.said("no auth host answers")
    ship.relay.stop("broker", signal.SIGKILL)
    ship.relay.start_broker()
    relays.wait_for("nobody answers", lambda: ship.said("no auth host answers") > n)


def state(auth):
    return asked(auth, "SELECT state FROM token WHERE serial = 'A100'")


def test_threat_06_away_the_total_does_not_begin_anew_at_a_right_code(auth, ship):
    """Four wrong ones before each login of the owner: ten in all, as many as online."""
    token, relay, got = auth.hotp, ship.relay, []
    ship.away()
    for i in range(4):
        got += [guess(relay, token, 10 * i + k) for k in range(4)]
        got.append(sign_in(relay, token.hotp()))
        if i == 1:
            restart(ship)
    four = ["code-wrong"] * 4 + ["ok"]
    assert got == four + four + ["code-wrong"] + ["account-throttled"] * 9
    assert relay.login("anna").result.verdict == "account-throttled"
    restart(ship)
    assert sign_in(relay, token.hotp()) == "account-throttled", "also after a crash"
    ship.back()
    relays.wait_for("all are charged", lambda: counted(auth, TOTAL) == 10)
    assert counted(auth, SOURCE) == 10
    assert (counted(auth, RUN), state(auth) == LOCKED) == (2, False)


def test_threat_06_away_a_right_code_gives_back_its_own_slips_only(auth, ship):
    token, relay = auth.hotp, ship.relay
    ship.away()
    for i in range(6):
        login = relay.login("anna")
        if i < 2:
            assert guess(relay, token, 100 + i) == "code-wrong", "another's, meanwhile"
        for k in range(2):
            assert login.verify(wrong(oath.hotp(token.seed, token.at + 500)), ref=TOKEN)[0].verdict == "code-wrong"
        assert login.verify(token.hotp(), ref=TOKEN)[0].verdict == "ok"
    ship.back()
    relays.wait_for("the other's are charged", lambda: counted(auth, TOTAL) == 2)
    assert (counted(auth, SOURCE), counted(auth, RUN)) == (2, 0)


def test_threat_06_away_slips_of_a_day_are_no_run(auth, ship):
    """Each followed by the right code: they count in the total, and lock nothing."""
    token, relay = auth.hotp, ship.relay
    ship.away()
    for i in range(5):
        assert (guess(relay, token, i), sign_in(relay, token.hotp())) == ("code-wrong", "ok")
    ship.back()
    relays.wait_for("they are charged", lambda: counted(auth, TOTAL) == 5)
    assert (counted(auth, RUN), state(auth) == LOCKED) == (0, False)
    assert sign_in(relay, token.hotp()) == "ok"


def test_threat_05_away_all_that_were_wrong_are_charged(auth, ship):
    """More than a run: three, the right one, and five that lock."""
    token, relay = auth.hotp, ship.relay
    ship.away()
    got = [guess(relay, token, i) for i in range(3)] + [sign_in(relay, token.hotp())]
    got += [guess(relay, token, 10 + i) for i in range(5)]
    assert got == ["code-wrong"] * 3 + ["ok"] + ["code-wrong"] * 4 + ["token-locked"]
    ship.back()
    relays.wait_for("all are charged", lambda: counted(auth, TOTAL) == 8)
    assert counted(auth, RUN) == 5
    relays.wait_for("it is locked", lambda: state(auth) == LOCKED)


def test_threat_41_tries_are_not_had_twice(auth, ship):
    """Four wrong ones through the link, then the cable is cut; and once more after it."""
    token, relay = auth.hotp, ship.relay
    assert [guess(relay, token, i) for i in range(4)] == ["code-wrong"] * 4
    ship.away()
    assert [guess(relay, token, 10 + i) for i in range(3)] == ["token-locked"] * 3
    right = token.hotp()
    assert sign_in(relay, right) == "token-locked"
    ship.back()
    ship.away()
    assert guess(relay, token, 20) in ("token-locked", "DOWN")
    assert sign_in(relay, right) in ("token-locked", "DOWN")
    ship.back()
    assert counted(auth, TOTAL) in (4, 5), "one less if the cable was cut while it was renewed"


def test_threat_41_what_root_of_a_relay_reports_has_its_share(auth, ship):
    """However many wrong codes it invents: half of the thirty days, as for one online."""
    link = relays.Link(auth, ship.relay.identity)
    ship.relay.stop("broker")
    number, last = (asked(auth, "SELECT %s FROM token WHERE serial = 'A100'" % c) for c in ("lease", "lease_last"))
    report = {"user": "anna", "lease": number, "ref": TOKEN, "position": -1}
    for less in ("failed", "run"):
        assert link.call("lease_report", {**report, less: -1})[0].error == "PERM"
    for failed in (1000, 2000, 3000, 4000, 2**62):
        assert link.call("lease_report", {**report, "failed": failed, "run": failed})[0].error == ""
    assert counted(auth, TOTAL) == 10
    assert counted(auth, SOURCE) == 10
    assert counted(auth, RUN) == 5
    # Nothing that was accepted before, or never given, ends the run.
    run = counted(auth, RUN)
    for at in (0, 1, last + 1, 2**62):
        assert link.call("lease_report", {**report, "position": at, "failed": 0})[0].error == ""
    assert (counted(auth, RUN), position(auth, "A100")) == (run, 2)
    assert link.call("lease_report", {**report, "position": 2})[0].error == ""
    assert (counted(auth, RUN), position(auth, "A100")) == (0, 3)


def test_threat_41_root_of_a_relay_moves_a_token_so_far_a_day(auth, ship):
    """Taken, used up, given back, taken again: its owner can yet put it right with two codes."""
    link = relays.Link(auth, ship.relay.identity)
    ship.relay.stop("broker")
    number = asked(auth, "SELECT lease FROM token WHERE serial = 'A100'")
    moves = []
    for i in range(6):
        last = asked(auth, "SELECT lease_last FROM token WHERE serial = 'A100'")
        link.call("lease_report", {"user": "anna", "lease": number, "ref": TOKEN, "position": last, "end": i % 2})
        number += i % 2
        moves.append(link.call("lease_take", {"user": "anna", "lease": number})[1]["ended"])
    assert moves[0] == 0 and moves[-1] == 1
    assert position(auth, "A100") <= 2 + 80 + 40
    auth.time_travel(26 * HOUR)
    assert link.call("lease_take", {"user": "anna", "lease": number + 1})[1]["ended"] == 0


def test_threat_41_the_last_wrong_one_locks_it_everywhere(auth, ship):
    """Told when the link is back: the token is locked, its owner hears of it, the lease ends."""
    token = auth.hotp
    ship.away()
    for i in range(5):
        guess(ship.relay, token, i)
    ship.back()
    relays.wait_for("it is locked", lambda: asked(auth, "SELECT state FROM token WHERE serial = 'A100'") == LOCKED)
    assert asked(auth, "SELECT args LIKE '%from=ship1%' FROM mail WHERE template = 'locked'") == 1
    relays.wait_for("the end", lambda: "anna" not in leases(auth))
    assert sign_in(ship.relay, token.hotp()) == "token-locked"


def test_threat_05_killed_between_charge_and_answer(auth, ship):
    token = auth.hotp
    ship.away()
    for fault in ("away.charged", "away.decided"):
        ship.relay.stop("broker")
        n = ship.said("no auth host answers")
        ship.relay.start_broker(fault="%s:kill:1" % fault)
        relays.wait_for("nobody answers", lambda: ship.said("no auth host answers") > n)
        login, code = ship.relay.login("anna"), token.hotp()
        with pytest.raises((ConnectionError, OSError)):
            login.verify(code, ref=TOKEN)
        ship.relay.stop_hard("broker")
        n = ship.said("no auth host answers")
        ship.relay.start_broker()
        relays.wait_for("nobody answers", lambda: ship.said("no auth host answers") > n)
        if fault == "away.decided":
            assert sign_in(ship.relay, code) == "code-used"
        result, reply = login.verify(code, ref=TOKEN, seq=login.seq)
        assert result.verdict == "ok", "the first answer, or one for the first time"
        assert login.account()[0].verdict == "ok"
        assert sign_in(ship.relay, code) == "code-used"
    ship.back()
    assert position(auth, "A100") == token.at


# ---- administration ----


def test_threat_41_revoked_meanwhile(auth, ship):
    """Its old lease ends with its time; there is no new one, and nothing is taken from it."""
    ship.away()
    relays.ctl(auth, "host", "revoke", "ship1", "--yes")
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok", "it cannot know"
    assert sign_in(auth, auth.hotp.hotp()) == "token-leased"
    ship.cable.mend()
    relays.wait_for("the refusal", lambda: ship.said("is not taken") > 0)
    relays.wait_for("it knows", lambda: ship.said("the lease of anna ends") > 0)
    assert ship.relay.login("anna").result.error in ("PERM", "DOWN")
    auth.time_travel(9 * HOUR)
    assert sign_in(ship.relay, auth.hotp.hotp()) in ("PERM", "DOWN")
    auth.hotp.at = 2 + 40
    assert sign_in(auth, auth.hotp.hotp()) == "ok"


def test_threat_41_called_back_by_an_administrator(auth, ship):
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok"
    relays.ctl(auth, "lease", "end", "anna", code=2)
    relays.ctl(auth, "lease", "end", "anna", "--reason", "back on land")
    with open("%s/db/audit.log" % auth.dir) as f:
        (record,) = [line for line in f if "lease_end account=anna" in line]
    assert 'ok reason="back on land"' in record
    assert [r["state"] for r in json.loads(relays.ctl(auth, "--json", "lease", "list"))] == ["closing"]
    assert sign_in(auth, auth.hotp.hotp()) == "token-leased", "only its holder can end it"
    ship.relay.ok("reload")
    relays.wait_for("the end", lambda: "anna" not in leases(auth))
    assert sign_in(auth, auth.hotp.hotp()) == "ok"
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok"


def test_a_relay_that_is_told_no_gives_them_back(auth, ship):
    ship.away()
    assert sign_in(ship.relay, auth.hotp.hotp()) == "ok"
    ship.relay.conf(broker={"offline": "no"})
    ship.relay.ok("reload")
    assert ship.said("the lease of anna ends: offline is not set any more") == 1
    ship.relay.stop("broker")
    ship.cable.mend()
    ship.relay.start_broker()
    relays.wait_for("the end", lambda: "anna" not in leases(auth))
    assert sign_in(auth, auth.hotp.hotp()) == "ok"


def test_threat_41_who_takes_leases(auth, ship, open_dir):
    """A certificate whose row names the account; nobody on the socket, and none twice."""
    take = ("lease_take", {"user": "anna", "lease": 4711})
    assert auth.call(*take)[0].error == "PERM"
    assert relays.ctl(auth, "host", "add", "x", "--offline", "an*", code=2) == ""
    with Relay(os.path.join(open_dir, "web2"), [auth], "web2") as other, \
            Relay(os.path.join(open_dir, "web3"), [auth], "web3") as third:
        other.enroll()
        third.enroll("--offline", "anna")
        for relay in (other, third):
            link = relays.Link(auth, relay.identity)
            result, reply = link.call(*take)
            assert (result.verdict, reply["ended"], reply["parts"]) == ("ok", 1, [])
            assert link.call(*take, origin={"uid": 12001, "alive": 1})[0].error == "PERM"
            assert link.call("lease_report", {**take[1], "ref": 4, "position": 900, "end": 1})[0].error == ""
    assert leases(auth)["anna"]["host"] == "ship1"
    assert position(auth, "A100") == auth.hotp.at
    # It holds hashes and their key, nothing of the seed; others cannot read it.
    state = os.path.dirname(ship.relay.identity)
    ship.relay.stop("broker")
    files = [os.path.join(state, name) for name in os.listdir(state) if name.startswith("leases")]
    assert files and all(os.stat(f).st_mode & 0o777 == 0o600 for f in files)
    assert not any(auth.hotp.seed in open(f, "rb").read() for f in files)
