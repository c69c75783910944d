"""report: who has which credential (O7), and whom a watched service would refuse."""

import csv
import io
import json
import os

from house import UID_UNKNOWN


def test_O7_who_has_which_credential(desk):
    number = desk.with_phone("games")
    desk.person("news")
    rows = desk.json("report")
    assert [(r["account"], r["id"], r["state"], r["strength"]) for r in rows] == [
        ("games", "p1", "active", "phone-otp"), ("news", "", "", "")]
    assert rows[0]["factor"] == "text " + number[-4:]
    assert rows[0]["expires"] and rows[0]["level"] == 2 and rows[0]["product"] == "phone-us"
    table = desk.ctl("report").stdout.splitlines()
    assert table[0].split("\t")[:5] == ["games", "-", "active", "p1", "text " + number[-4:]]
    assert number not in desk.ctl("report", "--csv").stdout


def test_O7_csv_and_html_are_safe_to_open(desk):
    desk.with_phone("games")
    desk.ctl("account", "set", "games", "--org", "=cmd()|<b>, \"x\"")
    rows = list(csv.reader(io.StringIO(desk.ctl("report", "--csv").stdout)))
    assert rows[0][:3] == ["account", "organisation", "account_state"]
    assert rows[1][:2] == ["games", "'=cmd()|<b>, \"x\""]
    page = os.path.join(desk.dir, "page.html")
    desk.ctl("report", "--html", page)
    text = open(page).read()
    assert "<td>=cmd()|&lt;b&gt;, &quot;x&quot;</td>" in text and text.endswith("</html>\n")
    desk.ctl("report", "--html", "/nowhere/page", code=1)
    desk.ctl("--json", "report", "--csv", code=2)


def test_would_refuse_counts_by_name_and_reason(make_desk):
    desk = make_desk(**{"service sshd": {"require": "hardware-otp", "observe": "yes"},
                        "service su": {"observe": "yes"}})
    desk.with_phone("games")
    desk.person("news")
    p = desk.ctl("report", "--would-refuse", "sshd")
    assert p.stdout == "" and "Nobody would have been refused" in p.stderr
    for user, times in (("games", 2), ("news", 1), ("nobody-there", 1)):
        for _ in range(times):
            login = desk.login(user, "sshd", rhost="203.0.113.7")
            assert login.begin["decision"] == 3
            assert login.account()[1]["decision"] == 3  # is not counted again
    desk.login("news", "sshd", proof=0)  # no password: refused, not watched
    desk.call("account", {"user": "games", "service": "sshd", "uid": UID_UNKNOWN})  # a key alone
    rows = desk.json("report", "--would-refuse", "sshd")
    assert [(r["account"], r["reason"], r["times"], r["from"]) for r in rows] == [
        ("games", "key-alone", 1, ""), ("games", "requirements-not-met", 2, "203.0.113.7"),
        ("news", "no-factor", 1, "203.0.113.7"), ("nobody-there", "no-account", 1, "203.0.113.7")]
    assert all(r["first"] and r["last"] for r in rows)
    # Who would only be asked is not among them.
    assert desk.login("games", "su").begin["decision"] == 3
    assert desk.json("report", "--would-refuse", "su") == []


def test_would_refuse_more_than_a_page(make_desk):
    desk = make_desk(**{"service sshd": {"observe": "yes"}})
    for i in range(130):
        desk.login("user%03d" % i, "sshd")
    rows = desk.json("report", "--would-refuse", "sshd")
    assert [r["account"] for r in rows] == ["user%03d" % i for i in range(130)]


def test_services_that_do_not_watch_note_nothing(desk):
    desk.login("nobody-there", "sshd")
    assert desk.json("report", "--would-refuse", "sshd") == []
    assert json.loads(desk.ctl("--json", "report").stdout) == []
