"""reuse = 8h: sudo takes the session's word, and what takes that away (security.md 13)."""

import sqlite3

import pytest

from house import UID_UNKNOWN, needs_root
from test_session import ANNA, BERT, logged_in  # noqa: F401
from test_tokens import Hotp, add

pytestmark = needs_root

ASK, PASS, DENY = 1, 2, 4
HOUR = 3600


@pytest.fixture
def house(house):
    house.conf(throttle={"delay": "0"}, lifecycle={"on_revoke": "keep"},
               **{"service sudo": {"reuse": "8h"}, "service vault": {"reuse": "8h",
                                                                     "require": "hardware-otp"}})
    return house


@pytest.fixture
def held(logged_in):  # noqa: F811
    """anna with a phone and a token; held.session: opened with the token."""
    house = logged_in
    house.token = Hotp(house, "A100")
    assert add(house, house.token)[0] == "ok"
    house.session = house.new_session()
    login = house.login("anna", rhost="203.0.113.7", tty="ssh")
    house.token.at += 1
    assert login.verify(house.token.code(house.token.at - 1), ref=4)[0].verdict == "ok"
    assert house.session.open(login)[1]["recorded"] == 1
    return house


def begins(session, service="sudo", user="anna"):
    return session.leader.call("begin", {"user": user, "service": service, "uid": UID_UNKNOWN,
                                         "proof": 1})[1]["decision"]


def account(session, service="sudo"):
    """NOPASSWD, or a cached timestamp: account alone."""
    return session.leader.call("account", {"user": "anna", "service": service,
                                           "uid": UID_UNKNOWN})[1]["decision"]


def until(session):
    return {x["service"]: x["until"] for x in session.status()["reuse"]}


def reused(session, service="sudo"):
    """begin, account and status agree."""
    answers = {begins(session, service) == PASS, account(session, service) == PASS,
               bool(until(session)[service])}
    assert len(answers) == 1, (begins(session, service), account(session, service))
    return answers.pop()


def change(house, what, *args):
    with sqlite3.connect("%s/db/otpcore.db" % house.dir) as db:
        assert db.execute("UPDATE session SET " + what, args).rowcount == 1


def test_sudo_takes_the_sessions_word(held):
    assert reused(held.session) and reused(held.session, "vault")
    assert begins(held.session, "su") == ASK  # 0: the default
    since = held.session.status()["since"]
    assert until(held.session) == {"sudo": since + 8 * HOUR, "vault": since + 8 * HOUR}


def test_only_what_is_enough_is_reused(held):
    weak = held.new_session()
    weak.open(held.new_login())
    assert reused(weak) and not reused(weak, "vault")
    # Elevated with the token it is; `until` counts from then.
    login = weak.login_elevate()
    held.token.at += 1
    assert login.verify(held.token.code(held.token.at - 1), ref=4)[1]["raised"] == 1
    assert reused(weak, "vault")


def test_threat_13_nobody_outside_that_session(held):
    assert not reused(held.new_session())  # of the same user
    other = held.new_session(BERT)
    assert begins(other) == ASK
    held.account("bert", uid=BERT)
    held.phone("bert")
    assert begins(held.session, user="bert") == ASK  # nor another account inside
    assert held.call("begin", {"user": "anna", "service": "sudo", "uid": UID_UNKNOWN,
                               "proof": 1})[1]["decision"] == ASK


def test_the_end_of_the_session(held):
    held.session.leader.call("close", {"user": "anna", "service": "sshd"})
    assert not reused(held.session)


def test_an_administrator_ends_it(held):
    ended = held.ok("session_end", {"user": "anna", "all": 1})
    assert ended["ended"] == 1 and not reused(held.session)


def test_the_death_of_its_leader(held):
    # The person's process lives on and has the id: what it starts has no session.
    held.session.end()
    status = held.session.status()
    assert (status["recorded"], status["reason"]) == (0, "ended")
    assert {x["until"] for x in status["reuse"]} == {0}


def test_H8_revocation(held):
    held.ok("token_revoke", {"user": "anna", "id": "t1"})
    assert not reused(held.session) and not reused(held.session, "vault")


def test_a_deleted_phone(held):
    weak = held.new_session()
    weak.open(held.new_login())
    held.phone("anna")
    held.ok("phone_delete", {"user": "anna", "ref": 1})
    assert not reused(weak) and reused(held.session)


def test_H7_suspension_and_back(held):
    """While its token is suspended a session is not re-used; it is not ended by it."""
    held.ok("token_suspend", {"user": "anna", "id": "t1"})
    assert not reused(held.session) and not reused(held.session, "vault")
    assert held.session.status()["recorded"] == 1
    held.ok("token_resume", {"user": "anna", "id": "t1"})
    assert reused(held.session)


@pytest.mark.parametrize("age, good", [(8 * HOUR - 60, True), (8 * HOUR + 1, False)])
def test_age(held, age, good):
    change(held, "since = since - ?", age)
    assert reused(held.session) == good


def test_a_day_ends_it_whatever_reuse_says(held):
    change(held, "expires_at = expires_at - 86400")
    assert not reused(held.session)


def test_a_clock_that_went_back_makes_no_session_young(held):
    change(held, "since = since + ?", 2 * 86400)
    assert not reused(held.session)


def test_O8_an_account_that_is_locked(held):
    with sqlite3.connect("%s/db/otpcore.db" % held.dir) as db:
        db.execute("UPDATE account SET state = 3 WHERE name = 'anna'")
    assert begins(held.session) in (ASK, DENY) and account(held.session) == DENY


def test_without_a_row_there_is_nothing_to_reuse(held):
    nobody = held.new_session(None, uid=ANNA)
    status = nobody.status()
    assert (status["recorded"], status["reason"]) == (0, "no-audit-id")
    assert {x["service"]: x["until"] for x in status["reuse"]} == {"sudo": 0, "vault": 0}
    assert not reused(nobody)


# ---- elevate for one command, where no session can be recorded ----


@pytest.fixture
def elevated(held):
    """A process of anna's without an audit session that has proven the token;
    elevated.process."""
    held.process = held.new_session(None, uid=ANNA)
    login = held.process.login_elevate()
    held.token.at += 1
    result, reply = login.verify(held.token.code(held.token.at - 1), ref=4)
    assert (result.verdict, reply["raised"], reply["reason"]) == ("ok", 0, "no-audit-id")
    return held


def begins_in(process, service="sudo", **fields):
    return process.person.call("begin", {"user": "anna", "service": service,
                                         "uid": UID_UNKNOWN, **fields})[1]["decision"]


def test_elevate_authorises_that_process(elevated):
    for service in ("sudo", "vault"):
        assert begins_in(elevated.process, service) == PASS
    assert begins_in(elevated.process, "su") == ASK  # takes no session's word
    assert begins_in(elevated.process, "su", mode="none") == PASS


def test_elevate_authorises_no_other_process(elevated):
    # The one that started it, one that came later, another user's.
    assert begins(elevated.process) == ASK
    assert begins_in(elevated.new_session(None, uid=ANNA)) == ASK
    assert elevated.new_session(None, uid=BERT).person.call(
        "begin", {"user": "anna", "service": "sudo", "uid": UID_UNKNOWN})[0].error == "PERM"


def test_elevate_is_over_with_the_token_and_with_the_broker(elevated):
    elevated.ok("token_suspend", {"user": "anna", "id": "t1"})
    assert begins_in(elevated.process) != PASS
    elevated.ok("token_resume", {"user": "anna", "id": "t1"})
    assert begins_in(elevated.process) == PASS
    elevated.stop("broker")
    elevated.start_broker()
    assert begins_in(elevated.process) == ASK


def test_P6_elevate_authorises_a_change(elevated):
    change = {"user": "anna", "ref": 1, "channel": "voice"}
    assert elevated.new_session(None, uid=ANNA).person.call(
        "phone_channel", change)[0].verdict == "elevate-first"
    assert elevated.process.person.call("phone_channel", change)[0].verdict == "ok"


def test_a_wrong_code_authorises_nothing(held):
    process = held.new_session(None, uid=ANNA)
    login = process.login_elevate()
    assert login.verify(held.token.code(held.token.at + 5000), ref=4)[0].verdict == "code-wrong"
    assert begins_in(process) == ASK
