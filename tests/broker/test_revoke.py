"""What goes with a credential that is given up (H8): sessions, grants, notices."""

import base64
import os
import re
import shutil
import signal
import sqlite3
import time

import oath
import wirepy
from house import Login, needs_root
from peers import wait_for
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


def test_O4_a_session_that_is_opened_is_told_of(logged_in):  # noqa: F811
    house = logged_in
    house.ok("account_set", {"user": "anna", "email": "anna@example.org"})
    s = house.new_session()
    login = house.new_login()
    for _ in range(2):  # asked again by the same process: one session, one mail
        assert s.open(login)[1]["recorded"] == 1
    wait_for("the mail", lambda: house.last_message("anna@example.org"))
    wait_for("it was sent", lambda: not sql(house, "SELECT 1 FROM mail WHERE state = 1"))
    [m] = house.messages("anna@example.org")
    assert re.match("Login to [^ ]+ as anna$", m["subject"])
    assert "from 203.0.113.7, with Phone OTP." in m["text"] and "(sshd) at 20" in m["text"]
    # What opens no session of its own (sudo) tells nobody.
    again = house.new_login()
    assert s.leader.call("open", {"txn": again.txn, "user": "anna", "service": "sshd",
                                  "uid": wirepy.UID_UNKNOWN})[1]["recorded"] == 0
    assert len(mails(house)) == 1


# ---- the password ----

def owed(house):
    return sql(house, "SELECT password_due, password_host <> '' FROM account")[0]


def mails(house):
    return sorted(t for t, in sql(house, "SELECT template FROM mail WHERE template <> 'activation'"))


def revoke_with(house, email="anna@example.org", uid=ANNA, **lifecycle):
    house.conf(lifecycle=lifecycle)
    house.start()
    house.account("anna", uid=uid, email=email)
    with_token(house)
    house.ok("token_revoke", {"user": "anna", "id": "t1"})
    return house


def told(house):
    return house.last_message("anna@example.org")["text"]


def test_H8_keep_does_nothing_to_the_password(house):
    revoke_with(house, on_revoke="keep")
    assert owed(house) == (0, 0)
    wait_for("the mail", lambda: house.last_message("anna@example.org"))
    wait_for("it was sent", lambda: not sql(house, "SELECT 1 FROM mail WHERE state = 1"))
    assert mails(house) == ["revocation"]
    assert "password" not in told(house)


def test_H8_threat_42_who_is_not_of_this_host_is_told_to_do_it(house):
    """The helper refuses (anna is in no passwd): tried once, given up, the owner told."""
    revoke_with(house)
    wait_for("the end", lambda: "given up: not an account of this host" in house.log())
    assert owed(house) == (0, 0)
    assert mails(house) == ["password-change", "revocation"]
    wait_for("the mails", lambda: len(house.messages("anna@example.org")) == 3)
    texts = "".join(m["text"] for m in house.messages("anna@example.org"))
    assert "A temporary password comes in an e-mail of its own." in texts
    assert "Your password could not be replaced\nfor you: not an account of this host." in texts


def test_H8_threat_42_administrators_change_it_themselves(house):
    house.start()
    house.account("anna", uid=ANNA, email="anna@example.org")
    sql(house, "UPDATE account SET role = 3, version = version + 1")
    with_token(house)
    house.ok("token_revoke", {"user": "anna", "id": "t1"})
    assert owed(house) == (0, 0) and mails(house) == ["revocation"]
    assert "left to its owner: an administrator's" in house.log()


def test_H8_without_an_address_it_expires(house):
    house.conf(broker={"host_identity": "here"})
    revoke_with(house, email="")
    assert "password account=anna: expires: no e-mail can be sent" in house.log()
    wait_for("the end", lambda: "given up: not an account of this host" in house.log())
    assert owed(house) == (0, 0)


def test_H8_only_its_own_host_does_what_is_owed(house):
    """Two brokers on one store: what the other owes is left to it, and done when it
    starts."""
    house.conf(broker={"host_identity": "here"})
    house.start()
    house.account("anna", uid=ANNA)
    house.account("bert", uid=ANNA + 1)
    house.stop("broker")
    sql(house, "UPDATE account SET password_due = 2, version = version + 1,"
               " password_host = CASE name WHEN 'anna' THEN 'there' ELSE 'here' END")
    house.start_broker()
    wait_for("bert's", lambda: "password account=bert: given up" in house.log())
    house.ok("ping")
    due = "SELECT name, password_due FROM account ORDER BY name"
    assert sql(house, due) == [("anna", 2), ("bert", 0)]
    house.stop("broker")
    house.conf(broker={"host_identity": "there"})
    house.start_broker()
    wait_for("anna's", lambda: "password account=anna: given up" in house.log())
    assert sql(house, due) == [("anna", 0), ("bert", 0)]


def helpers(house):
    """Pids of the broker's children."""
    pid = house.processes["broker"].pid
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(p) for p in f.read().split()]


def test_threat_42_the_helper_has_nothing_and_ends_with_the_broker(house):
    house.start()
    [helper] = helpers(house)
    fds = {fd: os.readlink("/proc/%d/fd/%s" % (helper, fd))
           for fd in os.listdir("/proc/%d/fd" % helper)}
    assert sorted(fds) == ["0", "1", "2", "3"]
    assert [fds[n] for n in "012"] == ["/dev/null"] * 3 and fds["3"].startswith("socket:")
    with open("/proc/%d/status" % helper) as f:
        status = dict(line.split(":", 1) for line in f)
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    os.kill(helper, signal.SIGTERM)  # not the broker's end: it stays
    house.stop("broker", signal.SIGKILL)
    wait_for("its end", lambda: not os.path.exists("/proc/%d" % helper)
             or "Z" in open("/proc/%d/stat" % helper).read().rsplit(")", 1)[1][:3])


def test_H8_threat_42_without_root_owners_are_told_to_do_it(house):
    """A broker that an ordinary user started has no helper; what a rooted one owed
    before is given up, once."""
    house.conf(broker={"user": "games", "host_identity": "here"}, lifecycle={"on_revoke": "expire"})
    program = os.path.join(house.dir, "otpcored-games")
    shutil.copy(house.program("otpcored"), program + ".real")
    with open(program, "w") as f:
        f.write("#!/bin/sh\nexec setpriv --reuid=games --regid=games --clear-groups"
                ' %s.real "$@"\n' % program)
    os.chmod(program, 0o755)
    shutil.chown(house.dir, "games")
    real = house.program
    house.program = lambda name: program if name == "otpcored" else real(name)
    house.start_broker()
    assert helpers(house) == []
    house.account("anna", uid=ANNA, email="anna@example.org")
    with_token(house)
    house.ok("token_revoke", {"user": "anna", "id": "t1"})
    assert owed(house) == (0, 0) and mails(house) == ["revocation"]
    assert "left to its owner: otpcored is not root's" in house.log()
    [(args,)] = sql(house, "SELECT args FROM mail WHERE template = 'revocation'")
    assert "password=Change your password, too" in args
    house.stop("broker")
    sql(house, "UPDATE account SET password_due = 1, password_host = 'here'")
    house.start_broker()
    wait_for("the end", lambda: "given up: otpcored was not started as root" in house.log())
    assert owed(house) == (0, 0) and mails(house) == ["password-change", "revocation"]


def test_H8_a_helper_that_dies_leaves_it_owed_to_the_next_start(house):
    house.start()
    house.account("anna", uid=ANNA)
    with_token(house)
    [helper] = helpers(house)
    os.kill(helper, signal.SIGKILL)
    wait_for("word of it", lambda: "the password helper is gone" in house.log())
    house.ok("token_revoke", {"user": "anna", "id": "t1"})
    assert owed(house) == (2, 1)
    house.stop("broker")
    house.start_broker()
    wait_for("the end", lambda: owed(house) == (0, 0))
