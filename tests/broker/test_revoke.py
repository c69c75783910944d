"""What goes with a credential that is given up (H8): sessions, grants, notices."""

import base64
import re
import sqlite3
import time

import oath
from house import Login, needs_root
from test_session import ANNA, PersonHouse, logged_in  # noqa: F401: a fixture

pytestmark = needs_root


def sql(house, text, *values):
    db = sqlite3.connect("%s/db/otpcore.db" % house.dir, timeout=10)
    try:
        rows = db.execute(text, values).fetchall()
        db.commit()
        return rows
    finally:
        db.close()


def with_token(house, serial="A100"):
    """anna's token, active; a function that gives the next codes."""
    row = oath.seed(serial)
    oath.stock(house, row)
    at = iter(range(1000))

    def code():
        return oath.hotp(row["secret"], next(at))

    house.ok("token_add", {"user": "anna", "serial": serial, "code1": code(), "code2": code()})
    return code


def token_login(house, code, ref=4):
    login = house.login("anna", rhost="203.0.113.9")
    assert login.verify(code, ref=ref)[0].verdict == "ok"
    assert login.account()[1]["decision"] == 2
    return login


def test_H8_the_own_session_is_named_and_ends_with_the_others(logged_in):  # noqa: F811
    house = logged_in
    code = with_token(house)
    own, other, phone = (house.new_session() for _ in range(3))
    assert own.open(token_login(house, code()))[1]["strength"] == "hardware-otp"
    assert other.open(token_login(house, code()))[1]["strength"] == "hardware-otp"
    assert phone.open(house.new_login())[1]["strength"] == "phone-otp"
    result, reply = own.person.call("token_revoke", {"user": "anna", "id": "t1"})
    assert (result.verdict, reply["sessions"], reply["own"]) == ("ok", 2, 1)
    for s in (own, other):
        assert (s.status()["strength"], s.status()["reason"]) == ("password", "ended")
    assert phone.status()["strength"] == "phone-otp"


def test_H8_revoked_from_elsewhere_the_own_session_stays(logged_in):  # noqa: F811
    house = logged_in
    code = with_token(house)
    own, other = house.new_session(), house.new_session()
    assert own.open(house.new_login())[1]["strength"] == "phone-otp"
    assert other.open(token_login(house, code()))[1]["recorded"] == 1
    result, reply = own.person.call("token_revoke", {"user": "anna", "id": "t1"})
    assert (result.verdict, reply["sessions"], reply["own"]) == ("ok", 1, 0)
    assert own.status()["strength"] == "phone-otp"


def test_H8_what_was_verified_with_it_grants_nothing_any_more(logged_in):  # noqa: F811
    house = logged_in
    code = with_token(house)
    s = house.new_session(None, uid=ANNA)
    login = Login(PersonHouse(s), "anna", "elevate", uid=None, proof=0)
    assert login.verify(code(), ref=4)[0].verdict == "ok"
    change = {"user": "anna", "ref": 1, "channel": "voice", "grant": login.txn}
    assert s.person.call("phone_channel", change)[0].verdict == "ok"
    house.ok("token_revoke", {"user": "anna", "id": "t1"})
    assert s.person.call("phone_channel", change)[0].verdict == "elevate-first"


def test_H8_an_app_that_is_deleted_takes_its_sessions_along(logged_in):  # noqa: F811
    house = logged_in
    uri = house.ok("mobile_add", {"user": "anna"})["uri"]
    secret = base64.b32decode(re.search("secret=([A-Z2-7]+)", uri).group(1))
    now = int(time.time())
    house.ok("mobile_confirm", {"user": "anna", "code": oath.totp(secret, now)})
    s = house.new_session()
    assert s.open(token_login(house, oath.totp(secret, now + 30), 5))[1]["strength"] == "mobile-id"
    result, reply = s.person.call("token_revoke", {"user": "anna", "id": "m1"})
    assert (result.verdict, reply["sessions"], reply["own"]) == ("ok", 1, 1)
    assert s.status()["reason"] == "ended"


def test_P6_a_phone_that_is_deleted_takes_its_sessions_along(logged_in):  # noqa: F811
    house = logged_in
    kept = house.new_session()
    first = house.number_of["anna"]
    assert kept.open(house.new_login())[1]["recorded"] == 1
    second = house.phone("anna")
    login = house.login("anna")
    login.send(ref=2)
    assert login.verify(house.code(second), ref=2)[0].verdict == "ok"
    login.account()
    lost = house.new_session()
    assert lost.open(login)[1]["strength"] == "phone-otp"
    assert kept.person.call("phone_delete", {"user": "anna", "ref": 2})[0].verdict == "ok"
    assert (lost.status()["strength"], lost.status()["reason"]) == ("password", "ended")
    assert kept.status()["strength"] == "phone-otp" and first
