"""H6's one exception, on the running broker: a page that nginx asks PAM for twice."""

import concurrent.futures
import pwd
from collections import Counter

import pytest

import wirepy
from house import needs_root
from test_token_login import ANNA, PER_CREDENTIAL, STREAK, TOTAL, codes, count, own, verdict  # noqa: F401

WEB = pwd.getpwnam("www-data").pw_uid


def page(house, service="nginx", user="anna", **fields):
    return house.login(user, service, mode="combined", **fields)


def test_H6_twin_the_second_is_let_in_the_third_is_not(own):
    code = codes(own.token)
    assert verdict(page(own).verify(code, ref=0)) == "ok"
    twin = page(own)
    result, reply = twin.verify(code, ref=0)
    assert (result.verdict, reply["strength"], reply["level"]) == ("ok", "hardware-otp", 2)
    assert twin.verify(code, ref=0, seq=twin.seq)[0].verdict == "ok"  # its own repeat
    result, reply = twin.account()  # and it is worth as much afterwards
    assert (result.verdict, reply["strength"]) == ("ok", "hardware-otp")
    for _ in range(2):
        assert verdict(page(own).verify(code, ref=0)) == "code-used"
    assert count(own, TOTAL) == count(own, PER_CREDENTIAL) == count(own, STREAK) == 0


def test_H6_twin_of_a_phones_code(own):
    own.phone("anna")
    sms = page(own)
    sms.send(ref=1)
    code = own.code()
    assert verdict(page(own).verify(code, ref=0)) == "ok"
    result, reply = page(own).verify(code, ref=0)
    assert (result.verdict, reply["strength"]) == ("ok", "phone-otp")
    assert verdict(page(own).verify(code, ref=0)) != "ok"


def test_H6_twin_is_over_after_three_seconds(own):
    code = codes(own.token)
    assert verdict(page(own).verify(code, ref=0)) == "ok"
    own.time_travel(4)
    assert verdict(page(own).verify(code, ref=0)) == "code-used"


@needs_root
def test_H6_twin_is_of_the_same_peer_service_account_and_address(own):
    own.account("ben", uid=12077)
    code = codes(own.token)
    assert verdict(page(own, rhost="10.0.0.1").verify(code, ref=0)) == "ok"
    assert verdict(page(own, rhost="10.0.0.1", uid=WEB).verify(code, ref=0)) == "code-used"
    assert verdict(page(own, rhost="10.0.0.1", service="dovecot").verify(code, ref=0)) == "code-used"
    assert verdict(page(own, rhost="10.0.0.2").verify(code, ref=0)) == "code-used"
    assert verdict(page(own, rhost="10.0.0.1", user="ben").verify(code, ref=0)) not in ("ok", "")
    # A conversation is no page: whoever is asked can read the next code.
    plain = own.login("anna", "nginx", rhost="10.0.0.1")
    assert verdict(plain.verify(code, ref=0)) == "code-used"
    assert verdict(page(own, rhost="10.0.0.1").verify(code, ref=0)) == "ok"


@needs_root
def test_H6_twin_for_www_data_is_its_worker_processes_own(own):
    code, other = codes(own.token, 2)

    def twice():
        return [verdict(page(own).verify(code, ref=0)) for _ in range(3)]

    # One process of www-data asks three times.
    assert wirepy.as_uid(WEB, twice) == ["ok", "ok", "code-used"]
    # Each of these is a process of its own.
    got = [verdict(page(own, uid=WEB).verify(other, ref=0)) for _ in range(2)]
    assert got == ["ok", "code-used"]


def test_H6_twin_of_a_revoked_token_is_refused(own):
    code = codes(own.token)
    assert verdict(page(own).verify(code, ref=0)) == "ok"
    own.ok("token_revoke", {"user": "anna", "id": "t1", "reason": "lost"})
    login = page(own)
    assert not login.txn or verdict(login.verify(code, ref=0)) != "ok"


def test_H6_threat_04_twins_at_once_are_two_at_most(own):
    code = codes(own.token)
    logins = [page(own) for _ in range(32)]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        got = Counter(pool.map(lambda x: verdict(x.verify(code, ref=0)), logins))
    assert 1 <= got["ok"] <= 2, got


def test_H6_twin_is_forgotten_by_a_restart(own):
    code = codes(own.token)
    assert verdict(page(own).verify(code, ref=0)) == "ok"
    own.stop("broker")
    own.start_broker()
    assert verdict(page(own).verify(code, ref=0)) == "code-used"
