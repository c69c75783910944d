"""magotpctl host: relays as an administrator sees them, and the tools on one."""

import json
import os
import shutil

import pexpect
import pytest

import relays


@pytest.fixture
def auth(make_desk):
    desk = make_desk(start=False)
    shutil.copy(desk.program("otpcored"), desk.bin)  # as it is installed: enroll runs it
    relays.auth_host(desk)
    return desk.start()


@pytest.fixture
def relay(auth):
    with relays.Relay(os.path.join(auth.dir, "web1"), [auth], "web1") as relay:
        relay.bin = auth.bin
        yield relay


def on(auth, relay, tool, *args, code=0, stdin="", user=None):
    """One of the tools with the relay's settings."""
    there = auth.conf_file
    auth.conf_file = relay.conf_file
    try:
        return auth._pipe(tool, args, code, stdin, user)
    finally:
        auth.conf_file = there


def test_threat_40_from_code_to_revocation(auth, relay):
    code = auth.ctl("host", "add", "web1", "--services", "sshd,sudo", "--accounts", "@Toys").stdout
    assert len(code.strip()) == len("web1:") + 43
    (row,) = auth.json("host", "list")
    assert (row["host"], row["state"], row["services"], row["accounts"], row["self_service"]) == (
        "web1", "invited", "sshd sudo", "@Toys", False)
    assert row["fingerprint"] == ""
    on(auth, relay, "magotpctl", "host", "enroll", "-", stdin=code)
    (row,) = auth.json("host", "list")
    assert row["state"] == "active" and len(row["fingerprint"]) == 64
    refused = auth.ctl("host", "add", "web1", code=1)
    assert "it is enrolled" in refused.stderr
    assert "asked first" in auth.ctl("host", "revoke", "web1", code=2).stderr
    auth.ctl("host", "revoke", "web1", "--yes")
    assert auth.json("host", "list")[0]["state"] == "revoked"
    assert auth.ctl("host", "add", "web1").stdout != code, "a new one"
    auth.ctl("host", "remove", "web1", "--yes")
    assert auth.json("host", "list") == []
    assert "no such host" in auth.ctl("host", "remove", "web1", "--yes", code=1).stderr
    assert auth.ctl("host", "list").stdout == ""
    assert json.loads(auth.ctl("--json", "host", "add", "web2").stdout)[0]["code"].startswith("web2:")


def test_host_names_and_lists_are_checked(auth):
    for name in ("we b", "web/1", "\u00fcber", "x" * 65):
        auth.ctl("host", "add", name, code=2)
    host = auth.call("ping")[1]["host"]
    assert "name of this host itself" in auth.ctl("host", "add", host, code=1).stderr
    auth.ctl("host", "add", "a", "--accounts", " , ", code=2)
    for n in range(45):  # more than a page
        auth.ctl("host", "add", "n%02d" % n)
    assert [r["host"] for r in auth.json("host", "list")] == ["n%02d" % n for n in range(45)]


def test_names_that_will_never_be_leased_are_told(auth):
    for name in ("games", "news"):
        auth.person(name)
    said = auth.ctl("host", "add", "a", "--offline", "nobody-here,games")
    assert "no account, so nothing is leased: nobody-here" in said.stderr and said.stdout.startswith("a:")
    said = auth.ctl("host", "add", "b", "--accounts", "games", "--offline", "games news").stderr
    assert "not in the host's --accounts, so nothing is leased: news" in said and "no account" not in said
    assert auth.ctl("host", "add", "c", "--accounts", "@Toys", "--offline", "games").stderr.count("games") == 1
    assert auth.ctl("host", "add", "d", "--offline", "games,news").stderr == ""
    (one,) = json.loads(auth.ctl("--json", "host", "add", "e", "--accounts", "g*", "--offline", "x,news,games").stdout)
    assert (one["offline_unknown"], one["offline_outside"]) == (["x"], ["news"])
    assert "leave it out for nobody" in auth.ctl("host", "add", "f", "--offline", "", code=2).stderr
    assert "takes names" in auth.ctl("host", "add", "f", "--offline", "*", code=2).stderr


def test_threat_41_what_an_enrolled_host_may_is_changed(auth, relay):
    """Without a new code: its certificate stays good."""
    auth.person("games")
    relay.enroll("--services", "sshd", "--accounts", "g*")
    (old,) = auth.json("host", "list")
    said = auth.ctl("host", "set", "web1", "--offline", "games,news-x")
    assert "changed" in said.stdout and "nothing is leased: news-x" in said.stderr
    (row,) = auth.json("host", "list")
    assert row == {**old, "offline": "games news-x"}, "nothing else"
    auth.ctl("host", "set", "web1", "--services", "*", "--self-service", "yes", "--offline", "")
    (row,) = auth.json("host", "list")
    assert (row["services"], row["accounts"], row["offline"], row["self_service"]) == ("*", "g*", "", True)
    (one,) = json.loads(auth.ctl("--json", "host", "set", "web1", "--accounts", "n*", "--offline", "games").stdout)
    assert one == {"host": "web1", "offline_unknown": [], "offline_outside": ["games"]}
    for wrong in ((), ("--self-service", "perhaps"), ("--offline", "*"), ("--offline", "g?"), ("--accounts", "")):
        auth.ctl("host", "set", "web1", *wrong, code=2)
    assert "no such host" in auth.ctl("host", "set", "web9", "--accounts", "*", code=1).stderr
    auth.ctl("host", "revoke", "web1", "--yes")
    assert "it is revoked" in auth.ctl("host", "set", "web1", "--accounts", "*", code=1).stderr


def test_a_lease_of_nobody_is_not_ended(auth):
    auth.person("games")
    assert "none of its tokens" in auth.ctl("lease", "end", "games", "--reason", "x", code=1).stderr
    said = auth.ctl("lease", "end", "nobody-here", "--reason", "x", code=1).stderr
    assert "account" in said and "none of its tokens" not in said, said


def test_only_root_makes_relays(auth):
    auth.person("games")
    auth.ctl("account", "set", "games", "--role", "organisation-admin", "--org", "Toys")
    auth._pipe("magotpctl", ("host", "add", "x"), 1, "", "games")
    auth._pipe("magotpctl", ("host", "list"), 1, "", "games")
    auth._pipe("magotpctl", ("host", "set", "x", "--accounts", "*"), 1, "", "games")


def test_an_auth_host_that_does_not_listen_makes_none(make_desk):
    assert "listen is not set" in make_desk().ctl("host", "add", "web1", code=1).stderr


def test_a_terminal_is_told_what_to_do_with_the_code(auth):
    child = auth.terminal("magotpctl", "host", "add", "web1")
    child.expect("web1:")
    child.expect("Shown once, good until .* On the host, as root: magotpctl host enroll")
    child.expect(pexpect.EOF)


def test_the_tools_on_a_relay(auth, relay):
    """What is done from there, and a word about what is not."""
    auth.person("games")
    relay.enroll()
    relay.start_broker()
    on(auth, relay, "magotp", "status", user="games")
    said = on(auth, relay, "magotp", "phone", "list", user="games", code=1).stderr
    assert "This host is a relay" in said and "127.0.0.1" in said
    assert "This host is a relay" in on(auth, relay, "magotpctl", "account", "list", code=1).stderr
    found = {row["id"]: row["severity"] for row in
             json.loads(on(auth, relay, "magotpctl", "--json", "doctor", code=1).stdout)}
    assert found["identity"] == found["broker"] == "ok"
    assert not {"store", "master-key", "smsd", "gateway"} & set(found), found
    auth.stop("broker")
    said = on(auth, relay, "magotp", "status", user="games", code=3).stderr
    assert "none of its auth hosts answers" in said
