"""Administrators look at sessions and end them (session.wire, magotpctl session)."""

import json
import sqlite3

from house import needs_root
from test_session import logged_in  # noqa: F401  (a fixture)

pytestmark = needs_root
BOSS, STRANGER = 12003, 12004


def names(house, user="", uid=None):
    result, reply = house.call("session_list", {"user": user}, uid=uid)
    assert result.error == "", result
    return [(s["account"], s["strength"], s["from"]) for s in reply["sessions"]]


def ctl(house, *args, check=True):
    return house.run("magotpctl", "--config", house.conf_file, *args, check=check)


def test_live_sessions_are_listed_until_they_end(logged_in):  # noqa: F811
    house = logged_in
    assert names(house) == []
    one, two = house.new_session(), house.new_session()
    one.open(house.new_login())
    two.open(house.new_login())
    assert names(house) == [("anna", "phone-otp", "203.0.113.7")] * 2
    assert names(house, "bert") == []
    listed = house.call("session_list", {"user": "anna"})[1]["sessions"]
    assert {s["proven"] for s in listed} == {"phone-otp"}
    assert all(s["begun"] and s["begun"] <= s["since"] for s in listed)
    two.end()  # its leader died; nobody said close
    assert len(names(house)) == 1
    one.leader.call("close", {"user": "anna", "service": "sshd"})
    assert names(house) == []


def test_more_sessions_than_a_page_holds(logged_in):  # noqa: F811
    house = logged_in
    s = house.new_session()
    s.open(house.new_login())
    with sqlite3.connect("%s/db/otpcore.db" % house.dir) as db:
        db.execute("PRAGMA foreign_keys = off")
        columns = [c[1] for c in db.execute("PRAGMA table_info(session)")]
        rest = ", ".join(c for c in columns if c not in ("id", "sid", "host"))
        for i in range(95):
            db.execute("INSERT INTO session (id, sid, host, %s) SELECT %d, %d, 'other', %s "
                       "FROM session LIMIT 1" % (rest, i + 1, i + 1, rest))
    rows = json.loads(ctl(house, "--json", "session", "list", "anna").stdout)
    assert len(rows) == 96
    assert len({r["sid"] for r in rows if r["host"] == "other"}) == 95


def test_ending_takes_the_strength_at_once_and_for_good(logged_in):  # noqa: F811
    house = logged_in
    s = house.new_session()
    s.open(house.new_login())
    (row,) = json.loads(ctl(house, "--json", "session", "list").stdout)
    assert set(row) == {"account", "since", "from", "service", "tty", "strength", "level", "sid",
                        "host"}
    p = ctl(house, "session", "end", "anna", str(row["sid"] + 7), check=False)
    assert p.returncode == 1 and "no such session" in p.stderr
    assert s.status()["recorded"] == 1
    p = ctl(house, "session", "end", "anna")
    assert p.stdout == "1 session of anna ended\n" and "No process was stopped" in p.stderr
    assert (s.status()["strength"], s.status()["reason"]) == ("password", "ended")
    # Nothing can be raised in it any more.
    login = s.login_elevate()
    login.send()
    result, reply = login.verify(house.code())
    assert (result.verdict, reply["raised"], reply["reason"]) == ("ok", 0, "ended")


def test_two_sessions_need_a_name_or_all(logged_in):  # noqa: F811
    house = logged_in
    one, two = house.new_session(), house.new_session()
    one.open(house.new_login())
    two.open(house.new_login())
    assert ctl(house, "session", "end", "anna", check=False).returncode == 2
    assert ctl(house, "session", "end", "anna", "1", "--all", check=False).returncode == 2
    assert one.status()["recorded"] == two.status()["recorded"] == 1
    assert ctl(house, "session", "end", "anna", "--all").stdout == "2 sessions of anna ended\n"
    assert one.status()["recorded"] == two.status()["recorded"] == 0
    assert ctl(house, "session", "end", "nobody-there", "--all", check=False).returncode == 1


def test_O1_an_administrator_sees_and_ends_the_own_organisation_only(logged_in):  # noqa: F811
    house = logged_in
    house.account("boss", uid=BOSS, organisation="blue", role="organisation-admin")
    s = house.new_session()
    s.open(house.new_login())
    assert names(house, uid=BOSS) == []
    end = {"user": "anna", "all": 1}
    assert house.call("session_end", end, uid=BOSS)[0].error == "PERM"
    assert house.call("session_list", {}, uid=STRANGER)[0].error == "PERM"
    house.ok("account_set", {"user": "anna", "organisation": "blue"})
    assert len(names(house, uid=BOSS)) == 1
    assert house.call("session_end", end, uid=BOSS)[1]["ended"] == 1
    assert s.status()["recorded"] == 0
