"""What people are told by e-mail, and what an administrator's unlock puts right."""

import sqlite3
import time

import pytest

import oath
from peers import wait_for

ANNA = 12001


@pytest.fixture
def anna(house):
    """anna has an address, a HOTP token with its secret in house.seed, and codes."""
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org")
    house.seed = oath.seed("A100")["secret"]
    oath.stock(house, oath.seed("A100", secret=house.seed))
    house.ok("token_add", {"user": "anna", "serial": "A100",
                           "code1": oath.hotp(house.seed, 0), "code2": oath.hotp(house.seed, 1)})
    return house


def told(house, subject, n=1):
    """The text of the n-th mail whose subject begins so."""
    def found():
        return [m["text"] for m in house.messages("anna@example.org")
                if m["subject"].startswith(subject)]
    return wait_for("%s: %d" % (subject, n), lambda: len(found()) >= n and found()[n - 1], 20)


def test_O4_a_recovery_code_that_was_used_is_told_of(anna):
    codes = [c["code"] for c in anna.ok("recovery_codes", {"user": "anna"})["codes"]]
    assert "were made" in told(anna, "Recovery codes")
    for left in (9, 8):
        login = anna.login("anna")
        assert login._call("verify", None, ref=0, code=codes[left])[0].verdict == "ok"
        text = told(anna, "Recovery codes", 11 - left)
        assert "One of your codes logged in to sshd; %d are left." % left in text
    for code in codes:
        assert code not in "".join(m["text"] for m in anna.messages())


def test_O4_a_wrong_recovery_code_tells_nobody(anna):
    anna.ok("recovery_codes", {"user": "anna"})
    login = anna.login("anna")
    assert login._call("verify", None, ref=0, code="AAAA-AAAA-AAAA-AAA1")[0].verdict != "ok"
    told(anna, "Recovery codes")
    time.sleep(0.2)
    assert len([m for m in anna.messages() if m["subject"].startswith("Recovery")]) == 1


def test_a_break_glass_code_that_was_used_is_told_of(anna):
    code = anna.ok("break_glass", {"user": "anna", "reason": "drawer locked",
                                   "until": int(time.time()) + 3600})["code"]
    login = anna.login("anna", require="mloa-hardware")
    assert login._call("verify", None, ref=0, code=code)[0].verdict == "ok"
    assert "A break-glass code logged in to sshd." in told(anna, "Recovery codes", 2)


def test_H4_a_token_that_locks_is_told_of_once(house):
    house.conf(throttle={"delay_after": "10"})
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org")
    seed = oath.seed("A100")
    oath.stock(house, seed)
    house.ok("token_add", {"user": "anna", "serial": "A100",
                           "code1": oath.hotp(seed["secret"], 0),
                           "code2": oath.hotp(seed["secret"], 1)})
    login = house.login("anna", rhost="203.0.113.7")
    got = [login.verify("%06d" % n, ref=4)[0].verdict for n in range(6)]
    assert got == ["code-wrong"] * 4 + ["token-locked"] * 2
    text = told(house, "Your token A100 is locked")
    assert "The last came\nfrom 203.0.113.7." in text
    time.sleep(0.2)
    assert len([m for m in house.messages() if "locked" in m["subject"]]) == 1


def test_K4_a_sponsorship_is_told_of(anna):
    until = int(time.time()) + 30 * 86400
    anna.ok("sponsor", {"user": "anna", "product": "mobile", "until": until})
    text = told(anna, "Your mobile subscription is paid for")
    assert "by %s;" % time.strftime("%Y-%m-%d", time.localtime(until)) in text


def test_O4_a_kind_that_is_switched_off_is_not_sent(house):
    house.conf(mail={"enabled": "revocation"})
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org")
    house.ok("sponsor", {"user": "anna", "product": "mobile"})
    with sqlite3.connect("file:%s/db/otpcore.db?mode=ro" % house.dir, uri=True) as db:
        assert db.execute("SELECT count(*) FROM mail").fetchone() == (0,)


def moving(house, value=None):
    db = sqlite3.connect("%s/db/otpcore.db" % house.dir, timeout=10)
    try:
        if value is not None:
            db.execute("UPDATE token SET moving = ?, version = version + 1", (value,))
            db.commit()
        return db.execute("SELECT moving FROM token").fetchone()[0]
    finally:
        db.close()


def test_threat_28_unlock_brings_a_last_step_in_the_future_back(house):
    house.time_travel(0)
    house.start()
    house.account("anna", uid=ANNA)
    seed = oath.seed("T100", type=oath.TOTP)
    oath.stock(house, seed)
    now = int(time.time())
    house.ok("token_add", {"user": "anna", "serial": "T100",
                           "code1": oath.totp(seed["secret"], now - 30),
                           "code2": oath.totp(seed["secret"], now)})
    present = moving(house)
    # Within the windows nothing is put right: no code counts twice.
    moving(house, present + 20)
    house.ok("token_unlock", {"user": "anna", "id": "t1"})
    assert moving(house) == present + 20 and "brought back" not in house.log()
    moving(house, present + 10**6)
    house.time_travel(60)
    code = oath.totp(seed["secret"], time.time() + 60)
    login = house.login("anna")
    assert login.verify(code, ref=4)[0].verdict != "ok"
    house.ok("token_unlock", {"user": "anna", "id": "t1"})
    assert present <= moving(house) <= present + 3
    assert "the last step of token T100 lay" in house.log()
    house.time_travel(60)
    login = house.login("anna")
    code = oath.totp(seed["secret"], time.time() + house.offset)
    assert login.verify(code, ref=4)[0].verdict == "ok"
