"""connect: one person's two accounts (H11), from both tools."""

import json
import re

import pytest
from desk import finish

# games is the parent, news the child: the same person.
SAME = ("--email", "ga@example.org", "--first", "Ga", "--last", "Mes")


@pytest.fixture
def two(desk):
    desk.number_of = desk.with_phone("games")
    desk.person("news")
    for user in ("games", "news"):
        desk.ctl("account", "set", user, *SAME)
    return desk


def test_H11_ask_agree_log_in_and_end(two):
    assert two.own("news", "connect").stdout == ""
    p = two.own("news", "connect", "games")
    assert p.stdout == "games is asked\n"
    assert "magotp connect --accept news" in p.stderr
    assert two.own("news", "connect").stdout == "games\tparent\tasked\n"
    p = two.own("games", "connect")
    assert p.stdout == "news\tchild\tasked\n"
    assert "magotp connect --accept news" in p.stderr
    # agreeing takes the second factor, in a pipe it ends with 4
    assert two.error(two.own("games", "connect", "--accept", "news", code=4)) == "elevate-first"
    child = two.terminal("magotp", "connect", "--accept", "news", user="games")
    child.expect("This needs your second step first")
    child.expect("Enter for 1: ")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(two.code(two.number_of))
    assert "news logs in with your credentials now" in finish(child)
    # what the child sees
    out = two.own("news", "status").stdout
    assert "Factors   Credentials of games" in out and re.search(r"p1\ttext", out), out
    shown = json.loads(two.own("news", "--json", "status").stdout)
    assert shown["credentials_of"] == "games"
    assert [f["masked"] for f in shown["factors"]] == [two.number_of[-4:]]
    assert json.loads(two.own("games", "--json", "status").stdout)["credentials_of"] is None
    assert two.json("account", "show", "news")["parent"] == "games"
    assert json.loads(two.own("news", "--json", "connect").stdout) == [
        {"account": "games", "is": "parent", "state": "connected"}]
    # its own verbs say where these live, and the way out
    for verb in (("phone", "list"), ("phone", "add", two.number()), ("token", "list"),
                 ("recovery-codes",)):
        p = two.own("news", *verb, code=1)
        assert "those of games" in p.stderr and "magotp connect --end" in p.stderr, p.stderr
    assert "magotpctl account connect --end" in two.ctl("phone", "list", "news", code=1).stderr
    # the child ends it, with the parent's phone
    assert two.error(two.own("news", "connect", "--end", code=4)) == "elevate-first"
    child = two.terminal("magotp", "connect", "--end", user="news")
    child.expect("Enter for 1: ")
    child.sendline("")
    child.expect("Code: ")
    child.sendline(two.code(two.number_of))
    assert "news is not connected any more" in finish(child)
    assert "Factors   none" in two.own("news", "status").stdout


def test_H11_the_same_answer_for_whoever_is_not_the_same_person(two):
    two.person("mail")
    answers = {two.own("news", "connect", other, code=1).stderr for other in ("mail", "nobody-x")}
    assert len(answers) == 1
    assert "names and e-mail must be the same" in answers.pop()
    for _ in range(3):
        two.own("news", "connect", "nobody-x", code=1)
    p = two.own("news", "connect", "games", code=1)
    assert two.error(p) == "try-later" and "Try again in" in p.stderr


def test_H11_by_an_administrator(two):
    assert two.ctl("account", "connect", "news", "games").stdout == \
        "news logs in with the credentials of games now\n"
    assert two.own("games", "connect").stdout == "news\tchild\tconnected\n"
    assert two.ctl("account", "list", "--state", "pending").stdout == ""
    rows = {r["account"]: (r["state"], r["factors"]) for r in two.json("account", "list")}
    assert rows["news"] == ("active", ["those of games"])
    p = two.ctl("account", "connect", "games", "news", code=1)
    assert "credentials of its own" in p.stderr
    assert json.loads(two.ctl("--json", "account", "connect", "news", "--end").stdout) == {
        "id": "news", "result": "is not connected any more"}
    assert "no such connection" in two.ctl("account", "connect", "news", "--end", code=1).stderr
    assert two.own("games", "connect").stdout == ""


def test_connect_that_cannot_be_meant(two):
    for args in (("--accept", "news", "--end"), ("news", "--accept", "games"), ("a", "b"),
                 ("x" * 300,)):
        two.own("games", "connect", *args, code=2)
    two.ctl("account", "connect", "news", code=2)
    two.ctl("account", "connect", code=2)
