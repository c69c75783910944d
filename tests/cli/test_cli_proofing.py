"""Identity proofing from the tools (I1-I7)."""

import datetime
import re

import pytest
from desk import finish

CODE = re.compile(r"([0-9A-Z]{5}-){3}[0-9A-Z]{5}")


@pytest.fixture
def person(desk):
    """games, with a name and a phone that waits for proofing."""
    desk.ctl("account", "add", "games", "--first", "Anna", "--middle", "Bridget", "--last",
             "Example", "--country", "US", "--email", "games@example.org")
    number = desk.number()
    desk.ctl("enroll", "games", "--key", desk.key("phone-us", "--proofing"), "--phone", number)
    p = desk.ctl("phone", "verify", "games", "p1", desk.code(number))
    assert "waits for identity proofing" in p.stdout
    return desk


def issue(desk, *args, name="Anna Example", method="webcam", code=0):
    return desk.ctl("proofing", "issue", "games", "--method", method, "--agent", "carol",
                    "--name", name, *args, code=code)


def test_I1_issue_and_activate(person):
    assert person.json("phone", "list", "games")[0]["state"] == "pending-approval"
    for said in (person.json("account", "show", "games"), person.json("account", "list")[0]):
        assert (said["state"], said["factors"], said["level"]) == ("pending", [], 1)
    status = person.own("games", "status").stdout
    assert "pending-approval" in status and "magotp activate CODE" in status
    assert "wanted" in person.own("games", "proofing").stdout
    p = issue(person)
    code = p.stdout.strip()
    assert CODE.fullmatch(code) and "Hand it to games" in p.stderr
    p = person.own("games", "proofing")
    assert "issued" in p.stdout and "carol" in p.stdout and code not in p.stdout + p.stderr
    assert "magotp activate CODE" in p.stderr
    p = person.own("games", "activate", "-", stdin=code.lower() + "\n")
    assert "level 3" in p.stdout and "Proofed: phone " in p.stdout
    assert person.json("phone", "list", "games")[0]["state"] == "active"
    shown = person.json("proofing", "show", "games")
    assert shown["products"][0]["proofing"] == "passed" and shown["products"][0]["level"] == 3
    assert [c["state"] for c in shown["courses"]] == ["done"]
    assert person.error(person.own("games", "activate", "-", stdin=code, code=1)) \
        == "proofing-code-wrong"


def test_I1_a_typing_mistake_names_the_group(person):
    code = issue(person).stdout.strip()
    broken = code[:13] + ("2" if code[13] != "2" else "3") + code[14:]
    p = person.own("games", "activate", broken, code=1)
    assert "group 3" in p.stderr and person.error(p) == "key-mistyped"


def test_I2_names_and_reissue(person):
    p = issue(person, name="Anna Sample", code=1)
    assert person.error(p) == "name-mismatch" and "account set" in p.stderr
    person.ctl("account", "set", "games", "--last", "Sample")
    first = issue(person, name="anna b. sample").stdout.strip()
    second = person.ctl("proofing", "reissue", "games").stdout.strip()
    assert CODE.fullmatch(second) and second != first
    assert person.own("games", "activate", first, code=1).returncode == 1
    person.own("games", "activate", second)


def test_I4_I5_methods_and_outcomes(person):
    person.ctl("account", "set", "games", "--country", "CA")
    assert "Country       CA" in person.ctl("account", "show", "games").stdout
    p = issue(person, method="credit", code=1)
    assert person.error(p) == "not-allowed" and "webcam or in-person" in p.stderr
    person.ctl("account", "set", "games", "--country", "US")
    p = person.ctl("proofing", "fail", "games", "--method", "credit", "--reason", "not-located")
    assert "Next: webcam" in p.stdout
    person.ctl("proofing", "fail", "games", "--method", "webcam", "--reason", "not-located", code=2)
    assert CODE.fullmatch(issue(person, "--post", method="credit").stdout.strip())
    issue(person, "--post", method="webcam", code=2)
    issue(person, method="letter", code=2)


def test_I6_appointments(person):
    at = datetime.datetime.now() + datetime.timedelta(days=3)
    text = at.strftime("%Y-%m-%d %H:%M")
    p = person.ctl("proofing", "schedule", "games", "--at", text, "--method", "webcam")
    assert p.stdout.strip().endswith("webcam, scheduled")
    p = person.ctl("proofing", "schedule", "games", "--confirm")
    assert p.stdout.strip().endswith("webcam, confirmed")
    row = person.json("proofing", "list")[0]
    assert (row["account"], row["proofing"], row["state"], row["method"]) == (
        "games", "wanted", "confirmed", "webcam")
    assert person.json("proofing", "show", "games")["courses"][0]["appointment"]
    person.ctl("proofing", "fail", "games", "--method", "webcam", "--reason", "missed")
    assert person.json("proofing", "list")[0]["state"] == "missed"
    person.ctl("proofing", "schedule", "games", "--at", "soon", "--method", "webcam", code=2)
    person.ctl("proofing", "schedule", "games", code=2)


def test_I3_I7_the_request_is_asked_for(desk):
    desk.with_phone("games")
    desk.own("games", "proofing", "request", code=2)  # nobody to ask
    p = desk.own("games", "proofing", "request", "--agree", code=4)
    assert desk.error(p) == "elevate-first"
    child = desk.terminal("magotp", "proofing", "request", user="games")
    child.expect("An agent checks who I am")
    child.expect("Agree")
    child.sendline("n")
    assert "Nothing was changed" in finish(child, code=1)
    assert desk.json("proofing", "show", "games")["courses"] == []


def test_what_is_missing_is_named(desk):
    desk.person("games")
    for args, word in ((("issue", "games"), "--method"),
                       (("issue", "games", "--method", "webcam"), "--name"),
                       (("fail", "games"), "--reason")):
        assert word in desk.ctl("proofing", *args, code=2).stderr
    assert desk.error(desk.ctl("proofing", "reissue", "games", code=1)) == "not-allowed"
