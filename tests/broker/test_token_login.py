"""Logins with hardware tokens and apps, on the running broker: each code once, the
fifth wrong one locks, two put it right, and nobody's charges are dodged."""

import concurrent.futures
import os
import pwd
import sqlite3
import time
from collections import Counter

import pytest

import oath
import wirepy
from house import Neighbour, needs_root
from test_threats import raw_at_once
from test_tokens import ANNA, Hotp, add, ask, scan, state

WEB = pwd.getpwnam("www-data").pw_uid
TOKEN, APP = 4, 5
ROUNDS = 1000 if os.environ.get("MAGOTP_LONG", "0") != "0" else 3  # make check-long
CHAIN, TOTAL, PER_CREDENTIAL, STREAK, RUN, RESYNCS = 1, 2, 3, 5, 10, 11


def verdict(answer):
    return answer[0].error or answer[0].verdict


def count(house, kind):
    """All that is counted of this kind."""
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return db.execute("SELECT coalesce(sum(count), 0) FROM throttle WHERE kind = ?",
                          (kind,)).fetchone()[0]


def position(house, serial):
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        return db.execute("SELECT moving FROM token WHERE serial = ?", (serial,)).fetchone()[0]


def codes(token, n=1):
    token.at += n
    made = [token.code(token.at - n + i) for i in range(n)]
    return made[0] if n == 1 else made


def wrong(token, n=0):
    """A code that is far from this token's."""
    return token.code(token.at + 50000 + n)


def resync(login, code1, code2, ref=TOKEN):
    login.seq += 1
    return login.house.call("resync", {"txn": login.txn, "seq": login.seq, "ref": ref,
                                       "code1": code1, "code2": code2}, uid=login.uid)


@pytest.fixture
def own(house):
    """anna with an active HOTP token A100, where nobody has to wait."""
    house.conf(throttle={"delay": "0"}, broker={"verifiers": "www-data:nginx"})
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA)
    house.token = Hotp(house, "A100")
    assert add(house, house.token)[0] == "ok"
    return house


@pytest.fixture
def both(own):
    """And an app; own.app(further) is its code in that many seconds."""
    seed = scan(ask(own, "mobile_add")[1]["uri"])[2]
    assert ask(own, "mobile_confirm", code=oath.totp(seed, time.time()))[0] == "ok"
    own.app = lambda seconds=0: oath.totp(seed, time.time() + seconds)
    return own


# ---- right codes ----


def test_L6_a_code_at_the_choice_or_at_the_prompt(own):
    for ref in (0, TOKEN):
        login = own.login("anna")
        result, reply = login.verify(codes(own.token), ref=ref)
        assert (result.verdict, reply["strength"], reply["level"]) == ("ok", "hardware-otp", 2)
        result, reply = login.account()
        assert result.verdict == "ok" and reply["strength"] == "hardware-otp"
        assert login.verify(codes(own.token), ref=ref)[0].error == "STALE"  # decided
    assert count(own, RUN) == count(own, TOTAL) == 0


def test_L6_what_the_app_proves_is_not_the_token(both):
    both.time_travel(60)
    result, reply = both.login("anna").verify(both.app(60), ref=0)
    assert (result.verdict, reply["strength"]) == ("ok", "mobile-id")
    login = both.login("anna", require="hardware-otp")
    assert [f["ref"] for f in login.begin["factors"]] == [TOKEN]
    both.time_travel(60)
    assert verdict(login.verify(both.app(120), ref=0)) == "code-wrong"
    assert verdict(login.verify(both.app(120), ref=APP)) == "requirements-not-met"
    assert verdict(login.verify(codes(both.token), ref=0)) == "ok"


def frame(login, code, ref=TOKEN):
    login.seq += 1
    return wirepy.encode_request("verify", {"txn": login.txn, "seq": login.seq, "ref": ref,
                                            "code": code})


def test_H6_threat_04_one_code_is_accepted_once_of_64_at_once(own):
    for round in range(ROUNDS):
        code = codes(own.token)
        logins = [own.login("anna") for _ in range(64)]
        got = Counter(raw_at_once(own, [frame(x, code, (0, TOKEN)[i % 2])
                                        for i, x in enumerate(logins)]))
        # who comes while five are being judged is not looked at
        assert got.pop("ok") == 1 and set(got) <= {"code-used", "token-locked"}, (round, got)
        assert position(own, "A100") == own.token.at
        # a code that was accepted before is no guess
        assert count(own, RUN) == count(own, TOTAL) == count(own, STREAK) == 0
    assert state(own, own.token) == "active"
    print("%d rounds of 64 clients" % ROUNDS)


def test_threat_30_a_repeat_gets_its_first_answer(own):
    login, code = own.login("anna"), codes(own.token)
    assert verdict(login.verify(wrong(own.token), ref=TOKEN, seq=1)) == "code-wrong"
    for _ in range(3):
        result, reply = login.verify(code, ref=TOKEN, seq=1)
        assert (result.verdict, reply["tries_left"]) == ("code-wrong", 4)
    assert count(own, RUN) == 1
    first = login.verify(code, ref=TOKEN, seq=2)
    assert verdict(first) == "ok"
    assert login.verify("000000", ref=TOKEN, seq=2) == first
    assert position(own, "A100") == own.token.at
    assert login.verify(codes(own.token), ref=TOKEN, seq=1)[0].error == "STALE"


# ---- wrong codes ----


def test_H4_threat_05_five_of_64_wrong_codes_at_once_are_judged(own):
    for round in range(ROUNDS // 50 + 1):
        user, serial = "user%d" % round, "R%d" % round
        own.account(user)
        token = Hotp(own, serial)
        assert add(own, token, user=user)[0] == "ok"
        logins = [own.login(user) for _ in range(64)]
        frames = [frame(x, wrong(token, i)) for i, x in enumerate(logins)]
        frames.insert(40, frame(own.login("anna"), codes(own.token)))
        got = raw_at_once(own, frames)
        assert got.pop(40) == "ok"  # somebody else meanwhile
        assert Counter(got) == {"code-wrong": 4, "token-locked": 60}, (round, got)
        assert count(own, RUN) == count(own, TOTAL) == 5 * (round + 1)
        assert state(own, token, user) == "locked"
        # and the right code is not looked at any more
        assert raw_at_once(own, [frame(logins[7], codes(token))]) == ["token-locked"]


def test_H4_the_run_goes_on_over_logins_services_and_ways_to_type(own):
    ways = [("sshd", 0), ("su", TOKEN), ("sshd", TOKEN), ("login", 0), ("sshd", 0)]
    got = [verdict(own.login("anna", service=service).verify(wrong(own.token, i), ref=ref))
           for i, (service, ref) in enumerate(ways)]
    assert got == ["code-wrong"] * 4 + ["token-locked"]


def test_H4_the_right_code_over_the_cap_is_not_looked_at(own):
    for i in range(5):
        own.login("anna").verify(wrong(own.token, i), ref=0)
    before, code = position(own, "A100"), codes(own.token)
    for ref in (0, TOKEN):
        assert verdict(own.login("anna").verify(code, ref=ref)) == "token-locked"
    assert position(own, "A100") == before and count(own, RUN) == 5
    assert ask(own, "token_unlock", id="t1")[0] == "ok"
    assert verdict(own.login("anna").verify(code, ref=0)) == "ok"


def test_H4_a_limit_that_was_lowered_holds_without_eating_codes(own):
    for i in range(4):
        own.login("anna").verify(wrong(own.token, i), ref=0)
    own.stop("broker")
    own.conf(hardware={"lock_after": "3"})
    own.start_broker()
    before = position(own, "A100")
    login = own.login("anna")
    assert verdict(login.verify(codes(own.token), ref=0)) == "token-locked"
    assert position(own, "A100") == before
    assert verdict(resync(login, *codes(own.token, 2))) == "ok"
    assert verdict(own.login("anna").verify(codes(own.token), ref=0)) == "ok"


def test_threat_06_who_has_the_app_does_not_get_more_tries_at_the_token(both):
    """Four wrong ones, then the app's right code, typed straight: not from the start."""
    got = []
    for i in range(1, 4):
        login = both.login("anna")
        for n in range(4):
            got.append(verdict(login.verify(wrong(both.token, 10 * i + n), ref=TOKEN)))
        both.time_travel(60)
        got.append(verdict(login.verify(both.app(60 * i), ref=0)))
    assert got.count("code-wrong") == 4, got
    assert count(both, RUN) == 5 and state(both, both.token) == "locked"


def test_what_cannot_be_judged_is_an_error_and_locks_nobody(own):
    with sqlite3.connect("%s/db/otpcore.db" % own.dir) as db:
        good, = db.execute("SELECT secret FROM token").fetchone()
        db.execute("UPDATE token SET secret = ?", (good[:-1] + bytes([good[-1] ^ 1]),))
    code = codes(own.token)
    for _ in range(6):
        login = own.login("anna")
        got = login.verify(code, ref=0)
        assert verdict(got) in ("CRYPTO", "token-locked"), got
        assert login.account()[0].verdict == "requirements-not-met"
    assert state(own, own.token) == "active" and count(own, RUN) == 5
    with sqlite3.connect("%s/db/otpcore.db" % own.dir) as db:
        db.execute("UPDATE token SET secret = ?", (good,))
    assert verdict(resync(own.login("anna"), *codes(own.token, 2))) == "ok"


# ---- tokens that can't be used ----


def out_of_step(house):
    login = house.login("anna")
    for i in range(5):
        login.verify(wrong(house.token, i), ref=0)
    for i in range(5):
        resync(login, wrong(house.token, i), wrong(house.token, i + 9))


def run_out(house):
    house.time_travel(366 * 86400)


def pending(house):
    assert ask(house, "token_revoke", id="t1")[0] == "ok"
    Hotp(house, "A200")
    assert ask(house, "token_assign", serial="A200")[0] == "ok"


FAULTS = {
    "token-suspended-by-admin": lambda h: ask(h, "token_suspend", id="t1"),
    "token-out-of-sync": out_of_step,
    "token-expired": run_out,
    "token-pending": pending,
    "token-revoked": lambda h: ask(h, "token_revoke", id="t1"),
}


def notices(login):
    return [n["id"] for n in login.begin["notices"] if n["id"] != "carrier-charge"]


@needs_root
@pytest.mark.parametrize("fault", FAULTS)
def test_L14_L10_the_owner_hears_what_is_wrong_and_others_do_not(own, fault):
    FAULTS[fault](own)
    for uid in (None, ANNA):
        login = own.login("anna", uid=uid)
        assert (login.result.verdict, login.begin["decision"], login.txn) == (fault, 4, b"")
        assert fault in notices(login)
        said = [n["what"] for n in login.begin["notices"] if n["id"] == fault]
        assert said == ["A200" if fault == "token-pending" else "A100"]
    # before the password nobody hears of it
    login = own.login("anna", proof=0)
    assert (login.result.verdict, login.result.detail) == ("requirements-not-met", "password")
    web = own.login("anna", service="nginx", uid=WEB)
    assert web.result.verdict != fault
    assert fault == "token-expired" or fault not in notices(web)
    if fault in ("token-pending", "token-revoked"):  # as nobody is, and one without anything
        nobody = own.login("nobody-there", service="nginx", uid=WEB)
        assert web.begin["decision"] == nobody.begin["decision"] == 1
    # the way out, where the policy has one
    explained = own.ok("explain", {"user": "anna", "service": "sshd"})
    assert (explained["reason"], explained["decision"]) == (fault, 4)


@pytest.mark.parametrize("fault", FAULTS)
def test_L13_L14_beside_another_factor_it_is_a_notice(own, fault):
    FAULTS[fault](own)
    number = own.phone("anna")
    login = own.login("anna", rhost="203.0.113.5")  # not from where the guesses came
    assert (login.result.verdict, login.begin["decision"]) == ("ok", 1)
    assert [f["ref"] for f in login.begin["factors"]] == [1] and fault in notices(login)
    login.send()
    result, reply = login.verify(own.code(number))
    assert (result.verdict, reply["strength"]) == ("ok", "phone-otp")


def test_L14_a_revoked_token_is_named_for_a_month(own):
    assert ask(own, "token_revoke", id="t1")[0] == "ok"
    own.phone("anna")
    own.time_travel(29 * 86400)
    assert "token-revoked" in notices(own.login("anna"))
    own.time_travel(2 * 86400)
    assert "token-revoked" not in notices(own.login("anna"))


def test_L14_who_may_be_without_a_factor_still_may(own):
    """Revoked or pending is not enrolled; expired and suspended are."""
    assert ask(own, "token_suspend", id="t1")[0] == "ok"
    login = own.login("anna", unenrolled="allow")
    assert login.result.verdict == "token-suspended-by-admin"
    assert ask(own, "token_revoke", id="t1")[0] == "ok"
    assert own.login("anna", unenrolled="allow").begin["decision"] == 3


# ---- totals ----


def judged(login, code):
    """What the client hears in the end: two brokers may be in each other's way."""
    got = "BUSY"
    while got == "BUSY":
        got = verdict(login.verify(code, ref=0, seq=1))
    return got


@pytest.fixture
def hosts(own, tmp_path):
    """web1 and web2."""
    own.stop("broker")
    own.conf(broker={"host_identity": "web1"}, hardware={"lock_after": "10"},
             throttle={"total_30d": "6", "per_source": "1000"})
    own.start_broker()
    with Neighbour(tmp_path, own, "web2") as other:
        other.start_broker()
        yield own, other


def test_L15_failures_count_across_hosts_services_and_addresses(hosts):
    own, other = hosts
    assert own.login("anna").begin["host"] == "web1"
    assert other.login("anna").begin["host"] == "web2"
    got = []
    for i in range(8):
        host, service = (own, other)[i % 2], ("sshd", "su", "login")[i % 3]
        login = host.login("anna", service=service, rhost="203.0.113.%d" % i)
        got.append(judged(login, wrong(own.token, i)))
    assert got == ["code-wrong"] * 6 + ["account-throttled"] * 2
    assert count(own, TOTAL) == count(own, PER_CREDENTIAL) == 6
    # The right code is not even looked at, on either host.
    before, code = position(own, "A100"), codes(own.token)
    for host in hosts:
        login = host.login("anna", rhost="203.0.113.99")
        assert judged(login, code) == "account-throttled"
    assert position(own, "A100") == before


def test_L15_success_does_not_clear_the_thirty_days(hosts):
    """Each day two wrong ones in logins that are given up, then one that succeeds."""
    own, other = hosts
    for day in range(3):
        for i in range(2):
            login = hosts[i].login("anna", rhost="203.0.113.%d" % (10 * day + i))
            assert judged(login, wrong(own.token, 10 * day + i)) == "code-wrong"
        assert count(own, TOTAL) == 2 * (day + 1)
        right = judged(own.login("anna", rhost="198.51.100.1"), codes(own.token))
        if day < 2:
            assert right == "ok"
            assert count(own, TOTAL) == 2 * (day + 1), "as before the login"
            own.time_travel(86400)
    assert right == "account-throttled"
    own.time_travel(30 * 86400)
    for host in hosts:
        assert judged(host.login("anna"), codes(own.token)) == "ok"


def test_L15_the_limit_is_a_hundred_at_most(house):
    house.conf(throttle={"total_30d": "101"})
    with pytest.raises((AssertionError, RuntimeError)) as refused:
        house.start_broker()
    assert "total_30d" in str(refused.value) and "100" in str(refused.value)
    house.conf(throttle={"total_30d": "100"})
    house.start_broker()


def test_H6_a_code_is_accepted_once_on_all_hosts(hosts):
    own, other = hosts
    for round in range(20):
        code = codes(own.token)
        pairs = [(h, h.login("anna")) for h in hosts for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            got = Counter(pool.map(lambda x: judged(x[1], code), pairs))
        assert got.pop("ok") == 1, got
        # more than six at once: who is beyond the thirty days' six is not looked at
        assert set(got) <= {"code-used", "account-throttled"}, got


# ---- two codes ----


def test_H4_threat_37_two_codes_at_the_prompt_are_one_charge(own):
    for i in range(5):
        own.login("anna").verify(wrong(own.token, i), ref=0)
    login = own.login("anna")
    assert [f["state"] for f in login.begin["factors"]] == ["locked"]
    first, second = own.token.code(20), own.token.code(21)
    result, reply = resync(login, first, wrong(own.token))
    assert (result.verdict, reply["tries_left"]) == ("codes-wrong", 4)
    result, reply = resync(login, wrong(own.token), second)
    assert (result.verdict, reply["tries_left"]) == ("codes-wrong", 3)
    assert count(own, RESYNCS) == 2
    result, reply = resync(login, first, second)
    assert (result.verdict, reply["strength"]) == ("ok", "hardware-otp")
    assert count(own, RESYNCS) == count(own, RUN) == 0
    assert state(own, own.token) == "active" and position(own, "A100") == 22
    assert login.account()[0].verdict == "ok"
    # both are burnt
    assert verdict(own.login("anna").verify(second, ref=0)) == "code-used"
    assert verdict(resync(own.login("anna"), first, second)) == "codes-wrong"


def test_H4_five_wrong_pairs_are_an_administrators_affair(own):
    login = own.login("anna")
    got = [verdict(resync(login, wrong(own.token, i), wrong(own.token, i + 9))) for i in range(6)]
    assert got == ["codes-wrong"] * 4 + ["token-out-of-sync"] * 2
    before = position(own, "A100")
    assert verdict(resync(own.login("anna"), *codes(own.token, 2))) == "token-out-of-sync"
    assert position(own, "A100") == before and count(own, RESYNCS) == 5


def test_threat_05_64_pairs_at_once(own):
    logins = [own.login("anna") for _ in range(64)]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        got = Counter(pool.map(lambda x: verdict(resync(x[1], wrong(own.token, x[0]),
                               wrong(own.token, x[0] + 99))), enumerate(logins)))
    assert set(got) <= {"codes-wrong", "token-out-of-sync"} and got["codes-wrong"] <= 4
    assert count(own, RESYNCS) == 5  # judged; the others were not looked at


# ---- nobody, and verifiers ----


def test_L10_a_made_up_account_answers_as_one_with_a_phone(own):
    own.account("bert", uid=12002)
    own.phone("bert")
    rows = count(own, TOTAL), count(own, RUN), count(own, CHAIN)
    said = []
    for user in ("bert", "nobody-there"):
        login = own.login(user)
        said.append([login.begin["decision"], len(login.begin["factors"]) > 0]
                    + [verdict(login.verify("123456", ref=ref)) for ref in (0, TOKEN, APP)]
                    + [verdict(resync(login, "123456", "234567", ref)) for ref in (0, TOKEN)])
    assert said[0] == said[1], said
    assert rows == (count(own, TOTAL), count(own, RUN), count(own, CHAIN))


@needs_root
def test_threat_09_a_verifier_locks_itself_out_not_the_token(own):
    def web():
        return own.login("anna", service="nginx", uid=WEB)

    got = [verdict(web().verify(wrong(own.token, i), ref=0)) for i in range(12)]
    assert got == ["code-wrong"] * 10 + ["account-throttled"] * 2
    assert verdict(web().verify(codes(own.token), ref=0)) == "account-throttled"
    assert count(own, RUN) == count(own, TOTAL) == count(own, PER_CREDENTIAL) == 0
    assert state(own, own.token) == "active"
    assert verdict(own.login("anna").verify(codes(own.token), ref=0)) == "ok"


@needs_root
def test_threat_09_a_verifiers_success_resets_nothing(own):
    for i in range(4):
        own.login("anna").verify(wrong(own.token, i), ref=0)
    login = own.login("anna", service="nginx", uid=WEB)
    result, reply = login.verify(codes(own.token), ref=0)
    assert (result.verdict, reply["strength"]) == ("ok", "hardware-otp")
    assert count(own, RUN) == 4
    assert verdict(own.login("anna").verify(wrong(own.token), ref=0)) == "token-locked"
    # nor does it put right what is locked, or use up the owner's tries at that
    login = own.login("anna", service="nginx", uid=WEB)
    assert login.begin["factors"] == [] or login.begin["decision"] != 1
    assert count(own, RESYNCS) == 0


@needs_root
def test_threat_09_a_verifier_repairs_no_token(own):
    login = own.login("anna", service="nginx", uid=WEB)
    before = position(own, "A100")
    assert verdict(resync(login, *codes(own.token, 2))) == "requirements-not-met"
    assert position(own, "A100") == before and count(own, RESYNCS) == 0


# ---- what else ends a login ----


@pytest.mark.parametrize("message", ["token_suspend", "token_revoke"])
def test_H7_H8_a_login_under_way_loses_its_token(own, message):
    login = own.login("anna")
    assert ask(own, message, id="t1")[0] == "ok"
    got = verdict(login.verify(codes(own.token), ref=TOKEN))
    assert got == "requirements-not-met"


def test_a_ticket_of_another_account_moves_no_token(own):
    own.account("bert", uid=12002)
    own.phone("bert")
    login = own.login("bert")
    assert verdict(login.verify(codes(own.token), ref=0)) == "no-code-pending"
    assert verdict(login.verify(codes(own.token), ref=TOKEN)) == "requirements-not-met"
    assert login.account()[0].verdict == "requirements-not-met"
    assert verdict(own.login("anna").verify(codes(own.token), ref=0)) == "ok"


def test_O9_a_locked_token_is_one_method(own):
    for i in range(5):
        own.login("anna").verify(wrong(own.token, i), ref=0)
    assert own.login("anna").begin["decision"] == 1
    own.stop("broker")
    own.conf(**{"service sshd": {"methods": "2"}})
    own.start_broker()
    assert own.login("anna").begin["decision"] == 4
