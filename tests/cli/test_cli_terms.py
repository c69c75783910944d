"""Terms of applications (rule O2): who accepts them, and what services make of it."""

import json
import pwd

import pexpect
import pytest

SECTIONS = {"service portal": {"application": "portal", "require": "password"},
            "service free": {"require": "password"}}


@pytest.fixture
def toys(make_desk):
    """games and news belong to Toys; mail to nobody."""
    desk = make_desk(**SECTIONS)
    for name in ("games", "news"):
        desk.ctl("account", "add", name, "--org", "Toys")
    desk.person("mail")
    return desk


def account(desk, user, service="portal"):
    """What the account phase of the service answers to a key alone."""
    result, _ = desk.call("account", {"user": user, "service": service,
                                      "uid": pwd.getpwnam(user).pw_uid})
    return result.verdict


def test_O2_pending_until_accepted_for_the_organisation(toys):
    assert account(toys, "games") == "terms-pending"
    assert account(toys, "games", "free") == "ok"
    toys.ctl("org", "accept-terms", "Toys", "portal", "--yes")
    assert account(toys, "games") == account(toys, "news") == "ok"
    assert account(toys, "mail") == "terms-pending", "another organisation"
    (row,) = [r for r in toys.json("org", "list") if r["organisation"] == "Toys"]
    assert (row["state"], row["accepted_by"], row["edition"], row["accounts"]) == (
        "accepted", "root", 1, 2)


def test_O2_a_new_edition_is_asked_for_again(toys):
    toys.ctl("org", "accept-terms", "Toys", "portal", "--yes")
    toys.stop("broker")
    toys.conf(**{"application portal": {"edition": 2}})
    toys.start_broker()
    assert account(toys, "games") == "terms-pending"
    mine = json.loads(toys.own("games", "--json", "terms").stdout)
    assert [(r["application"], r["state"], r["accepted_edition"]) for r in mine] == [
        ("portal", "pending", 1)]


@pytest.mark.parametrize("role", ["organisation-admin", "application-admin"])
def test_O2_administrators_accept_for_their_own_organisation_only(toys, role):
    toys.ctl("account", "set", "news", "--role", role)
    toys.ctl("account", "set", "mail", "--org", "Others")
    p = toys._pipe("magotpctl", ("org", "accept-terms", "Others", "portal", "--yes"), 1, "", "news")
    assert "Others" not in toys._pipe("magotpctl", ("org", "list"), 0, "", "news").stdout
    assert p.returncode == 1
    toys._pipe("magotpctl", ("org", "accept-terms", "Toys", "portal", "--yes"), 0, "", "news")
    assert account(toys, "games") == "ok"
    assert account(toys, "mail") == "terms-pending"
    (row,) = [r for r in toys.json("org", "list", "Toys")]
    assert row["accepted_by"] == "news"


def test_a_user_cannot_accept(toys):
    toys._pipe("magotpctl", ("org", "accept-terms", "Toys", "portal", "--yes"), 1, "", "games")
    assert account(toys, "games") == "terms-pending"


def test_terms_are_shown_before_they_are_accepted(make_desk, tmp_path):
    tmp_path.chmod(0o755)
    text = tmp_path / "portal"
    text.write_text("No toys at work.\n")
    desk = make_desk(**SECTIONS, **{"application portal": {"terms": str(text)}})
    desk.ctl("account", "add", "games", "--org", "Toys")
    desk.ctl("org", "accept-terms", "Toys", "portal", code=2)  # in a pipe: --yes
    for answer, verdict in (("n", "terms-pending"), ("", "terms-pending"), ("y", "ok")):
        child = desk.terminal("magotpctl", "org", "accept-terms", "Toys", "portal")
        child.expect("No toys at work.")
        child.expect(r"\(y/N\) ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert account(desk, "games") == verdict, answer


def test_names_that_are_not_there(toys):
    p = toys.ctl("org", "accept-terms", "Toys", "prtal", "--yes", code=1)
    assert toys.error(p) == "application-unknown"
    p = toys.ctl("org", "accept-terms", "Nobody", "portal", "--yes", code=1)
    assert toys.error(p) == "organisation-unknown"


def test_many_organisations_are_listed_once_each(toys):
    for i in range(90):
        toys.account("u%02d" % i)
        toys.ctl("account", "set", "u%02d" % i, "--org", "Org %02d" % i)
    rows = toys.json("org", "list")
    names = [r["organisation"] for r in rows]
    assert names == sorted(set(names))
    assert len(names) == 92  # with Toys, and "" of mail
